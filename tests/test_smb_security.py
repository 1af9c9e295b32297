"""Security descriptors: Microsoft's example, real ones from Samba, and anything a server may send."""

from __future__ import annotations

import re
import struct
from uuid import UUID

import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from migrate.smb.security import (
    DescriptorMalformed,
    Security,
    parse,
    security_id,
    sid_bytes,
    sid_text,
)

# [MS-DTYP] 2.5.1.4: O:BAG:BAD:P(A;CIOI;GRGX;;;BU)(A;CIOI;GA;;;BA)(A;CIOI;GA;;;SY)(A;CIOI;GA;;;CO)S:P(AU;FA;GR;;;WD)
MICROSOFT = bytes.fromhex(
    "010014b090000000a00000001400000030000000"
    "02001c00010000000280140000000080010100000000000100000000"
    "0200600004000000"
    "00031800000000a001020000000000052000000021020000"
    "000318000000001001020000000000052000000020020000"
    "0003140000000010010100000000000512000000"
    "0003140000000010010100000000000300000000"
    "01020000000000052000000020020000"
    "01020000000000052000000020020000"
)
OWNER, GROUP = "S-1-5-21-3789133959-1085243387-1981608997-1000", "S-1-22-2-0"
_HEAD = "0000003000000000000000400000000105000000000005150000008798d9e1fb7faf4025f41c76e803000001020000000000160200000000000000"

# As Samba 4.17 sent them: the descriptor, and what it has to say. `smbcacls --sddl` prints the same for
# each but that it shortens some SIDs (WD for S-1-1-0), and writes all rights in hexadecimal.
SAMBA = {
    "POSIX permissions 0407": (
        "01000490140000002400000000000000340000000102000000000016010000003930000001020000000000160200000031d40000"
        "02004c0003000000000018008900120001020000000000160100000039300000000018000000000001020000000000160200000031d40000"
        "00001400ff011e00010100000000000100000000",
        Security("S-1-22-1-12345", "S-1-22-2-54321",
                 "D:P(A;;FR;;;S-1-22-1-12345)(A;;0x0;;;S-1-22-2-54321)(A;;0x1e01ff;;;S-1-1-0)", False),
    ),
    "a deny entry by smbcacls, in acl_xattr": (
        f"0100048014{_HEAD}020090000500000001002400160113000105000000000005150000000100000002000000030000005004000000001400a9001200"
        "01010000000000010000000000001400ff011f0001010000000000051200000000001800a900120001020000000000160200000000000000"
        "00002400ff011f000105000000000005150000008798d9e1fb7faf4025f41c76e8030000",
        Security(OWNER, GROUP,
                 "D:(D;;0x130116;;;S-1-5-21-1-2-3-1104)(A;;0x1200a9;;;S-1-1-0)(A;;FA;;;S-1-5-18)"
                 f"(A;;0x1200a9;;;S-1-22-2-0)(A;;FA;;;{OWNER})", True),
    ),
    "protected, deny for what is below only, revision 3": (
        f"0100049014{_HEAD}0300a80006000000010b2400bf01120001050000000000051500000001000000020000000300000050040000"
        "00001400a900120001010000000000010000000000001400ff011f0001010000000000051200000000001800a900120001020000000000160200000000000000"
        "00031800a90012000102000000000005200000002102000000002400ff011f000105000000000005150000008798d9e1fb7faf4025f41c76e8030000",
        Security(OWNER, GROUP,
                 "D:P(D;OICIIO;0x1201bf;;;S-1-5-21-1-2-3-1104)(A;;0x1200a9;;;S-1-1-0)(A;;FA;;;S-1-5-18)"
                 f"(A;;0x1200a9;;;S-1-22-2-0)(A;OICI;0x1200a9;;;S-1-5-32-545)(A;;FA;;;{OWNER})", True),
    ),
    "a callback entry and one for an object": (
        f"0100048014{_HEAD}0400c0000700000009001400890012000101000000000001000000000500280000010000"
        "01000000000102030405060708090a0b0c0d0e0f01010000000000050b0000000103180016010000010200000000000520000000220200000"
        "1032400bf01120001050000000000051500000001000000020000000300000050040000000b1400ff011f00010100000000000300000000"
        "00031400ff011f0001010000000000051200000000031800bf01130001020000000000052000000021020000",
        Security(OWNER, GROUP,
                 "D:(XA;;FR;;;S-1-1-0)(OA;;CR;03020100-0504-0706-0809-0a0b0c0d0e0f;;S-1-5-11)"
                 "(D;OICI;DCLCRPCR;;;S-1-5-32-546)(D;OICI;0x1201bf;;;S-1-5-21-1-2-3-1104)"
                 "(A;OICIIO;FA;;;S-1-3-0)(A;OICI;FA;;;S-1-5-18)(A;OICI;0x1301bf;;;S-1-5-32-545)", True),
    ),
    "inherited from the one before": (
        f"0100048014{_HEAD}0200840005000000011318001601000001020000000000052000000022020000"
        "01132400bf01120001050000000000051500000001000000020000000300000050040000001b1400ff011f00010100000000000300000000"
        "00131400ff011f0001010000000000051200000000131800bf01130001020000000000052000000021020000",
        Security(OWNER, GROUP,
                 "D:(D;OICIID;DCLCRPCR;;;S-1-5-32-546)(D;OICIID;0x1201bf;;;S-1-5-21-1-2-3-1104)"
                 "(A;OICIIOID;FA;;;S-1-3-0)(A;OICIID;FA;;;S-1-5-18)(A;OICIID;0x1301bf;;;S-1-5-32-545)", True),
    ),
    "nobody: no entry": (
        f"0100049014{_HEAD}0400080000000000", Security(OWNER, GROUP, "D:P", False),
    ),
    "everybody: no list": (
        f"0100048014{_HEAD.replace('40000000', '00000000', 1)}", Security(OWNER, GROUP, "D:NO_ACCESS_CONTROL", False),
    ),
}  # fmt: skip


def test_the_example_of_microsoft():
    assert parse(MICROSOFT) == Security(
        "S-1-5-32-544", "S-1-5-32-544",
        "D:P(A;OICI;GXGR;;;S-1-5-32-545)(A;OICI;GA;;;S-1-5-32-544)(A;OICI;GA;;;S-1-5-18)(A;OICI;GA;;;S-1-3-0)",
        False,
    )  # fmt: skip


@pytest.mark.parametrize(("sent", "expected"), SAMBA.values(), ids=SAMBA)
def test_what_samba_sends(sent, expected):
    assert parse(bytes.fromhex(sent)) == expected
    assert parse(memoryview(bytes.fromhex(sent))) == expected


# SIDs


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("S-1-1-0", "010100000000000100000000"),
        (
            "S-1-5-32-544",
            "01020000000000052000000020020000",
        ),  # [MS-DTYP] 2.4.2.4, BUILTIN_ADMINISTRATORS
        ("S-1-5-18", "010100000000000512000000"),
        ("S-1-22-2-54321", "01020000000000160200000031d40000"),
        ("S-1-5", "0100000000000005"),
        ("S-1-4294967295-4294967295", "01010000ffffffffffffffff"),
        ("S-1-0x000100000000-7", "010100010000000007000000"),
        ("S-1-0xFFFFFFFFFFFF" + "-0" * 15, "010fffffffffffff" + "00" * 60),
    ],
)
def test_sids(text, packed):
    assert sid_text(bytes.fromhex(packed)) == text
    assert sid_bytes(text).hex() == packed


@pytest.mark.parametrize(
    "text",
    [
        "", "S-1", "S-1-", "S-1-5-", "S-2-5-18", "s-1-5-18", "BA", " S-1-5-18", "S-1-5-18\n", "S-1-05-18", "S-1-5-018",
        "S-1-5-4294967296", "S-1-5-9999999999", "S-1-4294967296-1", "S-1-0x000000000005-18", "S-1-0x1-1",
        "S-1-0xffffffffffff-1", "S-1-5--1", "S-1-5-+1", "S-1-5-\u0661", "S-1-5" + "-1" * 16, "S-1-5-18-" + "1" * 5000,
    ],
)  # fmt: skip
def test_one_sid_has_one_spelling(text):
    """A SID is a key: two spellings of one account would be two accounts."""
    with pytest.raises(DescriptorMalformed, match="is no SID"):
        sid_bytes(text)


def test_nothing_follows_a_sid():
    with pytest.raises(DescriptorMalformed, match=r"4 bytes follow the SID S-1-1-0"):
        sid_text(sid_bytes("S-1-1-0") + bytes(4))


@given(st.binary(max_size=80))
def test_any_bytes_are_a_sid_or_refused(data):
    try:
        text = sid_text(data)
    except DescriptorMalformed:
        return
    assert sid_bytes(text) == data


SIDS = st.builds(
    lambda authority, numbers: struct.pack(">BBHI", 1, len(numbers), authority >> 32, authority & 0xFFFFFFFF)
    + struct.pack(f"<{len(numbers)}I", *numbers),
    st.one_of(st.integers(0, 22), st.integers(0, (1 << 48) - 1)),
    st.lists(st.integers(0, (1 << 32) - 1), max_size=15),
)  # fmt: skip


@given(SIDS)
def test_sids_come_back(sid):
    assert sid_bytes(sid_text(sid)) == sid


# Round trips: the tests write descriptors and read the text form on their own.

GUIDS = st.none() | st.uuids()
GRANTING = {0: "A", 1: "D", 9: "XA", 10: "XD"}
FOR_OBJECTS = {5: "OA", 6: "OD", 11: "ZA", 12: "0x0c"}
OTHER = [number for number in range(256) if number not in GRANTING and number not in FOR_OBJECTS]
MASKS = st.one_of(
    st.integers(0, (1 << 32) - 1),
    st.sampled_from(
        [
            0,
            0x1F01FF,
            0x120089,
            0x120116,
            0x1200A0,
            0x1200A9,
            0x1301BF,
            0xF01FF,
            0x10000000,
            0xA0000000,
        ]
    ),
)
TAILS = st.binary(max_size=12)
ENTRIES = st.one_of(
    st.tuples(st.sampled_from([*GRANTING]), st.integers(0, 255), MASKS, st.none(), st.none(), SIDS, TAILS),
    st.tuples(st.sampled_from([*FOR_OBJECTS]), st.integers(0, 255), MASKS, GUIDS, GUIDS, SIDS, TAILS),
    st.tuples(st.sampled_from(OTHER), st.integers(0, 255), st.binary(max_size=40)),
)  # fmt: skip


def packed_entry(entry) -> bytes:
    kind, flags, *rest = entry
    if len(rest) == 1:
        body = rest[0]
    else:
        mask, guid, inherited, sid, tail = rest
        body = struct.pack("<I", mask)
        if kind in FOR_OBJECTS:
            body += struct.pack("<I", bool(guid) + 2 * bool(inherited))
            body += b"".join(one.bytes_le for one in (guid, inherited) if one)
        body += sid + tail
    return struct.pack("<BBH", kind, flags, 4 + len(body)) + body


def packed(owner, group, entries, control=0) -> bytes:
    """A descriptor; `entries` None for no list."""
    body, places = b"", []
    acl = None
    if entries is not None:
        content = b"".join(map(packed_entry, entries))
        acl = struct.pack("<BBHHH", 4, 0, 8 + len(content), len(entries), 0) + content
    for part in (owner, group, acl):
        places.append(20 + len(body) if part else 0)
        body += part or b""
    return (
        struct.pack("<BBHIIII", 1, 0, 0x8004 | control, places[0], places[1], 0, places[2]) + body
    )


LETTERS = ["CC", "DC", "LC", "SW", "RP", "WP", "DT", "LO", "CR"]
RIGHTS = {
    **{letters: 1 << bit for bit, letters in enumerate(LETTERS)},
    "SD": 1 << 16, "RC": 1 << 17, "WD": 1 << 18, "WO": 1 << 19, "GA": 1 << 28, "GX": 1 << 29, "GW": 1 << 30,
    "GR": 1 << 31, "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
}  # fmt: skip
FLAGS = {
    letters: 1 << bit
    for bit, letters in enumerate(["OI", "CI", "NP", "IO", "ID", "CR", "SA", "FA"])
}


def bits(text: str, names: dict[str, int]) -> int:
    return (
        int(text, 16)
        if text.startswith("0x")
        else sum(names[two] for two in re.findall("..", text))
    )


def read_entry(text: str):
    kind_text, flags, *rest = text.split(";")
    kinds = {letters: kind for kind, letters in {**GRANTING, **FOR_OBJECTS}.items()}
    if kind_text not in kinds:
        return int(kind_text, 16), bits(flags, FLAGS), bytes.fromhex(rest[0].removeprefix("0x"))
    mask, guid, inherited, sid, *tail = rest
    return (
        kinds[kind_text], bits(flags, FLAGS), bits(mask, RIGHTS),
        UUID(guid) if guid else None, UUID(inherited) if inherited else None, sid_bytes(sid),
        bytes.fromhex(tail[0].removeprefix("0x")) if tail else b"",
    )  # fmt: skip


@given(st.none() | SIDS, st.none() | SIDS, st.lists(ENTRIES, max_size=8))
@example(None, None, [])
def test_nothing_of_the_permissions_is_lost(owner, group, entries):
    found = parse(packed(owner, group, entries))
    assert [read_entry(text) for text in re.findall(r"\(([^)]*)\)", found.dacl)] == entries
    assert (found.owner_sid, found.group_sid) == (
        owner and sid_text(owner),
        group and sid_text(group),
    )
    assert found.denies is any(entry[0] in (1, 6, 10, 12) for entry in entries)


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (0, "D:"),
        (0x1000, "D:P"),
        (0x400, "D:AI"),
        (0x1400, "D:PAI"),
        (0x1500, "D:PARAI"),
        (0x0A3B, "D:"),
    ],
)
def test_protected_and_inherited(control, expected):
    """The flags of the audit list and of defaults are none of ours."""
    assert parse(packed(None, None, [], control)).dacl == expected
    assert parse(packed(None, None, None, control)).dacl == expected + "NO_ACCESS_CONTROL"


def test_what_was_not_sent_is_not_known():
    """No list of permissions in the answer (nobody asked) is neither 'nobody' nor 'everybody'."""
    assert parse(struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0)) == Security(
        None, None, None, False
    )
    assert parse(struct.pack("<BBHIIII", 1, 0, 0x9400, 0, 0, 0, 999)).dacl is None


# Hostile input


def spoiled(data: bytes, at: int, value: str) -> bytes:
    new = bytes.fromhex(value)
    return data[:at] + new + data[at + len(new) :]


EVERYBODY = packed(
    bytes.fromhex("010100000000000100000000"),
    None,
    [(0, 0, 1, None, None, bytes.fromhex("010100000000000100000000"), b"")],
)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "of 0 bytes is cut off"),
        (MICROSOFT[:19], "of 19 bytes is cut off"),
        (spoiled(EVERYBODY, 0, "02"), "revision 2"),
        (spoiled(EVERYBODY, 2, "0400"), "control 0x0004"),
        (spoiled(EVERYBODY, 4, "ffffffff"), "at byte 4294967295 a SID"),
        (spoiled(EVERYBODY, 4, "3b000000"), "at byte 59 a SID of 8 bytes ends behind byte 60 of 60"),
        (spoiled(EVERYBODY, 4, "13000000"), "points into its own header"),
        (spoiled(EVERYBODY, 20, "02"), "revision 2 with 1 numbers"),
        (spoiled(EVERYBODY, 21, "10"), "with 16 numbers"),
        (spoiled(EVERYBODY, 21, "0f"), "a SID of 68 bytes ends behind"),
        (spoiled(EVERYBODY, 16, "3c000000"), "at byte 60 the permissions"),
        (spoiled(EVERYBODY, 32, "05"), "permissions of revision 5"),
        (spoiled(EVERYBODY, 34, "0700"), "in 7 bytes"),
        (spoiled(EVERYBODY, 34, "ffff"), "the permissions of 65535 bytes ends behind"),
        (spoiled(EVERYBODY, 36, "0200"), "at byte 60 a permission of 4 bytes ends behind byte 60"),
        (spoiled(EVERYBODY, 42, "0000"), "at byte 40 a permission of 0 bytes"),
        (spoiled(EVERYBODY, 42, "1500"), "a permission of 21 bytes ends behind"),
        (spoiled(EVERYBODY, 42, "0400"), "a permission of 8 bytes ends behind byte 44"),
        (spoiled(EVERYBODY, 42, "0c00"), "at byte 48 a SID of 8 bytes ends behind byte 52"),
        (spoiled(EVERYBODY, 40, "05000800"), "at byte 48 an object permission of 4 bytes ends behind byte 48"),
        (spoiled(EVERYBODY, 40, "0500140001000000" "01000000"), "at byte 52 an object permission of 16 bytes ends behind byte 60"),
        (spoiled(EVERYBODY, 40, "0500140001000000" "04000000"), "an object permission with flags 0x4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_malformed_descriptors_are_named(data, what):
    with pytest.raises(DescriptorMalformed, match=re.escape(what)) as error:
        parse(data)
    assert isinstance(error.value, ValueError)


@given(st.binary(max_size=120))
def test_any_bytes_are_parsed_or_refused(data):
    for content in (data, b"\x01\0\x04\x80" + data):
        try:
            parse(content)
        except DescriptorMalformed as error:
            assert str(error)


@given(
    st.sampled_from([MICROSOFT, *(bytes.fromhex(sent) for sent, _ in SAMBA.values())]),
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=4),
    st.integers(0, 255),
)
def test_damaged_descriptors_are_parsed_or_refused(data, changes, size):
    damaged = bytearray(data)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    for content in (bytes(damaged), bytes(damaged[:size])):
        try:
            found = parse(content)
        except DescriptorMalformed as error:
            assert str(error)
        else:
            assert len(found.dacl or "") < 8 * len(content) + 100


def test_the_largest_list_is_read_once():
    """16,000 entries of no content in 64 KiB; one more than there are is refused."""
    count = (0xFFFF - 8) // 4
    data = bytearray(packed(None, None, []) + struct.pack("<BBH", 3, 0, 4) * count)
    struct.pack_into("<HH", data, 22, 8 + 4 * count, count)
    assert parse(data).dacl == "D:" + "(0x03;;0x)" * count
    struct.pack_into("<H", data, 24, 0xFFFF)
    with pytest.raises(DescriptorMalformed, match="ends behind"):
        parse(data)


def test_the_number_of_a_descriptor():
    """63 bits of XXH3, whatever holds the bytes; one bit more or less is another number."""
    assert security_id(MICROSOFT) == xxhash.xxh3_64_intdigest(MICROSOFT) >> 1
    assert security_id(memoryview(MICROSOFT)) == security_id(MICROSOFT)
    numbers = {security_id(spoiled(MICROSOFT, at, "aa")) for at in range(len(MICROSOFT))}
    assert len(numbers) == len(MICROSOFT)
    assert all(0 <= number < 1 << 63 for number in numbers)
