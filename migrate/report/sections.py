"""Room: the report's questions to the tables, one function and one query for each section.

In: the tables, the holds as they stand now, the day ages count back from. Out: plain rows, always
in the same order. Never: a file name where something is sensitive or held.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
from msgspec import Struct

from migrate.ages import BANDS, ODD, OLDEST, age_band
from migrate.config import Config
from migrate.engine.query import Query
from migrate.expressions import folder_of
from migrate.flag.rules import LADDER, Rule
from migrate.holds import COPY_OF_HELD
from migrate.inside.known import first_not_looked_into
from migrate.inside.known import not_looked_into as not_looked_at
from migrate.plan import OPEN, outcomes

Figure = dict[str, Any]
Relation = Any  # an Ibis relation, or a row of one

PROPOSALS = ["migrate", "review", "dispose", "hold", "unreadable", "not_a_file"]
RULED = ["migrate", "review", "dispose"]  # what rules, and nothing stronger, decide
SUMS = ["items", "files", "size_bytes"]
DECIDED = ["to_move", "disposed", "left"]
# Files by the years since their last change, and by how likely their format is to be lost.
AGES = {
    "under_3": "under 3", "from_3": "3 to 6", "from_7": "7 to 19", "from_20": "20 or more",
    "no_age": "no date",
}  # fmt: skip
RISKS = {
    "risk_high": "high", "risk_moderate": "moderate", "risk_low": "low", "risk_unknown": "unknown",
}  # fmt: skip
_ERAS = [("under_3", BANDS[:2]), ("from_3", BANDS[2:4]), ("from_7", BANDS[4:6]),
         ("from_20", [OLDEST])]  # fmt: skip
BARE_NUMBER = r"^([0-9]+|S-1-[0-9-]+)$"


class Ask(Struct, frozen=True):
    """What sections ask: the tables, and every item (file, link, empty folder) with its fate."""

    query: Query
    config: Config
    holds: list[Rule]
    words: dict[str, str]  # why each rule proposes what it does, if the rules are those that ran
    about_formats: list[str]  # rules that look at formats, if the rules are those that ran
    items: Relation

    @property
    def files(self) -> Relation:
        return self.items.filter(self.items.kind == "file")

    def rows(self, expression: Relation) -> list[Figure]:
        return list(self.query.rows(expression))


def asking(
    query: Query, config: Config, holds: list[Rule], told: tuple[dict[str, str], list[str]],
    as_of: date,
) -> Ask:  # fmt: skip
    """The items are worked out once and kept; every section only sums them."""
    fates = outcomes(query, config, holds, as_of)
    columns = [
        "entry_id", "share", "kind", "size_bytes", "mtime_ns", "owner", "mime", "encrypted",
        "full_path", "hold", "unit", "proposal", "outcome", "rule_id", "title", "category",
        "confidence", "action", "authority", "puid", "format_name",
    ]  # fmt: skip
    place = folder_of(fates.full_path).re_extract(r"^[^/]*(/[^/]*){0,2}", 0)
    band = age_band(fates.mtime_ns, as_of)
    risk = ibis.coalesce(fates.format_risk, RISKS["risk_unknown"])
    items = fates.select(
        *columns, place=place, band=band, era=_era(band), risk=risk,
        looked_at=fates.identified.notnull() | fates.format_error.notnull(),
    )  # fmt: skip
    return Ask(query, config, holds, *told, query.stored_in_slices(items))


def _era(band: Relation) -> Relation:
    """Bands of age, several to each: a map has room for a few colours."""
    return ibis.cases(*((band.isin(bands), AGES[name]) for name, bands in _ERAS),
                      else_=AGES["no_age"])  # fmt: skip


def total(column: Relation) -> Relation:
    """A sum that is 0 where there is nothing to add up, or only what is not known."""
    return column.sum().fill_null(0)


def sums(table: Relation) -> dict[str, Any]:
    """What nearly every section counts."""
    return {
        "items": table.count(),
        "files": total(table.kind == "file"),
        "size_bytes": total(table.size_bytes),
    }


def _bytes_by_proposal(files: Relation) -> dict[str, Relation]:
    return {
        name: files.size_bytes.sum(where=files.proposal == name).fill_null(0) for name in PROPOSALS
    }


def _progress(items: Relation) -> dict[str, Any]:
    """How far the decisions are."""
    return {
        "decided": total(items.outcome.isin(DECIDED)),
        "to_decide": total(items.outcome.isin(OPEN)),
        "again": total(items.outcome == "withheld"),
    }


def _filled(rows: list[Figure], key: str, keys: list[str], *also: str) -> list[Figure]:
    """A row for every key, in order; zeros (for `also` too) where there was nothing to count."""
    found = {row[key]: row for row in rows}
    nothing = dict.fromkeys([*SUMS, *also], 0)
    return [found.get(each, {key: each, **nothing}) for each in keys]


def proposed(ask: Ask) -> list[Figure]:
    """What becomes of the items if every proposal is accepted."""
    items = ask.items
    counted = ask.rows(items.group_by("proposal").aggregate(**sums(items)))
    return _filled(counted, "proposal", PROPOSALS)


def categories(ask: Ask) -> list[Figure]:
    """By deciding category: how many items to migrate, for a person, to dispose of. What is held or
    unreadable is not in it; `none` is what no rule hit. Adds up to `proposed`."""
    items = ask.items.filter(ask.items.proposal.isin(RULED))
    items = items.mutate(category=ibis.coalesce(items.category, "none"))
    by = {name: total(items.proposal == name) for name in RULED}
    rows = ask.rows(items.group_by("category").aggregate(**sums(items), **by))
    filled = _filled(rows, "category", [*LADDER, "none"], *RULED)
    return [row for row in filled if row["items"]]


def rules(ask: Ask) -> list[Figure]:
    """By deciding rule: what it proposes, for how much, and why, in the rule's own words: a
    finding's reason is not used, as it may carry the name of a file."""
    items = ask.items.filter(ask.items.proposal.isin(RULED), ask.items.rule_id.notnull())
    key = ["category", "rule_id", "title", "confidence", "action", "authority", "proposal"]
    counted = items.group_by(key).aggregate(**sums(items))
    rows = ask.rows(counted.order_by(ibis.desc("items"), *key))
    rows.sort(key=lambda row: LADDER.index(row["category"]))
    return [{**row, "why": ask.words.get(row["rule_id"], "")} for row in rows]


def ages(ask: Ask) -> list[Figure]:
    """Files by whole years since they were last changed, with the bytes of each proposal."""
    files = ask.files
    by = _bytes_by_proposal(files)
    rows = ask.rows(files.group_by("band").aggregate(**sums(files), **by))
    odd = [row for name in ODD for row in rows if row["band"] == name]
    return _filled(rows, "band", BANDS, *PROPOSALS) + odd


def risks(ask: Ask) -> list[Figure]:
    """Files by how likely their format is to be lost, with the bytes of each proposal."""
    files = ask.files
    by = _bytes_by_proposal(files)
    rows = ask.rows(files.group_by("risk").aggregate(**sums(files), **by))
    return _filled(rows, "risk", list(RISKS.values()), *PROPOSALS)


def mime_types(ask: Ask, most: int = 12) -> list[Figure]:
    """The commonest MIME types by files; the rest in one row with `mime` "others", what has none in
    one with `mime` null."""
    counted = ask.files.group_by("mime").aggregate(**sums(ask.files))
    nth = ibis.row_number().over(order_by=[counted.mime.isnull(), ibis.desc("items"), counted.mime])
    ranked = counted.mutate(nth=nth)
    place = ibis.cases(
        (ranked.mime.isnull(), most + 1), (ranked.nth >= most, most), else_=ranked.nth
    )
    shown = (
        ranked.mutate(place=place)
        .group_by("place")
        .aggregate(
            mime=ibis.ifelse(ibis._.place.max() == most, "others", ibis._.mime.min()),
            types=ibis._.count(),
            **{name: total(ibis._[name]) for name in SUMS},
        )
    )
    return ask.rows(shown.order_by("place").drop("place"))


def puids(ask: Ask, most: int = 12) -> list[Figure]:
    """The commonest formats by number of files, of what was looked at."""
    files = ask.files.filter(ask.files.looked_at)
    counted = files.group_by("puid", "format_name").aggregate(files=files.count())
    return ask.rows(counted.order_by(ibis.desc("files"), "puid").limit(most))


def folders(ask: Ask, depth: int, most: int = 20) -> list[Figure]:
    """The folders that hold most, at a depth below their share, with all that lies below them."""
    folder = folder_of(ask.files.full_path).re_extract("^[^/]*" + "/[^/]*" * depth, 0)
    files = ask.files.mutate(folder=folder).filter(folder != "")
    summed = files.group_by("folder").aggregate(**sums(files))
    return ask.rows(summed.order_by(ibis.desc("size_bytes"), "folder").limit(most))


def noticed(ask: Ask) -> Relation:
    """Findings of rules that look at formats, or for what is sensitive, deciding or not."""
    findings = ask.query.table("findings")
    about = findings.rule_id.isin(ask.about_formats) if ask.about_formats else ibis.literal(False)
    found = findings.filter(about | (findings.category == "sensitive"))
    return found.select("entry_id", "rule_id", "title", "category")


def attention(ask: Ask) -> list[Figure]:
    """By rule, of those that look at formats: what they noticed, whether they decided or not."""
    found = noticed(ask).filter(ibis._.rule_id.isin([*ask.about_formats, ""]))
    return ask.rows(_by_rule(ask, found))


def _by_rule(ask: Ask, found: Relation) -> Relation:
    table = found.select("entry_id", rule="rule_id", what="title").inner_join(ask.items, "entry_id")
    by_rule = table.group_by(rule_id=table.rule, title=table.what).aggregate(**sums(table))
    return by_rule.order_by(ibis.desc("items"), "rule_id")


def owner_state(files: Relation) -> Relation:
    """Whether the owner has a name, is a bare number (no account any more), or is not known."""
    unknown = files.owner.isnull() | (files.owner == "")
    is_number = files.owner.re_search(BARE_NUMBER)
    return ibis.cases((unknown, "unknown"), (is_number, "number"), else_="named")


def copies(query: Query) -> Relation:
    """For each group of identical files that has copies: its keeper, how many they are, their
    bytes."""
    groups = query.table("groups")
    found = groups.filter(groups.role == "copy").group_by(["group_id", "keeper_id"])
    return found.aggregate(copies=ibis._.count(), size_bytes=total(ibis._.size_bytes))


def _unnamed(ask: Ask) -> Relation:
    """entry_id of what no report names: what is sensitive or held."""
    findings = ask.query.table("findings")
    marked = findings.filter(findings.category == "sensitive").select("entry_id")
    return marked.union(ask.items.filter(ask.items.hold.notnull()).select("entry_id"))


def largest_copies(ask: Ask, most: int, flagged: bool) -> list[Figure]:
    """The groups of identical files whose copies take most space. `keeper` is null where it, or a
    copy, is held or sensitive, or nobody has asked yet whether it is."""
    groups = ask.query.table("groups")
    named = groups.anti_join(groups.semi_join(_unnamed(ask), "entry_id"), "group_id")
    named = named.filter(named.role == "keeper", ibis.literal(flagged))
    named = named.inner_join(ask.items, "entry_id").select("group_id", keeper="full_path")
    rows = copies(ask.query).left_join(named, "group_id")
    largest = rows.order_by(ibis.desc("size_bytes"), "keeper", "group_id").limit(most)
    return ask.rows(largest.select("copies", "size_bytes", "keeper"))


def folder_copies(ask: Ask, most: int, flagged: bool) -> list[Figure]:
    """The largest folders that exist elsewhere, wholly or nearly. `folder` and `of` are null where
    something held or sensitive lies in the folder, or nobody has asked yet whether it does."""
    trees = ask.query.table("folder_copies")
    entries = ask.query.table("entries").select("entry_id", "parent_id")
    folders = entries.semi_join(_unnamed(ask), "entry_id").select(entry_id="parent_id")
    closed = trees.semi_join(folders, "entry_id").select("top_id").distinct()
    tops = trees.filter(trees.entry_id == trees.top_id)
    tops = tops.left_join(closed.mutate(closed=True), "top_id").drop("top_id_right")
    named = tops.closed.isnull() & flagged
    rows = tops.select(
        "kind", "files", "size_bytes", "only_here_files",
        folder=ibis.ifelse(named, tops.top_path, ibis.null("string")),
        of=ibis.ifelse(named, tops.of_path, ibis.null("string")),
    )  # fmt: skip
    return ask.rows(rows.order_by(ibis.desc("size_bytes"), "folder", "files", "kind").limit(most))


def sensitive(ask: Ask) -> list[Figure]:
    """By rule for sensitive material, whether it decided or not; one item may be in several rows.
    The first row, with `rule_id` null, counts every item once."""
    found = noticed(ask).filter(ibis._.category == "sensitive")
    once = ask.items.semi_join(found, "entry_id")
    (every,) = ask.rows(once.aggregate(**sums(once)))
    return [{"rule_id": None, "title": "", **every}, *ask.rows(_by_rule(ask, found))]


def held(ask: Ask) -> list[Figure]:
    """By hold in force, also where it holds nothing. An item under two holds counts for one."""
    items = ask.items.filter(ask.items.hold.notnull())
    is_copy = items.hold.startswith(COPY_OF_HELD)
    items = items.mutate(hold=items.hold.replace(COPY_OF_HELD, ""), is_copy=is_copy)
    counted = items.group_by("hold").aggregate(**sums(items), copies=total(items.is_copy))
    filled = _filled(ask.rows(counted), "hold", [hold.explain for hold in ask.holds], "copies")
    authorities = [hold.authority for hold in ask.holds]
    pairs = zip(filled, authorities, strict=True)
    return [{**row, "authority": authority} for row, authority in pairs]


def errors(query: Query) -> Relation:
    """One row for every entry of which something could not be read: entry_id and the reason."""
    names = ["entries", "listings", "digests", "whole_digests"]
    every = []
    for place, name in enumerate(names):
        table = query.table(name)
        failed = table.filter(table.error.notnull())
        every.append(failed.select("entry_id", "error", place=ibis.literal(place)))
    union = ibis.union(*every)
    nth = ibis.row_number().over(group_by="entry_id", order_by=["place", "error"])
    return union.mutate(nth=nth).filter(ibis._.nth == 0).select("entry_id", "error")


def unreadable(ask: Ask) -> list[Figure]:
    """By reason: files, folders and others that could not be read, and how many are held."""
    query = ask.query
    entries = query.table("entries").select("entry_id", "kind", "size_bytes")
    held_ids = ask.items.filter(ask.items.hold.notnull()).select("entry_id", on_hold=True)
    table = errors(query).inner_join(entries, "entry_id")
    table = table.left_join(held_ids, "entry_id").drop("entry_id_right")
    counted = table.group_by("error").aggregate(
        **sums(table),
        folders=total(table.kind == "folder"),
        held=total(table.on_hold),
    )
    return ask.rows(counted.order_by(ibis.desc("items"), "error"))


def not_looked_into(ask: Ask, flagged: bool, most: int = 50) -> Figure:
    """How many `files` inspect could not look into, and the first of them, `listed`: none that is
    held or sensitive, and none before somebody has asked whether it is."""
    paths = ask.items.select("entry_id", "full_path")
    closed = ask.query.stored(not_looked_at(ask.query).inner_join(paths, "entry_id"))
    named = closed.anti_join(_unnamed(ask), "entry_id").filter(ibis.literal(flagged))
    listed = first_not_looked_into(ask.query, named, most)
    return {"files": ask.query.count(closed), "listed": listed}


def owners(ask: Ask, most: int = 10) -> dict[str, Any]:
    """Files whose owner has a name, is a bare number (no account any more), or is not known; and
    the numbers that own most."""
    files = ask.files
    by_state = ask.rows(files.group_by(state=owner_state(files)).aggregate(**sums(files)))
    numbers = files.filter(files.owner.re_search(BARE_NUMBER))
    top = numbers.group_by("owner").aggregate(**sums(numbers))
    return {
        "states": _filled(by_state, "state", ["named", "number", "unknown"]),
        "numbers": ask.rows(top.order_by(ibis.desc("files"), "owner").limit(most)),
        "number_count": ask.query.count(top),
    }


def units(ask: Ask) -> list[Figure]:
    """By business unit: how far its review is. Units without any item are shown too."""
    items = ask.items
    open_items = items.outcome.isin(OPEN)
    counted = items.group_by("unit").aggregate(
        **sums(items),
        **_progress(items),
        for_person=total(open_items & (items.proposal == "review")),
        closed=total(~items.outcome.isin([*DECIDED, *OPEN])),
    )
    rows = ask.rows(counted)
    reviewers = {unit.name: unit.reviewer for unit in ask.config.business_units}
    names = list(dict.fromkeys([*reviewers, *(row["unit"] for row in rows)]))
    also = ["decided", "to_decide", "again", "for_person", "closed"]
    filled = _filled(rows, "unit", names, *also)
    return [{**row, "reviewer": reviewers.get(row["unit"], "")} for row in filled]


def totals(ask: Ask) -> Figure:
    """Everything that has a fate of its own, and the decisions on it."""
    items = ask.items
    locked = total(items.encrypted)
    (row,) = ask.rows(items.aggregate(**sums(items), **_progress(items), encrypted=locked))
    return row
