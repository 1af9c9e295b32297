"""What the tests of review, naming and manifest share: estates made in a folder, verbs run in this
process, workbooks read and filled in."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import openpyxl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from migrate.cli import cli
from migrate.estate import Estate, create
from migrate.review.columns import CHECK, COMMENT, COPIES, DECISION, FOLDERS, KEY, RULES
from migrate.review.columns import text as printable

LINUX = sys.platform == "linux"
MTIME = 1_748_736_000_000_000_000  # 2025-06-01, seven months before `as_of` below
FEW_RULES = """\
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
    (rules / "few.yaml").write_text(FEW_RULES, encoding="utf-8")
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


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of folders, which stand for many."""
    return [row for row in sheet(path, FOLDERS) if row["Line"] == "Folder"]


def listed(path: Path) -> list[dict[str, Any]]:
    """The files (and empty folders) beneath those lines."""
    return [row for row in sheet(path, FOLDERS) if row["Line"] == "File"]


def fill(
    source: Path,
    to: Path,
    decide: Callable[[str, dict[str, Any]], dict[str, Any] | None] = lambda sheet, row: None,
    change: Callable[[Any], None] | None = None,
) -> Path:
    """Save a workbook as a person would: `decide` gives the new cells of a row by column title (or
    nothing), `change` may do anything to the openpyxl workbook."""
    book = openpyxl.load_workbook(source)
    for page in (book[FOLDERS], book[COPIES], book[RULES]):
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
    """Decide every file that is listed, and the lines of what may simply move, in the same way;
    `but` gives other decisions by path."""

    def decide(page: str, row: dict[str, Any]) -> dict[str, Any] | None:
        if page != FOLDERS or (row["Line"] == "Folder" and row["Proposal"] != "Migrate"):
            return None
        return {DECISION: but.get(row["Path"], decision)}

    review = made.root / "out" / "review"
    books = [
        fill(path, folder / "decided" / path.name, decide) for path in sorted(review.glob("*.xlsx"))
    ]
    result = migrate("review", "import", "-e", made.root, "--reviewer", "me", *books)
    assert all(book["refused"] == [] for book in result["workbooks"])


CONFIG = """\
business_units:
  - {name: Finance, reviewer: Finance manager, folders: [dept/Finance]}
  - {name: People & Co, folders: [dept/People, dept/Later held]}
holds:
  - reference: INQ-1
    title: First inquiry
    authority: Act s.35
    issued: 2024-03-01
    match: {path|under: [dept/Held]}
"""


def odd_names() -> list[bytes]:
    """Names that have broken spreadsheets, terminals or XML before."""
    names = [
        "=1+1", "+1", "-1", "@SUM(A1)", "\ttab", "control \x01\x1f\x7f", "line\nbreak", "cr\rname",
        "bidi \u202egpj.exe", "isolate \u2066x", "zero\u200bwidth", "nel\x85", "line sep \u2028",
        "_x0041_ _x000D_", "'quoted", '"double"', "<tag>&amp;]]>", "  two  spaces", "emoji 😀",
        "e\u0301 decomposed", "caf\\xe9", "1e5", "TRUE", "12-03-2004", "%s %n {0} ${x}",
    ]  # fmt: skip
    raw = [b"caf\xe9", b"surrogate \xed\xa0\x80", b"\xff\xfe"] if LINUX else []
    return [name.encode() for name in names] + raw


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An estate with its workbooks exported. Tests copy it."""
    root = tmp_path_factory.mktemp("review")
    dept = root / "dept"
    put(
        dept,
        {
            "Finance/plain/a.txt": BODY + "a", "Finance/plain/b.txt": BODY + "b",
            "Finance/plain/twin.txt": BODY + "twin", "Finance/other/c.txt": BODY + "c",
            "Finance/run.bat": BODY + "run", "Finance/stop.bat": BODY + "stop",
            "Finance/Thumbs.db": BODY + "thumbs", "Finance/twin.txt": BODY + "twin",
            "Finance/tiny.txt": "tiny", "Finance/policy.bat": BODY + "policy",
            "People/same.txt": BODY + "same",
            "People/notes.txt": BODY + "notes",
            "People/x.bat": BODY + "x", "People/Empty/": "", "Later held/h.bat": BODY + "h",
            "Later held/i.txt": BODY + "i", "Held/secret.txt": BODY + "secret",
            "Held/deep/er/j.bat": BODY + "j", "nothing/in/here/": "",
        },
    )  # fmt: skip
    for number, name in enumerate(odd_names()):
        put(dept / "Odd", {name + b".bat": f"{BODY}{number}", b"plain " + name: f"{BODY}p{number}"})
    put(dept, {"Later held/same.txt": BODY + "same"}, MTIME - 1_000_000_000)  # the oldest is kept
    os.symlink("run.bat", dept / "Finance" / "link")
    os.symlink("nowhere", dept / "dangling")
    os.symlink("Finance", dept / "link to a folder")
    make_pipe(dept / "pipe")
    made = make(root / "estate", {"dept": dept}, CONFIG)
    stages(made)
    return made


@pytest.fixture
def estate(made: Made, tmp_path: Path) -> Made:
    """A copy of the estate that a test may do anything to, but not to its shares."""
    return made.copy(tmp_path / "estate")


def books(made: Made) -> dict[str, Path]:
    return {path.stem: path for path in sorted((made.root / "out" / "review").glob("*.xlsx"))}


Decide = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def all_rows(decision: Any) -> Decide:
    """Decide every folder's line and every file in the same way."""
    return lambda page, row: {DECISION: decision} if page == FOLDERS else None


def all_listed(decision: Any) -> Decide:
    """Decide every file by itself, and no folder's line."""
    return lambda page, row: {DECISION: decision} if row.get("Line") == "File" else None


def all_lines(decision: Any) -> Decide:
    """Decide every folder's line, and no file by itself."""
    return lambda page, row: {DECISION: decision} if row.get("Line") == "Folder" else None


def only(path: str, page: str = FOLDERS, proposal: str = "", **cells: Any) -> Decide:
    """New cells for the rows of a sheet with this path (or rule), and perhaps this proposal."""
    titles = {"decision": DECISION, "comment": COMMENT, "key": KEY, "check": CHECK}
    new = {titles.get(name, name): value for name, value in cells.items()}

    def decide(name: str, row: dict[str, Any]) -> dict[str, Any] | None:
        place = row.get("Path") or str(row.get("Rule")).split()[0]
        return new if (name, place) == (page, path) and proposal in row["Proposal"] else None

    return decide


def both(*each: Decide) -> Decide:
    """Several ways to decide at once; the first that says something counts."""
    return lambda page, row: next((said for d in each if (said := d(page, row))), None)


def row_of(workbook: Path, page: str, path: str, line: str = "File") -> int:
    """The number of a row in its sheet."""
    rows = [(row.get("Path"), row.get("Line")) for row in sheet(workbook, page)]
    return 2 + rows.index((path, line))
