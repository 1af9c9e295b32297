"""Room: the sums on a workbook's first sheet, for the whole unit.

In: the desk. Out: `Cover`. Never: an item that is counted twice in one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import ibis

from migrate.ages import BANDS, ODD, age_band
from migrate.config import Config
from migrate.engine.query import Query
from migrate.flag.rules import LADDER
from migrate.review.columns import CONTESTED, PROPOSALS
from migrate.review.cover import CATEGORIES, MEANINGS, SURENESS, Cover, Sum
from migrate.review.desk import Desk, Relation
from migrate.wording import count_text

MOST_FOLDERS = 12


def cover_of(
    query: Query, desk: Desk, config: Config, unit: str, as_of: date
) -> Callable[[str], Cover]:
    """What the first sheet of each of a unit's workbooks says; they differ in `part`."""
    columns = ["entry_id", "proposal", "contested", "category", "confidence", "mtime_ns",
               "size_bytes", "group_folder"]  # fmt: skip
    both = [
        table.filter(table.unit == unit).mutate(
            group_folder=table.folder.re_extract(r"^[^/]*(/[^/]*){0,1}", 0)
        )
        for table in (desk.items, desk.info)
    ]
    items, info = (table.select(columns) for table in both)
    everything = query.stored(items.union(info))
    decidable = query.stored(items)
    shown = ibis.cases(
        (everything.contested, CONTESTED),
        *((everything.proposal == name, words) for name, words in PROPOSALS.items()),
        else_="",
    )
    category = ibis.coalesce(decidable.category, "none")
    cover = Cover(
        title=config.title,
        unit=unit,
        reviewer=next((u.reviewer for u in config.business_units if u.name == unit), ""),
        state=state_words(query),
        part="",
        due=config.review.due.isoformat() if config.review.due else "",
        as_of=as_of.isoformat(),
        proposals=_in_order(_sums(query, everything, shown), MEANINGS),
        categories=_in_order(
            _sums(query, decidable, category), {name: CATEGORIES[name] for name in _categories()}
        ),
        sureness=_in_order(_sums(query, decidable, decidable.confidence), SURENESS),
        ages=_in_order(
            _sums(query, everything, age_band(everything.mtime_ns, as_of)),
            dict.fromkeys([*BANDS, *ODD], ""),
        ),
        folders=_folders(query, everything),
    )
    return lambda part: replace(cover, part=part)


def _categories() -> list[str]:
    return [*LADDER, "none"]


def state_words(query: Query) -> str:
    """Which proposals and decisions a workbook is made from; the import reads the numbers back."""
    flagged, imported = query.estate.latest("flag"), query.estate.runs("review import")
    runs = [run.run_id for run in imported if run.parts]
    flag = flagged.run_id if flagged else 0
    return f"proposals of run {flag}, decisions up to run {max(runs, default=0)}"


def _sums(query: Query, table: Relation, by: Any) -> dict[str, tuple[int, int]]:
    summed = table.group_by(by=by).aggregate(
        items=table.count(), size_bytes=table.size_bytes.sum().fill_null(0)
    )
    return {row["by"]: (row["items"], row["size_bytes"]) for row in query.rows(summed)}


def _in_order(found: dict[str, tuple[int, int]], meanings: dict[str, str]) -> list[Sum]:
    return [(name, *found[name], words) for name, words in meanings.items() if name in found]


def _folders(query: Query, everything: Relation) -> list[Sum]:
    """The unit's largest folders, two names deep, with what of them is proposed for disposal."""
    summed = everything.group_by("group_folder").aggregate(
        items=everything.count(),
        size_bytes=everything.size_bytes.sum().fill_null(0),
        dispose=(everything.proposal == "dispose").sum(),
        review=(everything.proposal == "review").sum(),
    )
    order = [ibis.desc("items"), "group_folder"]
    return [
        (
            row["group_folder"], row["items"], row["size_bytes"],
            f"{count_text(row['dispose'], 'item')} proposed for disposal, "
            f"{row['review']:,} to look at",
        )
        for row in query.rows(summed.order_by(order).limit(MOST_FOLDERS))
    ]  # fmt: skip
