"""A real Samba server for tests, a tree that is hard to serve, a proxy that spoils the line.

    with served_folder() as folder, Samba({"data": folder}) as server:
        with Proxy(server, delay_ms=2) as proxy:
            run("init", estate, "--share", f"data={proxy.url('data')}", **server.env)

The server needs no root. Started by root it serves as `nobody`: root may read everything, and
tests of permissions would pass by mistake. What it serves must lie where that user gets to, which
pytest's own temporary folders do not: take `served_folder`.

As a program (`python tests/samba.py HOST PORT DELAY_MS`) this file is the proxy's own process, so
that the proxy takes no time from the Python under test.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

if sys.platform != "win32":
    import pwd

HOST = "127.0.0.1"
START_S = 20.0  # at most, on a busy machine; 0.3 s is usual
PORTS = range(20_000, 32_000)  # below those that the kernel gives to outgoing connections


# ------------------------------------------------------------------------------- what is installed


def smbd() -> str | None:
    """Samba's server, where it is installed. (What macOS calls smbd is another program.)"""
    if sys.platform != "linux":
        return None
    return shutil.which("smbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def module(name: str) -> str | None:
    """A Samba module (`vfs objects = NAME`), where it is installed."""
    return next((str(path) for path in Path("/usr").glob(f"lib*/**/samba/vfs/{name}.so")), None)


# ----------------------------------------------------------------------------- what can be served


def serving_user() -> Any:
    """Whom the server runs as, out of the password database: ourselves, but never root."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def give_to_server(folder: Path) -> Path:
    """The folder and all in it, owned by the user the server runs as from now on."""
    user = serving_user()
    if os.getuid() == 0:
        os.chown(folder, user.pw_uid, user.pw_gid)
        for parent, folders, files in os.walk(folder):
            for name in folders + files:
                os.lchown(os.path.join(parent, name), user.pw_uid, user.pw_gid)
    return folder


@contextlib.contextmanager
def served_folder() -> Iterator[Path]:
    """An empty temporary folder that the server reaches and may write to."""
    with tempfile.TemporaryDirectory(prefix="migrate-share-") as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "share"
        folder.mkdir()
        yield give_to_server(folder)


# ---------------------------------------------------------------------- a tree that is hard to serve

_UNICODE = ["Café.txt", "Cafe\u0301.txt", "Отчёт за год.txt", "Ελληνικά.txt", "報告書.txt", "📁 plans 🚀.txt",
            "👩‍👩‍👧‍👦.txt", "\u202etxt.exe", "\ufefffeff.txt", "\uf020private use.txt", "ß ẞ ı İ ſ.txt"]  # fmt: skip
_CASE = ["Case.txt", "case.txt", "case.TXT", "CASE"]
_LONG = ["a" * 251 + ".txt", "Я" * 125 + ".txt", "😀" * 62 + ".txt"]  # 255, 254, 252 bytes for ext4
_MANGLED = ["con", "aux.txt", "a:b", "star*?.txt", 'quotes"<>|', "trailing dot.", "trailing space ",
            "back\\slash", "new\nline", "control\x01", "..."]  # fmt: skip
_MTIMES = {  # seconds since 1970 and 100 ns units
    "1601.txt": (-11_644_473_599, 0),
    "1700.txt": (-8_520_336_000, 1_234_567),
    "1905.txt": (-2_051_222_400, 7),
    "1969.txt": (-1, 9_999_999),
    "1970.txt": (0, 0),
    "2001 fraction.txt": (1_000_000_000, 1_234_567),
    "2100.txt": (4_102_444_800, 1),
    "2400.txt": (13_569_465_600, 9_999_999),
}


def hostile_tree(root: Path) -> dict[str, Any]:
    """Fill the folder `root`: 3,136 entries, 12 MB. Paths are relative to it, with `/`.

    Out: `names` (shown as they are), `case` (pairs that differ in case only), `mangled` (shown
    under 8.3 aliases), `deep` (a path of 3,000 characters), `sizes` (bytes by path), `mtimes` (ns
    by path, as the file system could keep them), `hidden`, `many` (a folder of 3,000 files),
    `hard_links`, `links` (by kind), `unreadable` (a file, a folder), `fifo`, `unopenable` (listed
    with a lone surrogate, refused when opened), `not_served` (Samba does not list them).
    """
    told: dict[str, Any] = {"hidden": ["hidden/.dot.txt", "hidden/.dot folder"], "fifo": "a fifo"}
    told["names"] = [f"names/{name}" for name in _UNICODE + _LONG]
    told["case"] = [f"names/{name}" for name in _CASE]
    told["mangled"] = [f"mangled/{name}" for name in [*_MANGLED, "folder."]]
    told["not_served"] = [f"not served/{os.fsdecode(b'caf' + bytes([0xE9]))}"]
    told["unopenable"] = f"unopenable/{os.fsdecode(b'lone' + bytes([0xED, 0xA0, 0x80]))}"
    told["deep"] = "/".join(
        ["deep", *[f"{level:02} " + "d" * 47 for level in range(59)], "end.txt"]
    )
    small = [*told["names"], *told["case"], *told["mangled"][:-1], *told["not_served"],
             told["unopenable"], told["deep"], "hidden/.dot.txt", "hidden/.dot folder/in it.txt",
             "mangled/folder./in it.txt", "shut/in it.txt", "closed.txt"]  # fmt: skip
    for path in small:
        _write(root / path, path.encode("utf-8", "surrogateescape"))
    told["many"] = "many"
    for number in range(3000):
        _write(root / "many" / f"{number:04} minutes of a meeting.txt", b"%d\n" % number)
    told["sizes"] = {
        f"sizes/{size}.bin": size
        for size in (0, 1, 65_535, 65_536, 65_537, 2**20 - 1, 2**20, 2**20 + 1, 2**23 + 1)
    }
    for path, size in told["sizes"].items():
        _write(root / path, random.Random(size).randbytes(size))
    _write_links(root, told)
    os.mkfifo(root / "a fifo")
    told["mtimes"] = _write_mtimes(root)
    told["unreadable"] = ["closed.txt", "shut"]
    give_to_server(root)
    for path in told["unreadable"]:
        (root / path).chmod(0)
    return told


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _write_links(root: Path, told: dict[str, Any]) -> None:
    folder = root / "links"
    _write(folder / "real" / "file.txt", b"linked to")
    told["hard_links"] = ["links/real/file.txt", "links/hard.txt"]
    os.link(folder / "real" / "file.txt", folder / "hard.txt")
    targets = {
        "to file": "real/file.txt", "to folder": "real", "to ancestor": "..", "to itself": "to itself",
        "out of share": "/etc/passwd", "dangling": "nowhere",
    }  # fmt: skip
    for name, target in targets.items():
        (folder / name).symlink_to(target)
    told["links"] = {name: f"links/{name}" for name in targets}
    told["not_served"] += [f"links/{name}" for name in ("to itself", "out of share", "dangling")]


def _write_mtimes(root: Path) -> dict[str, int]:
    """The files, with what the file system kept: ext4 has 1901 to 2446, tmpfs all of them."""
    kept = {}
    for name, (seconds, units) in _MTIMES.items():
        path = root / "mtimes" / name
        _write(path, name.encode())
        ns = seconds * 10**9 + units * 100
        os.utime(path, ns=(ns, ns))
        kept[f"mtimes/{name}"] = path.stat().st_mtime_ns
    return kept


# ------------------------------------------------------------------------------------- the server


class Samba:
    """smbd on a port of this machine, with everything it keeps in a folder of its own."""

    def __init__(
        self,
        shares: Mapping[str, Path],
        *,
        signing: str = "mandatory",
        encrypt: str = "off",
        min_protocol: str = "SMB2_02",
        max_protocol: str = "SMB3_11",
        global_lines: tuple[str, ...] = (),
        share_lines: tuple[str, ...] | Mapping[str, tuple[str, ...]] = (),
        user: str = "tester",
        password: str = "Pass word:%@/é",
    ) -> None:
        """A server of the folders in `shares` (by share name), not yet started.

        `signing` is mandatory, auto or disabled; `encrypt` is required, desired, if_required or
        off; protocols are SMB2_02, SMB2_10, SMB3_00, SMB3_02, SMB3_11. Further lines go into
        smb.conf as they are: `global_lines` for the server, `share_lines` for every share, or by
        share name.
        """
        self.host, self.port = HOST, _free_port()
        self.user, self.password = user, password
        self.shares = dict(shares)
        self._home = Path(tempfile.mkdtemp(prefix="migrate-smbd-"))
        self.log_file = self._home / "log"
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)
        account = serving_user()
        self._as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            self._as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._configure(
            {
                "server signing": signing,
                "server smb encrypt": encrypt,
                "server min protocol": min_protocol,
                "server max protocol": max_protocol,
            },
            global_lines,
            share_lines if isinstance(share_lines, Mapping) else dict.fromkeys(shares, share_lines),
        )
        (self._home / "users.map").write_text(f"{account.pw_name} = {user}\n")
        self._home.chmod(0o755)
        give_to_server(self._home)
        subprocess.run(
            ["pdbedit", "-s", str(self._home / "smb.conf"), "-t", "-a", "-u", account.pw_name],
            input=f"{password}\n" * 2, capture_output=True, text=True, check=True, cwd="/",
            **self._as_user,
        )  # fmt: skip

    def _configure(
        self,
        settings: dict[str, str],
        global_lines: tuple[str, ...],
        share_lines: Mapping[str, tuple[str, ...]],
    ) -> None:
        home = self._home
        settings |= {
            "server role": "standalone server",
            "netbios name": "FILES",
            "workgroup": "TESTS",
            "interfaces": HOST,
            "bind interfaces only": "yes",
            "smb ports": str(self.port),
            "disable netbios": "yes",
            "load printers": "no",
            "disable spoolss": "yes",
            "usershare path": "",
            "log file": str(self.log_file),
            "max log size": "0",
            "log level": "1",
            "username map": f"{home}/users.map",
            "private dir": f"{home}",
            "ncalrpc dir": f"{home}/ncalrpc",
            **{f"{kind} directory": f"{home}" for kind in ("state", "cache", "lock", "pid")},
        }
        lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
        lines += global_lines
        for share, folder in self.shares.items():
            lines += [f"[{share}]", f"path = {folder}", "read only = no"]
            lines += share_lines.get(share, ())
        (home / "smb.conf").write_text("\n".join([*lines, ""]))

    # What a test needs to know.

    def url(self, share: str, folder: str = "") -> str:
        """The address of a share, or of a folder in it (`a/b`)."""
        return _url(self.port, share, folder)

    @property
    def env(self) -> dict[str, str]:
        """The environment that `migrate` takes the credentials from."""
        return {"MIGRATE_SMB_USER": self.user, "MIGRATE_SMB_PASSWORD": self.password}

    @property
    def log(self) -> str:
        """The end of what the server logged; what failure messages show."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(errors="replace")[-4000:]

    @property
    def modules(self) -> set[str]:
        """The Samba modules that the configuration names."""
        lines = (self._home / "smb.conf").read_text().splitlines()
        named = [line.partition("=")[2].split() for line in lines if line.startswith("vfs objects")]
        return {name for names in named for name in names}

    @property
    def processes(self) -> list[int]:
        """The process ids of the running server: itself, its helpers, one for each connection."""
        return _living(set(self._groups(self._process))) if self._process else []

    # Life and death.

    def start(self) -> Samba:
        """Start it and wait until it takes connections. AssertionError with its log if not."""
        assert self._process is None, "already started"
        for folder in self.shares.values():
            reached = subprocess.run(["test", "-x", str(folder)], check=False, **self._as_user)
            assert reached.returncode == 0, f"{serving_user().pw_name} does not reach {folder}"
        with self.log_file.open("ab") as log:
            # smbd ends when its standard input does: also if this process is killed.
            self._process = subprocess.Popen(
                [smbd() or "smbd", "-s", str(self._home / "smb.conf"), "-l", str(self._home),
                 "-F", "--no-process-group"],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/",
                start_new_session=True, **self._as_user,
            )  # fmt: skip
        until = time.monotonic() + START_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > until:
                log_end = self.log
                self.kill()
                raise AssertionError(f"smbd did not start:\n{log_end}")
            time.sleep(0.01)
        return self

    def answers(self) -> bool:
        """Whether connections to the port are taken."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
            return True
        return False

    def stop(self) -> None:
        """End it as an administrator would: SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to it and to everything it started."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it where it runs, and start it again on the same port."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: on from where `pause` stopped it."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove what it kept. The shared folders stay."""
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)
        atexit.unregister(self.close)

    def __enter__(self) -> Samba:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if how is signal.SIGTERM:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        groups = set(self._groups(process))
        for group in groups:  # also those that outlived a SIGTERM
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        process.communicate()
        until = time.monotonic() + 5
        while _living(groups) and time.monotonic() < until:
            time.sleep(0.005)

    def _signal(self, how: signal.Signals) -> None:
        assert self._process, "not started"
        for group in self._groups(self._process):
            os.killpg(group, how)

    def _groups(self, process: subprocess.Popen[bytes]) -> Iterator[int]:
        """The process groups: smbd's, and that of the RPC helper it starts when asked for names
        of SIDs or shares."""
        yield process.pid
        with contextlib.suppress(OSError, ValueError):
            pid = int((self._home / "samba-dcerpcd.pid").read_text())
            if os.fsencode(self._home) in Path(f"/proc/{pid}/cmdline").read_bytes():
                yield os.getpgid(pid)


def _living(groups: set[int]) -> list[int]:
    """The processes of these groups that are not dead."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = entry.read_text().rpartition(")")[2].split()[:3]
            if int(group) in groups and state not in "ZX":
                found.append(int(entry.parent.name))
    return found


def _url(port: int, share: str, folder: str) -> str:
    return "/".join([f"smb://{HOST}:{port}", quote(share), *([quote(folder)] if folder else [])])


def _free_port() -> int:
    """A port nobody uses. Not the kernel's choice: that may go to a client while smbd is down."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as trial:
            trial.bind((HOST, port))
            return port


# -------------------------------------------------------------------------------------- the proxy


class Proxy:
    """A line to the server that is long, or breaks, or goes dead; in a process of its own."""

    def __init__(self, server: Samba, *, delay_ms: float = 0) -> None:
        """`delay_ms` is added to every round trip, half each way; it costs no throughput."""
        self.host, self.server, self.env = HOST, server, server.env
        self._process = subprocess.Popen(
            [sys.executable, __file__, server.host, str(server.port), str(delay_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        atexit.register(self.close)
        self.port: int = self._answer()["port"]

    def url(self, share: str, folder: str = "") -> str:
        """As the server's, through this proxy."""
        return _url(self.port, share, folder)

    @property
    def counts(self) -> dict[str, int]:
        """Connections `made`, `cut` and `open`, and the `bytes` forwarded, both ways together."""
        return self._ask("counts")

    def cut_after_bytes(self, size_bytes: int, times: int | None = None) -> None:
        """Cut every connection, new or open, once it has forwarded that many bytes, both ways
        together, from now on: in the middle of a frame if it comes so. Not more than `times`."""
        self._ask("cut_after", [size_bytes], times)

    def cut_at_random(self, seed: int, mean_bytes: int, times: int | None = None) -> None:
        """The same after a random number of bytes, half of the times with a reset (RST)."""
        self._ask("cut_at_random", seed, mean_bytes, times)

    def cut_now(self) -> None:
        """Cut all open connections. New ones are served."""
        self._ask("cut_now")

    def heal(self) -> None:
        """No more cuts."""
        self._ask("cut_after", [], 0)

    def stall(self) -> None:
        """Forward nothing from now on, in either direction, and close nothing."""
        self._ask("stall")

    def unstall(self) -> None:
        """Forward again; what was held back comes first."""
        self._ask("unstall")

    def close(self) -> None:
        """End it, and with it all connections."""
        self._process.kill()
        self._process.communicate()
        atexit.unregister(self.close)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _ask(self, name: str, *arguments: object) -> dict[str, int]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the proxy ended"
        return json.loads(line)


class _Lines:
    """In the proxy's process: all its lines, and what is to happen to them."""

    def __init__(self, server: tuple[str, int], delay_s: float) -> None:
        self.server, self.delay_s = server, delay_s
        self.flowing = threading.Event()
        self.flowing.set()
        self.lock = threading.Lock()
        self.open: set[_Line] = set()
        self.made = self.cut = self.bytes = 0
        self.next_limit = lambda: None
        self.cuts_left: int | None = None

    def accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            try:
                server = socket.create_connection(self.server)
            except OSError:
                client.close()
                continue
            with self.lock:
                self.made += 1
                self.open.add(line := _Line(self, client, server))
                line.limit = self.next_limit()
            line.start()

    def counts(self) -> None:
        pass  # every answer has them

    def stall(self) -> None:
        self.flowing.clear()

    def unstall(self) -> None:
        self.flowing.set()

    def cut_now(self) -> None:
        for line in list(self.open):
            line.cut(reset=False)

    def cut_after(self, sizes: list[int], times: int | None) -> None:
        self._limit(lambda: (sizes[0], False) if sizes else None, times)

    def cut_at_random(self, seed: int, mean_bytes: int, times: int | None) -> None:
        chance = random.Random(seed)
        self._limit(
            lambda: (1 + int(chance.expovariate(1 / mean_bytes)), chance.random() < 0.5), times
        )

    def _limit(self, next_limit, times: int | None) -> None:
        with self.lock:
            self.next_limit, self.cuts_left = next_limit, times
            for line in self.open:
                line.limit = next_limit()


class _Line:
    """One connection through the proxy: two directions, each with a queue of (due, bytes)."""

    def __init__(self, lines: _Lines, client: socket.socket, server: socket.socket) -> None:
        self.lines, self.ends = lines, (client, server)
        self.limit: tuple[int, bool] | None = None  # bytes until it is cut; whether by a reset
        self.ended = 0  # directions

    def start(self) -> None:
        for end in self.ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in (self.ends, self.ends[::-1]):
            held: queue.Queue[tuple[float, bytes]] = queue.Queue(256)
            threading.Thread(target=self.take, args=(source, held), daemon=True).start()
            threading.Thread(target=self.give, args=(held, sink), daemon=True).start()

    def take(self, source: socket.socket, held: queue.Queue[tuple[float, bytes]]) -> None:
        data = b"-"
        while data:
            try:
                data = source.recv(1 << 18)
            except OSError:
                data = b""
            held.put((time.monotonic() + self.lines.delay_s, data))

    def give(self, held: queue.Queue[tuple[float, bytes]], sink: socket.socket) -> None:
        data = b"-"
        while data:
            due, data = held.get()
            time.sleep(max(0, due - time.monotonic()))
            self.lines.flowing.wait()
            data, last, reset = self.spend(data)
            try:
                sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)
            except OSError:
                self.cut(reset=False, counted=False)
            if last:
                self.cut(reset=reset)
        self.ended += 1
        if self.ended == 2:
            self.cut(reset=False, counted=False)

    def spend(self, data: bytes) -> tuple[bytes, bool, bool]:
        """What of the data still goes through, whether the line is then cut, and by a reset."""
        with self.lines.lock:
            last = reset = False
            if self.limit and data and self.lines.cuts_left != 0:
                size, reset = self.limit
                last = len(data) >= size
                data = data[:size]
                self.limit = (size - len(data), reset)
            if last and self.lines.cuts_left is not None:
                self.lines.cuts_left -= 1
            self.lines.bytes += len(data)
            return data, last, reset

    def cut(self, *, reset: bool, counted: bool = True) -> None:
        with self.lines.lock:
            if self not in self.lines.open:
                return
            self.lines.open.remove(self)
            self.lines.cut += counted
        for end in self.ends:
            with contextlib.suppress(OSError):
                if reset:  # then closing sends no FIN
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)  # wakes recv
            end.close()


def _proxy(host: str, port: str, delay_ms: str) -> None:
    lines = _Lines((host, int(port)), float(delay_ms) / 2000)
    listener = socket.create_server((HOST, 0), backlog=128)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    threading.Thread(target=lines.accept, args=(listener,), daemon=True).start()
    for request in sys.stdin:  # ends when the test's process does
        name, *arguments = json.loads(request)
        getattr(lines, name)(*arguments)
        print(json.dumps({"made": lines.made, "cut": lines.cut, "open": len(lines.open),
                          "bytes": lines.bytes}), flush=True)  # fmt: skip


if __name__ == "__main__":
    _proxy(*sys.argv[1:])
