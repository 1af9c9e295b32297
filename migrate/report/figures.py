"""Room: the figures of an estate, one query for each.

In: tables. Out: plain rows, and `Figures`, everything that the report shows. Every figure that is
printed or drawn anywhere comes from here or from sections.py.
Never: the clock; a zero for a stage that was not run (its field is None).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import ibis

from migrate import __version__
from migrate.config import Config, load
from migrate.engine.query import Query
from migrate.errors import RulesInvalid
from migrate.estate import Estate
from migrate.facts import content_key, contents, full_path
from migrate.flag.rules import LADDER, as_of_date, load_holds, load_rules
from migrate.flag.stage import rule_set_digest
from migrate.move import GOOD
from migrate.report import sections
from migrate.wording import count_text, size_text
from migrate.yamlfile import Document

Figure = dict[str, Any]


def crawled(estate: Estate) -> list[Figure]:
    """Per share: files, folders, others, bytes, and what could not be read."""
    with Query(estate) as query:
        entries = query.table("entries").drop("error")
        table = entries.left_join(sections.errors(query), "entry_id")
        failed = table.error.notnull()
        summed = table.group_by("share").aggregate(
            files=(table.kind == "file").sum(),
            folders=(table.kind == "folder").sum(),
            other=table.kind.isin(["symlink", "other"]).sum(),
            size_bytes=table.size_bytes.sum().cast("int64"),
            failed=failed.sum(),
        )
        rows = query.rows(summed.order_by("share"))
        return [{**row, "size_bytes": row["size_bytes"] or 0} for row in rows]


def failures(estate: Estate) -> dict[str, int]:
    """How many entries could not be read, by reason."""
    with Query(estate) as query:
        every = sections.errors(query)
        counted = every.group_by("error").aggregate(n=every.count())
        rows = query.rows(counted.order_by(ibis.desc("n"), "error"))
        return {row["error"]: row["n"] for row in rows}


def formats(estate: Estate, most: int = 20) -> list[Figure]:
    """The commonest formats by number of files (copies counted)."""
    with Query(estate) as query:
        files = contents(query)
        files = files.mutate(content_key=content_key(files))
        known = query.table("formats").select("content_key", "puid", "format_name")
        joined = files.inner_join(known.distinct(on="content_key"), "content_key")
        counted = joined.group_by(["puid", "format_name"]).aggregate(files=joined.count())
        return list(query.rows(counted.order_by(ibis.desc("files"), "puid").limit(most)))


def largest_groups(estate: Estate, most: int = 20) -> list[Figure]:
    """Groups of identical files by the space that copies take."""
    with Query(estate) as query:
        groups = query.table("groups")
        copies = groups.filter(groups.role == "copy").group_by(["group_id", "keeper_id"])
        in_copies = ibis._.size_bytes.sum().cast("int64")
        copies = copies.aggregate(copies=ibis._.count(), size_bytes=in_copies)
        entries = query.table("entries")
        keepers = entries.select(keeper_id="entry_id", keeper=full_path(entries))
        rows = copies.inner_join(keepers, "keeper_id").select("keeper", "copies", "size_bytes")
        return list(query.rows(rows.order_by(ibis.desc("size_bytes"), "keeper").limit(most)))


def flagged(estate: Estate) -> list[Figure]:
    """By deciding category and action: entries, bytes and the rule that hits most."""
    with Query(estate) as query:
        findings = query.table("findings")
        deciding = findings.filter(findings.deciding)
        entries = query.table("entries").select("entry_id", "size_bytes")
        joined = deciding.inner_join(entries, "entry_id")
        by_rule = joined.group_by(["category", "action", "title"]).aggregate(
            files=joined.count(), size_bytes=joined.size_bytes.sum().cast("int64")
        )
        grouped: dict[tuple[str, str], Figure] = {}
        for row in query.rows(by_rule.order_by(ibis.desc("files"), "title")):
            line = grouped.setdefault(
                (row["category"], row["action"]),
                {"category": row["category"], "action": row["action"], "files": 0, "size_bytes": 0,
                 "commonest": row["title"]},
            )  # fmt: skip
            line["files"] += row["files"]
            line["size_bytes"] += row["size_bytes"] or 0
    return sorted(
        grouped.values(), key=lambda line: (LADDER.index(line["category"]), line["action"])
    )


@dataclass(frozen=True)
class Headline:
    """One line of the summary: what, how much, and what to know about it."""

    what: str
    figure: str
    note: str


@dataclass(frozen=True)
class Figures:
    """Everything that the report shows. A field is None where its stage was not run."""

    title: str
    state: Figure  # which state of the estate: log lines, head, date of the last line, versions
    warnings: list[str]
    as_of: str
    totals: Figure
    shares: list[Figure]
    ages: list[Figure]
    folders: list[Figure]  # directly below a share
    subfolders: list[Figure]
    mime_types: list[Figure]
    puids: list[Figure] | None
    owners: Figure
    unreadable: list[Figure]
    held: list[Figure]
    duplicates: Figure | None
    proposed: list[Figure] | None
    categories: list[Figure] | None
    rules: list[Figure] | None
    sensitive: list[Figure] | None
    units: list[Figure] | None
    review: Figure  # workbooks exported and imported
    manifest: Figure | None
    receipts: list[Figure] | None
    scans: list[Figure]
    flag: Figure | None
    history: list[Figure]

    def proposal(self, name: str) -> Figure | None:
        """Items, files and bytes with one proposal; None before anything is flagged."""
        return next((row for row in self.proposed or [] if row["proposal"] == name), None)

    def effect(self) -> Figure | None:
        """Bytes now; if what is proposed for disposal goes; if all that waits for a person goes."""
        dispose, review = self.proposal("dispose"), self.proposal("review")
        if dispose is None or review is None:
            return None
        now = self.totals["size_bytes"]
        after = now - dispose["size_bytes"]
        return {"now": now, "after_disposal": after, "least": after - review["size_bytes"]}

    def headlines(self) -> list[Headline]:
        """The summary, for the console and the top of the page."""
        return [*_what_there_is(self), *_what_is_proposed(self), *_what_is_done(self)]

    def as_data(self) -> dict[str, Any]:
        """All of it, for scripts."""
        return {**asdict(self), "effect": self.effect()}


def figures(estate: Estate, config: Config) -> Figures:
    """Every figure of the report, of the estate as its log has it now.

    Errors: RulesInvalid if estate.yaml's holds cannot be read."""
    _, document = load(estate.config_path)
    holds = load_holds(config, document)
    flagged = estate.latest("flag")
    words, warnings = _rules_now(estate, config, document)
    day = _as_of(estate, config)
    with Query(estate) as query:
        ask = sections.asking(query, config, holds, day)
        asked = {**_of_facts(ask), **(_of_findings(ask, words) if flagged else _NOT_FLAGGED)}
        duplicates = _duplicates(ask)
        moved = sections.receipts(ask) or None
    return Figures(
        title=config.title,
        state=_state(estate),
        warnings=warnings,
        as_of=day.isoformat(),
        shares=crawled(estate),
        puids=formats(estate, 12) if estate.latest("identify") else None,
        duplicates=duplicates,
        review=_review(estate),
        manifest=_manifest(estate),
        receipts=moved,
        scans=sections.scans(estate),
        flag={**flagged.settings, "run": flagged.run_id} if flagged else None,
        history=sections.history(estate),
        **asked,
    )


_NOT_FLAGGED = dict.fromkeys(["proposed", "categories", "rules", "sensitive", "units"])


def _rules_now(
    estate: Estate, config: Config, document: Document
) -> tuple[dict[str, str], list[str]]:
    """What the rules say of themselves (only if they are still those that were run), and what to
    warn of."""
    flagged = estate.latest("flag")
    try:
        rules = load_rules(config, document, estate.root)
    except RulesInvalid as invalid:
        unread = f"The rule files have {count_text(len(invalid.faults), 'fault')} now."
        return {}, [unread, *sections.warnings(estate, config, None)]
    digest = rule_set_digest(rules)
    same = flagged is not None and flagged.settings.get("rules") == digest
    return sections.explained(rules) if same else {}, sections.warnings(estate, config, digest)


def _as_of(estate: Estate, config: Config) -> date:
    """The day that the findings count back from; before there are any, the one flag would take."""
    flagged = estate.latest("flag")
    if flagged:
        return date.fromisoformat(flagged.settings["as_of"])
    begun = [scan.started_at for scan in estate.scans()] or [estate.log.records[0]["at"]]
    return as_of_date(config, None, max(begun))


def _of_facts(ask: sections.Ask) -> Figure:
    """What needs no findings."""
    return {
        "totals": sections.totals(ask),
        "ages": sections.ages(ask),
        "folders": sections.folders(ask, 1, 20),
        "subfolders": sections.folders(ask, 2, 20),
        "mime_types": sections.mime_types(ask),
        "owners": sections.owners(ask),
        "unreadable": sections.unreadable(ask),
        "held": sections.held(ask),
    }


def _of_findings(ask: sections.Ask, words: dict[str, str]) -> Figure:
    """What says nothing before rules were run."""
    return {
        "proposed": sections.proposed(ask),
        "categories": sections.categories(ask),
        "rules": sections.rules(ask, words),
        "sensitive": sections.sensitive(ask),
        "units": sections.units(ask),
    }


def _state(estate: Estate) -> Figure:
    """Which state of the estate the figures are of, so that it can be found again."""
    last = estate.log.records[-1]
    commands = [record for record in estate.log.records if record["kind"] == "command"]
    return {
        "log_lines": len(estate.log.records),
        "log_head": estate.log.head,
        "last_change": last["at"],
        "versions": sorted({record["version"] for record in commands}),
        "report_version": __version__,
    }


def _duplicates(ask: sections.Ask) -> Figure | None:
    """Groups, copies and their bytes, as dedupe counted them, and the ten largest."""
    estate = ask.query.estate
    run, flagged = estate.latest("dedupe"), estate.latest("flag") is not None
    return {**run.summary, "largest": sections.largest_copies(ask, 10, flagged)} if run else None


def _review(estate: Estate) -> Figure:
    """Workbooks handed out last, and those read back since the beginning."""
    exported = estate.latest("review export")
    imported = [run for run in estate.runs("review import") if run.finished]
    return {
        "exported_at": exported.finished_at if exported else None,
        "workbooks": len(exported.summary.get("workbooks", [])) if exported else 0,
        "imports": len(imported),
        "imported_at": imported[-1].finished_at if imported else None,
        "refused": sum(len(run.summary.get("refused", [])) for run in imported),
    }


def _manifest(estate: Estate) -> Figure | None:
    """The newest manifest's account of everything, in a fixed order."""
    run = estate.latest("manifest")
    if run is None:
        return None
    found = {account["outcome"]: account for account in run.summary["accounts"]}
    empty = {"files": 0, "size_bytes": 0}
    accounts = [{"outcome": name, **empty, **found.get(name, {})} for name in sections.OUTCOMES]
    return {"run": run.run_id, "made_at": run.finished_at, "accounts": accounts,
            "renamed": run.summary.get("renamed", 0)}  # fmt: skip


def _what_there_is(found: Figures) -> list[Headline]:
    files, size = sum(share["files"] for share in found.shares), found.totals["size_bytes"]
    lines = [
        Headline(
            "Files", f"{files:,}", f"{size_text(size)} on {count_text(len(found.shares), 'share')}"
        )
    ]
    same = found.duplicates
    if same is None:
        lines.append(Headline("Duplicates", "not looked for yet", "run migrate dedupe"))
    else:
        note = f"copies beyond the one kept, in {count_text(same['groups'], 'group')}"
        size = size_text(same["copies_size_bytes"])
        lines.append(Headline("Duplicates", f"{same['copies']:,}", f"{note}, {size}"))
    return lines


def _what_is_proposed(found: Figures) -> list[Headline]:
    def line(what: str, name: str, note: str) -> Headline:
        row = found.proposal(name)
        if row is None:
            return Headline(what, "not flagged yet", "run migrate flag")
        return Headline(what, f"{row['items']:,}", f"{size_text(row['size_bytes'])}; {note}")

    held = sum(hold["items"] for hold in found.held)
    size = sum(hold["size_bytes"] for hold in found.held)
    holds = f"{size_text(size)}; {count_text(len(found.held), 'hold')} in force"
    holds += "" if found.duplicates else "; copies elsewhere not known before migrate dedupe"
    marked = "not flagged yet" if found.sensitive is None else f"{found.sensitive[0]['items']:,}"
    why = "run migrate flag" if found.sensitive is None else "by name or content, at least one rule"
    failed = sum(row["items"] for row in found.unreadable)
    kept = "kept out of disposal" if failed else "all that was looked at was readable"
    return [
        line("Proposed for disposal", "dispose", "goes only if a person approves"),
        line("For a person to decide", "review", "the rules make no proposal"),
        Headline("On hold", f"{held:,}", holds if found.held else "no hold is in force"),
        Headline("Sensitive", marked, why),
        Headline("Could not be read", f"{failed:,}", kept),
    ]


def _what_is_done(found: Figures) -> list[Headline]:
    decided, open_items = found.totals["decided"], found.totals["to_decide"]
    if found.review["imports"]:
        note = f"of {decided + open_items:,}; {open_items:,} open, proposals to confirm included"
        lines = [Headline("Decided", f"{decided:,}", note)]
    else:
        lines = [Headline("Decided", "none yet", "no review workbook has come back")]
    if found.manifest is None:
        lines.append(Headline("In the manifest", "not made yet", "run migrate manifest"))
        return lines
    account = found.manifest["accounts"][0]
    size = size_text(account["size_bytes"])
    lines.append(Headline("In the manifest", f"{account['files']:,}", f"{size} to move"))
    if found.receipts is None:
        lines.append(Headline("Moved and verified", "nothing yet", "run migrate move"))
    for target in sorted({row["target"] for row in found.receipts or []}):
        rows = [row for row in found.receipts or [] if row["target"] == target]
        good = sum(row["lines"] for row in rows if row["state"] == GOOD)
        note = f"of {sum(row['lines'] for row in rows):,}, in {target}"
        lines.append(Headline("Moved and verified", f"{good:,}", note))
    return lines
