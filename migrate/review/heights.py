"""Room: how high a row has to be for its texts: not every program works that out by itself.

In: texts, widths of columns in digits. Out: lines. Never: too few for the font of the workbook.
"""

from __future__ import annotations

POINTS_PER_LINE = 15.0


def roomy(width: int) -> int:
    """How many letters of a sentence fit beside each other where `width` digits do."""
    return width * 11 // 10


def lines_of(text: str, width: int) -> int:
    """How many lines a text takes in a column: broken at spaces, and within longer words."""
    if len(text) <= width and "\n" not in text:
        return 1
    lines, room = 0, 0
    for word in text.replace("\n", " ").split(" "):
        length = len(word)
        if length <= room:
            room -= length + 1
            continue
        more = max(1, -(-length // width))
        lines += more
        room = more * width - length - 1
    return lines
