"""Room: folders that exist twice: a tree of which everything, or nearly all, is elsewhere too.

In: entries, listings, digests, and what dedupe has kept: `folders`, `filed`, `ways`, `unread`,
`members`, `found_best`, `found`.
Out: the relation `agreed`: `found` with keepers that agree for whole folders; and rows of
`folder_copies`.
Every copy is compared with its keeper alone: contents that lie in thousands of places cost no more
than any.
Never: a folder as a copy with something in it that could not be read; one that holds the copy of
anything that is kept; one with a master folder in it.

What is a copy: `identical`, the same names and contents (beside junk; whatever the folder itself is
called); `contained`, every file with content is kept in one other folder; `overlap`, so many are.
Of a folder that it lies in only what a person would find there counts: files directly in it, or at
the same place below it. Only the topmost copy counts. A further name of a file that stays (a hard
link, the same folder through a second share) is no copy.
"""

from __future__ import annotations

from migrate import keepers
from migrate.config import Config
from migrate.engine.query import Query
from migrate.patterns import folded
from migrate.trees import (
    DIRECT,
    HELD,
    NO_HELD,
    NO_TREES,
    NOT_KNOWN,
    inside,
    keep_tree_digests,
)

FEWEST_FILES = 2  # a folder of one file is that file
WHOLE = ["identical", "contained"]

_FOLDED = folded("full_path")

# Whether there is a folder with enough copies in it: or no tree of folders has.
_MANY_COPIES = "FROM direct WHERE grouped >= files * $least::DOUBLE"
# Folders, with what they hold, that may be copies: enough of it has copies, and all of it was read.
# Neither in a master folder nor around one.
_CANDIDATES = f"""
SELECT f.*, h.* EXCLUDE entry_id
FROM folders f JOIN held h USING (entry_id) ANTI JOIN ({NOT_KNOWN}) USING (entry_id)
WHERE len(list_filter($masters::VARCHAR[], m -> starts_with({_FOLDED} || '/', m || '/')
  OR starts_with(m || '/', {_FOLDED} || '/'))) = 0
"""  # noqa: S608 - constants
_NEAR_GROUPS = """
SELECT DISTINCT group_id FROM found WHERE parent_id IN (FROM inside_candidates)
"""
# The folders above each that lies in a candidate, or holds another copy of what does.
_NEAR_WAYS = """
FROM ways SEMI JOIN
  (FROM inside_candidates UNION ALL
   SELECT parent_id FROM found SEMI JOIN near_groups USING (group_id))
  USING (entry_id)
"""
# Candidates without those that add nothing to the one folder in them: they are as good as that one.
_LOWEST = """
FROM candidates ANTI JOIN
  (SELECT c.entry_id FROM candidates c SEMI JOIN candidates i
   ON i.parent_id = c.entry_id AND i.files = c.files) USING (entry_id)
"""
# Candidates of which everything has copies, and that hold the same as another one.
_ALIKE_FOLDERS = f"""
SELECT entry_id FROM candidates SEMI JOIN
  (SELECT files, size_bytes, contents FROM ({_LOWEST}) WHERE grouped = files
   GROUP BY ALL HAVING count(*) > 1) USING (files, size_bytes, contents)
WHERE grouped = files
"""  # noqa: S608 - constants
_SAME_TREES = """
SELECT entry_id, tree FROM trees SEMI JOIN alike_folders USING (entry_id)
QUALIFY count(*) OVER (PARTITION BY tree) > 1
"""
# How many copies directly in one folder have their keeper directly in another, where one of the two
# may be part of a copy.
_PAIRS = """
SELECT g.parent_id AS folder_id, k.parent_id AS keeper_folder_id, count(*) AS files,
  sum(g.size_bytes)::BIGINT AS size_bytes
FROM {groups} g JOIN found k ON g.keeper_id = k.entry_id
WHERE g.role <> 'keeper' AND NOT g.is_junk
  AND (g.role = 'copy' OR NOT (g.device_id = k.device_id AND g.file_id = k.file_id))
  AND (g.parent_id IN (FROM inside_candidates) OR k.parent_id IN (FROM inside_candidates))
GROUP BY ALL
"""
# Pairs with every candidate above the copies in place of their folder, where the keepers are not in
# it: entry_id, keeper_folder_id, files, size_bytes.
_RAISED = """
SELECT u.above_id AS entry_id, p.keeper_folder_id, sum(p.files)::BIGINT AS files,
  sum(p.size_bytes)::BIGINT AS size_bytes
FROM {pairs} p JOIN near_ways u ON u.entry_id = p.folder_id
  SEMI JOIN candidates c ON u.above_id = c.entry_id
  ANTI JOIN near_ways o ON o.entry_id = p.keeper_folder_id AND o.above_id = u.above_id
GROUP BY ALL
"""
# How much of each candidate is kept in each other folder, at any level; also in one that it lies in
# itself, outside of it, wherever there.
_IN_OTHERS = """
SELECT r.entry_id, w.above_id AS of_id, sum(r.files)::BIGINT AS shared_files,
  sum(r.size_bytes)::BIGINT AS shared_size_bytes
FROM {raised} r JOIN near_ways w ON w.entry_id = r.keeper_folder_id GROUP BY ALL
"""
_BOTH_WAYS = """(FROM pairs UNION ALL
SELECT keeper_folder_id AS folder_id, folder_id AS keeper_folder_id, files, size_bytes FROM pairs)
"""
# Candidates in the order of the keeper policy: a folder is judged as a file in it would be, by its
# oldest date and the length of its own path.
_PLACED = f"""
SELECT entry_id, depth, row_number() OVER (ORDER BY {{order}}) AS place
FROM (SELECT *, oldest_ns AS oldest, path_length AS shortest_path, '' AS name FROM ({_LOWEST}))
"""  # noqa: S608 - constants
# Candidates of which enough is in another folder too, one that they do not lie in, whichever is
# kept.
_SHARED = f"""
SELECT s.entry_id, s.of_id
FROM ({_IN_OTHERS.format(raised="raised_both_ways")}) s
  JOIN candidates c USING (entry_id) SEMI JOIN placed p ON s.entry_id = p.entry_id
  ANTI JOIN near_ways a ON a.entry_id = s.entry_id AND a.above_id = s.of_id
WHERE s.shared_files >= c.files * $least::DOUBLE
"""  # noqa: S608 - constants
_BOTH = """
SELECT s.entry_id, s.of_id FROM shared s
SEMI JOIN shared o ON o.entry_id = s.of_id AND o.of_id = s.entry_id
"""
_EQUALS = "SELECT entry_id FROM both_share UNION SELECT entry_id FROM same_trees"
# What lies in one that has an equal is judged as that is: or dates would judge its parts apart.
_RANKS = """
SELECT r.entry_id, r.top, p.place FROM placed p JOIN
  (SELECT w.entry_id, arg_min(a.place, a.depth) AS top
   FROM near_ways w SEMI JOIN equals e ON w.entry_id = e.entry_id
     JOIN (FROM placed SEMI JOIN equals USING (entry_id)) a ON w.above_id = a.entry_id
   GROUP BY w.entry_id) r USING (entry_id)
"""
# Folders that should be the copies: of equal trees all but the best by the keeper policy; of two
# that share enough the smaller one, or the worse if they are alike.
_GOING = """
SELECT entry_id FROM same_trees JOIN ranks USING (entry_id)
QUALIFY row_number() OVER (PARTITION BY tree ORDER BY top, place) > 1
UNION SELECT entry_id FROM shared ANTI JOIN equals USING (entry_id)
UNION SELECT b.entry_id
FROM both_share b ANTI JOIN same_trees t ON b.entry_id = t.entry_id
  JOIN ranks r ON b.entry_id = r.entry_id JOIN ranks o ON b.of_id = o.entry_id
WHERE (r.top, r.place) > (o.top, o.place)
"""
# Groups with a keeper in a folder that should go, and something in another folder.
_WRONG = """
SELECT group_id FROM
  (SELECT group_id, role, parent_id IN (FROM inside_going) AS goes FROM found)
GROUP BY group_id HAVING bool_or(role = 'keeper' AND goes) AND NOT bool_and(goes)
"""
_WRONG_MEMBERS = """
SELECT m.*, m.parent_id IN (FROM inside_going) AS goes
FROM members m SEMI JOIN wrong USING (group_id)
"""
# Candidates of which enough is kept outside of them.
_COVERED = """
SELECT c.*, r.covered, r.covered_bytes FROM candidates c JOIN
  (SELECT entry_id, sum(files)::BIGINT AS covered, sum(size_bytes)::BIGINT AS covered_bytes
   FROM raised GROUP BY entry_id) r USING (entry_id)
WHERE r.covered >= c.files * $least::DOUBLE
"""
# Where enough of each of those is, and whether that is a folder it lies in.
_ENOUGH = f"""
SELECT s.*, c.full_path, s.shared_files = c.files AS is_all, a.entry_id IS NOT NULL AS is_around
FROM ({_IN_OTHERS.format(raised="(FROM raised SEMI JOIN covered USING (entry_id))")}) s
  JOIN covered c USING (entry_id)
  LEFT JOIN near_ways a ON a.entry_id = s.entry_id AND a.above_id = s.of_id
WHERE s.shared_files >= c.files * $least::DOUBLE
"""  # noqa: S608 - constants
# Those that are in no other folder as a whole, with the folders they lie in.
_AROUND = """
SELECT e.entry_id, e.of_id, e.full_path, o.full_path AS of_path
FROM enough e JOIN folders o ON o.entry_id = e.of_id
  ANTI JOIN (FROM enough WHERE is_all AND NOT is_around) w ON w.entry_id = e.entry_id
WHERE e.is_around
"""
# How much of them is kept where a person would look there: directly in that folder, or at the same
# place below it as in the candidate. What is only scattered there can be checked by nobody.
_IN_PLACE = """
SELECT a.entry_id, a.of_id, sum(p.files)::BIGINT AS shared_files,
  sum(p.size_bytes)::BIGINT AS shared_size_bytes
FROM around a JOIN near_ways u ON u.above_id = a.entry_id
  JOIN agreed_pairs p ON p.folder_id = u.entry_id JOIN folders f ON f.entry_id = p.folder_id
  JOIN folders k ON k.entry_id = p.keeper_folder_id
WHERE NOT starts_with(k.full_path || '/', a.full_path || '/') AND (k.full_path = a.of_path
  OR k.full_path = a.of_path || substr(f.full_path, length(a.full_path) + 1))
GROUP BY ALL
"""
# Each with the folder it is a copy of. One that it lies in is named only if no other will do.
_BEST = """
SELECT c.*, s.of_id, s.shared_files, s.shared_size_bytes,
  CASE WHEN s.shared_files < c.files THEN 'overlap' WHEN t.tree = o.tree THEN 'identical'
    ELSE 'contained' END AS kind
FROM (
  SELECT entry_id, of_id, shared_files, shared_size_bytes, is_around
  FROM enough WHERE NOT is_around UNION ALL SELECT *, true FROM in_place) s
  JOIN covered c USING (entry_id) JOIN folders f ON f.entry_id = s.of_id
  LEFT JOIN same_trees t ON t.entry_id = s.entry_id LEFT JOIN same_trees o ON o.entry_id = s.of_id
WHERE s.shared_files >= c.files * $least::DOUBLE
QUALIFY row_number() OVER (PARTITION BY c.entry_id ORDER BY kind <> 'identical', kind = 'overlap',
  s.is_around, s.shared_files DESC, f.depth DESC, s.of_id) = 1
"""
# Without those inside of a copy, and overlaps inside of another one. A folder that has all its
# files in an identical one is left out for that: it says more.
_TOPMOST = """
WITH nested AS (
  SELECT i.entry_id, i.kind, i.files, o.entry_id AS above_id, o.kind AS above_kind,
    o.files AS above_files
  FROM best i JOIN near_ways w ON w.entry_id = i.entry_id AND w.above_id <> w.entry_id
    JOIN best o ON o.entry_id = w.above_id),
around AS (
  SELECT above_id FROM nested
  WHERE kind = 'identical' AND above_kind = 'contained' AND files = above_files),
implied AS (
  SELECT entry_id FROM nested ANTI JOIN around USING (above_id)
  WHERE above_kind IN ('identical', 'contained') OR kind = 'overlap')
FROM best ANTI JOIN (FROM around UNION ALL FROM implied) n ON best.entry_id = n.above_id
"""
# A row for every folder of the trees found; one that lies in two belongs to the inner one.
_ROWS = """
SELECT t.scan_id, w.entry_id, t.entry_id AS top_id, t.of_id, t.kind, t.full_path AS top_path,
  o.full_path AS of_path, t.files, t.size_bytes, t.shared_files, t.shared_size_bytes,
  t.files - t.covered AS only_here_files, t.size_bytes - t.covered_bytes AS only_here_size_bytes
FROM topmost t JOIN near_ways w ON w.above_id = t.entry_id JOIN folders o ON o.entry_id = t.of_id
QUALIFY row_number() OVER (PARTITION BY w.entry_id ORDER BY t.depth DESC) = 1
"""
# How many folders are copies, and how much they hold.
SUMMARY = """
SELECT count(*) FILTER (kind <> 'overlap') AS replicated_folders,
  (sum(files) FILTER (kind <> 'overlap'))::BIGINT AS replicated_files,
  (sum(size_bytes) FILTER (kind <> 'overlap'))::BIGINT AS replicated_size_bytes,
  count(*) FILTER (kind = 'overlap') AS overlapping_folders
FROM found_folders WHERE entry_id = top_id
"""


def keep_held(query: Query, config: Config) -> None:
    """`held`: what trees hold that have enough copies in them. Needs no keepers, only `found_best`:
    which groups there are."""
    least = _least(config)
    query.keep("direct", DIRECT)
    if query.count(_MANY_COPIES, least=least):
        query.keep("held", HELD, fewest=FEWEST_FILES, least=least)
    else:
        query.keep("held", NO_HELD)


def keep_near_groups(query: Query, config: Config) -> int:
    """`near_groups`: those with something in a folder that may be a copy; how many. The keeper of
    any other stays as it is. Where there are some, what `agree` goes by too: `near_ways`,
    `same_trees`, `pairs`."""
    if not _keep_candidates(query, config):
        return query.keep("near_groups", "SELECT NULL::BIGINT AS group_id WHERE false")
    query.keep("inside_candidates", inside("candidates", "ways"))
    near = query.keep("near_groups", _NEAR_GROUPS)
    with query.meanwhile(_keep_near_folders):
        query.keep("pairs", _PAIRS.format(groups="found"))
    return near


def agree(query: Query, config: Config) -> None:
    """`agreed`: the groups, with keepers that agree for folders that exist twice. Every step ends
    the search where it finds that there are none."""
    if not query.count("FROM near_groups"):
        query.call("agreed", "FROM found")
        return
    if not (_keep_going(query, config) and _keep_wrong(query)):
        query.call("agreed", "FROM found")
        query.call("agreed_pairs", "FROM pairs")
        return
    order = keepers.order(config, goes=True)
    keepers.keep_best(query, "righted", "wrong_members", order)
    keepers.keep_choice(query, "righted", "wrong_members", order)
    query.call("agreed", "FROM found ANTI JOIN wrong USING (group_id) UNION ALL FROM righted")
    query.call("agreed_pairs", _PAIRS.format(groups="agreed"))


def keep_copies(query: Query, config: Config) -> None:
    """`found_folders`: rows of `folder_copies`."""
    if not query.count("FROM near_groups"):
        query.view("folder_copies", [], "found_folders")
        return
    query.keep("raised", _RAISED.format(pairs="agreed_pairs"))
    query.keep("covered", _COVERED, least=_least(config))
    query.keep("enough", _ENOUGH, least=_least(config))
    query.keep("around", _AROUND)
    query.keep("in_place", _IN_PLACE)
    query.keep("best", _BEST, least=_least(config))
    query.keep("topmost", _TOPMOST)
    query.keep("found_folders", _ROWS)


def _least(config: Config) -> float:
    """How much of a folder has to be elsewhere."""
    return config.replicated_folders.overlap_percent / 100


def _keep_candidates(query: Query, config: Config) -> int:
    """`candidates`; how many."""
    if not query.count("FROM held"):
        return 0
    return query.keep("candidates", _CANDIDATES, masters=keepers.masters(config))


def _keep_near_folders(query: Query) -> None:
    """`near_ways`; and `same_trees` (entry_id, tree): candidates that are the same as another one,
    with the digest they share."""
    query.keep("near_ways", _NEAR_WAYS)
    some = query.keep("alike_folders", _ALIKE_FOLDERS)
    if some:
        keep_tree_digests(query)
    query.keep("same_trees", _SAME_TREES if some else NO_TREES)


def _keep_going(query: Query, config: Config) -> int:
    """`inside_going`: folders that should be the copies, and those in them; how many."""
    query.keep("placed", _PLACED.format(order=keepers.order(config)))
    query.keep("raised_both_ways", _RAISED.format(pairs=_BOTH_WAYS))
    shared = query.keep("shared", _SHARED, least=_least(config))
    if not shared and not query.count("FROM same_trees"):
        return 0
    query.keep("both_share", _BOTH)
    query.keep("equals", _EQUALS)
    query.keep("ranks", _RANKS)
    query.keep("going", _GOING)
    return query.keep("inside_going", inside("going"))


def _keep_wrong(query: Query) -> int:
    """`wrong_members`: of groups in which something in a folder that should go is kept though
    something else is as good. Without this, dates that differ from file to file would leave half of
    the keepers here and half there. How many members."""
    query.keep("wrong", _WRONG)
    return query.keep("wrong_members", _WRONG_MEMBERS)
