"""Corpora to find duplicates in: python tests/bench/corpus.py WHICH FOLDER SIZE

WHICH and what SIZE counts:
  small   files; a third are copies, some of the copies differ in one byte, some are hard links
  large   megabytes, in files of 1 to 64 MB; twins, some differ in the last byte or in the middle
  odd     files; a deep tree, sparse files, and files of one size that differ in the last byte
  wide    files, all in one folder
The same every time.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

FILES_PER_FOLDER = 50
EXTENSIONS = ("txt", "doc", "csv", "htm", "log")
DEEPEST = 120


def small(root: Path, count: int, mean_bytes: int = 2000) -> None:
    """COUNT files below a new folder."""
    chance = random.Random(7)
    before = root
    for start in range(0, count, FILES_PER_FOLDER):
        number = start // FILES_PER_FOLDER
        folder = root / f"unit {number % 40}" / f"year {number // 40 % 30}" / f"case {number}"
        folder.mkdir(parents=True, exist_ok=True)
        for file in range(start, min(start + FILES_PER_FOLDER, count)):
            path = folder / f"paper {file}.{EXTENSIONS[file % 5]}"
            if file % 200 == 199:
                os.link(before, path)
                continue
            original = file if chance.random() > 0.33 else chance.randrange(0, file + 1)
            size = 1 + original * 7919 % (2 * mean_bytes)
            content = bytearray((f"{original:09}\n".encode() * (size // 10 + 1))[:size])
            content += b"%d" % original
            if original != file and chance.random() < 0.08:
                content[chance.randrange(len(content))] ^= 1
            path.write_bytes(content)
            before = path


def large(root: Path, megabytes: int) -> None:
    """Files that are only worth reading whole where head and tail are equal."""
    chance = random.Random(8)
    root.mkdir(parents=True)
    made, number = 0, 0
    while made < megabytes:
        size = chance.choice([1, 2, 4, 8, 16, 32, 64])
        content = bytearray(chance.randbytes(1 << 20)) * size
        twins = chance.choice(["", "copy", "copy", "last", "middle"])
        for twin in ("", twins) if twins else ("",):
            if twin == "last":
                content[-1] ^= 1
            if twin == "middle":
                content[len(content) // 2] ^= 1
            (root / f"video {number} {twin}.bin").write_bytes(content)
            made += size
        number += 1


def odd(root: Path, count: int) -> None:
    """What walks, reads and compares wrongly, or slowly, if written without thinking of it."""
    folder = root / "deep"
    for depth in range(DEEPEST):
        folder /= f"folder {depth}"
        folder.mkdir(parents=True)
        (folder / "the same everywhere.txt").write_text("the same everywhere")
        (folder / f"only at {depth}.txt").write_text(f"only at {depth}")
    sparse = root / "sparse"
    sparse.mkdir()
    for number in range(6):
        with (sparse / f"disk {number}.img").open("wb") as file:
            file.truncate(256 << 20)
            file.seek(128 << 20)
            file.write(b"%d" % (number % 2))
    same = root / "same size"
    same.mkdir()
    for number in range(count):
        (same / f"{number}.dat").write_bytes(bytes(30_000) + b"%07d" % (number - number % 3))


def wide(root: Path, count: int) -> None:
    root.mkdir(parents=True)
    for number in range(count):
        (root / f"scan {number:07}.txt").write_bytes(b"%d" % (number - number % 4))


CORPORA = {"small": small, "large": large, "odd": odd, "wide": wide}


if __name__ == "__main__":
    CORPORA[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
