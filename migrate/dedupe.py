"""Room: files with the same bytes, and which of them to keep.

In: entries and digests of the current scans. Out: `groups`: a row for every file that has a twin.
Cheapest first: size, then head and tail, then the whole. Never: a zero-byte file in a group; two
names of one file (hard links, or one folder seen through two shares) taken for two copies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from migrate import replicas
from migrate.config import Config
from migrate.digest import COLUMNS, digest_wholly, visit_again
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Run, Writer
from migrate.facts import contents
from migrate.keepers import keeper_order, plan_folders

SAME_FILE = ["device_id", "file_id"]


@dataclass(frozen=True)
class Duplicates:
    """What dedupe found: groups, copies beyond the keepers, and the bytes those take."""

    groups: int
    copies: int
    copies_size_bytes: int
    hard_links: int
    replicated_folders: int  # of which everything is kept elsewhere
    replicated_files: int
    replicated_size_bytes: int
    overlapping_folders: int  # of which nearly everything is


def unread_of_equal_size(query: Query) -> Any:
    """Files that no visit has read and whose size another file has too."""
    files = contents(query)
    files = files.filter(files.size_bytes > 0, files.error.isnull())
    files = files.mutate(same=files.count().over(ibis.window(group_by="size_bytes")))
    return files.filter(files.same > 1, ~files.was_read).select(*COLUMNS)


def sampled_alike(query: Query) -> Any:
    """Files read by head and tail whose size, head and tail another file has too."""
    files = contents(query)
    files = files.filter(
        files.size_bytes > 0, files.read_error.isnull(), files.sample_xxh3.notnull()
    )
    window = ibis.window(group_by=["size_bytes", "sample_xxh3"])
    files = files.mutate(same=files.count().over(window))
    return files.filter(files.same > 1, files.digest.isnull()).select(*COLUMNS)


def refuse_equal_ids(query: Query) -> None:
    """Two paths with one number would share every decision: stop before that can happen.

    (The chance is 1 in 10^7 for a million paths, 1 in 100 for half a billion.)"""
    entries = query.table("entries")
    counted = entries.group_by("entry_id").aggregate(n=entries.count())
    twice = next(query.rows(counted.filter(counted.n > 1).limit(1)), None)
    if twice:
        same = entries.filter(entries.entry_id == twice["entry_id"])
        paths = [f"{row['share']}/{row['path']}" for row in query.rows(same)]
        raise MigrateError(
            f"two paths have the same number: {paths}",
            "Give the share another name in estate.yaml and crawl it again.",
        )


def dedupe(writer: Writer, config: Config, workers: int) -> tuple[Run, Duplicates]:
    """Find groups of equal files and their keepers. Resumes; ends with the same groups.

    Files that cannot be read are in no group. Errors: MigrateError if two paths share a number;
    OSError if the estate cannot be written."""
    with Query(writer.estate) as query:
        refuse_equal_ids(query)
    visit_again(writer, config, unread_of_equal_size, workers, "dedupe: first look")
    digest_wholly(writer, config, sampled_alike, workers, "dedupe: reading whole")
    inputs = [scan.run_id for scan in writer.estate.scans()]
    settings = {
        "keeper": config.keeper.model_dump(),
        "file_plan": plan_folders(config),
        "replicated_folders": config.replicated_folders.model_dump(),
    }
    done = writer.estate.done("dedupe", settings, inputs)
    if done:
        return done, Duplicates(**done.summary)
    run = writer.begin("dedupe", settings, inputs)
    with Query(writer.estate) as query:
        found = replicas.find(query, query.stored(equal_files(query, config)), config)
        parts = query.write("groups", found.groups.order_by("group_id", "entry_id"))
        if found.folders is not None:
            parts += query.write("folder_copies", found.folders.order_by("top_path", "entry_id"))
        writer.commit(run, parts)
        summary = _summary(query, found)
    writer.finish(run, summary.__dict__)
    return run, summary


def equal_files(query: Query, config: Config) -> Any:
    """The `groups` table as an expression."""
    files = contents(query)
    files = files.filter(files.size_bytes > 0, files.digest.notnull(), files.read_error.isnull())
    same_bytes = ibis.window(group_by=["size_bytes", "digest"])
    files = files.mutate(names=files.count().over(same_bytes)).filter(ibis._.names > 1)
    order = keeper_order(files, config)
    files = files.mutate(
        nth_name=ibis.row_number().over(
            group_by=["size_bytes", "digest", *SAME_FILE], order_by=order
        ),
    )
    files = files.mutate(is_copy=(files.nth_name == 0).cast("int32"))
    files = files.mutate(member_count=files.is_copy.sum().over(same_bytes))
    files = files.filter(files.member_count > 1)
    files = files.mutate(
        place=ibis.row_number().over(
            group_by=["size_bytes", "digest"],
            order_by=[files.nth_name > 0, *keeper_order(files, config)],
        ),
        group_id=files.entry_id.min().over(same_bytes),
    )
    keeper = ibis.ifelse(files.place == 0, files.entry_id, ibis.null("int64"))
    files = files.mutate(
        keeper_id=keeper.max().over(same_bytes),
        role=ibis.cases(
            (files.place == 0, "keeper"), (files.nth_name > 0, "hard_link"), else_="copy"
        ),
    )
    return files.select(
        "scan_id", "entry_id", "group_id", "role", "keeper_id", "member_count", "size_bytes"
    )


def _summary(query: Query, found: replicas.Replicas) -> Duplicates:
    groups = found.groups
    is_copy = groups.role == "copy"
    row = next(
        query.rows(
            groups.aggregate(
                groups=groups.group_id.nunique(),
                copies=is_copy.sum(),
                copies_size_bytes=groups.size_bytes.sum(where=is_copy),
                hard_links=(groups.role == "hard_link").sum(),
            )
        )
    )
    row |= replicas.summed(query, found.folders)
    return Duplicates(**{name: int(value or 0) for name, value in row.items()})
