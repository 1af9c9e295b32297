"""`python tests/killable.py N WORDS…` runs `migrate WORDS…` and kills the process (kill -9) at the
N-th call that makes anything durable: a write, an fsync, a rename, a link. Workers inherit the
count, so it may be one of them that dies. Exits 0 if the command ended before N."""

from __future__ import annotations

import os
import signal
import sys

calls = 0


def deadly(function):
    """The function, with death at the N-th call of any of them, before or after it by turns."""

    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == limit and limit % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if calls == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


limit = int(sys.argv[1])
for name in ("write", "fsync", "rename", "replace", "link", "utime", "unlink"):
    setattr(os, name, deadly(getattr(os, name)))
sys.argv = ["migrate", *sys.argv[2:]]

from migrate.cli import main  # noqa: E402

main()
