"""Room: rules, as departments write them, read and checked.

In: the pack that comes with the package, the department's own rule files, the holds and switches of
estate.yaml. Out: `Rule`s ready to run. Errors: all faults of all files at once, with file, line and
column; while there is one, nothing runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from migrate.config import Config, base_folder
from migrate.errors import Fault, RulesInvalid
from migrate.facts import fold
from migrate.flag.conditions import FIELDS, Condition, leaves, parse
from migrate.log import timestamp
from migrate.yamlfile import Document, Place, Strict, read_yaml, suggestion, validate

# What wins when several rules hit one file: what protects comes before what disposes.
PROTECTING = 3  # the first three of the ladder
LADDER = ["hold", "record", "sensitive", "redundant", "obsolete", "trivial"]
CONFIDENCES = ["high", "medium", "low"]
ACTIONS = ["keep", "review", "migrate", "dispose"]

# What an explanation may have in braces.
TEMPLATE = re.compile(r"(\{\w+\})")
TEMPLATE_FIELDS = sorted([*FIELDS, "dup_keeper_path", "format_name"])


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Authority(Strict):
    """What allows a disposal: a retention schedule, a disposal authority, accepted practice."""

    scheme: Words
    ref: Words
    text: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}: {self.ref}" + (f" ({self.text})" if self.text else "")


class RuleText(Strict):
    """One rule as it stands in a file."""

    id: str = Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$")
    title: Words
    category: Literal["record", "sensitive", "redundant", "obsolete", "trivial"]
    confidence: Literal["high", "medium", "low"]
    action: Literal["keep", "review", "migrate", "dispose"]
    authority: Authority | None = None
    match: dict[str, Any]
    explain: Words
    source: str = ""
    hit: list[str | dict[str, Any]] = Field(min_length=1)
    miss: list[str | dict[str, Any]] = Field(min_length=1)


class RuleFile(Strict):
    format: Literal["1"]
    rules: list[RuleText]


@dataclass(frozen=True)
class Rule:
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

    @property
    def rank(self) -> tuple[int, int, int, int, str]:
        """Smaller decides. What protects comes first, in the ladder's order. Among what may go
        (redundant, obsolete, trivial) the surer finding comes before the ladder: or "unchanged for
        seven years" would decide for every old thumbnail cache."""
        step = LADDER.index(self.category)
        return (
            min(step, PROTECTING),
            CONFIDENCES.index(self.confidence),
            step,
            ACTIONS.index(self.action),
            self.id,
        )


def pack_folder() -> Path:
    """The rules that come with the package: beside the code in a wheel, beside it in a checkout."""
    inside = Path(__file__).parent.parent / "rules"
    return inside if inside.is_dir() else Path(__file__).parent.parent.parent / "rules"


def load_rules(config: Config, estate_document: Document, estate_root: Path) -> list[Rule]:
    """Every rule that is switched on, in the order of their rank; holds among them.

    Errors: RulesInvalid with the faults of all files."""
    files = [(path, f"rules/{path.name}") for path in sorted(pack_folder().glob("*.yaml"))]
    base = base_folder(config, estate_root)
    files += [(base / name, name) for name in config.rules.files]
    faults: list[Fault] = []
    rules: list[Rule] = []
    for path, shown_as in files:
        rules += _load_file(path, shown_as, faults)
    faults += _twice(rules)
    faults += _switches(config, estate_document, rules)
    rules = [rule for rule in rules if rule.id not in config.rules.off]
    rules += _holds(config, estate_document, faults)
    if faults:
        raise RulesInvalid(faults)
    return sorted(rules, key=lambda rule: rule.rank)


def load_holds(config: Config, estate_document: Document) -> list[Rule]:
    """The holds alone: looked up again by whatever disposes or moves.

    Errors: RulesInvalid."""
    faults: list[Fault] = []
    holds = _holds(config, estate_document, faults)
    if faults:
        raise RulesInvalid(faults)
    return holds


def _load_file(path: Path, shown_as: str, faults: list[Fault]) -> list[Rule]:
    if not path.is_file():
        faults.append(Fault(shown_as, 1, 1, "there is no such rule file; see rules.files"))
        return []
    document = read_yaml(path, shown_as)
    try:
        file = validate(document, RuleFile)
    except RulesInvalid as invalid:
        faults += invalid.faults
        return []
    rules = []
    for number, text in enumerate(file.rules):
        rule = _check(document, ("rules", number), text, faults)
        if rule:
            rules.append(rule)
    return rules


def _check(document: Document, place: Place, text: RuleText, faults: list[Fault]) -> Rule | None:
    """What no single field can know."""
    before = len(faults)
    condition = parse(document, (*place, "match"), faults)
    if text.action == "dispose" and text.authority is None:
        message = f"{text.id} proposes disposal and names no authority for it"
        faults.append(document.fault((*place, "action"), message))
    if text.action == "dispose" and text.confidence == "low":
        message = f"{text.id}: a rule of low confidence proposes no more than review"
        faults.append(document.fault((*place, "action"), message))
    for piece in TEMPLATE.findall(text.explain):
        word = piece[1:-1]
        if word not in TEMPLATE_FIELDS:
            message = f"explain: there is no {{{word}}}{suggestion(word, TEMPLATE_FIELDS)}"
            faults.append(document.fault((*place, "explain"), message))
    if brace := re.search(r"[{}]", TEMPLATE.sub("", text.explain)):
        message = f"explain: a {brace[0]!r} that belongs to no {{field}}"
        faults.append(document.fault((*place, "explain"), message))
    if condition is None or len(faults) > before:
        return None
    line = document.places[place][0]
    return Rule(
        text.id, text.title, text.category, text.confidence, text.action,
        str(text.authority or ""), text.explain, condition, f"{document.file}:{line}",
        tuple(text.hit), tuple(text.miss),
    )  # fmt: skip


def _twice(rules: list[Rule]) -> list[Fault]:
    seen: dict[str, Rule] = {}
    faults = []
    for rule in rules:
        if rule.id in seen:
            file, line = rule.where.rsplit(":", 1)
            message = f"rule {rule.id} stands in {seen[rule.id].where} already"
            faults.append(Fault(file, int(line), 1, message))
        seen[rule.id] = rule
    return faults


def _switches(config: Config, document: Document, rules: list[Rule]) -> list[Fault]:
    known = [rule.id for rule in rules]
    faults = []
    for rule_id, reason in config.rules.off.items():
        place = ("rules", "off", rule_id)
        if rule_id not in known:
            faults.append(document.fault(place, f"no rule {rule_id!r}{suggestion(rule_id, known)}"))
        if not reason:
            faults.append(document.fault(place, f"say why {rule_id} is switched off"))
    return faults


def _holds(config: Config, document: Document, faults: list[Fault]) -> list[Rule]:
    """Every hold that is in force: until the day it is released, which may lie ahead."""
    rules = []
    today = date.fromisoformat(timestamp()[:10])
    for number, hold in enumerate(config.holds):
        place: Place = ("holds", number)
        condition = parse(document, (*place, "match"), faults)
        if condition:
            faults += _folders_on_no_share(config, document, place, condition)
        if condition and (hold.released is None or hold.released > today):
            line = document.places[place][0]
            words = f"{hold.title} ({hold.reference}), held since {hold.issued}"
            rules.append(
                Rule(
                    f"HOLD {hold.reference}", hold.title, "hold", "high", "keep", hold.authority,
                    words.replace("{", "(").replace("}", ")"), condition, f"estate.yaml:{line}",
                )
            )  # fmt: skip
    return rules


def _folders_on_no_share(
    config: Config, document: Document, place: Place, condition: Condition
) -> list[Fault]:
    """A hold on a folder that no share has would hold nothing: nothing else would tell."""
    shares = {fold(share.name): share.name for share in config.shares}
    return [
        document.fault(
            (*place, "match"),
            f"{folder!r} is on no share{suggestion(folder.split('/')[0], [*shares.values()])}",
        )
        for leaf in leaves(condition)
        if leaf.modifier == "under"
        for folder in leaf.value
        if folder.split("/")[0] not in shares
    ]


def as_of_date(config: Config, given: date | None, crawled: str) -> date:
    """The day ages count back from: asked for, or written in estate.yaml, or that of the crawl."""
    return given or config.as_of or date.fromisoformat(crawled[:10])
