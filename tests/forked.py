"""`migrate` in a process of its own that need not import anything: a fork of one that has.

A third of what the tests would take is Python importing the same modules again and again.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

_context: Any = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")


@cache
def _start() -> None:
    """Have the process that is forked import everything (it knows no path but that of Python)."""
    if os.name == "posix":
        here = str(Path(__file__).parent)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", here)
            forkserver.set_forkserver_preload(["preloaded"])
            forkserver.ensure_running()


def run_forked(
    words: list[str], cwd: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run of `python -m migrate WORDS` gives it."""
    _start()
    with tempfile.TemporaryDirectory(prefix="migrate-said-") as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _context.Process(
            target=_command, args=(words, str(cwd), environment, str(out), str(err))
        )
        process.start()
        process.join()
        said = [path.read_bytes().decode().replace("\r\n", "\n") for path in (out, err)]
        return subprocess.CompletedProcess(words, process.exitcode or 0, *said)


def _command(words: list[str], cwd: str, environment: dict[str, str], out: str, err: str) -> None:
    for path, descriptor in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(cwd)
    sys.argv = ["migrate", *words]
    from migrate.cli import main

    main()
