"""Room: the summary in a few lines, for the console and the top of the page.

In: `Figures`. Out: headlines. Never: a zero for a stage that was not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from migrate.move import GOOD
from migrate.report.tables import percent_text
from migrate.wording import count_text, size_text

if TYPE_CHECKING:
    from migrate.report.figures import Figures


class Headline(Struct, frozen=True):
    """One line of the summary: what, how much, and what to know about it."""

    what: str
    figure: str
    note: str


def headlines(found: Figures) -> list[Headline]:
    """The summary; of an estate in which nothing has been crawled, only that."""
    if not found.scans:
        return [Headline("Files", "not crawled yet", "run migrate crawl")]
    return [*_what_there_is(found), *_what_is_proposed(found), *_what_is_done(found)]


def in_a_sentence(found: Figures) -> str:
    """What somebody should remember who reads nothing else; nothing before the rules were run."""
    rows = {row["proposal"]: row["size_bytes"] for row in found.proposed or []}
    whole = sum(rows.values())
    if not whole:
        return ""
    words = {name: percent_text(size, whole) for name, size in rows.items()}
    text = (
        f"Of {size_text(whole)}, {words['dispose']} is proposed for disposal, on {words['review']} "
        f"a person must decide, and {words['migrate']} can move as it is."
    )
    return text + (f" On hold: {words['hold']}." if rows["hold"] else "")


def _what_there_is(found: Figures) -> Iterator[Headline]:
    files, size = sum(share["files"] for share in found.shares), found.totals["size_bytes"]
    shares = count_text(len(found.shares), "share")
    yield Headline("Files", f"{files:,}", f"{size_text(size)} on {shares}")
    same = found.duplicates
    if same is None:
        yield Headline("Duplicates", "not looked for yet", "run migrate dedupe")
    else:
        note = f"copies beyond the one kept, in {count_text(same['groups'], 'group')}"
        size = size_text(same["copies_size_bytes"])
        if cost := found.cost_text(same["copies_size_bytes"]):
            size += f", {cost} a year"
        yield Headline("Duplicates", f"{same['copies']:,}", f"{note}, {size}")


def _what_is_proposed(found: Figures) -> Iterator[Headline]:
    for what, name, note in (
        ("Proposed for disposal", "dispose", "goes only if a person approves"),
        ("For a person to decide", "review", "the rules ask a person to look"),
    ):
        row = found.proposal(name)
        if row is None:
            yield Headline(what, "not flagged yet", "run migrate flag")
        else:
            yield Headline(what, f"{row['items']:,}", f"{size_text(row['size_bytes'])}; {note}")
    held = sum(hold["items"] for hold in found.held)
    size = sum(hold["size_bytes"] for hold in found.held)
    holds = f"{size_text(size)}; {count_text(len(found.held), 'hold')} in force"
    holds += "" if found.duplicates else "; copies elsewhere not known before migrate dedupe"
    yield Headline("On hold", f"{held:,}", holds if found.held else "no hold is in force")
    if found.sensitive is None:
        yield Headline("Sensitive", "not flagged yet", "run migrate flag")
    else:
        marked = f"{found.sensitive[0]['items']:,}"
        yield Headline("Sensitive", marked, "by name or content, at least one rule")
    failed = sum(row["items"] for row in found.unreadable)
    kept = "kept out of disposal" if failed else "all that was looked at was readable"
    yield Headline("Could not be read", f"{failed:,}", kept)


def _what_is_done(found: Figures) -> Iterator[Headline]:
    decided, open_items = found.totals["decided"], found.totals["to_decide"]
    if found.review["imports"]:
        note = f"of {decided + open_items:,}; {open_items:,} open, proposals to confirm included"
        yield Headline("Decided", f"{decided:,}", note)
    else:
        yield Headline("Decided", "none yet", "no review workbook has come back")
    if found.manifest is None:
        yield Headline("In the manifest", "not made yet", "run migrate manifest")
        return
    account = found.manifest["accounts"][0]
    size = size_text(account["size_bytes"])
    yield Headline("In the manifest", f"{account['files']:,}", f"{size} to move")
    if found.receipts is None:
        why = "run migrate move" if account["files"] else "the manifest has no lines"
        yield Headline("Moved and verified", "nothing yet", why)
    for target in sorted({row["target"] for row in found.receipts or []}):
        rows = [row for row in found.receipts or [] if row["target"] == target]
        good = sum(row["lines"] for row in rows if row["state"] == GOOD)
        note = f"of {sum(row['lines'] for row in rows):,}, in {target}"
        yield Headline("Moved and verified", f"{good:,}", note)
