"""Room: a returned workbook read, whoever has had it in hand and with whatever program.

In: an .xlsx. Out: its decided rows by column title, who signed, and what it was made from. Nothing
in it is believed here. Never: a file that unpacks, or a sheet that spreads, to more than memory
can hold; a row whose decision is read as something it does not say; a decision passed over in
silence because its sheet has another name.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from msgspec import Struct
from python_calamine import CalamineWorkbook

from migrate.errors import LimitReached, UsageError
from migrate.review.columns import (
    CHECK,
    COPIES,
    COVER,
    DECISION,
    FOLDERS,
    INFO,
    KEY,
    REVIEWER_LABEL,
    RULES,
    SHEETS,
    STATE_LABEL,
    canonical,
)
from migrate.spreadsheets import Refused, TooLarge, open_workbook

DECIDED_SHEETS = (FOLDERS, COPIES, RULES)
MOST_UNPACKED_BYTES = 4 << 30
MOST_CELLS = 60_000_000
COVER_ROWS = 60
MOST_ROWS_ABOVE = 50  # the titles
SAVE_AS = (
    "Open it in a spreadsheet program and save it as an Excel workbook (.xlsx), without a password."
)


class Returned(Struct, frozen=True):
    """One row as it came back; there may be a million. `nth` orders those of all workbooks."""

    nth: int
    book: int  # which of the workbooks given
    sheet: str  # what is decided on it
    tab: str  # what it is called: a sheet may have been renamed, or copied
    number: int
    cells: dict[str, Any]
    decision: str

    @property
    def key(self) -> str:
        return canonical(self.cells.get(KEY)).strip()

    @property
    def place(self) -> str:
        return canonical(self.cells.get("Path") or self.cells.get("Rule"))

    @property
    def noted_sheet(self) -> str:
        """The sheet as the record of decisions names it."""
        return self.sheet if self.tab == self.sheet else f"{self.sheet}, as “{self.tab}”"


class Workbook(Struct, frozen=True):
    """What a workbook says of itself, and its rows, which can be read once."""

    name: str
    reviewer: str
    seen_run: int  # decisions up to this run were in it
    sha256: str
    rows: Iterator[Returned]


def read_workbook(path: Path, book: int) -> Workbook:
    """Everything in a workbook that an import looks at.

    Errors (also while its rows are read): UsageError, whatever is wrong with the file: readers
    raise nearly anything for a damaged one; LimitReached if it would unpack to more than 4 GB."""
    with _damaged(path):
        content = path.read_bytes()
        found = open_workbook(content, MOST_UNPACKED_BYTES, MOST_CELLS)
        sheets = _sheets(found)
        cover = _cover(found)
        seen = re.search(r"decisions up to run (\d{1,9})", cover.get(STATE_LABEL, ""))
        digest = hashlib.sha256(content).hexdigest()
        seen_run = int(seen[1]) if seen else 0
        rows = _every_row(path, found, sheets, book)
        return Workbook(path.name, cover.get(REVIEWER_LABEL, ""), seen_run, digest, rows)


@contextmanager
def _damaged(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file, in words for whoever sent it."""
    try:
        yield
    except UsageError as problem:
        raise UsageError(f"{path.name}: {problem.what}", problem.todo) from None
    except TooLarge as problem:
        todo = "Copy the decisions into a workbook as it was exported."
        raise LimitReached(f"{path} {problem}: no review workbook does", todo) from None
    except Refused as problem:
        raise UsageError(f"{path} {problem}", SAVE_AS) from None
    except Exception as error:
        raise UsageError(f"{path} cannot be read as an .xlsx workbook: {error}", SAVE_AS) from None


def _every_row(
    path: Path, found: CalamineWorkbook, sheets: list[tuple[str, str]], book: int
) -> Iterator[Returned]:
    """The rows of all sheets, one sheet in memory after the other."""
    with _damaged(path):
        numbers = count(book << 32)
        for tab, sheet in sheets:
            yield from _rows(found, tab, sheet, book, numbers)


def _sheets(found: CalamineWorkbook) -> list[tuple[str, str]]:
    """The sheets with rows to decide on, by what they are called and what they are: a renamed or
    copied one is known by its columns.

    Errors: UsageError if there is none."""
    sheets = []
    for tab in found.sheet_names:
        if tab in DECIDED_SHEETS:
            sheets.append((tab, tab))
        elif tab not in (COVER, INFO):
            _, titles = _titles(found.get_sheet_by_name(tab).iter_rows())
            if {DECISION, KEY} <= set(titles):
                sheets.append((tab, max(DECIDED_SHEETS, key=lambda name: _alike(name, titles))))
    if not sheets:
        raise UsageError(
            f"it is no review workbook: it has no sheets “{COVER}” and “{FOLDERS}”",
            "Import a workbook that `migrate review export` wrote. A list of refused rows cannot "
            "be imported: correct the rows in the workbook that was sent, and import that again.",
        )
    return sheets


def _alike(name: str, titles: list[str]) -> int:
    return len({column.title for column in SHEETS[name]} & set(titles))


def _cover(found: CalamineWorkbook) -> dict[str, str]:
    """The labels of the first sheet and what stands beside them.

    Errors: UsageError if there is no such sheet, or two (of two people) that differ."""
    covers = []
    others = {*DECIDED_SHEETS, INFO}
    for tab in found.sheet_names:
        if tab not in others:
            rows = found.get_sheet_by_name(tab).to_python(nrows=COVER_ROWS)
            if (labels := _labels(rows)) and labels not in covers:
                covers.append(labels)
    if not covers:
        raise UsageError(
            f"it has lost its sheet “{COVER}”, which says who decided and on what state",
            "Copy the decisions into the workbook as it was sent out, and import that.",
        )
    if len(covers) > 1:
        raise UsageError(
            f"it has {len(covers)} first sheets that differ in who decided, or on what state",
            "Give each person’s workbook by itself: several can be imported together.",
        )
    return covers[0]


def _labels(rows: list[list[Any]]) -> dict[str, str]:
    """What stands beside the labels of a first sheet, wherever they are now; {} if it is none."""
    found: dict[str, str] = {}
    for row in rows:
        words = [canonical(value).strip() for value in row]
        for label, value in zip(words, [*words[1:], ""], strict=True):
            if label in (REVIEWER_LABEL, STATE_LABEL):
                found.setdefault(label, value)
    return found if STATE_LABEL in found else {}


def _rows(
    found: CalamineWorkbook, tab: str, sheet: str, book: int, numbers: Iterator[int]
) -> Iterator[Returned]:
    """The rows of a sheet by column title, wherever the columns are now. Blank ones are none."""
    rows = found.get_sheet_by_name(tab).iter_rows()
    first, titles = _titles(rows)
    wanted = (DECISION, KEY, CHECK)
    missing = [title for title in wanted if title not in titles]
    if missing:
        raise UsageError(
            f"the sheet “{tab}” has lost its column {' and '.join(missing)}",
            "Export the workbook again and copy the decisions into it.",
        )
    if twice := [title for title in wanted if titles.count(title) > 1]:
        raise UsageError(
            f"the sheet “{tab}” has more than one column {' and '.join(twice)}",
            "Rename the one that was added.",
        )
    at = titles.index(DECISION)
    for number, values in enumerate(rows, first + 1):
        if any(value not in ("", None) for value in values):
            cells = dict(zip(titles, values, strict=False))
            decision = as_decision(values[at])
            yield Returned(next(numbers), book, sheet, tab, number, cells, decision)


def _titles(rows: Iterator[list[Any]]) -> tuple[int, list[str]]:
    """The number of the row of titles, and the titles; rows may have been put above it."""
    for number, values in enumerate(rows, 1):
        titles = [canonical(title).strip() for title in values]
        if KEY in titles or DECISION in titles:
            return number, titles
        if number == MOST_ROWS_ABOVE:
            break
    return 1, []


def as_decision(value: Any) -> str:
    """A decision as people write it: case, spaces, quotes and a full stop say nothing."""
    plain = unicodedata.normalize("NFKC", canonical(value))
    return plain.strip(_SAYS_NOTHING).casefold()


_SAYS_NOTHING = " \t\r\n\"'“”‘’.,;:!\u00a0\u200b\ufeff"
