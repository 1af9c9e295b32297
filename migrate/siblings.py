"""Room: files that belong together in one folder: versions of a document, and renditions of it.

In: entries, groups. Out: `version` (latest, not_latest, none; NULL where it cannot be told) with
the path of the latest, and `rendition_of`, the path of the document that a PDF or web page was made
from. Judged by names and dates, so it may only ever lead to a review.

Versions: same folder and extension, the same name once v2, final, draft, a date, (1), `- Copy` or
`Copy of` is left out, and other bytes: of the same content all names are one version, called by the
name that stays. The latest is the one modified last.
"""

from __future__ import annotations

from typing import Any

import ibis

from migrate.engine.query import Query
from migrate.expressions import extension_of, folded, full_path

_DATE = r"(19|20)\d\d[-._ ]?[01]\d[-._ ]?[0-3]\d|[0-3]?\d[-.][01]?\d[-.](19|20)?\d\d"
_NUMBER = r"(v|ver|version|rev|revision|draft|final|copy)[ ._-]?\d{1,3}([._]\d{1,2})?"
_WORD = r"final|draft|latest|new|amended|revised|copy|old"
SUFFIX = rf"([ ._-]*\(\d{{1,2}}\)|[ ._-]+({_NUMBER}|{_WORD}|{_DATE}))+$"
PREFIX = r"^(copy( \(\d{1,2}\))? of )+"
MARKED = f"{PREFIX}|{SUFFIX}"

SOURCES = ["doc", "docx", "odt", "rtf", "wpd", "xls", "xlsx", "ods", "ppt", "pptx", "odp", "pub",
           "vsd", "vsdx", "msg"]  # fmt: skip
RENDITIONS = ["pdf", "xps", "htm", "html"]
_FAMILY = ["parent_id", "ext", "family"]


def siblings(query: Query) -> list[Any]:
    """By entry_id: `chain` and version_latest_path, and rendition_of."""
    entries = query.table("entries")
    files = entries.filter(entries.kind == "file")
    name = folded(files.name)
    ext = extension_of(name)
    stem = ibis.ifelse(ext == "", name, name.substr(0, name.length() - ext.length() - 1))
    files = files.select(
        "entry_id", "parent_id", "mtime_ns", "device_id", "file_id", full_path=full_path(files),
        ext=ext, stem=stem,
    )  # fmt: skip
    return [query.stored(_versions(query, files)), _renditions(query, files)]


def version(table: Any) -> Any:
    """The place among versions, of facts that have `chain`."""
    none = ibis.ifelse(table.kind == "file", "none", ibis.null("string"))
    known = ibis.ifelse(table.chain == "unknown", ibis.null("string"), table.chain)
    return ibis.ifelse(table.chain.isnull(), none, known)


def _versions(query: Query, files: Any) -> Any:
    """Every file of a chain of two contents or more, with the path of the latest."""
    marked = files.stem.re_search(MARKED)
    short = files.stem.re_replace(SUFFIX, "").re_replace(PREFIX, "")
    files = files.mutate(marked=marked, family=ibis.ifelse(marked, short, files.stem))
    keys = files.filter(files.marked, files.family != "").select(_FAMILY).distinct()
    chains = _placed(_with_contents(query, files.semi_join(keys, _FAMILY)))
    whole = ibis.window(group_by=_FAMILY)
    named_first = ibis.window(group_by=_FAMILY, order_by=["place", ~ibis._.stays, "full_path"])
    chains = chains.mutate(
        members=chains.count().over(whole),
        dated=chains.mtime_ns.count().over(whole),
        last_place=chains.place.max().over(whole),
        version_latest_path=chains.full_path.first().over(named_first),
    )
    chains = chains.filter(chains.last_place > 0)
    chain = ibis.cases(
        (chains.dated < chains.members, "unknown"),
        (chains.place == 0, "latest"),
        else_="not_latest",
    )
    return chains.select("entry_id", "version_latest_path", chain=chain)


def _with_contents(query: Query, chains: Any) -> Any:
    """With `content`, the same for identical files and for names of one file (which, alone, are in
    no group), and whether a file `stays` where others are identical."""
    groups = query.table("groups")
    groups = groups.filter(groups.scan_id.isin(query.estate.scan_ids()))
    grouped = groups.select("entry_id", "group_id", stays=groups.role == "keeper")
    chains = chains.left_join(grouped, "entry_id").drop("entry_id_right")
    names_of = chains.device_id.cast("string") + " " + chains.file_id.cast("string")
    own = "entry " + chains.entry_id.cast("string")
    content = ibis.coalesce("group " + chains.group_id.cast("string"), names_of, own)
    return chains.mutate(content=content, stays=chains.stays.fill_null(False))


def _placed(chains: Any) -> Any:
    """With the `place` of each content among those of its chain, that of the latest is 0."""
    alike = ibis.window(group_by=[*_FAMILY, "content"])
    chains = chains.mutate(
        content_ns=chains.mtime_ns.max().over(alike), first=chains.full_path.min().over(alike)
    )
    latest_first = ibis.window(group_by=_FAMILY, order_by=[ibis.desc("content_ns"), "first"])
    return chains.mutate(place=ibis.dense_rank().over(latest_first))


def _renditions(query: Query, files: Any) -> Any:
    """Every PDF or web page beside a document of the same name, with the document's path. (Paths
    are looked at only of what has such a name beside it: all of them would be much to hold.)"""
    by_name = files.filter(files.ext.isin(SOURCES + RENDITIONS))
    by_name = query.stored(by_name.select("entry_id", "parent_id", "stem", "ext"))
    sources = by_name.filter(by_name.ext.isin(SOURCES)).drop("ext").rename(source_id="entry_id")
    made = by_name.filter(by_name.ext.isin(RENDITIONS)).drop("ext")
    pairs = query.stored(
        sources.inner_join(made, ["parent_id", "stem"]).select("entry_id", "source_id")
    )
    paths = files.select("full_path", source_id="entry_id")
    found = paths.inner_join(pairs, "source_id").group_by("entry_id")
    return query.stored(found.aggregate(rendition_of=ibis._.full_path.min()))
