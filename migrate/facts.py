"""Room: what is known of every entry, in one relation that rules, reviews and manifests read.

In: entries, listings, digests, formats, groups. Out: a row for every entry of the current scans.
What is not known is NULL, and stays unknown.
"""

from __future__ import annotations

from typing import Any

import ibis
import pyarrow as pa
from msgspec import to_builtins

from migrate.config import Config
from migrate.contents import contents, known_contents
from migrate.copyfacts import (
    about_folder_copies,
    folder_copies,
    permissions_differ,
    with_access_lists,
)
from migrate.engine.query import Query
from migrate.estate import Writer
from migrate.expressions import extension_of, folded, folder_of, full_path, is_under
from migrate.inside.known import inside_files
from migrate.model import TABLES
from migrate.paths import pack_folder
from migrate.retention import with_retention
from migrate.risk import PLAN_OF, with_risk
from migrate.siblings import siblings, version

# What facts say of an entry, beside what an example's name and path give (see examples.py).
_NAMES = [
    "name", "full_path", "kind", "unit", "size_bytes", "mtime_ns", "ctime_ns", "atime_ns",
    "birthtime_ns", "owner", "mime", "puid", "format_name", "identified", "encrypted",
    "ext_mismatch", "digest_sha256", "dup", "dup_keeper_path", "member_count", "child_count",
    "path_len", "link_count", "version", "version_latest_path", "rendition_of", "folder_copy",
    "folder_copy_path", "folder_copy_of", "folder_copy_note", "permissions_differ", "members",
    "members_elsewhere", "shortcut", "shortcut_target", "ni_numbers", "nhs_numbers",
    "prison_numbers", "pnc_numbers", "marking", "near_dup", "near_dup_path", "near_dup_percent",
    "format_risk", "format_action", "format_plan", "retention_class", "retention_due_ns",
    "retention_basis", "retention_certain", "retention_action", "retention_authority",
    "retention_period",
]  # fmt: skip
FACTS = pa.schema([TABLES["facts"].schema.field(name) for name in _NAMES])
STAGE = "facts"
UNASSIGNED = "Unassigned"  # what lies in no business unit's folders


def facts(query: Query, config: Config) -> Any:
    """A row for every entry, with the fields that rules know (see flag/fields.py): those that
    `keep_facts` has kept, if they still are about the same runs and settings."""
    kept = query.estate.done(STAGE, settings_of(config), query.estate.fact_runs())
    if kept:
        return query.run_table("facts", kept)
    return query.stored_in_slices(worked_out(query, config))


def keep_facts(writer: Writer, query: Query, config: Config) -> None:
    """Work the facts out for all stages that follow; nothing is done if that was done before."""
    settings, inputs = settings_of(config), writer.estate.fact_runs()
    if writer.estate.done(STAGE, settings, inputs):
        return
    run = writer.begin(STAGE, settings, inputs)
    writer.commit(run, query.write_in_slices("facts", worked_out(query, config)))
    writer.finish(run, {})


def settings_of(config: Config) -> dict[str, Any]:
    """What of estate.yaml facts depend on, and the date of the table of format risks."""
    named = {
        name: to_builtins(getattr(config, name))
        for name in ("file_plan", "business_units", "retention")
    }
    return {"format_risk": PLAN_OF, **named}


def worked_out(query: Query, config: Config) -> Any:
    """The facts as an expression. Whatever is looked up by anything but the entry's number is a
    narrow table by now, so that the rest can be joined in slices."""
    table = _joined(query)
    table = from_path(table.mutate(full_path=full_path(table)))
    unread = ibis.coalesce(table.read_error, table.error, table.listing_error)
    dup = _place_among_copies(query, table, unread)
    keeper = ibis.ifelse(dup == "not_keeper", table.dup_keeper_path, ibis.null("string"))
    table = table.mutate(
        **about_folder_copies(table, unread, query.estate.groups_are_current()),
        permissions_differ=permissions_differ(table),
        read_error=unread,
        path_len=table.full_path.length(),
        dup=dup,
        unit=business_unit(table.lower_path, config),
        dup_keeper_path=keeper,
        version=version(table),
    )
    table = with_risk(query, table, pack_folder() / "format-risk.csv")
    return with_retention(query, table, config).select(*TABLES["facts"].schema.names)


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
    files = query.stored_in_slices(
        files.select(
            "entry_id", "sample_xxh3", "digest", "digest_sha256", "mime", "encrypted", "was_read",
            "read_error", "content_key",
        )
    )  # fmt: skip
    listings = query.table("listings")
    listings = listings.select("entry_id", "child_count", listing_error=listings.error)
    known = query.beside(
        entries.select("entry_id"),
        files.drop("content_key"), listings, _formats(query, files), _groups(query, entries),
        folder_copies(query, entries), inside_files(query, files), *siblings(query),
    )  # fmt: skip
    table = with_owner_names(query, entries).left_join(known, "entry_id").drop("entry_id_right")
    return with_access_lists(query, table)


def _formats(query: Query, files: Any) -> Any:
    """The format of each file whose content was looked at."""
    formats = known_contents(query, "formats")
    looked_at = formats.error.isnull()
    formats = formats.select(
        "content_key", "puid", "format_name", "ext_mismatch", format_error=formats.error,
        identified=ibis.ifelse(looked_at, formats.puid.notnull(), ibis.null("boolean")),
    ).distinct(on="content_key")  # fmt: skip
    keys = files.select("entry_id", "content_key")
    return query.stored(keys.inner_join(formats, "content_key").drop("content_key"))


def _groups(query: Query, entries: Any) -> Any:
    """The place of each file that has a twin, and the path of its keeper. Groups of an earlier
    scan say nothing about the files of this one."""
    groups = query.table("groups")
    groups = groups.filter(groups.scan_id.isin(query.estate.scan_ids()))
    groups = groups.drop("scan_id", "size_bytes")
    wanted = groups.select(entry_id="keeper_id").distinct()
    keepers = query.stored(
        entries.semi_join(wanted, "entry_id").select(
            keeper_id="entry_id", dup_keeper_path=full_path(entries), keeper_mode="mode",
            keeper_owner="owner", keeper_security_id="security_id",
        )
    )  # fmt: skip
    joined = groups.left_join(keepers, "keeper_id").drop("keeper_id_right")
    return query.stored(joined)


def with_owner_names(query: Query, entries: Any) -> Any:
    """Entries whose owner is a SID get the account's name, where its server told it."""
    if not query.estate.rows("accounts"):
        return entries
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
