"""Verbs of the review: workbooks out, decisions in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrate.cli.common import Opened, Shown, open_for_writing, say, show, table, verb
from migrate.errors import ITEMS_FAILED
from migrate.wording import count_text

if TYPE_CHECKING:
    from migrate.estate import Writer
    from migrate.review.importing import Imported

SHOWN_REFUSALS = 20
SHOWN_COVERED = 30


@click.group()
def review() -> None:
    """Workbooks out to the people who decide, and their decisions in."""


@review.command("export")
@verb
def export_verb(estate_path: Path | None, as_json: bool) -> None:
    """Write one review workbook for each business unit.

    \b
    Example:
      migrate review export -e estate
    """
    with open_for_writing(estate_path) as (opened, writer):
        show(as_json, *exported(opened, writer))


def exported(opened: Opened, writer: Writer) -> Shown:
    """What `review export` and `run` do."""
    from msgspec.structs import asdict

    from migrate.review.export import export

    opened.require_flag()
    written, kept = export(writer, opened.config, opened.holds(), opened.as_of())
    folder = opened.estate.out / "review"

    def render() -> None:
        rows = [
            [w.file, f"{w.lines:,}", f"{w.items:,}", f"{w.files:,}", f"{w.info:,}"] for w in written
        ]
        table(
            f"Review workbooks in {folder}",
            ["workbook", "lines to decide", "items they cover", "listed", "for information"],
            rows,
        )
        for words in kept:
            say(f"Not overwritten, because somebody has worked in it: {words}")
        say("Next: have them filled in, then migrate review import WORKBOOK")

    data = {"folder": str(folder), "workbooks": [asdict(w) for w in written], "kept": kept}
    return data, render


@review.command("import")
@click.argument(
    "workbooks", nargs=-1, required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
@click.option("--reviewer", help="Who decided. Default: the name on the workbook's first sheet.")
@click.option("--dry-run", is_flag=True, help="Check everything and record nothing.")
@verb
def import_verb(
    workbooks: tuple[Path, ...], reviewer: str | None, dry_run: bool,
    estate_path: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Read decisions back. Rows that were altered or cannot be are refused, one by one.

    Two copies of a workbook are best given together: what contradicts itself in them is refused in
    both, until one is changed. A decision that was recorded before is taken back with the word
    withdraw.

    \b
    Example:
      migrate review import -e estate Finance.xlsx
    """
    from msgspec import to_builtins

    from migrate.engine.query import Query
    from migrate.plan import proposals
    from migrate.review.desk import Desk, lay_out
    from migrate.review.importing import import_workbooks

    with open_for_writing(estate_path) as (opened, writer):
        opened.require_flag()
        holds, as_of = opened.holds(), opened.as_of()

        def desk_of(query: Query) -> Desk:
            return lay_out(query, proposals(query, opened.config, holds, as_of))

        results = import_workbooks(writer, desk_of, list(workbooks), reviewer, dry_run)

    data = to_builtins(results)
    render = partial(_render_imported, results, dry_run)
    show(as_json, {"dry_run": dry_run, "workbooks": data}, render)
    return ITEMS_FAILED if any(result.refused for result in results) else 0


def _render_imported(results: list[Imported], dry_run: bool) -> None:
    rows = [
        [r.workbook, r.reviewer, f"{r.decided_rows:,}", f"{r.decided_files:,}",
         f"{r.undecided_rows:,}", f"{len(r.refused):,}"]
        for r in results
    ]  # fmt: skip
    columns = [
        "workbook", "reviewer", "rows decided", "new for files", "rows left open", "rows refused",
    ]  # fmt: skip
    table("Would be imported (dry run)" if dry_run else "Decisions imported", columns, rows)
    for r in results:
        if r.decided_on:
            kinds = [
                count_text(number, kind, "copies" if kind == "copy" else "")
                for kind, number in sorted(r.decided_on.items())
            ]
            say(f"Decided in {r.workbook}: {', '.join(kinds)}")
    covered = [
        [e.decision, e.what, f"{e.files:,}", f"{e.overruled:,}"]
        for result in results for e in result.covered
    ]  # fmt: skip
    if covered:
        title = "One decision for many"
        columns = ["decision", "on", "items", "decided nearer"]
        table(title, columns, covered[:SHOWN_COVERED])
    if (more := len(covered) - SHOWN_COVERED) > 0:
        say(f"and {count_text(more, 'more such decision')} (all of them with --json)")
    for result in results:
        for refusal in result.refused[:SHOWN_REFUSALS]:
            place = f"{result.workbook}, “{refusal.sheet}” row {refusal.row}"
            say(f"Refused: {place}: {refusal.reason}")
            say(f"         “{refusal.decision}” for {refusal.path}")
        if (more := len(result.refused) - SHOWN_REFUSALS) > 0:
            say(f"         and {count_text(more, 'row')} more")
        if result.refused_in:
            say(f"All refused rows with their reasons: {result.refused_in}")
    say("Nothing was recorded." if dry_run else "Next: migrate manifest")
