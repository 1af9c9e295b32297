"""Room: the report as one HTML file that needs nothing else: no script, no request, no font.
What can be opened (figures, the map) the browser opens by itself: details, links, radio buttons.

In: `Figures`. Out: a page for somebody who has five minutes and must sign; the same estate gives
the same bytes. Never: a name from a share that is not escaped; a colour that says something alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from msgspec.structs import replace

from migrate.paths import printable
from migrate.report import decisions, inventory
from migrate.report.figures import Figures
from migrate.report.headlines import in_a_sentence
from migrate.report.maps import COLOURS
from migrate.report.pictures import KIND_WORDS
from migrate.report.tables import Section, day_text

SECTIONS: list[Callable[[Figures], Section]] = [
    decisions.where, decisions.proposals, decisions.review, decisions.manifest, decisions.sensitive,
    inventory.unreadable, decisions.rot, inventory.volume, inventory.changes, inventory.duplicates,
    inventory.age, inventory.folders, inventory.formats, inventory.owners, inventory.sources,
]  # fmt: skip


def write_text(text: str, path: Path) -> Path:
    """Write a report, complete or not at all.

    Errors: OSError if it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = text.encode()
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
        sections=built(figures),
        kinds=KIND_WORDS,
        opens=OPENS,
        colours=COLOURS,
        sentence=in_a_sentence(figures),
        basis=_basis(figures, "summary"),
        headlines=figures.headlines(),
        steps=decisions.steps(figures),
        date=day_text(figures.state["last_change"]),
    )


def built(figures: Figures) -> list[Section]:
    """The sections, each with what its figures rest on."""
    wanted = SECTIONS if figures.scans else [inventory.volume, inventory.sources]
    sections = [build(figures) for build in wanted]
    return [replace(section, basis=_basis(figures, section.anchor)) for section in sections]


# The section in which a headline's figure can be opened.
OPENS = {
    "Files": "volume", "Duplicates": "duplicates", "Proposed for disposal": "proposals",
    "For a person to decide": "proposals", "On hold": "sensitive", "Sensitive": "sensitive",
    "Could not be read": "unreadable", "Decided": "review", "In the manifest": "move",
    "Moved and verified": "move",
}  # fmt: skip
FROM_LOG = ("move", "sources")  # these say themselves which runs they are about


def _basis(figures: Figures, anchor: str) -> str:
    """From which scans and which rule set the figures of a section are."""
    if anchor in FROM_LOG or not figures.scans:
        return ""
    scans = ", ".join(f"scan {scan['run']} of {scan['share']}" for scan in figures.scans)
    if anchor in ("volume", "folders") or figures.flag is None:
        return f"From {scans}."
    return f"From {scans}; rule set {figures.flag['rules'][:12]} (run {figures.flag['run']})."


def _safe_text(value: Any) -> Any:
    """Everything that the template prints passes here, before it is escaped: no name can turn the
    direction of the line or hide a character. (What is Markup came through here already.)"""
    return value if isinstance(value, Markup) else printable(str(value))
