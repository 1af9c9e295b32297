"""The manifest: every line can be trusted, and what is on no line is accounted for beside it."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
import xxhash
from conftest import refuse_to_open
from helpers_review import (
    BODY,
    DECISION,
    FOLDERS,
    MTIME,
    Made,
    all_decided,
    decisions,
    fates,
    fill,
    make,
    make_pipe,
    migrate,
    only,
    put,
    sheet,
    stages,
    walk,
)  # fmt: skip

from migrate.manifests.standard import COLUMNS
from migrate.paths import printable
from migrate.plan import CHANGED
from migrate.proof import NONE_STAYS

LINUX = sys.platform == "linux"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the odd names cannot exist on Windows")

BIG = BODY.encode() * 4_000  # more than a visit reads whole
CONFIG = """\
file_plan:
  - {folder: dept/Finance, container: Corporate/Finance, retention_class: FIN-03}
retention:
  - {retention_class: FIN-03, trigger: last_modified, period: 7y, action: review, authority: Schedule 3}
holds:
  - reference: INQ-1
    title: First inquiry
    authority: Act s.35
    issued: 2024-03-01
    match: {path|under: [dept/Held]}
"""
BIGS = ("big one.bin", "big two.bin", "big three.bin", "big four.bin")


def files() -> dict[str | bytes, str | bytes]:
    """A small share with one of everything."""
    tree: dict[str | bytes, str | bytes] = {
        "Finance/a.txt": BODY + "a", "Finance/b, \"c\".txt": BODY + "b", "Finance/run.bat": BODY,
        "Finance/twin.txt": BODY + "twin", "Finance/deep/twin.txt": BODY + "twin", "empty.txt": "",
        "Thumbs.db": BODY + "thumbs", "leave.bat": BODY + "leave", "later.bat": BODY + "later",
        "Held/a.txt": BODY + "held", "Held/b.bat": BODY + "held b", "copy of held.txt": BODY + "held",
        "Empty folder/": "", "Empty/in/it/": "", "new\nline.txt": BODY + "n", "=1+1.txt": BODY + "=",
        "caf\u00e9.txt": BODY + "nfc", "cafe\u0301.txt": BODY + "nfd", "q?.txt": BODY + "q", "tab\t.txt": BODY + "t",
        "nobody/decided.txt": BODY + "nobody", "policy thumbs.bat": BODY + "policy",
    }  # fmt: skip
    tree |= {name: BIG + name.encode() for name in BIGS}
    if LINUX:
        tree |= {
            b"caf\xe9.txt": BODY + "latin",
            b"\xff/\xfe.txt": BODY + "ff",
            "caf\\xe9.txt": BODY + "spelt",
        }
    return tree


def built(root: Path, share: Path, crawl: str = "crawl") -> Made:
    """An estate over the share with decisions in it; the manifest is still to be made."""
    made = make(root / "estate", {"dept": share}, CONFIG)
    stages(made, crawl, "dedupe", "flag", "review export")
    others = {
        "dept/Thumbs.db": "dispose", "dept/leave.bat": "leave", "dept/later.bat": "",
        "dept/nobody": "",
    }  # fmt: skip
    all_decided(made, root, **others)
    return made


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An estate with decisions. Tests copy it, with its share."""
    root = tmp_path_factory.mktemp("manifest")
    put(root / "dept", files())
    os.symlink("Finance/a.txt", root / "dept" / "link")
    os.symlink("Finance", root / "dept" / "link to a folder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1767225600")
        return built(root, root / "dept")


@pytest.fixture(scope="module")
def made(decided: Made, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The same with its manifest; only to be read."""
    made = decided.copy(tmp_path_factory.mktemp("made") / "estate")
    stages(made, "manifest")
    return made


def lines(made: Made, name: str = "manifest.csv") -> list[dict[str, str]]:
    with made.manifests(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def sources(made: Made) -> list[str]:
    return [line["source_path"] for line in lines(made)]


def on_disk(made: Made, line: dict[str, str]) -> bytes:
    """The file of a line, found as a script would: by the exact bytes where they are given."""
    share, _, below = line["source_path"].partition("/")
    assert share == line["source_share"]
    path = below.encode()
    if line["source_path_b64"]:
        path = base64.b64decode(line["source_path_b64"], validate=True)
    return os.fsencode(made.shares[share]) + b"/" + path


def contents(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


# --- whole -------------------------------------------------------------------------------------


def test_everything_is_in_one_of_the_two_lists(made: Made) -> None:
    """A recount by os.walk finds each file, link and empty folder in exactly one of the two CSVs."""
    listed = [printable(path) for path in sources(made)]
    listed += [line["path"] for line in lines(made, "not_moved.csv")]
    assert sorted(listed) == sorted(shown for shown, _ in walk(made.shares))
    moved = {on_disk(made, line) for line in lines(made)}
    assert len(moved) == len(lines(made))
    assert moved <= {path for _, path in walk(made.shares)}


def test_each_outcome_is_where_it_belongs(made: Made) -> None:
    """What was decided, held, left open or is no file is listed with the outcome and its reason."""
    rest = {line["path"]: (line["outcome"], line["why"]) for line in lines(made, "not_moved.csv")}
    expected = {
        "Thumbs.db": "disposed", "leave.bat": "left", "later.bat": "undecided", "link": "not_a_file",
        "nobody/decided.txt": "undecided", "Held/a.txt": "held", "Held/b.bat": "held",
        "copy of held.txt": "held", "link to a folder": "not_a_file",
    }  # fmt: skip
    assert {path.removeprefix("dept/"): outcome for path, (outcome, _) in rest.items()} == expected
    assert "First inquiry (INQ-1)" in rest["dept/Held/a.txt"][1]
    assert "a copy of a held file" in rest["dept/copy of held.txt"][1]
    assert rest["dept/Thumbs.db"][1] == "decided by me on 2026-01-01T00:00:00Z"
    assert "proposed: review" in rest["dept/later.bat"][1]


def test_the_account_adds_up(decided: Made, tmp_path: Path) -> None:
    """What the verb says is what the lists hold."""
    made = decided.copy(tmp_path / "estate")
    said = migrate("manifest", "-e", made.root)
    counts = {account["outcome"]: account["files"] for account in said["accounts"]}
    assert counts.pop("to_move") == len(lines(made))
    assert sum(counts.values()) == len(lines(made, "not_moved.csv"))
    assert said["renamed"] == len(lines(made, "renamed.csv"))


def test_columns_are_the_published_ones(made: Made) -> None:
    """The CSV has the columns of the standard, in their order; JSON Lines no others."""
    with made.manifests("manifest.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)
    for text in made.manifests("manifest.jsonl").read_text(encoding="utf-8").splitlines():
        assert set(json.loads(text)) <= set(COLUMNS)


def test_csv_and_json_lines_agree(made: Made) -> None:
    """Line by line, both files say the same."""
    texts = made.manifests("manifest.jsonl").read_bytes().decode("utf-8").split("\n")
    assert texts.pop() == ""
    for in_csv, text in zip(lines(made), texts, strict=True):
        in_json = json.loads(text)
        assert {name: value for name, value in in_csv.items() if value != ""} == {
            name: str(value) for name, value in in_json.items()
        }
        assert in_json["manifest_version"] == "1"


def test_digests_are_those_of_the_files(made: Made) -> None:
    """Each file's xxh3_128 and size are what reading it gives; an empty folder has no digest."""
    kinds = set()
    for line in lines(made):
        kinds.add(line["kind"])
        if line["kind"] == "folder":
            assert os.listdir(on_disk(made, line)) == []
            assert line["xxh3_128"] == line["size_bytes"] == ""
            continue
        content = contents(on_disk(made, line))
        assert line["xxh3_128"] == xxhash.xxh3_128_hexdigest(content)
        assert line["size_bytes"] == str(len(content))
        assert line["sha256"] == ""
    assert kinds == {"file", "folder"}
    assert {f"dept/{name}" for name in BIGS} <= set(sources(made))


def test_lines_say_what_is_known(made: Made) -> None:
    """Time, class, decision, reviewer, target and the kept twin stand on the line."""
    by_path = {line["source_path"].removeprefix("dept/"): line for line in lines(made)}
    line = by_path["Finance/a.txt"]
    assert (line["modified_utc"], line["retention_class"]) == ("2025-06-01T00:00:00Z", "FIN-03")
    assert (line["dest_container"], line["dest_path"]) == (
        "Corporate/Finance",
        "Corporate/Finance/a.txt",
    )
    assert (line["decision"], line["decided_by"], line["mime"]) == ("migrate", "me", "text/plain")
    assert line["rename_reason"] == ""
    assert by_path["Finance/run.bat"]["sensitivity"] == "Script"
    assert by_path["Finance/deep/twin.txt"]["duplicate_of"] == "dept/Finance/twin.txt"
    assert by_path["Finance/twin.txt"]["duplicate_of"] == ""
    assert by_path["q?.txt"]["rename_reason"] != ""
    assert by_path["new\nline.txt"]["dest_path"] == "dept/new_line.txt"
    assert len({line["record_id"] for line in lines(made)}) == len(lines(made))


@pytest.mark.skipif(not LINUX, reason="only Linux holds such names")
def test_exact_bytes_of_undecodable_paths(made: Made) -> None:
    """source_path_b64 stands there only for paths that are no UTF-8, and gives back their bytes."""
    raw = {
        base64.b64decode(line["source_path_b64"]) for line in lines(made) if line["source_path_b64"]
    }
    assert raw == {b"caf\xe9.txt", b"\xff/\xfe.txt"}
    same_text = [line for line in lines(made) if line["source_path"] == "dept/caf\\xe9.txt"]
    assert sorted(bool(line["source_path_b64"]) for line in same_text) == [False, True]


def test_no_two_lines_have_one_target(made: Made) -> None:
    """Targets are distinct also for a store that ignores case and Unicode form."""
    import unicodedata

    targets = [line["dest_path"] for line in lines(made)]
    folded = {unicodedata.normalize("NFC", target).casefold() for target in targets}
    assert len(folded) == len(targets)
    assert not any(part in ("", ".", "..") for target in targets for part in target.split("/"))


def test_the_log_knows_the_files(made: Made) -> None:
    """The SHA-256 of each file that was written is in the log."""
    from migrate.estate import Estate

    (record,) = [record for record in Estate(made.root).log.records if record["kind"] == "wrote"]
    for name in ("manifest.csv", "manifest.jsonl", "renamed.csv", "not_moved.csv", "also_at.csv"):
        assert (
            record["files"][name] == hashlib.sha256(made.manifests(name).read_bytes()).hexdigest()
        )


# --- the same again ------------------------------------------------------------------------------


def written(made: Made) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(made.manifests(".").iterdir())}


def test_same_inputs_same_bytes(
    decided: Made, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made twice, or from the beginning by another estate, the files are the same, byte for byte."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    first = written(made)
    assert set(first) == {
        "manifest.csv", "manifest.jsonl", "renamed.csv", "not_moved.csv", "also_at.csv",
    }  # fmt: skip
    other = built(tmp_path, decided.shares["dept"])
    for _ in range(2):
        migrate("manifest", "-e", other.root, "--workers", "1")
        assert written(other) == first


def test_sha256_where_the_crawl_took_it(decided: Made, tmp_path: Path) -> None:
    """With --fixity sha256 each line has the file's true SHA-256 as well."""
    made = built(tmp_path, decided.shares["dept"], "crawl --fixity sha256")
    stages(made, "manifest")
    for line in lines(made):
        if line["kind"] == "file":
            content = contents(on_disk(made, line))
            assert line["sha256"] == hashlib.sha256(content).hexdigest()
            assert line["xxh3_128"] == xxhash.xxh3_128_hexdigest(content)


def test_a_listing_gets_its_digests_now(tmp_path: Path) -> None:
    """After a crawl that opened no file, the manifest reads what is to move; a file that has gone or
    changed since is unreadable, and not on a line."""
    names = {f"x/{number}.txt": BODY + "x" * number for number in range(4)}  # no two of one size
    put(tmp_path / "dept", {**names, "x/big.bin": BIG})
    made = make(tmp_path / "estate", {"dept": tmp_path / "dept"})
    stages(made, "crawl --listing-only", "dedupe", "flag", "review export")
    all_decided(made, tmp_path)
    (tmp_path / "dept" / "x" / "0.txt").unlink()
    put(tmp_path / "dept", {"x/1.txt": BODY + "!"}, MTIME + 10**9)  # as long as before
    stages(made, "manifest")
    assert sources(made) == ["dept/x/2.txt", "dept/x/3.txt", "dept/x/big.bin"]
    for line in lines(made):
        assert line["xxh3_128"] == xxhash.xxh3_128_hexdigest(contents(on_disk(made, line)))
    rest = {line["path"]: (line["outcome"], line["why"]) for line in lines(made, "not_moved.csv")}
    assert rest == {
        "dept/x/0.txt": ("unreadable", fates(made)["dept/x/0.txt"][1]),
        "dept/x/1.txt": ("unreadable", CHANGED),
    }


# --- what must not get in ------------------------------------------------------------------------


def test_files_that_go_or_change_under_our_eyes(decided: Made, tmp_path: Path) -> None:
    """A large file that vanished, changed or became a folder before its digest was taken is
    unreadable; the others are in the manifest."""
    made = decided.copy_all(tmp_path)
    share = made.shares["dept"]
    (share / BIGS[0]).unlink()
    put(share, {BIGS[1]: BIG + b"changed"}, MTIME + 5)
    (share / BIGS[2]).unlink()
    (share / BIGS[2]).mkdir()
    stages(made, "manifest")
    got = {name: fates(made)[f"dept/{name}"] for name in BIGS}
    assert [got[name][0] for name in BIGS] == ["unreadable", "unreadable", "unreadable", "to_move"]
    assert got[BIGS[1]][1] == CHANGED
    assert not {f"dept/{name}" for name in BIGS[:3]} & set(sources(made))
    assert len(lines(made)) + len(lines(made, "not_moved.csv")) == len(walk(decided.shares))
    migrate("manifest", "-e", made.root)  # and it does not get better by itself
    assert fates(made)[f"dept/{BIGS[0]}"][0] == "unreadable"


def test_a_decision_that_is_not_carried_out_is_told(tmp_path: Path) -> None:
    """A copy of a file that goes as well is neither disposed of nor undecided: the manifest and
    `status` count it by itself, and the next workbook says why. Once somebody has decided
    otherwise, no workbook says so any more."""
    put(tmp_path / "s", {"b/x.txt": BODY + "x"})
    put(tmp_path / "s", {"a/x.txt": BODY + "x"}, MTIME - 10**9)
    made = make(tmp_path / "estate", {"s": tmp_path / "s"})
    stages(made)
    all_decided(made, tmp_path, "dispose")
    accounts = migrate("manifest", "-e", made.root)["accounts"]
    assert {row["outcome"]: row["files"] for row in accounts} == {"disposed": 1, "withheld": 1}
    assert fates(made)["s/b/x.txt"] == ("withheld", NONE_STAYS)
    told = {
        stage["name"]: stage["result"] for stage in migrate("status", "-e", made.root)["stages"]
    }
    assert "0 undecided, 1 decided but not carried out" in told["manifest"]
    stages(made, "review export")
    book = made.workbook("Unassigned.xlsx")
    said = {row["Path"]: str(row["Decided so far"]) for row in sheet(book, FOLDERS)}
    assert said["s/b/x.txt"] == f"dispose, by itself, by me; not carried out: {NONE_STAYS}"
    assert said["s/b"].endswith("; 1 not carried out")
    assert "not carried out" not in said["s/a"]
    stay = fill(book, tmp_path / "stay.xlsx", only("s/b/x.txt", decision="migrate"))
    made.imports(stay, options=["--reviewer", "me"])
    stages(made, "review export")
    assert "not carried out" not in str([row["Decided so far"] for row in sheet(book, FOLDERS)])


def test_a_change_since_the_decision(decided: Made, tmp_path: Path) -> None:
    """A file that was changed and crawled again after it was decided on: the decision is withheld."""
    made = decided.copy_all(tmp_path)
    share = made.shares["dept"]
    put(share, {"Finance/a.txt": BODY + "A"})  # as long as before, at another time
    os.utime(share / "Finance" / "a.txt", ns=(MTIME + 1, MTIME + 1))
    put(share, {"Finance/run.bat": BODY + "longer"})  # longer, at the same time
    put(share, {"Thumbs.db": BODY + "thumbs!"}, MTIME + 1)
    stages(made, "crawl --rescan", "dedupe", "flag", "manifest")
    for path in ("dept/Finance/a.txt", "dept/Finance/run.bat", "dept/Thumbs.db"):
        assert fates(made)[path] == ("withheld", "changed since it was decided on: decide again")
    assert fates(made)["dept/q?.txt"][0] == "to_move"
    assert "dept/Finance/a.txt" not in sources(made)


def test_unreadable_ones_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the crawl could not open is unreadable in the account, a pipe is no file; neither
    is on a line, and neither stops anything."""
    put(
        tmp_path / "dept", {"x/a.txt": BODY, "x/locked.txt": BODY + "l", "x/locked.bat": BODY + "b"}
    )
    refuse_to_open(monkeypatch, "locked", PermissionError(13, "Permission denied"))
    make_pipe(tmp_path / "dept" / "x" / "pipe")
    made = make(tmp_path / "estate", {"dept": tmp_path / "dept"})
    stages(made)
    all_decided(made, tmp_path)
    monkeypatch.undo()
    stages(made, "manifest")
    assert sources(made) == ["dept/x/a.txt"]
    rest = {line["path"]: line["outcome"] for line in lines(made, "not_moved.csv")}
    assert rest == {
        "dept/x/locked.txt": "unreadable", "dept/x/locked.bat": "unreadable",
        "dept/x/pipe": "not_a_file",
    }  # fmt: skip


def test_a_hold_beats_a_decision(decided: Made, tmp_path: Path) -> None:
    """What is put on hold after it was decided on is held, and so is every copy of it."""
    made = decided.copy(tmp_path / "estate")
    before = decisions(made)
    assert (
        before["dept/Finance/deep/twin.txt"][0] == before["dept/Finance/twin.txt"][0] == "migrate"
    )
    made.hold("dept/Finance/deep")
    stages(made, "manifest")
    assert fates(made)["dept/Finance/deep/twin.txt"][0] == "held"
    assert fates(made)["dept/Finance/twin.txt"][0] == "held"
    assert "Inquiry seven" in fates(made)["dept/Finance/twin.txt"][1]
    assert not [path for path in sources(made) if "twin" in path]
    assert decisions(made) == before


def test_a_released_hold_gives_back(decided: Made, tmp_path: Path) -> None:
    """When a hold is released, what it held is as it was decided before: here, undecided."""
    made = decided.copy(tmp_path / "estate")
    made.configure(
        lambda text: text.replace(
            "issued: 2024-03-01", "issued: 2024-03-01\n    released: 2025-12-01"
        )
    )
    stages(made, "manifest")
    assert fates(made)["dept/Held/a.txt"][0] == "undecided"
    assert not any(path.startswith("dept/Held") for path in sources(made))


# --- known faults ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A manifest with names that are made to harm a reader of CSV."""
    root = tmp_path_factory.mktemp("awkward")
    put(
        root / "dept",
        {"cr\rname.txt": BODY, '=HYPERLINK("http:evil","x")?.txt': BODY + "=", "b.bat": BODY + "b"},
    )
    made = make(root / "estate", {"dept": root / "dept"})
    stages(made)
    cells = {"dept/b.bat": {DECISION: "leave", "Comment": "=1+1"}}
    book = made.root / "out" / "review" / "Unassigned.xlsx"
    fill(book, root / "f.xlsx", lambda _, row: cells.get(row.get("Path"), {DECISION: "migrate"}))
    made.imports(root / "f.xlsx", options=["--reviewer", "me"])
    stages(made, "manifest")
    return made


def test_a_name_cannot_split_a_line(awkward: Made) -> None:
    """A file whose name holds a carriage return is one line like any other."""
    with awkward.manifests("manifest.csv").open(encoding="utf-8", newline="") as file:
        read = [line["source_path"] for line in csv.DictReader(file)]
    assert sorted(read) == ['dept/=HYPERLINK("http:evil","x")?.txt', "dept/cr\rname.txt"]


@pytest.mark.parametrize("name", ["renamed.csv", "not_moved.csv", "manifest.csv"])
def test_no_formula_in_any_list(name: str, awkward: Made) -> None:
    """No field that came from a name or a person begins as a formula does."""
    with awkward.manifests(name).open(encoding="utf-8", newline="") as file:
        values = [value or "" for row in csv.reader(file) for value in row]
    assert not [value for value in values if value.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    "mtime_s",
    [
        pytest.param(-11_644_473_600, id="1601, what Windows calls no time"),
        pytest.param(10_000_000_000, id="2286"),
    ],
)
def test_an_impossible_date_stops_nothing(mtime_s: int, tmp_path: Path) -> None:
    """One file with a time that nanoseconds cannot hold is moved like the others."""
    put(tmp_path / "dept", {"old.txt": BODY, "plain.txt": BODY + "p"})
    os.utime(tmp_path / "dept" / "old.txt", (mtime_s, mtime_s))
    if os.stat(tmp_path / "dept" / "old.txt").st_mtime != mtime_s:
        pytest.skip("this file system cannot hold such a time")
    made = make(tmp_path / "estate", {"dept": tmp_path / "dept"})
    stages(made)
    all_decided(made, tmp_path)
    stages(made, "manifest")
    assert sources(made) == ["dept/old.txt", "dept/plain.txt"]
