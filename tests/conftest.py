"""What tests share: small trees, estates over them, the command line run in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import samba as smb_server
from forked import run_forked

from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.sources.local import LocalSource, open_in

ROOT = Path(__file__).parent.parent


def on_ci() -> bool:
    """Whether a part that cannot be started fails the run instead of being skipped."""
    return os.environ.get("CI") == "true"


def needs(program: str | None, name: str) -> str:
    """The program; where it is missing the test is skipped, on CI it fails."""
    if program:
        return program
    if on_ci():
        pytest.fail(f"{name} is not installed, and CI needs it")
    pytest.skip(f"{name} is not installed")


@contextmanager
def mounted(folder: Path, size: str = "4m") -> Iterator[Path]:
    """A disk of its own on a folder, or the test is skipped: only root may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def run(
    *words: str | Path, expect: int = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`migrate WORDS` in a process of its own."""
    whole = {**os.environ, "SOURCE_DATE_EPOCH": "1790000000", **environment}
    if any(name.startswith("PYTHON") for name in environment):  # which Python reads as it starts
        done = subprocess.run(
            [sys.executable, "-m", "migrate", *map(str, words)],
            capture_output=True, text=True, check=False, cwd=ROOT, env=whole,
        )  # fmt: skip
    else:
        done = run_forked([str(word) for word in words], ROOT, whole)
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def run_json(*words: str | Path, expect: int = 0) -> Any:
    """The JSON that `migrate WORDS --json` prints."""
    return json.loads(run(*words, "--json", expect=expect).stdout)


# What differs between two runs that came to the same.
_OF_THE_RUN = {"scan_id", "manifest_run", "verified_at", "decided_at", "decision_seq", "atime_ns"}


def rows(estate: Path, table: str, *without: str) -> list[tuple[Any, ...]]:
    """A table's rows in a fixed order, without what belongs to the run and not to the result."""
    with Query(Estate(estate)) as query:
        found = query.table(table).to_pyarrow().to_pylist()
    dropped = _OF_THE_RUN | set(without)
    kept = [tuple(value for name, value in row.items() if name not in dropped) for row in found]
    return sorted(kept, key=repr)


def make_tree(root: Path) -> Path:
    """A small share with twins, large files, links, old files, odd names."""
    for number in range(6):
        folder = root / f"folder {number}" / "deep" / "er"
        folder.mkdir(parents=True)
        for file in range(4):
            (folder / f"report {file}.txt").write_text(f"content {file % 3} of {number % 2}\n" * 9)
        (folder.parent / "Thumbs.db").write_bytes(b"thumbs")
    big = os.urandom(1) * 150_000
    (root / "big.bin").write_bytes(big)
    (root / "folder 1" / "big copy.bin").write_bytes(big)
    (root / "folder 2" / "not the same.bin").write_bytes(big[:80_000] + b"x" + big[80_001:])
    (root / "empty folder").mkdir()
    (root / "empty.txt").touch()
    (root / "also empty.txt").touch()
    os.link(root / "big.bin", root / "hard link.bin")
    (root / "a link").symlink_to("big.bin")
    (root / "Café.txt").write_text("accent")
    if os.name == "posix" and sys.platform != "darwin":
        (root / os.fsdecode(b"caf\xe9 latin1.txt")).write_text("bytes")
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, ns=(1_200_000_000_000_000_000, 1_200_000_000_123_456_700))
    return root


def refuse_to_open(patch: pytest.MonkeyPatch, word: str, error: OSError) -> None:
    """Files of a local share with a word in their names cannot be read (tests may run as root, whom
    no mode stops)."""
    opened, opened_in = LocalSource.open, open_in

    def refusing(source: LocalSource, path: bytes) -> Any:
        if word.encode() in path:
            raise error
        return opened(source, path)

    def refusing_in(folder: int, name: str) -> int:
        if word in name:
            raise error
        return opened_in(folder, name)

    patch.setattr(LocalSource, "open", refusing)
    patch.setattr("migrate.sources.ahead.open_in", refusing_in)


def refuse_to_list(patch: pytest.MonkeyPatch, folder: bytes) -> None:
    """A folder of a local share cannot be listed."""
    enter = LocalSource._enter

    def refusing(source: LocalSource, path: bytes) -> int:
        if path == folder:
            raise PermissionError(13, "no")
        return enter(source, path)

    patch.setattr(LocalSource, "_enter", refusing)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "share")


def _smbd() -> str:
    return needs(
        smb_server.smbd(),
        "Samba (Debian, Ubuntu: apt-get install samba samba-vfs-modules smbclient)",
    )


@pytest.fixture(scope="session")
def samba() -> Iterator[smb_server.Samba]:
    """A plain server of the writable share `data`, the same for all tests of this process: work
    in `samba_folder`, and leave it running."""
    _smbd()
    with smb_server.served_folder() as folder, smb_server.Samba({"data": folder}) as server:
        yield server


@pytest.fixture
def samba_folder(samba: smb_server.Samba) -> Path:
    """An empty folder in the share `data`: `samba.url("data", samba_folder.name)`."""
    folder = Path(tempfile.mkdtemp(dir=samba.shares["data"]))
    folder.chmod(0o755)
    return smb_server.give_to_server(folder)


@pytest.fixture
def make_samba() -> Iterator[Callable[..., smb_server.Samba]]:
    """Starts a server of its own: `make_samba(encrypt="required")` over an empty folder as share
    `data`, or `make_samba({"a": folder}, …)`. Its log is shown where the test fails."""
    _smbd()
    with ExitStack() as stack:

        def make(shares: dict[str, Path] | None = None, **options: Any) -> smb_server.Samba:
            shares = shares or {"data": stack.enter_context(smb_server.served_folder())}
            server = smb_server.Samba(shares, **options)
            stack.callback(server.close)
            stack.callback(lambda: print(f"smbd of {server.port}:\n{server.log}"))
            for name in server.modules:
                needs(smb_server.module(name), f"Samba's module {name} (samba-vfs-modules)")
            return server.start()

        yield make
