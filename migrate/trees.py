"""Room: folders as trees: what lies above each, what each holds in all, and which are the same.

In: entries, listings, digests; `contents`, `not_visited`, `folders`, `members`, `found_best` and
`found`, as dedupe names them. Out: relations that are kept, each made by a few queries over all
folders at once: no recursion, and nothing in memory that DuckDB could not put on disk.
"""

from __future__ import annotations

from migrate.engine.query import Query
from migrate.patterns import folded, is_junk

MOST_LEVELS = 64  # each is a query; people make no such trees

# Per folder, of the files with content (neither empty nor junk) directly in it: how many, how many
# bytes, the date of the oldest.
FILED = f"""
SELECT parent_id AS entry_id, count(*) AS files, sum(size_bytes)::BIGINT AS size_bytes,
  min(mtime_ns) AS oldest_ns
FROM contents WHERE NOT {is_junk("name")} GROUP BY parent_id
"""  # noqa: S608 - constants
# And how many have a copy (anywhere), with one number over the contents of those, which is the same
# for the same ones in any order.
DIRECT = """
SELECT f.*, coalesce(g.grouped, 0) AS grouped, g.contents
FROM filed f LEFT JOIN
  (SELECT parent_id AS entry_id, count(*) AS grouped, bit_xor(hash(group_id)) AS contents
   FROM members SEMI JOIN found_best USING (group_id)
   WHERE NOT is_junk GROUP BY parent_id) g USING (entry_id)
"""
# The same of the whole tree below each folder, where there is enough of it; and of none.
HELD = """
SELECT above_id AS entry_id, sum(files)::BIGINT AS files, sum(size_bytes)::BIGINT AS size_bytes,
  sum(grouped)::BIGINT AS grouped, min(oldest_ns) AS oldest_ns, bit_xor(contents) AS contents
FROM direct JOIN ways USING (entry_id) GROUP BY above_id
HAVING sum(files) >= $fewest AND sum(grouped) >= sum(files) * $least::DOUBLE
"""
NO_HELD = "SELECT NULL::BIGINT AS entry_id WHERE false"
# The folders above each: itself, the one it lies in and, twice as far from query to query, all
# others.
_ONE_UP = """
SELECT entry_id, entry_id AS above_id, 0 AS levels FROM folders UNION ALL
SELECT entry_id, parent_id AS above_id, 1 AS levels FROM folders WHERE parent_id <> entry_id
"""
_TWICE_AS_FAR = """
SELECT a.entry_id, b.above_id, a.levels + b.levels AS levels
FROM ways a JOIN ways b ON a.above_id = b.entry_id WHERE a.levels = {levels} AND b.levels > 0
"""
# Files that could not be read, or with content that nobody has tried to read.
UNREAD = f"""
SELECT entry_id FROM entries WHERE error IS NOT NULL
UNION ALL SELECT entry_id FROM digests WHERE error IS NOT NULL
UNION ALL SELECT entry_id FROM whole_digests WHERE error IS NOT NULL
UNION ALL SELECT entry_id FROM contents SEMI JOIN not_visited USING (entry_id)
  WHERE NOT {is_junk("name")}
"""  # noqa: S608 - constants
# Folders in whose tree there is something that could not be read or listed.
NOT_KNOWN = """
SELECT above_id AS entry_id FROM ways SEMI JOIN (
  SELECT parent_id AS entry_id FROM entries SEMI JOIN unread USING (entry_id) WHERE kind = 'file'
  UNION ALL SELECT entry_id FROM folders WHERE error IS NOT NULL
  UNION ALL SELECT entry_id FROM folders ANTI JOIN
    (SELECT entry_id FROM listings WHERE error IS NULL) USING (entry_id)) USING (entry_id)
"""
# What lies in some trees and has a name that counts, with what can be said of it at once.
_NAMED = f"""
SELECT e.entry_id, e.parent_id, e.depth, {folded("e.name")} || '/' || CASE
    WHEN g.group_id IS NOT NULL THEN 'g' || g.group_id
    WHEN e.kind = 'symlink' THEN 'l' || coalesce(e.link_target, '') ELSE e.kind END AS said
FROM entries e SEMI JOIN inside_alike i ON e.parent_id = i.entry_id
  LEFT JOIN found g USING (entry_id)
WHERE e.parent_id <> e.entry_id
  AND NOT (e.kind = 'file' AND {is_junk("e.name")})
"""  # noqa: S608 - constants
NO_TREES = "SELECT NULL::BIGINT AS entry_id, '' AS tree WHERE false"
# The folders of one level, by what is in them.
_LEVEL = """
SELECT l.entry_id, md5(coalesce(s.said, '')) AS tree FROM levels l LEFT JOIN
  (SELECT n.parent_id, string_agg(n.said || '/' || coalesce(b.tree, ''), '/'
     ORDER BY n.said || '/' || coalesce(b.tree, '')) AS said
   FROM named n LEFT JOIN {below} b USING (entry_id) WHERE n.depth = $depth + 1
   GROUP BY n.parent_id) s ON l.entry_id = s.parent_id
WHERE l.depth = $depth
"""


def keep_ways(query: Query) -> None:
    """`ways` (entry_id, above_id, levels): each folder with itself and every folder above it, and
    how far. A tree of a thousand levels takes ten steps."""
    deepest = next(query.rows("SELECT coalesce(max(depth), 0) AS levels FROM folders"))["levels"]
    levels, sql = 1, _ONE_UP
    parts = []
    while True:
        parts.append(f"FROM ways_{levels}")
        query.keep(f"ways_{levels}", sql)
        query.call("ways", " UNION ALL ".join(parts))
        if levels >= deepest:
            return
        sql = _TWICE_AS_FAR.format(levels=levels)
        levels *= 2


def keep_tree_digests(query: Query) -> None:
    """`trees` (entry_id, tree): one value for each folder of `alike_folders` (of which every file
    with content is in a group) and for the folders in them, the same for trees of the same names
    and contents, whatever the top itself is called. From the bottom up, a level at a time: the
    digest of a folder is one over the sorted names of what is in it, each with its own digest. None
    for trees of more than MOST_LEVELS: those are compared by contents alone."""
    query.keep("inside_alike", inside("alike_folders"))
    query.keep("named", _NAMED)
    query.keep(
        "levels", "SELECT entry_id, depth FROM folders SEMI JOIN inside_alike USING (entry_id)"
    )
    levels = query.rows("SELECT DISTINCT depth FROM levels ORDER BY depth DESC")
    depths = [row["depth"] for row in levels]
    below = f"({NO_TREES})"
    parts = [below]
    for depth in depths if len(depths) <= MOST_LEVELS else []:
        query.keep(f"trees_{depth}", _LEVEL.format(below=below), depth=depth)
        below = f"trees_{depth}"
        parts.append(below)
    query.keep("trees", " UNION ALL ".join(f"FROM {part}" for part in parts))


def inside(tops: str, ways: str = "near_ways") -> str:
    """entry_id of some folders and of all below them."""
    return f"SELECT DISTINCT w.entry_id FROM {ways} w SEMI JOIN {tops} t ON w.above_id = t.entry_id"  # noqa: S608
