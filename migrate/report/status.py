"""Room: where an estate stands and what comes next.

In: the log. Out: a line for every stage, and the next command. Reads no table: it answers at once,
also while a crawl is running.
"""

from __future__ import annotations

import shlex
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from migrate.config import Config
from migrate.estate import Estate, Run
from migrate.locking import at_work
from migrate.scans import is_disproved, rescans
from migrate.wording import count_text, size_text

UNTRUE = "files read again to prove the scan before had changed unseen: migrate changes"


class Stage(Struct, frozen=True):
    """One stage: its name, state (done | running | not ended | under way | out of date | not yet |
    not to be trusted) and result in words. `not ended`: it was cut off, and goes on where it was;
    `under way`: people are at it."""

    name: str
    state: str
    result: str


class Stand(Struct, frozen=True):
    stages: list[Stage]
    next: str


RUNNING, NOT_ENDED = "running", "not ended"


def stand(estate: Estate, config: Config) -> Stand:
    """The state of every stage, from the log alone."""
    crawls = [_crawl(estate, share.name) for share in config.shares]
    stages = [*crawls, *(_stage(estate, name, words, needs) for name, words, needs in _STAGES)]
    stages = [
        _import(estate, stage) if stage.name == "review import" else stage for stage in stages
    ]
    writer = at_work(estate.root)
    if not writer:
        return Stand(stages, _next(estate, stages))
    stages = [replace(s, state=RUNNING) if s.state == NOT_ENDED else s for s in stages]
    return Stand(stages, f"wait: {_command(estate)} is running ({writer})")


def _command(estate: Estate) -> str:
    """What was begun last, as it was typed."""
    begun = [record for record in estate.log.records if record["kind"] == "command"]
    return shlex.join(begun[-1]["command"])


def _import(estate: Estate, stage: Stage) -> Stage:
    """The import is done when something has come back of every workbook of the newest export."""
    exported = estate.latest("review export")
    if exported is None or stage.state == "not yet":
        return stage
    names = [book["file"].removesuffix(".xlsx") for book in exported.summary["workbooks"]]
    returned = [run.settings["workbook"] for run in estate.runs("review import") if run.finished]
    # People and programs add to a name: "Finance (1).xlsx" is Finance, "Finance-2.xlsx" is not.
    fitting = ([name for name in names if book.startswith(name)] for book in returned)
    back = {max(fits, key=len) for fits in fitting if fits}
    out = [name for name in names if name not in back]
    if not out:
        return stage
    words = f"{len(names) - len(out):,} of {len(names):,} workbooks have come back; still out: "
    return Stage(stage.name, "under way", words + ", ".join(out))


def _crawl(estate: Estate, share: str) -> Stage:
    name = f"crawl {share}"
    run = next((run for run in estate.scans() if run.settings["share"] == share), None)
    if run is None:
        return Stage(name, "not yet", "")
    entries = sum(part["rows"] for part in run.parts if part["table"] == "entries")
    words = count_text(entries, "entry", "entries") + (
        "" if run.settings["content"] else ", listed only"
    )
    if connection := run.summary.get("connection"):
        words += f", {connection}"
    if is_disproved(run):
        return Stage(name, "not to be trusted", f"{words}; {UNTRUE}")
    changed = next((one for one in rescans(estate) if one["scan"] == run.run_id), None)
    if changed and changed["changes"]:
        counts = ((what, of["files"]) for what, of in changed["changes"].items())
        told = ", ".join(f"{files:,} {what.replace('_', ' ')}" for what, files in counts if files)
        words += f"; since {changed['before_at']}: {told or 'nothing changed'}"
    return Stage(name, "done" if run.finished else NOT_ENDED, f"{words}, begun {run.started_at}")


def _identified(run: Run) -> str:
    return count_text(run.summary.get("contents", 0), "content")


def _inspected(run: Run) -> str:
    text = "text too" if run.settings["text"] else "no text"
    return f"{count_text(run.summary['contents'], 'content')}, {text}"


def _deduped(run: Run) -> str:
    found = run.summary
    size = size_text(found["copies_size_bytes"])
    copies = count_text(found["copies"], "copy", "copies")
    words = f"{count_text(found['groups'], 'group')}, {copies}, {size}"
    if found["replicated_folders"]:
        words += f"; {count_text(found['replicated_folders'], 'whole folder')} among them"
    return words


def _flagged(run: Run) -> str:
    entries = count_text(run.summary["entries"], "entry", "entries")
    return f"{entries}, ages as of {run.settings['as_of']}"


def _exported(run: Run) -> str:
    return count_text(len(run.summary["workbooks"]), "workbook")


def _imported(run: Run) -> str:
    return f"{run.settings['workbook']}: {count_text(run.summary['files'], 'decision')}"


def _listed(run: Run) -> str:
    files = {account["outcome"]: account["files"] for account in run.summary["accounts"]}
    to_move = count_text(files.get("to_move", 0), "file")
    words = f"{to_move} to move, {files.get('undecided', 0):,} undecided"
    withheld = files.get("withheld", 0)
    return f"{words}, {withheld:,} decided but not carried out" if withheld else words


def _moved(run: Run) -> str:
    counts = ", ".join(f"{n:,} {status}" for status, n in run.summary["by_status"].items())
    return f"{counts}; to {run.settings['target']}"


# stage, result in words, the stages whose newer run makes it out of date
_STAGES: list[tuple[str, Any, list[str]]] = [
    ("identify", _identified, ["crawl"]),
    ("dedupe", _deduped, ["crawl"]),
    ("inspect", _inspected, ["crawl", "dedupe"]),
    ("flag", _flagged, ["crawl", "identify", "dedupe", "inspect"]),
    ("review export", _exported, ["flag"]),
    ("review import", _imported, []),
    ("manifest", _listed, ["flag", "review import"]),
    ("move", _moved, ["manifest"]),
]

_OPTIONAL = {"identify": "dedupe", "inspect": "flag"}  # and what comes after them

_COMMANDS = {
    "identify": "migrate identify (or leave it out: migrate dedupe)",
    "inspect": "migrate inspect (or leave it out: migrate flag)",
    "review import": "migrate review import WORKBOOK, for every workbook that comes back; "
    "for what is decided already, migrate manifest",
    "move": "migrate move --to file:///NEW/STORE",
}


def _stage(estate: Estate, name: str, words: Any, needs: list[str]) -> Stage:
    run = estate.latest(name)
    if run is None:
        begun = any(True for _ in estate.runs(name))
        return Stage(name, NOT_ENDED if begun else "not yet", "")
    newer = [need for need in needs if (n := estate.latest(need)) and n.run_id > run.run_id]
    state = f"out of date: newer {newer[0]}" if newer else "done"
    return Stage(name, state, f"{words(run)}, {run.finished_at}")


def _next(estate: Estate, stages: list[Stage]) -> str:
    """The first stage that is not done. What may be left out is, once something came after it."""
    left_out = [name for name, after in _OPTIONAL.items() if estate.latest(after)]
    for stage in stages:
        if stage.state == "done" or stage.name in left_out:
            continue
        if stage.state == "not to be trusted":
            return "migrate crawl --reread"
        name = "crawl" if stage.name.startswith("crawl ") else stage.name
        goes_on = ", which goes on where it was stopped" if stage.state == NOT_ENDED else ""
        return _COMMANDS.get(name, f"migrate {name}") + goes_on
    return "migrate verify, then migrate report"
