"""Room: a spreadsheet from outside, looked over before a reader is let loose on it.

In: the bytes of an .xlsx. Out: the workbook, open for reading. Refused: other kinds of files; what
would fill the memory, by its size unpacked or by a cell far away (readers lay a sheet out as a
rectangle), and XML with declarations of its own.
Sources: ECMA-376 part 1, 18.3.1.4 (cells) and 18.3.1.73 (rows); part 2 (packages are ZIP files).
"""

from __future__ import annotations

import io
import re
import zipfile

import olefile
from python_calamine import CalamineWorkbook

DECLARATIONS_BYTES = 4096  # they stand at the beginning of a file, or nowhere
BLOCK_BYTES = 1 << 20
# Where a cell or a row says it is, in whatever part: the reader takes its word, and one part's name
# is as good as another's.
_PLACE = re.compile(rb"""(?i)\br\s*=\s*["']([A-Z]{0,9})(\d{1,20})["']""")
LONGEST_PLACE = 64


class Refused(Exception):
    """Why it is not read, in words that follow the file's name."""


class TooLarge(Refused):
    """It would take more memory than what it is for could need."""


def open_workbook(content: bytes, most_bytes: int, most_cells: int) -> CalamineWorkbook:
    """The workbook, if it unpacks to no more than `most_bytes` and no sheet spreads over more than
    `most_cells`.

    Errors: Refused; for damaged files, zipfile's and the reader's own, which are of many kinds."""
    _refuse_other_kinds(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if "mimetype" in archive.namelist() or "xl/workbook.bin" in archive.namelist():
            raise Refused("is an OpenDocument (.ods) or binary (.xlsb) spreadsheet, not an .xlsx")
        size = sum(info.file_size for info in archive.infolist())
        if size > most_bytes:
            raise TooLarge(f"would unpack to {size:,} bytes")
        for info in archive.infolist():
            if b"<!DOCTYPE" in archive.open(info).read(DECLARATIONS_BYTES):
                raise Refused(f"holds a document type in {info.filename}: no spreadsheet does")
            _refuse_far_cells(archive, info, most_cells)
    return CalamineWorkbook.from_filelike(io.BytesIO(content))


def _refuse_other_kinds(content: bytes) -> None:
    """What is no ZIP file, by its first bytes and, in an OLE2 file, by the streams in it."""
    if content.startswith(olefile.MAGIC):
        if b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0" in content:
            raise Refused("is locked with a password")
        raise Refused("is a workbook of Excel 97 to 2003 (.xls), not an .xlsx")
    if not content.startswith(b"PK"):
        raise Refused("is no Excel workbook (perhaps a .csv, which holds one sheet without keys)")


def _refuse_far_cells(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most_cells: int) -> None:
    """A sheet is as wide as its last column and as long as its last row."""
    columns, rows, tail = 1, 1, b""
    with archive.open(info) as file:
        while block := file.read(BLOCK_BYTES):
            text = tail + block
            places = _PLACE.findall(text)
            columns = max([columns, *map(_column, {letters for letters, _ in places})])
            rows = max([rows, *map(int, {number for _, number in places})])
            tail = text[-LONGEST_PLACE:]
    if columns * rows > most_cells:
        raise TooLarge(
            f"has a value far outside its table, in row {rows:,} or in column number {columns:,}"
        )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
