"""The Samba fixture itself: that the server, the proxy and the tree do what other tests rely on.
The clients are not ours: smbclient (Samba's) and smbprotocol."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import smbclient
from conftest import needs
from samba import Proxy, Samba, give_to_server, hostile_tree, serving_user
from smbclient._io import SMBDirectoryIO
from smbprotocol.connection import SMB2Echo
from smbprotocol.exceptions import SMBException, SMBOSError
from smbprotocol.file_info import FileInformationClass
from smbprotocol.open import Open, SMB2SetInfoRequest
from smbprotocol.security_descriptor import (
    AccessAllowedAce,
    AccessDeniedAce,
    AclPacket,
    SDControl,
    SIDPacket,
    SMB2CreateSDBuffer,
)

HIDDEN, SYSTEM, FOLDER, REPARSE, OFFLINE = 0x2, 0x4, 0x10, 0x400, 0x1000
DENIED = 0xC0000022


class Client:
    """smbprotocol's client over a connection of its own to a server, or to a proxy before it."""

    def __init__(self, line: Samba | Proxy, server: Samba) -> None:
        self.options = {
            "port": line.port, "username": server.user, "password": server.password,
            "connection_cache": {}, "connection_timeout": 5,
        }  # fmt: skip
        self.session = smbclient.register_session(line.host, **self.options)

    def path(self, name: str, share: str = "data") -> str:
        return rf"\\127.0.0.1\{share}" + (f"\\{name}" if name else "").replace("/", "\\")

    def read(self, name: str) -> bytes:
        with smbclient.open_file(self.path(name), mode="rb", **self.options) as file:
            return file.read()

    def write(self, name: str, content: bytes) -> None:
        with smbclient.open_file(self.path(name), mode="wb", **self.options) as file:
            file.write(content)

    def attributes(self, folder: str = "", share: str = "data") -> dict[str, int]:
        """Names and attributes in a folder, lone surrogates too: smbclient.scandir refuses them."""
        found = {}
        kind = FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION
        path = self.path(folder, share)
        with SMBDirectoryIO(path, share_access="rwd", **self.options) as opened:
            for entry in opened.query_directory("*", kind):
                name = entry["file_name"].get_value().decode("utf-16-le", "surrogatepass")
                found[name] = entry["file_attributes"].get_value()
        return {name: value for name, value in found.items() if name not in (".", "..")}


def cli(server: Samba, commands: str) -> str:
    """What Samba's own smbclient prints."""
    program = needs(shutil.which("smbclient"), "smbclient (apt-get install smbclient)")
    done = subprocess.run(
        [program, "-p", str(server.port), "//127.0.0.1/data", "-U", server.user, "-c", commands],
        capture_output=True, text=True, check=False, env={**os.environ, "PASSWD": server.password},
    )  # fmt: skip
    return done.stdout + done.stderr


def keep_xattrs(folder: Path) -> None:
    """Skip where the file system has no user attributes, in which Samba keeps what is not POSIX."""
    try:
        os.setxattr(folder, "user.trial", b"1")
    except OSError:
        needs(None, "A temporary folder with extended attributes (set TMPDIR to one on ext4)")
    os.removexattr(folder, "user.trial")


# ----------------------------------------------------------------------------------- the plain server


def test_it_serves_what_is_on_disk(samba, samba_folder):
    (samba_folder / "a.txt").write_text("on disk")
    client = Client(samba, samba)
    assert client.read(f"{samba_folder.name}/a.txt") == b"on disk"
    client.write(f"{samba_folder.name}/b.txt", b"from a client")
    assert (samba_folder / "b.txt").read_text() == "from a client"
    assert client.session.signing_required and not client.session.encrypt_data
    assert "a.txt" in cli(samba, f"ls {samba_folder.name}/*")
    assert samba.url("data", "a b/ü") == f"smb://127.0.0.1:{samba.port}/data/a%20b/%C3%BC"
    assert samba.env["MIGRATE_SMB_USER"] == samba.user


def test_it_does_not_serve_as_root(samba, samba_folder):
    assert serving_user().pw_uid != 0
    (samba_folder / "closed.txt").write_text("x")
    (samba_folder / "closed.txt").chmod(0)
    (samba_folder / "shut").mkdir(mode=0)
    give_to_server(samba_folder)
    client = Client(samba, samba)
    with pytest.raises(SMBOSError) as refused:
        client.read(f"{samba_folder.name}/closed.txt")
    assert refused.value.ntstatus == DENIED
    with pytest.raises(SMBOSError) as refused:
        client.attributes(f"{samba_folder.name}/shut")
    assert refused.value.ntstatus == DENIED


def test_a_wrong_password_is_refused(samba):
    with pytest.raises(SMBException):
        smbclient.register_session(
            samba.host, port=samba.port, username=samba.user, password="no", connection_cache={}
        )


@pytest.mark.parametrize(
    ("version", "dialect"),
    [("SMB2_02", 0x202), ("SMB2_10", 0x210), ("SMB3_00", 0x300), ("SMB3_11", 0x311)],
)
def test_dialects(make_samba, version, dialect):
    server = make_samba(min_protocol=version, max_protocol=version)
    client = Client(server, server)
    client.write("a.txt", b"x")
    assert client.session.connection.dialect == dialect
    assert client.read("a.txt") == b"x"


def test_encryption_is_required(make_samba):
    server = make_samba(encrypt="required", min_protocol="SMB3_00")
    assert Client(server, server).session.encrypt_data


# ------------------------------------------------------------------------------------- life and death


def test_kill_and_restart_on_the_same_port(make_samba):
    server = make_samba()
    client = Client(server, server)
    client.write("a.txt", b"x")
    before, port = server.processes, server.port
    assert len(before) >= 2  # it, and one for the connection
    server.kill()
    assert not server.answers()
    assert not [pid for pid in before if is_alive(pid)]
    with pytest.raises((SMBException, OSError, ValueError)):  # ValueError: smbprotocol's "refused"
        client.read("a.txt")
    server.start()
    assert server.port == port
    assert Client(server, server).read("a.txt") == b"x"
    server.restart()
    assert Client(server, server).read("a.txt") == b"x"
    server.stop()
    assert not server.answers()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_pause_stops_answers_and_resume_continues(make_samba):
    server = make_samba()
    client = Client(server, server)
    server.pause()
    session = client.session
    with pytest.raises(SMBException):  # after the time-out
        request = session.connection.send(SMB2Echo(), sid=session.session_id)
        session.connection.receive(request, timeout=0.3)
    server.resume()
    client.write("a.txt", b"x")
    assert client.read("a.txt") == b"x"


def test_the_server_ends_with_the_process_that_started_it(samba):
    """kill -9 of a test process leaves no server."""
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from samba import Samba, served_folder\n"
        "with served_folder() as folder:\n"
        "    server = Samba({'data': folder}).start()\n"
        "    print(*server.processes, flush=True)\n"
        "    print(server.log_file.parent, folder.parent, flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    processes = [int(pid) for pid in child.stdout.readline().split()]
    folders = child.stdout.readline().split()
    assert processes
    child.send_signal(signal.SIGKILL)
    child.communicate()
    until = time.monotonic() + 10
    while any(map(is_alive, processes)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(is_alive, processes))
    for folder in map(Path, folders):
        while folder.exists():  # what those processes have started may take its leave in writing
            shutil.rmtree(folder, ignore_errors=time.monotonic() < until)


# -------------------------------------------------------------------------- what a Windows server has


def test_streams(make_samba):
    server = make_samba(share_lines=("vfs objects = streams_xattr",))
    keep_xattrs(server.shares["data"])
    client = Client(server, server)
    client.write("a.txt", b"content")
    client.write("a.txt:Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n")
    assert client.attributes().keys() == {"a.txt"}
    assert client.read("a.txt:Zone.Identifier").startswith(b"[ZoneTransfer]")
    assert "stream: [:Zone.Identifier:$DATA], 26 bytes" in cli(server, "allinfo a.txt")


def test_hidden_and_system(make_samba):
    server = make_samba()
    keep_xattrs(server.shares["data"])
    client = Client(server, server)
    client.write("a.txt", b"x")
    (server.shares["data"] / ".dot").touch()
    cli(server, "setmode a.txt +hs")
    found = client.attributes()
    assert found["a.txt"] & (HIDDEN | SYSTEM) == HIDDEN | SYSTEM
    assert found[".dot"] & HIDDEN


def test_offline(make_samba, samba_folder):
    """The module makes a whole share offline, folders too; a second share shows the same files."""
    (samba_folder / "a.txt").write_text("on tape")
    server = make_samba(
        {"data": samba_folder, "tape": samba_folder},
        share_lines={"tape": ("vfs objects = offline",)},
    )
    client = Client(server, server)
    assert client.attributes("", "tape")["a.txt"] & OFFLINE
    assert not client.attributes("", "data")["a.txt"] & OFFLINE


def test_dfs_links(make_samba, samba_folder):
    for name in ("root", "real"):
        (samba_folder / name).mkdir()
    (samba_folder / "real" / "a.txt").write_text("elsewhere")
    (samba_folder / "root" / "link").symlink_to(r"msdfs:127.0.0.1\other")
    server = make_samba(
        {"data": samba_folder / "root", "other": samba_folder / "real"},
        share_lines={"data": ("msdfs root = yes",)},
    )
    client = Client(server, server)
    assert client.attributes()["link"] & (FOLDER | REPARSE) == FOLDER | REPARSE
    assert client.attributes("link").keys() == {"a.txt"}  # smbprotocol follows


def test_deny_entries(make_samba):
    """An NT security descriptor; without root it must be kept in an attribute of the user's own."""
    server = make_samba(
        share_lines=("vfs objects = acl_xattr", "acl_xattr:security_acl_name = user.NTACL")
    )
    keep_xattrs(server.shares["data"])
    client = Client(server, server)
    client.write("a.txt", b"x")
    set_dacl(client, "a.txt", [(AccessDeniedAce, "S-1-5-32-546", 0x10116),
                               (AccessAllowedAce, "S-1-1-0", 0x1F01FF)])  # fmt: skip
    stored = os.getxattr(server.shares["data"] / "a.txt", "user.NTACL")
    assert struct.pack("<BBHI", 1, 0, 0x18, 0x10116) in stored


def set_dacl(client: Client, name: str, entries: list[tuple[type, str, int]]) -> None:
    acl, descriptor = AclPacket(), SMB2CreateSDBuffer()
    aces = []
    for kind, trustee, mask in entries:
        ace, sid = kind(), SIDPacket()
        sid.from_string(trustee)
        ace["mask"], ace["sid"] = mask, sid
        aces.append(ace)
    acl["aces"] = aces
    descriptor["control"].set_flag(SDControl.SELF_RELATIVE)
    descriptor.set_dacl(acl)
    tree = next(iter(client.session.tree_connect_table.values()))
    opened = Open(tree, name)
    opened.create(2, 0x60000, 0, 7, 1, 0)  # READ_CONTROL and WRITE_DAC of what exists
    request = SMB2SetInfoRequest()
    request["info_type"], request["additional_information"] = 3, 4  # security: the DACL
    request["file_id"], request["buffer"] = opened.file_id, descriptor.pack()
    connection = client.session.connection
    connection.receive(connection.send(request, client.session.session_id, tree.tree_connect_id))
    opened.close()


# ------------------------------------------------------------------------------------------ the proxy


def test_delay_is_added_to_a_round_trip_and_does_not_limit_throughput(samba, samba_folder):
    """Of 32 requests sent at once all answers come after one round trip, not after 32."""
    name = f"{samba_folder.name}/big.bin"
    (samba_folder / "big.bin").write_bytes(bytes(1 << 20))
    with Proxy(samba, delay_ms=100) as proxy:
        client = Client(proxy, samba)
        session, connection = client.session, client.session.connection
        connection.echo(session.session_id, credit_request=64)
        start = time.monotonic()
        requests = [connection.send(SMB2Echo(), sid=session.session_id) for _ in range(32)]
        for request in requests:
            connection.receive(request)
        took = time.monotonic() - start
        assert 0.1 <= took < 1.6  # 3.2 s one after the other
        assert client.read(name) == bytes(1 << 20)
        assert proxy.counts["bytes"] > 1 << 20
        assert proxy.counts["made"] == proxy.counts["open"] == 1


def test_cuts(samba, samba_folder):
    (samba_folder / "big.bin").write_bytes(bytes(1 << 20))
    name = f"{samba_folder.name}/big.bin"
    with Proxy(samba) as proxy:
        first = Client(proxy, samba)
        proxy.cut_after_bytes(300_000, times=1)
        with pytest.raises((SMBException, OSError)):
            first.read(name)
        assert proxy.counts["cut"] == 1
        second = Client(proxy, samba)
        assert second.read(name) == bytes(1 << 20)  # no more than once
        proxy.cut_now()
        counts = proxy.counts
        assert (counts["made"], counts["cut"], counts["open"]) == (2, 2, 0)
        assert Client(proxy, samba).read(name) == bytes(1 << 20)  # new connections are served


def test_random_cuts_are_the_same_for_the_same_seed(samba, samba_folder):
    (samba_folder / "big.bin").write_bytes(bytes(1 << 20))
    name = f"{samba_folder.name}/big.bin"

    def bytes_until_cut(seed: int) -> list[int]:
        passed = []
        with Proxy(samba) as proxy:
            proxy.cut_at_random(seed, 400_000)
            for _ in range(4):
                before = proxy.counts["bytes"]
                with pytest.raises((SMBException, OSError)):
                    client = Client(proxy, samba)
                    for _ in range(20):
                        client.read(name)
                passed.append(proxy.counts["bytes"] - before)
            assert proxy.counts["cut"] == 4
        return passed

    assert bytes_until_cut(1) == bytes_until_cut(1) != bytes_until_cut(2)


def test_stall_holds_everything_back(samba, samba_folder):
    (samba_folder / "a.txt").write_text("x")
    with Proxy(samba) as proxy:
        client = Client(proxy, samba)
        session = client.session
        proxy.stall()
        request = session.connection.send(SMB2Echo(), sid=session.session_id)
        with pytest.raises(SMBException):
            session.connection.receive(request, timeout=0.3)
        assert proxy.counts["open"] == 1
        proxy.unstall()
        assert client.read(f"{samba_folder.name}/a.txt") == b"x"


# ------------------------------------------------------------------------------------ the hostile tree


def test_hostile_tree(samba, samba_folder):
    told = hostile_tree(samba_folder)
    client = Client(samba, samba)
    top = samba_folder.name

    def listed(folder: str) -> dict[str, int]:
        return client.attributes(f"{top}/{folder}")

    shown = {f"names/{name}" for name in listed("names")}
    assert shown == {*told["names"], *told["case"]}
    mangled = listed("mangled")
    assert len(mangled) == len(told["mangled"])
    assert not {f"mangled/{name}" for name in mangled} & set(told["mangled"])
    for alias, attributes in mangled.items():
        if not attributes & FOLDER:
            assert client.read(f"{top}/mangled/{alias}").startswith(b"mangled/")
    assert len(listed("many")) == 3000
    assert len(told["deep"]) > 2900
    assert client.read(f"{top}/{told['deep']}").decode() == told["deep"]
    seen = {
        path: smbclient.stat(client.path(f"{top}/{path}"), **client.options)
        for path in [*told["sizes"], *told["mtimes"], *told["hard_links"]]
    }
    for path, size in told["sizes"].items():
        assert seen[path].st_size == size
    for path, mtime_ns in told["mtimes"].items():
        assert seen[path].st_mtime_ns // 1000 == mtime_ns // 1000  # the client drops 100 ns
    assert len({seen[path].st_ino for path in told["hard_links"]}) == 1
    assert listed("hidden")[".dot.txt"] & HIDDEN
    assert not listed("not served")
    assert listed("links").keys() == {"real", "hard.txt", "to file", "to folder", "to ancestor"}
    assert listed("links/to ancestor/links/to ancestor").keys() == listed("").keys()
    assert stat.S_ISFIFO((samba_folder / told["fifo"]).stat().st_mode)
    assert listed("")[told["fifo"]] == 0x80  # a normal file of no bytes
    assert listed("unopenable").keys() == {"lone\ud800"}
    file, folder = told["unreadable"]
    for read, path in ((client.read, file), (client.attributes, folder)):
        with pytest.raises(SMBOSError) as refused:
            read(f"{top}/{path}")
        assert refused.value.ntstatus == DENIED
