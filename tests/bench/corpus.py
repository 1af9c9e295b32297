"""Corpora to find duplicates in: python tests/bench/corpus.py WHICH FOLDER SIZE

WHICH and what SIZE counts:
  small   files; a third are copies, some of the copies differ in one byte, a few are hard links
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

LONGEST_SMALL = 3_000_000
EXTENSIONS = ("txt", "doc", "csv", "htm", "log")
DEEPEST = 120


def small(root: Path, count: int) -> None:
    """COUNT files in folders of four or five, most of them short and a few long, as people's
    folders are: half below 3 KB, 12 KB on average."""
    chance = random.Random(7)
    source = chance.randbytes(LONGEST_SMALL)
    root.mkdir()
    folders = _folders(root, chance, max(1, count * 10 // 46))
    made: list[Path] = []
    for number in range(count):
        path = chance.choice(folders) / f"paper {number}.{EXTENSIONS[number % 5]}"
        luck = chance.random() if made else 1.0
        if luck < 0.005:
            os.link(chance.choice(made), path)
            continue
        if luck < 0.345:
            content = bytearray(chance.choice(made).read_bytes())
            if chance.random() < 0.07:
                content[chance.randrange(len(content))] ^= 1
        else:
            size = 10 + min(int(chance.lognormvariate(7.9, 1.75)), LONGEST_SMALL)
            content = bytearray(b"%09d\n" % number + source)[:size]
        path.write_bytes(content)
        made.append(path)


def _folders(root: Path, chance: random.Random, count: int) -> list[Path]:
    """New folders, most of them inside one that was made not long before."""
    made = [root]
    for number in range(count):
        above = chance.choice(made[-400:])
        if len(above.relative_to(root).parts) > 12:
            above = made[chance.randrange(min(50, len(made)))]
        made.append(above / f"folder {number}")
        made[-1].mkdir()
    return made


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
