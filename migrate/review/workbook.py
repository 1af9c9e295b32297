"""Room: a review workbook written, so that a person can work with it and no cell can do harm.

In: rows. Out: one .xlsx. Never: a value from a file name that a spreadsheet could run as a formula;
two different files for the same rows.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties

from migrate.plan import DECISIONS
from migrate.review.rows import (
    COMMENT,
    DECISION,
    FILE_COLUMNS,
    GROUP_COLUMNS,
    INFO_COLUMNS,
    Column,
    Row,
)
from migrate.wording import count_text, size_text

COVER, FILES, GROUPS, INFO = (
    "Start here",
    "Files to decide",
    "Folders to migrate",
    "For information",
)
REVIEWER_LABEL = "Your name"
MOST_ROWS = 100_000  # files in one workbook; far below Excel's 1,048,576

_HEADER = {
    "font": Font(name="Calibri", bold=True, color="FFFFFF"),
    "fill": PatternFill("solid", "1D4F7C"),
}
_INPUT = PatternFill("solid", "FFF4CC")
_TOP = Alignment(vertical="top")
_WRAPPED = Alignment(vertical="top", wrap_text=True)
POINTS_PER_LINE, MOST_LINES = 15.0, 25  # Excel: at most 409 points
_RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Cover:
    """What the first sheet says."""

    title: str
    unit: str
    reviewer: str
    export: str
    part: int
    as_of: str
    totals: list[tuple[str, int, int]]  # what, files, bytes
    categories: list[tuple[str, int, int]]


class ReviewWorkbook:
    """One workbook, written row by row in flat memory."""

    def __init__(self, cover: Cover) -> None:
        self.book = Workbook(write_only=True)
        self.styles: dict[tuple[Column, type, bool], Any] = {}
        self._write_cover(cover)
        self.files = self._sheet(FILES, FILE_COLUMNS)
        self.groups = self._sheet(GROUPS, GROUP_COLUMNS)
        self.info = self._sheet(INFO, INFO_COLUMNS)
        self.counts = {FILES: 0, GROUPS: 0, INFO: 0}

    def add(self, sheet: str, columns: list[Column], rows: Iterable[Row]) -> None:
        """Append rows to one of the sheets."""
        page = self.book[sheet]
        for row in rows:
            self.counts[sheet] += 1
            number = self.counts[sheet] + 1
            page.row_dimensions[number].height = _height(columns, row)
            page.append([self._cell(page, column, row.get(column.title)) for column in columns])
            del page.row_dimensions[number]  # it is written: memory stays flat

    def save(self, path: Path) -> None:
        """Close the sheets and write the file, with no trace of when it was written."""
        for sheet, columns in (
            (FILES, FILE_COLUMNS),
            (GROUPS, GROUP_COLUMNS),
            (INFO, INFO_COLUMNS),
        ):
            self._finish(sheet, columns)
        self.book.properties.created = datetime(2000, 1, 1)
        self.book.properties.creator = "migrate"
        temporary = path.with_suffix(".part")
        self.book.save(temporary)
        _without_times(temporary, path)

    def _sheet(self, title: str, columns: list[Column]) -> Any:
        page = self.book.create_sheet(title)
        page.freeze_panes = "C2" if columns[0].title == DECISION else "A2"
        for number, column in enumerate(columns, 1):
            dimension = page.column_dimensions[get_column_letter(number)]
            dimension.width, dimension.hidden = column.width, column.hidden
        _fit_to_page_width(page, "landscape", pages_high=0)
        page.print_title_rows = "1:1"
        page.append(
            [_styled(page, column.title, **_HEADER, alignment=_WRAPPED) for column in columns]
        )
        return page

    def _finish(self, sheet: str, columns: list[Column]) -> None:
        page, last = self.book[sheet], self.counts[sheet] + 1
        page.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{last}"
        if columns[0].title == DECISION and last > 1:
            choices = DataValidation(type="list", formula1=f'"{",".join(DECISIONS)}"')
            choices.errorTitle = "Not a decision"
            choices.error = "Choose migrate, dispose or leave, or clear the cell."
            choices.showErrorMessage = True
            choices.add(f"A2:A{last}")
            page.data_validations.append(choices)

    def _cell(self, page: Any, column: Column, value: Any) -> Any:
        cell: Any = WriteOnlyCell(page, value)
        risky = isinstance(value, str) and value.startswith(_RISKY_STARTS)
        kind = (column, type(value), risky)
        if kind not in self.styles:
            self.styles[kind] = _style_of(page, column, value, risky)
        # openpyxl looks a style up for each attribute that is set: set all of them at once.
        cell._style = self.styles[kind]
        if isinstance(value, str):
            cell.data_type = "s"  # never a formula, whatever it begins with
        return cell

    def _write_cover(self, cover: Cover) -> None:
        page = self.book.create_sheet(COVER)
        _fit_to_page_width(page, "portrait", pages_high=1)
        for letter, width in zip("ABCD", (34, 26, 20, 40), strict=True):
            page.column_dimensions[letter].width = width
        part = f", part {cover.part}" if cover.part > 1 else ""
        title = f"{cover.title}: {cover.unit}{part}"
        bold = Font(name="Calibri", bold=True)
        lines: list[list[Any]] = [
            [_styled(page, title, font=Font(name="Calibri", bold=True, size=16))],
            [],
        ]
        lines += [[_styled(page, line)] for line in _INSTRUCTIONS]
        lines += [
            [],
            [_styled(page, REVIEWER_LABEL, font=bold), _styled(page, cover.reviewer, fill=_INPUT)],
            [_styled(page, "Export"), _styled(page, cover.export)],
            [_styled(page, "Ages count back from"), _styled(page, cover.as_of)],
            [],
            *_totals(page, "What is proposed", cover.totals),
            [],
        ]
        first = len(lines) + 1
        lines += _totals(page, "Why, by the category that decides", cover.categories)
        for line in lines:
            page.append(line)
        if cover.categories:
            _add_chart(page, first, len(cover.categories))


def _fit_to_page_width(page: Any, orientation: str, pages_high: int) -> None:
    """For printing; to be called before the first row, with which the sheet's head is written."""
    page.page_setup.orientation = orientation
    page.page_setup.paperSize = "9"  # A4
    page.page_setup.fitToHeight = pages_high
    page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def _totals(page: Any, title: str, lines: list[tuple[str, int, int]]) -> list[list[Any]]:
    """A small table: what, files, bytes, and the same in words."""
    rows = [[_styled(page, word, **_HEADER) for word in (title, "Files", "Bytes", "In words")]]
    for cell in rows[0][1:3]:
        cell.alignment = Alignment(horizontal="right")
    for what, files, size in lines:
        numbers = [WriteOnlyCell(page, files), WriteOnlyCell(page, size)]
        for cell in numbers:
            cell.number_format = "#,##0"
        words = f"{count_text(files, 'file')}, {size_text(size)}"
        words_cell = _styled(page, words, alignment=Alignment(indent=1))
        rows.append([_styled(page, what), *numbers, words_cell])
    return rows


def _style_of(page: Any, column: Column, value: Any, risky: bool) -> Any:
    """How cells of a column with this type of value look."""
    cell: Any = WriteOnlyCell(page, value)
    cell.alignment = _WRAPPED if column.wrap else _TOP
    cell.quotePrefix = risky
    if isinstance(value, datetime):
        cell.number_format = "yyyy-mm-dd"
    elif isinstance(value, int):
        cell.number_format = "#,##0"
    if column.title in (DECISION, COMMENT):
        cell.fill = _INPUT
    return cell._style


def _height(columns: list[Column], row: Row) -> float:
    """High enough for its longest wrapped text: not every program works that out by itself."""
    texts = [(str(row.get(column.title) or ""), column.width) for column in columns if column.wrap]
    lines = max((-(-len(text) * 1.15 // width) for text, width in texts), default=1)
    return POINTS_PER_LINE * min(max(lines, 1), MOST_LINES)


def _add_chart(page: Any, first: int, lines: int) -> None:
    chart = BarChart()
    chart.type, chart.style, chart.legend = "bar", 10, None
    chart.title = "Files by the category that decides"
    chart.add_data(
        Reference(page, min_col=2, min_row=first, max_row=first + lines), titles_from_data=True
    )
    chart.set_categories(Reference(page, min_col=1, min_row=first + 1, max_row=first + lines))
    chart.x_axis.delete = chart.y_axis.delete = False
    chart.height, chart.width = 7, 20
    page.add_chart(chart, f"A{first + lines + 3}")


def _styled(page: Any, value: str, **style: Any) -> Any:
    cell = WriteOnlyCell(page, value)
    cell.data_type = "s"
    for name, setting in style.items():
        setattr(cell, name, setting)
    return cell


# openpyxl writes the time of saving here, whatever the properties say.
_SAVED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*")


def _without_times(source: Path, target: Path) -> None:
    """The same zip with every member dated 1980: same rows, same bytes."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            member = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            with old.open(info) as content, new.open(member, "w", force_zip64=True) as copy:
                if info.filename == "docProps/core.xml":
                    copy.write(_SAVED.sub(rb"\g<1>2000-01-01T00:00:00Z", content.read()))
                while block := content.read(1 << 20):
                    copy.write(block)
    source.unlink()


_INSTRUCTIONS = [
    "This workbook lists what was found on your shared drive and what is proposed for it.",
    f"1. Write your name beside “{REVIEWER_LABEL}” below.",
    f"2. On “{FILES}”, each line is one file. Read why it is listed and choose a decision:",
    "     migrate = goes into the new records system.",
    "     dispose = is not needed; may be destroyed, by the authority named.",
    "     leave = stays where it is for now.   Empty = nobody has decided; nothing will be done.",
    f"3. On “{GROUPS}”, each line stands for the files of a folder that may simply move.",
    "     One decision there covers them all, except files that you decided on by themselves.",
    f"4. “{INFO}” lists what nobody may decide here: on hold, unreadable, or no file.",
    "5. Change nothing but the yellow columns. You may sort, filter and save; send the file back.",
    "Nothing is deleted by this workbook: a disposal is carried out later, and checked again.",
]
