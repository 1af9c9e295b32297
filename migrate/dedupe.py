"""Room: files with the same bytes, and which of them to keep.

In: entries and digests of the current scans. Out: `groups`: a row for every file that has a twin.
Cheapest first: size, then head and tail, then the whole. Never: a zero-byte file in a group; two
names of one file (hard links, or one folder seen through two shares) taken for two copies.

The questions are written in SQL: this stage runs while somebody waits for the duplicates, and
Ibis alone would take longer to load than they take to find.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins
from msgspec.structs import asdict

from migrate import keepers, replicas
from migrate.config import Config
from migrate.digest import digest_wholly, visit_again
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Run, Writer
from migrate.patterns import FULL_PATH, folded, is_junk
from migrate.reader import COLUMNS
from migrate.trees import FILED, UNREAD, keep_ways
from migrate.visit import WHOLE_BYTES

if TYPE_CHECKING:
    from migrate.engine.nursery import Nursery

TWICE = """
SELECT share, path FROM entries SEMI JOIN
  (SELECT entry_id FROM entries GROUP BY entry_id HAVING count(*) > 1 LIMIT 1) USING (entry_id)
"""
# Files that are not empty and gave no trouble.
CONTENTS = """
SELECT scan_id, entry_id, parent_id, size_bytes, mtime_ns, device_id, file_id, name
FROM entries WHERE kind = 'file' AND size_bytes > 0 AND error IS NULL
"""
# Those that no visit has read.
NOT_VISITED = """
SELECT entry_id, size_bytes FROM contents ANTI JOIN digests USING (entry_id)
"""
READ_WHOLE = """
SELECT entry_id, max(xxh3_128) AS digest, max(error) AS error
FROM whole_digests GROUP BY entry_id
"""
# Digests of whole files, by the visit or read since.
DIGESTED = """
SELECT entry_id, coalesce(d.xxh3_128, w.digest) AS digest
FROM digests d FULL JOIN read_whole w USING (entry_id)
WHERE d.error IS NULL AND w.error IS NULL AND coalesce(d.xxh3_128, w.digest) IS NOT NULL
"""
TO_READ = f"SELECT {', '.join(COLUMNS)} FROM entries SEMI JOIN wanted USING (entry_id)"  # noqa: S608
# Files that no visit has read and whose size another file has too.
UNREAD_OF_EQUAL_SIZE = """
SELECT entry_id FROM not_visited SEMI JOIN
  (SELECT size_bytes FROM contents GROUP BY size_bytes HAVING count(*) > 1) USING (size_bytes)
"""
# Files that were not read whole, and whose size, head and tail another file has too, whether that
# was read whole or not: one share may be crawled with SHA-256 and the other without, and a rescan
# knows more of what was there before than of what is new.
SAMPLED_ALIKE = f"""
WITH large AS (
  SELECT entry_id, size_bytes, sample_xxh3,
    d.xxh3_128 IS NULL AND w.entry_id IS NULL AS is_wanted
  FROM digests d JOIN contents USING (entry_id) LEFT JOIN read_whole w USING (entry_id)
  WHERE size_bytes > {WHOLE_BYTES} AND sample_xxh3 IS NOT NULL
    AND d.error IS NULL AND w.error IS NULL)
SELECT entry_id FROM large SEMI JOIN
  (SELECT size_bytes, sample_xxh3 FROM large GROUP BY ALL HAVING count(*) > 1)
  USING (size_bytes, sample_xxh3)
WHERE is_wanted
"""  # noqa: S608 - constants
# Files whose bytes another name has too, by the first of them. (Sizes need not be compared beside
# 128 bits; before anything is done about a copy, SHA-256 is.)
ALIKE = """
SELECT entry_id, group_id FROM digested JOIN
  (SELECT digest, min(entry_id) AS group_id FROM digested GROUP BY digest HAVING count(*) > 1)
  USING (digest)
"""
# Folders, with what the keeper policy asks of them.
FOLDERS = f"""
SELECT {{tests}} * EXCLUDE lower, length(full_path) AS path_length,
  row_number() OVER (ORDER BY full_path) AS folder_place
FROM
  (SELECT scan_id, entry_id, parent_id, depth, error, {FULL_PATH} AS full_path,
     {folded(FULL_PATH)} AS lower
   FROM entries WHERE kind = 'folder')
"""  # noqa: S608 - constants
# Files that are alike, with what the keeper policy and the comparison of folders look at.
MEMBERS = f"""
SELECT scan_id, entry_id, group_id, parent_id, size_bytes, device_id, file_id,
  mtime_ns AS oldest, name, {is_junk("name")} AS is_junk
FROM contents JOIN alike USING (entry_id)
"""  # noqa: S608 - constants
IN_ORDER = "ORDER BY group_id, entry_id"
SUMMARY = """
SELECT count(*) FILTER (role = 'keeper') AS groups, count(*) FILTER (role = 'copy') AS copies,
  coalesce(sum(size_bytes) FILTER (role = 'copy'), 0)::BIGINT AS copies_size_bytes,
  count(*) FILTER (role = 'hard_link') AS hard_links
FROM groups
"""
LARGEST_GROUPS = """
WITH largest AS (
  SELECT keeper_id AS entry_id, count(*) AS copies, sum(size_bytes)::BIGINT AS size_bytes
  FROM groups WHERE role = 'copy' GROUP BY keeper_id
  QUALIFY rank() OVER (ORDER BY sum(size_bytes) DESC) <= 20)
SELECT keeper, copies, size_bytes
FROM {paths} JOIN largest USING (entry_id) ORDER BY size_bytes DESC, keeper LIMIT 20
"""
# Paths of files; of those that are alike without having them all read again.
PATHS = f"(SELECT entry_id, {FULL_PATH} AS keeper FROM entries)"  # noqa: S608 - constants
PATHS_OF_MEMBERS = """
(SELECT m.entry_id, concat(f.full_path || '/', m.name) AS keeper
 FROM members m LEFT JOIN folders f ON m.parent_id = f.entry_id)
"""
LARGEST_FOLDERS = """
SELECT kind, files, size_bytes, only_here_files, top_path AS folder, of_path AS of
FROM folder_copies WHERE entry_id = top_id ORDER BY size_bytes DESC, folder LIMIT 20
"""


class Duplicates(Struct, frozen=True):
    """What dedupe found: groups, copies beyond the keepers, and the bytes those take."""

    groups: int
    copies: int
    copies_size_bytes: int
    hard_links: int
    replicated_folders: int = 0  # of which everything is kept elsewhere
    replicated_files: int = 0
    replicated_size_bytes: int = 0
    overlapping_folders: int = 0  # of which nearly everything is


class Largest(Struct, frozen=True):
    """By the space that copies take: groups of identical files (keeper, copies, size_bytes), and
    folders that exist elsewhere, wholly or nearly."""

    groups: list[dict[str, Any]]
    folders: list[dict[str, Any]]


def refuse_equal_ids(query: Query) -> None:
    """Two paths with one number would share every decision: stop before that can happen.

    (The chance is 1 in 10^7 for a million paths, 1 in 100 for half a billion.)"""
    paths = [f"{row['share']}/{row['path']}" for row in query.rows(TWICE)]
    if paths:
        raise MigrateError(
            f"two paths have the same number: {paths}",
            "Give the share another name in estate.yaml and crawl it again.",
        )


def dedupe(
    writer: Writer, config: Config, workers: int, nursery: Nursery | None = None
) -> tuple[Duplicates, Largest]:
    """Find groups of equal files and their keepers. Resumes; ends with the same groups. `nursery`:
    where workers come from, if not from here; it is not needed any more then.

    Files that cannot be read are in no group. Errors: MigrateError if two paths share a number;
    OSError if the estate cannot be written."""
    inputs = writer.estate.scan_ids()
    settings = {
        "keeper": to_builtins(config.keeper),
        "file_plan": [line.folder for line in config.file_plan],
        "replicated_folders": to_builtins(config.replicated_folders),
    }
    with Query(writer.estate) as query:
        query.doing("dedupe: looking for files alike")
        name_files(query)
        if done := writer.estate.done("dedupe", settings, inputs):
            query.named("groups", "folder_copies")
            groups = [*query.rows(LARGEST_GROUPS.format(paths=PATHS))]
            return Duplicates(**done.summary), Largest(groups, [*query.rows(LARGEST_FOLDERS)])
        find_groups(query, config, partial(_read, writer, config, query, workers, nursery))
        run = writer.begin("dedupe", settings, inputs)
        summary, largest = _write_groups(writer, run, query, config)
        writer.finish(run, asdict(summary))
        return summary, largest


def _read(
    writer: Writer, config: Config, query: Query, workers: int, nursery: Nursery | None
) -> None:
    """Read what has to be compared; `digested` has the digests then."""
    keep_read(query)
    if query.count("FROM not_visited") and query.keep("wanted", UNREAD_OF_EQUAL_SIZE):
        visit_again(writer, config, query, TO_READ, workers, "dedupe: first look", nursery)
        query.named("digests")
        keep_read(query)
    if query.keep("wanted", SAMPLED_ALIKE):
        digest_wholly(writer, config, query, TO_READ, workers, "dedupe: reading whole", nursery)
        _name_read_whole(query)
    if nursery:
        nursery.dismiss()
    query.doing("dedupe: groups and the copy that stays")


def _write_groups(
    writer: Writer, run: Run, query: Query, config: Config
) -> tuple[Duplicates, Largest]:
    """The groups, with keepers that agree for folders that exist twice, and those folders."""
    query.doing("dedupe: folders that exist twice")
    near = replicas.keep_near_groups(query, config)
    with query.meanwhile(partial(replicas.agree, config=config)):
        settled = f"FROM found ANTI JOIN near_groups USING (group_id) {IN_ORDER}"
        parts = query.write("groups", settled)
    query.call("groups", "FROM agreed")
    with query.meanwhile(partial(replicas.keep_copies, config=config)):
        if near:
            rest = f"FROM agreed SEMI JOIN near_groups USING (group_id) {IN_ORDER}"
            parts += query.write("groups", rest)
        summed = next(query.rows(SUMMARY))
        groups = [*query.rows(LARGEST_GROUPS.format(paths=PATHS_OF_MEMBERS))]
    if query.count("FROM found_folders"):
        parts += query.write("folder_copies", "FROM found_folders ORDER BY top_path, entry_id")
        summed |= next(query.rows(replicas.SUMMARY))
    query.call("folder_copies", "FROM found_folders")
    largest = Largest(groups, [*query.rows(LARGEST_FOLDERS)])
    writer.commit(run, parts)
    return Duplicates(**{name: int(value or 0) for name, value in summed.items()}), largest


def name_files(query: Query) -> None:
    """The tables that say which files there are, and what a visit has read of them."""
    query.named("entries", "listings", "digests")
    query.call("contents", CONTENTS)


def keep_read(query: Query) -> None:
    """`not_visited`, and `digested` with what has been read since the visit."""
    query.keep("not_visited", NOT_VISITED)
    _name_read_whole(query)


def _name_read_whole(query: Query) -> None:
    query.named("whole_digests")
    query.keep("read_whole", READ_WHOLE)
    query.call("digested", DIGESTED)


def find_groups(query: Query, config: Config, read: Callable[[], None]) -> None:
    """The `groups` table, as the relation `found`; beside it what `replicas` wants of folders.
    `read` sees to it that `digested` has what is to be compared.

    Errors: MigrateError if two paths share a number; what `read` raises."""
    with query.meanwhile(partial(_keep_folders, config=config)):
        read()
    with query.meanwhile(_keep_trees):
        query.keep("alike", ALIKE)
        query.keep("members", MEMBERS)
        keepers.keep_best(query, "found", "members", keepers.order(config))
    with query.meanwhile(partial(replicas.keep_held, config=config)):
        keepers.keep_choice(query, "found", "members", keepers.order(config))


def _keep_folders(query: Query, config: Config) -> None:
    refuse_equal_ids(query)
    query.keep("folders", FOLDERS.format(tests=keepers.tested(config)), **keepers.values(config))


def _keep_trees(query: Query) -> None:
    query.keep("filed", FILED)
    keep_ways(query)
    query.keep("unread", UNREAD)
