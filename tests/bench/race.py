"""Contestants take turns (A B C A B C …), because a busy machine would favour one of two blocks.

In: commands. Out: a table for people, and all of it in one JSON file. Processor time and memory are
the kernel's own figures for the process and all it waited for (wait4): `MB` is the peak of the
largest single process, not of all together, and never less than this one's own.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

DROP_CACHES = Path("/proc/sys/vm/drop_caches")


class Taken(NamedTuple):
    seconds: float
    cpu_seconds: float
    peak_mb: int


# Prepares what must be new for each turn (not timed) and gives the command to time.
Contestant = Callable[[], list[str]]


def fixed(*command: str | Path) -> Contestant:
    """A contestant that has nothing to prepare."""
    words = [str(word) for word in command]
    return lambda: words


def timed(command: list[str]) -> Taken:
    """Run a command to its end. Exit codes above zero that only report something are fine: 3 (ours:
    some items failed)."""
    with open(os.devnull, "r+b") as nothing, open(os.devnull, "wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=nothing, stdout=out, stderr=subprocess.PIPE)
        assert process.stderr
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with {process.returncode}\n{said.decode()}")
    return Taken(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)


def can_drop_caches() -> bool:
    return os.access(DROP_CACHES, os.W_OK)


def drop_caches() -> None:
    """Have everything read from the disk anew (a virtual machine's host may still have it)."""
    os.sync()
    DROP_CACHES.write_text("3")


def read_all(tree: Path) -> None:
    """Have the names and the contents of a tree in memory."""
    timed(["sh", "-c", 'find "$1" -type f -exec cat {} + >/dev/null', "sh", str(tree)])


class Races:
    """All races of one benchmark."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.results: list[dict[str, object]] = []

    def race(
        self, title: str, contestants: dict[str, Contestant], *, cold: bool = False,
        warm_up: Path | None = None, counted: tuple[str, int] | None = None, rounds: int = 0,
    ) -> None:  # fmt: skip
        """Run the contestants in turns and print their medians; ratios refer to the first.

        `cold`: nothing is in memory when a turn begins; `warm_up`: a tree that is read before each,
        for some machines give memory back that lay idle while the others had their turns; `counted`: what is done in a turn (unit, how many), to print a rate."""
        taken: dict[str, list[Taken]] = {name: [] for name in contestants}
        for _ in range(rounds or self.rounds):
            for name, prepare in contestants.items():
                command = prepare()
                if warm_up:
                    read_all(warm_up)
                if cold:
                    drop_caches()
                taken[name].append(timed(command))
        lines = [_line(name, runs, counted) for name, runs in taken.items()]
        for line in lines:
            line["ratio"] = round(line["seconds"] / lines[0]["seconds"], 2)
        self.keep(title, lines, cold=cold)
        _show(title, lines, counted)

    def keep(self, title: str, lines: list[dict[str, object]], **about: object) -> None:
        """Have figures in the JSON file too."""
        self.results.append({"title": title, **about, "contestants": lines})

    def save(self, path: Path, **about: object) -> None:
        machine = {
            "processors": os.cpu_count(), "python": platform.python_version(),
            "system": platform.platform(), "load": os.getloadavg()[0],
        }  # fmt: skip
        whole = {"machine": machine, **about, "rounds": self.rounds, "races": self.results}
        path.write_text(json.dumps(whole, indent=1))
        print(f"\nAll figures, each turn: {path}")


def _line(name: str, runs: list[Taken], counted: tuple[str, int] | None) -> dict[str, object]:
    seconds = statistics.median(run.seconds for run in runs)
    line: dict[str, object] = {
        "name": name,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(statistics.median(run.cpu_seconds for run in runs), 3),
        "peak_mb": max(run.peak_mb for run in runs),
        "turns": [round(run.seconds, 3) for run in runs],
    }
    if counted:
        line["unit"], line["per_second"] = counted[0], round(counted[1] / seconds)
    return line


def _show(title: str, lines: list[dict[str, object]], counted: tuple[str, int] | None) -> None:
    rate = f"{counted[0] + '/s':>11}" if counted else ""
    print(f"\n{title}\n{'':46}{'seconds':>9}{'ratio':>7}{'CPU s':>8}{'MB':>7}{rate}")
    for line in lines:
        words = "{name:46}{seconds:9.2f}{ratio:7.2f}{cpu_seconds:8.2f}{peak_mb:7}".format(**line)
        print(words + (f"{line['per_second']:11,}" if counted else ""), flush=True)
