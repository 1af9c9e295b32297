"""Room: review workbooks out, one for each business unit (and another when one gets too long).

In: proposals. Out: out/review/UNIT.xlsx; the log says which, and the SHA-256 of each.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Writer
from migrate.events import Progress
from migrate.flag.rules import LADDER, Rule
from migrate.plan import proposals
from migrate.review.rows import (
    FILE_COLUMNS,
    FILE_ORDER,
    GROUP_COLUMNS,
    GROUP_ORDER,
    INFO_COLUMNS,
    INFO_ORDER,
    PROPOSALS,
    Desk,
    file_row,
    group_row,
    info_row,
    lay_out,
    of_unit,
    units,
)  # fmt: skip
from migrate.review.workbook import FILES, GROUPS, INFO, MOST_ROWS, Cover, ReviewWorkbook


@dataclass(frozen=True)
class Exported:
    """One workbook that was written."""

    file: str
    unit: str
    files: int
    groups: int
    info: int
    sha256: str


def export(writer: Writer, config: Config, holds: list[Rule], as_of: date) -> list[Exported]:
    """Write the workbooks of every unit that has something to decide or to know."""
    flagged = writer.estate.latest("flag")
    run = writer.begin("review export", {"flag": flagged.run_id if flagged else 0})
    folder = writer.estate.out / "review"
    folder.mkdir(parents=True, exist_ok=True)
    with Query(writer.estate) as query, Progress("review export", "workbooks") as progress:
        desk = lay_out(query, proposals(query, config, holds, as_of))
        written = []
        for unit in units(query, desk):
            written += _export_unit(query, desk, config, unit, folder, as_of)
            progress.advance(now_at=unit)
        _refuse_lost_rows(query, desk, written)
    writer.finish(run, {"workbooks": [workbook.__dict__ for workbook in written]})
    return written


def _refuse_lost_rows(query: Query, desk: Desk, written: list[Exported]) -> None:
    """What is in no workbook is decided by nobody: better no export than one with gaps."""
    expected = (query.count(desk.files), query.count(desk.groups))
    found = (sum(book.files for book in written), sum(book.groups for book in written))
    if found != expected:
        raise MigrateError(
            f"the workbooks hold {found} rows of files and folders, the estate has {expected}",
            "Use none of them. This is a fault in the toolkit: please report it.",
        )


def _export_unit(
    query: Query, desk: Desk, config: Config, unit: str, folder: Path, as_of: date
) -> list[Exported]:
    files = (file_row(record) for record in of_unit(query, desk.files, unit, FILE_ORDER))
    written: list[Exported] = []
    while not written or written[-1].files == MOST_ROWS:
        part = len(written) + 1
        book = ReviewWorkbook(_cover(query, desk, config, unit, part, as_of))
        book.add(FILES, FILE_COLUMNS, islice(files, MOST_ROWS))
        if part == 1:
            groups = of_unit(query, desk.groups, unit, GROUP_ORDER)
            book.add(GROUPS, GROUP_COLUMNS, map(group_row, groups))
            info = of_unit(query, desk.info, unit, INFO_ORDER)
            book.add(INFO, INFO_COLUMNS, map(info_row, islice(info, MOST_ROWS)))
        name = f"{file_name(unit)}{f'-{part}' if part > 1 else ''}.xlsx"
        book.save(folder / name)
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        counts = book.counts
        written.append(Exported(name, unit, counts[FILES], counts[GROUPS], counts[INFO], digest))
    return written


def file_name(unit: str) -> str:
    """A unit's name as a file name."""
    return re.sub(r"[^\w &()-]", "_", unit).strip() or "unit"


def _cover(query: Query, desk: Desk, config: Config, unit: str, part: int, as_of: date) -> Cover:
    flagged = query.estate.latest("flag")
    return Cover(
        title=config.title,
        unit=unit,
        reviewer=next((u.reviewer for u in config.business_units if u.name == unit), ""),
        export=f"flag run {flagged.run_id if flagged else 0} of {query.estate.root.name}",
        part=part,
        as_of=as_of.isoformat(),
        totals=_totals(query, desk, unit),
        categories=_categories(query, desk.files, unit),
    )


def _totals(query: Query, desk: Desk, unit: str) -> list[tuple[str, int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for relation in (desk.files, desk.members, desk.info):
        mine = relation.filter(relation.unit == unit)
        summed = mine.group_by("proposal").aggregate(
            files=mine.count(), size_bytes=mine.size_bytes.sum()
        )
        for row in query.rows(summed):
            found[row["proposal"]] = (row["files"], row["size_bytes"] or 0)
    return [(words, *found[name]) for name, words in PROPOSALS.items() if name in found]


def _categories(query: Query, files: Any, unit: str) -> list[tuple[str, int, int]]:
    mine = files.filter(files.unit == unit)
    summed = mine.group_by("category").aggregate(
        files=mine.count(), size_bytes=mine.size_bytes.sum()
    )
    rows = {row["category"]: (row["files"], row["size_bytes"] or 0) for row in query.rows(summed)}
    return [(name, *rows[name]) for name in LADDER if name in rows]
