"""Room: the report as one HTML file that needs nothing else: no script, no request, no font.

In: `Figures`. Out: a page for somebody who has five minutes and must sign; the same estate gives
the same bytes. Never: a name from a share that is not escaped; a colour that says something alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from migrate.move import STATUSES
from migrate.paths import printable
from migrate.report.figures import Figures
from migrate.report.sections import NOT_MOVED_YET, Figure
from migrate.wording import count_text, size_text

NOT_FLAGGED = "Not flagged yet: run migrate flag."
ITEM = "An item is a file, a link or an empty folder."

PROPOSAL_WORDS = {
    "migrate": ("Move to the new store", "nothing speaks against it"),
    "review": ("A person must decide", "the rules cannot tell"),
    "dispose": ("Proposed for disposal", "goes only if a person approves"),
    "hold": ("On hold", "neither moved nor disposed of"),
    "unreadable": ("Could not be read", "stays where it is"),
    "not_a_file": ("Links and the like", "recorded only"),
}
CATEGORY_WORDS = {
    "hold": "Hold no longer in force",
    "record": "Likely record",
    "sensitive": "Sensitive",
    "redundant": "Redundant",
    "obsolete": "Obsolete",
    "trivial": "Trivial",
    "none": "No rule applies",
}
OUTCOME_WORDS = {
    "to_move": "To move: in the manifest",
    "disposed": "Approved for disposal; stays on the share until it is retired",
    "left": "Stays on the share by decision",
    "undecided": "Nobody has decided",
    "held": "On hold: neither moved nor disposed of",
    "unreadable": "Could not be read: stays where it is",
    "not_a_file": "Links and the like: recorded only",
}
ERROR_WORDS = {
    "denied": "Access denied",
    "vanished": "Gone before it could be read",
    "became_a_link": "Turned into a link meanwhile",
    "name_too_long": "Name too long for the system",
    "read_error": "Error of the disk or the server",
    "timed_out": "The server did not answer in time",
    "changed_while_read": "Changed while it was being read",
}
OWNER_WORDS = {
    "named": "Owner known by name",
    "number": "Bare number: the account is gone",
    "unknown": "No owner recorded",
}


MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
]  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A figure with a bar: the bar repeats what the text says."""

    text: str
    percent: float


Value = str | Cell


@dataclass(frozen=True)
class Table:
    """One table; its first column names the row. `folded` tables open on a click, and in print."""

    caption: str
    columns: list[str]
    rows: list[list[Value]]
    note: str = ""
    folded: bool = False
    words: tuple[int, ...] = ()  # columns of words; all others but the first hold figures
    total: bool = False  # the last row adds up the others


@dataclass(frozen=True)
class Section:
    """A chapter of the page: what it says in words, then its tables."""

    anchor: str
    title: str
    says: list[str]
    tables: list[Table] = field(default_factory=list)


def write_page(figures: Figures, path: Path) -> Path:
    """Write the report, complete or not at all.

    Errors: OSError if it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = render(figures).encode()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".report-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def render(figures: Figures) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_safe_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("template.html")
    return template.render(
        figures=figures,
        sections=[build(figures) for build in SECTIONS],
        headlines=figures.headlines(),
        steps=steps(figures),
        date=day_text(figures.state["last_change"]),
    )


def _safe_text(value: Any) -> Any:
    """Everything that the template prints passes here, before it is escaped: no name can turn the
    direction of the line or hide a character. (What is Markup came through here already.)"""
    return value if isinstance(value, Markup) else printable(str(value))


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def percent_text(part: int, whole: int) -> str:
    """'37%'; never 0% or 100% for what is only nearly so."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 1:
        return "under 1%"
    return "over 99%" if 99 < share < 100 else f"{share:.0f}%"


def _sum(rows: list[Figure], name: str) -> int:
    return sum(row[name] for row in rows)


def _size_bar(row: Figure, rows: list[Figure]) -> Cell:
    """A size with a bar, as long as the row's part of the largest row."""
    largest = max((other["size_bytes"] for other in rows), default=0)
    return Cell(size_text(row["size_bytes"]), percent(row["size_bytes"], largest))


def _count_bar(row: Figure, rows: list[Figure], name: str) -> Cell:
    largest = max((other[name] for other in rows), default=0)
    return Cell(f"{row[name]:,}", percent(row[name], largest))


def steps(figures: Figures) -> list[str]:
    """What somebody has still to do before the share can be emptied; most urgent first."""
    found = list(figures.warnings)
    if failed := _sum(figures.unreadable, "items"):
        found.append(
            f"{count_text(failed, 'item')} could not be read. They are kept out of disposal, and "
            "nobody knows what is in them: IT should mend access and crawl again."
        )
    if figures.proposed is None:
        return [*found, NOT_FLAGGED]
    to_decide, again = figures.totals["to_decide"], figures.totals["again"]
    if to_decide:
        changed = f", {again:,} of them again because they have changed since" if again else ""
        found.append(f"{count_text(to_decide, 'item')} still to be decided on{changed}.")
    nobody = [row for row in figures.units or [] if not row["reviewer"] and row["to_decide"]]
    for row in nobody:
        open_items = count_text(row["to_decide"], "item")
        found.append(f"{open_items} under “{row['unit']}” have no reviewer named in estate.yaml.")
    if figures.review["refused"]:
        rows = count_text(figures.review["refused"], "decision")
        found.append(f"{rows} in the workbooks could not be accepted; the import says why.")
    for row in figures.receipts or []:
        if row["state"] not in ("verified", NOT_MOVED_YET):
            lines = count_text(row["lines"], "line")
            found.append(f"{lines} of the manifest: {STATUSES.get(row['state'], row['state'])}.")
    return found


def _proposals(figures: Figures) -> Section:
    says, tables = [NOT_FLAGGED], []
    effect = figures.effect()
    if figures.proposed is not None and effect is not None:
        rows, total = figures.proposed, _sum(figures.proposed, "size_bytes")
        shown: list[list[Value]] = [
            [
                f"{PROPOSAL_WORDS[row['proposal']][0]} ({PROPOSAL_WORDS[row['proposal']][1]})",
                _count_bar(row, rows, "items"), f"{row['files']:,}", size_text(row["size_bytes"]),
                percent_text(row["size_bytes"], total),
            ]
            for row in rows
        ]  # fmt: skip
        shown.append(
            [
                "All",
                f"{_sum(rows, 'items'):,}",
                f"{_sum(rows, 'files'):,}",
                size_text(total),
                "100%",
            ]
        )
        columns = ["Proposal", "Items", "of which files", "Size", "Part of the size"]
        tables = [
            Table("What the rules propose", columns, shown, ITEM, total=True),
            _effect(effect),
        ]
        says = [
            "These are proposals. Nothing is moved or disposed of until a person has decided, item "
            "by item or folder by folder, in a review workbook."
        ]
    return Section("proposals", "What is proposed", says, tables)


def _effect(effect: Figure) -> Table:
    now = effect["now"]
    lines = [
        ("Today", "now"),
        ("If all that is proposed for disposal goes", "after_disposal"),
        ("If, as well, everything goes that a person must decide on (the least there could be)",
         "least"),
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [
            words, Cell(size_text(effect[name]), percent(effect[name], now)),
            size_text(now - effect[name]) if name != "now" else "–",
            percent_text(now - effect[name], now) if name != "now" else "–",
        ]
        for words, name in lines
    ]  # fmt: skip
    return Table("Effect on the size", ["If", "Left", "Saved", "Saved, part"], rows)


def day_text(moment: str) -> str:
    """'2026-11-02T10:00:00Z' as '2 November 2026', whatever language the machine speaks."""
    day = date.fromisoformat(moment[:10])
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _volume(figures: Figures) -> Section:
    scans = {scan["share"]: scan for scan in figures.scans}
    failed_total = _sum(figures.unreadable, "items")
    rows: list[list[Value]] = [
        [
            row["share"], f"{row['files']:,}", f"{row['folders']:,}", f"{row['other']:,}",
            size_text(row["size_bytes"]), f"{row['failed']:,}", _scan_text(scans.get(row["share"])),
        ]
        for row in figures.shares
    ]  # fmt: skip
    if len(figures.shares) > 1:
        names = ("files", "folders", "other")
        sums = [f"{_sum(figures.shares, name):,}" for name in names]
        size = size_text(_sum(figures.shares, "size_bytes"))
        rows.append(["All shares", *sums, size, f"{failed_total:,}", ""])
    columns = ["Share", "Files", "Folders", "Links and others", "Size", "Not readable", "Crawled"]
    says = [] if rows else ["Nothing has been crawled yet: run migrate crawl."]
    several = len(figures.shares) > 1
    table = Table("What is on each share", columns, rows, words=(6,), total=several)
    return Section("volume", "How much there is", says, [table] if rows else [])


def _scan_text(scan: Figure | None) -> str:
    if scan is None:
        return "not known"
    if not scan["finished_at"]:
        return f"scan {scan['run']}, not ended"
    return f"{day_text(scan['finished_at'])} (scan {scan['run']})"


def _rot(figures: Figures) -> Section:
    if figures.categories is None or figures.rules is None:
        return Section("rot", "Redundant, obsolete and trivial", [NOT_FLAGGED])
    rows: list[list[Value]] = [
        [
            CATEGORY_WORDS[row["category"]], _count_bar(row, figures.categories, "items"),
            size_text(row["size_bytes"]), f"{row['migrate']:,}", f"{row['review']:,}",
            f"{row['dispose']:,}",
        ]
        for row in figures.categories
    ]  # fmt: skip
    columns = ["Category", "Items", "Size", "Move", "Person decides", "Dispose"]
    note = "Where several rules apply to an item, the one that protects more decides, and counts."
    tables = [Table("By category: items and what is proposed for them", columns, rows, note)]
    for category in ("redundant", "obsolete", "trivial", "record"):
        found = [row for row in figures.rules if row["category"] == category]
        if found:
            tables.append(_rule_table(category, found))
    says = [
        "Redundant: there is another copy or version. Obsolete: past its use. Trivial: never was "
        "business information. What is on hold or could not be read is in other sections."
    ]
    if not any(row["why"] for row in figures.rules) and figures.rules:
        says.append("The rules have changed since they were run, so their reasons are not shown.")
    return Section("rot", "Redundant, obsolete and trivial", says, tables)


def _rule_table(category: str, found: list[Figure]) -> Table:
    rows: list[list[Value]] = [
        [
            f"{row['title']} ({row['rule_id']})", f"{row['items']:,}", size_text(row["size_bytes"]),
            PROPOSAL_WORDS[row["proposal"]][0], row["confidence"].capitalize(),
            row["why"] + (f" Authority: {row['authority']}." if row["authority"] else ""),
        ]
        for row in found
    ]  # fmt: skip
    name = CATEGORY_WORDS[category]
    count, items = count_text(len(found), "rule"), count_text(_sum(found, "items"), "item")
    caption = f"{name}, by rule: {count}, {items}"
    columns = ["Rule", "Items", "Size", "Proposal", "How sure", "Why"]
    return Table(caption, columns, rows, folded=True, words=(3, 4, 5))


def _review(figures: Figures) -> Section:
    if figures.units is None:
        return Section("review", "Progress of the review", [NOT_FLAGGED])
    review = figures.review
    says = []
    if review["exported_at"]:
        books = count_text(review["workbooks"], "workbook")
        says.append(f"{books} written on {day_text(review['exported_at'])}.")
    else:
        says.append("No workbooks have been written yet: run migrate review export.")
    if review["imports"]:
        times = count_text(review["imports"], "import")
        last = day_text(review["imported_at"])
        says.append(f"Decisions read back in {times}, the last on {last}.")
    elif review["exported_at"]:
        says.append("No decisions have come back yet: run migrate review import.")
    rows: list[list[Value]] = [_unit_row(row) for row in figures.units]
    sums = {name: _sum(figures.units, name) for name in _UNIT_SUMS}
    rows.append(_unit_row({"unit": "All", "reviewer": "", **sums}))
    columns = ["Business unit", "Decided", "Still to decide", "of which not proposed either way",
               "Not for decision", "Reviewer"]  # fmt: skip
    note = (
        "What is proposed either way, to move or to dispose of, needs a person to confirm it. "
        "Not for decision: on hold, not readable, links."
    )
    caption = "Decisions by business unit, in items"
    table = Table(caption, columns, rows, note, words=(5,), total=True)
    return Section("review", "Progress of the review", says, [table])


_UNIT_SUMS = ("items", "decided", "to_decide", "for_person", "closed")


def _unit_row(row: Figure) -> list[Value]:
    open_and_decided = row["decided"] + row["to_decide"]
    part = percent_text(row["decided"], open_and_decided)
    decided = f"{row['decided']:,} of {open_and_decided:,} ({part})"
    return [
        row["unit"],
        Cell(decided if open_and_decided else "none", percent(row["decided"], open_and_decided)),
        f"{row['to_decide']:,}", f"{row['for_person']:,}", f"{row['closed']:,}", row["reviewer"],
    ]  # fmt: skip


def _sensitive(figures: Figures) -> Section:
    deduped = figures.duplicates is not None
    holds: list[list[Value]] = [
        [
            row["hold"], f"{row['items']:,}", f"{row['copies']:,}" if deduped else "not known",
            size_text(row["size_bytes"]), row["authority"],
        ]
        for row in figures.held
    ]  # fmt: skip
    says = ["No names of files are given here, as this page may be passed on."]
    tables = []
    if holds:
        columns = ["Hold", "Items", "of which copies elsewhere", "Size", "Authority"]
        note = "As the holds stand now. A copy of something held is held too, wherever it is."
        note += "" if deduped else " Copies are not known before migrate dedupe has been run."
        tables.append(Table("On hold", columns, holds, note, words=(4,)))
    else:
        says.append("No hold is in force. If there should be one, enter it in estate.yaml.")
    if figures.sensitive is None:
        says.append(f"Sensitive material: {NOT_FLAGGED[0].lower()}{NOT_FLAGGED[1:]}")
        return Section("sensitive", "Sensitive and held", says, tables)
    total, *by_rule = figures.sensitive
    rows: list[list[Value]] = [
        [f"{row['title']} ({row['rule_id']})", f"{row['items']:,}", size_text(row["size_bytes"])]
        for row in by_rule
    ]
    rows.append(["All, each item once", f"{total['items']:,}", size_text(total["size_bytes"])])
    if by_rule:
        note = "What rules noticed; one item may be in several rows, and may be on hold as well."
        table = Table("Marked or recognised as sensitive", ["Rule", "Items", "Size"], rows, note,
                      total=True)  # fmt: skip
        tables.append(table)
    else:
        says.append("No rule noticed anything sensitive. Rules see names and types, not the text.")
    return Section("sensitive", "Sensitive and held", says, tables)


def _unreadable(figures: Figures) -> Section:
    title = "What could not be read"
    if not figures.unreadable:
        listed = [scan["share"] for scan in figures.scans if not scan["content"]]
        says = ["Everything that was looked at could be read."] if figures.scans else []
        if listed:
            says.append(f"On {', '.join(listed)}, files were listed only and not opened.")
        return Section("unreadable", title, says)
    rows: list[list[Value]] = [
        [
            f"{ERROR_WORDS.get(row['error'], 'Other error')} ({row['error']})",
            _count_bar(row, figures.unreadable, "items"), f"{row['files']:,}",
            f"{row['folders']:,}", f"{row['held']:,}",
        ]
        for row in figures.unreadable
    ]  # fmt: skip
    columns = ["Reason", "All", "Files", "Folders", "of which on hold"]
    says = [
        "What could not be read is never proposed for disposal. A folder that could not be "
        "listed may hold any number of files that are in none of these figures."
    ]
    return Section("unreadable", title, says, [Table("By reason", columns, rows)])


def _duplicates(figures: Figures) -> Section:
    found = figures.duplicates
    if found is None:
        says = ["Duplicates have not been looked for yet: run migrate dedupe."]
        return Section("duplicates", "Duplicates", says)
    says = [
        f"{count_text(found['groups'], 'group')} of files that are the same byte for byte. Beyond "
        f"the one of each that is kept, there are {count_text(found['copies'], 'copy', 'copies')} "
        f"that take {size_text(found['copies_size_bytes'])}."
    ]
    if found["hard_links"]:
        says.append(f"{count_text(found['hard_links'], 'further name')} of a file take no space.")
    rows: list[list[Value]] = [
        [
            row["keeper"] or "(name not shown: held, sensitive or not flagged yet)",
            f"{row['copies']:,}", _size_bar(row, found["largest"]),
        ]
        for row in found["largest"]
    ]  # fmt: skip
    caption = "Where copies take most space"
    columns = ["The file that is kept", "Copies", "Size of the copies"]
    tables = [Table(caption, columns, rows, folded=True)] if rows else []
    return Section("duplicates", "Duplicates", says, tables)


def _age(figures: Figures) -> Section:
    rows: list[list[Value]] = [
        [
            row["band"], _count_bar(row, figures.ages, "files"), _size_bar(row, figures.ages),
            percent_text(row["size_bytes"], _sum(figures.ages, "size_bytes")),
        ]
        for row in figures.ages
    ]  # fmt: skip
    says = [
        f"Whole years since a file was last changed, counted back from {day_text(figures.as_of)}.",
        "These are the dates on the share; careless copying in the past can have reset them.",
    ]
    columns = ["Years", "Files", "Size", "Part of the size"]
    return Section("age", "Age", says, [Table("Files by age", columns, rows)])


def _folders(figures: Figures) -> Section:
    def table(caption: str, found: list[Figure], folded: bool) -> Table:
        rows: list[list[Value]] = [
            [row["folder"], f"{row['files']:,}", _size_bar(row, found)] for row in found
        ]
        return Table(caption, ["Folder", "Files", "Size"], rows, folded=folded)

    top, below = figures.folders, figures.subfolders
    tables = [
        table("Directly below a share", top, False),
        table("One level further down", below, True),
    ]
    says = ["With everything that lies below them. At most twenty of each, largest first."]
    return Section("folders", "Biggest folders", says, [each for each in tables if each.rows])


def _formats(figures: Figures) -> Section:
    says = []
    untyped = all(not scan["mime"] or not scan["content"] for scan in figures.scans)
    if untyped:
        says.append("No types were taken: the crawl was run without opening or typing files.")
    if locked := figures.totals["encrypted"]:
        verb = "is" if locked == 1 else "are"
        says.append(f"{count_text(locked, 'file')} {verb} known to be locked with a password.")
    found = figures.mime_types
    rows: list[list[Value]] = [
        [_mime_text(row), _count_bar(row, found, "files"), size_text(row["size_bytes"])]
        for row in found
    ]
    tables = [] if untyped else [Table("By MIME type", ["Type", "Files", "Size"], rows)]
    if figures.puids is None:
        says.append("No PRONOM identifiers were taken: migrate identify has not been run.")
    else:
        puids: list[list[Value]] = [
            [row["format_name"] or "Not identified", row["puid"] or "–", f"{row['files']:,}"]
            for row in figures.puids
        ]
        caption = "By PRONOM format (the twelve commonest)"
        columns = ["Format", "PUID", "Files"]
        tables.append(Table(caption, columns, puids, folded=True, words=(1,)))
    return Section("formats", "Formats", says, tables)


def _mime_text(row: Figure) -> str:
    if row["mime"] == "others":
        return f"{count_text(row['types'], 'other type')}"
    return row["mime"] or "Not known"


def _owners(figures: Figures) -> Section:
    states = figures.owners["states"]
    rows: list[list[Value]] = [
        [OWNER_WORDS[row["state"]], _count_bar(row, states, "files"), size_text(row["size_bytes"])]
        for row in states
    ]
    tables = [Table("Files by what is known of their owner", ["Owner", "Files", "Size"], rows)]
    numbers: list[list[Value]] = [
        [row["owner"], f"{row['files']:,}", size_text(row["size_bytes"])]
        for row in figures.owners["numbers"]
    ]
    if numbers:
        caption = f"The numbers that own most (of {figures.owners['number_count']:,})"
        tables.append(Table(caption, ["Number", "Files", "Size"], numbers, folded=True))
    says = [
        "The owner is who the file system names, often who copied a file last. Where only a number "
        "is left, the account has gone and there may be nobody to ask."
    ]
    return Section("owners", "Files without a known owner", says, tables)


def _manifest(figures: Figures) -> Section:
    title = "The manifest and the move"
    made = figures.manifest
    if made is None:
        says = ["There is no manifest yet: run migrate manifest. Nothing has been moved."]
        return Section("move", title, says)
    rows: list[list[Value]] = [
        [
            OUTCOME_WORDS[row["outcome"]], _count_bar(row, made["accounts"], "files"),
            size_text(row["size_bytes"]),
        ]
        for row in made["accounts"]
    ]  # fmt: skip
    total = _sum(made["accounts"], "files")
    rows.append(["All", f"{total:,}", size_text(_sum(made["accounts"], "size_bytes"))])
    day = day_text(made["made_at"])
    says = [f"Manifest of {day} (run {made['run']}). It accounts for every item."]
    if made["renamed"]:
        files = count_text(made["renamed"], "item")
        says.append(f"{files} will have another name in the new store; renamed.csv lists them.")
    tables = [Table("What becomes of everything", ["Outcome", "Items", "Size"], rows, total=True)]
    if figures.receipts is None:
        says.append("Nothing has been moved yet: run migrate move.")
    else:
        tables.append(_receipts(figures.receipts))
        says.append("A move copies and reads back. The source is not changed and not deleted.")
    return Section("move", title, says, tables)


def _receipts(found: list[Figure]) -> Table:
    words = {**STATUSES, NOT_MOVED_YET: "not tried yet"}
    rows: list[list[Value]] = [
        [
            f"{row['state'].capitalize()}: {words.get(row['state'], row['state'])}",
            _count_bar(row, found, "lines"), size_text(row["size_bytes"]), row["target"],
        ]
        for row in found
    ]  # fmt: skip
    note = "Each line with its last receipt in that target. migrate verify reads all of it again."
    columns = ["State", "Lines", "Size", "Target"]
    return Table("Lines of the manifest in the new store", columns, rows, note, words=(3,))


def _source_facts(figures: Figures) -> list[list[Value]]:
    """What somebody needs to find this state of the estate again."""
    state, flag = figures.state, figures.flag
    facts: list[list[Value]] = [
        ["Log", f"{state['log_lines']:,} lines; the last of {state['last_change']}"],
        ["Head of the log (SHA-256)", state["log_head"]],
    ]
    for scan in figures.scans:
        how = "listed, read and typed" if scan["mime"] else "listed and read, not typed"
        how = how if scan["content"] else "listed only"
        when = f"{scan['started_at']} to {scan['finished_at'] or 'now, not ended'}"
        digest = "; SHA-256 of every file" if scan["sha256"] else ""
        facts.append([f"Scan of {scan['share']}", f"run {scan['run']}, {when}; {how}{digest}"])
    if flag:
        facts += [
            ["Rules", f"{count_text(flag['count'], 'rule')}, run {flag['run']}"],
            ["Rule set (SHA-256)", flag["rules"]],
            ["Ages count back from", flag["as_of"]],
        ]
    else:
        facts.append(["Rules", NOT_FLAGGED])
    made_by = ", ".join(state["versions"]) or "–"
    facts.append(["Toolkit", f"version {made_by}; this page by version {state['report_version']}"])
    return facts


def _sources(figures: Figures) -> Section:
    runs: list[list[Value]] = [
        [str(row["run"]), row["stage"], row["started_at"], row["finished_at"] or "not ended"]
        for row in figures.history
    ]
    columns = ["Run", "Stage", "Begun", "Ended"]
    caption = f"Every run of every stage ({len(runs):,})"
    says = [
        "Every figure comes from the estate’s tables, and every table from a run in its log. Each "
        "line of the log carries the hash of the line before; who keeps the head below can tell "
        "later whether any line was changed. Sizes are in powers of 1,024; dates and times in UTC."
    ]
    return Section(
        "sources", "Where the figures come from", says,
        [
            Table("Sources", ["What", "Which"], _source_facts(figures), words=(1,)),
            Table(caption, columns, runs, folded=True, words=(1, 2, 3)),
        ],
    )  # fmt: skip


SECTIONS: list[Callable[[Figures], Section]] = [
    _proposals, _review, _manifest, _sensitive, _unreadable, _rot, _volume, _duplicates, _age,
    _folders, _formats, _owners, _sources,
]  # fmt: skip
