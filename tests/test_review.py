"""The records manager's desk: workbooks out, decisions in, and nothing in between that could turn
into a decision nobody took."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from conftest import needs
from helpers_review import (
    BODY,
    CHECK,
    COMMENT,
    COVER,
    DECISION,
    FILES,
    GROUPS,
    INFO,
    KEY,
    MTIME,
    REVIEWER_LABEL,
    Made,
    decisions,
    fates,
    fill,
    make,
    make_pipe,
    migrate,
    put,
    sheet,
    stages,
    table,
    walk,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from migrate.errors import LimitReached, MigrateError, UsageError
from migrate.estate import Estate
from migrate.review import export as exporting
from migrate.review.rows import FILE_COLUMNS, check, text
from migrate.review.workbook import Cover, ReviewWorkbook

LINUX = sys.platform == "linux"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the odd names cannot exist on Windows")

CONFIG = """\
business_units:
  - {name: Finance, reviewer: Finance manager, folders: [dept/Finance]}
  - {name: People & Co, folders: [dept/People, dept/Later held]}
holds:
  - reference: INQ-1
    title: First inquiry
    authority: Act s.35
    issued: 2024-03-01
    match: {path|under: [dept/Held]}
"""


def odd_names() -> list[bytes]:
    """Names that have broken spreadsheets, terminals or XML before."""
    names = [
        "=1+1", "+1", "-1", "@SUM(A1)", "\ttab", "control \x01\x1f\x7f", "line\nbreak", "cr\rname",
        "bidi \u202egpj.exe", "isolate \u2066x", "zero\u200bwidth", "nel\x85", "line sep \u2028",
        "_x0041_ _x000D_", "'quoted", '"double"', "<tag>&amp;]]>", "  two  spaces", "emoji 😀",
        "e\u0301 decomposed", "caf\\xe9", "1e5", "TRUE", "12-03-2004", "%s %n {0} ${x}",
    ]  # fmt: skip
    raw = [b"caf\xe9", b"surrogate \xed\xa0\x80", b"\xff\xfe"] if LINUX else []
    return [name.encode() for name in names] + raw


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An estate with its workbooks exported. Tests copy it."""
    root = tmp_path_factory.mktemp("review")
    dept = root / "dept"
    put(
        dept,
        {
            "Finance/plain/a.txt": BODY + "a", "Finance/plain/b.txt": BODY + "b",
            "Finance/plain/twin.txt": BODY + "twin", "Finance/other/c.txt": BODY + "c",
            "Finance/run.bat": BODY + "run", "Finance/stop.bat": BODY + "stop",
            "Finance/Thumbs.db": BODY + "thumbs", "Finance/twin.txt": BODY + "twin",
            "Finance/tiny.txt": "tiny", "Finance/policy.bat": BODY + "policy",
            "People/same.txt": BODY + "same",
            "People/notes.txt": BODY + "notes",
            "People/x.bat": BODY + "x", "People/Empty/": "", "Later held/h.bat": BODY + "h",
            "Later held/i.txt": BODY + "i", "Held/secret.txt": BODY + "secret",
            "Held/deep/er/j.bat": BODY + "j", "nothing/in/here/": "",
        },
    )  # fmt: skip
    for number, name in enumerate(odd_names()):
        put(dept / "Odd", {name + b".bat": f"{BODY}{number}", b"plain " + name: f"{BODY}p{number}"})
    put(dept, {"Later held/same.txt": BODY + "same"}, MTIME - 1_000_000_000)  # the oldest is kept
    os.symlink("run.bat", dept / "Finance" / "link")
    os.symlink("nowhere", dept / "dangling")
    os.symlink("Finance", dept / "link to a folder")
    make_pipe(dept / "pipe")
    made = make(root / "estate", {"dept": dept}, CONFIG)
    stages(made)
    return made


@pytest.fixture
def estate(made: Made, tmp_path: Path) -> Made:
    """A copy of the estate that a test may do anything to, but not to its shares."""
    return made.copy(tmp_path / "estate")


def books(made: Made) -> dict[str, Path]:
    return {path.stem: path for path in sorted((made.root / "out" / "review").glob("*.xlsx"))}


def all_rows(decision: Any) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Decide everything in the same way."""
    return lambda sheet, row: {DECISION: decision}


def only(path: str, **cells: Any) -> Callable[[str, dict[str, Any]], dict[str, Any] | None]:
    """New cells for the one row with this path (or folder)."""
    titles = {"decision": DECISION, "comment": COMMENT, "key": KEY, "check": CHECK}
    new = {titles.get(name, name): value for name, value in cells.items()}
    return lambda sheet, row: new if path in (row.get("Path"), row.get("Folder")) else None


def row_of(workbook: Path, page: str, path: str) -> int:
    """The number of a row in its sheet."""
    rows = sheet(workbook, page)
    return 2 + [row.get("Path") or row.get("Folder") for row in rows].index(path)


# --- out ---------------------------------------------------------------------------------------


def test_every_unit_has_its_workbook(made: Made) -> None:
    """Each unit with something to see has one workbook, and the log has its true SHA-256."""
    import hashlib

    assert list(books(made)) == ["Finance", "People & Co", "Unassigned"]
    run = Estate(made.root).latest("review export")
    assert run is not None
    for workbook in run.summary["workbooks"]:
        content = made.workbook(workbook["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == workbook["sha256"]


def group_folder(path: str) -> str:
    """The folder that a group line names: at most three names deep."""
    return "/".join(path.split("/")[:-1][:3])


def assert_all_there(found: dict[str, Path], shares: dict[str, Path]) -> None:
    """Every file, link and empty folder stands in the workbooks exactly once."""
    expected = Counter(shown for shown, _ in walk(shares))
    listed: Counter[str] = Counter()
    grouped: Counter[str] = Counter()
    for path in found.values():
        listed.update(row["Path"] for row in sheet(path, FILES) + sheet(path, INFO))
        for row in sheet(path, GROUPS):
            grouped[row["Folder"]] += row["Files"]
    assert not listed - expected, "a path stands there that is none, or twice"
    assert grouped == Counter(group_folder(path) for path in (expected - listed).elements())


def test_every_entry_exactly_once(made: Made) -> None:
    """A recount by os.walk finds every file, link and empty folder once over all the sheets."""
    assert_all_there(books(made), made.shares)


def test_rows_stand_with_their_unit(made: Made) -> None:
    """A workbook lists what lies under its unit's folders and nothing else."""
    for row in sheet(made.workbook("Finance.xlsx"), FILES) + sheet(
        made.workbook("Finance.xlsx"), INFO
    ):
        assert row["Path"].startswith("dept/Finance/")
    unassigned = made.workbook("Unassigned.xlsx")
    for row in sheet(unassigned, FILES) + sheet(unassigned, GROUPS):
        place = row.get("Path") or row["Folder"]
        assert not place.startswith(("dept/Finance", "dept/People", "dept/Later"))


def test_held_files_are_for_information_only(made: Made) -> None:
    """What is on hold is listed with the hold's words and cannot be decided on."""
    rows = {row["Path"]: row for row in sheet(made.workbook("Unassigned.xlsx"), INFO)}
    for path in ("dept/Held/secret.txt", "dept/Held/deep/er/j.bat"):
        assert rows[path]["State"] == "On hold"
        assert "First inquiry (INQ-1)" in rows[path]["Why"]
    assert {rows[f"dept/{name}"]["State"] for name in ("dangling", "pipe")} == {"Not a file"}


def test_sheets_are_ready_to_work_with(made: Made) -> None:
    """Header frozen, filter over all rows, a drop-down with the three decisions, keys hidden."""
    for path in books(made).values():
        book = openpyxl.load_workbook(path)
        for page in (book[FILES], book[GROUPS], book[INFO]):
            assert page.freeze_panes.endswith("2")
            last = openpyxl.utils.get_column_letter(page.max_column)
            assert page.auto_filter.ref == f"A1:{last}{page.max_row}"
        for page in (book[FILES], book[GROUPS]):
            titles = [cell.value for cell in page[1]]
            assert titles[0] == DECISION
            if page.max_row == 1:
                continue
            (choices,) = page.data_validations.dataValidation
            assert choices.type == "list"
            assert choices.formula1 == '"migrate,dispose,leave"'
            assert str(choices.sqref) in (f"A2:A{page.max_row}", f"A{page.max_row}")
            assert choices.showErrorMessage
            for title in (KEY, CHECK):
                letter = openpyxl.utils.get_column_letter(titles.index(title) + 1)
                assert page.column_dimensions[letter].hidden


def test_cover_explains_itself(made: Made) -> None:
    """The first sheet has instructions, a place for the name, the totals and a chart."""
    book = openpyxl.load_workbook(made.workbook("Finance.xlsx"))
    page = book[book.sheetnames[0]]
    assert page.title == COVER
    words = [str(cell.value) for row in page.iter_rows() for cell in row if cell.value is not None]
    assert any("Finance" in word for word in words)
    assert any("migrate = " in word for word in words)
    assert any("leave = " in word for word in words)
    assert words[words.index(REVIEWER_LABEL) + 1] == "Finance manager"
    assert len(page._charts) == 1


def assert_no_formula(path: Path) -> set[str]:
    """No cell of a workbook runs. Returns the characters that its texts begin with."""
    starts = set()
    for page in openpyxl.load_workbook(path):
        for row in page.iter_rows():
            for cell in row:
                assert cell.data_type != "f", (path.name, page.title, cell.coordinate)
                if isinstance(cell.value, str):
                    starts.add(cell.value[:1])
                    if cell.value.startswith(("=", "+", "-", "@")):
                        assert cell.quotePrefix
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in archive.read(name)
                assert b"<f " not in archive.read(name)
    return starts


def test_no_cell_is_a_formula(made: Made) -> None:
    """No cell of any sheet of any workbook runs, though files are named =1+1, +1, -1, @SUM, tab."""
    for path in books(made).values():
        assert_no_formula(path)


def test_no_text_becomes_a_formula(tmp_path: Path) -> None:
    """The same where a cell's text itself begins with = + - @ or a tab."""
    risky = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=", "{=1}"]
    assert assert_no_formula(a_workbook(tmp_path / "t.xlsx", risky)) >= set("=+-@")


def test_odd_names_can_be_told_apart_and_hide_nothing(made: Made) -> None:
    """Control and direction characters and undecodable bytes are shown as escapes."""
    paths = {row["Path"] for row in sheet(made.workbook("Unassigned.xlsx"), FILES)}
    assert "dept/Odd/bidi \\u202egpj.exe.bat" in paths
    assert "dept/Odd/control \\x01\\x1f\\x7f.bat" in paths
    assert "dept/Odd/line\\x0abreak.bat" in paths
    if LINUX:
        assert "dept/Odd/surrogate \\xed\\xa0\\x80.bat" in paths
        rows = [r for r in sheet(made.workbook("Unassigned.xlsx"), FILES) if "caf" in r["Path"]]
        assert len({row[KEY] for row in rows}) == 2  # caf\xe9 as bytes, and spelt out


def a_workbook(path: Path, words: list[str]) -> Path:
    """A review workbook with these texts as paths."""
    book = ReviewWorkbook(Cover("t", "u", "r", "e", 1, "2026-01-01", [], []))
    book.add(FILES, FILE_COLUMNS, [{"Path": text(word)} for word in words])
    book.save(path)
    return path


@settings(max_examples=25, deadline=None)
@given(words=st.lists(st.text(st.characters(), min_size=1, max_size=30), min_size=1, max_size=40))
def test_any_text_is_held_and_given_back(
    words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any text, lone surrogates included, can be written as a cell and is read back as it was."""
    words = [word.replace("\ufffe", "x").replace("\uffff", "x") for word in words]
    path = a_workbook(tmp_path_factory.mktemp("text") / "t.xlsx", words)
    rows = sheet(path, FILES)
    assert [row["Path"] for row in rows] == [text(word) for word in words]
    assert not any(ILLEGAL_CHARACTERS_RE.search(row["Path"] or "") for row in rows)


@pytest.mark.parametrize("char", ["\ufffe", "\uffff"])
def test_noncharacters_do_not_break_a_workbook(char: str, tmp_path: Path) -> None:
    """A name with a code point that XML forbids leaves the workbook readable."""
    path = a_workbook(tmp_path / "t.xlsx", [f"name {char}.txt", "another"])
    assert len(sheet(path, FILES)) == 2


def test_a_very_long_text_fits_a_cell(tmp_path: Path) -> None:
    """A text longer than Excel's 32,767 characters is cut, not refused."""
    path = a_workbook(tmp_path / "t.xlsx", ["x" * 40_000, "\x01" * 20_000])
    assert all(len(row["Path"]) < 32_767 for row in sheet(path, FILES))


def test_splits_when_too_long(
    estate: Made, made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """More files than MOST_ROWS go into further workbooks; none is lost, each can be imported."""
    monkeypatch.setattr(exporting, "MOST_ROWS", 3)
    whole = sheet(made.workbook("Unassigned.xlsx"), FILES)
    stages(estate, "review export")
    parts = [path for name, path in books(estate).items() if name.startswith("Unassigned")]
    assert len(parts) == len(whole) // 3 + 1
    found = [row for path in parts for row in sheet(path, FILES)]
    assert all(len(sheet(path, FILES)) <= 3 for path in parts)
    assert sorted(row[KEY] for row in found) == sorted(row[KEY] for row in whole)
    assert [sheet(path, GROUPS) != [] for path in parts].count(True) == 1
    second = fill(estate.workbook("Unassigned-2.xlsx"), tmp_path / "2.xlsx", all_rows("leave"))
    result = estate.imports(second, options=["--reviewer", "me"])
    assert (result["decided_rows"], result["refused"]) == (3, [])


def test_information_is_not_cut_off(estate: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more held files and links than MOST_ROWS, every entry still stands in some workbook."""
    monkeypatch.setattr(exporting, "MOST_ROWS", 3)
    stages(estate, "review export")
    assert_all_there(books(estate), estate.shares)


def test_no_empty_part(estate: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit with exactly MOST_ROWS files has one workbook."""
    monkeypatch.setattr(exporting, "MOST_ROWS", len(sheet(estate.workbook("Finance.xlsx"), FILES)))
    stages(estate, "review export")
    assert not estate.workbook("Finance-2.xlsx").exists()


@pytest.mark.parametrize("names", [("A/B", "A_B"), ("Finance: one", "Finance? one")])
def test_units_never_share_a_file(estate: Made, names: tuple[str, str]) -> None:
    """Two units whose names differ only in what a file name cannot hold have two workbooks."""
    renamed = {
        "name: Finance,": f"name: '{names[0]}',",
        "name: People & Co,": f"name: '{names[1]}',",
    }
    for old, new in renamed.items():
        estate.configure(lambda text, old=old, new=new: text.replace(old, new))
    shutil.rmtree(estate.root / "out")
    stages(estate, "review export")
    assert_all_there(books(estate), estate.shares)


def test_an_old_export_leaves_nothing_behind(estate: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second export the folder holds that export's workbooks and no others."""
    with monkeypatch.context() as patch:
        patch.setattr(exporting, "MOST_ROWS", 3)
        stages(estate, "review export")
    written = migrate("review", "export", "-e", estate.root)["workbooks"]
    assert {path.name for path in books(estate).values()} == {one["file"] for one in written}


def test_two_exports_are_the_same_bytes(estate: Made) -> None:
    """Exporting again later writes the same workbooks, byte for byte."""
    exports = []
    for pause in (1.1, 0):
        shutil.rmtree(estate.root / "out")
        stages(estate, "review export")
        exports.append({name: path.read_bytes() for name, path in books(estate).items()})
        time.sleep(pause)
    assert exports[0] == exports[1]


def test_two_exports_say_the_same(estate: Made, made: Made) -> None:
    """Exporting again writes the same cells, styles and charts."""
    shutil.rmtree(estate.root / "out")
    stages(estate, "review export")
    for name, path in books(estate).items():
        with zipfile.ZipFile(path) as one, zipfile.ZipFile(made.workbook(f"{name}.xlsx")) as two:
            assert one.namelist() == two.namelist()
            for member in set(one.namelist()) - {"docProps/core.xml"}:
                assert one.read(member) == two.read(member)


# --- in ----------------------------------------------------------------------------------------


def test_blank_decisions_decide_nothing(estate: Made) -> None:
    """A workbook that comes back as it went out records nothing."""
    result = estate.imports(estate.workbook("Finance.xlsx"))
    assert (result["decided_rows"], result["decided_files"], result["refused"]) == (0, 0, [])
    assert result["undecided_rows"] == len(sheet(estate.workbook("Finance.xlsx"), FILES)) + len(
        sheet(estate.workbook("Finance.xlsx"), GROUPS)
    )
    assert table(estate, "decisions") == []


def test_spaces_and_case_do_not_matter(estate: Made, tmp_path: Path) -> None:
    """“ DISPOSE ” is dispose."""
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        only("dept/Finance/Thumbs.db", decision=" DISPOSE "),
    )  # fmt: skip
    assert estate.imports(book)["refused"] == []
    assert decisions(estate) == {"dept/Finance/Thumbs.db": ("dispose", "file")}


def one_each(cells: list[dict[str, Any]]) -> Callable[[str, dict[str, Any]], dict[str, Any] | None]:
    """New cells for the first rows of the files' sheet, row by row."""
    rest = iter(cells)
    return lambda page, row: next(rest, None) if page == FILES else None


def test_other_words_are_no_decisions(estate: Made, tmp_path: Path) -> None:
    """A decision other than migrate, dispose and leave is refused, with the row's number."""
    words = ["shred", "delete", "migrate, dispose", "yes", 1, True, "=1+1", "migrat\u0435"]
    source = estate.workbook("Unassigned.xlsx")
    book = fill(source, tmp_path / "f.xlsx", one_each([{DECISION: word} for word in words]))
    refused = estate.imports(book, options=["--reviewer", "me"])["refused"]
    assert [one["row"] for one in refused] == list(range(2, 2 + len(words)))
    assert [one["path"] for one in refused] == [r["Path"] for r in sheet(source, FILES)][
        : len(words)
    ]
    assert all("migrate, dispose, leave" in one["reason"] for one in refused)
    assert table(estate, "decisions") == []


def test_altered_cells_are_refused(estate: Made, tmp_path: Path) -> None:
    """A row with a cell the toolkit wrote altered is refused, and the column is named."""
    altered = {
        "Path": "dept/Finance/other.db", "Size (bytes)": 1, "Why": "because I say so",
        CHECK: "0000000000000000", KEY: "F1", "Owner": "nobody", "Authority": "Act s.99",
        "Proposal": "Migrate", "Modified": None, "Rule": "X-1 y", "How sure": None,
        "Duplicate of": "x", "Also found": "y",
    }  # fmt: skip
    cells = [{DECISION: "dispose", title: value} for title, value in altered.items()]
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "f.xlsx", one_each(cells))
    refused = estate.imports(book, options=["--reviewer", "me"])["refused"]
    for title, one in zip(altered, refused, strict=True):
        assert "altered" in one["reason"]
        assert title.lower() in one["reason"].lower()
    assert table(estate, "decisions") == []


def test_altered_group_cells_are_refused(estate: Made, tmp_path: Path) -> None:
    """The same holds for the line of a folder."""
    source = estate.workbook("Finance.xlsx")
    titles = ["Files", "Size (bytes)", "What", "Newest"][: len(sheet(source, GROUPS))]
    assert len(titles) > 1
    rest = iter(titles)
    book = fill(
        source,
        tmp_path / "f.xlsx",
        lambda page, row: {DECISION: "migrate", next(rest): 7} if page == GROUPS else None,
    )
    refused = estate.imports(book)["refused"]
    for title, one in zip(titles, refused, strict=True):
        assert title in one["reason"]
    assert table(estate, "decisions") == []


@pytest.mark.parametrize("titles", [(KEY,), (KEY, CHECK)])
def test_swapped_keys_are_refused(titles: tuple[str, ...], estate: Made, tmp_path: Path) -> None:
    """Two rows whose hidden keys were swapped (a sort of some columns only) decide nothing."""
    source = estate.workbook("Finance.xlsx")
    rows = {row["Path"]: row for row in sheet(source, FILES)}
    one, two = rows["dept/Finance/run.bat"], rows["dept/Finance/stop.bat"]
    other = {one["Path"]: two, two["Path"]: one}

    def swap(page: str, row: dict[str, Any]) -> dict[str, Any] | None:
        if row.get("Path") not in other:
            return None
        return {DECISION: "migrate"} | {title: other[row["Path"]][title] for title in titles}

    refused = estate.imports(fill(source, tmp_path / "f.xlsx", swap))["refused"]
    assert len(refused) == 2
    assert table(estate, "decisions") == []


def append(page: str, cells: dict[str, Any]) -> Callable[[Any], None]:
    """Add a row to a sheet, by column title."""

    def change(book: Any) -> None:
        titles = [cell.value for cell in book[page][1]]
        book[page].append([cells.get(title) for title in titles])

    return change


def test_a_row_of_another_estate_is_refused(estate: Made, tmp_path: Path) -> None:
    """A row copied from another migration's workbook names nothing here."""
    put(tmp_path / "else", {"Finance/run.bat": BODY + "run"})
    foreign = make(tmp_path / "foreign", {"other": tmp_path / "else"})
    stages(foreign)
    (row,) = sheet(foreign.workbook("Unassigned.xlsx"), FILES)
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        change=append(FILES, {**row, DECISION: "migrate"}),
    )  # fmt: skip
    (refused,) = estate.imports(book)["refused"]
    assert refused["path"] == "other/Finance/run.bat"
    assert table(estate, "decisions") == []


def twice(made: Made, to: Path, first: str | None, second: str | None) -> Path:
    """A workbook in which one row stands twice."""
    source = made.workbook("Finance.xlsx")
    (row,) = [row for row in sheet(source, FILES) if row["Path"] == "dept/Finance/run.bat"]
    decide = only(row["Path"], decision=first)
    return fill(source, to, decide, append(FILES, {**row, DECISION: second}))


def test_contradicting_duplicates_are_both_refused(estate: Made, tmp_path: Path) -> None:
    """A row that stands twice with two decisions is refused in both places."""
    book = twice(estate, tmp_path / "f.xlsx", "migrate", "dispose")
    refused = estate.imports(book)["refused"]
    assert [one["decision"] for one in refused] == ["migrate", "dispose"]
    assert all("more than once" in one["reason"] for one in refused)
    assert table(estate, "decisions") == []


@pytest.mark.parametrize(("first", "second"), [("leave", "leave"), (None, "leave")])
def test_agreeing_duplicates_count_once(
    first: str | None, second: str | None, estate: Made, tmp_path: Path
) -> None:
    """A row that stands twice with one decision is decided once."""
    result = estate.imports(twice(estate, tmp_path / "f.xlsx", first, second))
    assert (result["decided_rows"], result["refused"]) == (1, [])
    assert len(table(estate, "decisions")) == 1


def test_an_altered_row_with_an_intact_twin_is_still_reported(estate: Made, tmp_path: Path) -> None:
    """Of a row and an altered copy of it with the same decision, none is dropped in silence."""
    source = estate.workbook("Finance.xlsx")
    (row,) = [row for row in sheet(source, FILES) if row["Path"] == "dept/Finance/run.bat"]
    altered = {**row, "Why": "no reason", DECISION: "migrate"}
    book = fill(
        source, tmp_path / "f.xlsx", only(row["Path"], decision="migrate"), append(FILES, altered)
    )
    result = estate.imports(book)
    assert result["decided_rows"] + len(result["refused"]) >= 1
    assert {row["decision"] for row in table(estate, "decisions")} <= {"migrate"}


def mess_up(book: Any) -> None:
    """What people do to a sheet: rows deleted and reordered, columns moved and added."""
    page = book[FILES]
    titles, *rows = [list(row) for row in page.iter_rows(values_only=True)]
    rows = [row for row in rows if row[titles.index("Path")] != "dept/Finance/stop.bat"][::-1]
    page.delete_rows(1, page.max_row)
    order = sorted(range(len(titles)), key=lambda number: titles[number])
    page.append([*(titles[number] for number in order), "My notes", None, 17])
    for row in rows:
        page.append([*(row[number] for number in order), "mine", "=1+1", 3.5])
        page.append([])


def test_sorted_deleted_and_moved_is_fine(estate: Made, tmp_path: Path) -> None:
    """Rows may be deleted and sorted, columns moved and added, without any row being refused."""
    source = estate.workbook("Finance.xlsx")
    result = estate.imports(fill(source, tmp_path / "f.xlsx", all_rows("migrate"), mess_up))
    assert result["refused"] == []
    assert result["decided_rows"] == len(sheet(source, FILES)) - 1 + len(sheet(source, GROUPS))
    assert "dept/Finance/stop.bat" not in decisions(estate)


@pytest.mark.parametrize(("page", "title"), [(FILES, KEY), (FILES, DECISION), (GROUPS, CHECK)])
def test_a_lost_column_is_said_clearly(page: str, title: str, estate: Made, tmp_path: Path) -> None:
    """Without its key, check or decision column a sheet is refused as a whole."""

    def lose(book: Any) -> None:
        titles = [cell.value for cell in book[page][1]]
        book[page].delete_cols(titles.index(title) + 1)

    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", all_rows("leave"), lose)
    with pytest.raises(UsageError, match=title):
        estate.imports(book)
    assert table(estate, "decisions") == []


def test_a_later_hold_refuses_its_files(estate: Made, tmp_path: Path) -> None:
    """A file put on hold after the export is refused with the hold's words."""
    estate.hold("dept/Later held")
    book = fill(estate.workbook("People & Co.xlsx"), tmp_path / "f.xlsx", all_rows("dispose"))
    result = estate.imports(book, options=["--reviewer", "me"])
    (refused,) = [one for one in result["refused"] if one["path"] == "dept/Later held/h.bat"]
    assert "on hold" in refused["reason"]
    assert "Inquiry seven (INQ-7)" in refused["reason"]
    assert not any(path.startswith("dept/Later held") for path in decisions(estate))
    assert "dept/People/x.bat" in decisions(estate)


def test_a_later_hold_refuses_copies_too(estate: Made, tmp_path: Path) -> None:
    """A copy of a file that was put on hold is refused as well."""
    estate.hold("dept/Later held")
    book = fill(
        estate.workbook("People & Co.xlsx"), tmp_path / "f.xlsx",
        only("dept/People/same.txt", decision="dispose"),
    )  # fmt: skip
    (refused,) = estate.imports(book, options=["--reviewer", "me"])["refused"]
    assert "a copy of a held file" in refused["reason"]
    assert table(estate, "decisions") == []


@pytest.mark.parametrize("page", [FILES, GROUPS])
def test_a_hand_made_row_cannot_free_a_held_file(page: str, estate: Made, tmp_path: Path) -> None:
    """A row made by hand for a held file, with the right key and a right check, is refused."""
    entry = next(r for r in table(estate, "entries") if r["path"] == "Held/secret.txt")
    row = dict(sheet(estate.workbook("Finance.xlsx"), page)[0])
    row |= {KEY: f"F{entry['entry_id']}", "Path": "dept/Held/secret.txt"}
    row[CHECK] = check(
        {name: value for name, value in row.items() if page == FILES or name != "Path"}
    )
    row[DECISION] = "dispose"
    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", change=append(page, row))
    (refused,) = estate.imports(book)["refused"]
    if page == FILES:
        assert "First inquiry (INQ-1)" in refused["reason"]
    assert table(estate, "decisions") == []


def test_made_up_keys_are_refused(estate: Made, tmp_path: Path) -> None:
    """A key that no export wrote is refused like any altered row."""
    keys = ["F", "F-1", "F9223372036854775808", "F٣", "Gx", "f1", "F1.0", "0", 7, None]
    cells = [{DECISION: "leave", KEY: key} for key in keys]
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "f.xlsx", one_each(cells))
    refused = estate.imports(book, options=["--reviewer", "me"])["refused"]
    assert len(refused) == len(keys)
    assert all("altered" in one["reason"] for one in refused)


def test_an_endless_key_is_refused(estate: Made, tmp_path: Path) -> None:
    """A key of thousands of digits is refused like any altered row."""
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        only("dept/Finance/run.bat", decision="leave", key="F" + "9" * 5000),
    )  # fmt: skip
    assert len(estate.imports(book)["refused"]) == 1


def test_a_group_line_decides_its_members(estate: Made, tmp_path: Path) -> None:
    """One decision on a folder's line is recorded for each of its files."""
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        only("dept/Finance/plain", decision="migrate", comment="all of it"),
    )  # fmt: skip
    result = estate.imports(book)
    members = [f"dept/Finance/plain/{name}.txt" for name in ("a", "b")]
    assert (result["decided_rows"], result["decided_files"]) == (1, 2)
    assert decisions(estate) == dict.fromkeys(members, ("migrate", "group"))
    assert {row["comment"] for row in table(estate, "decisions")} == {"all of it"}


def with_rule(made: Made, on: bool) -> None:
    """Switch on or off the rule that makes scripts stand on lines of their own; flag and export."""
    off = "rules:\n  'off': {T-SCRIPT: tried out}\n"
    made.configure(lambda text: text.replace(off, "") + ("" if on else off))
    stages(made, "flag", "review export")


@pytest.fixture(scope="module", params=["file first", "group first"])
def overruled(
    request: pytest.FixtureRequest, made: Made, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Made, Path]:
    """An estate in which People/x.bat was decided on by itself (leave) and by its folder (migrate);
    and the workbook with the folder's line."""
    folder = tmp_path_factory.mktemp("overruled")
    estate, group = made.copy(folder / "estate"), folder / "group.xlsx"

    def decide_file() -> None:
        book = fill(source, folder / "alone.xlsx", only("dept/People/x.bat", decision="leave"))
        assert estate.imports(book, options=["--reviewer", "me"])["refused"] == []

    source = estate.workbook("People & Co.xlsx")
    if request.param == "file first":
        decide_file()
    with_rule(estate, on=False)
    fill(source, group, lambda page, row: {DECISION: "migrate"} if page == GROUPS else None)
    assert estate.imports(group, options=["--reviewer", "me"])["refused"] == []
    if request.param == "group first":
        with_rule(estate, on=True)
        decide_file()
        with_rule(estate, on=False)
    return estate, group


def test_a_files_own_decision_wins(overruled: tuple[Made, Path]) -> None:
    """What was decided on a file by itself stands against its folder's line, whichever came first."""
    estate, _ = overruled
    assert {row["scope"] for row in table(estate, "decisions")} == {"file", "group"}
    stages(estate, "manifest")
    assert fates(estate)["dept/People/x.bat"][0] == "left"
    assert fates(estate)["dept/People/notes.txt"][0] == "to_move"


def test_an_overruled_group_line_is_recorded_once(overruled: tuple[Made, Path]) -> None:
    """Importing a folder's line again changes nothing, also where a file's own decision overrules it."""
    estate, group = overruled
    before = len(table(estate, "decisions"))
    assert estate.imports(group, options=["--reviewer", "me"])["decided_files"] == 0
    assert len(table(estate, "decisions")) == before


@pytest.fixture(scope="module")
def recrawled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Path]:
    """An estate that was crawled again after two files were changed, one of which had been decided
    on by itself; and the workbook of before."""
    root = tmp_path_factory.mktemp("recrawled")
    names = ["run.bat", "stay.bat", "other.txt"]
    put(root / "share", {f"x/{name}": BODY + name for name in names} | {"x/tiny.txt": "tiny"})
    estate = make(root / "estate", {"s": root / "share"})
    stages(estate)
    source = estate.workbook("Unassigned.xlsx")
    book = fill(source, root / "1.xlsx", only("s/x/tiny.txt", decision="leave"))
    assert estate.imports(book, options=["--reviewer", "me"])["decided_files"] == 1
    old = fill(
        source,
        root / "old.xlsx",
        lambda page, row: {DECISION: "migrate"} if page == FILES else None,
    )
    put(root / "share", {"x/tiny.txt": BODY + "grown", "x/run.bat": BODY + "more"}, MTIME + 10**15)
    stages(estate, "crawl --rescan", "dedupe", "flag", "review export")
    return estate, old


def test_a_recrawled_change_is_refused(recrawled: tuple[Made, Path], tmp_path: Path) -> None:
    """A row about a state that is gone is refused as outdated, not as altered."""
    estate = recrawled[0].copy(tmp_path / "estate")
    result = estate.imports(recrawled[1], options=["--reviewer", "me"])
    reasons = {one["path"]: one["reason"] for one in result["refused"]}
    assert set(reasons) == {"s/x/run.bat", "s/x/tiny.txt"}
    assert (
        "the estate has changed since the export (Size (bytes), Modified" in reasons["s/x/run.bat"]
    )
    assert "the estate has changed since the export" in reasons["s/x/tiny.txt"]
    assert decisions(estate) == {
        "s/x/stay.bat": ("migrate", "file"),
        "s/x/tiny.txt": ("leave", "file"),
    }


def test_a_decision_on_a_gone_state_does_not_hide_a_new_one(
    recrawled: tuple[Made, Path], tmp_path: Path
) -> None:
    """A file decided on by itself, then changed, then decided on with its folder, is decided."""
    estate = recrawled[0].copy(tmp_path / "estate")
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "2.xlsx", all_rows("migrate"))
    assert estate.imports(book, options=["--reviewer", "me"])["refused"] == []
    stages(estate, "manifest")
    assert fates(estate)["s/x/other.txt"][0] == "to_move"
    assert fates(estate)["s/x/tiny.txt"][0] == "to_move"


def test_importing_twice_changes_nothing(estate: Made, tmp_path: Path) -> None:
    """The same workbook a second time finds everything decided already and records nothing."""
    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", all_rows("migrate"))
    first = estate.imports(book)
    before = table(estate, "decisions")
    again = estate.imports(book)
    assert first["decided_files"] == again["unchanged_files"] == len(before) > 0
    assert again["decided_files"] == 0
    assert table(estate, "decisions") == before
    assert len(Estate(estate.root).runs("review import")) == 1


def test_the_last_decision_counts(estate: Made, tmp_path: Path) -> None:
    """Somebody who changes their mind sends another workbook."""
    for number, word in enumerate(("migrate", "dispose")):
        book = fill(estate.workbook("Finance.xlsx"), tmp_path / f"{number}.xlsx", all_rows(word))
        estate.imports(book)
    assert {word for word, _ in decisions(estate).values()} == {"dispose"}


def test_dry_run_records_nothing(estate: Made, tmp_path: Path) -> None:
    """--dry-run says what would be recorded and refused, and records none of it."""
    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", all_rows("migrate"))
    result = estate.imports(book, options=["--dry-run"])
    assert result["decided_files"] > 0
    assert table(estate, "decisions") == []
    assert Estate(estate.root).runs("review import") == []
    assert estate.imports(book)["decided_files"] == result["decided_files"]


def test_somebody_has_to_answer_for_it(estate: Made, tmp_path: Path) -> None:
    """Without a name on the first sheet or on the command line nothing is imported."""
    source = estate.workbook("People & Co.xlsx")
    book = fill(source, tmp_path / "f.xlsx", all_rows("leave"))
    for options in ([], ["--reviewer", "  "]):
        with pytest.raises(UsageError, match="who decided"):
            estate.imports(book, options=options)
    assert table(estate, "decisions") == []

    def sign(book: Any) -> None:
        for row in book[COVER].iter_rows():
            if row[0].value == REVIEWER_LABEL:
                row[1].value = " Ms =Signed "

    estate.imports(fill(source, tmp_path / "g.xlsx", all_rows("leave"), sign))
    assert {row["decided_by"] for row in table(estate, "decisions")} == {"Ms =Signed"}


def rezipped(source: Path, to: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The workbook with members of its zip changed or left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return to


def cut(member: str) -> Callable[[Path, Path], Path]:
    """One member ends in its middle."""
    return lambda source, to: rezipped(
        source, to, lambda name, data: data[: len(data) // 2] if name.endswith(member) else data
    )


def without(member: str) -> Callable[[Path, Path], Path]:
    return lambda source, to: rezipped(
        source, to, lambda name, data: None if name.endswith(member) else data
    )


def with_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], Path]:
    def write(source: Path, to: Path) -> Path:
        to.write_bytes(change(source.read_bytes()))
        return to

    return write


def something_else(*sheets: str) -> Callable[[Path, Path], Path]:
    def write(source: Path, to: Path) -> Path:
        book = openpyxl.Workbook()
        book.active.append(["a", "b"])
        for title in sheets:
            book.create_sheet(title)
        book.save(to)
        return to

    return write


def _spoiled(data: bytes) -> bytes:
    """The compressed bytes of the second sheet are damaged; the zip's directory is whole."""
    name = b"xl/worksheets/sheet2.xml"
    start = data.index(name) + len(name) + 60
    return data[:start] + b"\0" * 30 + data[start + 30 :]


def _locked(data: bytes) -> bytes:
    """Every member says that it is encrypted."""
    changed = bytearray(data)
    for sign, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = data.find(sign)
        while place >= 0:
            changed[place + offset] |= 1
            place = data.find(sign, place + 4)
    return bytes(changed)


def cell_says(value: bytes) -> Callable[[Path, Path], Path]:
    """A number cell that holds no number."""

    def change(name: str, data: bytes) -> bytes:
        import re

        return (
            re.sub(rb"<v>\d\d\d?</v>", b"<v>" + value + b"</v>", data) if "sheet2" in name else data
        )

    return lambda source, to: rezipped(source, to, change)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        pytest.param("f.xlsx", with_bytes(lambda data: b""), id="empty"),
        pytest.param("f.xlsx", with_bytes(lambda data: b"Decision,Path\n"), id="a csv"),
        pytest.param("f.xlsx", with_bytes(lambda data: data[: len(data) // 2]), id="half of it"),
        pytest.param("f.xlsx", with_bytes(lambda data: data[:-100]), id="end missing"),
        pytest.param(
            "f.xlsx", with_bytes(lambda data: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99), id="ole2"
        ),
        pytest.param("f.xlsx", without("[Content_Types].xml"), id="another zip"),
        pytest.param("f.xlsx", without("sheet2.xml"), id="a sheet missing"),
        pytest.param("f.xlsx", something_else(), id="something else"),
        pytest.param("f.xlsx", something_else(FILES), id="no cover"),
        pytest.param("f.xlsx", something_else(COVER, FILES, GROUPS), id="empty sheets"),
        pytest.param("f.xlsx", cut("workbook.xml"), id="broken workbook.xml"),
        pytest.param("f.xlsx", cut("sheet2.xml"), id="broken sheet2.xml"),
        pytest.param("f.xlsx", cut("styles.xml"), id="broken styles.xml"),
        pytest.param("f.xlsx", with_bytes(_spoiled), id="damaged member"),
        pytest.param("f.xlsx", with_bytes(_locked), id="locked zip"),
        pytest.param("f.xlsx", cell_says(b"abc"), id="no number"),
        pytest.param("f.xlsx", cell_says(b"nan"), id="nan"),
    ],
)
def test_no_workbook_of_ours(
    name: str, spoil: Callable[[Path, Path], Path], estate: Made, tmp_path: Path
) -> None:
    """A file that is damaged or something else is a clear error, and nothing is recorded."""
    good = fill(estate.workbook("Finance.xlsx"), tmp_path / "good.xlsx", all_rows("leave"))
    with pytest.raises(MigrateError) as caught:
        estate.imports(spoil(good, tmp_path / name))
    assert name in str(caught.value) or FILES in str(caught.value)
    assert table(estate, "decisions") == []


def test_a_zip_bomb_is_not_unpacked(estate: Made, tmp_path: Path) -> None:
    """A workbook that declares more than 4 GB is refused before anything of it is read."""
    data = bytearray(estate.workbook("Finance.xlsx").read_bytes())
    place = data.rfind(b"PK\x01\x02")
    while place >= 0:
        data[place + 24 : place + 28] = (0xFFFF_FFF0).to_bytes(4, "little")
        place = data.rfind(b"PK\x01\x02", 0, place)
    bomb = tmp_path / "bomb.xlsx"
    bomb.write_bytes(data)
    with pytest.raises(LimitReached, match="would unpack"):
        estate.imports(bomb)
    assert table(estate, "decisions") == []


def test_good_rows_are_kept_beside_refused_ones(estate: Made, tmp_path: Path) -> None:
    """Refused rows do not keep the others out, and the log names them."""
    words = {
        "dept/Finance/run.bat": "shred",
        "dept/Finance/stop.bat": "leave",
        "dept/Finance/plain": "migrate",
    }
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        lambda page, row: {DECISION: words.get(row.get("Path") or row.get("Folder"))},
    )  # fmt: skip
    result = estate.imports(book)
    assert [one["path"] for one in result["refused"]] == ["dept/Finance/run.bat"]
    assert (result["decided_rows"], result["decided_files"]) == (2, 3)
    assert decisions(estate)["dept/Finance/stop.bat"] == ("leave", "file")
    (run,) = Estate(estate.root).runs("review import")
    assert [one["row"] for one in run.summary["refused"]] == [result["refused"][0]["row"]]


def test_a_decision_can_be_traced(
    estate: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table says who decided, when, on what, in which workbook, sheet and row."""
    import hashlib

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    source = estate.workbook("Finance.xlsx")
    path = "dept/Finance/Thumbs.db"
    book = fill(source, tmp_path / "back.xlsx", only(path, decision="dispose", comment=" no use "))
    estate.imports(book)
    (row,) = table(estate, "decisions")
    entry = next(r for r in table(estate, "entries") if r["path"] == "Finance/Thumbs.db")
    assert row["entry_id"] == entry["entry_id"]
    assert (row["decision"], row["comment"], row["scope"]) == ("dispose", "no use", "file")
    assert (row["decided_by"], row["decided_at"]) == ("Finance manager", "2026-01-01T00:00:00Z")
    assert row["workbook"] == "back.xlsx"
    assert row["workbook_sha256"] == hashlib.sha256(book.read_bytes()).hexdigest()
    assert (row["sheet"], row["row"]) == (FILES, row_of(source, FILES, path))
    assert (row["rule_id"], row["proposal"]) == ("T-THUMBS", "dispose")
    assert (row["size_bytes"], row["mtime_ns"]) == (entry["size_bytes"], entry["mtime_ns"])


@pytest.fixture(scope="module")
def saved(made: Made, tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, list[Any]]:
    """All workbooks with every row decided, opened and saved by LibreOffice, and imported."""
    office = needs(shutil.which("soffice") or shutil.which("libreoffice"), "LibreOffice")
    folder = tmp_path_factory.mktemp("office")
    estate = made.copy(folder / "estate")
    filled = [
        fill(p, folder / "filled" / p.name, all_rows("leave")) for p in books(estate).values()
    ]
    subprocess.run(
        [
            office, f"-env:UserInstallation=file://{folder}/profile", "--headless",
            "--convert-to", "xlsx", "--outdir", str(folder / "saved"), *map(str, filled),
        ],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    results = []
    for path in filled:
        saved = folder / "saved" / path.name
        assert saved.read_bytes() != path.read_bytes()
        results.append(estate.imports(saved, options=["--reviewer", "me"]))
    return estate, results


def test_through_libreoffice_and_back(saved: tuple[Made, list[Any]]) -> None:
    """Workbooks opened and saved by another spreadsheet program are read without one refusal."""
    estate, results = saved
    refused = {one["path"] for each in results for one in each["refused"]}
    assert {path for path in refused if "_x0041_" not in path} == set()  # for those see below
    info = {row["Path"] for path in books(estate).values() for row in sheet(path, INFO)}
    expected = {shown for shown, _ in walk(estate.shares) if "_x0041_" not in shown} - info
    assert expected <= set(map(text, decisions(estate)))


def test_ooxml_escapes_survive_libreoffice(saved: tuple[Made, list[Any]]) -> None:
    """A name that looks like an OOXML escape comes back as it went out."""
    assert [one for each in saved[1] for one in each["refused"]] == []
