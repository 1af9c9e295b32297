"""Speed and memory, beside peers in the same run: python tests/bench/run.py [--help]

Prints a table for each race and keeps all figures as JSON. Peers that are not installed are left
out, and named. Trust the ratios, not the seconds, and those on a quiet machine only. The defaults
take some minutes; the sizes that the project is measured by: --files 200000 --megabytes 6600
--wide 500000.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import documents
import scale
import smb
from race import Contestant, Races, can_drop_caches, fixed

HERE = Path(__file__).parent
MIGRATE = [sys.executable, "-m", "migrate"]
DUPLICATES = ["--until", "dedupe", "--no-puid"]


@dataclass
class Sizes:
    files: int
    megabytes: int
    wide: int


class Bench:
    """Where the corpora and estates are, and how large they are to be."""

    def __init__(self, races: Races, work: Path, sizes: Sizes) -> None:
        self.races, self.work, self.sizes = races, work, sizes
        # As pip does on installing; where Python is told to keep no bytecode, every run would
        # compile every module of ours again.
        compileall.compile_dir(HERE.parents[1] / "migrate", quiet=1)

    def corpus(self, which: str) -> Path:
        """A corpus, made once; kept for the next time where the folder is."""
        sizes = {"large": self.sizes.megabytes, "wide": self.sizes.wide}
        count, unit = sizes.get(which, self.sizes.files), "MB" if which == "large" else "files"
        root = self.work / f"{which}, {count:,} {unit}"
        if not root.exists():
            making = self.work / "making"
            shutil.rmtree(making, ignore_errors=True)
            # By a process of its own: a child's peak memory is at least its parent's.
            words = [sys.executable, str(HERE / "corpus.py"), which, str(making), str(count)]
            subprocess.run(words, check=True)
            making.rename(root)
        return root

    def estate(self, name: str, share: Path) -> Path:
        """A new, empty estate over a share."""
        estate = self.work / f"estate {name}"
        shutil.rmtree(estate, ignore_errors=True)
        quiet = {"stdout": subprocess.DEVNULL, "check": True}
        subprocess.run([*MIGRATE, "init", str(estate), "--share", f"s={share}"], **quiet)
        return estate

    def fresh(self, share: Path, *options: str) -> Contestant:
        """Ours, from nothing to duplicates, with the whole inventory committed."""

        def prepare() -> list[str]:
            estate = self.estate("fresh", share)
            return [*MIGRATE, "run", str(estate), *DUPLICATES, *options]

        return prepare

    def done(self, name: str, share: Path, *options: str) -> Path:
        """An estate that is crawled and deduped."""
        estate = self.estate(name, share)
        words = [*MIGRATE, "run", str(estate), *DUPLICATES, *options]
        subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return estate


def peers(share: Path) -> dict[str, Contestant]:
    """Tools that find duplicates and keep no inventory, where they are installed."""
    known = {
        "jdupes -Q": ["jdupes", "-Q", "-r", "-q"],
        "jdupes": ["jdupes", "-r", "-q"],
        "rdfind": ["rdfind", "-dryrun", "true", "-outputname", "/dev/null"],
        "fdupes": ["fdupes", "-r", "-q"],
        "rmlint": ["rmlint", "-T", "df", "-o", "fdupes:stdout"],
        "rmlint -a metro": ["rmlint", "-a", "metro", "-T", "df", "-o", "fdupes:stdout"],
        "fclones": ["fclones", "group", "--hidden", "--no-ignore"],
    }
    missing = sorted({words[0] for words in known.values() if not shutil.which(words[0])})
    if missing:
        print(f"\nNot installed, so not measured: {', '.join(missing)}")
    return {name: fixed(*words, share) for name, words in known.items() if shutil.which(words[0])}


def floor(share: Path) -> Contestant:
    """The least that reading every file can cost: find asks for each one's size, `cat` (C: open,
    read, close) reads it, as many at once as there are processors."""
    script = 'find "$1" -type f -size -1000000G -print0 | xargs -0 -n 1000 -P "$2" cat >/dev/null'
    return fixed("sh", "-c", script, "sh", share, str(os.cpu_count()))


def duplicates(bench: Bench, which: str) -> None:
    share = bench.corpus(which)
    contestants = {
        "migrate run, whole inventory": bench.fresh(share, "--no-mime"),
        "migrate run, with MIME types": bench.fresh(share),
        "migrate duplicates, nothing written": fixed(*MIGRATE, "duplicates", share),
        "floor: find + cat": floor(share),
        **peers(share),
    }
    title = f"Duplicates, {share.name}; ours commits the whole inventory"
    bench.races.race(f"{title}, warm", contestants, warm_up=share)
    if which not in ("small", "large"):
        return
    if not can_drop_caches():
        print("\nNo cold run: dropping the caches takes root (and Linux)")
        return
    bench.races.race(f"{title}, cold", contestants, cold=True)


def rescan(bench: Bench) -> None:
    """A second crawl, beside a listing of everything that keeps nothing."""
    share = bench.corpus("small")
    changing = bench.work / "changing"
    shutil.rmtree(changing, ignore_errors=True)
    shutil.copytree(share, changing)
    paths = sorted(path for path in changing.rglob("*") if path.is_file())
    turn = iter(range(1_000_000))
    unchanged = bench.done("unchanged", share, "--no-mime")
    changed = bench.done("changed", changing, "--no-mime")

    def change() -> list[str]:
        number = next(turn)
        for path in paths[number % 100 :: 100]:
            path.write_bytes(b"%d" % number + path.read_bytes())
        return [*MIGRATE, "crawl", "-e", str(changed), "--rescan", "--no-mime"]

    everything = "%i %n %m %u %s %T@ %C@ %A@ %y %p\\n"
    contestants = {
        "find -printf": fixed("find", share, "-printf", everything),
        "migrate crawl --rescan, nothing changed": fixed(
            *MIGRATE, "crawl", "-e", unchanged, "--rescan", "--no-mime"
        ),
        "migrate crawl --rescan, 1% changed": change,
    }
    bench.races.race(f"Scanning again, {share.name}", contestants, warm_up=share)


def stages(bench: Bench) -> None:
    """The stages after dedupe, on an inventory without files."""
    counts = [10 * bench.sizes.files, 20 * bench.sizes.files]
    estates = {}
    for count in counts:
        estates[count] = bench.work / f"inventory {count}"
        shutil.rmtree(estates[count], ignore_errors=True)
        words = [sys.executable, str(HERE / "inventory.py"), str(estates[count]), str(count)]
        subprocess.run(words, check=True)
    copy = bench.work / "inventory copy"

    def flag(count: int) -> Contestant:
        def prepare() -> list[str]:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(estates[count], copy)
            return [*MIGRATE, "flag", "-e", str(copy), "--as-of", "2026-10-01"]

        return prepare

    bench.races.race(
        "All rules over an inventory", {f"flag {count:,} entries": flag(count) for count in counts}
    )
    small = bench.done("stages", bench.corpus("small"))
    bench.races.race(
        f"Other stages, {bench.corpus('small').name}",
        {
            verb: fixed(*MIGRATE, *verb.split(), "-e", small)
            for verb in ("flag", "review export", "manifest", "report", "status")
        },
    )


def every_stage(bench: Bench) -> None:
    """Time and memory of each stage as an estate grows; for 200,000 files over a million."""
    for count in (bench.sizes.files, 5 * bench.sizes.files):
        took = scale.measure(count, bench.work)
        scale.show(count, took)
        bench.races.keep(f"{count:,} files, every stage", [one.__dict__ for one in took])


def workbooks(bench: Bench) -> None:
    books = bench.work / "workbooks"
    books.mkdir(exist_ok=True)
    script = [sys.executable, HERE / "workbooks.py"]
    for title, names in (
        ("Review workbooks written: 50,000 rows", ("openpyxl", "ours")),
        ("One of them read", ("read-openpyxl", "read-ours")),
    ):
        contestants = {name: fixed(*script, name, "50000", books) for name in names}
        bench.races.race(title, contestants, rounds=3)


def start_up(bench: Bench) -> None:
    empty = bench.work / "empty"
    empty.mkdir(exist_ok=True)
    contestants = {
        "python -c pass": fixed(sys.executable, "-c", "pass"),
        "migrate --help": fixed(*MIGRATE, "--help"),
        "migrate status": fixed(*MIGRATE, "status", "-e", bench.estate("empty", empty)),
        "migrate run --until dedupe, no files": bench.fresh(empty, "--no-mime"),
    }
    bench.races.race("Start-up", contestants)


SECTIONS: dict[str, Callable[[Bench], None]] = {
    "small": lambda bench: duplicates(bench, "small"),
    "large": lambda bench: duplicates(bench, "large"),
    "odd": lambda bench: duplicates(bench, "odd"),
    "wide": lambda bench: duplicates(bench, "wide"),
    "rescan": rescan,
    "formats": lambda bench: documents.race(
        bench.races, bench.work, bench.sizes.files, bench.corpus("small")
    ),
    "stages": stages,
    "scale": every_stage,
    "workbooks": workbooks,
    "smb": lambda bench: smb.race_servers(bench.races, bench.sizes.files),
    "start-up": start_up,
}  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--files", type=int, default=20_000, help="small files [20000]")
    words.add_argument("--megabytes", type=int, help="of large files [files / 25]")
    words.add_argument("--wide", type=int, help="files in one folder [files]")
    words.add_argument("--rounds", type=int, default=5, help="turns of each contestant [5]")
    words.add_argument("--only", nargs="+", choices=SECTIONS, default=[*SECTIONS], metavar="RACE",
                       help=", ".join(SECTIONS))  # fmt: skip
    words.add_argument("--work", type=Path, help="a folder to keep the corpora in")
    words.add_argument("--json", type=Path, default=Path("bench.json"), help="[bench.json]")
    given = words.parse_args()
    megabytes, wide = given.megabytes or given.files // 25, given.wide or given.files
    sizes = Sizes(given.files, megabytes, wide)
    races = Races(given.rounds)
    print(
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    )
    with tempfile.TemporaryDirectory(prefix="migrate-bench-") as folder:
        work = given.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        try:
            for section in given.only:
                SECTIONS[section](Bench(races, work, sizes))
        finally:  # also what was measured before an interruption
            races.save(given.json, sizes=sizes.__dict__)


if __name__ == "__main__":
    main()
