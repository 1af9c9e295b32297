"""Room: the rows of a workbook, made the same way on the way out and back in.

In: records of the desk. Out: rows as plain values by column title. A row's `Check` is a digest of
what the toolkit says in it: with it, a mangled cell and a changed estate can be told apart.
"""

from __future__ import annotations

from typing import Any

import xxhash

from migrate.plan import SCOPES
from migrate.review.columns import (
    BARRED,
    CATEGORIES,
    CHECK,
    COMMENT,
    CONTESTED,
    COPIES,
    DECISION,
    DIGEST,
    KEEP,
    KEY,
    MODIFIED,
    NO_RULE,
    PROPOSALS,
    SIZE,
    STANDS,
    SURENESS,
    Row,
    Value,
    check,
    day,
    kilobytes,
    text,
)
from migrate.wording import count_text, date_text, size_text

Record = dict[str, Any]
FOLDER, FILE, KEPT, COPY = "Folder", "File", "Kept", "Copy"

# What each kind of row is made of: a table's other columns need not be read and sorted.
_STANDS = ["own_decision", "own_sheet", "own_comment", "stands", "stands_by", "stands_scope",
           "stands_fits", "withheld"]  # fmt: skip
_SHOWN = ["entry_id", "full_path", "folder", "proposal", "contested", "size_bytes", "mtime_ns",
          "owner", "digest"]  # fmt: skip
FILE_NEEDS = [*_SHOWN, "reason", "confidence", "authority", "dup_keeper_path", "also", "rule_id",
              "title", *_STANDS]  # fmt: skip
COPY_NEEDS = [*_SHOWN, "unit", "for_unit", "hold", "here", "read_error", "keeper_name",
              "group_files", "group_id", "role", "permissions_differ", *_STANDS]  # fmt: skip
INFO_NEEDS = [*_SHOWN, "kind", "hold", "read_error"]


def file_key(record: Record) -> str:
    return f"F{record['entry_id']}"


def line_key(record: Record, scope: str) -> str:
    """Names a line and its members: with one file more or less it is another line."""
    place = record["line_folder"] if scope == "folder" else record["rule_id"] or ""
    words = [record["unit"], place, record["proposal"], str(record["contested"])]
    words += [str(record["files"]), str(record["members"])]
    digest = xxhash.xxh3_64_hexdigest("\0".join(words).encode("utf-8", "surrogatepass"))
    return ("L" if scope == "folder" else "R") + digest


def proposal_words(record: Record) -> str:
    return CONTESTED if record["contested"] else PROPOSALS[record["proposal"]]


def folder_row(record: Record) -> Row:
    """The line of all items of a folder that have one proposal."""
    row: Row = {
        "Line": FOLDER,
        "Proposal": proposal_words(record),
        "Path": text(record["line_folder"]),
        "Why": text(
            f"{_how_much(record)} {record['why']}.{_in_particular(record)}"
            f"{_tree(record) or _all_copies(record)}{_other_readers(record)}"
        ),
        "Files": record["files"],
        SIZE: kilobytes(record["size_bytes"]),
        MODIFIED: day(record["newest_ns"]),
        "How sure": _sure(_one_of(record["sure_low"], record["sure_high"])),
        "Authority": text(record["authorities"]),
        "Owner": text(_one_of(record["owner_low"], record["owner_high"])),
        "Duplicate of": text(record["of_path"] or _kept_in(record)),
        "Hold": _held(record),
        "Also found": None,
        "Rule": count_text(record["rule_count"], "rule"),
        KEY: line_key(record, "folder"),
    }
    exact = f"{record['size_bytes']} {record['oldest_ns']} {record['newest_ns']}"
    return {**_said(record, record["line_low"] if _all_decided(record) else None), **row,
            CHECK: check(row, exact)}  # fmt: skip


def _how_much(record: Record) -> str:
    count, of = record["files"], record["folder_items"]
    if record["whole"]:
        return f"The whole folder, {count_text(count, 'item')}:"
    return f"{count:,} of the {of:,} items here:"


def _in_particular(record: Record) -> str:
    """The rule's reason with the value that triggered it, if it is the same for all; else from when
    to when they were last changed."""
    if record["reason_low"] and record["reason_low"] == record["reason_high"]:
        return f" {record['reason_low']}"
    oldest, newest = date_text(record["oldest_ns"]), date_text(record["newest_ns"])
    return f" Last changed between {oldest} and {newest}." if oldest != newest else ""


def _all_copies(record: Record) -> str:
    """Whether the line is a replica of what is kept elsewhere."""
    if record["copies"] != record["files"]:
        return ""
    where = _kept_in(record) or "several folders"
    if record["files"] == 1:
        return ""  # its reason says so
    return f" Every one is an identical copy of a file that is kept in {where}."


def _kept_in(record: Record) -> str | None:
    """The folder that keeps a copy of every item of a line, if one does."""
    kept = record["kept_low"]
    return kept if record["copies"] == record["files"] and kept == record["kept_high"] else None


def _tree(record: Record) -> str:
    """What the whole folder is a copy of, and what of it is nowhere else."""
    kind, of = record["tree_kind"], record["of_path"]
    if kind == "identical":
        return f" This folder is the same as {of}, which stays: the same names, the same contents."
    if kind == "contained":
        return f" Every file with content in this folder is kept in {of}."
    if kind != "overlap":
        return ""
    shared, files = record["tree_shared_files"], record["tree_files"]
    only = record["only_here_files"]
    part = f" {shared:,} of the {files:,} files ({100 * shared // files}%) are also in {of}"
    if not only:
        return f"{part}; the others have copies elsewhere."
    size = size_text(record["only_here_size_bytes"])
    return f"{part}. Only here: {count_text(only, 'file')}, {size}{_names(record)}."


def _names(record: Record) -> str:
    """The first of the files that are only here."""
    if not record["only_here_names"]:
        return ""
    more = record["only_here_files"] - record["only_here_named"]
    return f" ({record['only_here_names']}{f' and {more:,} more' if more > 0 else ''})"


def _other_readers(record: Record) -> str:
    """How many copies other people may open than those that stay."""
    if not record["differ"]:
        return ""
    has = "has" if record["differ"] == 1 else "have"
    return f" {record['differ']:,} of them {has} other permissions than the copy that stays."


def _held(record: Record) -> str | None:
    if not record["folder_held"]:
        return None
    verb = "is" if record["folder_held"] == 1 else "are"
    return f"{record['folder_held']:,} here {verb} on hold and not covered"


def _sure(confidence: str | None) -> str | None:
    return SURENESS.get(confidence or "", confidence)


def _one_of(low: str | None, high: str | None) -> str | None:
    """What all have in common."""
    return low if low == high else "various"


def _all_decided(record: Record) -> bool:
    """Whether every item of a line was decided on with the line, and alike."""
    same = record["line_low"] == record["line_high"]
    return bool(same and record["line_decided"] == record["files"])


def _said(record: Record, decision: str | None) -> Row:
    """What was decided on a line so far: prefilled where it was decided as a whole."""
    done, of = record["decided"], record["files"]
    stands = None
    if decision:
        stands = text(f"{decision}, by {record['line_by']}")
    elif done:
        stands = f"{done:,} of {of:,} are decided on by other lines"
    if record["withheld"]:
        stands = f"{stands}; {record['withheld']:,} not carried out"
    comment = text(record["line_comment"]) if decision else None
    return {DECISION: decision, COMMENT: comment, STANDS: stands}


def file_row(record: Record) -> Row:
    """One file (or empty folder) beneath its folder's line."""
    row: Row = {
        "Line": FILE,
        "Proposal": proposal_words(record),
        "Path": text(record["full_path"]),
        "Why": text(record["reason"] or "No rule matched: nothing speaks against moving it."),
        "Files": None,
        SIZE: kilobytes(record["size_bytes"]),
        MODIFIED: day(record["mtime_ns"]),
        "How sure": _sure(record["confidence"]),
        "Authority": text(record["authority"]),
        "Owner": text(record["owner"]),
        "Duplicate of": text(record["dup_keeper_path"]),
        "Hold": None,
        "Also found": text(record["also"]),
        "Rule": text(f"{record['rule_id']} {record['title']}") if record["rule_id"] else None,
        DIGEST: _digest(record),
        KEY: file_key(record),
    }
    mine = record["own_decision"] is not None and not _on_copies(record)
    said = _own(record, record["own_decision"] if mine else None)
    return {**said, **row, CHECK: check(row, _state(record))}


def _on_copies(record: Record) -> bool:
    """Whether a file's decision was taken among the copies."""
    return str(record["own_sheet"]).startswith(COPIES)


def _own(record: Record, decision: str | None) -> Row:
    """A file's decision by itself, prefilled where it was taken; and which decision is in force."""
    comment = text(record["own_comment"]) if decision else None
    return {DECISION: decision, COMMENT: comment, STANDS: stands(record)}


def stands(record: Record) -> str | None:
    """The decision in force, in words."""
    if not record["stands"]:
        return None
    if not record["stands_fits"]:
        return f"was {record['stands']}; changed since, decide again"
    how = SCOPES[record["stands_scope"]]
    why = f"; not carried out: {record['withheld']}" if record["withheld"] else ""
    return text(f"{record['stands']}, {how}, by {record['stands_by']}{why}")


def _state(record: Record) -> str:
    return f"{record['size_bytes']} {record['mtime_ns']}"


def _digest(record: Record) -> Value:
    return record["digest"].hex() if record["digest"] else None


def copy_row(record: Record) -> Row:
    """One of the files of a group of identical ones."""
    row: Row = {
        **_group(record),
        "Line": KEPT if record["role"] == "keeper" else COPY,
        "Path": text(record["full_path"]),
        "Proposal": proposal_words(record),
        BARRED: text(_barred(record)),
        "Permissions": "not those of the file kept" if record["permissions_differ"] else None,
        SIZE: kilobytes(record["size_bytes"]),
        MODIFIED: day(record["mtime_ns"]),
        "Owner": text(record["owner"]),
        DIGEST: _digest(record),
        KEY: file_key(record),
    }
    kept = record["here"] and record["own_decision"] is not None and _on_copies(record)
    return {**_own(record, KEEP if kept else None), **row, CHECK: check(row, _state(record))}


def _group(record: Record) -> Row:
    return {
        "Group": text(f"{record['keeper_name']} × {record['group_files']:,}"),
        "Group key": f"D{record['group_id']}",
    }


def _barred(record: Record) -> str | None:
    """Whose a copy is that is not decided on in this workbook, or why nobody decides on it."""
    state = record["hold"] or record["read_error"]
    if record["unit"] != record["for_unit"]:
        whose = f"it belongs to {record['unit']}"
        return f"{whose}; {state}" if state else whose
    return None if record["here"] else state or RELIED_ON


RELIED_ON = "copies of other units may go because it stays"


def more_copies_row(record: Record, more: int) -> Row:
    """How many copies of other units a group has beyond those that are shown."""
    return {
        **_group(record),
        "Line": COPY,
        "Path": f"and {count_text(more, 'more copy', 'more copies')}",
        BARRED: "of other units: “migrate explain” names them, and also_at.csv with the manifest",
    }


def rule_row(record: Record) -> Row:
    """The line of all items that one rule decides, with one proposal."""
    rule = f"{record['rule_id']} {record['title']}" if record["rule_id"] else NO_RULE
    row: Row = {
        "Proposal": proposal_words(record),
        "Rule": text(rule),
        "Category": CATEGORIES.get(record["category"]),
        "How sure": _sure(record["confidence"]),
        "Why, for example": text(record["example"] or "Nothing speaks against moving these."),
        "Authority": text(record["authority"]),
        "Files": record["files"],
        SIZE: kilobytes(record["size_bytes"]),
        "Oldest": day(record["oldest_ns"]),
        "Newest": day(record["newest_ns"]),
        KEY: line_key(record, "rule"),
    }
    exact = f"{record['size_bytes']} {record['oldest_ns']} {record['newest_ns']}"
    return {**_said(record, record["line_low"] if _all_decided(record) else None), **row,
            CHECK: check(row, exact)}  # fmt: skip


def info_row(record: Record) -> Row:
    """What nobody decides on here, and why."""
    why = record["hold"] if record["proposal"] == "hold" else record["read_error"]
    return {
        "State": PROPOSALS[record["proposal"]],
        "Why": text(why or f"{_KINDS[record['kind']]}; recorded, never followed or moved"),
        "Path": text(record["full_path"]),
        SIZE: kilobytes(record["size_bytes"]),
        MODIFIED: day(record["mtime_ns"]),
        "Owner": text(record["owner"]),
    }


_KINDS = {"symlink": "a link", "other": "a pipe, socket or device"}
