"""Room: work that waits for the hours in which file servers may be asked, by no more workers than
they allow connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from migrate.engine.workers import Workers
from migrate.errors import MigrateError
from migrate.events import Progress
from migrate.hours import Span, opens_at
from migrate.place import Place

LOOKS_AHEAD = 1_000  # openings, to find one that all servers have


def workers_for(places: Iterable[Place], wanted: int) -> int:
    """How many workers may work on these places at once: no more than a server has connections
    for, and one where each would send the disk's head away from what the other is reading."""
    limits = [wanted]
    for place in places:
        if place.server:
            limits.append(place.server.connections)
        if place.rotating:
            limits.append(1)
    return min(limits)


def in_hours(
    take: Callable[[], Any], places: Iterable[Place], workers: Workers, progress: Progress
) -> Callable[[], Any]:
    """`take`, which hands out tasks, kept waiting while a server that is needed is not to be asked.
    What is under way ends first; Ctrl-C ends the waiting."""
    hours = _hours(places)
    if not hours:
        return take
    return lambda: take() if _wait(hours, progress, lambda: workers.stopping) else None


def wait_for_hours(places: Iterable[Place], progress: Progress) -> None:
    """The same for what is asked before there are workers."""
    if hours := _hours(places):
        _wait(hours, progress, lambda: False)


def _hours(places: Iterable[Place]) -> list[list[Span]]:
    return [place.server.hours for place in places if place.server and place.server.hours]


def _wait(hours: list[list[Span]], progress: Progress, stopping: Callable[[], bool]) -> bool:
    """Wait until every server may be asked; False if somebody asked to stop."""
    told = None
    while not stopping():
        now = datetime.now()
        opens = _all_open_at(hours, now)
        if opens <= now:
            return True
        if opens != told:
            progress.note(f"paused until {opens:%A %H:%M}, when estate.yaml allows it again")
            told = opens
        time.sleep(0.5)
    return False


def _all_open_at(hours: list[list[Span]], now: datetime) -> datetime:
    """The next time at which every server may be asked.

    Errors: MigrateError if there is none."""
    when = now
    for _ in range(LOOKS_AHEAD):
        later = max(opens_at(spans, when) for spans in hours)
        if later == when:
            return when
        when = later
    raise MigrateError(
        "the servers' hours in estate.yaml never coincide, and this stage needs all of them",
        "Give them an hour in common.",
    )
