"""Room: the figures of an estate, one query for each.

In: tables. Out: plain rows, and `Figures`, everything that the report shows. Every figure that is
printed or drawn anywhere comes from here, from sections.py or from logged.py.
Never: the clock; a zero for a stage that was not run (its field is None).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import ibis
from msgspec import Struct, to_builtins
from msgspec.structs import asdict

from migrate.config import Config, load
from migrate.contents import contents
from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.expressions import full_path
from migrate.flag.rules import LADDER, as_of_date, load_holds
from migrate.inside.known import failed_contents, first_not_looked_into, not_looked_into
from migrate.report import logged, sections
from migrate.report.area import area
from migrate.report.headlines import Headline, headlines
from migrate.report.opened import opened
from migrate.report.sections import Ask, Figure, total
from migrate.scans import rescans
from migrate.sources import OFFLINE


def crawled(estate: Estate) -> list[Figure]:
    """Per share: files, folders, others, bytes, what could not be read, what is kept offline."""
    with Query(estate) as query:
        entries = query.table("entries").drop("error")
        table = entries.left_join(sections.errors(query), "entry_id")
        summed = table.group_by("share").aggregate(
            files=total(table.kind == "file"),
            folders=total(table.kind == "folder"),
            other=total(table.kind.isin(["symlink", "other"])),
            size_bytes=total(table.size_bytes),
            failed=total(table.error.notnull() & (table.error != OFFLINE)),
            offline=total(table.error == OFFLINE),
        )
        return list(query.rows(summed.order_by("share")))


# What was seen inside files: words for it, and which rows it is of.
INSIDE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "archives": ("archives listed", lambda t: t.members.notnull()),
    "archives_elsewhere": (
        "archives whose files all lie outside too", lambda t: t.members_elsewhere == "all",
    ),
    "shortcuts": ("shortcuts read", lambda t: t.shortcut_target.notnull()),
    "shortcuts_gone": ("shortcuts to nothing", lambda t: t.shortcut == "gone"),
    "documents": ("documents whose text was read", lambda t: t.ni_numbers.notnull()),
    "ni_numbers": ("with National Insurance numbers", lambda t: t.ni_numbers > 0),
    "nhs_numbers": ("with NHS numbers", lambda t: t.nhs_numbers > 0),
    "prison_numbers": ("with prison numbers", lambda t: t.prison_numbers > 0),
    "pnc_numbers": ("with PNC or CRO numbers", lambda t: t.pnc_numbers > 0),
    "marked": ("with a protective marking", lambda t: t.marking.notnull()),
    "near_dups": ("nearly the same as a newer one", lambda t: t.near_dup == "not_newest"),
}  # fmt: skip


def looked_into(estate: Estate, most: int = 1_000) -> tuple[Figure, list[Figure], Figure]:
    """How many files (copies counted) each line of INSIDE is of; why others could not be looked
    into, with the number of contents; and how many `files` those are, the first of them `listed`.
    """
    with Query(estate) as query:
        files = contents(query).select("entry_id", "content_key")
        table = files.inner_join(query.table("inside"), "content_key")
        sums = {name: total(test(table)) for name, (_, test) in INSIDE.items()}
        failed = failed_contents(query).group_by("reason").aggregate(files=ibis._.count())
        failed = failed.order_by(ibis.desc("files"), "reason")
        entries = query.table("entries")
        closed = query.stored(
            entries.select("entry_id", full_path=full_path(entries)).inner_join(
                not_looked_into(query), "entry_id"
            )
        )
        named = {
            "files": query.count(closed), "listed": first_not_looked_into(query, closed, most),
        }  # fmt: skip
        return next(query.rows(table.aggregate(**sums))), list(query.rows(failed)), named


def flagged(estate: Estate) -> list[Figure]:
    """By deciding category and action: entries, bytes and the rule that hits most."""
    with Query(estate) as query:
        findings = query.table("findings")
        deciding = findings.filter(findings.deciding)
        entries = query.table("entries").select("entry_id", "size_bytes")
        joined = deciding.inner_join(entries, "entry_id")
        by_rule = joined.group_by(["category", "action", "title"]).aggregate(
            files=joined.count(), size_bytes=total(joined.size_bytes)
        )
        grouped: dict[tuple[str, str], Figure] = {}
        for row in query.rows(by_rule.order_by(ibis.desc("files"), "title")):
            line = grouped.setdefault(
                (row["category"], row["action"]),
                {"category": row["category"], "action": row["action"], "files": 0, "size_bytes": 0,
                 "commonest": row["title"]},
            )  # fmt: skip
            line["files"] += row["files"]
            line["size_bytes"] += row["size_bytes"]
    return sorted(
        grouped.values(), key=lambda line: (LADDER.index(line["category"]), line["action"])
    )


class Figures(Struct, frozen=True):
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
    risks: list[Figure]  # of formats being lost
    mime_types: list[Figure]
    puids: list[Figure] | None
    owners: Figure
    unreadable: list[Figure]
    not_looked_into: Figure | None  # archives, shortcuts and documents that inspect got no sight of
    held: list[Figure]
    duplicates: Figure | None
    proposed: list[Figure] | None
    categories: list[Figure] | None
    rules: list[Figure] | None
    sensitive: list[Figure] | None
    units: list[Figure] | None
    area: list[Figure] | None  # where the bytes are, by folder, proposal, age and risk
    attention: list[Figure] | None  # what rules that look at formats noticed
    opened: dict[str, Figure] | None  # figures by folder and by rule
    review: Figure  # workbooks exported and imported
    manifest: Figure | None
    receipts: list[Figure] | None
    scans: list[Figure]
    rescans: list[Figure]  # of shares scanned twice: what has changed, what was taken over
    flag: Figure | None
    history: list[Figure]
    cost: Figure | None  # what a gigabyte costs a year, if estate.yaml says so

    def proposal(self, name: str) -> Figure | None:
        """Items, files and bytes with one proposal; None before anything is flagged."""
        return next((row for row in self.proposed or [] if row["proposal"] == name), None)

    def effect(self) -> Figure | None:
        """Bytes and items now; if what is proposed for disposal goes; if all that waits for a
        person goes."""
        dispose, review = self.proposal("dispose"), self.proposal("review")
        if dispose is None or review is None:
            return None
        found: Figure = {}
        for key, what in (("", "size_bytes"), ("items_", "items")):
            after = self.totals[what] - dispose[what]
            found |= {f"{key}now": self.totals[what], f"{key}after_disposal": after,
                      f"{key}least": after - review[what]}  # fmt: skip
        return found

    def cost_text(self, size_bytes: int) -> str:
        """What so many bytes cost a year; nothing where nobody has said what a gigabyte costs."""
        if self.cost is None:
            return ""
        amount = size_bytes / (1 << 30) * self.cost["per_gb_year"]
        return f"{self.cost['currency']}{amount:,.{0 if amount >= 10 else 2}f}"

    def headlines(self) -> list[Headline]:
        """The summary, for the console and the top of the page."""
        return headlines(self)

    def as_data(self) -> dict[str, Any]:
        """All of it, for scripts."""
        return {**asdict(self), "effect": self.effect()}


def figures(estate: Estate, config: Config) -> Figures:
    """Every figure of the report, of the estate as its log has it now.

    Errors: RulesInvalid if estate.yaml's holds cannot be read."""
    _, document = load(estate.config_path)
    holds = load_holds(config, document, estate.root)
    words, about_formats, warnings = logged.rules_now(estate, config, document)
    run, day = estate.latest("flag"), _as_of(estate, config)
    with Query(estate) as query:
        query.doing("report: what becomes of every item")
        ask = sections.asking(query, config, holds, (words, about_formats), day)
        query.doing("report: adding up")
        asked = {name: question(ask) for name, question in _ALWAYS.items()}
        asked |= {name: question(ask) if run else None for name, question in _ONCE_FLAGGED.items()}
        duplicates = _duplicates(ask)
        puids = sections.puids(ask) if estate.latest("identify") else None
        looked = estate.latest("inspect")
        closed = sections.not_looked_into(ask, run is not None) if looked else None
        receipts = logged.receipts(query) or None
    return Figures(
        title=config.title,
        state=logged.state(estate),
        warnings=warnings,
        as_of=day.isoformat(),
        shares=crawled(estate),
        puids=puids,
        duplicates=duplicates,
        not_looked_into=closed,
        review=logged.review(estate),
        manifest=logged.manifest(estate),
        receipts=receipts,
        scans=logged.scans(estate),
        rescans=rescans(estate),
        flag={**run.settings, "run": run.run_id} if run else None,
        history=logged.history(estate),
        cost=to_builtins(config.storage_cost) if config.storage_cost else None,
        **asked,
    )


_ALWAYS: dict[str, Callable[[Ask], Any]] = {
    "totals": sections.totals,
    "ages": sections.ages,
    "folders": partial(sections.folders, depth=1),
    "subfolders": partial(sections.folders, depth=2),
    "risks": sections.risks,
    "mime_types": sections.mime_types,
    "owners": sections.owners,
    "unreadable": sections.unreadable,
    "held": sections.held,
}
_ONCE_FLAGGED: dict[str, Callable[[Ask], Any]] = {
    "proposed": sections.proposed,
    "categories": sections.categories,
    "rules": sections.rules,
    "sensitive": sections.sensitive,
    "units": sections.units,
    "attention": sections.attention,
    "area": area,
    "opened": opened,
}


def _as_of(estate: Estate, config: Config) -> date:
    """The day that the findings count back from; before there are any, the one flag would take."""
    flagged = estate.latest("flag")
    if flagged:
        return date.fromisoformat(flagged.settings["as_of"])
    begun = [scan.started_at for scan in estate.scans()] or [estate.log.records[0]["at"]]
    return as_of_date(config, None, max(begun))


def _duplicates(ask: Ask) -> Figure | None:
    """Groups, copies and their bytes, as dedupe counted them, and the ten largest."""
    estate = ask.query.estate
    run, flagged = estate.latest("dedupe"), estate.latest("flag") is not None
    if run is None:
        return None
    return {
        **run.summary,
        "largest": sections.largest_copies(ask, 10, flagged),
        "folders": sections.folder_copies(ask, 10, flagged),
    }
