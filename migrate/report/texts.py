"""Room: the report's figures in other forms: JSON, CSV and Markdown files, and bars for a terminal.

In: `Figures`, sections. Out: text. Never: a name that a spreadsheet could run as a formula, or that
becomes markup in Markdown.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from migrate.manifests.standard import harmless
from migrate.paths import printable
from migrate.report.figures import Figures
from migrate.report.page import built
from migrate.report.tables import Cell, Section, Table, Value

CONSOLE = {"proposals": 1, "rot": 1, "age": 1, "formats": 1}  # sections, and how many tables


def as_json(figures: Figures) -> str:
    """Every figure, as numbers."""
    return json.dumps(figures.as_data(), ensure_ascii=False, indent=1, default=str) + "\n"


def as_csv(figures: Figures) -> str:
    """Every figure in a row of its own: which figure, of what, which measure, its value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["figure", "of", "measure", "value"])
    for figure, of, measure, value in _flat(figures.as_data()):
        shown = harmless(printable(value)) if isinstance(value, str) else value
        writer.writerow([figure, harmless(printable(of)), measure, shown])
    return text.getvalue()


Line = tuple[str, str, str, Any]


def _flat(data: dict[str, Any], above: str = "") -> Iterator[Line]:
    """Nested figures as lines. Of a list, each row is named by its first texts."""
    for name, value in data.items():
        figure = f"{above}.{name}" if above else name
        if isinstance(value, dict):
            yield from _flat(value, figure)
        elif isinstance(value, list):
            for number, row in enumerate(value):
                yield from _row(figure, row, str(number + 1))
        else:
            yield figure, "", "", value


def _row(figure: str, row: Any, number: str) -> Iterator[Line]:
    if not isinstance(row, dict):
        yield figure, number, "", row
        return
    texts = [str(value) for value in row.values() if isinstance(value, str)][:2]
    for measure, value in row.items():
        if not isinstance(value, dict | list):
            yield figure, " / ".join(texts) or number, measure, value


def as_markdown(figures: Figures) -> str:
    """The page's words and tables."""
    lines = [f"# {_plain(figures.title)}", ""]
    lines += ["| | | |", "|---|---:|---|"]
    lines += [f"| {_plain(h.what)} | {_plain(h.figure)} | {_plain(h.note)} |"
              for h in figures.headlines()]  # fmt: skip
    for section in built(figures):
        lines += ["", f"## {_plain(section.title)}", ""]
        lines += [_plain(line) for line in (*section.says, section.basis) if line]
        tables = [*section.tables, *(table for fold in section.folds for table in fold.tables)]
        titles = [*(table.caption for table in section.tables),
                  *(f"{fold.title}: {table.caption}" for fold in section.folds
                    for table in fold.tables)]  # fmt: skip
        for title, table in zip(titles, tables, strict=True):
            lines += ["", f"### {_plain(title)}", "", *_table_lines(table)]
    return "\n".join(lines) + "\n"


def _table_lines(table: Table) -> Iterator[str]:
    if not table.rows:
        yield "none"
        return
    yield "| " + " | ".join(_plain(column.title) for column in table.columns) + " |"
    kinds = ["---" if column.kind == "words" else "---:" for column in table.columns]
    yield "|" + "|".join(kinds) + "|"
    for row in table.rows:
        yield "| " + " | ".join(_plain(_words(value)) for value in row) + " |"
    if table.note:
        yield ""
        yield _plain(table.note)


def _words(value: Value) -> str:
    return value.text if isinstance(value, Cell) else str(value)


def _plain(text: str) -> str:
    """A text that means nothing to Markdown, nor to HTML in it."""
    return re.sub(r"([\\`*_{}\[\]<>#|&~])", r"\\\1", printable(str(text)))


def bars(figures: Figures, whole: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """A few tables for a terminal: title, columns, rows; figures with bars, the longest of which
    is `whole`."""
    for section in built(figures):
        for table in section.tables[: CONSOLE.get(section.anchor, 0)]:
            yield _bars(section, table, whole)


def _bars(section: Section, table: Table, whole: str) -> tuple[str, list[str], list[list[str]]]:
    rows = table.rows[:-1] if table.total else table.rows
    place = (
        next((n for n, value in enumerate(rows[0]) if isinstance(value, Cell)), 1) if rows else 1
    )
    columns = [table.columns[0].title, table.columns[place].title, ""]
    shown = []
    for row in rows:
        value = row[place]
        part = value.percent if isinstance(value, Cell) else 0
        length = max(round(part / 100 * len(whole)), 1) if part else 0
        shown.append([_words(row[0]), _words(value), whole[:length]])
    return f"{section.title}: {table.caption}", columns, shown
