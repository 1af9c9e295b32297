"""Room: whether a file is locked with a password, from what its format says of itself.

Sources: PKWARE APPNOTE 4.3.12, 4.4.4 (central directory, bit 0 of the general purpose flag); ISO
32000-1 7.5.5 (Encrypt in the trailer); MS-OFFCRYPTO 2.3.4 (EncryptedPackage stream); MS-DOC 2.5.2
(FibBase.fEncrypted); MS-XLS 2.4.117 (FilePass); MS-PPT 2.3.2 (headerToken of a locked document);
RAR 5.0 technical note (archive encryption header); 7zFormat.txt (AES coder 06F10701); RFC 4880 6.2.
"""

from __future__ import annotations

import io
import struct
from typing import Any

from migrate.mimetypes import OLE2_SIGNATURE

_PPT_ENCRYPTED = b"\xdf\xc4\xd1\xf3"


def is_encrypted(head: bytes, tail: bytes, whole: bytes | None, size_bytes: int) -> bool | None:
    """True or False where the format can tell, None where it cannot or we have too little of it.

    `head` and `tail` are the file's (both all of a small one), `whole` as much of an OLE2 file as
    was read."""
    if head.startswith(b"PK\x03\x04"):
        return _zip(tail, size_bytes)
    if head.startswith(b"%PDF-"):
        return _pdf(head + tail)
    if head.startswith(OLE2_SIGNATURE):
        return _ole2(whole or head)
    if head.startswith(b"Rar!\x1a\x07\x01\x00"):
        return head[13:14] == b"\x04" or None  # first block: archive encryption header
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        return b"\x06\xf1\x07\x01" in tail or None
    if head.startswith(b"-----BEGIN PGP MESSAGE-----"):
        return True
    return None


def _pdf(seen: bytes) -> bool | None:
    """A trailer (or the stream that replaces it since PDF 1.5) says so, if we have seen one."""
    if b"/Encrypt" in seen:
        return True
    return False if b"trailer" in seen or b"/XRef" in seen else None


def _zip(tail: bytes, size_bytes: int) -> bool | None:
    """Whether any member is encrypted, from the central directory at the end; None if that is
    not all in `tail` and what is there is open."""
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        return None
    length, offset = struct.unpack_from("<II", tail, end + 12)
    start = offset - (size_bytes - len(tail))
    complete = 0 <= start <= end - length
    at = start if complete else tail.find(b"PK\x01\x02")
    while at >= 0 and tail[at : at + 4] == b"PK\x01\x02" and at + 46 <= end:
        flags, name, extra, comment = struct.unpack_from("<8xH18xHHH", tail, at)
        if flags & 1:
            return True
        at += 46 + name + extra + comment
    return False if complete and at == start + length else None


def _ole2(content: bytes) -> bool | None:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(content), raise_defects=olefile.DEFECT_INCORRECT) as ole:
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
