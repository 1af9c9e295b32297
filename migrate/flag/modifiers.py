"""Room: the modifiers of the rule language: how a condition `field|modifier: value` asks.

In: a column of facts and a value. Out: an expression that is true, false or unknown (NULL).
Each modifier is one function, with the kind of value it wants, its documentation and an example
that tests run. What is not known makes a condition unknown, and an unknown condition matches
nothing, also under `not`.

To add a modifier, add one function and name it in a table. What can be asked about, fields.py says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import ibis
from msgspec import Struct
from msgspec.structs import replace

from migrate.expressions import is_under
from migrate.flag import values
from migrate.flag.values import Kind, days_before, nanoseconds
from migrate.patterns import folder_pattern, glob_pattern
from migrate.wording import NANOSECOND

DAY_NS = 86_400 * NANOSECOND


class Example(Struct, frozen=True):
    """A condition as people write it, and facts (as in a rule's examples) it hits and misses."""

    match: str
    hit: str
    miss: str


class Modifier(Struct, frozen=True):
    """One way to ask of a column."""

    word: str  # what stands after the '|'
    value: Kind
    ask: Callable[[Any, Any, date], Any]
    example: Example
    listed: bool = False  # the value names a list of estate.yaml, whose lines are the values

    @property
    def meaning(self) -> str:
        return " ".join((self.ask.__doc__ or "").split())


def modifier(
    word: str, value: Kind, match: str, hit: str, miss: str, listed: bool = False
) -> Callable[[Callable[[Any, Any, date], Any]], Modifier]:
    """Make a function a modifier: its documentation is the function's."""
    return lambda ask: Modifier(word, value, ask, Example(match, hit, miss), listed)


def _any_of(column: Any, texts: list[str], test: Callable[[Any, str], Any]) -> Any:
    return ibis.or_(*(test(column, text) for text in texts))


@modifier("", values.TEXT, "name: contract.doc", "CONTRACT.DOC", "contract.docx")
def equals(column: Any, value: str, as_of: date) -> Any:
    """Is this text."""
    return column == value


@modifier("in", values.TEXTS, "name|in: [thumbs.db, desktop.ini]", "Thumbs.db", "thumbs.dbx")
def is_in(column: Any, texts: list[str], as_of: date) -> Any:
    """Is one of these texts."""
    return column.isin(texts)


@modifier("glob", values.TEXTS, "name|glob: '~$*.docx'", "~$plan.docx", "plan.docx")
def glob(column: Any, texts: list[str], as_of: date) -> Any:
    """The whole of it fits; * and ? stand for any characters but '/'."""
    return column.re_search("^(" + "|".join(map(glob_pattern, texts)) + ")$")


@modifier("contains", values.TEXTS, "name|contains: draft", "my DRAFTS.doc", "final.doc")
def contains(column: Any, texts: list[str], as_of: date) -> Any:
    """This text is somewhere in it."""
    return _any_of(column, texts, lambda c, text: c.contains(text))


@modifier("startswith", values.TEXTS, "name|startswith: '._'", "._plan.doc", "plan._doc")
def startswith(column: Any, texts: list[str], as_of: date) -> Any:
    """Begins with this text."""
    return _any_of(column, texts, lambda c, text: c.startswith(text))


@modifier("endswith", values.TEXTS, "name|endswith: '~'", "plan.txt~", "~plan.txt")
def endswith(column: Any, texts: list[str], as_of: date) -> Any:
    """Ends with this text."""
    return _any_of(column, texts, lambda c, text: c.endswith(text))


@modifier("re", values.PATTERN, r"name|re: '^img_\d{4}\.'", "IMG_2034.jpg", "IMG_20.jpg")
def matches(column: Any, pattern: str, as_of: date) -> Any:
    """The regular expression is found in it, capitals or not; ^ and $ stand for its ends. RE2:
    linear time, without lookaround and references back."""
    return column.re_search(pattern)


@modifier("exists", values.YES_NO, "owner|exists: false", "a.doc", "{name: a.doc, owner: ann}")
def exists(column: Any, value: bool, as_of: date) -> Any:
    """Whether the fact is known: a question about the toolkit's knowledge. A rule that proposes
    disposal may not ask for what is *not* known."""
    return column.notnull() if value else column.isnull()


@modifier(
    "in_list", values.TEXTS, "owner|in_list: leavers", "{name: a, owner: bob}",
    "{name: a, owner: ann}", listed=True,
)  # fmt: skip
def is_in_list(column: Any, texts: list[str], as_of: date) -> Any:
    """Is a line of a list that estate.yaml names under `lists` (in the example, `bob`)."""
    return column.isin(texts)


@modifier(
    "under", values.FOLDERS, "path|under: dept/Finance", "{path: dept/Finance/a/b.doc}",
    "{path: dept/Finance2/a.doc}",
)  # fmt: skip
def under(column: Any, folders: list[str], as_of: date) -> Any:
    """The folder itself and all below it."""
    return ibis.or_(*(is_under(column, folder) for folder in folders))


@modifier(
    "under_list", values.FOLDERS, "path|under_list: on_hold", "{path: dept/Prisons/a.doc}",
    "{path: dept/Courts/a.doc}", listed=True,
)  # fmt: skip
def under_list(column: Any, folders: list[str], as_of: date) -> Any:
    """Lies under a line of a list that estate.yaml names (in the example, `dept/Prisons`)."""
    return ibis.or_(*(is_under(column, folder) for folder in folders))


@modifier(
    "has_folder", values.TEXTS, "path|has_folder: [backup, old *]", "{path: s/Old stuff/x.doc}",
    "{path: s/backup policy/backup}",
)  # fmt: skip
def has_folder(column: Any, globs: list[str], as_of: date) -> Any:
    """One of the folders on the way has this whole name (* and ? as in glob). A file's own name
    does not count."""
    return column.re_search(folder_pattern(globs))


@modifier("", values.EXTENSIONS, "ext: [doc, docx]", "plan.DOC", "plan.pdf")
def extension_is(column: Any, texts: list[str], as_of: date) -> Any:
    """Is this extension, or one of these."""
    return column.isin(texts)


@modifier(
    "", values.DIGESTS, f"sha256: {'ab' * 32}", f"{{name: a, sha256: {'ab' * 32}}}",
    f"{{name: a, sha256: {'cd' * 32}}}",
)  # fmt: skip
def digest_is(column: Any, texts: list[str], as_of: date) -> Any:
    """Is this digest, or one of these."""
    return column.isin(texts)


@modifier("", values.NUMBER, "size: 0", "{name: a, size: 0}", "{name: a, size: 1}")
def number_is(column: Any, value: int, as_of: date) -> Any:
    """Is this number."""
    return column == value


@modifier("gt", values.NUMBER, "size|gt: 2GB", "{name: a, size: 3GB}", "{name: a, size: 2GB}")
def more_than(column: Any, value: int, as_of: date) -> Any:
    """Is more than this."""
    return column > value


@modifier("ge", values.NUMBER, "size|ge: 1MB", "{name: a, size: 1MB}", "{name: a, size: 1023KB}")
def at_least(column: Any, value: int, as_of: date) -> Any:
    """Is this or more."""
    return column >= value


@modifier("lt", values.NUMBER, "path_len|lt: 9", "{path: s/a}", "{path: s/a/b/c/d/e/f}")
def less_than(column: Any, value: int, as_of: date) -> Any:
    """Is less than this."""
    return column < value


@modifier("le", values.NUMBER, "size|le: 4KB", "{name: a, size: 4096}", "{name: a, size: 5KB}")
def at_most(column: Any, value: int, as_of: date) -> Any:
    """Is this or less."""
    return column <= value


@modifier(
    "between", values.RANGE, "size|between: [1, 10]", "{name: a, size: 10}", "{name: a, size: 11}"
)
def between(column: Any, value: tuple[int, int], as_of: date) -> Any:
    """Is one of these or lies between them."""
    return column.between(*value)


@modifier(
    "older_than", values.AGE, "mtime|older_than: 7y", "{name: a, age: 9y}", "{name: a, age: 2y}"
)
def older_than(column: Any, value: str, as_of: date) -> Any:
    """Before the day that lies this far back from the one ages count from (--as-of). Months and
    years are the calendar's."""
    return column < nanoseconds(days_before(as_of, value))


@modifier(
    "newer_than", values.AGE, "mtime|newer_than: 30d", "{name: a, age: 7d}", "{name: a, age: 2mo}"
)
def newer_than(column: Any, value: str, as_of: date) -> Any:
    """On or after the day that lies this far back."""
    return column >= nanoseconds(days_before(as_of, value))


@modifier(
    "before", values.DAY, "mtime|before: 2000-01-01", "{name: a, age: 30y}", "{name: a, age: 1y}"
)
def before(column: Any, value: date | None, as_of: date) -> Any:
    """Before the beginning of this day, UTC."""
    return column < nanoseconds(value or as_of)


@modifier(
    "since", values.DAY, "mtime|since: 2020-12-31", "{name: a, age: 1y}", "{name: a, age: 30y}"
)
def since(column: Any, value: date | None, as_of: date) -> Any:
    """On this day or later, UTC."""
    return column >= nanoseconds(value or as_of)


@modifier(
    "until", values.DAY, "mtime|until: 2020-12-31", "{name: a, age: 30y}", "{name: a, age: 1y}"
)
def until(column: Any, value: date | None, as_of: date) -> Any:
    """On this day or earlier, UTC."""
    return column < nanoseconds(value or as_of) + DAY_NS


@modifier(
    "", values.YES_NO, "encrypted: true", "{name: a, encrypted: true}",
    "{name: a, encrypted: false}",
)  # fmt: skip
def flag_is(column: Any, value: bool, as_of: date) -> Any:
    """Is so, or is not so."""
    return column == value


def _table(*modifiers: Modifier) -> dict[str, Modifier]:
    return {modifier.word: modifier for modifier in modifiers}


TEXT = _table(equals, is_in, glob, contains, startswith, endswith, matches, is_in_list, exists)
EXTENSION = {
    word: replace(one, value=values.EXTENSIONS) if one.value is values.TEXTS else one
    for word, one in TEXT.items()
} | _table(extension_is)
NUMBER = _table(number_is, more_than, at_least, less_than, at_most, between, exists)
TIME = _table(older_than, newer_than, before, since, until, exists)
FLAG = _table(flag_is, exists)
PATH = TEXT | _table(under, under_list, has_folder)
DIGEST = {word: replace(TEXT[word], value=values.DIGESTS) for word in ("in", "in_list")} | _table(
    digest_is, exists
)


def choice(*choices: str) -> dict[str, Modifier]:
    """A field with a closed list of values."""
    kind = values.one_of(*choices)
    example = replace(is_in.example, match="kind: file", hit="a", miss="{name: a, kind: folder}")
    return {word: replace(is_in, word=word, value=kind, example=example) for word in ("", "in")} | {
        "exists": exists
    }
