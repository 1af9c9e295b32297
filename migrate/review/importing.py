"""Room: returned workbooks checked row by row, their decisions recorded.

In: workbooks that were out of our hands. Out: `decisions`, and for every refused row its sheet, its
number and the reason. Never: a decision for a row nobody decided, for a row that says something
else than the estate does, or against a hold; one of two decisions that contradict each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from migrate.engine.query import Query
from migrate.errors import UsageError
from migrate.estate import Writer
from migrate.model import WITHDRAWN
from migrate.plan import DECISIONS
from migrate.review.columns import COPIES, COVER, DECISION, KEEP, REVIEWER_LABEL, canonical
from migrate.review.current import current_lines, current_rows, objection
from migrate.review.desk import Desk
from migrate.review.recording import Accepted, Effect, Recorder, accepted
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
    decided_on: dict[str, int] = field(default_factory=dict)  # rows by what they decide on
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
    books: list[Workbook] = []
    results: list[Imported] = []
    holding: list[Accepted] = []
    with Query(writer.estate) as query:
        query.doing("review import: laying out what can be decided")
        desk = desk_of(query)
        query.doing("review import: comparing what came back")
        for number, path in enumerate(paths):  # one at a time: the next may be long too
            book = read_workbook(path, number)
            result = Imported(book.name, _signed(book, reviewer), undecided_rows=book.undecided)
            holding += _look_at(query, desk, book, result)
            books.append(replace(book, rows=[]))
            results.append(result)
        holding = _without_contradictions(holding, results)
        recorder = Recorder(query, desk, books, [result.reviewer for result in results])
        holding = _refuse(holding, recorder.conflicts(holding), results)
        recorder.decide(holding)
        for number, result in enumerate(results):
            mine = [one for one in holding if one.row.book == number]
            result.decided_rows = len(mine)
            result.decided_on = dict(Counter(_kind(one) for one in mine))
            result.decided_files, result.unchanged_files = recorder.counts(number)
            result.covered = recorder.effects(number)
            result.refused.sort(key=lambda one: (one.sheet, one.row))
            if not dry_run:
                _record(writer, recorder, number, result)
    return results


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
    refused = [one.__dict__ for one in result.refused[:1000]]
    writer.finish(run, {"files": result.decided_files, "refused": refused})


def _refusal(row: Returned, reason: str) -> Refusal:
    """A row and what is wrong with it."""
    written = canonical(row.cells.get(DECISION))
    return Refusal(row.tab, row.number, row.place, written, reason)


def _look_at(query: Query, desk: Desk, book: Workbook, result: Imported) -> list[Accepted]:
    """The rows of a workbook that hold by themselves; the others go into `refused`."""
    known = current_lines(query, desk, book.rows)
    holding: list[Accepted] = []
    for start in range(0, len(book.rows), ROWS_AT_A_TIME):
        rows = book.rows[start : start + ROWS_AT_A_TIME]
        files = current_rows(query, desk, rows)
        for row in rows:
            place = (row.sheet, row.key)
            now = known.get(place) or files.get(place)
            reason = _unknown_word(row) or objection(row, now)
            if reason or now is None:
                result.refused.append(_refusal(row, reason))
            else:
                holding.append(accepted(row, now))
    return holding


def _unknown_word(row: Returned) -> str:
    words = [KEEP, WITHDRAWN] if row.sheet == COPIES else [*DECISIONS, WITHDRAWN]
    if row.decision in words:
        return ""
    return f"unknown decision; use {', '.join(words)} or leave the cell empty"


def _without_contradictions(holding: list[Accepted], results: list[Imported]) -> list[Accepted]:
    """Without rows that stand more than once, or in two workbooks, with different decisions. A copy
    that is kept on one sheet is a file that migrates on the other. Of equal ones, one is left."""
    by_key: dict[str, dict[str, Returned]] = {}
    for one in holding:
        by_key.setdefault(one.row.key, {}).setdefault(_meant(one.row), one.row)

    def contradicted() -> Iterator[tuple[Returned, str]]:
        for one in holding:
            said = by_key[one.row.key]
            other = next((row for word, row in said.items() if word != _meant(one.row)), None)
            if other:
                where = "" if other.book == one.row.book else "another workbook, "
                where += f"“{other.tab}” row {other.number} says {other.decision}"
                yield one.row, f"decided more than once, and differently: {where}"

    left = _refuse(holding, contradicted(), results)
    once: dict[tuple[int, str, str], Accepted] = {}
    for one in left:
        once.setdefault((one.row.book, one.row.sheet, one.row.key), one)
    return list(once.values())


def _refuse(
    holding: list[Accepted], reasons: Iterable[tuple[Returned, str]], results: list[Imported]
) -> list[Accepted]:
    """Put rows among the refused; gives the others."""
    gone = set()
    for row, reason in reasons:
        gone.add(id(row))
        results[row.book].refused.append(_refusal(row, reason))
    return [one for one in holding if id(one.row) not in gone]


def _kind(one: Accepted) -> str:
    """What a row decides on, in words that take an s."""
    if one.scope == "file":
        return "copy" if one.row.sheet == COPIES else "file"
    return f"{one.scope} line"


def _meant(row: Returned) -> str:
    return "migrate" if row.decision == KEEP else row.decision
