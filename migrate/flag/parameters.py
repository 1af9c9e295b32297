"""Room: parameters of rules: one number in a rule that departments and units may set otherwise.

In: a rule's text and values. Out: the text with `$name` replaced, in `match` by the value itself,
in `explain` by words for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

if TYPE_CHECKING:
    from migrate.flag.written import RuleText

_UNITS = {"d": "day", "w": "week", "mo": "month", "y": "year"}


def fill_in(text: RuleText, given: dict[str, str]) -> RuleText:
    """A rule with the given parameters, and its own values for the others."""
    values = text.parameters | {name: value for name, value in given.items() if name != "reason"}
    if not values:
        return text
    explain = re.sub(r"\$(\w+)", lambda found: words(values.get(found[1], found[0])), text.explain)
    return replace(text, match=_replaced(text.match, values), explain=explain)


def _replaced(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, values) for inner in value]
    if isinstance(value, str) and value.startswith("$"):
        return values.get(value[1:], value)
    return value


def words(value: str) -> str:
    """7y -> '7 years'; what is no age stays as it is."""
    found = re.fullmatch(r"(\d+)(d|w|mo|y)", value)
    if not found:
        return value
    return f"{found[1]} {_UNITS[found[2]]}" + ("" if found[1] == "1" else "s")
