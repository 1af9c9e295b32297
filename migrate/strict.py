"""Room: what people write, as the model of it: text becomes numbers, days and choices.

In: a document (texts, None, lists and mappings, as yamlfile reads them) and the model it should
fit. Out: the model, or every fault at once, each with its place and what was expected. A field's
type says what is read; a function in its annotation reads the text instead, and says in a
ValueError what it expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from migrate.errors import RulesInvalid
from migrate.yamlfile import Document, Place, suggestion

Faults = list[tuple[Place, str]]
MOST_SHOWN = 80  # characters of a wrong value


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a file that people write: no unknown keys, no changes after reading."""


Model = TypeVar("Model", bound=Strict)


def validate(document: Document, model: type[Model]) -> Model:
    """The document as a model.

    Errors: RulesInvalid with every fault found, in the order of its lines."""
    if document.faults:
        raise RulesInvalid(document.faults)
    faults: Faults = []
    made: Model = _read({} if document.value is None else document.value, model, (), faults)
    if faults:
        found = [document.fault(place, message) for place, message in faults]
        raise RulesInvalid(sorted(found, key=lambda one: (one.file, one.line, one.column)))
    return made


def _read(value: Any, kind: Any, place: Place, faults: Faults) -> Any:
    """A value as its type has it; what is wrong goes into `faults`."""
    choices = _choices(kind)
    if kind is Any or (value is None and NoneType in choices):
        return value
    for one in choices:
        shape = _shape(one)
        if shape and isinstance(value, shape):
            return _READ[shape](value, one, place, faults)
    return _refuse(value, kind, place, faults)


def _read_text(value: str, kind: Any, place: Place, faults: Faults) -> Any:
    inner, own, _ = _unwrapped(kind)
    try:
        return msgspec.convert((own or _TEXT_AS.get(inner, str))(value), kind)
    except msgspec.ValidationError:
        return _refuse(value, kind, place, faults)
    except ValueError as error:
        return _refuse(value, kind, place, faults, str(error) if own else "")


def _read_list(value: list[Any], kind: Any, place: Place, faults: Faults) -> Any:
    inner, _, limits = _unwrapped(kind)
    if any(len(value) < (limit.min_length or 0) for limit in limits):
        return _refuse(value, kind, place, faults)
    (item,) = get_args(inner)
    return [_read(one, item, (*place, n), faults) for n, one in enumerate(value)]


def _read_mapping(value: dict[str, Any], kind: Any, place: Place, faults: Faults) -> Any:
    inner, _, _ = _unwrapped(kind)
    if not get_origin(inner):
        return _read_model(value, inner, place, faults)
    item = get_args(inner)[1]
    return {name: _read(one, item, (*place, name), faults) for name, one in value.items()}


_READ: dict[Any, Any] = {str: _read_text, list: _read_list, dict: _read_mapping}


def _read_model(value: dict[str, Any], model: Any, place: Place, faults: Faults) -> Any:
    fields = _fields(model)
    given = {}
    for name, field in fields.items():
        if name in value:
            given[name] = _read(value[name], field.type, (*place, name), faults)
        elif field.required:
            faults.append((place, f"{name!r} is missing here"))
    for name in value:
        if name not in fields:
            message = f"unknown key {name!r}{suggestion(name, sorted(fields))}"
            faults.append(((*place, name), message))
    return None if faults else model(**given)


@cache
def _fields(model: Any) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(model)}


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _true_or_false(text: str) -> bool:
    if (word := text.lower()) not in _TRUE + _FALSE:
        raise ValueError
    return word in _TRUE


_TRUE = ["true", "yes", "on", "y", "t", "1"]
_FALSE = ["false", "no", "off", "n", "f", "0"]
_TEXT_AS: dict[Any, Any] = {int: int, float: _number, bool: _true_or_false}


@cache
def _choices(kind: Any) -> tuple[Any, ...]:
    """The types that a value may have."""
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


@cache
def _unwrapped(kind: Any) -> tuple[Any, Callable[[str], Any] | None, tuple[msgspec.Meta, ...]]:
    """A type, and what its annotation says beside it: the function that reads it, limits."""
    if get_origin(kind) is not Annotated:
        return kind, None, ()
    own = next((note for note in kind.__metadata__ if callable(note)), None)
    limits = tuple(note for note in kind.__metadata__ if isinstance(note, msgspec.Meta))
    return kind.__origin__, own, limits


@cache
def _shape(kind: Any) -> Any:
    """What a value of this type is in a document: a mapping, a list or a text."""
    inner, own, _ = _unwrapped(kind)
    if inner is NoneType:
        return None
    if own:
        return str
    if get_origin(inner) in (dict, list):
        return get_origin(inner)
    return dict if isinstance(inner, type) and issubclass(inner, Strict) else str


def _refuse(value: Any, kind: Any, place: Place, faults: Faults, said: str = "") -> None:
    """A fault: what was expected, under the name of the key that the value stands under."""
    name = next((step for step in reversed(place) if isinstance(step, str)), "the file")
    name = name if name.isprintable() and len(name) <= MOST_SHOWN else _shown(name)
    faults.append((place, f"{name}: {said or 'expected ' + _expected(kind)}, not {_shown(value)}"))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if value is None:
        return "an empty value"
    text = str(value)
    return repr(text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…")


def _expected(kind: Any) -> str:
    """A type in words."""
    if len(choices := _choices(kind)) > 1:
        return " or ".join(_expected(one) for one in choices if one is not NoneType)
    inner, own, limits = _unwrapped(kind)
    if described := next((limit.description for limit in limits if limit.description), None):
        return described
    if get_origin(inner) is Literal:
        words = get_args(inner)
        return f"one of {', '.join(words)}" if len(words) > 1 else str(words[0])
    named = "text" if own else _WORDS.get(inner) or _WORDS[_shape(kind)]
    return named + "".join(_bounds(limit) for limit in limits)


_WORDS: dict[Any, str] = {
    int: "a whole number", float: "a number", bool: "true or false",
    date: "a real date as YYYY-MM-DD", str: "text", list: "a list",
    dict: "a mapping (`key: value`)",
}  # fmt: skip


def _bounds(limit: msgspec.Meta) -> str:
    """The limits of a number or of a length, in words."""
    if limit.max_length:
        return f" of {limit.min_length or 0} to {limit.max_length} characters"
    if limit.min_length:
        return " that is not empty"
    if limit.ge is not None and limit.le is not None:
        return f" from {limit.ge:,} to {limit.le:,}"
    above = f" above {limit.gt:,}" if limit.gt is not None else ""
    return above + (f", up to {limit.le:,}" if limit.le is not None else "")
