"""Room: what should happen to each entry, from findings, holds and decisions.

In: facts, findings, decisions, the holds of estate.yaml as they stand now. Out: relations.
A proposal is the toolkit's; an outcome needs a person's decision. Never: a decision for something
nobody decided; a disposal of what is held, unreadable or changed since it was decided on.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis

from migrate.config import Config
from migrate.contents import contents
from migrate.engine.query import Query
from migrate.facts import facts
from migrate.flag.rules import Rule
from migrate.holds import held
from migrate.model import WITHDRAWN
from migrate.proof import proved

DECISIONS = ["migrate", "dispose", "leave"]
OUTCOMES = {
    "to_move": "in the manifest",
    "disposed": "approved for disposal; stays where it is until it is retired",
    "left": "stays on the share by decision",
    "withheld": "decided, but not carried out: see why in not_moved.csv, and decide again",
    "undecided": "nobody has decided",
    "held": "on hold: neither moved nor disposed of",
    "unreadable": "could not be read",
    "not_a_file": "links and other things that are no files",
}
OPEN = ["withheld", "undecided"]  # a person has still to decide
CHANGED = "changed_since_crawl: it is not what was crawled and compared any more; crawl again"


# The nearest decision counts, whichever came first: on the file, with its copies, its folder, rule.
SCOPES = {
    "file": "by itself", "copies": "with its copies", "folder": "with its folder",
    "rule": "with its rule",
}  # fmt: skip


def standing_decisions(query: Query) -> Any:
    """The decision of each scope that counts for an entry: on the file as it is now (`fits`) before
    on what it was, then the last; withdrawn ones are out. `nearest`: the one that is in force."""
    decisions = query.all_decisions()
    now = query.table("entries").select("entry_id", now_size="size_bytes", now_mtime="mtime_ns")
    bytes_now = contents(query).select("entry_id", now_sample="sample_xxh3", now_digest="digest")
    table = decisions.inner_join(now, "entry_id")
    table = table.left_join(bytes_now, "entry_id").drop("entry_id_right")
    same_size = table.size_bytes.identical_to(table.now_size)
    fits = same_size & table.mtime_ns.identical_to(table.now_mtime)
    for said, found in (("sample_xxh3", "now_sample"), ("digest", "now_digest")):
        fits &= (table[said] == table[found]).fill_null(True)  # a date can be set back
    table = table.mutate(fits=fits)
    nth = ibis.row_number().over(
        group_by=["entry_id", "scope"], order_by=[~table.fits, ibis.desc(table.decision_seq)]
    )
    table = table.mutate(nth=nth).filter(ibis._.nth == 0, ibis._.decision != WITHDRAWN)
    rank = ibis.cases(*((table.scope == scope, n) for n, scope in enumerate(SCOPES)), else_=9)
    place = ibis.row_number().over(group_by="entry_id", order_by=[~table.fits, rank])
    return table.mutate(nearest=place == 0).drop("nth")


def latest_decisions(query: Query) -> Any:
    """The decision that is in force for each entry."""
    standing = standing_decisions(query)
    return standing.filter(standing.nearest)


def proposals(
    query: Query, config: Config, holds: list[Rule], as_of: date, findings: Any = None
) -> Any:
    """Every entry that has a fate of its own (all but folders that hold something), with facts, the
    deciding finding and `proposal`: migrate | review | dispose | hold | unreadable | not_a_file.
    `contested`: proposed to migrate, though a weaker finding would dispose of it. `findings` are
    those of the last flag unless others are given."""
    return _proposed(_with_fates(query, config, holds, as_of, findings))


def _with_fates(
    query: Query, config: Config, holds: list[Rule], as_of: date, findings: Any, *others: Any
) -> Any:
    """Facts of everything that has a fate of its own, with all that decides on it, and others."""
    all_facts = facts(query, config)
    findings = query.table("findings") if findings is None else findings
    deciding = findings.filter(findings.deciding).select(
        "entry_id", "rule_id", "title", "category", "confidence", "action", "reason", "authority"
    )
    also = findings.filter(~findings.deciding).group_by("entry_id")
    also = also.aggregate(
        also=findings.title.group_concat("; ", order_by=findings.rule_id),
        also_dispose=(findings.action == "dispose").any(),
    )
    alone = findings.filter(findings.action == "dispose", ~findings.needs_keeper)
    alone = alone.select("entry_id").distinct().mutate(disposable_alone=True)
    going = deciding.filter(deciding.action == "dispose").select(keeper_id="entry_id")
    going = all_facts.select("entry_id", "keeper_id").semi_join(going, "keeper_id")
    going = going.select("entry_id", keeper_goes=ibis.literal(True))
    fates = query.beside(
        all_facts.select("entry_id"),
        deciding, query.stored_in_slices(also), query.stored(alone), query.stored(going),
        held(query, all_facts, holds, as_of), *others,
    )  # fmt: skip
    # A folder that holds something shares its fate with what it holds.
    inside = (all_facts.kind == "folder") & (all_facts.child_count > 0)
    table = all_facts.filter(~inside.fill_null(False))
    return table.left_join(fates, "entry_id").drop("entry_id_right")


def _proposed(table: Any) -> Any:
    doubt = ibis.ifelse(table.action == "dispose", _doubt(table), ibis.null("string"))
    proposal = ibis.cases(
        (table.hold.notnull(), "hold"),
        (table.kind.isin(["symlink", "other"]), "not_a_file"),
        (table.read_error.notnull(), "unreadable"),
        (doubt.notnull(), "review"),
        (table.action.isin(["review", "dispose"]), table.action),
        else_="migrate",
    )
    return table.mutate(
        proposal=proposal,
        reason=table.reason + ibis.coalesce(doubt, "") + _other_readers(table),
        contested=(proposal == "migrate") & table.also_dispose.fill_null(False),
    )


def _other_readers(table: Any) -> Any:
    """Who disposes of a copy may change who can open what is in it."""
    differ = (table.action == "dispose") & table.permissions_differ
    words = " Its permissions differ from those of the copy that stays: others may open that one."
    return ibis.ifelse(differ.fill_null(False), words, "")


def _doubt(table: Any) -> Any:
    """Why what a rule would dispose of is for review all the same; NULL if there is no doubt."""
    one_of_many = table.dup.isin(["not_keeper", "hard_link"])
    last_copy = one_of_many & table.keeper_goes & table.disposable_alone.isnull()
    return ibis.cases(
        (last_copy, " But the copy that would stay is proposed for disposal as well: keep one."),
        (table.format_error.notnull(), " But its format could not be looked at: open it first."),
    )


def outcomes(query: Query, config: Config, holds: list[Rule], as_of: date) -> Any:
    """Proposals with `outcome` (of `OUTCOMES`) and `why`. The sum of all outcomes is every file,
    link and empty folder of the estate.
    A copy is `disposed` only if nothing is known to speak against its being one (see proof.py)."""
    decisions = latest_decisions(query).select(
        "entry_id", "decision", "decided_by", "decided_at", "comment", "fits",
        decided_on="proposal", decided_scope="scope",
    )  # fmt: skip
    fates = _with_fates(query, config, holds, as_of, None, query.stored_in_slices(decisions))
    table = _proposed(fates)
    changed = table.decision.notnull() & ~table.fits
    by = "decided by " + table.decided_by + " on " + table.decided_at
    outcome = ibis.cases(
        (table.proposal == "hold", "held"),
        (table.proposal == "not_a_file", "not_a_file"),
        (table.proposal == "unreadable", "unreadable"),
        (changed, "withheld"),
        (table.decision.isnull(), "undecided"),
        (table.decision == "migrate", "to_move"),
        (table.decision == "dispose", "disposed"),
        else_="left",
    )
    why = ibis.cases(
        (table.proposal == "hold", table.hold),
        (table.proposal == "not_a_file", "a " + table.kind + ", recorded only"),
        (table.read_error == "changed_since_crawl", CHANGED),
        (table.proposal == "unreadable", table.read_error),
        (changed, "changed since it was decided on: decide again"),
        (table.decision.isnull(), "nobody has decided; proposed: " + table.proposal),
        else_=by,
    )
    return proved(query, table.mutate(outcome=outcome, why=why))
