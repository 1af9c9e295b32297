"""Room: the sections of the page about what there is: how much, how old, where, of what kind.

In: `Figures`. Out: sections. Never: the name of a file that is held or sensitive.
"""

from __future__ import annotations

from migrate.report.decisions import NOT_FLAGGED, cost_note, folds_of, rule_name
from migrate.report.figures import Figures
from migrate.report.pictures import stacked
from migrate.report.sections import Figure
from migrate.report.tables import (
    Section,
    Table,
    count,
    count_bar,
    day_text,
    fold,
    part,
    size,
    size_bar,
    summed,
    table,
    words,
)
from migrate.risk import PLAN_OF
from migrate.scans import CHANGES, DOUBTS
from migrate.wording import count_text, size_text

ERROR_WORDS = {
    "denied": "Access denied",
    "vanished": "Gone before it could be read",
    "became_a_link": "Turned into a link meanwhile",
    "name_too_long": "Name too long for the system",
    "read_error": "Error of the disk or the server",
    "timed_out": "The server did not answer in time",
    "changed_while_read": "Changed while it was being read",
    "changed_since_crawl": "Not what was crawled any more",
    "offline": "Kept offline by the server: left where it is, not read",
    "damaged": "Damaged",
    "reader_failed": "Damaged, or not of the kind that its name says",
    "no_text": "A document without text, such as scanned pages",
    "too_large": "Larger than documents are read",
    "too_much_text": "More text than is read",
    "too_much_found": "More found in it than is taken",
    "too_many_members": "More files packed in it than are listed",
    "reader_timed_out": "Took longer to read than a document may",
    "reader_crashed": "Its reader crashed, or took more memory than it may",
}
FOLDER_WORDS = {
    "identical": "the same as {}",
    "contained": "wholly in {}",
    "overlap": "nearly all in {}",
}
RISK_WORDS = {
    "high": "High risk", "moderate": "Moderate risk", "low": "Low risk",
    "unknown": "Not rated, or format not known",
}  # fmt: skip
OWNER_WORDS = {
    "named": "Owner known by name",
    "number": "Bare number: the account is gone",
    "unknown": "No owner recorded",
}


def unreadable(figures: Figures) -> Section:
    title = "What could not be read"
    closed, closed_tables = _not_looked_into(figures.not_looked_into)
    if not figures.unreadable:
        listed = [scan["share"] for scan in figures.scans if not scan["content"]]
        says = ["Everything that was looked at could be read."] if figures.scans else []
        if listed:
            says.append(f"On {', '.join(listed)}, files were listed only and not opened.")
        return Section("unreadable", title, [*says, *closed], closed_tables)

    columns = [
        words("Reason", lambda row: _reason(row["error"])),
        count_bar("All", "items"),
        count("Files", "files"),
        count("Folders", "folders"),
        count("of which on hold", "held"),
    ]
    says = [
        "What could not be read is never proposed for disposal. A folder that could not be "
        "listed may hold any number of files that are in none of these figures."
    ]
    shown = table("By reason", columns, figures.unreadable)
    reasons = {row["error"]: _reason(row["error"]) for row in figures.unreadable}
    folds = folds_of(figures, "unreadable", reasons)
    return Section("unreadable", title, [*says, *closed], [shown, *closed_tables], folds)


def _not_looked_into(found: Figure | None) -> tuple[list[str], list[Table]]:
    """Files whose bytes could be read and whose inside could not, in words and as a list."""
    if not found or not found["files"]:
        return [], []
    says = [
        f"Of {count_text(found['files'], 'file')} nothing is known of what is inside (text, packed "
        "files, where a shortcut points): no rule about that fires for them."
    ]
    if rest := found["files"] - len(found["listed"]):
        says.append(
            f"{rest:,} of them not named here, as are none on hold, none sensitive and none before "
            "migrate flag; migrate inspect --json names up to 1,000."
        )
    columns = [words("File", "full_path"), words("Reason", lambda row: _reason(row["reason"]))]
    rows = found["listed"]
    return says, [table("Could not be looked into", columns, rows)] if rows else []


def _reason(code: str) -> str:
    return f"{ERROR_WORDS.get(code, 'Other error')} ({code})"


def volume(figures: Figures) -> Section:
    title, shares = "How much there is", figures.shares
    if not shares:
        return Section("volume", title, ["Nothing has been crawled yet: run migrate crawl."])
    crawled = {scan["share"]: _scan_text(scan) for scan in figures.scans}
    rows = [{**row, "crawled": crawled.get(row["share"], "not known")} for row in shares]
    columns = [
        words("Share", "share"),
        count("Files", "files"),
        count("Folders", "folders"),
        count("Links and others", "other"),
        size(),
        count("Not readable", "failed"),
        words("Crawled", "crawled"),
    ]
    total = {**summed(rows, "files", "folders", "other", "size_bytes", "failed"), "crawled": ""}
    shown = table(
        "What is on each share", columns, rows, total=total if len(rows) > 1 else None,
        total_name="All shares",
    )  # fmt: skip
    folds = folds_of(figures, "share", {row["share"]: row["share"] for row in rows})
    return Section("volume", title, [], [shown], folds)


def _scan_text(scan: Figure) -> str:
    if not scan["finished_at"]:
        return f"scan {scan['run']}, not ended"
    return f"{day_text(scan['finished_at'])} (scan {scan['run']})"


def changes(figures: Figures) -> Section:
    """What has changed since the scan before, and what the newer scan rests on."""
    title, compared = "Since the scan before", [row for row in figures.rescans if row["changes"]]
    if not compared:
        return Section("changes", title, ["No share has been scanned twice and compared."])
    rows = [
        {"share": row["share"], "name": name.replace("_", " "), "meaning": meaning,
         **row["changes"][name]}
        for row in compared
        for name, meaning in CHANGES.items()
        if name not in DOUBTS or any(row["changes"][name].values())
    ]  # fmt: skip
    columns = [
        words("Share", "share"), words("Change", "name"), count_bar("Files", "files"), size(),
        count("Folders and links", "others"), count("Decided before", "decided"),
        words("Meaning", "meaning"),
    ]  # fmt: skip
    says = [
        "A file that has changed, or lies elsewhere now, needs a new decision: what was decided "
        "before was about another file. migrate changes --format csv lists every file."
    ]
    says += [line for row in compared for line in _reuse(row)]
    return Section("changes", title, says, [table("What has changed", columns, rows)])


def _reuse(row: Figure) -> list[str]:
    begun = f"{row['share']}: compared with the scan of {day_text(row['before_at'])}"
    if not row["not_opened"]:
        return [f"{begun}; every file was read again."]
    proof = count_text(row["proven"] + row["disproved"], "file")
    wrong = f", {row['disproved']:,} not" if row["disproved"] else ""
    return [
        f"{begun}; {row['not_opened']:,} of {count_text(row['files'], 'file')} had the same "
        f"number, size and times as then and were not opened. {proof} of these read again as a "
        f"proof: {row['proven']:,} as before{wrong}."
    ]


def duplicates(figures: Figures) -> Section:
    found = figures.duplicates
    if found is None:
        says = ["Duplicates have not been looked for yet: run migrate dedupe."]
        return Section("duplicates", "Duplicates", says)
    says = [
        f"{count_text(found['groups'], 'group')} of files that are the same byte for byte. Beyond "
        f"the one of each that is kept, there are {count_text(found['copies'], 'copy', 'copies')} "
        f"that take {size_text(found['copies_size_bytes'])}."
    ]
    if cost := figures.cost_text(found["copies_size_bytes"]):
        says.append(f"Keeping these copies costs about {cost} a year.")
    says.append(cost_note(figures))
    if found["hard_links"]:
        says.append(f"{count_text(found['hard_links'], 'further name')} of a file take no space.")
    unnamed = "(name not shown: held, sensitive or not flagged yet)"
    columns = [
        words("The file that is kept", lambda row: row["keeper"] or unnamed),
        count("Copies", "copies"),
        size_bar("Size of the copies"),
    ]
    largest = table("Where copies take most space", columns, found["largest"], folded=True)
    tables = [largest]
    if found["folders"]:
        whole = count_text(found["replicated_folders"], "whole folder")
        says.append(
            f"{whole} ({size_text(found['replicated_size_bytes'])}) can be decided on as one each: "
            "everything in them is kept elsewhere."
        )
        if near := found["overlapping_folders"]:
            says.append(f"Of {count_text(near, 'more folder')}, nearly everything is.")
        columns = [
            words("Folder", lambda row: row["folder"] or unnamed),
            words(
                "Is", lambda row: FOLDER_WORDS[row["kind"]].format(row["of"] or "another folder")
            ),
            count("Files", "files"),
            count("Nowhere else", "only_here_files"),
            size_bar(),
        ]
        tables.append(table("Folders that exist elsewhere", columns, found["folders"], folded=True))
    folds = fold("The copies", (figures.opened or {}).get("copies"))
    return Section("duplicates", "Duplicates", says, tables, folds)


def age(figures: Figures) -> Section:
    says = [
        f"Whole years since a file was last changed, counted back from {day_text(figures.as_of)}.",
        "These are the dates on the share; careless copying in the past can have reset them.",
    ]
    whole = sum(row["size_bytes"] for row in figures.ages)
    columns = [words("Years", "band"), count_bar("Files", "files"), size_bar(),
               part("Part of the size", whole)]  # fmt: skip
    shown = table("Files by age", columns, figures.ages)
    if not figures.opened:
        return Section("age", "Age", says, [shown])
    folds = folds_of(figures, "age", {row["band"]: row["band"] for row in figures.ages})
    picture = stacked("Bytes by years since the last change", figures.ages, "band")
    return Section("age", "Age", says, [shown], folds, [picture])


def folders(figures: Figures) -> Section:
    columns = [words("Folder", "folder"), count("Files", "files"), size_bar()]
    says = ["With everything that lies below them. At most twenty of each, largest first."]
    tables = [
        table("Directly below a share", columns, figures.folders),
        table("One level further down", columns, figures.subfolders, folded=True),
    ]
    return Section("folders", "Biggest folders", says, tables)


def formats(figures: Figures) -> Section:
    says = [
        "How likely a format is to be lost, as the US National Archives rate it (plan of "
        f"{PLAN_OF}); by extension where no PRONOM identifier is known."
    ]
    whole = sum(row["size_bytes"] for row in figures.risks)
    columns = [words("Risk", lambda row: RISK_WORDS[row["risk"]]), count_bar("Files", "files"),
               size_bar(), part("Part of the size", whole)]  # fmt: skip
    tables = [table("Files by the risk that their format is lost", columns, figures.risks)]
    if all(not scan["mime"] or not scan["content"] for scan in figures.scans):
        says.append("No types were taken: the crawl was run without opening or typing files.")
    else:
        columns = [words("Type", _mime_text), count_bar("Files", "files"), size()]
        tables.append(table("By MIME type", columns, figures.mime_types))
    if locked := figures.totals["encrypted"]:
        verb = "is" if locked == 1 else "are"
        says.append(f"{count_text(locked, 'file')} {verb} known to be locked with a password.")
    if not figures.totals["files"]:
        says.append("There are no files to take PRONOM identifiers of.")
    elif figures.puids is not None:
        tables.append(_puids(figures.puids))
    else:
        says.append("No PRONOM identifiers were taken: migrate identify has not been run.")
    if figures.attention:
        tables.insert(1, _attention(figures.attention))
    elif figures.attention is not None:
        says.append("No rule that looks at formats noticed anything, or the rules have changed.")
    title = "Formats and their risks"
    if figures.opened is None:
        return Section("formats", title, says, tables)
    noticed = {row["rule_id"]: rule_name(row) for row in figures.attention or []}
    folds = [
        *folds_of(figures, "risk", RISK_WORDS),
        *folds_of(figures, "noticed", noticed),
        *folds_of(figures, "format", {row["puid"]: _puid_text(row) for row in figures.puids or []}),
        *folds_of(figures, "type", {row["mime"]: _mime_text(row) for row in figures.mime_types}),
    ]
    rows = [{**row, "risk": RISK_WORDS[row["risk"]]} for row in figures.risks]
    picture = stacked("Bytes by the risk that their format is lost", rows, "risk")
    return Section("formats", title, says, tables, folds, [picture])


def _attention(found: list[Figure]) -> Table:
    columns = [words("What rules noticed", lambda row: f"{row['title']} ({row['rule_id']})"),
               count_bar("Items", "items"), size()]  # fmt: skip
    note = "Whatever else was found in them; one item may be in several rows."
    return table("Formats that need attention before they move", columns, found, note=note)


def _mime_text(row: Figure) -> str:
    if row["mime"] == "others":
        return count_text(row["types"], "other type")
    return row["mime"] or "Not known"


def _puid_text(row: Figure) -> str:
    return f"{row['format_name']} ({row['puid']})"


def _puids(found: list[Figure]) -> Table:
    columns = [
        words("Format", lambda row: row["format_name"] or "Not identified"),
        words("PUID", lambda row: row["puid"] or "–"),
        count("Files", "files"),
    ]
    return table("By PRONOM format (the twelve commonest)", columns, found, folded=True)


def owners(figures: Figures) -> Section:
    found, files = figures.owners, "files"
    columns = [words("Owner", lambda row: OWNER_WORDS[row["state"]]), count_bar("Files", files),
               size()]  # fmt: skip
    tables = [table("Files by what is known of their owner", columns, found["states"])]
    if found["numbers"]:
        caption = f"The numbers that own most (of {found['number_count']:,})"
        columns = [words("Number", "owner"), count("Files", files), size()]
        tables.append(table(caption, columns, found["numbers"], folded=True))
    says = [
        "The owner is who the file system names, often who copied a file last. Where only a number "
        "is left, the account has gone and there may be nobody to ask."
    ]
    folds = folds_of(figures, "owner", OWNER_WORDS)
    return Section("owners", "Files without a known owner", says, tables, folds)


def sources(figures: Figures) -> Section:
    says = [
        "Every figure comes from the estate’s tables, and every table from a run in its log. Each "
        "line of the log carries the hash of the line before; who keeps the head below can tell "
        "later whether any line was changed. Sizes are in powers of 1,024; dates and times in UTC."
    ]
    facts = [{"what": what, "which": which} for what, which in _source_facts(figures)]
    runs = [words("Run", lambda row: str(row["run"])), words("Stage", "stage"),
            words("Begun", "started_at"),
            words("Ended", lambda row: row["finished_at"] or "not ended")]  # fmt: skip
    caption = f"Every run of every stage ({len(figures.history):,})"
    tables = [
        table("Sources", [words("What", "what"), words("Which", "which")], facts),
        table(caption, runs, figures.history, folded=True),
    ]
    return Section("sources", "Where the figures come from", says, tables)


def _source_facts(figures: Figures) -> list[tuple[str, str]]:
    """What somebody needs to find this state of the estate again."""
    state, flag = figures.state, figures.flag
    facts = [
        ("Log", f"{state['log_lines']:,} lines; the last of {state['last_change']}"),
        ("Head of the log (SHA-256)", state["log_head"]),
        *((f"Scan of {scan['share']}", _scan_facts(scan)) for scan in figures.scans),
    ]
    if flag:
        facts += [
            ("Rules", f"{count_text(flag['count'], 'rule')}, run {flag['run']}"),
            ("Rule set (SHA-256)", flag["rules"]),
            ("Ages count back from", flag["as_of"]),
        ]
    else:
        facts.append(("Rules", NOT_FLAGGED))
    made_by = ", ".join(state["versions"]) or "–"
    return [*facts, ("Toolkit", f"version {made_by}; this page by version "
                                f"{state['report_version']}")]  # fmt: skip


def _scan_facts(scan: Figure) -> str:
    how = "listed, read and typed" if scan["mime"] else "listed and read, not typed"
    how = how if scan["content"] else "listed only"
    when = f"{scan['started_at']} to {scan['finished_at'] or 'now, not ended'}"
    digest = "; SHA-256 of every file" if scan["sha256"] else ""
    return f"run {scan['run']}, {when}; {how}{digest}"
