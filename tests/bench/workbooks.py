"""Workbooks written and read, beside plain openpyxl: python tests/bench/workbooks.py WHAT ROWS FOLDER

WHAT is one of: ours, openpyxl (a plain write-only sheet of the same values, without links, styles,
outline, protection or cover), read-ours, read-openpyxl. `ours` begins a new workbook every 200,000
rows. Each is run in a process of its own by run.py, which measures it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROWS_PER_WORKBOOK = 200_000
LINE_EVERY = 40


def rows(count: int) -> Iterator[tuple[dict[str, object], bool]]:
    """Rows as the export makes them, and whether each lies beneath a line."""
    from migrate.review.rows import file_row, folder_row

    line = {
        "unit": "Finance", "proposal": "review", "contested": False, "files": LINE_EVERY,
        "size_bytes": 123_456_789, "oldest_ns": 10**18, "newest_ns": 10**18 + 10**16, "members": 1,
        "decided": 0, "withheld": 0, "line_decided": 0, "line_low": None, "line_high": None, "line_comment": None,
        "line_by": None, "whole": True, "folder_items": LINE_EVERY, "folder_held": 0, "copies": 0,
        "kept_low": None, "kept_high": None, "sure_low": "low", "sure_high": "medium",
        "owner_low": "a.smith", "owner_high": "b.jones", "rule_count": 2, "authorities": None,
        "reason_low": "a", "reason_high": "b", "differ": 0, "tree_kind": None, "of_path": None,
        "why": "38 × Unchanged for seven years (OBS-012); 2 × Log file (TRI-019)",
    }  # fmt: skip
    file = {
        "proposal": "review", "contested": False, "confidence": "low", "authority": None,
        "reason": "Last changed 2014-03-17, over 7 years ago, and no retention class covers this "
        "folder. Old is not the same as worthless: decide whether it has history value.",
        "owner": "a.smith", "dup_keeper_path": None, "also": None, "rule_id": "OBS-012",
        "title": "Unchanged for seven years", "digest": bytes(range(16)), "own_decision": None,
        "own_sheet": None, "own_comment": None, "stands": None, "withheld": None,
    }  # fmt: skip
    for number in range(count):
        folder = f"dept/Finance/Invoices/case {number // LINE_EVERY}"
        if number % LINE_EVERY == 0:
            yield folder_row({**line, "line_folder": folder}), False
        else:
            entry = {"full_path": f"{folder}/paper {number}.docx", "entry_id": number,
                     "size_bytes": number, "mtime_ns": 10**18 + number}  # fmt: skip
            yield file_row({**file, **entry}), True


def ours(count: int, folder: Path) -> None:
    from migrate.review.columns import FOLDERS, REVIEWER_LABEL, STATE_LABEL
    from migrate.review.workbook import ReviewWorkbook

    book = None
    for number, (row, beneath) in enumerate(rows(count)):
        if number % ROWS_PER_WORKBOOK == 0:
            if book:
                book.close()
            part = number // ROWS_PER_WORKBOOK
            book = ReviewWorkbook(folder / f"ours {part}.xlsx", "bench")
            # A workbook without its first sheet's words is not read back.
            for place, words in enumerate((REVIEWER_LABEL, STATE_LABEL)):
                book.cover.write_string(place, 0, words)
                book.cover.write_string(place, 1, "A tester")
        assert book
        link = "File:///mnt/dept/" + str(row["Path"]).replace(" ", "%20")
        book.add(FOLDERS, row, link=link, beneath=beneath)
    assert book
    book.close()


def plain_openpyxl(count: int, folder: Path) -> None:
    from openpyxl import Workbook

    from migrate.review.columns import FOLDER_COLUMNS

    titles = [column.title for column in FOLDER_COLUMNS]
    book, page = None, None
    for number, (row, _) in enumerate(rows(count)):
        if number % ROWS_PER_WORKBOOK == 0:
            if book:
                book.save(folder / f"openpyxl {number // ROWS_PER_WORKBOOK}.xlsx")
            book = Workbook(write_only=True)
            page = book.create_sheet("Folders and files")
            page.append(titles)
        assert page
        page.append([row.get(title) for title in titles])
    assert book
    book.save(folder / "openpyxl.xlsx")


def read_ours(_: int, folder: Path) -> None:
    from migrate.review.returned import read_workbook

    for _row in read_workbook(folder / "ours 0.xlsx", 0).rows:
        pass


def read_openpyxl(_: int, folder: Path) -> None:
    import openpyxl

    book = openpyxl.load_workbook(folder / "ours 0.xlsx", read_only=True, data_only=True)
    for page in book:
        for _values in page.iter_rows(values_only=True):
            pass


if __name__ == "__main__":
    what = {"ours": ours, "openpyxl": plain_openpyxl, "read-ours": read_ours,
            "read-openpyxl": read_openpyxl}[sys.argv[1]]  # fmt: skip
    what(int(sys.argv[2]), Path(sys.argv[3]))
