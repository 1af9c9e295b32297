"""Room: what a crawl and its workers tell each other.

In a place of its own, so that the crawl begins before it has loaded what only workers need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from migrate.estate import Part
from migrate.loops import Numbers

if TYPE_CHECKING:
    from migrate.visitor import Visitor


class FolderTask(NamedTuple):
    """A folder to list. `above`: the numbers of the folders it lies in, where they are known; a
    folder that is one of those above it is a link that the server did not show."""

    path: bytes
    depth: int
    above: Numbers | None = None


class Step(Struct):
    """What one task did: counts for the progress, folders it did not get to, parts it wrote;
    `is_waiting`: it often had to wait for the disk."""

    files: int = 0
    size_bytes: int = 0
    failed: int = 0
    at: str = ""
    is_waiting: bool = False
    left: list[FolderTask] = []
    parts: list[Part] = []


def new_visitor(*told: Any) -> Visitor:
    """A worker of the crawl, which is told all that Visitor takes."""
    from migrate.visitor import Visitor

    return Visitor(*told)
