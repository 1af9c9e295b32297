"""Room: the rows of a large sheet, written straight to its file.

xlsxwriter makes everything of a workbook but these rows: a cell at a time, with a check of each, is
half as fast as a row at a time. In: cells whose style is known. Out: SpreadsheetML (ECMA-376 part
1, 18.3.1) in the file that xlsxwriter keeps for a sheet's rows in its constant-memory mode.
Never: a cell that is a formula; a text that is not escaped.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from xlsxwriter.url import Url
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

_DAY_ZERO = datetime(1899, 12, 30)
_column = cache(xl_col_to_name)


class StreamedSheet(Worksheet):  # type: ignore[misc]
    """A sheet whose first row is written with xlsxwriter's calls and all others with `row`."""

    def row(
        self, number: int, cells: list[str], height: float, level: int, hidden: bool, folds: bool
    ) -> None:
        """A whole row (from 0), of cells that `cell` made; `level` 0 or 1 of the outline; `folds`:
        what follows is folded away beneath it."""
        if number == 1:
            self._write_single_row(1)  # what was written by calls before
        folded = f' outlineLevel="{level}"' if level else ""
        folded += ' hidden="1"' if hidden else ""
        folded += ' collapsed="1"' if folds else ""
        if level:
            self.outline_row_level = level
        self.dim_rowmax = number
        self._opt_reopen()
        self.row_data_fh.write(
            f'<row r="{number + 1}" ht="{height:g}" customHeight="1"{folded}>{"".join(cells)}</row>'
        )

    def link(self, number: int, column: int, url: Url) -> None:
        """A cell opens a URL; one `Url` may stand in many cells."""
        self.hyperlinks[number][column] = url


def cell(number: int, column: int, value: Any, style: int) -> str:
    """One cell (row and column from 0) with the number of its style; '' for an empty one without.
    A text is a text, whatever it begins with."""
    place = f'<c r="{_column(column)}{number + 1}" s="{style}"'
    if value is None:
        return f"{place}/>" if style else ""
    if isinstance(value, str):
        if "&" in value or "<" in value or ">" in value:
            value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f'{place} t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
    if isinstance(value, datetime):
        value = (value - _DAY_ZERO).days
    return f"{place}><v>{value}</v></c>"
