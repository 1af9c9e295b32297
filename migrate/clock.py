"""Room: whether what an earlier scan has read may be believed: its clock.

In: the log, and what a share tells of its clock. Out: the scan that a new one may rest on.
Why equal times prove equal bytes. Every change of a file sets its ctime to what the share's clock
says then. So if the clock had moved on from a file's times before it was read, any change since has
given it another ctime. If it had not (the file was changed a moment before, clocks tick coarsely,
the server's goes differently from ours), a later change may look the same. The clock is known to
have been past a time if, when the scan began, it said more than that: our own on local disks, the
one that an SMB server tells on connecting. A mounted server tells nothing; there the newest change
seen on the share was made before the scan ended, so that the scan began after it, less the time the
scan took. Clocks are taken to move on, never back; what else may be wrong is for the proof to find.
Samba tells the mtime as ctime (get_change_timespec, up to 4.17 at least), so that a change under
the old date shows nowhere. A share on an SMB server is known to have a ctime of its own by one file
on which the two differ; without one nothing is taken over, unless the share is set to `write_time`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from migrate.estate import Estate, Run, Writer
from migrate.scans import is_disproved, newest_scan
from migrate.sources import Trust

if TYPE_CHECKING:
    from migrate.engine.query import Query

CLOCK_STEP_NS = 3_000_000_000  # FAT ticks every two seconds; one more for clocks being set right
NO_NUMBER = (1 << 64) - 1  # as good as 0: the volume has none ([MS-FSCC] 2.1.9)
NO_CHANGE_TIME = (
    "its server tells the date of writing as time of change (Samba does), and a file changed under "
    "its old date would look the same. Where size and date will do, say `rescan_by: write_time` "
    "for the share in estate.yaml"
)
BY_WRITE_TIME = (
    "By size and date of writing alone (rescan_by), for its server tells no time of change: a file "
    "changed under its old date is not seen unless the proof happens on it."
)
# Of the scan's entries: files that a number, a size and times tell from all others.
FILES = f"""
SELECT * FROM before
WHERE kind = 'file' AND error IS NULL AND ctime_ns > 0 AND mtime_ns IS NOT NULL
  AND file_id > 0 AND file_id < {NO_NUMBER}
  AND device_id = (SELECT device_id FROM before WHERE depth = 0)
"""  # noqa: S608 - of our own words and numbers
OWN_CTIMES = f"SELECT 1 FROM ({FILES}) WHERE ctime_ns <> mtime_ns LIMIT 1"  # noqa: S608
NEWEST = f"SELECT max(ctime_ns) AS newest FROM ({FILES}) WHERE ctime_ns <= $began_ns"  # noqa: S608


class Basis(Struct, frozen=True):
    """The scan that another one may rest on, and what it knew of the time."""

    run: Run
    share_ns: int | None  # what the share's clock said at its beginning, where one tells
    began_ns: int  # by our clock
    took_ns: int


def note_clock(writer: Writer, run: Run, trust: Trust) -> None:
    """Keep in the log what time it is, on the share and here: before a session has looked at
    anything, and at its end."""
    now_ns = time.time_ns()
    writer.estate.log.append("clock", run=run.run_id, share_ns=trust.now_ns, our_ns=now_ns)


def judged(estate: Estate, share: str, trust: Trust, rescan_by: str) -> Trust:
    """What to rely on after a look at the times that a server told in the earlier scan."""
    basis = basis_of(estate, share)
    if not trust.may_tell_mtime or basis is None or _has_own_ctimes(estate, basis):
        return trust
    if rescan_by == "write_time":
        return trust._replace(why_not=BY_WRITE_TIME)
    return trust._replace(lasting=False, why_not=NO_CHANGE_TIME)


def _has_own_ctimes(estate: Estate, basis: Basis) -> bool:
    from migrate.engine.query import Query

    with Query(estate) as query:
        query.view("entries", estate.parts_of("entries", [basis.run]), "before")
        return query.count(OWN_CTIMES) > 0


def basis_of(estate: Estate, share: str) -> Basis | None:
    """What a new scan of a share may rest on, from the log alone."""
    before = newest_scan(estate, share)
    if before is None or not before.settings["content"] or is_disproved(before):
        return None
    clocks = [
        record
        for record in estate.log.records
        if record["kind"] == "clock" and record["run"] == before.run_id
    ]
    if not clocks:
        return None
    ours, shares = ([record[name] for record in clocks] for name in ("our_ns", "share_ns"))
    return Basis(before, None if None in shares else min(shares), min(ours), max(ours) - min(ours))


def proven_ns(query: Query, basis: Basis) -> int:
    """The time that the share's clock had passed for certain when the earlier scan began."""
    if basis.share_ns is not None:
        return basis.share_ns - CLOCK_STEP_NS
    newest = next(query.rows(NEWEST, began_ns=basis.began_ns))["newest"]
    return (newest or 0) - basis.took_ns - CLOCK_STEP_NS
