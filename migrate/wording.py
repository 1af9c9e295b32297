"""Room: numbers, sizes, dates and durations as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NANOSECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def size_text(size_bytes: int | None) -> str:
    """1536 -> '1.5 KB'; powers of 1024, as file managers show them."""
    if size_bytes is None:
        return "unknown size"
    if size_bytes < 1024:
        return f"{size_bytes} B"
    value = float(size_bytes)
    for unit in ("KB", "MB", "GB", "TB"):  # noqa: B007 - the last one tried is what counts
        value /= 1024
        if value < 1000:
            break
    else:
        value, unit = value / 1024, "PB"
    return f"{value:.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def count_text(count: int, noun: str, plural: str = "") -> str:
    """1 -> '1 file', 1200 -> '1,200 files'."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration_text(seconds: float) -> str:
    if seconds < 1:
        return "under a second"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def moment(time_ns: int) -> datetime | None:
    """A table's time as a datetime in UTC, to the second; None if it is outside the calendar."""
    try:
        return _EPOCH + timedelta(seconds=time_ns // NANOSECOND)
    except OverflowError:
        return None


def time_text(time_ns: int | None) -> str:
    """A table's time in ISO 8601, or nothing where there is none."""
    when = None if time_ns is None else moment(time_ns)
    return "" if when is None else when.strftime("%Y-%m-%dT%H:%M:%SZ")


def date_text(time_ns: int | None) -> str:
    return time_text(time_ns)[:10]
