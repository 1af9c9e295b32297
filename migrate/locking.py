"""Room: the lock of an estate: who may write to it, and who does now.

In: an estate's folder. Out: the lock, held until the block ends or the process dies, which Linux,
macOS and Windows see to.
Never: a lock that a worker inherits; a lock for a reader.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migrate.errors import EstateLocked

LOCK = ".lock"


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold an estate's lock, with the number of this process in it.

    Errors: EstateLocked, with the process that holds it."""
    with (root / LOCK).open("a+", encoding="utf-8") as file:
        if not _locked(file.fileno()):
            file.seek(0)
            raise EstateLocked(
                f"{root} is being written to by another command ({file.read().strip()})",
                "Wait for it to end. Reading (status, report, explain) works meanwhile.",
            )
        file.truncate(0)
        file.write(f"process {os.getpid()}\n")
        file.flush()
        yield


def at_work(root: Path) -> str:
    """Which process is writing to an estate now ("process 7"), or nothing. Windows does not tell.

    It asks with a lock that others may share, and gives that back at once."""
    path = root / LOCK
    if os.name == "nt" or not path.exists():
        return ""
    import fcntl

    with path.open(encoding="utf-8") as file:
        try:
            fcntl.lockf(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return file.read().strip()
    return ""


def _locked(descriptor: int) -> bool:
    """Whether the lock is ours now. A second try, in case somebody has only asked whether it was
    free (see `at_work`)."""
    if _lock(descriptor):
        return True
    time.sleep(0.1)
    return _lock(descriptor)


def _lock(descriptor: int) -> bool:
    """An exclusive lock that dies with this process and is not inherited by its workers."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
