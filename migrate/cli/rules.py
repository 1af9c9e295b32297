"""Verbs on the rules themselves: lint, test, list, show, docs, schema, diff.

All but diff work without an estate, on the rules of the package and the files given.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrate.cli.common import (
    Opened,
    as_of_option,
    find_estate,
    json_option,
    say,
    show,
    table,
    verb,
)
from migrate.errors import EstateMissing
from migrate.wording import count_text, size_text

if TYPE_CHECKING:
    from migrate.config import Config
    from migrate.difference import RuleSet
    from migrate.estate import Estate
    from migrate.flag.rules import Rule
    from migrate.yamlfile import Document

file_option = click.option(
    "--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A rule file to look at as well.",
)  # fmt: skip


class Looked:
    """Where rules come from: an estate, or only the package and the files given."""

    def __init__(self, estate_path: Path | None, files: tuple[Path, ...]) -> None:
        from msgspec.structs import replace

        self.estate: Estate | None = None
        more = [str(path.absolute()) for path in files]
        try:
            opened = Opened(find_estate(estate_path))
            self.estate, self.config = opened.estate, opened.config
            self.document: Document = opened.document
            self.root = opened.estate.root
        except EstateMissing:
            if estate_path:
                raise
            self.config, self.document, self.root = _no_estate()
        rules = self.config.rules
        rules = replace(rules, files=[*rules.files, *more])
        self.config = replace(self.config, rules=rules)

    def rules(self) -> list[Rule]:
        from migrate.flag.rules import load_rules

        return load_rules(self.config, self.document, self.root)


def _no_estate() -> tuple[Config, Document, Path]:
    from migrate.config import Config, Share
    from migrate.yamlfile import Document

    config = Config(format="1", shares=[Share(name="share", path=".")])
    return config, Document("estate.yaml"), Path.cwd()


@click.group()
def rules() -> None:
    """The rules: check, try, list, look up, and see what a change would do."""


@rules.command()
@file_option
@verb
def lint(files: tuple[Path, ...], estate_path: Path | None, as_json: bool) -> None:
    """Check every rule, hold, list and schedule; nothing is run.

    \b
    Example:
      migrate rules lint -e estate
      migrate rules lint --file our-rules.yaml
    """
    from migrate.flag.catalogue import second_looks

    looked = Looked(estate_path, files)
    found = looked.rules()
    remarks = second_looks(looked.config, looked.estate, found)

    def render() -> None:
        for remark in remarks:
            say(f"Look again: {remark}")
        holds = sum(rule.category == "hold" for rule in found)
        ids = len({rule.id for rule in found if rule.category != "hold"})
        say(f"{count_text(ids, 'rule')} and {count_text(holds, 'hold')} are well formed.")

    show(as_json, {"rules": len(found), "faults": [], "remarks": remarks}, render)


@rules.command("test")
@file_option
@verb
def test_verb(files: tuple[Path, ...], estate_path: Path | None, as_json: bool) -> None:
    """Try every rule on its own examples, in the engine that flag uses.

    \b
    Example:
      migrate rules test --file our-rules.yaml
    """
    from migrate.errors import RulesInvalid
    from migrate.flag.examples import failing_examples, scratch_query

    found = Looked(estate_path, files).rules()
    with scratch_query() as query:
        if faults := failing_examples(query, found):
            raise RulesInvalid(faults)
    tried = [rule for rule in found if rule.hit]
    hits, misses = sum(len(rule.hit) for rule in tried), sum(len(rule.miss) for rule in tried)
    data = {"rules": len(tried), "hits": hits, "misses": misses}
    words = f"{count_text(len(tried), 'rule')}: {hits} examples hit and {misses} missed, as written"
    show(as_json, data, lambda: say(words + "."))


@rules.command("list")
@click.option("--category", help="Only rules of this category.")
@file_option
@verb
def list_verb(
    category: str | None, files: tuple[Path, ...], estate_path: Path | None, as_json: bool
) -> None:
    """List every rule, with what it proposes and whether it runs here.

    \b
    Example:
      migrate rules list -e estate --category obsolete
    """
    from msgspec.structs import asdict

    from migrate.flag.catalogue import catalogue
    from migrate.flag.rules import LADDER

    if category and category not in LADDER:
        raise click.BadParameter(
            f"{category!r}; expected one of {', '.join(LADDER)}", param_hint="--category"
        )
    looked = Looked(estate_path, files)
    found = [one for one in catalogue(looked.config, looked.root)
             if category in (None, one.category)]  # fmt: skip

    def render() -> None:
        columns = ["id", "category", "sure", "proposes", "rule", "state"]
        rows = [[r.id, r.category, r.confidence, r.action, r.title, r.state] for r in found]
        table(count_text(len(found), "rule"), columns, rows)

    show(as_json, {"rules": [asdict(one) for one in found]}, render)


@rules.command("show")
@click.argument("rule_id", metavar="ID")
@file_option
@verb
def show_verb(
    rule_id: str, files: tuple[Path, ...], estate_path: Path | None, as_json: bool
) -> None:
    """One rule in full: what it asks, what it proposes, on whose authority, its examples.

    \b
    Example:
      migrate rules show RED-001
    """
    from migrate.flag.catalogue import described

    looked = Looked(estate_path, files)
    data = described(looked.config, looked.root, looked.rules(), rule_id)
    show(as_json, data, lambda: _render_rule(data))


def _render_rule(rule: dict[str, Any]) -> None:
    say(f"{rule['id']} {rule['title']}")
    sure = f"{rule['category']}, {rule['confidence']} confidence, proposes {rule['action']}"
    say(f"  {sure}; {rule['state']}")
    for explanation in rule["explanations"] or [rule["explain"]]:
        say(f"  {explanation}")
    if authority := rule["authority"]:
        say(f"  authority: {authority['scheme']}: {authority['ref']}")
    for lines in rule["conditions"]:
        for line in ("when", *(f"  {line}" for line in lines)):
            say(f"  {line}")
    for name in ("hit", "miss"):
        for example in rule[name]:
            shown = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False)
            say(f"  {'hits' if name == 'hit' else 'misses'} {shown}")
    say(f"  source: {rule['source'] or 'not given'}")
    say(f"  in {rule['where']}")


@rules.command()
@json_option
def docs(as_json: bool) -> None:
    """The reference of the rule language, as Markdown.

    \b
    Example:
      migrate rules docs > rules.md
    """
    from migrate.flag.reference import as_markdown

    text = as_markdown()
    show(as_json, {"markdown": text}, lambda: click.echo(text))


@rules.command()
@json_option
def schema(as_json: bool) -> None:
    """The JSON Schema of rule files, with which editors complete and check.

    \b
    Example:
      migrate rules schema > rules.schema.json
    """
    from migrate.flag.reference import as_schema

    text = as_schema()
    show(as_json, text, lambda: click.echo(json.dumps(text, indent=2, ensure_ascii=False)))


@rules.command()
@click.argument(
    "other", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path),
              help="A CSV with a line for every file that changes.")  # fmt: skip
@as_of_option
@verb
def diff(
    other: Path | None, output: Path | None, as_of: datetime | None, estate_path: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """What other rules would change against the last flag; no file is read and nothing written.

    OTHER is a rule file, whose rules take the place of those with the same id, or another
    estate.yaml. Without it: the rules as they stand now.

    \b
    Example:
      migrate rules diff -e estate our-new-rules.yaml
    """
    from msgspec.structs import asdict

    from migrate.difference import CHANGES, RuleSet, compare

    opened = Opened(estate_path)
    opened.require_flag()
    before = RuleSet(opened.config, opened.holds())
    day = as_of.date() if as_of else opened.as_of()
    found = compare(opened.estate, before, _other_rules(opened, other), day, output)

    def render() -> None:
        rows = [
            [
                line["change"],
                _from_to(line["proposal_before"], line["proposal_after"]),
                _from_to(line["rule_before"] or "-", line["rule_after"] or "-"),
                f"{line['files']:,}",
                size_text(line["size_bytes"]),
            ]
            for line in found.lines
        ]
        if not rows:
            say("Nothing would change.")
            return
        table("What would change", ["change", "proposal", "rule", "files", "size"], rows)
        for change in dict.fromkeys(line["change"] for line in found.lines):
            say(f"{change}: {CHANGES[change]}")
        for line in found.largest[:5]:
            say(f"for example {line['path']}: {line['change']}")
        if output:
            say(f"Written: {output}")

    show(as_json, {"as_of": day.isoformat(), **asdict(found)}, render)


def _from_to(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _other_rules(opened: Opened, other: Path | None) -> RuleSet:
    from migrate.config import load
    from migrate.difference import RuleSet
    from migrate.flag.rules import load_rules
    from migrate.yamlfile import read_yaml

    config, document, instead = opened.config, opened.document, None
    if other:
        value = read_yaml(other).value
        if isinstance(value, dict) and "shares" in value:
            config, document = load(other)
        else:
            instead = other
    root = opened.estate.root
    return RuleSet(config, load_rules(config, document, root, instead))
