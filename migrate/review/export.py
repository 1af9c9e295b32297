"""Room: review workbooks out, one for each business unit (and another when one gets too long).

In: proposals, decisions so far. Out: out/review/UNIT.xlsx; the log says which, and the SHA-256 of
each. Never: an item that stands in no workbook; a workbook over the limit of estate.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from migrate.config import Config
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Writer, file_sha256
from migrate.events import Progress
from migrate.flag.rules import Rule
from migrate.plan import proposals
from migrate.review.columns import COPIES, FOLDERS, INFO, RULES, Row
from migrate.review.cover import write_cover
from migrate.review.desk import Desk, Relation, lay_out, units
from migrate.review.links import Links
from migrate.review.rows import (
    COPY_NEEDS,
    FILE_NEEDS,
    INFO_NEEDS,
    copy_row,
    file_row,
    folder_row,
    info_row,
    more_copies_row,
    rule_row,
)
from migrate.review.totals import cover_of
from migrate.review.workbook import ReviewWorkbook

Record = dict[str, Any]
ROWS_AT_A_TIME = 2_048


class Exported(Struct, frozen=True):
    """One workbook that was written: its lines, the items they stand for, and its other rows."""

    file: str
    unit: str
    lines: int
    items: int
    files: int  # listed beneath their lines
    copies: int
    rules: int
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
    with Query(writer.estate) as query:
        query.doing("review export: laying out what is to be decided")
        desk = lay_out(query, proposals(query, config, holds, as_of))
        query.one_thread()
        total = query.count(desk.items) + query.count(desk.info)
        kept = _set_aside(writer, folder)
        written: list[Exported] = []
        with Progress("review export", "items", total) as progress:
            for unit in units(query, desk):
                cover = cover_of(query, desk, config, unit, as_of)
                links = Links(writer.estate, config)
                books = _UnitBooks(folder, unit, config, written, progress)
                books.write(query, desk, links, cover)
        query.doing("review export: counting what was written")
        _refuse_lost_rows(query, desk, config, written)
    writer.finish(run, {"workbooks": [asdict(workbook) for workbook in written]})
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


def _refuse_lost_rows(query: Query, desk: Desk, config: Config, written: list[Exported]) -> None:
    """What is in no workbook is decided by nobody: better no export than one with gaps."""
    expected = tuple(query.count(rows) for rows in (desk.items, _listed(desk, config), desk.info))
    found = tuple(
        sum(getattr(book, kind) for book in written) for kind in ("items", "files", "info")
    )
    if found != expected:
        raise MigrateError(
            f"the workbooks hold {found} items, files and notes, the estate has {expected}",
            "Use none of them. This is a fault in the toolkit: please report it.",
        )


def _listed(desk: Desk, config: Config) -> Relation:
    """The items that stand beneath their lines."""
    items = desk.items
    if config.review.files == "all":
        return items
    return items.filter((items.proposal != "migrate") | items.contested)


def _ordered(
    query: Query, relation: Relation, order: list[str], needs: list[str] | None
) -> Iterator[Record]:
    """Rows in an order, with the columns that are needed (or all)."""
    if needs:
        relation = relation.select(list(dict.fromkeys([*needs, *order])))
    for batch in query.batches(relation.order_by(order), ROWS_AT_A_TIME):
        yield from batch.to_pylist()


class _UnitBooks:
    """The workbooks of one unit: a new one is begun when the limit is reached."""

    def __init__(
        self, folder: Path, unit: str, config: Config, written: list[Exported], progress: Progress
    ) -> None:
        self.folder, self.unit, self.written, self.progress = folder, unit, written, progress
        self.limit = config.review.rows_per_workbook
        self.title = f"{config.title}: {unit}"
        self.config = config
        self.part = 0
        self.book: ReviewWorkbook | None = None
        self.counts = dict.fromkeys(("lines", "items", "files", "copies", "rules", "info"), 0)
        self.folders: list[str] = []  # the first and the last of the workbook under way

    def write(self, query: Query, desk: Desk, links: Links, cover: Callable[[str], Any]) -> None:
        """All sheets of all the unit's workbooks."""
        self.cover = cover
        for row in self._rows(query, desk.rules, ["rule_no"]):
            self._add(RULES, rule_row(row), "rules")
        for line, beneath in self._lines(query, desk):
            self._add_line(line, beneath, links)
        copies = desk.copies.filter(desk.copies.for_unit == self.unit)
        copies = copies.mutate(
            after_keeper=copies.role != "keeper", of_others=copies.unit != copies.for_unit
        )
        order = ["keeper_lower", "group_id", "after_keeper", "of_others", "lower_path", "entry_id"]
        for _, group in groupby(_ordered(query, copies, order, COPY_NEEDS), itemgetter("group_id")):
            self._add_group(list(group), links)
        order = ["proposal", "lower_path", "entry_id"]
        for row in self._rows(query, desk.info, order, INFO_NEEDS):
            self._add(INFO, info_row(row), "info", links.to(row["folder"]))
            self.progress.advance()
        self._close(last=True)

    def _rows(
        self, query: Query, relation: Relation, order: list[str], needs: list[str] | None = None
    ) -> Iterator[Record]:
        return _ordered(query, relation.filter(relation.unit == self.unit), order, needs)

    def _lines(self, query: Query, desk: Desk) -> Iterator[tuple[Record, Iterator[Record]]]:
        """Lines, each with the records to be listed beneath it."""
        order = ["line_no", "lower_path", "entry_id"]
        listed = self._rows(query, _listed(desk, self.config), order, FILE_NEEDS)
        groups = groupby(listed, itemgetter("line_no"))
        number, beneath = next(groups, (None, iter(())))
        for line in self._rows(query, desk.lines, ["line_no"]):
            if line["line_no"] == number:
                yield line, beneath
                number, beneath = next(groups, (None, iter(())))
            else:
                yield line, iter(())

    def _add_line(self, line: Record, beneath: Iterator[Record], links: Links) -> None:
        """A line and what lies beneath it, kept together if they fit; a line that goes on in the
        next workbook stands there again."""
        row, link = folder_row(line), links.to(line["line_folder"])
        first = next(beneath, None)
        if first and self._room(FOLDERS) <= min(line["files"], self.limit - 1):
            self._close()
        self._add(FOLDERS, row, "lines", link, folds=first is not None)
        self._note(line["line_folder"])
        self.counts["items"] += line["files"]
        self.progress.advance(line["files"], now_at=line["line_folder"])
        for record in chain([first] if first else [], beneath):
            if self._room(FOLDERS) < 1:
                self._close()
                self._add(FOLDERS, row, "lines", link, folds=True)
                self._note(line["line_folder"])
            self._add(FOLDERS, file_row(record), "files", links.to(record["folder"]), beneath=True)

    def _note(self, folder: str) -> None:
        self.folders = [*self.folders[:1], folder]

    def _add_group(self, members: list[Record], links: Links) -> None:
        """A group of copies, in one workbook unless it is longer than any may be."""
        more = members[0]["group_files"] - len(members)
        if self._room(COPIES) < min(len(members) + bool(more), self.limit):
            self._close()
        for record in members:
            beneath = record["role"] != "keeper"
            self._add(
                COPIES, copy_row(record), "copies", links.to(record["folder"]), beneath=beneath
            )
        if more:
            self._add(COPIES, more_copies_row(members[0], more), "copies", beneath=True)

    def _room(self, sheet: str) -> int:
        return self.limit - (self.book.sheets[sheet].rows if self.book else 0)

    def _add(self, sheet: str, row: Row, kind: str, link: str = "", **placed: bool) -> None:
        """A row, in the next workbook if this one is full; `placed` as `ReviewWorkbook.add` has
        it."""
        if self._room(sheet) < 1:
            self._close()
        if self.book is None:
            self.part += 1
            name = file_name(self.unit, self.part, [book.file for book in self.written])
            self.book = ReviewWorkbook(self.folder / name, self.title)
        self.counts[kind] += 1
        self.book.add(sheet, row, link=link, **placed)

    def _close(self, last: bool = False) -> None:
        """Write the workbook under way; `last` of its unit."""
        if self.book is None:
            return
        words = "" if last and self.part == 1 else _part_words(self.part, self.folders, last)
        write_cover(self.book, self.cover(words))
        self.book.close()
        digest = file_sha256(self.book.path)
        self.written.append(
            Exported(file=self.book.path.name, unit=self.unit, sha256=digest, **self.counts)
        )
        self.book, self.folders = None, []
        self.counts = dict.fromkeys(self.counts, 0)


def _part_words(part: int, folders: list[str], last: bool) -> str:
    """Which of a unit's workbooks this is."""
    what = "only duplicates, and what is for information"
    if folders:
        ends = f"folders from {folders[0]} to {folders[-1]}"
        what = ends if folders[0] != folders[-1] else f"folder {folders[0]}"
    more = "the last part" if last else "more parts follow"
    return f"Part {part}: {what}; {more}. The figures below are of all parts."


def file_name(unit: str, part: int, taken: list[str]) -> str:
    """A unit's name as a file name that no other workbook has, whatever the case."""
    stem = re.sub(r"[^\w &()-]", "_", unit).strip() or "unit"
    stem += f"-{part}" if part > 1 else ""
    name, number = f"{stem}.xlsx", 2
    while name.casefold() in [other.casefold() for other in taken]:
        name, number = f"{stem} ({number}).xlsx", number + 1
    return name
