"""Build the sample share of a small ministry department: `python sample_data/build.py`.

Rebuilds `share/` and `times.csv` beside this file, byte for byte the same every time: seeds
and dates are fixed, and what no library writes twice alike is kept in `fixtures.py`.

Needs python-pptx, openpyxl, reportlab and pillow (the optional extra `[samples]`). Another
release of one of them may write other bytes; nothing else depends on which release it is.

Everything is made up. People appear as roles only. National Insurance numbers begin with QQ,
which is never issued; prison numbers and PNC numbers have only the shape of real ones.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

import scenes_corporate
import scenes_leftovers
import scenes_operations
from share import Share

HERE = Path(__file__).resolve().parent
EMPTY_FOLDERS = (
    ("Courts/Fees/Old forms", "2001-06-12T14:00"),
    ("Finance/Invoices/2011-12", "2011-04-04T08:50"),
    ("Human Resources/Training/Videos", "2013-09-09T10:10"),
    ("Everyone/New folder", "2016-02-19T16:42"),
    ("Everyone/New folder/New folder (2)", "2016-02-19T16:43"),
)
LARGEST_BYTES = 2_500_000


def make_share() -> Share:
    """Return the share with every scene played in it."""
    share = Share()
    for scenes in (scenes_corporate, scenes_operations, scenes_leftovers):
        scenes.fill(share)
    return share


def check(share: Share) -> None:
    """Refuse names that git or a Windows or macOS checkout could not carry."""
    seen: dict[str, str] = {}
    for path in share.files:
        for part in PurePosixPath(path).parts:
            if part.endswith((" ", ".")) or set(part) & set('<>:"|?*\\'):
                raise ValueError(f"Windows cannot carry this name: {path}")
        if seen.setdefault(path.casefold(), path) != path:
            raise ValueError(f"two names differ only by case: {path}")
    total = sum(len(entry.data) for entry in share.files.values())
    if total > LARGEST_BYTES:
        raise ValueError(f"the share holds {total} bytes, more than {LARGEST_BYTES}")


def write_files(share: Share, root: Path) -> None:
    """Replace the tree at `root` with the files of the share."""
    if root.exists():
        shutil.rmtree(root)
    for path, entry in share.files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(entry.data)


def folder_times(share: Share) -> dict[str, datetime]:
    """Return each folder's time: a minute after the last change to anything in it."""
    times = {path: Share.moment(text) for path, text in EMPTY_FOLDERS}
    changes = {path: entry.when for path, entry in share.files.items()} | times
    for path, when in changes.items():
        for parent in PurePosixPath(path).parents:
            name = str(parent)
            if name != ".":
                latest = when + timedelta(minutes=1)
                times[name] = max(times.get(name, latest), latest)
    return times


def time_rows(share: Share) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of times.csv: path, kind and modification time, in order of path."""
    rows = [(path, "file", entry.when) for path, entry in share.files.items()]
    rows += [(path, "folder", when) for path, when in folder_times(share).items()]
    for path, kind, when in sorted(rows):
        yield path, kind, f"{when:%Y-%m-%dT%H:%M:%SZ}"


def main() -> None:
    """Write share/ and times.csv, and say what was written."""
    share = make_share()
    check(share)
    write_files(share, HERE / "share")
    with (HERE / "times.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("path", "kind", "modified"))
        writer.writerows(time_rows(share))
    total = sum(len(entry.data) for entry in share.files.values())
    print(f"{len(share.files)} files, {total} bytes")


if __name__ == "__main__":
    main()
