"""What people are shown of copies: one line for a folder that exists twice, what is only there, who
else may open it; and what is never proposed: a master folder, a copy of something held."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from helpers_review import BODY, LINUX, MTIME, fill, make, put, sheet, stages

from migrate.config import Config, load
from migrate.crawl import CrawlOptions, crawl_share
from migrate.dedupe import dedupe
from migrate.engine.query import Query
from migrate.estate import Estate, create, write_part, writing
from migrate.flag.rules import Rule, load_rules
from migrate.flag.stage import flag
from migrate.model import TABLES
from migrate.plan import proposals
from migrate.review.columns import COPIES, DECISION
from migrate.review.desk import OTHERS_SHOWN, lay_out
from migrate.review.rows import copy_row, folder_row
from migrate.visit import Reading

AS_OF = date(2026, 1, 1)
CONFIG = """\
format: 1
shares: [{name: s, path: share}]
keeper: {master_folders: [s/Masters]}
holds:
  - {reference: H, title: Hold, authority: Act, issued: 2024-01-01, match: {path|under: [s/Finance/2011]}}
"""
FILES = ["2010/a.txt", "2010/b.txt", "2011/c.txt", "2011/d.txt"]
MANY = [f"{number}.txt" for number in range(20)]


def tree(top: str, files: list[str], of: str) -> dict[str | bytes, str | bytes]:
    return {f"{top}/{name}": f"{BODY}{of} {name}" for name in files}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is proposed for each path, and the rows of the workbook."""
    root = tmp_path_factory.mktemp("shown")
    put(root / "e" / "share", {
        **tree("Finance", FILES, "finance"), **tree("A/B/C/D/Old finance", FILES, "finance"),
        **tree("Live", MANY, "live"), **tree("Copy of live", MANY[2:], "live"),
        "Copy of live/=new.txt": f"{BODY}new", "Copy of live/other.txt": f"{BODY}other",
        **tree("Masters/One", MANY[:3], "master"), **tree("Masters/Two", MANY[:3], "master"),
        **tree("Elsewhere", MANY[:3], "master"),
        "Open/x.txt": f"{BODY}x", "Locked/x.txt": f"{BODY}x",
    })  # fmt: skip
    (root / "e" / "share" / "Open" / "x.txt").chmod(0o644)
    (root / "e" / "share" / "Locked" / "x.txt").chmod(0o600)
    (root / "config").mkdir()
    estate = estate_over(root / "e", CONFIG)
    config, document = load(estate.config_path)
    rules = load_rules(config, document, estate.root)
    rules = [rule for rule in rules if rule.id.startswith(("RED-0", "HOLD"))]
    with writing(estate, ["test"]) as writer:
        crawl_share(estate, config, writer, "s", CrawlOptions(2, Reading(mime=False)))
        dedupe(writer, config, 2)
        flag(writer, config, rules, AS_OF)
    return {**seen(estate, config, rules), "estate": estate}


def estate_over(root: Path, text: str) -> Estate:
    """An estate in a folder that has its share in it already."""
    share = root / "share"
    share.rename(root.parent / "kept")
    estate = create(root, text)
    (root.parent / "kept").rename(share)
    return estate


def seen(estate: Estate, config: Config, rules: list[Rule]) -> dict[str, Any]:
    holds = [rule for rule in rules if rule.category == "hold"]
    with Query(estate) as query:
        every = query.stored(proposals(query, config, holds, AS_OF))
        desk = lay_out(query, every)
        findings = query.table("findings").inner_join(
            query.table("entries").select("entry_id", "path"), "entry_id"
        )
        return {
            "proposed": {row["path"]: row for row in query.rows(every)},
            "lines": [folder_row(row) for row in query.rows(desk.lines)],
            "copies": {row["full_path"]: copy_row(row) for row in query.rows(desk.copies)},
            "found": {(row["path"], row["rule_id"]) for row in query.rows(findings)},
        }


def line(shown: dict[str, Any], path: str, proposal: str) -> dict[str, Any]:
    (found,) = (r for r in shown["lines"] if (r["Path"], r["Proposal"]) == (path, proposal))
    return found


def test_a_folder_that_exists_twice_is_one_line(shown: dict[str, Any]) -> None:
    """However deep it lies; with what it is a copy of, and how much of it is on hold."""
    row = line(shown, "s/A/B/C/D/Old finance", "Dispose")
    assert row["Files"] == 2
    assert "This folder is the same as s/Finance, which stays" in str(row["Why"])
    assert "Copy of a whole folder (RED-014)" in str(row["Why"])
    assert (row["Duplicate of"], row["Hold"]) == ("s/Finance", "2 here are on hold and not covered")
    assert shown["proposed"]["A/B/C/D/Old finance/2011/c.txt"]["proposal"] == "hold"
    assert ("A/B/C/D/Old finance", "RED-014") in shown["found"]


def test_what_is_only_here_is_named(shown: dict[str, Any]) -> None:
    """On the line of what is in both, and on the line of what is not."""
    for proposal, files in (("Dispose", 18), ("Please decide", 2)):
        row = line(shown, "s/Copy of live", proposal)
        assert row["Files"] == files
        why = str(row["Why"])
        assert "18 of the 20 files (90%) are also in s/Live. Only here: 2 files, " in why
        assert "(=new.txt, other.txt)" in why
    reason = shown["proposed"]["Copy of live/other.txt"]["reason"]
    assert "18 of its 20 files are there too; 2 files are nowhere else" in reason


def test_nothing_in_a_master_folder_is_proposed_for_disposal(shown: dict[str, Any]) -> None:
    """Not even where another master folder has it too. Copies elsewhere are."""
    proposed = {path: row["proposal"] for path, row in shown["proposed"].items()}
    masters = [path for path in proposed if path.startswith("Masters/")]
    assert len(masters) == 6
    assert {proposed[path] for path in masters} == {"migrate"}
    assert proposed["Elsewhere/0.txt"] == "dispose"


def test_other_permissions_are_told(shown: dict[str, Any]) -> None:
    """In the reason, on the line, among the duplicates; not where they are the same."""
    copy, kept = (shown["proposed"][path] for path in ("Locked/x.txt", "Open/x.txt"))
    assert copy["permissions_differ"] is True
    assert "Its permissions differ from those of the copy that stays" in copy["reason"]
    assert kept["permissions_differ"] is None
    assert shown["copies"]["s/Locked/x.txt"]["Permissions"] == "not those of the file kept"
    assert "1 of them has other permissions" in str(line(shown, "s/Locked", "Dispose")["Why"])
    assert shown["proposed"]["Elsewhere/0.txt"]["permissions_differ"] is False


LISTS = {
    1: "D:AI(A;;0x1200a9;;;S-1-5-21-1)", 2: "D:(A;ID;0x1200a9;;;S-1-5-21-1)",
    3: "D:P(A;OICIID;0x1200a9;;;S-1-5-21-1)", 4: "D:(A;;0x1f01ff;;;S-1-1-0)", 5: None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("keeper", "copy", "differ"),
    [(1, 2, False), (1, 4, True), (1, 3, True), (1, 5, None), (1, None, None), (1, 1, False)],
)
def test_access_lists_of_servers_are_compared(
    tmp_path: Path, keeper: int, copy: int | None, differ: bool | None
) -> None:
    """Whether an entry is inherited makes no difference; a list nobody asked for is not known."""
    estate = create(tmp_path / "e", "format: 1\nshares: [{name: s, path: share}]\n")
    config, _ = load(estate.config_path)
    entries = [
        {"scan_id": 1, "entry_id": n, "parent_id": 0, "share": "s", "path": f"{n}", "name": f"{n}",
         "kind": "file", "size_bytes": 5, "mtime_ns": n, "security_id": security, "file_id": n,
         "device_id": 1, "mode": 0o600 if security is None else None}
        for n, security in ((1, keeper), (2, copy))
    ]  # fmt: skip
    digests = [{"scan_id": 1, "entry_id": n, "sample_xxh3": b"x", "xxh3_128": b"x"} for n in (1, 2)]
    securities = [{"security_id": n, "dacl": dacl} for n, dacl in LISTS.items()]
    with writing(estate, ["test"]) as writer:
        run = writer.begin("crawl", {"share": "s", "sha256": False})
        for name, rows in (("entries", entries), ("digests", digests), ("securities", securities)):
            table = pa.Table.from_pylist(rows, TABLES[name].schema)
            writer.commit(run, [write_part(estate.root, name, table)])
        writer.finish(run, {})
        dedupe(writer, config, 1)
    with Query(estate) as query:
        from migrate.facts import facts

        rows = {row["path"]: row for row in query.rows(facts(query, config))}
    assert rows["2"]["role"] == "copy"
    assert rows["2"]["permissions_differ"] is differ


@pytest.mark.skipif(not LINUX, reason="modes")
def test_a_file_everybody_may_read_has_no_other_readers(shown: dict[str, Any]) -> None:
    """The owner alone makes no difference then."""
    assert shown["proposed"]["Copy of live/2.txt"]["permissions_differ"] is False


def test_every_copy_of_a_group_is_seen_by_all_who_decide_on_one(tmp_path: Path) -> None:
    """With whose it is, its owner and its date, and no place to decide on it; also by the unit of
    the keeper, which others rely on. Of very many the rest is counted."""
    cu, letters = tmp_path / "cu", "ABC"
    put(cu, {f"{unit}/paper.txt": f"{BODY}paper" for unit in "BC"})
    put(cu, {f"C/many/{number:03}.txt": f"{BODY}many" for number in range(60)})
    put(cu, {"B/many.txt": f"{BODY}many"})
    put(cu, {"A/paper.txt": f"{BODY}paper"}, MTIME - 86_400 * 10**9)
    units = "".join(f"  - {{name: {unit}, folders: [cu/{unit}]}}\n" for unit in letters)
    made = make(tmp_path / "estate", {"cu": cu}, f"business_units:\n{units}")
    stages(made)
    books = {unit: sheet(made.workbook(f"{unit}.xlsx"), COPIES) for unit in letters}
    barred = "Not decided here because"
    for unit, rows in books.items():
        papers = {row["Path"]: row for row in rows if row["Group"] == "paper.txt × 3"}
        assert set(papers) == {f"cu/{other}/paper.txt" for other in letters}
        for other in set(letters) - {unit}:
            row = papers[f"cu/{other}/paper.txt"]
            assert row[barred] == f"it belongs to {other}"
            assert row["Owner"] and row["Modified"]
        assert bool(papers[f"cu/{unit}/paper.txt"][barred]) == (unit == "A")
    assert "copies of other units may go because it stays" in str(books["A"][0][barred])
    many = [row for row in books["B"] if row["Group"] == "many.txt × 61"]
    more = many.pop()
    assert len(many) == OTHERS_SHOWN  # its own, which stays, among them
    assert more["Path"] == f"and {61 - OTHERS_SHOWN} more copies"
    assert "also_at.csv" in str(more[barred])
    everything = fill(made.workbook("B.xlsx"), tmp_path / "B.xlsx", lambda page, row: (
        {DECISION: "keep"} if page == COPIES else None))  # fmt: skip
    refused = made.imports(everything, options=["--reviewer", "me"])["refused"]
    assert {row["path"] for row in refused} == {row["Path"] for row in books["B"] if row[barred]}
    assert {row["reason"] for row in refused} >= {
        f"not decided in this workbook: it belongs to {unit}" for unit in "AC"
    }
