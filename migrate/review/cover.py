"""Room: the first sheet of a review workbook: what this is, what to decide, by when, what each
decision does, how sure the toolkit is, and how much there is.

In: sums. Out: a page of plain words with charts beside them, and a page of small tables. Never: a
chart without its figures in words for those who do not see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from migrate.review.columns import (
    BLUE,
    CATEGORIES,
    CONTESTED,
    COPIES,
    COVER,
    FILLS,
    FOLDERS,
    GREY,
    INFO,
    INPUT,
    KEEP,
    NO_RULE,
    PALE,
    PROPOSALS,
    REVIEWER_LABEL,
    RULES,
    STATE_LABEL,
    SURENESS,
)
from migrate.review.heights import POINTS_PER_LINE, lines_of, roomy
from migrate.wording import size_text

if TYPE_CHECKING:
    from migrate.review.workbook import ReviewWorkbook

Sum = tuple[str, int, int, str]  # what, items, bytes, what there is to say of it
WIDTHS = (30, 64, 10, 11)
CHARTS_BESIDE = 2  # the column that charts begin at, beside the words
TITLE_PIXELS, BAR_PIXELS, BETWEEN_PIXELS = 56, 24, 10
TOP_PIXELS, PIXELS_PER_POINT = 40, 4 / 3


class Cover(Struct, frozen=True):
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
SURE_MEANINGS = {
    SURENESS["high"]: "A fact about the file, such as identical bytes. Seldom wrong.",
    SURENESS["medium"]: "A strong sign, such as a name that fits. Look at a few.",
    SURENESS["low"]: "A hint, such as age alone. Look before you decide.",
}
CATEGORY_MEANINGS = {
    CATEGORIES["hold"]: "A hold that is no longer in force.",
    CATEGORIES["record"]: "Likely to be a record.",
    CATEGORIES["sensitive"]: "Personal, marked or protected material.",
    CATEGORIES["redundant"]: "There is another copy or version.",
    CATEGORIES["obsolete"]: "Past its use.",
    CATEGORIES["trivial"]: "Never was business information.",
    CATEGORIES["handling"]: "Needs work to move; says nothing about its worth.",
    NO_RULE: "Nothing was noticed about it.",
}
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
    ("1. Sign", f"Write your name beside “{REVIEWER_LABEL}”. You answer for the decisions."),
    ("2. Folders", f"On “{FOLDERS}” each bold line stands for all items of a folder with one "
     "proposal. One decision on the line covers them all. Most of the work is done here."),
    ("3. Files", "To see the files beneath, choose “File” too in the filter of the column “Line”. "
     "What you decide on a file counts before its folder’s decision."),
    ("4. Copies", f"“{COPIES}” shows files that are the same byte for byte; the one to be kept "
     f"comes first. Write {KEEP} beside another if that is the one to keep."),
    ("5. Rules", f"On “{RULES}” one decision covers everything a rule found. It counts where "
     "nothing nearer (file, copies, folder) is decided."),
    ("6. Return", "Save as an Excel workbook (.xlsx) and send it back. You may sort, filter, add "
     "columns, delete lines and return a part. To fold lines or to sort, use “Unprotect sheet”: "
     "there is no password."),
]  # fmt: skip


def write_cover(book: ReviewWorkbook, cover: Cover) -> None:
    """Write the first sheet."""
    page = book.cover
    for number, width in enumerate(WIDTHS):
        page.set_column(number, number, width)
    page.hide_gridlines(2)
    page.set_landscape()
    page.fit_to_pages(1, 0)
    page.protect("", {"format_columns": True, "format_rows": True})
    tables = [
        ("What is proposed", "What it means", cover.proposals, "Items by proposal"),
        ("Kind of rule that decides", "What it means", cover.categories, "Items by kind of rule"),
        ("How sure the toolkit is", "What it means", cover.sureness, ""),
        ("Years since last changed", "Of these", cover.ages, "Items by years since last changed"),
        ("Largest folders", "Of these", cover.folders, "Items by folder"),
    ]
    charts = [_chart_pixels(sums) for _, _, sums, chart in tables if chart and sums]
    row = _write_words(book, cover, TOP_PIXELS + sum(charts))
    page.set_h_pagebreaks([row])
    pixels = TOP_PIXELS
    for title, says, sums, chart in tables:
        if not sums:
            continue
        first = row + 1
        row = _table(book, row, title, says, sums) + 1
        if chart:
            _chart(book, pixels, first, chart, sums)
            pixels += _chart_pixels(sums)


def _write_words(book: ReviewWorkbook, cover: Cover, least_pixels: float) -> int:
    """The words, and empty rows until they reach as far down as the charts; gives the next row."""
    row, pixels = 0, 0.0
    for line in _words(book, cover):
        points = 28.0 if row == 0 else _points(line)
        book.cover.set_row(row, points)
        for column, (value, style) in enumerate(line):
            book.cover.write_string(row, column, value, style)
        row, pixels = row + 1, pixels + points * PIXELS_PER_POINT
    missing = max(0.0, least_pixels - pixels)
    return row + 1 + int(missing / (POINTS_PER_LINE * PIXELS_PER_POINT))


def _points(line: Words) -> float:
    """High enough for what stands in the second column; headings are larger."""
    wrapped = line[1][0] if len(line) > 1 else ""
    return POINTS_PER_LINE * lines_of(wrapped, roomy(WIDTHS[1])) + (5 if len(line) == 1 else 0)


Words = list[tuple[str, Any]]


def _words(book: ReviewWorkbook, cover: Cover) -> Iterator[Words]:
    plain, bold = book.format(text_wrap=True), book.format(bold=True)
    heading = book.format(bold=True, font_size=13, font_color=BLUE)
    own = book.format(bg_color=INPUT, locked=False, border=1, border_color="#D8C98A")
    yield [(f"{cover.title}: {cover.unit}", book.format(bold=True, font_size=18))]
    yield [(REVIEWER_LABEL, bold), (cover.reviewer, own)]
    yield [("Please return by", bold), (cover.due or "no date is set", plain)]
    if cover.part:
        yield [("This workbook", bold), (cover.part, plain)]
    yield [("Ages count back from", bold), (cover.as_of, plain)]
    yield [(STATE_LABEL, bold), (cover.state, plain)]
    yield [("What this is", heading)]
    yield [("", plain), (_WHAT, plain)]
    for title, lines in (
        ("What to do", _HOW), ("What each decision does", _DECISIONS),
    ):  # fmt: skip
        yield [(title, heading)]
        for word, meaning in lines:
            yield [(word, bold), (meaning, plain)]
    yield [("What the colours say", heading)]
    yield [("Yellow", book.format(bg_color=INPUT)), ("Yours to fill in.", plain)]
    line = f"The line of a folder; on “{COPIES}”, the copy that would be kept."
    yield [("Grey-blue", book.format(bg_color=PALE)), (line, plain)]
    line = f"On “{COPIES}”: not for you to decide. The line says why, and whose the file is."
    yield [("Grey letters", book.format(font_color=GREY)), (line, plain)]
    others = "Proposals, as in “What is proposed” below; the word always stands there too."
    yield [("Other colours", plain), (others, plain)]


def _table(book: ReviewWorkbook, row: int, title: str, says: str, sums: list[Sum]) -> int:
    """A small table from a row on; gives the row after it."""
    page = book.cover
    header = {"bold": True, "font_color": "#FFFFFF", "bg_color": BLUE}
    for column, word in enumerate((title, says, "Items", "Size")):
        aligned = {"align": "right"} if column > 1 else {}
        page.write_string(row, column, word, book.format(**header, **aligned))
    for number, (what, items, size_bytes, words) in enumerate(sums, row + 1):
        fill = {"bg_color": FILLS[what]} if what in FILLS else {}
        longest = max(lines_of(what, WIDTHS[0]), lines_of(words, roomy(WIDTHS[1])))
        page.set_row(number, POINTS_PER_LINE * longest)
        page.write_string(number, 0, what, book.format(text_wrap=True, **fill))
        page.write_string(number, 1, words, book.format(text_wrap=True))
        page.write_number(number, 2, items, book.format(num_format="#,##0"))
        page.write_string(number, 3, size_text(size_bytes), book.format(align="right"))
    return row + len(sums) + 1


def _chart(book: ReviewWorkbook, pixels: int, first: int, title: str, sums: list[Sum]) -> None:
    """A bar chart so far from the top, of a table whose first line is `first`."""
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
    drawn.set_y_axis({"reverse": True, "num_font": {"size": 10}, "interval_unit": 1})
    drawn.set_x_axis({"visible": False, "major_gridlines": {"visible": False}, "min": 0})
    drawn.set_size({"width": 460, "height": _chart_pixels(sums) - BETWEEN_PIXELS})
    words = "; ".join(f"{what}: {items:,}" for what, items, *_ in sums)
    place = {"description": f"Bar chart. {title}: {words}.", "object_position": 2}
    book.cover.insert_chart(0, CHARTS_BESIDE, drawn, {**place, "y_offset": pixels})


def _chart_pixels(sums: list[Sum]) -> int:
    return TITLE_PIXELS + BAR_PIXELS * len(sums) + BETWEEN_PIXELS
