"""Room: what is known of every entry, in one relation that rules, reviews and manifests read.

In: entries, listings, digests, formats, groups. Out: a row for every entry of the current scans.
What is not known is NULL, and stays unknown.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import ibis

from migrate.config import Config
from migrate.engine.query import Query


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def hex(value: bytes) -> str:  # type: ignore[empty-body]
    """The engine's own function (DuckDB and Spark have it): bytes as upper-case digits."""


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def nfc_normalize(value: str) -> str:  # type: ignore[empty-body]
    """The engine's own function: one spelling for each accented letter."""


def folded(text: Any) -> Any:
    """Text as it is compared: lower case, accents composed (one name has two spellings on disks
    that Macs have written to)."""
    return nfc_normalize(text).lower()


@cache
def fold(text: str) -> str:
    """What `folded` makes of one text, by the same engine: Python's lower() differs in places."""
    answer = duckdb.execute("select lower(nfc_normalize(?))", [text]).fetchone()
    return str(answer[0]) if answer else text


def full_path(table: Any) -> Any:
    """share/folder/name, as people write paths in rules and file plans."""
    return ibis.ifelse(table.path == "", table.share, table.share + "/" + table.path)


def folder_of(full: Any) -> Any:
    """The part of a full path before its last name."""
    return full.re_replace("/[^/]*$", "")


def extension_of(name: Any) -> Any:
    return name.lower().re_extract(r"(?s)^.+\.([^.]*)$", 1)


def glob_pattern(glob: str) -> str:
    """A glob over one name as a regular expression; * and ? never cross a '/'."""
    import re

    return "".join(
        "[^/]*" if char == "*" else "[^/]" if char == "?" else re.escape(char) for char in glob
    )


def folder_pattern(globs: list[str]) -> str:
    """Whole folder names, anywhere in a lower-cased path of folders."""
    return "(^|/)(" + "|".join(glob_pattern(fold(glob)) for glob in globs) + ")(/|$)"


def is_under(full: Any, folder: str) -> Any:
    """Whether a lower-cased full path is a folder or lies below it."""
    folder = fold(folder)
    return (full == folder) | full.startswith(folder + "/")


def contents(query: Query) -> Any:
    """Files with what their bytes say; `digest` is of the whole file, NULL if unread."""
    entries = query.table("entries")
    files = entries.filter(entries.kind == "file")
    digests = query.table("digests").drop("scan_id")
    whole = query.table("whole_digests").drop("scan_id")
    joined = files.left_join(digests, "entry_id", rname="d_{name}")
    joined = joined.left_join(whole, "entry_id", rname="w_{name}")
    columns = {name: joined[name] for name in entries.columns}
    return joined.select(
        **columns,
        was_read=joined.d_entry_id.notnull(),
        sample_xxh3=joined.sample_xxh3,
        digest=ibis.coalesce(joined.xxh3_128, joined.w_xxh3_128),
        digest_sha256=ibis.coalesce(joined.sha256, joined.w_sha256),
        mime=joined.mime,
        encrypted=joined.encrypted,
        read_error=ibis.coalesce(joined.error, joined.d_error, joined.w_error),
    )


def content_key(table: Any) -> Any:
    """One value per distinct content and extension: what a format is identified once for."""
    digest = ibis.coalesce(table.digest, table.sample_xxh3)
    known = table.size_bytes.cast("string") + ":" + hex(digest) + ":" + extension_of(table.name)
    return ibis.coalesce(known, "entry " + table.entry_id.cast("string"))


def facts(query: Query, config: Config) -> Any:
    """A row for every entry, with the fields that rules know (see flag/conditions.py)."""
    table = _joined(query)
    full = full_path(table)
    lower = folded(full)
    unread = ibis.coalesce(table.read_error, table.error, table.listing_error)
    is_folder = table.kind == "folder"
    dup = _place_among_copies(query, table, unread)
    keeper = ibis.ifelse(dup == "not_keeper", table.dup_keeper_path, ibis.null("string"))
    return table.mutate(
        full_path=full,
        read_error=unread,
        lower_path=lower,
        lower_folder=ibis.ifelse(is_folder, lower, folder_of(lower)),
        ext=ibis.ifelse(is_folder, "", extension_of(table.name)),
        path_len=full.length(),
        dup=dup,
        retention_class=retention_class(lower, config),
        dup_keeper_path=keeper,
    )


def _joined(query: Query) -> Any:
    """Entries with all that other tables know of them."""
    entries = query.table("entries")
    files = contents(query)
    extra = files.select(
        "entry_id", "digest", "digest_sha256", "mime", "encrypted", "was_read", "read_error",
        content_key=content_key(files),
    )  # fmt: skip
    listings = query.table("listings")
    listings = listings.select("entry_id", "child_count", listing_error=listings.error)
    formats = query.table("formats")
    looked_at = formats.error.isnull()
    formats = formats.select(
        "content_key", "puid", "format_name", "ext_mismatch",
        identified=ibis.ifelse(looked_at, formats.puid.notnull(), ibis.null("boolean")),
    ).distinct(on="content_key")  # fmt: skip
    # Groups of an earlier scan say nothing about the files of this one.
    groups = query.table("groups").select("scan_id", "entry_id", "group_id", "role", "keeper_id")
    keepers = entries.select(keeper_id="entry_id", dup_keeper_path=full_path(entries))
    table = with_owner_names(query, entries)
    for other, key in (
        (extra, "entry_id"), (listings, "entry_id"), (formats, "content_key"),
        (groups, ["scan_id", "entry_id"]), (keepers, "keeper_id"),
    ):  # fmt: skip
        table = table.left_join(other, key)
        table = table.drop(*(name for name in table.columns if name.endswith("_right")))
    return table


def with_owner_names(query: Query, entries: Any) -> Any:
    """Entries whose owner is a SID get the account's name, where its server told it."""
    accounts = query.table("accounts").distinct(on=["share", "sid"], keep="last")
    accounts = accounts.select("share", owner="sid", owner_name="name")
    named = entries.left_join(accounts, ["share", "owner"])
    return named.mutate(owner=ibis.coalesce(named.owner_name, named.owner)).select(entries.columns)


def _place_among_copies(query: Query, table: Any, unread: Any) -> Any:
    """keeper, not_keeper, hard_link or none; NULL for what was not read or not compared."""
    readable = (table.kind == "file") & unread.isnull() & table.was_read
    return ibis.cases(
        (table.role == "copy", "not_keeper"),
        (table.role.notnull(), table.role),
        (ibis.and_(readable, query.estate.groups_are_current()), "none"),
    )


def retention_class(lower_path: Any, config: Config) -> Any:
    """The class of the longest file plan line that a path lies under; NULL if none has one."""
    lines = sorted(config.file_plan, key=lambda line: -len(line.folder))
    branches = [
        (is_under(lower_path, line.folder), line.retention_class)
        for line in lines
        if line.retention_class
    ]
    return ibis.cases(*branches) if branches else ibis.null("string")
