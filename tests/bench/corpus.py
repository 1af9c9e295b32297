"""Corpora to find duplicates in: python tests/bench/corpus.py WHICH FOLDER SIZE

WHICH and what SIZE counts:
  small   files; a third are copies, some of the copies differ in one byte, a few are hard links
  large   megabytes, in files of 1 to 64 MB; twins, some differ in the last byte or in the middle
  odd     files; a deep tree, sparse files, and files of one size that differ in the last byte
  wide    files, all in one folder
The same every time.
"""

from __future__ import annotations

import io
import os
import random
import sys
import zipfile
from pathlib import Path

LONGEST_SMALL = 3_000_000
DEEPEST = 120


def small(root: Path, count: int) -> None:
    """COUNT files in folders of four or five, most of them short and a few long, as people's
    folders are: half below 3 KB, 12 KB on average."""
    chance = random.Random(7)
    kinds = _kinds(chance.randbytes(LONGEST_SMALL))
    root.mkdir()
    folders = _folders(root, chance, max(1, count * 10 // 46))
    made: list[Path] = []
    for number in range(count):
        luck = chance.random() if made else 1.0
        original = chance.choice(made) if luck < 0.345 else None
        ending, begins, body = kinds[number * 7919 % len(kinds)]
        path = chance.choice(folders) / f"paper {number}{original.suffix if original else ending}"
        if original and luck < 0.005:
            os.link(original, path)
            continue
        if original:
            content = bytearray(original.read_bytes())
            if chance.random() < 0.07:
                content[-1 - chance.randrange(8)] ^= 1
        else:
            size = min(int(chance.lognormvariate(7.9, 1.75)), LONGEST_SMALL)
            content = bytearray(begins + b"%09d\n" % number + body[:size])
        path.write_bytes(content)
        made.append(path)


def _kinds(noise: bytes) -> list[tuple[str, bytes, bytes]]:
    """What office drives hold, by number: ending, how such a file begins, and how it goes on."""
    document = io.BytesIO()
    with zipfile.ZipFile(document, "w") as archive:
        for name in ("[Content_Types].xml", "_rels/.rels", "word/document.xml"):
            archive.writestr(zipfile.ZipInfo(name), "<x/>")
    prose = b"The minutes of the meeting were agreed.\n" * (LONGEST_SMALL // 40)
    table = b"1,agreed,2009-03-03\n" * (LONGEST_SMALL // 20)
    many = {
        (".docx", document.getvalue().partition(b"PK\1\2")[0], noise): 30,
        (".pdf", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", noise): 20,
        (".jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", noise): 13,
        (".txt", b"", prose): 8, (".log", b"", prose): 4, (".csv", b"0,is,", table): 4,
        (".htm", b"<html><head><title>Minutes</title></head><body>\n", prose): 8,
        (".xml", b"<?xml version='1.0'?>\n<minutes>\n", prose): 3,
        (".png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1", noise): 6,
        (".dat", b"", noise): 4,
    }  # fmt: skip
    return [kind for kind, count in many.items() for _ in range(count)]


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
