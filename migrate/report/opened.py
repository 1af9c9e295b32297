"""Room: the report's figures opened: which folders and which rules are behind each of them.

In: every item with its fate. Out: for each figure, by its key, the folders (three names deep) and
the deciding rules that most of its items are in. Never: the name of a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis

from migrate.holds import COPY_OF_HELD
from migrate.plan import OPEN
from migrate.report.sections import (
    RULED,
    SUMS,
    Ask,
    Figure,
    Relation,
    errors,
    noticed,
    owner_state,
    sums,
    total,
)  # fmt: skip

BEHIND = ["key", "place", "rule_id", "title"]


def opened(ask: Ask, most: int = 12) -> dict[str, Figure]:
    """The folders and rules behind every figure that has any. Each question is answered by itself
    and its answer kept: all of them at once need several times the memory."""
    parts = [ask.query.stored(_summed(table, key)) for table, key in _figures(ask)]
    every = ibis.union(*parts)
    found: dict[str, Figure] = {}
    for name, by in (("folders", ["place"]), ("rules", ["rule_id", "title"])):
        for row in ask.rows(_ranked(every, by, most)):
            key, of = row.pop("key"), row.pop("of")
            row.pop("nth")
            nothing: Figure = {"folders": [], "folders_of": 0, "rules": [], "rules_of": 0}
            both = found.setdefault(key, nothing)
            both[name].append(row)
            both[f"{name}_of"] = of
    return found


def _summed(table: Relation, key: Any) -> Relation:
    keyed = table.mutate(key=key)
    return keyed.group_by(BEHIND).aggregate(**sums(keyed))


def _ranked(every: Relation, by: list[str], most: int) -> Relation:
    """Those with most items, of each figure; `of`: among how many."""
    table = every.filter(every[by[0]].notnull())
    table = table.group_by("key", *by).aggregate(**{name: total(table[name]) for name in SUMS})
    nth = ibis.row_number().over(group_by="key", order_by=[ibis.desc(table["items"]), by[0]])
    ranked = table.mutate(nth=nth, of=table.count().over(group_by="key"))
    return ranked.filter(ranked.nth < most).order_by("key", "nth")


def _commonest(files: Relation, column: str) -> Relation:
    """The files that have one of the commonest values."""
    files = files.filter(files[column].notnull())
    counted = files.group_by(column).aggregate(n=files.count())
    return files.semi_join(counted.order_by(ibis.desc("n"), column).limit(12), column)


def _figures(ask: Ask) -> Iterator[tuple[Relation, Any]]:
    """The items behind each figure, and the figure's key."""
    items, files, query = ask.items, ask.files, ask.query
    yield items, "share " + items.share
    yield items, "proposal " + items.proposal
    ruled = items.filter(items.proposal.isin(RULED))
    yield ruled, "category " + ibis.coalesce(ruled.category, "none")
    by_rule = ruled.filter(ruled.rule_id.notnull())
    yield by_rule, "rule " + by_rule.rule_id
    yield items, "outcome " + items.outcome
    waiting = items.filter(items.outcome.isin(OPEN))
    yield waiting, "unit " + waiting.unit
    yield files, "age " + files.band
    yield files, "risk " + files.risk
    typed = _commonest(files, "mime")
    yield typed, "type " + typed.mime
    identified = _commonest(files.filter(files.looked_at), "puid")
    yield identified, "format " + identified.puid
    yield files, "owner " + owner_state(files)
    held = items.filter(items.hold.notnull())
    yield held, "hold " + held.hold.replace(COPY_OF_HELD, "")
    groups = query.table("groups")
    yield items.semi_join(groups.filter(groups.role == "copy"), "entry_id"), ibis.literal("copies")
    failed = items.inner_join(errors(query), "entry_id")
    yield failed, "unreadable " + failed.error
    found = noticed(ask).select("entry_id", noticed="rule_id", sensitive=ibis._.category)
    yield (
        items.semi_join(found.filter(found.sensitive == "sensitive"), "entry_id"),
        ibis.literal("sensitive"),
    )
    each = items.inner_join(found, "entry_id")
    yield each, "noticed " + each.noticed
