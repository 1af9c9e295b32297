"""Names of accounts: asked of a real Samba server; its answers played again, damaged and cut up."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samba import Samba, give_to_server, serving_user
from smbprotocol.connection import Connection
from smbprotocol.exceptions import BufferOverflow
from smbprotocol.ioctl import CtlCode, SMB2IOCTLRequest, SMB2IOCTLResponse
from smbprotocol.open import Open, SMB2QueryInfoRequest, SMB2QueryInfoResponse
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from migrate.smb.accounts import PIPE, LookupFailed, lookup, well_known
from migrate.smb.security import DescriptorMalformed, parse, sid_bytes

# A real server


class Server:
    """A session at the server, through smbprotocol."""

    def __init__(self, samba: Samba) -> None:
        self.connection = Connection(uuid.uuid4(), samba.host, samba.port)
        self.connection.connect()
        self.session = Session(
            self.connection, samba.user, samba.password, require_encryption=False
        )
        self.session.connect()
        self.host = samba.host
        self.messages: list[bytes] = []  # asked in one message each

    def open(self, share: str, name: str, access: int) -> Open:
        tree = TreeConnect(self.session, rf"\\{self.host}\{share}")
        tree.connect()
        opened = Open(tree, name)
        opened.create(2, access, 0, 7, 1, 0)
        return opened

    def ask(self, file: Open, request: object) -> bytes:
        sent = self.connection.send(
            request, self.session.session_id, file.tree_connect.tree_connect_id
        )
        try:
            return self.connection.receive(sent)["data"].get_value()
        except BufferOverflow as cut:  # a part of the message; the rest is to be read
            return cut.header["data"].get_value()

    def descriptor(self, name: str) -> bytes:
        """Owner, group and permissions of a file in the share `data`."""
        file = self.open("data", name, 0x20000)
        query = SMB2QueryInfoRequest()
        query["info_type"], query["additional_information"] = 3, 7
        query["output_buffer_length"], query["file_id"] = 65536, file.file_id
        answer = SMB2QueryInfoResponse()
        answer.unpack(self.ask(file, query))
        file.close()
        return answer["buffer"].get_value()

    def lookup(self, sids: Iterable[str], size: int = 65536) -> dict[str, str]:
        """`size`: how much of an answer is taken at once."""
        pipe = self.open("IPC$", PIPE, 0x3)

        def transceive(message: bytes) -> bytes:
            self.messages.append(message)
            request = SMB2IOCTLRequest()
            request["ctl_code"], request["flags"] = CtlCode.FSCTL_PIPE_TRANSCEIVE, 1
            request["file_id"], request["buffer"] = pipe.file_id, message
            request["max_output_response"] = size
            answer = SMB2IOCTLResponse()
            answer.unpack(self.ask(pipe, request))
            return answer["buffer"].get_value()

        def read() -> bytes:
            try:
                return pipe.read(0, size)
            except BufferOverflow as cut:
                data = cut.header["data"].get_value()
                return data[16 : 16 + struct.unpack_from("<I", data, 4)[0]]

        try:
            return lookup(transceive, sids, read)
        finally:
            pipe.close()


@pytest.fixture
def server(samba: Samba) -> Iterator[Server]:
    found = Server(samba)
    yield found
    found.connection.disconnect()


def test_names_as_the_server_has_them(server):
    """Its own accounts, those of Unix, those of Windows; not who is gone or elsewhere."""
    uid = serving_user().pw_uid
    names = server.lookup([
        f"S-1-22-1-{uid}", "S-1-22-2-0", "S-1-1-0", "S-1-5-18", "S-1-5-32-544", "S-1-5-11",
        "S-1-5-21-1-2-3-1104", "S-1-5-32-999", "S-1-15-3-1024-1-2-3-4-5-6-7-8", "S-1-5",
    ])  # fmt: skip
    assert names == {
        f"S-1-22-1-{uid}": rf"Unix User\{serving_user().pw_name}",
        "S-1-22-2-0": r"Unix Group\root",
        "S-1-1-0": "Everyone",
        "S-1-5-18": r"NT Authority\SYSTEM",
        "S-1-5-32-544": r"BUILTIN\Administrators",
        "S-1-5-11": r"NT Authority\Authenticated Users",
    }


def test_the_owner_of_a_file_has_a_name(server, samba, samba_folder):
    (samba_folder / "report.txt").write_text("x")
    give_to_server(samba_folder)
    security = parse(server.descriptor(rf"{samba_folder.name}\report.txt"))
    names = server.lookup([security.owner_sid, security.owner_sid.rpartition("-")[0]])
    domain, name = names[security.owner_sid].split("\\")
    assert name == serving_user().pw_name
    assert names[security.owner_sid.rpartition("-")[0]] == domain  # a domain by itself


# Accounts that this room would name otherwise, if the server did not answer for them.
OWN_NAMES = {"S-1-22-1-0": r"Unix User\root", "S-1-5-18": r"NT Authority\SYSTEM"}


def numbered(count: int) -> list[str]:
    """Accounts without a name, between those of OWN_NAMES."""
    first, last = OWN_NAMES
    return [
        first,
        *(f"S-1-22-{1 + number % 2}-{4_000_000 + number}" for number in range(count)),
        last,
    ]


def test_many_at_once(server):
    """More than fit into one request, and answers that come in several fragments."""
    sids = numbered(1_000)
    longest = "S-1-5-" + "-".join(["4294967295"] * 15)
    names = server.lookup([*sids, longest, *sids])
    assert names == {sid: OWN_NAMES.get(sid, well_known(sid)) for sid in sids}
    assert server.lookup(sids) == names
    assert len(server.messages) > 10
    assert all(len(message) <= 4_280 for message in server.messages)


@pytest.mark.parametrize("size", [24, 1_000])
def test_answers_taken_bit_by_bit(server, size):
    """A message larger than was asked for is cut by the server, and the rest is read."""
    sids = numbered(150)
    assert server.lookup(sids, size) == {sid: OWN_NAMES.get(sid, well_known(sid)) for sid in sids}


def test_nobody_is_known(server):
    assert server.lookup(["S-1-5-21-1-2-3-1104", "S-1-5-21-1-2-3-1105"]) == {}


# Without a server


def test_well_known_names():
    assert well_known("S-1-1-0") == "Everyone"
    assert well_known("S-1-5-18") == r"NT AUTHORITY\SYSTEM"
    assert well_known("S-1-5-32-544") == r"BUILTIN\Administrators"
    assert well_known("S-1-22-1-1000") == r"Unix User\1000"
    assert well_known("S-1-22-2-1000") == r"Unix Group\1000"
    assert well_known("S-1-5-21-1-2-3-1104") is None


def test_what_is_not_asked():
    def unused(*_: bytes) -> bytes:
        raise AssertionError("the server was asked")

    assert lookup(unused, [], unused) == {}
    assert lookup(unused, ["S-1-5"], unused) == {}
    with pytest.raises(DescriptorMalformed, match="no SID"):
        lookup(unused, ["S-1-1-0", "BA"], unused)


# What Samba 4.17 answered to the questions of `ASKED`
ASKED = [
    "S-1-1-0",
    "S-1-22-1-0",
    "S-1-5-18",
    "S-1-5-21-1-2-3-1104",
    "S-1-22-2-54321",
    "S-1-5-32-545",
]
BOUND = bytes.fromhex(
    "05000c03100000004400000001000000b810b810657e00000c005c706970655c6c73617373000000"
    "0100000000000000045d888aeb1cc9119fe808002b10486002000000"
)
OPENED = bytes.fromhex(
    "05000203100000003000000002000000180000000000000001000000cbc50025216346428203e110d6bfa37600000000"
)
LOOKED_UP = bytes.fromhex(
    "0500020310000000a80200000300000090020000000000001c000200060000002000020020000000060000000000020024000200"
    "28000200120014002c0002003000020018001a003400020038000200000002003c00020040000200140016004400020048000200"
    "0e0010004c000200500002000100000000000000000000000000000001000000000000010a000000000000000900000055006e00"
    "69007800200055007300650072000000010000000101000000000016010000000d000000000000000c0000004e00540020004100"
    "7500740068006f00720069007400790000000000010000000000000501000000000000000000000004000000010400000000000515"
    "0000000100000002000000030000000b000000000000000a00000055006e00690078002000470072006f00750070000100000001"
    "01000000000016020000000800000000000000070000004200550049004c00540049004e00000001000000010100000000000520"
    "000000060000005400020006000000050000001000100058000200000000000000000001000000080008005c0002000100000000"
    "000000050000000c000c00600002000200000000000000080000002600260064000200ffffffff00000000020000000a000a0068"
    "0002000400000000000000040000000a000a006c0002000500000000000000080000000000000008000000450076006500720079"
    "006f006e00650004000000000000000400000072006f006f007400060000000000000006000000530059005300540045004d0013"
    "000000000000001300000053002d0031002d0035002d00320031002d0031002d0032002d0033002d003100310030003400000005"
    "00000000000000050000003500340033003200310000000500000000000000050000005500730065007200730000000500000007"
    "010000"
)
NAMES = {
    "S-1-1-0": "Everyone", "S-1-22-1-0": r"Unix User\root", "S-1-5-18": r"NT Authority\SYSTEM",
    "S-1-22-2-54321": r"Unix Group\54321", "S-1-5-32-545": r"BUILTIN\Users",
}  # fmt: skip


def played(answers: list[list[bytes]]) -> Callable[[], dict[str, str]]:
    """A lookup of ASKED at a server that gives these answers, each in the pieces it comes in; the
    last one for ever."""

    def run() -> dict[str, str]:
        messages = iter(answers)
        pieces: Iterator[bytes] = iter([])

        def transceive(_: bytes) -> bytes:
            nonlocal pieces
            pieces = iter(next(messages, answers[-1]))
            return next(pieces, b"")

        return lookup(transceive, ASKED, lambda: next(pieces, b""))

    return run


def refused(*answers: bytes) -> str:
    """Why a lookup fails that gets these answers, and then good ones."""
    good = [BOUND, OPENED, LOOKED_UP][len(answers) :]
    with pytest.raises(LookupFailed) as error:
        played([[answer] for answer in (*answers, *good)])()
    return str(error.value)


def fragments(answer: bytes, sizes: list[int]) -> list[bytes]:
    """An answer in several fragments ([C706] 12.6.3.10), their contents so large; then the rest."""
    content, found = answer[24:], []
    for size in [*sizes, len(content)]:
        part, content = content[:size], content[size:]
        flags = (not found) | (not content) << 1
        found.append(
            struct.pack("<BBBBIHHI", 5, 0, 2, flags, 16, 24 + len(part), 0, 3)
            + answer[16:24]
            + part
        )
        if not content:
            break
    return found


def spoiled(data: bytes, at: int, value: str) -> bytes:
    new = bytes.fromhex(value)
    return data[:at] + new + data[at + len(new) :]


def status(answer: bytes, value: str) -> bytes:
    return spoiled(answer, len(answer) - 4, value)


def test_the_answers_played_again():
    assert played([[BOUND], [OPENED], [LOOKED_UP]])() == NAMES
    assert played([[BOUND], [OPENED], [status(LOOKED_UP, "00000000")]])() == NAMES


@given(st.lists(st.integers(1, 700), max_size=12), st.lists(st.integers(1, 200), max_size=30))
def test_fragments_and_pieces_make_no_difference(sizes, cuts):
    """RPC fragments of any size, in reads that end anywhere, also within a header."""
    stream = b"".join(fragments(LOOKED_UP, sizes))
    pieces = []
    for cut in cuts:
        pieces, stream = pieces + ([stream[:cut]] if stream else []), stream[cut:]
    pieces += [stream] if stream else []
    assert played([[BOUND], [OPENED], pieces])() == NAMES


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ([b""], "the pipe ends"),
        ([BOUND[:-1]], "the pipe ends"),
        ([b"HTTP/1.1 400 Bad Request"], "no answer to the call"),
        ([spoiled(BOUND, 0, "04")], "no answer to the call"),
        ([spoiled(BOUND, 4, "00")], "no answer to the call"),  # numbers with the high byte first
        ([spoiled(BOUND, 10, "0800")], "no answer to the call"),  # signed, and we have no key
        ([BOUND, BOUND], "no answer to the call"),  # of another call
        ([spoiled(BOUND, 2, "0d")], "refuses the call: type 13"),
        ([spoiled(BOUND, 44, "0200")], "does not offer lsarpc: 2, 0"),
        ([spoiled(BOUND, 18, "1000")], "does not offer lsarpc"),
        ([spoiled(BOUND, 24, "ffff")], "cut off"),
        ([BOUND, spoiled(OPENED, 2, "03")], "refuses the call: type 3, 0"),
        ([BOUND, status(OPENED, "220000c0")], "look up no names: 0xC0000022"),
        ([BOUND, OPENED, status(LOOKED_UP, "220000c0")], "fails to look up names: 0xC0000022"),
        ([BOUND, OPENED, status(LOOKED_UP, "0d0000c0")], "fails to look up names: 0xC000000D"),
        ([BOUND, OPENED, spoiled(LOOKED_UP, 28, "ffffffff")], "a list of 4294967295"),
        ([BOUND, OPENED, spoiled(LOOKED_UP, 28, "07000000")], "a list of 7"),
        ([BOUND, OPENED, spoiled(LOOKED_UP, 3, "02")], "do not follow each other"),
        ([BOUND, OPENED, spoiled(LOOKED_UP, 3, "01")], "the pipe ends"),
    ],
)  # fmt: skip
def test_bad_answers_are_named(answers, what):
    assert what in refused(*answers)


ROOT_AT = LOOKED_UP.index(bytes.fromhex("01000000080008005c000200"))  # LSAPR_TRANSLATED_NAME_EX


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (ROOT_AT + 12, "06000000", "a name in domain 6 of 6"),
        (ROOT_AT + 12, "feffffff", "a name in domain -2 of 6"),
        (ROOT_AT + 4, "0700", "a name is not as long"),
        (ROOT_AT + 4, "0a00", "a name is not as long"),
        (ROOT_AT + 8, "00000000", "a name is not as long"),
        (LOOKED_UP.index("root".encode("utf-16-le")) - 8, "01000000", "a name is not as long"),
        (LOOKED_UP.index("root".encode("utf-16-le")) - 4, "ffffffff", "cut off"),
        (ROOT_AT - 32, "050000000100000005", "5 names for 6 SIDs"),
    ],
)
def test_names_that_cannot_be(at, value, what):
    assert what in refused(BOUND, OPENED, spoiled(LOOKED_UP, at, value))


@pytest.mark.parametrize(
    ("at", "value", "name"),
    [
        (ROOT_AT, "0800", r"Unix User\0"),  # SidTypeUnknown: the name is none
        (ROOT_AT, "0600", r"Unix User\0"),  # SidTypeDeletedAccount
        (ROOT_AT + 4, "0000", r"Unix User\0"),  # an empty name
        (ROOT_AT, "030000000000", "Unix User"),  # SidTypeDomain: has none
        (ROOT_AT + 12, "ffffffff", "root"),  # in no domain
        # A lone surrogate, which no table can keep
        (
            LOOKED_UP.index("root".encode("utf-16-le")),
            "00d8",
            "Unix User\\\N{REPLACEMENT CHARACTER}oot",
        ),
    ],
)
def test_unusual_names(at, value, name):
    names = played([[BOUND], [OPENED], [spoiled(LOOKED_UP, at, value)]])()
    assert names == NAMES | {"S-1-22-1-0": name}


def test_a_domain_without_a_sid():
    sid_at = LOOKED_UP.index(bytes.fromhex("010000000101000000000016010000000d"))
    without = spoiled(LOOKED_UP, LOOKED_UP.index(bytes.fromhex("30000200")), "00000000")
    (answer,) = fragments(without[:sid_at] + without[sid_at + 16 :], [])
    assert played([[BOUND], [OPENED], [answer]])() == NAMES


def test_none_mapped():
    """A server that knows none of them says so with an error code, and it is none."""
    assert played([[BOUND], [OPENED], [status(LOOKED_UP, "730000c0")]])() == {
        sid: name for sid in ASKED if (name := well_known(sid))
    }


def test_an_answer_without_end():
    """Neither empty fragments nor full ones go on for ever."""
    head = struct.pack("<BBBBIHHI", 5, 0, 2, 1, 16, 24, 0, 3) + LOOKED_UP[16:24]
    assert "do not follow" in refused(BOUND, OPENED, head * 100)
    full = [
        struct.pack("<BBBBIHHI", 5, 0, 2, number == 0, 16, 65_000, 0, 3) + bytes(64_984)
        for number in range(100)
    ]
    with pytest.raises(LookupFailed, match="do not follow"):
        played([[BOUND], [OPENED], full])()


@given(
    st.integers(0, 2),
    st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=5),
    st.none() | st.integers(0, 700),
)
def test_damaged_answers_give_names_or_an_error(which, changes, size):
    answers = [bytearray(BOUND), bytearray(OPENED), bytearray(LOOKED_UP)]
    for at, value in changes:
        answers[which][at % len(answers[which])] = value
    answers[which] = answers[which][:size]
    try:
        names = played([[bytes(answer)] for answer in answers])()
    except LookupFailed as error:
        assert str(error)
        return
    assert set(names) <= set(ASKED)
    assert all(name.encode() for name in names.values())


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_any_content_of_an_answer(contents):
    """Well-formed messages around any bytes."""
    answers = [
        [struct.pack("<BBBBIHHI", 5, 0, kind, 3, 16, 16 + len(content), 0, call) + content]
        for call, (kind, content) in enumerate(
            zip((12, 2, 2), [*contents, b"", b""], strict=False), 1
        )
    ]
    for changed in (answers, [[BOUND], *answers[1:]], [[BOUND], [OPENED], answers[2]]):
        with pytest.raises(LookupFailed):
            played(changed)()


def test_requests_as_the_documents_write_them():
    """[MS-RPCE] 2.2.2.13, [MS-LSAT] 3.1.4.10: little-endian NDR of 32 bits, lsarpc 0.0."""
    sent: list[bytes] = []
    answers = iter([BOUND, OPENED, LOOKED_UP])

    def transceive(message: bytes) -> bytes:
        sent.append(message)
        return next(answers)

    assert lookup(transceive, ASKED, lambda: b"") == NAMES
    bind, opened, looked_up = sent
    assert bind.hex() == (
        "05000b03100000004800000001000000" "b810b81000000000" "0100000000000100"
        "785734123412cdabef000123456789ab00000000" "045d888aeb1cc9119fe808002b10486002000000"
    )  # fmt: skip
    assert [struct.unpack_from("<HHI", message, 8) for message in sent] == [
        (len(message), 0, number) for number, message in enumerate(sent, 1)
    ]
    assert struct.unpack_from("<H", opened, 22) == (44,)
    assert struct.unpack_from("<H", looked_up, 22) == (57,)
    assert looked_up[24:44] == OPENED[24:44]  # the handle
    assert struct.unpack_from("<I", looked_up, 44) == (len(ASKED),)
    assert all(sid_bytes(sid) in looked_up for sid in ASKED)
