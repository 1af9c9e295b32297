"""Speed and memory, beside peers in the same run: python tests/bench/run.py [FILES] [FOLDER]

Prints seconds, the ratio to the first line of its block, and the peak memory of any process.
Contestants take turns (A B A B …); the median counts. Peers that are not installed are left out.
Trust the ratios, not the seconds.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import inventory
from corpus import make

ROUNDS = 3
MIGRATE = [sys.executable, "-m", "migrate"]


def timed(command: list[str]) -> tuple[float, int]:
    """Seconds and peak memory in MB of a command and its children."""
    code = (
        "import resource,subprocess,sys\n"
        "code=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)"
        ".returncode\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
        "sys.exit(code if code not in (0,3) else 0)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stderr}")
    return seconds, int(done.stdout) // 1024


def race(title: str, contestants: dict[str, Callable[[], tuple[float, int]]]) -> None:
    """Run contestants in turns and print their medians; the first is what ratios refer to."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    memory = dict.fromkeys(contestants, 0)
    for _ in range(ROUNDS):
        for name, contestant in contestants.items():
            took, peak = contestant()
            seconds[name].append(took)
            memory[name] = max(memory[name], peak)
    base = statistics.median(next(iter(seconds.values())))
    print(f"\n{title}\n{'':44}{'seconds':>9}{'ratio':>7}{'MB':>7}")
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f"{name:44}{middle:9.2f}{middle / base:7.2f}{memory[name]:7}")


def stage(estate: Path, *words: str) -> Callable[[], tuple[float, int]]:
    return lambda: timed([*MIGRATE, *words, "-e", str(estate)])


def fresh_crawl(work: Path, share: Path, *options: str) -> tuple[float, int]:
    """A new estate, crawled and deduped."""
    estate = work / "fresh"
    shutil.rmtree(estate, ignore_errors=True)
    timed([*MIGRATE, "init", str(estate), "--share", f"s={share}"])
    crawl = timed([*MIGRATE, "crawl", "-e", str(estate), *options])
    dedupe = timed([*MIGRATE, "dedupe", "-e", str(estate)])
    return crawl[0] + dedupe[0], max(crawl[1], dedupe[1])


def fresh_flag(work: Path, entries: int) -> tuple[float, int]:
    """All rules over an inventory that nobody has flagged yet."""
    estate = work / f"inventory {entries}"
    shutil.rmtree(estate, ignore_errors=True)
    inventory.make(estate, entries)
    return timed([*MIGRATE, "flag", "-e", str(estate), "--as-of", "2026-10-01"])


def main(files: int, work: Path) -> None:
    share = work / "share"
    if not share.exists():
        make(share, files, 500)
    print(f"{files:,} small files, {os.cpu_count()} processors, Python {sys.version.split()[0]}")
    contestants = {
        "crawl --no-mime + dedupe": lambda: fresh_crawl(work, share, "--no-mime"),
        "crawl (MIME types) + dedupe": lambda: fresh_crawl(work, share),
    }
    peers = {
        "jdupes": ["-Q", "-r", "-q"],
        "rdfind": ["-dryrun", "true", "-makeresultsfile", "false"],
        "fdupes": ["-r", "-q"],
    }
    for name, options in peers.items():
        if program := shutil.which(name):
            words = [program, *options, str(share)]
            contestants[" ".join([name, *options])] = lambda words=words: timed(words)
    race(
        "Duplicates: with the whole inventory committed, beside finders that keep none", contestants
    )
    fresh_crawl(work, share)
    estate = work / "fresh"
    race(
        "Other stages",
        {
            "find -printf (for comparison)": lambda: timed(
                ["find", str(share), "-printf", "%s %p\n"]
            ),
            "flag": stage(estate, "flag"),
            "review export": stage(estate, "review", "export"),
            "manifest": stage(estate, "manifest"),
            "report": stage(estate, "report"),
        },
    )
    books = work / "workbooks"
    books.mkdir(exist_ok=True)
    script = [sys.executable, str(Path(__file__).with_name("workbooks.py"))]
    for title, names in (
        ("Review workbooks written: 50,000 rows", ("openpyxl", "ours")),
        ("One of them read", ("read-openpyxl", "read-ours")),
    ):
        race(
            title,
            {name: lambda name=name: timed([*script, name, "50000", str(books)]) for name in names},
        )
    race(
        "All rules over an inventory",
        {
            f"flag {entries:,} entries": lambda entries=entries: fresh_flag(work, entries)
            for entries in (10 * files, 20 * files)
        },
    )
    race("Start-up", {"python -c pass": lambda: timed([sys.executable, "-c", "pass"]),
                      "migrate --help": lambda: timed([*MIGRATE, "--help"])})  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"\nPeak memory of any process: {peak} MB")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    if len(sys.argv) > 2:
        main(count, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory(prefix="migrate-bench-") as folder:
            main(count, Path(folder))
