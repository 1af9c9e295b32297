"""Room: the chain of custody, one append-only file of JSON lines.

In: what a stage wants remembered. Out: `log.jsonl`, each line carrying the SHA-256 of the line
before it, so that no line can be changed, dropped or put between two others unnoticed.
Never: a secret; a line that is not on the disk when `append` returns.

The chain cannot show that lines were cut off its end: the head (the hash of the last line) is
printed by `migrate verify` and in the report so that it can be written down elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from copy import copy
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from migrate.errors import MigrateError

FIRST_LINK = "0" * 64

Record = dict[str, Any]


class ChainBroken(MigrateError):
    """The log is not what was written: a line was altered, removed or inserted."""

    exit_code = 4


def timestamp() -> str:
    """Now, in UTC to the second; SOURCE_DATE_EPOCH (reproducible-builds.org) stands in for the
    clock where somebody needs the same estate twice, byte for byte."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    moment = float(fixed) if fixed else time.time()
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Log:
    """Reads the chain on opening and grows it line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[Record] = []
        self.head = FIRST_LINK
        self._length = 0
        self.refresh()

    def refresh(self) -> None:
        """Read what was appended since. A last line without its newline is a write that a crash
        cut short: it never happened, and the next writer removes it."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._length)
            for line in file:
                if line.endswith(b"\n"):
                    self._accept(line)

    def _accept(self, line: bytes) -> None:
        number = len(self.records) + 1
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or record.get("prev") != self.head:
            raise ChainBroken(
                f"{self.path}, line {number}: the hash chain is broken here",
                "The log was altered after it was written. Restore the estate from a backup.",
            )
        self.records.append(record)
        self.head = hashlib.sha256(line).hexdigest()
        self._length += len(line)

    def until(self, kind: str, run_id: int) -> Log:
        """The lines before one about a run; to be read only."""
        log = copy(self)
        log.records = [
            *takewhile(lambda line: (line["kind"], line.get("run")) != (kind, run_id), self.records)
        ]
        return log

    def drop_torn_line(self) -> None:
        """Cut off what a crash left of an unfinished last line. The caller holds the lock."""
        if self.path.exists() and self.path.stat().st_size > self._length:
            os.truncate(self.path, self._length)

    def append(self, kind: str, **fields: Any) -> Record:
        """Add one line and return once it is on the disk.

        Errors: OSError (disk full, estate gone); the log is then as it was before."""
        record = {"seq": len(self.records) + 1, "at": timestamp(), "kind": kind, **fields}
        record["prev"] = self.head
        line = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._write(descriptor, line)
        except OSError:
            os.ftruncate(descriptor, self._length)
            raise
        finally:
            os.close(descriptor)
        self._accept(line)
        return record

    @staticmethod
    def _write(descriptor: int, line: bytes) -> None:
        while line:
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
