"""Room: accepted rows as decisions on entries: what each covers, and what contradicts what stands.

In: accepted rows of several workbooks, the desk. Out: rows of `decisions`, for each entry what was
decided and what stood before. Never: a decision twice; one against what somebody else decided after
the workbook was made, until one of the two is withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import ibis
import pyarrow as pa

from migrate.engine.query import Query
from migrate.estate import Part, Run
from migrate.log import timestamp
from migrate.model import WITHDRAWN
from migrate.plan import SCOPES
from migrate.review.columns import COMMENT, COPIES, KEEP, canonical
from migrate.review.current import Current
from migrate.review.desk import Desk, Relation
from migrate.review.returned import Returned, Workbook


@dataclass(frozen=True, slots=True)
class Accepted:
    """A row that holds, and what it decides on: an entry, or a line by its number on the desk."""

    row: Returned
    scope: str
    unit: str
    entry_id: int | None
    line: int | None
    group_id: int | None  # of a copy that is kept


def accepted(row: Returned, now: Current) -> Accepted:
    """A row and what of its current state is needed to record it."""
    record = now.record
    number = {"folder": "line_no", "rule": "rule_no"}.get(now.scope, "")
    group = record["group_id"] if row.sheet == COPIES else None
    return Accepted(
        row.lighter(), now.scope, record["unit"], record.get("entry_id"), record.get(number), group
    )


ROWS_AT_A_TIME = 10_000
STATE = ["size_bytes", "mtime_ns", "sample_xxh3", "digest"]  # what is decided on
_SAID = pa.schema(
    [
        ("nth", pa.int64()), ("book", pa.int32()), ("seen_run", pa.int64()), ("who", pa.string()),
        ("entry_id", pa.int64()), ("number_in", pa.int64()), ("scope", pa.string()),
        ("decision", pa.string()), ("comment", pa.string()), ("sheet", pa.string()),
        ("row", pa.int32()), ("group_id", pa.int64()), ("unit", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Effect:
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

    def conflicts(self, accepted: list[Accepted]) -> Iterator[tuple[Returned, str]]:
        """Accepted rows that contradict what somebody else decided since their workbook was made,
        or each other in which copy of a group to keep."""
        yield from self._two_nominations(accepted)
        decided, standing = self._expanded(accepted), self.desk.standing
        both = decided.inner_join(standing, ["entry_id", "scope"], rname="old_{name}")
        others = both.filter(
            both.decision != both.old_decision, both.old_decision.notnull(), both.fits,
            both.decision != WITHDRAWN, both.who != both.decided_by,
            both.decision_seq >= (both.seen_run + 1) * (1 << 32),
        )  # fmt: skip
        told = others.group_by("nth").aggregate(
            files=others.count(), old=others.old_decision.min(), by=others.decided_by.min(),
            at=others.decided_at.min(), place=others.workbook.min(),
        )  # fmt: skip
        for record in list(self.query.rows(told.order_by("nth"))):
            yield (
                accepted[record["nth"]].row,
                f"{record['by']} decided otherwise ({record['old']}, {record['at'][:10]}, "
                f"{record['place']}) after this workbook was made; it stands until it is withdrawn "
                "or a new export is decided on",
            )

    @staticmethod
    def _two_nominations(accepted: list[Accepted]) -> Iterator[tuple[Returned, str]]:
        kept: dict[int | None, dict[int, set[str]]] = {}
        nominated = [one for one in accepted if one.row.decision == KEEP]
        for one in nominated:
            by_book = kept.setdefault(one.group_id, {})
            by_book.setdefault(one.row.book, set()).add(one.row.key)
        for one in nominated:
            if len({frozenset(keys) for keys in kept[one.group_id].values()}) > 1:
                yield one.row, "another workbook keeps another copy of this group"

    def decide(self, accepted: list[Accepted]) -> None:
        """Work out what is new. To be called before the others."""
        self.accepted = accepted
        self.every = self._expanded(accepted)
        standing = self.desk.standing
        columns = ["entry_id", "decision", "comment", "scope", "size_bytes", "mtime_ns"]
        same = [self.every[name].identical_to(standing[name]) for name in columns]
        new = self.every.anti_join(standing, [*same, standing.fits])
        # Taking back what does not stand says nothing; nor does the same twice, in two workbooks.
        old = standing.select("entry_id", "scope", was="decision")
        new = new.left_join(old, ["entry_id", "scope"])
        new = new.drop(*(name for name in new.columns if name.endswith("_right")))
        new = new.filter((new.decision != WITHDRAWN) | new.was.notnull())
        first = ibis.row_number().over(group_by=["entry_id", "scope"], order_by=new.nth)
        new = new.mutate(place=first).filter(ibis._.place == 0).drop("place")
        self.new = self.query.stored(new)

    def _expanded(self, accepted: list[Accepted]) -> Relation:
        """A row for every entry that an accepted row decides on, with its state."""
        table = self.query.given(self._all_said(accepted))
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
        return self.query.stored(ibis.union(*parts))

    def _all_said(self, accepted: list[Accepted]) -> pa.Table:
        """Accepted rows as a table, made some at a time: there may be a million."""
        numbered = enumerate(accepted)
        batches = []
        while rows := [self._said(nth, one) for nth, one in islice(numbered, ROWS_AT_A_TIME)]:
            batches.append(pa.RecordBatch.from_pylist(rows, _SAID))
        return pa.Table.from_batches(batches, _SAID)

    def _said(self, nth: int, one: Accepted) -> dict[str, Any]:
        row = one.row
        return {
            "nth": nth, "book": row.book, "seen_run": self.books[row.book].seen_run,
            "who": self.reviewers[row.book], "entry_id": one.entry_id, "number_in": one.line,
            "scope": one.scope, "decision": "migrate" if row.decision == KEEP else row.decision,
            "comment": canonical(row.cells.get(COMMENT)).strip() or None,
            "sheet": row.noted_sheet, "row": row.number, "group_id": one.group_id, "unit": one.unit,
        }  # fmt: skip

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

    def counts(self, book: int) -> tuple[int, int]:
        """How many files a workbook decides anew, and how many it decides as they stand."""
        new = self.query.count(self.new.filter(self.new.book == book))
        return new, self.query.count(self.every.filter(self.every.book == book)) - new

    def effects(self, book: int) -> list[Effect]:
        """What each decision on many files covers, and how much of it a nearer decision decides."""
        standing = self.desk.standing.filter(self.desk.standing.fits).select("entry_id", "scope")
        nearer = self.every.filter(self.every.decision != WITHDRAWN).select("entry_id", "scope")
        ranks = nearer.union(standing)
        rank = ibis.cases(*((ranks.scope == scope, n) for n, scope in enumerate(SCOPES)), else_=9)
        best = ranks.mutate(rank=rank).group_by("entry_id").aggregate(best=ibis._.rank.min())
        mine = self.every.filter(self.every.book == book, self.every.scope != "file")
        own = ibis.cases(*((mine.scope == scope, n) for n, scope in enumerate(SCOPES)), else_=9)
        mine = mine.mutate(own=own).left_join(best, "entry_id")
        told = mine.group_by("nth", "decision").aggregate(
            files=mine.count(), overruled=(mine.best < mine.own).sum().fill_null(0)
        )
        found = []
        for record in self.query.rows(told.order_by("nth")):
            row = self.accepted[record["nth"]].row
            what = row.place if row.sheet != COPIES else f"the other copies of {row.place}"
            found.append(
                Effect(row.tab, row.number, what, record["decision"], record["files"],
                       record["overruled"])
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
