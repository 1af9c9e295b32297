"""Room: what a crawl and its workers tell each other.

In a place of its own, so that the crawl begins before it has loaded what only workers need.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from msgspec import Struct

from migrate.estate import Part
from migrate.loops import Numbers
from migrate.sources import Page

if TYPE_CHECKING:
    from migrate.visitor import Visitor


class Slice(NamedTuple):
    """Some of the children of a folder, by their names: however often it is listed and in whatever
    order, each child is in one slice."""

    number: int
    of: int

    def cut(self, page: Page) -> Page:
        """What a page has of this slice."""
        number, of, raw = self.number, self.of, os.fsencode
        return page._replace(
            children=[child for child in page.children if crc32(child.name) % of == number],
            names=[name for name in page.names if crc32(raw(name)) % of == number],
            folders=[name for name in page.folders if crc32(raw(name)) % of == number],
        )


class FolderTask(NamedTuple):
    """A folder to list. `above`: the numbers of the folders it lies in, where they are known; a
    folder that is one of those above it is a link that the server did not show. `slice`: not all of
    its children."""

    path: bytes
    depth: int
    above: Numbers | None = None
    slice: Slice | None = None


class Sliced(Struct):
    """What one slice of a folder came to: how many children it has, what kept it from being listed
    to its end, and the parts with its rows, none of which count before all slices are there."""

    task: FolderTask
    children: int = 0
    error: str | None = None
    parts: list[Part] = []


class Step(Struct):
    """What one task did: counts for the progress, folders it did not get to, parts it wrote;
    `is_waiting`: it often had to wait for the disk. `large`: folders that are for all workers."""

    files: int = 0
    size_bytes: int = 0
    failed: int = 0
    at: str = ""
    is_waiting: bool = False
    left: list[FolderTask] = []
    large: list[FolderTask] = []
    parts: list[Part] = []
    sliced: Sliced | None = None


def new_visitor(*told: Any) -> Visitor:
    """A worker of the crawl, which is told all that Visitor takes."""
    from migrate.visitor import Visitor

    return Visitor(*told)
