"""Room: the report as one HTML file that needs nothing else: no script, no request, no font.

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

from migrate.paths import printable
from migrate.report import decisions, inventory
from migrate.report.figures import Figures
from migrate.report.tables import Section, day_text

SECTIONS: list[Callable[[Figures], Section]] = [
    decisions.proposals, decisions.review, decisions.manifest, decisions.sensitive,
    inventory.unreadable, decisions.rot, inventory.volume, inventory.duplicates, inventory.age,
    inventory.folders, inventory.formats, inventory.owners, inventory.sources,
]  # fmt: skip


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
        steps=decisions.steps(figures),
        date=day_text(figures.state["last_change"]),
    )


def _safe_text(value: Any) -> Any:
    """Everything that the template prints passes here, before it is escaped: no name can turn the
    direction of the line or hide a character. (What is Markup came through here already.)"""
    return value if isinstance(value, Markup) else printable(str(value))
