"""Holds: the register in its three forms, what they cover, and that nothing gets out of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest
from conftest import rows, run, run_json

from migrate import registers
from migrate.config import Hold, Schedule, load
from migrate.errors import Fault, RulesInvalid
from migrate.flag.rules import load_holds

BASE = "format: 1\nshares: [{name: dept, path: share}]\n"
CSV = """\
Reference,Title,Authority,Contact,Issued,Released,Folders,Owners,Names,Modified from,Modified to
INQ-1,Inquiry,Act s.35,Ann,2024-03-01,,dept/Prisons; dept/Courts,,,2001-01-01,2010-12-31
INQ-1,Inquiry,Act s.35,Ann,2024-03-01,,,bob,,,
FOI-2,Request,FOIA s.77,,2026-01-05,2026-02-01,,,budget,,
"""
YAML = """\
holds:
  - reference: LIT-1
    title: A claim
    authority: CPR 31
    issued: 2025-01-01
    match: {path|under: dept/Claims}
"""


def read(folder: Path, config: str, **files: str) -> list:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    (folder / "estate.yaml").write_text(BASE + config, encoding="utf-8")
    loaded, document = load(folder / "estate.yaml")
    return load_holds(loaded, document, folder)


def faults(folder: Path, config: str, **files: str) -> list[Fault]:
    with pytest.raises(RulesInvalid) as caught:
        read(folder, config, **files)
    return caught.value.faults


def workbook(path: Path, *lines: list) -> None:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    book.save(path)


# The register


def test_a_register_as_csv(tmp_path):
    """Rows are holds; several values in a cell are alternatives, columns conditions, rows of one
    reference its scopes; a released hold is in force no more."""
    [hold] = read(tmp_path, "hold_files: [holds.csv]\n", holds_csv=CSV)
    assert hold.id == "HOLD INQ-1"
    assert hold.where == "holds.csv:2"
    assert str(hold.condition) == (
        "any(all(path|under: dept/Prisons, dept/Courts; mtime|since: 2001-01-01; "
        "mtime|until: 2010-12-31); owner|in: bob)"
    )


def test_a_register_as_workbook(tmp_path):
    """The same in Excel, dates as dates."""
    workbook(
        tmp_path / "h.xlsx",
        ["reference", "title", "authority", "issued", "folders", "modified from"],
        ["INQ-1", "Inquiry", "Act", date(2024, 3, 1), "dept/A\ndept/B", date(2001, 1, 1)],
    )
    [hold] = read(tmp_path, "hold_files: [h.xlsx]\n")
    assert str(hold.condition) == "any(all(path|under: dept/A, dept/B; mtime|since: 2001-01-01))"
    assert hold.where == "h.xlsx:2"


def test_a_register_as_yaml_beside_estate_yaml(tmp_path):
    """Holds of estate.yaml and of every register are in force together."""
    own = "holds: [{reference: A, title: t, authority: a, issued: 2024-01-01, match: {name: x}}]\n"
    found = read(tmp_path, own + "hold_files: [h.yaml, holds.csv]\n", h_yaml=YAML, holds_csv=CSV)
    assert [(hold.id, hold.where) for hold in found] == [
        ("HOLD A", "estate.yaml:3"), ("HOLD LIT-1", "h.yaml:2"), ("HOLD INQ-1", "holds.csv:2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "words"),
    [
        ("Folders", "Foldres", 1, 7, "unknown column 'Foldres'; did you mean 'folders'?"),
        ("Owners", "Folders", 1, 8, "two columns"),
        ("dept/Prisons", "detp/Prisons", 2, 7, "on no share"),
        ("2026-01-05", "05/01/2026", 4, 5, "YYYY-MM-DD"),
        ("2001-01-01", "2001", 2, 10, "YYYY-MM-DD"),
        ("INQ-1,Inquiry,Act s.35,Ann,2024-03-01,,,bob", "INQ-1,Inquest,Act s.35,Ann,2024-03-01,,,bob", 3, 2, "title is not what the first row"),
        (",,,bob,,,", ",,,,,,", 3, 1, "expected a condition"),
        ("FOI-2,Request,FOIA s.77", "FOI-2,Request,", 4, 1, "'authority' is missing"),
        ("2026-01-05,2026-02-01", "2026-01-05,2025-02-01", 4, 6, "cannot end before"),
    ],
)  # fmt: skip
def test_faults_in_a_register(tmp_path, old, new, line, column, words):
    """A fault in a register names its file, row and column, and stops everything."""
    assert old in CSV
    found = faults(tmp_path, "hold_files: [holds.csv]\n", holds_csv=CSV.replace(old, new, 1))
    fits = [fault for fault in found if words in fault.message]
    assert [(fault.file, fault.line, fault.column) for fault in fits] == [
        ("holds.csv", line, column)
    ]


def test_registers_that_cannot_be_read(tmp_path):
    """No file, no workbook, another kind of file, another key: all are faults."""
    (tmp_path / "broken.xlsx").write_bytes(b"no zip")
    (tmp_path / "latin.csv").write_bytes(b"reference\ncaf\xe9\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "list.docx").write_bytes(b"")
    (tmp_path / "other.yaml").write_text("hold: []\n")
    names = "nowhere.csv, broken.xlsx, latin.csv, empty.csv, list.docx, other.yaml"
    found = faults(tmp_path, f"hold_files: [{names}]\n")
    assert [fault.file for fault in found] == names.split(", ")


def test_a_register_that_would_fill_the_memory(tmp_path):
    """A value in a far cell, and XML with declarations of its own: faults, before they are read."""
    workbook(tmp_path / "good.xlsx", ["reference", "title"], ["INQ-1", "t"])
    spoilt = {
        "far.xlsx": (b'r="B2"', b'r="XFC1048570"'),
        "long.xlsx": (b'r="A2"', b"r = 'a1048570'"),
        "entities.xlsx": (b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "a">]><worksheet'),
    }
    for name, (old, new) in spoilt.items():
        with ZipFile(tmp_path / "good.xlsx") as good, ZipFile(tmp_path / name, "w") as bad:
            for item in good.namelist():
                content = good.read(item)
                bad.writestr(item, content.replace(old, new) if "sheet1" in item else content)
    found = faults(tmp_path, "hold_files: [far.xlsx, long.xlsx, entities.xlsx]\n")
    words = {fault.file: fault.message for fault in found}
    assert "far outside its table" in words["far.xlsx"]
    assert "more than 20,000 rows" in words["long.xlsx"]
    assert "document type" in words["entities.xlsx"]


def test_a_formula_that_came_to_nothing_is_no_reference(tmp_path):
    """A cell without a value is empty: the hold of that row is a fault, and not left out."""
    workbook(tmp_path / "formula.xlsx", ["reference", "title"], ["=1+1", "t"])
    found = faults(tmp_path, "hold_files: [formula.xlsx]\n")
    assert found
    assert {(fault.file, fault.line) for fault in found} == {("formula.xlsx", 2)}


def test_the_columns_are_those_of_estate_yaml():
    """A field that estate.yaml gets, a register has too."""
    assert {*Hold.__struct_fields__} - {"match"} == set(registers.COLUMNS["holds"]) - set(
        registers.SCOPE
    )
    assert [*Schedule.__struct_fields__] == registers.COLUMNS["retention"]


# What holds cover


@pytest.fixture(scope="module")
def flagged(tmp_path_factory) -> Path:
    """Copies, hard links and a large file, one of each in a folder that will be held."""
    root = tmp_path_factory.mktemp("holds")
    held, free = root / "share" / "Held", root / "share" / "Free"
    held.mkdir(parents=True)
    free.mkdir()
    (held / "paper.txt").write_text("a paper\n" * 9)
    (free / "copy of paper.txt").write_text("a paper\n" * 9)
    (held / "linked.txt").write_text("one file, two names\n")
    os.link(held / "linked.txt", free / "other name.txt")
    (held / "large.bin").write_bytes(os.urandom(1000) * 150)
    (free / "other.txt").write_text("something else\n")
    (held / "empty.txt").touch()
    (free / "also empty.txt").touch()
    run("init", root / "estate", "--share", f"dept={root / 'share'}")
    with (root / "estate" / "estate.yaml").open("a") as file:
        file.write("holds: [{reference: R, title: Inquiry, authority: a, issued: 2024-03-01, "
                   "match: {path|under: dept/Held}}]\n")  # fmt: skip
    for stage in ("crawl", "dedupe", "flag"):
        run(stage, "-e", root / "estate")
    return root


@pytest.fixture
def estate(flagged, tmp_path) -> Path:
    shutil.copytree(flagged / "estate", tmp_path / "estate")
    text = (tmp_path / "estate" / "estate.yaml").read_text()
    here = text.replace(str(flagged / "share"), str(tmp_path / "share"))
    (tmp_path / "estate" / "estate.yaml").write_text(here)
    shutil.copytree(flagged / "share", tmp_path / "share", copy_function=shutil.copy2)
    return tmp_path / "estate"


def held_paths(estate: Path) -> set[str]:
    run("manifest", "-e", estate)
    text = (estate / "out" / "manifests" / "not_moved.csv").read_text(encoding="utf-8")
    return {line.split(",")[0] for line in text.splitlines() if ",held," in line}


INSIDE = {
    "dept/Held/paper.txt",
    "dept/Held/linked.txt",
    "dept/Held/large.bin",
    "dept/Held/empty.txt",
}


def test_a_hold_covers_copies_and_other_names(estate):
    """The same content is held wherever it is: as a copy, and as another name of one file. Empty
    files are no copies of each other."""
    assert held_paths(estate) == INSIDE | {
        "dept/Free/copy of paper.txt",
        "dept/Free/other name.txt",
    }


def test_a_hold_follows_content_that_was_moved(estate):
    """Moved and renamed between two scans, content stays held; edited, it is another content."""
    share = estate.parent / "share"
    (share / "Held" / "large.bin").rename(share / "Free" / "holiday.bin")
    (share / "Held" / "paper.txt").rename(share / "Free" / "paper 2.txt")
    (share / "Free" / "other.txt").write_text("edited\n")
    for stage in (["crawl", "--rescan"], ["dedupe"], ["flag"]):
        run(*stage, "-e", estate)
    assert {"dept/Free/holiday.bin", "dept/Free/paper 2.txt"} <= held_paths(estate)
    assert "dept/Free/other.txt" not in held_paths(estate)
    story = run("explain", "-e", estate, "dept/Free/holiday.bin").stdout
    assert "found on hold in an earlier scan: Inquiry (R)" in story


def test_a_hold_that_is_written_otherwise_is_another(estate):
    """Once a hold's scope is corrected, what only the old words held is free."""
    share, config = estate.parent / "share", estate / "estate.yaml"
    (share / "Held" / "large.bin").rename(share / "Free" / "holiday.bin")
    config.write_text(config.read_text().replace("{path|under: dept/Held}", "{name: paper.txt}"))
    for stage in (["crawl", "--rescan"], ["dedupe"], ["flag"]):
        run(*stage, "-e", estate)
    assert held_paths(estate) == {"dept/Held/paper.txt", "dept/Free/copy of paper.txt"}


def test_a_hold_that_cannot_be_told_holds(estate):
    """A hold by SHA-256, where none was taken, holds every file it might mean; taken, only those."""
    config = estate / "estate.yaml"
    digest = hashlib.sha256(b"something else\n").hexdigest()
    config.write_text(
        config.read_text().replace("{path|under: dept/Held}", f"{{sha256: {digest}, kind: file}}")
    )
    run("flag", "-e", estate)
    assert len(held_paths(estate)) == 8
    for stage in (["crawl", "--rescan", "--fixity", "sha256"], ["dedupe"], ["flag"]):
        run(*stage, "-e", estate)
    assert held_paths(estate) == {"dept/Free/other.txt"}


def test_what_is_remembered_is_no_more_than_needed(estate):
    """The table of held contents has sizes and samples, for this hold alone."""
    found = rows(estate, "held")
    assert len(found) == 3
    assert run_json("flag", "-e", estate)["entries"] >= 4
