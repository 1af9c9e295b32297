"""One connection, against a server that the test plays: frame by frame as [MS-SMB2] has them, and
as no honest server would send them. Whatever is not right ends the connection; nothing of it is
ever taken for an answer."""

from __future__ import annotations

import hmac
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.smb import messages as smb
from migrate.smb.address import Address
from migrate.smb.channel import Channel, ConnectionLost
from migrate.smb.handshake import Link
from migrate.smb.messages import Answer, Answers
from migrate.smb.sealing import AES_CMAC, AES_GMAC, HMAC_SHA256, Cipher, Tampered, signer

KEY, OTHER_KEY = bytes(range(16)), bytes(range(1, 17))
SESSION, TREE = 0x1122334455667788, 5
FIRST_ID = 40
HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
ANSWER, ASYNC, RELATED, SIGNED = 1, 2, 4, 8
PENDING, SESSION_DELETED, OK = 0x103, 0xC0000203, 0

# How answers are signed ([MS-SMB2] 3.1.4.1), written again from the document.


def by_hmac(message: bytes, message_id: int) -> bytes:
    return hmac.digest(KEY, message, "sha256")[:16]


def by_cmac(message: bytes, message_id: int) -> bytes:
    code = CMAC(algorithms.AES(KEY))
    code.update(message)
    return code.finalize()


def by_gmac(message: bytes, message_id: int) -> bytes:
    nonce = struct.pack("<QI", message_id, 1)  # the last four bytes: 1, "sent by the server"
    return AESGCM(KEY).encrypt(nonce, b"", message)


SIGNERS = {HMAC_SHA256: by_hmac, AES_CMAC: by_cmac, AES_GMAC: by_gmac}
# 2.2.3.1.2: id of the cipher, its kind, bytes of its key, bytes of its nonce (2.2.41)
CIPHERS = {1: (AESCCM, 16, 11), 2: (AESGCM, 16, 12), 3: (AESCCM, 32, 11), 4: (AESGCM, 32, 12)}


class Server:
    """The other end of the line."""

    def __init__(self, sign: int | None = AES_CMAC, cipher: int | None = None) -> None:
        ours, self.socket = socket.socketpair()
        self.socket.settimeout(5)
        self.sign, self.cipher = sign, cipher
        keys: tuple[bytes, ...] = ()
        if cipher:
            keys = tuple(bytes([n]) * CIPHERS[cipher][1] for n in (1, 2))
        self.keys = keys
        self.link = Link(
            address=Address("fs1", "x"), socket=ours, session_id=SESSION, tree_id=TREE, prefix="",
            is_dfs=False, sign=None if sign is None else signer(sign, KEY),
            cipher=Cipher(cipher, *keys, SESSION) if cipher else None,
            message_id=FIRST_ID, credits=100, most_bytes=1 << 20, words="", plain=None,
        )  # fmt: skip
        self.channel = Channel(self.link)
        self.got: list[list[tuple[int, bytes]]] = []

    def close(self) -> None:
        self.channel.close()
        self.socket.close()

    # What the client does

    def ask(self, *requests: smb.Request) -> None:
        """One compound; its answers go to `got`."""

        def done(answers: Answers) -> None:
            assert all(isinstance(answer, Answer) for answer in answers)
            self.got.append([(answer.status, bytes(answer.body)) for answer in answers])

        self.channel.send(list(requests or [smb.close(bytes(16))]), done)
        self.channel.flush()

    def heard(self) -> list[bytes]:
        """The messages of one frame from the client."""
        size = int.from_bytes(self._exactly(4), "big")
        frame = self._exactly(size)
        if self.cipher:
            frame = self.opened(frame)
        found = []
        while frame:
            step = HEADER.unpack_from(frame)[7] or len(frame)
            found.append(frame[:step])
            frame = frame[step:]
        return found

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more
            data += more
        return data

    # What the server does

    def message(self, message_id: int = FIRST_ID, body: bytes = b"body of it", status: int = OK,
                flags: int = ANSWER, step: int = 0, **other: Any) -> bytes:  # fmt: skip
        """One answer, signed where that was agreed on. With `step` it is padded to that."""
        flags |= SIGNED if self.sign is not None and not other.get("unsigned") else 0
        head = (
            other.get("mark", b"\xfeSMB"), 64, 1, status, other.get("command", smb.CLOSE),
            other.get("credits", 1), flags, step, message_id, 0, TREE, SESSION,
        )  # fmt: skip
        message = (HEADER.pack(*head, bytes(16)) + body).ljust(step, b"\0")
        if self.sign is None or other.get("unsigned"):
            return message
        signature = other.get("signature") or SIGNERS[self.sign](message, message_id)
        return message[:48] + signature + message[64:]

    def sealed(self, frame: bytes, **other: Any) -> bytes:
        """A frame, encrypted ([MS-SMB2] 2.2.41, 3.1.4.3)."""
        kind, _, nonce_bytes = CIPHERS[self.cipher or 2]
        nonce = other.get("nonce", os.urandom(nonce_bytes))
        head = nonce.ljust(16, b"\0") + struct.pack(
            "<IHHQ", other.get("size", len(frame)), 0, other.get("flags", 1), other.get("session", SESSION)
        )  # fmt: skip
        key = other.get("key", self.keys[1] if self.keys else bytes(16))
        content = kind(key).encrypt(nonce, frame, head)
        return b"\xfdSMB" + content[-16:] + head + content[:-16]

    def opened(self, frame: bytes) -> bytes:
        """What the client has encrypted."""
        kind, _, nonce_bytes = CIPHERS[self.cipher or 2]
        assert frame[:4] == b"\xfdSMB"
        nonce, content = frame[20 : 20 + nonce_bytes], frame[52:] + frame[4:20]
        assert struct.unpack_from("<IHHQ", frame, 36) == (len(frame) - 52, 0, 1, SESSION)
        return kind(self.keys[0]).decrypt(nonce, content, frame[20:52])

    def tell(self, frame: bytes) -> None:
        self.raw(len(frame).to_bytes(4, "big") + frame)

    def raw(self, data: bytes) -> None:
        """Bytes on the line, and the client reads them."""
        for at in range(0, len(data), 65_536):
            self.socket.sendall(data[at : at + 65_536])
            self.channel.receive()

    def is_refused(self, why: str, frame: bytes) -> None:
        """The frame ends the connection for the reason; no answer came of it, nor comes of a good
        frame behind it. Then the line is as new."""
        before = list(self.got)
        with pytest.raises(ConnectionLost, match=why):
            self.tell(frame)
        with pytest.raises(ConnectionLost):
            self.tell(self.sealed(self.message()) if self.cipher else self.message())
        assert self.got == before
        self.channel = Channel(self.link)


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture(params=SIGNERS, ids=["HMAC", "CMAC", "GMAC"])
def signing(request: pytest.FixtureRequest) -> Iterator[Server]:
    found = Server(request.param)
    yield found
    found.close()


@pytest.fixture(params=CIPHERS)
def sealing(request: pytest.FixtureRequest) -> Iterator[Server]:
    found = Server(None, request.param)
    yield found
    found.close()


# What is sent


def test_a_request_is_signed_as_documented(signing):
    """Header fields of [MS-SMB2] 2.2.1.2, and a signature that another reading of 3.1.4.1 makes."""
    signing.ask()
    (message,) = signing.heard()
    fields = HEADER.unpack_from(message)
    assert fields[:3] == (b"\xfeSMB", 64, 1)
    assert (fields[4], fields[6], fields[7], fields[8]) == (smb.CLOSE, SIGNED, 0, FIRST_ID)
    assert (fields[10], fields[11]) == (TREE, SESSION)
    unsigned = message[:48] + bytes(16) + message[64:]
    if signing.sign == AES_GMAC:  # bit 0 of the last four bytes: not set by the client
        expected = AESGCM(KEY).encrypt(struct.pack("<QI", FIRST_ID, 0), b"", unsigned)
    else:
        expected = SIGNERS[signing.sign](unsigned, FIRST_ID)
    assert fields[12] == expected


def test_a_compound_is_one_frame(server):
    """Related requests: each at a multiple of 8, the later ones marked, ids and credits in order."""
    server.ask(smb.create(b"a\0", 1, 0), smb.query_directory(1 << 18), smb.close())
    messages = server.heard()
    fields = [HEADER.unpack_from(message) for message in messages]
    assert [field[4] for field in fields] == [smb.CREATE, smb.QUERY_DIRECTORY, smb.CLOSE]
    assert [field[6] for field in fields] == [SIGNED, SIGNED | RELATED, SIGNED | RELATED]
    assert [field[2] for field in fields] == [1, 4, 1]
    assert [field[8] for field in fields] == [FIRST_ID, FIRST_ID + 1, FIRST_ID + 5]
    assert all(len(message) % 8 == 0 for message in messages[:-1])
    for message, field in zip(messages, fields, strict=True):
        unsigned = message[:48] + bytes(16) + message[64:]
        assert by_cmac(unsigned, field[8]) == field[12]
    assert server.channel.credits == 94
    assert server.channel.in_flight == 1


def test_requests_are_encrypted_as_documented(sealing):
    """Frames of 2.2.41, opened by another reading of 3.1.4.3; not signed beside that."""
    sealing.ask()
    (message,) = sealing.heard()
    assert HEADER.unpack_from(message)[6] == 0
    assert HEADER.unpack_from(message)[12] == bytes(16)


def test_no_nonce_is_used_twice():
    """Every frame has a nonce of its own: a second use would tell both contents."""
    server = Server(None, 2)
    nonces = set()
    for _ in range(200):
        server.ask()
        size = int.from_bytes(server._exactly(4), "big")
        nonces.add(server._exactly(size)[20:36])
    assert len(nonces) == 200
    server.close()


def test_what_the_kernel_does_not_take_is_kept(server):
    """A server that does not read blocks nobody; it gets all of it when it reads again."""
    requests = 300
    for _ in range(requests):
        server.ask(smb.write(0, bytes(10_000), bytes(16)))
    assert server.channel.wants_to_write()
    ids = []
    for _ in range(requests):
        server.channel.flush()
        ids += [HEADER.unpack_from(message)[8] for message in server.heard()]
    assert ids == list(range(FIRST_ID, FIRST_ID + requests))
    assert not server.channel.wants_to_write()


# Good answers


def test_an_answer(signing):
    """Status and body, signature checked; the credits that came with it count."""
    signing.ask()
    signing.tell(signing.message(status=0xC0000022, body=b"x" * 9, credits=7))
    assert signing.got == [[(0xC0000022, b"x" * 9)]]
    assert signing.channel.credits == 106
    assert signing.channel.in_flight == 0


def test_an_encrypted_answer(sealing):
    sealing.ask()
    sealing.tell(sealing.sealed(sealing.message()))
    assert sealing.got == [[(OK, b"body of it")]]


def test_a_compound_answer(server):
    """The answers of one compound come together, in the order of its requests, from one frame or
    several and in any order."""
    server.ask(smb.create(b"a\0", 1, 0), smb.close(), smb.close())
    first = server.message(FIRST_ID, b"1", step=72)
    server.tell(first + server.message(FIRST_ID + 2, b"3", flags=ANSWER | RELATED))
    assert server.got == []
    server.tell(server.message(FIRST_ID + 1, b"2"))
    assert [body.rstrip(b"\0") for _, body in server.got[0]] == [b"1", b"2", b"3"]


def test_answers_out_of_order(server):
    """Each answer goes to who asked."""
    for _ in range(3):
        server.ask()
    for number in (2, 0, 1):
        server.tell(server.message(FIRST_ID + number, b"%d" % number))
    assert server.got == [[(OK, b"2")], [(OK, b"0")], [(OK, b"1")]]


def test_an_answer_in_pieces(server):
    """Byte by byte, and two frames at once, are the same to us."""
    server.ask()
    server.ask()
    frame = server.message()
    for byte in len(frame).to_bytes(4, "big") + frame:
        assert server.got == []
        server.raw(bytes([byte]))
    assert len(server.got) == 1
    server.ask()
    frames = [server.message(FIRST_ID + 1), server.message(FIRST_ID + 2)]
    server.raw(b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames))
    assert len(server.got) == 3


def test_an_interim_answer_is_none(server):
    """STATUS_PENDING says: later. It is not signed, and tells nothing but credits."""
    server.ask()
    server.tell(server.message(status=PENDING, flags=ANSWER | ASYNC, unsigned=True, credits=5))
    assert server.got == []
    assert server.channel.credits == 104
    server.tell(server.message(flags=ANSWER | ASYNC))
    assert len(server.got) == 1


def test_silence(server):
    """The clock runs while an answer is owed, and from the last thing heard."""
    assert server.channel.silent_seconds(1e12) == 0
    server.ask()
    now = server.channel._heard_at
    assert server.channel.silent_seconds(now + 31) == pytest.approx(31)
    server.tell(server.message(status=PENDING, flags=ANSWER | ASYNC, unsigned=True))
    assert server.channel.silent_seconds(now + 31) < 31
    server.tell(server.message())
    assert server.channel.silent_seconds(1e12) == 0


# Bad answers


@pytest.mark.parametrize("at", [4, 8, 14, 20, 40, 48, 63, 64, 70])
def test_a_changed_answer(signing, at):
    """One bit that another than the server wrote, in the header or the body, and it is no answer.

    (The bits that make it another kind of message altogether are the next tests'.)"""
    signing.ask()
    frame = bytearray(signing.message())
    frame[at] ^= 0x40
    signing.is_refused("not as it should be", bytes(frame))


@given(at=st.integers(0, 73), bit=st.integers(0, 7))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", [HMAC_SHA256, AES_CMAC, AES_GMAC, "sealed"])
def test_any_changed_bit(kind, at, bit):
    """Whatever bit of an answer is turned, its content is not taken; at most it becomes a message
    that says nothing."""
    server = Server(None, 2) if kind == "sealed" else Server(kind)
    try:
        server.ask()
        frame = bytearray(server.sealed(server.message()) if kind == "sealed" else server.message())
        frame[at] ^= 1 << bit
        try:
            server.tell(bytes(frame))
        except ConnectionLost:
            pass
        assert server.got == []
    finally:
        server.close()


def test_an_answer_that_is_not_signed(signing):
    """Where signing was agreed on, an answer without a signature is none, whatever its status."""
    for status in (OK, 0xC0000022, 0x80000006):
        signing.ask()
        signing.is_refused("not signed", signing.message(unsigned=True, status=status))


def test_pending_is_believed_only_of_asynchronous_answers(server):
    """An unsigned STATUS_PENDING that is not asynchronous is no interim answer."""
    server.ask()
    server.is_refused("not signed", server.message(status=PENDING, unsigned=True))


def test_a_signature_with_another_key(signing):
    """Nor one that another key made, or zeros."""
    for signature in (signer(signing.sign, OTHER_KEY)(b"x", 1, True), bytes(16)):
        signing.ask()
        signing.is_refused("signature is wrong", signing.message(signature=signature))


def test_our_own_message_sent_back(signing):
    """What we have signed ourselves does not come back as an answer (GMAC: the nonce says who)."""
    signing.ask()
    (message,) = signing.heard()
    signing.is_refused("no answer", message)
    if signing.sign == AES_GMAC:
        signing.ask()
        unsigned = bytearray(signing.message(unsigned=True))
        unsigned[16] |= SIGNED
        client_made = signer(AES_GMAC, KEY)(unsigned, FIRST_ID, False)
        unsigned[48:64] = client_made
        signing.is_refused("signature is wrong", bytes(unsigned))


def test_an_answer_to_nothing(server):
    """A message id that nobody waits for, too early, too late or a second time."""
    server.is_refused("answer to nothing", server.message())
    server.ask()
    server.is_refused("answer to nothing", server.message(FIRST_ID + 1))
    server.ask()
    server.tell(server.message())
    server.is_refused("answer to nothing", server.message())
    server.ask()
    server.is_refused("answer to nothing", server.message(0xFFFFFFFFFFFFFFFF))


@pytest.mark.parametrize("status", [0xC0000203, 0xC000035C, 0xC00000C9, 0xC000020C])
def test_a_session_that_is_gone(server, status):
    """Such answers have no signature that could be checked; they end the connection, no more."""
    server.ask()
    server.is_refused("session|share|closed", server.message(status=status, unsigned=True))


@pytest.mark.parametrize(
    "frame",
    [b"", b"\xfeSMB", bytes(63), bytes(64), b"\xffSMB" + bytes(60), b"GET / HTTP/1.0\r\n\r\n" * 5],
    ids=["empty", "mark", "63", "zeros", "SMB1", "HTTP"],
)
def test_what_is_no_message(server, frame):
    """Too short for a header, another protocol, SMB1."""
    server.ask()
    server.is_refused("not as it should be", frame)


def test_a_request_is_no_answer(server):
    """A message that is not marked as an answer."""
    server.ask()
    server.is_refused("no answer", server.message(flags=0))


@pytest.mark.parametrize("step", [8, 56, 63, 65, 71, 80, 1 << 20, 0xFFFFFFF8])
def test_messages_outside_their_frame(server, step):
    """The next message begins within the header, at an odd place, or behind the end."""
    server.ask()
    frame = server.message()
    server.is_refused("frame|cut off", frame[:20] + struct.pack("<I", step) + frame[24:])


def test_a_compound_that_is_cut_off(server):
    """A good first answer is one; the rest of its frame is not made up."""
    server.ask()
    server.ask()
    first = server.message(FIRST_ID, b"1", step=72)
    with pytest.raises(ConnectionLost):
        server.tell(first + server.message(FIRST_ID + 1)[:40])
    assert [[body.rstrip(b"\0") for _, body in answers] for answers in server.got] == [[b"1"]]


@pytest.mark.parametrize("size", [(17 << 20) + 1, 0xFFFFFFFF, 0x81000044])
def test_frames_too_large(server, size):
    """A length that no server needs is refused when it is read, not when memory is full. (The first
    byte is always 0 in a message of SMB: 2.1, 0x81 and others are the old NetBIOS session's.)"""
    server.ask()
    with pytest.raises(ConnectionLost, match="a frame of"):
        server.raw(size.to_bytes(4, "big"))
    assert server.got == []


def test_a_truncated_frame(server):
    """The connection ends within a frame: nothing of it counts."""
    server.ask()
    frame = server.message()
    server.raw(len(frame).to_bytes(4, "big") + frame[:-1])
    assert server.got == []
    server.socket.shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionLost, match="closed"):
        server.channel.receive()
    assert server.got == []


def test_sending_to_a_server_that_is_gone(server):
    """The line is dead: ConnectionLost, at once or with the next request."""
    server.socket.close()
    with pytest.raises(ConnectionLost):
        for _ in range(10):
            server.ask()


@given(st.binary(max_size=300))
@settings(max_examples=200)
@pytest.mark.parametrize("kind", [AES_CMAC, None, "sealed"])
def test_any_bytes_at_all(kind, data):
    """Noise on the line is no answer; with nothing to check by, none that was not asked for."""
    server = Server(None, 2) if kind == "sealed" else Server(kind)
    try:
        for frame in (data, b"\xfeSMB" + data, b"\xfdSMB" + data):
            server.tell(frame)
    except ConnectionLost:
        pass
    finally:
        server.close()
    assert server.got == []


# Encryption


def test_an_answer_in_the_clear(sealing):
    """Where encryption was agreed on, nothing else is an answer; the notice that the session is
    gone ends the connection, as everything else that is not encrypted does."""
    for frame in (sealing.message(), sealing.message(status=SESSION_DELETED), b"", b"\xfdSMB"):
        sealing.ask()
        sealing.is_refused("not encrypted", frame)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"session": SESSION + 1}, "another session"),
        ({"flags": 0}, "another session"),
        ({"key": b"\x03"}, "cannot be opened"),
        ({"key": b"\x01"}, "cannot be opened"),
    ],
    ids=["session", "flags", "key", "our own key"],
)
def test_encrypted_for_somebody_else(sealing, changes, why):
    """Another session's, another key's, and what we ourselves have encrypted."""
    sealing.ask()
    if "key" in changes:
        changes = {"key": changes["key"] * CIPHERS[sealing.cipher][1]}
    sealing.is_refused(why, sealing.sealed(sealing.message(), **changes))


@pytest.mark.parametrize("at", [4, 20, 35, 36, 40, 42, 44, 52, 100, -1])
def test_a_changed_encrypted_answer(sealing, at):
    """One bit of the seal, the nonce, the header or the content; all of the header counts."""
    sealing.ask()
    frame = bytearray(sealing.sealed(sealing.message()))
    frame[at] ^= 0x10
    sealing.is_refused("not as it should be", bytes(frame))


def test_an_encrypted_answer_that_nobody_agreed_on(server):
    """Without a key to open it, an encrypted frame is refused."""
    server.ask()
    sealed = Server(None, 2)
    server.is_refused("no key agreed on", sealed.sealed(sealed.message()))
    sealed.close()


def test_good_seal_bad_content(sealing):
    """What is inside is checked as ever."""
    sealing.ask()
    for why, content in (
        ("cut off", b"short"),
        ("answer to nothing", sealing.message(FIRST_ID + 9)),
        ("no answer", sealing.message(flags=0)),
    ):
        sealing.ask()
        sealing.is_refused(why, sealing.sealed(content))


def test_a_seal_is_bound_to_its_session():
    """`Cipher` itself: what it seals only its counterpart opens."""
    ours, theirs = b"\x01" * 16, b"\x02" * 16
    client, far = Cipher(2, ours, theirs, 7), Cipher(2, theirs, ours, 7)
    frame = client.seal(b"secret" * 100)
    assert b"secret" not in frame
    assert bytes(far.open(memoryview(frame))) == b"secret" * 100
    with pytest.raises(Tampered):
        client.open(memoryview(frame))
    with pytest.raises(Tampered):
        Cipher(2, theirs, ours, 8).open(memoryview(frame))
