"""smbprotocol as far as the connected share: every dialect and protection that Samba speaks, DFS,
and whatever can go wrong on the way, with advice and without a secret in it."""

from __future__ import annotations

import gc
import inspect
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from samba import HOST, Samba, give_to_server

from migrate.config import Server
from migrate.errors import MigrateError, ShareUnreachable
from migrate.place import Place
from migrate.smb import handshake
from migrate.smb.address import Address, parse_address
from migrate.smb.channel import Channel
from migrate.smb.engine import Engine
from migrate.smb.handshake import Link, Unavailable, connect
from migrate.smb.plain import PlainChannel
from migrate.sources import error_code, open_source
from migrate.sources.smb import SmbSource

SECRET = "Pass word:%@/é"  # the fixture's


def config(**settings: object) -> Server:
    return Server(host=HOST, **{"timeout_seconds": 10, "retries": 0, **settings})


def source_over(
    server: Samba, folder: str = "", share: str = "data", **settings: object
) -> SmbSource:
    found = open_source(Place(server.url(share, folder), config(**settings)))
    assert isinstance(found, SmbSource)
    return found


def close(link: Link) -> None:
    PlainChannel(link, 5).close() if link.plain else link.socket.close()


def names_in(source: SmbSource, folder: bytes = b"") -> dict[bytes, str]:
    todo, found = [folder], {}
    for page in source.walk(lambda: todo.pop() if todo else None):
        assert page.error is None
        found |= {child.name: child.kind for child in page.every_child()}
    return found


@pytest.fixture
def env(monkeypatch):
    """The fixture's user and password in the environment."""
    monkeypatch.setenv("MIGRATE_SMB_USER", "tester")
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD", SECRET)


def works(server: Samba, words: str, **settings: object) -> Link:
    """A file is listed and read over such a connection, and the connection is called so."""
    content = os.urandom(200_000)
    path = server.shares["data"] / "a file"
    path.write_bytes(content)
    give_to_server(path.parent)
    source = source_over(server, **settings)
    try:
        assert source.check() == words
        assert names_in(source)[b"a file"] == "file"
        file = source.open(b"a file")
        assert file.read_at(0, 1 << 20) == content
        assert file.stat().size_bytes == 200_000
        file.close()
        return source.engine.link()
    finally:
        source.close()


# What we rest on


def test_the_private_parts_of_smbprotocol_are_there(samba, env):
    """The parts that handshake.py names: one that a new version has moved is found here first."""
    from smbprotocol.connection import Connection
    from smbprotocol.transport import Tcp

    assert list(inspect.signature(Tcp.recv).parameters) == ["self", "timeout"]
    assert "timeout" in inspect.signature(Connection.receive).parameters
    assert "self.transport.recv(" in inspect.getsource(Connection._process_message_thread)
    address = parse_address(samba.url("data"))
    connection = Connection(b"0" * 16, address.host, address.port)
    connection.connect(timeout=10)
    try:
        assert isinstance(connection.transport._sock, socket.socket)
        assert connection._t_worker.is_alive()
        assert set(connection.sequence_window) == {"low", "high"}
        for name in ("dialect", "max_read_size", "supports_multi_credit", "cipher_id",
                     "signing_algorithm_id", "server_capabilities"):  # fmt: skip
            assert hasattr(connection, name)
    finally:
        connection.disconnect()


def test_the_reading_thread_is_retired(samba, env):
    """After the handshake the socket is ours alone: no thread of smbprotocol reads from it."""
    before = threading.active_count()
    link = connect(parse_address(samba.url("data")), config())
    try:
        assert threading.active_count() == before
        assert link.plain is None
        assert link.credits > 100
        assert link.most_bytes >= 1 << 20
    finally:
        close(link)


# Dialects and protection


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ("SMB2_02", "SMB 2.0.2, signed (HMAC-SHA256), slow: one request at a time, because the server allows no large requests"),
        ("SMB2_10", "SMB 2.1, signed (HMAC-SHA256)"),
        ("SMB3_00", "SMB 3.0, signed (AES-CMAC)"),
        ("SMB3_02", "SMB 3.0.2, signed (AES-CMAC)"),
        ("SMB3_11", "SMB 3.1.1, signed (AES-GMAC)"),
    ],
)  # fmt: skip
def test_dialects(make_samba, env, protocol, words):
    """Every dialect of SMB2 and 3 is spoken; the oldest takes one request at a time, and says so."""
    works(make_samba(max_protocol=protocol), words)


@pytest.mark.parametrize(
    ("algorithms", "name"),
    [("AES-128-GMAC", "AES-GMAC"), ("AES-128-CMAC", "AES-CMAC"), ("HMAC-SHA256", "HMAC-SHA256")],
)
def test_signing_algorithms(make_samba, env, algorithms, name):
    """All that 3.1.1 knows ([MS-SMB2] 2.2.3.1.7)."""
    server = make_samba(global_lines=(f"server smb3 signing algorithms = {algorithms}",))
    works(server, f"SMB 3.1.1, signed ({name})")


@pytest.mark.parametrize("cipher", ["AES-128-GCM", "AES-128-CCM", "AES-256-GCM", "AES-256-CCM"])
def test_ciphers(make_samba, env, cipher):
    """A server that demands encryption gets it, with each of its ciphers (2.2.3.1.2)."""
    server = make_samba(
        encrypt="required", global_lines=(f"server smb3 encryption algorithms = {cipher}",)
    )
    works(server, f"SMB 3.1.1, encrypted ({cipher})")


@pytest.mark.parametrize("protocol", ["SMB3_00", "SMB3_02"])
def test_encryption_before_ciphers_were_chosen(make_samba, env, protocol):
    """3.0 has one cipher, and nothing says which."""
    words = "SMB 3.0" + (".2" if protocol == "SMB3_02" else "")
    works(
        make_samba(max_protocol=protocol, encrypt="required"), f"{words}, encrypted (AES-128-CCM)"
    )


def test_encryption_on_our_wish(make_samba, env):
    """With `encrypt` in estate.yaml a server that only allows it encrypts too."""
    works(make_samba(encrypt="if_required"), "SMB 3.1.1, encrypted (AES-128-GCM)", encrypt=True)


def test_a_server_that_cannot_encrypt_is_refused_where_it_must(make_samba, env):
    """With `encrypt` in estate.yaml nothing goes over the line in the clear."""
    server = make_samba(max_protocol="SMB2_10")
    with pytest.raises(ShareUnreachable) as caught:
        source_over(server, encrypt=True).check()
    assert "ncrypt" in caught.value.what
    assert SECRET not in caught.value.what + caught.value.todo


@pytest.mark.parametrize("encrypt", ["off", "required"])
def test_plain(make_samba, env, encrypt):
    """`plain` in estate.yaml: smbprotocol alone, one request at a time; everything works."""
    how = "encrypted (AES-128-GCM)" if encrypt == "required" else "signed (AES-GMAC)"
    words = f"SMB 3.1.1, {how}, slow: one request at a time, because estate.yaml says plain"
    link = works(make_samba(encrypt=encrypt), words, plain=True)
    assert link.plain


def test_ntlm_by_name(samba, env):
    """`auth: ntlm` does not ask for a ticket first."""
    link = connect(parse_address(samba.url("data")), config(auth="ntlm"))
    assert isinstance(Channel(link), Channel)
    close(link)


def test_what_is_not_known_goes_the_slow_way():
    """An algorithm or cipher of a later version is nothing to guess at."""

    class Later:
        supports_multi_credit = True

    assert handshake._why_plain(Later(), config(), 2, 4) == ""
    assert "signing algorithm 9" in handshake._why_plain(Later(), config(), 9, None)
    assert "encryption 9" in handshake._why_plain(Later(), config(), 2, 9)


# What goes wrong


def unreachable(address: Address | str, **settings: object) -> MigrateError:
    """The error of a check; without a secret, with advice, and with no thread left behind."""
    address = address if isinstance(address, str) else address.url
    source = open_source(Place(address, config(**settings)))
    others = set(threading.enumerate())
    with pytest.raises(ShareUnreachable) as caught:
        source.check()
    source.close()
    told = caught.value.what + caught.value.todo
    for secret in (SECRET, "wrong one"):
        assert secret not in told
    assert "MigrateError" not in told
    assert "\n" not in told
    assert caught.value.todo
    assert caught.value.exit_code == 12
    left = set(threading.enumerate()) - others
    assert not [one for one in left if one.name.startswith("msg_worker")]
    return caught.value


def test_a_wrong_password(samba, env, monkeypatch):
    """Says where the password comes from, and not what it was."""
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD", "wrong one")
    error = unreachable(samba.url("data"))
    assert r"\\127.0.0.1\data" in error.what
    assert "User or password are wrong" in error.todo


def test_an_unknown_user(samba, env, monkeypatch):
    """One the server does not know; it does not let guests in."""
    monkeypatch.setenv("MIGRATE_SMB_USER", "nobody-of-this-name")
    assert "User or password are wrong" in unreachable(samba.url("data")).todo


def test_no_credentials_at_all(samba, monkeypatch):
    """Nothing in the environment, no keyring, no ticket: what to set."""
    for name in [name for name in os.environ if name.startswith("MIGRATE_SMB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("keyring.get_password", lambda service, user: None)
    monkeypatch.setenv("KRB5CCNAME", "/nowhere")
    error = unreachable(samba.url("data"))
    assert "MIGRATE_SMB_USER" in error.todo


@pytest.mark.parametrize("folder", ["", "a folder/in it"])
def test_an_unknown_share(samba, env, folder):
    """The name of the share is looked at, not tried ten times."""
    began = time.monotonic()
    error = unreachable(samba.url("no such share", folder), retries=10)
    assert r"\\127.0.0.1\no such share" in error.what
    assert "spelling" in error.todo
    assert time.monotonic() - began < 5


def test_a_folder_that_is_not_there(samba, env):
    """The share is, and the folder in it is not."""
    error = unreachable(samba.url("data", "no such folder"))
    assert r"\\127.0.0.1\data\no such folder" in error.what
    assert "right folder" in error.todo


def test_an_unknown_host(env):
    """A name that nobody has: said at once, not after ten tries."""
    began = time.monotonic()
    error = unreachable("smb://no-such-host.invalid/data", retries=10)
    assert r"\\no-such-host.invalid\data" in error.what
    assert "server's name" in error.todo
    assert time.monotonic() - began < 10


def test_a_refused_port(samba, env):
    """Nobody listens there: said at once, with advice. In the middle of the work it is tried as
    often as estate.yaml says."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port = unused.getsockname()[1]
        error = unreachable(f"smb://{HOST}:{port}/data", retries=10)
        assert f"{HOST}:{port}" in error.what
        assert "Is the server up" in error.todo
        engine = Engine(Address(HOST, "data", "", port), config(retries=1))
        with pytest.raises(ShareUnreachable, match="tried 2 times") as caught:
            engine.link()
    assert "run the same command again" in caught.value.todo


def test_no_access_to_the_share(make_samba, env):
    """The user is who he says, and may not enter."""
    server = make_samba(share_lines=("valid users = somebody-else",))
    error = unreachable(server.url("data"))
    assert "may not enter" in error.todo


def test_no_access_to_the_folder(make_samba, env):
    """He may enter the share, and not the folder that the estate names."""
    server = make_samba()
    (server.shares["data"] / "shut").mkdir(mode=0)
    give_to_server(server.shares["data"])
    error = unreachable(server.url("data", "shut"))
    assert "cannot be listed" in error.what


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b"\0\0\0\x04oops"])
def test_a_port_that_is_something_else(env, said):
    """Another service, or one that hangs up: unreachable, not a traceback."""
    with speaking(lambda client: (client.recv(4096), client.sendall(said))) as port:
        error = unreachable(f"smb://{HOST}:{port}/data", timeout_seconds=1)
    assert "Is the server up" in error.todo


def test_a_server_that_takes_the_connection_and_says_nothing(env):
    """The time-out holds from the first message on."""
    began = time.monotonic()
    with speaking(lambda client: client.recv(4096) and time.sleep(20)) as port:
        unreachable(f"smb://{HOST}:{port}/data", timeout_seconds=1)
    assert time.monotonic() - began < 8


def test_a_server_that_hangs_in_the_handshake(samba, env):
    """... also where it hangs later, when it has told its dialect."""

    def relay(client: socket.socket) -> None:
        with socket.create_connection((samba.host, samba.port)) as server:
            server.sendall(client.recv(65_536))
            client.sendall(server.recv(65_536))
            client.recv(65_536)
            time.sleep(20)

    began = time.monotonic()
    with speaking(relay) as port:
        unreachable(f"smb://{HOST}:{port}/data", timeout_seconds=1)
    assert time.monotonic() - began < 8


class speaking:  # noqa: N801 - a context manager
    """A server that does one thing with each connection; the port it listens on."""

    def __init__(self, speak) -> None:
        self.speak = speak
        self.listener = socket.create_server((HOST, 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return self.listener.getsockname()[1]

    def _serve(self) -> None:
        self.clients = []
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client: socket.socket) -> None:
        try:
            self.speak(client)
        except OSError:
            pass
        finally:
            client.close()

    def __exit__(self, *error: object) -> None:
        self.listener.close()


def test_without_the_package(monkeypatch, env):
    """Where smbprotocol is not installed: which extra brings it."""
    import sys

    monkeypatch.setitem(sys.modules, "smbprotocol.connection", None)
    with pytest.raises(ShareUnreachable) as caught:
        connect(Address("fs1", "x"), config())
    assert "migrate[smb]" in caught.value.todo


@pytest.mark.parametrize("plain", [False, True])
def test_a_wrong_beginning_is_not_tried_again(samba, env, monkeypatch, plain):
    """Ten tries with a wrong password would lock the account."""
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD", "wrong one")
    tries = []
    real = handshake._session
    monkeypatch.setattr(handshake, "_session", lambda *a: tries.append(1) or real(*a))
    engine = Engine(parse_address(samba.url("data")), config(retries=10, plain=plain))
    with pytest.raises(ShareUnreachable):
        engine.link()
    assert len(tries) == 1


def test_nothing_is_left_open(samba, env, monkeypatch):
    """Connections that lead nowhere are closed: a crawl may try thousands of times."""

    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = open_files()
    for _ in range(4):
        for share in ("no such share", "data"):
            monkeypatch.setenv("MIGRATE_SMB_PASSWORD", "wrong one" if share == "data" else SECRET)
            with pytest.raises((ShareUnreachable, Unavailable)):
                connect(parse_address(samba.url(share)), config())
    assert open_files() <= before


def test_unavailable_is_what_time_may_mend(env):
    """`connect` itself tells the two kinds apart."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        with pytest.raises(Unavailable):
            connect(Address(HOST, "x", "", unused.getsockname()[1]), config())


# DFS


@pytest.fixture(scope="module")
def dfs(tmp_path_factory) -> Iterator[Samba]:
    """A share `root` of links, and what they lead to. Addresses in links have no port: the tests
    have one of their own, which a real network has not."""
    from conftest import _smbd
    from samba import served_folder

    _smbd()
    with served_folder() as folder:
        for name in ("root", "real/deep/er", "plain/below"):
            (folder / name).mkdir(parents=True)
        (folder / "real" / "a.txt").write_text("elsewhere")
        (folder / "real" / "deep" / "b.txt").write_text("deep down")
        (folder / "plain" / "c.txt").write_text("here")
        for name, target in {
            "link": r"127.0.0.1\other", "into": r"127.0.0.1\other\deep", "gone": r"127.0.0.1\nothing",
            "round": r"127.0.0.1\root\round",
        }.items():  # fmt: skip
            (folder / "root" / name).symlink_to(f"msdfs:{target}")
        (folder / "root" / "folder").mkdir()
        (folder / "root" / "folder" / "d.txt").write_text("in the namespace")
        give_to_server(folder)
        shares = {"root": folder / "root", "other": folder / "real", "plain": folder / "plain"}
        lines = {"root": ("msdfs root = yes",)}
        with Samba(shares, share_lines=lines) as server:
            yield server


def test_a_share_that_is_a_dfs_link_is_followed(dfs, env):
    """The address names a link of a namespace: what is crawled is the share it leads to."""
    source = source_over(dfs, "link", "root")
    assert source.check().startswith("SMB 3.1.1")
    assert names_in(source) == {b"a.txt": "file", b"deep": "folder"}
    assert source.engine.link().address == Address(HOST, "other", "", dfs.port)
    file = source.open(b"deep/b.txt")
    assert file.read_at(0, 99) == b"deep down"
    file.close()
    source.close()


@pytest.mark.parametrize(
    ("folder", "leads_to", "names"),
    [
        ("link/deep", "deep", {b"b.txt": "file", b"er": "folder"}),
        ("into", "deep", {b"b.txt": "file", b"er": "folder"}),
        ("into/er", "deep\\er", {}),
    ],
)
def test_what_stands_behind_a_dfs_link_stays(dfs, env, folder, leads_to, names):
    """Folders behind the link, and behind what it leads to."""
    source = source_over(dfs, folder, "root")
    assert names_in(source) == names
    assert source.engine.link().address == Address(HOST, "other", leads_to, dfs.port)
    source.close()


def test_dfs_links_inside_a_share_are_recorded(dfs, env):
    """Crawling the namespace itself does not wander off: its links are links, and are not read."""
    source = source_over(dfs, "", "root")
    assert names_in(source) == {
        b"link": "symlink", b"into": "symlink", b"gone": "symlink", b"round": "symlink", b"folder": "folder",
    }  # fmt: skip
    todo = [b""]
    (page,) = source.walk(lambda: todo.pop() if todo else None)
    links = [child for child in page.every_child() if child.kind == "symlink"]
    assert {child.link_target for child in links} == {"DFS link"}
    assert names_in(source, b"folder") == {b"d.txt": "file"}
    file = source.open(b"folder/d.txt")
    assert file.read_at(0, 99) == b"in the namespace"
    file.close()
    with pytest.raises(OSError) as caught:
        source.open(b"link/a.txt")
    assert error_code(caught.value) == "dfs_link"
    source.close()


def test_a_dfs_link_to_nothing(dfs, env):
    """A link whose share is gone says so, with advice."""
    error = unreachable(dfs.url("root", "gone"))
    assert "nothing" in error.what
    assert error.todo


def test_a_dfs_link_in_a_circle(dfs, env):
    """A link to itself is given up."""
    error = unreachable(dfs.url("root", "round"))
    assert "circle" in error.what


def test_a_share_beside_a_namespace(dfs, env):
    """On the same server, a share that is no namespace is what it always was."""
    source = source_over(dfs, "", "plain")
    assert names_in(source) == {b"below": "folder", b"c.txt": "file"}
    assert not source.engine.link().is_dfs
    source.close()
