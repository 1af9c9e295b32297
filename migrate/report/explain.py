"""Room: one entry's story, from what was seen to what was done, for whoever asks years later.

In: a path. Out: facts, group, every finding with the clauses that hit, holds, decisions, manifest
line and receipts; of what the newest scan has not found, as it stood before that scan.
Never: a guess about which file was meant.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import ibis
from msgspec import Struct
from msgspec.structs import asdict

from migrate.config import Config
from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.facts import facts
from migrate.flag.fields import FIELDS
from migrate.flag.language import Leaf, signed_leaves
from migrate.flag.modifiers import TIME
from migrate.flag.rules import Rule
from migrate.flag.stage import day_words
from migrate.inside.known import not_looked_into
from migrate.plan import SCOPES, outcomes
from migrate.report.asked import find
from migrate.report.gone import gone_lines
from migrate.wording import count_text, size_text, time_text

MOST_OF_A_CLAUSE = 120  # a list of hundreds of values is shown by its beginning


class Story(Struct, frozen=True):
    """What there is to tell, in the tables' own words."""

    entry: dict[str, Any]
    group: list[dict[str, Any]]
    folder: dict[str, Any] | None  # the replicated folder it lies in
    findings: list[dict[str, Any]]
    outcome: dict[str, Any] | None
    decisions: list[dict[str, Any]]
    manifest: list[dict[str, Any]]
    receipts: list[dict[str, Any]]
    gone: dict[str, Any] | None  # see gone.py

    def as_data(self) -> dict[str, Any]:
        """For scripts: bytes as hex."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def sections(self) -> list[tuple[str, list[str]]]:
        """For people: headings, each with its lines; empty ones are left out."""
        every = [
            (self.entry["full_path"], [*gone_lines(self.gone), *_entry_lines(self.entry)]),
            ("Identical files", _group_lines(self.group)),
            ("Its folder elsewhere", _folder_lines(self.folder)),
            ("Findings", _findings_lines(self.findings)),
            ("What should happen", [] if self.gone else _outcome_lines(self.outcome)),
            ("Decisions", [_decision_line(decision) for decision in self.decisions]),
            ("In the manifest", [_manifest_line(line) for line in self.manifest]),
            ("Receipts", [_receipt_line(receipt) for receipt in self.receipts]),
        ]  # fmt: skip
        return [(heading, lines) for heading, lines in every if lines]


def explain(estate: Estate, config: Config, rules: list[Rule], as_of: date, path: str) -> Story:
    """The story of the entry at a path: share/folder/name, or where it is on this machine.

    Errors: UsageError if there is none, with the nearest there are."""
    holds = [rule for rule in rules if rule.category == "hold"]
    with Query(estate) as query:
        everything = facts(query, config)
        number, gone = find(query, config, everything, path)
        lasting: dict[str, Any] = {
            "decisions": _rows(query, query.all_decisions(), number, "decision_seq"),
            "receipts": _rows(query, query.table("receipts"), number, "verified_at"),
        }
        if not gone:
            fates = outcomes(query, config, holds, as_of)
            fate = next(query.rows(fates.filter(fates.entry_id == number)), None)
            known = _known(query, everything, number, rules, as_of)
            return Story(**known, **lasting, outcome=fate, gone=None)
    then = estate.before(gone["missed_by"][0]["scan"])
    flagged = then.latest("flag")
    day = date.fromisoformat(flagged.settings["as_of"]) if flagged else as_of
    with Query(then) as query:
        known = _known(query, facts(query, config), number, rules, day)
        return Story(**known, **lasting, outcome=None, gone=gone)


def _rows(query: Query, table: Any, number: int, order: str) -> list[dict[str, Any]]:
    return list(query.rows(table.filter(table.entry_id == number).order_by(order)))


def _known(
    query: Query, everything: Any, number: int, rules: list[Rule], as_of: date
) -> dict[str, Any]:
    """What the tables of an estate say of an entry."""
    entry = next(query.rows(everything.filter(everything.entry_id == number)))
    closed = query.rows(not_looked_into(query).filter(ibis._.entry_id == number))
    entry["not_looked_into"] = next((row["reason"] for row in closed), None)
    findings = _rows(query, query.table("findings"), number, "rule_id")
    findings.sort(key=lambda finding: not finding["deciding"])
    _add_clauses(query, everything, number, rules, as_of, findings)
    return {
        "entry": entry, "group": _group(query, everything, entry), "folder": _folder(query, entry),
        "findings": findings,
        "manifest": _rows(query, query.table("manifest"), number, "target_path"),
    }  # fmt: skip


def _group(query: Query, everything: Any, entry: dict[str, Any]) -> list[dict[str, Any]]:
    if entry["group_id"] is None:
        return []
    members = everything.filter(everything.group_id == entry["group_id"])
    shown = members.select(
        "full_path", "role", "owner", "mtime_ns", "birthtime_ns", "permissions_differ"
    )
    return list(query.rows(shown.order_by(members.role != "keeper", "full_path")))


def _folder(query: Query, entry: dict[str, Any]) -> dict[str, Any] | None:
    folder = entry["entry_id"] if entry["kind"] == "folder" else entry["parent_id"]
    trees = query.table("folder_copies")
    mine = (trees.entry_id == folder) & (trees.scan_id == entry["scan_id"])
    return next(query.rows(trees.filter(mine)), None)


def _add_clauses(
    query: Query, everything: Any, number: int, rules: list[Rule], as_of: date,
    findings: list[dict[str, Any]],
) -> None:  # fmt: skip
    """To each finding, every clause of its rule: what it asks, the entry's value, the answer, where
    it stands. Rules are read as they stand now; one that has gone since has no clauses."""
    row = everything.filter(everything.entry_id == number)
    for finding in findings:
        variants = [rule for rule in rules if rule.id == finding["rule_id"]]
        answered = [_clauses(query, row, rule, as_of) for rule in variants]
        hit = [clauses for is_hit, clauses in answered if is_hit]
        finding["clauses"] = (hit or [clauses for _, clauses in answered] or [[]])[0]


ANSWERS = {True: "yes", False: "no", None: "not known"}


def _clauses(query: Query, row: Any, rule: Rule, as_of: date) -> tuple[bool, list[dict[str, Any]]]:
    """Whether a rule hits an entry, and each of its clauses by itself."""
    all_leaves = list(signed_leaves(rule.condition))
    asked = {
        f"answer{n}": ~leaf.ask(row, as_of) if turned else leaf.ask(row, as_of)
        for n, (leaf, turned) in enumerate(all_leaves)
    }
    values = {f"value{n}": _shown(leaf, row) for n, (leaf, _) in enumerate(all_leaves)}
    answer = next(query.rows(row.select(hit=rule.condition.ask(row, as_of), **asked, **values)))
    return answer["hit"] is True, [
        {
            "clause": f"not {leaf}" if turned else str(leaf),
            "answer": ANSWERS[answer[f"answer{n}"]],
            "value": answer[f"value{n}"], "where": leaf.where,
        }
        for n, (leaf, turned) in enumerate(all_leaves)
    ]  # fmt: skip


def _shown(leaf: Leaf, row: Any) -> Any:
    column = FIELDS[leaf.field].column(row)
    if FIELDS[leaf.field].modifiers is TIME:
        return day_words(column)
    return (row.lower_folder if leaf.modifier == "has_folder" else column).cast("string")


def _entry_lines(entry: dict[str, Any]) -> list[str]:
    known = {
        "kind": entry["kind"],
        "size": size_text(entry["size_bytes"]) if entry["kind"] == "file" else None,
        "modified": time_text(entry["mtime_ns"]),
        "created": time_text(entry["birthtime_ns"]),
        "owner": entry["owner"],
        "type": entry["mime"],
        "format": " ".join(filter(None, (entry["puid"], entry["format_name"]))),
        "locked": "with a password" if entry["encrypted"] else None,
        "packed": _packed(entry),
        "points to": _pointed_to(entry),
        "text holds": _text_words(entry),
        "digest": f"xxh3_128 {entry['digest'].hex()}" if entry["digest"] else None,
        "sha256": entry["digest_sha256"].hex() if entry["digest_sha256"] else None,
        "not readable": entry["read_error"],
        "inside": _closed(entry["not_looked_into"]),
        "link to": entry["link_target"],
        "seen in": f"scan {entry['scan_id']}, record_id {entry['entry_id']:016x}",
    }
    return [f"{name:<13}{value}" for name, value in known.items() if value]


def _closed(reason: str | None) -> str | None:
    return f"not known: could not be looked into ({reason})" if reason else None


MOST_COPIES = 50  # --json has all of them


def _group_lines(group: list[dict[str, Any]]) -> list[str]:
    more = len(group) - MOST_COPIES
    lines = [_group_line(member) for member in group[:MOST_COPIES]]
    return [*lines, f"and {count_text(more, 'other')}"] if more > 0 else lines


def _pointed_to(entry: dict[str, Any]) -> str | None:
    if entry["shortcut_target"] is None:
        return None
    words = {"gone": "which is not there any more", "works": "which is there", "web": "on the web"}
    state = words.get(entry["shortcut"], "of which nothing is known here")
    return f"{entry['shortcut_target']}, {state}"


def _packed(entry: dict[str, Any]) -> str | None:
    if entry["members"] is None:
        return None
    where = {"all": "all of them", "some": "some of them", "none": "none of them"}
    elsewhere = where.get(entry["members_elsewhere"], "it is not known which")
    return f"{count_text(entry['members'], 'file')}; also outside of it: {elsewhere}"


def _text_words(entry: dict[str, Any]) -> str | None:
    """What was counted in a document's text."""
    if entry["ni_numbers"] is None:
        return None
    kinds = {"ni_numbers": "National Insurance", "nhs_numbers": "NHS", "prison_numbers": "prison",
             "pnc_numbers": "PNC or CRO"}  # fmt: skip
    found = [f"{entry[name]:,} {words} numbers" for name, words in kinds.items() if entry[name]]
    if entry["marking"]:
        found.append(f"the marking {entry['marking'].upper().replace('_', '-')}")
    if entry["near_dup_path"]:
        found.append(f"{entry['near_dup_percent']}% of the wording of {entry['near_dup_path']}")
    return ", ".join(found) or "no personal numbers, no marking"


def _group_line(member: dict[str, Any]) -> str:
    said = [f"modified {time_text(member['mtime_ns'])}" if member["mtime_ns"] else ""]
    said.append(f"owner {member['owner']}" if member["owner"] else "")
    said.append("other permissions than the keeper" if member["permissions_differ"] else "")
    known = ", ".join(word for word in said if word)
    return f"{member['role']:<10} {member['full_path']}   ({known})"


_FOLDER_WORDS = {
    "identical": "is the same as", "contained": "is wholly in", "overlap": "is nearly all in",
}  # fmt: skip


def _folder_lines(tree: dict[str, Any] | None) -> list[str]:
    if tree is None:
        return []
    shared, files = tree["shared_files"], count_text(tree["files"], "file")
    only = count_text(tree["only_here_files"], "file")
    return [
        f"{tree['top_path']} {_FOLDER_WORDS[tree['kind']]} {tree['of_path']}",
        f"{shared:,} of {files} with content kept there; {only} nowhere else "
        f"({size_text(tree['only_here_size_bytes'])})",
    ]


def _findings_lines(findings: list[dict[str, Any]]) -> list[str]:
    """What decides, then what supports it, then what it overrules."""
    deciding = next((finding for finding in findings if finding["deciding"]), None)
    if deciding is None:
        return []

    def verdict(finding: dict[str, Any]) -> str:
        if finding["deciding"]:
            return "decides"
        return "supports" if finding["action"] == deciding["action"] else "overruled"

    order = ["decides", "supports", "overruled"]
    ranked = sorted(findings, key=lambda finding: order.index(verdict(finding)))
    return [line for finding in ranked for line in _finding_lines(finding, verdict(finding))]


def _finding_lines(finding: dict[str, Any], verdict: str) -> list[str]:
    lines = [
        f"{finding['rule_id']} {finding['title']}: {verdict}; {finding['category']}, "
        f"{finding['confidence']} confidence, proposes {finding['action']}",
        f"    {finding['reason']}",
        *(f"    {_clause_line(clause)}" for clause in finding["clauses"]),
    ]
    if not finding["clauses"]:
        lines.append("    this rule is not in force any more")
    if finding["authority"]:
        lines.append(f"    authority: {finding['authority']}")
    return [*lines, f"    rule in {finding['rule_source']}"]


def _clause_line(clause: dict[str, Any]) -> str:
    value = clause["value"]
    is_text = "(it is not known)" if value is None else f"(it is {value})" if value else "(empty)"
    return f"{clause['answer']}: {_shortened(clause['clause'])}   {is_text} {clause['where']}"


def _shortened(clause: str) -> str:
    return clause if len(clause) <= MOST_OF_A_CLAUSE else clause[: MOST_OF_A_CLAUSE - 2] + " …"


def _outcome_lines(fate: dict[str, Any] | None) -> list[str]:
    if fate is None:
        return ["a folder with content shares the fate of its files"]
    held = [f"on hold: {fate['hold']}"] if fate["hold"] else []
    return [*held, f"proposed: {fate['proposal']}", f"outcome: {fate['outcome']} ({fate['why']})"]


def _decision_line(decision: dict[str, Any]) -> str:
    comment = f": {decision['comment']}" if decision["comment"] else ""
    how = SCOPES[decision["scope"]]
    return (
        f"{decision['decision']} by {decision['decided_by']}, {decision['decided_at']}, {how} "
        f"({decision['workbook']}, {decision['sheet']}, row {decision['row']}){comment}"
    )


def _manifest_line(line: dict[str, Any]) -> str:
    was = f" (was {line['renamed_from']}: {line['rename_reason']})" if line["rename_reason"] else ""
    return f"to {line['target_path']}{was}"


def _receipt_line(receipt: dict[str, Any]) -> str:
    place = f"{receipt['target']}/{receipt['target_path']}"
    words = (receipt["status"], receipt["verified_at"], place, receipt["detail"])
    return " ".join(word for word in words if word)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
