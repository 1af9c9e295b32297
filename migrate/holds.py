"""Room: what is held, asked again by whatever proposes, moves or disposes.

In: facts, the holds of estate.yaml and its registers as they stand now, and what earlier scans
found held. Out: entry_id and hold, for every entry that must stay. A hold covers every copy of the
same content, under every name; it follows content that has been moved or renamed since an earlier
scan, for as long as the hold is written as it was; and one that cannot be told holds.
"""

from __future__ import annotations

import hashlib
from datetime import date
from functools import reduce
from typing import Any

import ibis
import pyarrow as pa

from migrate.engine.query import Query
from migrate.flag.language import leaves
from migrate.flag.rules import Rule

COPY_OF_HELD = "a copy of a held file: "
HELD_BEFORE = "its content was found on hold in an earlier scan: "
SAME_FILE = ["device_id", "file_id"]
SAME_CONTENT = ["size_bytes", "sample_xxh3"]


def wording(hold: Rule) -> str:
    """What a hold says, as 16 digits: other words, another hold."""
    text = f"{hold.id} {hold.condition} {[leaf.value for leaf in leaves(hold.condition)]}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def held(query: Query, facts: Any, holds: list[Rule], as_of: date) -> Any:
    """entry_id and hold of everything that is held."""
    if not holds:
        return facts.filter(ibis.literal(False)).select("entry_id", hold=ibis.literal(""))
    columns = ["entry_id", "hold", "group_id", "link_count", *SAME_FILE, *SAME_CONTENT]
    direct = query.stored(held_directly(facts, holds, as_of).select(columns))
    before = query.stored(_held_before(query, facts, holds, direct).select(columns))
    either = direct.union(before)
    found = [  # the first of these that is true says why
        direct.select("entry_id", hold="0" + direct.hold),
        _copies(facts, either.filter(either.group_id.notnull()), ["group_id"]),
        _copies(facts, either.filter(either.link_count > 1), SAME_FILE),
        before.select("entry_id", hold="2" + before.hold),
    ]
    union = reduce(lambda left, right: left.union(right), found)
    first = union.group_by("entry_id").aggregate(hold=union.hold.min())
    return first.mutate(hold=first.hold.substr(1))


def held_directly(facts: Any, holds: list[Rule], as_of: date) -> Any:
    """Facts of what lies in a hold's scope, or might (NULL: something it asks is not known)."""
    matches = [(hold.condition.ask(facts, as_of).fill_null(True), hold.explain) for hold in holds]
    marked = facts.mutate(hold=ibis.cases(*matches))
    return marked.filter(marked.hold.notnull())


def _copies(facts: Any, direct: Any, keys: list[str]) -> Any:
    """Everything that shares these keys with something held."""
    by_key = direct.group_by(keys).aggregate(copied_hold=direct.hold.min())
    copies = facts.inner_join(by_key, keys)
    return copies.select("entry_id", hold="1" + COPY_OF_HELD + copies.copied_hold)


def to_remember(facts: Any, holds: list[Rule], as_of: date) -> Any:
    """The content of everything that is in a hold's scope, for scans to come: rows of `held`."""
    found = [
        facts.filter(hold.condition.ask(facts, as_of), facts.size_bytes > 0).select(
            "scan_id", "entry_id", hold=ibis.literal(wording(hold)), **_content(facts)
        )
        for hold in holds
    ]
    return reduce(lambda left, right: left.union(right), found)


def _content(facts: Any) -> dict[str, Any]:
    return {name: facts[name] for name in SAME_CONTENT}


_WORDS = pa.schema([("hold", pa.string()), ("words", pa.string())])


def _held_before(query: Query, facts: Any, holds: list[Rule], direct: Any) -> Any:
    """What has the size, and the head and tail, of something that was in the scope of a hold when
    an earlier scan was flagged."""
    known = [{"hold": wording(hold), "words": hold.explain} for hold in holds]
    words = query.given(known, _WORDS)
    remembered = query.every_scan("held").inner_join(words, "hold")
    remembered = remembered.group_by(SAME_CONTENT).aggregate(words=remembered.words.min())
    again = facts.inner_join(remembered, SAME_CONTENT).anti_join(direct, "entry_id")
    return again.mutate(hold=HELD_BEFORE + again.words)
