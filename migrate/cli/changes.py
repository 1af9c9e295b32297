"""What has changed since the scan before: for people after a crawl, and as a list."""

from __future__ import annotations

import base64
import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from migrate.cli.common import Opened, say, show, table, verb
from migrate.errors import MigrateError, UsageError
from migrate.paths import printable
from migrate.wording import count_text, size_text, time_text

FOLDERS_SHOWN = 10


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]),
    help="Every file and folder that changed, as a list.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="Where the list goes. Default: stdout.",
)  # fmt: skip
@verb
def changes(estate_path: Path | None, form: str | None, output: Path | None, as_json: bool) -> None:
    """What is new, changed, moved or deleted since the scan before.

    \b
    Example:
      migrate changes -e estate
      migrate changes -e estate --format csv --output changes.csv
    """
    from migrate.changes import counted, disproved_files, find_changes, listed, moved_folders
    from migrate.engine.query import Query
    from migrate.scans import rescans, scan_pairs

    if output and not form:
        raise UsageError("what form is the list to have?", "Give --format csv or --format json.")
    estate = Opened(estate_path).estate
    pairs = scan_pairs(estate)
    if not pairs:
        raise MigrateError(
            "no share has been crawled twice: there is nothing to compare",
            "Run `migrate crawl --rescan` to see what has changed since the first crawl.",
        )
    with Query(estate) as query:
        find_changes(query, pairs)
        if form:
            with _opened(output) as file:
                {"csv": _write_csv, "json": _write_json}[form](listed(query), file)
            return
        folders = moved_folders(query, FOLDERS_SHOWN)
        counts = counted(query)
    shares, disproved = rescans(estate, counts), disproved_files(estate)

    def render() -> None:
        render_rescans(shares, disproved)
        rows = [[f["was_path"], f["path"], f"{f['files']:,}"] for f in folders]
        if rows:
            table("Moved folders", ["from", "to", "files"], rows)
        say("Every file: migrate changes --format csv --output changes.csv")

    data = {"shares": shares, "moved_folders": folders, "disproved": disproved}
    show(as_json, data, render)


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[str]]:
    if output is None or str(output) == "-":
        sys.stdout.reconfigure(errors="backslashreplace", newline="")  # type: ignore[union-attr]
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        yield file


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A row as people and programs read it: times as text, exact bytes of odd paths in base64."""
    found = {}
    for name, value in row.items():
        if name.endswith("mtime_ns"):
            found[name.replace("mtime_ns", "modified_utc")] = time_text(value) or None
        elif name.endswith("path_raw"):
            text = None if value is None else base64.b64encode(value).decode()
            found[name.replace("path_raw", "path_b64")] = text
        else:
            found[name] = value
    return found


def _write_csv(rows: Iterator[dict[str, Any]], file: IO[str]) -> None:
    from migrate.changes import COLUMNS

    writer = csv.writer(file)
    writer.writerow(_line(dict.fromkeys(COLUMNS)))
    for row in rows:
        line = _line(row)
        for name in ("path", "was_path"):
            _show_safely(line, name)
        writer.writerow({**line, "decided": "yes" if row["decided"] else ""}.values())


def _show_safely(line: dict[str, Any], name: str) -> None:
    """No path of a list moves a cursor or breaks a line; its bytes stand beside it then."""
    path: str | None = line[name]
    if path is None or path.isprintable():
        return
    line[name] = printable(path)
    below_share = path.partition("/")[2].encode("utf-8", "surrogatepass")
    line[f"{name}_b64"] = line[f"{name}_b64"] or base64.b64encode(below_share).decode()


def _write_json(rows: Iterator[dict[str, Any]], file: IO[str]) -> None:
    file.write("[")
    for number, row in enumerate(rows):
        line = {name: value for name, value in _line(row).items() if value is not None}
        file.write((",\n" if number else "\n") + json.dumps(line))
    file.write("\n]\n")


# The summary


def render_rescans(shares: list[dict[str, Any]], disproved: list[str]) -> None:
    """What somebody needs to know after a rescan."""
    for share in shares:
        if share["changes"] and share["unchanged"] == share["files"] and not _any_gone(share):
            say(f"{share['share']}: nothing has changed since the scan of {share['before_at']}.")
        elif share["changes"]:
            _render_share(share)
        for line in about_reuse(share):
            say(line)
    for path in disproved:
        say(f"  changed unseen: {path}")
    if line := to_decide(shares):
        say(line)


def _any_gone(share: dict[str, Any]) -> bool:
    return any(found["files"] or found["others"] for found in share["changes"].values())


def _render_share(share: dict[str, Any]) -> None:
    from migrate.scans import CHANGES, DOUBTS

    rows = [
        [
            name.replace("_", " "), f"{found['files']:,}", size_text(found["size_bytes"]),
            f"{found['others']:,}", f"{found['decided']:,}", CHANGES[name],
        ]
        for name, found in share["changes"].items() if name not in DOUBTS or any(found.values())
    ]  # fmt: skip
    rows.append(["unchanged", f"{share['unchanged']:,}", "", "", "", ""])
    columns = ["", "files", "size", "folders, links", "decided", "meaning"]
    table(f"{share['share']}: since the scan of {share['before_at']}", columns, rows)


def about_reuse(share: dict[str, Any]) -> list[str]:
    """What was not opened, and whether that was right."""
    name, proven, wrong = share["share"], share["proven"], share["disproved"]
    if wrong:
        return [
            f"WARNING: {name}: of {count_text(proven + wrong, 'file')} read again to prove the "
            f"earlier scan, {wrong:,} had other bytes with the same number, size and times.",
            "  This share does not say truly when a file changes. What was taken over from the "
            "earlier scan cannot be trusted, and no stage goes on from this one.",
            "  Next: migrate crawl --reread (reads every file; slow, and sure)",
        ]
    if share["reread"]:
        return []
    if not share["not_opened"] and not proven:
        return [f"{name}: every file was read again: {_why_all(share)}."] if share["files"] else []
    proof = f" {count_text(proven, 'file')} read again as a proof: all true." if proven else ""
    how = f" {share['not_lasting']}" if share["not_lasting"] else ""
    return [f"{name}: {share['not_opened']:,} of {share['files']:,} files not opened.{proof}{how}"]


def _why_all(share: dict[str, Any]) -> str:
    """Why nothing could be taken over from the scan before."""
    if share["not_lasting"]:
        return str(share["not_lasting"])
    if share["before_disproved"]:
        return "the scan before was found not to be true"
    if not share["before_files"]:
        return "the scan before found none"
    return "the scan before read less of each file, or began only just after they were changed"


def to_decide(shares: list[dict[str, Any]]) -> str:
    """Which decisions do not count any more."""
    lost = {
        name: sum(share["changes"][name]["decided"] for share in shares if share["changes"])
        for name in ("changed", "moved")
    }
    told = " and ".join(f"{count:,} {name}" for name, count in lost.items() if count)
    if not told:
        return ""
    return f"To be decided again: {told}. What was decided on these files is no longer about them."
