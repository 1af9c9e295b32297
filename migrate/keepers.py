"""Room: which of several copies is kept: the keeper policy of estate.yaml as sort keys.

In: entries, the policy. Out: expressions, best first. Master folders come before every other test.
"""

from __future__ import annotations

from typing import Any

import ibis

from migrate.config import Config
from migrate.expressions import folded, folder_of, folder_pattern, full_path, is_under

OF_THE_FILE = ("oldest", "shortest_path")  # tests that look at the file, not at where it lies


def plan_folders(config: Config) -> list[str]:
    return [line.folder for line in config.file_plan]


def keeper_order(files: Any, config: Config, goes: Any = None) -> list[Any]:
    """The tests of the keeper policy as sort keys, best first; the path decides ties. `goes`: what
    lies in a folder that is a copy as a whole, told apart after the places that people named and
    before dates and lengths, which may differ from file to file."""
    lower = folded(full_path(files))
    keys = [~under_any(lower, config.keeper.master_folders)]
    for test in config.keeper.prefer:
        if goes is not None and test in OF_THE_FILE:
            keys.append(goes)
            goes = None
        keys.append(_keeper_test(test, files, lower, config))
    return [*keys, *([] if goes is None else [goes]), lower, files.entry_id]


def _keeper_test(test: str, files: Any, lower: Any, config: Config) -> Any:
    keeper = config.keeper
    if test == "in_file_plan":
        return ~under_any(lower, plan_folders(config))
    if test == "preferred_folder":
        return ~under_any(lower, keeper.preferred_folders)
    if test == "not_a_copy_folder":
        if not keeper.copy_folders:
            return ibis.literal(False)
        return folder_of(lower).re_search(folder_pattern(keeper.copy_folders))
    if test == "oldest":
        return files.mtime_ns
    return lower.length()


def under_any(lower: Any, folders: list[str]) -> Any:
    """Whether a lower-cased full path is one of some folders or lies below one."""
    return (
        ibis.or_(*(is_under(lower, folder) for folder in folders))
        if folders
        else ibis.literal(False)
    )
