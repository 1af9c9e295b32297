"""Room: where a share is. By itself: who opens folders need not load what reads settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from migrate.config import Server


class Place(NamedTuple):
    """Where a share is: a folder of this machine, or a server's share and how it may be asked."""

    root: str
    server: Server | None = None
    rotating: bool = False  # on a disk whose head has to travel
