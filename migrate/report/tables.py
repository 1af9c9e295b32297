"""Room: what a page is made of: sections, tables, columns, cells.

In: plain rows. Out: cells of text, with bars where a column has them. A table is its rows and its
columns; a column says how it shows a row. Never: markup.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from migrate.report.sections import Figure
from migrate.wording import size_text

if TYPE_CHECKING:
    from migrate.report.maps import Map
    from migrate.report.pictures import Picture

MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
]  # fmt: skip


class Cell(Struct, frozen=True):
    """A figure with a bar: the bar repeats what the text says."""

    text: str
    percent: float


Value = str | Cell
Show = Callable[[Figure, list[Figure]], Value]


class Column(Struct, frozen=True):
    """A heading, how to show a row (among all the rows of its table; a total stands alone, among
    none), and what for: words | figure | bar. The first column of a table names the row."""

    title: str
    show: Show
    kind: str


class Table(Struct, frozen=True):
    """One table. `folded` tables open on a click, and in print. One without rows says "none"."""

    caption: str
    columns: list[Column]
    rows: list[list[Value]]
    note: str = ""
    folded: bool = False
    total: bool = False  # the last row adds up the others


class Fold(Struct, frozen=True):
    """A figure that opens: what it is, and the tables behind it."""

    title: str
    tables: list[Table]


class Section(Struct, frozen=True):
    """A chapter of the page: what it says in words, its pictures, its tables, and what is behind
    its figures. `basis`: the runs that its figures rest on."""

    anchor: str
    title: str
    says: list[str]
    tables: list[Table] = []
    folds: list[Fold] = []
    pictures: list[Picture] = []
    maps: list[Map] = []
    basis: str = ""


def table(
    caption: str, columns: list[Column], rows: list[Figure], *,
    note: str = "", folded: bool = False, total: Figure | None = None, total_name: str = "All",
) -> Table:  # fmt: skip
    """A line for each row, and one for the total of all."""
    lines = [[column.show(row, rows) for column in columns] for row in rows]
    if total is not None:
        lines.append([total_name, *(column.show(total, []) for column in columns[1:])])
    return Table(caption, columns, lines, note, folded, total is not None)


def fold(title: str, found: Figure | None) -> list[Fold]:
    """A figure opened down to folders and rules; nothing where there is nothing behind it."""
    if not found or not found["folders"]:
        return []
    folders = [words("Folder", "place"), count("Items", "items"), size()]
    rules = [words("Rule that decides", lambda row: f"{row['title']} ({row['rule_id']})"),
             count("Items", "items"), size()]  # fmt: skip
    tables = [table(_most("By folder", "folders", found), folders, found["folders"])]
    if found["rules"]:
        tables.append(table(_most("By rule", "rules", found), rules, found["rules"]))
    return [Fold(title, tables)]


def _most(caption: str, what: str, found: Figure) -> str:
    shown, of = len(found[what]), found[f"{what}_of"]
    return f"{caption} (the {shown} with most of {of:,})" if of > shown else caption


Get = str | Callable[[Figure], Any]  # the name of a figure in the row, or how to come by it


def _got(get: Get, row: Figure) -> Any:
    return row[get] if isinstance(get, str) else get(row)


def words(title: str, get: Get) -> Column:
    return Column(title, lambda row, _: _got(get, row), "words")


def figure(title: str, get: Get) -> Column:
    """A figure that is text already."""
    return Column(title, lambda row, _: _got(get, row), "figure")


def count(title: str, get: Get) -> Column:
    return figure(title, lambda row: f"{_got(get, row):,}")


def size(title: str = "Size") -> Column:
    return figure(title, lambda row: size_text(row["size_bytes"]))


def part(title: str, whole: int) -> Column:
    """What part of all the bytes a row takes."""
    return figure(title, lambda row: percent_text(row["size_bytes"], whole))


def count_bar(title: str, name: str) -> Column:
    return _bar(title, name, lambda number: f"{number:,}")


def size_bar(title: str = "Size") -> Column:
    return _bar(title, "size_bytes", size_text)


def _bar(title: str, name: str, text: Callable[[int], str]) -> Column:
    """A figure with a bar as long as its part of the largest; in the total, without."""

    def show(row: Figure, rows: list[Figure]) -> Value:
        if not rows:
            return text(row[name])
        return Cell(text(row[name]), percent(row[name], max(other[name] for other in rows)))

    return Column(title, show, "bar")


def part_bar(title: str, show: Callable[[Figure], Cell]) -> Column:
    """A bar that is a part of something in the row itself, so the total has one too."""
    return Column(title, lambda row, _: show(row), "bar")


def summed(rows: list[Figure], *names: str) -> Figure:
    """The rows' total."""
    return {name: sum(row[name] for row in rows) for name in names}


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def percent_text(part: int, whole: int) -> str:
    """'37%'; never 0% or 100% for what is only nearly so."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 1:
        return "under 1%"
    return "over 99%" if 99 < share < 100 else f"{share:.0f}%"


def day_text(moment: str) -> str:
    """'2026-11-02T10:00:00Z' as '2 November 2026', whatever language the machine speaks."""
    day = date.fromisoformat(moment[:10])
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
