"""Room: the stage that looks inside files, once for each distinct content.

In: files of the current scans. Out: `looks` (what is inside), `checksums` (of files that may also
lie in an archive), and `inside`: what both mean beside all other files.
Never: anything unpacked; a document's text kept; a file that stops the run.
"""

from __future__ import annotations

import importlib.util
import sys
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from migrate.config import Config, share_places
from migrate.contents import READABLE, name_contents, not_known
from migrate.engine.crew import Worker
from migrate.engine.hours import workers_for
from migrate.engine.limited import Exceeded, Limited
from migrate.engine.map import Row, map_rows
from migrate.engine.query import Query
from migrate.errors import MigrateError
from migrate.estate import Run, Writer
from migrate.inside import archives, shortcuts, text
from migrate.inside.related import inside, packed, windows_roots
from migrate.patterns import ending, folded
from migrate.place import Place
from migrate.reader import IN_DISK_ORDER, Reader
from migrate.sources import OpenFile

MOST_DOCUMENT_BYTES = 128 << 20
BLOCK_BYTES = 1 << 20

# Files that somebody can look into, and how.
KINDS = """
SELECT entry_id, content_key, ext,
  CASE WHEN ext IN {archives} THEN 'archive' WHEN ext IN {shortcuts} THEN 'shortcut' {document} END
  AS what
FROM (SELECT *, {ext} AS ext FROM {files} WHERE {readable}) WHERE what IS NOT NULL
"""
LIKE_PACKED = """
SELECT entry_id, content_key
FROM (SELECT *, {name} AS lower_name FROM {files} WHERE {readable}) SEMI JOIN ({packed})
  USING (lower_name, size_bytes)
"""


def inspect(writer: Writer, config: Config, workers: int) -> tuple[Run, int]:
    """Look into what was not looked into yet. Returns the run and how many contents that were.

    Errors: MigrateError where text is asked for and cannot be read here."""
    require_text(config)
    select = partial(not_looked_at, with_text=config.inspect.text)
    root = writer.estate.root
    known_as = {share.name: windows_roots(config, root, share) for share in config.shares}
    settings = {"text": config.inspect.text, "known_as": known_as}
    inputs = writer.estate.compared_runs()
    done = writer.estate.done("inspect", settings, inputs)
    if done and not _count(writer, select):
        return done, 0
    run = writer.begin("inspect", settings, inputs)
    looked = _map(writer, run, config, "looks", Inspector, select, workers, "inspect")
    make = partial(Keyed, read=_crc32)
    label = "inspect: files that archives hold too"
    _map(writer, run, config, "checksums", make, without_checksum, workers, label)
    with Query(writer.estate) as query:
        query.doing("inspect: putting together what was found")
        writer.commit(run, query.write("inside", inside(query, known_as)))
    writer.finish(run, {"contents": looked})
    return run, looked


def require_text(config: Config) -> None:
    """Whether text can be read here, if it is asked for.

    Errors: MigrateError."""
    if not config.inspect.text:
        return
    if sys.platform == "win32":
        raise MigrateError(
            "text is read within limits on time and memory that Windows does not have",
            "Run this on Linux or macOS, or write `inspect: {text: false}` in estate.yaml.",
        )
    if missing := [name for name in ("kreuzberg", "rensa") if not importlib.util.find_spec(name)]:
        raise MigrateError(
            f"estate.yaml asks for documents' text, and {' and '.join(missing)} is not installed",
            "Run pip install 'migrate[text]', or write `inspect: {text: false}` in estate.yaml.",
        )


def _count(writer: Writer, select: Callable[[Query], str]) -> int:
    with Query(writer.estate) as query:
        return query.count(select(query))


def _map(
    writer: Writer, run: Run, config: Config, table: str, make: Callable[..., Worker],
    select: Callable[[Query], str], workers: int, label: str,
) -> int:  # fmt: skip
    """Workers over the selected files, if there are any."""
    where = share_places(config, writer.estate.root)
    count = workers_for(where.values(), workers)
    made = partial(make, where, count)
    with Query(writer.estate) as query:
        wanted = select(query)
        return map_rows(
            writer, query, run, table, made, wanted, count, label, where.values(), IN_DISK_ORDER
        )


def not_looked_at(query: Query, with_text: bool) -> str:
    """One file for each content that can be looked into and was not, in SQL."""
    document = f"WHEN ext IN {[*text.TYPES]} AND encrypted IS NOT TRUE THEN 'document'"
    files = KINDS.format(
        ext=ending("name"), files=name_contents(query), readable=READABLE,
        archives=archives.EXTENSIONS, shortcuts=shortcuts.EXTENSIONS,
        document=document if with_text else "",
    )  # fmt: skip
    return not_known(query, "looks", files, "what", "ext")


def without_checksum(query: Query) -> str:
    """One file for each content that has name and size of something in an archive, in SQL."""
    files = LIKE_PACKED.format(
        name=folded("name"), files=name_contents(query), readable=READABLE,
        packed=query.compiled(packed(query)),
    )  # fmt: skip
    return not_known(query, "checksums", files)


_KEPT = ("content_key", "what")


class Keyed(Reader):
    """A reader whose rows say which content was asked about, also where it could not be read."""

    def work(self, rows: list[Row]) -> list[Row]:
        asked = [{name: row[name] for name in _KEPT if name in row} for row in rows]
        return [key | found for key, found in zip(asked, super().work(rows), strict=True)]


class Inspector(Keyed):
    """A worker that looks into files of all kinds."""

    def __init__(self, places: dict[str, Place], among: int) -> None:
        super().__init__(places, among, self._look)
        self.limited = Limited(text.COMMAND)

    def drain(self) -> None:
        self.limited.close()

    def _look(self, file: OpenFile, row: Row) -> dict[str, Any]:
        try:
            if row["what"] == "archive":
                return {"members": archives.members(file, row["size_bytes"])}
            if row["what"] == "shortcut":
                content = file.read_at(0, shortcuts.MOST_BYTES)
                return {"target": shortcuts.target(content, row["ext"])}
            if row["size_bytes"] > MOST_DOCUMENT_BYTES:
                return {"error": "too_large"}
            return self.limited.ask({"ext": row["ext"]}, _whole(file))
        except (archives.Unreadable, Exceeded) as problem:
            return {"error": problem.code}
        except shortcuts.Damaged:
            return {"error": "damaged"}


def _whole(file: OpenFile) -> bytes:
    content = bytearray()
    while block := file.read_at(len(content), BLOCK_BYTES):
        content += block
    return bytes(content)


def _crc32(file: OpenFile, row: Row) -> dict[str, Any]:
    crc32 = at = 0
    while block := file.read_at(at, BLOCK_BYTES):
        crc32 = zlib.crc32(block, crc32)
        at += len(block)
    return {"crc32": crc32}
