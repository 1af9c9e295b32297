"""Room: what is known of every entry, in one relation that rules, reviews and manifests read.

In: entries, listings, digests, formats, groups. Out: a row for every entry of the current scans.
What is not known is NULL, and stays unknown.
"""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa

from migrate.config import Config
from migrate.engine.query import Query
from migrate.expressions import extension_of, folded, folder_of, full_path, hex, is_under
from migrate.inside.known import with_inside
from migrate.paths import pack_folder
from migrate.retention import with_retention
from migrate.risk import with_risk
from migrate.siblings import with_siblings

# What facts say of an entry, beside what an example's name and path give (see examples.py).
FACTS = pa.schema(
    [
        ("name", pa.string()), ("full_path", pa.string()), ("kind", pa.string()),
        ("unit", pa.string()), ("size_bytes", pa.int64()), ("mtime_ns", pa.int64()),
        ("ctime_ns", pa.int64()), ("atime_ns", pa.int64()), ("birthtime_ns", pa.int64()),
        ("owner", pa.string()), ("mime", pa.string()), ("puid", pa.string()),
        ("format_name", pa.string()), ("identified", pa.bool_()), ("encrypted", pa.bool_()),
        ("ext_mismatch", pa.bool_()), ("digest_sha256", pa.binary()), ("dup", pa.string()),
        ("dup_keeper_path", pa.string()), ("member_count", pa.int64()),
        ("child_count", pa.int64()), ("path_len", pa.int64()), ("link_count", pa.int64()),
        ("version", pa.string()), ("version_latest_path", pa.string()),
        ("rendition_of", pa.string()),
        ("members", pa.int64()), ("members_elsewhere", pa.string()), ("shortcut", pa.string()),
        ("shortcut_target", pa.string()), ("ni_numbers", pa.int64()), ("nhs_numbers", pa.int64()),
        ("prison_numbers", pa.int64()), ("pnc_numbers", pa.int64()), ("marking", pa.string()),
        ("near_dup", pa.string()), ("near_dup_path", pa.string()), ("near_dup_percent", pa.int64()),
        ("format_risk", pa.string()), ("format_action", pa.string()), ("format_plan", pa.string()),
        ("retention_class", pa.string()), ("retention_due_ns", pa.int64()),
        ("retention_basis", pa.string()), ("retention_certain", pa.bool_()),
        ("retention_action", pa.string()), ("retention_authority", pa.string()),
        ("retention_period", pa.string()),
    ]
)  # fmt: skip
UNASSIGNED = "Unassigned"  # what lies in no business unit's folders


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
    table = from_path(table.mutate(full_path=full_path(table)))
    unread = ibis.coalesce(table.read_error, table.error, table.listing_error)
    dup = _place_among_copies(query, table, unread)
    keeper = ibis.ifelse(dup == "not_keeper", table.dup_keeper_path, ibis.null("string"))
    table = table.mutate(
        read_error=unread,
        path_len=table.full_path.length(),
        dup=dup,
        unit=business_unit(table.lower_path, config),
        dup_keeper_path=keeper,
    )
    table = with_siblings(query, table)
    table = with_inside(query, table)
    table = with_risk(query, table, pack_folder() / "format-risk.csv")
    return with_retention(query, table, config)


def from_path(table: Any) -> Any:
    """The facts that a full path gives by itself."""
    lower = folded(table.full_path)
    is_folder = table.kind == "folder"
    return table.mutate(
        lower_path=lower,
        lower_folder=ibis.ifelse(is_folder, lower, folder_of(lower)),
        ext=ibis.ifelse(is_folder, "", extension_of(table.name)),
    )


def _joined(query: Query) -> Any:
    """Entries with all that other tables know of them."""
    entries = query.table("entries")
    files = contents(query)
    extra = files.select(
        "entry_id", "sample_xxh3", "digest", "digest_sha256", "mime", "encrypted", "was_read",
        "read_error",
        content_key=content_key(files),
    )  # fmt: skip
    listings = query.table("listings")
    listings = listings.select("entry_id", "child_count", listing_error=listings.error)
    formats = query.table("formats")
    looked_at = formats.error.isnull()
    formats = formats.select(
        "content_key", "puid", "format_name", "ext_mismatch", format_error=formats.error,
        identified=ibis.ifelse(looked_at, formats.puid.notnull(), ibis.null("boolean")),
    ).distinct(on="content_key")  # fmt: skip
    # Groups of an earlier scan say nothing about the files of this one.
    groups = query.table("groups").drop("size_bytes")
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


def business_unit(lower_path: Any, config: Config) -> Any:
    """The unit whose folder is the longest that a path lies under."""
    lines = [(folder, unit.name) for unit in config.business_units for folder in unit.folders]
    lines.sort(key=lambda line: -len(line[0]))
    branches = [(is_under(lower_path, folder), name) for folder, name in lines]
    return ibis.cases(*branches, else_=UNASSIGNED) if branches else ibis.literal(UNASSIGNED)


def _place_among_copies(query: Query, table: Any, unread: Any) -> Any:
    """keeper, not_keeper, hard_link or none; NULL for what was not read or not compared."""
    readable = (table.kind == "file") & unread.isnull() & table.was_read
    return ibis.cases(
        (table.role == "copy", "not_keeper"),
        (table.role.notnull(), table.role),
        (ibis.and_(readable, query.estate.groups_are_current()), "none"),
    )
