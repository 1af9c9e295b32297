"""What takes long is seen to get on: a large file, a large folder, while a worker is still at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, run
from samba import Samba, give_to_server
from test_crash import fill_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="told at once where forks inherit")

# `migrate`, telling of everything at once instead of every second and every ten.
TELLING = """
import sys
from migrate import events
from migrate.engine import underway
underway.TELL_SECONDS = events.PLAIN_SECONDS = 0.0
from migrate.cli import main
sys.argv[0] = "migrate"
main()
"""
FILES, LARGE_BYTES = 1_200, 12 << 20


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of small files, and large ones that are alike but for the end of one."""
    share = tmp_path_factory.mktemp("large") / "share"
    (share / "folder").mkdir(parents=True)
    for number in range(FILES):
        (share / "folder" / f"{number}.txt").write_text(f"{number}\n")
    body = os.urandom(1 << 20) * (LARGE_BYTES >> 20)
    for number, end in enumerate([b"same", b"same", b"else"]):
        (share / f"{number}.iso").write_bytes(body + end)
    return share


def told(*words: str | Path) -> list[str]:
    """What the command said while it was at it: first its lines on what is in hand."""
    command = [sys.executable, "-c", TELLING, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def in_between(lines: list[str], label: str, total: int) -> list[int]:
    """The numbers of files in a stage's lines that are neither none nor all."""
    begins = [line.removeprefix(f"{label}: ") for line in lines if line.startswith(f"{label}: ")]
    counts = [int(line.split(" ")[0].replace(",", "")) for line in begins]
    return sorted({count for count in counts if 0 < count < total})


def megabytes(lines: list[str], label: str) -> set[str]:
    return {
        word for line in lines if line.startswith(label)
        for word in line.split(", ") if word.endswith(" MB read")
    }  # fmt: skip


def test_every_stage_tells_of_what_it_has_in_hand(share: Path, tmp_path: Path) -> None:
    """From the crawl to the check of what was moved."""
    all_tell(share, tmp_path / "store", tmp_path)


def test_to_a_server_and_from_it(
    samba: Samba, samba_folder: Path, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a worker has many requests on their way, it still says how far it is."""
    for name, value in samba.env.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(share, samba_folder / "share")
    give_to_server(samba_folder)
    url = samba.url("data", samba_folder.name)
    all_tell(f"{url}/share", f"{url}/store", tmp_path)


def all_tell(share: Path | str, store: Path | str, room: Path) -> None:
    estate = room / "estate"
    run("init", estate, "--share", f"s={share}")
    crawl = told("crawl", "-e", estate, "--workers", "1")
    assert in_between(crawl, "crawl s", FILES), crawl
    dedupe = told("dedupe", "-e", estate, "--workers", "1")
    assert len(megabytes(dedupe, "dedupe: reading whole")) > 3, dedupe
    in_all = megabytes(dedupe, "dedupe: reading whole: 2 files in ")
    assert in_all == {f"{2 * LARGE_BYTES >> 20}.0 MB read"}, dedupe
    run("flag", "-e", estate, "--as-of", "2026-01-01")
    run("review", "export", "-e", estate)
    filled = fill_in(estate, room / "filled")
    run("review", "import", "-e", estate, "--reviewer", "A tester", *filled)
    run("manifest", "-e", estate)
    move = told("move", "-e", estate, "--to", store, "--workers", "1")
    assert len(megabytes(move, "move")) > 3, move
    verify = told("verify", "-e", estate, "--workers", "1")
    assert len(megabytes(verify, "verify: target")) > 3, verify


def test_duplicates_tells_too(share: Path) -> None:
    """Without an estate."""
    lines = told("duplicates", share, "--workers", "1")
    assert {"1.0 MB read", "13.0 MB read"} <= megabytes(lines, "reading whole"), lines
