"""Room: the plain files and the folders in local folders, visited many at a time. Linux only.

In: pages of open folders. Out: rows of `entries` and `digests`, as columns. Files that an earlier
scan may have read are only looked at, a few thousand of them; then those that are not as they were
are read.
What gives any trouble, or has a name that is not plain text, is left to the ordinary visit, which
knows what to say of it. What a visit is, visit.py says; here it only takes less time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from stat import S_IFDIR, S_IFREG
from typing import Any, NamedTuple, TypeGuard

import pyarrow as pa
import pyarrow.compute as pc

from migrate.engine.crew import note
from migrate.known import Known
from migrate.listed import Folder, counted, in_table, places_of
from migrate.model import entry_id
from migrate.sources import Page, Source, linux
from migrate.sources.ahead import Ahead
from migrate.sources.local import PAGE_NAMES, LocalFile, LocalSource, owner_name
from migrate.sources.records import Records
from migrate.sources.records import columns as stat_columns
from migrate.visit import WHOLE_BYTES, Content, Reading, examine, small_digest

BATCH_ROWS = 8 * PAGE_NAMES


def is_local_linux(source: Source) -> TypeGuard[LocalSource]:
    return isinstance(source, LocalSource) and linux.has_statx()


class Left(NamedTuple):
    """An entry for the ordinary visit."""

    path: bytes
    parent_id: int
    depth: int
    kind: str


class Bulk:
    """Entries of one share on their way into the tables. `left` is for the caller to take."""

    def __init__(
        self, source: LocalSource, share: str, scan_id: int, reading: Reading,
        suspects: frozenset[int], known: Known | None,
    ) -> None:  # fmt: skip
        self.source, self.share, self.scan_id, self.reading = source, share, scan_id, reading
        self.suspects, self.known = suspects, known
        self.bare = not (reading.mime or reading.sha256)  # nothing but a digest is wanted
        self.reads_at_once = reading.content and known is None
        self.ahead = Ahead()
        self.left: list[Left] = []
        self._read_bytes = 0
        self._records = Records(BATCH_ROWS)
        self._clear()
        self._begin()

    def _clear(self) -> None:
        """Nothing is in columns yet."""
        self._tables: dict[str, list[pa.Table]] = {"entries": [], "digests": []}
        self._counts: Counter[str] = Counter()
        self._rows = 0

    def _begin(self) -> None:
        """Nothing waits to be put into columns."""
        self._records.clear()
        self._names: list[str] = []
        self._pages: list[Folder] = []
        # What files said that were read: of small ones nothing but a digest, of others by place
        self._digests: list[bytes | None] = []
        self._contents: dict[int, Content] = {}
        self._apart: set[int] = set()  # places of what the ordinary visit has to look at

    @property
    def rows(self) -> int:
        """How many entries are in memory."""
        return self._rows + len(self._names)

    def visit(self, page: Page, parent_id: int, depth: int) -> None:
        """Visit the plain files and the folders of a page whose folder is open."""
        if not self._records.has_room(len(page.names) + len(page.folders)):
            self.settle()
        try:
            prefix = f"{page.folder.decode()}/" if page.folder else ""
            "".join(page.names + page.folders).encode()
        except UnicodeError:
            page = self._plain(page, parent_id, depth)
            prefix = os.fsdecode(page.folder + b"/") if page.folder else ""
        before = len(self._names)
        self._leave(page, self._look(page, page.folders, S_IFDIR), parent_id, depth, "folder")
        if self.reads_at_once:
            self._read_all(page, prefix)
        else:
            self._leave(page, self._look(page, page.names, S_IFREG), parent_id, depth, "file")
        self._pages.append(Folder(len(self._names) - before, parent_id, depth, prefix))

    def _plain(self, page: Page, parent_id: int, depth: int) -> Page:
        """A page with those names only that are text, none if its folder's path is not: in others
        something stands for a byte that is no character. They are left."""
        is_text = _is_text(os.fsdecode(page.folder))
        odd = {name for name in page.names + page.folders if not (is_text and _is_text(name))}
        for names, kind in ((page.names, "file"), (page.folders, "folder")):
            self._leave(page, [name for name in names if name in odd], parent_id, depth, kind)
        return page._replace(
            names=[name for name in page.names if name not in odd],
            folders=[name for name in page.folders if name not in odd],
        )

    def _leave(self, page: Page, names: list[str], parent_id: int, depth: int, kind: str) -> None:
        above = page.folder + b"/" if page.folder else b""
        self.left += [Left(above + os.fsencode(name), parent_id, depth, kind) for name in names]

    def _look(self, page: Page, names: list[str], kind: int) -> list[str]:
        """Note what entries are now, opening none; returns those that are left."""
        if not names:
            return []
        seen = self._records.look_in(page.descriptor, [name.encode() for name in names], kind)
        there = [names[place] for place in seen]
        self._wait(there)
        return [] if len(there) == len(names) else sorted({*names}.difference(there))

    def _read_all(self, page: Page, prefix: str) -> None:
        names = page.names
        places = range(len(self._names), len(self._names) + len(names))
        self._wait(names)
        self._records.count += len(names)
        self._read(self.ahead.opener(page.descriptor, names), names, places, prefix)

    def _wait(self, names: list[str]) -> None:
        """Have entries wait of which nothing was read yet."""
        self._names += names
        self._digests += [None] * len(names)

    def _read(
        self, open_file: Callable[[str], int], names: list[str], places: Sequence[int], prefix: str
    ) -> None:
        """Look at files, each of which has its place, and take their digests."""
        digests, contents, look = self._digests, self._contents, self._records.look
        most = WHOLE_BYTES if self.bare else -1
        read_bytes = 0
        for name, place in zip(names, places, strict=True):  # what stands here runs for every file
            try:
                file = open_file(name)
                try:
                    size = look(file, place)
                    if size <= most:
                        digests[place] = small_digest(file, size)
                    else:
                        contents[place] = self._examine(file, size, place, prefix + name)
                finally:
                    os.close(file)
                read_bytes += size
            except OSError:
                self._apart.add(place)
                digests[place] = None  # it may have been closing that failed
                contents.pop(place, None)
        self._read_bytes += read_bytes

    def _examine(self, file: int, size: int, place: int, path: str) -> Content:
        """What takes more than one look at a file."""
        raw = path.encode()
        number = entry_id(self.share, raw)
        if number in self.suspects:
            raise OSError
        note([number])
        content = examine(LocalFile(file), size, raw, self.reading)
        if self._records.has_changed(file, place):
            raise OSError
        return content

    def settle(self) -> None:
        """Put into columns what waits, reading what is not as an earlier scan has read it."""
        if not self._names:
            return
        columns = places_of(self.share, self._pages, self._names)
        found = stat_columns(self._records.kept())
        if self.known:
            self._compare(self.known, found, columns)
            found = stat_columns(self._records.kept())
        entries = in_table(
            self.scan_id, "entries", {**columns, **found, "owner": _owners(found["uid"])}
        )
        if self._apart:
            entries = self._set_apart(entries, columns)
        self._put(entries, columns["entry_id"])
        self._begin()

    def _compare(self, known: Known, found: dict[str, pa.Array], columns: dict[str, Any]) -> None:
        """Take over what an earlier scan has read, and read the rest."""
        places = known.find_all(found, columns["name"])
        is_proof = known.are_proofs(places)  # the ordinary visit compares
        is_other = pc.and_(pc.is_null(places), pc.equal(found["kind"], "file"))
        is_taken = pc.and_not(pc.is_valid(places), is_proof)
        others = pc.indices_nonzero(is_other).to_pylist()
        self._read(self._open, [columns["path"][place] for place in others], others, "")
        self._apart.update(pc.indices_nonzero(is_proof).to_pylist())
        numbers = columns["entry_id"].filter(is_taken)
        if len(numbers):
            digests = known.digests(self.scan_id, numbers, places.filter(is_taken))
            self._tables["digests"].append(digests)
            self._counts["taken over"] += len(numbers)

    def _open(self, path: str) -> int:
        return self.source.open(path.encode()).descriptor

    def _set_apart(self, entries: pa.Table, columns: dict[str, Any]) -> pa.Table:
        """Leave files to the ordinary visit; the entries without them."""
        for place in sorted(self._apart):
            path, parent_id = columns["path"][place], columns["parent_id"][place]
            self.left.append(Left(path.encode(), parent_id, columns["depth"][place], "file"))
        stay = [place for place in range(len(entries)) if place not in self._apart]
        return entries.take(pa.array(stay, pa.int64()))

    def _put(self, entries: pa.Table, numbers: pa.Array) -> None:
        """Rows of `entries`, and of `digests` for what was read; `numbers` of all that waited."""
        self._rows += len(entries)
        self._tables["entries"].append(entries)
        self._counts.update(counted(entries))
        digests = pa.array(self._digests, pa.binary())
        if digests.null_count < len(digests):
            read = digests.drop_null()
            columns = {"sample_xxh3": read, "xxh3_128": read}
            self._put_digests(numbers.filter(digests.is_valid()), columns)
        if self._contents:
            said = zip(*self._contents.values(), strict=True)
            places = pa.array([*self._contents], pa.int64())
            self._put_digests(numbers.take(places), dict(zip(Content._fields, said, strict=True)))

    def _put_digests(self, numbers: pa.Array, columns: dict[str, Any]) -> None:
        columns["entry_id"] = numbers
        self._tables["digests"].append(in_table(self.scan_id, "digests", columns))

    def take_read_bytes(self) -> int:
        """How much was read since this was asked last."""
        read, self._read_bytes = self._read_bytes, 0
        return read

    def take(self) -> tuple[dict[str, list[pa.Table]], Counter[str]]:
        """The rows that are in columns, and what they add up to; they are the caller's now."""
        taken = {name: tables for name, tables in self._tables.items() if tables}, self._counts
        self._clear()
        return taken


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _owners(uids: pa.Array) -> pa.Array:
    found = uids.dictionary_encode()
    names = pa.array([owner_name(uid) for uid in found.dictionary.to_pylist()], pa.string())
    return names.take(found.indices)
