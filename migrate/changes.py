"""Room: what has changed on the shares since the scan before.

In: the two newest finished scans of each share. Out: a row for everything that is new, changed,
moved or deleted, and for what nobody can tell; how much of each there is, in the log.
Never: what lies in a folder that could not be listed taken for deleted; two scans in memory.

Changed is a file whose size, date or content differs: what was decided on it counts no more. Moved
is one that is gone from its old place and is found at a new one by its number (same size and date)
or its content; it has another path, and so needs a decision too.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import ibis

from migrate.engine.query import Query
from migrate.estate import Estate, Run, Writer
from migrate.expressions import full_path
from migrate.plan import WITHDRAWN
from migrate.scans import Pair, is_disproved, scan_pairs

Relation = Any  # an Ibis relation
Counts = dict[str, Any]

COLUMNS = [
    "change", "kind", "path", "size_bytes", "mtime_ns", "was_path", "was_size_bytes",
    "was_mtime_ns", "known_by", "decided", "path_raw", "was_path_raw",
]  # fmt: skip
_STATE = [
    "entry_id", "parent_id", "share", "path", "path_raw", "kind", "size_bytes", "mtime_ns",
    "birthtime_ns", "file_id", "link_target",
]  # fmt: skip
_TOLD = ["size_bytes", "mtime_ns", "link_target"]  # what alone makes a file another


def note_changes(writer: Writer) -> None:
    """Compare the newest scans, and keep how much has changed in the log."""
    pairs = scan_pairs(writer.estate)
    with Query(writer.estate) as query:
        query.doing("changes: comparing the newest scan with the one before")
        unlike = _unlike(query, pairs)
        is_any = query.count(unlike) > 0  # if not, all else can be left
        counts = counted(query, _sorted_out(query, pairs, unlike)) if is_any else []
    scans = [[before.run_id, after.run_id] for before, after in pairs]
    writer.estate.log.append("changes", scans=scans, counts=counts)


def counted(query: Query, found: Relation) -> list[Counts]:
    """How much there is of each change on each share."""
    is_file = found.kind == "file"
    size = ibis.coalesce(found.size_bytes, found.was_size_bytes)
    summed = found.group_by("share", "change").aggregate(
        files=is_file.sum(), others=(~is_file).sum(),
        size_bytes=ibis.ifelse(is_file, size, 0).sum().fill_null(0), decided=found.decided.sum(),
    )  # fmt: skip
    return list(query.rows(summed.order_by("share", "change")))


def listed(query: Query, found: Relation) -> Iterator[dict[str, Any]]:
    """Everything that changed, row by row, in a fixed order."""
    order = [found.change, ibis.coalesce(found.path, found.was_path), found.was_path]
    order += [found.entry_id, found.was_entry_id]
    yield from query.rows(found.order_by(order).select(*COLUMNS))


def disproved_files(estate: Estate, most: int = 20) -> list[str]:
    """Files whose bytes were not what an earlier scan had read, though nothing else had changed."""
    with Query(estate) as query:
        proofs = query.table("proofs")
        entries = query.table("entries").semi_join(proofs.filter(~proofs.same), "entry_id")
        found = entries.select(path=full_path(entries)).order_by("path").limit(most)
        return [row["path"] for row in query.rows(found)]


def moved_folders(query: Query, found: Relation, most: int) -> list[dict[str, Any]]:
    """The folders that moved as a whole, with how many files: those with most of them."""
    folders = found.filter(found.change == "moved", found.kind == "folder")
    folders = folders.anti_join(folders.select(parent_id="entry_id"), "parent_id")
    files = found.filter(found.change == "moved", found.kind == "file").select(file="path")
    inside = [files.file > folders.path + "/", files.file < folders.path + "0"]  # '0' follows '/'
    both = folders.left_join(files, inside)
    counted = both.group_by("was_path", "path").aggregate(files=both.file.count())
    return list(query.rows(counted.order_by(ibis.desc("files"), "path").limit(most)))


def changes(query: Query, pairs: list[Pair]) -> Relation:
    """A row for everything that is not as it was: COLUMNS, share, entry_id, was_entry_id and
    parent_id. Paths begin with the share's name."""
    return _sorted_out(query, pairs, _unlike(query, pairs))


def _sorted_out(query: Query, pairs: list[Pair], unlike: Relation) -> Relation:
    different = _different(query, pairs, unlike)
    gone = different.filter(different.entry_id.isnull())
    came = different.filter(different.was_entry_id.isnull())
    both = different.filter(different.entry_id.notnull(), different.was_entry_id.notnull())
    unseen = query.stored(_unseen(query, pairs, gone))
    gone = query.stored(gone.anti_join(unseen, "was_entry_id"))
    by_number = query.stored(_moved_by_number(gone, came))
    gone_still = gone.anti_join(by_number, "was_entry_id")
    by_content = query.stored(_moved_by_content(gone_still, came.anti_join(by_number, "entry_id")))
    moved = by_number.union(by_content)
    parts = {
        "new": came.anti_join(moved, "entry_id"),
        "changed": both,
        "deleted": gone.anti_join(moved, "was_entry_id"),
        "not_seen": different.semi_join(unseen, "was_entry_id"),
    }
    found = [
        _shown(table.mutate(known_by=ibis.null("string")), change)
        for change, table in parts.items()
    ]
    found.append(_shown(_pairs_of(moved, different), "moved"))
    return query.stored(_with_decided(query, reduce(lambda one, other: one.union(other), found)))


def _of_runs(query: Query, name: str, runs: list[Run]) -> Relation:
    tables = [query.run_table(name, run) for run in runs]
    return reduce(lambda one, other: one.union(other), tables)


def _unlike(query: Query, pairs: list[Pair]) -> Relation:
    """The numbers of what is in one scan only, or was looked at anew: few, found in few columns."""
    names = ["entry_id", "kind", *_TOLD, "ctime_ns", "file_id"]
    old = _of_runs(query, "entries", _olds(pairs)).select(**{f"was_{name}": name for name in names})
    new = _of_runs(query, "entries", _news(pairs)).select(*names)
    both = old.outer_join(new, old.was_entry_id == new.entry_id)
    by_bytes = any(
        after.settings["reread"] or is_disproved(before) or is_disproved(after)
        for before, after in pairs
    )  # on some share times tell nothing
    if by_bytes:
        both = _with_content(query, query.stored(both), _olds(pairs), "was_")
        both = _with_content(query, both, _news(pairs), "")
    alone = both.entry_id.isnull() | both.was_entry_id.isnull()
    looked_at = ibis.or_(*(_differs(both, name) for name in (*_TOLD, "ctime_ns", "file_id")))
    looked_at = looked_at | _other_content(both) if by_bytes else looked_at
    looked_at &= both.kind != "folder"  # those of a folder tell of what is in it
    both = both.filter(alone | _differs(both, "kind") | looked_at)
    return query.stored(both.select("was_entry_id", "entry_id"))


def _different(query: Query, pairs: list[Pair], unlike: Relation) -> Relation:
    """Of these what really is not as it was; with all that is known of it then and now."""
    old = _of_runs(query, "entries", _olds(pairs)).select(
        **{f"was_{name}": name for name in _STATE}
    )
    new = _of_runs(query, "entries", _news(pairs)).select(*_STATE)
    both = unlike.left_join(old, "was_entry_id").drop("was_entry_id_right")
    both = query.stored(both.left_join(new, "entry_id").drop("entry_id_right"))
    both = _with_content(query, both, _olds(pairs), "was_")
    both = _with_content(query, both, _news(pairs), "")
    alone = both.entry_id.isnull() | both.was_entry_id.isnull()
    told = [_differs(both, name) for name in ("kind", *_TOLD)]
    return query.stored(both.filter(ibis.or_(alone, *told, _other_content(both))))


def _olds(pairs: list[Pair]) -> list[Run]:
    return [before for before, _ in pairs]


def _news(pairs: list[Pair]) -> list[Run]:
    return [after for _, after in pairs]


def _other_content(both: Relation) -> Relation:
    """Whether the bytes are known, then and now, to be others."""
    sample, digest = both["sample"] != both.was_sample, both.digest != both.was_digest
    return sample.fill_null(False) | digest.fill_null(False)


def _differs(both: Relation, name: str) -> Relation:
    return ~both[name].identical_to(both[f"was_{name}"])


def _with_content(query: Query, table: Relation, runs: list[Run], prefix: str) -> Relation:
    """With the digests that the scans have of the files."""
    scans = [run.run_id for run in runs]
    read, whole = (
        (digests := query.every_scan(name)).filter(digests.scan_id.isin(scans)).drop("scan_id")
        for name in ("digests", "whole_digests")
    )
    key = f"{prefix}entry_id"
    wanted = table.select(key)
    read = read.semi_join(wanted, read.entry_id == wanted[key])
    both = read.left_join(whole, "entry_id", rname="w_{name}")
    both = both.select(**{
        f"{prefix}read_id": both.entry_id, f"{prefix}sample": both.sample_xxh3,
        f"{prefix}digest": ibis.coalesce(both.xxh3_128, both.w_xxh3_128),
    }).distinct(on=f"{prefix}read_id")  # fmt: skip
    joined = table.left_join(both, table[key] == both[f"{prefix}read_id"])
    return joined.drop(f"{prefix}read_id")


def _unseen(query: Query, pairs: list[Pair], gone: Relation) -> Relation:
    """Of what is gone, what lies in a folder that the newer scan could not list to its end."""
    news = _news(pairs)
    folders = _of_runs(query, "entries", news).filter(ibis._.kind == "folder")
    listings = _of_runs(query, "listings", news).filter(ibis._.error.notnull())
    failed = folders.semi_join(listings, "entry_id").union(folders.filter(folders.error.notnull()))
    below = ibis.ifelse(failed.path == "", "", failed.path + "/")
    failed = failed.select(
        in_share="share", first=below, beyond=ibis.ifelse(failed.path == "", "", failed.path + "0")
    )
    failed = query.stored(failed.distinct())
    inside = [
        gone.was_share == failed.in_share,
        gone.was_path > failed.first,
        (failed.beyond == "") | (gone.was_path < failed.beyond),
    ]
    return gone.semi_join(failed, inside).select("was_entry_id")


def _numbered(table: Relation, prefix: str, keys: list[str]) -> Relation:
    """With a number among those of the same keys: twins are paired in the order of their paths."""
    order = [table[f"{prefix}path"], table[f"{prefix}entry_id"]]
    nth = ibis.row_number().over(group_by=[f"{prefix}{key}" for key in keys], order_by=order)
    return table.mutate(nth=nth).select(
        f"{prefix}entry_id", *(f"{prefix}{key}" for key in keys), "nth",
        f"{prefix}birthtime_ns", f"{prefix}digest",
    )  # fmt: skip


def _moved_by_number(gone: Relation, came: Relation) -> Relation:
    keys = ["share", "file_id", "kind", "size_bytes", "mtime_ns"]
    # A folder's date tells of what is in it, not of itself.
    old_time = ibis.ifelse(gone.was_kind == "folder", gone.was_birthtime_ns, gone.was_mtime_ns)
    new_time = ibis.ifelse(came.kind == "folder", came.birthtime_ns, came.mtime_ns)
    gone, came = gone.mutate(was_mtime_ns=old_time), came.mutate(mtime_ns=new_time)
    old = _numbered(gone.filter(gone.was_file_id > 0), "was_", keys)
    new = _numbered(came.filter(came.file_id > 0), "", keys)
    same = [old[f"was_{key}"].identical_to(new[key]) for key in keys[3:]]
    same += [old[f"was_{key}"] == new[key] for key in keys[:3]]
    born = old.was_birthtime_ns.identical_to(new.birthtime_ns)
    both = old.inner_join(new, [*same, old.nth == new.nth, born])
    return both.select("entry_id", "was_entry_id", known_by=ibis.literal("file id"))


def _moved_by_content(gone: Relation, came: Relation) -> Relation:
    keys = ["size_bytes", "sample"]
    old = _numbered(gone.filter(gone.was_size_bytes > 0, gone.was_sample.notnull()), "was_", keys)
    new = _numbered(came.filter(came.size_bytes > 0, came["sample"].notnull()), "", keys)
    same = [old[f"was_{key}"] == new[key] for key in keys]
    both = old.inner_join(new, [*same, old.nth == new.nth])
    both = both.filter((both.digest == both.was_digest).fill_null(True))
    return both.select("entry_id", "was_entry_id", known_by=ibis.literal("content"))


def _pairs_of(moved: Relation, different: Relation) -> Relation:
    """One row of the old and the new of each that moved."""
    was = [name for name in different.columns if name.startswith("was_")]
    now = [name for name in different.columns if not name.startswith("was_")]
    both = moved.inner_join(different.select(*was), "was_entry_id")
    return both.inner_join(different.select(*now), "entry_id")


def _shown(table: Relation, change: str) -> Relation:
    return table.select(
        "entry_id", "was_entry_id", "parent_id", "size_bytes", "mtime_ns", "was_size_bytes",
        "was_mtime_ns", "path_raw", "was_path_raw", "known_by",
        change=ibis.literal(change),
        share=ibis.coalesce(table.share, table.was_share),
        kind=ibis.coalesce(table.kind, table.was_kind),
        path=full_path(table),
        was_path=ibis.ifelse(
            table.was_path == "", table.was_share, table.was_share + "/" + table.was_path
        ),
    )  # fmt: skip


def _with_decided(query: Query, found: Relation) -> Relation:
    """With whether somebody had decided on it, as it was."""
    decisions = query.all_decisions()
    nth = ibis.row_number().over(
        group_by=["entry_id", "scope"], order_by=ibis.desc(decisions.decision_seq)
    )
    last = decisions.mutate(nth=nth).filter(ibis._.nth == 0, ibis._.decision != WITHDRAWN)
    last = last.select(of_id="entry_id", of_size="size_bytes", of_mtime="mtime_ns").distinct()
    same = [
        found.was_entry_id == last.of_id,
        found.was_size_bytes.identical_to(last.of_size),
        found.was_mtime_ns.identical_to(last.of_mtime),
    ]
    decided = found.semi_join(last, same).select(decided_id="was_entry_id").distinct()
    joined = found.left_join(decided, found.was_entry_id == decided.decided_id)
    return joined.mutate(decided=joined.decided_id.notnull()).drop("decided_id")
