"""Room: the folder of one migration, its tables and who may write to them.

In: parts that stages have written. Out: tables that readers see, as the log has them.
A part is written under a temporary name, fsynced, renamed, and exists from the moment one line of
the log names it. What the log does not name does not exist.
Never: two writers at once; a lock for a reader.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import asdict

from migrate import __version__
from migrate.errors import EstateMissing, MigrateError
from migrate.locking import locked
from migrate.log import Log
from migrate.model import SCHEMA_VERSION, TABLES
from migrate.paths import without_credentials

# Texts that hardly repeat: a dictionary of them takes time and room for nothing, and so does which
# of them comes first and last. (Of numbers a dictionary saves a hundredth of the room and takes a
# tenth of the time.)
_DISTINCT = {"path", "name", "source_path", "target_path", "content_key"}
PENDING = ".pending-"
SPILL = ".spill-"  # folders of queries, beside the tables
SPILL_SECONDS = 86_400


class Part(Struct, frozen=True):
    """A Parquet file that has been written and fsynced, but not yet committed."""

    table: str
    file: str  # inside the table's folder
    rows: int
    size_bytes: int
    sha256: str
    counts: dict[str, int] = {}  # of its rows, for who reads the log only


def write_part(root: Path, table: str, columns: pa.Table) -> Part:
    """Write one part under a name no reader looks at. Safe to call from any process."""
    buffer = pa.BufferOutputStream()
    texts = [one.name for one in columns.schema if pa.types.is_string(one.type)]
    repeating = [name for name in texts if name not in _DISTINCT]
    telling = [name for name in columns.column_names if name not in _DISTINCT]
    # Snappy: zstd would save a fifth of the room and take twice as long.
    pq.write_table(
        columns, buffer, compression="snappy", row_group_size=131_072, use_dictionary=repeating,
        write_statistics=telling,
    )  # fmt: skip
    content = buffer.getvalue()
    folder = root / table
    folder.mkdir(exist_ok=True)
    path = folder / f"{PENDING}{uuid.uuid4().hex}"
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    digest = hashlib.sha256(content).hexdigest()
    return Part(table, path.name, columns.num_rows, content.size, digest)


def finished_part(table: str, path: Path) -> Part:
    """A part that something else has written under its pending name, put on the disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    rows = pq.read_metadata(path).num_rows
    return Part(table, path.name, rows, path.stat().st_size, digest)


class Run(Struct):
    """One run of one stage, perhaps over several sessions."""

    run_id: int
    stage: str
    settings: dict[str, Any]
    inputs: list[int]
    started_at: str
    finished_at: str | None = None
    summary: dict[str, Any] = {}
    parts: list[dict[str, Any]] = []

    @property
    def finished(self) -> bool:
        return self.finished_at is not None


class Estate:
    """An estate as a reader sees it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = Log(root / "log.jsonl")
        if not self.log.records:
            raise EstateMissing(
                f"{root} is no estate: it has no log.jsonl",
                "Make one with `migrate init ESTATE --share NAME=PATH`, or name another with -e.",
            )
        found = self.log.records[0].get("schema")
        if found != SCHEMA_VERSION:
            raise EstateMissing(
                f"{root} was made by another version (schema {found}, expected {SCHEMA_VERSION})",
                "Use the version that made it, or begin a new estate.",
            )

    def before(self, run_id: int) -> Estate:
        """The estate as it stood when a run had not been finished yet; to be read only."""
        then = copy(self)
        then.log = self.log.until("finish", run_id)
        return then

    @property
    def config_path(self) -> Path:
        return self.root / "estate.yaml"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def runs(self, stage: str | None = None) -> list[Run]:
        """Every run in the log, oldest first, with the parts it committed."""
        runs: dict[int, Run] = {}
        for record in self.log.records:
            if record["kind"] == "run":
                runs[record["run"]] = Run(
                    record["run"],
                    record["stage"],
                    record["settings"],
                    record["inputs"],
                    record["at"],
                )
            elif record["kind"] == "commit":
                runs[record["run"]].parts += record["parts"]
            elif record["kind"] == "finish":
                runs[record["run"]].finished_at = record["at"]
                runs[record["run"]].summary = record["summary"]
        return [run for run in runs.values() if stage in (None, run.stage)]

    def latest(self, stage: str) -> Run | None:
        """The newest finished run of a stage."""
        finished = [run for run in self.runs(stage) if run.finished]
        return finished[-1] if finished else None

    def done(self, stage: str, settings: dict[str, Any], inputs: list[int]) -> Run | None:
        """The newest run of a stage, if it did just this already: same settings, same inputs."""
        latest = self.latest(stage)
        same = latest and (latest.settings, latest.inputs) == (settings, inputs)
        return latest if same else None

    def fact_runs(self) -> list[int]:
        """The runs whose facts rules see: scans, what was read since, identification, groups."""
        later = [run for stage in ("digest", "identify", "inspect") for run in self.runs(stage)]
        groups = self.latest("dedupe")
        runs = self.scans() + later + ([groups] if groups else [])
        return sorted(run.run_id for run in runs if run.parts or run.stage in ("crawl", "dedupe"))

    def groups_are_current(self) -> bool:
        """Whether the newest dedupe compared the files of just the scans that count."""
        latest = self.latest("dedupe")
        return latest is not None and latest.inputs == self.scan_ids()

    def looked_at_now(self) -> bool:
        """Whether the newest inspect saw just the scans and groups that count."""
        latest = self.latest("inspect")
        return latest is not None and latest.inputs == self.compared_runs()

    def compared_runs(self) -> list[int]:
        """The scans that count and, after them, their groups: what inspect looks at."""
        groups = self.latest("dedupe")
        return self.scan_ids() + ([groups.run_id] if groups else [])

    def unfinished(self, stage: str, settings: dict[str, Any]) -> Run | None:
        """The newest run of a stage with these settings, if it was cut off, and no run on the same
        share was finished since."""
        runs = self.not_overtaken(stage, settings.get("share"))
        same = [run for run in runs if run.settings == settings and not run.finished]
        return same[-1] if same else None

    def not_overtaken(self, stage: str, share: str | None) -> list[Run]:
        """The runs of a stage on a share; none that was cut off before another was finished: it
        tells of the share as it was once."""
        runs = [run for run in self.runs(stage) if run.settings.get("share") == share]
        done = max((run.run_id for run in runs if run.finished), default=0)
        return [run for run in runs if run.finished or run.run_id > done]

    def scans(self) -> list[Run]:
        """The crawl that counts for each share: the newest finished, else the one under way."""
        newest: dict[str, Run] = {}
        for run in self.runs("crawl"):
            share = run.settings["share"]
            if run.finished or share not in newest or not newest[share].finished:
                newest[share] = run
        return list(newest.values())

    def scan_ids(self) -> list[int]:
        """The runs of the crawls that count."""
        return [scan.run_id for scan in self.scans()]

    def parts(self, table: str) -> list[Path]:
        """The files a reader of `table` has to read."""
        return self.parts_of(table, self._counting(table))

    def parts_of(self, table: str, runs: Iterable[Run]) -> list[Path]:
        """The files that some runs have committed to a table so far."""
        return [self.root / table / part["file"] for part in _parts(table, runs)]

    def rows(self, table: str) -> int:
        """How many rows a reader of `table` finds."""
        return sum(part["rows"] for part in _parts(table, self._counting(table)))

    def _counting(self, table: str) -> list[Run]:
        """The runs whose parts of a table count."""
        visible, stage = TABLES[table].visible, TABLES[table].stage
        if visible == "scan":
            return self.scans()
        if visible == "latest":
            latest = self.latest(stage)
            return [latest] if latest else []
        return self.runs()


def _parts(table: str, runs: Iterable[Run]) -> list[dict[str, Any]]:
    return [part for run in runs for part in run.parts if part["table"] == table]


class Writer:
    """The one process that may add to an estate. Made by `writing`."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def begin(
        self,
        stage: str,
        settings: dict[str, Any],
        inputs: Iterable[int] = (),
        resume: bool = False,
    ) -> Run:
        """Start a run; with `resume`, take up the one with the same settings that was cut off."""
        cut_off = self.estate.unfinished(stage, settings) if resume else None
        if cut_off:
            return cut_off
        run_id = 1 + max((run.run_id for run in self.estate.runs()), default=0)
        record = self.estate.log.append(
            "run", run=run_id, stage=stage, settings=settings, inputs=list(inputs)
        )
        return Run(run_id, stage, settings, list(inputs), record["at"])

    def commit(self, run: Run, parts: list[Part]) -> None:
        """Make parts part of their tables, all of them or none."""
        parts = [part for part in parts if part.rows]
        if not parts:
            return
        named = []
        number = len(self.estate.log.records) + 1
        for index, part in enumerate(parts):
            folder = self.estate.root / part.table
            final = f"r{run.run_id:04d}-{number:07d}-{index}.parquet"
            (folder / part.file).rename(folder / final)
            named.append({**asdict(part), "file": final})
        for table in {part.table for part in parts}:
            sync_folder(self.estate.root / table)
        self.estate.log.append("commit", run=run.run_id, parts=named)
        run.parts += named

    def finish(self, run: Run, summary: dict[str, Any]) -> None:
        """The run is complete: from now on its tables are the current ones."""
        record = self.estate.log.append("finish", run=run.run_id, summary=summary)
        run.finished_at, run.summary = record["at"], summary

    def sweep(self) -> None:
        """Remove what crashes left behind: parts that no line of the log names, spilled memory."""
        known = {(part["table"], part["file"]) for run in self.estate.runs() for part in run.parts}
        for table in TABLES:
            for path in (self.estate.root / table).glob("*"):
                ours = path.name.startswith(PENDING) or path.suffix == ".parquet"
                if ours and (table, path.name) not in known:
                    path.unlink()
        for folder in self.estate.root.glob(f"{SPILL}*"):
            if time.time() - folder.stat().st_mtime > SPILL_SECONDS:  # a reader may be using it
                shutil.rmtree(folder, ignore_errors=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in flat memory.

    Errors: OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Put a rename on the disk. Windows has no way to, and does it by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create(root: Path, config_text: str) -> Estate:
    """Make the folder of a new estate. Killed and run again, it completes.

    Errors: MigrateError if the folder holds something else already."""
    root.mkdir(parents=True, exist_ok=True)
    own = (".lock", "estate.yaml", "estate.yaml.part", "log.jsonl")
    if any(path.name not in own for path in root.iterdir()):
        raise MigrateError(
            f"{root} is not empty and is no estate", "Name a new or an empty folder."
        )
    config = root / "estate.yaml"
    if not config.exists():
        part = root / "estate.yaml.part"
        part.write_text(config_text, encoding="utf-8")
        part.replace(config)
    log = Log(root / "log.jsonl")
    log.drop_torn_line()
    if not log.records:
        log.append("init", schema=SCHEMA_VERSION)
    sync_folder(root)
    return Estate(root)


@contextmanager
def writing(estate: Estate, command: list[str]) -> Iterator[Writer]:
    """Hold the estate's lock and note who runs what; nobody else writes until the block ends or
    the process dies.

    Errors: EstateLocked, with the process that holds it."""
    with locked(estate.root):
        estate.log.refresh()
        estate.log.drop_torn_line()
        writer = Writer(estate)
        writer.sweep()
        estate.log.append(
            "command",
            command=[without_credentials(word) for word in command],
            user=_user(),
            host=platform.node(),
            version=__version__,
        )
        yield writer


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in this container
        return "unknown"
