"""Verbs that make an estate and fill it: init, crawl."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrate.cli.common import (
    TABLE_NEEDS,
    Opened,
    Shown,
    json_option,
    open_for_writing,
    say,
    show,
    table,
    verb,
    workers_option,
)  # fmt: skip
from migrate.errors import DIFFERENCES_FOUND, ITEMS_FAILED, UsageError
from migrate.wording import count_text, size_text

if TYPE_CHECKING:
    from migrate.crawl import CrawlOptions
    from migrate.engine.nursery import Nursery
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
    twice = _twice(Opened(estate))
    data = {
        "estate": str(estate), "config": str(estate / "estate.yaml"), "made": not made,
        "overlapping": twice,
    }  # fmt: skip

    def render() -> None:
        say(f"Estate {estate} {state}. Its settings are in {estate / 'estate.yaml'}.")
        _warn_of(twice)
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
    "--as-it-is",
    is_flag=True,
    help="Also if a share is empty or not mounted where an earlier scan found files.",
)
@click.option(
    "--security", is_flag=True,
    help="Owners, permissions and alternate streams too (SMB only; one more request a file).",
)  # fmt: skip
@workers_option
@verb
def crawl(
    estate_path: Path | None, listing_only: bool, no_mime: bool, fixity: str, rescan: bool,
    reread: bool, as_it_is: bool, security: bool, strict_types: bool, workers: int | None,
    as_json: bool,
) -> int:  # fmt: skip
    """List every share, reading each file once. Goes on where it stopped.

    \b
    Example:
      migrate crawl -e estate --fixity sha256
    """
    if reread and listing_only:
        raise UsageError("--listing-only opens no file, --reread every one", "Give one of them.")
    with crawlers() as nursery, open_for_writing(estate_path) as (opened, writer):
        from migrate.crawl import CrawlOptions
        from migrate.visit import Reading

        reading = Reading(
            not listing_only, not no_mime, fixity == "sha256", security, strict_types, reread
        )
        options = CrawlOptions(workers, reading, TABLE_NEEDS, nursery, as_it_is)
        crawl_shares(opened, writer, options, rescan or reread)
        found = crawled_words(opened)
        show(as_json, *found)
        return exit_code(found)


def crawlers() -> AbstractContextManager[Nursery | None]:
    """Where the workers of a crawl come from: before anything else, for it loads what they need
    while this process loads the rest."""
    from migrate.engine.nursery import nursery

    return nursery("migrate.visitor", "migrate.reader")


def crawl_shares(opened: Opened, writer: Writer, options: CrawlOptions, rescan: bool) -> None:
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


def _twice(opened: Opened) -> list[dict[str, str]]:
    """Shares that lie in another one."""
    from migrate.config import share_places
    from migrate.place import overlapping

    pairs = overlapping(share_places(opened.config, opened.estate.root))
    return [{"share": inner, "lies_in": outer} for inner, outer in pairs]


def _warn_of(twice: list[dict[str, str]]) -> None:
    for one in twice:
        say(
            f"WARNING: the share {one['share']} lies in {one['lies_in']}: its files count twice, "
            "and each has two lines to decide on and to move. Better name only one of the two."
        )


def crawled_words(opened: Opened) -> Shown:
    from msgspec.structs import asdict

    from migrate.cli.changes import render_rescans
    from migrate.crawl import crawled
    from migrate.scans import rescans
    from migrate.sources import OFFLINE

    found = sorted((crawled(scan) for scan in opened.estate.scans()), key=lambda one: one.share)
    errors: Counter[str] = sum((Counter(one.errors) for one in found), Counter())
    offline = errors.pop(OFFLINE, 0)
    shares = [
        {**asdict(one), "failed": sum(one.errors.values()) - one.errors.get(OFFLINE, 0)}
        for one in found
    ]

    compared = rescans(opened.estate)
    disproved = []
    if any(one["disproved"] for one in compared):
        from migrate.changes import disproved_files

        disproved = disproved_files(opened.estate)

    twice = _twice(opened)

    def render() -> None:
        _warn_of(twice)
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
    data |= {"disproved": disproved, "overlapping": twice}
    return data, render


def exit_code(crawled: Shown) -> int:
    """What a script should know of a crawl."""
    from migrate.scans import are_doubtful

    data = crawled[0]
    if any(one["disproved"] for one in data["rescans"]):
        return DIFFERENCES_FOUND
    return ITEMS_FAILED if data["failures"] or are_doubtful(data["rescans"]) else 0
