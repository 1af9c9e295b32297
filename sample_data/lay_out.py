"""Lay the sample share out on disk: `python sample_data/lay_out.py DEST`.

git keeps neither modification times nor empty folders. This copies `share/` to DEST, makes
the empty folders and sets every time as `times.csv` has it. It needs only Python itself.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent

# A virus scanner went through the share on 2026-09-20: its access times say nothing.
LAST_OPENED_NS = 1_789_862_400_000_000_000


def read_times(path: Path) -> list[tuple[str, str, int]]:
    """Return the rows of times.csv as path, kind and nanoseconds since 1970."""
    with path.open(encoding="utf-8", newline="") as source:
        return [
            (row["path"], row["kind"], nanoseconds(row["modified"]))
            for row in csv.DictReader(source)
        ]


def nanoseconds(text: str) -> int:
    """Return a UTC time written in ISO 8601 as nanoseconds since 1970."""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * 1_000_000_000


def lay_out(dest: Path) -> tuple[int, int]:
    """Copy the share to `dest` with its times; return how many files and folders it holds."""
    rows = read_times(HERE / "times.csv")
    files = [(path, when) for path, kind, when in rows if kind == "file"]
    folders = [(path, when) for path, kind, when in rows if kind == "folder"]
    dest.mkdir(parents=True, exist_ok=True)
    for path, _ in folders:
        (dest / path).mkdir(parents=True, exist_ok=True)
    for path, when in files:
        shutil.copyfile(HERE / "share" / path, dest / path)
        os.utime(dest / path, ns=(LAST_OPENED_NS, when))
    deepest_first = sorted(folders, key=lambda row: row[0].count("/"), reverse=True)
    for path, when in deepest_first:
        os.utime(dest / path, ns=(LAST_OPENED_NS, when))
    return len(files), len(folders)


def main(arguments: list[str]) -> int:
    """Run the command; return 0 when done, 2 when it cannot begin, 1 when a copy failed."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print("usage: python lay_out.py DEST", file=sys.stderr)
        return 2
    dest = Path(arguments[0])
    if dest.exists() and not dest.is_dir():
        print(f"lay_out: {dest} is not a folder", file=sys.stderr)
        return 2
    if dest.is_dir() and any(dest.iterdir()):
        print(f"lay_out: {dest} is not empty; name a new or an empty folder", file=sys.stderr)
        return 2
    try:
        files, folders = lay_out(dest)
    except OSError as problem:
        print(f"lay_out: {problem}", file=sys.stderr)
        return 1
    print(f"laid out {files} files and {folders} folders in {dest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
