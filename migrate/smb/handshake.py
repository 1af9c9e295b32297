"""Room: smbprotocol as far as the connected share, and the private parts of it that we rest on.

In: an address, credentials. Out: a `Link`: the bare socket with its keys, numbers and limits.
smbprotocol is pinned to the minor version these parts were read in; tests/test_smb_handshake.py
fails where one of them is gone:

    Connection.receive                   given a time-out, which Session and TreeConnect do not;
                                         its first answer is the server's to NEGOTIATE
    Connection.transport._sock           the socket
    Connection.transport.recv            replaced, to retire the thread that reads
    Connection._t_worker                 that thread
    Connection.sequence_window           the next message id, and the credits there are

Errors: `Unavailable` for what time may mend, ShareUnreachable for what it will not.
"""

from __future__ import annotations

import socket
import uuid
from functools import partial
from typing import Any

from msgspec import Struct

from migrate.config import Server
from migrate.errors import MigrateError, ShareUnreachable
from migrate.smb.address import Address
from migrate.smb.credentials import credentials
from migrate.smb.messages import CREDIT_BYTES, time_ns
from migrate.smb.sealing import (
    AES_CMAC,
    CIPHER_NAMES,
    HMAC_SHA256,
    SIGNING_NAMES,
    Cipher,
    Signer,
    signer,
)

CREDITS_WANTED = 512
MOST_REFERRALS = 8
_DIALECTS = {0x202: "2.0.2", 0x210: "2.1", 0x300: "3.0", 0x302: "3.0.2", 0x311: "3.1.1"}


IS_IT_UP = "Is the server up, and is this its port?"


class Unavailable(Exception):
    """The server cannot be reached just now, or does not let us in yet."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.what, self.todo = what, todo


class Link(Struct):
    """A connected share."""

    address: Address  # where it really is: DFS may have led elsewhere
    socket: socket.socket
    session_id: int
    tree_id: int
    prefix: str  # before every path: a share that is a DFS root wants host\\share there
    is_dfs: bool
    sign: Signer | None
    cipher: Cipher | None
    message_id: int
    credits: int
    most_bytes: int  # in one read, write or listing
    words: str  # for people: dialect, signing, encryption
    plain: tuple[Any, Any] | None  # smbprotocol's connection and tree: the fast path is not open
    server_ns: int | None = None  # what the server's clock said when we connected

    def wire_name(self, *names: str) -> bytes:
        """A path below the address as the server is asked for it."""
        parts = filter(None, (self.prefix, self.address.folder, *names))
        return "\\".join(parts).encode("utf-16-le", "surrogatepass")


def connect(address: Address, server: Server) -> Link:
    """A new connection to a share, DFS followed to where it leads.

    Errors: Unavailable; ShareUnreachable."""
    try:
        from smbprotocol.connection import Connection
    except ImportError:
        raise ShareUnreachable(
            f"{address.unc}: the package smbprotocol is not installed",
            "pip install 'migrate[smb]'",
        ) from None
    for _ in range(MOST_REFERRALS):
        connection = Connection(uuid.uuid4(), address.host, address.port)
        try:
            session = _session(address, connection, server)
            tree = _tree(address, session)
            if tree is None:
                address = _referred(address, connection, session)
                continue
            return _link(address, connection, session, tree, server)
        except Exception as error:
            connection.disconnect(close=False)  # else its socket and thread would stay
            raise _explained(error, address) from error
    raise ShareUnreachable(
        f"{address.unc}: DFS leads round in a circle", "Name the server that holds the folder."
    )


def _session(address: Address, connection: Any, server: Server) -> Any:
    from smbprotocol.session import Session

    receive = partial(connection.receive, timeout=server.timeout_seconds)
    connection.receive = partial(_noting_the_time, connection, receive)
    connection.connect(timeout=server.timeout_seconds)
    who = credentials(address.host, server.user)
    session = Session(
        connection, who.user, who.password, require_encryption=server.encrypt,
        auth_protocol=server.auth,
    )  # fmt: skip
    session.connect()
    return session


def _noting_the_time(connection: Any, receive: Any, *asked: Any, **options: Any) -> Any:
    """An answer. The first one says what time it is on the server ([MS-SMB2] 2.2.4, SystemTime)."""
    answer = receive(*asked, **options)
    if not hasattr(connection, "server_ns"):
        ticks = int.from_bytes(answer["data"].get_value()[40:48], "little")
        connection.server_ns = time_ns(ticks)
    return answer


def _tree(address: Address, session: Any) -> Any:
    """The connected share; None where the server sends us elsewhere."""
    from smbprotocol.connection import Capabilities
    from smbprotocol.exceptions import BadNetworkName, PathNotCovered, SMBResponseException
    from smbprotocol.open import CreateDisposition, CreateOptions, ImpersonationLevel, Open
    from smbprotocol.tree import TreeConnect

    tree = TreeConnect(session, rf"\\{address.host}\{address.share}")
    try:
        tree.connect()
    except BadNetworkName:  # perhaps a namespace that this server only knows the way to
        if session.connection.server_capabilities.has_flag(Capabilities.SMB2_GLOBAL_CAP_DFS):
            return None
        raise
    if not tree.is_dfs_share or not address.folder:
        return tree
    folder = Open(tree, rf"{address.host}\{address.share}\{address.folder}")
    try:
        folder.create(
            ImpersonationLevel.Impersonation, 0x80, 0, 7, CreateDisposition.FILE_OPEN,
            CreateOptions.FILE_DIRECTORY_FILE,
        )  # fmt: skip
    except PathNotCovered:
        return None
    except SMBResponseException:
        return tree  # not there, or shut: who asks for it will be told
    folder.close()
    return tree


def _referred(address: Address, connection: Any, session: Any) -> Address:
    """Where DFS says that an address really is. Source: [MS-DFSC] 3.1.4.1."""
    from smbclient._pool import dfs_request
    from smbprotocol.exceptions import SMBResponseException
    from smbprotocol.tree import TreeConnect

    ipc = TreeConnect(session, rf"\\{address.host}\IPC$")
    ipc.connect()
    asked = "\\" + address.unc.lstrip("\\")
    try:
        answer = dfs_request(ipc, asked)
    except SMBResponseException:
        raise ShareUnreachable(
            f"{address.unc} cannot be entered: the server has no share of this name, and DFS none",
            _PERHAPS_LATER["BadNetworkName"],
        ) from None
    connection.disconnect(close=False)
    used = answer["path_consumed"].get_value() // 2
    for entry in answer["referral_entries"].get_value():
        target: list[str] = entry.network_address.strip("\\").split("\\")
        host, share, *folders = [*target, ""]
        rest = [name for name in [*folders, *asked[used:].split("\\")] if name]
        return address._replace(host=host.lower(), share=share, folder="\\".join(rest))
    raise ShareUnreachable(f"{address.unc}: DFS knows no server for it", "Is the link still used?")


def _link(address: Address, connection: Any, session: Any, tree: Any, server: Server) -> Link:
    sealed = bool(session.encrypt_data or tree.encrypt_data)
    signs = bool(session.signing_key) and not sealed
    algorithm = _signing_algorithm(connection)
    cipher_id = connection.cipher_id if connection.dialect >= 0x311 else 1
    why_plain = _why_plain(connection, server, algorithm, cipher_id if sealed else None)
    if not why_plain:
        connection.transport.recv = lambda timeout: b""  # its thread ends with the next answer
        connection.echo(
            sid=session.session_id, credit_request=CREDITS_WANTED, timeout=server.timeout_seconds
        )
        connection._t_worker.join(server.timeout_seconds)
    window = connection.sequence_window
    credits = window["high"] - window["low"]
    sizes = (connection.max_read_size, connection.max_transact_size, connection.max_write_size)
    return Link(
        address, connection.transport._sock, session.session_id, tree.tree_connect_id,
        rf"{address.host}\{address.share}" if tree.is_dfs_share else "", tree.is_dfs_share,
        signer(algorithm, session.signing_key) if signs else None,
        Cipher(cipher_id, session.encryption_key, session.decryption_key, session.session_id)
        if sealed else None,
        window["low"], credits,
        min(*sizes, max(1, credits // 4) * CREDIT_BYTES)  # one request never takes all credits
        if connection.supports_multi_credit else CREDIT_BYTES,
        _words(connection, algorithm if signs else None, cipher_id if sealed else None, why_plain),
        (connection, tree) if why_plain else None,
        connection.server_ns,
    )  # fmt: skip


def _signing_algorithm(connection: Any) -> int:
    if connection.dialect >= 0x311 and connection.signing_algorithm_id is not None:
        return int(connection.signing_algorithm_id)
    return AES_CMAC if connection.dialect >= 0x300 else HMAC_SHA256


def _why_plain(connection: Any, server: Server, algorithm: int, cipher_id: int | None) -> str:
    """Why our own engine cannot be used on a connection; '' if it can."""
    if server.plain:
        return "estate.yaml says plain"
    if not connection.supports_multi_credit:
        return "the server allows no large requests"
    if algorithm not in SIGNING_NAMES:
        return f"signing algorithm {algorithm} is not known"
    if cipher_id is not None and cipher_id not in CIPHER_NAMES:
        return f"encryption {cipher_id} is not known"
    return ""


def _words(connection: Any, algorithm: int | None, cipher_id: int | None, why_plain: str) -> str:
    words = [f"SMB {_DIALECTS.get(connection.dialect, hex(connection.dialect))}"]
    if algorithm is not None:
        words.append(f"signed ({SIGNING_NAMES.get(algorithm, algorithm)})")
    if cipher_id is not None:
        words.append(f"encrypted ({CIPHER_NAMES.get(cipher_id, cipher_id)})")
    if algorithm is None and cipher_id is None:
        words.append("neither signed nor encrypted (guest)")
    if why_plain:
        words.append(f"slow: one request at a time, because {why_plain}")
    return ", ".join(words)


# smbprotocol's errors and what to do. With those of the first kind asking again is of no use, and
# may lock the account.
_WHO_WE_ARE = {
    "LogonFailure": "User or password are wrong: see MIGRATE_SMB_USER and MIGRATE_SMB_PASSWORD.",
    "SMBAuthenticationError": "Set MIGRATE_SMB_USER and MIGRATE_SMB_PASSWORD, or use kinit.",
    "PasswordExpired": "The account's password has expired.",
    "AccountRestriction": "The account may not log on here, or now.",
    "ImportError": "Kerberos needs pip install 'migrate[kerberos]', or say `auth: ntlm`.",
    "gaierror": "Look at the server's name.",
}
_PERHAPS_LATER = {
    "BadNetworkName": "The server has no share of this name; look at its spelling.",
    "AccessDenied": "This user may not enter the share.",
}


def _explained(error: Exception, address: Address) -> Exception:
    """What went wrong, as one of our two errors."""
    if isinstance(error, MigrateError):
        return error
    names = {kind.__name__ for one in (error, error.__cause__) for kind in type(one).__mro__}
    said = (
        f"{address.unc} cannot be entered: {' '.join(str(error).split()) or type(error).__name__}"
    )
    for name, advice in _WHO_WE_ARE.items():
        if name in names:
            return ShareUnreachable(said, advice)
    advice = next((_PERHAPS_LATER[name] for name in names if name in _PERHAPS_LATER), IS_IT_UP)
    return Unavailable(said, advice)
