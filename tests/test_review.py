"""Workbooks out: complete, readable, decided on by folder, and nothing in them that could run."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from helpers_review import (
    BODY,
    LINUX,
    Made,
    all_listed,
    books,
    estate,
    fill,
    lines,
    listed,
    made,
    make,
    migrate,
    put,
    sheet,
    stages,
    walk,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from migrate.config import load
from migrate.estate import Estate
from migrate.review.columns import (
    CHECK,
    COPIES,
    COVER,
    DECISION,
    DIGEST,
    FOLDERS,
    INFO,
    KEY,
    REVIEWER_LABEL,
    RULES,
    SHEETS,
    text,
)
from migrate.review.heights import lines_of
from migrate.review.links import Links, base_url
from migrate.review.workbook import ReviewWorkbook

__all__ = ["estate", "made"]  # fixtures
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the odd names cannot exist on Windows")


def test_every_unit_has_its_workbook(made: Made) -> None:
    """Each unit with something to see has one workbook, and the log has its true SHA-256."""
    assert list(books(made)) == ["Finance", "People & Co", "Unassigned"]
    run = Estate(made.root).latest("review export")
    assert run is not None
    for workbook in run.summary["workbooks"]:
        content = made.workbook(workbook["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == workbook["sha256"]


def assert_all_there(found: dict[str, Path], shares: dict[str, Path]) -> None:
    """Every file, link and empty folder stands beneath one line or for information, or is covered
    by a line for what may move; the lines' counts add up."""
    expected = Counter(shown for shown, _ in walk(shares))
    named: Counter[str] = Counter()
    covered: Counter[tuple[str, str, str]] = Counter()
    for path in found.values():
        named.update(row["Path"] for row in listed(path) + sheet(path, INFO))
        for row in lines(path):
            covered[row["Path"], row["Proposal"], row[KEY]] = row["Files"]
    assert not named - expected, "a path stands there that is none, or twice"
    noted = sum(len(sheet(path, INFO)) for path in found.values())
    assert covered.total() + noted == expected.total()
    unnamed = expected - named
    assert unnamed.total() == sum(n for line, n in covered.items() if line[1] == "Migrate")
    folders = {folder for folder, proposal, _ in covered if proposal == "Migrate"}
    for path in unnamed:
        assert any(path.startswith(folder + "/") for folder in folders), path


def test_every_entry_exactly_once(made: Made) -> None:
    """A recount by os.walk finds every file, link and empty folder once over all the sheets."""
    assert_all_there(books(made), made.shares)


def test_all_files_are_listed_if_wanted(estate: Made) -> None:
    """With `files: all`, what may simply move is listed file by file too."""
    estate.configure(lambda text: text + "review: {files: all}\n")
    stages(estate, "review export")
    expected = sorted(shown for shown, _ in walk(estate.shares))
    rows = [row for path in books(estate).values() for row in listed(path) + sheet(path, INFO)]
    assert sorted(row["Path"] for row in rows) == expected


def test_rows_stand_with_their_unit(made: Made) -> None:
    """A workbook lists what lies under its unit's folders and nothing else."""
    path = made.workbook("Finance.xlsx")
    for row in sheet(path, FOLDERS) + sheet(path, INFO):
        assert (row["Path"] + "/").startswith("dept/Finance/")
    for row in sheet(made.workbook("Unassigned.xlsx"), FOLDERS):
        assert not row["Path"].startswith(("dept/Finance", "dept/People", "dept/Later"))


def test_a_line_stands_before_what_it_covers(made: Made) -> None:
    """Every file stands in the outline beneath the line of its folder, with that line's proposal,
    folded away; each line counts what is beneath it."""
    for path in books(made).values():
        page = openpyxl.load_workbook(path)[FOLDERS]
        assert page.sheet_properties.outlinePr.summaryBelow is False
        line, beneath = {}, 0
        for number, row in enumerate(sheet(path, FOLDERS), 2):
            level = page.row_dimensions[number].outlineLevel
            if row["Line"] == "Folder":
                assert not line or line["Proposal"] == "Migrate" or line["Files"] == beneath
                line, beneath = row, 0
                assert (level, page.row_dimensions[number].hidden) == (0, False)
            else:
                beneath += 1
                assert row["Path"].startswith(line["Path"] + "/")
                assert row["Proposal"] == line["Proposal"]
                assert (level, page.row_dimensions[number].hidden) == (1, True)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workbook of a share with a replicated folder, a folder wholly flagged far down, and one
    of both kinds."""
    root = tmp_path_factory.mktemp("trees")
    deep = {f"mixed/a/b/c/scripts/{n // 6}/{n}.bat": f"{BODY}{n}" for n in range(12)}
    few = {f"mixed/a/b/c/few/{n}.bat": f"{BODY}few {n}" for n in range(3)}
    plain = {"mixed/a/b/c/plain.txt": BODY, "mixed/a/b/other.txt": BODY + "o"}
    kept = {f"Originals/{n}/paper.txt": f"{BODY}kept {n}" for n in range(5)}
    put(root / "share", {**deep, **few, **plain, **kept})
    copies = {f"Backup/x/{n}/paper.txt": f"{BODY}kept {n}" for n in range(5)}
    put(root / "share", copies, 1_760_000_000_000_000_000)
    estate = make(root / "estate", {"s": root / "share"}, "keeper: {prefer: [oldest]}\n")
    stages(estate)
    return estate.workbook("Unassigned.xlsx")


def test_wholly_flagged_folders_are_one_line(trees: Path) -> None:
    """A replicated folder is one line that says so; a wholly flagged folder far down is a line of
    its own where it is big enough, else part of the folder three names deep."""
    found = {(row["Path"], row["Proposal"]): row for row in lines(trees)}
    assert set(found) == {
        ("s/Backup/x", "Dispose"), ("s/Originals", "Migrate"),
        ("s/mixed/a", "Please decide"), ("s/mixed/a", "Migrate"),
        ("s/mixed/a/b/c/scripts", "Please decide"),
    }  # fmt: skip
    why = found["s/Backup/x", "Dispose"]["Why"]
    assert "The whole folder, 5 items: 5 × Identical copy" in why
    assert "This folder is the same as s/Originals" in why
    assert found["s/mixed/a/b/c/scripts", "Please decide"]["Files"] == 12
    assert found["s/mixed/a", "Please decide"]["Why"].startswith("3 of the 17 items here: 3 × Scr")


def test_held_files_are_for_information_only(made: Made) -> None:
    """What is on hold is listed with the hold's words and cannot be decided on."""
    rows = {row["Path"]: row for row in sheet(made.workbook("Unassigned.xlsx"), INFO)}
    for path in ("dept/Held/secret.txt", "dept/Held/deep/er/j.bat"):
        assert rows[path]["State"] == "On hold"
        assert "First inquiry (INQ-1)" in rows[path]["Why"]
    assert {rows[f"dept/{name}"]["State"] for name in ("dangling", "pipe")} == {"Not a file"}


def test_a_group_shows_its_keeper_first(made: Made) -> None:
    """The members of a group of identical files stand together, the one that would be kept first;
    what belongs to others can be seen and not decided on."""
    kept, copy = sheet(made.workbook("Finance.xlsx"), COPIES)
    assert (kept["Line"], kept["Path"]) == ("Kept", "dept/Finance/twin.txt")
    assert (copy["Line"], copy["Path"]) == ("Copy", "dept/Finance/plain/twin.txt")
    assert kept["Group"] == copy["Group"] == "twin.txt × 2"
    assert kept[DIGEST] == copy[DIGEST]
    assert len(kept[DIGEST]) == 32


def test_sheets_are_ready_to_work_with(made: Made) -> None:
    """Header frozen, filter over all rows, a drop-down with the decisions, no merged cells."""
    words = {
        FOLDERS: '"migrate,dispose,leave,withdraw"', RULES: '"migrate,dispose,leave,withdraw"',
        COPIES: '"keep,withdraw"',
    }  # fmt: skip
    for path in books(made).values():
        book = openpyxl.load_workbook(path)
        for name in (FOLDERS, COPIES, RULES, INFO):
            page = book[name]
            assert page.freeze_panes.endswith("2")
            assert not page.merged_cells.ranges
            last = openpyxl.utils.get_column_letter(len(SHEETS[name]))
            assert page.auto_filter.ref == f"A1:{last}{page.max_row}"
            assert [cell.value for cell in page[1]] == [column.title for column in SHEETS[name]]
            if name == INFO or page.max_row == 1:
                continue
            (choices,) = page.data_validations.dataValidation
            assert (choices.type, choices.formula1) == ("list", words[name])
            assert str(choices.sqref) in (f"A2:A{page.max_row}", "A2")
            assert choices.showErrorMessage


def test_only_the_persons_columns_can_be_written_in(made: Made) -> None:
    """Every sheet is protected; the decision and its comment are not, but where somebody else
    decides. Keys and digests are there, hidden and locked."""
    for path in books(made).values():
        book = openpyxl.load_workbook(path)
        assert all(page.protection.sheet for page in book)
        assert not any(page.protection.password for page in book)
        for name in (FOLDERS, COPIES, RULES):
            page, titles = book[name], [column.title for column in SHEETS[name]]
            for row, cells in zip(sheet(path, name), page.iter_rows(min_row=2), strict=True):
                barred = bool(row.get("Not decided here because"))
                for title, cell in zip(titles, cells, strict=True):
                    open_to_write = title in (DECISION, "Comment") and not barred
                    assert cell.protection.locked != open_to_write, (name, title)
            for title in {KEY, CHECK, DIGEST} & set(titles):
                letter = openpyxl.utils.get_column_letter(titles.index(title) + 1)
                assert page.column_dimensions[letter].hidden


def test_cover_explains_itself(made: Made) -> None:
    """The first sheet has instructions, every decision's meaning, a place for the name, the day to
    return it by, totals, and charts that say their figures in words."""
    path = made.workbook("Finance.xlsx")
    page = openpyxl.load_workbook(path).worksheets[0]
    assert page.title == COVER
    words = [str(cell.value) for row in page.iter_rows() for cell in row if cell.value is not None]
    assert any("Finance" in word for word in words)
    assert {"migrate", "dispose", "leave", "keep", "withdraw", "(empty)"} <= set(words)
    assert words[words.index(REVIEWER_LABEL) + 1] == "Finance manager"
    assert "no date is set" in words
    cells = {row[0].value: row[2].value for row in page.iter_rows() if row[2].value is not None}
    assert (cells["Dispose"], cells["Please decide"], cells["Migrate"]) == (2, 3, 5)
    assert (cells["dept/Finance"], cells["High"], cells["Less than 1"]) == (11, 2, 10)
    with zipfile.ZipFile(path) as archive:
        drawing = archive.read("xl/drawings/drawing1.xml").decode()
    alternatives = re.findall(r'descr="(Bar chart[^"]*)"', drawing)
    assert len(alternatives) == drawing.count("<c:chart ") == 4
    assert "Dispose: 2; Please decide: 3; Migrate: 5" in alternatives[0]


def test_the_cover_has_a_legend_and_words_people_use(made: Made) -> None:
    """Colours are explained; kinds of rules and sureness are no raw words; every table has something
    to say of each line; of one workbook no part is named."""
    page = openpyxl.load_workbook(made.workbook("Finance.xlsx"))[COVER]
    rows = [[cell.value for cell in row[:4]] for row in page.iter_rows()]
    fills = {row[0].value: row[0].fill.fgColor.rgb for row in page.iter_rows()}
    shown = {cell.fill.fgColor.rgb for cell in openpyxl.load_workbook(
        made.workbook("Finance.xlsx"))[FOLDERS]["D"]}  # fmt: skip
    legend = {
        fills[name] for name in ("Yellow", "Grey-blue", "Dispose", "Please decide", "Migrate")
    }
    assert len(legend) == 5
    assert shown & legend
    words = {row[0] for row in rows}
    assert {"Record", "Sensitive", "Trivial", "High", "Medium"} <= words
    assert not {"record", "none", "high", "This workbook"} & words
    assert all(row[1] for row in rows if isinstance(row[2], int))
    ages = next(row for row in rows if row[0] == "Less than 1")
    assert ages[1] == "2 items proposed for disposal, 3 to look at"


def test_pages_are_printed_with_title_and_number(made: Made) -> None:
    """Also where the title has an ampersand, which begins a command in a header."""
    book = openpyxl.load_workbook(made.workbook("People & Co.xlsx"))
    for page in book:
        assert page.oddHeader.left.text == "Test shares: People && Co"
        assert (page.oddFooter.right.text, page.page_setup.fitToHeight) == ("Page &P of &N", 0)
    assert book[FOLDERS].oddHeader.right.text == FOLDERS


@pytest.mark.parametrize(
    ("words", "width", "lines"),
    [
        ("", 10, 1), ("just fits!", 10, 1), ("one more word", 10, 2), ("a" * 25, 10, 3),
        ("aaa bbbbbbbb ccc", 10, 3), ("a " + "b" * 25, 10, 4), ("a\nb", 10, 1),
    ],
)  # fmt: skip
def test_lines_that_a_text_takes(words: str, width: int, lines: int) -> None:
    """Broken at spaces; words longer than a line within."""
    assert lines_of(words, width) == lines


def test_a_line_of_one_reason_gives_it(made: Made) -> None:
    """The line of a folder says why with the value that triggered it where all have that reason,
    else when its items were last changed; what it is a copy of stands there too."""
    found = {(row["Path"], row["Proposal"]): row for row in lines(made.workbook("Finance.xlsx"))}
    line = found["dept/Finance", "Dispose"]
    assert line["Why"].endswith("Thumbnail cache (T-THUMBS). Thumbs.db is made again")
    assert "run.bat" not in found["dept/Finance", "Please decide"]["Why"]  # not the reason of all


def test_folded_lines_show_that_they_can_be_unfolded(made: Made) -> None:
    """A line with files folded away beneath it has the mark that unfolds them."""
    page = openpyxl.load_workbook(made.workbook("Finance.xlsx"))[FOLDERS]
    rows = sheet(made.workbook("Finance.xlsx"), FOLDERS)
    for number, (row, after) in enumerate(zip(rows, [*rows[1:], None], strict=True), 2):
        has_files = row["Line"] == "Folder" and after is not None and after["Line"] == "File"
        assert page.row_dimensions[number].collapsed == has_files


def test_the_day_to_return_by_is_on_the_cover(estate: Made) -> None:
    """`review: due` is shown."""
    estate.configure(lambda text: text + "review: {due: 2026-12-24}\n")
    stages(estate, "review export")
    page = openpyxl.load_workbook(estate.workbook("Finance.xlsx"))[COVER]
    assert "24 December 2026" in [row[1].value for row in page.iter_rows()]


def test_a_path_opens_its_folder(made: Made) -> None:
    """A path is a link to the folder it lies in, and to nothing else: no name can make it lead
    elsewhere."""
    root = made.shares["dept"].as_uri()
    for path in books(made).values():
        page = openpyxl.load_workbook(path)[FOLDERS]
        place = [column.title for column in SHEETS[FOLDERS]].index("Path")
        for row in page.iter_rows(min_row=2):
            link = row[place].hyperlink.target.replace("File:", "file:")
            assert link == root or link.startswith(root + "/")
            folder = row[place].value.removeprefix("dept")
            folder = folder if row[2].value == "Folder" else folder.rpartition("/")[0]
            assert link == (made.shares["dept"].as_uri() + folder.replace(" ", "%20"))


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("/mnt/fin ance#1", "File:///mnt/fin%20ance%231"),
        (r"\\fs1\HR", "File://fs1/HR"),
        (r"C:\data", "File:///C:/data"),
        ("smb://fs1:4450/HR/Pay slips", "File://fs1/HR/Pay%20slips"),
    ],
)
def test_links_of_every_kind_of_share(place: str, url: str) -> None:
    """Local, UNC, Windows and smb:// shares are file URLs, without a user or a password."""
    assert base_url(place) == url


def test_a_share_that_is_gone_from_the_estate_has_no_links(made: Made) -> None:
    """What was crawled of a share that estate.yaml does not name any more is listed all the same."""
    config = load(made.root / "estate.yaml")[0]
    links = Links(Estate(made.root), config)
    assert links.to("dept/Finance").endswith("/dept/Finance")
    assert links.to("another/Finance") == ""


def test_links_lead_where_reviewers_reach_the_share(estate: Made) -> None:
    """A share's `link` stands in the links in place of where it is mounted."""
    path = str(estate.shares["dept"])
    estate.configure(
        lambda text: text.replace(f"path: '{path}'", f"path: '{path}', link: '\\\\fs1\\dept'")
    )
    stages(estate, "review export")
    page = openpyxl.load_workbook(estate.workbook("Finance.xlsx"))[FOLDERS]
    assert page["E2"].hyperlink.target == "File://fs1/dept/Finance"


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
    paths = {row["Path"] for row in listed(made.workbook("Unassigned.xlsx"))}
    assert "dept/Odd/bidi \\u202egpj.exe.bat" in paths
    assert "dept/Odd/control \\x01\\x1f\\x7f.bat" in paths
    assert "dept/Odd/line\\x0abreak.bat" in paths
    if LINUX:
        assert "dept/Odd/surrogate \\xed\\xa0\\x80.bat" in paths
        rows = [r for r in listed(made.workbook("Unassigned.xlsx")) if "caf" in r["Path"]]
        assert len({row[KEY] for row in rows}) == 2  # caf\xe9 as bytes, and spelt out


def a_workbook(path: Path, words: list[str]) -> Path:
    """A review workbook with these texts as paths."""
    book = ReviewWorkbook(path, "t")
    for word in words:
        book.add(FOLDERS, {"Path": text(word), "Line": "Folder"})
    book.close()
    return path


@settings(max_examples=25, deadline=None)
@given(words=st.lists(st.text(st.characters(), min_size=1, max_size=30), min_size=1, max_size=40))
def test_any_text_is_held_and_given_back(
    words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any text, lone surrogates included, can be written as a cell and is read back as it was."""
    words = [word.replace("\ufffe", "x").replace("\uffff", "x") for word in words]
    path = a_workbook(tmp_path_factory.mktemp("text") / "t.xlsx", words)
    rows = sheet(path, FOLDERS)
    assert [row["Path"] for row in rows] == [text(word) for word in words]
    assert not any(ILLEGAL_CHARACTERS_RE.search(row["Path"] or "") for row in rows)


@pytest.mark.parametrize("char", ["\ufffe", "\uffff"])
def test_noncharacters_do_not_break_a_workbook(char: str, tmp_path: Path) -> None:
    """A name with a code point that XML forbids leaves the workbook readable."""
    path = a_workbook(tmp_path / "t.xlsx", [f"name {char}.txt", "another"])
    assert len(sheet(path, FOLDERS)) == 2


def test_a_very_long_text_fits_a_cell(tmp_path: Path) -> None:
    """A text longer than Excel's 32,767 characters is cut, not refused."""
    path = a_workbook(tmp_path / "t.xlsx", ["x" * 40_000, "\x01" * 20_000])
    assert all(len(row["Path"]) < 32_767 for row in sheet(path, FOLDERS))


def limited(made: Made, rows: int) -> None:
    """Export with a limit to the rows of a sheet."""
    made.configure(lambda text: text + f"review: {{rows_per_workbook: {rows}}}\n")
    stages(made, "review export")


def test_splits_when_too_long(estate: Made, made: Made, tmp_path: Path) -> None:
    """More rows than the limit go into further workbooks; none is lost, a line that goes on stands
    in each, the first sheet says which folders are in which, and each can be imported."""
    whole = listed(made.workbook("Unassigned.xlsx"))
    limited(estate, 5)
    parts = [path for name, path in books(estate).items() if name.startswith("Unassigned")]
    assert len(parts) > len(whole) // 5
    assert all(len(sheet(path, name)) <= 5 for path in parts for name in SHEETS)
    found = [row for path in parts for row in listed(path)]
    assert sorted(row[KEY] for row in found) == sorted(row[KEY] for row in whole)
    assert all(sheet(path, FOLDERS)[0]["Line"] == "Folder" for path in parts[:-1] if listed(path))
    words = "Part 2: folder dept/Odd; more parts follow. The figures below are of all parts."
    assert words in [
        row[1].value
        for row in openpyxl.load_workbook(estate.workbook("Unassigned-2.xlsx"))[COVER].iter_rows()
    ]
    second = fill(estate.workbook("Unassigned-2.xlsx"), tmp_path / "2.xlsx", all_listed("leave"))
    result = estate.imports(second, options=["--reviewer", "me"])
    assert (result["decided_rows"], result["refused"]) == (
        len(listed(estate.workbook("Unassigned-2.xlsx"))),
        [],
    )


def test_nothing_is_cut_off_at_the_limit(estate: Made) -> None:
    """With more of everything than the limit, every entry still stands in some workbook."""
    limited(estate, 3)
    assert_all_there(books(estate), estate.shares)


def test_no_empty_part(estate: Made) -> None:
    """A unit with exactly the limit's rows has one workbook."""
    limited(estate, len(sheet(estate.workbook("Finance.xlsx"), FOLDERS)))
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


def test_an_old_export_leaves_nothing_behind(estate: Made) -> None:
    """After a second export the folder holds that export's workbooks and no others."""
    limited(estate, 3)
    estate.configure(lambda text: text.replace("rows_per_workbook: 3", "rows_per_workbook: 500"))
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


def test_the_benchmark_writes_what_is_read_back(tmp_path: Path) -> None:
    """What `make bench` times are rows as the export makes them, in a workbook that is read."""
    script = Path(__file__).parent / "bench" / "workbooks.py"
    for what in ("ours", "openpyxl", "read-ours", "read-openpyxl"):
        subprocess.run([sys.executable, script, what, "100", tmp_path], check=True)
    assert len(sheet(tmp_path / "ours 0.xlsx", FOLDERS)) == 100
