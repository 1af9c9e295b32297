"""Room: all rules over all facts.

In: facts and rules. Out: `findings`: a row for every rule that hits an entry, with the reason in
words, and one of them marked as deciding. Nothing is dropped: what a stronger finding overrules
stays on record beside it.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import ibis
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import asdict

from migrate.config import Config
from migrate.engine.query import Query
from migrate.errors import RulesInvalid
from migrate.estate import Run, Writer
from migrate.expressions import size_words
from migrate.facts import FACTS, facts, keep_facts, settings_of
from migrate.flag.examples import failing_examples
from migrate.flag.fields import FIELDS, fold_names
from migrate.flag.modifiers import TIME
from migrate.flag.rules import Rule, few_at_once
from migrate.flag.written import TEMPLATE
from migrate.holds import to_remember
from migrate.model import TABLES
from migrate.wording import NANOSECOND

_KEYS = ["scan_id", "entry_id", "lower_path", "lower_folder", "ext"]


class Flagged(Struct, frozen=True):
    """What flag found: entries with a finding, and the findings by deciding category."""

    entries: int
    findings: int
    by_category: dict[str, int]


def flag(writer: Writer, config: Config, rules: list[Rule], as_of: date) -> tuple[Run, Flagged]:
    """Run every rule over every entry.

    Errors: RulesInvalid if a rule fails its own examples; then nothing is written."""
    with Query(writer.estate) as query:
        faults = failing_examples(query, rules)
        if faults:
            raise RulesInvalid(faults)
        settings: dict[str, Any] = {
            "as_of": as_of.isoformat(),
            "rules": rule_set_digest(rules),
            "count": len(rules),
            **settings_of(config),
        }
        inputs = writer.estate.fact_runs()
        done = writer.estate.done("flag", settings, inputs)
        if done:
            return done, Flagged(**done.summary)
        query.doing("flag: gathering what is known of every entry")
        keep_facts(writer, query, config)
        every = facts(query, config)
        found = findings(query, every, rules, as_of)
        query.doing("flag: writing what was found")
        query.one_thread()
        run = writer.begin("flag", settings, inputs)
        writer.commit(run, query.write_in_slices("findings", found))
        if holds := [rule for rule in rules if rule.category == "hold"]:
            remembered = to_remember(every, holds, as_of)
            writer.commit(run, query.write("held", remembered.order_by("entry_id", "hold")))
        summary = _summary(query, query.run_table("findings", run))
    writer.finish(run, asdict(summary))
    return run, summary


def rule_set_digest(rules: list[Rule]) -> str:
    """Which rules, word for word: SHA-256 over all of them, holds included."""
    text = "\n".join(
        f"{rule.id} {rule.rank} {rule.condition!r} {rule.explain} {rule.authority}"
        for rule in rules
    )
    return hashlib.sha256(text.encode()).hexdigest()


def findings(query: Query, facts: Any, rules: list[Rule], as_of: date) -> Any:
    """The `findings` table as a relation, to be written in slices. Of an entry's findings, that of
    the lowest rank decides; `rules` come in the order of their rank.

    Facts are read once for every few rules, and what they hit goes to a file: all rules in one
    query would need memory for each step of each of them, a query for each rule would fold every
    name anew."""
    facts = fold_names(facts.select(*_KEYS, *FACTS.names))
    groups = list(few_at_once(rules))
    query.doing(f"flag: trying {len(rules)} rules on every entry", parts=len(groups))
    hits = query.together([query.stored(_hits(facts, some, as_of)) for some in groups])
    first = hits.group_by("entry_id").aggregate(first=hits["rank"].min())
    every = hits.inner_join(first, "entry_id").inner_join(_told(query, rules), "rank")
    every = every.mutate(deciding=every["rank"] == every.first)
    return every.order_by("entry_id", "rank").select(TABLES["findings"].schema.names)


def _hits(facts: Any, rules: list[tuple[int, Rule]], as_of: date) -> Any:
    """A row for each entry that one of these rules hits, for each of them, with its reason."""
    nothing = ibis.null("int32")
    asked = [
        ibis.ifelse(rule.condition.ask(facts, as_of), ibis.literal(rank, "int32"), nothing)
        for rank, rule in rules
    ]
    hit = facts.mutate(ranks=ibis.array(asked).filter(lambda rank: rank.notnull()))
    hit = hit.mutate(rank=hit.ranks.unnest())
    told = {
        "reason": [(hit["rank"] == rank, reason(rule.explain, hit)) for rank, rule in rules],
        "authority": [(hit["rank"] == rank, reason(rule.authority, hit)) for rank, rule in rules],
    }
    words = {name: ibis.cases(*branches) for name, branches in told.items()}
    return hit.select("scan_id", "entry_id", "rank", **words)


_TOLD = pa.schema(
    [
        ("rank", pa.int32()), ("rule_id", pa.string()), ("title", pa.string()),
        ("category", pa.string()), ("confidence", pa.string()), ("action", pa.string()),
        ("rule_source", pa.string()), ("needs_keeper", pa.bool_()),
    ]
)  # fmt: skip


def _told(query: Query, rules: list[Rule]) -> Any:
    """What every finding of a rule says."""
    rows = [
        {
            "rank": rank, "rule_id": rule.id, "title": rule.title, "category": rule.category,
            "confidence": rule.confidence, "action": rule.action, "rule_source": rule.where,
            "needs_keeper": rule.needs_keeper,
        }
        for rank, rule in enumerate(rules)
    ]  # fmt: skip
    return query.given(rows, _TOLD)


def reason(template: str, facts: Any) -> Any:
    """An explanation with the entry's own values in it."""
    pieces = [
        _value(piece[1:-1], facts) if TEMPLATE.fullmatch(piece) else ibis.literal(piece)
        for piece in TEMPLATE.split(template)
        if piece
    ]
    return pieces[0].concat(*pieces[1:]) if len(pieces) > 1 else (pieces or [ibis.literal("")])[0]


def _value(name: str, facts: Any) -> Any:
    if name == "size":
        return ibis.coalesce(size_words(facts.size_bytes), "of unknown size")
    if name in ("name", "owner", "unit", "retention_class", "shortcut_target"):
        value = facts[name]
    elif name in FIELDS and FIELDS[name].modifiers is TIME:
        value = day_words(FIELDS[name].column(facts))
    elif name == "ext":
        value = ibis.ifelse(facts.ext == "", "none", facts.ext)
    elif name in FIELDS:
        value = (facts.full_path if name == "path" else FIELDS[name].column(facts)).cast("string")
    else:
        value = facts[name].cast("string")
    return ibis.coalesce(value, "unknown")


def day_words(time_ns: Any) -> Any:
    """A table's time as a date, as wording.date_text says it, but as an expression."""
    return (time_ns // NANOSECOND).as_timestamp("s").strftime("%Y-%m-%d")


def _summary(query: Query, found: Any) -> Flagged:
    deciding = found.filter(found.deciding)
    by_category = {
        row["category"]: row["n"]
        for row in query.rows(deciding.group_by("category").aggregate(n=deciding.count()))
    }
    return Flagged(sum(by_category.values()), query.count(found), dict(sorted(by_category.items())))
