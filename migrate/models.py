"""Room: what people write, as the model of it: text becomes numbers, days and choices.

In: a document (texts, None, lists and mappings, as yamlfile reads them) and the model it should
fit. Out: the model, or every fault at once, each with its place and what was expected. A field's
type says what is read; a function in its annotation reads the text instead, and says in a
ValueError what it expected.
"""

from __future__ import annotations

import math
from datetime import date
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

    Errors: RulesInvalid with every fault found."""
    if document.faults:
        raise RulesInvalid(document.faults)
    faults: Faults = []
    made: Model = _read({} if document.value is None else document.value, model, (), faults)
    if faults:
        raise RulesInvalid([document.fault(place, message) for place, message in faults])
    return made


def _read(value: Any, kind: Any, place: Place, faults: Faults) -> Any:
    """A value as its type has it; what is wrong goes into `faults`."""
    choices = _choices(kind)
    if kind is Any or (value is None and None in choices):
        return value
    fitting = [one for one in choices if one and isinstance(value, _shape(one))]
    if not fitting:
        return _refuse(value, kind, place, faults)
    if isinstance(value, str):
        return _read_text(value, fitting[0], place, faults)
    inner, notes = _unwrapped(fitting[0])
    if isinstance(value, list):
        if len(value) < max((note.min_length or 0 for note in notes), default=0):
            return _refuse(value, fitting[0], place, faults)
        (item,) = get_args(inner)
        return [_read(one, item, (*place, n), faults) for n, one in enumerate(value)]
    if get_origin(inner) is dict:
        item = get_args(inner)[1]
        return {key: _read(one, item, (*place, key), faults) for key, one in value.items()}
    return _read_model(value, inner, place, faults)


def _read_model(value: dict[str, Any], model: Any, place: Place, faults: Faults) -> Any:
    fields = {field.name: field for field in msgspec.structs.fields(model)}
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


def _read_text(value: str, kind: Any, place: Place, faults: Faults) -> Any:
    inner, notes = _unwrapped(kind)
    own = next((note for note in notes if callable(note)), None)
    try:
        return msgspec.convert((own or _TEXT_AS.get(inner, str))(value), kind)
    except msgspec.ValidationError:
        return _refuse(value, kind, place, faults)
    except ValueError as error:
        return _refuse(value, kind, place, faults, str(error) if own else "")


def _whole(text: str) -> int:
    return int(text)


def _number(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _true_or_false(text: str) -> bool:
    if (word := text.lower()) not in _YES + _NO:
        raise ValueError
    return word in _YES


_YES = ["yes", "true", "on", "y", "t", "1"]
_NO = ["no", "false", "off", "n", "f", "0"]
_TEXT_AS: dict[Any, Any] = {int: _whole, float: _number, bool: _true_or_false}


def _choices(kind: Any) -> list[Any]:
    """The types that a value may have."""
    if get_origin(kind) in (Union, UnionType):
        return [None if one is NoneType else one for one in get_args(kind)]
    return [kind]


def _shape(kind: Any) -> type:
    """What a value of this type is in a document: a mapping, a list or a text."""
    inner, notes = _unwrapped(kind)
    if any(callable(note) for note in notes):
        return str
    if get_origin(inner) is dict or (isinstance(inner, type) and issubclass(inner, Strict)):
        return dict
    return list if get_origin(inner) is list else str


def _unwrapped(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type, and what its annotation says beside it."""
    if get_origin(kind) is Annotated:
        return kind.__origin__, kind.__metadata__
    return kind, ()


def _refuse(value: Any, kind: Any, place: Place, faults: Faults, said: str = "") -> None:
    """A fault: what was expected, under the name of the key that the value stands under."""
    name = next((step for step in reversed(place) if isinstance(step, str)), "the file")
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
        return " or ".join(_expected(one) for one in choices if one)
    inner, notes = _unwrapped(kind)
    metas = [note for note in notes if isinstance(note, msgspec.Meta)]
    if described := next((meta.description for meta in metas if meta.description), None):
        return described
    if get_origin(inner) is Literal:
        words = get_args(inner)
        return f"one of {', '.join(words)}" if len(words) > 1 else str(words[0])
    named = _WORDS.get(inner) or _WORDS[_shape(kind)]
    return named + "".join(_bounds(meta) for meta in metas)


_WORDS: dict[type, str] = {
    int: "a whole number", float: "a number", bool: "true or false",
    date: "a real date as YYYY-MM-DD", str: "text", list: "a list",
    dict: "a mapping (`key: value`)",
}  # fmt: skip


def _bounds(meta: msgspec.Meta) -> str:
    """The limits of a number or of a length, in words."""
    if meta.max_length:
        return f" of {meta.min_length or 0} to {meta.max_length} characters"
    if meta.min_length:
        return " that is not empty"
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge:,} to {meta.le:,}"
    above = f" above {meta.gt:,}" if meta.gt is not None else ""
    return above + (f", up to {meta.le:,}" if meta.le is not None else "")
