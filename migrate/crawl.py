"""Room: the crawl. Every file and folder of a share, seen once.

In: a share. Out: `entries` (one row each), `listings` (one row per folder read to its end) and
`digests` (one row per file read), committed together every few seconds.
Never: follow a symlink; stop for one bad file; hold the tree in memory.

Resuming: a folder is done when its listing is committed, and its listing is committed together with
the rows of all its children. What is left is every folder entry without a listing; a listing whose
folder entry was lost with its parent is not made a second time.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from migrate.clock import basis_of, judged, note_clock
from migrate.config import Config, share_place
from migrate.engine.crew import Crew, Make, Processes
from migrate.engine.hours import in_hours, wait_for_hours, workers_for
from migrate.engine.portions import next_folders
from migrate.engine.suspects import past_crashes
from migrate.engine.workers import Count, Workers, loading, readers
from migrate.estate import Estate, Run, Writer, write_part
from migrate.events import Progress
from migrate.model import entry_id
from migrate.paths import to_raw
from migrate.place import Place
from migrate.presence import mount_point, refuse_absent
from migrate.rows import entry_row, table_of
from migrate.scans import newest_scan
from migrate.slices import Slices
from migrate.smb.address import is_address
from migrate.sources import Source, Trust, open_source
from migrate.tasks import FolderTask, new_visitor
from migrate.visit import Reading

if TYPE_CHECKING:
    from migrate.engine.nursery import Nursery
    from migrate.known import Known

VISITORS = "migrate.visitor"  # what workers need, and what a crawl need not load itself
OPEN_FOLDERS = """
SELECT path, path_raw, depth FROM entries ANTI JOIN listings USING (entry_id)
WHERE kind = 'folder'
"""
LOST_FOLDERS = """
SELECT entry_id FROM listings ANTI JOIN (FROM entries WHERE kind = 'folder') USING (entry_id)
"""
UNNAMED = """
SELECT sid FROM
  (SELECT owner_sid AS sid FROM securities UNION SELECT group_sid FROM securities)
  ANTI JOIN (FROM accounts WHERE share = $share) USING (sid)
WHERE sid <> '' ORDER BY sid
"""


class CrawlOptions(Struct, frozen=True):
    workers: int | None  # as many as suit the share, if none are given
    reading: Reading = Reading()
    then_needed: tuple[str, ...] = ()  # modules to load meanwhile
    nursery: Nursery | None = None  # that has loaded VISITORS
    as_it_is: bool = False  # also if nothing is there where files were

    def like(self, run: Run) -> CrawlOptions:
        """These options, reading what an earlier run read."""
        settings = run.settings
        return replace(self, reading=Reading(**{name: settings[name] for name in Reading._fields}))

    def of_share(self, place: Place) -> CrawlOptions:
        """These options, without what only servers tell if the share is on none."""
        security = self.reading.security and is_address(place.root)
        return replace(self, reading=self.reading._replace(security=security))

    def settings(self, share: str) -> dict[str, Any]:
        return {"share": share, **self.reading._asdict()}


class Crawled(Struct, frozen=True):
    """What the crawl of a share found, from the log alone. `errors`: how many, by reason;
    `connection` in words, where the share is on a server."""

    share: str
    files: int
    folders: int
    other: int
    size_bytes: int
    errors: dict[str, int]
    connection: str | None


def crawled(run: Run) -> Crawled:
    """The counts of a crawl, as far as it has committed."""
    counts: Counter[str] = Counter()
    for part in run.parts:
        counts.update(part["counts"])
    errors = {name[6:]: n for name, n in counts.most_common() if name.startswith("error ")}
    return Crawled(
        run.settings["share"], counts["file"], counts["folder"],
        counts["symlink"] + counts["other"], counts["size_bytes"], errors,
        run.summary.get("connection"),
    )  # fmt: skip


def latest_that_reads(estate: Estate, share: str, reading: Reading) -> Run | None:
    """The newest crawl of a share that reads at least this much, finished or cut off."""
    wanted = [name for name, is_wanted in reading._asdict().items() if is_wanted]
    runs = estate.not_overtaken("crawl", share)
    enough = [run for run in runs if all(run.settings[name] for name in wanted)]
    return enough[-1] if enough else None


class Pending(Struct, frozen=True):
    """What a cut-off crawl has left."""

    folders: list[FolderTask]
    listed_without_entry: set[int]


def crawl_share(
    estate: Estate, config: Config, writer: Writer, share: str, options: CrawlOptions
) -> Run:
    """Crawl one share, or go on with its crawl. Returns the run, finished.

    Errors: ShareUnreachable if the root cannot be listed, or nothing is there where files were;
    OSError if the estate cannot be written."""
    place = share_place(config, estate.root, share)
    with Progress(f"crawl {share}") as progress:
        wait_for_hours([place], progress)
    source = open_source(place)
    words = source.check()
    before = newest_scan(estate, share)
    if before and not options.as_it_is:
        refuse_absent(before, place, source)
    trust = judged(estate, share, source.trust(), config.share(share).rescan_by)
    proof_percent = config.rescan.proof_percent
    visit_share = partial(
        _visit_share, estate, writer, share, options, place, source, trust, proof_percent
    )
    run = past_crashes(writer, "crawl", visit_share)
    if options.reading.security:
        _name_accounts(estate, writer, run, share, open_source(place))
    said = {"connection": words, "not_lasting": trust.why_not, "mount": mount_point(place)}
    writer.finish(run, {name: word for name, word in said.items() if word})
    return run


def _visit_share(
    estate: Estate, writer: Writer, share: str, options: CrawlOptions, place: Place,
    source: Source, trust: Trust, proof_percent: float, suspects: frozenset[int],
) -> Run:  # fmt: skip
    """Visit what is left to visit; the run, complete but not finished."""
    run = writer.begin("crawl", options.settings(share), resume=True)
    pending = _pending(estate, run, share)
    if not run.parts:
        _commit_root(estate, writer, run, share, source)
    device_id = source.stat(b"").device_id
    source.close()  # workers are forks: what is open here would be open in them
    note_clock(writer, run, trust)
    # Of a server workers need more than a nursery has, and this process has loaded it already.
    nursery = None if is_address(place.root) else options.nursery
    at_first, at_most = (workers_for([place], most) for most in suiting_workers(place, options))
    if not nursery:
        at_most = at_first  # later forks of this process would have the locks of what it loads
    with _known(estate, run, options.reading, trust, device_id, proof_percent) as known:
        make = partial(
            new_visitor, place, at_most, estate.root, share, run.run_id, options.reading,
            pending.listed_without_entry, suspects, known,
        )  # fmt: skip
        crew = _crew(nursery, make, at_first)  # before a thread imports: forks would have its locks
        with Workers(crew, at_most) as workers, loading(options.then_needed):
            _visit_all(workers, pending, writer, run, _expected(estate, share), share, place)
    note_clock(writer, run, trust)
    return run


def _crew(nursery: Nursery | None, make: Make, count: int) -> Crew:
    if nursery:
        return nursery.crew(make, count)
    import_module(VISITORS)  # once, not in each of them
    return Processes(make, count)


@contextmanager
def _known(
    estate: Estate, run: Run, reading: Reading, trust: Trust, device_id: int, proof_percent: float
) -> Iterator[Known | None]:
    """What an earlier scan has read, if that may be believed."""
    basis = basis_of(estate, run.settings["share"])
    if basis is None or not trust.lasting or not reading.content or reading.reread:
        yield None
        return
    from migrate.known import known_files

    with known_files(estate, basis, run, reading, device_id, proof_percent) as known:
        yield known


def suiting_workers(place: Place, options: CrawlOptions) -> Count:
    """One worker to list a server: it keeps many requests on their way, and a second one only takes
    processors from whoever answers. Otherwise as for all who read."""
    is_remote = is_address(place.root)
    is_opened = options.reading.content or options.reading.security
    return readers(options.workers or (1 if is_remote and not is_opened else None), is_remote)


def _name_accounts(estate: Estate, writer: Writer, run: Run, share: str, source: Source) -> None:
    """The names of owners and groups that are not known yet."""
    from migrate.engine.query import Query

    with Query(estate) as query:
        query.view("securities", estate.parts_of("securities", [run]), "securities")
        query.named("accounts")
        wanted = [row["sid"] for row in query.rows(UNNAMED, share=share)]
    names = source.account_names(wanted) if wanted else {}
    source.close()
    rows = [(share, sid, name) for sid, name in sorted(names.items())]
    if rows:
        writer.commit(run, [write_part(estate.root, "accounts", table_of("accounts", rows))])


def _commit_root(estate: Estate, writer: Writer, run: Run, share: str, source: Source) -> None:
    number = entry_id(share, b"")
    stat = source.stat(b"")
    row = entry_row(run.run_id, share, number, b"", number, 0, "folder", stat, None, None, None)
    part = write_part(estate.root, "entries", table_of("entries", [row]))
    writer.commit(run, [replace(part, counts={"folder": 1})])


def _visit_all(
    workers: Workers, pending: Pending, writer: Writer, run: Run, expected: int | None, share: str,
    place: Place,
) -> None:  # fmt: skip
    folders, slices = deque(pending.folders), Slices(writer.estate.root, share, run.run_id)
    some_folders = next_folders(folders, workers)

    def next_task() -> list[FolderTask] | None:
        return slices.todo.popleft() if slices.todo else some_folders()

    with Progress(f"crawl {share}", total=expected) as progress:
        for step in workers.run(in_hours(next_task, [place], workers, progress), progress):
            folders.extend(step.left)
            workers.said_to_wait(step.is_waiting)
            slices.cut(step.large, workers.at_once)
            progress.advance(step.files, step.size_bytes, step.failed, step.at)
            writer.commit(run, step.parts)
            if step.sliced:
                writer.commit(run, slices.joined(step.sliced))


def _expected(estate: Estate, share: str) -> int | None:
    """How many files the last finished crawl of the share had: the best guess for time left."""
    for run in reversed(estate.runs("crawl")):
        if run.finished and run.settings["share"] == share:
            return sum(int(part["rows"]) for part in run.parts if part["table"] == "entries")
    return None


def _pending(estate: Estate, run: Run, share: str) -> Pending:
    """What is left to list, from what is committed; all of it for a new run."""
    if not run.parts:
        return Pending([FolderTask(b"", 0)], set())
    from migrate.engine.query import Query

    with Query(estate) as query:
        for table in ("entries", "listings"):
            query.view(table, estate.parts_of(table, [run]), table)
        tasks = [
            FolderTask(to_raw(row["path"], row["path_raw"]), row["depth"])
            for row in query.rows(OPEN_FOLDERS)
        ]
        return Pending(sorted(tasks), {row["entry_id"] for row in query.rows(LOST_FOLDERS)})
