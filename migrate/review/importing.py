"""Room: returned workbooks checked row by row, their decisions recorded.

In: workbooks that were out of our hands. Out: `decisions`, and for every refused row its sheet, its
number and the reason. Never: a decision for a row nobody decided, for a row that says something
else than the estate does, or against a hold; one of two decisions that contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from migrate.engine.query import Query
from migrate.errors import UsageError
from migrate.estate import Run, Writer
from migrate.plan import DECISIONS, WITHDRAWN
from migrate.review.columns import COPIES, COVER, DECISION, KEEP, REVIEWER_LABEL, canonical
from migrate.review.current import current_rows, objection
from migrate.review.desk import Desk
from migrate.review.recording import Accepted, Effect, Recorder
from migrate.review.refused import write_refused
from migrate.review.returned import Returned, Workbook, read_workbook

ROWS_AT_A_TIME = 5_000


@dataclass(frozen=True)
class Refusal:
    """One row that was refused, and why."""

    sheet: str
    row: int
    path: str
    decision: str
    reason: str


@dataclass
class Imported:
    """What became of a workbook. `covered`: what each decision on many files decided."""

    workbook: str
    reviewer: str
    decided_rows: int = 0
    decided_files: int = 0
    unchanged_files: int = 0
    undecided_rows: int = 0
    covered: list[Effect] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
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
    books = [read_workbook(path, number) for number, path in enumerate(paths)]
    results = [
        Imported(book.name, _signed(book, reviewer), undecided_rows=book.undecided)
        for book in books
    ]
    with Query(writer.estate) as query:
        desk = desk_of(query)
        accepted = _accept(query, desk, books, results)
        recorder = Recorder(query, desk, books, [result.reviewer for result in results])
        for row, reason in recorder.conflicts(accepted):
            results[row.book].refused.append(_refusal(row, reason))
            accepted = [(other, now) for other, now in accepted if other is not row]
        recorder.decide(accepted)
        for number, result in enumerate(results):
            result.decided_rows = sum(row.book == number for row, _ in accepted)
            _count(recorder, number, result)
            result.refused.sort(key=lambda one: (one.sheet, one.row))
            if not dry_run:
                _record(writer, recorder, number, result)
                if result.refused:
                    folder = writer.estate.out / "review" / "refused"
                    result.refused_in = str(write_refused(folder, result))
    return results


def _signed(book: Workbook, reviewer: str | None) -> str:
    who = (reviewer or book.reviewer).strip()
    if not who:
        raise UsageError(
            f"{book.name} does not say who decided",
            f"Fill in “{REVIEWER_LABEL}” on the sheet “{COVER}”, or give --reviewer.",
        )
    return who


def _count(recorder: Recorder, number: int, result: Imported) -> None:
    result.decided_files, result.unchanged_files = recorder.counts(number)
    result.covered = recorder.effects(number)


def _record(writer: Writer, recorder: Recorder, number: int, result: Imported) -> Run | None:
    """One run for each workbook; none where nothing is new."""
    if not result.decided_files:
        return None
    book = recorder.books[number]
    settings = {"workbook": book.name, "sha256": book.sha256, "reviewer": result.reviewer}
    run = writer.begin("review import", settings)
    writer.commit(run, recorder.parts(run, number))
    refused = [one.__dict__ for one in result.refused[:1000]]
    writer.finish(run, {"files": result.decided_files, "refused": refused})
    return run


def _refusal(row: Returned, reason: str) -> Refusal:
    """A row and what is wrong with it."""
    written = canonical(row.cells.get(DECISION))
    return Refusal(row.sheet, row.number, row.place, written, reason)


def _accept(
    query: Query, desk: Desk, books: list[Workbook], results: list[Imported]
) -> list[Accepted]:
    """The rows that hold by themselves; the others go into `refused`."""
    decided = [row for book in books for row in book.rows]
    contradicting = _contradictions(decided)
    accepted: list[Accepted] = []
    done: set[tuple[int, str, str]] = set()
    for start in range(0, len(decided), ROWS_AT_A_TIME):
        rows = decided[start : start + ROWS_AT_A_TIME]
        known = current_rows(query, desk, rows)
        for row in rows:
            now = known.get((row.sheet, row.key))
            reason = _unknown_word(row) or objection(row, now) or contradicting.get(id(row), "")
            if reason or now is None:
                results[row.book].refused.append(_refusal(row, reason))
            elif (row.book, row.sheet, row.key) not in done:
                done.add((row.book, row.sheet, row.key))
                accepted.append((row, now))
    return accepted


def _unknown_word(row: Returned) -> str:
    words = [KEEP, WITHDRAWN] if row.sheet == COPIES else [*DECISIONS, WITHDRAWN]
    if row.decision in words:
        return ""
    return f"unknown decision; use {', '.join(words)} or leave the cell empty"


def _contradictions(rows: list[Returned]) -> dict[int, str]:
    """Rows (by id) that stand more than once, or in two workbooks, with different decisions. A copy
    that is kept on one sheet is a file that migrates on the other."""
    by_key: dict[str, dict[str, Returned]] = {}
    for row in rows:
        by_key.setdefault(row.key, {}).setdefault(_meant(row), row)
    found = {}
    for row in rows:
        others = [other for said, other in by_key[row.key].items() if said != _meant(row)]
        if others and row.key:
            other = others[0]
            where = "" if other.book == row.book else "another workbook, "
            found[id(row)] = (
                "decided more than once, and differently: "
                f"{where}“{other.sheet}” row {other.number} says {other.decision}"
            )
    return found


def _meant(row: Returned) -> str:
    return "migrate" if row.decision == KEEP else row.decision
