"""What must hold whatever the files, the rules and the holds are: property tests of flag and plan."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migrate.config import Config, Share, load
from migrate.engine.query import Query
from migrate.errors import Fault
from migrate.estate import Estate, create, write_part, writing
from migrate.facts import FACTS, from_path
from migrate.flag.fields import FIELDS
from migrate.flag.language import parse
from migrate.flag.rules import Rule, load_rules
from migrate.flag.stage import flag
from migrate.model import TABLES
from migrate.plan import proposals
from migrate.yamlfile import Document

AS_OF = date(2026, 1, 1)
BASE = "format: 1\nshares: [{name: dept, path: share}]\n"
NAMES = [
    "Thumbs.db",
    "Contract signed.pdf",
    "copy of a.doc",
    "a.tmp",
    "Minutes.doc",
    "a.doc",
    "x.exe",
    "desktop.ini",
]
FOLDERS = ["$RECYCLE.BIN", "Finance", "Held", "Backup", "Signed"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> list[Rule]:
    root = tmp_path_factory.mktemp("pack")
    (root / "estate.yaml").write_text(BASE)
    config, document = load(root / "estate.yaml")
    return load_rules(config, document, root)


def hold(match: dict, name: str = "H") -> Rule:
    found: list[Fault] = []
    condition = parse(Document("t", {"m": match}), ("m",), found)
    return Rule(
        f"HOLD {name}", "t", "hold", "high", "keep", "a", f"held by {name}", condition, "t:1"
    )


def estate_of(folder: Path, files: list[tuple[str, int | None]], order: int = 0) -> Estate:
    """An estate with these files: path, and which content (None: it could not be read). Contents
    are grouped as dedupe would, with any of the copies as keeper."""
    estate = create(folder, BASE)
    tables: dict[str, list[dict]] = {"entries": [], "digests": [], "formats": [], "groups": []}
    for number, (path, content) in enumerate(files, 1):
        key = {"scan_id": 1, "entry_id": number}
        tables["entries"].append({**key, "parent_id": 0, "share": "dept", "path": path, "kind": "file",
            "name": path.rpartition("/")[2], "size_bytes": 100 + (content or 0), "mtime_ns": 1_600_000_000_000_000_000,
            "device_id": 1, "file_id": number, "link_count": 1})  # fmt: skip
        digest = None if content is None else bytes([content]) * 16
        tables["digests"].append({**key, "sample_xxh3": digest, "xxh3_128": digest, "encrypted": False,
            "error": "EIO" if content is None else None})  # fmt: skip
        members = [
            n for n, (_, other) in enumerate(files, 1) if other == content and content is not None
        ]
        if len(members) > 1:
            keeper = members[content % len(members)]
            tables["groups"].append({**key, "group_id": members[0], "keeper_id": keeper, "member_count": len(members),
                "role": "keeper" if number == keeper else "copy", "size_bytes": 100})  # fmt: skip
    shuffle = random.Random(order)
    with writing(estate, ["test"]) as writer:
        for stage, names in (("crawl", ["entries", "digests"]), ("dedupe", ["groups"])):
            run = writer.begin(
                stage, {"share": "dept", "sha256": False}, [] if stage == "crawl" else [1]
            )
            for name in names:
                rows = sorted(tables[name], key=lambda row: row["entry_id"])
                shuffle.shuffle(rows) if order else None
                writer.commit(
                    run, [write_part(folder, name, pa.Table.from_pylist(rows, TABLES[name].schema))]
                )
            writer.finish(run, {})
    return estate


def proposed(estate: Estate, rules: list[Rule]) -> dict[str, str]:
    """What is proposed for every path."""
    config = Config(format="1", shares=[Share(name="dept", path="share")])
    holds = [rule for rule in rules if rule.category == "hold"]
    with writing(estate, ["test"]) as writer:
        flag(writer, config, rules, AS_OF)
    with Query(estate) as query:
        rows = query.rows(proposals(query, config, holds, AS_OF).select("path", "proposal"))
        return {row["path"]: row["proposal"] for row in rows}


paths = st.builds("{}/{} {}".format, st.sampled_from(FOLDERS), st.integers(1, 3), st.sampled_from(NAMES)) | st.builds(
    "{}/{}".format, st.sampled_from(FOLDERS), st.sampled_from(NAMES))  # fmt: skip
shares = st.dictionaries(paths, st.none() | st.integers(1, 4), min_size=2, max_size=12).map(
    lambda found: [*found.items()]
)
FEW = settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fresh(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("estate") / "e"


@FEW
@given(files=shares, order=st.integers(1, 99))
@example(files=[("$RECYCLE.BIN/a.doc", 2), ("Finance/a.doc", 2), ("Held/1 a.doc", None)], order=3)
@example(files=[("Held/a.doc", 1), ("Backup/Thumbs.db", 1), ("Finance/a.tmp", 3)], order=5)
def test_promises_of_the_plan(pack, tmp_path_factory, files, order):
    """A hold on one copy covers all; adding one never adds a disposal; the last copy is never
    proposed for disposal unless each copy is rubbish by itself; order changes nothing; what could
    not be read is never proposed for disposal."""
    estate = estate_of(fresh(tmp_path_factory), files)
    before = proposed(estate, pack)
    contents = dict(files)
    disposed = {path for path, proposal in before.items() if proposal == "dispose"}
    assert all(contents[path] is not None for path in disposed)
    last = {
        content for content in {*contents.values()} - {None}
        if all(path in disposed for path, one in files if one == content)
    }  # fmt: skip
    junk = ("Thumbs.db", "desktop.ini")
    for path, content in files:
        if content in last:
            assert path.endswith(junk) or path.startswith("$RECYCLE.BIN"), (path, before)
        if "Contract" in path or "Minutes" in path:  # a record by its name
            assert path not in disposed
    turned = estate_of(fresh(tmp_path_factory), files, order)
    mixed = [*pack]
    random.Random(order).shuffle(mixed)
    assert proposed(turned, sorted(mixed, key=lambda rule: rule.rank)) == before
    with_hold = proposed(estate, [hold({"path|under": "dept/Held"}), *pack])
    in_scope = {contents[path] for path, _ in files if path.startswith("Held/")}
    for path, content in files:
        covered = path.startswith("Held/") or (content is not None and content in in_scope)
        assert (with_hold[path] == "hold") == covered, path
    assert {path for path, one in with_hold.items() if one == "dispose"} <= disposed


VALUES = {
    "size_bytes": [0, 5, 100, 5000], "mtime_ns": [0, 10**18], "atime_ns": [0, 10**18], "owner": ["ann", "1017"],
    "puid": ["fmt/40", "x-fmt/411", "fmt/682"], "identified": [True, False], "encrypted": [True, False],
    "ext_mismatch": [True, False], "dup": ["keeper", "not_keeper", "none"], "retention_class": ["C"],
    "retention_due_ns": [0, 10**19 // 5], "retention_action": ["destroy", "review"],
    "retention_certain": [True, False], "format_risk": ["high", "low"], "child_count": [0, 3],
}  # fmt: skip


@FEW
@given(seed=st.integers(0, 10_000))
def test_what_is_not_known_never_adds_a_disposal(pack, seed):
    """Facts taken away, one at a time, never make a rule propose a disposal that it did not."""
    chance = random.Random(seed)
    rows = []
    for number in range(30):
        path = f"dept/{chance.choice(FOLDERS)}/{chance.choice(NAMES)}"
        row = {
            "full_path": path,
            "name": path.rpartition("/")[2],
            "kind": "file",
            "unit": "Unassigned",
        }
        row |= {name: chance.choice(values) for name, values in VALUES.items()}
        rows.append({**row, "row": number, "without": ""})
        rows += [{**row, name: None, "row": number, "without": name} for name in VALUES]

    schema = pa.schema([("row", pa.int32()), ("without", pa.string()), *FACTS])
    facts = from_path(ibis.memtable(pa.Table.from_pylist(rows, schema)))
    disposing = [rule for rule in pack if rule.action == "dispose"]
    columns = {rule.id: rule.condition.ask(facts, AS_OF).fill_null(False) for rule in disposing}
    answers = (
        ibis.duckdb.connect().to_pyarrow(facts.select("row", "without", **columns)).to_pylist()
    )
    whole = {row["row"]: row for row in answers if row["without"] == ""}
    for row in answers:
        for rule in disposing:
            assert whole[row["row"]][rule.id] or not row[rule.id], (rule.id, row["without"])


def test_the_facts_of_the_property_are_fields():
    """Every fact taken away above is one that rules ask for."""
    assert {*VALUES} <= {field.fact for field in FIELDS.values()}
