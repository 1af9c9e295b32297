"""The report: its figures against a count made without the toolkit, its page against hostile names
and in a real browser."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, needs, run, run_json

from migrate.config import load
from migrate.engine.query import Query
from migrate.estate import Estate, create, write_part, writing
from migrate.model import TABLES, entry_id
from migrate.report.figures import Figures, crawled, figures
from migrate.report.maps import HEIGHT, MOST, maps, whole_rows
from migrate.report.page import render, write_text
from migrate.report.pictures import WIDTH
from migrate.report.sections import AGES, PROPOSALS, RISKS
from migrate.report.tables import percent_text

AS_OF = date(2026, 11, 1)
TITLE = 'Drive S <script>alert(1)</script> & "others"'
IMAGE = "<img src=x onerror=alert(1)>&\"'.txt"
HOSTILE = os.name == "posix"  # Windows has no such names
FOLDER = "<b>bold\u202etxt.exe" if HOSTILE else "bold\u202etxt"
TWIN_BYTES = b"the same in both places" * 40_000


def lay_out(share: Path) -> None:
    """The sample share, and hostile names that are big enough to be named in the report."""
    subprocess.run([sys.executable, ROOT / "sample_data" / "lay_out.py", share], check=True)
    (share / FOLDER).mkdir()
    for number in range(2):
        name = f"{number} {IMAGE}" if HOSTILE else f"{number}.txt"
        path = share / FOLDER / name
        path.write_bytes(TWIN_BYTES)
        os.utime(path, ns=(1_500_000_000_000_000_000, 1_500_000_000_000_000_000))
    # One changed seven years before the as-of date to the day, one a second before that day.
    midnight = int(datetime(AS_OF.year - 7, AS_OF.month, AS_OF.day, tzinfo=UTC).timestamp())
    for name, seconds in (("six", midnight), ("seven", midnight - 1)):
        path = share / FOLDER / name
        path.write_text(f"{name} whole years")
        os.utime(path, (seconds, seconds))


def new_estate(folder: Path, share: Path) -> Path:
    """The sample's estate.yaml over a share, with a title that would run if it were not escaped."""
    text = (ROOT / "sample_data" / "estate.yaml").read_text(encoding="utf-8")
    text = text.replace("path: share ", f"path: {json.dumps(str(share))} ")
    text = re.sub("(?m)^title: .*$", lambda _: f"title: {json.dumps(TITLE)}", text)
    folder.mkdir()
    (folder / "estate.yaml").write_text(text, encoding="utf-8")
    create(folder, "")
    return folder


def figures_of(folder: Path) -> Figures:
    estate = Estate(folder)
    return figures(estate, load(estate.config_path)[0])


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    share = tmp_path_factory.mktemp("report") / "share"
    lay_out(share)
    return share


@pytest.fixture(scope="module")
def crawled_only(tmp_path_factory: pytest.TempPathFactory, share: Path) -> Path:
    folder = new_estate(tmp_path_factory.mktemp("report") / "crawled", share)
    run("crawl", "-e", folder)
    return folder


@pytest.fixture(scope="module")
def flagged(tmp_path_factory: pytest.TempPathFactory, share: Path) -> Path:
    folder = new_estate(tmp_path_factory.mktemp("report") / "flagged", share)
    run("run", folder, "--no-puid", "--as-of", AS_OF.isoformat())
    return folder


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, flagged: Path) -> Path:
    """Everything in one workbook decided, manifested and moved."""
    folder = tmp_path_factory.mktemp("report") / "moved"
    shutil.copytree(flagged, folder)
    path = folder / "out" / "review" / "Finance.xlsx"
    book = openpyxl.load_workbook(path)
    for row in book["Folders and files"].iter_rows(min_row=2):
        row[0].value = "migrate"
    filled = folder.parent / "Finance.xlsx"
    book.save(filled)
    run("review", "import", "-e", folder, "--reviewer", "a person", filled)
    run("manifest", "-e", folder)
    run("move", "-e", folder, "--to", folder.parent / "new store")
    return folder


def files_of(share: Path) -> list[Path]:
    """Every file, found without the toolkit."""
    return [Path(folder, name) for folder, _, names in os.walk(share) for name in names]


class Page(HTMLParser):
    """What a page is made of: tags, attributes and the text a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def assert_nothing_foreign(page: Page) -> None:
    """No tag that runs, loads or sends anything; no address outside the page."""
    names = {name for name, _ in page.tags}
    assert not names & {"script", "img", "b", "iframe", "object", "embed", "form", "link", "base"}
    for name, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")], name
        assert "src" not in attributes, name
        assert (attributes.get("href") or "#").startswith("#"), attributes


def test_same_estate_same_bytes(flagged: Path, tmp_path: Path) -> None:
    """Two reports of one estate are equal byte for byte, and leave nothing else behind."""
    run("report", "-e", flagged, "--output", tmp_path / "one.html", SOURCE_DATE_EPOCH="1")
    run("report", "-e", flagged, "--output", tmp_path / "two.html", SOURCE_DATE_EPOCH="1999999999")
    one, two = (tmp_path / name for name in ("one.html", "two.html"))
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]


def test_volume_is_what_is_on_the_disk(flagged: Path, share: Path) -> None:
    """Files, folders and bytes are those that os.walk finds."""
    found = figures_of(flagged)
    files = files_of(share)
    (row,) = found.shares
    assert row["files"] == len(files)
    assert row["folders"] == sum(1 for _ in os.walk(share))
    assert row["size_bytes"] == found.totals["size_bytes"] == sum(f.stat().st_size for f in files)


def test_duplicates_are_equal_bytes(flagged: Path, share: Path) -> None:
    """Groups, copies and their bytes are those that SHA-256 of every file gives."""
    sizes = {path: path.stat().st_size for path in files_of(share)}
    digests = Counter(
        (hashlib.sha256(path.read_bytes()).digest(), size) for path, size in sizes.items() if size
    )
    twins = {key: count - 1 for key, count in digests.items() if count > 1}
    found = figures_of(flagged).duplicates
    assert found is not None
    assert found["groups"] == len(twins)
    assert found["copies"] == sum(twins.values())
    assert found["copies_size_bytes"] == sum(key[1] * count for key, count in twins.items())
    assert found["largest"][0] == {
        "copies": 1, "size_bytes": len(TWIN_BYTES), "keeper": found["largest"][0]["keeper"],
    }  # fmt: skip


def test_ages_are_whole_years(flagged: Path, share: Path) -> None:
    """Each file is in the band of the whole years between its last change and the as-of date."""
    bands = [(1, "Less than 1"), (3, "1–2"), (5, "3–4"), (7, "5–6"), (10, "7–9"), (20, "10–19")]
    expected: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for path in files_of(share):
        stat = path.stat()
        day = datetime.fromtimestamp(stat.st_mtime_ns // 10**9, UTC).date()
        # A year is full once the as-of date has passed the day and month of the change.
        years = AS_OF.year - day.year - ((AS_OF.month, AS_OF.day) <= (day.month, day.day))
        label = next((label for limit, label in bands if years < limit), "20 or more")
        expected[label] += 1
        sizes[label] += stat.st_size
    found = {row["band"]: row for row in figures_of(flagged).ages}
    assert {band: row["files"] for band, row in found.items() if row["files"]} == expected
    assert {band: row["size_bytes"] for band, row in found.items() if row["files"]} == sizes


def test_folders_hold_all_below_them(flagged: Path, share: Path) -> None:
    """A folder's figures are those of everything below it, at both levels."""
    for depth, found in ((1, figures_of(flagged).folders), (2, figures_of(flagged).subfolders)):
        expected: dict[str, list[int]] = {}
        for path in files_of(share):
            parents = path.relative_to(share).parts[:-1]
            if len(parents) >= depth:
                expected.setdefault("/".join(["dept", *parents[:depth]]), []).append(
                    path.stat().st_size
                )
        largest = sorted(expected.items(), key=lambda pair: (-sum(pair[1]), pair[0]))[:20]
        assert [(row["folder"], row["files"], row["size_bytes"]) for row in found] == [
            (name, len(sizes), sum(sizes)) for name, sizes in largest
        ]


def test_proposals_add_up(flagged: Path, share: Path) -> None:
    """Every file and empty folder is in one proposal; categories, rules and units add up to it."""
    found = figures_of(flagged)
    empty = sum(not folders and not files for _, folders, files in os.walk(share))
    proposed = {row["proposal"]: row for row in found.proposed or []}
    assert sum(row["items"] for row in proposed.values()) == len(files_of(share)) + empty
    for name in ("migrate", "review", "dispose"):
        assert sum(row[name] for row in found.categories or []) == proposed[name]["items"]
    for name in ("review", "dispose"):
        ruled = [row for row in found.rules or [] if row["proposal"] == name]
        assert sum(row["items"] for row in ruled) == proposed[name]["items"]
        assert sum(row["size_bytes"] for row in ruled) == proposed[name]["size_bytes"]
    assert sum(row["items"] for row in found.units or []) == found.totals["items"]
    assert sum(row["files"] for row in found.mime_types) == len(files_of(share))
    assert sum(row["files"] for row in found.owners["states"]) == len(files_of(share))
    effect = found.effect()
    assert effect is not None
    assert effect["now"] - effect["after_disposal"] == proposed["dispose"]["size_bytes"]


def test_the_map_holds_every_byte(flagged: Path, share: Path) -> None:
    """The map's folders are those of the disk with all their bytes, each byte under one proposal,
    one age and one risk; its rectangles fill it, and each leads to the map of what is in it."""
    found = figures_of(flagged)
    area = found.area or []
    rows = {row["folder"]: row for row in area if row["above"] == "dept"}
    for folder in share.iterdir():
        if folder.is_dir() and f"dept/{folder.name}" in rows:
            row = rows[f"dept/{folder.name}"]
            assert row["size_bytes"] == sum(f.stat().st_size for f in files_of(folder))
    for row in area:
        for kinds in (PROPOSALS, AGES, RISKS):
            assert sum(row[name] for name in kinds) == row["size_bytes"]
    assert sum(row["size_bytes"] for row in rows.values()) == found.totals["size_bytes"]
    inside = [row for row in area if row["above"] == "dept/Prisons"]
    assert len(inside) > 3
    assert sum(row["size_bytes"] for row in inside) == rows["dept/Prisons"]["size_bytes"]
    below = {row["folder"]: row["size_bytes"] for row in inside if row["folder"]}
    for folder, size in below.items():
        path = share / folder.removeprefix("dept/")
        assert sum(f.stat().st_size for f in files_of(path)) == size
    every = maps(area)
    for one in every:
        frames = [tile.frame for tile in one.tiles]
        assert sum(f.width * f.height for f in frames) == pytest.approx(WIDTH * HEIGHT, rel=0.01)
    assert len(every[-1].tiles) == len(rows) > 8
    page = Page(render(found))
    ids = {a["id"] for _, a in page.tags if "id" in a}
    assert {tile.opens for one in every for tile in one.tiles if tile.opens} <= ids
    prisons = next(one for one in every if one.title == "dept/Prisons")
    assert [tile.opens for tile in every[-1].tiles if tile.opens].count(prisons.anchor) == 1


def test_a_map_of_many_shares_opens_them() -> None:
    """All shares on one map, at most so many folders by name and the rest of each share in one
    rectangle, which opens the share; a folder can be left to its share and to the whole."""
    kinds = dict.fromkeys([*PROPOSALS, *AGES, *RISKS, "items", "files"], 0)

    def row(above: str, folder: str | None, size: int) -> dict[str, Any]:
        whole = {"size_bytes": size, "review": size, "from_7": size, "risk_low": size}
        return {"above": above, "folder": folder, **kinds, **whole}

    rows = [row(s, f"{s}/{n}", 100 * n + 1) for s in ("one", "two") for n in range(1, 31)]
    rows += [row("one", None, 7), row("two/30", "two/30/x", 3000), row("two/30", None, 1)]
    shown = whole_rows(rows)
    assert sum(r["size_bytes"] for r in shown) == sum(r["size_bytes"] for r in rows[:-2])
    assert len(shown) == MOST + 2
    assert shown == sorted(shown, key=lambda r: -r["size_bytes"])
    *_, whole = every = maps(rows)
    titles = {one.title: one for one in every}
    assert list(titles) == ["one", "two", "two/30", "All shares"]
    assert [name for name, _ in whole.inner] == ["one", "two"]
    assert [name for name, _ in titles["two/30"].above] == ["All shares", "two"]
    opens = {tile.told.partition(":")[0]: tile.opens for tile in whole.tiles}
    assert opens["two/30"] == titles["two/30"].anchor
    assert opens["one"] == titles["one"].anchor  # its smaller folders
    assert opens["one/30"] == ""  # nothing is known of what is in it
    assert not any(tile.opens == one.anchor for one in every for tile in one.tiles)


def test_figures_open_down_to_folders_and_rules(flagged: Path) -> None:
    """Behind every figure that can be opened stand the folders and rules it is made of; where all
    of them are shown, they add up to it."""
    found = figures_of(flagged)
    opened = found.opened or {}
    for prefix, rows, name in (
        ("proposal", found.proposed, "proposal"), ("category", found.categories, "category"),
        ("age", found.ages, "band"), ("risk", found.risks, "risk"), ("hold", found.held, "hold"),
        ("unreadable", found.unreadable, "error"), ("noticed", found.attention, "rule_id"),
        ("noticed", (found.sensitive or [])[1:], "rule_id"), ("rule", found.rules, "rule_id"),
    ):  # fmt: skip
        for row in rows or []:
            behind = opened.get(f"{prefix} {row[name]}")
            assert bool(behind) == bool(row["items"]), row
            if behind and behind["folders_of"] == len(behind["folders"]):
                assert sum(place["items"] for place in behind["folders"]) == row["items"]
    sums = {
        "share dept": found.totals["items"], "copies": (found.duplicates or {})["copies"],
        "sensitive": (found.sensitive or [{}])[0]["items"],
        "outcome held": sum(row["items"] for row in found.held),
        "unit Finance": next(r for r in found.units or [] if r["unit"] == "Finance")["to_decide"],
    }  # fmt: skip
    for key, items in sums.items():
        assert opened[key]["folders_of"] >= len(opened[key]["folders"]) > 0
        if opened[key]["folders_of"] == len(opened[key]["folders"]):
            assert sum(place["items"] for place in opened[key]["folders"]) == items, key
    assert {row["rule_id"] for row in opened["proposal dispose"]["rules"]} >= {"RED-001"}
    text = Page(render(found)).text
    assert text.count("by folder and rule") > 8
    for words in ("Finance, still to decide", "The copies", "Everything sensitive", "High risk"):
        assert words in text


def test_what_copies_cost_is_shown_only_where_somebody_said(flagged: Path, tmp_path: Path) -> None:
    """Without a price there is no sum of money, and the page says what is missing; with one, it is
    the copies' gigabytes by the price."""
    text = Page(render(figures_of(flagged))).text
    assert "estate.yaml does not say (storage_cost)" in text and "€" not in text
    estate = Path(shutil.copytree(flagged, tmp_path / "estate"))
    with (estate / "estate.yaml").open("a", encoding="utf-8") as file:
        file.write("storage_cost: {per_gb_year: 4096, currency: €}\n")
    found = figures_of(estate)
    assert found.duplicates is not None
    cost = found.duplicates["copies_size_bytes"] / 2**30 * 4096
    assert found.cost_text(found.duplicates["copies_size_bytes"]) == f"€{cost:,.2f}"
    text = Page(render(found)).text
    assert f"costs about €{cost:,.2f} a year" in text
    assert "Saved a year" in text and "€4096 for a gigabyte and year" in text
    assert not [line for line in found.warnings if "rules" in line]


def test_figures_say_what_they_rest_on(flagged: Path) -> None:
    """Sections name the scan and the rule set that their figures are from."""
    found = figures_of(flagged)
    assert found.flag is not None
    basis = f"From scan 1 of dept; rule set {found.flag['rules'][:12]} (run {found.flag['run']})."
    page = Page(render(found))
    assert page.text.count(basis) == page.count("section") - 5  # scans alone: 2, the log: 3


def test_other_forms_hold_the_same_figures(flagged: Path, tmp_path: Path) -> None:
    """JSON, CSV and Markdown have the page's figures; no cell is a formula, no name is markup."""
    found = figures_of(flagged)
    out = {}
    for form in ("json", "csv", "md"):
        run("report", "-e", flagged, "--format", form, "--output", tmp_path / f"r.{form}")
        out[form] = (tmp_path / f"r.{form}").read_bytes().decode()
    assert json.loads(out["json"]) == json.loads(json.dumps(found.as_data()))
    lines = list(csv.reader(out["csv"].splitlines()))
    assert ["totals.items", "", "", str(found.totals["items"])] in lines
    assert ["proposed", "dispose", "items", str(found.proposal("dispose")["items"])] in lines
    assert not [cell for line in lines for cell in line if cell[:1] in ("=", "+", "@")]
    assert "## What is proposed" in out["md"]
    assert "<script>" not in out["md"].replace("\\<", "")
    printed = run("report", "-e", flagged, "--format", "csv", "--output", "-").stdout
    assert list(csv.reader(printed.splitlines())) == lines


def test_a_terminal_gets_bars(flagged: Path) -> None:
    """The console form draws proposals, categories and ages as bars; without a block letter in the
    terminal's encoding, with another."""
    shown = run("report", "-e", flagged, PYTHONIOENCODING="utf-8").stdout
    assert re.search(r"A person must decide .* \d+ +█+", shown)
    assert re.search(r"Likely record +\d+ +█+", shown)
    plain = run("report", "-e", flagged, PYTHONIOENCODING="ascii:replace").stdout
    assert re.search(r"A person must decide.*#+", plain)
    narrow = run("report", "-e", flagged, PYTHONIOENCODING="utf-8", COLUMNS="60").stdout
    assert max(map(len, narrow.splitlines())) <= 60 or "Written" in max(
        narrow.splitlines(), key=len
    )
    barred = [line for line in narrow.splitlines() if "█" in line]
    assert barred and all(re.search(r"\d +█{1,15}$", line) for line in barred)


def test_held_is_the_folder_and_its_copies(flagged: Path, share: Path) -> None:
    """What is held is what lies in the folder on hold, and every copy of it elsewhere."""
    folder = share / "Prisons" / "Healthcare"
    inside = files_of(folder)
    digests = {hashlib.sha256(p.read_bytes()).digest() for p in inside if p.stat().st_size}
    copies = [
        path
        for path in files_of(share)
        if folder not in path.parents and hashlib.sha256(path.read_bytes()).digest() in digests
    ]
    (hold,) = figures_of(flagged).held
    assert (hold["files"], hold["items"]) == (len(inside) + len(copies),) * 2
    # Twins inside the folder are marked as copies of each other only if they are not held directly.
    assert hold["copies"] >= len(copies) > 0


def test_stages_not_run_are_said_so(crawled_only: Path) -> None:
    """Before a stage is run its figures are absent and the page says which verb is missing: never
    a zero that looks like a result."""
    found = figures_of(crawled_only)
    absent = [found.proposed, found.categories, found.rules, found.sensitive, found.units]
    absent += [found.duplicates, found.puids, found.manifest, found.receipts, found.effect()]
    assert absent == [None] * 10
    lines = {line.what: line.figure for line in found.headlines()}
    assert lines["Proposed for disposal"] == lines["Sensitive"] == "not flagged yet"
    assert lines["Duplicates"] == "not looked for yet"
    assert "not known before migrate dedupe" in found.headlines()[4].note
    text = Page(render(found)).text
    for words in (
        "Not flagged yet: run migrate flag.",
        "run migrate dedupe",
        "run migrate manifest",
    ):
        assert words in text


def test_findings_older_than_the_crawl_are_warned_of(flagged: Path, tmp_path: Path) -> None:
    """A crawl after the flagging makes the page say that the proposals are out of date; so does a
    change of the holds."""
    assert figures_of(flagged).warnings == []
    estate = Path(shutil.copytree(flagged, tmp_path / "estate"))
    config = estate / "estate.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("2024-03-01", "2024-03-02"), encoding="utf-8")
    assert any("rules or the holds have changed" in line for line in figures_of(estate).warnings)
    config.write_text(text, encoding="utf-8")
    run("crawl", "--rescan", "-e", estate)
    found = figures_of(estate)
    assert any("proposals are older" in line for line in found.warnings)
    assert found.warnings[0] in Page(render(found)).text


def test_an_entry_that_failed_twice_counts_once(tmp_path: Path) -> None:
    """A folder that could neither be looked at nor listed is one failure, in every figure."""
    (tmp_path / "share").mkdir()
    create(tmp_path / "estate", "format: 1\nshares: [{name: s, path: ../share}]\n")
    folder = {"scan_id": 1, "entry_id": entry_id("s", b"x"), "error": "denied"}
    file = {"scan_id": 1, "entry_id": entry_id("s", b"y"), "error": None}
    about = {"share": "s", "parent_id": entry_id("s", b""), "depth": 1}
    entries = [
        {**folder, **about, "path": "x", "name": "x", "kind": "folder"},
        {**file, **about, "path": "y", "name": "y", "kind": "file", "size_bytes": 7},
    ]
    tables = {
        "entries": entries, "listings": [{**folder, "error": "timed_out"}],
        "digests": [{**file, "error": "read_error"}],
    }  # fmt: skip
    estate = Estate(tmp_path / "estate")
    with writing(estate, ["test"]) as writer:
        begun = writer.begin("crawl", {"share": "s"})
        for name, rows in tables.items():
            part = pa.Table.from_pylist(rows, TABLES[name].schema)
            writer.commit(begun, [write_part(estate.root, name, part)])
        writer.finish(begun, {})
    assert crawled(estate)[0]["failed"] == 2
    found = figures_of(estate.root)
    assert [(row["error"], row["items"], row["folders"]) for row in found.unreadable] == [
        ("denied", 1, 1), ("read_error", 1, 0),
    ]  # fmt: skip
    assert "Access denied (denied)" in Page(render(found)).text


@pytest.mark.parametrize(("shares", "stages"), [(0, "moved"), (1, "crawled"), (2, "flagged")])
def test_an_estate_with_little_in_it_has_a_page(tmp_path: Path, shares: int, stages: str) -> None:
    """The page of an empty share, of a crawl alone and of two shares: every table has rows, or
    says that there are none."""
    estate, words = tmp_path / "estate", []
    for number in range(max(shares, 1)):
        share = tmp_path / f"share {number}"
        share.mkdir()
        words += ["--share", f"s{number}={share}"]
        for name in ("one.txt", "two.txt") if shares else ():
            (share / name).write_text("the same in every share", encoding="utf-8")
    run("init", estate, *words)
    if stages == "crawled":
        run("crawl", "-e", estate)
    else:
        run("run", estate)
    if stages == "moved":
        run("manifest", "-e", estate)
        run("move", "-e", estate, "--to", tmp_path / "store")
    run("report", "-e", estate)
    html = (estate / "out" / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.count("table") == page.count("tbody") == page.count("caption") > 4
    assert not re.search(r"<tbody>\s*</tbody>", html)
    empty = ["Directly below a share", "One level further down"]
    empty += [] if shares else ["By MIME type", "Where copies take most space"]
    for caption in empty:
        assert f"{caption}: none." in page.text
    assert ("All shares 4 2 0 92 B 0" in page.text) == (shares == 2)
    for words_if_empty in ("there is nothing to move", "no files to take PRONOM identifiers of"):
        assert (words_if_empty in page.text) == (shares == 0)
    assert ("Not flagged yet" in page.text) == (shares == 1)


def test_hostile_names_stay_text(flagged: Path) -> None:
    """A title and names made of markup are shown as they are and become no markup; characters that
    turn the direction of writing are shown as escapes."""
    html = render(figures_of(flagged))
    page = Page(html)
    assert_nothing_foreign(page)
    assert TITLE in page.text
    assert "\u202e" not in html
    assert "\\u202e" in page.text
    if HOSTILE:
        assert f"0 {IMAGE}" in page.text or f"1 {IMAGE}" in page.text


def test_held_and_sensitive_files_are_not_named(flagged: Path, share: Path) -> None:
    """The page can be passed on: it names no file that is held or that a rule found sensitive."""
    with Query(Estate(flagged)) as query:
        findings = query.table("findings")
        marked = findings.filter(findings.category == "sensitive").select("entry_id")
        entries = query.table("entries").semi_join(marked, "entry_id")
        names = {row["name"] for row in query.rows(entries.select("name"))}
    assert len(names) > 5
    names |= {path.name for path in files_of(share / "Prisons" / "Healthcare")}
    found = figures_of(flagged)
    page, data = Page(render(found)).text, json.dumps(found.as_data())
    assert not [name for name in names if name in page or name in data]


def test_page_allows_nothing_and_is_well_made(flagged: Path) -> None:
    """The policy forbids every request; every table has a caption and scoped headings, every link
    of the contents leads somewhere, every id is used once."""
    page = Page(render(figures_of(flagged)))
    policies = [a["content"] for tag, a in page.tags if a.get("http-equiv")]
    assert policies and "default-src 'none'; style-src 'unsafe-inline'" in str(policies[0])
    assert page.count("table") == page.count("caption") > 10
    assert all(a.get("scope") in ("col", "row") for tag, a in page.tags if tag == "th")
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    links = [str(a["href"])[1:] for tag, a in page.tags if tag == "a"]
    assert len(links) > 12 and set(links) <= set(ids)
    assert page.count("h1") == 1


def test_progress_of_decisions_and_move(moved: Path) -> None:
    """Decisions, the manifest's account and receipts are those of the tables: one unit is decided,
    what is in the manifest is moved, what was not decided is not."""
    found = figures_of(moved)
    units = {row["unit"]: row for row in found.units or []}
    assert units["Finance"]["decided"] > 0 and units["Finance"]["to_decide"] == 0
    assert found.totals["decided"] == units["Finance"]["decided"]
    assert found.manifest is not None
    accounts = {row["outcome"]: row["files"] for row in found.manifest["accounts"]}
    assert accounts["to_move"] == units["Finance"]["decided"]
    assert accounts["undecided"] == found.totals["to_decide"]
    assert sum(accounts.values()) == found.totals["items"]
    (receipts,) = found.receipts or []
    assert (receipts["state"], receipts["lines"]) == ("verified", accounts["to_move"])
    stored = [f for f in files_of(moved.parent / "new store") if ".migrate" not in str(f)]
    assert len(stored) <= accounts["to_move"]
    assert receipts["size_bytes"] == sum(f.stat().st_size for f in stored)
    lines = {line.what: line for line in found.headlines()}
    assert lines["Moved and verified"].figure == f"{accounts['to_move']:,}"


def test_a_line_without_a_receipt_is_waiting(moved: Path, tmp_path: Path) -> None:
    """A manifest with lines that no run has tried yet says so, beside what is verified."""
    estate = Path(shutil.copytree(moved, tmp_path / "estate"))
    before = figures_of(estate).receipts
    assert before is not None
    log = (estate / "log.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    runs = [json.loads(line) for line in log]
    (part,) = [
        part
        for record in runs if record["kind"] == "commit"
        for part in record["parts"] if part["table"] == "receipts"
    ]  # fmt: skip
    path = estate / "receipts" / part["file"]
    kept = pq.read_table(path).slice(1)
    pq.write_table(kept, path)
    after = {row["state"]: row["lines"] for row in figures_of(estate).receipts or []}
    assert after == {"verified": before[0]["lines"] - 1, "waiting": 1}


def test_json_is_the_same_figures(flagged: Path) -> None:
    """`report --json` gives every figure of the page, as numbers."""
    data = run_json("report", "-e", flagged)
    found = figures_of(flagged)
    assert json.loads(json.dumps(found.as_data())) == {k: v for k, v in data.items() if k != "file"}
    assert isinstance(data["shares"][0]["files"], int)
    assert data["state"]["log_head"] == Estate(flagged).log.head


def test_a_report_that_cannot_be_written_leaves_nothing(flagged: Path, tmp_path: Path) -> None:
    """If the file cannot be put in place, what stood there stays, and no half of a page with it."""
    target = tmp_path / "report.html"
    target.mkdir()
    with pytest.raises(OSError):
        write_text(render(figures_of(flagged)), target)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "–"), (0, 9, "0%"), (1, 1000, "under 1%"), (999, 1000, "over 99%"), (9, 9, "100%")],
)
def test_percentages_do_not_round_to_certainty(part: int, whole: int, text: str) -> None:
    """Only nothing is 0%, only all of it is 100%."""
    assert percent_text(part, whole) == text


def test_a_browser_shows_it_and_asks_for_nothing(flagged: Path, tmp_path: Path) -> None:
    """A real Chromium renders the page: title, tables and names are there, and nothing that came
    from a name has become an element."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = needs(next(filter(None, map(shutil.which, names)), None), "Chromium")
    path = write_text(render(figures_of(flagged)), tmp_path / "report.html")
    asked, listener = [], socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            asked.append(connection.recv(400))
            connection.close()

    threading.Thread(target=answer, daemon=True).start()
    done = subprocess.run(
        [
            browser, f"--proxy-server=127.0.0.1:{listener.getsockname()[1]}", "--disable-quic", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, encoding="utf-8", timeout=120, check=True,
    )  # fmt: skip
    listener.close()
    # Every request goes here; the browser has some of its own.
    hosts = {line.split()[1] for line in asked if line}
    own = re.compile(rb"(http://)?([\w-]+\.)*(google|googleapis|gvt1)\.com[:/]")
    assert {host for host in hosts if not own.match(host)} == set()
    page = Page(done.stdout)
    assert_nothing_foreign(page)
    assert page.count("svg") > 10 and page.count("rect") > 30
    assert page.count("table") > 10 and page.count("details") > 3
    assert "alert(1)" in page.text
    assert not re.search(r"""(src|href)\s*=\s*["']?\s*(https?:)?//""", done.stdout)


ASK_THE_PAGE = """
document.querySelectorAll("details").forEach((el) => { el.open = true; });
const shown = (el) => el.getClientRects().length > 0;
const parts = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (el) => {
  for (; el; el = el.parentElement) {
    const found = parts(getComputedStyle(el).backgroundColor);
    if (found.length < 4 || found[3] > 0) return found;
  }
  return [255, 255, 255];
};
const faint = [];
for (const el of document.querySelectorAll("body *")) {
  const own = [...el.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !shown(el)) continue;
  const svg = el.namespaceURI.endsWith("svg");
  const [a, b] = [parts(getComputedStyle(el)[svg ? "fill" : "color"]), ground(el)].map(light);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) faint.push([el.tagName, el.textContent.slice(0, 40), ratio]);
}
const reached = [...document.querySelectorAll("a[href], summary, input, [tabindex='0']")]
  .filter(shown);
const unnamed = reached.filter((el) => !(el.getAttribute("aria-label") || el.textContent.trim()
  || (el.labels && el.labels.length))).map((el) => el.outerHTML.slice(0, 80));
const unfocused = reached.filter((el) => { el.focus(); return document.activeElement !== el; })
  .map((el) => el.outerHTML.slice(0, 80));
const order = reached.filter((el) => el.tabIndex > 0).length;
const looks = () => [...document.querySelectorAll(".map")].filter(shown).map((el) => el.id);
const drawn = () => [...document.querySelectorAll(".map.whole g[class]")].filter(shown)
  .map((el) => el.getAttribute("class"));
const first = [looks(), [...new Set(drawn())]];
document.getElementById("by-risk").click();
const risk = [...new Set(drawn())];
location.hash = document.querySelector(".map.whole svg a").getAttribute("href");
const opened = looks();
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const answer = { faint, unnamed, unfocused, order, first, risk, opened, wide,
  target: location.hash.slice(1), reached: reached.length, width: innerWidth };
document.body.textContent = JSON.stringify(answer);
"""


@pytest.mark.parametrize("width", [1200, 380])
def test_a_browser_finds_it_readable_and_reachable(
    flagged: Path, tmp_path: Path, width: int
) -> None:
    """In a real Chromium, at the width of a desk and of a phone: all words have the contrast that
    WCAG AA asks for; all that can be chosen has a name and takes the keyboard's focus, in the
    page's order; the map opens and changes its colours; nothing makes the page scroll sideways."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = needs(next(filter(None, map(shutil.which, names)), None), "Chromium")
    html = render(figures_of(flagged))
    html = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", html)
    html = html.replace("</body>", f"<script>{ASK_THE_PAGE}</script></body>")
    frame = tmp_path / "frame.html"  # a window of a browser is never as narrow as a phone
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    frame.write_text(
        f'<iframe src="page.html" width="{width}" height="900" style="border: 0"></iframe>'
        "<script>onload = () => { document.body.textContent ="
        " document.querySelector('iframe').contentDocument.body.textContent; }</script>",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--allow-file-access-from-files", "--window-size=1300,1000",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", frame.as_uri(),
        ],
        capture_output=True, text=True, encoding="utf-8", timeout=120, check=True,
    )  # fmt: skip
    found = json.loads("".join(Page(done.stdout).words))
    assert found["width"] == width
    assert found["faint"] == found["unnamed"] == found["unfocused"] == []
    assert found["reached"] > 50 and found["order"] == 0
    assert found["first"] == [["map"], ["by-proposal"]]
    assert found["risk"] == ["by-risk"]
    assert found["opened"] == [found["target"]] != ["map"]
    assert found["wide"] <= 0
