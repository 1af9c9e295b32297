"""Room: files with the same bytes, and which of them to keep.

In: entries and digests of the current scans. Out: `groups`: a row for every file that has a twin.
Cheapest first: size, then head and tail, then the whole. Never: a zero-byte file in a group; two
names of one file (hard links, or one folder seen through two shares) taken for two copies.

The questions are written in SQL: this stage runs while somebody waits for the duplicates, and
Ibis alone would take longer to load than they take to find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from migrate.config import Config
from migrate.digest import digest_wholly, visit_again
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Estate, Run, Writer
from migrate.patterns import JUNK, fold, folder_pattern

TWICE = "SELECT entry_id FROM entries GROUP BY entry_id HAVING count(*) > 1 LIMIT 1"
NAMES_OF_TWICE = "SELECT share, path FROM entries SEMI JOIN twice USING (entry_id)"
# Files that have content, with what was read of it; `digest` is of the whole file.
FILES = """
SELECT e.scan_id, e.entry_id, e.size_bytes, e.error, e.device_id, e.file_id, d.sample_xxh3,
  d.entry_id IS NOT NULL AS was_read, coalesce(d.xxh3_128, w.xxh3_128) AS digest,
  coalesce(e.error, d.error, w.error) IS NULL AS readable
FROM entries e LEFT JOIN digests d USING (entry_id) LEFT JOIN
  (SELECT entry_id, max(xxh3_128) AS xxh3_128, max(error) AS error
   FROM whole_digests GROUP BY entry_id) w USING (entry_id)
WHERE e.kind = 'file' AND e.size_bytes > 0
"""
# What digest.py wants to know of the files it is to read.
_TO_READ = """
SELECT scan_id, entry_id, share, path, path_raw, size_bytes, mtime_ns, file_id
FROM entries SEMI JOIN wanted USING (entry_id)
"""
# Files that no visit has read and whose size another file has too.
UNREAD_OF_EQUAL_SIZE = """
SELECT entry_id FROM files WHERE NOT was_read AND error IS NULL AND size_bytes IN
  (SELECT size_bytes FROM files WHERE error IS NULL GROUP BY size_bytes HAVING count(*) > 1)
"""
# Files read by head and tail whose size, head and tail another file has too.
SAMPLED_ALIKE = """
SELECT entry_id FROM files f SEMI JOIN
  (SELECT size_bytes, sample_xxh3 FROM files WHERE readable GROUP BY ALL HAVING count(*) > 1) s
  USING (size_bytes, sample_xxh3)
WHERE f.readable AND f.digest IS NULL
"""
# Files whose bytes another name has too, by the first of them.
ALIKE = """
SELECT f.scan_id, f.entry_id, f.size_bytes, f.device_id, f.file_id, g.group_id
FROM files f JOIN
  (SELECT size_bytes, digest, min(entry_id) AS group_id FROM files
   WHERE readable AND digest IS NOT NULL GROUP BY ALL HAVING count(*) > 1) g
  USING (size_bytes, digest)
WHERE f.readable
"""
# A path under none of some folders.
_NOT_UNDER = "len(list_filter({}, f -> lower = f OR starts_with(lower, f || '/'))) = 0"
# The tests of the keeper policy as sort keys: the least is best.
TESTS = {
    "master_folder": _NOT_UNDER.format("$masters::VARCHAR[]"),
    "in_file_plan": _NOT_UNDER.format("$plan::VARCHAR[]"),
    "preferred_folder": _NOT_UNDER.format("$preferred::VARCHAR[]"),
    "not_a_copy_folder": "regexp_matches(regexp_replace(lower, '/[^/]*$', ''), $copies::VARCHAR)",
    "oldest": "mtime_ns",
    "shortest_path": "length(lower)",
}
MEMBERS = """
SELECT alike.*, lower, {tests} FROM alike JOIN
  (SELECT entry_id, mtime_ns,
     lower(nfc_normalize(CASE WHEN path = '' THEN share ELSE share || '/' || path END)) AS lower
   FROM entries SEMI JOIN alike USING (entry_id)) USING (entry_id)
"""
# Names of one file are told by device and number; the best of them stands for the file.
GROUPS = """
WITH named AS (
  SELECT *, row_number() OVER (PARTITION BY group_id, device_id, file_id ORDER BY {order}) AS nth
  FROM members),
counted AS (
  SELECT *, count(*) FILTER (nth = 1) OVER (PARTITION BY group_id) AS member_count FROM named),
placed AS (
  SELECT *, row_number() OVER (PARTITION BY group_id ORDER BY nth > 1, {order}) AS place
  FROM counted WHERE member_count > 1)
SELECT scan_id, entry_id, group_id, member_count, size_bytes,
  CASE WHEN place = 1 THEN 'keeper' WHEN nth > 1 THEN 'hard_link' ELSE 'copy' END AS role,
  max(entry_id) FILTER (place = 1) OVER (PARTITION BY group_id) AS keeper_id
FROM placed
"""
# Whether there is a folder with enough copies in it: or no tree of folders has (see replicas.py).
MANY_COPIES = """
SELECT 1 AS found FROM entries e LEFT JOIN found f USING (entry_id)
WHERE e.kind = 'file' AND e.size_bytes > 0 AND NOT list_contains($junk::VARCHAR[], lower(e.name))
GROUP BY e.parent_id HAVING count(f.entry_id) >= count(*) * $least::DOUBLE LIMIT 1
"""
SUMMARY = """
SELECT count(DISTINCT group_id) AS groups, count(*) FILTER (role = 'copy') AS copies,
  coalesce(sum(size_bytes) FILTER (role = 'copy'), 0)::BIGINT AS copies_size_bytes,
  count(*) FILTER (role = 'hard_link') AS hard_links
FROM ({})
"""
LARGEST = """
WITH counted AS (
  SELECT group_id, keeper_id AS entry_id, count(*) AS copies, sum(size_bytes)::BIGINT AS size_bytes
  FROM groups WHERE role = 'copy' GROUP BY ALL),
largest AS (
  SELECT * FROM counted WHERE size_bytes >=
    (SELECT min(size_bytes) FROM
      (SELECT size_bytes FROM counted ORDER BY size_bytes DESC LIMIT $most)))
SELECT CASE WHEN path = '' THEN share ELSE share || '/' || path END AS keeper, copies,
  l.size_bytes
FROM entries JOIN largest l USING (entry_id) ORDER BY l.size_bytes DESC, keeper LIMIT $most
"""
LARGEST_FOLDERS = """
SELECT kind, files, size_bytes, only_here_files, top_path AS folder, of_path AS of
FROM folder_copies WHERE entry_id = top_id ORDER BY size_bytes DESC, folder LIMIT 20
"""


@dataclass(frozen=True)
class Duplicates:
    """What dedupe found: groups, copies beyond the keepers, and the bytes those take."""

    groups: int
    copies: int
    copies_size_bytes: int
    hard_links: int
    replicated_folders: int = 0  # of which everything is kept elsewhere
    replicated_files: int = 0
    replicated_size_bytes: int = 0
    overlapping_folders: int = 0  # of which nearly everything is


def refuse_equal_ids(query: Query) -> None:
    """Two paths with one number would share every decision: stop before that can happen.

    (The chance is 1 in 10^7 for a million paths, 1 in 100 for half a billion.)"""
    query.keep("twice", TWICE)
    paths = [f"{row['share']}/{row['path']}" for row in query.rows(NAMES_OF_TWICE)]
    if paths:
        raise MigrateError(
            f"two paths have the same number: {paths}",
            "Give the share another name in estate.yaml and crawl it again.",
        )


def dedupe(writer: Writer, config: Config, workers: int) -> tuple[Run, Duplicates]:
    """Find groups of equal files and their keepers. Resumes; ends with the same groups.

    Files that cannot be read are in no group. Errors: MigrateError if two paths share a number;
    OSError if the estate cannot be written."""
    with Query(writer.estate) as query:
        query.doing("dedupe: looking for files alike")
        name_files(query)
        refuse_equal_ids(query)
        if not query.count(UNREAD_OF_EQUAL_SIZE) and not query.count(SAMPLED_ALIKE):
            return _grouped(writer, config, query)
    visit_again(writer, config, to_read(UNREAD_OF_EQUAL_SIZE), workers, "dedupe: first look")
    digest_wholly(writer, config, to_read(SAMPLED_ALIKE), workers, "dedupe: reading whole")
    with Query(writer.estate) as query:
        name_files(query)
        return _grouped(writer, config, query)


def _grouped(writer: Writer, config: Config, query: Query) -> tuple[Run, Duplicates]:
    """The groups, once all has been read that has to be compared."""
    inputs = writer.estate.scan_ids()
    settings = {
        "keeper": config.keeper.model_dump(),
        "file_plan": [line.folder for line in config.file_plan],
        "replicated_folders": config.replicated_folders.model_dump(),
    }
    done = writer.estate.done("dedupe", settings, inputs)
    if done:
        return done, Duplicates(**done.summary)
    run = writer.begin("dedupe", settings, inputs)
    query.doing("dedupe: groups and the copy that stays")
    find_groups(query, config)
    summary = _write_groups(writer, run, query, config)
    writer.finish(run, summary.__dict__)
    return run, summary


def _write_groups(writer: Writer, run: Run, query: Query, config: Config) -> Duplicates:
    """The groups, with keepers that agree for folders that exist twice, and those folders."""
    query.doing("dedupe: folders that exist twice")
    least = config.replicated_folders.overlap_percent / 100
    query.keep("many_copies", MANY_COPIES, least=least, junk=JUNK)
    if not query.count("FROM many_copies"):
        writer.commit(run, query.write("groups", "FROM found ORDER BY group_id, entry_id"))
        return _summary(query, "FROM found", {})
    from migrate import replicas  # loads Ibis

    found = replicas.find(query, query.connection.table("found"), config)
    parts = query.write("groups", found.groups.order_by("group_id", "entry_id"))
    if found.folders is not None:
        parts += query.write("folder_copies", found.folders.order_by("top_path", "entry_id"))
    writer.commit(run, parts)
    return _summary(query, query.compiled(found.groups), replicas.summed(query, found.folders))


def _summary(query: Query, groups: str, folders: dict[str, int]) -> Duplicates:
    summed = next(query.rows(SUMMARY.format(groups))) | folders
    return Duplicates(**{name: int(value or 0) for name, value in summed.items()})


def to_read(wanted: str) -> Callable[[Query], str]:
    """The files that a question about `files` is answered with, as digest.py reads them."""

    def select(query: Query) -> str:
        name_files(query)
        query.keep("wanted", wanted)
        return _TO_READ

    return select


def name_files(query: Query) -> None:
    """Files with content, as the relation `files`."""
    query.named("entries", "digests", "whole_digests")
    query.keep("files", FILES)


def find_groups(query: Query, config: Config) -> None:
    """The `groups` table, as the relation `found`."""
    tests = ["master_folder", *config.keeper.prefer]
    query.keep("alike", ALIKE)
    columns = ", ".join(f"{TESTS[test]} AS {test}" for test in tests)
    query.keep("members", MEMBERS.format(tests=columns), **_values(config))
    order = ", ".join([*tests, "lower", "entry_id"])
    query.keep("found", GROUPS.format(order=order), by="group_id")


def _values(config: Config) -> dict[str, Any]:
    """What the tests of the policy compare paths with."""
    keeper = config.keeper
    copies = folder_pattern(keeper.copy_folders) if keeper.copy_folders else None
    values: dict[str, tuple[str, Any]] = {
        "masters": ("master_folder", [fold(folder) for folder in keeper.master_folders]),
        "plan": ("in_file_plan", [fold(line.folder) for line in config.file_plan]),
        "preferred": ("preferred_folder", [fold(folder) for folder in keeper.preferred_folders]),
        "copies": ("not_a_copy_folder", copies),
    }
    asked = ["master_folder", *keeper.prefer]
    return {name: value for name, (test, value) in values.items() if test in asked}


def largest_groups(estate: Estate, most: int = 20) -> list[dict[str, Any]]:
    """Groups of identical files by the space that copies take: keeper, copies, size_bytes."""
    with Query(estate) as query:
        query.named("entries", "groups")
        query.keep("largest_groups", LARGEST, most=most)
        return list(query.rows("FROM largest_groups ORDER BY size_bytes DESC, keeper"))


def folder_copies(estate: Estate) -> list[dict[str, Any]]:
    """The largest folders that exist elsewhere, wholly or nearly."""
    with Query(estate) as query:
        query.named("folder_copies")
        return list(query.rows(LARGEST_FOLDERS))
