"""Room: what is known of copies beside their bytes: the folder they lie in, and who may open them.

In: entries with their groups; folder_copies, securities. Out: columns of facts. What was not asked
for or not compared is NULL.
"""

from __future__ import annotations

from typing import Any

import ibis

from migrate.engine.query import Query
from migrate.expressions import size_words
from migrate.patterns import JUNK

Relation = Any  # an Ibis relation


def has_content(files: Relation) -> Relation:
    """Whether a file counts when folders are compared: it is neither empty nor junk. (Empty files
    and folders have a name and nothing to lose: they count only where names do.)"""
    return (files.size_bytes > 0) & ~files.name.lower().isin(JUNK)


def folder_copies(query: Query, entries: Relation) -> Relation:
    """By entry_id: the replicated tree that an entry lies in. Trees of an earlier scan say nothing
    about the files of this one."""
    trees = query.table("folder_copies")
    trees = trees.filter(trees.scan_id.isin(query.estate.scan_ids())).select(
        "top_id", "top_path", "of_path", "only_here_files", "only_here_size_bytes",
        tree_folder_id="entry_id", tree_kind="kind", tree_files="files",
        tree_shared_files="shared_files",
    )  # fmt: skip
    folder_id = ibis.ifelse(entries.kind == "folder", entries.entry_id, entries.parent_id)
    inside = entries.select("entry_id", tree_folder_id=folder_id)
    return query.stored(inside.inner_join(trees, "tree_folder_id").drop("tree_folder_id"))


def about_folder_copies(table: Relation, unread: Relation, current: bool) -> dict[str, Relation]:
    """folder_copy: of a tree of which all is elsewhere, its top and what is there too under another
    path; of one that overlaps, its top and what is nowhere else. Other entries: none."""
    whole = table.tree_kind.isin(["identical", "contained"])
    top = (table.kind == "folder") & (table.entry_id == table.top_id)
    has_copy = table.role.isin(["copy", "hard_link"])
    nothing = ((table.kind == "file") & (table.size_bytes == 0)) | (
        (table.kind == "folder") & (table.child_count == 0)
    )
    only_here = (table.kind == "file") & has_content(table) & table.role.isnull()
    is_part = ibis.cases(
        (whole, top | has_copy | (nothing & (table.tree_kind == "identical"))),
        (table.tree_kind == "overlap", top | only_here),
        else_=False,
    ).fill_null(False)
    known = ibis.and_(unread.isnull(), current)
    some = known & is_part
    text = ibis.null("string")
    return {
        "folder_copy": ibis.cases((some, table.tree_kind), (known, "none"), else_=text),
        "folder_copy_path": ibis.ifelse(some, table.top_path, text),
        "folder_copy_of": ibis.ifelse(some, table.of_path, text),
        "folder_copy_note": ibis.ifelse(some, _note(table, whole, top, has_copy), text),
    }


def _note(table: Relation, whole: Relation, top: Relation, has_copy: Relation) -> Relation:
    files = table.tree_files.cast("string")
    only = table.only_here_files.cast("string") + ibis.ifelse(
        table.only_here_files == 1, " file is", " files are"
    )
    shared = table.tree_shared_files.cast("string") + " of its " + files + " files are there too; "
    overlap = shared + only + " nowhere else (" + size_words(table.only_here_size_bytes) + ")"
    return ibis.cases(
        (whole & has_copy, "This file is byte for byte the same as " + table.dup_keeper_path),
        (whole & top, "Each of its " + files + " files with content is kept there"),
        (whole, "There is nothing in it, and the same name is there"),
        (top, overlap),
        else_=overlap + ", this one among them",
    )


def with_access_lists(query: Query, table: Relation) -> Relation:
    """Entries with `access` and `keeper_access`: who may do what, as the server listed it, apart
    from whether an entry of the list is inherited. NULL where that was not asked for."""
    if not query.estate.parts("securities"):
        return table.mutate(access=ibis.null("string"), keeper_access=ibis.null("string"))
    lists = query.table("securities").distinct(on="security_id", keep="first")
    listed = lists.dacl.re_replace(r"^D:(P|AR|AI)*\(", "D:(")
    listed = listed.re_replace(r";((?:OI|CI|NP|IO)*)ID;", r";\1;")
    lists = lists.select("security_id", access=listed)
    table = table.left_join(lists, "security_id").drop("security_id_right")
    lists = lists.select(keeper_security_id="security_id", keeper_access="access")
    return table.left_join(lists, "keeper_security_id").drop("keeper_security_id_right")


def permissions_differ(table: Relation) -> Relation:
    """Of a copy: whether other people may open it than the one that is kept. By the lists of the
    server where there are any, else by owner and mode bits (of a group only the bits are known)."""
    listed = table.security_id.notnull() | table.keeper_security_id.notnull()
    bits, keeper_bits = table["mode"] & 0o777, table.keeper_mode & 0o777
    other_owner = (table.owner != table.keeper_owner) & ((bits & 0o4) == 0)
    by_bits = (bits != keeper_bits) | other_owner
    differ = ibis.ifelse(listed, table.access != table.keeper_access, by_bits)
    return ibis.ifelse(table.role == "copy", differ, ibis.null("boolean"))
