"""Room: accepted rows as decisions on entries: what each covers, and what contradicts what stands.

In: accepted rows of several workbooks, the desk. Out: rows of `decisions`, for each entry what was
decided and what stood before. Never: a decision twice; one against what somebody else decided after
the workbook was made, until one of the two is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis
from msgspec import Struct

from migrate.engine.query import Query
from migrate.estate import Part, Run
from migrate.log import timestamp
from migrate.model import WITHDRAWN
from migrate.plan import SCOPES
from migrate.review.accepted import REFUSED
from migrate.review.columns import COPIES
from migrate.review.desk import Desk, Relation
from migrate.review.returned import Workbook

Record = dict[str, Any]


STATE = ["size_bytes", "mtime_ns", "sample_xxh3", "digest"]  # what is decided on


class Effect(Struct, frozen=True):
    """What one decision on many files covered, and how many of them a nearer one decides."""

    sheet: str
    row: int
    what: str
    decision: str
    files: int
    overruled: int


class Recorder:
    """Turns accepted rows into decisions, for all workbooks of an import at once."""

    def __init__(
        self, query: Query, desk: Desk, books: list[Workbook], reviewers: list[str]
    ) -> None:
        self.query, self.desk, self.books, self.reviewers = query, desk, books, reviewers

    def overtaken(self, said: Relation) -> Iterator[tuple[Record, str]]:
        """Accepted rows that contradict what somebody else decided since their workbook was made,
        and what that was."""
        decided, standing = self._expanded(said), self.desk.standing
        both = decided.inner_join(standing, ["entry_id", "scope"], rname="old_{name}")
        others = both.filter(
            both.decision != both.old_decision, both.old_decision.notnull(), both.fits,
            both.decision != WITHDRAWN, both.who != both.decided_by,
            both.decision_seq >= (both.seen_run + 1) * (1 << 32),
        )  # fmt: skip
        told = others.group_by("nth").aggregate(
            old=others.old_decision.min(), by=others.decided_by.min(),
            at=others.decided_at.min(), where=others.workbook.min(),
        )  # fmt: skip
        told = self.query.stored(told)  # few: it is not all that was said that has to be held
        rows = said.select(REFUSED).inner_join(told, "nth").order_by("nth")
        for record in self.query.rows(rows):
            yield (
                record,
                f"{record['by']} decided otherwise ({record['old']}, {record['at'][:10]}, "
                f"{record['where']}) after this workbook was made; it stands until it is withdrawn "
                "or a new export is decided on",
            )

    def decide(self, said: Relation) -> None:
        """Work out what is new. To be called before the others."""
        self.said = said
        self.every = self._expanded(said)
        standing = self.desk.standing
        columns = ["decision", "comment", "scope", "size_bytes", "mtime_ns"]
        same = [self.every[name].identical_to(standing[name]) for name in columns]
        same = [self.every.entry_id == standing.entry_id, *same, standing.fits]
        new = self.every.anti_join(standing, same)
        # Taking back what does not stand says nothing; nor does the same twice, in two workbooks.
        old = standing.select("entry_id", "scope", was="decision")
        new = new.left_join(old, ["entry_id", "scope"])
        new = new.drop(*(name for name in new.columns if name.endswith("_right")))
        new = new.filter((new.decision != WITHDRAWN) | new.was.notnull())
        first = ibis.row_number().over(group_by=["entry_id", "scope"], order_by=new.nth)
        new = new.mutate(place=first).filter(ibis._.place == 0).drop("place")
        self.new = self.query.stored_in_slices(new)

    def _expanded(self, said: Relation) -> Relation:
        """A row for every entry that an accepted row decides on, with its state."""
        table = said.select(
            "nth", "book", "seen_run", "who", "scope", "decision", "comment", "row", "unit",
            "entry_id", "number_in", "group_id", sheet="noted_sheet",
        )  # fmt: skip
        items = self.desk.items.select(
            "scan_id", "entry_id", "rule_id", "proposal", *STATE, "unit",
            "line_no", "rule_no", "group_id",
        )  # fmt: skip
        by_file = items.inner_join(table.filter(table.scope == "file"), "entry_id")
        parts = [_decided(by_file, "file")]
        for scope, number in (("folder", "line_no"), ("rule", "rule_no")):
            lines = table.filter(table.scope == scope).drop("entry_id")
            parts.append(_decided(items.inner_join(lines, items[number] == lines.number_in), scope))
        parts.append(self._other_copies(table, items))
        return self.query.stored_in_slices(ibis.union(*parts))

    def _other_copies(self, table: Relation, items: Relation) -> Relation:
        """The copies that go because another of their group, in the same unit, is kept."""
        kept = table.filter(table.group_id.notnull())
        named = kept.select("entry_id", "group_id")
        others = self.desk.copies.filter(self.desk.copies.here).select("entry_id")
        candidates = items.semi_join(others, "entry_id").anti_join(named, ["entry_id"])
        first = kept.mutate(
            nth_kept=ibis.row_number().over(group_by=["group_id", "unit"], order_by=kept.nth)
        )
        first = first.filter(first.nth_kept == 0).drop("nth_kept", "entry_id", "scope")
        goes = ibis.ifelse(first.decision == WITHDRAWN, WITHDRAWN, "dispose")
        first = first.mutate(decision=goes)
        joined = candidates.inner_join(first, ["group_id", "unit"])
        return _decided(joined, "copies")

    def counts(self) -> dict[int, tuple[int, int]]:
        """By workbook: how many files it decides anew, and how many as they stand."""
        every, new = (self._by_book(table) for table in (self.every, self.new))
        return {book: (new.get(book, 0), files - new.get(book, 0)) for book, files in every.items()}

    def _by_book(self, table: Relation) -> dict[int, int]:
        counted = table.group_by("book").aggregate(n=table.count())
        return {row["book"]: row["n"] for row in self.query.rows(counted)}

    def effects(self) -> dict[int, list[Effect]]:
        """By workbook: what each decision on many files covers, and how much of it a nearer
        decision decides."""
        standing = self.desk.standing.filter(self.desk.standing.fits).select("entry_id", "scope")
        nearer = self.every.filter(self.every.decision != WITHDRAWN).select("entry_id", "scope")
        mine = self.every.filter(self.every.scope != "file")
        mine = mine.select("entry_id", "nth", "decision", own=_rank(mine.scope))
        ranks = nearer.union(standing)
        best = ranks.group_by("entry_id").aggregate(best=_rank(ranks.scope).min())
        mine = self.query.stored_in_slices(mine.left_join(best, "entry_id").drop("entry_id_right"))
        told = mine.group_by("nth", "decision").aggregate(
            files=mine.count(), overruled=(mine.best < mine.own).sum().fill_null(0)
        )
        said = self.said.select("nth", "book", "sheet", "tab", "row", "place")
        rows = said.inner_join(self.query.stored(told), "nth").order_by("nth", "decision")
        found: dict[int, list[Effect]] = {}
        for one in self.query.rows(rows):
            what = one["place"] if one["sheet"] != COPIES else f"the other copies of {one['place']}"
            found.setdefault(one["book"], []).append(
                Effect(one["tab"], one["row"], what, one["decision"], one["files"],
                       one["overruled"])
            )  # fmt: skip
        return found

    def parts(self, run: Run, book: int) -> list[Part]:
        """The new decisions of one workbook, written."""
        mine = self.new.filter(self.new.book == book)
        order = [mine.sheet, mine.row, mine.scope, mine.entry_id]
        numbered = mine.mutate(
            decided_by=ibis.literal(self.reviewers[book]),
            decided_at=ibis.literal(timestamp()),
            workbook=ibis.literal(self.books[book].name),
            workbook_sha256=ibis.literal(self.books[book].sha256),
            decision_seq=ibis.literal(run.run_id << 32) + ibis.row_number().over(order_by=order),
        ).order_by("decision_seq")
        return self.query.write("decisions", numbered)


def _decided(joined: Relation, scope: str) -> Relation:
    return joined.select(
        "scan_id", "entry_id", "rule_id", "proposal", *STATE, "nth", "book", "seen_run", "who",
        "decision", "comment", "sheet", "row",
        scope=ibis.literal(scope),
    )  # fmt: skip


def _rank(scope: Relation) -> Relation:
    return ibis.cases(*((scope == name, n) for n, name in enumerate(SCOPES)), else_=9)
