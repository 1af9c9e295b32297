"""Crawling a file server, beside the clients there are: python tests/bench/smb.py [FILES] [ROUNDS]

A real Samba server on this machine; the same tree for all, in turn. Prints files a second (median),
the ratio to the best peer of the block, and what the client costs in processor time a file. Server
and client share the processors here: trust the ratios, and those on a quiet machine only.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

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

Contestant = Callable[[], list[str]]  # prepares, and gives the command to time


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


def race(title: str, files: int, rounds: int, contestants: dict[str, Contestant]) -> None:
    """Run contestants in turns; names that begin with 'migrate' are ours."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, prepare in contestants.items():
            took[name].append(_timed(prepare()))
    rates = {
        name: files / statistics.median(seconds for seconds, _ in runs)
        for name, runs in took.items()
    }
    best = max((rate for name, rate in rates.items() if not name.startswith("migrate")), default=1)
    print(f"\n{title}\n{'':44}{'files/s':>9}{'ratio':>7}{'µs/file':>9}")
    for name, runs in took.items():
        micros = min(cpu for _, cpu in runs) / files * 1e6
        print(f"{name:44}{rates[name]:9,.0f}{rates[name] / best:7.2f}{micros:9.1f}")


def _timed(command: list[str]) -> tuple[float, float]:
    """Seconds by the clock, and seconds of processor time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}\n{done.stderr.decode()}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
        for n in (1, 2)
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


def main(files: int, rounds: int) -> None:
    if not smbd():
        print("\nNo Samba here: the SMB benchmark is left out (apt-get install samba smbclient)")
        return
    with served_folder() as tree, tempfile.TemporaryDirectory() as home:
        make(tree, files, 1_000)
        give_to_server(tree)
        with Samba({"data": tree}) as server, Proxy(server, delay_ms=2) as far:
            os.environ.update(server.env)
            work = Path(home) / "estate"
            print(f"\n{files:,} files on a Samba server, {os.cpu_count()} processors")
            near = _listing(server, server, work)
            login = [server.host, str(server.port), server.user, server.password]
            near["smbclient.scandir (smbprotocol)"] = lambda: [sys.executable, "-c", WALK, *login]
            race("Listing, with every row committed", files, rounds, near)
            distant = _listing(far, server, work)
            race("The same 2 ms away", files, rounds, distant)
    with served_folder() as tree, tempfile.TemporaryDirectory() as home:
        count = make(tree, files // 10, 20_000)
        give_to_server(tree)
        with Samba({"data": tree}) as server:
            os.environ.update(server.env)
            work = Path(home) / "estate"
            reading = {
                f"migrate crawl --fixity sha256 --workers {n}": _ours(
                    server, work, "--no-mime", "--fixity", "sha256", "--workers", str(n)
                )
                for n in (1, 2)
            }
            if shutil.which("rclone"):
                reading["rclone hashsum sha256, 8 checkers"] = _rclone(
                    server, server, "hashsum", "sha256", "--download", "--checkers", "8"
                )
            race("Reading and hashing files of some 20 KB", count, rounds, reading)
            permissions = {
                "migrate crawl --listing-only": _ours(server, work, "--listing-only"),
                "migrate crawl --listing-only --security": _ours(
                    server, work, "--listing-only", "--security"
                ),
            }
            race("What owners and permissions cost", count, rounds, permissions)


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["70000", "5"][len(sys.argv) - 1 :])))
