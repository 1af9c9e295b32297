"""Room: large folders, of which each worker takes some of the children.

In: folders that a worker has found to be large. Out: a task for every worker that is at work, and
once the last one is done, the parts that all of them wrote, to be committed together.
Never: children without their folder's listing, or a listing without all of its children.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from migrate.estate import Part, write_part
from migrate.model import entry_id
from migrate.rows import table_of
from migrate.tasks import FolderTask, Slice, Sliced


class Slices:
    """Those of one crawl: still to be handed out (`todo`), and done."""

    def __init__(self, estate: Path, share: str, scan_id: int) -> None:
        self.estate, self.share, self.scan_id = estate, share, scan_id
        self.todo: deque[list[FolderTask]] = deque()
        self._done: dict[bytes, list[Sliced]] = {}

    def cut(self, folders: Iterable[FolderTask], among: int) -> None:
        """Have each folder listed by so many workers."""
        for folder in folders:
            self.todo.extend([folder._replace(slice=Slice(n, among))] for n in range(among))

    def joined(self, one: Sliced) -> list[Part]:
        """The parts of a folder, if this was the last slice of it."""
        path, cut = one.task.path, one.task.slice
        done = self._done.setdefault(path, [])
        done.append(one)
        if cut and len(done) < cut.of:
            return []
        del self._done[path]
        return [*(part for each in done for part in each.parts), self._listing(path, done)]

    def _listing(self, path: bytes, done: list[Sliced]) -> Part:
        error = next((each.error for each in done if each.error), None)
        children = None if error else sum(each.children for each in done)
        row = self.scan_id, entry_id(self.share, path), children, error
        part = write_part(self.estate, "listings", table_of("listings", [row]))
        return replace(part, counts={f"error {error}": 1}) if error else part
