"""Room: what the estate says now of a row that came back, and whether the row says the same.

In: returned rows, the desk. Out: for each row the one that would be written now, or why nobody may
decide on it; the objection to a row, in words that name what changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from msgspec import Struct

from migrate.engine.query import Query
from migrate.review.columns import (
    BARRED,
    CHECK,
    COPIES,
    FOLDERS,
    KEY,
    NOT_CHECKED,
    PROPOSALS,
    RULES,
    SHEETS,
    Row,
    canonical,
)
from migrate.review.desk import Desk, Relation
from migrate.review.returned import Returned
from migrate.review.rows import (
    COPY_NEEDS,
    FILE_NEEDS,
    INFO_NEEDS,
    Record,
    copy_row,
    file_row,
    folder_row,
    proposal_words,
    rule_row,
)


class Current(Struct, frozen=True):
    """The row as it would be written now, or why nobody may decide on it. `record` is what the desk
    has of it; `scope` says whether it is a file or a line for many."""

    row: Row | None
    scope: str
    record: Record
    barred: str = ""


Known = dict[tuple[str, str], Current]  # by sheet and key
_BARRED = {"unreadable": "it cannot be read", "not_a_file": "it is a link, or no file at all"}


def current_rows(query: Query, desk: Desk, rows: Sequence[Returned]) -> Known:
    """What there is now for each of the files among some rows."""
    known: Known = {}
    wanted = _entries(query, {row.key for row in rows})
    for record in query.rows(desk.info.semi_join(wanted, "entry_id").select(INFO_NEEDS)):
        held = f"on hold: {record['hold']}" if record["hold"] else _BARRED[record["proposal"]]
        for sheet in (FOLDERS, COPIES):
            known[sheet, f"F{record['entry_id']}"] = Current(None, "file", record, held)
    items = desk.items.semi_join(wanted, "entry_id").select(*FILE_NEEDS, "unit")
    for record in query.rows(items):
        known[FOLDERS, f"F{record['entry_id']}"] = Current(file_row(record), "file", record)
    copies = desk.copies.filter(desk.copies.here).semi_join(wanted, "entry_id").select(COPY_NEEDS)
    for record in query.rows(copies):
        known[COPIES, f"F{record['entry_id']}"] = Current(copy_row(record), "file", record)
    query.drop(wanted)
    return known


def current_lines(query: Query, desk: Desk, rows: Sequence[Returned]) -> Known:
    """What there is now for each of the lines among some rows; reads all lines of the desk."""
    known: Known = {}
    keys = {row.key for row in rows}
    if not keys:
        return known
    for sheet, relation, make, scope in (
        (FOLDERS, desk.lines, folder_row, "folder"), (RULES, desk.rules, rule_row, "rule"),
    ):  # fmt: skip
        for record in query.rows(relation):
            row = make(record)
            if row[KEY] in keys:
                known[sheet, str(row[KEY])] = Current(row, scope, record)
    return known


def _entries(query: Query, keys: set[str]) -> Relation:
    """The entries that keys of files name, to be dropped when they are known."""
    ids = [int(key[1:]) for key in keys if re.fullmatch("F[0-9]{1,19}", key)]
    ids = [number for number in ids if number < 1 << 63]
    table = pa.table({"entry_id": pa.array(ids, pa.int64())})
    return query.given(table)


def objection(row: Returned, now: Current | None) -> str:
    """Why a row cannot be accepted; '' if it can. Numbers and dates are not compared: programs
    mangle them, and the row's check says what they were."""
    if now is not None and now.row is None:
        return now.barred
    if not_here := canonical(row.cells.get(BARRED)):
        return f"not decided in this workbook: {not_here}"
    if now is None or now.row is None:
        if re.fullmatch("[FLR][0-9a-f]{1,19}", row.key):
            return (
                "this line is not there any more: its files, their proposal or the rules have "
                "changed since the export; export again and decide again"
            )
        return "altered since the export: its hidden key names nothing in this estate"
    altered = _altered(row, now.row)
    if canonical(row.cells.get(CHECK)).strip() == now.row[CHECK]:
        return f"altered since the export: {', '.join(altered)}" if altered else ""
    if _proposal_changed(row, now):
        was, is_now = row.cells.get("Proposal"), proposal_words(now.record)
        return f"the rules propose something else since the export: “{was}” then, “{is_now}” now"
    changed = [*altered, *_numbers_changed(row, now.row)]
    what = f" ({', '.join(changed)})" if changed else ""
    return f"the estate has changed since the export{what}; look at it again in a new export"


def _altered(row: Returned, now: Row) -> list[str]:
    """Columns of words that do not say what they would say now."""
    return [
        column.title
        for column in SHEETS[row.sheet]
        if column.words and _plain(row.cells.get(column.title)) != _plain(now.get(column.title))
    ]


def _plain(value: Any) -> str:
    """A text without what programs do to spaces."""
    return " ".join(canonical(value).split())


def _proposal_changed(row: Returned, now: Current) -> bool:
    was = canonical(row.cells.get("Proposal"))
    return was in PROPOSALS.values() and was != proposal_words(now.record)


def _numbers_changed(row: Returned, now: Row) -> list[str]:
    """Numbers and dates that differ, for the reason only."""
    return [
        column.title
        for column in SHEETS[row.sheet]
        if not column.words
        and column.title not in (*NOT_CHECKED, KEY)
        and canonical(row.cells.get(column.title)) != canonical(now.get(column.title))
    ]
