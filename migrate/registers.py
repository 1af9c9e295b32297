"""Room: registers that people keep beside estate.yaml: holds and retention schedules.

In: a .yaml file with the same key as estate.yaml (`holds:` or `retention:`), or a spreadsheet
(.xlsx, .csv) with a row for each. Out: a document, with file, row and column of every value, that
becomes part of estate.yaml's own. Never: the value of a formula; a file of another kind.

Columns of a hold register: those of `holds` in estate.yaml, and for its scope: folders, owners,
names (words in the name), modified_from, modified_to, sha256, and folder_list, owner_list,
sha256_list (names of lists in estate.yaml). Several values in a cell stand on lines of their own or
between semicolons, and one of them is enough; all columns that are filled in must fit. Further rows
with the same reference widen the scope.
Columns of schedules: those of `retention` in estate.yaml.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from migrate.errors import Fault
from migrate.yamlfile import Document, read_yaml, suggestion

MOST_ROWS = 20_000
MOST_BYTES = 20 << 20
MOST_UNPACKED_BYTES = 10 * MOST_BYTES
MOST_CELLS = 5_000_000

SCOPE = {
    "folders": "path|under", "owners": "owner|in", "names": "name|contains",
    "modified_from": "mtime|since", "modified_to": "mtime|until", "sha256": "sha256|in",
    "folder_list": "path|under_list", "owner_list": "owner|in_list",
    "sha256_list": "sha256|in_list",
}  # fmt: skip
SEVERAL = ("folders", "owners", "names", "sha256")
COLUMNS = {
    "holds": ["reference", "title", "authority", "contact", "issued", "effective", "released",
              *SCOPE],
    "retention": ["retention_class", "title", "trigger", "period", "action", "authority"],
}  # fmt: skip

Cells = list[tuple[str, int]]  # value and column number


def read_register(path: Path, shown_as: str, key: str) -> Document:
    """A register as a document whose value is {key: [...]}; what is wrong is in its faults."""
    if not path.is_file():
        return Document(shown_as, faults=[Fault(shown_as, 1, 1, "there is no such file")])
    kind = path.suffix.lower()
    if kind in (".yaml", ".yml"):
        return _from_yaml(read_yaml(path, shown_as), key)
    if kind not in (".csv", ".xlsx"):
        wrong = "a register is a .yaml, .xlsx or .csv file"
        return Document(shown_as, faults=[Fault(shown_as, 1, 1, wrong)])
    document = Document(shown_as, {key: []})
    try:
        _fill(document, key, _csv_rows(path) if kind == ".csv" else _workbook_rows(path))
    except UnreadableRegister as problem:
        document.faults.append(Fault(shown_as, 1, 1, str(problem)))
    return document


class UnreadableRegister(Exception):
    """Not a spreadsheet we can read; the message says why."""


def _from_yaml(document: Document, key: str) -> Document:
    if document.faults:
        return document
    wrong = f"expected `{key}:` and a list, nothing else"
    if not isinstance(document.value, dict) or set(document.value) != {key}:
        document.faults.append(document.fault((), wrong))
    elif not isinstance(document.value[key], list):
        document.faults.append(document.fault((key,), wrong))
    return document


def _csv_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    content = path.read_bytes()
    if len(content) > MOST_BYTES:
        raise UnreadableRegister(f"larger than {MOST_BYTES >> 20} MB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableRegister("not UTF-8: save it as 'CSV UTF-8'") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, [(cell.strip(), n) for n, cell in enumerate(cells, 1)]
    except csv.Error as error:
        raise UnreadableRegister(f"line {reader.line_num}: {error}") from None


def _workbook_rows(path: Path) -> Iterator[tuple[int, Cells]]:
    from migrate.spreadsheets import Refused, open_workbook

    if path.stat().st_size > MOST_BYTES:
        raise UnreadableRegister(f"larger than {MOST_BYTES >> 20} MB")
    try:
        workbook = open_workbook(path.read_bytes(), MOST_UNPACKED_BYTES, MOST_CELLS)
        sheet = workbook.get_sheet_by_index(0)
        for number, row in enumerate(sheet.to_python(skip_empty_area=False), 1):
            yield number, [(_cell_text(value), n) for n, value in enumerate(row, 1)]
    except Refused as problem:
        raise UnreadableRegister(f"it {problem}") from None
    except Exception as error:  # calamine's errors on damaged files are of many kinds
        raise UnreadableRegister(f"not a workbook that can be read: {error}") from None


def _cell_text(value: Any) -> str:
    """A cell as it would be written in YAML; of a formula, what it last came to."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _fill(document: Document, key: str, rows: Iterator[tuple[int, Cells]]) -> None:
    """Rows below a row of column names, as the items of a list."""
    names: list[str] = []
    for line, cells in rows:
        if line > MOST_ROWS:
            raise UnreadableRegister(f"more than {MOST_ROWS:,} rows")
        if not any(value for value, _ in cells):
            continue
        if not names:
            names = _header(document, key, line, cells)
            continue
        row = {names[n - 1]: (value, n) for value, n in cells if value and n <= len(names)}
        _add_hold(document, line, row) if key == "holds" else _add(document, key, line, row)
    if not names:
        raise UnreadableRegister("it is empty: the first row names the columns")


def _header(document: Document, key: str, line: int, cells: Cells) -> list[str]:
    names = []
    for value, column in cells:
        name = value.casefold().replace(" ", "_")
        if name and name not in COLUMNS[key]:
            wrong = f"unknown column {value!r}{suggestion(name, COLUMNS[key])}"
            document.faults.append(Fault(document.file, line, column, wrong))
        if name and name in names:
            wrong = f"two columns are called {value!r}"
            document.faults.append(Fault(document.file, line, column, wrong))
        names.append(name)
    return names


def _add(document: Document, key: str, line: int, row: dict[str, tuple[str, int]]) -> None:
    items = document.value[key]
    place = (key, len(items))
    document.places[place] = (line, 1)
    for name, (_, column) in row.items():
        document.places[(*place, name)] = (line, column)
    items.append({name: value for name, (value, _) in row.items()})


def _add_hold(document: Document, line: int, row: dict[str, tuple[str, int]]) -> None:
    """A hold with its scope as a `match`; a row with a known reference adds a scope to it."""
    scope = {name: row.pop(name) for name in [*row] if name in SCOPE}
    reference = row.get("reference", ("", 0))[0]
    items = document.value["holds"]
    known = next((n for n, one in enumerate(items) if one.get("reference") == reference), None)
    if known is None or not reference:
        known = len(items)
        _add(document, "holds", line, row)
        items[known]["match"] = {"any": []}
    else:
        _refuse_other_words(document, items[known], line, row)
    match = items[known]["match"]["any"]
    place = ("holds", known, "match", "any", len(match))
    document.places[place] = (line, 1)
    match.append({})
    for name, (value, column) in scope.items():
        several = [part.strip() for part in value.replace("\n", ";").split(";") if part.strip()]
        match[-1][SCOPE[name]] = several if name in SEVERAL else value
        document.places[(*place, SCOPE[name])] = (line, column)


def _refuse_other_words(
    document: Document, first: dict[str, Any], line: int, row: dict[str, tuple[str, int]]
) -> None:
    for name, (value, column) in row.items():
        if first.get(name) != value:
            wrong = f"{name} is not what the first row of {first['reference']} says"
            document.faults.append(Fault(document.file, line, column, wrong))
