"""Room: where a share is. By itself: who opens folders need not load what reads settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from migrate.smb.address import is_address, parse_address

if TYPE_CHECKING:
    from migrate.config import Server


class Place(NamedTuple):
    """Where a share is: a folder of this machine, or a server's share and how it may be asked."""

    root: str
    server: Server | None = None
    rotating: bool = False  # on a disk whose head has to travel


def overlapping(places: dict[str, Place]) -> list[tuple[str, str]]:
    """Shares (by name) that lie in another one, each with that: what is in both is there twice."""
    steps = {name: _steps(place.root) for name, place in places.items()}
    return [
        (inner, outer)
        for inner, below in steps.items() for outer, above in steps.items()
        if inner != outer and below[: len(above)] == above
        and (below != above or inner > outer)  # of two that are the same the later name
    ]  # fmt: skip


def _steps(root: str) -> tuple[str, ...]:
    """What leads to a folder, name by name, from its server or the root of this machine."""
    if is_address(root):
        address = parse_address(root)
        names = [f"{address.host}:{address.port}", address.share, *address.folder.split("\\")]
        return tuple(name.casefold() for name in names if name)
    return Path(root).resolve().parts
