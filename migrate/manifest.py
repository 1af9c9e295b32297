"""Room: the manifest. What moves, where to, with which digest; and what becomes of everything else.

In: outcomes. Out: the tables `manifest` and `outcomes`, and files under out/manifests.
Every file, link and empty folder of the estate has exactly one outcome. Never: a line without a
digest; two lines with one target; a held file.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from msgspec import Struct
from msgspec.structs import asdict

from migrate.config import Config
from migrate.contents import contents
from migrate.digest import digest_wholly
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Run, Writer, file_sha256
from migrate.flag.rules import Rule
from migrate.manifests import PROFILES
from migrate.manifests.standard import harmless
from migrate.naming import target_paths
from migrate.plan import outcomes
from migrate.proof import to_prove
from migrate.reader import COLUMNS

NEEDED = [  # of all that is known of an item
    "scan_id", "entry_id", "share", "path", "path_raw", "name", "full_path", "kind", "size_bytes",
    "mtime_ns", "birthtime_ns", "digest", "digest_sha256", "mime", "puid", "owner", "group_id",
    "role", "keeper_id", "dup", "dup_keeper_path", "permissions_differ", "retention_class",
    "keeper_goes", "disposable_alone", "decision", "decided_by", "decided_at", "decided_on",
    "decided_scope", "comment", "outcome", "why",
]  # fmt: skip


class Account(Struct, frozen=True):
    """How many files have an outcome, and how big they are."""

    outcome: str
    files: int
    size_bytes: int


class Manifest(Struct, frozen=True):
    """What was written, and the account of the whole estate."""

    run: Run
    accounts: list[Account]
    renamed: int
    files: list[Path]


def write_manifest(
    writer: Writer, config: Config, holds: list[Rule], as_of: date, workers: int, profile: str
) -> Manifest:
    """Make the manifest from the decisions and holds as they are now.

    Errors: MigrateError if the account does not add up (nothing is committed then)."""

    while True:
        with Query(writer.estate) as query:
            query.doing("manifest: what becomes of every item")
            planned = outcomes(query, config, holds, as_of).select(*NEEDED)
            planned = query.stored_in_slices(planned)
            unread = _unread(query, planned)
            if not unread.num_rows:
                return _made(writer, query, config, planned, profile)
            # Again afterwards: where the copy that was to stay cannot be read, another one may.
            wanted = _files(unread, query)
            digest_wholly(writer, config, query, wanted, workers, "manifest: digests")


def _unread(query: Query, planned: Any) -> pa.Table:
    """entry_id of the files that are to be read first, and whether for their SHA-256: what moves
    without a digest, and what goes as a copy with what stays for it."""
    moving = planned.filter(planned.outcome == "to_move", planned.kind == "file")
    moving = moving.filter(moving.digest.isnull()).select("entry_id", sha256=ibis.literal(False))
    copies = to_prove(query, planned).mutate(sha256=ibis.literal(True))
    schema = pa.schema([("entry_id", pa.int64()), ("sha256", pa.bool_())])
    return pa.Table.from_batches(query.batches(moving.union(copies)), schema)


def _files(wanted: pa.Table, query: Query) -> Any:
    files = contents(query).inner_join(query.given(wanted), "entry_id")
    return files.select(*COLUMNS, "digest", "sha256")


def _made(
    writer: Writer, query: Query, config: Config, all_outcomes: Any, profile: str
) -> Manifest:
    flagged = writer.estate.latest("flag")
    inputs = writer.estate.scan_ids() + ([flagged.run_id] if flagged else [])
    run = writer.begin("manifest", {"profile": profile}, inputs)
    query.doing("manifest: lines, and whether they account for everything")
    accounts = _accounts(query, all_outcomes)
    also_at = query.stored(_also_at(all_outcomes))
    lines = query.stored_in_slices(_lines(query, all_outcomes, also_at, config))
    renamed = query.count(lines.filter(lines.rename_reason.notnull()))
    _refuse_imbalance(query, all_outcomes, lines, accounts)
    writer.commit(
        run,
        query.write_in_slices("manifest", lines)
        + query.write_in_slices("also_at", also_at)
        + query.write_in_slices("outcomes", all_outcomes),
    )
    writer.finish(run, {"accounts": [asdict(account) for account in accounts], "renamed": renamed})
    files = _write_files(writer, query, all_outcomes, run, profile)
    return Manifest(run, accounts, renamed, files)


def _accounts(query: Query, all_outcomes: Any) -> list[Account]:
    summed = all_outcomes.group_by("outcome").aggregate(
        files=all_outcomes.count(), size_bytes=all_outcomes.size_bytes.sum()
    )
    rows = query.rows(summed.order_by(ibis.desc("files"), "outcome"))
    return [Account(row["outcome"], row["files"], row["size_bytes"] or 0) for row in rows]


def _also_at(all_outcomes: Any) -> Any:
    """Where else the content of what moves was. Of several that move, one line has the rest: the
    keeper's, else that of the first path."""
    members = all_outcomes.filter(all_outcomes.group_id.notnull())
    moving = members.filter(members.outcome == "to_move")
    order = [moving.role != "keeper", "full_path", "entry_id"]
    nth = ibis.row_number().over(group_by="group_id", order_by=order)
    first = moving.mutate(nth=nth).filter(ibis._.nth == 0)
    first = first.select("group_id", line_id="entry_id", source_path="full_path")
    others = members.inner_join(first, "group_id")
    others = others.filter(others.entry_id != others.line_id)
    return others.select(
        "scan_id", "entry_id", "line_id", "source_path", "role", "owner", "mtime_ns",
        "birthtime_ns", "permissions_differ", "outcome", path="full_path",
    )  # fmt: skip


def _lines(query: Query, all_outcomes: Any, also_at: Any, config: Config) -> Any:
    to_move = all_outcomes.filter(all_outcomes.outcome == "to_move")
    findings = query.table("findings")
    sensitive = findings.filter(findings.category == "sensitive").group_by("entry_id")
    sensitive = sensitive.aggregate(
        sensitivity=findings.title.group_concat("; ", order_by=findings.rule_id)
    )
    targets = target_paths(query, to_move, config)
    lines = to_move.inner_join(targets, "entry_id")
    counted = also_at.group_by(entry_id="line_id").aggregate(also_at=also_at.count())
    lines = lines.left_join(sensitive, "entry_id").drop("entry_id_right")
    lines = lines.left_join(counted, "entry_id").drop("entry_id_right")
    return lines.mutate(
        source_path=lines.path,
        xxh3_128=ibis.ifelse(lines.kind == "file", lines.digest, ibis.null("binary")),
        sha256=lines.digest_sha256,
        duplicate_of=lines.dup_keeper_path,
    )


def _refuse_imbalance(query: Query, all_outcomes: Any, lines: Any, accounts: list[Account]) -> None:
    """The books must balance before anybody is asked to sign them."""
    entries = query.table("entries")
    listings = query.table("listings")
    with_content = query.count(listings.filter(listings.child_count > 0))
    expected = query.count(entries) - with_content
    problems = []
    if (total := sum(account.files for account in accounts)) != expected:
        problems.append(f"{total:,} outcomes for {expected:,} files")
    if query.count(all_outcomes.select("entry_id").distinct()) != total:
        problems.append("an entry has two outcomes")
    to_move = sum(account.files for account in accounts if account.outcome == "to_move")
    if query.count(lines) != to_move:
        problems.append("not one line for each file to move")
    if query.count(lines.select("target_path").distinct()) != to_move:
        problems.append("two files with one target path")
    if query.count(lines.filter(lines.kind == "file", lines.xxh3_128.isnull())):
        problems.append("a file without a digest")
    if problems:
        raise MigrateError(
            "the manifest does not account for every file: " + "; ".join(problems),
            "Nothing was written. This is a fault in the toolkit: please report it.",
        )


def _write_files(
    writer: Writer, query: Query, all_outcomes: Any, run: Run, profile: str
) -> list[Path]:
    folder = writer.estate.out / "manifests"
    folder.mkdir(parents=True, exist_ok=True)
    query.doing("manifest: writing the files")
    query.one_thread()
    files = [*PROFILES[profile](query, folder), _write_not_moved(query, all_outcomes, folder)]
    digests = {path.name: file_sha256(path) for path in files}
    writer.estate.log.append("wrote", run=run.run_id, files=digests)
    return files


def _write_not_moved(query: Query, all_outcomes: Any, folder: Path) -> Path:
    """Everything that stays, with its outcome and why: with the manifest, the whole estate."""
    rest = all_outcomes.filter(all_outcomes.outcome != "to_move")
    rest = rest.select("full_path", "kind", "size_bytes", "outcome", "why", "comment", "entry_id")
    path = folder / "not_moved.csv"
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "kind", "size_bytes", "outcome", "why", "comment"])
        for record in query.rows(rest.order_by("full_path", "entry_id")):
            record.pop("entry_id")
            rows.writerow({**record, "comment": harmless(record["comment"])}.values())
    return path
