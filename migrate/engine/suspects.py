"""Room: files that crash a reader. One bad file never stops a run.

MIME types and PRONOM identifiers come from libraries in C and Go, which a hostile file can
crash, and the worker process with them. The log keeps the entries that were being read; the stage
goes on where it was, without asking the library about them again: what it would have told stays
unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from migrate.engine.crew import WorkerDied
from migrate.estate import Writer

Result = TypeVar("Result")


def past_crashes(writer: Writer, stage: str, attempt: Callable[[frozenset[int]], Result]) -> Result:
    """Run `attempt` with the entries not to ask about, again after each crash that has a name.

    Errors: WorkerDied if a worker was killed, or crashed without reading a new file."""
    while True:
        suspects = frozenset(
            entry_id
            for record in writer.estate.log.records
            if record["kind"] == "suspect" and record["stage"] == stage
            for entry_id in record["entries"]
        )
        try:
            return attempt(suspects)
        except WorkerDied as death:
            if set(death.at_work_on) <= suspects:
                raise
            writer.estate.log.append("suspect", stage=stage, entries=death.at_work_on)
            words = f"{len(death.at_work_on)} being read; see `suspect` in log.jsonl"
            print(f"{stage}: a file crashed a library ({words}); going on", file=sys.stderr)
