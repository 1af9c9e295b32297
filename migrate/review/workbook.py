"""Room: a review workbook written, so that a person can work with it and no cell can do harm.

In: rows. Out: one .xlsx, written row by row in flat memory. Never: a value from a file name that a
spreadsheet could run as a formula, or a link that leads anywhere but to a share; two different
files for the same rows; a merged cell; a colour that says something no word says.
"""

from __future__ import annotations

import gc
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from msgspec import Struct
from xlsxwriter.url import Url
from xlsxwriter.utility import xl_col_to_name

from migrate.model import WITHDRAWN
from migrate.plan import DECISIONS
from migrate.review.columns import (
    BARRED,
    BLUE,
    COMMENT,
    COPIES,
    COVER,
    DECISION,
    FILLS,
    FOLDERS,
    GREY,
    INFO,
    INPUT,
    KEEP,
    MODIFIED,
    PALE,
    RULES,
    SHEETS,
    SIZE,
    Column,
    Row,
    Value,
)
from migrate.review.heights import POINTS_PER_LINE, lines_of, roomy
from migrate.review.streamed import StreamedSheet, cell

CHOICES = {COPIES: [KEEP, WITHDRAWN]}
INPUT_TITLES = (DECISION, COMMENT)
BANDED = (FOLDERS, COPIES)
NUMBERS = (SIZE, MODIFIED, "Files", "Oldest", "Newest")
MOST_LINES = 25  # Excel: at most 409 points
MOST_LINKS = 65_000  # Excel: 65,530 on a sheet
# The rest stays readable on the screen. Of copies also whose they are is printed.
PRINTED_COLUMNS = {FOLDERS: 9, COPIES: 10, RULES: 9, INFO: 9}

_RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")
_BASE = {"font_name": "Calibri", "font_size": 11, "valign": "top"}
_HEADER = {**_BASE, "bold": True, "font_color": "#FFFFFF", "bg_color": BLUE, "text_wrap": True}


class Sheet(Struct):
    """One sheet under way."""

    page: Any
    columns: list[Column]
    path: int  # the column whose cells are links
    widths: list[tuple[str, int]]  # of wrapped columns
    banded: tuple[str, ...]  # columns whose cells have a colour in the line of a folder or a group
    rows: int = 0
    links: int = 0
    files: int = 0  # rows beneath others


class ReviewWorkbook:
    """One workbook. Rows are to be added sheet by sheet, then it is closed."""

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.temporary = path.with_suffix(".part")
        self.book = xlsxwriter.Workbook(
            str(self.temporary),
            {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
        )
        # No trace of when it was written: the same rows give the same bytes.
        self.book.set_properties(
            {"title": title, "author": "migrate", "created": datetime(2000, 1, 1)}
        )
        self.title = title
        self.formats: dict[Any, Any] = {}
        self.styles: dict[Any, int] = {}
        self.last_link, self.last_url = "", None
        self.cover = self.book.add_worksheet(COVER)
        self.cover.set_paper(9)
        self.cover.set_header(f"&L{_for_header(title)}")
        self.cover.set_footer("&RPage &P of &N")
        self.sheets = {name: self._sheet(name, columns) for name, columns in SHEETS.items()}

    def format(self, **settings: Any) -> Any:
        """A cell format, made once."""
        key = tuple(sorted(settings.items()))
        if key not in self.formats:
            self.formats[key] = self.book.add_format({**_BASE, **settings})
        return self.formats[key]

    def _sheet(self, name: str, columns: list[Column]) -> Sheet:
        page = self.book.add_worksheet(name, worksheet_class=StreamedSheet)
        for number, column in enumerate(columns):
            page.set_column(number, number, column.width, None, {"hidden": column.hidden})
        page.freeze_panes(1, 2 if columns[0].title == DECISION else 0)
        page.outline_settings(symbols_below=False)
        page.set_landscape()
        page.set_paper(9)  # A4
        page.fit_to_pages(1, 0)
        page.repeat_rows(0)
        page.set_header(f"&L{_for_header(self.title)}&R{name}")
        page.set_footer("&RPage &P of &N")
        page.set_row(0, 2 * POINTS_PER_LINE)
        for number, column in enumerate(columns):
            aligned = {"align": "right"} if column.title in NUMBERS else {}
            page.write_string(0, number, column.title, self.format(**_HEADER, **aligned))
        wrapped = [
            (column.title, column.width if column.title == "Path" else roomy(column.width))
            for column in columns
            if column.wrap and not column.hidden
        ]  # a path may be in capitals, and is bold
        titles = [column.title for column in columns]
        path = titles.index("Path") if "Path" in titles else 0
        banded = tuple(titles) if name in BANDED else INPUT_TITLES
        return Sheet(page, columns, path, wrapped, banded)

    def add(
        self, name: str, row: Row, *, link: str = "", beneath: bool = False, folds: bool = False
    ) -> None:
        """Append a row. `link` opens its folder; `beneath`: it belongs to the line above, and is
        folded away; `folds`: such rows follow. Texts are as `columns.text` makes them."""
        sheet = self.sheets[name]
        sheet.rows += 1
        sheet.files += beneath
        number = sheet.rows
        barred = bool(row.get(BARRED))
        always = sheet.banded if not beneath else INPUT_TITLES  # cells that are there when empty
        cells = [
            cell(number, place, value, self._style(name, column, value, beneath, barred))
            for place, column in enumerate(sheet.columns)
            if (value := row.get(column.title)) is not None or column.title in always
        ]
        folded = beneath and name == FOLDERS
        sheet.page.row(number, cells, _height(sheet, row), int(beneath), folded, folds)
        if link and sheet.links < MOST_LINKS:
            sheet.links += 1
            sheet.page.link(number, sheet.path, self._url(link))

    def _url(self, link: str) -> Url:
        """A link, kept for the next row: many stand in the same folder."""
        if link != self.last_link:
            self.last_link, self.last_url = link, Url(link)
        return self.last_url

    def _style(self, name: str, column: Column, value: Value, beneath: bool, barred: bool) -> int:
        """The number of a cell's format; the same few again and again."""
        key = (
            name, column.title, type(value), beneath, barred,
            column.title == "Proposal" and value,
            isinstance(value, str) and value.startswith(_RISKY_STARTS),
        )  # fmt: skip
        if key not in self.styles:
            made = self.format(**_look(name, column, value, beneath, barred))
            self.styles[key] = made._get_xf_index()
        return self.styles[key]

    def close(self) -> None:
        """Finish the sheets, write the file, and let go of what was kept for it: 65,000 links are
        20 MB, and a workbook and its sheets hold each other."""
        for name, sheet in self.sheets.items():
            self._finish(name, sheet)
        self.book.close()
        self.temporary.replace(self.path)
        del self.book, self.cover, self.sheets, self.formats
        gc.collect()

    def _finish(self, name: str, sheet: Sheet) -> None:
        page, last = sheet.page, sheet.rows
        width = len(sheet.columns) - 1
        page.autofilter(0, 0, last, width)
        if name == FOLDERS and sheet.files:
            line = [column.title for column in sheet.columns].index("Line")
            page.filter_column_list(line, ["Folder"])
        visible = [number for number, column in enumerate(sheet.columns) if not column.hidden]
        page.print_area(0, 0, last, min(visible[-1], PRINTED_COLUMNS[name] - 1))
        # Screen readers look for a name like this to read the header with each cell.
        reference = f"'{name}'!$A$1:${xl_col_to_name(width)}$1"
        self.book.define_name(f"'{name}'!ColumnTitle", f"={reference}")
        page.protect("", {"autofilter": True, "sort": True, "format_columns": True,
                          "format_rows": True})  # fmt: skip
        if last and sheet.columns[0].title == DECISION:
            words = CHOICES.get(name, [*DECISIONS, WITHDRAWN])
            page.data_validation(
                1, 0, last, 0,
                {
                    "validate": "list", "source": words, "error_title": "Not a decision",
                    "error_message": f"Choose {', '.join(words)}, or clear the cell.",
                },
            )  # fmt: skip


def _for_header(title: str) -> str:
    """A title as a printed page's header has it: & begins a command there, and 255 characters are
    all that Excel allows."""
    return title[:100].replace("&", "&&")


def _look(name: str, column: Column, value: Value, beneath: bool, barred: bool) -> dict[str, Any]:
    look: dict[str, Any] = {"text_wrap": column.wrap} if column.wrap else {}
    if isinstance(value, str) and value.startswith(_RISKY_STARTS):
        look["quote_prefix"] = True  # stays a text when somebody edits it
    if isinstance(value, datetime):
        look["num_format"] = "yyyy-mm-dd"
    elif isinstance(value, int | float):
        look["num_format"] = "#,##0" if isinstance(value, int) else "#,##0.0"
    if column.title in INPUT_TITLES and not barred:
        return {**look, "bg_color": INPUT, "locked": False, "border": 1, "border_color": "#D8C98A"}
    if name in BANDED and not beneath:
        look |= {"bg_color": PALE, "top": 1, "top_color": "#9FB3C6"}
        look |= {"bold": True} if column.title in ("Line", "Path", "Proposal") else {}
    if column.title == "Proposal" and value in FILLS:
        look["bg_color"] = FILLS[str(value)]
    look |= {"font_color": GREY} if barred else {}
    if column.title == "Path":
        look |= {
            "font_color": GREY if barred else BLUE,
            "underline": 1,
            "indent": 1 if beneath else 0,
        }
    return look


def _height(sheet: Sheet, row: Row) -> float:
    """High enough for its longest wrapped text."""
    lines = 1
    for title, width in sheet.widths:
        value = row.get(title)
        if isinstance(value, str) and len(value) > width:
            lines = max(lines, lines_of(value, width))
    return POINTS_PER_LINE * min(lines, MOST_LINES)
