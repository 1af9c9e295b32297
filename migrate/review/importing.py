"""Room: returned workbooks checked row by row, their decisions recorded.

In: workbooks that were out of our hands. Out: `decisions`, and for every refused row its sheet, its
number and the reason. Never: a decision for a row nobody decided, for a row that says something
else than the estate does, or against a hold; one of two decisions that contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import asdict, replace

from migrate.engine.query import Query
from migrate.errors import UsageError
from migrate.estate import Writer
from migrate.model import WITHDRAWN
from migrate.plan import DECISIONS
from migrate.review.accepted import Accepted, Record, repeated, two_nominations
from migrate.review.columns import COPIES, COVER, DECISION, KEEP, REVIEWER_LABEL, canonical
from migrate.review.current import Known, current_lines, current_rows, objection
from migrate.review.desk import Desk, Relation
from migrate.review.recording import Effect, Recorder
from migrate.review.refused import write_refused
from migrate.review.returned import Returned, Workbook, read_workbook

ROWS_AT_A_TIME = 5_000


class Refusal(Struct, frozen=True):
    """One row that was refused, and why."""

    sheet: str
    row: int
    path: str
    decision: str
    reason: str


class Imported(Struct):
    """What became of a workbook. `covered`: what each decision on many files decided."""

    workbook: str
    reviewer: str
    decided_rows: int = 0
    decided_on: dict[str, int] = {}  # rows by what they decide on
    decided_files: int = 0
    unchanged_files: int = 0
    undecided_rows: int = 0
    covered: list[Effect] = []
    refused: list[Refusal] = []
    refused_in: str = ""  # the workbook of what was refused


def import_workbooks(
    writer: Writer,
    desk_of: Callable[[Query], Desk],
    paths: list[Path],
    reviewer: str | None,
    dry_run: bool,
) -> list[Imported]:
    """Read workbooks back, all of them together: what contradicts itself in two of them is refused
    in both. `desk_of` lays out the estate's rows as they are now.

    Errors: UsageError if one is no review workbook or names nobody; LimitReached if one would
    unpack to more than 4 GB. Refused rows are in the result."""
    books: list[Workbook] = []
    results: list[Imported] = []
    with Query(writer.estate) as query:
        query.doing("review import: laying out what can be decided")
        desk = desk_of(query)
        query.doing("review import: comparing what came back")
        accepted = Accepted(query)
        for number, path in enumerate(paths):
            book = read_workbook(path, number)
            result = Imported(book.name, _signed(book, reviewer))
            _look_at(query, desk, book, result, accepted)
            books.append(replace(book, rows=iter(())))
            results.append(result)
        said = accepted.all()
        said = _without(query, said, repeated(query, said), results)
        said = _without(query, said, two_nominations(query, said), results)
        recorder = Recorder(query, desk, books, [result.reviewer for result in results])
        said = _without(query, said, recorder.overtaken(said), results)
        recorder.decide(said)
        _count(query, said, recorder, results)
        if not dry_run:
            query.one_thread()
            for number, result in enumerate(results):
                _record(writer, recorder, number, result)
    return results


def _count(query: Query, said: Relation, recorder: Recorder, results: list[Imported]) -> None:
    """What was decided, by what, in each workbook."""
    counts, effects = recorder.counts(), recorder.effects()
    for number, result in enumerate(results):
        result.decided_files, result.unchanged_files = counts.get(number, (0, 0))
        result.covered = effects.get(number, [])
        result.refused.sort(key=lambda one: (one.sheet, one.row))
    kinds = said.group_by("book", "scope", "sheet").aggregate(rows=said.count())
    for one in query.rows(kinds.order_by("book", "scope", "sheet")):
        result = results[one["book"]]
        result.decided_rows += one["rows"]
        kind = _kind(one["scope"], one["sheet"])
        result.decided_on[kind] = result.decided_on.get(kind, 0) + one["rows"]


def _signed(book: Workbook, reviewer: str | None) -> str:
    who = (reviewer or book.reviewer).strip()
    if not who:
        raise UsageError(
            f"{book.name} does not say who decided",
            f"Fill in “{REVIEWER_LABEL}” on the sheet “{COVER}”, or give --reviewer.",
        )
    return who


def _record(writer: Writer, recorder: Recorder, number: int, result: Imported) -> None:
    """One run for each workbook, none where nothing is new; and a workbook of what was refused."""
    if result.refused:
        folder = writer.estate.out / "review" / "refused"
        result.refused_in = str(write_refused(folder, result))
    if not result.decided_files:
        return
    book = recorder.books[number]
    settings = {"workbook": book.name, "sha256": book.sha256, "reviewer": result.reviewer}
    run = writer.begin("review import", settings)
    writer.commit(run, recorder.parts(run, number))
    refused = [asdict(one) for one in result.refused[:1000]]
    writer.finish(run, {"files": result.decided_files, "refused": refused})


def _refusal(row: Returned, reason: str) -> Refusal:
    """A row and what is wrong with it."""
    written = canonical(row.cells.get(DECISION))
    return Refusal(row.tab, row.number, row.place, written, reason)


def _look_at(
    query: Query, desk: Desk, book: Workbook, result: Imported, accepted: Accepted
) -> None:
    """Sort the rows of a workbook into those that hold by themselves and the `refused`."""

    def sort(rows: list[Returned], known: Known) -> None:
        holding = []
        for row in rows:
            now = known.get((row.sheet, row.key))
            reason = _unknown_word(row) or objection(row, now)
            if reason or now is None:
                result.refused.append(_refusal(row, reason))
            else:
                holding.append((row, now))
        accepted.add(book, result.reviewer, holding)

    lines: list[Returned] = []  # kept for the end: every line of the desk is gone through for them

    def look_at(rows: list[Returned]) -> bool:
        decided = [row for row in rows if row.decision]
        result.undecided_rows += len(rows) - len(decided)
        files = [row for row in decided if not _is_line(row)]
        lines.extend(row for row in decided if _is_line(row))
        sort(files, current_rows(query, desk, files))
        return bool(rows)

    while look_at(list(islice(book.rows, ROWS_AT_A_TIME))):
        pass
    sort(lines, current_lines(query, desk, lines))


def _is_line(row: Returned) -> bool:
    return row.key.startswith(("L", "R"))


def _unknown_word(row: Returned) -> str:
    words = [KEEP, WITHDRAWN] if row.sheet == COPIES else [*DECISIONS, WITHDRAWN]
    if row.decision in words:
        return ""
    return f"unknown decision; use {', '.join(words)} or leave the cell empty"


def _without(
    query: Query, said: Relation, reasons: Iterable[tuple[Record, str]], results: list[Imported]
) -> Relation:
    """What was said but for some rows, which go among the refused if there is a reason to tell."""
    gone = []
    for one, reason in reasons:
        gone.append(one["nth"])
        if reason:
            refusal = Refusal(one["tab"], one["row"], one["place"], one["written"], reason)
            results[one["book"]].refused.append(refusal)
    if not gone:
        return said
    return said.anti_join(query.given(pa.table({"nth": pa.array(gone, pa.int64())})), "nth")


def _kind(scope: str, sheet: str) -> str:
    """What a row decides on, in words that take an s."""
    if scope == "file":
        return "copy" if sheet == COPIES else "file"
    return f"{scope} line"
