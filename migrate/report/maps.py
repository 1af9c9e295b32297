"""Room: the map of the shares, which can be opened: all shares, a share, a folder.

In: the rows of area.py. Out: maps of rectangles, each as large as its bytes and divided in three
ways: by proposal, by age, by the risk of the format. A rectangle leads to the map of what is in it;
the page shows the map that its address names, so that neither a script nor the network is needed.
Never: markup.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from migrate.report.area import by_size
from migrate.report.pictures import KIND_WORDS, WIDTH, Box, divided, occurring
from migrate.report.sections import AGES, PROPOSALS, RISKS, Figure
from migrate.report.tables import percent_text
from migrate.wording import size_text

HEIGHT = 440.0
HEAD = 20.0  # of a folder's tile, for its name
LETTER = 7.4  # the width of a letter of a label
MOST = 24  # folders on the map of all shares
WHOLE = "map"
COLOURS = {
    "proposal": ("what is proposed", PROPOSALS), "age": ("years since the last change", list(AGES)),
    "risk": ("risk that the format is lost", list(RISKS)),
}  # fmt: skip


class Tile(Struct, frozen=True):
    """One folder: its frame, its parts for each way to colour it, what stands on it, all of it in
    words, and which map it opens (or none)."""

    frame: Box
    parts: dict[str, list[Box]]
    label: str
    told: str
    opens: str


class Map(Struct, frozen=True):
    """A map, the names above it with their maps, its tiles, and the kinds that occur for each way
    to colour it. `inner`: maps that can be opened from its head line (the shares)."""

    anchor: str
    title: str
    above: list[tuple[str, str]]
    tiles: list[Tile]
    kinds: dict[str, list[str]]
    inner: list[tuple[str, str]]


def maps(rows: list[Figure]) -> list[Map]:
    """Every map; the one of all shares is the last, as the page shows it when no other is named."""
    inside: dict[str, list[Figure]] = {}
    for row in rows:
        inside.setdefault(row["above"], []).append(row)
    shares = [name for name in inside if "/" not in name]
    one = shares[0] if len(shares) == 1 else ""  # then its map is the map of all shares
    names = [name for name in inside if name != one and any(row["folder"] for row in inside[name])]
    opens = {one: WHOLE} | {name: f"{WHOLE}-{number}" for number, name in enumerate(names, 1)}
    inner = [(share, opens[share]) for share in shares if share in opens and share != one]
    whole = Map(WHOLE, one or "All shares", [], [], {}, inner)
    found = []
    for name in names:
        above = [(whole.title, WHOLE), *(pair for pair in inner if name.startswith(f"{pair[0]}/"))]
        found.append(_drawn(Map(opens[name], name, above, [], {}, []), inside[name], opens))
    return [*found, _drawn(whole, whole_rows(rows), opens)]


def whole_rows(rows: list[Figure]) -> list[Figure]:
    """The largest folders of all shares, largest first; the rest of each share in one row."""
    folders = [row for row in rows if "/" not in row["above"]]
    named = by_size([row for row in folders if row["folder"]])
    rest: dict[str, Figure] = {}
    for row in [*named[MOST:], *(row for row in folders if not row["folder"])]:
        sum_of = rest.setdefault(
            row["above"], {**row, "folder": None} | dict.fromkeys(_sums(row), 0)
        )
        for name in _sums(row):
            sum_of[name] += row[name]
    return by_size([*named[:MOST], *rest.values()])


def _sums(row: Figure) -> list[str]:
    return [name for name, value in row.items() if isinstance(value, int)]


def folder_name(row: Figure) -> str:
    return str(row["folder"] or f"{row['above']}: smaller folders and files")


def _drawn(shown: Map, rows: list[Figure], opens: dict[str, str]) -> Map:
    """A map with its tiles: what belongs together (a share) beside each other."""
    groups: dict[str, list[Figure]] = {}
    for row in rows:
        groups.setdefault(row["above"], []).append(row)
    tiles = [
        _tile(row, frame, opens.get(row["folder"] or row["above"], ""), shown.anchor)
        for group, box in divided(list(groups.values()), _size_of, Box(0, 0, WIDTH, HEIGHT))
        for row, frame in divided(group, lambda row: row["size_bytes"], box)
    ]
    kinds = {name: occurring(rows, which) for name, (_, which) in COLOURS.items()}
    return replace(shown, tiles=tiles, kinds=kinds)


def _size_of(group: list[Figure]) -> int:
    return sum(row["size_bytes"] for row in group)


def _tile(row: Figure, frame: Box, opens: str, here: str) -> Tile:
    head = HEAD if frame.height > 2.5 * HEAD and frame.width > 5 * LETTER else 0.0
    inner = Box(frame.x, frame.y + head, frame.width, frame.height - head)
    parts = {
        name: [
            replace(box, kind=kind)
            for kind, box in divided(occurring([row], kinds), lambda kind: row[kind], inner)
        ]
        for name, (_, kinds) in COLOURS.items()
    }
    label = _label(folder_name(row), frame.width) if head else ""
    return Tile(frame, parts, label, _told(row), "" if opens == here else opens)


def _label(name: str, width: float) -> str:
    letters = int((width - 8) / LETTER)
    short = name if len(name) <= letters else name.rpartition("/")[2]
    return short if len(short) <= letters else short[: letters - 1] + "…"


def _told(row: Figure) -> str:
    told = [f"{folder_name(row)}: {size_text(row['size_bytes'])}"]
    for what, kinds in COLOURS.values():
        found = occurring([row], kinds)
        shares = (f"{KIND_WORDS[k]} {percent_text(row[k], row['size_bytes'])}" for k in found)
        told.append(f"{what}: {', '.join(shares)}")
    return "; ".join(told)
