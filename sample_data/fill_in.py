"""Play the records manager: write the decisions of decisions.csv into review workbooks.

    python sample_data/fill_in.py WORKBOOKS_FOLDER FILLED_FOLDER [DECISIONS.csv]

Opens every workbook with openpyxl as a person would with a spreadsheet program: finds each path on
the sheet "Files to decide", chooses the decision, writes the comment, decides "migrate" for every
line of "Folders to migrate" but that of the desktop folder nobody has looked at, and saves a
copy.
A path that is in no workbook is said so and changes nothing.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import openpyxl

NOT_LOOKED_AT = "Desktop"


def columns(sheet) -> dict[str, int]:
    """Column numbers by title."""
    return {cell.value: cell.column for cell in sheet[1]}


def fill_files(sheet, decisions: dict[str, dict[str, str]]) -> set[str]:
    """Write what was decided; returns the paths that stand in this sheet."""
    at = columns(sheet)
    found = set()
    for row in range(2, sheet.max_row + 1):
        path = sheet.cell(row, at["Path"]).value
        if path in decisions:
            sheet.cell(row, at["Decision"]).value = decisions[path]["decision"]
            sheet.cell(row, at["Comment"]).value = decisions[path]["comment"] or None
            found.add(path)
    return found


def fill_folders(sheet) -> None:
    """Everything nothing speaks against may move, but for one folder."""
    at = columns(sheet)
    for row in range(2, sheet.max_row + 1):
        folder = sheet.cell(row, at["Folder"]).value
        if NOT_LOOKED_AT not in folder:
            sheet.cell(row, at["Decision"]).value = "migrate"


def sign(sheet) -> None:
    """The departmental records officer decides for what no unit owns."""
    for label, value in sheet.iter_rows(max_col=2):
        if label.value == "Your name" and not value.value:
            value.value = "Departmental records officer"


def main(source: Path, target: Path, decisions_file: Path) -> None:
    """Fill in every workbook of a folder."""
    with decisions_file.open(encoding="utf-8-sig", newline="") as file:
        decisions = {row["path"]: row for row in csv.DictReader(file)}
    target.mkdir(parents=True, exist_ok=True)
    found: set[str] = set()
    for path in sorted(source.glob("*.xlsx")):
        book = openpyxl.load_workbook(path)
        found |= fill_files(book["Files to decide"], decisions)
        fill_folders(book["Folders to migrate"])
        sign(book["Start here"])
        book.save(target / path.name)
    print(f"filled in {len(found)} of {len(decisions)} decisions; not in any workbook:")
    for path in sorted(decisions.keys() - found):
        print(f"  {path}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    given = Path(sys.argv[3]) if len(sys.argv) == 4 else Path(__file__).parent / "decisions.csv"
    main(Path(sys.argv[1]), Path(sys.argv[2]), given)
