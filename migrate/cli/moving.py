"""Verbs that act on decisions: manifest, move, verify."""

from __future__ import annotations

from pathlib import Path

import click

from migrate.cli.common import (
    Opened,
    open_for_writing,
    say,
    show,
    table,
    verb,
    workers_option,
    workers_or_default,
)  # fmt: skip
from migrate.errors import DIFFERENCES_FOUND, ITEMS_FAILED
from migrate.wording import count_text, size_text


@click.command()
@click.option("--profile", default="standard", show_default=True, help="Form of the manifest.")
@workers_option
@verb
def manifest(estate_path: Path | None, profile: str, workers: int | None, as_json: bool) -> None:
    """List what moves, where to, with which digest; account for everything else.

    \b
    Example:
      migrate manifest -e estate
    """
    from msgspec.structs import asdict

    from migrate.manifest import write_manifest
    from migrate.manifests import PROFILES
    from migrate.plan import OUTCOMES

    if profile not in PROFILES:
        raise click.BadParameter(
            f"{profile!r}; expected one of {', '.join(PROFILES)}", param_hint="--profile"
        )
    with open_for_writing(estate_path) as (opened, writer):
        opened.require_flag()
        count = workers_or_default(workers)
        made = write_manifest(writer, opened.config, opened.holds(), opened.as_of(), count, profile)

    def render() -> None:
        rows = [
            [a.outcome, f"{a.files:,}", size_text(a.size_bytes), OUTCOMES[a.outcome]]
            for a in made.accounts
        ]
        total = sum(a.files for a in made.accounts)
        title = f"All {total:,} files, links and empty folders accounted for"
        table(title, ["outcome", "files", "size", "meaning"], rows)
        if made.renamed:
            say(
                f"{count_text(made.renamed, 'file')} will have another name in the new store: "
                "see renamed.csv"
            )
        say("Written: " + ", ".join(str(path) for path in made.files))
        say("Next: migrate move --to file:///NEW/STORE")

    data = {
        "accounts": [asdict(account) for account in made.accounts],
        "renamed": made.renamed,
        "files": [str(path) for path in made.files],
    }
    show(as_json, data, render)


@click.command()
@click.option(
    "--to",
    "url",
    required=True,
    metavar="URL",
    help="A folder's path, file:///FOLDER, smb://HOST/SHARE/FOLDER.",
)
@workers_option
@verb
def move(estate_path: Path | None, url: str, workers: int | None, as_json: bool) -> int:
    """Copy the manifest's files into the new store, read each back, never touch the source.

    \b
    Example:
      migrate move -e estate --to file:///mnt/new-store
    """
    from migrate.move import STATUSES
    from migrate.move import move as move_files

    with open_for_writing(estate_path) as (opened, writer):
        count = workers_or_default(workers)
        moved = move_files(writer, opened.config, opened.holds(), opened.as_of(), url, count)

    def render() -> None:
        rows = [[status, f"{n:,}", STATUSES[status]] for status, n in moved.by_status.items()]
        if moved.done_before:
            rows.insert(0, ["verified before", f"{moved.done_before:,}", "moved by an earlier run"])
        table(f"{moved.lines:,} manifest lines", ["status", "lines", "meaning"], rows)
        for problem in moved.problems[:20]:
            say(f"{problem['status']}: {problem['target_path']}: {problem['detail']}")
        if (more := len(moved.problems) - 20) > 0:
            say(f"and {count_text(more, 'line')} more (--json lists up to 1,000)")
        say("Next: migrate verify")

    data = {
        "lines": moved.lines, "done_before": moved.done_before, "by_status": moved.by_status,
        "problems": moved.problems,
    }  # fmt: skip
    show(as_json, data, render)
    return ITEMS_FAILED if moved.problems else 0


@click.command()
@workers_option
@verb
def verify(estate_path: Path | None, workers: int | None, as_json: bool) -> int:
    """Walk the log's hash chain, check every table, read every moved file again.

    \b
    Example:
      migrate verify -e estate
    """
    from msgspec.structs import asdict

    from migrate.verify import verify as verify_estate

    opened = Opened(estate_path)
    result = verify_estate(opened.estate, opened.config, workers_or_default(workers))

    def render() -> None:
        rows = [
            ["log", f"{result.log_lines:,} lines", "every line carries the hash of the one before"],
            ["tables", f"{result.parts:,} parts", "SHA-256 as committed"],
            [
                "moved files",
                f"{result.files:,} files",
                f"{size_text(result.size_bytes)} read back from the target",
            ],
            [
                "manifest",
                f"{result.lines_moved:,} of {result.lines:,}",
                "lines are in the target, verified",
            ],
        ]
        differences = len(result.differences)
        table(
            "Verified" if not differences else "NOT AS IT SHOULD BE",
            ["what", "how much", "how"],
            rows,
        )
        for difference in result.differences[:50]:
            say(f"Different: {difference}")
        say(f"{count_text(differences, 'difference')} found. Head of the log: {result.log_head}")

    show(as_json, asdict(result), render)
    return DIFFERENCES_FOUND if result.differences else 0
