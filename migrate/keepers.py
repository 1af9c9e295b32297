"""Room: which of several copies is kept: the keeper policy of estate.yaml as sort keys.

In: the policy. Out: SQL over `lower` (a file's path as share/folder/name, folded), `mtime_ns` and
`in_copy_folder` (what is asked of its folder): a column for each test, the least is best. Master
folders come before every other test, the path decides ties. Files and whole folders are judged by
the same columns.
"""

from __future__ import annotations

from typing import Any

from migrate.config import Config
from migrate.patterns import fold, folder_pattern

# A path under none of some folders.
_NOT_UNDER = "len(list_filter({}, f -> lower = f OR starts_with(lower, f || '/'))) = 0"
_TESTS = {
    "master_folder": _NOT_UNDER.format("$masters::VARCHAR[]"),
    "in_file_plan": _NOT_UNDER.format("$plan::VARCHAR[]"),
    "preferred_folder": _NOT_UNDER.format("$preferred::VARCHAR[]"),
    "not_a_copy_folder": "in_copy_folder",
    "oldest": "mtime_ns",
    "shortest_path": "length(lower)",
}
# The best of each group. Names of one file, told by device and number, count once; its best name
# stands for it.
_CHOICE = """
WITH several AS (
  SELECT group_id, count(*) AS member_count
  FROM (SELECT DISTINCT group_id, device_id, file_id FROM {members})
  GROUP BY group_id HAVING count(*) > 1),
placed AS (
  SELECT scan_id, entry_id, group_id, parent_id, size_bytes, device_id, file_id, is_junk,
    row_number() OVER best AS place, first_value(entry_id) OVER best AS keeper_id
  FROM {members} WINDOW best AS (PARTITION BY group_id ORDER BY {order})),
named AS (
  SELECT *, row_number() OVER (PARTITION BY group_id, device_id, file_id ORDER BY place) AS nth
  FROM placed)
SELECT scan_id, entry_id, group_id, member_count, size_bytes, keeper_id, parent_id, device_id,
  file_id, is_junk,
  CASE WHEN place = 1 THEN 'keeper' WHEN nth > 1 THEN 'hard_link' ELSE 'copy' END AS role
FROM named JOIN several USING (group_id)
"""
_OF_THE_FILE = ("oldest", "shortest_path")  # look at the file, not at where it lies


def values(config: Config) -> dict[str, Any]:
    """What `tested` compares paths with."""
    named = _named(config).items()
    return {name: value for test, (name, value) in named if value and f"${name}" in _TESTS[test]}


def _named(config: Config) -> dict[str, tuple[str, Any]]:
    """By test: what people have named for it, and what it is called in SQL."""
    keeper = config.keeper
    named: dict[str, tuple[str, Any]] = {
        "master_folder": ("masters", masters(config)),
        "in_file_plan": ("plan", [fold(line.folder) for line in config.file_plan]),
        "preferred_folder": ("preferred", [fold(folder) for folder in keeper.preferred_folders]),
        "not_a_copy_folder": ("copies", copies(config)),
    }  # fmt: skip
    return {test: named[test] for test in ["master_folder", *keeper.prefer] if test in named}


def _telling(config: Config) -> list[str]:
    """The tests in their order, without those for which nothing is named: they tell nothing."""
    named = _named(config)
    asked = ["master_folder", *config.keeper.prefer]
    return [test for test in asked if test not in named or named[test][1]]


def tested(config: Config) -> str:
    """The tests of the policy as columns, each with a comma behind."""
    return "".join(f"{_TESTS[test]} AS {test}, " for test in _telling(config))


def masters(config: Config) -> list[str]:
    return [fold(folder) for folder in config.keeper.master_folders]


def copies(config: Config) -> str | None:
    """How the path of a folder looks that lies in one for copies, or is one."""
    names = config.keeper.copy_folders
    return folder_pattern(names) if names else None


def order(config: Config, goes: bool = False) -> str:
    """The columns to sort by, best first. With `goes`, what lies in a folder that is a copy as a
    whole (a column of this name) is told apart after the places that people named and before dates
    and lengths, which may differ from file to file."""
    keys = _telling(config)
    if goes:
        place = next((n for n, key in enumerate(keys) if key in _OF_THE_FILE), len(keys))
        keys.insert(place, "goes")
    return ", ".join([*keys, "lower", "entry_id"])


def choice(members: str, order: str) -> str:
    """The `groups` of members that are alike (a relation), with the best of each as its keeper, and
    where each lies."""
    return _CHOICE.format(members=members, order=order)
