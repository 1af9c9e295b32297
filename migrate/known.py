"""Room: what an earlier scan has read of a share, so that nothing is read twice.

In: the newest finished scan of a share. Out: for a file with the same number, size, mtime and ctime
the digests that were taken then, wherever it lies now; the file is not opened. A few of them are
opened all the same, to prove the rest.
Never: digests across a clock that proves nothing; what could not be read; one of two contents that
a number may stand for.

In memory: a few columns in files, sorted by file number, shared by all workers. A look-up halves
its way to the number: about 20 steps for a million files, 27 for a hundred million.
"""

from __future__ import annotations

import mmap
import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import astuple

from migrate.clock import FILES, Basis, proven_ns
from migrate.estate import SPILL, Estate, Run
from migrate.mimetypes import TEXT_ENDINGS, kind_of_text
from migrate.model import TABLES
from migrate.sources import RECALLS, Stat
from migrate.visit import Content, Reading

LEAST_PROOFS = 10
KEYS: dict[str, tuple[Literal["Q", "q", "B"], pa.DataType]] = {
    "file_id": ("Q", pa.uint64()), "size_bytes": ("q", pa.int64()), "mtime_ns": ("q", pa.int64()),
    "ctime_ns": ("q", pa.int64()), "text_kind": ("B", pa.uint8()),
}  # fmt: skip
VALUES = {
    "sample_xxh3": pa.binary(16), "xxh3_128": pa.binary(16), "sha256": pa.binary(32),
    "mime_no": pa.int32(), "read_in": pa.int32(), "flags": pa.uint8(),
}  # fmt: skip
HAS_XXH3, HAS_SHA256, IS_OPEN, IS_ENCRYPTED, ONLY_LISTED = 1, 2, 4, 8, 16


class Known(Struct):
    """The files of an earlier scan, by number. `phase` and `stride` say which are read again."""

    folder: Path
    count: int
    device_id: int
    mimes: list[str]
    stride: int
    phase: int
    _keys: list[memoryview] = []
    _columns: dict[str, pa.Array] = {}  # the same, and VALUES

    def open(self) -> None:
        """Map the files into memory, which is the same for all workers, forks or not."""
        kinds = {name: kind for name, (_, kind) in KEYS.items()} | VALUES
        mapped = {name: self._mapped(name) for name in kinds}
        self._keys = [memoryview(mapped[name]).cast(letter) for name, (letter, _) in KEYS.items()]
        self._columns = {
            name: pa.Array.from_buffers(kind, self.count, [None, pa.py_buffer(mapped[name])])
            for name, kind in kinds.items()
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """For workers that are no forks of this process: as it was before it was opened."""
        return Known, astuple(self)[:-2]

    def find_stat(self, stat: Stat, path: bytes) -> int | None:
        """The place of a file that is as it was when it was read; None to read it."""
        if stat.device_id != self.device_id or (stat.attributes or 0) & RECALLS:
            return None
        if not self._keys:
            self.open()
        numbers, sizes, mtimes, ctimes, text_kinds = self._keys
        at = bisect_left(numbers, stat.file_id)
        if (
            at == self.count
            or numbers[at] != stat.file_id
            or ctimes[at] != stat.ctime_ns
            or mtimes[at] != stat.mtime_ns
            or sizes[at] != stat.size_bytes
            or text_kinds[at] != kind_of_text(path)
        ):
            return None
        return at

    def find_all(self, files: Mapping[str, pa.Array], names: pa.Array) -> pa.Array:
        """The places of many files at once, as `find_stat` has them; null for what is none."""
        if not self._keys:
            self.open()
        numbers, last = self._keys[0], self.count - 1
        wanted = memoryview(files["file_id"].buffers()[1]).cast("B").cast("Q")
        at = pa.array([min(bisect_left(numbers, number), last) for number in wanted], pa.int64())
        same = pc.equal(files["device_id"], pa.scalar(self.device_id, pa.uint64()))
        for name in ("file_id", "size_bytes", "mtime_ns", "ctime_ns"):
            same = pc.and_(same, pc.equal(self._columns[name].take(at), files[name]))
        kinds = pa.array([kind_of_text(name.encode()) for name in names.to_pylist()], pa.uint8())
        same = pc.and_(same, pc.equal(self._columns["text_kind"].take(at), kinds))
        return pc.if_else(same, at, None)

    def are_proofs(self, places: pa.Array) -> pa.Array:
        """As `is_proof`, of many files at once; false where there is no place."""
        rounds = pc.multiply(pc.divide(places, self.stride), self.stride)
        return pc.fill_null(pc.equal(pc.subtract(places, rounds), self.phase), False)

    def is_proof(self, place: int) -> bool:
        """Whether a file is one of those that are read again."""
        return place % self.stride == self.phase

    def proves(self, place: int, content: Content) -> bool | None:
        """Whether a file read again has the digests it had; None if it could not be read."""
        if content.error or content.sample_xxh3 is None:
            return None
        known = self.digests(0, [0], [place]).to_pylist()[0]
        return all(
            known[name] is None or value is None or known[name] == value
            for name, value in zip(("sample_xxh3", "xxh3_128", "sha256"), content[:3], strict=True)
        )

    def read_in(self, place: int) -> int:
        """The scan that read a file."""
        return int(self._columns["read_in"][place].as_py())

    def digests(self, scan_id: int, entry_ids: Sequence[int], places: Sequence[int]) -> pa.Table:
        """Rows of `digests` for files that were not opened; also of Arrow arrays."""
        taken = pa.array(places, pa.int64())
        value = {name: self._columns[name].take(taken) for name in VALUES}
        flags = value["flags"]
        encrypted = pc.if_else(_bit(flags, IS_OPEN), False, None)
        columns = {
            "scan_id": pa.repeat(pa.scalar(scan_id, pa.int32()), len(places)),
            "entry_id": pa.array(entry_ids, pa.int64()),
            "sample_xxh3": value["sample_xxh3"],
            "xxh3_128": pc.if_else(_bit(flags, HAS_XXH3), value["xxh3_128"], None),
            "sha256": pc.if_else(_bit(flags, HAS_SHA256), value["sha256"], None),
            "mime": pa.array([*self.mimes, None], pa.string()).take(value["mime_no"]),
            "encrypted": pc.if_else(_bit(flags, IS_ENCRYPTED), True, encrypted),
            "error": pa.nulls(len(places), pa.string()),
            "read_in": value["read_in"],
        }
        return pa.table(columns).cast(TABLES["digests"].schema)

    def _mapped(self, name: str) -> mmap.mmap:
        with (self.folder / name).open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _bit(flags: pa.Array, bit: int) -> pa.Array:
    return pc.not_equal(pc.bit_wise_and(flags, pa.scalar(bit, pa.uint8())), 0)


@contextmanager
def known_files(
    estate: Estate, basis: Basis, run: Run, reading: Reading, device_id: int, proof_percent: float
) -> Iterator[Known | None]:
    """What may be taken over into a run; None if there is nothing. Ends with the `with` block.

    Errors: OSError if the estate has no room for it."""
    folder = Path(tempfile.mkdtemp(prefix=SPILL, dir=estate.root))
    try:
        count, mimes = _gather(estate, basis, reading, folder)
        proofs = max(LEAST_PROOFS, round(count * proof_percent / 100))
        stride = max(1, count // proofs)
        known = Known(folder, count, device_id, mimes, stride, run.run_id * 7919 % stride)
        if count:
            known.open()
        yield known if count else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _gather(estate: Estate, basis: Basis, reading: Reading, folder: Path) -> tuple[int, list[str]]:
    """Write the columns. Returns how many files there are, and the types they have."""
    from migrate.engine.query import Query

    scan = basis.run.run_id
    with Query(estate) as query:
        query.doing(f"crawl {basis.run.settings['share']}: what the scan before has read")
        query.view("entries", estate.parts_of("entries", [basis.run]), "before")
        for table in ("digests", "whole_digests"):
            query.view(table, estate.parts(table), table)
        mimes = [row["mime"] for row in query.rows(TYPES, scan=scan)]
        files = query.batches(
            READ_BEFORE, scan=scan, mimes=mimes, proven_ns=proven_ns(query, basis),
            enough=_enough(estate, reading), sha256=reading.sha256,
        )  # fmt: skip
        return _write(files, folder), mimes


TYPES = "SELECT DISTINCT mime FROM digests WHERE scan_id = $scan AND mime IS NOT NULL ORDER BY mime"
_ENDING = "lower(regexp_extract(name, '[.]([^.]*)$', 1))"
_TEXT_KIND = f"coalesce(map_extract_value(MAP {TEXT_ENDINGS}, {_ENDING}), 0)::UTINYINT"
_TESTS = {
    "xxh3_128 IS NOT NULL": HAS_XXH3, "sha256 IS NOT NULL": HAS_SHA256,
    "encrypted = false": IS_OPEN, "encrypted": IS_ENCRYPTED, "link_count IS NULL": ONLY_LISTED,
}  # fmt: skip
_FLAGS = " + ".join(f"CASE WHEN {test} THEN {bit} ELSE 0 END" for test, bit in _TESTS.items())
# What the scan has read of them, by itself or by later stages, or taken over (then it was proven
# already), and that proves something.
READ_BEFORE = f"""
WITH found AS (
  SELECT e.*, r.sample_xxh3, r.mime, r.encrypted, coalesce(r.xxh3_128, w.xxh3_128) AS xxh3_128,
    coalesce(r.sha256, w.sha256) AS sha256, coalesce(r.read_in, $scan)::INTEGER AS read_in
  FROM ({FILES}) e
  JOIN (FROM digests WHERE scan_id = $scan) r USING (entry_id)
  LEFT JOIN (FROM whole_digests WHERE scan_id = $scan) w USING (entry_id)
  WHERE r.error IS NULL AND w.error IS NULL AND r.sample_xxh3 IS NOT NULL
    AND (r.read_in IS NOT NULL OR greatest(ctime_ns, mtime_ns) < $proven_ns)),
types AS (
  SELECT unnest($mimes::VARCHAR[]) AS mime, generate_subscripts($mimes::VARCHAR[], 1) - 1 AS number)
SELECT file_id, size_bytes, mtime_ns, ctime_ns, sample_xxh3, xxh3_128, sha256, read_in,
  coalesce(number, len($mimes::VARCHAR[]))::INTEGER AS mime_no,
  ({_FLAGS})::UTINYINT AS flags, {_TEXT_KIND} AS text_kind
FROM found LEFT JOIN types USING (mime)
WHERE list_contains($enough::INTEGER[], read_in) AND (sha256 IS NOT NULL OR NOT $sha256)
ORDER BY file_id
"""  # noqa: S608


def _enough(estate: Estate, reading: Reading) -> list[int]:
    """The scans that read as much of a file as is to be read now. What one that listed only has of
    a file was read for dedupe, with its type."""
    return [
        run.run_id
        for run in estate.runs("crawl")
        if (not reading.mime or run.settings["mime"] or not run.settings["content"])
        and (not reading.strict_types or (run.settings["strict_types"] and run.settings["content"]))
    ]


def _write(batches: Iterable[pa.RecordBatch], folder: Path) -> int:
    """Append rows that come by number to the columns; returns how many were kept."""
    count, names = 0, [*KEYS, *VALUES]
    held = pa.schema([]).empty_table()  # the last number so far: more of it may come
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("wb")) for name in names}
        for batch in batches:
            table = pa.Table.from_batches([batch])
            table = pa.concat_tables([held, table]) if held.num_rows else table
            last = pc.index(table["file_id"], table["file_id"][-1]).as_py()
            if last:
                count += _append(files, _one_each(table.slice(0, last)))
            held = table.slice(last)
        if held.num_rows:
            count += _append(files, _one_each(held))
    return count


def _one_each(table: pa.Table) -> pa.Table:
    """One row for each number; none where its rows differ: then the scan saw it change, or two
    disks use the number. None either for a file with several names on a server: what Windows lists
    of one name is not renewed when the file is changed through another."""
    numbers = table["file_id"].combine_chunks()
    other = pc.not_equal(numbers[1:], numbers[:-1])
    edge = pa.array([True])
    alone = pc.and_(pa.concat_arrays([edge, other]), pa.concat_arrays([other, edge]))
    if pc.all(alone).as_py():
        return table
    places = pc.indices_nonzero(pc.invert(alone))
    several = zip(places.to_pylist(), table.take(places).to_pylist(), strict=True)
    kept = []
    for _, rows in groupby(several, key=lambda one: one[1]["file_id"]):
        (place, first), *rest = rows
        is_sure = not first["flags"] & ONLY_LISTED
        if is_sure and all({**row, "read_in": first["read_in"]} == first for _, row in rest):
            kept.append(place)
    every = pa.array(range(len(table)), pa.int64())
    return table.filter(pc.or_(alone, pc.is_in(every, pa.array(kept, pa.int64()))))


def _append(files: Mapping[str, BinaryIO], table: pa.Table) -> int:
    for name, file in files.items():
        column = table[name].combine_chunks()
        if name in VALUES and pa.types.is_fixed_size_binary(VALUES[name]):
            column = pc.fill_null(column, bytes(VALUES[name].byte_width)).cast(VALUES[name])
        width = column.type.bit_width // 8
        file.write(column.buffers()[1].slice(column.offset * width, len(column) * width))
    return int(table.num_rows)
