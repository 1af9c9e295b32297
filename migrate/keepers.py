"""Room: which of several copies is kept: the keeper policy of estate.yaml as sort keys.

In: the policy. Out: SQL columns, the least of which is best: tests of a folder, over its folded
path, and what tells files in folders apart: `oldest`, `shortest_path`; last `folder_place` (the
place of the folder's path in the alphabet) and `name`. Master folders come before every other test.
Files and whole folders are judged by the same columns.
"""

from __future__ import annotations

from typing import Any

from migrate.config import Config
from migrate.engine.query import Query
from migrate.patterns import fold, folder_pattern

# A path with a folder in it whose name looks like the first pattern and not like the second. (Names
# are taken apart only where one does: that takes four times as long.)
_IN_COPY_FOLDER = """
CASE WHEN regexp_matches(lower, $copies::VARCHAR) THEN len(list_filter(string_split(lower, '/'),
  n -> regexp_matches(n, $copies::VARCHAR) AND NOT regexp_matches(n, $not_copies::VARCHAR))) > 0
  ELSE false END
"""
# A path under none of some folders.
_NOT_UNDER = "len(list_filter({}, f -> lower = f OR starts_with(lower, f || '/'))) = 0"
_OF_FOLDERS = {
    "master_folder": _NOT_UNDER.format("$masters::VARCHAR[]"),
    "in_file_plan": _NOT_UNDER.format("$plan::VARCHAR[]"),
    "preferred_folder": _NOT_UNDER.format("$preferred::VARCHAR[]"),
    "not_a_copy_folder": _IN_COPY_FOLDER,
}
_OF_FILES = ("oldest", "shortest_path")
# Members, with what `order` names of the folders they lie in. (One has no folder here if that was
# gone when a crawl that had been cut off went on.)
_JUDGED = """
(SELECT m.*, f.* EXCLUDE (scan_id, entry_id, parent_id, depth, error, full_path, path_length),
  f.path_length + 1 + length(m.name) AS shortest_path
FROM {members} m LEFT JOIN folders f ON m.parent_id = f.entry_id)
"""
# What is found of each group. Names of one file, told by device and number, count once.
_BEST = """
SELECT group_id, count(DISTINCT (device_id, file_id)) AS member_count, count(*) AS names,
  arg_min(entry_id, ({order})) AS keeper_id
FROM {judged} GROUP BY group_id HAVING member_count > 1
"""
# Of several names of one file all but the best.
_FURTHER = """
SELECT entry_id
FROM {judged} SEMI JOIN (FROM {best} WHERE names > member_count) USING (group_id)
QUALIFY row_number() OVER (PARTITION BY group_id, device_id, file_id ORDER BY {order}) > 1
"""
_CHOSEN = """
SELECT m.scan_id, m.entry_id, m.group_id, m.parent_id, m.size_bytes, m.device_id, m.file_id,
  m.is_junk, b.member_count, b.keeper_id,
  CASE WHEN m.entry_id = b.keeper_id THEN 'keeper' WHEN f.entry_id IS NOT NULL THEN 'hard_link'
    ELSE 'copy' END AS role
FROM {members} m JOIN {best} b USING (group_id) LEFT JOIN {further} f USING (entry_id)
"""


def values(config: Config) -> dict[str, Any]:
    """What `tested` compares paths with."""
    return {name: value for named in _named(config).values() for name, value in named.items()}


def _named(config: Config) -> dict[str, dict[str, Any]]:
    """By test, where people have named something for it: that, by what it is called in SQL."""
    keeper = config.keeper
    named: dict[str, dict[str, Any]] = {
        "master_folder": {"masters": masters(config)},
        "in_file_plan": {"plan": [fold(line.folder) for line in config.file_plan]},
        "preferred_folder": {"preferred": [fold(folder) for folder in keeper.preferred_folders]},
        "not_a_copy_folder": copies(config),
    }
    asked = ["master_folder", *keeper.prefer]
    return {test: named[test] for test in asked if test in named and all(named[test].values())}


def _telling(config: Config) -> list[str]:
    """The tests in their order, without those for which nothing is named: they tell nothing."""
    named = _named(config)
    asked = ["master_folder", *config.keeper.prefer]
    return [test for test in asked if test in named or test not in _OF_FOLDERS]


def tested(config: Config) -> str:
    """The tests of folders as columns, each with a comma behind, over their folded path `lower`."""
    asked = [test for test in _telling(config) if test in _OF_FOLDERS]
    return "".join(f"{_OF_FOLDERS[test]} AS {test}, " for test in asked)


def masters(config: Config) -> list[str]:
    return [fold(folder) for folder in config.keeper.master_folders]


def copies(config: Config) -> dict[str, str]:
    """How the path of a folder looks that lies in one for copies, or is one; and the name of one
    that is none all the same."""
    keeper = config.keeper
    return {
        "copies": folder_pattern(keeper.copy_folders) if keeper.copy_folders else "",
        "not_copies": folder_pattern(keeper.not_copy_folders),
    }


def order(config: Config, goes: bool = False) -> str:
    """The columns to sort by, best first. With `goes`, what lies in a folder that is a copy as a
    whole (a column of this name) is told apart after the places that people named and before dates
    and lengths, which may differ from file to file."""
    keys = _telling(config)
    if goes:
        place = next((n for n, key in enumerate(keys) if key in _OF_FILES), len(keys))
        keys.insert(place, "goes")
    return ", ".join([*keys, "folder_place", "name", "entry_id"])


def keep_best(query: Query, name: str, members: str, order: str) -> None:
    """`{name}_best`: the keeper of each group of members that are alike (a relation), where there
    are at least two. What has no folder any more comes last."""
    judged = _JUDGED.format(members=members)
    query.keep(f"{name}_best", _BEST.format(judged=judged, order=order), by="group_id")


def keep_choice(query: Query, name: str, members: str, order: str) -> None:
    """The members of those groups, with `role`, `keeper_id` and `member_count`."""
    best, further = f"{name}_best", f"{name}_further"
    judged = _JUDGED.format(members=members)
    query.keep(further, _FURTHER.format(judged=judged, best=best, order=order))
    query.keep(name, _CHOSEN.format(members=members, best=best, further=further), by="group_id")
