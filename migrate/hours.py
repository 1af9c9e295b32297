"""Room: when a server may be asked: nights, weekends.

In: `19:00-07:00`, `Mon-Fri 19:00-07:00`, `Sat,Sun`. Out: whether now is such a time, and when the
next one begins. The clock is this machine's; summer time is its own business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Annotated

from msgspec import Struct

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_SPAN = re.compile(
    r"(?i)(?:(?P<days>[a-z]{3}(?:[-,][a-z]{3})*))?\s*"
    r"(?:(?P<from>\d\d:\d\d)-(?P<to>\d\d:\d\d))?"
)


class Span(Struct, frozen=True):
    """One line of `hours`; `end` at or before `start` means the next day."""

    days: frozenset[int]  # Monday is 0
    start: time
    end: time

    def began(self, day: datetime) -> tuple[datetime, datetime]:
        """When the span that begins on a day begins and ends."""
        start = datetime.combine(day.date(), self.start)
        end = datetime.combine(day.date(), self.end)
        return start, end if end > start else end + timedelta(days=1)


def parse_hours(written: str) -> Span:
    """Errors: ValueError with what was expected."""
    found = _SPAN.fullmatch(written.strip())
    if not found or not (found["days"] or found["from"]):
        raise ValueError("hours are written 19:00-07:00, Mon-Fri 19:00-07:00 or Sat,Sun")
    try:
        start, end = (
            time.fromisoformat(found["from"] or "00:00"),
            time.fromisoformat(found["to"] or "00:00"),
        )
    except ValueError:
        raise ValueError("times are written from 00:00 to 23:59") from None
    return Span(_days(found["days"]), start, end)


def _days(written: str | None) -> frozenset[int]:
    if not written:
        return frozenset(range(7))
    days: set[int] = set()
    for part in written.lower().split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(f"days are written {', '.join(day.title() for day in DAYS)}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return frozenset(days)


Hours = Annotated[Span, parse_hours]


def opens_at(hours: Sequence[Span], now: datetime) -> datetime:
    """When the next of these times begins; `now` if it is one of them (or there are none)."""
    if not hours:
        return now
    begins = []
    for span in hours:
        for ahead in range(-1, 8):
            day = now + timedelta(days=ahead)
            start, end = span.began(day)
            if day.weekday() in span.days and end > now:
                begins.append(max(start, now))
    return min(begins)
