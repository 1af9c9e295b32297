"""Room: a workbook of the rows that an import refused, to be sent back to who decided.

In: refusals. Out: out/review/refused/NAME.xlsx. Never: a cell that runs.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import xlsxwriter

from migrate.review.columns import BLUE, text

if TYPE_CHECKING:
    from migrate.review.importing import Imported

COLUMNS = [
    ("Sheet", 20), ("Row", 8), ("Path or rule", 70), ("Decision", 14), ("Refused because", 90),
]  # fmt: skip


def write_refused(folder: Path, result: Imported) -> Path:
    """Write what was refused of one workbook; gives the new file.

    Errors: OSError if it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{Path(result.workbook).stem} refused.xlsx"
    temporary = path.with_suffix(".part")
    book = xlsxwriter.Workbook(
        str(temporary),
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
    )
    book.set_properties({"created": datetime(2000, 1, 1), "title": f"Refused: {result.workbook}"})
    page = book.add_worksheet("Refused rows")
    header = book.add_format({"bold": True, "font_color": "#FFFFFF", "bg_color": BLUE})
    cell = book.add_format({"text_wrap": True, "valign": "top", "quote_prefix": True})
    page.freeze_panes(1, 0)
    for number, (title, width) in enumerate(COLUMNS):
        page.set_column(number, number, width)
        page.write_string(0, number, title, header)
    for number, one in enumerate(result.refused, 1):
        page.write_string(number, 0, one.sheet, cell)
        page.write_number(number, 1, one.row)
        for column, value in ((2, one.path), (3, one.decision), (4, one.reason)):
            page.write_string(number, column, text(value) or "", cell)
    page.autofilter(0, 0, len(result.refused), len(COLUMNS) - 1)
    book.close()
    temporary.replace(path)
    return path
