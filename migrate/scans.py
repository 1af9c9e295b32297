"""Room: a share's scans, one after the other, as the log has them.

In: the log. Out: which scan came before which, what was taken over, proven and found changed.
Never: a table read.
"""

from __future__ import annotations

from typing import Any

from migrate.errors import MigrateError
from migrate.estate import Estate, Run

CHANGES = {
    "new": "not found by the scan before",
    "changed": "other content, size or date",
    "moved": "found elsewhere, by its number or content",
    "deleted": "gone from the share",
    "not_seen": "in a folder that could not be listed, or where a disk is not mounted any more: "
    "perhaps still there",
    "not_read": "could not be read this time: perhaps changed",
}
DOUBTS = ("not_seen", "not_read")  # what nobody can tell; told where there is any
Pair = tuple[Run, Run]


def _finished(estate: Estate) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in estate.runs("crawl"):
        if run.finished:
            found.setdefault(run.settings["share"], []).append(run)
    return found


def newest_scan(estate: Estate, share: str) -> Run | None:
    """The newest finished scan of a share."""
    scans = _finished(estate).get(share)
    return scans[-1] if scans else None


def scan_pairs(estate: Estate) -> list[Pair]:
    """The two newest finished scans of each share that has two, older first."""
    shares = sorted(_finished(estate).items())
    return [(runs[-2], runs[-1]) for _, runs in shares if len(runs) > 1]


def count_of(run: Run, what: str) -> int:
    """A count of a crawl, as far as it has committed."""
    return sum(int(part["counts"].get(what, 0)) for part in run.parts)


def is_disproved(run: Run) -> bool:
    """Whether a file that was read again was not what an earlier scan had read."""
    return count_of(run, "proof differs") > 0


def refuse_disproved(estate: Estate) -> None:
    """Nothing goes on from digests that turned out to be wrong. Errors: MigrateError."""
    shares = [str(scan.settings["share"]) for scan in estate.scans() if is_disproved(scan)]
    if shares:
        raise MigrateError(
            f"the scan of {', '.join(shares)} took digests over that are not true: files read "
            "again to prove them had changed unseen",
            "Run `migrate crawl --reread` to read every file again.",
        )


def noted_changes(estate: Estate) -> list[dict[str, Any]] | None:
    """How much has changed (share, change, files, others, size_bytes, decided) between the two
    newest scans of each share; None if they were not compared."""
    records = (record for record in reversed(estate.log.records) if record["kind"] == "changes")
    newest = next(records, None)
    scans = [[before.run_id, after.run_id] for before, after in scan_pairs(estate)]
    return newest["counts"] if newest and scans and newest["scans"] == scans else None


def rescans(estate: Estate, counts: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """For each share scanned twice: what changed (None: not compared), how much was not opened,
    and what was read again to prove it. `counts`: of the changes, if not those that are noted."""
    counts = noted_changes(estate) if counts is None else counts
    return [_rescan(before, after, counts) for before, after in scan_pairs(estate)]


def are_doubtful(shares: list[dict[str, Any]]) -> bool:
    """Whether of anything nobody can tell what has become of it."""
    found = (share["changes"][name] for share in shares if share["changes"] for name in DOUBTS)
    return any(one["files"] or one["others"] for one in found)


def _rescan(before: Run, after: Run, counts: list[dict[str, Any]] | None) -> dict[str, Any]:
    share, files = after.settings["share"], count_of(after, "file")
    empty = {"files": 0, "others": 0, "size_bytes": 0, "decided": 0}
    rows = {row["change"]: row for row in counts or [] if row["share"] == share}
    changes = {name: {key: rows.get(name, empty)[key] for key in empty} for name in CHANGES}
    there = sum(changes[name]["files"] for name in ("new", "changed", "moved", "not_read"))
    return {
        "share": share, "scan": after.run_id, "before": before.run_id,
        "before_at": before.started_at, "before_files": count_of(before, "file"), "files": files,
        "changes": None if counts is None else changes,
        "unchanged": None if counts is None else files - there,
        "not_opened": count_of(after, "taken over"), "proven": count_of(after, "proof same"),
        "disproved": count_of(after, "proof differs"), "reread": after.settings["reread"],
        "before_disproved": is_disproved(before),
        "not_lasting": after.summary.get("not_lasting", ""),
    }  # fmt: skip
