"""Room: rows of returned workbooks that hold by themselves, and what they say against each other.

In: rows and what the estate has of them now. Out: a relation of what was said, kept in a file:
there may be a million; and the rows that contradict another. Never: one of two that do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from migrate.engine.query import Query
from migrate.review.columns import COMMENT, COPIES, DECISION, KEEP, canonical
from migrate.review.current import Current
from migrate.review.desk import Relation
from migrate.review.returned import Returned, Workbook

Record = dict[str, Any]

# What a row says (`written`: in its cell, `word`: as it is read, `decision`: what that means), and
# what it decides on: an entry, or a line by its number on the desk (`number_in`).
_SAID = pa.schema(
    [
        ("nth", pa.int64()), ("book", pa.int32()), ("seen_run", pa.int64()), ("who", pa.string()),
        ("key", pa.string()), ("sheet", pa.string()), ("tab", pa.string()), ("row", pa.int32()),
        ("place", pa.string()), ("written", pa.string()), ("word", pa.string()),
        ("decision", pa.string()), ("comment", pa.string()), ("noted_sheet", pa.string()),
        ("scope", pa.string()), ("unit", pa.string()), ("entry_id", pa.int64()),
        ("number_in", pa.int64()), ("group_id", pa.int64()),
    ]
)  # fmt: skip
REFUSED = ["nth", "book", "tab", "row", "place", "written"]  # of a row, to be told to who sent it


class Accepted:
    """The file of what was said."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.path = query.scratch("accepted.parquet")
        self.file = pq.ParquetWriter(self.path, _SAID, compression="lz4")

    def add(self, book: Workbook, who: str, rows: list[tuple[Returned, Current]]) -> None:
        """Rows of a workbook, each with what it decides on."""
        said = [_said(row, now, book.seen_run, who) for row, now in rows]
        if said:
            self.file.write_table(pa.Table.from_pylist(said, _SAID))

    def all(self) -> Relation:
        """Everything that was said; nothing can be added any more."""
        self.file.close()
        return self.query.parquet([self.path], "accepted")


def _said(row: Returned, now: Current, seen_run: int, who: str) -> Record:
    record = now.record
    number = {"folder": "line_no", "rule": "rule_no"}.get(now.scope, "")
    return {
        "nth": row.nth, "book": row.book, "seen_run": seen_run, "who": who, "key": row.key,
        "sheet": row.sheet, "tab": row.tab, "row": row.number, "place": row.place,
        "written": canonical(row.cells.get(DECISION)), "word": row.decision,
        "decision": "migrate" if row.decision == KEEP else row.decision,
        "comment": canonical(row.cells.get(COMMENT)).strip() or None,
        "noted_sheet": row.noted_sheet, "scope": now.scope, "unit": record["unit"],
        "entry_id": record.get("entry_id"), "number_in": record.get(number),
        "group_id": record["group_id"] if row.sheet == COPIES else None,
    }  # fmt: skip


def repeated(query: Query, said: Relation) -> Iterator[tuple[Record, str]]:
    """Rows that stand more than once, or in two workbooks, with different decisions, and why that
    will not do. A copy that is kept on one sheet is a file that migrates on the other. Of equal
    ones on one sheet all but the first, without a reason."""
    by_key = said.group_by("key").aggregate(times=said.count())
    again = query.stored(by_key.filter(by_key.times > 1).select("key"))
    for _, rows in _together(query, said.semi_join(again, "key"), "key"):
        if len({one["decision"] for one in rows}) > 1:
            yield from ((one, _otherwise(one, rows)) for one in rows)
            continue
        seen = set()
        for one in rows:
            place = (one["book"], one["sheet"])
            if place in seen:
                yield one, ""
            seen.add(place)


def _otherwise(one: Record, rows: list[Record]) -> str:
    other = next(row for row in rows if row["decision"] != one["decision"])
    where = "" if other["book"] == one["book"] else "another workbook, "
    where += f"“{other['tab']}” row {other['row']} says {other['word']}"
    return f"decided more than once, and differently: {where}"


def two_nominations(query: Query, said: Relation) -> Iterator[tuple[Record, str]]:
    """Rows of workbooks that do not keep the same copies of a group."""
    kept = said.filter(said.word == KEEP)
    groups = kept.group_by("group_id").aggregate(books=kept.book.nunique())
    groups = query.stored(groups.filter(groups.books > 1).select("group_id"))
    for _, rows in _together(query, kept.semi_join(groups, "group_id"), "group_id"):
        keys = {
            book: frozenset(one["key"] for one in rows if one["book"] == book)
            for book in {one["book"] for one in rows}
        }
        if len(set(keys.values())) > 1:
            for one in rows:
                yield one, "another workbook keeps another copy of this group"


def _together(query: Query, said: Relation, by: str) -> Iterator[tuple[Any, list[Record]]]:
    """The rows that have something in common, in the order in which they were read."""
    columns = [*REFUSED, "key", "sheet", "group_id", "word", "decision"]
    rows = query.rows(said.select(columns).order_by(by, "nth"))
    for value, some in groupby(rows, itemgetter(by)):
        yield value, list(some)
