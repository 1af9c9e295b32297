"""Room: the condition language, `field|modifier: value` under `all`, `any` and `not`.

In: what a rule's `match` says. Out: a tree of conditions, each of which becomes an expression over
the facts of an entry. Text is compared in lower case; regular expressions run in RE2 (linear time).
What is not known (NULL) makes a condition unknown, and an unknown condition matches nothing,
also under `not`.

To add a modifier, add one function to its table; a field, one line to FIELDS.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import ibis

from migrate.errors import Fault
from migrate.facts import fold, folded, folder_pattern, glob_pattern, is_under
from migrate.wording import NANOSECOND
from migrate.yamlfile import Document, Place, suggestion

EARLIEST = date(1678, 1, 1)  # int64 nanoseconds begin in September 1677


class Malformed(ValueError):
    """A value is not of the form its modifier wants; the message says which."""


@dataclass(frozen=True)
class Modifier:
    """How a value is read, and what it asks of a column."""

    read: Callable[[Any], Any]
    ask: Callable[[Any, Any, date], Any]


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


def _any_of(column: Any, values: list[str], test: Callable[[Any, str], Any]) -> Any:
    return ibis.or_(*(test(column, value) for value in values))


def _glob(column: Any, values: list[str], as_of: date) -> Any:
    """Whole names; * and ? stand for any characters but '/'. Example: name|glob: '~$*.docx'"""
    return column.re_search("^(" + "|".join(map(glob_pattern, values)) + ")$")


def _exists(column: Any, value: bool, as_of: date) -> Any:
    """Whether the fact is known. Example: owner|exists: false"""
    return column.notnull() if value else column.isnull()


EQUALS = Modifier(_text, lambda column, value, as_of: column == value)
EXISTS = Modifier(_yes_no, _exists)
TEXT = {
    "": EQUALS,
    "in": Modifier(_texts, lambda column, value, as_of: column.isin(value)),
    "glob": Modifier(_texts, _glob),
    "contains": Modifier(
        _texts, lambda column, value, as_of: _any_of(column, value, lambda c, v: c.contains(v))
    ),
    "startswith": Modifier(
        _texts, lambda column, value, as_of: _any_of(column, value, lambda c, v: c.startswith(v))
    ),
    "endswith": Modifier(
        _texts, lambda column, value, as_of: _any_of(column, value, lambda c, v: c.endswith(v))
    ),
    "re": Modifier(_pattern, lambda column, value, as_of: column.re_search(value)),
    "exists": EXISTS,
}
EXTENSION = {
    name: Modifier(_extensions, modifier.ask) if modifier.read is _texts else modifier
    for name, modifier in TEXT.items()
} | {"": Modifier(_extensions, lambda column, value, as_of: column.isin(value))}
NUMBER = {
    "": Modifier(_number, lambda column, value, as_of: column == value),
    "gt": Modifier(_number, lambda column, value, as_of: column > value),
    "ge": Modifier(_number, lambda column, value, as_of: column >= value),
    "lt": Modifier(_number, lambda column, value, as_of: column < value),
    "le": Modifier(_number, lambda column, value, as_of: column <= value),
    "between": Modifier(_numbers, lambda column, value, as_of: column.between(*value)),
    "exists": EXISTS,
}
TIME = {
    "older_than": Modifier(
        _age, lambda column, value, as_of: column < nanoseconds(days_before(as_of, value))
    ),
    "newer_than": Modifier(
        _age, lambda column, value, as_of: column >= nanoseconds(days_before(as_of, value))
    ),
    "exists": EXISTS,
}
FLAG = {"": Modifier(_yes_no, lambda column, value, as_of: column == value), "exists": EXISTS}


def _choice(*values: str) -> dict[str, Modifier]:
    """A field with a closed list of values."""

    def read(value: Any) -> list[str]:
        wrong = [item for item in _texts(value) if item not in values]
        if wrong:
            raise Malformed(
                f"{wrong[0]!r} is no value of this field{suggestion(wrong[0], [*values])}"
            )
        return _texts(value)

    one_of = Modifier(read, lambda column, value, as_of: column.isin(value))
    return {"": one_of, "in": one_of, "exists": EXISTS}


def _under(column: Any, folders: list[str], as_of: date) -> Any:
    """The folder itself and all below it. Example: path|under: [finance/Invoices]"""
    return ibis.or_(*(is_under(column, folder) for folder in folders))


@dataclass(frozen=True)
class Field:
    column: Callable[[Any], Any]
    modifiers: dict[str, Modifier]
    meaning: str


FIELDS: dict[str, Field] = {
    "name": Field(lambda t: folded(t.name), TEXT, "the file's or folder's name"),
    "path": Field(
        lambda t: t.lower_path, TEXT | {"under": Modifier(_folders, _under)}, "share/folder/name"
    ),
    "ext": Field(lambda t: t.ext, EXTENSION, "extension, without the dot; '' for none"),
    "kind": Field(lambda t: t.kind, _choice("file", "folder", "symlink", "other"), "what it is"),
    "size": Field(lambda t: t.size_bytes, NUMBER, "bytes"),
    "mtime": Field(lambda t: t.mtime_ns, TIME, "last modified"),
    "ctime": Field(lambda t: t.ctime_ns, TIME, "last change of name, rights or content"),
    "atime": Field(lambda t: t.atime_ns, TIME, "last opened, where the server keeps it"),
    "birthtime": Field(lambda t: t.birthtime_ns, TIME, "created on this file system"),
    "owner": Field(lambda t: folded(t.owner), TEXT, "account name, or number if nobody has it"),
    "mime": Field(lambda t: t.mime.lower(), TEXT, "MIME type of the content"),
    "puid": Field(lambda t: t.puid, TEXT, "PRONOM identifier of the content"),
    "identified": Field(
        lambda t: t.identified, FLAG, "whether PRONOM knows the format; unknown until it was asked"
    ),
    "encrypted": Field(lambda t: t.encrypted, FLAG, "locked with a password"),
    "ext_mismatch": Field(lambda t: t.ext_mismatch, FLAG, "the extension is not the content's"),
    "dup": Field(
        lambda t: t.dup,
        _choice("keeper", "not_keeper", "hard_link", "none"),
        "place in a group of identical files",
    ),
    "child_count": Field(lambda t: t.child_count, NUMBER, "entries in a folder"),
    "path_len": Field(lambda t: t.path_len, NUMBER, "characters of the path"),
    "link_count": Field(lambda t: t.link_count, NUMBER, "names of the file (hard links)"),
    "retention_class": Field(lambda t: folded(t.retention_class), TEXT, "from the file plan"),
}
# Folder names are looked for among the folders of a path, not in a file's own name.
HAS_FOLDER = Modifier(_texts, lambda column, value, as_of: column.re_search(folder_pattern(value)))


@dataclass(frozen=True)
class Leaf:
    """One `field|modifier: value`."""

    field: str
    modifier: str
    value: Any
    written: Any

    def ask(self, facts: Any, as_of: date) -> Any:
        if self.modifier == "has_folder":
            return HAS_FOLDER.ask(facts.lower_folder, self.value, as_of)
        field = FIELDS[self.field]
        return field.modifiers[self.modifier].ask(field.column(facts), self.value, as_of)

    def __str__(self) -> str:
        name = f"{self.field}|{self.modifier}" if self.modifier else self.field
        value = ", ".join(self.written) if isinstance(self.written, list) else self.written
        return f"{name}: {value}"


@dataclass(frozen=True)
class Branch:
    """`all`, `any` or `not` over conditions."""

    word: str
    parts: tuple[Condition, ...]

    def ask(self, facts: Any, as_of: date) -> Any:
        parts = [part.ask(facts, as_of) for part in self.parts]
        if self.word == "not":
            return ~ibis.and_(*parts)
        return ibis.and_(*parts) if self.word == "all" else ibis.or_(*parts)


Condition = Leaf | Branch


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf, in the order in which they are written."""
    if isinstance(condition, Leaf):
        yield condition
    else:
        for part in condition.parts:
            yield from leaves(part)


def parse(document: Document, place: Place, faults: list[Fault]) -> Condition | None:
    """The condition that stands at a place of a document; what is wrong goes into `faults`."""
    value: Any = document.value
    for step in place:
        value = value[step]
    if not isinstance(value, dict) or not value:
        faults.append(document.fault(place, "expected a condition: `field|modifier: value`"))
        return None
    parts = [_parse_one(document, (*place, key), key, value[key], faults) for key in value]
    if any(part is None for part in parts):
        return None
    return parts[0] if len(parts) == 1 else Branch("all", tuple(part for part in parts if part))


def _parse_one(
    document: Document, place: Place, key: str, value: Any, faults: list[Fault]
) -> Condition | None:
    if key in ("all", "any"):
        return _parse_list(document, place, key, value, faults)
    if key == "not":
        part = parse(document, place, faults)
        return Branch("not", (part,)) if part else None
    try:
        return _parse_leaf(key, value)
    except Malformed as error:
        faults.append(document.fault(place, f"{key}: {error}"))
        return None


def _parse_list(
    document: Document, place: Place, word: str, value: Any, faults: list[Fault]
) -> Condition | None:
    if not isinstance(value, list) or not value:
        faults.append(document.fault(place, f"{word}: expected a list of conditions"))
        return None
    parts = [parse(document, (*place, number), faults) for number in range(len(value))]
    return None if None in parts else Branch(word, tuple(part for part in parts if part))


def _parse_leaf(key: str, value: Any) -> Leaf:
    name, _, modifier = key.partition("|")
    if name not in FIELDS:
        raise Malformed(
            f"there is no field {name!r}{suggestion(name, [*FIELDS, 'all', 'any', 'not'])}"
        )
    modifiers = FIELDS[name].modifiers | ({"has_folder": HAS_FOLDER} if name == "path" else {})
    if modifier not in modifiers:
        known = [word or "no modifier" for word in modifiers]
        raise Malformed(f"{name!r} has no modifier {modifier!r}{suggestion(modifier, known)}")
    return Leaf(name, modifier, modifiers[modifier].read(value), value)
