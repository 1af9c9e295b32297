"""What the tests of review, naming and manifest share: estates made in a folder, verbs run in this
process, workbooks read and filled in."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import openpyxl
import pyarrow.parquet as pq
from click.testing import CliRunner

from migrate.cli import cli
from migrate.estate import Estate, create
from migrate.review.rows import CHECK, COMMENT, DECISION, KEY
from migrate.review.rows import text as printable
from migrate.review.workbook import COVER, FILES, GROUPS, INFO, REVIEWER_LABEL

__all__ = [
    "BODY",
    "CHECK",
    "COMMENT",
    "COVER",
    "DECISION",
    "FILES",
    "GROUPS",
    "INFO",
    "KEY",
    "MTIME",
    "REVIEWER_LABEL",
    "Made",
    "all_decided",
    "decisions",
    "fates",
    "fill",
    "make",
    "make_pipe",
    "migrate",
    "put",
    "sheet",
    "stages",
    "table",
    "walk",
]  # fmt: skip

MTIME = 1_748_736_000_000_000_000  # 2025-06-01, seven months before `as_of` below
RULES = """\
format: 1
rules:
  - {id: T-THUMBS, title: Thumbnail cache, category: trivial, confidence: high, action: dispose,
     authority: {scheme: NAP, ref: practice}, match: {name: thumbs.db}, explain: "{name} is made again",
     hit: [Thumbs.db], miss: [a.doc]}
  - {id: T-COPY, title: Identical copy, category: redundant, confidence: high, action: dispose,
     authority: {scheme: NAP, ref: practice}, match: {all: [{dup: not_keeper}, {"size|gt": 0}]},
     explain: "The same as {dup_keeper_path}", hit: [{name: a, dup: not_keeper, size: 9}], miss: [a]}
  - {id: T-SCRIPT, title: Script, category: sensitive, confidence: medium, action: review,
     match: {ext: bat}, explain: "{name} makes a computer do things", hit: [a.bat], miss: [a.doc]}
  - {id: T-TINY, title: Tiny, category: trivial, confidence: medium, action: review,
     match: {all: [{kind: file}, {"size|le": 10}]}, explain: "{size}", hit: [{name: a, size: 9}],
     miss: [{name: a, size: 11}]}
  - {id: T-EMPTY, title: Empty folder, category: trivial, confidence: high, action: review,
     match: {all: [{kind: folder}, {child_count: 0}]}, explain: "There is nothing in it",
     hit: [{name: a, kind: folder, child_count: 0}], miss: [{name: a, kind: folder, child_count: 1}]}
  - {id: T-POLICY, title: Policy, category: record, confidence: low, action: keep,
     match: {"name|contains": policy}, explain: "Kept", hit: [policy.doc], miss: [a.doc]}
"""
BODY = "long enough to be no trifle: "


def migrate(*words: str | Path) -> Any:
    """Run one verb with --json and give what it printed. Errors: what it raised."""
    arguments = [str(word) for word in words] + ["--json"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return json.loads(result.stdout.splitlines()[-1])


def put(root: Path, files: dict[str | bytes, str | bytes], mtime_ns: int = MTIME) -> None:
    """Write files below `root`. A name that ends in '/' is an empty folder."""
    for name, content in files.items():
        path = os.fsencode(root) + b"/" + os.fsencode(name)
        if path.endswith(b"/"):
            os.makedirs(path, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.utime(path, ns=(mtime_ns, mtime_ns))


@dataclass
class Made:
    """An estate and its shares."""

    root: Path
    shares: dict[str, Path] = field(default_factory=dict)

    def copy(self, to: Path) -> Made:
        """The estate somewhere else; the shares stay where they are."""
        return Made(Path(shutil.copytree(self.root, to)), self.shares)

    def copy_all(self, to: Path) -> Made:
        """The estate and its shares somewhere else, so that the files may be changed."""
        shares = {
            name: Path(shutil.copytree(path, to / f"share {number}", symlinks=True))
            for number, (name, path) in enumerate(self.shares.items())
        }
        made = Made(Path(shutil.copytree(self.root, to / "estate")), shares)
        for name, path in shares.items():
            made.configure(
                lambda t, a=str(self.shares[name]), b=str(path): t.replace(f"'{a}'", f"'{b}'")
            )
        return made

    def configure(self, change: Callable[[str], str]) -> None:
        """Edit estate.yaml."""
        path = self.root / "estate.yaml"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    def hold(self, folder: str) -> None:
        """Place a folder on hold."""
        hold = (
            "holds:\n  - reference: INQ-7\n    title: Inquiry seven\n    authority: Act s.1\n"
            f"    issued: 2025-01-01\n    match: {{path|under: ['{folder}']}}\n"
        )
        first = "holds:\n"
        self.configure(lambda text: text.replace(first, hold) if first in text else text + hold)

    def workbook(self, name: str) -> Path:
        return self.root / "out" / "review" / name

    def manifests(self, name: str) -> Path:
        return self.root / "out" / "manifests" / name

    def imports(self, *workbooks: Path, options: Iterable[str] = ()) -> Any:
        """What `review import` says of the last workbook."""
        return migrate("review", "import", "-e", self.root, *options, *workbooks)["workbooks"][-1]


def make(root: Path, shares: dict[str, Path], more: str = "") -> Made:
    """An empty estate with an estate.yaml."""
    lines = "".join(f"  - {{name: '{name}', path: '{path}'}}\n" for name, path in shares.items())
    create(root, f"format: 1\ntitle: Test shares\nas_of: 2026-01-01\nshares:\n{lines}{more}")
    return Made(root, shares)


def stages(made: Made, *names: str) -> None:
    """Run verbs one after the other; 'crawl --rescan' gives an option along. Rules are the few
    below: the tests stay fast, and what they expect does not change with the pack."""
    rules = made.root.parent / "few rules"
    rules.mkdir(exist_ok=True)
    (rules / "few.yaml").write_text(RULES, encoding="utf-8")
    with mock.patch("migrate.flag.rules.pack_folder", lambda: rules):
        for name in names or ("crawl", "dedupe", "flag", "review export"):
            words = name.split()
            workers = ["--workers", "2"] if words[0] in ("crawl", "dedupe", "manifest") else []
            migrate(*words, "-e", made.root, *workers)


def table(made: Made, name: str) -> list[dict[str, Any]]:
    """The rows of an estate's table that readers see."""
    return [
        row for part in Estate(made.root).parts(name) for row in pq.read_table(part).to_pylist()
    ]


def walk(shares: dict[str, Path]) -> list[tuple[str, bytes]]:
    """Everything that has a fate of its own, counted without the toolkit: files, links, others and
    empty folders; share/path as people see it, and the path on the disk."""
    found = []
    for share, root in shares.items():
        for folder, folders, files in os.walk(os.fsencode(root)):
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            own = [os.path.join(folder, name) for name in [*files, *links]]
            for path in own or ([] if folders else [folder]):
                below = path[len(os.fsencode(root)) :]
                shown = printable(share + below.decode("utf-8", "backslashreplace"))
                found.append((shown, path))
    return found


def decisions(made: Made) -> dict[str, tuple[str, str]]:
    """path -> (decision, scope) of every recorded decision; a later one overwrites."""
    paths = {row["entry_id"]: f"{row['share']}/{row['path']}" for row in table(made, "entries")}
    rows = sorted(table(made, "decisions"), key=lambda row: row["decision_seq"])
    return {paths[row["entry_id"]]: (row["decision"], row["scope"]) for row in rows}


def fates(made: Made) -> dict[str, tuple[str, str]]:
    """path -> (outcome, why) as the last manifest has it."""
    paths = {row["entry_id"]: f"{row['share']}/{row['path']}" for row in table(made, "entries")}
    return {paths[r["entry_id"]]: (r["outcome"], r["why"]) for r in table(made, "outcomes")}


def sheet(path: Path, name: str) -> list[dict[str, Any]]:
    """The rows of one sheet by column title."""
    titles, *rows = openpyxl.load_workbook(path)[name].iter_rows(values_only=True)
    return [dict(zip(titles, row, strict=True)) for row in rows]


def fill(
    source: Path,
    to: Path,
    decide: Callable[[str, dict[str, Any]], dict[str, Any] | None] = lambda sheet, row: None,
    change: Callable[[Any], None] | None = None,
) -> Path:
    """Save a workbook as a person would: `decide` gives the new cells of a row by column title (or
    nothing), `change` may do anything to the openpyxl workbook."""
    book = openpyxl.load_workbook(source)
    for page in (book[FILES], book[GROUPS]):
        titles = [cell.value for cell in page[1]]
        for cells in page.iter_rows(min_row=2):
            row = {title: cell.value for title, cell in zip(titles, cells, strict=True)}
            for title, value in (decide(page.title, row) or {}).items():
                cell = cells[titles.index(title)]
                cell.value = value
                if isinstance(value, str):
                    cell.data_type = "s"
    if change:
        change(book)
    to.parent.mkdir(parents=True, exist_ok=True)
    book.save(to)
    return to


def make_pipe(path: Path) -> None:
    """Something that is neither file, folder nor link."""
    os.mkfifo(path)


def all_decided(made: Made, folder: Path, decision: str = "migrate", **but: str) -> None:
    """Decide every row of every workbook in the same way; `but` gives other decisions by path."""

    def decide(page: str, row: dict[str, Any]) -> dict[str, Any]:
        return {DECISION: but.get(row.get("Path") or row.get("Folder"), decision)}

    review = made.root / "out" / "review"
    books = [
        fill(path, folder / "decided" / path.name, decide) for path in sorted(review.glob("*.xlsx"))
    ]
    result = migrate("review", "import", "-e", made.root, "--reviewer", "me", *books)
    assert all(book["refused"] == [] for book in result["workbooks"])
