"""Room: what has changed on the shares since the scan before.

In: the two newest finished scans of each share. Out: a row for everything that is new, changed,
moved or deleted, and for what nobody can tell; how much of each there is, in the log.
Never: what lies in a folder that could not be listed, or on a disk that is not mounted any more,
taken for deleted; what could not be read for unchanged; two scans in memory.

Changed is a file whose size, date or content differs: what was decided on it counts no more. Moved
is one that is gone from its old place and is found at a new one by its number (same size and date)
or its content; it has another path, and so needs a decision too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migrate.engine.query import Query
from migrate.estate import Estate, Run, Writer
from migrate.model import WITHDRAWN
from migrate.patterns import FULL_PATH
from migrate.scans import Pair, is_disproved, scan_pairs

Counts = dict[str, Any]

COLUMNS = [
    "change", "kind", "path", "size_bytes", "mtime_ns", "was_path", "was_size_bytes",
    "was_mtime_ns", "known_by", "decided", "path_raw", "was_path_raw",
]  # fmt: skip

# How a question in SQL says whether a column is another than it was, nulls being values too.
_DIFFERS = "o.{0} IS DISTINCT FROM n.{0}"
_TOLD = ["size_bytes", "mtime_ns", "link_target"]  # what alone makes a file another


def _any_differs(columns: list[str]) -> str:
    return " OR ".join(_DIFFERS.format(column) for column in columns)


# What a scan has read of some entries.
CONTENT = """
SELECT DISTINCT ON (entry_id) entry_id, r.sample_xxh3 AS sample,
  coalesce(r.xxh3_128, w.xxh3_128) AS digest
FROM (FROM digests WHERE list_contains($scans::INTEGER[], scan_id)) r
LEFT JOIN (FROM whole_digests WHERE list_contains($scans::INTEGER[], scan_id)) w USING (entry_id)
SEMI JOIN ({}) wanted USING (entry_id)
"""
_OTHER_CONTENT = "coalesce(oc.sample <> nc.sample OR oc.digest <> nc.digest, false)"
# Files of which the newer scan cannot say what the older one could.
UNREADABLE = """
SELECT entry_id FROM digests
WHERE list_contains($scans::INTEGER[], scan_id) AND error IS NOT NULL
UNION SELECT entry_id FROM news WHERE kind = 'file' AND error IS NOT NULL
"""
_NOT_READ = f"""(n.error IS NOT NULL AND o.error IS NULL OR oc.sample IS NOT NULL
  AND n.entry_id IN (FROM unreadable) AND NOT ({_any_differs(["kind", *_TOLD])}))"""
_WITH_CONTENT = """
LEFT JOIN was_content oc ON o.entry_id = oc.entry_id
LEFT JOIN content nc ON n.entry_id = nc.entry_id
"""
# The numbers of what is in one scan only, or was looked at anew: few, found in few columns. The
# times of a folder tell of what is in it.
UNLIKE = f"""
SELECT o.entry_id AS was_entry_id, n.entry_id
FROM olds o FULL JOIN news n ON o.entry_id = n.entry_id {{joins}}
WHERE o.entry_id IS NULL OR n.entry_id IS NULL OR {_DIFFERS.format("kind")}
  OR n.entry_id IN (FROM unreadable)
  OR (n.kind <> 'folder' AND ({_any_differs([*_TOLD, "ctime_ns", "file_id"])} {{or_content}}))
"""  # noqa: S608 - of our own words, here and below
_STATE = [
    "entry_id", "parent_id", "share", "path", "path_raw", "kind", "size_bytes", "mtime_ns",
    "birthtime_ns", "file_id",
]  # fmt: skip
_OF_OLD = ", ".join(f"o.{name} AS was_{name}" for name in _STATE)
_OF_NEW = ", ".join(f"n.{name}" for name in _STATE)
# Of these what really is not as it was; with all that is known of it then and now.
DIFFERENT = f"""
SELECT {_OF_OLD}, oc.sample AS was_sample, oc.digest AS was_digest,
  {_OF_NEW}, nc.sample, nc.digest, coalesce({_NOT_READ}, false) AS is_unread
FROM unlike u LEFT JOIN olds o ON u.was_entry_id = o.entry_id
LEFT JOIN news n ON u.entry_id = n.entry_id {_WITH_CONTENT}
WHERE o.entry_id IS NULL OR n.entry_id IS NULL OR {_any_differs(["kind", *_TOLD])}
  OR {_OTHER_CONTENT} OR {_NOT_READ}
"""  # noqa: S608
# Folders on which another disk was mounted: they had another device than the folder above them.
UNMOUNTED = """
WITH was AS (FROM olds WHERE kind = 'folder'), now AS (FROM news WHERE kind = 'folder')
SELECT n.entry_id FROM was o JOIN was oa ON o.parent_id = oa.entry_id
  JOIN now n ON n.entry_id = o.entry_id JOIN now na ON n.parent_id = na.entry_id
WHERE o.device_id <> oa.device_id AND n.device_id = na.device_id
"""
# Of what is gone, what lies in a folder that the newer scan could not list to its end, or where it
# found no disk any more.
UNSEEN = """
WITH failed AS (
  SELECT DISTINCT share AS in_share, CASE WHEN path = '' THEN '' ELSE path || '/' END AS first,
    CASE WHEN path = '' THEN '' ELSE path || '0' END AS beyond  -- '0' follows '/'
  FROM news WHERE kind = 'folder' AND (error IS NOT NULL
    OR entry_id IN (SELECT entry_id FROM listings WHERE error IS NOT NULL)
    OR entry_id IN (FROM unmounted)))
SELECT was_entry_id FROM different SEMI JOIN failed
  ON was_share = in_share AND was_path > first AND (beyond = '' OR was_path < beyond)
WHERE entry_id IS NULL
"""
GONE = """
FROM different ANTI JOIN unseen USING (was_entry_id) WHERE entry_id IS NULL
"""
CAME = "FROM different WHERE was_entry_id IS NULL"
# Twins are paired in the order of their paths. A folder's date tells of what is in it, not of
# itself.
MOVED_BY_NUMBER = """
WITH old AS (
  SELECT *, CASE WHEN was_kind = 'folder' THEN was_birthtime_ns ELSE was_mtime_ns END AS time_ns,
    row_number() OVER (PARTITION BY was_share, was_file_id, was_kind, was_size_bytes, time_ns
      ORDER BY was_path, was_entry_id) AS nth
  FROM gone WHERE was_file_id > 0),
new AS (
  SELECT *, CASE WHEN kind = 'folder' THEN birthtime_ns ELSE mtime_ns END AS time_ns,
    row_number() OVER (PARTITION BY share, file_id, kind, size_bytes, time_ns
      ORDER BY path, entry_id) AS nth
  FROM came WHERE file_id > 0)
SELECT new.entry_id, old.was_entry_id, 'file id' AS known_by FROM old JOIN new
  ON old.was_share = new.share AND old.was_file_id = new.file_id AND old.was_kind = new.kind
  AND old.was_size_bytes IS NOT DISTINCT FROM new.size_bytes
  AND old.time_ns IS NOT DISTINCT FROM new.time_ns AND old.nth = new.nth
  AND old.was_birthtime_ns IS NOT DISTINCT FROM new.birthtime_ns
"""
MOVED_BY_CONTENT = """
WITH old AS (
  SELECT *, row_number() OVER (PARTITION BY was_size_bytes, was_sample
    ORDER BY was_path, was_entry_id) AS nth
  FROM gone ANTI JOIN by_number USING (was_entry_id)
  WHERE was_size_bytes > 0 AND was_sample IS NOT NULL),
new AS (
  SELECT *, row_number() OVER (PARTITION BY size_bytes, sample ORDER BY path, entry_id) AS nth
  FROM came ANTI JOIN by_number USING (entry_id) WHERE size_bytes > 0 AND sample IS NOT NULL)
SELECT new.entry_id, old.was_entry_id, 'content' AS known_by FROM old JOIN new
  ON old.was_size_bytes = new.size_bytes AND old.was_sample = new.sample AND old.nth = new.nth
WHERE coalesce(new.digest = old.was_digest, true)
"""
# Whether somebody had decided on it, as it was.
DECIDED = """
WITH placed AS (
  SELECT *, row_number() OVER (PARTITION BY entry_id, scope ORDER BY decision_seq DESC) AS nth
  FROM decisions)
SELECT DISTINCT entry_id, size_bytes, mtime_ns FROM placed WHERE nth = 1 AND decision <> $withdrawn
"""
CHANGED = f"""
WITH moved AS (FROM by_number UNION ALL FROM by_content),
sorted_out AS (
  SELECT CASE WHEN was_entry_id IS NULL THEN 'new' WHEN is_unread THEN 'not_read'
      WHEN entry_id IS NOT NULL THEN 'changed'
      WHEN was_entry_id IN (SELECT was_entry_id FROM unseen) THEN 'not_seen' ELSE 'deleted'
    END AS change, NULL::VARCHAR AS known_by, *
  FROM different ANTI JOIN moved a USING (entry_id) ANTI JOIN moved b USING (was_entry_id)
  UNION ALL BY NAME
  SELECT 'moved' AS change, known_by, {_OF_NEW},
    {", ".join(f"o.was_{name}" for name in _STATE)}
  FROM moved m JOIN different o ON m.was_entry_id = o.was_entry_id
  JOIN different n ON m.entry_id = n.entry_id)
SELECT change, known_by, c.entry_id, was_entry_id, parent_id, c.size_bytes, c.mtime_ns,
  was_size_bytes, was_mtime_ns, path_raw, was_path_raw,
  coalesce(share, was_share) AS share, coalesce(kind, was_kind) AS kind,
  {FULL_PATH} AS path,
  CASE WHEN was_path = '' THEN was_share ELSE was_share || '/' || was_path END AS was_path,
  d.entry_id IS NOT NULL AS decided
FROM sorted_out c LEFT JOIN decided d ON was_entry_id = d.entry_id
  AND was_size_bytes IS NOT DISTINCT FROM d.size_bytes
  AND was_mtime_ns IS NOT DISTINCT FROM d.mtime_ns
"""  # noqa: S608
COUNTED = """
SELECT share, change, count(*) FILTER (kind = 'file') AS files,
  count(*) FILTER (kind <> 'file') AS others,
  coalesce(sum(coalesce(size_bytes, was_size_bytes)) FILTER (kind = 'file'), 0) AS size_bytes,
  count(*) FILTER (decided) AS decided
FROM changed GROUP BY share, change ORDER BY share, change
"""
MOVED_FOLDERS = """
WITH folders AS (FROM changed WHERE change = 'moved' AND kind = 'folder'),
files AS (SELECT path FROM changed WHERE change = 'moved' AND kind = 'file')
SELECT t.was_path, t.path, count(f.path) AS files
FROM (FROM folders ANTI JOIN (SELECT entry_id AS parent_id FROM folders) USING (parent_id)) t
LEFT JOIN files f ON f.path > t.path || '/' AND f.path < t.path || '0'
GROUP BY t.was_path, t.path ORDER BY files DESC, t.path LIMIT $most
"""
DISPROVED = f"""
SELECT {FULL_PATH} AS path
FROM entries SEMI JOIN (FROM proofs WHERE NOT same) USING (entry_id) ORDER BY path LIMIT $most
"""  # noqa: S608


def note_changes(writer: Writer) -> None:
    """Compare the newest scans, and keep how much has changed in the log."""
    pairs = scan_pairs(writer.estate)
    with Query(writer.estate) as query:
        query.doing("changes: comparing the newest scan with the one before")
        _find_unlike(query, pairs)
        counts = []
        if query.count("FROM unlike"):  # if not, all else can be left
            _sort_out(query, pairs)
            counts = counted(query)
    scans = [[before.run_id, after.run_id] for before, after in pairs]
    writer.estate.log.append("changes", scans=scans, counts=counts)


def find_changes(query: Query, pairs: list[Pair]) -> None:
    """A row for everything that is not as it was, as the relation `changed`: COLUMNS, share,
    entry_id, was_entry_id and parent_id. Paths begin with the share's name."""
    _find_unlike(query, pairs)
    _sort_out(query, pairs)


def counted(query: Query) -> list[Counts]:
    """How much there is of each change on each share."""
    return list(query.rows(COUNTED))


def listed(query: Query) -> Iterator[dict[str, Any]]:
    """Everything that changed, row by row, in a fixed order."""
    order = "change, coalesce(path, was_path), was_path, entry_id, was_entry_id"
    yield from query.rows(f"SELECT {', '.join(COLUMNS)} FROM changed ORDER BY {order}")  # noqa: S608


def moved_folders(query: Query, most: int) -> list[dict[str, Any]]:
    """The folders that moved as a whole, with how many files: those with most of them."""
    return list(query.rows(MOVED_FOLDERS, most=most))


def disproved_files(estate: Estate, most: int = 20) -> list[str]:
    """Files whose bytes were not what an earlier scan had read, though nothing else had changed."""
    with Query(estate) as query:
        query.named("proofs", "entries")
        return [row["path"] for row in query.rows(DISPROVED, most=most)]


def _find_unlike(query: Query, pairs: list[Pair]) -> None:
    """The relation `unlike`, of the scans' entries `olds` and `news`."""
    estate, news = query.estate, [run.run_id for run in _news(pairs)]
    for name, runs in (("olds", _olds(pairs)), ("news", _news(pairs))):
        query.view("entries", estate.parts_of("entries", runs), name)
    for table in ("digests", "whole_digests", "decisions"):
        query.view(table, estate.parts(table), table)
    query.view("listings", estate.parts_of("listings", _news(pairs)), "listings")
    query.keep("unreadable", UNREADABLE, scans=news)
    by_bytes = any(
        after.settings["reread"] or is_disproved(before) or is_disproved(after)
        for before, after in pairs
    )  # on some share times tell nothing
    if by_bytes:
        _find_content(query, pairs, "SELECT entry_id FROM olds", "SELECT entry_id FROM news")
        unlike = UNLIKE.format(joins=_WITH_CONTENT, or_content=f"OR {_OTHER_CONTENT}")
    else:
        unlike = UNLIKE.format(joins="", or_content="")
    query.keep("unlike", unlike)


def _find_content(query: Query, pairs: list[Pair], old: str, new: str) -> None:
    """What was read then and now of some entries, as `was_content` and `content`."""
    for name, runs, wanted in (("was_content", _olds(pairs), old), ("content", _news(pairs), new)):
        query.keep(name, CONTENT.format(wanted), scans=[run.run_id for run in runs])


def _sort_out(query: Query, pairs: list[Pair]) -> None:
    """What became of all that is `unlike`, as the relation `changed`."""
    old = "SELECT was_entry_id AS entry_id FROM unlike"
    _find_content(query, pairs, old, "SELECT entry_id FROM unlike")
    for name, sql in (
        ("different", DIFFERENT), ("unmounted", UNMOUNTED), ("unseen", UNSEEN), ("gone", GONE),
        ("came", CAME), ("by_number", MOVED_BY_NUMBER), ("by_content", MOVED_BY_CONTENT),
    ):  # fmt: skip
        query.keep(name, sql)
    query.keep("decided", DECIDED, withdrawn=WITHDRAWN)
    query.keep("changed", CHANGED)


def _olds(pairs: list[Pair]) -> list[Run]:
    return [before for before, _ in pairs]


def _news(pairs: list[Pair]) -> list[Run]:
    return [after for _, after in pairs]
