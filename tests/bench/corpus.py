"""Make a corpus of small files: python tests/bench/corpus.py FOLDER COUNT [BYTES]

A third of the files are copies of others; names, depths and sizes vary but are the same every time.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

FILES_PER_FOLDER = 50


def make(root: Path, count: int, mean_bytes: int = 2000) -> None:
    """COUNT files below a new folder."""
    chance = random.Random(7)
    for start in range(0, count, FILES_PER_FOLDER):
        number = start // FILES_PER_FOLDER
        folder = root / f"unit {number % 40}" / f"year {number // 40 % 30}" / f"case {number}"
        folder.mkdir(parents=True, exist_ok=True)
        for file in range(start, min(start + FILES_PER_FOLDER, count)):
            original = file if chance.random() > 0.33 else chance.randrange(0, file + 1)
            size = 1 + original * 7919 % (2 * mean_bytes)
            ext = ("txt", "doc", "csv", "htm", "log")[file % 5]
            content = f"{original:09}\n".encode() * (size // 10 + 1)
            (folder / f"paper {file}.{ext}").write_bytes(content[:size] + b"%d" % original)


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]), *(int(n) for n in sys.argv[3:4]))
