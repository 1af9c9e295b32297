"""The command line: help, JSON, exit codes, start-up, and what each user sees on nothing at all."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click import Context
from conftest import ROOT, run, run_json

from migrate.cli import VERBS, cli
from migrate.errors import EXIT_CODES


def verbs() -> list[tuple[str, ...]]:
    found = []
    for name in VERBS:
        below = getattr(cli.get_command(Context(cli), name), "commands", {})
        found += [(name, inner) for inner in below] if below else [(name,)]
    return found


@pytest.mark.parametrize("verb", verbs(), ids=" ".join)
def test_every_verb_has_help_with_an_example_and_json(verb) -> None:
    """--help shows what the verb does, an example that names it, and --json."""
    shown = run(*verb, "--help").stdout
    assert "Example:" in shown
    assert f"migrate {' '.join(verb)}" in shown.split("Example:")[1]
    assert "--json" in shown


@pytest.mark.parametrize(
    ("word", "said"), [("dedup", "Did you mean 'dedupe'?"), ("zzz", "No such command 'zzz'.\n")]
)
def test_a_verb_that_is_none(word: str, said: str) -> None:
    """A mistyped verb is wrong usage, and the nearest one is named."""
    done = run(word, expect=2)
    assert said in done.stderr


def test_help_lists_every_exit_code() -> None:
    """`migrate --help` documents the exit codes."""
    shown = run("--help").stdout
    for code, meaning in EXIT_CODES.items():
        assert re.search(rf"{code}\s+{re.escape(meaning)}", shown)


def test_help_loads_no_heavy_library() -> None:
    """`migrate --help` imports nothing that takes its time."""
    code = (
        "import sys\nfrom migrate.cli import cli\n"
        "heavy = {'pyarrow','duckdb','ibis','pandas','numpy','openpyxl','msgspec','yaml','rich',"
        "'jinja2','magic','pygfried','xxhash'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def loaded_by(*command: object) -> set[str]:
    """The modules that a command of its own imports."""
    words = [sys.executable, "-X", "importtime", "-m", "migrate", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    return {line.split("|")[-1].strip() for line in lines if line.startswith("import time:")}


def test_a_crawl_loads_no_query_library(tmp_path: Path) -> None:
    """What a crawl has no use for is not imported: that is most of its time on a small share. A
    rescan, which finds changes, asks in SQL alone."""
    share = tmp_path / "share"
    share.mkdir()
    (share / "file").write_text("a file")
    run("init", tmp_path / "estate", "--share", f"s={share}")
    never = {"ibis", "numpy._core", "pandas._libs", "smbprotocol", "cryptography", "xlsxwriter",
             "openpyxl", "jinja2", "pygfried", "keyring"}  # fmt: skip
    loaded = loaded_by("crawl", "-e", tmp_path / "estate")
    assert "pyarrow" in loaded
    assert not (never | {"duckdb"}) & loaded
    (share / "file").rename(share / "moved")
    loaded = loaded_by("crawl", "-e", tmp_path / "estate", "--rescan")
    assert "duckdb" in loaded
    assert not never & loaded


@pytest.fixture(scope="module")
def estate(tmp_path_factory) -> Path:
    """A small estate, taken to the review."""
    root = tmp_path_factory.mktemp("cli")
    share = root / "share"
    (share / "Finance").mkdir(parents=True)
    for number in range(3):
        (share / "Finance" / f"Invoice {number}.txt").write_text("the same\n")
    (share / "Thumbs.db").write_bytes(b"x")
    run("init", root / "estate", "--share", f"s={share}")
    run("run", root / "estate")
    return root / "estate"


@pytest.mark.parametrize(
    "words",
    [
        ["status"], ["report"], ["explain", "s/Thumbs.db"], ["crawl"], ["identify"], ["dedupe"],
        ["inspect"], ["flag"], ["review", "export"], ["manifest"], ["verify"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_json_is_one_object_on_stdout(estate, words) -> None:
    """With --json a verb prints one JSON object and nothing else."""
    assert isinstance(run_json(*words, "-e", estate), dict)


def test_json_of_run_is_one_object(estate) -> None:
    """`run --json` gives the result of every stage by its name."""
    found = run_json("run", estate)
    assert list(found) == ["crawl", "identify", "dedupe", "inspect", "flag", "review export"]


def test_run_until_a_stage(estate) -> None:
    """`run --until` ends after the stage it names; one that is left out cannot be the last."""
    assert list(run_json("run", estate, "--until", "dedupe")) == ["crawl", "identify", "dedupe"]
    found = run_json("run", estate, "--until", "dedupe", "--no-puid", "--no-mime")
    assert list(found) == ["crawl", "dedupe"]
    done = run("run", estate, "--until", "identify", "--no-puid", expect=2)
    assert "identify is left out" in done.stderr


def test_json_of_an_error(tmp_path) -> None:
    """An error is JSON too, with the exit code."""
    done = run("status", "-e", tmp_path, "--json", expect=10)
    assert json.loads(done.stdout)["exit_code"] == 10


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["crawl", "--bad"], "--bad"), (["dedup"], "Did you mean 'dedupe'?"),
        (["manifest", "--profile", "x"], "expected one of"), (["explain"], "Missing argument"),
        (["report", "--output", "-"], "both want stdout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_json_of_wrong_use(estate, words, says) -> None:
    """What is wrong with a command is told to scripts too."""
    done = run(*words, "--json", expect=2, MIGRATE_ESTATE=str(estate))
    told = json.loads(done.stdout)
    assert says in told["error"] and told["todo"] and told["exit_code"] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_no_room_for_the_result(tmp_path) -> None:
    """Where stdout takes nothing, stderr says so in words."""
    for number in range(400):
        (tmp_path / f"a name that takes room {number}").write_text("same")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "migrate", "duplicates", tmp_path, "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
    assert done.returncode == 1
    assert "migrate: No space left on device" in done.stderr and "Traceback" not in done.stderr


def test_run_ends_with_everything_done(estate) -> None:
    """After `run`, status says that workbooks are to come back."""
    found = run_json("status", "-e", estate)
    states = {stage["name"]: stage["state"] for stage in found["stages"]}
    assert states["crawl s"] == states["flag"] == states["review export"] == "done"
    assert "review import" in found["next"]


def test_twice_is_once(estate) -> None:
    """Running a finished stage again does nothing new."""
    before = run_json("status", "-e", estate)
    for verb in ("crawl", "identify", "dedupe", "flag"):
        run(verb, "-e", estate)
    assert run_json("status", "-e", estate) == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["crawl", "-e", "{empty}"], 10, "migrate init"),
        (["status"], 10, "no estate here"),
        (["nonsense"], 2, "No such command"),
        (["crawl", "-e", "{estate}", "--workers", "0"], 2, "workers"),
        (["init", "{empty}/x"], 2, "--share NAME=PATH"),
        (["init", "{empty}/x", "--share", "nothing"], 2, "NAME=PATH"),
        (["init", "{empty}/x", "--share", "s=/does/not/exist"], 2, "does not exist"),
        (["init", "{empty}/x", "--share", "a/b={empty}"], 5, "plain words"),
        (["explain", "-e", "{estate}", "s/nothing"], 2, "names nothing"),
        (["move", "-e", "{estate}", "--to", "ftp://x/y"], 2, "no target"),
        (["manifest", "-e", "{estate}", "--profile", "none"], 2, "expected one of standard"),
        (["flag", "-e", "{estate}", "--as-of", "yesterday"], 2, "as-of"),
        (["review", "import", "-e", "{estate}", "{estate}/estate.yaml"], 2, "no Excel workbook"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_use(tmp_path, estate, words, code, says) -> None:
    """Every mistake has its exit code and says what was expected."""
    words = [word.format(empty=tmp_path, estate=estate) for word in words]
    command = [sys.executable, "-m", "migrate", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_share_that_is_gone(tmp_path) -> None:
    """A share that cannot be listed ends with exit code 12 and its path."""
    share = tmp_path / "share"
    share.mkdir()
    run("init", tmp_path / "estate", "--share", f"s={share}")
    share.rmdir()
    done = run("crawl", "-e", tmp_path / "estate", expect=12)
    assert str(share) in done.stderr


def test_an_altered_log_is_noticed(tmp_path) -> None:
    """One changed byte in the log ends every verb with exit code 4 and the line."""
    (tmp_path / "share").mkdir()
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tmp_path / 'share'}")
    run("crawl", "-e", estate)
    log = estate / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"schema":1', b'"schema":2', 1))
    done = run("verify", "-e", estate, expect=4)
    assert "line 2" in done.stderr


def test_a_malformed_rule_stops_run_before_the_crawl(tmp_path) -> None:
    """`run` reads the rules first: nothing is crawled for hours and then lost."""
    (tmp_path / "share").mkdir()
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tmp_path / 'share'}")
    with (estate / "estate.yaml").open("a") as file:
        file.write("rules: {off: {TRI-0001: typo}}\n")
    done = run("run", estate, expect=5)
    assert "TRI-001" in done.stderr
    assert not (estate / "entries").exists()


def test_a_crawl_that_reads_more_is_not_made_again(tmp_path) -> None:
    """`crawl` and `run` after `crawl --fixity sha256` keep what it read; the other way round the
    files are read again."""
    share, estate = tmp_path / "share", tmp_path / "estate"
    share.mkdir()
    (share / "file.txt").write_text("content")
    run("init", estate, "--share", f"s={share}")

    def scan() -> dict:
        return run_json("explain", "-e", estate, "s/file.txt")["entry"]

    run("crawl", "-e", estate, "--listing-only")
    assert scan()["digest"] is None
    run("crawl", "-e", estate, "--fixity", "sha256")
    first = scan()
    assert first["digest_sha256"]
    run("crawl", "-e", estate)
    run("run", estate, "--no-puid")
    assert scan()["scan_id"] == first["scan_id"]


def test_an_empty_share(tmp_path) -> None:
    """A share with nothing in it goes through every step."""
    (tmp_path / "share").mkdir()
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tmp_path / 'share'}")
    run("run", estate)
    run("manifest", "-e", estate)
    run("move", "-e", estate, "--to", tmp_path / "store")
    run("verify", "-e", estate)
    run("report", "-e", estate)


def test_verify_notices_a_changed_file_in_the_store(tmp_path) -> None:
    """A byte changed in the store, or a file gone from it, is a difference: exit code 4."""
    import openpyxl

    share, estate, store = tmp_path / "share", tmp_path / "estate", tmp_path / "store"
    share.mkdir()
    for name in ("a.txt", "b.txt"):
        (share / name).write_text(f"content of {name}")
    run("init", estate, "--share", f"s={share}")
    run("run", estate, "--no-puid")
    path = estate / "out" / "review" / "Unassigned.xlsx"
    book = openpyxl.load_workbook(path)
    for row in range(2, book["Folders and files"].max_row + 1):
        book["Folders and files"].cell(row, 1).value = "migrate"
    book.save(tmp_path / "filled.xlsx")
    run("review", "import", "-e", estate, "--reviewer", "A tester", tmp_path / "filled.xlsx")
    run("manifest", "-e", estate)
    run("move", "-e", estate, "--to", store)
    run("verify", "-e", estate)
    (store / "s" / "a.txt").write_text("Content of a.txt")
    assert "SHA-256 differs" in run("verify", "-e", estate, expect=4).stdout
    (store / "s" / "a.txt").unlink()
    assert "gone from the target" in run("verify", "-e", estate, expect=4).stdout


def test_a_terminal_gets_a_progress_line(tmp_path) -> None:
    """On a terminal the crawl shows counts and rate on one line that changes."""
    share, estate = tmp_path / "share", tmp_path / "estate"
    for number in range(60):
        folder = share / str(number)
        folder.mkdir(parents=True)
        for file in range(40):
            (folder / f"{file}.txt").write_text(f"{number} {file}\n" * 20)
    run("init", estate, "--share", f"s={share}")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "migrate", "crawl", "--strict-types", "-e", str(estate)]
    process = subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL, cwd=ROOT)
    os.close(theirs)
    seen = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            block = os.read(ours, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
    os.close(ours)
    assert process.wait() == 0
    assert re.search(rb"crawl s: [\d,]+ files, .*files/s", seen)


def test_the_wheel_holds_rules_and_template(tmp_path) -> None:
    """What is installed from a wheel has the rule pack and the report's template with it."""
    import zipfile

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert {f"migrate/rules/{path.name}" for path in (ROOT / "rules").glob("*.yaml")} <= set(names)
    assert "migrate/report/template.html" in names


def test_a_rescan_makes_what_rests_on_the_old_scan_out_of_date(tmp_path) -> None:
    """After a rescan nothing is decided by old groups or findings; decisions on files that are as
    they were carry over, one on a changed file does not."""
    import openpyxl

    share, estate = tmp_path / "share", tmp_path / "estate"
    share.mkdir()
    names = ("same.txt", "changed.txt", "unseen.txt")
    for name in names:
        (share / name).write_text(f"{name} before")
    run("init", estate, "--share", f"s={share}")
    run("run", estate, "--no-puid")
    book = openpyxl.load_workbook(estate / "out" / "review" / "Unassigned.xlsx")
    book["Folders and files"].cell(2, 1).value = "migrate"
    book.save(tmp_path / "filled.xlsx")
    run("review", "import", "-e", estate, "--reviewer", "A tester", tmp_path / "filled.xlsx")
    (share / "changed.txt").write_text("changed since")
    before = (share / "unseen.txt").stat()
    (share / "unseen.txt").write_text("unseen.txt BEFORE")  # the same size and date
    os.utime(share / "unseen.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    told = run("crawl", "-e", estate, "--rescan").stdout
    assert "To be decided again: 2 changed" in told
    assert "out of date" in run("status", "-e", estate).stdout
    for verb in (["flag"], ["manifest"], ["review", "export"]):
        assert "migrate dedupe" in run(*verb, "-e", estate, expect=1).stderr
    run("dedupe", "-e", estate)
    run("flag", "-e", estate)
    run("manifest", "-e", estate)
    outcomes = {
        name: run_json("explain", "-e", estate, f"s/{name}")["outcome"]["outcome"] for name in names
    }
    assert outcomes == {
        "same.txt": "to_move", "changed.txt": "withheld", "unseen.txt": "withheld"
    }  # fmt: skip
