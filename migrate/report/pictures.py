"""Room: where things stand in the report's pictures. The template draws them, as SVG in the page.

In: plain rows. Out: rectangles and labels. Every kind of thing has a colour and a pattern of its
own, so that neither says anything alone; every picture is said again by a table below it.
Never: markup; a script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import squarify
from msgspec import Struct

from migrate.report.sections import AGES, PROPOSALS, RISKS, Figure
from migrate.wording import size_text

WIDTH = 960.0
BAR_HEIGHT, BAR_STEP, BAR_LEFT, BAR_RIGHT = 20.0, 32.0, 190.0, 90.0


class Box(Struct, frozen=True):
    """A rectangle; `kind` is a proposal, or nothing for a frame."""

    x: float
    y: float
    width: float
    height: float
    kind: str = ""


class Bar(Struct, frozen=True):
    """One line of stacked bars."""

    label: str
    y: float
    parts: list[Box]
    figure: str


class Picture(Struct, frozen=True):
    """A stack of bars; `told` is what somebody hears who does not see it."""

    title: str
    told: str
    height: float
    bars: list[Bar]
    kinds: list[str]  # proposals that occur, for the legend


def divided(things: list[Any], weight: Callable[[Any], float], box: Box) -> list[tuple[Any, Box]]:
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


KIND_WORDS = {
    "migrate": "move", "review": "a person decides", "dispose": "dispose", "hold": "on hold",
    "unreadable": "not readable", "not_a_file": "links",
    **{name: f"{words} years" for name, words in AGES.items()}, "from_20": "20 years or more",
    "no_age": "no date, or a later one",
    **{name: f"{words} risk" for name, words in RISKS.items()}, "risk_unknown": "risk not known",
}  # fmt: skip


def occurring(rows: list[Figure], kinds: Iterable[str] = PROPOSALS) -> list[str]:
    return [name for name in kinds if any(row[name] for row in rows)]


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
    return Picture(title, f"{told}.", len(rows) * BAR_STEP, bars, occurring(rows))
