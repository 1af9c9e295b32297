"""What looks inside files, part by part: patterns, archives, shortcuts, the process with limits."""

from __future__ import annotations

import random
import struct
import sys
import time
from pathlib import Path

import pytest
from inside_files import docx, lnk, packed, pdf

from migrate.config import Config, Inspect, Share, checked
from migrate.engine.limited import Exceeded, Limited
from migrate.errors import MigrateError, RulesInvalid
from migrate.inside import archives, patterns, shortcuts, stage
from migrate.inside.text import COMMAND, SLOTS, plain_text, signature, type_of, wording
from migrate.yamlfile import parse_yaml


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AB 12 34 56 C", 1), ("ab123456c", 1), ("AB123456C and AB 12 34 56 C", 1),
        ("AB123456C, CE654321A", 2), ("QQ123456C", 0), ("BG123456A", 0), ("AO123456A", 0),
        ("ZZ123456D", 0), ("AB123456E", 0), ("XAB123456C", 0), ("AB1234567C", 0), ("", 0),
    ],
)  # fmt: skip
def test_national_insurance_numbers(text: str, expected: int) -> None:
    """Two letters that are given out, six digits, A to D; each number once, however written."""
    assert patterns.counts(text)["ni_numbers"] == expected


def test_nhs_check_digit_against_the_definition() -> None:
    """Of every ten tenth digits at most one is right, and it is that of modulus 11."""
    for first in ("999123456", "401023213", "943476591"):
        total = sum(int(d) * w for d, w in zip(first, range(10, 1, -1), strict=True))
        right = (11 - total % 11) % 11
        assert [d for d in range(10) if patterns.nhs_check(f"{first}{d}")] == [right][: right < 10]
    assert patterns.nhs_check("9434765919")  # the data dictionary's own example
    assert not patterns.nhs_check("9434765918")
    assert not patterns.nhs_check("0000000000")


def usable(count: int) -> list[str]:
    """Valid numbers; some stems have no check digit."""
    found = (n for i in range(9999) for d in range(10) if patterns.nhs_check(n := f"999{i:06d}{d}"))
    return [next(found) for _ in range(count)]


def test_nhs_numbers_need_the_word() -> None:
    """Near the word one is enough; far from it three; without it none; a column counts wholly."""
    one, two, three, *many = usable(40)

    def count(text: str) -> int:
        return patterns.counts(text)["nhs_numbers"]

    assert count(f"NHS number: {one[:3]} {one[3:6]} {one[6:]}") == 1
    assert count(f"Call {one}") == 0
    assert count(f"The NHS is large. {'x ' * 200} {one}") == 0
    assert count(f"The NHS is large. {'x ' * 200} {one} {two}") == 0
    assert count(f"The NHS is large. {'x ' * 200} {one} {two} {three}") == 3
    assert count("NHS no\n" + "\n".join(many)) == len(many)
    assert count(f"NHS {one} {one}") == 1
    assert count(f"NHS {int(one) + 1}") == 0
    assert count(f"NHS 1{one} {one}2 0-{one}") == 0


@pytest.mark.parametrize("kind", ["PNC", "CRO", "SF"])
def test_police_numbers_need_their_letter(kind: str) -> None:
    """Only the right one of 23 letters makes a PNC or CRO number, and no number is I, O or S."""
    year, serial = "03", "123456"
    letter = patterns.check_letter(year, serial, 7 if kind == "PNC" else 6)
    assert (
        letter
        == "ZABCDEFGHJKLMNPQRTUVWXY"[int(year + serial.zfill(7 if kind == "PNC" else 6)) % 23]
    )

    def count(last: str) -> int:
        number = {
            "PNC": f"2003/{serial}{last}",
            "CRO": f"{serial}/03{last}",
            "SF": f"SF03/{serial}{last}",
        }
        return patterns.counts(f"see {number[kind]}, filed")["pnc_numbers"]

    hits = [one for one in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if count(one)]
    assert letter in hits
    assert len(hits) <= 2  # the letters of a PNC and of a CRO file can both fit one text
    assert count(letter.lower()) == 1


def test_prison_numbers_are_written_in_capitals() -> None:
    assert patterns.counts("A1234BC, A1234BC and Z9876XY; a1234bc A12345BC")["prison_numbers"] == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OFFICIAL-SENSITIVE\nDear Ann", "official_sensitive"),
        ("Dear Ann,\n[OFFICIAL - SENSITIVE: PERSONAL]", "official_sensitive"),
        ("Protective marking: RESTRICTED - STAFF\n", "restricted"),
        ("TOP SECRET\nSECRET", "top_secret"), ("UK SECRET - UK EYES ONLY", "secret"),
        ("PROTECT – COMMERCIAL", "protect"), ("OFFICIAL", "official"),
        ("A secret ballot", None), ("SECRET SANTA 2009", None), ("Secret", None),
        ("The minute was marked SECRET in 1999.", None), ("", None),
        ("line\n" * 30 + "SECRET\n" + "line\n" * 30, None), ("line\n" * 30 + "SECRET", "secret"),
    ],
)  # fmt: skip
def test_markings_stand_alone_at_the_head_or_foot(text: str, expected: str | None) -> None:
    """A line of its own, in capitals, among the first or last; what the text talks of is none."""
    assert patterns.marking([], text) == expected


def test_headers_are_marked_too() -> None:
    assert patterns.marking(["Page 1", "OFFICIAL-SENSITIVE"], "text") == "official_sensitive"


@pytest.mark.parametrize(
    "piece", ["1", "AB12", "99/", "A1234B", "NHS 9", "SF12/1", "OFFICIAL ", "- "]
)
def test_hostile_text_takes_no_longer(piece: str) -> None:
    """Four times the text takes about four times as long, whatever it is made of."""

    def seconds(letters: int) -> float:
        text = piece * (letters // len(piece))
        began = time.process_time()
        patterns.counts(text)
        patterns.marking([text], text)
        return time.process_time() - began

    seconds(1000)
    assert seconds(400_000) < 12 * max(seconds(100_000), 0.002)


class Bytes:
    """Bytes as an open file."""

    def __init__(self, content: bytes) -> None:
        self.content, self.read = content, 0

    def read_at(self, offset: int, size: int) -> bytes:
        self.read += size
        return self.content[offset : offset + size]


def listed(content: bytes) -> list[tuple[str, int, int | None]]:
    found = archives.members(Bytes(content), len(content))  # type: ignore[arg-type]
    return [(one["name"], one["size_bytes"], one["crc32"]) for one in found]


def test_members_are_listed_and_not_unpacked() -> None:
    """Names without folders, whatever they try; folders and empty files left out."""
    content = packed({"a/b.txt": "hello", "../../etc/passwd": "x", "C:\\x\\y.doc": "y", "d/": "",
                      "empty": "", "é.txt": "z"})  # fmt: skip
    assert [name for name, _, _ in listed(content)] == ["b.txt", "passwd", "y.doc", "é.txt"]
    assert listed(content)[0][1:] == (5, 0x3610A686)
    big = packed({"zeros": bytes(50_000_000)})
    file = Bytes(big)
    assert archives.members(file, len(big))[0]["size_bytes"] == 50_000_000  # type: ignore[arg-type]
    assert file.read < 70_000


def central(count: int) -> bytes:
    """An archive's list of members without the members."""
    entry = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 8, 0, 0, n, 9, 9, 8, 0, 0, 0, 0, 0, 0)
        + b"%08d" % n
        for n in range(count)
    )  # fmt: skip
    few = min(count, 0xFFFF)
    end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(entry), 0)
    locator = struct.pack("<IIQI", 0x07064B50, 0, len(entry), 1)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, few, few, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return entry + end64 + locator + end


def test_a_hundred_thousand_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are listed; more than a limit, or a longer list than a limit, is an error of that file."""
    content = central(100_000)
    assert len(listed(content)) == 100_000
    monkeypatch.setattr(archives, "MOST_LIST_BYTES", 1 << 20)
    with pytest.raises(archives.Unreadable, match="too_many_members"):
        listed(content)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 10)
    with pytest.raises(archives.Unreadable, match="too_many_members"):
        listed(central(11))


def test_damaged_archives() -> None:
    """Cut anywhere or with any byte changed, an archive is listed or damaged, and nothing else."""
    content = packed({"a.txt": "hello", "b.txt": "world"})
    draw = random.Random(1)
    spoilt = [content[:n] for n in range(len(content))]
    for _ in range(400):
        changed = bytearray(content)
        changed[draw.randrange(len(content))] = draw.randrange(256)
        spoilt.append(bytes(changed))
    outcomes = set()
    for one in spoilt:
        try:
            outcomes.add(len(listed(one)))
        except archives.Unreadable as problem:
            outcomes.add(problem.code)
    assert outcomes >= {2, "damaged"}
    assert outcomes <= {0, 1, 2, "damaged", "too_many_members"}
    assert listed(packed({})) == []


def test_what_a_locked_archive_hides_is_not_known() -> None:
    """AES leaves the checksum out (0): that is no checksum of anything."""
    content = bytearray(packed({"a.txt": "hello"}))
    at = content.rfind(b"PK\x01\x02")
    content[at + 8] |= 1
    assert listed(bytes(content)) == [("a.txt", 5, 0x3610A686)]
    content[at + 16 : at + 20] = bytes(4)
    assert listed(bytes(content)) == [("a.txt", 5, None)]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({"local": r"S:\Finance\plan.doc"}, r"S:\Finance\plan.doc"),
        ({"network": (r"\\FS1\Dept", r"Finance\café.doc")}, r"\\FS1\Dept\Finance\café.doc"),
        ({"network": (r"\\FS1\Dept", "")}, r"\\FS1\Dept"),
        ({"environment": r"%USERPROFILE%\plan.doc"}, r"%USERPROFILE%\plan.doc"),
        (
            {"local": "C:\\", "description": "My disk", "ids": b"\x14\0" + bytes(18) + b"\0\0"},
            "C:\\",
        ),
        ({"ids": bytes(2)}, None),
    ],
)
def test_where_windows_shortcuts_point(made: dict, wide: bool, expected: str | None) -> None:
    assert shortcuts.target(lnk(wide=wide, **made), "lnk") == expected


def test_a_letter_that_only_unicode_has() -> None:
    """The Unicode forms are taken where a shortcut has them."""
    assert shortcuts.target(lnk(local="S:\\Łódź.doc", wide=True), "lnk") == "S:\\Łódź.doc"
    found = shortcuts.target(lnk(network=("\\\\fs1\\Łódź", "ź.doc"), wide=True), "lnk")
    assert found == "\\\\fs1\\Łódź\\ź.doc"


@pytest.mark.parametrize(
    ("content", "ext", "expected"),
    [
        (b"[InternetShortcut]\r\nURL=https://www.example.org/\r\n", "url", "https://www.example.org/"),
        (b"[InternetShortcut]\r\nurl = file:///S:/a%20b/c.doc\r\n", "url", r"S:\a b\c.doc"),
        (b"[InternetShortcut]\nURL=file://fs1/Dept/x.doc", "url", r"\\fs1\Dept\x.doc"),
        (b"[InternetShortcut]\nURL=file://///fs1/Dept/x.doc", "url", r"\\fs1\Dept\x.doc"),
        ("[InternetShortcut]\r\nURL=https://ex.example/é".encode("utf-16"), "url", "https://ex.example/é"),
        (b"[InternetShortcut]\r\n", "url", None),
        (b"<plist><dict><key>URL</key><string>https://a.example</string></dict></plist>", "webloc", "https://a.example"),
    ],
)  # fmt: skip
def test_where_web_shortcuts_point(content: bytes, ext: str, expected: str | None) -> None:
    assert shortcuts.target(content, ext) == expected


def test_entities_in_a_webloc_are_refused() -> None:
    bomb = b'<!DOCTYPE p [<!ENTITY a "x">]><plist><dict><key>URL</key><string>&a;</string></dict></plist>'
    with pytest.raises(shortcuts.Damaged):
        shortcuts.target(bomb, "webloc")


def test_damaged_shortcuts() -> None:
    """Cut anywhere, with lengths beyond the end or any byte changed: a target, none, or damaged."""
    good = [lnk(local=r"S:\a.doc", wide=True), lnk(network=(r"\\f\d", "x"), environment="%X%")]
    draw = random.Random(2)
    for content in good:
        spoilt = [content[:n] for n in range(len(content))]
        for _ in range(2000):
            changed = bytearray(content)
            at = draw.randrange(len(content) - 4)
            changed[at : at + 4] = draw.choice([b"\xff\xff\xff\xff", bytes(4), draw.randbytes(4)])
            spoilt.append(bytes(changed))
        for one in spoilt:
            try:
                found = shortcuts.target(one, "lnk")
            except shortcuts.Damaged:
                continue
            assert found is None or len(found) <= shortcuts.MOST_LETTERS


HOSTILE = """
import os, sys, time
from migrate.engine.limited import serve

def make():
    if sys.argv[1:]:
        raise ImportError("no reader here")
    def answer(words, content):
        if words["do"] == "sleep": time.sleep(60)
        if words["do"] == "crash": os.abort()
        if words["do"] == "eat": bytearray(1 << 31)
        if words["do"] == "fail": raise ValueError("secret text")
        if words["do"] == "print": os.write(1, b"noise"); print("noise", flush=True)
        if words["do"] == "write": open(sys.argv[0] + ".out", "w").write("x" * 9999)
        if words["do"] == "long": return {"text": "x" * (2 << 20)}
        return {"length": len(content)}
    return answer

serve(make, 0.7, 600 << 20)
"""


def test_a_process_that_goes_too_far_is_replaced(tmp_path: Path) -> None:
    """Hanging, crashing, eating memory, answering without end: an error for that question, and the
    next is answered; what a library prints or says of an error is in no answer."""
    program = tmp_path / "hostile.py"
    program.write_text(HOSTILE)
    limited = Limited([sys.executable, str(program)])
    expected = {
        "sleep": "reader_timed_out", "crash": "reader_crashed", "long": "too_much_found",
    }  # fmt: skip
    for do in ("nothing", "sleep", "print", "crash", "long", "eat", "fail", "write"):
        try:
            found = limited.ask({"do": do}, b"x" * 3_000_000)
        except Exceeded as problem:
            assert problem.code == expected[do]
        else:
            failed = do in ("eat", "fail", "write")
            assert found == ({"error": "reader_failed"} if failed else {"length": 3_000_000})
        assert limited.ask({"do": "nothing"}, b"abc") == {"length": 3}
    limited.close()
    assert not (tmp_path / "hostile.py.out").read_bytes()


def test_a_process_that_does_not_start_says_why(tmp_path: Path) -> None:
    """An extra that is missing is no error of any file."""
    program = tmp_path / "hostile.py"
    program.write_text(HOSTILE)
    with pytest.raises(MigrateError, match="no reader here"):
        Limited([sys.executable, str(program), "broken"]).ask({"do": "nothing"}, b"")
    with pytest.raises(MigrateError, match="exit code 3"):
        Limited([sys.executable, "-c", "raise SystemExit(3)"]).ask({}, b"")


def test_pdfs_are_read_wherever_there_is_room_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kreuzberg unpacks a library there, or loads what somebody else has put in its place."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    planted = tmp_path / "kreuzberg-pdfium" / "libpdfium.so"
    for _ in range(2):
        limited = Limited(COMMAND)
        assert limited.ask({"ext": "pdf"}, pdf("AB123456C"))["ni_numbers"] == 1
        limited.close()
        assert [*tmp_path.rglob("*")] in ([], [planted.parent, planted])
        planted.parent.mkdir(exist_ok=True)
        planted.write_bytes(b"no library")


def test_documents_of_all_kinds_are_read() -> None:
    """Numbers come out, whatever the format and even if the name says another; text never."""
    words = "\n".join(" ".join(f"word{n}{m}" for m in range(8)) for n in range(5))
    lines = ("AB123456C", "NHS number 943 476 5919", "A1234BC", *words.splitlines())
    limited = Limited(COMMAND)
    mail = (
        b"Subject: List\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\n" + "\r\n".join(lines[1:]).encode() +
        b"\r\n--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; "
        b"filename=list.txt\r\n\r\nAB123456C\r\n--b--\r\n"
    )  # fmt: skip
    given = [
        ("docx", docx(*lines, header="OFFICIAL-SENSITIVE")), ("doc", docx(*lines)),
        ("pdf", pdf("OFFICIAL-SENSITIVE", *lines)), ("txt", "\n".join(lines).encode("utf-16")),
        ("csv", ",".join(lines).encode()), ("eml", mail),
        ("rtf", ("{\\rtf1 " + "\\par ".join(lines) + "}").encode()),
        ("html", ("<p>" + "<p>".join(lines)).encode()),
    ]  # fmt: skip
    for ext, content in given:
        found = limited.ask({"ext": ext}, content)
        counts = [found[name] for name in ("ni_numbers", "nhs_numbers", "prison_numbers")]
        assert counts == [1, 1, 1], (ext, found)
        assert (found["marking"] == "official_sensitive") == (ext in ("docx", "pdf")), ext
        assert len(found["minhash"]) == SLOTS, (ext, found)
        assert not [value for value in found.values() if isinstance(value, str) and "AB" in value]
    assert limited.ask({"ext": "pdf"}, pdf()) == {"words": 0}  # a scanned page: nothing is known
    for ext in ("docx", "pdf", "xls", "msg"):
        assert limited.ask({"ext": ext}, b"not at all")["error"] == "reader_failed"
    limited.close()


def test_types_and_plain_text() -> None:
    assert type_of("doc", b"%PDF-1.4").endswith("pdf")
    assert type_of("xls", b"PK\x03\x04").endswith("spreadsheetml.sheet")
    assert plain_text(b"caf\xe9 \x80") == "café €"
    assert plain_text("﻿é".encode()) == "é"


def test_likeness_is_found_and_difference_is_not() -> None:
    """Texts with a few words changed share a band and most of their signature; others do not."""
    from rensa import RMinHash

    draw = random.Random(3)
    words = [f"w{draw.randrange(3000)}" for _ in range(20_000)]

    def sketch(text: list[str]) -> tuple[list[int], set[int]]:
        one = RMinHash(SLOTS, 1)
        one.update(wording(text))
        found = signature(one.digest())
        return found["minhash"], set(found["bands"])

    for at in range(0, 20_000, 500):
        text = words[at : at + 500]
        edited = [f"new{n}" if n % 50 == 0 else word for n, word in enumerate(text)]
        (slots, bands), (others, other_bands) = sketch(text), sketch(edited)
        assert bands & other_bands
        assert sum(map(int.__eq__, slots, others)) > 0.7 * SLOTS
        far, far_bands = sketch(words[at - 500 : at] or ["x"] * 500)
        assert not bands & far_bands
        assert sum(map(int.__eq__, slots, far)) < 0.3 * SLOTS


def test_text_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for and not installed: said before anything is read, with what to do."""
    config = Config(format="1", shares=[Share(name="s", path="p")], inspect=Inspect(text=True))
    stage.require_text(config)
    monkeypatch.setattr(stage.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MigrateError) as caught:
        stage.require_text(config)
    assert "kreuzberg and rensa" in caught.value.what
    assert "migrate[text]" in caught.value.todo
    stage.require_text(Config(format="1", shares=[Share(name="s", path="p")]))


@pytest.mark.parametrize(
    ("written", "good"),
    [("S:", True), ("S:\\Old\\x", True), ("\\\\fs1\\dept", True), ("\\\\fs1", False), ("S", False),
     ("/mnt/x", False), ("S:/x", False)],
)  # fmt: skip
def test_known_as_is_written_as_windows_does(written: str, good: bool) -> None:
    text = f"format: 1\nshares: [{{name: s, path: p, known_as: ['{written}']}}]\n"
    if good:
        assert checked(parse_yaml(text, "estate.yaml")).shares[0].known_as
    else:
        with pytest.raises(RulesInvalid, match="as Windows does"):
            checked(parse_yaml(text, "estate.yaml"))
