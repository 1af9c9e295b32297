"""Room: the figures of an estate, one query for each.

In: tables. Out: plain rows. Every figure that is printed or drawn anywhere comes from here.
"""

from __future__ import annotations

from typing import Any

import ibis

from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.facts import contents, content_key, full_path

Figure = dict[str, Any]


def crawled(estate: Estate) -> list[Figure]:
    """Per share: files, folders, others, bytes, and what could not be read."""
    with Query(estate) as query:
        entries = query.table("entries")
        listings = query.table("listings")
        listings = listings.select("entry_id", listing_error=listings.error)
        digests = query.table("digests")
        digests = digests.select("entry_id", digest_error=digests.error)
        table = entries.left_join(listings, "entry_id").drop("entry_id_right")
        table = table.left_join(digests, "entry_id").drop("entry_id_right")
        failed = ibis.coalesce(table.error, table.listing_error, table.digest_error).notnull()
        summed = table.group_by("share").aggregate(
            files=(table.kind == "file").sum(),
            folders=(table.kind == "folder").sum(),
            other=table.kind.isin(["symlink", "other"]).sum(),
            size_bytes=table.size_bytes.sum().cast("int64"),
            failed=failed.sum(),
        )
        return [{**row, "size_bytes": row["size_bytes"] or 0} for row in query.rows(summed.order_by("share"))]


def failures(estate: Estate) -> dict[str, int]:
    """How many entries could not be read, by reason."""
    with Query(estate) as query:
        tables = [query.table(name) for name in ("entries", "listings", "digests", "whole_digests")]
        errors = [t.filter(t.error.notnull()).select("entry_id", "error") for t in tables]
        every = ibis.union(*errors, distinct=True)
        counted = every.group_by("error").aggregate(n=every.count())
        rows = query.rows(counted.order_by(ibis.desc("n"), "error"))
        return {row["error"]: row["n"] for row in rows}


def formats(estate: Estate, most: int = 20) -> list[Figure]:
    """The commonest formats by number of files (copies counted)."""
    with Query(estate) as query:
        files = contents(query)
        files = files.mutate(content_key=content_key(files))
        known = query.table("formats").select("content_key", "puid", "format_name")
        joined = files.inner_join(known.distinct(on="content_key"), "content_key")
        counted = joined.group_by(["puid", "format_name"]).aggregate(files=joined.count())
        return list(query.rows(counted.order_by(ibis.desc("files"), "puid").limit(most)))


def largest_groups(estate: Estate, most: int = 20) -> list[Figure]:
    """Groups of identical files by the space that copies take."""
    with Query(estate) as query:
        groups = query.table("groups")
        copies = groups.filter(groups.role == "copy").group_by(["group_id", "keeper_id"])
        copies = copies.aggregate(copies=ibis._.count(), size_bytes=ibis._.size_bytes.sum().cast("int64"))
        entries = query.table("entries")
        keepers = entries.select(keeper_id="entry_id", keeper=full_path(entries))
        rows = copies.inner_join(keepers, "keeper_id").select("keeper", "copies", "size_bytes")
        return list(query.rows(rows.order_by(ibis.desc("size_bytes"), "keeper").limit(most)))


def flagged(estate: Estate) -> list[Figure]:
    """By deciding category and action: entries, bytes and the rule that hits most."""
    with Query(estate) as query:
        findings = query.table("findings")
        deciding = findings.filter(findings.deciding)
        entries = query.table("entries").select("entry_id", "size_bytes")
        joined = deciding.inner_join(entries, "entry_id")
        by_rule = joined.group_by(["category", "action", "title"]).aggregate(
            files=joined.count(), size_bytes=joined.size_bytes.sum().cast("int64")
        )
        grouped: dict[tuple[str, str], Figure] = {}
        for row in query.rows(by_rule.order_by(ibis.desc("files"), "title")):
            line = grouped.setdefault(
                (row["category"], row["action"]),
                {"category": row["category"], "action": row["action"], "files": 0, "size_bytes": 0,
                 "commonest": row["title"]},
            )  # fmt: skip
            line["files"] += row["files"]
            line["size_bytes"] += row["size_bytes"] or 0
    from migrate.flag.rules import LADDER

    return sorted(grouped.values(), key=lambda line: (LADDER.index(line["category"]), line["action"]))
