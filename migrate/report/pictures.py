"""Room: where things stand in the report's pictures. The template draws them, as SVG in the page.

In: plain rows. Out: rectangles and labels. Every proposal has a colour and a pattern of its own, so
that neither says anything alone; every picture is said again by a table below it.
Never: markup; a script.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import squarify

from migrate.report.sections import PROPOSALS, Figure
from migrate.report.tables import percent_text
from migrate.wording import count_text, size_text

WIDTH, HEIGHT = 960.0, 440.0
HEAD = 20.0  # of a folder's tile, for its name
LETTER = 7.4  # the width of a letter of a label
BAR_HEIGHT, BAR_STEP, BAR_LEFT, BAR_RIGHT = 20.0, 32.0, 190.0, 90.0


@dataclass(frozen=True)
class Box:
    """A rectangle; `kind` is a proposal, or nothing for a frame."""

    x: float
    y: float
    width: float
    height: float
    kind: str = ""


@dataclass(frozen=True)
class Tile:
    """One folder of the map: its frame, its parts, what stands on it, and where its row is."""

    frame: Box
    parts: list[Box]
    label: str
    told: str  # all of it in words
    anchor: str


@dataclass(frozen=True)
class Bar:
    """One line of stacked bars."""

    label: str
    y: float
    parts: list[Box]
    figure: str


@dataclass(frozen=True)
class Picture:
    """A map or a stack of bars; `told` is what somebody hears who does not see it."""

    title: str
    told: str
    height: float
    tiles: list[Tile]
    bars: list[Bar]
    kinds: list[str]  # proposals that occur, for the legend


def area_map(rows: list[Figure]) -> Picture:
    """Shares, in them folders, in them proposals, each as large as its bytes."""
    shares: dict[str, list[tuple[int, Figure]]] = {}
    for number, row in enumerate(rows):
        shares.setdefault(row["share"], []).append((number, row))
    whole = Box(0, 0, WIDTH, HEIGHT)
    tiles: list[Tile] = []
    groups = sorted(shares.values(), key=lambda group: -sum(row["size_bytes"] for _, row in group))
    for group, box in _divided(groups, _bytes_of_group, whole):
        for (number, row), frame in _divided(group, lambda one: one[1]["size_bytes"], box):
            tiles.append(_tile(number, row, frame))
    largest = max(rows, key=lambda row: row["size_bytes"])
    told = f"{count_text(len(rows), 'folder')}; the largest is {folder_name(largest)}"
    return Picture("Where the bytes are, and what is proposed for them",
                   f"{told}, with {size_text(largest['size_bytes'])}.", HEIGHT, tiles, [],
                   _occurring(rows))  # fmt: skip


def _bytes_of_group(group: list[tuple[int, Figure]]) -> int:
    return sum(row["size_bytes"] for _, row in group)


def folder_name(row: Figure) -> str:
    return str(row["folder"] or f"{row['share']}: smaller folders")


def _divided(things: list[Any], weight: Callable[[Any], float], box: Box) -> list[tuple[Any, Box]]:
    """A box shared out by weight, largest first; what has no weight gets nothing."""
    ranked = sorted((thing for thing in things if weight(thing) > 0), key=lambda t: -weight(t))
    if not ranked or box.width <= 0 or box.height <= 0:
        return []
    sizes = squarify.normalize_sizes([weight(thing) for thing in ranked], box.width, box.height)
    places = squarify.squarify(sizes, box.x, box.y, box.width, box.height)
    return [
        (thing, Box(*(round(place[name], 1) for name in ("x", "y", "dx", "dy"))))
        for thing, place in zip(ranked, places, strict=True)
    ]


def _tile(number: int, row: Figure, frame: Box) -> Tile:
    head = HEAD if frame.height > 2.5 * HEAD and frame.width > 5 * LETTER else 0.0
    inner = Box(frame.x, frame.y + head, frame.width, frame.height - head)
    kinds = [name for name in PROPOSALS if row[name]]
    parts = [
        Box(box.x, box.y, box.width, box.height, kind)
        for kind, box in _divided(kinds, lambda kind: row[kind], inner)
    ]
    name = folder_name(row)
    letters = int((frame.width - 8) / LETTER)
    short = name if len(name) <= letters else name.rpartition("/")[2]
    short = short if len(short) <= letters else short[: letters - 1] + "…"
    shares = ", ".join(f"{KIND_WORDS[k]} {percent_text(row[k], row['size_bytes'])}" for k in kinds)
    told = f"{name}: {size_text(row['size_bytes'])}; {shares}"
    return Tile(frame, parts, short if head else "", told, f"area-row-{number}")


KIND_WORDS = {
    "migrate": "move", "review": "a person decides", "dispose": "dispose", "hold": "on hold",
    "unreadable": "not readable", "not_a_file": "links",
}  # fmt: skip


def _occurring(rows: list[Figure]) -> list[str]:
    return [name for name in PROPOSALS if any(row[name] for row in rows)]


def stacked(title: str, rows: list[Figure], key: str) -> Picture:
    """Bars as long as their bytes, each divided by proposal."""
    most = max((row["size_bytes"] for row in rows), default=0) or 1
    room = WIDTH - BAR_LEFT - BAR_RIGHT
    bars = []
    for number, row in enumerate(rows):
        y, x, parts = number * BAR_STEP, BAR_LEFT, []
        for kind in PROPOSALS:
            width = row[kind] / most * room
            if width:
                parts.append(Box(round(x, 1), y, round(width, 1), BAR_HEIGHT, kind))
            x += width
        bars.append(Bar(str(row[key]), y, parts, size_text(row["size_bytes"])))
    told = "; ".join(f"{bar.label}: {bar.figure}" for bar in bars)
    return Picture(title, f"{told}.", len(rows) * BAR_STEP, [], bars, _occurring(rows))
