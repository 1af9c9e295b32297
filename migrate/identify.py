"""Room: PRONOM identifiers, once for each distinct content and extension.

In: files of the current scans. Out: `formats`, joined to every copy by its content.
Never: stop for a file that cannot be identified; ask twice for the same content.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from migrate.config import Config, share_places
from migrate.contents import READABLE, name_contents, name_known, not_known
from migrate.engine.crew import note
from migrate.engine.hours import workers_for
from migrate.engine.map import Row, map_rows
from migrate.engine.query import Query
from migrate.engine.suspects import past_crashes
from migrate.errors import MigrateError
from migrate.estate import Run, Writer
from migrate.mimetypes import OLE2_SIGNATURE
from migrate.paths import extension, to_raw
from migrate.place import Place
from migrate.reader import IN_DISK_ORDER, open_rows, open_sources
from migrate.sources import Found, error_code

WHOLLY_BYTES = 64 << 20  # up to this size a file on a server is fetched whole
END_BYTES = 4 << 20
BLOCK_BYTES = 1 << 20
FULL = (errno.ENOSPC, errno.EDQUOT)
COMMONEST = """
WITH formats AS (SELECT DISTINCT ON (content_key) content_key, puid, format_name FROM {known})
SELECT puid, format_name, count(*) AS files FROM {files} JOIN formats USING (content_key)
GROUP BY ALL ORDER BY files DESC, puid LIMIT 20
"""


def unidentified(query: Query) -> str:
    """One file for each content (and extension) that was not looked at yet, in SQL."""
    files = f"SELECT entry_id, content_key FROM {name_contents(query)} WHERE {READABLE}"  # noqa: S608
    return not_known(query, "formats", files)


def commonest(query: Query) -> list[dict[str, Any]]:
    """The commonest formats (puid, format_name) by number of files, copies counted."""
    files, known = name_contents(query), name_known(query, "formats")
    return list(query.rows(COMMONEST.format(files=files, known=known)))


class Identifier:
    """A worker that asks siegfried, by way of pygfried, many files at a time."""

    def __init__(self, places: dict[str, Place], among: int, suspects: frozenset[int]) -> None:
        self.sources = open_sources(places, among)
        self.suspects = suspects
        self.is_rotating = any(place.rotating for place in places.values())

    def work(self, rows: list[Row]) -> list[Row]:
        """An answer for every row; those that crashed siegfried are not asked about again."""
        skipped = [row for row in rows if row["entry_id"] in self.suspects]
        asked = [row for row in rows if row["entry_id"] not in self.suspects]
        answers = self._identify(asked) if asked else []
        return answers + [_row(row, {"errors": "reader_crashed"}) for row in skipped]

    def _identify(self, rows: list[Row]) -> list[Row]:
        import pygfried

        note([row["entry_id"] for row in rows])
        with ExitStack() as room:
            paths, errors = self._paths(rows, _folder_in(room))
            # All at once: where pygfried waits for one file before it takes the next, a quarter of
            # the time goes into waking threads. But a disk's head would have to be everywhere.
            at_once = 1 if self.is_rotating else max(1, len(paths))
            answers = pygfried.identify_many([*paths.values()], workers=at_once)["files"]
            found: dict[str, Any] = {answer["filename"]: answer for answer in answers}
            return [_row(row, errors.get(n) or found.get(paths[n])) for n, row in enumerate(rows)]

    def drain(self) -> None:
        return None

    def _paths(
        self, rows: list[Row], folder: Callable[[], Path]
    ) -> tuple[dict[int, str], dict[int, dict[str, Any]]]:
        """A path for each row on this machine, or why there is none: what is on a server is
        fetched into the folder."""
        paths: dict[int, str] = {}
        errors: dict[int, dict[str, Any]] = {}
        remote: list[Row] = []
        for number, row in enumerate(rows):
            native = self.sources[row["share"]].native_path(to_raw(row["path"], row["path_raw"]))
            if native is None:
                remote.append({**row, "number": number})
            else:
                paths[number] = _plain_path(os.fsdecode(native), row, folder, number)
        for row, found in open_rows(self.sources, remote):
            place = _place(row, folder(), row["number"])
            try:
                paths[row["number"]] = _fetch(row, found, place)
            except OSError as error:
                if error.errno in FULL:
                    raise  # no room to fetch anything: that says nothing of the file
                errors[row["number"]] = {"errors": error_code(error)}
        return paths, errors


def _folder_in(room: ExitStack) -> Callable[[], Path]:
    """A folder for what cannot be looked at where it lies. Made when first asked for: most tasks
    need none, and making one and taking it away is a tenth of their time."""
    return cache(lambda: Path(room.enter_context(TemporaryDirectory(prefix="migrate-"))))


def _place(row: Row, folder: Path, number: int) -> Path:
    """A plain name that keeps the extension: siegfried looks at it."""
    ext = extension(row["path"])
    return folder / (f"{number}.{ext}" if ext.isalnum() and ext.isascii() else str(number))


def _plain_path(path: str, row: Row, folder: Callable[[], Path], number: int) -> str:
    """The file's path; a link with a plain name where its own is no UTF-8 for siegfried."""
    try:
        path.encode()
        return path
    except UnicodeEncodeError:
        link = _place(row, folder(), number)
        link.symlink_to(path)
        return str(link)


def _fetch(row: Row, found: Found, place: Path) -> str:
    """Copy what siegfried needs of a file on a server: all of it; of a very large one that is no
    container the two ends, the middle left empty.

    Errors: OSError."""
    if found.file is None:
        raise found.error or OSError()
    try:
        size = row["size_bytes"]
        with place.open("wb") as copy:
            head = found.file.read_at(0, END_BYTES)
            copy.write(head)
            if size > WHOLLY_BYTES and not head.startswith((b"PK", OLE2_SIGNATURE)):
                copy.seek(size - END_BYTES)
            while block := found.file.read_at(copy.tell(), BLOCK_BYTES):
                copy.write(block)
        return str(place)
    finally:
        found.file.close()


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
    scans = writer.estate.scan_ids()
    if writer.estate.done("identify", {}, scans):
        with Query(writer.estate) as query:
            if not query.count(unidentified(query)):
                return None, 0
    run = writer.begin("identify", {}, scans)
    where = share_places(config, writer.estate.root)
    count = workers_for(where.values(), workers)

    def ask(suspects: frozenset[int]) -> int:
        make = partial(Identifier, where, count, suspects)
        every = where.values()
        with Query(writer.estate) as query:
            wanted = unidentified(query)
            return map_rows(
                writer, query, run, "formats", make, wanted, count, "identify", every, IN_DISK_ORDER
            )

    done = past_crashes(writer, "identify", ask)
    writer.finish(run, {"contents": done})
    return run, done
