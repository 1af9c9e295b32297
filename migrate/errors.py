"""Room: the errors a person can act on, and the exit code of each.

Every error says what is wrong, where, what was expected and what to do. A single file that cannot
be read is never one of these: it is a row in a table.

    MigrateError        1   the run failed
      UsageError        2   the command line asks for something that cannot be
      RulesInvalid      5   estate.yaml, a rule file or a manifest is malformed
      LimitReached      6   a limit that guards against accidents was hit
      EstateMissing    10   there is no estate here, or one this version cannot read
      EstateLocked     11   another command is writing to the estate
      ShareUnreachable 12   a share or a target cannot be reached or entered
      Interrupted     130   stopped by somebody, and nothing is kept

Exit codes without an error: 0 done, 3 done but some items failed, 4 verification found differences,
130 interrupted. A script treats any other code as a failure.
"""

from __future__ import annotations

from typing import NamedTuple

ITEMS_FAILED = 3
DIFFERENCES_FOUND = 4
INTERRUPTED = 130

EXIT_CODES = {
    0: "done",
    1: "failed",
    2: "wrong usage",
    3: "done, but some items failed (they are listed)",
    4: "verification found differences, or a rescan files that had changed unseen",
    5: "estate.yaml or a rule file is malformed",
    6: "a safety limit was reached",
    10: "no estate here, or an incompatible one",
    11: "another command is writing to this estate",
    12: "a share or target cannot be reached",
    130: "interrupted; run the same command again to go on",
}


class MigrateError(Exception):
    """The run cannot go on. `what` happened, and what to do about it (`todo`)."""

    exit_code = 1

    def __init__(self, what: str, todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo

    def lines(self) -> list[str]:
        """What happened, for people. A break in a line comes from a name and is none of ours."""
        return [self.what]


class UsageError(MigrateError):
    exit_code = 2


class Interrupted(MigrateError):
    """Somebody asked to stop what keeps nothing of what it has done so far."""

    exit_code = INTERRUPTED


class LimitReached(MigrateError):
    exit_code = 6


class EstateMissing(MigrateError):
    exit_code = 10


class EstateLocked(MigrateError):
    exit_code = 11


class ShareUnreachable(MigrateError):
    exit_code = 12


class Fault(NamedTuple):
    """One fault in a file that a person wrote."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class RulesInvalid(MigrateError):
    """All faults found in one reading, so that they can be mended in one go."""

    exit_code = 5

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        lines = "\n".join(str(fault) for fault in faults)
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(
            f"{count}; nothing was run:\n{lines}", "Mend the lines named and run again."
        )

    def lines(self) -> list[str]:
        return [self.what.partition("\n")[0], *map(str, self.faults)]
