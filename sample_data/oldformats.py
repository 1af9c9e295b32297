"""Makers of old, odd and machine-made files, in bytes written by hand; stdlib only."""

from __future__ import annotations

import base64
import io
import math
import struct
import wave
from collections.abc import Sequence
from datetime import datetime


def wordperfect(text: str) -> bytes:
    """Return a WordPerfect 5.1 document: a 16-byte header, then the text."""
    head = b"\xffWPC" + struct.pack("<IBBBBHH", 16, 1, 10, 0, 1, 0, 0)
    return head + text.encode("ascii")


def lotus(rows: Sequence[tuple[str, float]]) -> bytes:
    """Return a Lotus 1-2-3 worksheet (.wk1) of labels in column A, numbers in column B."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    out = record(0x00, struct.pack("<H", 0x0406))
    out += record(0x06, struct.pack("<HHHH", 0, 0, 1, len(rows) - 1))
    for number, (label, value) in enumerate(rows):
        text = b"'" + label.encode("ascii") + b"\0"
        out += record(0x0F, struct.pack("<BHH", 0xFF, 0, number) + text)
        out += record(0x0E, struct.pack("<BHHd", 0xFF, 1, number, value))
    return out + record(0x01, b"")


def dbase(fields: Sequence[tuple[str, int]], rows: Sequence[Sequence[str]]) -> bytes:
    """Return a dBase III table of character fields."""
    width = 1 + sum(size for _, size in fields)
    head = struct.pack("<BBBBIHH20x", 3, 98, 3, 31, len(rows), 33 + 32 * len(fields), width)
    for name, size in fields:
        head += struct.pack("<11scIBB14x", name.encode("ascii"), b"C", 0, size, 0)
    lines = (
        " " + "".join(v.ljust(size) for v, (_, size) in zip(row, fields, strict=True))
        for row in rows
    )
    return head + b"\r" + "".join(lines).encode("ascii") + b"\x1a"


def rtf(title: str, paragraphs: Sequence[str]) -> bytes:
    """Return a Rich Text document."""
    body = "".join(f"{text}\\par\n" for text in paragraphs)
    text = "{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}\n{\\b " + title + "}\\par\n" + body + "}"
    escaped = "".join(c if ord(c) < 128 else f"\\u{ord(c)}?" for c in text)
    return escaped.encode("ascii")


def html(title: str, body: str) -> bytes:
    """Return a web page."""
    page = f"<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'><title>{title}</title>"
    return f"{page}</head>\n<body><h1>{title}</h1>\n{body}\n</body></html>\n".encode()


def calendar(title: str, when: datetime) -> bytes:
    """Return an iCalendar file with one meeting of an hour."""
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Prisons and Courts Directorate//Diary//EN",
        "BEGIN:VEVENT",
        f"UID:{when:%Y%m%d%H%M}@pcd.example",
        f"DTSTAMP:{when:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{when:%Y%m%dT%H%M%SZ}",
        "DURATION:PT1H",
        f"SUMMARY:{title}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "".join(line + "\r\n" for line in lines).encode()


def sound(hertz: int = 440) -> bytes:
    """Return a fifth of a second of a tone, as a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as tape:
        tape.setnchannels(1)
        tape.setsampwidth(1)
        tape.setframerate(8000)
        steps = (128 + round(90 * math.sin(2 * math.pi * hertz * n / 8000)) for n in range(1600))
        tape.writeframes(bytes(steps))
    return out.getvalue()


def music(title: str) -> bytes:
    """Return a quarter of a second of silence, as an MP3 file with a title tag."""
    frame = b"\xff\xfb\x10\xc4" + bytes(100)
    return frame * 10 + b"TAG" + title.encode("ascii").ljust(124, b"\0") + b"\xff"


def program(name: str) -> bytes:
    """Return a DOS program stub: the header of an .exe, and a message; it does nothing."""
    head = struct.pack("<2s13H", b"MZ", 128, 1, 0, 4, 0, 0xFFFF, 0, 0xB8, 0, 0, 0, 0x40, 0)
    code = bytes.fromhex("0e1fba0e00b409cd21b8014ccd21")
    message = f"This program cannot be run in DOS mode. {name}\r\n$".encode("ascii")
    return (head.ljust(64, b"\0") + code + message).ljust(256, b"\0")


def certificate_store() -> bytes:
    """Return an empty PKCS#12 store (.pfx): the right structure, with no key inside."""
    return base64.b64decode("MBgCAQMwEwYJKoZIhvcNAQcBoAYEBDACMAA=")


def owner_file(user: str) -> bytes:
    """Return the 162-byte lock file Office leaves beside an open document."""
    wide = user.encode("utf-16-le")
    narrow = bytes([len(user)]) + user.encode("ascii").ljust(53)
    return narrow + struct.pack("<H", len(user)) + wide.ljust(106, b"\0")


def finder_file() -> bytes:
    """Return an AppleDouble file: what macOS leaves as `._name` on other systems' drives."""
    entries = struct.pack(">IIIIII", 9, 50, 32, 2, 82, 0)
    return struct.pack(">II16xH", 0x00051607, 0x00020000, 2) + entries + bytes(32)


def folder_settings() -> bytes:
    """Return a .DS_Store header with no entries."""
    return b"\x00\x00\x00\x01Bud1" + struct.pack(">III", 0x1000, 0x800, 0x1000) + bytes(44)


def shortcut() -> bytes:
    """Return a Windows shortcut (.lnk) to nothing."""
    identity = bytes.fromhex("0114020000000000c000000000000046")
    return struct.pack("<I", 76) + identity + bytes(56)
