"""Room: what the newest scan of a share has not found, and earlier ones had.

In: entries of every scan. Out: which scan saw an entry last, and what every later one says.
Never: what lies in a folder that could not be listed taken for deleted.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import ibis

from migrate.engine.query import Query
from migrate.estate import Run
from migrate.expressions import full_path
from migrate.facts import from_path
from migrate.model import entry_ids
from migrate.paths import to_raw


def earlier_entries(query: Query) -> Any:
    """Entries of all finished scans that count no more, with their full paths."""
    now = query.estate.scan_ids()
    runs = [run for run in query.estate.runs("crawl") if run.finished and run.run_id not in now]
    entries = query.run_table("entries", *runs)
    return from_path(entries.mutate(full_path=full_path(entries)))


def gone(query: Query, entry: dict[str, Any]) -> dict[str, Any] | None:
    """Of an entry as it was last seen: that `scan`, when that began (`at`), and the same of each
    scan that has `missed_by` now, with the folder above it that could not be listed, or on which a
    disk was missing (`not_listed`), and why (`error`), if it was for that. None if the newest scan
    has it."""
    if entry["scan_id"] in query.estate.scan_ids():
        return None
    crawls = [run for run in query.estate.runs("crawl") if run.finished]
    seen = next(run for run in crawls if run.run_id == entry["scan_id"])
    newer = [
        run
        for run in crawls
        if run.settings["share"] == entry["share"] and run.run_id > seen.run_id
    ]
    shut = _not_listed(query, entry, seen, newer)
    listed = {"not_listed": None, "error": None}
    return _of(seen, missed_by=[_of(run, **shut.get(run.run_id, listed)) for run in newer])


def _of(run: Run, **more: Any) -> dict[str, Any]:
    return {"scan": run.run_id, "at": run.started_at, **more}


def _not_listed(
    query: Query, entry: dict[str, Any], seen: Run, newer: list[Run]
) -> dict[int, dict[str, str]]:
    """By newer scan, the nearest folder above an entry that it could not list, or where it found no
    disk any more, and why."""
    above = {run.run_id: _above(query, entry, run) for run in (seen, *newer)}
    disks = _disks(above[seen.run_id])
    shut = {}
    for run in newer:
        gone_disks = disks - _disks(above[run.run_id])
        for folder in above[run.run_id]:
            path = folder["full_path"]
            error = folder["why"] or ("not_mounted" if path in gone_disks else None)
            if error:
                shut[run.run_id] = {"not_listed": path, "error": error}
    return shut


def _above(query: Query, entry: dict[str, Any], run: Run) -> list[dict[str, Any]]:
    """The folders above an entry as a scan has them, from the top; `why` one was not listed."""
    names = to_raw(entry["path"], entry["path_raw"]).split(b"/")
    above = entry_ids(entry["share"], (b"/".join(names[:depth]) for depth in range(len(names))))
    entries, listings = (query.run_table(name, run) for name in ("entries", "listings"))
    folders = entries.filter(entries.entry_id.isin(above), entries.kind == "folder").left_join(
        listings.select("entry_id", listing_error="error"), "entry_id"
    )
    why = ibis.coalesce(folders.error, folders.listing_error)
    told = folders.select("depth", "device_id", full_path=full_path(folders), why=why)
    return list(query.rows(told.order_by("depth")))


def _disks(folders: list[dict[str, Any]]) -> set[str]:
    """Those of folders, each in the one before, on which another disk is mounted."""
    return {
        inner["full_path"]
        for outer, inner in pairwise(folders)
        if inner["device_id"] != outer["device_id"]
    }


def gone_lines(entry: dict[str, Any] | None) -> list[str]:
    """What `gone` has found, for people."""
    if entry is None:
        return []
    return [
        f"last seen in scan {entry['scan']}, {entry['at']}: what follows was known then",
        *(_missed_line(scan) for scan in entry["missed_by"]),
    ]


def _missed_line(scan: dict[str, Any]) -> str:
    words = f"scan {scan['scan']}, {scan['at']}"
    if scan["not_listed"] is None:
        return f"not found by {words}"
    shut = f"{scan['not_listed']} could not be listed ({scan['error']})"
    return f"not seen by {words}: {shut}, perhaps it is still there"
