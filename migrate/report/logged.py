"""Room: what the log, and the receipts it leads to, say of an estate.

In: the log. Out: plain rows for the report; what makes its figures older than they look.
Never: the clock; a warning that names no command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import ibis

from migrate import __version__
from migrate.config import Config
from migrate.engine.query import Query
from migrate.errors import RulesInvalid
from migrate.estate import Estate, Run
from migrate.flag.language import leaves
from migrate.flag.rules import Rule, load_rules
from migrate.flag.stage import rule_set_digest
from migrate.move import GOOD
from migrate.plan import OUTCOMES
from migrate.report.sections import Figure, Relation, total
from migrate.scans import is_disproved
from migrate.wording import count_text
from migrate.yamlfile import Document

NOT_MOVED_YET = "waiting"
FORMAT_FIELDS = {"puid", "identified", "ext_mismatch", "encrypted"}
PLACEHOLDERS = {
    "mtime": "date", "ctime": "date", "atime": "date", "birthtime": "date", "ext": "extension",
    "dup_keeper_path": "the copy kept", "format_name": "format", "path_len": "length",
    "retention_class": "class", "puid": "PUID", "mime": "type", "folder_copy_path": "the folder",
    "folder_copy_of": "the folder kept", "folder_copy_note": "how much of it",
    "format_plan": "their plan", "version_latest_path": "the newer version",
    "near_dup_path": "the newer one", "near_dup_percent": "how many", "ni_numbers": "how many",
    "nhs_numbers": "how many", "rendition_of": "the original", "shortcut_target": "its target",
    "members": "how many", "retention_period": "period", "retention_due": "date",
    "retention_basis": "trigger", "retention_action": "what the schedule says",
    "retention_authority": "authority",
}  # fmt: skip


def state(estate: Estate) -> Figure:
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


def history(estate: Estate) -> list[Figure]:
    """Every run of every stage, as the log has it."""
    return [
        {
            "run": run.run_id, "stage": _shown_stage(run), "started_at": run.started_at,
            "finished_at": run.finished_at,
        }
        for run in estate.runs()
    ]  # fmt: skip


def _shown_stage(run: Run) -> str:
    share = run.settings.get("share")
    return f"{run.stage} of {share}" if share else run.stage


def review(estate: Estate) -> Figure:
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


def manifest(estate: Estate) -> Figure | None:
    """The newest manifest's account of everything, in a fixed order."""
    run = estate.latest("manifest")
    if run is None:
        return None
    found = {account["outcome"]: account for account in run.summary["accounts"]}
    empty = {"files": 0, "size_bytes": 0}
    accounts = [{"outcome": name, **empty, **found.get(name, {})} for name in OUTCOMES]
    return {
        "run": run.run_id, "inputs": run.inputs, "made_at": run.finished_at, "accounts": accounts,
        "renamed": run.summary.get("renamed", 0),
    }  # fmt: skip


def receipts(query: Query) -> list[Figure]:
    """For every target and status: the lines of the newest manifest, each with its last receipt
    there; `waiting` has none yet. Folders are lines without a digest."""
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
        lines=table.count(), size_bytes=total(table.size_bytes)
    )
    return list(query.rows(counted.order_by("target", "state")))


def _receipts_of(query: Query, run: Run) -> Relation:
    table = query.run_table("receipts", run)
    columns = ["target", "entry_id", "target_path", "status", "xxh3_128"]
    return table.select(*columns, run=ibis.literal(run.run_id))


def rules_now(
    estate: Estate, config: Config, document: Document
) -> tuple[dict[str, str], list[str], list[str]]:
    """What the rules say of themselves and which of them look at formats (only if they are still
    those that were run), and what to warn of."""
    flagged = estate.latest("flag")
    try:
        rules = load_rules(config, document, estate.root)
    except RulesInvalid as invalid:
        unread = f"The rule files have {count_text(len(invalid.faults), 'fault')} now."
        return {}, [], [unread, *warnings(estate, config, None)]
    digest = rule_set_digest(rules)
    same = flagged is not None and flagged.settings.get("rules") == digest
    told = (explained(rules), _about_formats(rules)) if same else ({}, [])
    return *told, warnings(estate, config, digest)


def _about_formats(rules: list[Rule]) -> list[str]:
    """Rules that ask what format a file has, or whether it can be opened, of what may be kept."""
    kept = [rule for rule in rules if rule.category not in ("redundant", "trivial", "handling")]
    asked = {rule.id: {leaf.field for leaf in leaves(rule.condition)} for rule in kept}
    return sorted(name for name, fields in asked.items() if fields & FORMAT_FIELDS)


def explained(rules: list[Rule]) -> dict[str, str]:
    """Why each rule proposes what it does, in its own words, with [size] for {size}."""
    return {rule.id: re.sub(r"\{(\w+)\}", _placeholder, rule.explain) for rule in rules}


def _placeholder(match: re.Match[str]) -> str:
    return f"[{PLACEHOLDERS.get(match[1], match[1])}]"


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
        elif is_disproved(scan):
            yield (
                f"The newest scan of {share.name} took digests over that are not true: files read "
                "again to prove them had changed unseen. Run migrate crawl --reread."
            )
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
    scans = set(estate.scan_ids())
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
