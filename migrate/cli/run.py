"""The verb that runs one stage after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrate.cli.common import (
    TABLE_NEEDS,
    Opened,
    Shown,
    as_of_option,
    estate_option,
    json_option,
    open_for_writing,
    show,
    workers_option,
    workers_or_default,
)  # fmt: skip
from migrate.cli.crawling import crawl_shares, crawled_words, crawlers, exit_code
from migrate.cli.review import exported
from migrate.cli.stages import dedupe_all, flag_all, identify_all, inspect_all
from migrate.errors import UsageError

if TYPE_CHECKING:
    from migrate.engine.nursery import Nursery
    from migrate.estate import Writer


@click.command()
@click.argument("estate", type=click.Path(path_type=Path), required=False)
@estate_option
@click.option("--no-puid", is_flag=True, help="Leave out PRONOM identification.")
@click.option("--no-mime", is_flag=True, help="Take no MIME types.")
@click.option(
    "--until",
    type=click.Choice(["crawl", "identify", "dedupe", "inspect", "flag"]),
    help="The last stage to run: `--until dedupe --no-puid --no-mime` finds duplicates, no more.",
)
@as_of_option
@workers_option
@json_option
def run(
    estate: Path | None, estate_path: Path | None, no_puid: bool, no_mime: bool, until: str | None,
    as_of: datetime | None, workers: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Everything up to the review workbooks: crawl, identify, dedupe, inspect, flag, export.

    \b
    Example:
      migrate run estate
    """
    if estate and estate_path:
        raise UsageError("two estates are named", "Give ESTATE or -e, not both.")
    with crawlers() as nursery, open_for_writing(estate or estate_path) as (opened, writer):
        stages = _stages(opened, writer, nursery, workers, no_mime, as_of)
        if no_puid:
            del stages["identify"]
        wanted = _up_to(until, stages)
        _refuse_early(opened, wanted)
        every: dict[str, Any] = {}
        for name, stage in wanted.items():
            every[name], render = stage()
            if not as_json:
                render()
    if as_json:
        show(True, every, render)
    return exit_code((every["crawl"], render))


Stage = Callable[[], Shown]


def _refuse_early(opened: Opened, wanted: dict[str, Stage]) -> None:
    """What would stop a later stage is to be known before hours of crawling."""
    if "inspect" in wanted and opened.config.inspect.text:
        from migrate.inside.stage import require_text

        require_text(opened.config)
    if "flag" in wanted:
        opened.rules()


def _up_to(until: str | None, stages: dict[str, Stage]) -> dict[str, Stage]:
    names = list(stages)
    if until not in (None, *names):
        raise UsageError(f"{until} is left out", "Give --until another stage, or not --no-puid.")
    return {name: stages[name] for name in names[: names.index(until) + 1 if until else None]}


def _stages(
    opened: Opened, writer: Writer, nursery: Nursery | None, given: int | None, no_mime: bool,
    as_of: datetime | None,
) -> dict[str, Stage]:  # fmt: skip
    """The stages of `run`, in their order."""
    from migrate.crawl import CrawlOptions
    from migrate.visit import Reading

    def crawl_all() -> Shown:
        needed = (*TABLE_NEEDS, "migrate.dedupe")
        options = CrawlOptions(given, Reading(mime=not no_mime), needed, nursery)
        crawl_shares(opened, writer, options, rescan=False)
        return crawled_words(opened)

    workers = workers_or_default(given)
    return {
        "crawl": crawl_all,
        "identify": partial(identify_all, opened, writer, workers),
        "dedupe": partial(dedupe_all, opened, writer, workers, nursery),
        "inspect": partial(inspect_all, opened, writer, workers),
        "flag": partial(flag_all, opened, writer, as_of),
        "review export": partial(exported, opened, writer),
    }
