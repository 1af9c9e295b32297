"""Time and memory of each stage over an inventory: python tests/bench/scale.py ENTRIES [FOLDER]

The inventory has rows as a crawl and an identification leave them, and no files behind them, so
that what is measured is everything from dedupe on. Every listed row of the workbooks is decided on
and all of them are imported in one command (as a dry run); before the manifest, nine files in ten
are decided on. Prints a table: stage, seconds, processor seconds, peak memory of the process beside
what it may be, and says what is above that.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

STAGES = {
    "identify again": ["identify"],
    "dedupe": ["dedupe"],
    "flag": ["flag", "--as-of", "2026-10-01"],
    "flag, done before": ["flag", "--as-of", "2026-10-01"],
    "review export": ["review", "export"],
    "review import": ["review", "import", "--dry-run", "--reviewer", "Reviewer"],
    "manifest": ["manifest"],
    "report": ["report"],
}
# What the whole pipeline may need, in MB, by how many entries it is given.
MOST_MB = {1_000_000: 350, 10_000_000: 1500}


@dataclass(frozen=True)
class Took:
    """What a command cost; `failed` holds its last words if it did not end well."""

    stage: str
    seconds: float
    cpu_seconds: float
    peak_mb: int
    failed: str = ""


def run(stage: str, words: list[str], estate: Path) -> Took:
    """One command, measured by itself: a process of its own waits for it."""
    command = [sys.executable, "-m", "migrate", *words, "-e", str(estate)]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    seconds = time.perf_counter() - began
    good = process.returncode in (0, 3)
    failed = "" if good else f"exit code {process.returncode}: {' '.join(last)}"
    return Took(stage, seconds, _cpu(usage), usage.ru_maxrss // 1024, failed)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def measure(entries: int, folder: Path) -> list[Took]:
    """Every stage over a new inventory of so many files."""
    estate = folder / f"scale {entries}"
    shutil.rmtree(estate, ignore_errors=True)
    # In a process of its own: what starts a process counts towards the memory of what it starts.
    script, decided = (
        str(Path(__file__).with_name(name)) for name in ("inventory.py", "decided.py")
    )
    subprocess.run([sys.executable, script, str(estate), str(entries)], check=True)
    took = []
    for stage, words in STAGES.items():
        if stage == "review import":
            books = estate / "out" / "decided"
            subprocess.run([sys.executable, decided, str(estate), str(books)], check=True)
            words = [*words, *map(str, sorted(books.glob("*.xlsx")))]
        if stage == "manifest":
            subprocess.run([sys.executable, script, str(estate), "decide"], check=True)
        took.append(run(stage, words, estate))
    shutil.rmtree(estate)
    return took


def show(entries: int, took: list[Took]) -> None:
    most = next((mb for count, mb in MOST_MB.items() if entries <= count), None)
    heading = f"{'':22}{'seconds':>9}{'cpu':>8}{'MB':>7}{'bar':>7}"
    print(f"\n{entries:,} files, every stage\n{heading}")
    for one in took:
        line = (
            f"{one.stage:22}{one.seconds:9.1f}{one.cpu_seconds:8.1f}{one.peak_mb:7}{most or '':>7}"
        )
        above = "above the bar" if most and one.peak_mb > most else ""
        print(f"{line}  {one.failed or above}".rstrip())


def main(entries: int, folder: Path) -> None:
    show(entries, measure(entries, folder))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:
        main(count, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory(prefix="migrate-scale-") as place:
            main(count, Path(place))
