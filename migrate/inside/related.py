r"""Room: what was seen inside files, beside all other files.

In: `looks` and `checksums`, and the files of the scans that count. Out: a row for each content that
was looked into: whether what an archive holds also lies outside, whether a shortcut's target is
there, which newer document has nearly the same wording. What cannot be told is NULL.

A file counts as lying outside if it has the name, the size and the CRC-32 of the member. That is
good evidence and no proof: so it leads to a review. A target is gone only where the folder it would
be in was listed to its end and does not have it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis

from migrate.config import Config, Share, share_place
from migrate.contents import contents, known_contents
from migrate.engine.query import Query
from migrate.expressions import folded, full_path
from migrate.inside.text import SLOTS
from migrate.smb.address import is_address, parse_address

# What has another name in a listing: DOCUME~1 of old Windows, and steps up.
MANY_NAMES = r"~\d|\\\.\.?(\\|$)"
FEWEST_SHARED = 0.7  # of the three-word runs of two texts, for near duplicates


def packed(query: Query) -> Any:
    """Every file in an archive: the archive's content_key, lower_name, size_bytes, crc32."""
    table = known_contents(query, "looks")
    table = table.filter(table.members.notnull())
    one = table.select("content_key", member=table.members.unnest())
    return one.select(
        "content_key", lower_name=folded(one.member["name"]),
        size_bytes=one.member["size_bytes"], crc32=one.member["crc32"],
    )  # fmt: skip


def inside(query: Query, known_as: dict[str, list[str]]) -> Any:
    """The table `inside`; `known_as` says how shortcuts call each share."""
    table = known_contents(query, "looks")
    table = table.filter(table.error.isnull()).drop("members", "minhash", "bands")
    for other in (_elsewhere(query), _shortcuts(query, known_as), _near(query)):
        table = table.left_join(other, "content_key").drop("content_key_right")
    return table.order_by("content_key")


def _elsewhere(query: Query) -> Any:
    """Of every archive: how many files are in it, and whether they also lie outside."""
    members = packed(query)
    files = contents(query)
    files = files.mutate(lower_name=folded(files.name))
    outside = files.inner_join(known_contents(query, "checksums"), "content_key")
    outside = outside.filter(outside.crc32.notnull())
    outside = outside.select("lower_name", "size_bytes", "crc32", there=ibis.literal(1)).distinct()
    found = members.left_join(outside, ["lower_name", "size_bytes", "crc32"])
    found = found.group_by("content_key").aggregate(
        members=found.count(), there=found.there.count(), hidden=found.crc32.isnull().sum()
    )
    where = ibis.cases(
        (found.there == found.members, "all"),
        (found.hidden > 0, ibis.null("string")),
        (found.there > 0, "some"),
        else_="none",
    )
    return found.select("content_key", "members", members_elsewhere=where)


def windows_roots(config: Config, estate_root: Path, share: Share) -> list[str]:
    r"""How Windows calls a share: \\server\share, S:, in lower case."""
    place = share_place(config, estate_root, share.name)
    roots = [*share.known_as]
    if is_address(place.root):
        roots.append(parse_address(place.root).unc)
    roots += [root for root in (share.link, share.path) if root and root.startswith("\\\\")]
    return sorted({root.rstrip("\\").lower() for root in roots})


def _shortcuts(query: Query, known_as: dict[str, list[str]]) -> Any:
    """Of every shortcut: where it points and whether that is there."""
    table = known_contents(query, "looks")
    table = table.filter(table.target.notnull()).select("content_key", "target")
    table = table.mutate(lower_path=_in_estate(table.target, known_as))
    ways = table.filter(table.lower_path.notnull())
    ways = ways.mutate(parts=ways.lower_path.split("/"))
    ways = ways.mutate(depth=ibis.range(1, ways.parts.length() + 1).unnest())
    ways = ways.mutate(place=ways.parts[0 : ways.depth].join("/"))
    entries = query.table("entries")
    listings = query.table("listings")
    listed = listings.filter(listings.error.isnull()).select("entry_id", is_listed=True)
    entries = entries.left_join(listed, "entry_id").drop("entry_id_right")
    entries = entries.select(
        "is_listed", place=folded(full_path(entries)), is_folder=entries.kind == "folder"
    )
    ways = ways.inner_join(entries, "place")
    ways = ways.group_by(["content_key", "depth"]).aggregate(  # names that differ in case are one
        wanted=ways.parts.length().max(),
        is_listed=(ways.is_folder & ways.is_listed.fill_null(False)).all(),
    )
    nearest = ways.group_by("content_key").aggregate(
        reached=ways.depth.max(), wanted=ways.wanted.max(),
        is_listed=ways.is_listed.argmax(ways.depth),
    )  # fmt: skip
    table = table.left_join(nearest, "content_key").drop("content_key_right")
    state = ibis.cases(
        (table.target.re_search(r"(?i)^(https?|ftp)://"), "web"),
        (table.reached == table.wanted, "works"),
        (table.target.re_search(MANY_NAMES), ibis.null("string")),
        (table.is_listed, "gone"),
    )
    return table.select("content_key", shortcut=state, shortcut_target=table.target)


def _in_estate(target: Any, known_as: dict[str, list[str]]) -> Any:
    """The path in the estate that a target means, as far as estate.yaml says what it is."""
    lower = folded(target).re_replace(r"\\+$", "")
    roots = [(root, share) for share, roots in known_as.items() for root in roots]
    branches = [
        (
            (lower == root) | lower.startswith(root + "\\"),
            folded(ibis.literal(share)) + lower.substr(len(root)).replace("\\", "/"),
        )
        for root, share in sorted(roots, key=lambda one: (-len(one[0]), one))
    ]
    return ibis.cases(*branches) if branches else ibis.null("string")


def _near(query: Query) -> Any:
    """Of every document with a signature: whether a newer one has nearly the same wording.

    Signatures that have a band in common are compared: each with the newest of that band and with
    the next newer one. So the work grows with the number of documents, also where thousands are
    made from one form."""
    documents = query.stored(_dated(query))
    bands = documents.select("doc", "mtime_ns", band=documents.bands.unnest())
    newest_first = ibis.window(group_by="band", order_by=[ibis.desc("mtime_ns"), "doc"])
    bands = bands.mutate(
        newest=bands.doc.first().over(newest_first), newer=bands.doc.lag().over(newest_first)
    )
    pairs = bands.select("doc", other="newest").union(bands.select("doc", other="newer"))
    pairs = pairs.filter(pairs.other.notnull(), pairs.doc != pairs.other).distinct()
    one = documents.select("doc", "content", slots="minhash")
    two = documents.select(
        "mtime_ns", "full_path", other="doc", other_content="content", other_slots="minhash"
    )
    pairs = pairs.inner_join(one, "doc").inner_join(two, "other")
    same = pairs.slots.zip(pairs.other_slots).filter(lambda both: both.f1 == both.f2).length()
    pairs = pairs.filter(pairs.content != pairs.other_content).mutate(same=same)
    pairs = query.stored(pairs.filter(pairs.same >= round(FEWEST_SHARED * SLOTS)).select(
        "doc", "other", "mtime_ns", "full_path", "same"
    ))  # fmt: skip
    first = ibis.window(group_by="doc", order_by=[ibis.desc("mtime_ns"), "other"])
    best = pairs.mutate(place=ibis.row_number().over(first)).filter(ibis._.place == 0)
    others = pairs.select(newest="other").distinct()
    table = documents.select("content_key", "doc")
    table = table.left_join(best.drop("place"), "doc").drop("doc_right")
    table = table.left_join(others, table.doc == others.newest)
    state = ibis.cases((table.other.notnull(), "not_newest"), (table.newest.notnull(), "newest"),
                       else_="none")  # fmt: skip
    return table.select(
        "content_key", near_dup=state, near_dup_path=table.full_path,
        near_dup_percent=(table.same * 100 // SLOTS).cast("int64"),
    )  # fmt: skip


def _dated(query: Query) -> Any:
    """Every document with a signature that is still there: `doc` is the newest file with this
    content, `content` the same for equal bytes of whatever name."""
    table = known_contents(query, "looks")
    table = table.filter(table.minhash.notnull()).select("content_key", "minhash", "bands")
    files = contents(query)
    files = files.mutate(full_path=full_path(files))
    files = files.filter(files.mtime_ns.notnull()).semi_join(table, "content_key")
    newest = ibis.row_number().over(
        group_by="content_key", order_by=[ibis.desc("mtime_ns"), "full_path"]
    )
    files = files.mutate(place=newest).filter(ibis._.place == 0)
    files = files.select("content_key", "mtime_ns", "full_path", doc="entry_id")
    table = table.inner_join(files, "content_key")
    return table.mutate(content=table.content_key.re_replace(":[^:]*$", ""))
