"""Room: what stands in a workbook's rows, made the same way on the way out and back in.

In: proposals. Out: rows as plain values by column title. A row's `Check` is a digest of everything
else the toolkit wrote in it: with it, an altered cell and a changed estate can be told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis
import xxhash

from migrate.engine.query import Query
from migrate.paths import printable
from migrate.wording import moment

Value = str | int | datetime | None
Row = dict[str, Value]

PROPOSALS = {
    "dispose": "Dispose", "review": "Please decide", "migrate": "Migrate", "hold": "On hold",
    "unreadable": "Cannot be read", "not_a_file": "Not a file",
}  # fmt: skip
LONGEST_TEXT = 32_000  # Excel: 32,767 characters in a cell


@dataclass(frozen=True)
class Column:
    title: str
    width: int
    wrap: bool = False
    hidden: bool = False


DECISION, COMMENT, KEY, CHECK = "Decision", "Comment", "Key", "Check"
_DECIDE = [Column(DECISION, 12), Column(COMMENT, 28, wrap=True)]
_KEYS = [Column(KEY, 24, hidden=True), Column(CHECK, 20, hidden=True)]

FILE_COLUMNS = [
    *_DECIDE,
    Column("Proposal", 14),
    Column("Why", 64, wrap=True),
    Column("Path", 56, wrap=True),
    Column("Size (bytes)", 13),
    Column("Modified", 12),
    Column("Owner", 14),
    Column("Duplicate of", 40, wrap=True),
    Column("Also found", 32, wrap=True),
    Column("How sure", 10),
    Column("Rule", 30, wrap=True),
    Column("Authority", 32, wrap=True),
    *_KEYS,
]
GROUP_COLUMNS = [
    *_DECIDE,
    Column("Proposal", 14),
    Column("Folder", 56, wrap=True),
    Column("What", 44, wrap=True),
    Column("Files", 10),
    Column("Size (bytes)", 15),
    Column("Oldest", 12),
    Column("Newest", 12),
    *_KEYS,
]
INFO_COLUMNS = [
    Column("State", 16),
    Column("Why", 64, wrap=True),
    Column("Path", 64, wrap=True),
    Column("Size (bytes)", 13),
    Column("Modified", 12),
    Column("Owner", 14),
]


def text(value: str | None) -> str | None:
    """A text that a cell can hold and that shows everything it contains; None for none."""
    if not value:
        return None
    # _x0041_ is an A to spreadsheet programs; a name that holds such a thing keeps its letters.
    safe = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", r"\\x5f", printable(value))
    return safe[:LONGEST_TEXT]


def _day(time_ns: int | None) -> datetime | None:
    when = None if time_ns is None else moment(time_ns)
    # Excel knows no days before 1900.
    return when.replace(tzinfo=None) if when and when.year >= 1900 else None


def canonical(value: Any) -> str:
    """A cell's value in the form that survives a spreadsheet program: 12.0 is 12, and a time is
    good to the minute (programs keep it as a fraction of a day)."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).replace("\r\n", "\n")


def check(row: Row) -> str:
    """Digest of what the toolkit wrote in a row: every column but the person's two and itself."""
    words = [f"{name}={canonical(row[name])}" for name in sorted(row) if name not in PERSONS]
    return xxhash.xxh3_64_hexdigest("\0".join(words).encode("utf-8", "surrogatepass"))


PERSONS = (DECISION, COMMENT, CHECK)


def file_row(record: dict[str, Any]) -> Row:
    """The row of one file (or empty folder) that a person decides on by itself."""
    row: Row = {
        "Proposal": PROPOSALS[record["proposal"]],
        "Why": text(record["reason"]),
        "Path": text(record["full_path"]),
        "Size (bytes)": record["size_bytes"],
        "Modified": _day(record["mtime_ns"]),
        "Owner": text(record["owner"]),
        "Duplicate of": text(record["dup_keeper_path"]),
        "Also found": text(record["also"]),
        "How sure": record["confidence"],
        "Rule": text(f"{record['rule_id']} {record['title']}"),
        "Authority": text(record["authority"]),
        KEY: f"F{record['entry_id']}",
    }
    return {**row, CHECK: check(row)}


def group_row(record: dict[str, Any]) -> Row:
    """The row of all files of a folder that one rule (or none) proposes to migrate."""
    what = f"{record['rule_id']} {record['title']}" if record["rule_id"] else "No rule matched"
    row: Row = {
        "Proposal": PROPOSALS["migrate"],
        "Folder": text(record["group_folder"]),
        "What": text(what),
        "Files": record["files"],
        "Size (bytes)": record["size_bytes"],
        "Oldest": _day(record["oldest_ns"]),
        "Newest": _day(record["newest_ns"]),
        KEY: group_key(record),
    }
    return {**row, CHECK: check(row)}


def group_key(record: dict[str, Any]) -> str:
    """Names a group and its members: with one file more or less it is another group."""
    name = f"{record['unit']}\0{record['group_folder']}\0{record['rule_id'] or ''}"
    members = f"\0{record['files']}\0{record['members']}"
    return "G" + xxhash.xxh3_64_hexdigest((name + members).encode("utf-8", "surrogatepass"))


def info_row(record: dict[str, Any]) -> Row:
    why = record["hold"] if record["proposal"] == "hold" else record["read_error"]
    return {
        "State": PROPOSALS[record["proposal"]],
        "Why": text(why or f"a {record['kind']}; recorded, never followed or moved"),
        "Path": text(record["full_path"]),
        "Size (bytes)": record["size_bytes"],
        "Modified": _day(record["mtime_ns"]),
        "Owner": text(record["owner"]),
    }


@dataclass(frozen=True)
class Desk:
    """The three kinds of rows, as relations kept in the query."""

    files: Any
    groups: Any
    info: Any
    members: Any  # of the groups: entry_id with the group it belongs to


def lay_out(query: Query, proposals: Any) -> Desk:
    """Sort proposals into rows for single decisions, rows for groups, and information."""
    everything = query.stored(proposals)
    single = everything.proposal.isin(["dispose", "review"]) | everything.contested
    files = everything.filter(single)
    info = everything.filter(everything.proposal.isin(["hold", "unreadable", "not_a_file"]))
    members = everything.filter(everything.proposal == "migrate", ~everything.contested)
    groups = members.group_by(["unit", "group_folder", "rule_id", "title"]).aggregate(
        files=members.count(),
        size_bytes=members.size_bytes.sum(),
        oldest_ns=members.mtime_ns.min(),
        newest_ns=members.mtime_ns.max(),
        members=members.entry_id.bit_xor(),
    )
    return Desk(files, query.stored(groups), info, members)


def of_unit(query: Query, relation: Any, unit: str, order: list[str]) -> Iterator[dict[str, Any]]:
    """A unit's records, in an order that does not depend on how the engine works."""
    return query.rows(relation.filter(relation.unit == unit).order_by(order))


FILE_ORDER = ["proposal", "lower_path", "entry_id"]
GROUP_ORDER = ["group_folder", "rule_id"]
INFO_ORDER = ["proposal", "lower_path", "entry_id"]


def units(query: Query, desk: Desk) -> list[str]:
    """Every business unit with at least one row."""
    names = [relation.select("unit") for relation in (desk.files, desk.groups, desk.info)]
    every = ibis.union(*names, distinct=True)
    return sorted(record["unit"] for record in query.rows(every))
