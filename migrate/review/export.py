"""Room: review workbooks out, one for each business unit (and another when one gets too long).

In: proposals. Out: out/review/UNIT.xlsx; the log says which, and the SHA-256 of each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Writer, file_sha256
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


def export(
    writer: Writer, config: Config, holds: list[Rule], as_of: date
) -> tuple[list[Exported], list[str]]:
    """Write the workbooks of every unit that has something to decide or to know. Returns them, and
    workbooks of earlier exports that were not as they had been written and were kept."""
    flagged = writer.estate.latest("flag")
    run = writer.begin("review export", {"flag": flagged.run_id if flagged else 0})
    folder = writer.estate.out / "review"
    folder.mkdir(parents=True, exist_ok=True)
    with Query(writer.estate) as query, Progress("review export", "workbooks") as progress:
        desk = lay_out(query, proposals(query, config, holds, as_of))
        written: list[Exported] = []
        kept = _set_aside(writer, folder)
        for unit in units(query, desk):
            _export_unit(query, desk, config, unit, folder, as_of, written)
            progress.advance(now_at=unit)
        _refuse_lost_rows(query, desk, written)
    writer.finish(run, {"workbooks": [workbook.__dict__ for workbook in written]})
    return written, kept


def _set_aside(writer: Writer, folder: Path) -> list[str]:
    """Clear the folder of earlier exports. One that somebody has worked in is kept, elsewhere."""
    exports = [run.summary for run in writer.estate.runs("review export") if run.finished]
    ours = {book["sha256"] for summary in exports for book in summary["workbooks"]}
    kept = []
    for path in sorted(folder.glob("*.xlsx")):
        digest = file_sha256(path)
        if digest in ours:
            path.unlink()
        else:
            place = folder / "kept" / f"{path.stem} {digest[:8]}.xlsx"
            place.parent.mkdir(exist_ok=True)
            path.replace(place)
            kept.append(f"{path.name} as kept/{place.name}")
    return kept


def _refuse_lost_rows(query: Query, desk: Desk, written: list[Exported]) -> None:
    """What is in no workbook is decided by nobody: better no export than one with gaps."""
    expected = tuple(query.count(rows) for rows in (desk.files, desk.groups, desk.info))
    found = tuple(
        sum(getattr(book, kind) for book in written) for kind in ("files", "groups", "info")
    )
    if found != expected:
        raise MigrateError(
            f"the workbooks hold {found} files, folders and notes, the estate has {expected}",
            "Use none of them. This is a fault in the toolkit: please report it.",
        )


def _export_unit(
    query: Query, desk: Desk, config: Config, unit: str, folder: Path, as_of: date,
    written: list[Exported],
) -> None:  # fmt: skip
    """A unit's workbooks, added to `written`: as many as its longest list needs."""
    files = map(file_row, of_unit(query, desk.files, unit, FILE_ORDER))
    groups = map(group_row, of_unit(query, desk.groups, unit, GROUP_ORDER))
    info = map(info_row, of_unit(query, desk.info, unit, INFO_ORDER))
    kinds = (desk.files, desk.groups, desk.info)
    longest = max(query.count(rows.filter(rows.unit == unit)) for rows in kinds)
    cover = _cover(query, desk, config, unit, as_of)
    for part in range(1, max(1, -(-longest // MOST_ROWS)) + 1):
        book = ReviewWorkbook(replace(cover, part=part))
        book.add(FILES, FILE_COLUMNS, islice(files, MOST_ROWS))
        book.add(GROUPS, GROUP_COLUMNS, islice(groups, MOST_ROWS))
        book.add(INFO, INFO_COLUMNS, islice(info, MOST_ROWS))
        name = file_name(unit, part, [workbook.file for workbook in written])
        book.save(folder / name)
        digest = file_sha256(folder / name)
        counts = book.counts
        written.append(Exported(name, unit, counts[FILES], counts[GROUPS], counts[INFO], digest))


def file_name(unit: str, part: int, taken: list[str]) -> str:
    """A unit's name as a file name that no other workbook has, whatever the case."""
    stem = re.sub(r"[^\w &()-]", "_", unit).strip() or "unit"
    stem += f"-{part}" if part > 1 else ""
    name, number = f"{stem}.xlsx", 2
    while name.casefold() in [other.casefold() for other in taken]:
        name, number = f"{stem} ({number}).xlsx", number + 1
    return name


def _cover(query: Query, desk: Desk, config: Config, unit: str, as_of: date) -> Cover:
    """What the first sheet of each of a unit's workbooks says; `part` differs."""
    proposed = _sums(query, [desk.files, desk.members, desk.info], "proposal", unit)
    categories = _sums(query, [desk.files], "category", unit)
    flagged = query.estate.latest("flag")
    return Cover(
        title=config.title,
        unit=unit,
        reviewer=next((u.reviewer for u in config.business_units if u.name == unit), ""),
        export=f"flag run {flagged.run_id if flagged else 0} of {query.estate.root.name}",
        part=1,
        as_of=as_of.isoformat(),
        totals=[(words, *proposed[name]) for name, words in PROPOSALS.items() if name in proposed],
        categories=[(name, *categories[name]) for name in LADDER if name in categories],
    )


def _sums(query: Query, relations: list[Any], column: str, unit: str) -> dict[str, tuple[int, int]]:
    """A unit's files and bytes by a column, over relations that share no entry."""
    found: dict[str, tuple[int, int]] = {}
    for relation in relations:
        mine = relation.filter(relation.unit == unit)
        summed = mine.group_by(column).aggregate(
            files=mine.count(), size_bytes=mine.size_bytes.sum()
        )
        for row in query.rows(summed):
            files, size_bytes = found.get(row[column], (0, 0))
            found[row[column]] = (files + row["files"], size_bytes + (row["size_bytes"] or 0))
    return found
