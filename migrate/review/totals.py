"""Room: the sums on a workbook's first sheet, for the whole unit.

In: the desk. Out: `Cover`. Never: an item that is counted twice in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import ibis
from msgspec.structs import replace

from migrate.ages import BANDS, ODD, age_band
from migrate.config import Config
from migrate.engine.query import Query
from migrate.review.columns import CATEGORIES, CONTESTED, NO_RULE, PROPOSALS, SURENESS
from migrate.review.cover import CATEGORY_MEANINGS, MEANINGS, SURE_MEANINGS, Cover, Sum
from migrate.review.desk import Desk, Relation
from migrate.wording import count_text

MOST_FOLDERS = 12
BANDS_TOLD = [*BANDS, *ODD]


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
    proposal = _worded(everything.proposal, PROPOSALS)
    cover = Cover(
        title=config.title,
        unit=unit,
        reviewer=next((u.reviewer for u in config.business_units if u.name == unit), ""),
        state=state_words(query),
        part="",
        due=f"{config.review.due:%d %B %Y}" if config.review.due else "",
        as_of=as_of.isoformat(),
        proposals=_meaning(
            _sums(query, everything, ibis.ifelse(everything.contested, CONTESTED, proposal)),
            MEANINGS,
        ),
        categories=_meaning(
            _sums(query, decidable, _worded(decidable.category, CATEGORIES, NO_RULE)),
            CATEGORY_MEANINGS,
        ),
        sureness=_meaning(
            _sums(query, decidable, _worded(decidable.confidence, SURENESS)), SURE_MEANINGS
        ),
        ages=_in_order(_sums(query, everything, age_band(everything.mtime_ns, as_of)), BANDS_TOLD),
        folders=list(_sums(query, everything, everything.group_folder, MOST_FOLDERS).values()),
    )
    return lambda part: replace(cover, part=part)


def state_words(query: Query) -> str:
    """Which proposals and decisions a workbook is made from; the import reads the numbers back."""
    flagged, imported = query.estate.latest("flag"), query.estate.runs("review import")
    runs = [run.run_id for run in imported if run.parts]
    flag = flagged.run_id if flagged else 0
    return f"proposals of run {flag}, decisions up to run {max(runs, default=0)}"


def _worded(column: Relation, words: dict[str, str], otherwise: str = "") -> Relation:
    """A column's values as people read them."""
    return ibis.cases(*((column == name, said) for name, said in words.items()), else_=otherwise)


def _sums(query: Query, table: Relation, by: Any, most: int | None = None) -> dict[str, Sum]:
    """Sums by a value, the largest first, each with what of it people have to look at."""
    table = table.mutate(by=by)
    summed = table.group_by("by").aggregate(
        items=table.count(),
        size_bytes=table.size_bytes.sum().fill_null(0),
        dispose=(table.proposal == "dispose").sum(),
        review=(table.proposal == "review").sum(),
    )
    largest = summed.order_by(ibis.desc("items"), "by").limit(most)
    return {
        row["by"]: (row["by"], row["items"], row["size_bytes"], _to_look_at(row))
        for row in query.rows(largest)
    }


def _to_look_at(row: dict[str, Any]) -> str:
    disposals = count_text(row["dispose"], "item")
    return f"{disposals} proposed for disposal, {row['review']:,} to look at"


def _in_order(found: dict[str, Sum], names: Iterable[str]) -> list[Sum]:
    return [found[name] for name in names if name in found]


def _meaning(found: dict[str, Sum], meanings: dict[str, str]) -> list[Sum]:
    """The sums that there are, in the order of the meanings, which say what each is."""
    return [(*one[:3], meanings[one[0]]) for one in _in_order(found, meanings)]
