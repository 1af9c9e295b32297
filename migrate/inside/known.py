"""Room: what was seen inside files, as facts of every entry."""

from __future__ import annotations

from typing import Any

import ibis

from migrate.engine.query import Query
from migrate.model import TABLES

# What depends on other files, and says nothing any more once those have changed.
_BESIDE_OTHERS = [
    "members_elsewhere", "shortcut", "near_dup", "near_dup_path", "near_dup_percent",
]  # fmt: skip
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


def _null(field: Any) -> Any:
    return ibis.null("int64" if str(field.type) == "int64" else "string")
