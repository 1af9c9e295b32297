"""Room: how long things are kept: the file plan's classes and their schedules.

In: facts with paths, the file plan and schedules of estate.yaml. Out: for every entry under a file
plan line with a class: when it is due, counted from what, and what happens then.
Only a folder's closing date that somebody has written down is certain. Every other date is inferred
or a proxy, and says so: a file's last change is not when a case ended.
"""

from __future__ import annotations

import re
from typing import Any

import ibis
import pyarrow as pa

from migrate.config import Config, Schedule
from migrate.engine.query import Query
from migrate.expressions import folded, full_path, is_under
from migrate.wording import NANOSECOND

_BASIS = {  # trigger -> words before and after the date
    "folder_closed": ("its folder is taken as closed on ", ", the date of its newest file"),
    "last_correspondence": ("the newest file of its folder, of ", ", for the last correspondence"),
    "document_date": ("last modified on ", ", for the date of the document (a proxy)"),
    "last_modified": ("last modified on ", " (a proxy for when it was last needed)"),
}
_OF_FOLDER = ["folder_closed", "last_correspondence"]
_SCHEMA = pa.schema(
    [
        ("plan_line", pa.int32()), ("retention_class", pa.string()), ("trigger", pa.string()),
        ("closed_ns", pa.int64()), ("months", pa.int32()), ("days", pa.int32()),
        ("retention_period", pa.string()), ("retention_action", pa.string()),
        ("retention_authority", pa.string()), ("before", pa.string()), ("after", pa.string()),
    ]
)  # fmt: skip


def with_retention(query: Query, table: Any, config: Config) -> Any:
    """Facts with retention_class, retention_due_ns, retention_basis, retention_certain,
    retention_action, retention_authority and retention_period; NULL where there is no class."""
    rows = _rows(config)
    if not rows:
        return table.mutate(**{name: ibis.null(kind) for name, kind in _COLUMNS.items()})
    lines = query.given(rows, _SCHEMA)
    table = table.mutate(plan_line=_plan_line(table.lower_path, config))
    table = table.left_join(lines, "plan_line").drop("plan_line_right")
    if any(row.get("trigger") in _OF_FOLDER and "closed_ns" not in row for row in rows):
        table = table.left_join(_newest(query, config), "plan_line").drop("plan_line_right")
    else:
        table = table.mutate(newest_ns=ibis.null("int64"))
    return _due(table)


_COLUMNS = {
    "retention_class": "string", "retention_due_ns": "int64", "retention_basis": "string",
    "retention_certain": "boolean", "retention_action": "string",
    "retention_authority": "string", "retention_period": "string",
}  # fmt: skip


def _rows(config: Config) -> list[dict[str, Any]]:
    """A row for every line of the file plan that has a class."""
    schedules = {one.retention_class: one for one in config.retention}
    rows = []
    for number, line in enumerate(config.file_plan):
        if line.retention_class is None:
            continue
        row: dict[str, Any] = {"plan_line": number, "retention_class": line.retention_class}
        if schedule := schedules.get(line.retention_class):
            row |= _terms(schedule)
            if line.closed and schedule.trigger == "folder_closed":
                row["closed_ns"] = (line.closed.toordinal() - 719_163) * 86_400 * NANOSECOND
                row |= {"before": "its folder was closed on ", "after": ""}
        rows.append(row)
    return rows


def _terms(schedule: Schedule) -> dict[str, Any]:
    before, after = _BASIS[schedule.trigger]
    row: dict[str, Any] = {
        "trigger": schedule.trigger, "retention_action": schedule.action,
        "retention_authority": schedule.authority, "before": before, "after": after,
    }  # fmt: skip
    if schedule.period:
        number, unit = re.findall(r"\d+|\D+", schedule.period)
        months = int(number) * {"y": 12, "mo": 1}.get(unit, 0)
        days = int(number) * {"w": 7, "d": 1}.get(unit, 0)
        row |= {"months": months, "days": days, "retention_period": schedule.period}
    return row


def _plan_line(lower_path: Any, config: Config) -> Any:
    """The number of the longest file plan line with a class that a path lies under."""
    numbered = [(n, line) for n, line in enumerate(config.file_plan) if line.retention_class]
    numbered.sort(key=lambda one: -len(one[1].folder))
    return ibis.cases(
        *((is_under(lower_path, line.folder), ibis.literal(n, "int32")) for n, line in numbered)
    )


def _newest(query: Query, config: Config) -> Any:
    """For every file plan line: when the newest file under it was last modified."""
    files = query.table("entries").filter(ibis._.kind == "file")
    files = files.mutate(plan_line=_plan_line(folded(full_path(files)), config))
    return files.group_by("plan_line").aggregate(newest_ns=files.mtime_ns.max())


def _due(table: Any) -> Any:
    start_ns = ibis.cases(
        (table.closed_ns.notnull(), table.closed_ns),
        (table.trigger.isin(_OF_FOLDER), table.newest_ns),
        (table.trigger.notnull(), table.mtime_ns),
    )
    start = (start_ns // NANOSECOND).as_timestamp("s")
    due = start + table.months.as_interval("M") + table.days.as_interval("D")
    basis = table.before + start.strftime("%Y-%m-%d") + table.after
    return table.mutate(
        retention_due_ns=due.truncate("D").epoch_seconds().cast("int64") * NANOSECOND,
        retention_basis=basis,
        retention_certain=ibis.ifelse(
            table.trigger.notnull(), table.closed_ns.notnull(), ibis.null("boolean")
        ),
    ).drop("plan_line", "trigger", "closed_ns", "months", "days", "before", "after", "newest_ns")
