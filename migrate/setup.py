"""Room: what a new estate begins with.

In: shares named on the command line, or an estate.yaml to begin with. Out: the new estate.yaml.
Never: overwrite one that is there.
"""

from __future__ import annotations

import re
from pathlib import Path

from migrate.config import TEMPLATE, Config, load
from migrate.errors import UsageError
from migrate.estate import Estate
from migrate.yamlfile import parse_yaml, validate


def new_config(estate: Path, shares: tuple[str, ...], config: Path | None) -> str:
    """The text of the new estate.yaml, checked.

    Errors: UsageError; RulesInvalid if `config` is malformed."""
    if config and shares:
        raise UsageError("--config and --share are both given", "The config names the shares.")
    if config:
        return _rebased(config)
    if not shares and (estate / "estate.yaml").exists():
        return (estate / "estate.yaml").read_text(encoding="utf-8-sig")
    if not shares:
        raise UsageError(
            "no share is named", "Name at least one: --share NAME=PATH, for example hr=/mnt/hr"
        )
    named = [_share(share) for share in shares]
    lines = "\n".join(
        f"  - {{name: {_quoted(name)}, path: {_quoted(path)}}}" for name, path in named
    )
    first = named[0][0]
    return TEMPLATE.format(title=_quoted(estate.resolve().name), shares=lines, first=first)


def _share(given: str) -> tuple[str, str]:
    name, equals, path = given.partition("=")
    if not equals or not name or not path:
        raise UsageError(f"--share {given!r} is not NAME=PATH", "For example --share hr=/mnt/hr")
    if "://" not in path and not path.startswith("\\\\"):
        if not Path(path).is_dir():
            raise UsageError(f"the share's folder {path} does not exist", "Is it mounted?")
        path = str(Path(path).absolute())
    return name, path


def _quoted(text: str) -> str:
    """As a YAML single-quoted scalar."""
    return "'" + text.replace("'", "''") + "'"


def _rebased(config: Path) -> str:
    """The given estate.yaml with the shares' relative paths made absolute; all else as it is."""
    parsed, document = load(config)
    lines = config.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    for number, share in enumerate(parsed.shares):
        absolute = str((config.parent / share.path).absolute())
        row = document.places[("shares", number, "path")][0] - 1
        written = re.compile(r"(path:\s*)(" + re.escape(share.path) + r"|'[^']*'|\"[^\"]*\")")
        found = written.search(lines[row])
        if found:
            before, after = lines[row][: found.start(2)], lines[row][found.end(2) :]
            lines[row] = before + _quoted(absolute) + after
    return "".join(lines)


def existing(estate: Path, text: str) -> bool:
    """Whether the estate is there already, with these shares.

    Errors: UsageError if it is there with others."""
    if not (estate / "log.jsonl").exists():
        return False
    there = load(Estate(estate).config_path)[0]
    wanted = validate(parse_yaml(text, "the new estate.yaml"), Config)
    if {(s.name, s.path) for s in wanted.shares} - {(s.name, s.path) for s in there.shares}:
        raise UsageError(
            f"{estate} is an estate already, with other shares",
            f"Add shares in {estate / 'estate.yaml'}, or name a new folder.",
        )
    return True
