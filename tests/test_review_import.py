"""Workbooks in: nothing that comes back turns into a decision nobody took."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from conftest import needs
from helpers_review import (
    BODY,
    MTIME,
    Decide,
    Made,
    all_lines,
    all_listed,
    all_rows,
    books,
    both,
    decisions,
    estate,
    fates,
    fill,
    lines,
    listed,
    made,
    make,
    migrate,
    only,
    put,
    row_of,
    sheet,
    stages,
    table,
    walk,
)

from migrate.errors import LimitReached, MigrateError, UsageError
from migrate.estate import Estate
from migrate.review.columns import (
    CHECK,
    COMMENT,
    COPIES,
    COVER,
    DECISION,
    FOLDERS,
    INFO,
    KEY,
    REVIEWER_LABEL,
    RULES,
    STANDS,
    check,
    text,
)

__all__ = ["estate", "made"]  # fixtures
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the odd names cannot exist on Windows")


def test_blank_decisions_decide_nothing(estate: Made) -> None:
    """A workbook that comes back as it went out records nothing."""
    result = estate.imports(estate.workbook("Finance.xlsx"))
    assert (result["decided_rows"], result["decided_files"], result["refused"]) == (0, 0, [])
    rows = [sheet(estate.workbook("Finance.xlsx"), name) for name in (FOLDERS, COPIES, RULES)]
    assert result["undecided_rows"] == sum(map(len, rows))
    assert table(estate, "decisions") == []


def test_what_is_unambiguous_is_taken(estate: Made, tmp_path: Path) -> None:
    """Case, spaces, quotes and full stops around a decision say nothing."""
    words = [" DISPOSE ", "Dispose.", "dispose\u00a0", "“dispose”", "dispose\r\n", "ｄｉｓｐｏｓｅ"]
    cells = [{DECISION: word} for word in words]
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "f.xlsx", one_each(cells))
    assert estate.imports(book, options=["--reviewer", "me"])["refused"] == []
    assert list(decisions(estate).values()) == [("dispose", "file")] * len(words)


def one_each(cells: list[dict[str, Any]]) -> Decide:
    """New cells for the first files, row by row."""
    rest = iter(cells)
    return lambda page, row: next(rest, None) if row.get("Line") == "File" else None


def test_other_words_are_no_decisions(estate: Made, tmp_path: Path) -> None:
    """A word that is no decision is refused, with the row's number."""
    words = ["shred", "delete", "migrate, dispose", "yes", 1, True, "=1+1", "migrat\u0435", "keep"]
    source = estate.workbook("Unassigned.xlsx")
    book = fill(source, tmp_path / "f.xlsx", one_each([{DECISION: word} for word in words]))
    refused = estate.imports(book, options=["--reviewer", "me"])["refused"]
    paths = [row["Path"] for row in listed(source)][: len(words)]
    assert [one["row"] for one in refused] == [row_of(source, FOLDERS, path) for path in paths]
    assert [one["path"] for one in refused] == paths
    assert all("migrate, dispose, leave" in one["reason"] for one in refused)
    assert table(estate, "decisions") == []


def test_altered_words_are_refused(estate: Made, tmp_path: Path) -> None:
    """A row in which words that the decision rests on were altered is refused, and the column is
    named."""
    altered = {
        "Path": "dept/Finance/other.db", "Why": "because I say so", KEY: "F1",
        CHECK: "C0000000000000000", "Authority": "Act s.99", "Proposal": "Migrate",
        "Rule": "X-1 y", "How sure": None, "Duplicate of": "x", "Also found": "y", "Line": "Folder",
    }  # fmt: skip
    cells = [{DECISION: "dispose", title: value} for title, value in altered.items()]
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "f.xlsx", one_each(cells))
    refused = estate.imports(book, options=["--reviewer", "me"])["refused"]
    assert len(refused) == len(altered)
    for title, one in zip(altered, refused, strict=True):
        if title in (KEY, CHECK):
            assert "altered" in one["reason"] or "changed" in one["reason"]
        else:
            assert one["reason"] == f"altered since the export: {title}"
    assert table(estate, "decisions") == []


def test_mangled_numbers_and_dates_do_no_harm(estate: Made, tmp_path: Path) -> None:
    """Dates turned to text, numbers cut short, spaces doubled, cells cleared: what a decision rests
    on is still clear, and it is taken."""
    mangled = [
        {"Size (KB)": "1,2E+03", "Modified": "01/06/2025"}, {"Modified": 45809, "Size (KB)": 0},
        {"Content (XXH3)": "1.23E+31", "Owner": 0}, {"Modified": None, "Size (KB)": None},
        {STANDS: "x", COMMENT: 12},
    ]  # fmt: skip
    cells = [{DECISION: "leave", **each} for each in mangled]

    def doubled(page: str, row: dict[str, Any]) -> dict[str, Any] | None:
        return {"Why": row["Why"].replace(" ", "  ")} if page == FOLDERS else None

    source = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "1.xlsx", doubled)
    result = estate.imports(
        fill(source, tmp_path / "f.xlsx", one_each(cells)), options=["--reviewer", "me"]
    )
    assert (result["decided_rows"], result["refused"]) == (len(mangled), [])


def test_altered_lines_are_refused(estate: Made, tmp_path: Path) -> None:
    """The same holds for the line of a folder."""
    source = estate.workbook("Finance.xlsx")
    titles = ["Path", "Why", "Proposal", "Line", "Rule"][: len(lines(source))]
    rest = iter(titles)

    def decide(page: str, row: dict[str, Any]) -> dict[str, Any] | None:
        if row.get("Line") != "Folder":
            return None
        title = next(rest, None)
        return {DECISION: "migrate", title: "changed"} if title else None

    refused = estate.imports(fill(source, tmp_path / "f.xlsx", decide))["refused"]
    assert [one["reason"] for one in refused] == [f"altered since the export: {t}" for t in titles]
    assert table(estate, "decisions") == []


@pytest.mark.parametrize("titles", [(KEY,), (KEY, CHECK)])
def test_swapped_keys_are_refused(titles: tuple[str, ...], estate: Made, tmp_path: Path) -> None:
    """Two rows whose hidden keys were swapped (a sort of some columns only) decide nothing."""
    source = estate.workbook("Finance.xlsx")
    rows = {row["Path"]: row for row in listed(source)}
    one, two = rows["dept/Finance/run.bat"], rows["dept/Finance/stop.bat"]
    other = {one["Path"]: two, two["Path"]: one}

    def swap(page: str, row: dict[str, Any]) -> dict[str, Any] | None:
        if row.get("Path") not in other or page != FOLDERS:
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
    (row,) = listed(foreign.workbook("Unassigned.xlsx"))
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        change=append(FOLDERS, {**row, DECISION: "migrate"}),
    )  # fmt: skip
    (refused,) = estate.imports(book)["refused"]
    assert refused["path"] == "other/Finance/run.bat"
    assert table(estate, "decisions") == []


def twice(made: Made, to: Path, first: str | None, second: str | None) -> Path:
    """A workbook in which one row stands twice."""
    source = made.workbook("Finance.xlsx")
    (row,) = [row for row in listed(source) if row["Path"] == "dept/Finance/run.bat"]
    decide = only(row["Path"], decision=first)
    return fill(source, to, decide, append(FOLDERS, {**row, DECISION: second}))


def test_contradicting_duplicates_are_both_refused(estate: Made, tmp_path: Path) -> None:
    """A row that stands twice with two decisions is refused in both places."""
    book = twice(estate, tmp_path / "f.xlsx", "migrate", "dispose")
    refused = estate.imports(book)["refused"]
    assert [one["decision"] for one in refused] == ["migrate", "dispose"]
    assert all("decided more than once" in one["reason"] for one in refused)
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
    (row,) = [row for row in listed(source) if row["Path"] == "dept/Finance/run.bat"]
    altered = {**row, "Why": "no reason", DECISION: "migrate"}
    book = fill(
        source, tmp_path / "f.xlsx", only(row["Path"], decision="migrate"), append(FOLDERS, altered)
    )
    result = estate.imports(book)
    assert result["decided_rows"] + len(result["refused"]) >= 1
    assert {row["decision"] for row in table(estate, "decisions")} <= {"migrate"}


def mess_up(book: Any) -> None:
    """What people do to a sheet: rows deleted and reordered, columns moved and added, a heading."""
    page = book[FOLDERS]
    titles, *rows = [list(row) for row in page.iter_rows(values_only=True)]
    rows = [row for row in rows if row[titles.index("Path")] != "dept/Finance/stop.bat"][::-1]
    page.delete_rows(1, page.max_row)
    order = sorted(range(len(titles)), key=lambda number: titles[number])
    page.append(["My heading"])
    page.append([*(titles[number] for number in order), "My notes", None, 17])
    for row in rows:
        page.append([*(row[number] for number in order), "mine", "=1+1", 3.5])
        page.append([])


def test_sorted_deleted_and_moved_is_fine(estate: Made, tmp_path: Path) -> None:
    """Rows may be deleted and sorted, columns moved and added, without any row being refused."""
    source = estate.workbook("Finance.xlsx")
    result = estate.imports(fill(source, tmp_path / "f.xlsx", all_rows("migrate"), mess_up))
    assert result["refused"] == []
    assert result["decided_rows"] == len(sheet(source, FOLDERS)) - 1
    assert decisions(estate)["dept/Finance/stop.bat"] == ("migrate", "folder")


@pytest.mark.parametrize(("page", "title"), [(FOLDERS, KEY), (FOLDERS, DECISION), (RULES, CHECK)])
def test_a_lost_column_is_said_clearly(page: str, title: str, estate: Made, tmp_path: Path) -> None:
    """Without its key, check or decision column a sheet is refused as a whole."""

    def lose(book: Any) -> None:
        titles = [cell.value for cell in book[page][1]]
        book[page].delete_cols(titles.index(title) + 1)

    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", all_rows("leave"), lose)
    with pytest.raises(UsageError, match=title):
        estate.imports(book)
    assert table(estate, "decisions") == []


def test_two_decision_columns_are_refused(estate: Made, tmp_path: Path) -> None:
    """A second column with the same title leaves open which one is meant."""

    def double(book: Any) -> None:
        book[FOLDERS].cell(1, 30).value = DECISION

    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", all_rows("leave"), double)
    with pytest.raises(UsageError, match="more than one column Decision"):
        estate.imports(book)


def test_a_later_hold_refuses_its_files(estate: Made, tmp_path: Path) -> None:
    """A file put on hold after the export is refused with the hold's words; so is the line of its
    folder, as it does not stand for the same files any more."""
    estate.hold("dept/Later held")
    book = fill(estate.workbook("People & Co.xlsx"), tmp_path / "f.xlsx", all_rows("dispose"))
    result = estate.imports(book, options=["--reviewer", "me"])
    reasons = {(one["path"], one["row"]): one["reason"] for one in result["refused"]}
    file = ("dept/Later held/h.bat", row_of(book, FOLDERS, "dept/Later held/h.bat"))
    line = ("dept/Later held", row_of(book, FOLDERS, "dept/Later held", "Folder"))
    assert "on hold" in reasons[file]
    assert "Inquiry seven (INQ-7)" in reasons[file]
    assert "not there any more" in reasons[line]
    assert not any(path.startswith("dept/Later held") for path in decisions(estate))
    assert "dept/People/x.bat" in decisions(estate)


def test_a_later_hold_refuses_copies_too(estate: Made, tmp_path: Path) -> None:
    """A copy of a file that was put on hold is refused as well, on both sheets."""
    estate.hold("dept/Later held")
    path = "dept/People/same.txt"
    book = fill(
        estate.workbook("People & Co.xlsx"), tmp_path / "f.xlsx",
        both(only(path, decision="dispose"), only(path, COPIES, decision="keep")),
    )  # fmt: skip
    refused = estate.imports(book, options=["--reviewer", "me"])["refused"]
    assert len(refused) == 2
    assert all("a copy of a held file" in one["reason"] for one in refused)
    assert table(estate, "decisions") == []


@pytest.mark.parametrize("page", [FOLDERS, COPIES])
def test_a_hand_made_row_cannot_free_a_held_file(page: str, estate: Made, tmp_path: Path) -> None:
    """A row made by hand for a held file, with the right key and a check, is refused."""
    entry = next(r for r in table(estate, "entries") if r["path"] == "Held/secret.txt")
    row = dict(sheet(estate.workbook("Finance.xlsx"), page)[1])
    row |= {KEY: f"F{entry['entry_id']}", "Path": "dept/Held/secret.txt"}
    row |= {CHECK: check(row), DECISION: "dispose" if page == FOLDERS else "keep"}
    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", change=append(page, row))
    (refused,) = estate.imports(book)["refused"]
    assert "First inquiry (INQ-1)" in refused["reason"]
    assert table(estate, "decisions") == []


def test_made_up_keys_are_refused(estate: Made, tmp_path: Path) -> None:
    """A key that no export wrote is refused like any altered row."""
    keys = ["F", "F-1", "F9223372036854775808", "F٣", "Lx", "f1", "F1.0", "0", 7, None]
    cells = [{DECISION: "leave", KEY: key} for key in keys]
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "f.xlsx", one_each(cells))
    refused = estate.imports(book, options=["--reviewer", "me"])["refused"]
    assert len(refused) == len(keys)
    assert all("altered" in r["reason"] or "not there any" in r["reason"] for r in refused)


def test_an_endless_key_is_refused(estate: Made, tmp_path: Path) -> None:
    """A key of thousands of digits is refused like any altered row."""
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        only("dept/Finance/run.bat", decision="leave", key="F" + "9" * 5000),
    )  # fmt: skip
    assert len(estate.imports(book)["refused"]) == 1


def test_a_line_decides_its_members(estate: Made, tmp_path: Path) -> None:
    """One decision on a folder's line is recorded for each of its files, and for no other; the
    import says how many it covered."""
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        only("dept/Finance/plain", proposal="Migrate", decision="migrate", comment="all of it"),
    )  # fmt: skip
    result = estate.imports(book)
    members = [f"dept/Finance/plain/{name}.txt" for name in ("a", "b")]
    assert (result["decided_rows"], result["decided_files"]) == (1, 2)
    assert decisions(estate) == dict.fromkeys(members, ("migrate", "folder"))
    assert {row["comment"] for row in table(estate, "decisions")} == {"all of it"}
    (effect,) = result["covered"]
    assert (effect["what"], effect["files"], effect["overruled"]) == ("dept/Finance/plain", 2, 0)


def test_a_rules_hits_are_decided_together(estate: Made, tmp_path: Path) -> None:
    """One decision on a rule's line covers what it decides, except where something nearer is
    decided; the import says how many those are."""
    decide = both(
        only("T-SCRIPT", RULES, decision="dispose"),
        only("dept/Finance/stop.bat", decision="migrate"),
    )
    result = estate.imports(fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", decide))
    assert result["refused"] == []
    (effect,) = result["covered"]
    assert (effect["files"], effect["overruled"]) == (2, 1)
    stages(estate, "manifest")
    assert fates(estate)["dept/Finance/run.bat"][0] == "disposed"
    assert fates(estate)["dept/Finance/stop.bat"][0] == "to_move"


NEAREST = {
    "file": only("dept/Finance/plain/twin.txt", decision="leave"),
    "copies": only("dept/Finance/twin.txt", COPIES, decision="keep"),
    "folder": only("dept/Finance/plain", proposal="Dispose", decision="migrate"),
    "rule": only("T-COPY", RULES, decision="leave"),
}


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (["rule", "folder"], "to_move"), (["folder", "rule"], "to_move"),
        (["folder", "copies"], "disposed"), (["file", "copies"], "left"),
    ],
)  # fmt: skip
def test_the_nearest_decision_counts(
    said: list[str], outcome: str, estate: Made, tmp_path: Path
) -> None:
    """A file's own decision counts before its group's, that before its folder's, that before its
    rule's, whichever came first."""
    for number, name in enumerate(said):
        source = estate.workbook("Finance.xlsx")
        book = fill(source, tmp_path / f"{number}.xlsx", NEAREST[name])
        assert estate.imports(book)["refused"] == []
    stages(estate, "manifest")
    assert fates(estate)["dept/Finance/plain/twin.txt"][0] == outcome


def test_another_copy_can_be_kept(estate: Made, tmp_path: Path) -> None:
    """Keep beside a copy: it migrates, and the one that would have been kept may go."""
    book = fill(
        estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx",
        only("dept/Finance/plain/twin.txt", COPIES, decision="Keep", comment="part of a case file"),
    )  # fmt: skip
    result = estate.imports(book)
    assert (result["refused"], result["decided_files"]) == ([], 2)
    assert decisions(estate) == {
        "dept/Finance/plain/twin.txt": ("migrate", "file"),
        "dept/Finance/twin.txt": ("dispose", "copies"),
    }
    assert result["covered"][0]["what"] == "the other copies of dept/Finance/plain/twin.txt"


def test_several_copies_can_be_kept(estate: Made, tmp_path: Path) -> None:
    """Keep beside each of a group disposes of none."""

    def decide(page: str, row: dict[str, Any]) -> dict[str, Any] | None:
        return {DECISION: "keep"} if page == COPIES else None

    estate.imports(fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", decide))
    assert {word for word, _ in decisions(estate).values()} == {"migrate"}


def test_copies_of_another_unit_are_not_decided(estate: Made, tmp_path: Path) -> None:
    """Keep disposes of no copy that belongs to another unit."""
    estate.configure(lambda text: text.replace("[dept/People, dept/Later held]", "[dept/People]"))
    shutil.rmtree(estate.root / "out")
    stages(estate, "review export")
    source = estate.workbook("People & Co.xlsx")
    kept = sheet(source, COPIES)[0]
    assert (kept["Path"], kept["Line"]) == ("dept/Later held/same.txt", "Kept")
    assert kept["Not decided here because"] == "it belongs to Unassigned"
    decide = only("dept/People/same.txt", COPIES, decision="keep")
    estate.imports(fill(source, tmp_path / "f.xlsx", decide), options=["--reviewer", "me"])
    assert decisions(estate) == {"dept/People/same.txt": ("migrate", "file")}
    barred = fill(
        source, tmp_path / "g.xlsx", only("dept/Later held/same.txt", COPIES, decision="keep")
    )
    assert len(estate.imports(barred, options=["--reviewer", "me"])["refused"]) == 1


def test_kept_and_disposed_of_is_a_contradiction(estate: Made, tmp_path: Path) -> None:
    """A copy that is to be kept on one sheet and disposed of on another is refused on both, and
    nothing becomes of its group."""
    path = "dept/Finance/plain/twin.txt"
    decide = both(only(path, decision="dispose"), only(path, COPIES, decision="keep"))
    result = estate.imports(fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", decide))
    assert {one["sheet"] for one in result["refused"]} == {FOLDERS, COPIES}
    assert f"“{COPIES}” row" in result["refused"][-1]["reason"]
    assert table(estate, "decisions") == []


def test_two_copies_of_a_workbook_that_contradict_each_other(estate: Made, tmp_path: Path) -> None:
    """Given together, what differs is refused in both, what agrees or stands in one is taken."""
    source, script = estate.workbook("Finance.xlsx"), "dept/Finance/run.bat"
    one = fill(source, tmp_path / "one.xlsx", both(
        only(script, decision="migrate"), only("dept/Finance/tiny.txt", decision="leave")))  # fmt: skip
    two = fill(source, tmp_path / "two.xlsx", both(
        only(script, decision="dispose"), only("dept/Finance/tiny.txt", decision="leave"),
        only("dept/Finance/stop.bat", decision="leave")))  # fmt: skip
    results = migrate("review", "import", "-e", estate.root, one, two)["workbooks"]
    assert [[row["path"] for row in each["refused"]] for each in results] == [[script], [script]]
    assert "another workbook" in results[0]["refused"][0]["reason"]
    assert decisions(estate) == {
        "dept/Finance/tiny.txt": ("leave", "file"), "dept/Finance/stop.bat": ("leave", "file"),
    }  # fmt: skip
    assert len(table(estate, "decisions")) == 2


def test_somebody_elses_decision_stands_until_withdrawn(estate: Made, tmp_path: Path) -> None:
    """A second person's other decision, made on a workbook that did not show the first one's, is
    refused; after the first is withdrawn, it is taken."""
    source, script = estate.workbook("Finance.xlsx"), "dept/Finance/run.bat"
    first = fill(source, tmp_path / "1.xlsx", only(script, decision="migrate"))
    second = fill(source, tmp_path / "2.xlsx", only(script, decision="dispose"))
    back = fill(source, tmp_path / "3.xlsx", only(script, decision="withdraw"))
    estate.imports(first, options=["--reviewer", "Anna"])
    (refused,) = estate.imports(second, options=["--reviewer", "Ben"])["refused"]
    assert "Anna decided otherwise (migrate" in refused["reason"]
    assert estate.imports(back, options=["--reviewer", "Anna"])["decided_files"] == 1
    stages(estate, "manifest")
    assert fates(estate)["dept/Finance/run.bat"][0] == "undecided"
    assert estate.imports(second, options=["--reviewer", "Ben"])["refused"] == []
    stages(estate, "manifest")
    assert fates(estate)["dept/Finance/run.bat"][0] == "disposed"
    history = [(row["decision"], row["was"]) for row in table(estate, "decisions")]
    assert history == [("migrate", None), ("withdraw", "migrate"), ("dispose", None)]


def test_who_saw_a_decision_may_change_it(estate: Made, tmp_path: Path) -> None:
    """In a new export earlier decisions stand where they were taken; who changes one there has seen
    it, so it is a change and no conflict. Old and new value are recorded."""
    source, script = estate.workbook("Finance.xlsx"), "dept/Finance/run.bat"
    decide = both(
        only(script, decision="migrate", comment="asked"),
        only("dept/Finance/plain", proposal="Migrate", decision="migrate"),
        only("T-TINY", RULES, decision="leave"),
        only("dept/Finance/plain/twin.txt", COPIES, decision="keep"),
    )
    estate.imports(fill(source, tmp_path / "1.xlsx", decide), options=["--reviewer", "Anna"])
    stages(estate, "review export")
    again = estate.workbook("Finance.xlsx")
    rows = sheet(again, FOLDERS) + sheet(again, RULES) + sheet(again, COPIES)
    filled = [(row.get("Path") or row["Rule"], row[DECISION]) for row in rows if row[DECISION]]
    assert filled == [
        (script, "migrate"), ("dept/Finance/plain", "migrate"), ("T-TINY Tiny", "leave"),
        ("dept/Finance/plain/twin.txt", "keep"),
    ]  # fmt: skip
    (row,) = [row for row in rows if row.get("Path") == script]
    assert (row[COMMENT], row[STANDS]) == ("asked", "migrate, by itself, by Anna")
    same = estate.imports(again, options=["--reviewer", "Ben"])
    assert (same["decided_files"], same["refused"]) == (0, [])
    changed = fill(again, tmp_path / "2.xlsx", only(script, decision="dispose"))
    result = estate.imports(changed, options=["--reviewer", "Ben"])
    assert (result["decided_files"], result["refused"]) == (1, [])
    last = max(table(estate, "decisions"), key=lambda row: row["decision_seq"])
    assert (last["decision"], last["was"], last["decided_by"]) == ("dispose", "migrate", "Ben")


def test_status_tells_which_workbooks_are_still_out(estate: Made, tmp_path: Path) -> None:
    """Until something has come back of every workbook, status names those that are out."""

    def told() -> tuple[str, str]:
        found = migrate("status", "-e", estate.root)
        (stage,) = [one for one in found["stages"] if one["name"] == "review import"]
        return stage["result"], found["next"]

    source = estate.workbook("Finance.xlsx")
    estate.imports(fill(source, tmp_path / "Finance (1).xlsx", all_rows("leave")))
    result, command = told()
    assert result == "1 of 3 workbooks have come back; still out: People & Co, Unassigned"
    assert command.startswith("migrate review import WORKBOOK")
    for name in ("People & Co.xlsx", "Unassigned.xlsx"):
        book = fill(estate.workbook(name), tmp_path / name, all_rows("leave"))
        estate.imports(book, options=["--reviewer", "me"])
    assert told()[1] == "migrate manifest"


def test_withdrawing_nothing_says_nothing(estate: Made, tmp_path: Path) -> None:
    """Withdraw on rows that nobody has decided records nothing."""
    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", all_rows("withdraw"))
    assert estate.imports(book)["decided_files"] == 0
    assert table(estate, "decisions") == []


def test_a_withdrawn_nomination_takes_back_the_whole_group(estate: Made, tmp_path: Path) -> None:
    """Withdraw beside the copy that was kept leaves the others of its group undecided too."""
    path = "dept/Finance/plain/twin.txt"
    for word in ("keep", "withdraw"):
        source = estate.workbook("Finance.xlsx")
        book = fill(source, tmp_path / f"{word}.xlsx", only(path, COPIES, decision=word))
        assert estate.imports(book)["decided_files"] == 2
    stages(estate, "manifest")
    assert {fates(estate)[name][0] for name in (path, "dept/Finance/twin.txt")} == {"undecided"}


def test_refused_rows_are_written_to_a_workbook(estate: Made, tmp_path: Path) -> None:
    """A workbook lists what was refused, with sheet, row and reason; a dry run writes none."""
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "f.xlsx", all_listed("=shred"))
    dry = estate.imports(book, options=["--reviewer", "me", "--dry-run"])
    assert (dry["refused_in"], (estate.root / "out" / "review" / "refused").exists()) == ("", False)
    result = estate.imports(book, options=["--reviewer", "me"])
    rows = sheet(Path(result["refused_in"]), "Refused rows")
    assert [row["Row"] for row in rows] == [one["row"] for one in result["refused"]]
    assert [row["Refused because"] for row in rows] == [one["reason"] for one in result["refused"]]
    assert {row["Decision"] for row in rows} == {"=shred"}
    cells = [c for line in openpyxl.load_workbook(result["refused_in"]).active for c in line]
    assert all(cell.data_type != "f" for cell in cells)


def test_a_cell_far_away_is_refused(estate: Made, tmp_path: Path) -> None:
    """One stray value at the far end of a sheet would fill the memory: it is said so instead."""

    def stray(book: Any) -> None:
        book[FOLDERS]["XFD1048576"] = "x"

    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", all_rows("leave"), stray)
    with pytest.raises(LimitReached, match="1,048,576"):
        estate.imports(book)


def with_rule(made: Made, on: bool) -> None:
    """Switch on or off the rule that makes scripts stand on lines of their own; flag and export."""
    off = "rules:\n  'off': {T-SCRIPT: tried out}\n"
    made.configure(lambda text: text.replace(off, "") + ("" if on else off))
    stages(made, "flag", "review export")


def test_a_changed_proposal_is_named(estate: Made, tmp_path: Path) -> None:
    """A row for which the rules propose something else by now is refused, with both proposals."""
    source = estate.workbook("Finance.xlsx")
    book = fill(source, tmp_path / "f.xlsx", only("dept/Finance/run.bat", decision="dispose"))
    with_rule(estate, on=False)
    (refused,) = estate.imports(book)["refused"]
    assert "“Please decide” then, “Migrate” now" in refused["reason"]
    assert table(estate, "decisions") == []


def test_an_overruled_line_is_recorded_once(estate: Made, tmp_path: Path) -> None:
    """Importing a folder's line again changes nothing, also where a file's own decision overrules
    it."""
    both_said = both(only("dept/People/x.bat", decision="leave"), all_lines("migrate"))
    book = fill(estate.workbook("People & Co.xlsx"), tmp_path / "f.xlsx", both_said)
    assert estate.imports(book, options=["--reviewer", "me"])["refused"] == []
    before = len(table(estate, "decisions"))
    assert estate.imports(book, options=["--reviewer", "me"])["decided_files"] == 0
    assert len(table(estate, "decisions")) == before
    stages(estate, "manifest")
    assert fates(estate)["dept/People/x.bat"][0] == "left"


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
        all_listed("migrate"),
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
    assert "the estate has changed since the export (Modified" in reasons["s/x/run.bat"]
    assert "“Please decide” then, “Migrate” now" in reasons["s/x/tiny.txt"]
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
    """The same person who changes their mind sends another workbook."""
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
        pytest.param("f.xlsx", without("sheet2.xml"), id="a sheet missing"),
        pytest.param("f.xlsx", something_else(), id="something else"),
        pytest.param("f.xlsx", something_else(FOLDERS), id="no cover"),
        pytest.param("f.xlsx", something_else(COVER, FOLDERS, RULES), id="empty sheets"),
        pytest.param("f.xlsx", cut("workbook.xml"), id="broken workbook.xml"),
        pytest.param("f.xlsx", cut("sheet2.xml"), id="broken sheet2.xml"),
        pytest.param("f.xlsx", cut("styles.xml"), id="broken styles.xml"),
        pytest.param("f.xlsx", with_bytes(_spoiled), id="damaged member"),
        pytest.param("f.xlsx", with_bytes(_locked), id="locked zip"),
    ],
)
def test_no_workbook_of_ours(
    name: str, spoil: Callable[[Path, Path], Path], estate: Made, tmp_path: Path
) -> None:
    """A file that is damaged or something else is a clear error, and nothing is recorded."""
    good = fill(estate.workbook("Finance.xlsx"), tmp_path / "good.xlsx", all_rows("leave"))
    with pytest.raises(MigrateError) as caught:
        estate.imports(spoil(good, tmp_path / name))
    assert name in str(caught.value) or FOLDERS in str(caught.value)
    assert table(estate, "decisions") == []


def every_row(page: str, row: dict[str, Any]) -> dict[str, Any] | None:
    """A decision on every row of every sheet."""
    if row.get("Not decided here because"):
        return None
    return {DECISION: "keep" if page == COPIES else "migrate"}


def copied(book: Any) -> None:
    """A sheet copied beside the first, as people do before they try something."""
    book.copy_worksheet(book[FOLDERS]).title = f"{FOLDERS} (2)"
    for row in book[FOLDERS].iter_rows(min_row=2):
        row[0].value = None


def test_decisions_on_a_copied_sheet_count(estate: Made, tmp_path: Path) -> None:
    """A copy of a sheet is known by its columns: what is decided there is taken, with the copy's
    name in the record and in what is refused; two sheets that differ contradict each other."""
    source, path = estate.workbook("Finance.xlsx"), "dept/Finance/run.bat"
    book = fill(source, tmp_path / "f.xlsx", only(path, decision="leave"), copied)
    assert estate.imports(book, options=["--dry-run"])["decided_rows"] == 1
    assert estate.imports(book)["decided_on"] == {"file": 1}
    assert {row["sheet"] for row in table(estate, "decisions")} == {
        "Folders and files, as “Folders and files (2)”"
    }
    stages(estate, "review export")
    shown = {row["Path"]: row for row in listed(estate.workbook("Finance.xlsx"))}
    assert shown[path][DECISION] == "leave"

    def differ(book: Any) -> None:
        other = book.copy_worksheet(book[FOLDERS])
        other.title = "Sheet1"
        for row in other.iter_rows(min_row=2):
            row[0].value = "shred" if row[0].value else None

    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "g.xlsx", change=differ)
    (refused,) = estate.imports(book)["refused"]
    assert (refused["sheet"], refused["decision"]) == ("Sheet1", "shred")


def test_renamed_sheets_are_known(estate: Made, tmp_path: Path) -> None:
    """Whatever the sheets are called, each is read as what it is."""

    def renamed(book: Any) -> None:
        for number, name in enumerate((COVER, FOLDERS, COPIES, RULES)):
            book[name].title = f"S{number}"

    source = estate.workbook("Finance.xlsx")
    book = fill(source, tmp_path / "f.xlsx", every_row, renamed)
    plain = fill(source, tmp_path / "g.xlsx", every_row)
    found, expected = (estate.imports(one, options=["--dry-run"]) for one in (book, plain))
    assert found["decided_on"] == expected["decided_on"]
    assert (found["refused"], found["reviewer"]) == ([], "Finance manager")


def test_two_first_sheets_leave_open_who_decided(estate: Made, tmp_path: Path) -> None:
    """A workbook merged from two people's is refused, unless both first sheets say the same."""

    def merged(name: str) -> Callable[[Any], None]:
        def change(book: Any) -> None:
            other = book.copy_worksheet(book[COVER])
            for row in other.iter_rows():
                if row[0].value == REVIEWER_LABEL:
                    row[1].value = name or row[1].value

        return change

    source = estate.workbook("Finance.xlsx")
    estate.imports(fill(source, tmp_path / "f.xlsx", change=merged("")))
    with pytest.raises(UsageError, match=r"g\.xlsx: it has 2 first sheets"):
        estate.imports(fill(source, tmp_path / "g.xlsx", change=merged("Somebody else")))


def test_a_label_that_was_moved_is_found(estate: Made, tmp_path: Path) -> None:
    """A column or a row put before the first sheet's words changes nothing."""

    def moved(book: Any) -> None:
        book[COVER].insert_cols(1)
        book[COVER].insert_rows(1, 3)

    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", change=moved)
    assert estate.imports(book)["reviewer"] == "Finance manager"


def as_google_sheets(source: Path, to: Path) -> Path:
    """What is left of a workbook that Google Sheets opened and downloaded as .xlsx: values in
    shared strings, every number a float, a thousand rows at least; no protection, outline, links,
    filter, defined names or styles but for dates."""
    old, new = openpyxl.load_workbook(source), openpyxl.Workbook()
    new.remove(new.active)
    for page in old:
        made = new.create_sheet(page.title)
        for row in page.iter_rows():
            for cell in row:
                value = float(cell.value) if isinstance(cell.value, int) else cell.value
                target = made.cell(cell.row, cell.column, value)
                if isinstance(value, str):
                    target.data_type = "s"
                if cell.is_date:
                    target.number_format = "yyyy\\-mm\\-dd"
        made.cell(max(1000, page.max_row), 1).number_format = "General"
    new.save(to)
    return to


def test_through_google_sheets_and_back(estate: Made, tmp_path: Path) -> None:
    """Nothing that Google Sheets leaves out is needed."""
    for path in books(estate).values():
        filled = fill(path, tmp_path / path.name, every_row)
        back = as_google_sheets(filled, tmp_path / f"google {path.name}")
        options = ["--reviewer", "me", "--dry-run"]
        found, expected = (estate.imports(one, options=options) for one in (back, filled))
        assert found["refused"] == []
        assert found["decided_on"] == expected["decided_on"] != {}
        assert found["undecided_rows"] == expected["undecided_rows"]


OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000


def with_member(name: str, content: bytes) -> Callable[[Path, Path], Path]:
    def write(source: Path, to: Path) -> Path:
        shutil.copy(source, to)
        with zipfile.ZipFile(to, "a") as archive:
            archive.writestr(name, content)
        return to

    return write


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (with_bytes(lambda data: OLE2), "Excel 97 to 2003 "),
        (with_bytes(lambda data: OLE2 + "EncryptedPackage".encode("utf-16-le")), "with a password"),
        (with_bytes(lambda data: b"Decision,Comment\nleave,\n"), "perhaps a .csv"),
        (with_member("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), r"\.ods"),
        (with_member("xl/workbook.bin", b""), r"\.xlsb"),
    ],
)
def test_other_files_are_called_what_they_are(
    spoil: Callable[[Path, Path], Path], words: str, estate: Made, tmp_path: Path
) -> None:
    """Who saved it in another form is told which, and what to do."""
    with pytest.raises(UsageError, match=words) as caught:
        estate.imports(spoil(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx"))
    assert "save it as an Excel workbook (.xlsx)" in caught.value.todo


def test_the_list_of_refused_rows_is_no_workbook(estate: Made, tmp_path: Path) -> None:
    """Who corrects the list of refused rows and sends that is told where to correct them; so is
    who only reads the list."""
    book = fill(estate.workbook("Unassigned.xlsx"), tmp_path / "f.xlsx", all_listed("shred"))
    refused = Path(estate.imports(book, options=["--reviewer", "me"])["refused_in"])
    with pytest.raises(UsageError) as caught:
        estate.imports(refused)
    assert "correct the rows in the workbook that was sent" in caught.value.todo
    words = [row[0].value for row in openpyxl.load_workbook(refused)["What to do"].iter_rows()]
    assert any("correct it in the workbook you sent" in line for line in words)


def test_every_refusal_of_a_workbook_names_it(estate: Made, tmp_path: Path) -> None:
    """Of several workbooks, the one that cannot be read is named."""

    def lost(book: Any) -> None:
        book[RULES].delete_cols(1)

    good = estate.workbook("Unassigned.xlsx")
    book = fill(estate.workbook("Finance.xlsx"), tmp_path / "bad.xlsx", change=lost)
    with pytest.raises(UsageError, match=r"bad\.xlsx: the sheet “Rules” has lost"):
        estate.imports(good, book, options=["--reviewer", "me"])


def test_the_old_value_is_recorded(estate: Made, tmp_path: Path) -> None:
    """A decision says what stood before it, in the same scope."""
    for word in ("leave", "migrate", "withdraw"):
        source, path = estate.workbook("Finance.xlsx"), "dept/Finance/run.bat"
        book = fill(source, tmp_path / f"{word}.xlsx", only(path, decision=word))
        estate.imports(book)
    rows = sorted(table(estate, "decisions"), key=lambda row: row["decision_seq"])
    assert [(row["was"], row["decision"]) for row in rows] == [
        (None, "leave"), ("leave", "migrate"), ("migrate", "withdraw"),
    ]  # fmt: skip


def test_xml_entities_are_refused(estate: Made, tmp_path: Path) -> None:
    """A workbook that declares entities of its own is no spreadsheet program's."""

    def declare(name: str, data: bytes) -> bytes:
        doctype = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>'
        return data.replace(b"<worksheet", doctype + b"<worksheet", 1) if "sheet2" in name else data

    book = rezipped(estate.workbook("Finance.xlsx"), tmp_path / "f.xlsx", declare)
    with pytest.raises(UsageError, match="document type"):
        estate.imports(book)


@pytest.mark.parametrize(
    "spoil", [without("[Content_Types].xml"), cell_says(b"abc"), cell_says(b"nan")]
)
def test_damage_that_takes_no_decision_away(
    spoil: Callable[[Path, Path], Path], estate: Made, tmp_path: Path
) -> None:
    """A file in which every decision can still be told is read, whatever else is broken in it."""
    good = fill(estate.workbook("Finance.xlsx"), tmp_path / "good.xlsx", all_rows("leave"))
    result = estate.imports(spoil(good, tmp_path / "f.xlsx"))
    assert result["decided_rows"] == len(sheet(good, FOLDERS))


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
        both(*(only(path, decision=word) for path, word in words.items())),
    )  # fmt: skip
    result = estate.imports(book)
    assert [one["path"] for one in result["refused"]] == ["dept/Finance/run.bat"]
    assert (result["decided_rows"], result["decided_files"]) == (3, 4)
    assert decisions(estate)["dept/Finance/stop.bat"] == ("leave", "file")
    (run,) = Estate(estate.root).runs("review import")
    assert [one["row"] for one in run.summary["refused"]] == [result["refused"][0]["row"]]


def test_a_decision_can_be_traced(
    estate: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table says who decided, when, on what, in which workbook, sheet and row."""
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
    assert (row["sheet"], row["row"]) == (FOLDERS, row_of(source, FOLDERS, path))
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
