"""Room: work cut into portions that take a worker a moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from migrate.engine.workers import Workers

Item = TypeVar("Item")


def portions(
    items: Iterable[Item], size_of: Callable[[Item], int], most_bytes: int, most: int
) -> Iterator[list[Item]]:
    """Items in their order, a few at a time, or one large one."""
    portion: list[Item] = []
    size = 0
    for item in items:
        portion.append(item)
        size += size_of(item)
        if len(portion) >= most or size >= most_bytes:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def next_folders(folders: deque[Item], workers: Workers) -> Callable[[], list[Item] | None]:
    """What hands out folders, the newest first, so that some are left for all who are at work."""

    def take() -> list[Item] | None:
        if not folders:
            return None
        share = max(1, min(64, len(folders) // (2 * workers.at_once)))
        return [folders.pop() for _ in range(share)]

    return take
