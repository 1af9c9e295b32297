"""`migrate rules`: lint, test, list, show, docs, schema, diff; and every clause in `explain`."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import rows, run, run_json

from migrate.flag.fields import FIELDS
from migrate.paths import pack_folder

RULE = """\
format: 1
rules:
  - id: DEP-001
    title: Our rule
    category: trivial
    confidence: medium
    action: review
    match: {ext: txt}
    explain: "A text of {size}."
    hit: [a.txt]
    miss: [a.doc]
"""


@pytest.fixture(scope="module")
def flagged(tmp_path_factory) -> Path:
    """A small estate, flagged."""
    root = tmp_path_factory.mktemp("rules")
    share = root / "share"
    for number in range(3):
        (share / f"unit {number}").mkdir(parents=True)
        (share / f"unit {number}" / "report.txt").write_text(f"text {number}\n" * 100)
    (share / "unit 1" / "Thumbs.db").write_bytes(b"thumbs" * 9)
    (share / "unit 2" / "Copy of Invoice.doc").write_bytes(b"an invoice")
    (share / "unit 1" / "setup.exe").write_bytes(b"program" * 9)
    run("init", root / "estate", "--share", f"dept={share}")
    for stage in ("crawl", "dedupe", "flag"):
        run(stage, "-e", root / "estate")
    return root / "estate"


@pytest.fixture
def estate(flagged, tmp_path) -> Path:
    return Path(shutil.copytree(flagged, tmp_path / "estate"))


def own(folder: Path, text: str = RULE) -> Path:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    """Not in an estate by accident."""
    monkeypatch.delenv("MIGRATE_ESTATE", raising=False)


def test_lint_without_an_estate(tmp_path):
    """The package's rules are well formed, with a department's file beside them."""
    pack = run_json("rules", "lint")["rules"]
    assert run_json("rules", "lint", "--file", own(tmp_path))["rules"] == pack + 1


def test_lint_names_all_faults(tmp_path):
    """Every fault with file, line, column, and the nearest name; exit code 5."""
    wrong = RULE.replace("ext: txt", "exd: txt").replace("{size}", "{sise}")
    shown = run("rules", "lint", "--file", own(tmp_path, wrong), expect=5).stderr
    assert "own.yaml:8:13: exd: there is no field 'exd'; did you mean 'ext'?" in shown
    assert "own.yaml:9:5: explain: there is no {sise}; did you mean 'size'?" in shown


def test_lint_looks_twice_at_holds(estate):
    """A hold by SHA-256 where none was taken holds everything: lint says so."""
    with (estate / "estate.yaml").open("a") as file:
        file.write(f"lists: {{spare: spare.txt}}\nholds: [{{reference: L-1, title: t, authority: a, "
                   f"issued: 2024-03-01, match: {{sha256: {'ab' * 32}}}}}]\n")  # fmt: skip
    (estate / "spare.txt").write_text("x\n")
    remarks = run_json("rules", "lint", "-e", estate)["remarks"]
    assert "HOLD L-1" in remarks[0] and "did not take" in remarks[0]
    assert "no rule and no hold uses the list spare" in remarks[1]


def test_test_counts_and_fails(tmp_path):
    """`rules test` counts what it tried, and names an example that does not do as written."""
    assert run_json("rules", "test", "--file", own(tmp_path))["hits"] > 200
    shown = run(
        "rules", "test", "--file", own(tmp_path, RULE.replace("[a.txt]", "[a.txd]")), expect=5
    )
    assert (
        "own.yaml:3:1: rule DEP-001: its example 'share/a.txd' should be hit and is not"
        in shown.stderr
    )


def test_list_says_what_runs(estate):
    """Every rule with its state: runs, off and why, waits for a list, changed in a unit."""
    with (estate / "estate.yaml").open("a") as file:
        file.write("rules: {off: {RED-013: ours}}\n")
    found = {rule["id"]: rule for rule in run_json("rules", "list", "-e", estate)["rules"]}
    assert found["RED-013"]["state"] == "off: ours"
    assert found["RED-001"]["state"] == "runs"
    only = run_json("rules", "list", "-e", estate, "--category", "record")["rules"]
    assert {rule["category"] for rule in only} == {"record"}
    assert "expected one of" in run("rules", "list", "--category", "rubbish", expect=2).stderr


def test_show_one_rule(tmp_path):
    """One rule in full; a misspelt id names the nearest."""
    shown = run("rules", "show", "dep-001", "--file", own(tmp_path)).stdout
    for words in (
        "DEP-001 Our rule",
        "ext: txt",
        "A text of {size}.",
        "hits a.txt",
        "misses a.doc",
    ):
        assert words in shown
    assert "did you mean 'RED-001'" in run("rules", "show", "RED-0001", expect=2).stderr


def test_docs_name_everything():
    """The reference has every field and every way to ask."""
    text = run("rules", "docs").stdout
    for name, field in FIELDS.items():
        assert f"| `{name}` | " in text
        for word in field.modifiers:
            assert f"`\\|{word}`" in text or word == ""


def test_schema_accepts_the_pack_and_refuses_faults():
    """The schema is one that a validator can use: the pack passes, a misspelt field does not."""
    validator = jsonschema.Draft202012Validator(json.loads(run("rules", "schema").stdout))
    for path in pack_folder().glob("*.yaml"):
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        assert [error.message for error in validator.iter_errors(value)] == []
    wrong = yaml.load(RULE.replace("ext:", "exd:"), Loader=yaml.BaseLoader)
    assert [*validator.iter_errors(wrong)]


def changes(estate: Path, *words: str | Path) -> dict[tuple[str, str, str], int]:
    lines = run_json("rules", "diff", "-e", estate, *words)["lines"]
    return {
        (line["change"], line["rule_before"], line["rule_after"]): line["files"] for line in lines
    }


def test_diff_of_nothing(estate):
    """The rules as they were run change nothing, and nothing is written."""
    before = (estate / "log.jsonl").read_bytes(), rows(estate, "findings")
    assert changes(estate) == {}
    assert "Nothing would change." in run("rules", "diff", "-e", estate).stdout
    assert ((estate / "log.jsonl").read_bytes(), rows(estate, "findings")) == before


def test_diff_with_a_new_rule(estate, tmp_path):
    """Files a new rule would flag are counted, with their bytes, and listed in a CSV."""
    found = run_json("rules", "diff", "-e", estate, own(tmp_path), "--output", tmp_path / "d.csv")
    [line] = found["lines"]
    assert (line["change"], line["files"]) == ("proposed differently", 3)
    assert (line["proposal_before"], line["proposal_after"]) == ("migrate", "review")
    assert line["size_bytes"] == 2100
    with (tmp_path / "d.csv").open(encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    assert [row["path"] for row in listed] == [f"dept/unit {n}/report.txt" for n in range(3)]


def test_diff_with_another_estate_yaml(estate, tmp_path):
    """Switched off in another estate.yaml, a rule's files are unflagged; held there, they are held."""
    other = tmp_path / "other.yaml"
    text = (estate / "estate.yaml").read_text()
    other.write_text(text + "rules: {off: {TRI-001: ours}}\n")
    assert changes(estate, other) == {("proposed differently", "TRI-001", None): 1}
    hold = (
        "holds: [{reference: R, title: t, authority: a, issued: 2024-03-01, match: {ext: exe}}]\n"
    )
    other.write_text(text + hold)
    assert changes(estate, other) == {("proposed differently", "TRI-022", "HOLD R"): 1}


def test_diff_with_a_changed_rule_of_the_pack(estate, tmp_path):
    """A rule with an id of the pack takes that rule's place."""
    text = (
        RULE.replace("DEP-001", "TRI-001").replace("ext: txt", "ext: exe").replace("a.txt", "a.exe")
    )
    found = changes(estate, own(tmp_path, text))
    assert found == {
        ("proposed differently", "TRI-001", None): 1,
        ("decided by another rule", "TRI-022", "TRI-001"): 1,
    }


def test_diff_needs_a_flag(tmp_path):
    """Without findings there is nothing to compare with."""
    (tmp_path / "share").mkdir()
    run("init", tmp_path / "estate", "--share", f"dept={tmp_path / 'share'}")
    assert "Run `migrate" in run("rules", "diff", "-e", tmp_path / "estate", expect=1).stderr


def test_explain_shows_every_clause(estate):
    """Every clause with answer, value and line; what decides, what supports, what is overruled."""
    story = run_json("explain", "-e", estate, "dept/unit 1/Thumbs.db")
    [finding] = [one for one in story["findings"] if one["rule_id"] == "TRI-001"]
    by_clause = {clause["clause"]: clause for clause in finding["clauses"]}
    assert by_clause["kind: file"]["answer"] == "yes"
    assert by_clause["puid: fmt/682"]["answer"] == "not known"
    assert by_clause["name|glob: thumbcache_*.db"]["answer"] == "no"
    assert by_clause["kind: file"]["where"].startswith("rules/trivial.yaml:")
    shown = run("explain", "-e", estate, "dept/unit 1/Thumbs.db").stdout
    assert "TRI-001 Windows thumbnail cache: decides" in shown
    shown = run("explain", "-e", estate, "dept/unit 2/Copy of Invoice.doc").stdout
    assert "REC-006 Finance record: decides" in shown
    assert "RED-003 Named as a copy, but different: overruled" in shown


def test_explain_names_the_hold(estate):
    """A hold that came after the flag is named, though no finding has it."""
    with (estate / "estate.yaml").open("a") as file:
        file.write(
            "holds: [{reference: INQ-9, title: Inquiry, authority: a, issued: 2024-03-01, match: {ext: db}}]\n"
        )
    shown = run("explain", "-e", estate, "dept/unit 1/Thumbs.db").stdout
    assert "on hold: Inquiry (INQ-9)" in shown
