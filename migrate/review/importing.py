"""Room: a returned workbook read, checked row by row, its decisions recorded.

In: an .xlsx that was out of our hands. Out: `decisions`, and for every refused row its sheet, its
number and the reason. Never: a decision for a row nobody decided, for a row that says something
else than the estate does, or against a hold.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import ibis
import openpyxl
import pyarrow as pa

from migrate.engine.query import Query
from migrate.errors import LimitReached, MigrateError, UsageError
from migrate.estate import Run, Writer
from migrate.log import timestamp
from migrate.plan import DECISIONS
from migrate.review.rows import (
    CHECK,
    COMMENT,
    DECISION,
    FILE_COLUMNS,
    GROUP_COLUMNS,
    KEY,
    Desk,
    Row,
    canonical,
    check,
    file_row,
    group_row,
)  # fmt: skip
from migrate.review.workbook import COVER, FILES, GROUPS, REVIEWER_LABEL

MOST_UNPACKED_BYTES = 4 << 30
ROWS_AT_A_TIME = 5_000


@dataclass(frozen=True)
class Returned:
    """One row as it came back."""

    sheet: str
    number: int
    cells: dict[str, Any]

    @property
    def key(self) -> str:
        return canonical(self.cells.get(KEY))

    @property
    def decision(self) -> str:
        return canonical(self.cells.get(DECISION)).strip().lower()


@dataclass(frozen=True)
class Refusal:
    """One row that was refused, and why."""

    sheet: str
    row: int
    path: str
    decision: str
    reason: str


@dataclass
class Imported:
    """What became of a workbook."""

    workbook: str
    reviewer: str
    decided_rows: int = 0
    decided_files: int = 0
    unchanged_files: int = 0
    undecided_rows: int = 0
    refused: list[Refusal] = field(default_factory=list)


def import_workbook(
    writer: Writer,
    desk_of: Callable[[Query], Desk],
    path: Path,
    reviewer: str | None,
    dry_run: bool,
) -> tuple[Run | None, Imported]:
    """Read one workbook back. `desk_of` lays out the estate's rows as they are now.

    Errors: UsageError if it is no review workbook or names nobody; LimitReached if it would unpack
    to more than 4 GB. Refused rows are in the result."""
    found = _read(path)
    who = (reviewer or found.reviewer).strip()
    if not who:
        raise UsageError(
            f"{path.name} does not say who decided",
            f"Fill in “{REVIEWER_LABEL}” on the sheet “{COVER}”, or give --reviewer.",
        )
    result = Imported(path.name, who)
    with Query(writer.estate) as query:
        desk = desk_of(query)
        accepted = _accept(query, desk, found, result)
        result.decided_rows = len(accepted)
        decisions = _decisions(query, desk, accepted)
        new = query.stored(_saying_something_new(query, decisions))
        result.decided_files = query.count(new)
        result.unchanged_files = query.count(decisions) - result.decided_files
        if dry_run or not result.decided_files:
            return None, result
        return _record(query, writer, new, result, found.sha256), result


@dataclass(frozen=True)
class Found:
    """What a workbook holds, read once and closed."""

    reviewer: str
    rows: dict[str, list[Returned]]
    sha256: str


def _read(path: Path) -> Found:
    """Everything in a workbook that an import looks at.

    Errors: UsageError, whatever is wrong with the file: openpyxl raises nearly anything for a
    damaged one."""
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > MOST_UNPACKED_BYTES:
            raise LimitReached(f"{path} would unpack to {size:,} bytes: no review workbook does")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        if COVER not in book.sheetnames or FILES not in book.sheetnames:
            raise UsageError(
                f"{path} is no review workbook: it has no sheets “{COVER}” and “{FILES}”",
                "Import a workbook that `migrate review export` wrote.",
            )
        sheets = [sheet for sheet in (FILES, GROUPS) if sheet in book.sheetnames]
        rows = {sheet: list(_returned(book, sheet)) for sheet in sheets}
        return Found(_reviewer(book), rows, hashlib.sha256(content).hexdigest())
    except MigrateError:
        raise
    except Exception as error:
        raise UsageError(
            f"{path} cannot be read as an .xlsx workbook: {error}",
            "Open it in a spreadsheet program and save it as .xlsx.",
        ) from None


def _reviewer(book: Any) -> str:
    for label, value, *_ in book[COVER].iter_rows(max_col=3, max_row=60, values_only=True):
        if label == REVIEWER_LABEL:
            return canonical(value)
    return ""


def _returned(book: Any, sheet: str) -> Iterator[Returned]:
    """The rows of a sheet by column title, wherever the columns are now."""
    rows = book[sheet].iter_rows(values_only=True)
    titles = [canonical(title).strip() for title in next(rows, ())]
    missing = [title for title in (DECISION, KEY, CHECK) if title not in titles]
    if missing:
        raise UsageError(
            f"the sheet “{sheet}” has lost its column {' and '.join(missing)}",
            "Export the workbook again and copy the decisions into it.",
        )
    for number, values in enumerate(rows, 2):
        if any(value is not None for value in values):
            yield Returned(sheet, number, dict(zip(titles, values, strict=False)))


@dataclass(frozen=True)
class Current:
    """What the estate says now of a row: the row it would write, or why nobody may decide on it."""

    row: Row | None
    barred: str = ""
    decides_on: dict[str, Any] = field(default_factory=dict)  # columns that name the entries


Accepted = list[tuple[Returned, Current]]


def _accept(query: Query, desk: Desk, found: Found, result: Imported) -> Accepted:
    """The rows that hold; the others go into `result.refused`."""
    accepted: Accepted = []
    for sheet, current in ((FILES, _current_files), (GROUPS, _current_groups)):
        decided = iter(_decided(found.rows.get(sheet, []), result))
        done: set[str] = set()
        while rows := list(islice(decided, ROWS_AT_A_TIME)):
            known = current(query, desk, rows)
            for row in rows:
                now = known.get(row.key)
                reason = _objection(row, now)
                if reason or now is None:
                    result.refused.append(_refusal(row, reason))
                elif row.key not in done:
                    done.add(row.key)
                    accepted.append((row, now))
    result.refused.sort(key=lambda refusal: (refusal.sheet, refusal.row))
    return accepted


def _decided(rows: list[Returned], result: Imported) -> list[Returned]:
    """Rows with a decision that can be one: known, and not contradicted further down."""
    by_key: dict[str, set[str]] = {}
    for row in rows:
        if row.decision:
            by_key.setdefault(row.key, set()).add(row.decision)
    decided = []
    for row in rows:
        if not row.decision:
            result.undecided_rows += row.key not in by_key
        elif row.decision not in DECISIONS:
            reason = f"unknown decision; use {', '.join(DECISIONS)} or leave the cell empty"
            result.refused.append(_refusal(row, reason))
        elif len(by_key[row.key]) > 1:
            reason = "this row stands in the sheet more than once, with different decisions"
            result.refused.append(_refusal(row, reason))
        else:
            decided.append(row)
    return decided


def _refusal(row: Returned, reason: str) -> Refusal:
    path = canonical(row.cells.get("Path") or row.cells.get("Folder"))
    return Refusal(row.sheet, row.number, path, canonical(row.cells.get(DECISION)), reason)


def _current_files(query: Query, desk: Desk, rows: Iterable[Returned]) -> dict[str, Current]:
    keys = [row.key for row in rows]
    ids = [int(key[1:]) for key in keys if re.fullmatch("F[0-9]{1,19}", key)]
    ids = [number for number in ids if number < 1 << 63]
    wanted = query.stored(ibis.memtable(pa.table({"entry_id": pa.array(ids, pa.int64())})))
    found = {}
    for record in query.rows(desk.info.semi_join(wanted, "entry_id")):
        reason = f"on hold: {record['hold']}" if record["hold"] else _BARRED[record["proposal"]]
        found[f"F{record['entry_id']}"] = Current(None, reason)
    for record in query.rows(desk.files.semi_join(wanted, "entry_id")):
        decides_on = {"entry_id": record["entry_id"]}
        found[f"F{record['entry_id']}"] = Current(file_row(record), "", decides_on)
    return found


_BARRED = {"unreadable": "it cannot be read", "not_a_file": "it is a link, or no file at all"}


def _current_groups(query: Query, desk: Desk, rows: Iterable[Returned]) -> dict[str, Current]:
    keys = {row.key for row in rows}
    found = {}
    for record in query.rows(desk.groups):
        row = group_row(record)
        if row[KEY] in keys:
            decides_on = {name: record[name] for name in GROUP_NAMES}
            found[str(row[KEY])] = Current(row, "", decides_on)
    return found


GROUP_NAMES = ["unit", "group_folder", "rule_id"]


def _objection(row: Returned, now: Current | None) -> str:
    """Why a row cannot be accepted; '' if it can."""
    columns = FILE_COLUMNS if row.sheet == FILES else GROUP_COLUMNS
    written = {column.title: row.cells.get(column.title) for column in columns}
    intact = check(written) == canonical(row.cells.get(CHECK))
    if now and now.row is None:
        return now.barred
    if now is None or now.row is None:
        if intact:
            return "the estate has changed since the export; export again and decide again"
        return "altered since the export: its hidden key names nothing in this estate"
    different = [
        name
        for name, value in now.row.items()
        if name != CHECK and canonical(value) != canonical(row.cells.get(name))
    ]
    if not intact:
        return f"altered since the export: {', '.join(different) or CHECK}"
    if different:
        return f"the estate has changed since the export ({', '.join(different)}); decide again"
    return ""


_ACCEPTED = pa.schema(
    [
        ("entry_id", pa.int64()), ("unit", pa.string()), ("group_folder", pa.string()),
        ("rule_id", pa.string()), ("decision", pa.string()), ("comment", pa.string()),
        ("sheet", pa.string()), ("row", pa.int32()),
    ]
)  # fmt: skip


def _decisions(query: Query, desk: Desk, accepted: Accepted) -> Any:
    """A row for every entry that an accepted row decides on."""
    rows = [
        {
            **now.decides_on,
            "decision": row.decision,
            "comment": canonical(row.cells.get(COMMENT)).strip() or None,
            "sheet": row.sheet,
            "row": row.number,
        }
        for row, now in accepted
    ]
    table = query.stored(ibis.memtable(pa.Table.from_pylist(rows, _ACCEPTED)))
    said = ["decision", "comment", "sheet", "row"]
    entry = ["scan_id", "entry_id", "rule_id", "proposal", "size_bytes", "mtime_ns"]
    singles = table.filter(table.sheet == FILES).select("entry_id", *said)
    files = desk.files.inner_join(singles, "entry_id").select(
        *entry, *said, scope=ibis.literal("file")
    )
    covering = table.filter(table.sheet == GROUPS).select(*GROUP_NAMES, *said)
    same = [desk.members[name].identical_to(covering[name]) for name in GROUP_NAMES]
    members = desk.members.inner_join(covering, same).select(
        *entry, *said, scope=ibis.literal("group")
    )
    return query.stored(files.union(members))


def _saying_something_new(query: Query, decisions: Any) -> Any:
    """Without those that repeat what stands, on the same state of the same file."""
    every = query.all_decisions()
    newest = ibis.row_number().over(
        group_by=["entry_id", "scope"], order_by=ibis.desc(every.decision_seq)
    )
    standing = every.mutate(nth=newest).filter(ibis._.nth == 0)
    columns = ["entry_id", "decision", "comment", "scope", "size_bytes", "mtime_ns"]
    same = [decisions[name].identical_to(standing[name]) for name in columns]
    return decisions.anti_join(standing, same)


def _record(query: Query, writer: Writer, new: Any, result: Imported, digest: str) -> Run:
    settings = {"workbook": result.workbook, "sha256": digest, "reviewer": result.reviewer}
    run = writer.begin("review import", settings)
    numbered = new.mutate(
        decided_by=ibis.literal(result.reviewer),
        decided_at=ibis.literal(timestamp()),
        workbook=ibis.literal(result.workbook),
        workbook_sha256=ibis.literal(digest),
        decision_seq=ibis.literal(run.run_id << 32)
        + ibis.row_number().over(order_by=[new.sheet, new.row, new.entry_id]),
    ).order_by("decision_seq")
    writer.commit(run, query.write("decisions", numbered))
    refused = [refusal.__dict__ for refusal in result.refused]
    writer.finish(run, {"files": result.decided_files, "refused": refused[:1000]})
    return run
