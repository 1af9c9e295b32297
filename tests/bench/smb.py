"""Crawling a file server, beside the clients there are: python tests/bench/run.py --only smb

A real Samba server on this machine; the same tree for all, in turn. Processor time is the client's.
Server and client share the processors here: trust the ratios, and those on a quiet machine only.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from race import Contestant, Races
from samba import Proxy, Samba, give_to_server, served_folder, smbd

MIGRATE = [sys.executable, "-m", "migrate"]
FILES_PER_FOLDER = 14
WALK = """
import sys, smbclient
smbclient.register_session(sys.argv[1], username=sys.argv[3], password=sys.argv[4], port=int(sys.argv[2]))
todo = [rf"\\\\{sys.argv[1]}\\data"]
while todo:
    for entry in smbclient.scandir(todo.pop(), port=int(sys.argv[2])):
        if entry.is_dir():
            todo.append(entry.path)
"""


def make(root: Path, count: int, median_bytes: int) -> int:
    """COUNT files of about that size below a new folder; how many there are."""
    chance = random.Random(3)
    for start in range(0, count, FILES_PER_FOLDER):
        number = start // FILES_PER_FOLDER
        folder = root / f"unit {number % 20:02}" / f"year {number % 300:03}" / f"case {number:05}"
        folder.mkdir(parents=True)
        for file in range(start, min(start + FILES_PER_FOLDER, count)):
            size = int(chance.lognormvariate(0, 1) * median_bytes)
            (folder / f"Minutes of meeting {file:06} (final).txt").write_bytes(
                chance.randbytes(min(size, 1 << 20))
            )
    return count


def _ours(server: Samba | Proxy, estate: Path, *options: str) -> Contestant:
    """A crawl into a new estate."""

    def prepare() -> list[str]:
        shutil.rmtree(estate, ignore_errors=True)
        subprocess.run(
            [*MIGRATE, "init", str(estate), "--share", f"s={server.url('data')}"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return [*MIGRATE, "crawl", "-e", str(estate), *options]

    return prepare


def _rclone(server: Samba | Proxy, user: Samba, *words: str) -> Contestant:
    hidden = subprocess.run(
        ["rclone", "obscure", user.password], capture_output=True, text=True, check=True
    ).stdout.strip()
    where = f":smb,host={server.host},port={server.port},user={user.user},pass={hidden}:data"
    command = ["rclone", "--config", os.devnull, words[0], *words[1:], where]
    return lambda: command


def _listing(server: Samba | Proxy, user: Samba, work: Path) -> dict[str, Contestant]:
    contestants = {
        f"migrate crawl --listing-only --workers {n}": _ours(
            server, work, "--listing-only", "--workers", str(n)
        )
        for n in (2, 1)
    }
    if shutil.which("rclone"):
        for checkers in (4, 8, 16):
            contestants[f"rclone lsjson, {checkers} checkers"] = _rclone(
                server, user, "lsjson", "-R", "--fast-list", "--checkers", str(checkers)
            )
    if shutil.which("smbclient"):
        login = f"{user.user}%{user.password}"
        words = ["smbclient", f"//{server.host}/data", "-p", str(server.port), "-U", login]
        contestants["smbclient recurse; ls"] = lambda: [*words, "-c", "recurse; ls"]
    return contestants


def race_servers(races: Races, files: int) -> None:
    if not smbd():
        print("\nNo Samba here: the SMB benchmark is left out (apt-get install samba smbclient)")
        return
    with served_folder() as tree, tempfile.TemporaryDirectory() as home:
        make(tree, files, 1_000)
        give_to_server(tree)
        with Samba({"data": tree}) as server, Proxy(server, delay_ms=2) as far:
            os.environ.update(server.env)
            work, counted = Path(home) / "estate", ("files", files)
            near = _listing(server, server, work)
            login = [server.host, str(server.port), server.user, server.password]
            near["smbclient.scandir (smbprotocol)"] = lambda: [sys.executable, "-c", WALK, *login]
            title = "Samba, listing, with every row committed"
            races.race(title, near, counted=counted)
            races.race(f"{title}, 2 ms away", _listing(far, server, work), counted=counted)
    with served_folder() as tree, tempfile.TemporaryDirectory() as home:
        count = make(tree, files // 10, 20_000)
        give_to_server(tree)
        with Samba({"data": tree}) as server:
            os.environ.update(server.env)
            _race_reading(races, server, Path(home) / "estate", count)


def _race_reading(races: Races, server: Samba, work: Path, count: int) -> None:
    reading = {
        f"migrate crawl --fixity sha256 --workers {n}": _ours(
            server, work, "--no-mime", "--fixity", "sha256", "--workers", str(n)
        )
        for n in (2, 1)
    }
    if shutil.which("rclone"):
        reading["rclone hashsum sha256, 8 checkers"] = _rclone(
            server, server, "hashsum", "sha256", "--download", "--checkers", "8"
        )
    races.race("Samba, reading and hashing files of some 20 KB", reading, counted=("files", count))
    permissions = {
        "migrate crawl --listing-only": _ours(server, work, "--listing-only"),
        "migrate crawl --listing-only --security": _ours(
            server, work, "--listing-only", "--security"
        ),
    }
    title = "Samba, what owners and permissions cost"
    races.race(title, permissions, counted=("files", count))
