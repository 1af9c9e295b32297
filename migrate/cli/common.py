"""What all verbs share: how an estate is found, a few options, and how results are shown."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from migrate.errors import EstateMissing, MigrateError

if TYPE_CHECKING:
    from migrate.config import Config
    from migrate.estate import Estate, Writer
    from migrate.flag.rules import Rule
    from migrate.yamlfile import Document

Verb = TypeVar("Verb", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
estate_option = click.option(
    "-e",
    "--estate",
    "estate_path",
    type=click.Path(path_type=Path),
    envvar="MIGRATE_ESTATE",
    help="The estate's folder. Default: $MIGRATE_ESTATE, else the one you are in.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 256),
    help="Processes that work side by side. Default: one for each processor; more read while "
    "a disk has them wait.",
)
as_of_option = click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day ages count back from. Default: as estate.yaml says, else the day of the crawl.",
)


def verb(command: Verb) -> Verb:
    """The options that every verb on an estate has."""
    return json_option(estate_option(command))


def find_estate(given: Path | None) -> Path:
    """The estate's folder: the one given, or the one the current folder is in."""
    if given:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "log.jsonl").exists():
            return folder
    raise EstateMissing("no estate here", "Go into an estate's folder, or name it with -e ESTATE.")


class Opened:
    """An estate with its estate.yaml read."""

    def __init__(self, given: Path | None) -> None:
        from migrate.config import load
        from migrate.estate import Estate

        self.estate: Estate = Estate(find_estate(given))
        loaded: tuple[Config, Document] = load(self.estate.config_path)
        self.config, self.document = loaded

    def rules(self) -> list[Rule]:
        from migrate.flag.rules import load_rules

        return load_rules(self.config, self.document, self.estate.root)

    def holds(self) -> list[Rule]:
        from migrate.flag.rules import load_holds

        return load_holds(self.config, self.document, self.estate.root)

    def as_of(self, given: datetime | None = None) -> date:
        """The day ages count back from."""
        from migrate.flag.rules import as_of_date

        flagged = self.estate.latest("flag")
        if flagged and not given:  # what was flagged is reviewed and moved as of the same day
            return date.fromisoformat(flagged.settings["as_of"])
        scans = [scan.started_at for scan in self.estate.scans()]
        return as_of_date(self.config, given.date() if given else None, max(scans))

    def require_crawl(self) -> None:
        """Every share is crawled to its end, or there is no point in going on."""
        finished = {scan.settings["share"] for scan in self.estate.scans() if scan.finished}
        missing = [share.name for share in self.config.shares if share.name not in finished]
        if missing:
            raise MigrateError(
                f"the crawl of {', '.join(missing)} is not complete", "Run `migrate crawl` first."
            )

    def require_true_scans(self) -> None:
        """Every share is crawled, and what was taken over from earlier crawls has proven true."""
        from migrate.scans import refuse_disproved

        self.require_crawl()
        refuse_disproved(self.estate)

    def require_groups(self) -> None:
        """Duplicates are known: or a rule could not tell, nor a hold cover copies."""
        self.require_true_scans()
        if not self.estate.groups_are_current():
            raise MigrateError(
                "duplicates are not known, or are those of an earlier crawl",
                "Run `migrate dedupe` first.",
            )

    def require_flag(self) -> None:
        """Findings there are, and they are about the facts as they stand."""
        self.require_groups()
        flagged = self.estate.latest("flag")
        if flagged is None:
            raise MigrateError("nothing is flagged yet", "Run `migrate flag` first.")
        groups = self.estate.latest("dedupe")
        if groups is None or groups.run_id not in flagged.inputs:
            raise MigrateError(
                "the findings are older than the crawl or the duplicates they rest on",
                "Run `migrate flag` again.",
            )


@contextmanager
def open_for_writing(given: Path | None) -> Iterator[tuple[Opened, Writer]]:
    """The estate, locked."""
    from migrate.estate import writing

    opened = Opened(given)
    with writing(opened.estate, ["migrate", *sys.argv[1:]]) as writer:
        yield opened, writer


def workers_or_default(given: int | None) -> int:
    from migrate.engine.workers import default_workers

    return given or default_workers()


# A result: what scripts get, and how people see it.
Shown = tuple[dict[str, Any], Callable[[], None]]


def show(as_json: bool, data: dict[str, Any], render: Callable[[], None]) -> None:
    """The result: JSON for scripts, words for people."""
    if as_json:
        click.echo(json.dumps(data, ensure_ascii=False, default=str))
    else:
        render()


def say(line: str = "") -> None:
    """One line of result, with nothing in it that could move the cursor."""
    from migrate.paths import printable

    click.echo(printable(line))


def longest_bar() -> str:
    """A bar as long as there is room for beside words; of blocks, where the terminal has them."""
    letters = max(4, min(24, _width() // 4))
    try:
        "█".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "#" * letters
    return "█" * letters


def _width() -> int:
    """Of the terminal; of what is not one, what is asked for."""
    if sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return int(os.environ.get("COLUMNS", "100"))


TABLE_NEEDS = ("rich.console", "rich.table")  # which take as long to load as a small share to crawl


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A small table; every column but the first is set to the right if it holds numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from migrate.paths import printable

    shown = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        numeric = number > 0 and all(row[number][:1].isdigit() for row in rows if row[number])
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(width=_width(), markup=False, emoji=False, highlight=False)
    with console.capture() as capture:
        console.print(shown)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    click.echo("\n".join(line for line in lines if line))
