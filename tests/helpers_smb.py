"""What the tests of crawls over SMB share: estates on a server, commands that something happens to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import ROOT, rows
from samba import give_to_server

from migrate.engine.query import Query
from migrate.estate import Estate, create
from migrate.setup import new_config

LONG_S = 60.0  # at most, on a busy machine


def make_estate(estate: Path, url: str, **settings: Any) -> Path:
    """An estate of one share, `data`; `settings` are what estate.yaml says of its server."""
    create(estate, new_config(estate, (f"data={url}",), None))
    if settings:
        words = ", ".join(f"{name}: {value}" for name, value in settings.items())
        with (estate / "estate.yaml").open("a") as file:
            file.write(f"servers:\n  - {{host: 127.0.0.1, {words}}}\n")
    return estate


def plain_tree(root: Path, folders: int = 30, files: int = 20) -> Path:
    """Folders of small files, every tenth of them a twin of others. All are old: Samba tells the
    earliest of their times as the time of birth, and reading a new file changes that."""
    for number in range(folders):
        folder = root / f"{number:03} of {folders}"
        folder.mkdir(parents=True)
        for file in range(files):
            twin = file % 10 == 0
            (folder / f"{file:03}.txt").write_text("twin" if twin else f"{number} {file}\n" * 20)
    for path in [root, *root.rglob("*")]:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return give_to_server(root)


def begin(*words: str | Path, code: str = "") -> subprocess.Popen[str]:
    """`migrate WORDS`, begun; after `code`."""
    start = f"{code}\nimport sys; sys.argv[0] = 'migrate'\nfrom migrate.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", start, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1790000000"},
    )  # fmt: skip


def wait_until(
    is_so: Callable[[], bool], process: subprocess.Popen[str], poll_seconds: float = 0.01
) -> None:
    """Until something is so, while a command is under way."""
    until = time.monotonic() + LONG_S
    while not is_so():
        assert process.poll() is None, f"it ended before:\n{process.communicate()}"
        assert time.monotonic() < until, "it never came to that"
        time.sleep(poll_seconds)


def finish(process: subprocess.Popen[str], expect: int = 0) -> tuple[str, str]:
    """The output and messages of a command, when it has ended."""
    try:
        out, errors = process.communicate(timeout=LONG_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"it never ended:\n{process.communicate()}") from None
    assert process.returncode == expect, f"exit {process.returncode}\n{out}\n{errors}"
    return out, errors


def crawled(estate: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What a crawl found. (A proxy has another port than its server, thus another device_id.)"""
    return {name: rows(estate, name, "device_id") for name in ("entries", "listings", "digests")}


def by_path(estate: Path, table: str) -> dict[str, dict[str, Any]]:
    """Rows of a table with an entry_id, by the entry's path; each entry once."""
    with Query(Estate(estate)) as query:
        entries = query.table("entries").to_pyarrow().to_pylist()
        found = query.table(table).to_pyarrow().to_pylist()
    paths = {row["entry_id"]: row["path"] for row in entries}
    assert len(paths) == len(entries), "an entry is there twice"
    named = {paths[row["entry_id"]]: row for row in found if row["entry_id"] in paths}
    assert len(named) == len(found), f"{table}: a row is there twice, or belongs to no entry"
    return named
