"""Room: the conditions of the rule language, `field|modifier: value`.

In: a column of facts and a value. Out: an expression that is true, false or unknown (NULL).
Each modifier is one function, with the kind of value it wants, its documentation and an example
that tests run. What is not known makes a condition unknown, and an unknown condition matches
nothing, also under `not`.

To add a modifier, add one function and name it in a table; a field, one line to FIELDS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import ibis

from migrate.expressions import folded, hex, is_under
from migrate.flag import values
from migrate.flag.values import Kind, days_before, nanoseconds
from migrate.inside.patterns import MARKINGS
from migrate.patterns import folder_pattern, glob_pattern
from migrate.wording import NANOSECOND

DAY_NS = 86_400 * NANOSECOND


@dataclass(frozen=True)
class Example:
    """A condition as people write it, and facts (as in a rule's examples) it hits and misses."""

    match: str
    hit: str
    miss: str


@dataclass(frozen=True)
class Modifier:
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


def _choice(*choices: str) -> dict[str, Modifier]:
    """A field with a closed list of values."""
    kind = values.one_of(*choices)
    example = replace(is_in.example, match="kind: file", hit="a", miss="{name: a, kind: folder}")
    return {word: replace(is_in, word=word, value=kind, example=example) for word in ("", "in")} | {
        "exists": exists
    }


@dataclass(frozen=True)
class Field:
    column: Callable[[Any], Any]
    modifiers: dict[str, Modifier]
    meaning: str
    fact: str | None = None  # the column of facts an example sets; None: worked out from others


def fold_names(facts: Any) -> Any:
    """Facts with names folded once, for many conditions that look at them. (Half of the time went
    into folding them for each.)"""
    return facts.mutate(lower_name=folded(facts.name))


def _name(facts: Any) -> Any:
    return facts.lower_name if "lower_name" in facts.columns else folded(facts.name)


KINDS = ["file", "folder", "symlink", "other"]
FIELDS: dict[str, Field] = {
    "name": Field(_name, TEXT, "the file's or folder's name"),
    "path": Field(lambda t: t.lower_path, PATH, "share/folder/name"),
    "ext": Field(lambda t: t.ext, EXTENSION, "extension, without the dot; '' for none"),
    "kind": Field(lambda t: t.kind, _choice(*KINDS), "what it is", "kind"),
    "unit": Field(
        lambda t: folded(t.unit), TEXT, "business unit whose folder it is in, or Unassigned", "unit"
    ),
    "size": Field(lambda t: t.size_bytes, NUMBER, "bytes", "size_bytes"),
    "mtime": Field(lambda t: t.mtime_ns, TIME, "last modified", "mtime_ns"),
    "ctime": Field(
        lambda t: t.ctime_ns, TIME, "last change of name, rights or content", "ctime_ns"
    ),
    "atime": Field(
        lambda t: t.atime_ns, TIME, "last opened, where the server keeps it", "atime_ns"
    ),
    "birthtime": Field(
        lambda t: t.birthtime_ns, TIME, "created on this file system", "birthtime_ns"
    ),
    "owner": Field(
        lambda t: folded(t.owner), TEXT, "account name, or number if nobody has it", "owner"
    ),
    "mime": Field(lambda t: t.mime.lower(), TEXT, "MIME type of the content", "mime"),
    "puid": Field(lambda t: t.puid, TEXT, "PRONOM identifier of the content", "puid"),
    "identified": Field(
        lambda t: t.identified, FLAG, "whether PRONOM knows the format; unknown until it was asked",
        "identified",
    ),
    "format_risk": Field(
        lambda t: t.format_risk, _choice("high", "moderate", "low"),
        "how NARA rates the format (plan of 2026-03-20)", "format_risk",
    ),
    "format_action": Field(
        lambda t: t.format_action, _choice("retain", "transform", "assess", "identify_version"),
        "what NARA does with the format", "format_action",
    ),
    "encrypted": Field(lambda t: t.encrypted, FLAG, "locked with a password", "encrypted"),
    "ext_mismatch": Field(
        lambda t: t.ext_mismatch, FLAG, "the extension is not the content's", "ext_mismatch"
    ),
    "sha256": Field(
        lambda t: hex(t.digest_sha256).lower(), DIGEST, "SHA-256 of the content, where it was taken"
    ),
    "dup": Field(
        lambda t: t.dup, _choice("keeper", "not_keeper", "hard_link", "none"),
        "place in a group of identical files", "dup",
    ),
    "dup_count": Field(
        lambda t: t.member_count, NUMBER, "identical files in its group", "member_count"
    ),
    "folder_copy": Field(
        lambda t: t.folder_copy, _choice("identical", "contained", "overlap", "none"),
        "that of the whole folder: with all that is also there in a tree that exists elsewhere "
        "(identical: under the same names; contained: in one other folder); or what is nowhere "
        "else in one that nearly does (overlap)", "folder_copy",
    ),
    "permissions_differ": Field(
        lambda t: t.permissions_differ, FLAG,
        "of a copy: other people may open it than the one that is kept", "permissions_differ",
    ),
    "version": Field(
        lambda t: t.version, _choice("latest", "not_latest", "none"),
        "place among versions of one document, by name and date, in one folder", "version",
    ),
    "rendition_of": Field(
        lambda t: folded(t.rendition_of), TEXT,
        "the document of the same name beside it, of which this PDF or web page may be made",
        "rendition_of",
    ),
    "members": Field(
        lambda t: t.members, NUMBER, "files packed in an archive, empty ones left out", "members"
    ),
    "members_elsewhere": Field(
        lambda t: t.members_elsewhere, _choice("all", "some", "none"),
        "which files of an archive also lie outside, by name, size and CRC-32",
        "members_elsewhere",
    ),
    "shortcut": Field(
        lambda t: t.shortcut, _choice("works", "gone", "web"),
        "where a shortcut leads: to what is in the estate, to what is not there any more, or to a "
        "web address; unknown where estate.yaml does not say what is meant", "shortcut",
    ),
    "shortcut_target": Field(
        lambda t: folded(t.shortcut_target), TEXT, "what a shortcut points to", "shortcut_target"
    ),
    "ni_numbers": Field(
        lambda t: t.ni_numbers, NUMBER, "different National Insurance numbers in a document's text",
        "ni_numbers",
    ),
    "nhs_numbers": Field(
        lambda t: t.nhs_numbers, NUMBER,
        "different NHS numbers in the text, with a valid check digit and the word NHS",
        "nhs_numbers",
    ),
    "prison_numbers": Field(
        lambda t: t.prison_numbers, NUMBER, "different prison numbers in the text (A1234BC)",
        "prison_numbers",
    ),
    "pnc_numbers": Field(
        lambda t: t.pnc_numbers, NUMBER,
        "different PNC and CRO numbers in the text, with a valid check letter", "pnc_numbers",
    ),
    "marking": Field(
        lambda t: t.marking, _choice(*MARKINGS),
        "highest protective marking in headers, footers, first or last lines of the text",
        "marking",
    ),
    "near_dup": Field(
        lambda t: t.near_dup, _choice("newest", "not_newest", "none"),
        "place among documents of nearly the same wording", "near_dup",
    ),
    "child_count": Field(lambda t: t.child_count, NUMBER, "entries in a folder", "child_count"),
    "path_len": Field(lambda t: t.path_len, NUMBER, "characters of the path", "path_len"),
    "link_count": Field(
        lambda t: t.link_count, NUMBER, "names of the file (hard links)", "link_count"
    ),
    "retention_class": Field(
        lambda t: folded(t.retention_class), TEXT, "from the file plan", "retention_class"
    ),
    "retention_due": Field(
        lambda t: t.retention_due_ns, TIME, "when its class's schedule ends", "retention_due_ns"
    ),
    "retention_action": Field(
        lambda t: t.retention_action, _choice("destroy", "review", "transfer", "keep"),
        "what its schedule says happens then", "retention_action",
    ),
    "retention_certain": Field(
        lambda t: t.retention_certain, FLAG,
        "its due date counts from a closing date in the file plan, not from an inferred one or a "
        "proxy", "retention_certain",
    ),
}  # fmt: skip
