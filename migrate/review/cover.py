"""Room: the first sheet of a review workbook: what this is, what to decide, by when, what each
decision does, how sure the toolkit is, and how much there is.

In: sums. Out: a page of plain words, four small tables, a chart beside each. Never: a chart without
its figures in words for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrate.review.columns import (
    BLUE,
    CONTESTED,
    COPIES,
    COVER,
    FILLS,
    FOLDERS,
    INFO,
    INPUT,
    KEEP,
    PROPOSALS,
    REVIEWER_LABEL,
    RULES,
    STATE_LABEL,
)
from migrate.wording import size_text

if TYPE_CHECKING:
    from migrate.review.workbook import ReviewWorkbook

Sum = tuple[str, int, int, str]  # what, items, bytes, what it means
CHART_ROWS = 11  # of the default height


@dataclass(frozen=True)
class Cover:
    """What the first sheet says."""

    title: str
    unit: str
    reviewer: str
    state: str  # of which proposals and decisions this is made; read back on import
    part: str
    due: str
    as_of: str
    proposals: list[Sum]
    categories: list[Sum]
    sureness: list[Sum]
    ages: list[Sum]
    folders: list[Sum]


MEANINGS = {
    PROPOSALS["dispose"]: "Not needed, by the rule and authority named. Goes only if you agree.",
    PROPOSALS["review"]: "The rules noticed something but cannot tell. A person has to look.",
    PROPOSALS["migrate"]: "Nothing speaks against moving it.",
    CONTESTED: "Looks worth keeping, though a weaker rule would dispose of it. Please look.",
    PROPOSALS["hold"]: f"Neither moved nor disposed of. Listed on “{INFO}”, not for decision.",
    PROPOSALS["unreadable"]: f"Stays where it is. Listed on “{INFO}”.",
    PROPOSALS["not_a_file"]: "Links and the like: recorded only.",
}
SURENESS = {
    "high": "A fact about the file, such as identical bytes. Seldom wrong.",
    "medium": "A strong sign, such as a name that fits. Look at a few.",
    "low": "A hint, such as age alone. Look before you decide.",
}
CATEGORIES = {
    "hold": "A hold that is no longer in force", "record": "Likely to be a record",
    "sensitive": "Personal, marked or protected material",
    "redundant": "There is another copy or version", "obsolete": "Past its use",
    "trivial": "Never was business information", "none": "No rule matched",
}  # fmt: skip
_WHAT = (
    "What was found under your folders on the shared drives, and what is proposed for it. Nothing "
    "has been moved or deleted, and nothing will be before you decide."
)
_DECISIONS = [
    ("migrate", "It goes into the new records system."),
    ("dispose", "It is not needed and may be destroyed, by the authority named. It is only set "
     "aside for disposal; the disposal is carried out later and checked again."),
    ("leave", "It stays where it is for now."),
    (KEEP, f"Only on “{COPIES}”: this copy migrates, and the other copies of its group in this "
     "workbook may go. You may keep more than one."),
    ("withdraw", "Takes back a decision that was recorded before."),
    ("(empty)", "Nobody has decided. Nothing happens to it."),
]  # fmt: skip
_HOW = [
    f"1. Write your name beside “{REVIEWER_LABEL}”. You answer for the decisions.",
    f"2. “{FOLDERS}”: each bold line stands for all items of a folder with one proposal. One "
    "decision on the line covers them all. Most of the work is done here.",
    "3. To see the files beneath, choose “File” too in the filter of the column “Line”. What you "
    "decide on a file counts before its folder’s decision.",
    f"4. “{COPIES}”: files that are the same byte for byte; the one to be kept comes first. "
    f"Write {KEEP} beside another if that is the one to keep.",
    f"5. “{RULES}”: one decision for everything a rule found. It counts where nothing nearer "
    "(file, copies, folder) is decided.",
    "6. Save the file and send it back. You may sort, filter, add columns, delete lines and return "
    "a part. Only the yellow cells are for you; to fold lines or to sort, use “Unprotect sheet” "
    "(there is no password).",
]


def write_cover(book: ReviewWorkbook, cover: Cover) -> None:
    """Write the first sheet."""
    page = book.cover
    for number, width in enumerate((30, 66, 10, 12, 3)):
        page.set_column(number, number, width)
    page.hide_gridlines(2)
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 1)
    page.protect("", {"format_columns": True, "format_rows": True})
    page.set_row(0, 28)
    row = 0
    for line in _words(book, cover):
        for column, (value, style) in enumerate(line):
            page.write_string(row, column, value, style)
        row += 1
    place = row + 1  # of the next chart, beside the tables
    for title, sums, chart in (
        ("What is proposed", cover.proposals, "Items by proposal"),
        ("Why: the kind of rule that decides", cover.categories, "Items by kind of rule"),
        ("How sure the toolkit is", cover.sureness, ""),
        ("Years since last changed", cover.ages, "Items by years since last changed"),
        ("Largest folders", cover.folders, "Items by folder"),
    ):
        if sums:
            row = _table(book, row + 1, title, sums)
        if sums and chart:
            _chart(book, place, row - len(sums), chart, sums)
            place += CHART_ROWS


Words = list[tuple[str, Any]]


def _words(book: ReviewWorkbook, cover: Cover) -> Iterator[Words]:
    plain, bold = book.format(), book.format(bold=True)
    heading = book.format(bold=True, font_size=13, font_color=BLUE)
    own = book.format(bg_color=INPUT, locked=False, border=1, border_color="#D8C98A")
    yield [(f"{cover.title}: {cover.unit}", book.format(bold=True, font_size=18))]
    yield [(cover.part, plain)] if cover.part else []
    yield [("What this is", heading)]
    yield [(_WHAT, plain)]
    yield []
    yield [(REVIEWER_LABEL, bold), (cover.reviewer, own)]
    yield [("Please return by", bold), (cover.due or "no date is set", plain)]
    yield [("Ages count back from", bold), (cover.as_of, plain)]
    yield [(STATE_LABEL, bold), (cover.state, plain)]
    yield []
    yield [("What to do", heading)]
    for line in _HOW:
        yield [(line, plain)]
    yield []
    yield [("What each decision does", heading)]
    for word, meaning in _DECISIONS:
        yield [(word, bold), (meaning, plain)]


def _table(book: ReviewWorkbook, row: int, title: str, sums: list[Sum]) -> int:
    """A small table from a row on; gives the row after it."""
    page = book.cover
    header = {"bold": True, "font_color": "#FFFFFF", "bg_color": BLUE}
    for column, word in enumerate((title, "What it means", "Items", "Size")):
        aligned = {"align": "right"} if column > 1 else {}
        page.write_string(row, column, word, book.format(**header, **aligned))
    for number, (what, items, size_bytes, meaning) in enumerate(sums, row + 1):
        fill = {"bg_color": FILLS[what]} if what in FILLS else {}
        page.write_string(number, 0, what, book.format(**fill))
        page.write_string(number, 1, meaning, book.format())
        page.write_number(number, 2, items, book.format(num_format="#,##0"))
        page.write_string(number, 3, size_text(size_bytes), book.format(align="right"))
    return row + len(sums) + 1


def _chart(book: ReviewWorkbook, place: int, first: int, title: str, sums: list[Sum]) -> None:
    """A bar chart at a row, of a table whose first line is `first`."""
    last = first + len(sums) - 1
    drawn = book.book.add_chart({"type": "bar"})
    drawn.add_series(
        {
            "name": "Items",
            "categories": [COVER, first, 0, last, 0],
            "values": [COVER, first, 2, last, 2],
            "fill": {"color": BLUE},
            "data_labels": {"value": True, "num_format": "#,##0"},
            "gap": 40,
        }
    )
    drawn.set_title({"name": title, "name_font": {"size": 12}, "overlay": False})
    drawn.set_legend({"none": True})
    drawn.set_y_axis({"reverse": True, "num_font": {"size": 10}})
    drawn.set_x_axis({"visible": False, "major_gridlines": {"visible": False}, "min": 0})
    drawn.set_size({"width": 520, "height": 20 * (CHART_ROWS - 1)})
    words = "; ".join(f"{what}: {items:,}" for what, items, *_ in sums)
    book.cover.insert_chart(
        place, 5, drawn, {"description": f"Bar chart. {title}: {words}.", "object_position": 2}
    )
