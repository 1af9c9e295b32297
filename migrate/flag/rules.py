"""Room: rules, as departments write them, read and checked.

In: the pack that comes with the package, the department's own rule files, the holds, switches,
parameters and lists of estate.yaml. Out: `Rule`s ready to run. Errors: all faults of all files at
once, with file, line and column; while there is one, nothing runs.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from migrate.config import Config, RuleChanges, base_folder
from migrate.errors import Fault, RulesInvalid
from migrate.flag.language import Branch, Condition, Leaf, Lists, leaves, parse
from migrate.flag.parameters import fill_in
from migrate.flag.written import RuleText, Written, read_rules, text_faults
from migrate.log import timestamp
from migrate.paths import pack_folder
from migrate.patterns import fold
from migrate.yamlfile import Document, Place, suggestion

# What wins when several rules hit one file: what protects comes before what disposes; how a file is
# to be handled says nothing about its worth.
LADDER = ["hold", "record", "sensitive", "redundant", "obsolete", "trivial", "handling"]
MAY_GO = ("redundant", "obsolete", "trivial")
CONFIDENCES = ["high", "medium", "low"]
ACTIONS = ["keep", "review", "migrate", "dispose"]
OF_COPIES = {"dup", "dup_count", "folder_copy", "permissions_differ"}
RULES_AT_ONCE = 16


class Rule(Struct, frozen=True):
    """A rule ready to run."""

    id: str
    title: str
    category: str
    confidence: str
    action: str
    authority: str
    explain: str
    condition: Condition
    where: str  # file:line
    hit: tuple[Any, ...] = ()
    miss: tuple[Any, ...] = ()
    as_written: Condition | None = None  # what its examples are tried on: no unit, no change

    @property
    def needs_keeper(self) -> bool:
        """Whether it says what it says because another copy stays."""
        return bool(OF_COPIES & {leaf.field for leaf in leaves(self.condition)})

    @property
    def rank(self) -> tuple[int, int, int, int, bool, str]:
        """Smaller decides. What protects comes first, in the ladder's order. Among what may go
        (redundant, obsolete, trivial) the surer finding comes before the ladder: or "unchanged for
        seven years" would decide for every old thumbnail cache. Of two that say the same, the one
        on the whole folder. Handling comes last, however sure."""
        step = LADDER.index(self.category)
        return (
            LADDER.index(MAY_GO[0]) if self.category in MAY_GO else step,
            CONFIDENCES.index(self.confidence),
            step,
            ACTIONS.index(self.action),
            all(leaf.field != "folder_copy" for leaf in leaves(self.condition)),
            self.id,
        )


def few_at_once(rules: list[Rule]) -> Iterator[list[tuple[int, Rule]]]:
    """Rules with their place in the list, as many together as one query can ask: it keeps memory
    for each step of every condition and explanation in it."""
    ranked = list(enumerate(rules))
    for first in range(0, len(ranked), RULES_AT_ONCE):
        yield ranked[first : first + RULES_AT_ONCE]


def written_rules(config: Config, estate_root: Path, faults: list[Fault]) -> list[Written]:
    """Every rule of the pack and of the department's own files, switched on or not."""
    files = [(path, f"rules/{path.name}") for path in sorted(pack_folder().glob("*.yaml"))]
    base = base_folder(config, estate_root)
    files += [(base / name, name) for name in config.rules.files]
    written = [rule for path, shown_as in files for rule in read_rules(path, shown_as, faults)]
    faults += _twice(written)
    return written


def load_rules(
    config: Config, estate_document: Document, estate_root: Path, instead: Path | None = None
) -> list[Rule]:
    """Every rule that is switched on, in the order of their rank; holds among them. The rules of
    the file `instead` take the place of those with the same id.

    Errors: RulesInvalid with the faults of all files."""
    faults: list[Fault] = []
    written = written_rules(config, estate_root, faults)
    if instead:
        others = read_rules(instead, str(instead), faults)
        ids = {one.text.id for one in others}
        written = [one for one in written if one.text.id not in ids] + others
    lists = read_lists(config, estate_document, estate_root, faults)
    faults += _wrong_changes(config, estate_document, written)
    rules = make_rules(config, written, lists, faults)
    rules += _holds(config, estate_document, lists, faults)
    if faults:
        raise RulesInvalid(faults)
    return sorted(rules, key=lambda rule: rule.rank)


def load_holds(config: Config, estate_document: Document, estate_root: Path) -> list[Rule]:
    """The holds alone: looked up again by whatever disposes or moves.

    Errors: RulesInvalid."""
    faults: list[Fault] = []
    lists = read_lists(config, estate_document, estate_root, faults)
    holds = _holds(config, estate_document, lists, faults)
    if faults:
        raise RulesInvalid(faults)
    return holds


def read_lists(
    config: Config, document: Document, estate_root: Path, faults: list[Fault]
) -> dict[str, list[str]]:
    """The lines of every list that estate.yaml names; empty ones and those with a # do not count.
    An empty list is a fault: it would match nothing, or under `not` everything."""
    lists: dict[str, list[str]] = {}
    for name, file in config.lists.items():
        place = ("lists", name)
        path = base_folder(config, estate_root) / file
        try:
            lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
        except OSError as error:
            faults.append(document.fault(place, f"{file} cannot be read: {error.strerror}"))
            continue
        except UnicodeDecodeError:
            faults.append(document.fault(place, f"{file} is not UTF-8"))
            continue
        if lines := [line for line in lines if line and not line.startswith("#")]:
            lists[name] = lines
        else:
            faults.append(document.fault(place, f"{file} has no lines"))
    return lists


def make_rules(
    config: Config, written: list[Written], lists: Lists, faults: list[Fault]
) -> list[Rule]:
    """Rules as they run in this estate: with its parameters, and apart for units that differ."""
    rules = []
    for one in written:
        as_written = _check(one, faults)
        if as_written is None or waits_for(one, lists):
            continue
        for changes, units, more in _variants(config, one.text.id):
            changed = fill_in(one.text, changes)
            document = Document(one.document.file, {"match": changed.match})
            document.places = _moved(one.document, (*one.place, "match"))
            condition = parse(document, ("match",), faults, lists)
            if condition is None:
                continue
            condition = _outside_masters(config, one.text, more(condition))
            rule = replace(as_written, explain=changed.explain, condition=condition)
            rules.append(rule if not units else replace(rule, hit=(), miss=()))
    return rules


def _outside_masters(config: Config, text: RuleText, condition: Condition) -> Condition:
    """No rule on what is redundant proposes to dispose of anything in a master folder."""
    masters = config.keeper.master_folders
    if not masters or (text.category, text.action) != ("redundant", "dispose"):
        return condition
    folders = [fold(folder) for folder in masters]
    inside = Leaf("path", "under", folders, masters, "estate.yaml")
    return Branch("all", (Branch("not", (inside,)), condition))


def waits_for(one: Written, lists: Container[str]) -> list[str]:
    """The lists that a rule needs and estate.yaml does not name: until then it does not run."""
    return [name for name in one.text.lists if name not in lists]


def _moved(document: Document, place: Place) -> dict[Place, tuple[int, int]]:
    """The positions of what stands at a place, as if that were `match` of a document."""
    return {
        ("match", *at[len(place) :]): position
        for at, position in document.places.items()
        if at[: len(place)] == place
    }


Variant = tuple[dict[str, str], list[str], Any]


def _variants(config: Config, rule_id: str) -> Iterator[Variant]:
    """The ways a rule runs: its parameters, the units it is for, and what puts those into its
    condition. A unit with changes of its own has its own variant, the others share one."""
    changed = {
        name: changes
        for name, changes in config.rules.units.items()
        if rule_id in changes.off or rule_id in changes.set
    }
    everywhere = config.rules.set.get(rule_id, {})
    if rule_id not in config.rules.off:
        names = [fold(name) for name in changed]
        others = Branch("not", (Leaf("unit", "in", names, [*changed], "estate.yaml"),))
        yield everywhere, [], (lambda c: Branch("all", (others, c)) if names else c)
    for name, changes in changed.items():
        if rule_id in changes.set and rule_id not in changes.off:
            unit = Leaf("unit", "", fold(name), name, "estate.yaml")
            values = everywhere | changes.set[rule_id]
            yield values, [name], (lambda c, unit=unit: Branch("all", (unit, c)))


def _check(one: Written, faults: list[Fault]) -> Rule | None:
    """What no single field can know; the rule as its file has it."""
    before = len(faults)
    text = fill_in(one.text, {})
    document = Document(one.document.file, {"match": text.match})
    document.places = _moved(one.document, (*one.place, "match"))
    condition = parse(document, ("match",), faults, text.lists)
    faults += text_faults(one, condition)
    if condition is None or len(faults) > before:
        return None
    return Rule(
        text.id, text.title, text.category, text.confidence, text.action,
        str(text.authority or ""), text.explain, condition, one.where,
        tuple(text.hit), tuple(text.miss), condition,
    )  # fmt: skip


def _twice(written: list[Written]) -> list[Fault]:
    seen: dict[str, Written] = {}
    faults = []
    for one in written:
        if one.text.id in seen:
            message = f"rule {one.text.id} stands in {seen[one.text.id].where} already"
            faults.append(one.document.fault(one.place, message))
        seen[one.text.id] = one
    return faults


def _wrong_changes(config: Config, document: Document, written: list[Written]) -> list[Fault]:
    """Switches and parameters of rules that are not there, or without a reason."""
    by_id = {one.text.id: one.text for one in written}
    faults: list[Fault] = []
    places: list[tuple[Place, RuleChanges]] = [(("rules",), config.rules)]
    places += [(("rules", "units", name), unit) for name, unit in config.rules.units.items()]
    for place, changes in places:
        for rule_id, reason in changes.off.items():
            faults += _wrong_change(document, (*place, "off", rule_id), by_id, bool(reason))
        for rule_id, given in changes.set.items():
            at = (*place, "set", rule_id)
            faults += _wrong_change(document, at, by_id, bool(given.get("reason")))
            known = [*by_id[rule_id].parameters] if rule_id in by_id else []
            for name in given:
                if name != "reason" and rule_id in by_id and name not in known:
                    there = suggestion(name, known) if known else "; it has none"
                    wrong = f"{rule_id} has no parameter {name!r}{there}"
                    faults.append(document.fault((*at, name), wrong))
    return faults


def _wrong_change(
    document: Document, place: Place, by_id: dict[str, RuleText], reason: bool
) -> Iterator[Fault]:
    rule_id = str(place[-1])
    if rule_id not in by_id:
        yield document.fault(place, f"no rule {rule_id!r}{suggestion(rule_id, [*by_id])}")
    if not reason:
        what = "is switched off" if place[-2] == "off" else "is changed (reason: ...)"
        yield document.fault(place, f"say why {rule_id} {what}")


def _holds(config: Config, document: Document, lists: Lists, faults: list[Fault]) -> list[Rule]:
    """Every hold that is in force: until the day it is released, which may lie ahead."""
    rules = []
    today = date.fromisoformat(timestamp()[:10])
    for number, hold in enumerate(config.holds):
        place: Place = ("holds", number)
        condition = parse(document, (*place, "match"), faults, lists)
        if condition:
            faults += _folders_on_no_share(config, document, place, condition)
        if condition and (hold.released is None or hold.released > today):
            words = f"{hold.title} ({hold.reference}), held since {hold.issued}"
            rules.append(
                Rule(
                    f"HOLD {hold.reference}", hold.title, "hold", "high", "keep",
                    _no_braces(hold.authority),
                    _no_braces(words), condition, document.where(place),
                )
            )  # fmt: skip
    return rules


def _no_braces(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def _folders_on_no_share(
    config: Config, document: Document, place: Place, condition: Condition
) -> list[Fault]:
    """A hold on a folder that no share has would hold nothing: nothing else would tell."""
    shares = {fold(share.name): share.name for share in config.shares}
    return [
        document.fault(
            _place_of(document, (*place, "match"), leaf),
            f"{folder!r} is on no share{suggestion(folder.split('/')[0], [*shares.values()])}",
        )
        for leaf in leaves(condition)
        if leaf.modifier in ("under", "under_list")
        for folder in leaf.value
        if folder.split("/")[0] not in shares
    ]


def _place_of(document: Document, place: Place, leaf: Leaf) -> Place:
    """Where a leaf stands; several alike in one hold are one place."""
    key = f"{leaf.field}|{leaf.modifier}"
    inside = (at for at in document.places if at[: len(place)] == place and at[-1] == key)
    return next((at for at in inside if document.where(at) == leaf.where), place)


def as_of_date(config: Config, given: date | None, crawled: str) -> date:
    """The day ages count back from: asked for, or written in estate.yaml, or that of the crawl."""
    return given or config.as_of or date.fromisoformat(crawled[:10])
