"""Promise 5: any command can be killed at any instant, run again, and ends with the same tables."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, make_tree, rows, run, run_json
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from migrate.estate import Estate, writing

KILLABLE = Path(__file__).parent / "killable.py"


def killed(limit: int, *words: str | Path) -> bool:
    """Run a command that dies at its N-th durable call; whether it did."""
    command = [sys.executable, str(KILLABLE), str(limit), *map(str, words)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1790000000"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    if done.returncode == -signal.SIGKILL or "a worker process died" in done.stderr:
        return True
    assert done.returncode in (0, 3), done.stderr
    return False


def fill_in(estate: Path, filled: Path) -> list[Path]:
    """Workbooks with every file decided one way or another."""
    import openpyxl

    filled.mkdir(exist_ok=True)
    for path in (estate / "out" / "review").glob("*.xlsx"):
        book = openpyxl.load_workbook(path)
        sheet = book["Folders and files"]
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, 1).value = "dispose" if row % 3 == 0 else "migrate"
        book.save(filled / path.name)
    return sorted(filled.glob("*.xlsx"))


def steps(estate: Path, store: Path, filled: list[Path]) -> list[list[str | Path]]:
    """The commands after init, in order."""
    here = ["-e", estate]
    return [
        ["crawl", *here, "--workers", "2"],
        ["dedupe", *here],
        ["flag", *here, "--as-of", "2026-01-01"],
        ["review", "import", *here, "--reviewer", "A tester", *filled],
        ["manifest", *here],
        ["move", *here, "--to", store],
    ]


TABLES = ["entries", "listings", "digests", "whole_digests", "groups", "findings", "decisions",
          "outcomes", "manifest", "receipts"]  # fmt: skip


@dataclass
class Undisturbed:
    """An estate nothing happened to, kept as it was before each step: what others must equal."""

    root: Path
    filled: list[Path]
    before: list[Path]
    after: list[dict[str, list[tuple[object, ...]]]]


def tables(estate: Path) -> dict[str, list[tuple[object, ...]]]:
    return {table: rows(estate, table, "target") for table in TABLES}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Every step once, from an empty estate to a finished move."""
    root = tmp_path_factory.mktemp("undisturbed")
    make_tree(root / "share")
    estate, store = root / "estate", root / "store"
    made = Undisturbed(root, [], [], [])
    run("init", estate, "--share", f"s={root / 'share'}")
    for number in range(len(steps(estate, store, []))):
        if number == 3:
            run("review", "export", "-e", estate)
            made.filled = fill_in(estate, root / "filled")
        made.before.append(root / f"before {number}")
        shutil.copytree(estate, made.before[-1])
        run(*steps(estate, store, made.filled)[number])
        made.after.append(tables(estate))
    return made


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(stage=st.integers(0, 5), limit=st.integers(1, 30))
def test_killed_anywhere_and_run_again(undisturbed, stage: int, limit: int) -> None:
    """A command killed at any durable step, then run again, leaves the same tables as one that
    was never disturbed, a chain that verifies, and no half-copied file."""
    estate, store = undisturbed.root / "killed", undisturbed.root / "killed store"
    for folder in (estate, store):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(undisturbed.before[stage], estate)
    command = steps(estate, store, undisturbed.filled)[stage]
    killed(limit, *command)
    run(*command)
    found = tables(estate)
    for table in TABLES:
        assert found[table] == undisturbed.after[stage][table], table
    assert run_json("verify", "-e", estate)["differences"] == []
    assert not list(store.rglob("*.partial"))


def test_every_durable_step_of_a_crawl(undisturbed) -> None:
    """Killed at its first, second, third … durable step until it survives, a crawl goes on each
    time and ends with every entry once."""
    estate = undisturbed.root / "killed again and again"
    run("init", estate, "--share", f"s={undisturbed.root / 'share'}")
    deaths = 0
    while killed(2 + deaths % 9, "crawl", "-e", estate) and deaths < 25:
        deaths += 1
    assert deaths > 3
    run("crawl", "-e", estate)
    assert tables(estate) == undisturbed.after[0]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_hand(tmp_path: Path, signal_number: int) -> None:
    """Ctrl-C and SIGTERM end with exit code 130, leave nothing running and nothing half-done; the
    next run completes the crawl."""
    share = tmp_path / "share"
    for number in range(120):
        folder = share / f"{number:03}"
        folder.mkdir(parents=True)
        for file in range(50):
            (folder / f"{file}.txt").write_text(f"{number} {file}")
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={share}")
    begun = tmp_path / "begun"
    code = (
        "import pathlib, sys, time, migrate.visitor as v\n"
        "old = v.Visitor.work\n"
        "def work(self, task):\n"
        "    step = old(self, task)\n"
        "    pathlib.Path(sys.argv[0]).touch(); time.sleep(0.5)\n"
        "    return step\n"
        "v.Visitor.work = work; v.FILES_PER_TASK = v.FILES_AT_FIRST = 200; begun = sys.argv[2]\n"
        "sys.argv = [begun, 'crawl', '-e', sys.argv[1], '--workers', '2']\n"
        "from migrate.cli import main; main()\n"
    )
    command = [sys.executable, "-c", code, str(estate), str(begun)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    while not begun.exists() and process.poll() is None:  # a worker has something in hand
        time.sleep(0.05)
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=20)
    if process.returncode == 0:
        pytest.skip("the crawl was faster than the signal")
    assert process.returncode == 130, errors
    assert "run the same command again" in errors.lower()
    if signal_number == signal.SIGINT:
        assert len(rows(estate, "listings")) > 0, "what was under way was not committed"
    run("crawl", "-e", estate)
    assert len(rows(estate, "entries")) == 1 + 120 + 6000


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path, tree: Path) -> None:
    """When the parent is killed, its workers end by themselves and the lock is free."""
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tree}")
    code = (
        "import contextlib, os, signal, migrate.visitor as v\n"
        "old = v.Visitor.work\n"
        "def slow(self, task):\n"
        "    with contextlib.suppress(ProcessLookupError): os.kill(parent, signal.SIGKILL)\n"
        "    import time; time.sleep(0.2)\n"
        "    return old(self, task)\n"
        "parent = os.getpid(); v.Visitor.work = slow\n"
        "import sys; sys.argv = ['migrate', 'crawl', '-e', sys.argv[1], '--workers', '3']\n"
        "from migrate.cli import main; main()\n"
    )
    process = subprocess.run([sys.executable, "-c", code, str(estate)], check=False, cwd=ROOT)
    assert process.returncode == -signal.SIGKILL
    time.sleep(1.0)
    left = subprocess.run(["pgrep", "-f", str(estate)], capture_output=True, text=True, check=False)
    assert left.stdout.split() == []
    run("crawl", "-e", estate)


def test_disk_full_loses_nothing(tmp_path: Path, tree: Path) -> None:
    """A full disk stops the crawl with words, the log stays whole, a run with room completes."""
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tree}")
    code = (
        "import os, errno, sys\n"
        "old, calls = os.fsync, [0]\n"
        "def full(fd):\n"
        "    calls[0] += 1\n"
        "    if calls[0] > 3: raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "    return old(fd)\n"
        "os.fsync = full\n"
        "sys.argv = ['migrate', 'crawl', '-e', sys.argv[1]]\n"
        "from migrate.cli import main; main()\n"
    )
    command = [sys.executable, "-c", code, str(estate)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert "No space left" in done.stderr and "Make room" in done.stderr
    Estate(estate)
    run("crawl", "-e", estate)
    assert len(rows(estate, "entries")) == sum(1 for _ in tree.rglob("*")) + 1


def test_readers_work_while_a_writer_holds_the_lock(tmp_path: Path, tree: Path) -> None:
    """A second writer is refused with exit code 11; status, report and explain answer."""
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tree}")
    run("crawl", "-e", estate)
    with writing(Estate(estate), ["a test"]):
        refused = run("dedupe", "-e", estate, expect=11)
        assert str(os.getpid()) in refused.stderr
        assert "Next: wait: 'a test' is running" in run("status", "-e", estate).stdout
        run("report", "-e", estate)
        run("explain", "-e", estate, "s/big.bin")
    assert "Next: migrate identify" in run("status", "-e", estate).stdout


def test_a_crawl_that_was_cut_off_goes_on(tmp_path: Path, tree: Path) -> None:
    """After a kill, status says that the crawl has not ended and which command goes on with it, and
    a report can be had of what there is, which says the same; before any crawl, nothing is zero."""
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tree}")
    assert "not crawled yet" in run("report", "-e", estate).stdout
    page = (estate / "out" / "report.html").read_text(encoding="utf-8")
    assert "The share s has not been crawled" in page and "0 B" not in page
    with writing(Estate(estate), ["migrate", "crawl"]) as writer:
        writer.begin("crawl", {"share": "s", "content": True})
    told = run("status", "-e", estate).stdout
    assert "not ended" in told
    assert "Next: migrate crawl, which goes on where it was stopped" in told
    run("report", "-e", estate)
    page = (estate / "out" / "report.html").read_text(encoding="utf-8")
    assert "The crawl of s has not ended: its figures are not complete." in page


@pytest.mark.parametrize("stage", ["crawl", "identify"])
def test_a_file_that_crashes_a_library_is_passed_over(
    tmp_path: Path, tree: Path, stage: str
) -> None:
    """A segmentation fault in libmagic or siegfried costs one file its type, and nothing else."""
    (tree / "folder 3" / "evil.doc").write_bytes(b"CRASH" * 20)
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={tree}")
    if stage == "identify":
        run("crawl", "-e", estate)
    code = (
        "import os, signal, sys, pygfried, migrate.visit as v\n"
        "old, many = v.mime_type, pygfried.identify_many\n"
        "def die(): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def mime(head):\n"
        "    if head.startswith(b'CRASH'): die()\n"
        "    return old(head)\n"
        "def identify(paths, workers):\n"
        "    if any(p.endswith('evil.doc') for p in paths): die()\n"
        "    return many(paths, workers=workers)\n"
        "v.mime_type, pygfried.identify_many = mime, identify\n"
        "sys.argv = ['migrate', sys.argv[2], '-e', sys.argv[1]]\n"
        "from migrate.cli import main; main()\n"
    )
    command = [sys.executable, "-c", code, str(estate), stage]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "crashed a library" in done.stderr
    assert len(rows(estate, "entries")) == sum(1 for _ in tree.rglob("*")) + 1
    story = run_json("explain", "-e", estate, "s/folder 3/evil.doc")["entry"]
    assert story["digest"]
    assert (story["mime"] is None) == (stage == "crawl")
    assert story["read_error"] is None
