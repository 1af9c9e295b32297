"""Room: what lies on the records manager's desk, as relations: lines, and the items beneath them.

In: proposals and the decisions in force. Out: `Desk`. A line stands for many items that one
decision can cover: the items of a folder with one proposal, or the hits of one rule. The desk is
laid out the same way for the way out and for the way back in.
Never: one line for items with different proposals, or of different business units.
"""

from __future__ import annotations

from typing import Any

import ibis
from msgspec import Struct

from migrate.engine.query import Query
from migrate.expressions import folder_of
from migrate.plan import standing_decisions

Relation = Any  # an Ibis relation

DECIDABLE = ["dispose", "review", "migrate"]
# How deep (in names, the share's included) a folder is a line if it is not wholly of one proposal;
# and how many items one further down must have to be a line of its own.
LINE_DEPTH = 3
DEEPER_NEEDS = 10
TREE = ["tree_kind", "of_path", "tree_files", "tree_shared_files", "only_here_files",
        "only_here_size_bytes"]  # fmt: skip
NAMES_SHOWN = 3  # of what is only in a folder
OTHERS_SHOWN = 50  # copies of other units in a group; `group_files` counts all
SHOWN = [
    "scan_id", "entry_id", "unit", "kind", "name", "full_path", "lower_path", "size_bytes",
    "mtime_ns", "owner", "sample_xxh3", "digest", "group_id", "role", "dup", "dup_keeper_path",
    "read_error", "hold", "proposal", "contested", "rule_id", "title", "category", "confidence",
    "reason", "authority", "also", "permissions_differ", "folder_copy", "top_path", *TREE,
]  # fmt: skip
OF_A_COPY = [
    "entry_id", "unit", "name", "full_path", "lower_path", "folder", "proposal", "contested",
    "hold", "read_error", "size_bytes", "mtime_ns", "owner", "digest", "group_id", "role",
    "permissions_differ",
]  # fmt: skip
LINE = ["unit", "line_folder", "proposal", "contested"]
RULE = ["unit", "rule_id", "proposal", "contested"]


class Desk(Struct, frozen=True):
    """Relations. `items`: what can be decided on, with `line_no`, `rule_no` and what stands so far.
    `lines` and `rules`: one row per line. `copies`: the members of groups of identical files.
    `info`: what nobody decides here. `standing`: decisions in force, by scope."""

    items: Relation
    lines: Relation
    rules: Relation
    copies: Relation
    info: Relation
    standing: Relation


def lay_out(query: Query, proposals: Relation) -> Desk:
    """Sort proposals into lines, the items beneath them, groups of copies, and information."""
    everything = proposals.select(*SHOWN, folder=folder_of(proposals.full_path))
    everything = query.stored_in_slices(everything)
    everything = query.stored_in_slices(_with_line_folder(query, everything))
    decidable = everything.filter(everything.proposal.isin(DECIDABLE))
    standing = query.stored(standing_decisions(query))
    items = _with_withheld(query, _with_standing(decidable, standing))
    items = query.stored_in_slices(items)
    lines = query.stored(_lines(query, items))
    rules = query.stored(_rule_lines(items))
    for number, table, name in (("line_no", lines, LINE), ("rule_no", rules, RULE)):
        same = [items[column].identical_to(table[column]) for column in name]
        items = items.inner_join(table.select(number, *name), same)
        items = items.drop(*(column for column in items.columns if column.endswith("_right")))
    items = query.stored_in_slices(items)  # asked again and again
    info = everything.filter(~everything.proposal.isin(DECIDABLE))
    grouped = query.stored_in_slices(_grouped(everything, items))
    shown = query.stored_in_slices(_shown_to_others(grouped), by="group_id")
    copies = query.stored_in_slices(_copies(grouped, shown), by="group_id")
    return Desk(items, lines, rules, copies, info, standing)


def _with_line_folder(query: Query, everything: Relation) -> Relation:
    """Everything with the folder whose line it belongs to: the highest folder in which all has one
    proposal, else the folder at LINE_DEPTH; of a folder that is a copy, that folder. `folder_items`
    and `folder_held` count what is in it."""
    fate = everything.proposal + ibis.ifelse(everything.contested, "?", "")
    told = everything.mutate(fate=ibis.ifelse(everything.proposal.isin(DECIDABLE), fate, "closed"))
    folders = told.group_by("folder").aggregate(
        items=told.count(), low=told.fate.min(), high=told.fate.max(),
        first_unit=told.unit.min(), last_unit=told.unit.max(),
        held=told.hold.count(),
    )  # fmt: skip
    names = folders.folder.split("/")
    above = folders.mutate(names=names, depth=ibis.range(1, names.length() + 1).unnest())
    above = query.stored(above.mutate(above=above.names[: above.depth].join("/")).drop("names"))
    whole = above.group_by("above", "depth").aggregate(
        items=above["items"].sum(), low=above.low.min(), high=above.high.max(),
        first_unit=above.first_unit.min(), last_unit=above.last_unit.max(), held=above.held.sum(),
    )  # fmt: skip
    whole = whole.mutate(same=(whole.low == whole.high) & (whole.low != "closed"))
    alike = (whole.low == whole.high) & (whole.low != "closed")
    alike &= whole.first_unit == whole.last_unit
    alike &= (whole.depth <= LINE_DEPTH) | (whole["items"] >= DEEPER_NEEDS)
    whole = query.stored(whole.mutate(whole=alike & (whole.depth > 1)))
    candidates = above.select("folder", "depth", "above").inner_join(
        whole.select("above", "whole"), "above"
    )
    place = ibis.ifelse(candidates.whole, candidates.depth, 1000 - candidates.depth)
    # The highest whole folder first; else the deepest that LINE_DEPTH allows.
    allowed = candidates.filter(candidates.whole | (candidates.depth <= LINE_DEPTH))
    nth = ibis.row_number().over(group_by="folder", order_by=place)
    chosen = allowed.mutate(nth=nth).filter(ibis._.nth == 0)
    chosen = chosen.select("folder", line_folder="above", line_whole="whole")
    table = _left_join(everything, chosen, "folder")
    in_tree = table.top_path.notnull()
    table = table.mutate(line_folder=ibis.ifelse(in_tree, table.top_path, table.line_folder))
    counts = whole.select("same", line_folder="above", folder_items="items", folder_held="held")
    table = table.inner_join(counts, "line_folder")
    return table.mutate(line_whole=ibis.ifelse(in_tree, table.same, table.line_whole)).drop("same")


def _with_standing(items: Relation, standing: Relation) -> Relation:
    """Items with the decision in force by each scope that a line can prefill, and in all."""
    fits = standing.filter(standing.fits)
    for scope, prefix in (("file", "own"), ("folder", "folder"), ("rule", "rule")):
        of_scope = fits.filter(fits.scope == scope)
        names = {f"{prefix}_decision": "decision", f"{prefix}_comment": "comment",
                 f"{prefix}_by": "decided_by", f"{prefix}_sheet": "sheet"}  # fmt: skip
        of_scope = of_scope.select("entry_id", **names)
        items = _left_join(items, of_scope, "entry_id")
    nearest = standing.filter(standing.nearest).select(
        "entry_id", stands="decision", stands_by="decided_by", stands_at="decided_at",
        stands_scope="scope", stands_fits="fits", stands_seq="decision_seq",
    )  # fmt: skip
    return _left_join(items, nearest, "entry_id")


def _with_withheld(query: Query, items: Relation) -> Relation:
    """Items with `withheld`: why the last manifest did not carry out the decision in force."""
    made = query.estate.latest("manifest")
    found = query.table("outcomes")
    found = found.filter(found.outcome == "withheld").select("entry_id", withheld="why")
    items = _left_join(items, found, "entry_id")
    was_known = items.stands_fits & (items.stands_seq < ((made.run_id << 32) if made else 0))
    withheld = ibis.ifelse(was_known, items.withheld, ibis.null("string"))
    return items.mutate(withheld=withheld).drop("stands_seq")


def _left_join(left: Relation, right: Relation, key: str) -> Relation:
    return left.left_join(right, key).drop(f"{key}_right")


def _summed(items: Relation, scope: str) -> dict[str, Relation]:
    """What every line counts, and what has been decided on it as a line so far."""
    decision, by = items[f"{scope}_decision"], items[f"{scope}_by"]
    return {
        "files": items.count(),
        "size_bytes": items.size_bytes.sum(),
        "oldest_ns": items.mtime_ns.min(),
        "newest_ns": items.mtime_ns.max(),
        "members": items.entry_id.bit_xor(),
        "decided": items.stands.count(where=items.stands_fits),
        "withheld": items.withheld.count(),
        "line_decided": decision.count(),
        "line_low": decision.min(),
        "line_high": decision.max(),
        "line_comment": items[f"{scope}_comment"].max(),
        "line_by": by.max(),
    }


def _lines(query: Query, items: Relation) -> Relation:
    """One row per folder and proposal, with how often which rule decides (`why`). Every item is
    gone through three times, one after the other: at once would need memory for each."""
    copies = items.dup == "not_keeper"
    kept_in = folder_of(items.dup_keeper_path)
    lines = items.group_by(LINE).aggregate(
        **_summed(items, "folder"),
        whole=items.line_whole.any(),
        folder_items=items.folder_items.max(),
        folder_held=items.folder_held.max(),
        copies=copies.sum(),
        kept_low=kept_in.min(),
        kept_high=kept_in.max(),
        sure_low=items.confidence.min(),
        sure_high=items.confidence.max(),
        **{name: items[name].max() for name in TREE},
        differ=items.permissions_differ.sum().fill_null(0),
        reason_low=items.reason.min(),
        reason_high=items.reason.max(),
        owner_low=items.owner.min(),
        owner_high=items.owner.max(),
    )
    lines = query.stored(lines)
    by_rule = items.group_by([*LINE, "rule_id", "title", "authority"]).aggregate(n=items.count())
    by_rule = query.stored(by_rule)
    phrase = ibis.coalesce(by_rule.title + " (" + by_rule.rule_id + ")", "No rule matched")
    by_rule = by_rule.mutate(phrase=by_rule.n.cast("string") + " × " + phrase)
    why = by_rule.group_by(LINE).aggregate(
        why=by_rule.phrase.group_concat(
            "; ", order_by=[ibis.desc(by_rule.n), by_rule.rule_id.isnull(), by_rule.rule_id]
        ),
        rule_count=by_rule.count(),
    )
    named = by_rule.filter(by_rule.authority.length() > 0).select(*LINE, "authority").distinct()
    authorities = named.group_by(LINE).aggregate(
        authorities=named.authority.group_concat("; ", order_by=named.authority)
    )
    lines = lines.inner_join(why, LINE)
    lines = lines.left_join(authorities, LINE)
    lines = lines.drop(*(column for column in lines.columns if column.endswith("_right")))
    lines = _left_join(lines, query.stored(_only_here(items)), "line_folder")
    order = [lines.unit, lines.line_folder, _rank(lines)]
    return lines.mutate(line_no=ibis.row_number().over(order_by=order))


def _only_here(items: Relation) -> Relation:
    """The first names of what is nowhere else, of each folder that is nearly a copy."""
    only = items.filter(items.folder_copy == "overlap", items.kind == "file")
    nth = ibis.row_number().over(group_by="line_folder", order_by=["lower_path", "entry_id"])
    only = only.mutate(nth=nth).filter(ibis._.nth < NAMES_SHOWN)
    return only.group_by("line_folder").aggregate(
        only_here_names=only.name.group_concat(", ", order_by=only.nth),
        only_here_named=only.count(),
    )


def _rule_lines(items: Relation) -> Relation:
    """One row per rule and proposal."""
    rules = items.group_by(RULE).aggregate(
        **_summed(items, "rule"),
        title=items.title.min(),
        category=items.category.min(),
        confidence=items.confidence.min(),
        example=items.reason.min(),
        authority=items.authority.min(),
    )
    order = [rules.unit, _rank(rules), rules.rule_id.isnull(), rules.rule_id]
    return rules.mutate(rule_no=ibis.row_number().over(order_by=order))


def _rank(table: Relation) -> Relation:
    """Proposals in the order in which people should look at them."""
    return ibis.cases(
        (table.proposal == "dispose", 0), (table.proposal == "review", 1), (table.contested, 2),
        else_=3,
    )  # fmt: skip


def _grouped(everything: Relation, items: Relation) -> Relation:
    """The members of groups of identical files, with what has been decided on them."""
    grouped = everything.filter(everything.group_id.notnull(), everything.role != "hard_link")
    stands = items.select(
        "entry_id", "own_decision", "own_comment", "own_sheet", "stands", "stands_by", "stands_at",
        "stands_scope", "stands_fits", "withheld",
    )  # fmt: skip
    return _left_join(grouped.select(OF_A_COPY), stands, "entry_id")


def _shown_to_others(grouped: Relation) -> Relation:
    """Of each group the copies that other units see: the keeper, and the first of every unit before
    the second of any."""
    copies = grouped.select("entry_id", "group_id", "unit", "role", "lower_path")
    order = ["lower_path", "entry_id"]
    copies = copies.mutate(
        nth=ibis.row_number().over(group_by=["group_id", "unit"], order_by=order)
    )
    order = [copies.role != "keeper", copies.nth, *order]
    place = ibis.row_number().over(group_by="group_id", order_by=order)
    shown = copies.mutate(place=place).filter(ibis._.place < OTHERS_SHOWN)
    return shown.select("entry_id", "group_id")


def _readers(grouped: Relation) -> Relation:
    """The units that see a group of identical files: those with a copy to decide on (`decides`),
    and the keeper's, whose file others rely on."""
    to_decide = grouped.proposal.isin(DECIDABLE) & (grouped.role == "copy")
    units = grouped.group_by("group_id", for_unit=grouped.unit).aggregate(
        decides=to_decide.any(), keeps=(grouped.role == "keeper").any(), files=grouped.count()
    )
    whole = ibis.window(group_by="group_id")
    units = units.mutate(
        open=units.decides.any().over(whole), group_files=units.files.sum().over(whole)
    )
    units = units.filter(units.decides | (units.keeps & units.open))
    return units.select("group_id", "for_unit", "decides", "group_files")


def _copies(grouped: Relation, shown: Relation) -> Relation:
    """For each unit that sees a group of identical files: its own members, and those of others that
    are `shown`. `here` says whether it can be decided on in that unit's workbook."""
    readers = _readers(grouped)
    of_others = grouped.semi_join(shown, ["group_id", "entry_id"])
    mine = grouped.inner_join(readers, ["group_id", grouped.unit == readers.for_unit])
    others = of_others.inner_join(readers, ["group_id", of_others.unit != readers.for_unit])
    members = mine.union(others.select(mine.columns))
    names = grouped.filter(grouped.role == "keeper")
    names = names.select("group_id", keeper_name="name", keeper_lower="lower_path")
    members = _left_join(members, names, "group_id")
    mine_to_decide = (members.unit == members.for_unit) & members.decides
    return members.mutate(here=mine_to_decide & members.proposal.isin(DECIDABLE))


def units(query: Query, desk: Desk) -> list[str]:
    """Every business unit with at least one row."""
    names = [relation.select("unit") for relation in (desk.items, desk.info)]
    every = ibis.union(*names, distinct=True)
    return sorted(record["unit"] for record in query.rows(every))
