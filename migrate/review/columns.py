"""Room: the sheets of a review workbook, their columns, and the values that stand in cells.

In: texts, sizes and times of the tables. Out: values that a spreadsheet holds and gives back.
Never: a value that a program could take for a formula (see workbook.py), or that hides what a file
is called.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import xxhash
from msgspec import Struct

from migrate.paths import printable
from migrate.wording import moment

Value = str | int | float | datetime | None
Row = dict[str, Value]

COVER, FOLDERS, COPIES, RULES, INFO = (
    "Start here", "Folders and files", "Duplicates", "Rules", "For information",
)  # fmt: skip
REVIEWER_LABEL, STATE_LABEL = "Your name", "Made from"
LONGEST_TEXT = 32_000  # Excel: 32,767 characters in a cell

DECISION, COMMENT, STANDS = "Decision", "Comment", "Decided so far"
BARRED = "Not decided here because"
KEY, CHECK, DIGEST = "Key", "Check", "Content (XXH3)"
SIZE, MODIFIED = "Size (KB)", "Modified"
NOT_CHECKED = (DECISION, COMMENT, STANDS, CHECK)  # a person's columns, and what decisions change

KEEP, WITHDRAW = "keep", "withdraw"

PROPOSALS = {
    "dispose": "Dispose", "review": "Please decide", "migrate": "Migrate", "hold": "On hold",
    "unreadable": "Cannot be read", "not_a_file": "Not a file",
}  # fmt: skip
CONTESTED = "Migrate?"  # a stronger rule would move it, a weaker one dispose of it

CATEGORIES = {
    "hold": "Hold that has ended", "record": "Record", "sensitive": "Sensitive",
    "redundant": "Redundant", "obsolete": "Obsolete", "trivial": "Trivial",
    "handling": "Handling",
}  # fmt: skip
NO_RULE = "No rule matched"
SURENESS = {"high": "High", "medium": "Medium", "low": "Low"}

BLUE, PALE, INPUT, GREY = "#1D4F7C", "#E8EEF4", "#FFF4CC", "#6B6B6B"
FILLS = {
    PROPOSALS["dispose"]: "#F9D9D3", PROPOSALS["review"]: "#FCE8B8",
    PROPOSALS["migrate"]: "#D5EBD8", CONTESTED: "#D6E6F5", PROPOSALS["hold"]: "#E4DDF0",
    PROPOSALS["unreadable"]: "#E3E3E3", PROPOSALS["not_a_file"]: "#E3E3E3",
}  # fmt: skip


class Column(Struct, frozen=True):
    """`words`: a text that a decision rests on, which has to come back as it went out. Numbers and
    dates may be mangled by programs: the row's check says what they were."""

    title: str
    width: int
    wrap: bool = False
    hidden: bool = False
    words: bool = False


def _text(title: str, width: int, hidden: bool = False) -> Column:
    return Column(title, width, wrap=True, hidden=hidden, words=True)


_DECIDE = [Column(DECISION, 11), Column(COMMENT, 18, wrap=True)]
_KEYS = [Column(KEY, 24, hidden=True), Column(CHECK, 20, hidden=True)]

FOLDER_COLUMNS = [
    *_DECIDE,
    Column("Line", 8, words=True),
    Column("Proposal", 14, words=True),
    _text("Path", 40),
    _text("Why", 52),
    Column("Files", 8),
    Column(SIZE, 10),
    Column(MODIFIED, 11),
    Column(STANDS, 26, wrap=True),
    Column("How sure", 10, words=True),
    _text("Authority", 32),
    Column("Owner", 16, wrap=True),
    _text("Duplicate of", 40),
    _text("Hold", 24),
    _text("Also found", 32),
    _text("Rule", 28),
    Column(DIGEST, 36, hidden=True),
    *_KEYS,
]
COPY_COLUMNS = [
    *_DECIDE,
    _text("Group", 26),
    Column("Line", 8, words=True),
    _text("Path", 50),
    Column("Proposal", 14, words=True),
    Column(SIZE, 10),
    Column(MODIFIED, 11),
    Column("Owner", 14, wrap=True),
    _text(BARRED, 30),
    _text("Permissions", 16),
    Column(STANDS, 26, wrap=True),
    Column("Group key", 24, hidden=True, words=True),
    Column(DIGEST, 36, hidden=True),
    *_KEYS,
]
RULE_COLUMNS = [
    *_DECIDE,
    Column("Proposal", 14, words=True),
    _text("Rule", 30),
    Column("Category", 12, words=True),
    Column("How sure", 9, words=True),
    _text("Why, for example", 52),
    _text("Authority", 30),
    Column("Files", 8),
    Column(SIZE, 10),
    Column("Oldest", 11),
    Column("Newest", 11),
    Column(STANDS, 26, wrap=True),
    *_KEYS,
]
INFO_COLUMNS = [
    Column("State", 15),
    Column("Why", 56, wrap=True),
    Column("Path", 56, wrap=True),
    Column(SIZE, 10),
    Column(MODIFIED, 11),
    Column("Owner", 16, wrap=True),
]
SHEETS = {
    FOLDERS: FOLDER_COLUMNS, COPIES: COPY_COLUMNS, RULES: RULE_COLUMNS, INFO: INFO_COLUMNS,
}  # fmt: skip


def text(value: str | None) -> str | None:
    """A text that a cell can hold and that shows everything it contains; None for none."""
    if not value:
        return None
    # _x0041_ is an A to spreadsheet programs; a name that holds such a thing keeps its letters.
    safe = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", r"\\x5f", printable(value))
    return safe[:LONGEST_TEXT]


def kilobytes(size_bytes: int | None) -> float | None:
    """Bytes as file managers show them, with one digit: an empty file has 0, a small one 0.1."""
    if not size_bytes:
        return size_bytes
    return max(round(size_bytes / 1024, 1), 0.1)


def day(time_ns: int | None) -> datetime | None:
    """A table's time as a date; None where there is none, or none that Excel knows."""
    when = None if time_ns is None else moment(time_ns)
    if when is None or when.year < 1900:
        return None
    return datetime(when.year, when.month, when.day)


def canonical(value: Any) -> str:
    """A cell's value in the form that survives a spreadsheet program: 12.0 is 12."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).replace("\r\n", "\n")


def check(row: Row, exact: str = "") -> str:
    """Digest of what the toolkit says in a row, and of what stands behind it exactly (`exact`).
    It begins with a letter, so that no program takes it for a number."""
    words = [f"{name}={canonical(row[name])}" for name in sorted(row) if name not in NOT_CHECKED]
    said = "\0".join([*words, exact])
    return "C" + xxhash.xxh3_64_hexdigest(said.encode("utf-8", "surrogatepass"))
