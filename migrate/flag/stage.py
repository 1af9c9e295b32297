"""Room: all rules over all facts.

In: facts and rules. Out: `findings`: a row for every rule that hits an entry, with the reason in
words, and one of them marked as deciding. Nothing is dropped: what a stronger finding overrules
stays on record beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from migrate.config import Config
from migrate.engine.query import Query
from migrate.errors import RulesInvalid
from migrate.estate import Run, Writer
from migrate.expressions import size_words
from migrate.facts import FACTS, facts, keep_facts, settings_of
from migrate.flag.conditions import FIELDS, TIME
from migrate.flag.examples import failing_examples
from migrate.flag.rules import Rule
from migrate.flag.written import TEMPLATE
from migrate.holds import to_remember
from migrate.model import TABLES
from migrate.wording import NANOSECOND


@dataclass(frozen=True)
class Flagged:
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
        query.doing(f"flag: trying {len(rules)} rules on every entry")
        every = facts(query, config)
        files = findings(query, every, rules, as_of)
        query.doing("flag: counting what was found")
        run = writer.begin("flag", settings, inputs)
        writer.commit(run, [query.as_part("findings", file) for file in files])
        if holds := [rule for rule in rules if rule.category == "hold"]:
            remembered = to_remember(every, holds, as_of)
            writer.commit(run, query.write("held", remembered.order_by("entry_id", "hold")))
        summary = _summary(query, query.run_table("findings", run))
    writer.finish(run, summary.__dict__)
    return run, summary


def rule_set_digest(rules: list[Rule]) -> str:
    """Which rules, word for word: SHA-256 over all of them, holds included."""
    text = "\n".join(
        f"{rule.id} {rule.rank} {rule.condition!r} {rule.explain} {rule.authority}"
        for rule in rules
    )
    return hashlib.sha256(text.encode()).hexdigest()


def findings(query: Query, facts: Any, rules: list[Rule], as_of: date) -> list[Path]:
    """The `findings` table, in files. Of an entry's findings, that of the lowest rank decides.

    Ten million entries and 95 rules took 111 s and 1.6 GB on two processors (28 million findings,
    whose reasons are words to put together and write), after 151 s for the facts, which are bound
    by wide joins that go through files to stay within that memory."""
    keys = ["scan_id", "entry_id", "lower_path", "lower_folder", "ext"]
    told = _told(query, rules)

    def questions(some: Any) -> Iterator[Any]:
        return (_hits(some, rank, rule, as_of) for rank, rule in enumerate(rules))

    def answer(hits: Any) -> Any:
        first = hits.group_by("entry_id").aggregate(first=hits["rank"].min())
        every = hits.inner_join(first, "entry_id").inner_join(told, "rank")
        every = every.mutate(deciding=every["rank"] == every.first)
        return every.order_by("entry_id", "rank").select(TABLES["findings"].schema.names)

    return query.asked(facts.select(*keys, *FACTS.names), questions, answer)


def _hits(facts: Any, rank: int, rule: Rule, as_of: date) -> Any:
    """What one rule hits. `rules` come in the order of their rank: the lowest number decides."""
    found = facts.filter(rule.condition.ask(facts, as_of))
    return found.select(
        "scan_id", "entry_id", rank=ibis.literal(rank, "int32"), reason=reason(rule.explain, found),
        authority=reason(rule.authority, found) if rule.authority else ibis.literal(""),
    )  # fmt: skip


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
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole + piece
    return whole


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
