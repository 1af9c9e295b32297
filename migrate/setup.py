"""Room: what a new estate begins with.

In: shares named on the command line, or an estate.yaml to begin with. Out: the new estate.yaml.
Never: overwrite one that is there.
"""

from __future__ import annotations

from pathlib import Path

from migrate.config import TEMPLATE, checked, load
from migrate.errors import RulesInvalid, UsageError
from migrate.log import Log
from migrate.smb.address import is_address, parse_address
from migrate.yamlfile import parse_yaml


def new_config(estate: Path, shares: tuple[str, ...], config: Path | None) -> str:
    """The text of the new estate.yaml, checked.

    Errors: UsageError; RulesInvalid if it is malformed."""
    there = estate / "estate.yaml"
    if config and shares:
        raise UsageError("--config and --share are both given", "The config names the shares.")
    if config:
        return _based(config)
    if not shares and there.exists():
        text = there.read_text(encoding="utf-8-sig")
        checked(parse_yaml(text, str(there)))
        return text
    if not shares:
        raise UsageError(
            "no share is named", "Name at least one: --share NAME=PATH, for example hr=/mnt/hr"
        )
    named = [_share(share) for share in shares]
    lines = "\n".join(
        f"  - {{name: {_quoted(name)}, path: {_quoted(path)}}}" for name, path in named
    )
    title = _quoted(estate.resolve().name)
    text = TEMPLATE.format(title=title, shares=lines, first=named[0][0])
    checked(parse_yaml(text, "--share"))
    return text


def _share(given: str) -> tuple[str, str]:
    name, equals, path = given.partition("=")
    if not equals or not name or not path:
        raise UsageError(f"--share {given!r} is not NAME=PATH", "For example --share hr=/mnt/hr")
    if is_address(path):
        parse_address(path)  # at once, not after the estate is made
    elif "://" not in path:
        if not Path(path).is_dir():
            raise UsageError(f"the share's folder {path} does not exist", "Is it mounted?")
        path = str(Path(path).absolute())
    return name, path


def _quoted(text: str) -> str:
    """As a YAML single-quoted scalar.

    Errors: UsageError for line breaks, which it cannot hold."""
    if any(ord(char) < 32 for char in text):
        raise UsageError(f"{text!r} has a line break or a control character", "Rename the folder.")
    return "'" + text.replace("'", "''") + "'"


def _based(config: Path) -> str:
    """The given estate.yaml; where it has relative paths, with `base`, so that they stay true."""
    parsed, _ = load(config)
    text = config.read_text(encoding="utf-8-sig")
    if parsed.base:
        return text
    with_base = f"{text.rstrip()}\nbase: {_quoted(str(config.parent.absolute()))}\n"
    try:
        if checked(parse_yaml(with_base, str(config))).shares == parsed.shares:
            return with_base
    except RulesInvalid:
        pass
    raise UsageError(
        f"{config} is not written as lines of `key: value`", "Add `base: FOLDER` to it yourself."
    )


def existing(estate: Path, text: str) -> bool:
    """Whether the estate is there already, with these shares.

    Errors: UsageError if it (or only its estate.yaml) is there with others."""
    there = estate / "estate.yaml"
    made = bool(Log(estate / "log.jsonl").records)
    if there.exists():
        wanted = checked(parse_yaml(text, "the new estate.yaml"))
        if {(s.name, s.path) for s in wanted.shares} - {
            (s.name, s.path) for s in load(there)[0].shares
        }:
            raise UsageError(
                f"{there} is there already, with other shares",
                "Add shares in that file, or name a new folder.",
            )
    return made
