"""The stage that looks inside files, over a small share: what it finds, what it keeps to itself,
killed and run again, and after the share has changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, rows, run, run_json
from inside_files import docx, lnk, packed, pdf, xlsx
from samba import Samba, give_to_server

from migrate.config import load
from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.facts import facts
from migrate.smb.address import parse_address

WORDS = [f"{word}{n}" for n in range(40) for word in ("prison", "court", "plan", "of", "staff")]
NEWER = [*WORDS[:100], "changed", "here", *WORDS[102:]]
CONFIG = r"""
format: 1
shares: [{name: dept, path: SHARE, link: '\\fs1\dept', known_as: ['S:']}]
inspect: {text: true}
lists: {leavers: leavers.txt}
"""


def age(path: Path, days: int) -> None:
    seconds = 1_400_000_000 - days * 86_400
    os.utime(path, (seconds, seconds))


def make_share(root: Path) -> Path:
    """A share with something for every part of the stage."""
    share = root / "share"
    for folder in ("Data", "People", "Links"):
        (share / folder).mkdir(parents=True)
    inside = {f"table {n}.csv": f"{n},content\n" * 50 for n in range(3)}
    for name, content in inside.items():
        (share / "Data" / name).write_text(content)
    other = {"table 1.csv": "1,CONTENT\n" * 50, "table 2.csv": inside["table 2.csv"]}
    packs = {
        "all.zip": packed({f"deep/{name}": text for name, text in inside.items()}),
        "some.zip": packed(other), "none.zip": packed({"gone.csv": "x"}),
        "empty.zip": packed({}), "cut.zip": packed(inside)[:-30], "bomb.zip": packed({"0": bytes(9_000_000)}),
    }  # fmt: skip
    for name, content in packs.items():
        (share / "Data" / name).write_bytes(content)
    people = share / "People"
    (people / "staff.docx").write_bytes(docx("AB123456C", "CE654321A", header="OFFICIAL-SENSITIVE"))
    (people / "copy of staff.docx").write_bytes((people / "staff.docx").read_bytes())
    (people / "moves.pdf").write_bytes(pdf("A1234BC moves", "PNC 2003/123456" + "NR"[0]))
    xlsx(people / "clinic.xlsx", ["Name", "NHS number"], ["Ann", 9434765919], ["Bob", "9434765870"])
    (people / "old.txt").write_text(" ".join(WORDS))
    (people / "new.txt").write_text(" ".join(NEWER))
    (people / "other.txt").write_text(" ".join(f"unlike{n}" for n in range(200)))
    (people / "scanned.pdf").write_bytes(pdf())
    (people / "broken.docx").write_bytes(b"PK\x03\x04 nothing")
    for name, days in (("old.txt", 900), ("new.txt", 100), ("other.txt", 50)):
        age(people / name, days)
    links = {
        "works.lnk": lnk(network=(r"\\FS1\Dept", r"data\TABLE 1.csv")),
        "gone.lnk": lnk(local=r"S:\Data\table 9.csv", wide=True),
        "gone folder.lnk": lnk(local=r"S:\No such\deep\table 9.csv"),
        "short.lnk": lnk(local=r"S:\Data\TABLE~1.CSV"), "up.lnk": lnk(local=r"S:\Data\..\x.doc"),
        "elsewhere.lnk": lnk(local=r"C:\Users\ann\plan.doc"),
        "behind a link.lnk": lnk(local=r"S:\Links\door\plan.doc"),
        "root.lnk": lnk(local="S:\\"), "cut.lnk": lnk(local=r"S:\Data\table 1.csv")[:90],
        "web.url": b"[InternetShortcut]\r\nURL=https://www.example.org/\r\n",
    }  # fmt: skip
    for name, content in links.items():
        (share / "Links" / name).write_bytes(content)
    (share / "Links" / "door").symlink_to(share / "Data")
    return share


@pytest.fixture(scope="module")
def deduped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An estate with everything before the stage done."""
    root = tmp_path_factory.mktemp("inside")
    share = make_share(root)
    estate = root / "estate"
    (root / "estate.yaml").write_text(CONFIG.replace("SHARE", str(share)))
    (root / "leavers.txt").write_text(f"{share.owner()}\n")
    run("init", estate, "--config", root / "estate.yaml")
    run("crawl", "-e", estate)
    run("dedupe", "-e", estate)
    return estate


@pytest.fixture(scope="module")
def looked(deduped: Path) -> Path:
    estate = deduped.with_name("looked")
    shutil.copytree(deduped, estate)
    run("inspect", "-e", estate, "--workers", "2")
    return estate


def known(estate: Path, *columns: str) -> dict[str, tuple]:
    """Facts by path below the share."""
    with Query(Estate(estate)) as query:
        config = load(estate / "estate.yaml")[0]
        table = facts(query, config).filter(lambda t: t.kind == "file")
        found = query.rows(table.select("path", *columns))
        return {row["path"]: tuple(row[name] for name in columns) for row in found}


def test_archives_beside_what_lies_outside(looked: Path) -> None:
    """All, some or none of an archive's files, by name, size and CRC-32; of a damaged one nothing
    is known, and an empty one holds nothing that could lie elsewhere."""
    found = known(looked, "members", "members_elsewhere")
    assert {name: found[f"Data/{name}.zip"] for name in ("all", "some", "none", "cut", "empty", "bomb")} == {
        "all": (3, "all"), "some": (2, "some"), "none": (1, "none"), "cut": (None, None),
        "empty": (None, None), "bomb": (1, "none"),
    }  # fmt: skip
    summed = rows(looked, "checksums")
    assert len(summed) == 3  # the files that could be in an archive, each content once


def test_shortcuts_beside_what_is_there(looked: Path) -> None:
    """Gone only where the folder was read and does not have it; what lies behind a link, on a
    disk nobody knows or in a damaged shortcut stays unknown."""
    found = known(looked, "shortcut", "shortcut_target")
    states = {
        path[6:].partition(".")[0]: value[0]
        for path, value in found.items()
        if path[:6] == "Links/"
    }
    assert states == {
        "works": "works", "gone": "gone", "gone folder": "gone", "elsewhere": None,
        "behind a link": None, "short": None, "up": None, "root": "works", "cut": None, "web": "web",
    }  # fmt: skip
    assert found["Links/works.lnk"][1] == r"\\FS1\Dept\data\TABLE 1.csv"


def test_numbers_and_markings_in_text(looked: Path) -> None:
    """Counted once for each content, and known of every copy; not read is not none."""
    names = ["ni_numbers", "nhs_numbers", "prison_numbers", "marking"]
    found = known(looked, *names)
    assert found["People/staff.docx"] == (2, 0, 0, "official_sensitive")
    assert found["People/copy of staff.docx"] == (2, 0, 0, "official_sensitive")
    assert found["People/clinic.xlsx"][1] == 2
    assert found["People/moves.pdf"] == (0, 0, 1, None)
    assert found["People/other.txt"] == (0, 0, 0, None)
    for name in ("People/broken.docx", "People/scanned.pdf", "Data/all.zip"):
        assert found[name] == (None,) * 4, name
    failed = {row[-1] for row in rows(looked, "looks") if row[-1]}
    assert failed == {"damaged", "reader_failed"}


def test_near_duplicates(looked: Path) -> None:
    """The older of two texts with a word changed points to the newer; files with equal bytes are
    no near duplicates of each other."""
    found = known(looked, "near_dup", "near_dup_path")
    assert found["People/old.txt"] == ("not_newest", "dept/People/new.txt")
    assert found["People/new.txt"] == ("newest", None)
    assert found["People/other.txt"] == ("none", None)
    assert found["People/staff.docx"] == (None, None)  # too few words


def test_no_text_is_kept(looked: Path) -> None:
    """No number, and no word of a text, is anywhere in the estate."""
    secret = ("AB123456C", "9434765919", "A1234BC", "prison1", "unlike7")
    for part in looked.rglob("*.parquet"):
        kept = repr(pq.read_table(part).to_pylist())
        assert not [word for word in secret if word in kept], part
    assert not [word for word in secret if word in (looked / "log.jsonl").read_text()]


def test_the_rules_use_it(looked: Path) -> None:
    """Each rule that needs what is inside hits just its files; archives are never for disposal."""
    run("flag", "-e", looked, "--as-of", "2026-01-01")
    paths = {row[0]: row[3] for row in rows(looked, "entries")}
    hits: dict[str, set[str]] = {}
    actions = {}
    for entry, rule, _, _, _, action, reason, *_ in rows(looked, "findings"):
        hits.setdefault(rule, set()).add(Path(paths[entry]).name)
        actions[rule] = action
        assert "unknown" not in reason or rule not in ("RED-008", "RED-012", "SEN-005", "TRI-012")
    expected = {
        "RED-008": {"old.txt"}, "RED-012": {"all.zip"}, "SEN-002": {"staff.docx", "copy of staff.docx"},
        "SEN-005": {"staff.docx", "copy of staff.docx"}, "SEN-006": {"clinic.xlsx"},
        "SEN-007": {"moves.pdf"}, "TRI-012": {"gone.lnk", "gone folder.lnk"},
        "TRI-013": {"works.lnk", "root.lnk", "web.url"},
    }  # fmt: skip
    assert {rule: hits.get(rule) for rule in expected} == expected
    assert len(hits["OBS-019"]) == len(paths)  # all of them belong to who runs the test
    assert actions["RED-012"] == actions["RED-008"] == "review"
    story = run("explain", "-e", looked, "dept/People/copy of staff.docx").stdout
    assert "2 National Insurance numbers, the marking OFFICIAL-SENSITIVE" in story
    assert "yes: ni_numbers|ge: 1   (it is 2)" in story


def test_again_there_is_nothing_to_do(looked: Path) -> None:
    """A second run looks into nothing and writes nothing; what could not be read is counted."""
    before = len(Estate(looked).runs())
    found = run_json("inspect", "-e", looked)
    assert found["contents"] == 0
    assert found["failures"] == {"damaged": 2, "no_text": 1, "reader_failed": 1}
    assert (found["shortcuts_gone"], found["ni_numbers"], found["near_dups"]) == (2, 2, 1)
    assert len(Estate(looked).runs()) == before


def test_what_could_not_be_looked_into_is_named(looked: Path) -> None:
    """By inspect, by explain and, unless it is on hold, in the report; what merely has no text comes
    last."""
    found = run_json("inspect", "-e", looked)["not_looked_into"]
    reasons = {row["full_path"]: row["reason"] for row in found["listed"]}
    assert found["files"] == len(reasons) == 4
    assert reasons["dept/People/broken.docx"] == "reader_failed"
    assert list(reasons.items())[-1] == ("dept/People/scanned.pdf", "no_text")
    assert "reader_failed: dept/People/broken.docx" in run("inspect", "-e", looked).stdout
    story = run("explain", "-e", looked, "dept/People/broken.docx").stdout
    assert "not known: could not be looked into (reader_failed)" in story
    assert "looked into" not in run("explain", "-e", looked, "dept/People/other.txt").stdout
    run("flag", "-e", looked, "--as-of", "2026-01-01")
    run("report", "-e", looked)
    page = (looked / "out" / "report.html").read_text(encoding="utf-8")
    assert all(path in page for path in reasons)
    config = looked / "estate.yaml"
    before = config.read_text(encoding="utf-8")
    hold = "{reference: H, title: T, authority: A, issued: 2024-01-01, match: {name: broken.docx}}"
    config.write_text(f"{before}\nholds: [{hold}]\n", encoding="utf-8")
    run("report", "-e", looked)
    page = (looked / "out" / "report.html").read_text(encoding="utf-8")
    config.write_text(before, encoding="utf-8")
    assert "broken.docx" not in page and "1 of them not named here" in page


def test_killed_and_run_again(deduped: Path, looked: Path, tmp_path: Path) -> None:
    """Killed at any instant, the stage goes on and ends with the same tables."""
    estate = tmp_path / "estate"
    shutil.copytree(deduped, estate)
    program = [sys.executable, str(ROOT / "tests" / "killable.py"), "13"]
    done = subprocess.run(
        [*program, "inspect", "-e", str(estate)], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode
    run("inspect", "-e", estate)
    for table in ("looks", "checksums", "inside"):
        assert rows(estate, table) == rows(looked, table)


def test_after_the_share_has_changed(looked: Path, tmp_path: Path) -> None:
    """What depends on other files is not known until somebody looks again; what a content holds
    stays known, and is not looked at again."""
    estate, share = tmp_path / "estate", tmp_path / "share"
    shutil.copytree(looked, estate)
    shutil.copytree(looked.parent / "share", share, symlinks=True)
    path = estate / "estate.yaml"
    path.write_text(path.read_text().replace(str(looked.parent / "share"), str(share)))
    (share / "Data" / "table 9.csv").write_text("there again")
    (share / "Data" / "table 1.csv").unlink()
    run("crawl", "-e", estate, "--rescan")
    run("dedupe", "-e", estate)
    names = ["shortcut", "members_elsewhere", "near_dup", "ni_numbers"]
    before = known(estate, *names)
    assert before["Links/gone.lnk"] == before["Data/all.zip"] == (None,) * 4
    assert before["People/staff.docx"][3] == 2
    found = run_json("inspect", "-e", estate)
    assert found["contents"] == 4  # the new table, and those that could not be looked into
    after = known(estate, *names)
    assert after["Links/gone.lnk"][0] == "works"
    assert after["Links/works.lnk"][0] == "gone"
    assert after["Data/all.zip"][1] == "some"


def test_over_a_server(looked: Path, samba: Samba, samba_folder: Path, tmp_path: Path) -> None:
    """Through SMB the same is seen inside, and the address tells which share shortcuts mean."""
    for path in (looked.parent / "share").rglob("*"):
        copy = samba_folder / path.relative_to(looked.parent / "share")
        if path.is_dir():
            copy.mkdir(exist_ok=True)
        elif not path.is_symlink():
            shutil.copy2(path, copy)
    host, at = parse_address(samba.url("data")).host, samba_folder.name
    (samba_folder / "Links" / "by server.lnk").write_bytes(
        lnk(network=(rf"\\{host}\data", rf"{at}\Data\table 1.csv"))
    )
    give_to_server(samba_folder)
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"dept={samba.url('data', at)}", **samba.env)
    for stage in ("crawl", "dedupe", "inspect"):
        run(stage, "-e", estate, **samba.env)
    there, here = (known(one, "members", "members_elsewhere") for one in (estate, looked))
    assert {path: there[path] for path in here if path.endswith("zip")} == {
        path: value for path, value in here.items() if path.endswith("zip")
    }
    assert known(estate, "shortcut")["Links/by server.lnk"] == ("works",)


def test_before_dedupe_it_refuses(tmp_path: Path) -> None:
    """Without groups there would be no contents to speak of."""
    (tmp_path / "share").mkdir()
    run("init", tmp_path / "estate", "--share", f"s={tmp_path / 'share'}")
    done = run("inspect", "-e", tmp_path / "estate", expect=1)
    assert "crawl" in done.stderr
