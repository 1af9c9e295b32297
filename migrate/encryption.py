"""Room: whether a file is locked with a password, from what its format says of itself.

Sources: PKWARE APPNOTE 4.4.4 (bit 0 of the general purpose flag); ISO 32000-1 7.5.5 (Encrypt in the
trailer); MS-OFFCRYPTO 2.3.4 (EncryptedPackage stream); MS-DOC 2.5.2 (FibBase.fEncrypted); MS-XLS
2.4.117 (FilePass); MS-PPT 2.3.2 (headerToken of an encrypted document); RAR 5.0 technical note;
7zFormat.txt (AES coder 06F10701 in the packed header's coder list); RFC 4880 4.2 (armour).
"""

from __future__ import annotations

import io
import struct
from typing import Any

from migrate.mimetypes import OLE2_SIGNATURE

_PPT_ENCRYPTED = b"\xdf\xc4\xd1\xf3"


def is_encrypted(head: bytes, tail: bytes, whole: bytes | None) -> bool | None:
    """True or False where the format can tell, None where it cannot or we have too little of it.

    `whole` is the file (or as much of it as was read) for OLE2 files."""
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    if head.startswith(b"%PDF-"):
        return b"/Encrypt" in tail or b"/Encrypt" in head
    if head.startswith(OLE2_SIGNATURE):
        return _ole2(whole or head)
    if head.startswith(b"Rar!\x1a\x07\x01\x00"):
        return head[13:14] == b"\x04" or None  # first block: archive encryption header
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        return b"\x06\xf1\x07\x01" in tail or None
    if head.startswith(b"-----BEGIN PGP MESSAGE-----"):
        return True
    return None


def _zip(head: bytes) -> bool | None:
    """Whether any member that begins within the head is encrypted (folders never are)."""
    offset, seen = 0, None
    while head[offset : offset + 4] == b"PK\x03\x04" and len(head) >= offset + 30:
        flags, packed, name, extra = struct.unpack_from("<6xH10xI4xHH", head, offset)
        if flags & 1:
            return True
        if packed or not head[offset + 30 : offset + 30 + name].endswith(b"/"):
            seen = False
        offset += 30 + name + extra + packed
    return seen


def _ole2(content: bytes) -> bool | None:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(content)) as ole:
            return _office(ole)
    except Exception:  # a damaged file: olefile's errors are of many kinds, and none is ours
        return None


def _office(ole: Any) -> bool | None:
    if ole.exists("EncryptedPackage"):
        return True
    if ole.exists("WordDocument"):
        flags = struct.unpack_from("<H", ole.openstream("WordDocument").read(12), 10)[0]
        return bool(flags & 0x0100)
    for name in ("Workbook", "Book"):
        if ole.exists(name):
            return _has_filepass(ole.openstream(name).read(4096))
    if ole.exists("Current User"):
        return bool(ole.openstream("Current User").read(16)[12:16] == _PPT_ENCRYPTED)
    return False


def _has_filepass(stream: bytes) -> bool:
    """FilePass, if there is one, stands among the first records, right after BOF."""
    offset = 0
    while offset + 4 <= len(stream):
        record, length = struct.unpack_from("<HH", stream, offset)
        if record == 0x002F:
            return True
        if record not in (0x0809, 0x0086):  # BOF, WriteProtect may come before it
            return False
        offset += 4 + length
    return False
