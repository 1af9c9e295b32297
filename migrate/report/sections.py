"""Room: the report's questions to the tables, one function and one query for each section.

In: the tables, the holds as they stand now, the day ages count back from. Out: plain rows, always
in the same order. Never: a zero for a stage that was not run; a file name where something is
sensitive or held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis

from migrate.config import Config
from migrate.engine.query import Query
from migrate.estate import Estate, Run
from migrate.facts import folder_of
from migrate.flag.conditions import days_before, nanoseconds
from migrate.flag.rules import LADDER, Rule
from migrate.move import GOOD
from migrate.plan import UNASSIGNED, outcomes

Figure = dict[str, Any]
Relation = Any  # an Ibis relation, or a row of one

PROPOSALS = ["migrate", "review", "dispose", "hold", "unreadable", "not_a_file"]
RULED = ["migrate", "review", "dispose"]  # what rules, and nothing stronger, decide
OUTCOMES = ["to_move", "disposed", "left", "undecided", "held", "unreadable", "not_a_file"]
DECIDED = ["to_move", "disposed", "left"]
BANDS = [(1, "Less than 1"), (3, "1–2"), (5, "3–4"), (7, "5–6"), (10, "7–9"), (20, "10–19")]
OLDEST, FUTURE, NO_DATE = "20 or more", "Dated later than that day", "No date known"
COPY_OF_HELD = "a copy of a held file: "  # how plan.held marks them
BARE_NUMBER = r"^([0-9]+|S-1-[0-9-]+)$"
NOT_MOVED_YET = "waiting"
PLACEHOLDERS = {
    "mtime": "date", "ctime": "date", "atime": "date", "birthtime": "date", "ext": "extension",
    "dup_keeper_path": "the copy kept", "format_name": "format", "path_len": "length",
    "retention_class": "class", "puid": "PUID", "mime": "type",
}  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """What sections ask: the tables, and every item (file, link, empty folder) with its fate."""

    query: Query
    config: Config
    holds: list[Rule]
    as_of: date
    items: Relation

    def rows(self, expression: Relation) -> list[Figure]:
        """Rows, with 0 for the sum of nothing but unknown sizes."""
        return [
            {**row, **({"size_bytes": row["size_bytes"] or 0} if "size_bytes" in row else {})}
            for row in self.query.rows(expression)
        ]


def asking(query: Query, config: Config, holds: list[Rule], as_of: date) -> Ask:
    """The items are worked out once and kept; every section only sums them."""
    fates = outcomes(query, config, holds, as_of)
    columns = [
        "entry_id", "share", "kind", "size_bytes", "mtime_ns", "owner", "mime", "encrypted",
        "full_path", "hold", "unit", "proposal", "outcome", "rule_id", "title", "category",
        "confidence", "action", "authority",
    ]  # fmt: skip
    again = fates.decision.notnull() & (fates.outcome == "undecided")
    return Ask(query, config, holds, as_of, query.stored(fates.select(*columns, again=again)))


def sums(table: Relation) -> dict[str, Any]:
    """What nearly every section counts."""
    is_file = table.kind == "file"
    return {
        "items": table.count(),
        "files": is_file.sum().cast("int64"),
        "size_bytes": table.size_bytes.sum().cast("int64"),
    }


def _filled(rows: list[Figure], key: str, keys: list[str], **nothing: int) -> list[Figure]:
    """A row for every key, in order; zeros where there was nothing to count."""
    found = {row[key]: row for row in rows}
    nothing = nothing or {"items": 0, "files": 0, "size_bytes": 0}
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
    by = {name: (items.proposal == name).sum().cast("int64") for name in RULED}
    rows = ask.rows(items.group_by("category").aggregate(**sums(items), **by))
    zeros = dict.fromkeys(["items", "files", "size_bytes", *RULED], 0)
    filled = _filled(rows, "category", [*LADDER, "none"], **zeros)
    return [row for row in filled if row["items"]]


def rules(ask: Ask, explained: dict[str, str]) -> list[Figure]:
    """By deciding rule: what it proposes, for how much, and why. `explained` are the rules' own
    words; a finding's reason is not used, as it may carry the name of a file."""
    items = ask.items.filter(ask.items.proposal.isin(RULED), ask.items.rule_id.notnull())
    key = ["category", "rule_id", "title", "confidence", "action", "authority", "proposal"]
    counted = items.group_by(key).aggregate(**sums(items))
    rows = ask.rows(counted.order_by(ibis.desc("items"), *key))
    rows.sort(key=lambda row: LADDER.index(row["category"]))
    return [{**row, "why": explained.get(row["rule_id"], "")} for row in rows]


def explained(rules: list[Rule]) -> dict[str, str]:
    """Why each rule proposes what it does, in its own words, with [size] for {size}."""
    return {rule.id: re.sub(r"\{(\w+)\}", _placeholder, rule.explain) for rule in rules}


def _placeholder(match: re.Match[str]) -> str:
    return f"[{PLACEHOLDERS.get(match[1], match[1])}]"


def ages(ask: Ask) -> list[Figure]:
    """Files by whole years since they were last changed."""
    files = ask.items.filter(ask.items.kind == "file")
    cutoffs = [
        (files.mtime_ns >= nanoseconds(days_before(ask.as_of, f"{years}y")), label)
        for years, label in BANDS
    ]
    tomorrow = nanoseconds(date.fromordinal(ask.as_of.toordinal() + 1))
    band = ibis.cases(
        (files.mtime_ns.isnull(), NO_DATE), (files.mtime_ns >= tomorrow, FUTURE), *cutoffs,
        else_=OLDEST,
    )  # fmt: skip
    files = files.mutate(band=band)
    labels = [label for _, label in BANDS] + [OLDEST]
    rows = ask.rows(files.group_by("band").aggregate(**sums(files)))
    odd = [row for name in (FUTURE, NO_DATE) for row in rows if row["band"] == name]
    return _filled(rows, "band", labels) + odd


def mime_types(ask: Ask, most: int = 12) -> list[Figure]:
    """The commonest MIME types by files; the rest in one row with `mime` "others", what has none in
    one with `mime` null."""
    files = ask.items.filter(ask.items.kind == "file")
    counted = files.group_by("mime").aggregate(**sums(files))
    nth = ibis.row_number().over(order_by=[counted.mime.isnull(), ibis.desc("items"), counted.mime])
    ranked = counted.mutate(nth=nth)
    place = ibis.cases(
        (ranked.mime.isnull(), most + 1), (ranked.nth >= most, most), else_=ranked.nth
    )
    ranked = ranked.mutate(place=place)
    shown = ranked.group_by("place").aggregate(
        mime=ibis.ifelse(ibis._.place.max() == most, "others", ibis._.mime.min()),
        types=ibis._.count(),
        items=ibis._["items"].sum().cast("int64"),
        files=ibis._.files.sum().cast("int64"),
        size_bytes=ibis._.size_bytes.sum().cast("int64"),
    )
    return ask.rows(shown.order_by("place").drop("place"))


def folders(ask: Ask, depth: int, most: int) -> list[Figure]:
    """The folders that hold most, at a depth below their share, with all that lies below them."""
    files = ask.items.filter(ask.items.kind == "file")
    parent = folder_of(files.full_path)
    folder = parent.re_extract("^[^/]*" + "/[^/]*" * depth, 0)
    files = files.mutate(folder=folder).filter(folder != "")
    summed = files.group_by("folder").aggregate(**sums(files))
    return ask.rows(summed.order_by(ibis.desc("size_bytes"), "folder").limit(most))


def largest_copies(ask: Ask, most: int, flagged: bool) -> list[Figure]:
    """The groups of identical files whose copies take most space. `keeper` is null where it, or a
    copy, is held or sensitive, or nobody has asked yet whether it is."""
    groups = ask.query.table("groups")
    findings = ask.query.table("findings")
    marked = findings.filter(findings.category == "sensitive").select("entry_id")
    marked = marked.union(ask.items.filter(ask.items.hold.notnull()).select("entry_id"))
    named = groups.anti_join(groups.semi_join(marked, "entry_id"), "group_id")
    named = named.filter(named.role == "keeper", ibis.literal(flagged))
    named = named.inner_join(ask.items, "entry_id").select("group_id", keeper="full_path")
    copies = groups.filter(groups.role == "copy").group_by("group_id")
    copies = copies.aggregate(
        copies=ibis._.count(), size_bytes=ibis._.size_bytes.sum().cast("int64")
    )
    rows = copies.left_join(named, "group_id").drop("group_id_right")
    largest = rows.order_by(ibis.desc("size_bytes"), "keeper", "group_id").limit(most)
    return ask.rows(largest.drop("group_id"))


def sensitive(ask: Ask) -> list[Figure]:
    """By rule for sensitive material, whether it decided or not; one item may be in several rows.
    The first row, with `rule_id` null, counts every item once."""
    findings = ask.query.table("findings")
    found = findings.filter(findings.category == "sensitive").select("entry_id", "rule_id", "title")
    table = found.rename(rule="rule_id", what="title").inner_join(ask.items, "entry_id")
    by_rule = table.group_by(rule_id=table.rule, title=table.what).aggregate(**sums(table))
    once = ask.items.semi_join(found, "entry_id")
    total = ask.rows(once.aggregate(**sums(once)))
    rows = ask.rows(by_rule.order_by(ibis.desc("items"), "rule_id"))
    return [{"rule_id": None, "title": "", **total[0]}, *rows]


def held(ask: Ask) -> list[Figure]:
    """By hold in force, also where it holds nothing. An item under two holds counts for one."""
    items = ask.items.filter(ask.items.hold.notnull())
    is_copy = items.hold.startswith(COPY_OF_HELD)
    items = items.mutate(by=items.hold.replace(COPY_OF_HELD, ""), is_copy=is_copy)
    counted = items.group_by("by").aggregate(
        **sums(items), copies=items.is_copy.sum().cast("int64")
    )
    found = {row.pop("by"): row for row in ask.rows(counted)}
    nothing = {"items": 0, "files": 0, "size_bytes": 0, "copies": 0}
    return [
        {"hold": hold.explain, "authority": hold.authority, **found.get(hold.explain, nothing)}
        for hold in ask.holds
    ]


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
        folders=(table.kind == "folder").sum().cast("int64"),
        held=table.on_hold.fill_null(False).sum().cast("int64"),
    )
    return ask.rows(counted.order_by(ibis.desc("items"), "error"))


def owners(ask: Ask, most: int = 10) -> dict[str, Any]:
    """Files whose owner has a name, is a bare number (no account any more), or is not known; and
    the numbers that own most."""
    files = ask.items.filter(ask.items.kind == "file")
    is_number = files.owner.re_search(BARE_NUMBER)
    state = ibis.cases(
        (files.owner.isnull() | (files.owner == ""), "unknown"), (is_number, "number"),
        else_="named",
    )  # fmt: skip
    by_state = ask.rows(files.group_by(state=state).aggregate(**sums(files)))
    numbers = files.filter(is_number)
    top = numbers.group_by("owner").aggregate(**sums(numbers))
    return {
        "states": _filled(by_state, "state", ["named", "number", "unknown"]),
        "numbers": ask.rows(top.order_by(ibis.desc("files"), "owner").limit(most)),
        "number_count": ask.query.count(top),
    }


def units(ask: Ask) -> list[Figure]:
    """By business unit: how far its review is. Units without any item are shown too."""
    items = ask.items
    outcome = items.outcome
    counted = items.group_by("unit").aggregate(
        **sums(items),
        decided=outcome.isin(DECIDED).sum().cast("int64"),
        to_decide=(outcome == "undecided").sum().cast("int64"),
        again=items.again.fill_null(False).sum().cast("int64"),
        for_person=((outcome == "undecided") & (items.proposal == "review")).sum().cast("int64"),
        closed=(~outcome.isin([*DECIDED, "undecided"])).sum().cast("int64"),
    )
    names = [unit.name for unit in ask.config.business_units]
    zeros = dict.fromkeys(
        ["items", "files", "size_bytes", "decided", "to_decide", "again", "for_person", "closed"], 0
    )
    rows = ask.rows(counted)
    if any(row["unit"] == UNASSIGNED for row in rows):
        names.append(UNASSIGNED)
    reviewers = {unit.name: unit.reviewer for unit in ask.config.business_units}
    filled = _filled(rows, "unit", names, **zeros)
    return [{**row, "reviewer": reviewers.get(row["unit"], "")} for row in filled]


def totals(ask: Ask) -> Figure:
    """Everything that has a fate of its own, and the decisions on it."""
    items = ask.items
    outcome = items.outcome
    counted = items.aggregate(
        **sums(items),
        decided=outcome.isin(DECIDED).sum().cast("int64"),
        to_decide=(outcome == "undecided").sum().cast("int64"),
        again=items.again.fill_null(False).sum().cast("int64"),
        encrypted=(items.encrypted.fill_null(False)).sum().cast("int64"),
    )
    row = ask.rows(counted)[0]
    return {name: value or 0 for name, value in row.items()}


def receipts(ask: Ask) -> list[Figure]:
    """For every target and status: the lines of the newest manifest, each with its last receipt
    there; `waiting` has none yet. Folders are lines without a digest."""
    query = ask.query
    runs = [run for run in query.estate.runs("move") if run.parts]
    if not runs:
        return []
    every = ibis.union(*(_receipts_of(query, run) for run in runs))
    nth = ibis.row_number().over(
        group_by=["target", "entry_id", "target_path"],
        order_by=[every.status != GOOD, ibis.desc("run")],
    )
    last = query.stored(every.mutate(nth=nth).filter(ibis._.nth == 0).drop("nth"))
    lines = query.table("manifest").select("entry_id", "target_path", "size_bytes", "xxh3_128")
    targets = last.select("target").distinct()
    pairs = lines.cross_join(targets)
    same = [
        pairs.target == last.target,
        pairs.entry_id == last.entry_id,
        pairs.target_path == last.target_path,
        (last.status != GOOD) | pairs.xxh3_128.identical_to(last.xxh3_128),
    ]
    table = pairs.left_join(last, same, rname="last_{name}")
    table = table.mutate(state=ibis.coalesce(table.status, NOT_MOVED_YET))
    counted = table.group_by(["target", "state"]).aggregate(
        lines=table.count(), size_bytes=table.size_bytes.sum().cast("int64")
    )
    return ask.rows(counted.order_by("target", "state"))


def _receipts_of(query: Query, run: Run) -> Relation:
    table = query.run_table("receipts", run)
    columns = ["target", "entry_id", "target_path", "status", "xxh3_128"]
    return table.select(*columns, run=ibis.literal(run.run_id))


def scans(estate: Estate) -> list[Figure]:
    """The crawl that counts for each share, and how it read the files."""
    return [
        {
            "share": run.settings["share"], "run": run.run_id, "started_at": run.started_at,
            "finished_at": run.finished_at, "content": run.settings.get("content", True),
            "mime": run.settings.get("mime", True), "sha256": run.settings.get("sha256", False),
        }
        for run in sorted(estate.scans(), key=lambda run: str(run.settings["share"]))
    ]  # fmt: skip


def _shown_stage(run: Run) -> str:
    share = run.settings.get("share")
    return f"{run.stage} of {share}" if share else run.stage


def history(estate: Estate) -> list[Figure]:
    """Every run of every stage, as the log has it."""
    return [
        {
            "run": run.run_id, "stage": _shown_stage(run), "started_at": run.started_at,
            "finished_at": run.finished_at,
        }
        for run in estate.runs()
    ]  # fmt: skip


def warnings(estate: Estate, config: Config, rules_now: str | None) -> list[str]:
    """What makes the figures older, or less complete, than they look."""
    return [*_unfinished(estate, config), *_outdated(estate, rules_now)]


def _unfinished(estate: Estate, config: Config) -> Iterator[str]:
    found = {scan.settings["share"]: scan for scan in estate.scans()}
    for share in config.shares:
        scan = found.get(share.name)
        newest = [run for run in estate.runs("crawl") if run.settings["share"] == share.name][-1:]
        if scan is None:
            yield f"The share {share.name} has not been crawled: run migrate crawl."
        elif not scan.finished:
            yield f"The crawl of {share.name} has not ended: its figures are not complete."
        elif newest and not newest[0].finished:
            at = newest[0].started_at[:10]
            yield (
                f"A newer crawl of {share.name}, begun on {at}, has not ended. The figures are "
                "those of the crawl before it."
            )
    for name in sorted(set(found) - {share.name for share in config.shares}):
        yield f"The share {name} is no longer in estate.yaml; its figures are still in this report."


def _outdated(estate: Estate, rules_now: str | None) -> Iterator[str]:
    groups, flagged = estate.latest("dedupe"), estate.latest("flag")
    scans = {run.run_id for run in estate.scans()}
    if groups and not scans <= set(groups.inputs):
        yield "The duplicates are older than the newest crawl: run migrate dedupe again."
    if flagged and not scans | ({groups.run_id} if groups else set()) <= set(flagged.inputs):
        yield (
            "The proposals are older than the crawl or the duplicates they rest on: "
            "run migrate flag again."
        )
    if flagged and rules_now and rules_now != flagged.settings.get("rules"):
        yield "The rules or the holds have changed since they were run: run migrate flag again."
    manifest = estate.latest("manifest")
    if manifest is None:
        return
    basis = scans | ({flagged.run_id} if flagged else set())
    decided = [run.run_id for run in estate.runs("review import") if run.parts]
    if not basis <= set(manifest.inputs) or max(decided, default=0) > manifest.run_id:
        yield (
            "The manifest is older than the crawl, the proposals or the decisions: "
            "run migrate manifest again."
        )
