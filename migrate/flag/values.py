"""Room: what may stand on the right of a condition, and how it is read.

In: text (or a list of texts) as YAML gives it. Out: a value that an expression can use.
Errors: Malformed, which says what was expected. Text is compared in lower case.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from msgspec import Struct

from migrate.patterns import fold
from migrate.wording import NANOSECOND
from migrate.yamlfile import suggestion

EARLIEST = date(1678, 1, 1)  # int64 nanoseconds begin in September 1677
TODAY = "today"


class Malformed(ValueError):
    """A value is not of the form its modifier wants; the message says which."""


class Kind(Struct, frozen=True):
    """A kind of value: how it is read, its JSON Schema, and the words for it."""

    read: Callable[[Any], Any]
    schema: dict[str, Any]
    words: str


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed("expected one text")
    return fold(value)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, str) for item in values):
        raise Malformed("expected a text or a list of texts")
    return [fold(item) for item in values]


def _extensions(value: Any) -> list[str]:
    texts = _texts(value)
    if dotted := [text for text in texts if text.startswith(".")]:
        raise Malformed(f"extensions are written without the dot: {dotted[0][1:]!r}")
    return texts


def _folders(value: Any) -> list[str]:
    """share/folder, without a slash at the ends."""
    texts = [text.strip("/") for text in _texts(value)]
    for text in texts:
        if "\\" in text or any(part in ("", ".", "..") for part in text.split("/")):
            raise Malformed(f"{text!r} is not written share/folder/folder")
    return texts


def _digests(value: Any) -> list[str]:
    texts = _texts(value)
    for text in texts:
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise Malformed(f"{text!r} is no SHA-256: 64 digits 0 to 9 and a to f")
    return texts


def _pattern(value: Any) -> str:
    pattern = value if isinstance(value, str) else ""
    if not pattern:
        raise Malformed("expected a regular expression")
    if problem := _re2_problem(pattern):
        raise Malformed(f"no valid regular expression (RE2): {problem}")
    return f"(?i){pattern}"


@cache
def _re2_problem(pattern: str) -> str:
    import duckdb

    try:
        duckdb.execute("select regexp_matches('', ?)", [pattern])
    except duckdb.Error as error:
        return str(error).strip().splitlines()[0]
    return ""


def _yes_no(value: Any) -> bool:
    if value not in ("true", "false"):
        raise Malformed("expected true or false")
    return bool(value == "true")


_UNITS = {"": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}


def _number(value: Any) -> int:
    found = re.fullmatch(r"(\d{1,15})\s?([kmgt]?b)?", str(value).lower())
    if not found:
        raise Malformed("expected a whole number, or a size such as 64KB or 2GB")
    number = int(found[1]) * _UNITS[found[2] or ""]
    if number >= 1 << 63:
        raise Malformed("that is more than any file system can hold")
    return number


def _numbers(value: Any) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise Malformed("expected [smallest, largest]")
    low, high = _number(value[0]), _number(value[1])
    if low > high:
        raise Malformed("expected [smallest, largest], in this order")
    return low, high


def _age(value: Any) -> str:
    if not re.fullmatch(r"[1-9]\d{0,4}(d|w|mo|y)", str(value).lower()):
        raise Malformed("expected an age such as 30d, 6w, 6mo or 7y")
    if days_before(date(2100, 1, 1), str(value).lower()) == EARLIEST:
        raise Malformed("expected an age within the last three hundred years")
    return str(value).lower()


def _day(value: Any) -> date | None:
    """A day; None stands for the day ages count back from."""
    if value == TODAY:
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        try:
            day = date.fromisoformat(value)
        except ValueError as error:
            raise Malformed(f"{value}: {error}") from None
        if EARLIEST <= day < date(2262, 1, 1):
            return day
    raise Malformed("expected a day written YYYY-MM-DD (between 1678 and 2261), or today")


_ONE = {"type": "string"}
_MANY = {"anyOf": [_ONE, {"type": "array", "items": _ONE, "minItems": 1}]}
_WHOLE = {"type": ["integer", "string"]}

TEXT = Kind(_text, _ONE, "a text")
TEXTS = Kind(_texts, _MANY, "a text, or a list of which one is enough")
EXTENSIONS = Kind(_extensions, _MANY, "an extension without its dot, or a list")
FOLDERS = Kind(_folders, _MANY, "share/folder, or a list")
DIGESTS = Kind(_digests, _MANY, "SHA-256 as 64 hex digits, or a list")
PATTERN = Kind(_pattern, _ONE, "a regular expression (RE2)")
YES_NO = Kind(_yes_no, {"enum": [True, False, "true", "false"]}, "true or false")
NUMBER = Kind(_number, _WHOLE, "a whole number, or a size: 64KB, 2GB")
RANGE = Kind(
    _numbers, {"type": "array", "items": _WHOLE, "minItems": 2, "maxItems": 2}, "[least, most]"
)
AGE = Kind(_age, {"type": "string", "pattern": r"^[1-9]\d{0,4}(d|w|mo|y)$"}, "30d, 6w, 6mo, 7y")
DAY = Kind(
    _day, {"type": "string", "pattern": r"^(\d{4}-\d\d-\d\d|today)$"}, "YYYY-MM-DD, or today"
)


def one_of(*values: str) -> Kind:
    """A closed list of values."""

    def read(value: Any) -> list[str]:
        wrong = [item for item in _texts(value) if item not in values]
        if wrong:
            raise Malformed(
                f"{wrong[0]!r} is no value of this field{suggestion(wrong[0], [*values])}"
            )
        return _texts(value)

    one = {"enum": [*values]}
    schema = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    return Kind(read, schema, " | ".join(values))


def days_before(as_of: date, age: str) -> date:
    """The day that lies an age back; of a month that is too short, its last day."""
    number, unit = int(re.sub(r"\D", "", age)), re.sub(r"\d", "", age)
    if unit in ("d", "w"):
        day = as_of.toordinal() - number * (7 if unit == "w" else 1)
        return date.fromordinal(max(day, EARLIEST.toordinal()))
    months = as_of.year * 12 + as_of.month - 1 - number * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    if year < EARLIEST.year:
        return EARLIEST
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(as_of.day, last))


def nanoseconds(day: date) -> int:
    """Midnight UTC at the beginning of a day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NANOSECOND
