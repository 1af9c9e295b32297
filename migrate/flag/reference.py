"""Room: the rule language described, from the conditions themselves.

Out: the reference as Markdown, and a JSON Schema for rule files, which editors use to complete
and check while somebody writes.
"""

from __future__ import annotations

from typing import Any

from msgspec import json

from migrate.flag.fields import FIELDS
from migrate.flag.modifiers import Modifier
from migrate.flag.rules import CONFIDENCES
from migrate.flag.values import Kind
from migrate.flag.written import TEMPLATE_FIELDS, RuleFile


def as_markdown() -> str:
    """The reference of the rule language."""
    lines = [
        "# Conditions",
        "",
        _INTRODUCTION,
        "## Fields",
        "",
        "| field | what it is | asked with |",
    ]
    lines += ["|---|---|---|"]
    for name, field in FIELDS.items():
        words = ", ".join(f"`|{word}`" if word else "`:`" for word in field.modifiers)
        lines.append(f"| `{name}` | {_cell(field.meaning)} | {_cell(words)} |")
    lines += ["", "## Ways to ask", "", "| | value | meaning | example | hits | misses |"]
    lines += ["|---|---|---|---|---|---|"]
    lines += [_modifier_line(modifier) for modifier in _modifiers()]
    shown = ", ".join("{" + name + "}" for name in TEMPLATE_FIELDS)
    lines += ["", "## What an explanation may show", "", f"`{shown}`"]
    return "\n".join(lines)


_INTRODUCTION = f"""\
`field|modifier: value`, under `all`, `any` and `not`, however deep. Several conditions side by side
are `all`. What is not known makes a condition unknown, and an unknown condition matches nothing,
also under `not`; a hold that cannot be told holds. Texts are compared without regard to capitals.

A rule has an `id`, `title`, `category` (record, sensitive, redundant, obsolete, trivial, handling),
`confidence` ({", ".join(CONFIDENCES)}), `action` (keep, review, migrate, dispose), `match`,
`explain`, and examples that must `hit` and `miss`. `dispose` needs an `authority` and more than low
confidence. `parameters` are values that estate.yaml may change (`$name` stands for them), `lists`
are lists of estate.yaml that the rule waits for.
"""


def _modifiers() -> list[Modifier]:
    """Each function once; the field in its example shows where it is at home."""
    every = [one for field in FIELDS.values() for one in field.modifiers.values()]
    return list({one.ask: one for one in reversed(every)}.values())[::-1]


def _modifier_line(one: Modifier) -> str:
    cells = [
        f"`|{one.word}`" if one.word else "`:`", one.value.words, one.meaning,
        f"`{one.example.match}`", f"`{one.example.hit}`", f"`{one.example.miss}`",
    ]  # fmt: skip
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def as_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a rule file."""
    parts = json.schema(RuleFile)["$defs"]
    file = parts.pop("RuleFile")
    file["properties"]["format"] = {"enum": [1, "1"]}
    parts["RuleText"]["properties"]["match"] = {"$ref": "#/$defs/Condition"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **file,
        "title": "Rules of migrate",
        "$defs": {**parts, "Condition": _condition_schema()},
    }


def _condition_schema() -> dict[str, Any]:
    here = {"$ref": "#/$defs/Condition"}
    several = {"type": "array", "items": here, "minItems": 1}
    properties: dict[str, Any] = {
        "all": {**several, "description": "every one of these"},
        "any": {**several, "description": "at least one of these"},
        "not": {**here, "description": "the contrary of this"},
    }
    for name, field in FIELDS.items():
        for one in field.modifiers.values():
            key = f"{name}|{one.word}" if one.word else name
            words = f"{field.meaning}. {one.meaning} Value: {_value_words(one)}."
            properties[key] = {**_value_schema(one), "description": words}
    return {
        "type": "object", "properties": properties, "additionalProperties": False,
        "minProperties": 1,
    }  # fmt: skip


def _value_words(one: Modifier) -> str:
    return "the name of a list of estate.yaml" if one.listed else one.value.words


def _value_schema(one: Modifier) -> dict[str, Any]:
    """The value's own schema, or a parameter in its place."""
    kind: Kind = one.value
    if one.listed:
        return {"type": "string"}
    return {"anyOf": [kind.schema, {"type": "string", "pattern": r"^\$\w+$"}]}
