"""The rule language: every condition does as its own example says; parameters, lists, units."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import asdict

from migrate.config import load
from migrate.engine.query import Query
from migrate.errors import Fault, RulesInvalid
from migrate.estate import create
from migrate.flag import modifiers
from migrate.flag.examples import failing_examples
from migrate.flag.fields import FIELDS
from migrate.flag.language import parse
from migrate.flag.modifiers import Modifier
from migrate.flag.parameters import words
from migrate.flag.rules import Rule, load_rules
from migrate.yamlfile import parse_yaml

BASE = """\
format: 1
shares: [{name: dept, path: share}]
business_units:
  - {name: Finance, folders: [dept/Finance]}
  - {name: Legal, folders: [dept/Legal]}
"""
RULE = """\
format: 1
rules:
  - id: DEP-001
    title: T
    category: obsolete
    confidence: high
    action: review
    parameters: {age: 7y}
    match: {mtime|older_than: $age}
    explain: "Unchanged for over $age."
    hit: [{name: a, age: 9y}]
    miss: [{name: a, age: 1y}]
"""
LISTS = {"leavers": ["Bob", "eve"], "on_hold": ["dept/Prisons"]}


@pytest.fixture
def query(tmp_path):
    with Query(create(tmp_path / "query", BASE)) as query:
        yield query


@pytest.fixture
def no_pack(monkeypatch, tmp_path_factory):
    monkeypatch.setattr("migrate.flag.rules.pack_folder", lambda: tmp_path_factory.mktemp("none"))


def rules(folder: Path, config: str, rule: str = RULE, **files: str) -> list[Rule]:
    folder.mkdir(exist_ok=True)
    (folder / "own.yaml").write_text(rule, encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    (folder / "estate.yaml").write_text(BASE + config, encoding="utf-8")
    loaded, document = load(folder / "estate.yaml")
    return load_rules(loaded, document, folder)


def faults(folder: Path, config: str, rule: str = RULE, **files: str) -> list[Fault]:
    with pytest.raises(RulesInvalid) as caught:
        rules(folder, config, rule, **files)
    return caught.value.faults


def hits(query: Query, found: list[Rule], *examples: dict) -> list[bool]:
    """Whether any of the rules, as they run in this estate, hits each example."""
    answers = []
    for example in examples:
        ran = [Rule(**{**asdict(one), "hit": (example,), "miss": (), "as_written": None})
               for one in found]  # fmt: skip
        answers.append(len(failing_examples(query, ran)) < len(ran))
    return answers


def all_modifiers() -> list[tuple[str, Modifier]]:
    return [(name, one) for name, field in FIELDS.items() for one in field.modifiers.values()]


def test_every_condition_has_documentation_and_an_example(query):
    """Each modifier says what it asks, and does to its own example what it says."""
    tried = []
    for one in {id(modifier): modifier for _, modifier in all_modifiers()}.values():
        assert one.meaning.endswith("."), one.word
        assert one.value.words, one.word
        found: list[Fault] = []
        document = parse_yaml("match: {" + one.example.match + "}", "t")
        condition = parse(document, ("match",), found, LISTS)
        assert not found, (one.example, found)
        given = parse_yaml(f"hit: {one.example.hit}\nmiss: {one.example.miss}", "t").value
        rule = Rule("A-1", "t", "trivial", "high", "review", "", "e", condition, "t:1",
                    (given["hit"],), (given["miss"],))  # fmt: skip
        tried.append(rule)
    assert len(tried) > 25
    assert failing_examples(query, tried) == []


def test_every_function_of_the_room_is_used():
    """A condition that no field offers would be documented and never work."""
    offered = {modifier.ask for _, modifier in all_modifiers()}
    made = [one for one in vars(modifiers).values() if isinstance(one, Modifier)]
    assert {one.ask for one in made} == offered


def test_a_leaf_knows_its_line(tmp_path, no_pack):
    """Explanations name the file and line of each clause."""
    [rule] = rules(tmp_path, "rules: {files: [own.yaml]}\n")
    assert rule.condition.where == "own.yaml:9"


# Parameters


def test_parameters_stand_in_match_and_in_words(tmp_path, query, no_pack):
    """A parameter has its own value unless estate.yaml gives another."""
    [rule] = rules(tmp_path, "rules: {files: [own.yaml]}\n")
    assert rule.explain == "Unchanged for over 7 years."
    assert hits(query, [rule], {"name": "a", "age": "8y"}, {"name": "a", "age": "6y"}) == [
        True,
        False,
    ]


def test_a_parameter_is_set_with_a_reason(tmp_path, query, no_pack):
    """The new value counts for every file; the rule's examples are still tried on its own value."""
    found = rules(
        tmp_path, "rules: {files: [own.yaml], set: {DEP-001: {age: 10y, reason: ours}}}\n"
    )
    assert found[0].explain == "Unchanged for over 10 years."
    assert hits(query, found, {"name": "a", "age": "9y"}, {"name": "a", "age": "11y"}) == [
        False,
        True,
    ]
    assert failing_examples(query, found) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("DEP-001: {age: 10y}", "say why DEP-001 is changed"),
        ("DEP-001: {agee: 10y, reason: x}", "has no parameter 'agee'; did you mean 'age'?"),
        ("DEP-002: {age: 10y, reason: x}", "no rule 'DEP-002'; did you mean 'DEP-001'?"),
        ("DEP-001: {age: ten, reason: x}", "expected an age"),
    ],
)
def test_a_parameter_that_cannot_be(tmp_path, no_pack, given, message):
    """A value without a reason, of no parameter, of no rule, or of the wrong kind stops everything."""
    found = faults(tmp_path, f"rules: {{files: [own.yaml], set: {{{given}}}}}\n")
    assert any(message in fault.message for fault in found), found


@pytest.mark.parametrize(
    ("value", "text"),
    [("7y", "7 years"), ("1y", "1 year"), ("6mo", "6 months"), ("30d", "30 days"), ("2GB", "2GB")],
)
def test_ages_in_words(value, text):
    """An explanation says 7 years, not 7y."""
    assert words(value) == text


# Units


def test_a_unit_has_its_own_value(tmp_path, query, no_pack):
    """One unit's parameter counts there and nowhere else."""
    found = rules(
        tmp_path,
        "rules: {files: [own.yaml], units: {Finance: {set: {DEP-001: {age: 10y, reason: x}}}}}\n",
    )
    nine = [{"name": "a", "age": "9y", "unit": unit} for unit in ("Finance", "Legal", "Unassigned")]
    assert hits(query, found, *nine) == [False, True, True]
    assert hits(query, found, {"name": "a", "age": "11y", "unit": "Finance"}) == [True]
    assert {rule.explain for rule in found} == {
        "Unchanged for over 7 years.",
        "Unchanged for over 10 years.",
    }


def test_a_rule_is_off_in_one_unit(tmp_path, query, no_pack):
    """Switched off for Legal, it still runs for the others."""
    found = rules(tmp_path, "rules: {files: [own.yaml], units: {Legal: {off: {DEP-001: ours}}}}\n")
    nine = [{"name": "a", "age": "9y", "unit": unit} for unit in ("Finance", "Legal", "Unassigned")]
    assert hits(query, found, *nine) == [True, False, True]


def test_off_everywhere_and_on_in_one_unit(tmp_path, query, no_pack):
    """A rule that is off runs where a unit sets it."""
    found = rules(
        tmp_path,
        "rules: {files: [own.yaml], off: {DEP-001: no}, "
        "units: {Finance: {set: {DEP-001: {age: 3y, reason: x}}}}}\n",
    )
    nine = [{"name": "a", "age": "9y", "unit": unit} for unit in ("Finance", "Legal")]
    assert hits(query, found, *nine) == [True, False]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Finanse: {off: {DEP-001: x}}", "no business unit 'Finanse'; did you mean 'Finance'?"),
        ("Finance: {off: {DEP-001: ''}}", "say why DEP-001 is switched off"),
        ("Finance: {off: {DEP-009: x}}", "no rule 'DEP-009'"),
        ("Finance: {of: {DEP-001: x}}", "did you mean 'off'?"),
    ],
)
def test_units_that_cannot_be(tmp_path, no_pack, given, message):
    """A unit that is not there, a switch without a reason: named, and nothing runs."""
    found = faults(tmp_path, f"rules: {{files: [own.yaml], units: {{{given}}}}}\n")
    assert any(message in fault.message for fault in found), found
    assert all(fault.line == 6 for fault in found)


# Lists

LISTED = RULE.replace("    parameters: {age: 7y}\n", "    lists: {leavers: [bob]}\n").replace(
    "mtime|older_than: $age", "owner|in_list: leavers").replace("{name: a, age: 9y}", "{name: a, owner: bob}").replace(
    "{name: a, age: 1y}", "{name: a, owner: ann}")  # fmt: skip


def test_a_rule_waits_for_its_list(tmp_path, query, no_pack):
    """Without the list it does not run; with it, the list's lines count and not the examples'."""
    assert rules(tmp_path / "1", "rules: {files: [own.yaml]}\n", LISTED) == []
    config = "rules: {files: [own.yaml]}\nlists: {leavers: left.txt}\n"
    found = rules(tmp_path / "2", config, LISTED, left="# who left\n\n EVE \nkim\n")
    owners = [{"name": "a", "owner": owner} for owner in ("eve", "Kim", "bob")]
    assert hits(query, found, *owners) == [True, True, False]
    assert failing_examples(query, found) == []


@pytest.mark.parametrize(
    ("files", "message"),
    [({}, "left.txt cannot be read"), ({"left": "\n# none\n"}, "left.txt has no lines")],
)
def test_a_list_that_cannot_be_read(tmp_path, no_pack, files, message):
    """A list that is missing or empty is a fault where estate.yaml names it."""
    [fault] = faults(
        tmp_path, "rules: {files: [own.yaml]}\nlists: {leavers: left.txt}\n", LISTED, **files
    )
    assert message in fault.message
    assert (fault.line, Path(fault.file).name) == (7, "estate.yaml")


def test_the_nearest_list_is_named(tmp_path, no_pack):
    """A misspelt list in a rule is a fault, with the nearest there is."""
    [fault] = faults(
        tmp_path,
        "rules: {files: [own.yaml]}\n",
        LISTED.replace("in_list: leavers", "in_list: leaver"),
    )
    assert "there is no list 'leaver'; did you mean 'leavers'?" in fault.message
    assert (fault.file, fault.line) == ("own.yaml", 9)
