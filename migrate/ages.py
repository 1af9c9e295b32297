"""Room: how old files are, in the bands that workbooks and the report show.

In: `mtime_ns` and the day ages count back from. Out: a band in words. Never: the clock.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from migrate.flag.values import days_before, nanoseconds

_BANDS = [(1, "Less than 1"), (3, "1–2"), (5, "3–4"), (7, "5–6"), (10, "7–9"), (20, "10–19")]
OLDEST, FUTURE, NO_DATE = "20 or more", "Dated later than that day", "No date known"
BANDS = [*(label for _, label in _BANDS), OLDEST]
ODD = [FUTURE, NO_DATE]  # shown only where there are any


def age_band(mtime_ns: Any, as_of: date) -> Any:
    """The band (whole years) of an Ibis column of times."""
    cutoffs = [
        (mtime_ns >= nanoseconds(days_before(as_of, f"{years}y")), label) for years, label in _BANDS
    ]
    tomorrow = nanoseconds(date.fromordinal(as_of.toordinal() + 1))
    return ibis.cases(
        (mtime_ns.isnull(), NO_DATE), (mtime_ns >= tomorrow, FUTURE), *cutoffs, else_=OLDEST
    )
