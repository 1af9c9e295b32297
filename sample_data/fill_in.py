"""Play the records manager: write the decisions of decisions.csv into review workbooks.

    python sample_data/fill_in.py WORKBOOKS_FOLDER FILLED_FOLDER [DECISIONS.csv]

Opens every workbook with openpyxl as a person would with a spreadsheet program: on the sheet
"Folders and files" it finds each path, chooses the decision, writes the comment, decides "migrate"
for every folder that nothing speaks against but that of the desktop nobody has looked at, and saves
a copy. A path that is in no workbook is said so and changes nothing.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import openpyxl

NOT_LOOKED_AT = "Desktop"


def fill(sheet, decisions: dict[str, dict[str, str]]) -> set[str]:
    """Write what was decided; returns the paths of the files that stand in this sheet."""
    at = {cell.value: cell.column for cell in sheet[1]}
    found = set()
    for row in range(2, sheet.max_row + 1):
        line, path, proposal = (
            sheet.cell(row, at[title]).value for title in ("Line", "Path", "Proposal")
        )
        decision, comment = sheet.cell(row, at["Decision"]), sheet.cell(row, at["Comment"])
        if line == "File" and path in decisions:
            decision.value = decisions[path]["decision"]
            comment.value = decisions[path]["comment"] or None
            found.add(path)
        elif line == "Folder" and proposal == "Migrate" and NOT_LOOKED_AT not in path:
            decision.value = "migrate"
    return found


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
        found |= fill(book["Folders and files"], decisions)
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
