"""Room: what the bytes of files say, and which contents have not been looked at.

In: entries, their digests, and what stages have said of contents. Out: relations, for SQL and Ibis.
A content is looked at once, whatever many files have it. It is known by size, digest and the name's
ending (a format may be told by that); a file without a digest is a content of its own.

In SQL: `identify` asks for nothing else, and Ibis alone would take it longer to load.
"""

from __future__ import annotations

from typing import Any

from migrate.engine.query import Query
from migrate.patterns import ending
from migrate.reader import COLUMNS

OF_ITS_OWN = "entry "  # how the key of what has no digest begins
# Files with what their bytes say; `digest` is of the whole file, NULL if unread. `whole_digests`
# has two rows where a file was read whole to be compared, and again for SHA-256.
FILE_CONTENTS = f"""
SELECT e.*, d.entry_id IS NOT NULL AS was_read, d.sample_xxh3,
  coalesce(d.xxh3_128, w.xxh3_128) AS digest, coalesce(d.sha256, w.sha256) AS digest_sha256,
  d.mime, d.encrypted, coalesce(e.error, d.error, w.error) AS read_error,
  coalesce(
    e.size_bytes || ':' || hex(coalesce(d.xxh3_128, w.xxh3_128, d.sample_xxh3)) || ':'
      || {ending("e.name")},
    '{OF_ITS_OWN}' || e.entry_id) AS content_key
FROM entries e LEFT JOIN digests d ON e.entry_id = d.entry_id LEFT JOIN
  (SELECT entry_id, max(xxh3_128) AS xxh3_128, max(sha256) AS sha256, max(error) AS error
   FROM whole_digests GROUP BY entry_id) w
  ON e.entry_id = w.entry_id
WHERE e.kind = 'file'
"""  # noqa: S608 - constants
# What is said of contents, in this scan or an earlier one: a format belongs to a content. Failures,
# and what has no digest to know it by, only of the scans that count.
KNOWN = """
FROM {every} WHERE scan_id IN ({now})
OR (error IS NULL AND NOT starts_with(content_key, '{of_its_own}'))
"""
READABLE = "size_bytes > 0 AND read_error IS NULL"
# The first file of each content of which nothing is said, and what a reader wants to know of it.
FIRST_OF_EACH = """
SELECT min(entry_id) AS entry_id, {columns}
FROM ({files}) ANTI JOIN {known} USING (content_key) GROUP BY ALL
"""
TO_LOOK_AT = "SELECT {read}, {columns} FROM {wanted} JOIN entries USING (entry_id)"


def name_contents(query: Query) -> str:
    """`file_contents`, for SQL."""
    query.named("entries", "digests", "whole_digests")
    query.call("file_contents", FILE_CONTENTS)
    return "file_contents"


def contents(query: Query) -> Any:
    """Files, with all columns of entries and was_read, sample_xxh3, digest, digest_sha256, mime,
    encrypted, read_error and content_key."""
    return query.connection.table(name_contents(query))


def name_known(query: Query, table: str) -> str:
    """What a table (formats, looks, checksums) says of contents and still is true, for SQL."""
    name, every = f"known_{table}", query.view(table, query.estate.parts(table))
    now = ", ".join(map(str, query.estate.scan_ids())) or "NULL"
    query.call(name, KNOWN.format(every=every, now=now, of_its_own=OF_ITS_OWN))
    return name


def known_contents(query: Query, table: str) -> Any:
    """The same for Ibis."""
    return query.connection.table(name_known(query, table))


def not_known(query: Query, table: str, files: str, *more: str) -> str:
    """One file for each content of which a table says nothing, in SQL: what a reader wants to know,
    content_key, and columns `more` that are the same for all files with one content. `files`: those
    that count, with these columns, in SQL."""
    columns = ", ".join(["content_key", *more])
    wanted = f"not_in_{table}"
    known = name_known(query, table)
    query.keep(wanted, FIRST_OF_EACH.format(columns=columns, files=files, known=known))
    return TO_LOOK_AT.format(read=", ".join(COLUMNS), columns=columns, wanted=wanted)
