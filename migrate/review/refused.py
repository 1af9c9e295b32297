"""Room: a workbook of the rows that an import refused, to be sent back to who decided.

In: refusals. Out: out/review/refused/NAME.xlsx. Never: a cell that runs; a second way in for
decisions: they are corrected where what they rest on can be seen.
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
    ("Sheet", 18), ("Row", 7), ("Path or rule", 56), ("Decision", 12), ("Refused because", 60),
]  # fmt: skip
ADVICE = [
    "The rows on the sheet “Refused rows” were not accepted. All other decisions in {} were.",
    "A row that was altered, or whose decision is no word that is known: correct it in the "
    "workbook you sent, on the sheet and in the row named, and send that workbook again.",
    "A row whose file, proposal or hold has changed since: look at it again in a new export.",
    "A row that contradicts another, or what somebody else decided: agree with them; whoever gives "
    "way writes withdraw, or clears the cell if nothing was recorded yet.",
    "Sending the same rows twice does no harm. This list itself cannot be sent back as decisions.",
]


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
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.repeat_rows(0)
    page.set_footer("&RPage &P of &N")
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
    advice = book.add_worksheet("What to do")
    advice.set_column(0, 0, 100)
    for number, words in enumerate(ADVICE):
        advice.write_string(number, 0, words.format(result.workbook), cell)
    book.close()
    temporary.replace(path)
    return path
