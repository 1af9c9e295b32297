"""Room: every rule tried on its own examples, through the same expressions that flag runs.

In: rules. Out: the examples that did not do as their rule says. An example is a file name, or facts
by name; what it does not give is unknown, except kind (file), dup and folder_copy (none), unit
(Unassigned) and path (share/name).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from migrate.engine.query import Query
from migrate.errors import Fault
from migrate.estate import create
from migrate.facts import FACTS, UNASSIGNED, from_path
from migrate.flag.fields import FIELDS, fold_names
from migrate.flag.modifiers import TIME
from migrate.flag.rules import Rule, few_at_once
from migrate.flag.values import AGE, DAY, NUMBER, YES_NO, Malformed, days_before, nanoseconds
from migrate.yamlfile import suggestion

AS_OF = date(2026, 1, 1)
_NUMBERED = pa.schema([("rule", pa.int32()), ("must_hit", pa.bool_()), *FACTS])
_AGES = {
    "age": "mtime_ns", "ctime_age": "ctime_ns", "atime_age": "atime_ns",
    "birth_age": "birthtime_ns", "due_age": "retention_due_ns",
}  # fmt: skip
KNOWN = {
    **{name: field.fact for name, field in FIELDS.items()
       if field.fact and field.modifiers is not TIME},
    "sha256": "digest_sha256",
}  # fmt: skip


def facts_of(example: Any) -> dict[str, Any]:
    """An example as a row of facts.

    Errors: Malformed."""
    given = {"name": example} if isinstance(example, str) else dict(example)
    path = _plain_text(given.pop("path", None) or f"share/{given.get('name', '')}")
    name = _plain_text(given.pop("name", None) or path.rpartition("/")[2])
    row: dict[str, Any] = {
        "kind": "file", "dup": "none", "folder_copy": "none", "unit": UNASSIGNED,
    }  # fmt: skip
    row |= {"name": name, "full_path": path}
    for key, value in given.items():
        row |= _fact(key, value)
    return row


def _plain_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{value!r} is not a text")
    return value


def _fact(key: str, value: Any) -> dict[str, Any]:
    if key in _AGES:
        return {_AGES[key]: nanoseconds(days_before(AS_OF, AGE.read(value)))}
    if key == "retention_due":
        return {"retention_due_ns": nanoseconds(DAY.read(value) or AS_OF)}
    if key not in KNOWN:
        raise Malformed(f"there is no fact {key!r}{suggestion(key, [*KNOWN, *_AGES])}")
    kind = FIELDS[key].modifiers[""].value
    read = kind.read(value)  # or it is none of the values there are
    if kind in (NUMBER, YES_NO):
        return {str(KNOWN[key]): read}
    text = _plain_text(value)
    return {str(KNOWN[key]): bytes.fromhex(text) if key == "sha256" else text}


def failing_examples(query: Query, rules: list[Rule]) -> list[Fault]:
    """A fault for every example that does not do as its rule says."""
    rows, faults = [], []
    for index, rule in enumerate(rules):
        examples = [(True, given) for given in rule.hit] + [(False, given) for given in rule.miss]
        for must_hit, given in examples:
            try:
                facts = facts_of(given)
            except Malformed as error:
                faults.append(_fault(rule, f"example {given!r}: {error}"))
                continue
            rows.append({**facts, "rule": index, "must_hit": must_hit})
    wrong = _wrong(query, rules, rows) if rows else []
    return faults + [_fault(rules[row["rule"]], _complaint(row)) for row in wrong]


@contextmanager
def scratch_query() -> Iterator[Query]:
    """Somewhere to try examples where there is no estate."""
    folder = tempfile.TemporaryDirectory(prefix="migrate-")
    with folder as path, Query(create(Path(path) / "estate", "")) as query:
        yield query


def _wrong(query: Query, rules: list[Rule], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The examples that do not do as they should: each is asked its own rule's condition."""
    table = from_path(query.given(rows, _NUMBERED))
    path_len = ibis.coalesce(table.path_len, table.full_path.length())
    facts = query.stored(fold_names(table.mutate(path_len=path_len)))
    wrong: list[dict[str, Any]] = []
    for some in few_at_once(rules):
        asked = [
            (facts.rule == index, (rule.as_written or rule.condition).ask(facts, AS_OF))
            for index, rule in some
        ]
        mine = facts.filter(facts.rule.between(some[0][0], some[-1][0]))
        mine = mine.mutate(hits=ibis.cases(*asked).fill_null(False))
        mine = mine.filter(mine.hits != mine.must_hit).order_by("rule", "full_path")
        wrong += query.rows(mine.select("rule", "full_path", "must_hit"))
    return wrong


def _complaint(row: dict[str, Any]) -> str:
    verb = "should be hit and is not" if row["must_hit"] else "is hit and should not be"
    return f"its example {row['full_path']!r} {verb}"


def _fault(rule: Rule, message: str) -> Fault:
    file, line = rule.where.rsplit(":", 1)
    return Fault(file, int(line), 1, f"rule {rule.id}: {message}")
