"""Room: PRONOM identifiers, once for each distinct content and extension.

In: files of the current scans. Out: `formats`, joined to every copy by its content.
Never: stop for a file that cannot be identified; ask twice for the same content.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.digest import COLUMNS, shares
from migrate.engine.map import Row, map_rows
from migrate.engine.query import Query
from migrate.engine.suspects import past_crashes
from migrate.engine.workers import note
from migrate.errors import MigrateError
from migrate.estate import Run, Writer
from migrate.facts import content_key, contents
from migrate.paths import extension, native, to_raw


def unidentified(query: Query) -> Any:
    """One file for each content (and extension) that was not looked at yet."""
    files = contents(query)
    files = files.filter(files.size_bytes > 0, files.read_error.isnull())
    files = files.mutate(content_key=content_key(files))
    files = files.anti_join(query.table("formats"), "content_key")
    files = files.order_by("entry_id").distinct(on="content_key", keep="first")
    return files.select(*COLUMNS, "content_key")


class Identifier:
    """A worker that asks siegfried, by way of pygfried, many files at a time."""

    def __init__(self, roots: dict[str, str], suspects: frozenset[int]) -> None:
        self.roots, self.suspects = roots, suspects

    def work(self, rows: list[Row]) -> list[Row]:
        """An answer for every row; those that crashed siegfried are not asked about again."""
        skipped = [row for row in rows if row["entry_id"] in self.suspects]
        asked = [row for row in rows if row["entry_id"] not in self.suspects]
        answers = self._identify(asked) if asked else []
        return answers + [_row(row, {"errors": "reader_crashed"}) for row in skipped]

    def _identify(self, rows: list[Row]) -> list[Row]:
        import pygfried

        note([row["entry_id"] for row in rows])
        with tempfile.TemporaryDirectory(prefix="migrate-") as folder:
            paths = [self._path(row, Path(folder), n) for n, row in enumerate(rows)]
            answers = pygfried.identify_many(paths, workers=1)["files"]
            found: dict[str, Any] = {answer["filename"]: answer for answer in answers}
            return [_row(row, found.get(path)) for row, path in zip(rows, paths, strict=True)]

    def drain(self) -> None:
        return None

    def _path(self, row: Row, folder: Path, number: int) -> str:
        """The file's path; a link with a plain name where its own is no UTF-8 for siegfried."""
        place = native(self.roots[row["share"]], to_raw(row["path"], row["path_raw"]))
        path = os.fsdecode(place)
        try:
            path.encode()
            return path
        except UnicodeEncodeError:
            ext = extension(row["path"])
            link = folder / (f"{number}.{ext}" if ext.isalnum() and ext.isascii() else str(number))
            link.symlink_to(path)
            return str(link)


def _row(row: Row, answer: dict[str, Any] | None) -> Row:
    result: Row = {name: row[name] for name in ("scan_id", "entry_id", "content_key")}
    if answer is None or answer["errors"]:
        return {**result, "error": (answer or {}).get("errors") or "no answer"}
    best = answer["matches"][0]
    known = best["id"] != "UNKNOWN"
    return {
        **result,
        "puid": best["id"] if known else None,
        "format_name": best["format"] or None if known else None,
        "format_version": best["version"] or None if known else None,
        "basis": best["basis"] or None,
        "ext_mismatch": known and "extension mismatch" in best["warning"],
    }


def identify(writer: Writer, config: Config, workers: int) -> tuple[Run | None, int]:
    """Identify what is not identified yet. Returns the run (None: nothing to do) and how many
    contents were looked at.

    Errors: MigrateError where pygfried is not installed."""
    if sys.platform == "win32":
        raise MigrateError(
            "PRONOM identification needs pygfried, which does not run on Windows",
            "Run `migrate identify` on Linux or macOS, or go on without: extensions are used.",
        )
    with Query(writer.estate) as query:
        if not query.count(unidentified(query)) and writer.estate.latest("identify"):
            return None, 0
    scans = [run.run_id for run in writer.estate.scans()]
    run = writer.begin("identify", {}, scans)
    roots = shares(config, writer.estate.root)

    def ask(suspects: frozenset[int]) -> int:
        make = partial(Identifier, roots, suspects)
        return map_rows(writer, run, "formats", make, unidentified, workers, "identify")

    done = past_crashes(writer, "identify", ask)
    writer.finish(run, {"contents": done})
    return run, done
