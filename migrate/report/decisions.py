"""Room: the sections of the page about what is proposed, decided and done.

In: `Figures`. Out: sections, in words for somebody who must sign. Never: the name of a file.
"""

from __future__ import annotations

from migrate.move import STATUSES
from migrate.report.figures import Figures
from migrate.report.logged import NOT_MOVED_YET
from migrate.report.maps import folder_name, maps, whole_rows
from migrate.report.pictures import KIND_WORDS
from migrate.report.sections import DECIDED, Figure
from migrate.report.tables import (
    Cell,
    Column,
    Fold,
    Section,
    Table,
    count,
    count_bar,
    day_text,
    figure,
    fold,
    part,
    part_bar,
    percent,
    percent_text,
    size,
    summed,
    table,
    words,
)
from migrate.wording import count_text, size_text

NOT_FLAGGED = "Not flagged yet: run migrate flag."
ITEM = "An item is a file, a link or an empty folder."

PROPOSAL_WORDS = {
    "migrate": ("Move to the new store", "nothing speaks against it"),
    "review": ("A person must decide", "the rules ask for a look"),
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
    "handling": "Needs work to move",
    "none": "No rule applies",
}
OUTCOME_WORDS = {
    "to_move": "To move",
    "disposed": "Approved for disposal; stays on the share until it is retired",
    "left": "Stays on the share by decision",
    "withheld": "Decided, but not carried out: to be decided again",
    "undecided": "Nobody has decided",
    "held": "On hold: neither moved nor disposed of",
    "unreadable": "Could not be read: stays where it is",
    "not_a_file": "Links and the like: recorded only",
}


def steps(figures: Figures) -> list[str]:
    """What somebody has still to do before the share can be emptied; most urgent first."""
    found = list(figures.warnings)
    if failed := sum(row["items"] for row in figures.unreadable):
        found.append(
            f"{count_text(failed, 'item')} could not be read. They are kept out of disposal, and "
            "nobody knows what is in them: IT should mend access and crawl again."
        )
    if figures.proposed is None:
        return [*found, NOT_FLAGGED]
    return [*found, *_open_decisions(figures), *_not_moved(figures.receipts or [])]


def _open_decisions(figures: Figures) -> list[str]:
    found = []
    if to_decide := figures.totals["to_decide"]:
        again = figures.totals["again"]
        withheld = (
            f", {again:,} of them again: what was decided was not carried out" if again else ""
        )
        found.append(f"{count_text(to_decide, 'item')} still to be decided on{withheld}.")
    for row in figures.units or []:
        if not row["reviewer"] and row["to_decide"]:
            items = count_text(row["to_decide"], "item")
            found.append(f"{items} under “{row['unit']}” have no reviewer named in estate.yaml.")
    if refused := figures.review["refused"]:
        rows = count_text(refused, "decision")
        found.append(f"{rows} in the workbooks could not be accepted; the import says why.")
    return found


def _not_moved(receipts: list[Figure]) -> list[str]:
    return [
        f"{count_text(row['lines'], 'line')} of the manifest: "
        f"{STATUSES.get(row['state'], row['state'])}."
        for row in receipts
        if row["state"] not in ("verified", NOT_MOVED_YET)
    ]


def proposals(figures: Figures) -> Section:
    title, rows, effect = "What is proposed", figures.proposed, figures.effect()
    if rows is None or effect is None:
        return Section("proposals", title, [NOT_FLAGGED])
    total = summed(rows, "items", "files", "size_bytes")
    columns = [
        words("Proposal", lambda row: "{} ({})".format(*PROPOSAL_WORDS[row["proposal"]])),
        count_bar("Items", "items"),
        count("of which files", "files"),
        size(),
        part("Part of the size", total["size_bytes"]),
    ]
    says = [
        "These are proposals. Nothing is moved or disposed of until a person has decided, item "
        "by item or folder by folder, in a review workbook."
    ]
    proposed = table("What the rules propose", columns, rows, note=ITEM, total=total)
    return Section(
        "proposals", title, says, [proposed, _effect(figures, effect)],
        folds=folds_of(figures, "proposal", {name: w[0] for name, w in PROPOSAL_WORDS.items()}),
    )  # fmt: skip


def folds_of(figures: Figures, prefix: str, names: dict[str, str]) -> list[Fold]:
    """What is behind each of some figures."""
    opened = figures.opened or {}
    return [
        one
        for name, words_for in names.items()
        for one in fold(words_for, opened.get(f"{prefix} {name}"))
    ]


def where(figures: Figures) -> Section:
    """The map of the shares."""
    title, rows = "Where it is", figures.area
    if rows is None:
        return Section("area", title, [NOT_FLAGGED])
    if not rows:
        return Section("area", title, ["There are no files with anything in them."])
    columns = [
        words("Folder", folder_name),
        count("Files", "files"),
        size(),
        *(_of(name) for name in ("migrate", "review", "dispose", "hold")),
    ]
    says = [
        "Each rectangle is a folder, as large as what lies in it, and divided by what is proposed "
        "for that, by its age or by the risk that its format is lost. Choose a rectangle to see "
        "the folders in it."
    ]
    caption = "The folders of the map, largest first"
    shown = table(caption, columns, whole_rows(rows), folded=True)
    return Section("area", title, says, [shown], maps=maps(rows))


def _of(name: str) -> Column:
    """What part of a folder's bytes has one proposal."""
    return figure(
        KIND_WORDS[name].capitalize(), lambda row: percent_text(row[name], row["size_bytes"])
    )


def _effect(figures: Figures, effect: Figure) -> Table:
    now = effect["now"]
    rows = [
        {"if": "Today", "left": now, "items": effect["items_now"], "saved": 0},
        *(
            {"if": what, "left": effect[name], "items": effect[f"items_{name}"],
             "saved": now - effect[name]}
            for what, name in (
                ("If all that is proposed for disposal goes", "after_disposal"),
                ("If, as well, everything goes that a person must decide on (the least there "
                 "could be)", "least"),
            )
        ),
    ]  # fmt: skip

    def saved(row: Figure, text: str) -> str:
        return text if row["saved"] else "–"

    columns = [
        words("If", "if"),
        part_bar("Left", lambda row: Cell(size_text(row["left"]), percent(row["left"], now))),
        count("Items left to migrate", "items"),
        figure("Saved", lambda row: saved(row, size_text(row["saved"]))),
        figure("Saved, part", lambda row: saved(row, percent_text(row["saved"], now))),
    ]
    if figures.cost:
        columns.append(
            figure("Saved a year", lambda row: saved(row, figures.cost_text(row["saved"])))
        )
    caption = "Effect on the size and the number of items to migrate"
    return table(caption, columns, rows, note=cost_note(figures))


def cost_note(figures: Figures) -> str:
    """What sums of money rest on, or how to come by them."""
    if figures.cost is None:
        return "What this costs is not shown: estate.yaml does not say (storage_cost)."
    price = f"{figures.cost['currency']}{figures.cost['per_gb_year']:g}"
    return f"Money at {price} for a gigabyte and year, as estate.yaml says (storage_cost)."


def review(figures: Figures) -> Section:
    title, units = "Progress of the review", figures.units
    if units is None:
        return Section("review", title, [NOT_FLAGGED])
    columns = [
        words("Business unit", "unit"),
        part_bar("Decided", _decided),
        count("Still to decide", "to_decide"),
        count("of which not proposed either way", "for_person"),
        count("Not for decision", "closed"),
        words("Reviewer", "reviewer"),
    ]
    note = (
        "What is proposed either way, to move or to dispose of, needs a person to confirm it. "
        "Not for decision: on hold, not readable, links."
    )
    total = {**summed(units, "decided", "to_decide", "for_person", "closed"), "reviewer": ""}
    caption = "Decisions by business unit, in items"
    shown = table(caption, columns, units, note=note, total=total)
    still = {row["unit"]: f"{row['unit']}, still to decide" for row in units}
    decided = {name: f"Decided: {OUTCOME_WORDS[name][0].lower()}{OUTCOME_WORDS[name][1:]}"
               for name in DECIDED}  # fmt: skip
    folds = folds_of(figures, "unit", still) + folds_of(figures, "outcome", decided)
    return Section("review", title, _workbooks(figures.review), [shown], folds)


def _decided(row: Figure) -> Cell:
    decided, whole = row["decided"], row["decided"] + row["to_decide"]
    text = f"{decided:,} of {whole:,} ({percent_text(decided, whole)})" if whole else "none"
    return Cell(text, percent(decided, whole))


def _workbooks(found: Figure) -> list[str]:
    if not found["exported_at"]:
        says = ["No workbooks have been written yet: run migrate review export."]
    else:
        books = count_text(found["workbooks"], "workbook")
        says = [f"{books} written on {day_text(found['exported_at'])}."]
    if found["imports"]:
        times, last = count_text(found["imports"], "import"), day_text(found["imported_at"])
        says.append(f"Decisions read back in {times}, the last on {last}.")
    elif found["exported_at"]:
        says.append("No decisions have come back yet: run migrate review import.")
    return says


def manifest(figures: Figures) -> Section:
    title, made = "The manifest and the move", figures.manifest
    if made is None:
        says = ["There is no manifest yet: run migrate manifest. Nothing has been moved."]
        return Section("move", title, says)
    day = day_text(made["made_at"])
    rests_on = ", ".join(map(str, made["inputs"]))
    says = [
        f"Manifest of {day} (run {made['run']}, from runs {rests_on}). It accounts for every item."
    ]
    if made["renamed"]:
        files = count_text(made["renamed"], "item")
        says.append(f"{files} will have another name in the new store; renamed.csv lists them.")
    columns = [
        words("Outcome", lambda row: OUTCOME_WORDS[row["outcome"]]),
        count_bar("Items", "files"),
        size(),
    ]
    accounts = made["accounts"]
    total = summed(accounts, "files", "size_bytes")
    tables = [table("What becomes of everything", columns, accounts, total=total)]
    if figures.receipts is not None:
        tables.append(_receipts(figures.receipts))
        says.append("A move copies and reads back. The source is not changed and not deleted.")
    elif accounts[0]["files"]:
        says.append("Nothing has been moved yet: run migrate move.")
    else:
        says.append("The manifest has no lines: there is nothing to move.")
    return Section("move", title, says, tables, folds_of(figures, "outcome", OUTCOME_WORDS))


def _receipts(found: list[Figure]) -> Table:
    meanings = {**STATUSES, NOT_MOVED_YET: "not tried yet"}

    def state(row: Figure) -> str:
        return f"{row['state'].capitalize()}: {meanings.get(row['state'], row['state'])}"

    columns = [words("State", state), count_bar("Lines", "lines"), size(),
               words("Target", "target")]  # fmt: skip
    note = "Each line with its last receipt in that target. migrate verify reads all of it again."
    return table("Lines of the manifest in the new store", columns, found, note=note)


def sensitive(figures: Figures) -> Section:
    title, tables = "Sensitive and held", []
    says = ["No names of files are given here, as this page may be passed on."]
    if figures.held:
        tables.append(_holds(figures.held, figures.duplicates is not None))
    else:
        says.append("No hold is in force. If there should be one, enter it in estate.yaml.")
    if figures.sensitive is None:
        says.append(f"Sensitive material: {NOT_FLAGGED[0].lower()}{NOT_FLAGGED[1:]}")
        return Section("sensitive", title, says, tables)
    every, *by_rule = figures.sensitive
    if by_rule:
        columns = [words("Rule", rule_name), count("Items", "items"), size()]
        note = "What rules noticed; one item may be in several rows, and may be on hold as well."
        marked = table(
            "Marked or recognised as sensitive", columns, by_rule, note=note, total=every,
            total_name="All, each item once",
        )  # fmt: skip
        tables.append(marked)
    else:
        says.append("No rule noticed anything sensitive. Rules see names and types, not the text.")
    opened = figures.opened or {}
    folds = [
        *folds_of(figures, "hold", {row["hold"]: row["hold"] for row in figures.held}),
        *fold("Everything sensitive", opened.get("sensitive")),
        *folds_of(figures, "noticed", {row["rule_id"]: rule_name(row) for row in by_rule}),
    ]
    return Section("sensitive", title, says, tables, folds)


def rule_name(row: Figure) -> str:
    return f"{row['title']} ({row['rule_id']})"


def _holds(held: list[Figure], deduped: bool) -> Table:
    note = "As the holds stand now. A copy of something held is held too, wherever it is."
    note += "" if deduped else " Copies are not known before migrate dedupe has been run."
    columns = [
        words("Hold", "hold"),
        count("Items", "items"),
        count("of which copies elsewhere", "copies")
        if deduped
        else figure("of which copies elsewhere", lambda _: "not known"),
        size(),
        words("Authority", "authority"),
    ]
    return table("On hold", columns, held, note=note)


def rot(figures: Figures) -> Section:
    title, categories, rules = "Redundant, obsolete and trivial", figures.categories, figures.rules
    if categories is None or rules is None:
        return Section("rot", title, [NOT_FLAGGED])
    columns = [
        words("Category", lambda row: CATEGORY_WORDS[row["category"]]),
        count_bar("Items", "items"),
        size(),
        count("Move", "migrate"),
        count("Person decides", "review"),
        count("Dispose", "dispose"),
    ]
    note = "Where several rules apply to an item, the one that protects more decides, and counts."
    caption = "By category: items and what is proposed for them"
    tables = [table(caption, columns, categories, note=note)]
    for category in ("redundant", "obsolete", "trivial", "record", "handling"):
        if found := [row for row in rules if row["category"] == category]:
            tables.append(_by_rule(category, found))
    says = [
        "Redundant: there is another copy or version. Obsolete: past its use. Trivial: never was "
        "business information. What is on hold or could not be read is in other sections."
    ]
    if rules and not any(row["why"] for row in rules):
        says.append("The rules have changed since they were run, so their reasons are not shown.")
    folds = folds_of(figures, "category", CATEGORY_WORDS)
    folds += folds_of(figures, "rule", {row["rule_id"]: rule_name(row) for row in rules})
    return Section("rot", title, says, tables, folds)


def _by_rule(category: str, found: list[Figure]) -> Table:
    def why(row: Figure) -> str:
        return str(row["why"]) + (f" Authority: {row['authority']}." if row["authority"] else "")

    items = count_text(sum(row["items"] for row in found), "item")
    caption = f"{CATEGORY_WORDS[category]}, by rule: {count_text(len(found), 'rule')}, {items}"
    columns = [
        words("Rule", rule_name),
        count("Items", "items"),
        size(),
        words("Proposal", lambda row: PROPOSAL_WORDS[row["proposal"]][0]),
        words("How sure", lambda row: row["confidence"].capitalize()),
        words("Why", why),
    ]
    return table(caption, columns, found, folded=True)
