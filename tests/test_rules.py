"""Rules: the pack keeps its own promises, malformed rules stop everything, unknown matches nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from migrate.cli import cli
from migrate.config import Config, load
from migrate.engine.query import Query
from migrate.errors import Fault, RulesInvalid
from migrate.estate import Estate, create
from migrate.expressions import size_words
from migrate.facts import FACTS
from migrate.flag.examples import AS_OF, facts_of, failing_examples, scratch_query
from migrate.flag.fields import FIELDS
from migrate.flag.language import parse
from migrate.flag.rules import LADDER, Rule, load_holds, load_rules
from migrate.flag.stage import reason
from migrate.flag.values import days_before, nanoseconds
from migrate.paths import pack_folder
from migrate.patterns import fold
from migrate.wording import size_text
from migrate.yamlfile import Document, parse_yaml

BASE = "format: 1\nshares: [{name: dept, path: share}]\n"
CONNECTION = ibis.duckdb.connect()

COLUMNS = pa.schema(
    [("n", pa.int64()), *FACTS, ("lower_path", pa.string()), ("lower_folder", pa.string()),
     ("ext", pa.string())]
)  # fmt: skip


def condition(match):
    """What a `match` says, parsed."""
    faults: list[Fault] = []
    found = parse(Document("t", {"match": match}), ("match",), faults)
    assert not faults, faults
    return found


def table(rows):
    """Rows of facts; what a row does not give is unknown."""
    full = [{"n": n, **row} for n, row in enumerate(rows)]
    return ibis.memtable(pa.Table.from_pylist(full, COLUMNS))


def ask(match, rows):
    """True, False or None (unknown) for every row, as the engine says."""
    facts = table(rows)
    asked = facts.select("n", hit=condition(match).ask(facts, AS_OF)).order_by("n")
    return CONNECTION.to_pyarrow(asked)["hit"].to_pylist()


def at(path, kind="file", **more):
    """Facts of an entry at share/folder/name, lower-cased by the engine's own function as crawled
    facts are (see facts.py)."""
    lower = fold(path)
    folder = lower if kind == "folder" or "/" not in lower else lower.rpartition("/")[0]
    return {
        "full_path": path, "lower_path": lower, "lower_folder": folder,
        "name": path.rpartition("/")[2], "kind": kind, **more,
    }  # fmt: skip


# The pack


def empty_estate(folder: Path, config: str = BASE) -> Estate:
    return create(folder, config)


def rules_of(estate: Estate) -> list[Rule]:
    config, document = load(estate.config_path)
    return load_rules(config, document, estate.root)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> list[Rule]:
    return rules_of(empty_estate(tmp_path_factory.mktemp("pack") / "estate"))


def test_pack_does_what_its_examples_say(pack, tmp_path):
    """Every hit of every rule is hit and every miss is missed, in the engine that flag uses."""
    with Query(empty_estate(tmp_path / "estate")) as query:
        assert failing_examples(query, pack) == []


def test_failing_examples_are_seen(pack, tmp_path):
    """The check above can fail: with hit and miss changed over, every single example complains."""
    turned = [Rule(**{**asdict(rule), "hit": rule.miss, "miss": rule.hit}) for rule in pack[:10]]
    with Query(empty_estate(tmp_path / "estate")) as query:
        faults = failing_examples(query, turned)
    assert len(faults) == sum(len(rule.hit) + len(rule.miss) for rule in turned)
    assert {f"{fault.file}:{fault.line}" for fault in faults} == {rule.where for rule in turned}


def test_pack_is_large_enough_and_ids_are_unique(pack):
    """At least forty rules, of every category but hold, each with an id of its own."""
    assert len(pack) >= 40
    assert max(Counter(rule.id for rule in pack).values()) == 1
    assert {rule.category for rule in pack} == set(LADDER) - {"hold"}


def test_pack_shares_no_line_and_names_its_files(pack):
    """Each rule says where it stands, and its id stands on that very line."""
    assert len({rule.where for rule in pack}) == len(pack)
    for rule in pack:
        file, line = rule.where.split(":")
        text = (
            (pack_folder() / file.removeprefix("rules/")).read_text(encoding="utf-8").splitlines()
        )
        assert text[int(line) - 1].strip() == f"- id: {rule.id}"


def test_pack_disposes_only_with_authority_and_never_unsurely(pack):
    """A rule that proposes disposal names its authority, is sure, and protects nothing."""
    disposing = [rule for rule in pack if rule.action == "dispose"]
    assert disposing
    for rule in disposing:
        assert len(rule.authority) > len(": ")
        assert rule.confidence != "low"
        assert rule.category in ("redundant", "obsolete", "trivial")


def test_pack_tells_its_sources(pack):
    """Every rule of every file has a source and examples on both sides."""
    for path in sorted(pack_folder().glob("*.yaml")):
        for rule in parse_yaml(path.read_text(encoding="utf-8"), path.name).value["rules"]:
            assert rule["source"].strip(), rule["id"]
            assert rule["hit"], rule["id"]
            assert rule["miss"], rule["id"]


FULL = {
    "name": "Budget.xls", "full_path": "dept/a/Budget.xls", "lower_path": "dept/a/budget.xls",
    "lower_folder": "dept/a", "ext": "xls", "kind": "file", "size_bytes": 1536,
    "mtime_ns": nanoseconds(date(2001, 2, 3)), "ctime_ns": 0, "atime_ns": 0, "birthtime_ns": 0,
    "owner": "ann", "mime": "application/pdf", "puid": "fmt/1", "identified": True,
    "encrypted": False, "ext_mismatch": True, "dup": "not_keeper", "child_count": 3, "path_len": 17,
    "link_count": 1, "retention_class": "FIN", "dup_keeper_path": "dept/b/Budget.xls",
    "format_name": "Portable",
}  # fmt: skip


def test_pack_explains_in_whole_sentences(pack):
    """Every explanation renders with all facts known and with none known, without None or braces."""
    facts = table([FULL, {"name": "x"}])
    columns = {f"r{n}": reason(rule.explain, facts) for n, rule in enumerate(pack)}
    known, unknown = CONNECTION.to_pyarrow(facts.select("n", **columns).order_by("n")).to_pylist()
    for number, rule in enumerate(pack):
        for text in (known[f"r{number}"], unknown[f"r{number}"]):
            assert text, rule.id
            assert "None" not in text, rule.id
            assert not set(text) & set("{}"), rule.id
            assert text.rstrip()[-1] in ".!?", rule.id
        for field in re.findall(r"\{(\w+)\}", rule.explain):
            assert field not in ("encrypted", "identified"), (
                f"{rule.id}: 'true' is no word for people"
            )


def test_every_template_field_renders():
    """Each field an explanation may use shows its value, and a word where it is not known."""
    from migrate.flag.written import TEMPLATE_FIELDS

    facts = table([FULL, {"name": "x"}])
    columns = {name: reason("[{" + name + "}]", facts) for name in TEMPLATE_FIELDS}
    known, unknown = CONNECTION.to_pyarrow(facts.select("n", **columns).order_by("n")).to_pylist()
    assert known["size"] == "[1.5 KB]"
    assert known["mtime"] == "[2001-02-03]"
    assert known["path"] == "[dept/a/Budget.xls]"
    assert unknown["mtime"] == "[unknown]"
    assert unknown["size"] == "[of unknown size]"
    assert all(
        text and "None" not in text
        for text in (*known.values(), *unknown.values())
        if isinstance(text, str)
    )


@pytest.mark.parametrize("size", [102400, 1023 * 1024, 150 << 20, 5000 << 40])
def test_sizes_read_the_same_everywhere(size):
    """A size in a reason is written as in every table and report, as size_words promises."""
    facts = table([{"size_bytes": size}])
    assert CONNECTION.to_pyarrow(facts.select(t=size_words(facts.size_bytes)))["t"].to_pylist() == [
        size_text(size)
    ]


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1536, 99 << 20, 3 << 30])
def test_small_sizes_read_the_same_everywhere(size):
    """Common sizes are written alike in reasons and in tables."""
    facts = table([{"size_bytes": size}])
    assert CONNECTION.to_pyarrow(facts.select(t=size_words(facts.size_bytes)))["t"].to_pylist() == [
        size_text(size)
    ]


# Malformed rules

RULE = """\
format: 1
rules:
  - id: DEP-001
    title: T
    category: obsolete
    confidence: high
    action: review
    match:
      name: x
    explain: "e"
    hit: [x]
    miss: [y]
"""


@pytest.fixture(scope="module")
def crawled(tmp_path_factory) -> Path:
    """A small share with an estate that is crawled, deduplicated and flagged once."""
    root = tmp_path_factory.mktemp("crawled")
    share = root / "share"
    (share / "Minutes").mkdir(parents=True)
    (share / "a.txt").write_bytes(b"same")
    (share / "b.txt").write_bytes(b"same")
    (share / "Minutes" / "Board minutes - Copy.docx").write_bytes(b"same")
    (share / "x").write_bytes(b"")
    estate = root / "estate"
    commands = [
        ["init", str(estate), "--share", f"dept={share}"],
        ["crawl", "-e", str(estate), "--workers", "1"],
        ["dedupe", "-e", str(estate), "--workers", "1"],
        ["flag", "-e", str(estate)],
    ]
    for command in commands:
        subprocess.run([sys.executable, "-m", "migrate", *command], check=True, capture_output=True)
    return estate


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_what_a_file_is_called_says_nothing_about_its_worth(tmp_path):
    """A copy with a name or path that the new system cannot hold is a copy, and a record a record;
    where nothing else is found the file moves, and the reviewer is told of the name."""
    share = tmp_path / "share"
    expected = {
        "Kept/plan.txt": None,
        'dept/="a":b?.txt': "RED-001",
        "hr/plan.txt ": "RED-001",
        f"{'long folder name/' * 20}plan.txt": "RED-001",
        "Minutes/Board minutes: May.docx": "REC-002",
        "odd/what?.txt": "HAN-006",
    }
    for path, rule in expected.items():
        (share / path).parent.mkdir(parents=True, exist_ok=True)
        same = rule in (None, "RED-001")
        (share / path).write_text("one content for all" if same else f"content of {path}")
    day_before = time.time() - 86_400
    os.utime(share / "Kept/plan.txt", (day_before, day_before))
    estate = tmp_path / "estate"
    for words in (["init", estate, "--share", f"s={share}"], *(
        [verb, "-e", estate] for verb in ("crawl", "dedupe", "flag")
    )):  # fmt: skip
        cli.main([*map(str, words), "--json"], standalone_mode=False)
    with Query(Estate(estate)) as query:
        findings = query.table("findings").filter(ibis._.deciding)
        found = query.rows(findings.join(query.table("entries"), "entry_id"))
        decided = {row["path"]: row["rule_id"] for row in found if row["kind"] == "file"}
    assert decided == {path: rule for path, rule in expected.items() if rule}


@pytest.fixture
def estate(crawled, tmp_path) -> Path:
    return Path(shutil.copytree(crawled, tmp_path / "estate"))


@pytest.fixture
def no_pack(monkeypatch, tmp_path_factory) -> None:
    """The department's own rules alone: reading the pack again takes half a second."""
    monkeypatch.setattr("migrate.flag.rules.pack_folder", lambda: tmp_path_factory.mktemp("empty"))


def state(estate: Path):
    """All table files, and all runs with their parts."""
    files = {
        path.relative_to(estate).as_posix(): path.read_bytes()
        for path in estate.rglob("*")
        if path.is_file()
        and path.name not in ("log.jsonl", ".lock", "estate.yaml")
        and path.suffix != ".yaml"
    }
    return files, [asdict(run) for run in Estate(estate).runs()]


def flag(estate: Path) -> None:
    cli.main(["flag", "-e", str(estate), "--json"], standalone_mode=False)


def refused(estate: Path) -> list[Fault]:
    """The faults for which `migrate flag` stops, having written nothing."""
    before = state(estate)
    with pytest.raises(RulesInvalid) as caught:
        flag(estate)
    assert state(estate) == before
    assert caught.value.faults
    return caught.value.faults


def with_rules(estate: Path, *texts: str, more: str = "") -> None:
    names = []
    for number, text in enumerate(texts):
        names.append(f"own{number}.yaml")
        (estate / names[-1]).write_text(text, encoding="utf-8")
    with (estate / "estate.yaml").open("a", encoding="utf-8") as file:
        file.write(f"rules: {{files: [{', '.join(names)}]}}\n{more}")


MALFORMED = [
    ("name: x", "nmae: x", 9, "there is no field 'nmae'; did you mean 'name'?"),
    ("name: x", "colour: x", 9, "there is no field 'colour'"),
    ("name: x", "name|conatins: x", 9, "has no modifier 'conatins'; did you mean 'contains'?"),
    ("name: x", "name|under: x", 9, "has no modifier 'under'"),
    ("name: x", "size|contains: x", 9, "has no modifier 'contains'"),
    ("name: x", "mtime: 2001-01-01", 9, "has no modifier ''"),
    ("name: x", "name|re: '('", 9, "RE2"),
    ("name: x", "name|re: '(?=a)'", 9, "RE2"),
    ("name: x", "name|re: '(?!a)b'", 9, "RE2"),
    ("name: x", "name|re: '(?<=a)b'", 9, "RE2"),
    ("name: x", "name|re: '(a)\\1'", 9, "RE2"),
    ("name: x", "name|re: 'a{2000}'", 9, "RE2"),
    ("name: x", "name|re: '((((a{99}){99}){99}){99})'", 9, "RE2"),
    ("name: x", "name|re: '[z-a]'", 9, "RE2"),
    ("name: x", "name|re: ''", 9, "expected a regular expression"),
    ("name: x", "name|re: [a, b]", 9, "expected a regular expression"),
    ("name: x", "name:", 9, "expected one text"),
    ("name: x", "name: [a, b]", 9, "expected one text"),
    ("name: x", "name|in: []", 9, "expected a text or a list of texts"),
    ("name: x", "name|in: {a: b}", 9, "expected a text or a list of texts"),
    ("name: x", "name|in: [a, [b]]", 9, "expected a text or a list of texts"),
    ("name: x", "size|gt: big", 9, "expected a whole number"),
    ("name: x", "size|gt: 1.5GB", 9, "expected a whole number"),
    ("name: x", "size|gt: -1", 9, "expected a whole number"),
    ("name: x", "size|gt: 1_000", 9, "expected a whole number"),
    ("name: x", "size|gt: [1]", 9, "expected a whole number"),
    ("name: x", "size|between: [2, 1]", 9, "in this order"),
    ("name: x", "size|between: [1]", 9, "expected [smallest, largest]"),
    ("name: x", "size|between: 1", 9, "expected [smallest, largest]"),
    ("name: x", "size|between: [1KB, x]", 9, "expected a whole number"),
    ("name: x", "mtime|older_than: 7", 9, "expected an age"),
    ("name: x", "mtime|older_than: 0y", 9, "expected an age"),
    ("name: x", "mtime|older_than: 7 years", 9, "expected an age"),
    ("name: x", "mtime|older_than: 2001-01-01", 9, "expected an age"),
    ("name: x", "encrypted: yes", 9, "expected true or false"),
    ("name: x", "owner|exists: no", 9, "expected true or false"),
    ("name: x", "kind: directory", 9, "is no value of this field"),
    ("name: x", "dup: keper", 9, "did you mean 'keeper'?"),
    ("name: x", "any: []", 9, "expected a list of conditions"),
    ("name: x", "any: {name: x}", 9, "expected a list of conditions"),
    ("name: x", "all: x", 9, "expected a list of conditions"),
    ("name: x", "any: [{}]", 9, "expected a condition"),
    ("name: x", "any: [name]", 9, "expected a condition"),
    ("name: x", "not: []", 9, "expected a condition"),
    (
        "name: x",
        "not:\n        name: x\n        ext|glob: 5\n        nmae: x",
        12,
        "no field 'nmae'",
    ),
    ("name: x", "any:\n        - name: x\n        - not: {sise: 1}", 11, "no field 'sise'"),
    ("    match:\n      name: x\n", "", 3, "'match' is missing here"),
    ("    match:\n      name: x\n", "    match: {}\n", 8, "expected a condition"),
    ("    match:\n      name: x\n", "    match: x\n", 8, "expected a mapping"),
    ("    match:\n      name: x\n", "    match:\n", 8, "expected a mapping"),
    ("action: review", "action: dispose", 7, "names no authority"),
    ("action: review", "action: delete", 7, "migrate, dispose"),
    (
        "category: obsolete\n    confidence: high\n    action: review",
        "category: record\n    confidence: high\n    action: dispose\n    authority: {scheme: a, ref: b}",
        7,
        "what protects (record) proposes no disposal",
    ),
    (
        "action: review\n    match:\n      name: x",
        "action: dispose\n    authority: {scheme: a, ref: b}\n    match: {puid|exists: false}",
        9,
        "true of what is not known",
    ),
    (
        "action: review\n    match:\n      name: x",
        "action: dispose\n    authority: {scheme: a, ref: b}\n    match: {any: [{name: x}, {not: {owner|exists: true}}]}",
        9,
        "true of what is not known",
    ),
    (
        "name: x",
        "owner|in_list: leavers",
        9,
        "there is no list 'leavers'; estate.yaml names no lists",
    ),
    ("name: x", "mtime|before: 2001", 9, "YYYY-MM-DD"),
    ("name: x", "mtime|before: 2001-02-30", 9, "day"),
    ("name: x", "sha256: abc", 9, "no SHA-256"),
    ("name: x", "size|gt: $size", 9, "expected a whole number"),
    ("title: T", "title: T\n    parameters: {age: 7y}", 5, "the parameter 'age' is used nowhere"),
    ("title: T", "title: T\n    lists: {leavers: bob}", 5, "list"),
    (
        "confidence: high\n    action: review",
        "confidence: low\n    action: dispose",
        7,
        "no more than review",
    ),
    ("category: obsolete", "category: rubbish", 5, "obsolete, trivial"),
    ("category: obsolete", "category: hold", 5, "obsolete, trivial"),
    ("confidence: high", "confidence: certain", 6, "high, medium, low"),
    ('explain: "e"', 'explain: "a {nmae} b"', 10, "there is no {nmae}; did you mean 'name'?"),
    ('explain: "e"', 'explain: "a {} b"', 10, "belongs to no {field}"),
    ('explain: "e"', 'explain: "a {{name}} b"', 10, "belongs to no {field}"),
    ('explain: "e"', 'explain: "a {size:>10} b"', 10, "belongs to no {field}"),
    ('explain: "e"', 'explain: "{name.__class__}"', 10, "belongs to no {field}"),
    ('explain: "e"', 'explain: ""', 10, "explain"),
    ("hit: [x]", "hit: [{name: x, colour: red}]", 3, "there is no fact 'colour'"),
    ("hit: [x]", "hit: [{name: x, sise: 1}]", 3, "did you mean 'size'?"),
    ("hit: [x]", "hit: [{name: x, size: big}]", 3, "expected a whole number"),
    ("hit: [x]", "hit: [{name: x, encrypted: 1}]", 3, "expected true or false"),
    ("hit: [x]", "hit: [z]", 3, "should be hit and is not"),
    ("miss: [y]", "miss: [X]", 3, "is hit and should not be"),
    ("hit: [x]", "hit: []", 11, "not an empty list"),
    ("    miss: [y]\n", "", 3, "'miss' is missing here"),
    ("hit: [x]", "hit: x", 11, "list"),
    ("hit: [x]", "hits: [x]", 11, "did you mean 'hit'?"),
    ("id: DEP-001", "id: dep 1", 3, "id"),
    ("title: T", "title: ''", 4, "title"),
    ("title: T", "title: T\n    title: U", 5, "written twice"),
    ("title: T", "title: T\n    authority: ICO", 5, "authority"),
    ("title: T", "title: T\n    authority: {scheme: x}", 5, "'ref' is missing"),
    ("format: 1", "format: 2", 1, "format"),
    ("format: 1\n", "", 1, "'format' is missing"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), MALFORMED, ids=[new.strip()[:50] or old.strip()[:20] for old, new, _, _ in MALFORMED])  # fmt: skip
@pytest.mark.usefixtures("no_pack")
def test_malformed_rules_stop_the_run(estate, old, new, line, words):
    """One malformed rule: the fault names file and line, and nothing at all is flagged."""
    assert old in RULE
    with_rules(estate, RULE.replace(old, new, 1))
    faults = refused(estate)
    assert {fault.file for fault in faults} == {"own0.yaml"}
    assert [fault.line for fault in faults if words in fault.message] == [line], faults


CRASHING = [
    ("name: x", "mtime|older_than: 3000y", 9, "days_before: year out of range is a ValueError"),
    ("name: x", "mtime|older_than: 9999mo", 9, "a time before 1677 does not fit int64"),
    ("name: x", "size|gt: 999999999999999TB", 9, "a size over int64 reaches the engine"),
    ("hit: [x]", "hit: [{name: x, age: soon}]", 3, "examples._fact does not check an age"),
    ("hit: [x]", "hit: [{name: x, age: [1y]}]", 3, "examples._fact does not check an age"),
    ("hit: [x]", "hit: [{name: x, age: 900y}]", 3, "a time before 1677 does not fit int64"),
    ("hit: [x]", "hit: [{name: [x]}]", 3, "an example's text may be a list"),
    ("hit: [x]", "hit: [{name: x, owner: {a: b}}]", 3, "an example's text may be a mapping"),
    ("hit: [x]", "hit: [{name: x, path: [a]}]", 3, "an example's text may be a list"),
    ("hit: [x]", "hit: [{name: x, size: 999999999999999TB}]", 3, "a size over int64 reaches Arrow"),
    ('explain: "e"', 'explain: "{ e"', 10, "reason() takes a piece that begins with { for a field"),
    (
        'explain: "e"',
        'explain: "{name}{ e"',
        10,
        "reason() takes a piece that begins with { for a field",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [pytest.param(old, new, line, id=new[:40]) for old, new, line, why in CRASHING],
)
@pytest.mark.usefixtures("no_pack")
def test_malformed_rules_never_crash(estate, old, new, line):
    """A value that cannot work is a fault with file and line (or works), not a traceback."""
    with_rules(estate, RULE.replace(old, new, 1))
    before = len(Estate(estate).runs())
    try:
        flag(estate)
    except RulesInvalid as invalid:
        assert [(fault.file, fault.line) for fault in invalid.faults] == [("own0.yaml", line)]
        assert len(Estate(estate).runs()) == before


ACCEPTED = [
    ("hit: [x]", "hit: [{name: x, kind: fiel}]", "a fact with a closed list of values is not checked"),
    ("hit: [x]", "hit: [{name: x, dup: keper}]", "a fact with a closed list of values is not checked"),
    ("hit: [x]", "hit: [{name: x, mtime: 2001-01-01}]", "`mtime` in an example is dropped without a word"),
    ("hit: [x]", "hit: [{name: x, ext: pdf}]", "`ext` in an example is dropped without a word"),
    ("action: review", 'action: dispose\n    authority: {scheme: "", ref: ""}', "Authority may be empty"),
    ("title: T", "title: ' '", "a title of blanks"),
    ("name: x", "any: [{name: x}, {ext: .pdf}]", "an ext with its dot matches nothing, ever"),
    ("name: x", "any: [{name: x}, {path|under: ['']}]", "an empty folder matches nothing, ever"),
    ("name: x", "any: [{name: x}, {path|under: ['dept\\Finance']}]", "a folder with backslashes matches nothing"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [pytest.param(old, new, id=new[:50]) for old, new, why in ACCEPTED],
)
@pytest.mark.usefixtures("no_pack")
def test_rules_that_cannot_mean_what_they_say(tmp_path, old, new):
    """What can never match, or allows a disposal with nothing, is a fault when rules load."""
    estate = empty_estate(tmp_path / "estate")
    with_rules(
        estate.root,
        RULE.replace(old, new, 1).replace(
            "miss: [y]", "miss: [{name: y, ext: pdf}]" if "ext: pdf" in new else "miss: [zzz]"
        ),
    )
    with pytest.raises(RulesInvalid):
        rules = rules_of(estate)
        with Query(estate) as query:
            faults = failing_examples(query, [rule for rule in rules if rule.id == "DEP-001"])
        if faults:
            raise RulesInvalid(faults)


@pytest.mark.usefixtures("no_pack")
def test_a_rule_that_is_well_formed_runs(estate):
    """The rule all the malformed ones are made from is itself in order."""
    with_rules(estate, RULE)
    before = len(Estate(estate).runs("flag"))
    flag(estate)
    assert len(Estate(estate).runs("flag")) == before + 1


@pytest.mark.usefixtures("no_pack")
def test_one_id_in_two_files(estate):
    """The second of two rules with one id is named, with the place of the first."""
    second = RULE.replace("rules:\n", "rules:\n\n# a comment\n")
    with_rules(estate, RULE, second)
    [fault] = refused(estate)
    assert (fault.file, fault.line) == ("own1.yaml", 5)
    assert "own0.yaml:3" in fault.message


def test_an_id_of_the_pack_again(estate):
    """A department's rule cannot take the place of one of the pack unnoticed."""
    with_rules(estate, RULE.replace("DEP-001", "RED-001"))
    [fault] = refused(estate)
    assert (fault.file, fault.line) == ("own0.yaml", 3)
    assert "rules/redundant.yaml" in fault.message


@pytest.mark.usefixtures("no_pack")
def test_faults_of_all_files_at_once(estate):
    """Faults in two rule files, in switches and in holds come in one report."""
    hold = (
        "holds:\n- {reference: R, title: t, authority: a, issued: 2024-03-01, match: {nmae: x}}\n"
    )
    with_rules(
        estate,
        RULE.replace("name: x", "nmae: x"),
        RULE.replace('explain: "e"', 'explain: "{x}"'),
        more=hold,
    )
    faults = refused(estate)
    assert {Path(fault.file).name for fault in faults} == {"own0.yaml", "own1.yaml", "estate.yaml"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules:\n  off:\n    RED-013: ''\n", "say why RED-013 is switched off"),
        ("rules:\n  off:\n    RED-013:\n", "RED-013"),
        ("rules:\n  off:\n    RED-999: because\n", "no rule 'RED-999'; did you mean"),
        ("rules:\n  off:\n    nonsense: because\n", "no rule 'nonsense'"),
    ],
)
def test_switches(estate, text, words):
    """A rule is switched off by its right id and with a reason, or nothing runs."""
    first = len((estate / "estate.yaml").read_text().splitlines()) + 1
    with (estate / "estate.yaml").open("a") as file:
        file.write(text)
    [fault] = refused(estate)
    assert Path(fault.file).name == "estate.yaml"
    assert fault.line == first + 2
    assert words in fault.message


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ("{}", "expected a condition"),
        ("{any: []}", "expected a list"),
        ("{pth|under: [dept]}", "did you mean 'path'?"),
        ("{path|udner: [dept]}", "did you mean 'under'?"),
        ("{name|re: '(?=x)'}", "RE2"),
        ("[a]", "expected a mapping"),
    ],
)
def test_malformed_holds(estate, match, words):
    """A hold whose match is malformed stops everything: it would hold nothing."""
    first = len((estate / "estate.yaml").read_text().splitlines()) + 1
    with (estate / "estate.yaml").open("a") as file:
        file.write(
            f"holds:\n- reference: R\n  title: t\n  authority: a\n  issued: 2024-03-01\n  match: {match}\n"
        )
    [fault] = refused(estate)
    assert Path(fault.file).name == "estate.yaml"
    assert fault.line == first + 5
    assert words in fault.message


@pytest.mark.usefixtures("no_pack")
def test_a_rule_file_that_is_not_there(estate):
    """A rule file that is named and missing is a fault of its own."""
    with (estate / "estate.yaml").open("a") as file:
        file.write("rules: {files: [nowhere.yaml]}\n")
    [fault] = refused(estate)
    assert fault.file == "nowhere.yaml"
    assert "no such rule file" in fault.message


def test_switched_off_rules_do_not_run(tmp_path, pack):
    """A rule switched off with a reason is gone, and only that one."""
    estate = empty_estate(tmp_path / "estate", BASE + "rules: {off: {RED-013: ours}}\n")
    assert {rule.id for rule in pack} - {rule.id for rule in rules_of(estate)} == {"RED-013"}


# Holds


def holds(tmp_path, *lines: str) -> list[Rule]:
    text = (
        BASE
        + "holds:\n"
        + "".join(
            f"- {{reference: R{n}, title: t, authority: a, {line}}}\n"
            for n, line in enumerate(lines)
        )
    )
    estate = empty_estate(tmp_path / "estate", text)
    config, document = load(estate.config_path)
    return load_holds(config, document, estate.root)


def test_holds_in_force(tmp_path):
    """A hold without a release date is in force; a released one is not."""
    found = holds(
        tmp_path,
        "issued: 2024-03-01, match: {name: x}",
        "issued: 2020-03-01, released: 2021-01-01, match: {name: x}",
    )
    assert [hold.id for hold in found] == ["HOLD R0"]
    assert found[0].category == "hold"
    assert found[0].action == "keep"


def test_a_hold_to_be_released_later_is_in_force(tmp_path):
    """A hold with a release date in the future holds until then."""
    assert holds(tmp_path, "issued: 2024-03-01, released: 2999-01-01, match: {name: x}")


@pytest.mark.parametrize("folder", ["detp/Finance", "Finance", "dept\\Finance", ""])
def test_a_hold_on_no_share_is_a_fault(tmp_path, folder):
    """A hold on a folder that no share has would silently hold nothing."""
    with pytest.raises(RulesInvalid):
        holds(tmp_path, f"issued: 2024-03-01, match: {{path|under: ['{folder}']}}")


@pytest.mark.usefixtures("no_pack")
def test_two_holds_of_one_reference(tmp_path):
    """Two holds with one reference could not be told apart in evidence."""
    hold = "- {reference: R, title: t, authority: a, issued: 2024-03-01, match: {name: x}}\n"
    estate = empty_estate(tmp_path / "estate", BASE + "holds:\n" + hold * 2)
    with pytest.raises(RulesInvalid):
        rules_of(estate)


# What conditions mean


UNKNOWN = [
    ({"size|gt": "0"}, "size_bytes"), ({"size|lt": "1TB"}, "size_bytes"), ({"size": "0"}, "size_bytes"),
    ({"size|ge": "0"}, "size_bytes"), ({"size|le": "1TB"}, "size_bytes"), ({"size|between": ["0", "1TB"]}, "size_bytes"),
    ({"mtime|older_than": "1d"}, "mtime_ns"), ({"mtime|newer_than": "90y"}, "mtime_ns"),
    ({"birthtime|older_than": "1d"}, "birthtime_ns"), ({"atime|newer_than": "1y"}, "atime_ns"),
    ({"encrypted": "true"}, "encrypted"), ({"encrypted": "false"}, "encrypted"),
    ({"identified": "false"}, "identified"), ({"ext_mismatch": "false"}, "ext_mismatch"),
    ({"dup": "none"}, "dup"), ({"dup|in": ["none", "keeper", "not_keeper", "hard_link"]}, "dup"),
    ({"owner": "x"}, "owner"), ({"owner|in": ["x"]}, "owner"), ({"owner|glob": "*"}, "owner"),
    ({"owner|contains": "x"}, "owner"), ({"owner|startswith": "x"}, "owner"), ({"owner|endswith": "x"}, "owner"),
    ({"owner|re": ".*"}, "owner"), ({"mime": "x"}, "mime"), ({"puid|in": ["fmt/1"]}, "puid"),
    ({"retention_class|re": "^"}, "retention_class"), ({"child_count": "0"}, "child_count"),
    ({"link_count|gt": "0"}, "link_count"), ({"path_len|gt": "0"}, "path_len"),
]  # fmt: skip


@pytest.mark.parametrize(("match", "column"), UNKNOWN, ids=[str(match) for match, _ in UNKNOWN])
def test_unknown_matches_nothing(match, column):
    """What is not known is neither so nor not so: no match, under any number of `not`, all or any."""
    row = [{"name": "x"}]
    unknown = [
        match, {"not": match}, {"not": {"not": match}}, {"any": [match, {"not": match}]},
        {"all": [match, {"not": match}]}, {"not": {"all": [match]}}, {"not": {"any": [match, match]}},
        {"all": [{"name": "x"}, match]}, {"all": [{"name": "x"}, {"not": match}]},
    ]  # fmt: skip
    exists = [{f"{match_field(match)}|exists": "true"}, {f"{match_field(match)}|exists": "false"}]
    facts = table(row)
    columns = {f"c{n}": condition(one).ask(facts, AS_OF) for n, one in enumerate(unknown + exists)}
    [answers] = CONNECTION.to_pyarrow(facts.select(**columns)).to_pylist()
    assert list(answers.values()) == [None] * len(unknown) + [False, True]


def match_field(match):
    return next(iter(match)).partition("|")[0]


LISTS = {"x": ["y", "z/a"]}


def test_every_field_knows_unknown():
    """For every field there is: asked of an entry of which nothing is known, it matches nothing."""
    value = {"": ["x", "1", "true", "file", "none", "web", "secret"], "exists": []}
    facts, columns = table([{}]), {}
    for name, field in FIELDS.items():
        for word in field.modifiers:
            for wanted in value.get(
                word,
                [
                    "x",
                    "1",
                    "7y",
                    "1KB",
                    "today",
                    "0" * 64,
                    ["x"],
                    ["1", "2"],
                    ["file"],
                    ["none"],
                    ["keep"],
                    ["low"],
                    ["retain"],
                ],
            ):
                key = f"{name}|{word}" if word else name
                faults: list[Fault] = []
                found = parse(Document("t", {"m": {"not": {key: wanted}}}), ("m",), faults, LISTS)
                if found is not None:
                    columns[f"{key}: {wanted}"] = found.ask(facts, AS_OF)
    [answers] = CONNECTION.to_pyarrow(facts.select(**columns)).to_pylist()
    assert {name.partition("|")[0].partition(":")[0] for name in columns} == set(FIELDS)
    assert {key: answer for key, answer in answers.items() if answer is not None} == {}


def test_known_beside_unknown():
    """What is known decides where that is enough: true in any, false in all."""
    row = [{"name": "x"}]
    unknown = {"encrypted": "true"}
    assert ask({"any": [unknown, {"name": "x"}]}, row) == [True]
    assert ask({"all": [unknown, {"name": "y"}]}, row) == [False]
    assert ask({"not": {"all": [unknown, {"name": "y"}]}}, row) == [True]
    assert ask({"name": "x", "encrypted": "true"}, row) == [None]


@pytest.mark.parametrize(
    ("match", "rows", "expected"),
    [
        ({"name": "A.TXT"}, [{"name": "a.txt"}, {"name": "b.txt"}], [True, False]),
        ({"name|in": ["A", "b"]}, [{"name": "a"}, {"name": "B"}, {"name": "c"}], [True, True, False]),
        ({"name|contains": ["%", "_"]}, [{"name": "50%"}, {"name": "a_b"}, {"name": "ab"}], [True, True, False]),
        ({"name|startswith": "~$"}, [{"name": "~$a"}, {"name": "a~$"}], [True, False]),
        ({"name|endswith": "\\"}, [{"name": "a\\"}, {"name": "a"}], [True, False]),
        ({"name|re": "^a.c$"}, [{"name": "AxC"}, {"name": "abc\n"}], [True, False]),
        ({"size|between": ["1KB", "2KB"]}, [{"size_bytes": n} for n in (1023, 1024, 2048, 2049)], [False, True, True, False]),
        ({"size|gt": "2 GB"}, [{"size_bytes": n} for n in (2 << 30, (2 << 30) + 1)], [False, True]),
        ({"not": {"name": "x", "size": "0"}}, [{"name": "x", "size_bytes": 0}, {"name": "x", "size_bytes": 1}], [False, True]),
        ({"ext": ""}, [{"ext": ""}, {"ext": "a"}], [True, False]),
    ],
)  # fmt: skip
def test_modifiers(match, rows, expected):
    """Each modifier means what its name says, with nothing special in % _ or backslashes."""
    assert ask(match, rows) == expected


@pytest.mark.parametrize(
    ("as_of", "age", "day"),
    [
        (date(2026, 3, 31), "1mo", date(2026, 2, 28)), (date(2024, 2, 29), "1y", date(2023, 2, 28)),
        (date(2026, 1, 1), "1d", date(2025, 12, 31)), (date(2026, 1, 1), "12mo", date(2025, 1, 1)),
        (date(2026, 1, 15), "2w", date(2026, 1, 1)), (date(2026, 3, 31), "13mo", date(2025, 2, 28)),
    ],
)  # fmt: skip
def test_ages(as_of, age, day):
    """Ages count back by the calendar; older means before that day's midnight, newer from then on."""
    assert days_before(as_of, age) == day
    limit = nanoseconds(day)
    facts = table([{"mtime_ns": limit - 1}, {"mtime_ns": limit}])
    for word, expected in (("older_than", [True, False]), ("newer_than", [False, True])):
        asked = facts.select("n", hit=condition({f"mtime|{word}": age}).ask(facts, as_of)).order_by(
            "n"
        )
        assert CONNECTION.to_pyarrow(asked)["hit"].to_pylist() == expected


def test_a_hold_finds_its_folder_in_both_unicode_forms():
    """A folder typed é in a rule is found where a Mac wrote it as e + accent, and the other way."""
    composed, decomposed = at("dept/Café/x"), at("dept/Cafe\u0301/x")
    assert ask({"path|under": ["dept/Café"]}, [composed, decomposed]) == [True, True]
    assert ask({"path|under": ["dept/Cafe\u0301"]}, [composed, decomposed]) == [True, True]
    assert ask({"path|has_folder": ["café"]}, [composed, decomposed]) == [True, True]


@pytest.mark.parametrize("name", ["ΟΔΟΣ", "İstanbul"])
def test_rules_and_facts_are_lower_cased_alike(name):
    """A folder written in a rule exactly as on the share is found, in every alphabet."""
    assert ask({"path|under": [f"dept/{name}"]}, [at(f"dept/{name}/x")]) == [True]


@pytest.mark.parametrize(
    "mime", ["application/CDFV2", "application/vnd.ms-excel.sheet.macroEnabled.12"]
)
def test_mime_types_with_capitals(mime):
    """A MIME type written as libmagic gives it matches."""
    assert ask({"mime": mime}, [{"mime": mime}]) == [True]


def test_examples_see_folders_as_flag_does():
    """A folder called old.zip has no extension, in examples as in the run."""
    faults: list[Fault] = []
    rule = Rule("A-1", "t", "trivial", "high", "review", "", "e",
                parse(Document("t", {"m": {"ext": "zip"}}), ("m",), faults), "t:1",
                ("a.zip",), ({"name": "old.zip", "kind": "folder"},))  # fmt: skip

    with scratch_query() as query:
        assert failing_examples(query, [rule]) == []


def test_facts_of_an_example():
    """A bare name is a file of its own in a share; a path gives its last name."""
    assert facts_of("a.doc") == {
        "kind": "file",
        "dup": "none",
        "folder_copy": "none",
        "unit": "Unassigned",
        "name": "a.doc",
        "full_path": "share/a.doc",
    }
    assert facts_of({"path": "s/x/b.doc", "size": "1KB"})["name"] == "b.doc"
    assert facts_of({"path": "s/x/b.doc", "size": "1KB"})["size_bytes"] == 1024


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*x", "(x+x+)+y"],
)
def test_catastrophic_patterns_are_harmless(pattern):
    """Patterns that stall backtracking engines for ever finish over 30,000 characters."""
    began = time.monotonic()
    ask({"name|re": pattern}, [{"name": "a" * 30_000 + "!"}, {"name": "x" * 30_000}])
    assert time.monotonic() - began < 5


def test_long_globs_are_harmless():
    """So do globs with many stars."""
    began = time.monotonic()
    assert ask({"name|glob": "*a" * 40 + "b"}, [{"name": "a" * 30_000}]) == [False]
    assert time.monotonic() - began < 5


# Against plain Python

chars = "aAbB.*?[]()|^$\\ +{}-#&~'é\n_%"
names = st.text(st.sampled_from(chars), min_size=1, max_size=8)
folders = st.lists(names, min_size=1, max_size=4)


def glob_matches(glob: str, name: str) -> bool:
    """* any characters, ? one character, everything else itself; case is ignored."""
    if not glob:
        return not name
    if glob[0] == "*":
        return any(glob_matches(glob[1:], name[n:]) for n in range(len(name) + 1))
    return bool(name) and glob[0] in ("?", name[0]) and glob_matches(glob[1:], name[1:])


@given(
    st.lists(st.text(st.sampled_from(chars), min_size=1, max_size=5), min_size=1, max_size=3),
    st.lists(names, min_size=1, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_glob_against_plain_python(globs, given_names):
    """name|glob does as a hand-written matcher, with every regex character in names and globs."""
    expected = [
        any(glob_matches(glob.lower(), name.lower()) for glob in globs) for name in given_names
    ]
    assert ask({"name|glob": globs}, [{"name": name} for name in given_names]) == expected


def writable(parts):
    """Whether a folder can be written share/folder/folder."""
    return not any("\\" in part or part in ("", ".", "..") for part in parts)


@given(
    st.lists(folders.filter(writable), min_size=1, max_size=3),
    st.lists(folders, min_size=1, max_size=10),
)
@settings(max_examples=60, deadline=None)
def test_under_against_plain_python(wanted, given_paths):
    """path|under is a comparison of whole names from the front."""
    rows = [at_plain(parts) for parts in given_paths]
    expected = [
        any(lower(parts)[: len(want)] == lower(want) for want in wanted) for parts in given_paths
    ]
    assert ask({"path|under": ["/".join(want) for want in wanted]}, rows) == expected


@given(
    st.lists(st.text(st.sampled_from(chars), min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(folders, min_size=1, max_size=10),
    st.sampled_from(["file", "folder"]),
)
@settings(max_examples=60, deadline=None)
def test_has_folder_against_plain_python(globs, given_paths, kind):
    """path|has_folder looks at every folder's whole name, and never at a file's own."""
    rows = [at_plain(["dept", *parts], kind) for parts in given_paths]
    expected = [
        any(
            glob_matches(glob.lower(), part)
            for part in ["dept", *lower(parts if kind == "folder" else parts[:-1])]
            for glob in globs
        )
        for parts in given_paths
    ]
    assert ask({"path|has_folder": globs}, rows) == expected


def lower(parts):
    return [part.lower() for part in parts]


def at_plain(parts, kind="file"):
    path = "/".join(lower(parts))
    return {
        "lower_path": path,
        "kind": kind,
        "lower_folder": path if kind == "folder" else path.rpartition("/")[0],
    }


texts = st.text(st.sampled_from("abAB%_\\'é .*"), max_size=6)


@given(
    st.sampled_from(["contains", "startswith", "endswith", "in", ""]),
    texts.filter(bool),
    st.lists(texts, min_size=1, max_size=10),
)
@settings(max_examples=60, deadline=None)
def test_text_modifiers_against_plain_python(word, value, given_names):
    """contains, startswith, endswith, in and equality are Python's, in lower case."""
    test = {
        "contains": lambda name: value.lower() in name,
        "startswith": lambda name: name.startswith(value.lower()),
        "endswith": lambda name: name.endswith(value.lower()),
        "in": lambda name: name == value.lower(),
        "": lambda name: name == value.lower(),
    }[word]
    key = f"name|{word}" if word else "name"
    assert ask({key: value}, [{"name": name} for name in given_names]) == [
        test(name.lower()) for name in given_names
    ]


trees = st.recursive(
    st.sampled_from(
        [
            {"name": "x"},
            {"name": "y"},
            {"encrypted": "true"},
            {"encrypted": "false"},
            {"size|gt": "0"},
        ]
    ),
    lambda inner: st.one_of(
        inner.map(lambda one: {"not": one}),
        st.lists(inner, min_size=1, max_size=3).map(lambda many: {"all": many}),
        st.lists(inner, min_size=1, max_size=3).map(lambda many: {"any": many}),
    ),
    max_leaves=8,
)


def kleene(match, row):
    """Three-valued logic, by hand."""
    (key, value), *rest = match.items()
    assert not rest
    if key == "not":
        inner = kleene(value, row)
        return None if inner is None else not inner
    if key in ("all", "any"):
        answers = [kleene(part, row) for part in value]
        deciding = key == "any"
        if deciding in answers:
            return deciding
        return None if None in answers else not deciding
    fact = {"name": "name", "encrypted": "encrypted", "size|gt": "size_bytes"}[key]
    known = row.get(fact)
    if known is None:
        return None
    if key == "name":
        return known == value
    return known == (value == "true") if key == "encrypted" else known > 0


ROWS = [
    {"name": name, "encrypted": encrypted, "size_bytes": size}
    for name in ("x", "y", "z") for encrypted in (True, False, None) for size in (0, 5, None)
]  # fmt: skip


@given(trees)
@settings(max_examples=60, deadline=None)
def test_logic_against_plain_python(match):
    """all, any and not, however nested, follow three-valued logic."""
    assert ask(match, ROWS) == [kleene(match, row) for row in ROWS]


# The ladder


def rule(category, confidence="high", action="review", name="A-1"):
    return Rule(name, "t", category, confidence, action, "a", "e", condition({"name": "x"}), "t:1")


def test_the_ladder():
    """Holds first, then records, then sensitive; after that the surer finding, then the ladder; what
    says nothing about worth comes last."""
    order = [
        rule("hold"), rule("record", "high"), rule("record", "low"), rule("sensitive", "high"),
        rule("sensitive", "low"), rule("redundant", "high"), rule("obsolete", "high"),
        rule("trivial", "high"), rule("redundant", "medium"), rule("obsolete", "medium"),
        rule("trivial", "medium"), rule("redundant", "low"), rule("obsolete", "low"), rule("trivial", "low"),
        rule("handling", "high"), rule("handling", "low"),
    ]  # fmt: skip
    ranks = [one.rank for one in order]
    assert all(one < other for one, other in pairwise(ranks))


def test_the_ladder_has_no_ties():
    """Of equal rules the more careful action decides, and then the id: the order is always the same."""
    actions = [
        rule("trivial", action=action) for action in ("keep", "review", "migrate", "dispose")
    ]
    assert sorted(reversed(actions), key=lambda one: one.rank) == actions
    assert rule("trivial", name="A-1").rank < rule("trivial", name="A-2").rank


@given(st.sampled_from(["hold", "record", "sensitive"]), st.sampled_from(["redundant", "obsolete", "trivial"]),
       st.sampled_from(["high", "medium", "low"]), st.sampled_from(["high", "medium", "low"]))  # fmt: skip
def test_what_protects_comes_before_what_disposes(protecting, disposing, sure, unsure):
    """However unsure, what protects wins over whatever might dispose, however sure."""
    assert rule(protecting, sure, name="Z-9").rank < rule(disposing, unsure, "dispose").rank


def test_rules_come_in_their_order(pack):
    """load_rules gives rules by rank: the first that hits decides."""
    assert [one.rank for one in pack] == sorted(one.rank for one in pack)


def test_findings_keep_what_is_overruled(estate):
    """An entry that a hold, a record rule and a disposal hit has all three findings; the hold decides."""
    hold = "holds:\n- {reference: INQ, title: Inquiry, authority: Act, issued: 2024-03-01, match: {path|under: [dept/minutes]}}\n"
    with (estate / "estate.yaml").open("a") as file:
        file.write(hold)
    flag(estate)
    with Query(Estate(estate)) as query:
        entries = query.table("entries")
        findings = query.table("findings").join(entries.select("entry_id", "path"), "entry_id")
        rows = list(
            query.rows(findings.filter(findings.path == "Minutes/Board minutes - Copy.docx"))
        )
    deciding = [row["rule_id"] for row in rows if row["deciding"]]
    assert deciding == ["HOLD INQ"]
    assert {"record", "redundant", "hold"} <= {row["category"] for row in rows}
    assert all("None" not in row["reason"] for row in rows)


def test_flag_twice_is_one_run(estate):
    """The same rules over the same facts are not run again."""
    before = state(estate)
    flag(estate)
    assert state(estate) == before


def test_pack_is_the_one_in_use():
    """The rules folder of the checkout is what load_rules reads."""
    assert (pack_folder() / "redundant.yaml").is_file()
    assert "rules" in Config.__struct_fields__
