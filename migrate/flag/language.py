"""Room: conditions put together, under `all`, `any` and `not`.

In: what a `match` says, as YAML. Out: a tree, each leaf with its place in the file, that becomes
one expression over the facts of an entry, in three-valued logic. Faults are collected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import ibis
from msgspec import Struct

from migrate.errors import Fault
from migrate.flag.fields import FIELDS
from migrate.flag.modifiers import Modifier
from migrate.flag.values import Malformed
from migrate.yamlfile import Document, Place, suggestion

Lists = Mapping[str, list[str]]


class Leaf(Struct, frozen=True):
    """One `field|modifier: value`."""

    field: str
    modifier: str
    value: Any
    written: Any
    where: str = ""  # file:line

    def ask(self, facts: Any, as_of: date) -> Any:
        column = FIELDS[self.field].column(facts)
        if self.modifier == "has_folder":  # folder names are not looked for in a file's own name
            column = facts.lower_folder
        return FIELDS[self.field].modifiers[self.modifier].ask(column, self.value, as_of)

    def __str__(self) -> str:
        name = f"{self.field}|{self.modifier}" if self.modifier else self.field
        value = ", ".join(self.written) if isinstance(self.written, list) else self.written
        return f"{name}: {value}"


class Branch(Struct, frozen=True):
    """`all`, `any` or `not` over conditions."""

    word: str
    parts: tuple[Condition, ...]

    def ask(self, facts: Any, as_of: date) -> Any:
        parts = [part.ask(facts, as_of) for part in self.parts]
        if self.word == "not":
            return ~ibis.and_(*parts)
        return ibis.and_(*parts) if self.word == "all" else ibis.or_(*parts)

    def __str__(self) -> str:
        return f"{self.word}({'; '.join(map(str, self.parts))})"


Condition = Leaf | Branch


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf, in the order in which they are written."""
    for leaf, _ in signed_leaves(condition):
        yield leaf


def signed_leaves(condition: Condition, turned: bool = False) -> Iterator[tuple[Leaf, bool]]:
    """Every leaf, and whether a `not` around it asks for its contrary."""
    if isinstance(condition, Leaf):
        yield condition, turned
    else:
        for part in condition.parts:
            yield from signed_leaves(part, turned != (condition.word == "not"))


def asks_for_unknown(condition: Condition) -> Leaf | None:
    """A leaf that is true just because something is not known: `exists: false`, or `exists: true`
    under a `not`."""
    found = (
        leaf
        for leaf, turned in signed_leaves(condition)
        if leaf.modifier == "exists" and leaf.value is turned
    )
    return next(found, None)


def parse(
    document: Document, place: Place, faults: list[Fault], lists: Lists | None = None
) -> Condition | None:
    """The condition that stands at a place of a document; what is wrong goes into `faults`.
    `lists` are the lines of the lists that estate.yaml names."""
    value: Any = document.value
    for step in place:
        value = value[step]
    if not isinstance(value, dict) or not value:
        faults.append(document.fault(place, "expected a condition: `field|modifier: value`"))
        return None
    parts = [_parse_one(document, (*place, key), key, value[key], faults, lists) for key in value]
    if any(part is None for part in parts):
        return None
    return parts[0] if len(parts) == 1 else Branch("all", tuple(part for part in parts if part))


def _parse_one(
    document: Document, place: Place, key: str, value: Any, faults: list[Fault], lists: Lists | None
) -> Condition | None:
    if key in ("all", "any"):
        return _parse_list(document, place, key, value, faults, lists)
    if key == "not":
        part = parse(document, place, faults, lists)
        return Branch("not", (part,)) if part else None
    try:
        return _parse_leaf(key, value, document, place, lists or {})
    except Malformed as error:
        faults.append(document.fault(place, f"{key}: {error}"))
        return None


def _parse_list(
    document: Document,
    place: Place,
    word: str,
    value: Any,
    faults: list[Fault],
    lists: Lists | None,
) -> Condition | None:
    if not isinstance(value, list) or not value:
        faults.append(document.fault(place, f"{word}: expected a list of conditions"))
        return None
    parts = [parse(document, (*place, number), faults, lists) for number in range(len(value))]
    return None if None in parts else Branch(word, tuple(part for part in parts if part))


def _parse_leaf(key: str, value: Any, document: Document, place: Place, lists: Lists) -> Leaf:
    name, _, word = key.partition("|")
    if name not in FIELDS:
        raise Malformed(
            f"there is no field {name!r}{suggestion(name, [*FIELDS, 'all', 'any', 'not'])}"
        )
    modifiers = FIELDS[name].modifiers
    if word not in modifiers:
        known = [word or "no modifier" for word in modifiers]
        raise Malformed(f"{name!r} has no modifier {word!r}{suggestion(word, known)}")
    return Leaf(name, word, _read(modifiers[word], value, lists), value, document.where(place))


def _read(modifier: Modifier, value: Any, lists: Lists) -> Any:
    if not modifier.listed:
        return modifier.value.read(value)
    if not isinstance(value, str) or value not in lists:
        known = suggestion(str(value), [*lists]) if lists else "; estate.yaml names no lists"
        raise Malformed(f"there is no list {value!r}{known}")
    return modifier.value.read(lists[value])
