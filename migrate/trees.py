"""Room: folders as trees: what lies above each, what each holds in all, and which are the same.

In: entries, listings, digests, groups. Out: relations, each made by a few queries over all folders
at once: no recursion, and nothing in memory that DuckDB could not put on disk.
"""

from __future__ import annotations

from typing import Any

import ibis

from migrate.copyfacts import JUNK, has_content
from migrate.engine.query import Query
from migrate.expressions import folded
from migrate.facts import contents

Relation = Any  # an Ibis relation


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def md5(value: str) -> str:  # type: ignore[empty-body]
    """The engine's own function (DuckDB and Spark have it)."""


def folders_of(query: Query) -> Relation:
    entries = query.table("entries")
    entries = entries.filter(entries.kind == "folder")
    return entries.select("scan_id", "entry_id", "parent_id", "share", "path", "depth", "error")


def ways_up(query: Query, folders: Relation) -> Relation:
    """entry_id, above_id: each folder with itself and every folder above it. The steps double from
    query to query: a tree of a thousand levels takes ten."""
    ways = query.stored(folders.select("entry_id", above_id="entry_id"))
    jump = folders.filter(folders.parent_id != folders.entry_id)
    jump = query.stored(jump.select(at="entry_id", to="parent_id"))
    while query.count(jump):
        further = ways.inner_join(jump, ways.above_id == jump["at"])
        ways = query.stored(ways.union(further.select("entry_id", above_id="to")))
        twice = jump.inner_join(jump.view(), [("to", "at")], rname="second_{name}")
        jump = query.stored(twice.select("at", to="second_to"))
    return ways


def direct_holdings(query: Query, groups: Relation) -> Relation:
    """Per folder, of the files with content directly in it: how many, how many bytes, how many have
    a copy (anywhere), the date of the oldest."""
    entries = query.table("entries")
    files = entries.filter(entries.kind == "file", has_content(entries))
    files = files.left_join(groups.select("entry_id", "group_id"), "entry_id")
    return files.group_by(entry_id="parent_id").aggregate(
        files=files.count(),
        size_bytes=files.size_bytes.sum(),
        grouped=files.group_id.count(),
        oldest_ns=files.mtime_ns.min(),
    )


def whole_holdings(direct: Relation, ways: Relation) -> Relation:
    """The same of the whole tree below each folder."""
    above = ways.inner_join(direct, "entry_id")
    return above.group_by(entry_id="above_id").aggregate(
        files=above.files.sum(),
        size_bytes=above.size_bytes.sum(),
        grouped=above.grouped.sum(),
        oldest_ns=above.oldest_ns.min(),
    )


def not_known(query: Query, inside: Relation, ways: Relation) -> Relation:
    """entry_id of the folders in whose tree something could not be read or listed; `inside`: the
    folders to look into."""
    files = contents(query)
    files = files.semi_join(inside, files.parent_id == inside.entry_id)
    unread = files.read_error.notnull() | (has_content(files) & ~files.was_read)
    listings = query.table("listings")
    listed = listings.filter(listings.error.isnull()).select("entry_id")
    folders = folders_of(query).semi_join(inside, "entry_id")
    unlisted = folders.anti_join(listed, "entry_id").select("entry_id")
    failed = folders.filter(folders.error.notnull()).select("entry_id")
    closed = files.filter(unread).select(entry_id="parent_id").union(unlisted).union(failed)
    return ways.semi_join(closed, "entry_id").select(entry_id="above_id").distinct()


def tree_digests(query: Query, groups: Relation, tops: Relation, ways: Relation) -> Relation:
    """entry_id, tree: one value for each of `tops` (folders of which every file with content is in
    a group) and of the folders in them, the same for trees of the same names and contents, whatever
    the top itself is called. From the bottom up, a level at a time: the digest of a folder is one
    over the sorted names of what is in it, each with its own digest."""
    inside = ways.semi_join(tops, ways.above_id == tops.entry_id).select("entry_id").distinct()
    entries = query.table("entries")
    rest = entries.filter(~((entries.kind == "file") & entries.name.lower().isin(JUNK)))
    rest = rest.semi_join(inside, rest.parent_id == inside.entry_id)
    rest = rest.filter(rest.parent_id != rest.entry_id)
    rest = rest.left_join(groups.select("entry_id", "group_id"), "entry_id")
    content = ibis.cases(
        (rest.group_id.notnull(), "g" + rest.group_id.cast("string")),
        (rest.kind == "symlink", "l" + rest.link_target.fill_null("")),
        else_=rest.kind,
    )
    named = rest.select(
        "entry_id", "parent_id", "kind", "depth", said=folded(rest.name) + "/" + content
    )
    named = query.stored(named)
    level = folders_of(query).semi_join(inside, "entry_id").select("entry_id", "depth")
    level = query.stored(level)
    depths = query.rows(level.select("depth").distinct().order_by(ibis.desc("depth")))
    done = query.stored(level.filter(level.depth < 0).select("entry_id", tree=ibis.literal("")))
    below = done
    parts = [done]
    for depth in [row["depth"] for row in depths]:
        children = named.filter(named.depth == depth + 1).left_join(below, "entry_id")
        said = children.said + "/" + children.tree.fill_null("")
        summed = children.group_by("parent_id").aggregate(
            said=said.group_concat("/", order_by=said)
        )
        here = level.filter(level.depth == depth).left_join(
            summed, level.entry_id == summed.parent_id
        )
        below = query.stored(here.select("entry_id", tree=md5(here.said.fill_null(""))))
        parts.append(below)
    return ibis.union(*parts) if len(parts) > 1 else done
