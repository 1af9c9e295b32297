"""Verbs from a crawl to findings: identify, dedupe, inspect, flag."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrate.cli.common import (
    Opened,
    Shown,
    as_of_option,
    open_for_writing,
    say,
    show,
    table,
    verb,
    workers_option,
    workers_or_default,
)  # fmt: skip
from migrate.wording import count_text, size_text

if TYPE_CHECKING:
    from migrate.dedupe import Duplicates
    from migrate.engine.nursery import Nursery
    from migrate.estate import Writer


@click.command()
@workers_option
@verb
def identify(estate_path: Path | None, workers: int | None, as_json: bool) -> None:
    """Take PRONOM identifiers, once for each distinct content. May be left out.

    \b
    Example:
      migrate identify -e estate
    """
    with open_for_writing(estate_path) as (opened, writer):
        show(as_json, *identify_all(opened, writer, workers_or_default(workers)))


def identify_all(opened: Opened, writer: Writer, workers: int) -> Shown:
    from migrate.engine.query import Query
    from migrate.identify import commonest
    from migrate.identify import identify as identify_contents

    opened.require_true_scans()
    _, done = identify_contents(writer, opened.config, workers)
    with Query(opened.estate) as query:
        top = commonest(query)

    def render() -> None:
        rows = [
            [f["puid"] or "not identified", f["format_name"] or "", f"{f['files']:,}"]
            for f in top[:8]
        ]
        say(f"{count_text(done, 'content')} looked at now.")
        table("Commonest formats", ["PUID", "format", "files"], rows)
        say("Next: migrate dedupe")

    return {"contents": done, "formats": top}, render


@click.command()
@workers_option
@verb
def dedupe(estate_path: Path | None, workers: int | None, as_json: bool) -> None:
    """Find files with the same bytes and choose which copy to keep.

    \b
    Example:
      migrate dedupe -e estate
    """
    from migrate.engine.nursery import nursery as begin_nursery

    with (
        begin_nursery("migrate.reader") as nursery,
        open_for_writing(estate_path) as (opened, writer),
    ):
        show(as_json, *dedupe_all(opened, writer, workers_or_default(workers), nursery))


def dedupe_all(opened: Opened, writer: Writer, workers: int, nursery: Nursery | None) -> Shown:
    from msgspec.structs import asdict

    from migrate.dedupe import dedupe as find_duplicates

    opened.require_true_scans()
    found, largest = find_duplicates(writer, opened.config, workers, nursery)
    groups, folders = largest.groups, largest.folders

    def render() -> None:
        say(
            f"{count_text(found.groups, 'group')} of identical files: "
            f"{count_text(found.copies, 'copy', 'copies')} beyond the keepers, "
            f"{size_text(found.copies_size_bytes)}."
        )
        if groups:
            rows = [
                [g["keeper"], f"{g['copies']:,}", size_text(g["size_bytes"])] for g in groups[:5]
            ]
            table("Most space in copies", ["keeper", "copies", "in copies"], rows)
        if folders:
            say(_folders_found(found))
            columns = ["folder", "is", "of", "files", "size", "only here"]
            rows = [
                [
                    f["folder"], FOLDER_KINDS[f["kind"]], f["of"], f"{f['files']:,}",
                    size_text(f["size_bytes"]), f"{f['only_here_files']:,}",
                ]
                for f in folders[:5]
            ]  # fmt: skip
            table("Largest folders that exist elsewhere", columns, rows)
        say("Next: migrate inspect (what is inside files) or migrate flag")

    return {**asdict(found), "largest": groups, "folders": folders}, render


FOLDER_KINDS = {
    "identical": "the same as", "contained": "wholly in", "overlap": "nearly all in",
}  # fmt: skip


def _folders_found(found: Duplicates) -> str:
    whole = count_text(found.replicated_folders, "folder")
    words = f"{whole} kept elsewhere as a whole ({size_text(found.replicated_size_bytes)})."
    if found.overlapping_folders:
        near = count_text(found.overlapping_folders, "folder")
        words += f" Of {near}, nearly everything is; the review shows what is only there."
    return words


@click.command()
@workers_option
@verb
def inspect(estate_path: Path | None, workers: int | None, as_json: bool) -> None:
    """Look inside archives, shortcuts and, if estate.yaml asks for it, text. May be left out.

    Archives are listed, not unpacked. Of a document's text only counts are kept: how many
    National Insurance, NHS, prison and PNC numbers, which protective marking, how alike its
    wording is to others. It is read with `inspect: {text: true}` in estate.yaml and
    pip install 'migrate[text]'.

    \b
    Example:
      migrate inspect -e estate
    """
    with open_for_writing(estate_path) as (opened, writer):
        show(as_json, *inspect_all(opened, writer, workers_or_default(workers)))


def inspect_all(opened: Opened, writer: Writer, workers: int) -> Shown:
    from migrate.inside.stage import inspect as look_inside
    from migrate.report.figures import INSIDE, looked_into

    opened.require_groups()
    _, done = look_inside(writer, opened.config, workers)
    found, failed, closed = looked_into(opened.estate)

    def render() -> None:
        say(f"{count_text(done, 'content')} looked into now.")
        rows = [[words, f"{found[name]:,}"] for name, (words, _) in INSIDE.items() if found[name]]
        if rows:
            table("Inside files", ["what", "files"], rows)
        if failed:
            counts = ", ".join(f"{row['files']:,} {row['reason']}" for row in failed)
            say(f"Could not be looked into (nothing is known of their inside): {counts}")
            for row in closed["listed"][:20]:
                say(f"{row['reason']}: {row['full_path']}")
            if (more := closed["files"] - 20) > 0:
                say(f"and {count_text(more, 'file')} more (--json lists up to 1,000)")
        if not opened.config.inspect.text:
            say("Documents' text was not read; estate.yaml can ask for it (inspect: {text: true}).")
        say("Next: migrate flag")

    failures = {row["reason"]: row["files"] for row in failed}
    data = {"contents": done, **found, "failures": failures, "not_looked_into": closed}
    return data, render


@click.command()
@as_of_option
@verb
def flag(estate_path: Path | None, as_of: datetime | None, as_json: bool) -> None:
    """Run the rules over everything: what is ROT, a record, sensitive, held.

    \b
    Example:
      migrate flag -e estate --as-of 2026-11-01
    """
    with open_for_writing(estate_path) as (opened, writer):
        show(as_json, *flag_all(opened, writer, as_of))


def flag_all(opened: Opened, writer: Writer, as_of: datetime | None) -> Shown:
    from msgspec.structs import asdict

    from migrate.flag.rules import as_of_date
    from migrate.flag.stage import flag as run_rules
    from migrate.report.figures import flagged

    rules = opened.rules()
    opened.require_groups()
    started = max(scan.started_at for scan in opened.estate.scans())
    day = as_of_date(opened.config, as_of.date() if as_of else None, started)
    run, found = run_rules(writer, opened.config, rules, day)
    lines = flagged(opened.estate)

    def render() -> None:
        say(
            f"{count_text(found.entries, 'entry', 'entries')} flagged by {len(rules)} rules; "
            f"ages count back from {run.settings['as_of']}."
        )
        rows = [
            [
                f["category"],
                f["action"],
                f"{f['files']:,}",
                size_text(f["size_bytes"]),
                f["commonest"],
            ]
            for f in lines
        ]
        table("What decides", ["category", "proposed", "entries", "size", "commonest rule"], rows)
        say("Next: migrate review export")

    return {"as_of": run.settings["as_of"], **asdict(found), "deciding": lines}, render
