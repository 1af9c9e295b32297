"""Room: names. What they are on the share, what people see, and what a target can hold.

A path below a share is bytes with '/' between names; its text shows undecodable bytes as \\xNN.
Never: compare two target names otherwise than the target will (case folded, NFC).
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from migrate.errors import MigrateError


def to_text(raw: bytes) -> str:
    """What a person sees; not always enough to find the file again, see `needs_raw`."""
    return raw.decode("utf-8", "backslashreplace")


def needs_raw(raw: bytes, text: str) -> bool:
    """Whether `text` does not give the bytes back, so that they have to be kept beside it."""
    return text.encode("utf-8", "surrogatepass") != raw


def to_raw(text: str, path_raw: bytes | None) -> bytes:
    """The bytes of a row's path: `path_raw` where the text does not say it all."""
    return text.encode() if path_raw is None else path_raw


def printable(text: str) -> str:
    """For terminals and logs: control and direction characters are shown as escapes, so that a
    name can neither move the cursor nor pretend to be another."""
    if text.isprintable():
        return text
    return "".join(
        _escape(char)
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") or char in "\ufffe\uffff"
        else char
        for char in text
    )


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def extension(name: str) -> str:
    """Lower-case, without the dot; '' for none and for a name that only starts with a dot."""
    stem, dot, ext = name.rpartition(".")
    return ext.lower() if dot and stem else ""


def native(root: str, path_raw: bytes) -> bytes | str:
    """The path the operating system opens. Windows gets the \\\\?\\ form, which alone may be longer
    than 260 characters and end in a dot or a space."""
    if os.name != "nt":
        return os.fsencode(root) + (b"/" + path_raw if path_raw else b"")
    full = os.path.abspath(root)  # noqa: PTH100 - must not resolve links
    if path_raw:
        full = full.rstrip("\\") + "\\" + os.fsdecode(path_raw).replace("/", "\\")
    if full.startswith("\\\\?\\"):
        return full
    return "\\\\?\\UNC\\" + full[2:] if full.startswith("\\\\") else "\\\\?\\" + full


_CREDENTIALS = re.compile(r"(://)(?:[^/@]*:.*|[^/]*)@")


def without_credentials(text: str) -> str:
    """A URL (or a word of a command line) without the user and password before its host."""
    return _CREDENTIALS.sub(r"\1", text)


class PathEscapes(MigrateError):
    """A path would leave the folder it belongs in."""


def inside(root: Path, relative: str) -> Path:
    """`root`/`relative`, refused if any part of it could lead elsewhere.

    Errors: PathEscapes for absolute paths, '..', empty names, NUL, and symlinks on the way."""
    parts = relative.split("/")
    unsafe = "\0\\:" if isinstance(root, PureWindowsPath) else "\0\\"  # C:name, name:stream
    if any(part in ("", ".", "..") or any(char in part for char in unsafe) for part in parts):
        raise PathEscapes(f"{printable(relative)!r} is no path below {root}")
    place = root
    for part in parts[:-1]:
        place = place / part
        if place.is_symlink():
            raise PathEscapes(f"{place} is a symbolic link; nothing is written through it")
    return place / parts[-1]


_DEVICE_NAMES = {"con", "prn", "aux", "nul", "clock$"} | {
    f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789¹²³"
}


class NameRules(NamedTuple):
    """What a target store accepts as names.

    Sources: Microsoft, "Naming Files, Paths, and Namespaces" (Windows); Microsoft Support,
    "Restrictions and limitations in OneDrive and SharePoint" (SharePoint)."""

    forbidden: str
    reserved_names: frozenset[str]
    reserved_parts: tuple[str, ...]
    reserved_starts: tuple[str, ...]
    trims_leading_space: bool
    max_name: int  # UTF-16 units
    max_path: int


NAME_RULES = {
    "windows": NameRules('"*:<>?|\\', frozenset(_DEVICE_NAMES), (), (), False, 255, 32_000),
    "sharepoint": NameRules(
        '"*:<>?|\\',
        frozenset(_DEVICE_NAMES | {".lock", "desktop.ini"}),
        ("_vti_",),
        ("~$",),
        True,
        255,
        400,
    ),
}


def utf16_length(text: str) -> int:
    """Windows and SharePoint count UTF-16 units, not characters."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def target_name(name: str, rules: NameRules) -> tuple[str, list[str]]:
    """A name the target accepts, and what had to be changed for it (empty: nothing)."""
    changes = []
    new = unicodedata.normalize("NFC", name)
    if new != name:
        changes.append("accents composed")
    kept = "".join("_" if _unfit(char, rules) else char for char in new)
    if kept != new:
        changes.append("characters replaced")
    trimmed = kept.rstrip(". ")
    trimmed = trimmed.lstrip(" ") if rules.trims_leading_space else trimmed
    if trimmed != kept:
        changes.append("space or dot at an end removed")
    new = trimmed or "_"
    if utf16_length(new) > rules.max_name:
        new = shorten(new, rules.max_name - 1)  # room for the underscore below
        changes.append("shortened")
    if _reserved(new, rules):
        new = "_" + re.sub("(?i)_vti_", "_vti-", new)
        changes.append("reserved name")
    return new, changes


def _unfit(char: str, rules: NameRules) -> bool:
    # Surrogates cannot be written as UTF-8; control characters are refused by every target.
    return char in rules.forbidden or unicodedata.category(char) in ("Cc", "Cs")


def _reserved(name: str, rules: NameRules) -> bool:
    folded = name.casefold()
    return (
        folded in rules.reserved_names
        or folded.split(".")[0].rstrip() in _DEVICE_NAMES
        or any(part in folded for part in rules.reserved_parts)
        or folded.startswith(rules.reserved_starts)
    )


def shorten(name: str, limit: int, suffix: str = "") -> str:
    """`name` with `suffix` before its extension, cut in the stem to `limit` UTF-16 units."""
    stem, dot, ext = name.rpartition(".")
    if not stem or utf16_length(ext) > 20:
        stem, dot, ext = name, "", ""
    tail = suffix + dot + ext
    while stem and utf16_length(stem + tail) > limit:
        stem = stem[:-1]
    return (stem.rstrip(". ") or "_") + tail


def collision_key(target_path: str) -> str:
    """Two paths with the same key are one path to a target that ignores case and Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", target_path).casefold())


def pack_folder() -> Path:
    """The rules that come with the package: inside it in a wheel, beside it in a checkout."""
    inside = Path(__file__).parent / "rules"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "rules"
