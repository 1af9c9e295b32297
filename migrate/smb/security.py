"""Room: owner, group and permissions of a file, from the bytes a server keeps them in.

Source: [MS-DTYP] "Windows Data Types": 2.4.2 SID, 2.4.4 ACE, 2.4.5 ACL, 2.4.6 SECURITY_DESCRIPTOR,
2.5.1.1 the text form (SDDL); letters that are missing there are those of sddl.h in the Windows SDK.

The text form here has exactly one spelling for one list of entries, so that equal permissions are
equal strings: SIDs in full and never as aliases, flags and rights in the order of their bits. No
entry is lost: what SDDL has no words for is written in hexadecimal. The audit list (SACL), which
takes a privilege to ask for, is not looked at.
"""

from __future__ import annotations

import re
import struct
from uuid import UUID

import xxhash
from msgspec import Struct

Raw = bytes | memoryview


class DescriptorMalformed(ValueError):
    """A security descriptor or SID that cannot be one: what is wrong, and at which byte."""


class Security(Struct, frozen=True):
    """SIDs as S-1-...; None for what the descriptor does not have.

    `dacl`: who may do what, as SDDL: `D:`, flags, one (type;flags;rights;guid;guid;SID) an entry.
    `D:` with no entry lets nobody in, `D:NO_ACCESS_CONTROL` everybody, None was not sent.
    `denies`: an entry takes a right away, be it only from what inherits the entry."""

    owner_sid: str | None
    group_sid: str | None
    dacl: str | None
    denies: bool


def security_id(descriptor: Raw) -> int:
    """The number of a descriptor: 63 bits, as `model.entry_id` for paths. The same bytes are met
    on many files and need to be parsed and stored once."""
    return xxhash.xxh3_64_intdigest(descriptor) >> 1


_HEADER = struct.Struct("<BBHIIII")  # revision, -, control; offsets of owner, group, SACL, DACL
_DACL_PRESENT, _SELF_RELATIVE = 0x0004, 0x8000
_CONTROL_LETTERS = {0x1000: "P", 0x0100: "AR", 0x0400: "AI"}  # protected, to inherit, inherited


def parse(descriptor: Raw) -> Security:
    """A self-relative descriptor, as SMB2 QUERY_INFO answers ([MS-DTYP] 2.4.6).

    Errors: DescriptorMalformed."""
    if len(descriptor) < _HEADER.size:
        raise DescriptorMalformed(f"a security descriptor of {len(descriptor)} bytes is cut off")
    revision, _, control, owner_at, group_at, _, dacl_at = _HEADER.unpack_from(descriptor)
    if revision != 1 or not control & _SELF_RELATIVE:
        raise DescriptorMalformed(
            f"a security descriptor starts with revision {revision}, control 0x{control:04x}: "
            "expected revision 1, self-relative"
        )
    if any(0 < at < _HEADER.size for at in (owner_at, group_at, dacl_at)):
        raise DescriptorMalformed("a security descriptor points into its own header")
    dacl, denies = None, False
    if control & _DACL_PRESENT:
        entries, denies = _entries(descriptor, dacl_at) if dacl_at else ("NO_ACCESS_CONTROL", False)
        dacl = "D:" + _letters(control, _CONTROL_LETTERS) + entries
    return Security(
        _sid(descriptor, owner_at, len(descriptor))[0] if owner_at else None,
        _sid(descriptor, group_at, len(descriptor))[0] if group_at else None,
        dacl,
        denies,
    )


# SIDs ([MS-DTYP] 2.4.2)

_SID_HEAD_BYTES = 8  # revision, how many numbers follow, the authority in 6 bytes
_MAX_NUMBERS = 15
_NUMBER = "(?:0|[1-9][0-9]{0,9})"
_SID_TEXT = re.compile(rf"S-1-({_NUMBER}|0x[0-9A-F]{{12}})((?:-{_NUMBER}){{0,{_MAX_NUMBERS}}})")


def sid_text(sid: Raw) -> str:
    """S-1-5-21-... of a SID's bytes ([MS-DTYP] 2.4.2.2), nothing before or after them.

    Errors: DescriptorMalformed."""
    text, after = _sid(sid, 0, len(sid))
    if after != len(sid):
        raise DescriptorMalformed(f"{len(sid) - after} bytes follow the SID {text}")
    return text


def sid_bytes(text: str) -> bytes:
    """The bytes of a SID in the one spelling that `sid_text` gives ([MS-DTYP] 2.4.2.1).

    Errors: DescriptorMalformed."""
    found = _SID_TEXT.fullmatch(text)
    if not found:
        raise DescriptorMalformed(f"{text!r} is no SID: expected S-1- and numbers, as S-1-5-32-544")
    authority = int(found[1], 0)
    numbers = [int(number) for number in found[2].split("-")[1:]]
    if max(numbers, default=0) >> 32 or _authority_text(authority) != found[1]:
        raise DescriptorMalformed(f"{text!r} is no SID: a number is too large or written otherwise")
    head = struct.pack(">BB", 1, len(numbers)) + authority.to_bytes(6, "big")
    return head + struct.pack(f"<{len(numbers)}I", *numbers)


def _sid(data: Raw, at: int, end: int) -> tuple[str, int]:
    """The SID at a place that must end before `end`, and where it ends."""
    _need(data, at, _SID_HEAD_BYTES, end, "a SID")
    revision, count = data[at], data[at + 1]
    if revision != 1 or count > _MAX_NUMBERS:
        raise DescriptorMalformed(
            f"at byte {at} a SID of revision {revision} with {count} numbers: "
            f"expected revision 1, {_MAX_NUMBERS} numbers at most"
        )
    _need(data, at, _SID_HEAD_BYTES + 4 * count, end, "a SID")
    authority = _authority_text(int.from_bytes(data[at + 2 : at + 8], "big"))
    numbers = struct.unpack_from(f"<{count}I", data, at + _SID_HEAD_BYTES)
    return "-".join(("S-1", authority, *map(str, numbers))), at + _SID_HEAD_BYTES + 4 * count


def _authority_text(authority: int) -> str:
    return str(authority) if authority < 1 << 32 else f"0x{authority:012X}"


# Permissions ([MS-DTYP] 2.4.4, 2.4.5)

_ACL = struct.Struct("<BxHHxx")  # revision, size, count
_ACL_REVISIONS = (2, 3, 4)  # 3 is in no document, and Samba sends it
_ACE = struct.Struct("<BBH")  # type, flags, size
_ACE_HEAD_BYTES = 8  # the same and the rights
_TYPES = {  # Those that grant or deny; 0x0c has no letters in SDDL
    0x00: "A", 0x01: "D", 0x05: "OA", 0x06: "OD", 0x09: "XA", 0x0A: "XD", 0x0B: "ZA", 0x0C: "0x0c",
}  # fmt: skip
_DENYING = {0x01, 0x06, 0x0A, 0x0C}
_WITH_GUIDS = {0x05, 0x06, 0x0B, 0x0C}
_GUID_PRESENT = (1, 2)  # of what the entry is for; of what inherits it
_ACE_LETTERS = {
    0x01: "OI", 0x02: "CI", 0x04: "NP", 0x08: "IO", 0x10: "ID", 0x20: "CR", 0x40: "SA", 0x80: "FA",
}  # fmt: skip
_FILE_RIGHTS = {0x1F01FF: "FA", 0x120089: "FR", 0x120116: "FW", 0x1200A0: "FX"}
_RIGHTS = {
    0x1: "CC", 0x2: "DC", 0x4: "LC", 0x8: "SW", 0x10: "RP", 0x20: "WP", 0x40: "DT", 0x80: "LO",
    0x100: "CR", 0x10000: "SD", 0x20000: "RC", 0x40000: "WD", 0x80000: "WO",
    0x10000000: "GA", 0x20000000: "GX", 0x40000000: "GW", 0x80000000: "GR",
}  # fmt: skip
_LETTERED = sum(_RIGHTS)


def _entries(data: Raw, at: int) -> tuple[str, bool]:
    """The entries of the list at a place, as text, and whether one denies."""
    _need(data, at, _ACL.size, len(data), "the permissions")
    revision, size, count = _ACL.unpack_from(data, at)
    if revision not in _ACL_REVISIONS or size < _ACL.size:
        raise DescriptorMalformed(
            f"at byte {at} permissions of revision {revision} in {size} bytes: "
            f"expected revision 2 to 4, {_ACL.size} bytes at least"
        )
    _need(data, at, size, len(data), "the permissions")
    place, end = at + _ACL.size, at + size
    texts, types = [], set()
    for _ in range(count):
        _need(data, place, _ACE.size, end, "a permission")
        kind, flags, size = _ACE.unpack_from(data, place)
        if size < _ACE.size:
            raise DescriptorMalformed(f"at byte {place} a permission of {size} bytes")
        _need(data, place, size, end, "a permission")
        texts.append(_entry(data, place, place + size, kind, _letters(flags, _ACE_LETTERS)))
        types.add(kind)
        place += size
    return "".join(texts), not types.isdisjoint(_DENYING)


def _entry(data: Raw, at: int, end: int, kind: int, flags: str) -> str:
    """One entry ([MS-DTYP] 2.4.4.2 to 2.4.4.9). What stands behind its SID, such as the condition
    of a callback entry, is a seventh field in hexadecimal; so is the whole body of another type."""
    if kind not in _TYPES:
        return f"(0x{kind:02x};{flags};0x{data[at + _ACE.size : end].hex()})"
    _need(data, at, _ACE_HEAD_BYTES, end, "a permission")
    (rights,) = struct.unpack_from("<I", data, at + _ACE.size)
    guids, place = ["", ""], at + _ACE_HEAD_BYTES
    if kind in _WITH_GUIDS:
        guids, place = _guids(data, place, end)
    sid, place = _sid(data, place, end)
    rest = [f"0x{data[place:end].hex()}"] if place < end else []
    return f"({';'.join([_TYPES[kind], flags, _rights(rights), *guids, sid, *rest])})"


def _guids(data: Raw, at: int, end: int) -> tuple[list[str], int]:
    """Both GUIDs of an object entry, "" for what it has not, and where they end (2.4.4.3)."""
    _need(data, at, 4, end, "an object permission")
    (present,) = struct.unpack_from("<I", data, at)
    if present & ~sum(_GUID_PRESENT):
        raise DescriptorMalformed(f"at byte {at} an object permission with flags 0x{present:x}")
    place, found = at + 4, []
    for bit in _GUID_PRESENT:
        size = 16 if present & bit else 0
        _need(data, place, size, end, "an object permission")
        found.append(str(UUID(bytes_le=bytes(data[place : place + size]))) if size else "")
        place += size
    return found, place


def _rights(mask: int) -> str:
    """The name of all of them, else letters if there are letters for all, else hexadecimal."""
    if mask in _FILE_RIGHTS:
        return _FILE_RIGHTS[mask]
    return f"0x{mask:x}" if mask & ~_LETTERED or not mask else _letters(mask, _RIGHTS)


def _letters(bits: int, letters: dict[int, str]) -> str:
    return "".join(text for bit, text in letters.items() if bits & bit)


def _need(data: Raw, at: int, size: int, end: int, what: str) -> None:
    """Errors: DescriptorMalformed, unless so many bytes lie between a place and `end`."""
    if at + size > end:
        raise DescriptorMalformed(
            f"at byte {at} {what} of {size} bytes ends behind byte {end} of {len(data)}"
        )
