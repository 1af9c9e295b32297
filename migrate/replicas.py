"""Room: folders that exist twice: a tree of which everything, or nearly all, is elsewhere too.

In: entries, digests, groups. Out: `groups` with keepers that agree for whole folders, and
`folder_copies`. Every copy is compared with its keeper alone, so contents that lie in thousands of
places cost no more than others.
Never: a folder as a copy with something in it that could not be read; one that holds the copy of
anything that is kept; one with a master folder in it.

What is a copy: `identical`, the same names and contents (beside junk; whatever the folder itself is
called); `contained`, every file with content is kept in one other folder; `overlap`, so many are.
Only the topmost counts. A further name of a file that stays (a hard link, the same folder through a
second share) is no copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from migrate.config import Config
from migrate.copyfacts import has_content
from migrate.engine.query import Query
from migrate.expressions import fold, folded, full_path
from migrate.keepers import keeper_order, under_any
from migrate.trees import (
    direct_holdings,
    folders_of,
    not_known,
    tree_digests,
    ways_up,
    whole_holdings,
)

Relation = Any  # an Ibis relation

FEWEST_FILES = 2  # a folder of one file is that file
WHOLE = ["identical", "contained"]
SAME_FILE = ["device_id", "file_id"]


@dataclass(frozen=True)
class Replicas:
    """`groups` with the keepers that count; `folders`: rows of `folder_copies`, None if there are
    none."""

    groups: Relation
    folders: Relation | None


def find(query: Query, groups: Relation, config: Config) -> Replicas:
    """Folders that exist twice. `groups` is stored; so is what comes back."""
    least = config.replicated_folders.overlap_percent / 100
    direct = query.stored(direct_holdings(query, groups))
    if not query.count(direct.filter(direct.grouped >= direct.files * least)):
        return Replicas(groups, None)  # no folder has enough copies in it, so no tree has
    folders = query.stored(folders_of(query))
    ways = ways_up(query, folders)
    candidates = _candidates(query, folders, whole_holdings(direct, ways), ways, config, least)
    trees = _same_trees(query, groups, candidates, ways)
    pairs = _pairs(query, groups, candidates, ways)
    going = _going(query, pairs, candidates, trees, ways, config, least)
    agreed = _agreeing(query, groups, going, ways, config) if query.count(going) else groups
    if agreed is not groups:
        pairs = _pairs(query, agreed, candidates, ways)
    found = query.stored(_found(query, pairs, candidates, trees, folders, ways, least))
    if not query.count(found):
        return Replicas(agreed, None)
    return Replicas(agreed, query.stored(_rows(found, folders, ways)))


def _candidates(
    query: Query, folders: Relation, held: Relation, ways: Relation, config: Config, least: float
) -> Relation:
    """Folders, with what they hold, that may be copies: enough of it has copies, and all of it was
    read. Neither in a master folder nor around one."""
    enough = (held.files >= FEWEST_FILES) & (held.grouped >= held.files * least)
    table = folders.drop("error").inner_join(held.filter(enough), "entry_id")
    if masters := config.keeper.master_folders:
        lower = folded(full_path(table))
        around = [
            (lower == fold(master)) | ibis.literal(fold(master)).startswith(lower + "/")
            for master in masters
        ]
        table = table.filter(~under_any(lower, masters), ~ibis.or_(*around))
    table = query.stored(table)
    inside = query.stored(_inside(table, ways))
    return query.stored(table.anti_join(not_known(query, inside, ways), "entry_id"))


def _inside(tops: Relation, ways: Relation) -> Relation:
    """entry_id of some folders and of all below them."""
    below = ways.semi_join(tops, ways.above_id == tops.entry_id)
    return below.select("entry_id").distinct()


def _same_trees(query: Query, groups: Relation, candidates: Relation, ways: Relation) -> Relation:
    """entry_id, tree: candidates that are the same as another one, with the digest they share."""
    whole = query.stored(candidates.filter(candidates.grouped == candidates.files))
    alike = whole.group_by("files", "size_bytes").aggregate(n=whole.count())
    whole = query.stored(whole.semi_join(alike.filter(alike.n > 1), ["files", "size_bytes"]))
    if not query.count(whole):
        return whole.select("entry_id", tree=ibis.literal(""))
    trees = tree_digests(query, groups, whole, ways).semi_join(whole, "entry_id")
    trees = trees.mutate(same=trees.count().over(ibis.window(group_by="tree")))
    return query.stored(trees.filter(trees.same > 1).drop("same"))


def _pairs(query: Query, groups: Relation, candidates: Relation, ways: Relation) -> Relation:
    """folder_id, keeper_folder_id, files, size_bytes: how many copies directly in one folder have
    their keeper directly in another, where one of the two may be part of a copy."""
    entries = query.table("entries")
    members = entries.filter(has_content(entries)).select("entry_id", "parent_id", *SAME_FILE)
    keepers = entries.select(
        keeper_id="entry_id", keeper_folder_id="parent_id", keeper_device="device_id",
        keeper_file="file_id",
    )  # fmt: skip
    table = groups.filter(groups.role != "keeper")
    table = table.inner_join(members, "entry_id").inner_join(keepers, "keeper_id")
    same_file = (table.device_id == table.keeper_device) & (table.file_id == table.keeper_file)
    table = table.filter((table.role == "copy") | ~same_file)
    pairs = table.group_by(folder_id="parent_id", keeper_folder_id="keeper_folder_id").aggregate(
        files=table.count(), size_bytes=table.size_bytes.sum()
    )
    inside = _inside(candidates, ways)
    either = pairs.folder_id.isin(inside.entry_id) | pairs.keeper_folder_id.isin(inside.entry_id)
    return query.stored(pairs.filter(either))


def _raised(pairs: Relation, candidates: Relation, ways: Relation) -> Relation:
    """Pairs with every candidate above the copies in place of their folder, where the keepers are
    not in it: entry_id, keeper_folder_id, files, size_bytes."""
    up = ways.semi_join(candidates, ways.above_id == candidates.entry_id)
    up = up.select(folder_id="entry_id", top_id="above_id")
    table = pairs.inner_join(up, "folder_id")
    own = ways.select(keeper_folder_id="entry_id", top_id="above_id")
    table = table.anti_join(own, ["keeper_folder_id", "top_id"])
    return table.group_by(entry_id="top_id", keeper_folder_id="keeper_folder_id").aggregate(
        files=table.files.sum(), size_bytes=table.size_bytes.sum()
    )


def _in_others(raised: Relation, ways: Relation) -> Relation:
    """entry_id, of_id, files, size_bytes: how much of each candidate is kept in each other folder,
    at any level; also in one that it lies in itself, outside of it."""
    above = ways.select(keeper_folder_id="entry_id", of_id="above_id")
    table = raised.inner_join(above, "keeper_folder_id")
    return table.group_by("entry_id", "of_id").aggregate(
        shared_files=table.files.sum(), shared_size_bytes=table.size_bytes.sum()
    )


def _shared(pairs: Relation, candidates: Relation, ways: Relation, least: float) -> Relation:
    """entry_id, of_id: candidates of which enough is in another folder too, one that they do not
    lie in, whichever is kept."""
    turned = pairs.select(
        folder_id="keeper_folder_id", keeper_folder_id="folder_id", files="files",
        size_bytes="size_bytes",
    )  # fmt: skip
    shared = _in_others(_raised(pairs.union(turned), candidates, ways), ways)
    shared = shared.inner_join(candidates.select("entry_id", "files"), "entry_id")
    shared = shared.filter(shared.shared_files >= shared.files * least)
    around = ways.select("entry_id", of_id="above_id")
    return shared.select("entry_id", "of_id").anti_join(around, ["entry_id", "of_id"])


def _going(
    query: Query, pairs: Relation, candidates: Relation, trees: Relation, ways: Relation,
    config: Config, least: float,
) -> Relation:  # fmt: skip
    """entry_id of the folders that should be the copies: of equal trees all but the best by the
    keeper policy; of two that share enough the smaller one, or the worse if they are alike."""
    placed = _placed(candidates, config)
    # A folder that adds nothing to the one folder in it is as good as that one.
    around = candidates.semi_join(candidates.view(), [("entry_id", "parent_id"), "files"])
    placed = placed.anti_join(around, "entry_id")
    ranked = trees.inner_join(placed, "entry_id")
    nth = ibis.row_number().over(group_by="tree", order_by="place")
    equal = ranked.mutate(nth=nth).filter(ibis._.nth > 0).select("entry_id")
    shared = query.stored(_shared(pairs, candidates, ways, least))
    other = placed.select(of_id="entry_id", of_place="place")
    both = shared.semi_join(shared.view(), [("entry_id", "of_id"), ("of_id", "entry_id")])
    both = both.inner_join(placed, "entry_id").inner_join(other, "of_id")
    # A folder with an equal is judged against that: its equal's parent is larger than it anyway.
    both = query.stored(both.anti_join(trees, "entry_id"))
    equals = both.select("entry_id").union(trees.select("entry_id"))
    parts = shared.anti_join(equals, "entry_id").select("entry_id")
    worse = both.filter(both.place > both.of_place).select("entry_id")
    return query.stored(equal.union(parts).union(worse).distinct())


def _placed(candidates: Relation, config: Config) -> Relation:
    """Candidates by the keeper policy: a folder is judged as a file in it would be, by its oldest
    date and the length of its own path."""
    table = candidates.mutate(
        path=ibis.ifelse(candidates.path == "", "*", candidates.path + "/*"),
        mtime_ns=candidates.oldest_ns,
    )
    return table.select(
        "entry_id", place=ibis.row_number().over(order_by=keeper_order(table, config))
    )


def _agreeing(
    query: Query, groups: Relation, going: Relation, ways: Relation, config: Config
) -> Relation:
    """Groups in which what lies in a folder that should go is kept only if nothing else is better:
    without this, dates that differ from file to file would leave half of the keepers here and half
    there."""
    inside = query.stored(_inside(going, ways).select(parent_id="entry_id"))
    entries = query.table("entries").drop("scan_id", "size_bytes")
    keepers = groups.filter(groups.role == "keeper").inner_join(entries, "entry_id")
    wrong = keepers.semi_join(inside, "parent_id").select("group_id")
    free = entries.anti_join(inside, "parent_id").select("entry_id")
    others = groups.semi_join(free, "entry_id").select("group_id")
    wrong = query.stored(wrong.semi_join(others, "group_id"))
    if not query.count(wrong):
        return groups
    files = groups.semi_join(wrong, "group_id").inner_join(entries, "entry_id")
    files = _left(files, inside.mutate(goes=True), "parent_id")
    order = keeper_order(files, config, files.goes.fill_null(False))
    nth = ibis.row_number().over(group_by=["group_id", *SAME_FILE], order_by=order)
    files = files.mutate(nth_name=nth)
    by_group = ibis.window(
        group_by="group_id",
        order_by=[files.nth_name > 0, *keeper_order(files, config, files.goes.fill_null(False))],
    )
    files = files.mutate(
        place=ibis.row_number().over(by_group), keeper_id=files.entry_id.first().over(by_group)
    )
    role = ibis.cases((files.place == 0, "keeper"), (files.nth_name > 0, "hard_link"), else_="copy")
    new = files.mutate(role=role).select(groups.columns)
    return query.stored(groups.anti_join(wrong, "group_id").union(new))


def _found(
    query: Query, pairs: Relation, candidates: Relation, trees: Relation, folders: Relation,
    ways: Relation, least: float,
) -> Relation:  # fmt: skip
    """The topmost copies, with the folder each is a copy of."""
    raised = query.stored(_raised(pairs, candidates, ways))
    covered = raised.group_by("entry_id").aggregate(
        covered=raised.files.sum(), covered_bytes=raised.size_bytes.sum()
    )
    candidates = candidates.inner_join(covered, "entry_id")
    candidates = query.stored(candidates.filter(candidates.covered >= candidates.files * least))
    raised = raised.semi_join(candidates, "entry_id")
    others = _in_others(raised, ways)
    table = others.inner_join(candidates, "entry_id")
    table = table.filter(table.shared_files >= table.files * least)
    table = _left(table, trees.select("entry_id", "tree"), "entry_id")
    table = _left(table, trees.select(of_id="entry_id", of_tree="tree"), "of_id")
    # A folder that it lies in is named only if no other will do.
    around = ways.select("entry_id", of_id="above_id", around=True)
    table = _left(table, around, "entry_id", "of_id")
    of_depth = folders.select(of_id="entry_id", of_depth="depth")
    table = table.inner_join(of_depth, "of_id")
    whole = table.shared_files == table.files
    kind = ibis.cases(
        (whole & (table.tree == table.of_tree).fill_null(False), "identical"),
        (whole, "contained"),
        else_="overlap",
    )
    rank = ibis.cases((kind == "identical", 0), (whole, 1), else_=2)
    table = table.mutate(kind=kind, rank=rank)
    order = ["rank", table.around.notnull(), ibis.desc("shared_files"), ibis.desc("of_depth"),
             "of_id"]  # fmt: skip
    nth = ibis.row_number().over(group_by="entry_id", order_by=order)
    best = query.stored(table.mutate(nth=nth).filter(ibis._.nth == 0))
    return _topmost(query, best, ways)


def _topmost(query: Query, best: Relation, ways: Relation) -> Relation:
    """Without those inside of a copy, and overlaps inside of another one. A folder that has all its
    files in an identical one is left out for that: it says more."""
    above = query.stored(ways.filter(ways.entry_id != ways.above_id))
    own = best.select("entry_id", "kind", "files")
    own = above.inner_join(own, "entry_id")
    outer = best.select(above_id="entry_id", above_kind="kind", above_files="files")
    nested = own.inner_join(outer, "above_id")
    around = nested.filter(nested.kind == "identical", nested.above_kind == "contained")
    around = around.filter(around.files == around.above_files)
    nested = nested.anti_join(around.select("above_id"), "above_id")
    implied = nested.filter(nested.above_kind.isin(WHOLE) | (nested.kind == "overlap"))
    best = best.anti_join(around, best.entry_id == around.above_id)
    return best.anti_join(implied, "entry_id")


def _rows(found: Relation, folders: Relation, ways: Relation) -> Relation:
    """A row for every folder of the trees found; one that lies in two belongs to the inner one."""
    of = folders.select(of_id="entry_id", of_path=full_path(folders))
    table = found.mutate(top_path=full_path(found)).inner_join(of, "of_id")
    table = table.mutate(
        top_id=table.entry_id,
        only_here_files=table.files - table.covered,
        only_here_size_bytes=table.size_bytes - table.covered_bytes,
    )
    inside = ways.select("entry_id", top_id="above_id")
    table = table.drop("entry_id").inner_join(inside, "top_id")
    inner = ibis.row_number().over(group_by="entry_id", order_by=ibis.desc("depth"))
    return table.mutate(inner=inner).filter(ibis._.inner == 0)


def _left(table: Relation, other: Relation, *keys: str) -> Relation:
    """A left join on columns of the same names."""
    return table.left_join(other, list(keys)).drop(*(f"{key}_right" for key in keys))


def summed(query: Query, folders: Relation | None) -> dict[str, int]:
    """How many folders are copies, and how much they hold."""
    names = ["replicated_folders", "replicated_files", "replicated_size_bytes",
             "overlapping_folders"]  # fmt: skip
    if folders is None:
        return dict.fromkeys(names, 0)
    tops = folders.filter(folders.entry_id == folders.top_id)
    whole = tops.kind.isin(WHOLE)
    sums = (whole.sum(), tops.files.sum(where=whole), tops.size_bytes.sum(where=whole),
            (~whole).sum())  # fmt: skip
    return next(query.rows(tops.aggregate(**dict(zip(names, sums, strict=True)))))
