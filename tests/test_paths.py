"""Names: bytes that come back, escapes that hide nothing, joins that stay inside."""

from __future__ import annotations

import ntpath
import os
import unicodedata
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate import paths
from migrate.paths import (
    PathEscapes,
    collision_key,
    extension,
    inside,
    native,
    needs_raw,
    printable,
    to_raw,
    to_text,
)

# Names as a Linux server may hold them: any bytes but '/' and NUL, and rather often nasty ones.
name_bytes = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).map(str.encode),
    st.lists(
        st.sampled_from(
            [b"a", b"\xff", b"\\xff", b"\\", b"x", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xe2\x80\xae",
             b"\n", b"\x1b[2J", b".", b" ", b"\xf0\x9f\x93\x85", b"\xc0\xaf", b"/"]
        ), min_size=1, max_size=12,
    ).map(b"".join),
)  # fmt: skip


@given(name_bytes)
def test_any_bytes_come_back_from_their_row(raw):
    """Whatever bytes a name has, `path` and (only where needed) `path_raw` give them back."""
    text = to_text(raw)
    kept = raw if needs_raw(raw, text) else None
    assert to_raw(text, kept) == raw


@given(name_bytes)
def test_text_of_any_bytes_can_be_stored(raw):
    """The text form is always valid UTF-8: Parquet, JSON and workbooks can hold it."""
    assert to_text(raw).encode("utf-8", "strict")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_plain_utf8_names_need_no_raw_bytes(text):
    """A name that is valid UTF-8 is kept once, as text, also with a backslash in it."""
    assert to_text(text.encode()) == text
    assert not needs_raw(text.encode(), text)


@pytest.mark.parametrize(
    ("raw", "shown", "kept"),
    [
        (b"caf\xe9.txt", "caf\\xe9.txt", True),
        (b"caf\\xe9.txt", "caf\\xe9.txt", False),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80", True),
        (b"\xc0\xaf", "\\xc0\\xaf", True),
    ],
)
def test_two_names_with_one_text_are_still_two(raw, shown, kept):
    """A Latin-1 name and a name with a written-out escape look alike; only one needs its bytes."""
    assert to_text(raw) == shown
    assert needs_raw(raw, shown) is kept


HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text(max_size=60))
def test_printable_leaves_nothing_that_moves_the_cursor(text):
    """No control, direction, format or surrogate character survives, and all else is unchanged."""
    shown = printable(text)
    assert not any(unicodedata.category(char) in HIDDEN for char in shown)
    shown.encode("utf-8", "strict")
    if not any(unicodedata.category(char) in HIDDEN for char in text):
        assert shown == text


@pytest.mark.parametrize(
    "char", [*BIDI, "\x1b", "\n", "\r", "\x7f", "\x9b", "\u2028", "\ud800", "\ufeff"]
)
def test_printable_shows_each_trick_character_as_an_escape(char):
    """Each character that can forge a name or a terminal line is written out in ASCII."""
    shown = printable(f"gpj{char}exe")
    assert shown.isascii()
    assert shown.startswith("gpj\\")
    assert shown.endswith("exe")


def test_printable_escapes_above_the_first_plane_are_unambiguous():
    """U+E0041 (a tag character) is not shown as U+E004 followed by '1'."""
    assert printable("\U000e0041") == "\\U000e0041"


@pytest.mark.parametrize(
    ("name", "ext"),
    [
        ("a.PDF", "pdf"), ("a", ""), (".bashrc", ""), ("a.tar.gz", "gz"), ("a.", ""), (".", ""),
        ("..", ""), ("", ""), ("..a", "a"), (".a.b", "b"), ("a b.D oc", "d oc"), ("a\n.txt", "txt"),
        ("Überblick.ÄÖ", "äö"),
    ],
)  # fmt: skip
def test_extension(name, ext):
    """The part after the last dot in lower case; a leading dot makes no extension."""
    assert extension(name) == ext


def test_extension_is_the_one_that_rules_see():
    """The extension in Python and the one in queries are the same for all kinds of names."""
    import ibis

    from migrate.expressions import extension_of

    names = [
        "a.PDF",
        "a",
        ".bashrc",
        "a.tar.gz",
        "a.",
        ".",
        "..",
        "..a",
        ".a.b",
        "x\n.y\nz",
        "a.b.",
        "é.É",
    ]
    table = ibis.memtable({"name": names})
    got = ibis.duckdb.connect().to_pyarrow(table.select("name", ext=extension_of(table.name)))
    assert {row["name"]: row["ext"] for row in got.to_pylist()} == {n: extension(n) for n in names}


@pytest.fixture
def windows(monkeypatch):
    """`migrate.paths` believes to run on Windows; nothing else does."""
    fake = SimpleNamespace(
        name="nt",
        path=SimpleNamespace(abspath=ntpath.normpath),
        fsdecode=os.fsdecode,
        fsencode=os.fsencode,
    )
    monkeypatch.setattr(paths, "os", fake)


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("C:\\data", b"", "\\\\?\\C:\\data"),
        ("C:\\data", b"a/b.txt", "\\\\?\\C:\\data\\a\\b.txt"),
        ("C:/data/", b"a", "\\\\?\\C:\\data\\a"),
        ("C:\\", b"a", "\\\\?\\C:\\a"),
        ("\\\\fs1\\HR", b"", "\\\\?\\UNC\\fs1\\HR"),
        ("\\\\fs1\\HR\\", b"x/y", "\\\\?\\UNC\\fs1\\HR\\x\\y"),
        ("//fs1/HR", b"x", "\\\\?\\UNC\\fs1\\HR\\x"),
        ("\\\\?\\C:\\data", b"x", "\\\\?\\C:\\data\\x"),
        ("\\\\?\\UNC\\fs1\\HR", b"x", "\\\\?\\UNC\\fs1\\HR\\x"),
        ("C:\\d", b"ends with dot./ends with space ", "\\\\?\\C:\\d\\ends with dot.\\ends with space "),
        ("C:\\d", "é/日本".encode(), "\\\\?\\C:\\d\\é\\日本"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("windows")
def test_native_on_windows_is_the_long_form(root, path, expected):
    """Every path is opened in the \\\\?\\ form, also of a UNC share, with backslashes only."""
    assert native(root, path) == expected


@pytest.mark.usefixtures("windows")
def test_native_on_windows_keeps_very_long_paths():
    """A path of a thousand characters keeps every one of them behind the prefix."""
    path = b"/".join([b"f" * 100] * 10)
    assert native("C:\\d", path) == "\\\\?\\C:\\d\\" + path.decode().replace("/", "\\")


@given(st.binary(max_size=40).filter(lambda raw: b"\0" not in raw))
def test_native_elsewhere_is_the_bytes(raw):
    """On POSIX the path below the root is given to the system byte for byte."""
    expected = b"/mnt/share/" + raw if raw else b"/mnt/share"
    assert native("/mnt/share", raw) == expected


BAD = [
    "", "/", "/etc/passwd", "..", "../x", "a/../x", "a/..", ".", "./a", "a/./b", "a//b", "a/", "//a",
    "a\\b", "..\\x", "C:\\x", "\\\\fs1\\x", "a\0b", "\0", "a/b\0",
]  # fmt: skip


@pytest.mark.parametrize("relative", BAD)
def test_inside_refuses(tmp_path, relative):
    """Absolute paths, '..', empty names, backslashes and NUL never become a path."""
    with pytest.raises(PathEscapes):
        inside(tmp_path, relative)


@given(st.text(st.sampled_from("ab./\\\0 ~:é"), max_size=12))
def test_inside_stays_inside(relative):
    """Whatever is asked for is refused, or lies below the root."""
    root = Path("/nonexistent/store")
    try:
        place = inside(root, relative)
    except PathEscapes:
        return
    assert Path(os.path.normpath(place)).is_relative_to(root)
    assert os.path.normpath(place) != str(root)


def test_inside_refuses_symlinked_parents(tmp_path):
    """A symbolic link on the way is refused at any depth, also one that points back inside."""
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "out").symlink_to("/tmp")
    (tmp_path / "real" / "deep" / "back").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for relative in ("out/x", "out/y/z", "real/deep/back/x", "dangling/x"):
        with pytest.raises(PathEscapes):
            inside(tmp_path, relative)
    assert inside(tmp_path, "real/deep/x") == tmp_path / "real" / "deep" / "x"


def test_inside_a_root_that_is_itself_a_link(tmp_path):
    """The root may be a link: it was named by a person."""
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert inside(tmp_path / "root", "a/b") == tmp_path / "root" / "a" / "b"


@pytest.mark.parametrize("relative", ["C:evil.txt", "a/C:evil.txt", "file.txt:stream"])
def test_inside_refuses_windows_drives_and_streams(relative):
    """On Windows a name with a colon is another drive or an alternate stream, never a file below."""
    with pytest.raises(PathEscapes):
        found = inside(_WindowsRoot("D:\\store"), relative)
        assert str(found).startswith("D:\\store\\"), found
        assert ":" not in str(found)[2:], found


class _WindowsRoot(PureWindowsPath):
    def is_symlink(self):
        return False


letters = st.text(st.sampled_from("abcxyzåéüñçøßŸĳÅÉÜΑΩЖжœ\u0301\u0308\u030a-_ 012"), max_size=20)


@given(letters)
def test_collision_key_ignores_unicode_form(text):
    """NFC and NFD of one name are one name to the target, however they are cased."""
    keys = {
        collision_key(unicodedata.normalize(form, cased))
        for form in ("NFC", "NFD")
        for cased in (text, text.upper(), text.lower(), text.casefold())
    }
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Finance/SUMMARY.xlsx", "finance/Summary.XLSX"),
        ("Café", "CAFE\u0301"),
        ("STRASSE", "straße"),
        ("Å", "\u212b"),
        ("ΟΔΟΣ", "οδος"),
    ],
)
def test_collision_key_pairs(one, other):
    """Names that a case-insensitive target takes for one have one key."""
    assert collision_key(one) == collision_key(other)


def test_collision_key_keeps_others_apart():
    """Accents, spaces and different letters still make different names."""
    names = ["a", "á", "a ", "a/b", "ab", "ä", "æ", "ae"]
    assert len({collision_key(name) for name in names}) == len(names)
