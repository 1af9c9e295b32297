"""Room: which entry a person means who writes a path.

In: share/folder/name, or where it is on this machine. Out: the entry, be it that a scan has seen it
long ago and the newest has not.
Never: a guess about which file was meant.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from migrate.config import Config, share_place
from migrate.engine.query import Query
from migrate.errors import UsageError
from migrate.estate import Estate
from migrate.model import entry_id
from migrate.paths import to_text
from migrate.patterns import fold
from migrate.report.gone import earlier_entries, gone
from migrate.smb.address import is_address, parse_address


class Found(NamedTuple):
    """The number of an entry, and what `gone` tells of it."""

    entry_id: int
    gone: dict[str, Any] | None


def find(query: Query, config: Config, everything: Any, path: str) -> Found:
    """The entry that a path names, among `everything` there is now or in an earlier scan.

    Errors: UsageError if there is none, or more than one, with the nearest there are."""
    exact = _full_paths(config, query.estate, path)
    for meant in _tries(query, everything, exact, path):
        each = meant.group_by("entry_id", "share", "path", "path_raw", "full_path")
        last_seen = each.agg(scan_id=meant.scan_id.max())
        found = list(query.rows(last_seen.order_by("full_path").limit(2)))
        if len(found) == 1:
            return Found(found[0]["entry_id"], gone(query, found[0]))
        if found:
            break
    near = found or query.rows(_nearest(everything, path))
    nearest = dict.fromkeys(entry["full_path"] for entry in near)
    raise UsageError(
        f"{path!r} names {'more than one entry' if found else 'nothing'} in this estate",
        "Did you mean: " + "; ".join(nearest) if nearest else "Paths are share/folder/name.",
    )


def _full_paths(config: Config, estate: Estate, path: str) -> list[str]:
    """The path as share/folder/name, to the byte: as it is given, and as it lies in a share."""
    exact, absolute = [path.rstrip("/")], Path(path).absolute()
    for share in config.shares:
        place = share_place(config, estate.root, share.name)
        root = Path(place.root)
        if place.server and is_address(path):
            unc, given = (parse_address(address).unc for address in (place.root, path))
            if f"{given}\\".lower().startswith(f"{unc}\\".lower()):
                exact.append(share.name + given[len(unc) :].replace("\\", "/"))
        elif absolute.is_relative_to(root):
            rest = absolute.relative_to(root).as_posix()
            exact.append(share.name if rest == "." else f"{share.name}/{rest}")
    return exact


def _tries(query: Query, everything: Any, exact: list[str], path: str) -> Iterator[Any]:
    """Entries that may be meant, the likeliest first: of two that are shown alike, the one with
    just these bytes; then what is shown like this; then whatever capitals it has."""
    numbers = [_number(full) for full in exact]
    yield everything.filter(everything.entry_id.isin(numbers))
    earlier = earlier_entries(query)
    yield earlier.filter(earlier.entry_id.isin(numbers))
    shown = [to_text(os.fsencode(full)) for full in [_slashed(path), *exact]]
    yield everything.filter(everything.full_path.isin(shown))
    folded = [fold(text) for text in shown]
    yield everything.filter(everything.lower_path.isin(folded))
    yield earlier.filter(earlier.lower_path.isin(folded))


def _number(full: str) -> int:
    share, _, below = full.partition("/")
    return entry_id(to_text(os.fsencode(share)), os.fsencode(below))


def _slashed(path: str) -> str:
    """A path as Windows writes it, with the slashes of ours."""
    return path.replace("\\", "/").rstrip("/")


def _nearest(everything: Any, path: str) -> Any:
    """A few entries in whose names the last name of a path stands."""
    name = fold(to_text(os.fsencode(_slashed(path)))).rpartition("/")[2]
    near = everything.filter(everything.name.lower().contains(name))
    return near.order_by(near.full_path.length(), "full_path").limit(5)
