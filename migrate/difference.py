"""Room: what another rule set would change, before anybody has to live with it.

In: an estate with findings, another set of rules. Out: which files, and how many bytes, would be
flagged, no longer flagged, or proposed differently. Never: a file opened again; anything written
to the estate.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import ibis
from msgspec import Struct

from migrate.config import Config
from migrate.engine.query import Query
from migrate.errors import RulesInvalid
from migrate.estate import Estate
from migrate.facts import facts
from migrate.flag.examples import failing_examples
from migrate.flag.rules import Rule
from migrate.flag.stage import findings
from migrate.manifests.standard import harmless
from migrate.plan import proposals

SHOWN = 20
CHANGES = {
    "flagged": "not flagged until now",
    "unflagged": "no longer flagged",
    "proposed differently": "something else is proposed",
    "decided by another rule": "the same is proposed, for another reason",
}
COLUMNS = ["change", "path", "size_bytes", "rule_before", "rule_after", "proposal_before",
           "proposal_after"]  # fmt: skip


class Difference(Struct, frozen=True):
    """Lines: change, proposals before and after, files, size_bytes; and the largest files."""

    lines: list[dict[str, Any]]
    largest: list[dict[str, Any]]


class RuleSet(Struct, frozen=True):
    """What decides: rules (holds among them) and the estate.yaml they belong to."""

    config: Config
    rules: list[Rule]

    @property
    def holds(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.category == "hold"]


def compare(
    estate: Estate, before: RuleSet, after: RuleSet, as_of: date, output: Path | None
) -> Difference:
    """The findings of the last `flag`, beside those that other rules would make; each changed file
    as a line of a CSV, if `output` names one.

    Errors: RulesInvalid if a rule fails its own examples."""
    with Query(estate) as query:
        if faults := failing_examples(query, after.rules):
            raise RulesInvalid(faults)
        old = proposals(query, before.config, before.holds, as_of)
        found = findings(query, facts(query, after.config), after.rules, as_of)
        found = query.stored_in_slices(found)
        new = proposals(query, after.config, after.holds, as_of, found)
        changed = query.stored(_changed(_side(old, "before"), _side(new, "after")))
        if output:
            _write(query, changed, output)
        return Difference(_lines(query, changed), _largest(query, changed))


def _side(table: Any, when: str) -> Any:
    return table.select(
        "entry_id", path=table.full_path, size_bytes=table.size_bytes,
        **{f"rule_{when}": table.rule_id, f"proposal_{when}": table.proposal},
    )  # fmt: skip


def _changed(old: Any, new: Any) -> Any:
    """Every file of which not all stays as it is."""
    new = new.select("entry_id", "rule_after", "proposal_after")
    both = old.inner_join(new, "entry_id")
    change = ibis.cases(
        (both.proposal_before != both.proposal_after, "proposed differently"),
        (both.rule_before.isnull() & both.rule_after.notnull(), "flagged"),
        (both.rule_before.notnull() & both.rule_after.isnull(), "unflagged"),
        (both.rule_before != both.rule_after, "decided by another rule"),
    )
    both = both.mutate(change=change)
    return both.filter(both.change.notnull())


def _lines(query: Query, changed: Any) -> list[dict[str, Any]]:
    keys = ["change", "proposal_before", "proposal_after", "rule_before", "rule_after"]
    counted = changed.group_by(keys).aggregate(
        files=changed.count(), size_bytes=ibis.coalesce(changed.size_bytes.sum(), 0)
    )
    return list(query.rows(counted.order_by(ibis.desc("files"), *keys)))


def _largest(query: Query, changed: Any) -> list[dict[str, Any]]:
    size = ibis.coalesce(changed.size_bytes, 0)
    return list(query.rows(changed.order_by(ibis.desc(size), "path").select(*COLUMNS).limit(SHOWN)))


def _write(query: Query, changed: Any, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for row in query.rows(changed.select(*COLUMNS, "entry_id").order_by("path", "entry_id")):
            rows.writerow([harmless(row["path"]) if name == "path" else row[name]
                           for name in COLUMNS])  # fmt: skip
