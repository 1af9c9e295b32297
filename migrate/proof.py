"""Room: proof that a copy is a copy, before it is disposed of because another one stays.

In: outcomes. Out: the same, with every disposal that rests on another copy refused where no
readable copy stays, or where the one that stays has another SHA-256: such a file is `withheld`,
and `why` says what is wrong. XXH3 finds copies; whoever wants to can make two files with one.
Never: the last readable copy of a content gone because of a copy that was to stay.
"""

from __future__ import annotations

from typing import Any

import ibis

from migrate.engine.query import Query

Relation = Any  # an Ibis relation

DIFFERS = "not identical to the file that stays: its SHA-256 is another than that of "
NONE_STAYS = "no readable copy of it stays, though it was to go because one does: keep one of them"


def proved(query: Query, outcomes: Relation) -> Relation:
    """Outcomes as far as they are proved. A SHA-256 that nobody has taken yet speaks against
    nothing: the manifest is made only when `to_prove` has none left."""
    resting, kept = _resting_and_kept(query, outcomes)
    pairs = resting.left_join(kept, "group_id")
    refusals = pairs.select(
        "entry_id",
        refusal=ibis.cases(
            (pairs.kept_path.isnull(), NONE_STAYS),
            (pairs.digest_sha256 != pairs.kept_sha256, DIFFERS + pairs.kept_path),
        ),
    )
    refusals = query.stored(refusals.filter(refusals.refusal.notnull()))
    table = outcomes.left_join(refusals, "entry_id")
    table = table.drop("entry_id_right")
    return table.mutate(
        outcome=ibis.ifelse(table.refusal.notnull(), "withheld", table.outcome),
        why=ibis.coalesce(table.refusal, table.why),
    ).drop("refusal")


def to_prove(query: Query, outcomes: Relation) -> Relation:
    """entry_id of every file whose SHA-256 has to be taken: a copy to be disposed of, and the one
    that stays for it. One that could not be read is not asked again."""
    resting, kept = _resting_and_kept(query, outcomes)
    mine = resting.inner_join(kept, "group_id")
    either = mine.select("entry_id", sha256="digest_sha256").union(
        mine.select(entry_id="kept_id", sha256="kept_sha256")
    )
    return either.filter(either.sha256.isnull()).select("entry_id").distinct()


def _resting_and_kept(query: Query, outcomes: Relation) -> tuple[Relation, Relation]:
    """What is to be disposed of because another copy stays, and for each of those groups the copy
    that stays: the keeper if it does, else one that moves, else any."""
    grouped = outcomes.filter(outcomes.group_id.notnull())
    grouped = query.stored_in_slices(
        grouped.select(
            "entry_id", "group_id", "role", "outcome", "digest_sha256", "full_path", "decided_by",
            "decided_scope", resting=rests_on_a_copy(grouped),
        )
    )  # fmt: skip
    resting = grouped.filter(grouped.resting).anti_join(_judged(grouped), "group_id")
    staying = grouped.filter(~grouped.outcome.isin(["disposed", "unreadable"]))
    order = [staying.role != "keeper", staying.outcome != "to_move", "full_path", "entry_id"]
    nth = ibis.row_number().over(group_by="group_id", order_by=order)
    first = staying.mutate(nth=nth).filter(ibis._.nth == 0)
    kept = first.select(
        "group_id", kept_id="entry_id", kept_path="full_path", kept_sha256="digest_sha256"
    )
    return resting, kept


def _judged(grouped: Relation) -> Relation:
    """group_id of contents that one person disposes of wholly, deciding on every copy by itself."""
    by_group = grouped.group_by("group_id").aggregate(
        all_go=grouped.outcome.isin(["disposed", "unreadable"]).all(),
        one_by_one=(grouped.decided_scope == "file").all(),
        people=grouped.decided_by.nunique(),
    )
    judged = by_group.all_go & by_group.one_by_one & (by_group.people == 1)
    return by_group.filter(judged).select("group_id")


def rests_on_a_copy(table: Relation) -> Relation:
    """Whether a disposal was decided on because another copy stays: another one was chosen to be
    kept, or it is a copy and nothing else says that it may go. Who was told that the copy to stay
    is proposed for disposal as well has decided on the content itself."""
    told = table.keeper_goes.fill_null(False) & (table.decided_on == "review")
    as_copy = table.role.isin(["copy", "hard_link"]) & table.disposable_alone.isnull() & ~told
    rests = (table.decided_scope == "copies") | as_copy
    return ((table.outcome == "disposed") & rests).fill_null(False)
