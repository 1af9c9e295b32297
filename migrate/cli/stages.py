"""Verbs from an empty folder to findings: init, crawl, identify, dedupe, inspect, flag, run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrate.cli.common import (
    Opened,
    Shown,
    as_of_option,
    estate_option,
    json_option,
    open_for_writing,
    say,
    show,
    table,
    verb,
    workers_option,
    workers_or_default,
)  # fmt: skip
from migrate.errors import DIFFERENCES_FOUND, ITEMS_FAILED, UsageError
from migrate.wording import count_text, size_text

if TYPE_CHECKING:
    from migrate.crawl import CrawlOptions
    from migrate.dedupe import Duplicates
    from migrate.estate import Writer


@click.command()
@click.argument("estate", type=click.Path(path_type=Path))
@click.option("--share", "shares", multiple=True, metavar="NAME=PATH", help="A share to empty.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An estate.yaml to begin with; its shares' paths are relative to it.",
)
@json_option
def init(estate: Path, shares: tuple[str, ...], config: Path | None, as_json: bool) -> None:
    """Make an estate: the folder of one migration, with its estate.yaml.

    \b
    Example:
      migrate init estate --share finance=/mnt/finance --share hr='\\\\fs1\\HR'
    """
    from migrate.estate import create
    from migrate.setup import existing, new_config

    text = new_config(estate, shares, config)
    made = existing(estate, text)
    if not made:
        create(estate, text)
    state = "was there already, unchanged" if made else "made"
    data = {"estate": str(estate), "config": str(estate / "estate.yaml"), "made": not made}

    def render() -> None:
        say(f"Estate {estate} {state}. Its settings are in {estate / 'estate.yaml'}.")
        say(
            f"Next: migrate crawl -e {estate}   "
            f"(or everything up to the review: migrate run {estate})"
        )

    show(as_json, data, render)


@click.command()
@click.option("--listing-only", is_flag=True, help="List and stat only; open no file.")
@click.option("--no-mime", is_flag=True, help="Take no MIME types.")
@click.option(
    "--strict-types", is_flag=True, help="Ask libmagic about every file, even plain text (slow)."
)
@click.option(
    "--fixity", type=click.Choice(["xxh3", "sha256"]), default="xxh3", show_default=True,
    help="sha256: read every file whole and take SHA-256 as well.",
)  # fmt: skip
@click.option(
    "--rescan",
    is_flag=True,
    help="Crawl again what is crawled already; files that are as they were are not opened.",
)
@click.option("--reread", is_flag=True, help="Crawl again, and read every file again.")
@click.option(
    "--security", is_flag=True,
    help="Owners, permissions and alternate streams too (SMB only; one more request a file).",
)  # fmt: skip
@workers_option
@verb
def crawl(
    estate_path: Path | None, listing_only: bool, no_mime: bool, fixity: str, rescan: bool,
    reread: bool, security: bool, strict_types: bool, workers: int | None, as_json: bool,
) -> int:  # fmt: skip
    """List every share, reading each file once. Goes on where it stopped.

    \b
    Example:
      migrate crawl -e estate --fixity sha256
    """
    from migrate.crawl import CrawlOptions
    from migrate.visit import Reading

    if reread and listing_only:
        raise UsageError("--listing-only opens no file, --reread every one", "Give one of them.")
    reading = Reading(
        not listing_only, not no_mime, fixity == "sha256", security, strict_types, reread
    )
    with open_for_writing(estate_path) as (opened, writer):
        options = CrawlOptions(workers_or_default(workers), reading)
        _crawl(opened, writer, options, rescan or reread)
        return _show_crawled(as_json, _crawled(opened))


def _crawl(opened: Opened, writer: Writer, options: CrawlOptions, rescan: bool) -> None:
    """Crawl every share of which not all that is wanted was read; go on with what was cut off."""
    from migrate.config import share_place
    from migrate.crawl import crawl_share, latest_that_reads
    from migrate.scans import noted_changes, scan_pairs

    for share in opened.config.shares:
        place = share_place(opened.config, opened.estate.root, share.name)
        wanted = options.of_share(place)
        latest = latest_that_reads(opened.estate, share.name, wanted.reading)
        if latest and latest.finished and not rescan:
            continue
        cut_off = latest if latest and not latest.finished else None
        reading = wanted.like(cut_off) if cut_off else wanted
        crawl_share(opened.estate, opened.config, writer, share.name, reading)
    if scan_pairs(opened.estate) and noted_changes(opened.estate) is None:
        from migrate.changes import note_changes

        note_changes(writer)


def _crawled(opened: Opened) -> Shown:
    from migrate.cli.changes import render_rescans
    from migrate.crawl import crawled
    from migrate.scans import rescans
    from migrate.sources import OFFLINE

    found = sorted((crawled(scan) for scan in opened.estate.scans()), key=lambda one: one.share)
    errors: Counter[str] = sum((Counter(one.errors) for one in found), Counter())
    offline = errors.pop(OFFLINE, 0)
    shares = [
        {**one.__dict__, "failed": sum(one.errors.values()) - one.errors.get(OFFLINE, 0)}
        for one in found
    ]

    compared = rescans(opened.estate)
    disproved = []
    if any(one["disproved"] for one in compared):
        from migrate.changes import disproved_files

        disproved = disproved_files(opened.estate)

    def render() -> None:
        rows = [
            [
                s["share"], f"{s['files']:,}", f"{s['folders']:,}", size_text(s["size_bytes"]),
                f"{s['other']:,}", f"{s['failed']:,}",
            ]
            for s in shares
        ]  # fmt: skip
        columns = ["share", "files", "folders", "size", "links and others", "not readable"]
        table("Crawled", columns, rows)
        if errors:
            counts = ", ".join(f"{n:,} {code}" for code, n in errors.most_common())
            say(f"Not readable (kept out of disposal): {counts}")
        if offline:
            say(
                f"Kept offline (tape, cloud) and not read: {count_text(offline, 'file')}. "
                "Nothing is known of their content; they are kept out of disposal."
            )
        for one in found:
            if one.connection:
                say(f"{one.share}: {one.connection}")
        render_rescans(compared, disproved)
        if not disproved:
            say("Next: migrate identify (formats) or migrate dedupe")

    data = {"shares": shares, "failures": dict(errors), "offline": offline, "rescans": compared}
    data["disproved"] = disproved
    return data, render


def _show_crawled(as_json: bool, crawled: Shown) -> int:
    show(as_json, *crawled)
    if any(one["disproved"] for one in crawled[0]["rescans"]):
        return DIFFERENCES_FOUND
    return ITEMS_FAILED if crawled[0]["failures"] else 0


@click.command()
@workers_option
@verb
def identify(estate_path: Path | None, workers: int | None, as_json: bool) -> None:
    """Take PRONOM identifiers, once for each distinct content. May be left out.

    \b
    Example:
      migrate identify -e estate
    """
    from migrate.identify import identify as identify_contents

    with open_for_writing(estate_path) as (opened, writer):
        opened.require_true_scans()
        _, done = identify_contents(writer, opened.config, workers_or_default(workers))
        show(as_json, *_identified(opened, done))


def _identified(opened: Opened, done: int) -> Shown:
    from migrate.report.figures import formats

    top = formats(opened.estate)

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
    with open_for_writing(estate_path) as (opened, writer):
        show(as_json, *_dedupe(opened, writer, workers_or_default(workers)))


def _dedupe(opened: Opened, writer: Writer, workers: int) -> Shown:
    from migrate.dedupe import dedupe as find_duplicates
    from migrate.report.figures import folder_copies, largest_groups

    opened.require_true_scans()
    _, found = find_duplicates(writer, opened.config, workers)
    groups, folders = largest_groups(opened.estate), folder_copies(opened.estate)

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

    return {**found.__dict__, "largest": groups, "folders": folders}, render


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
        show(as_json, *_inspect(opened, writer, workers_or_default(workers)))


def _inspect(opened: Opened, writer: Writer, workers: int) -> Shown:
    from migrate.inside.stage import inspect as look_inside
    from migrate.report.figures import INSIDE, looked_into

    opened.require_groups()
    _, done = look_inside(writer, opened.config, workers)
    found, failed = looked_into(opened.estate)

    def render() -> None:
        say(f"{count_text(done, 'content')} looked into now.")
        rows = [[words, f"{found[name]:,}"] for name, (words, _) in INSIDE.items() if found[name]]
        if rows:
            table("Inside files", ["what", "files"], rows)
        if failed:
            counts = ", ".join(f"{row['files']:,} {row['error']}" for row in failed)
            say(f"Could not be looked into (nothing is known of their inside): {counts}")
        if not opened.config.inspect.text:
            say("Documents' text was not read; estate.yaml can ask for it (inspect: {text: true}).")
        say("Next: migrate flag")

    return {"contents": done, **found, "failures": {r["error"]: r["files"] for r in failed}}, render


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
        show(as_json, *_flag(opened, writer, as_of))


def _flag(opened: Opened, writer: Writer, as_of: datetime | None) -> Shown:
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

    return {"as_of": run.settings["as_of"], **found.__dict__, "deciding": lines}, render


@click.command()
@click.argument("estate", type=click.Path(path_type=Path), required=False)
@estate_option
@click.option("--no-puid", is_flag=True, help="Leave out PRONOM identification.")
@click.option("--no-mime", is_flag=True, help="Take no MIME types.")
@click.option(
    "--until",
    type=click.Choice(["crawl", "identify", "dedupe", "inspect", "flag"]),
    help="The last stage to run: `--until dedupe --no-puid --no-mime` finds duplicates, no more.",
)
@as_of_option
@workers_option
@json_option
def run(
    estate: Path | None, estate_path: Path | None, no_puid: bool, no_mime: bool, until: str | None,
    as_of: datetime | None, workers: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Everything up to the review workbooks: crawl, identify, dedupe, inspect, flag, export.

    \b
    Example:
      migrate run estate
    """
    if estate and estate_path:
        raise UsageError("two estates are named", "Give ESTATE or -e, not both.")
    from migrate.inside.stage import require_text

    with open_for_writing(estate or estate_path) as (opened, writer):
        stages = _stages(opened, writer, workers_or_default(workers), no_mime, as_of)
        if no_puid:
            del stages["identify"]
        wanted = _up_to(until, stages)
        if "flag" in wanted:
            require_text(opened.config)
            opened.rules()  # a malformed rule is to be known before hours of crawling
        every: dict[str, Any] = {}
        for name, stage in wanted.items():
            every[name], render = stage()
            if not as_json:
                render()
    if as_json:
        show(True, every, render)
    return ITEMS_FAILED if every["crawl"]["failures"] else 0


Stage = Callable[[], Shown]


def _up_to(until: str | None, stages: dict[str, Stage]) -> dict[str, Stage]:
    names = list(stages)
    if until not in (None, *names):
        raise UsageError(f"{until} is left out", "Give --until another stage, or not --no-puid.")
    return {name: stages[name] for name in names[: names.index(until) + 1 if until else None]}


def _stages(
    opened: Opened, writer: Writer, workers: int, no_mime: bool, as_of: datetime | None
) -> dict[str, Stage]:
    """The stages of `run`, in their order."""
    from migrate.crawl import CrawlOptions
    from migrate.visit import Reading

    def crawl_all() -> Shown:
        options = CrawlOptions(workers, Reading(mime=not no_mime))
        _crawl(opened, writer, options, rescan=False)
        return _crawled(opened)

    def identify_all() -> Shown:
        from migrate.identify import identify as identify_contents

        opened.require_true_scans()
        _, done = identify_contents(writer, opened.config, workers)
        return _identified(opened, done)

    def export_all() -> Shown:
        from migrate.cli.review import exported

        return exported(opened, writer)

    return {
        "crawl": crawl_all,
        "identify": identify_all,
        "dedupe": partial(_dedupe, opened, writer, workers),
        "inspect": partial(_inspect, opened, writer, workers),
        "flag": partial(_flag, opened, writer, as_of),
        "review export": export_all,
    }
