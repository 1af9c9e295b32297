"""Room: the rules there are, for people who look them up.

In: estate.yaml, or none. Out: every rule with its state: runs, is switched off (and why), waits for
a list; one rule in full; and what in a rule set is worth a second look.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from migrate.config import Config
from migrate.errors import Fault, RulesInvalid, UsageError
from migrate.estate import Estate
from migrate.flag.language import Branch, Condition, leaves
from migrate.flag.rules import Rule, waits_for, written_rules
from migrate.flag.written import Written
from migrate.yamlfile import suggestion


class Listed(Struct, frozen=True):
    """A rule, whether it runs or not."""

    id: str
    category: str
    confidence: str
    action: str
    title: str
    state: str
    where: str


def catalogue(config: Config, root: Path) -> list[Listed]:
    """Every rule of the pack and the department's files.

    Errors: RulesInvalid."""
    return [
        Listed(
            one.text.id, one.text.category, one.text.confidence, one.text.action, one.text.title,
            _state(config, one), one.where,
        )
        for one in sorted(_written(config, root), key=lambda one: one.text.id)
    ]  # fmt: skip


def _written(config: Config, root: Path) -> list[Written]:
    faults: list[Fault] = []
    written = written_rules(config, root, faults)
    if faults:
        raise RulesInvalid(faults)
    return written


def _state(config: Config, one: Written) -> str:
    rule_id = one.text.id
    states = []
    if waiting := waits_for(one, config.lists):
        states.append(f"waits for the list {', '.join(waiting)}")
    if rule_id in config.rules.off:
        states.append(f"off: {config.rules.off[rule_id]}")
    if rule_id in config.rules.set:
        states.append(_changed("", config.rules.set[rule_id]))
    for name, unit in config.rules.units.items():
        if rule_id in unit.off:
            states.append(f"off in {name}: {unit.off[rule_id]}")
        elif rule_id in unit.set:
            states.append(_changed(f" in {name}", unit.set[rule_id]))
    return "; ".join(states) or "runs"


def _changed(where: str, given: dict[str, str]) -> str:
    values = ", ".join(f"{name} {value}" for name, value in given.items() if name != "reason")
    return f"{values}{where}: {given.get('reason', '')}"


def described(config: Config, root: Path, rules: list[Rule], rule_id: str) -> dict[str, Any]:
    """One rule in full, as its file has it, with its state.

    Errors: UsageError if there is none, with the nearest there is."""
    written = _written(config, root)
    one = next((one for one in written if one.text.id == rule_id.upper()), None)
    if one is None:
        near = suggestion(rule_id.upper(), [one.text.id for one in written])
        raise UsageError(f"there is no rule {rule_id!r}{near}", "List them: migrate rules list")
    running = [rule for rule in rules if rule.id == one.text.id]
    return {
        **to_builtins(one.text),
        "where": one.where,
        "state": _state(config, one),
        "conditions": [list(tree(rule.condition)) for rule in running],
        "explanations": list(dict.fromkeys(rule.explain for rule in running)),
    }


def tree(condition: Condition, indent: str = "") -> Iterator[str]:
    """A condition as lines that people read."""
    if not isinstance(condition, Branch):
        yield f"{indent}{condition}"
        return
    words = {"all": "all of", "any": "any of", "not": "not"}
    yield f"{indent}{words[condition.word]}"
    for part in condition.parts:
        yield from tree(part, indent + "  ")


def second_looks(config: Config, estate: Estate | None, rules: list[Rule]) -> list[str]:
    """What is no fault and may still not be meant."""
    found = []
    taken = [run.settings.get("sha256") for run in estate.scans()] if estate else []
    for rule in rules:
        if rule.category == "hold" and not all(taken) and "sha256" in _fields(rule):
            found.append(
                f"{rule.id} ({rule.where}) asks for SHA-256, which the crawl did not take of every "
                "file: it holds every file that it might mean (migrate crawl --fixity sha256)"
            )
    for name in config.lists:
        if not any(leaf.written == name for rule in rules for leaf in leaves(rule.condition)
                   if leaf.modifier in ("in_list", "under_list")):  # fmt: skip
            found.append(f"no rule and no hold uses the list {name}")
    return found


def _fields(rule: Rule) -> set[str]:
    return {leaf.field for leaf in leaves(rule.condition)}
