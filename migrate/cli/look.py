"""Verbs that only look: duplicates, status, report, explain. They take no lock."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import click

from migrate.cli.common import (
    Opened,
    json_option,
    longest_bar,
    say,
    show,
    table,
    verb,
    workers_option,
)
from migrate.errors import ITEMS_FAILED, Interrupted, UsageError
from migrate.paths import printable
from migrate.wording import count_text, size_text


@click.command()
@verb
def status(estate_path: Path | None, as_json: bool) -> None:
    """Where the estate stands, and what comes next.

    \b
    Example:
      migrate status -e estate
    """
    from msgspec.structs import asdict

    from migrate.report.status import stand

    opened = Opened(estate_path)
    now = stand(opened.estate, opened.config)

    def render() -> None:
        say(f"{opened.config.title} ({opened.estate.root})")
        table("", ["stage", "state", "result"], [[s.name, s.state, s.result] for s in now.stages])
        say(f"Next: {now.next}")

    data = {
        "title": opened.config.title,
        "next": now.next,
        "stages": [asdict(s) for s in now.stages],
    }
    show(as_json, data, render)


@click.command()
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER...")
@workers_option
@json_option
def duplicates(folders: tuple[str, ...], workers: int | None, as_json: bool) -> int:
    """Files with the same bytes in some folders, at once: no estate, nothing is written.

    The copies that take most space come first, a group of paths after the other. A file with
    several names (hard links) counts once, empty files not at all.

    \b
    Example:
      migrate duplicates /mnt/finance /mnt/archive
    """
    from migrate.duplicates import as_data, find, shown

    try:
        found = find([*folders], workers)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; a look keeps nothing", "It begins anew.") from None
    copies = sum(len(group.paths) - 1 for group in found.groups)
    size = sum(group.copies_size_bytes for group in found.groups)

    def safe(path: str) -> str:
        return printable(shown(path))

    def render() -> None:
        blocks = (
            "\n".join(group.paths if found.are_printable else map(safe, group.paths)) + "\n"
            for group in found.groups
        )
        while some := [*islice(blocks, 10_000)]:
            # As it is: that there are no colours in it need not be looked for.
            click.echo("\n".join(some), color=True)
        for path, why in found.failed:
            click.echo(f"not read ({why}): {safe(path)}", err=True)
        click.echo(
            f"{count_text(len(found.groups), 'group')} of identical files among "
            f"{count_text(found.files, 'file')}: {count_text(copies, 'copy', 'copies')}, "
            f"{size_text(size)}. Not read: {len(found.failed):,}.",
            err=True,
        )

    data = {
        "files": found.files, "size_bytes": found.size_bytes, "copies": copies,
        "copies_size_bytes": size, **(as_data(found) if as_json else {}),
    }  # fmt: skip
    show(as_json, data, render)
    return ITEMS_FAILED if found.failed else 0


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["html", "json", "csv", "md"]), default="html",
    show_default=True, help="A page to read, or the same figures for programs.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="Where it goes; - is stdout. Default: out/report.FORMAT in the estate.",
)  # fmt: skip
@verb
def report(estate_path: Path | None, form: str, output: Path | None, as_json: bool) -> None:
    """Write the report: one HTML file, nothing else needed to read it.

    \b
    Example:
      migrate report -e estate
      migrate report -e estate --format csv --output figures.csv
    """
    if as_json and str(output) == "-":
        raise UsageError(
            "--json and --output - both want stdout",
            "Leave one of them out: --format json --output - gives the report as JSON.",
        )
    from migrate.report.figures import figures
    from migrate.report.page import render as render_page
    from migrate.report.page import write_text
    from migrate.report.texts import as_csv, as_markdown, bars
    from migrate.report.texts import as_json as json_text

    opened = Opened(estate_path)
    found = figures(opened.estate, opened.config)
    text = {"html": render_page, "json": json_text, "csv": as_csv, "md": as_markdown}[form](found)
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    path = write_text(text, output or opened.estate.out / f"report.{form}")

    def render() -> None:
        rows = [[line.what, line.figure, line.note] for line in found.headlines()]
        table(found.title, ["", "", ""], rows)
        for title, columns, lines in bars(found, longest_bar()):
            say()
            table(title, columns, lines)
        say(f"Written: {path}")

    show(as_json, {"file": str(path), **found.as_data()}, render)


@click.command()
@click.argument("path")
@verb
def explain(path: str, estate_path: Path | None, as_json: bool) -> None:
    """Everything that is known and decided about one file or folder, and why.

    PATH is share/folder/name, or where the file is on this machine. What the newest scan did not
    find is told of as the last one that did had seen it.

    \b
    Example:
      migrate explain -e estate "finance/Budget/Budget 2009 (1).xlsx"
    """
    from migrate.report.explain import explain as explain_entry

    opened = Opened(estate_path)
    opened.require_crawl()
    story = explain_entry(opened.estate, opened.config, opened.rules(), opened.as_of(), path)

    def render() -> None:
        for heading, lines in story.sections():
            say(heading)
            for line in lines:
                say(f"  {line}")

    show(as_json, story.as_data(), render)
