"""Room: rules as they stand in their files.

In: a rule file. Out: every rule's text, with its place. Errors are collected: what a field is not,
and what no single field can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from migrate.errors import Fault, RulesInvalid
from migrate.flag.fields import FIELDS
from migrate.flag.language import Condition, asks_for_unknown, leaves
from migrate.strict import Strict, validate
from migrate.yamlfile import Document, Place, read_yaml, suggestion

# What an explanation may have in braces.
TEMPLATE = re.compile(r"(\{\w+\})")
TEMPLATE_FIELDS = sorted(
    [*FIELDS, "dup_keeper_path", "folder_copy_note", "folder_copy_of", "folder_copy_path",
     "format_name", "format_plan", "near_dup_path", "near_dup_percent", "retention_authority",
     "retention_basis", "retention_period", "version_latest_path"]
)  # fmt: skip

Words = Annotated[str, str.strip, Meta(min_length=1)]
Examples = Annotated[list[str | dict[str, Any]], Meta(min_length=1)]
# `$` alone would let a line end pass after it
RuleId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$(?!\n)",
        description="capital letters, digits and hyphens, such as RED-001",
    ),
]


class Authority(Strict, frozen=True):
    """What allows a disposal: a retention schedule, a disposal authority, accepted practice."""

    scheme: Words
    ref: Words
    text: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}: {self.ref}" + (f" ({self.text})" if self.text else "")


class RuleText(Strict, frozen=True, kw_only=True):
    """One rule as it stands in a file."""

    id: RuleId
    title: Words
    category: Literal["record", "sensitive", "redundant", "obsolete", "trivial", "handling"]
    confidence: Literal["high", "medium", "low"]
    action: Literal["keep", "review", "migrate", "dispose"]
    authority: Authority | None = None
    parameters: dict[str, str] = {}  # name -> value; `$name` in `match` and `explain`
    lists: dict[str, list[str]] = {}  # lists of estate.yaml it waits for -> lines for its examples
    match: dict[str, Any]
    explain: Words
    source: str = ""
    hit: Examples
    miss: Examples


class RuleFile(Strict, frozen=True):
    format: Literal["1"]
    rules: list[RuleText]


class Written(Struct, frozen=True):
    """A rule and where it stands."""

    text: RuleText
    document: Document
    place: Place

    @property
    def where(self) -> str:
        return self.document.where(self.place)

    def fault(self, key: str, message: str) -> Fault:
        return self.document.fault((*self.place, key), message)


def read_rules(path: Path, shown_as: str, faults: list[Fault]) -> list[Written]:
    """The rules of one file."""
    if not path.is_file():
        faults.append(Fault(shown_as, 1, 1, "there is no such rule file; see rules.files"))
        return []
    document = read_yaml(path, shown_as)
    try:
        file = validate(document, RuleFile)
    except RulesInvalid as invalid:
        faults += invalid.faults
        return []
    return [Written(text, document, ("rules", number)) for number, text in enumerate(file.rules)]


def text_faults(one: Written, condition: Condition | None) -> list[Fault]:
    """What is wrong with a rule that its fields, one by one, do not show. `condition` is its
    `match`, with its own parameters."""
    text = one.text
    found = [*_parameter_faults(text), *_disposal_faults(text, condition)]
    for key, shown in (("explain", text.explain), ("authority", str(text.authority or ""))):
        found += [(key, message) for message in _template_faults(key, shown)]
    return [one.fault(key, message) for key, message in found]


def _parameter_faults(text: RuleText) -> Iterator[tuple[str, str]]:
    used = set(re.findall(r"\$(\w+)", f"{text.match} {text.explain}"))
    for name in text.parameters:
        if name not in used:
            yield "parameters", f"the parameter {name!r} is used nowhere (write ${name})"
    if "reason" in text.parameters:
        yield "parameters", "`reason` says why a value was changed; name the parameter otherwise"


# Judged by names and dates, or by likeness: what rests on them can only be reviewed.
NO_PROOF = ["version", "rendition_of", "members_elsewhere", "near_dup"]


def _disposal_faults(text: RuleText, condition: Condition | None) -> Iterator[tuple[str, str]]:
    """What stands between a rule and proposing disposal."""
    if text.action != "dispose":
        return
    if text.authority is None:
        yield "action", f"{text.id} proposes disposal and names no authority for it"
    if text.confidence == "low":
        yield "action", f"{text.id}: a rule of low confidence proposes no more than review"
    if text.category in ("record", "sensitive"):
        yield "action", f"{text.id}: what protects ({text.category}) proposes no disposal"
    if text.category == "handling":
        yield "action", f"{text.id}: handling says nothing about worth and proposes no disposal"
    if condition and (likely := [leaf for leaf in leaves(condition) if leaf.field in NO_PROOF]):
        yield (
            "match",
            (
                f"`{likely[0]}` is likely and not proven: what rests on another file that is "
                "not known to be identical can only be reviewed"
            ),
        )
    if condition and (leaf := asks_for_unknown(condition)):
        yield (
            "match",
            (
                f"`{leaf}` is true of what is not known, and what is not known is never "
                "disposed of (of formats: `identified: false` was looked at)"
            ),
        )


def _template_faults(key: str, shown: str) -> Iterator[str]:
    for piece in TEMPLATE.findall(shown):
        if piece[1:-1] not in TEMPLATE_FIELDS:
            yield f"{key}: there is no {piece}{suggestion(piece[1:-1], TEMPLATE_FIELDS)}"
    if brace := re.search(r"[{}]", TEMPLATE.sub("", shown)):
        yield f"{key}: a {brace[0]!r} that belongs to no {{field}}"
