"""Room: the fields of the rule language: what a condition `field|modifier: value` may ask about.

In: facts. Out: the columns that conditions look at, and which modifiers suit each.
To add a field, add one line to FIELDS.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from migrate.expressions import folded, hex
from migrate.flag.modifiers import (
    DIGEST,
    EXTENSION,
    FLAG,
    NUMBER,
    PATH,
    TEXT,
    TIME,
    Modifier,
    choice,
)
from migrate.inside.patterns import MARKINGS


class Field(Struct, frozen=True):
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
    "kind": Field(lambda t: t.kind, choice(*KINDS), "what it is", "kind"),
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
        lambda t: t.format_risk, choice("high", "moderate", "low"),
        "how NARA rates the format (plan of 2026-03-20)", "format_risk",
    ),
    "format_action": Field(
        lambda t: t.format_action, choice("retain", "transform", "assess", "identify_version"),
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
        lambda t: t.dup, choice("keeper", "not_keeper", "hard_link", "none"),
        "place in a group of identical files", "dup",
    ),
    "dup_count": Field(
        lambda t: t.member_count, NUMBER, "identical files in its group", "member_count"
    ),
    "folder_copy": Field(
        lambda t: t.folder_copy, choice("identical", "contained", "overlap", "none"),
        "that of the whole folder: with all that is also there in a tree that exists elsewhere "
        "(identical: under the same names; contained: in one other folder); or what is nowhere "
        "else in one that nearly does (overlap)", "folder_copy",
    ),
    "permissions_differ": Field(
        lambda t: t.permissions_differ, FLAG,
        "of a copy: other people may open it than the one that is kept", "permissions_differ",
    ),
    "version": Field(
        lambda t: t.version, choice("latest", "not_latest", "none"),
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
        lambda t: t.members_elsewhere, choice("all", "some", "none"),
        "which files of an archive also lie outside, by name, size and CRC-32",
        "members_elsewhere",
    ),
    "shortcut": Field(
        lambda t: t.shortcut, choice("works", "gone", "web"),
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
        lambda t: t.marking, choice(*MARKINGS),
        "highest protective marking in headers, footers, first or last lines of the text",
        "marking",
    ),
    "near_dup": Field(
        lambda t: t.near_dup, choice("newest", "not_newest", "none"),
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
        lambda t: t.retention_action, choice("destroy", "review", "transfer", "keep"),
        "what its schedule says happens then", "retention_action",
    ),
    "retention_certain": Field(
        lambda t: t.retention_certain, FLAG,
        "its due date counts from a closing date in the file plan, not from an inferred one or a "
        "proxy", "retention_certain",
    ),
}  # fmt: skip
