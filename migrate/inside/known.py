"""Room: what was seen inside files, as facts of every entry; and which could not be looked into."""

from __future__ import annotations

from typing import Any

import ibis

from migrate.contents import contents, known_contents
from migrate.engine.query import Query
from migrate.model import TABLES

# What depends on other files, and says nothing any more once those have changed.
_BESIDE_OTHERS = [
    "members_elsewhere", "shortcut", "near_dup", "near_dup_path", "near_dup_percent",
]  # fmt: skip
NO_TEXT = "no_text"  # a document of scanned pages, say
_COLUMNS = [field for field in TABLES["inside"].schema if field.name != "content_key"]


def inside_files(query: Query, files: Any) -> Any:
    """By entry_id, for files (entry_id, content_key) into whose content somebody has looked: the
    columns of `inside`."""
    seen = query.table("inside")
    if not query.estate.looked_at_now():
        gone = [field for field in _COLUMNS if field.name in _BESIDE_OTHERS]
        seen = seen.mutate(**{field.name: _null(field) for field in gone})
    keys = files.select("entry_id", "content_key")
    return query.stored(keys.inner_join(seen, "content_key").drop("content_key"))


def failed_contents(query: Query) -> Any:
    """Contents that could not be looked into: content_key and the `reason`."""
    looks = known_contents(query, "looks")
    looks = looks.mutate(reason=ibis.ifelse(looks.words == 0, NO_TEXT, looks.error))
    failed = looks.filter(looks.reason.notnull()).select("content_key", "reason")
    return failed.distinct(on="content_key")


def not_looked_into(query: Query) -> Any:
    """The files (copies too) with those contents: entry_id and the `reason`."""
    files = contents(query).select("entry_id", "content_key")
    return files.inner_join(failed_contents(query), "content_key").drop("content_key")


def first_not_looked_into(query: Query, files: Any, most: int) -> list[dict[str, Any]]:
    """The first of such files (full_path, reason); those that merely have no text come last."""
    listed = files.select("full_path", "reason")
    order = [listed.reason == NO_TEXT, "full_path", "reason"]
    return list(query.rows(listed.order_by(order).limit(most)))


def _null(field: Any) -> Any:
    return ibis.null("int64" if str(field.type) == "int64" else "string")
