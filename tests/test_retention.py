"""Retention: due dates from schedules, and what they are counted from."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import run

from migrate.config import Config, load
from migrate.engine.query import Query
from migrate.errors import RulesInvalid
from migrate.estate import Estate, Writer, create, write_part, writing
from migrate.facts import facts
from migrate.model import TABLES
from migrate.strict import validate
from migrate.yamlfile import Document

BASE = "format: 1\nshares: [{name: dept, path: share}]\n"


def ns(year: int, month: int = 1, day: int = 1) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000_000


def listed(folder: Path, files: dict[str, int | None]) -> Estate:
    """An estate with these files, last modified then."""
    estate = create(folder, BASE)
    rows = [
        {"scan_id": 1, "entry_id": number, "parent_id": 0, "share": "dept", "path": path,
         "name": path.rpartition("/")[2], "kind": "file", "size_bytes": 1, "mtime_ns": time}
        for number, (path, time) in enumerate(files.items(), 1)
    ]  # fmt: skip
    with writing(estate, ["test"]) as writer:
        run_ = Writer.begin(writer, "crawl", {"share": "dept"})
        part = write_part(folder, "entries", pa.Table.from_pylist(rows, TABLES["entries"].schema))
        writer.commit(run_, [part])
        writer.finish(run_, {})
    return estate


def due(estate: Estate, plan: str, schedule: str) -> dict[str, dict]:
    """The retention facts of every file."""
    config = validate(Document("estate.yaml", {
        "format": "1", "shares": [{"name": "dept", "path": "share"}],
        "file_plan": [{"folder": "dept/A", "container": "A", "retention_class": "C", **eval(plan)}],
        "retention": [{"retention_class": "C", "authority": "S 1", "action": "destroy", **eval(schedule)}],
    }), Config)  # fmt: skip
    with Query(estate) as query:
        return {row["path"]: row for row in query.rows(facts(query, config))}


FILES = {
    "A/old.doc": ns(2001, 5, 6),
    "A/b/new.doc": ns(2010, 2, 28),
    "A/odd.doc": None,
    "B/x.doc": ns(2001),
}


@pytest.mark.parametrize(
    ("plan", "schedule", "old", "new", "certain", "basis"),
    [
        ("{'closed': '2012-03-31'}", "{'trigger': 'folder_closed', 'period': '6y'}", "2018-03-31", "2018-03-31", True, "its folder was closed on 2012-03-31"),
        ("{}", "{'trigger': 'folder_closed', 'period': '6y'}", "2016-02-28", "2016-02-28", False, "its folder is taken as closed on 2010-02-28, the date of its newest file"),
        ("{}", "{'trigger': 'last_correspondence', 'period': '18mo'}", "2011-08-28", "2011-08-28", False, "the newest file of its folder, of 2010-02-28, for the last correspondence"),
        ("{'closed': '2012-03-31'}", "{'trigger': 'last_modified', 'period': '30d'}", "2001-06-05", "2010-03-30", False, "(a proxy for when it was last needed)"),
        ("{}", "{'trigger': 'document_date', 'period': '2w'}", "2001-05-20", "2010-03-14", False, "(a proxy)"),
    ],
)  # fmt: skip
def test_due_dates(tmp_path, plan, schedule, old, new, certain, basis):
    """Each trigger counts from its own date; only a written closing date is certain."""
    found = due(listed(tmp_path / "e", FILES), plan, schedule)
    for path, day in (("A/old.doc", old), ("A/b/new.doc", new)):
        row = found[path]
        assert row["retention_due_ns"] == ns(*map(int, day.split("-"))), path
        assert row["retention_certain"] is certain
        assert basis in row["retention_basis"]
        assert (row["retention_authority"], row["retention_class"]) == ("S 1", "C")
    assert found["B/x.doc"]["retention_class"] is None
    assert found["B/x.doc"]["retention_due_ns"] is None
    assert found["B/x.doc"]["retention_certain"] is None


def test_a_file_without_a_date_is_never_due_by_proxy(tmp_path):
    """What is not known when it was changed has no due date."""
    found = due(listed(tmp_path / "e", FILES), "{}", "{'trigger': 'last_modified', 'period': '1y'}")
    assert found["A/odd.doc"]["retention_due_ns"] is None


def test_what_is_kept_for_good_is_never_due(tmp_path):
    """A schedule without a period has no due date."""
    found = due(
        listed(tmp_path / "e", FILES), "{}", "{'trigger': 'folder_closed', 'action': 'keep'}"
    )
    assert found["A/old.doc"]["retention_due_ns"] is None
    assert found["A/old.doc"]["retention_action"] == "keep"


SCHEDULE = "retention: [{retention_class: C, trigger: folder_closed, period: 6y, action: destroy, authority: S}]\n"
PLAN = "file_plan: [{folder: dept/A, container: A, retention_class: C}]\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (PLAN, 3, "the class 'C' has no schedule; add it under `retention`"),
        (PLAN + SCHEDULE.replace("class: C", "class: D"), 3, "no schedule; expected one of D"),
        (PLAN + SCHEDULE.replace("}]", "}, {retention_class: C, trigger: last_modified, period: 1y, action: review, authority: S}]"), 4, "two schedules"),
        (PLAN + SCHEDULE.replace("period: 6y, ", ""), 4, "to destroy needs a period"),
        (PLAN + SCHEDULE.replace("6y", "six"), 4, "period"),
        (PLAN + SCHEDULE.replace("folder_closed", "closing"), 4, "trigger"),
    ],
)  # fmt: skip
def test_schedules_that_cannot_be(tmp_path, text, line, message):
    """A class without a schedule, with two, without a period: faults, and nothing runs."""
    (tmp_path / "estate.yaml").write_text(BASE + text)
    with pytest.raises(RulesInvalid) as caught:
        load(tmp_path / "estate.yaml")
    assert any(message in fault.message and fault.line == line for fault in caught.value.faults)


def test_schedules_from_a_spreadsheet(tmp_path):
    """A schedule may stand in a CSV beside estate.yaml; faults name its row."""
    csv = "retention class,trigger,period,action,authority\nC,folder closed,6y,destroy,S\n"
    (tmp_path / "s.csv").write_text(csv.replace("folder closed", "folder_closed"))
    (tmp_path / "estate.yaml").write_text(BASE + PLAN + "retention_files: [s.csv]\n")
    assert load(tmp_path / "estate.yaml")[0].retention[0].period == "6y"
    (tmp_path / "s.csv").write_text(csv)
    with pytest.raises(RulesInvalid) as caught:
        load(tmp_path / "estate.yaml")
    assert [(fault.file, fault.line, fault.column) for fault in caught.value.faults] == [
        ("s.csv", 2, 2)
    ]


def test_only_a_written_date_disposes(tmp_path):
    """Past its period by a written closing date: disposal, on the schedule's authority. By an
    inferred one: review."""
    for name in ("A", "B"):
        (tmp_path / "share" / name).mkdir(parents=True)
        (tmp_path / "share" / name / "paper.txt").write_text(name * 100)
    run("init", tmp_path / "estate", "--share", f"dept={tmp_path / 'share'}")
    with (tmp_path / "estate" / "estate.yaml").open("a") as file:
        file.write(
            "file_plan:\n- {folder: dept/A, container: A, retention_class: C, closed: 2012-03-31}\n"
            "- {folder: dept/B, container: B, retention_class: C}\n" + SCHEDULE
        )
    for stage in (["crawl"], ["dedupe"], ["flag", "--as-of", str(date(2040, 1, 1))]):
        run(*stage, "-e", tmp_path / "estate")
    sure = run("explain", "-e", tmp_path / "estate", "dept/A/paper.txt").stdout
    assert "OBS-011 Past its retention period: decides" in sure
    assert "authority: Retention schedule: S" in sure
    assert "its folder was closed on 2012-03-31" in sure
    inferred = run("explain", "-e", tmp_path / "estate", "dept/B/paper.txt").stdout
    assert "OBS-018 Retention period seems to be over: decides" in inferred
