r"""Room: where a shortcut points.

In: the bytes of a .lnk, .url or .webloc file. Out: its target as Windows writes it
(`\\server\share\folder\name`, `S:\folder\name`) or as a web address. Every length in the file is
checked against what is there.
Sources: [MS-SHLLINK] 2.1 (header), 2.2 (LinkTargetIDList), 2.3 (LinkInfo), 2.5.4 (environment
variable block); Windows internet shortcuts are .ini files; .webloc are property lists with `URL`.
"""

from __future__ import annotations

import plistlib
import re
import struct
from urllib.parse import unquote

EXTENSIONS = ["lnk", "url", "webloc"]
MOST_BYTES = 1 << 20
MOST_LETTERS = 4096  # of a target; Windows stops at 32,767 and people long before

_LNK = bytes.fromhex("4c0000000114020000000000c000000000000046")
_HAS_ID_LIST, _HAS_LINK_INFO, _UNICODE = 1, 2, 0x80
_STRINGS = (0x04, 0x08, 0x10, 0x20, 0x40)  # flags of the strings before the extra data
_ENVIRONMENT = 0xA0000001


class Damaged(Exception):
    """Not a shortcut that can be read."""


def target(content: bytes, ext: str) -> str | None:
    """Where it points; None where it does not say (a printer, a control panel).

    Errors: Damaged."""
    try:
        found = {"lnk": _lnk, "url": _url, "webloc": _webloc}[ext](content)
    except Damaged:
        raise
    except Exception:  # lengths that lead nowhere, and plistlib's errors of many kinds
        raise Damaged from None
    clean = re.sub(r"[\x00-\x1f]", "", found or "").strip()
    return _as_path(clean)[:MOST_LETTERS] or None


def _as_path(text: str) -> str:
    r"""file:///S:/a%20b and file://server/share as Windows writes them."""
    found = re.match(r"(?i)file:(/{2,})", text)
    if not found:
        return text
    path = unquote(text[found.end() :], errors="backslashreplace").replace("/", "\\")
    return path if re.match(r"[A-Za-z]:", path) else "\\\\" + path.lstrip("\\")


def _lnk(content: bytes) -> str | None:
    if not content.startswith(_LNK) or len(content) < 76:
        raise Damaged
    flags = _number(content, 20)
    at = 76
    if flags & _HAS_ID_LIST:
        at += 2 + _number(content, at, "<H")
    if flags & _HAS_LINK_INFO:
        size = _number(content, at)
        if found := _link_info(_slice(content, at, size)):
            return found
        at += size
    for flag in _STRINGS:
        if flags & flag:
            letters = _number(content, at, "<H")
            at += 2 + letters * (2 if flags & _UNICODE else 1)
    return _environment(content, at)


def _link_info(info: bytes) -> str | None:
    """The path on a network share or a local disk."""
    flags, volume, base, network, suffix = (_number(info, at) for at in (8, 12, 16, 20, 24))
    wide = _number(info, 4) >= 0x24
    rest = _wide(info, _number(info, 32)) if wide else _narrow(info, suffix)
    if flags & 2:  # CommonNetworkRelativeLinkAndPathSuffix
        net = _slice(info, network, _number(info, network))
        name = _number(net, 8)
        share = _wide(net, _number(net, 20)) if name > 0x14 else _narrow(net, name)
        return _joined(share, rest)
    if flags & 1 and volume:  # VolumeIDAndLocalBasePath
        local = _wide(info, _number(info, 28)) if wide else _narrow(info, base)
        return _joined(local, rest)
    return None


def _joined(first: str, rest: str) -> str:
    return first.rstrip("\\") + "\\" + rest if rest else first


def _environment(content: bytes, at: int) -> str | None:
    """The target in the environment variable block, if there is one."""
    while at + 4 <= len(content) and (size := _number(content, at)) >= 8:
        if _number(content, at + 4) == _ENVIRONMENT:
            return _wide(_slice(content, at, size), 268)
        at += size
    return None


def _number(content: bytes, at: int, form: str = "<I") -> int:
    if at + struct.calcsize(form) > len(content):
        raise Damaged
    return int(struct.unpack_from(form, content, at)[0])


def _slice(content: bytes, at: int, size: int) -> bytes:
    if at + size > len(content):
        raise Damaged
    return content[at : at + size]


def _narrow(content: bytes, at: int) -> str:
    """Text of one byte a letter, in the code page of western Windows, up to its zero."""
    if not 0 < at < len(content):
        raise Damaged
    return content[at:].partition(b"\0")[0].decode("cp1252", "replace")


def _wide(content: bytes, at: int) -> str:
    """UTF-16 text up to its zero."""
    if not 0 < at < len(content):
        raise Damaged
    return content[at:].decode("utf-16-le", "ignore").partition("\0")[0]


def _url(content: bytes) -> str | None:
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content.decode("utf-16" if wide else "cp1252", "replace")
    found = re.search(r"(?mi)^[ \t]*URL[ \t]*=([^\r\n]*)", text)
    return found[1] if found else None


def _webloc(content: bytes) -> str | None:
    return str(plistlib.loads(content).get("URL") or "")
