"""estate.yaml: YAML's traps, faults in their right places, and what `init` writes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.config import Server, load, share_place
from migrate.errors import MigrateError, RulesInvalid, UsageError
from migrate.estate import Estate, create
from migrate.place import Place
from migrate.setup import existing, new_config
from migrate.yamlfile import parse_yaml, suggestion

BASE = "format: 1\nshares: [{name: dept, path: /mnt/dept}]\n"  # what is added begins on line 3


def write(folder: Path, text: str | bytes, name: str = "estate.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults(folder: Path, text: str | bytes) -> list[tuple[int, int, str]]:
    """Line, column and message of every fault."""
    path = write(folder, text)
    with pytest.raises(RulesInvalid) as caught:
        load(path)
    found = caught.value.faults
    assert found
    assert all(fault.file == str(path) for fault in found)
    for fault in found:
        assert f"{path}:{fault.line}:{fault.column}: " in caught.value.what
    assert caught.value.exit_code == 5
    return [(fault.line, fault.column, fault.message) for fault in found]


def loaded(folder: Path, text: str | bytes):
    return load(write(folder, text))[0]


# Values that YAML 1.1 would turn into something else


@pytest.mark.parametrize(
    "scalar",
    ["no", "yes", "on", "off", "true", "0123", "1_000", "1e3", "0x1F", "12:30:45", "2024-03-01", "NULL",
     "Null", ".inf", "0o17", "+1", "=", "~x", "1.10", "'null'", '"~"', "<<"],
)  # fmt: skip
def test_plain_scalars_stay_text(tmp_path, scalar):
    """A title is what was written: no booleans, octals, dates, sexagesimals or floats."""
    assert loaded(tmp_path, BASE + f"title: {scalar}\n").title == scalar.strip("'\"")


def test_yaml_traps_everywhere(tmp_path):
    """Reviewers called No, classes with leading zeros and switched-off rules under the key `off`."""
    config = loaded(
        tmp_path,
        BASE
        + "business_units: [{name: Norway, reviewer: no, folders: [dept/1998, dept/010]}]\n"
        + "file_plan: [{folder: dept/2024-03-01, container: 007/1_000, retention_class: 0123}]\n"
        + "retention: [{retention_class: 0123, trigger: last_modified, period: 7y, action: review, authority: no}]\n"
        + "rules: {off: {RED-013: yes}}\n"
        + "holds: [{reference: 1e3, title: y, authority: 012, issued: 2024-03-01, match: {name: no}}]\n",
    )
    assert config.business_units[0].reviewer == "no"
    assert config.business_units[0].folders == ["dept/1998", "dept/010"]
    assert config.file_plan[0].folder == "dept/2024-03-01"
    assert config.file_plan[0].container == "007/1_000"
    assert config.file_plan[0].retention_class == "0123"
    assert config.retention[0].authority == "no"
    assert config.rules.off == {"RED-013": "yes"}
    assert config.holds[0].reference == "1e3"
    assert config.holds[0].issued == date(2024, 3, 1)
    assert config.holds[0].match == {"name": "no"}


@pytest.mark.parametrize(
    "value", ["no", "1_000", "2024-13-01", "2024-02-30", "20240301", "01/03/2024", "[]", "{}"]
)
def test_what_is_no_date_is_a_fault(tmp_path, value):
    """A date is written 2024-03-01 and nothing else passes for one."""
    [(line, column, message)] = faults(tmp_path, BASE + f"as_of: {value}\n")
    assert (line, column) == (3, 1)
    assert message.startswith("as_of: ")


@pytest.mark.parametrize("value", ["0", "86400", "-86400"])
def test_a_number_is_no_date(tmp_path, value):
    """`as_of: 0` must not silently mean 1970-01-01."""
    faults(tmp_path, BASE + f"as_of: {value}\n")


def test_released_zero_does_not_release_a_hold(tmp_path):
    """Somebody who writes `released: 0` for "not yet" is told, and the hold stays."""
    hold = (
        "{reference: I, title: t, authority: a, issued: 2024-03-01, released: 0, match: {name: x}}"
    )
    faults(tmp_path, BASE + f"holds: [{hold}]\n")


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("\ttitle: x\n", 3, 1, "\\t"),
        ("target:\n\tname_rules: windows\n", 4, 1, "\\t"),
        ("title: a\ntitle: b\n", 4, 1, "'title' is written twice"),
        ("keeper:\n  prefer: [oldest]\n  prefer: [oldest]\n", 5, 3, "'prefer' is written twice"),
        ("title: &t x\nkeeper: {copy_folders: [*t]}\n", 4, 25, "aliases"),
        ("title: 'abc\n", 4, 1, "unexpected end"),
        ("a: b: c\n", 3, 5, "mapping values"),
        ("---\nformat: 1\n", 3, 1, "another document"),
        ("title: [a, b\nas_of: 2024-01-01\n", 4, 6, ""),
        ("title: @home\n", 3, 8, "'@'"),
        ("<<: {title: x}\n", 3, 1, "unknown key '<<'"),
        ("? [a]\n: b\n", 3, 3, "unknown key '?'"),
    ],
)
def test_syntax_faults_have_their_place(tmp_path, text, line, column, words):
    """What is no YAML, or YAML that hides something, is refused at its line and column."""
    found = faults(tmp_path, BASE + text)
    assert (line, column) in [(one, two) for one, two, _ in found]
    assert any(words in message for _, _, message in found)


def test_billion_laughs_are_refused_at_once(tmp_path):
    """A few hundred bytes that stand for gigabytes are refused at the first alias."""
    text = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    [(line, _, message)] = faults(tmp_path, text)
    assert line == 2
    assert "aliases" in message


def test_an_alias_to_itself_is_refused(tmp_path):
    """A recursive structure is refused, not walked for ever."""
    [(_, _, message)] = faults(tmp_path, BASE + "keeper: &k {copy_folders: *k}\n")
    assert "aliases" in message


@pytest.mark.parametrize(
    "tagged", ["!!python/object/apply:os.system [touch /tmp/owned]", "!!python/name:os.system x"]
)
def test_tags_run_nothing(tmp_path, tagged):
    """A Python tag is never acted on, whatever else becomes of it."""
    Path("/tmp/owned").unlink(missing_ok=True)
    document = parse_yaml(BASE + f"title: {tagged}\n", "x")
    assert document.faults or isinstance(document.value["title"], str | list)
    assert not Path("/tmp/owned").exists()


@pytest.mark.parametrize(
    "tagged", ["!secret x", "!!python/name:os.system x", "!!int 5", "!!binary aGVsbG8=", "!!null x"]
)
def test_tags_are_faults(tmp_path, tagged):
    """Tags are faults, as the module says: `title: !secret x` is not the title x."""
    [(line, column, _)] = faults(tmp_path, BASE + f"title: {tagged}\n")
    assert (line, column) in [(3, 8), (3, 1)]


def test_a_tagged_mapping_is_no_object(tmp_path):
    """`!!python/object` where text is wanted is a fault at its line."""
    found = faults(tmp_path, BASE + "title: !!python/object:os.PathLike {a: b}\n")
    assert found[0][0] == 3


@pytest.mark.parametrize("encode", ["bom", "crlf", "cr+bom", "utf8"])
def test_editors_on_windows(tmp_path, encode):
    """A byte order mark and CRLF line ends, as Notepad writes them, change nothing."""
    text = (
        BASE
        + "title: Übersicht 2024\nbusiness_units:\n- name: Finance\n  folders: [dept/Finance]\n"
    )
    raw = {
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "crlf": text.replace("\n", "\r\n").encode(),
        "cr+bom": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        "utf8": text.encode(),
    }[encode]
    config = loaded(tmp_path, raw)
    assert config.title == "Übersicht 2024"
    assert config.business_units[0].folders == ["dept/Finance"]


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbf", b""])
def test_lines_are_counted_with_crlf_and_bom(tmp_path, raw):
    """Faults in a CRLF file with a byte order mark still have the right line and column."""
    text = (BASE + "title: x\ntarget:\n  name_rules: linux\n").replace("\n", "\r\n").encode()
    [(line, column, message)] = faults(tmp_path, raw + text)
    assert (line, column) == (5, 3)
    assert "'linux'" in message


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "~\n", "{}\n"])
def test_an_empty_file_misses_its_keys(tmp_path, text):
    """An empty estate.yaml is told what it lacks."""
    found = faults(tmp_path, text)
    assert {message for _, _, message in found} == {
        "'format' is missing here",
        "'shares' is missing here",
    }


@pytest.mark.parametrize("text", ["- format: 1\n", "just words\n", "'quoted'\n", "[[a]]\n"])
def test_no_mapping_at_all(tmp_path, text):
    """A list or a text instead of a mapping is one clear fault at the top."""
    [(line, column, message)] = faults(tmp_path, text)
    assert (line, column) == (1, 1)
    assert "the file" in message


def test_not_utf8_is_a_fault(tmp_path):
    """A file in another encoding is refused with its name, not with a traceback."""
    [(_, _, message)] = faults(tmp_path, BASE.encode() + "title: Büro\n".encode("cp1252"))
    assert "UTF-8" in message


@pytest.mark.parametrize("raw", ["title: Büro\n".encode("cp1252"), b"title: a\x07b\n"])
def test_unreadable_characters_have_their_line(tmp_path, raw):
    """A byte or a control character that cannot be read is named with its own line."""
    found = faults(tmp_path, BASE.encode() + raw)
    assert found[0][0] == 3


@pytest.mark.parametrize(
    "text",
    ['title: "\\ud800"', 'lists: {"\\udfff": x}', 'keeper: {copy_folders: ["a\\udc80b"]}'],
)
def test_half_a_character_is_a_fault(tmp_path, text):
    """Half of a surrogate pair, which YAML can spell and no file name has, is named."""
    [(line, _, message)] = faults(tmp_path, BASE + text + "\n")
    assert line == 3
    assert "is half a character" in message


def test_deep_nesting_is_a_fault(tmp_path):
    """Thousands of opening brackets are a fault like any other."""
    faults(tmp_path, BASE + "title: " + "[" * 5000 + "\n")


@pytest.mark.parametrize("text", ["title: x\n", "keeper: {copy_folders: []}\n"])
def test_the_file_is_never_run_through_the_unsafe_loader(tmp_path, text, monkeypatch):
    """No YAML constructor is ever called: nodes are composed and read by this package alone."""
    import yaml

    monkeypatch.setattr(yaml.SafeLoader, "construct_object", None)
    monkeypatch.setattr(yaml, "load", None)
    loaded(tmp_path, BASE + text)


# Keys, types and values


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("tilte: x\n", 3, 1, "unknown key 'tilte'; did you mean 'title'?"),
        ("zzz: x\n", 3, 1, "unknown key 'zzz'; expected one of as_of, base, business_units"),
        ("target: {name_rule: windows}\n", 3, 10, "did you mean 'name_rules'?"),
        ("target:\n  name_rules: linux\n", 4, 3, "one of sharepoint, windows"),
        ("business_units:\n  - name: F\n    folder: [dept]\n", 5, 5, "did you mean 'folders'?"),
        ("business_units:\n  - name: F\n    folders: dept\n", 5, 5, "expected a list"),
        ("business_units:\n  - name: ''\n    folders: [dept]\n", 4, 5, "name: "),
        ("business_units:\n  - folders: [dept]\n", 4, 5, "'name' is missing here"),
        ("business_units: {name: F}\n", 3, 1, "expected a list"),
        ("file_plan:\n- folder: dept/a\n  container: a/../b\n", 5, 3, "container"),
        ("file_plan:\n- folder: dept/a\n  container: a//b\n", 5, 3, "container"),
        ("file_plan:\n- folder: dept/../a\n  container: a\n", 4, 3, "folder"),
        ("file_plan:\n- folder: dept\\a\n  container: a\n", 4, 3, "folder"),
        ("file_plan:\n- folder: /\n  container: a\n", 4, 3, "folder"),
        ("keeper:\n  prefer: [oldest, newest]\n", 4, 20, "oldest, shortest_path"),
        ("keeper:\n  prefered_folders: []\n", 4, 3, "did you mean 'preferred_folders'?"),
        ("rules: {off: [RED-001]}\n", 3, 9, "expected a mapping"),
        ("rules: {off: {RED-001: }}\n", 3, 15, "RED-001"),
        ("rules: {file: []}\n", 3, 9, "did you mean 'files'?"),
        (
            "holds:\n  - title: t\n    authority: a\n    issued: 2024-03-01\n    match: {}\n",
            4,
            5,
            "'reference' is missing",
        ),
        ("title: [a]\n", 3, 1, "not a list"),
        ("title: {a: b}\n", 3, 1, "not a mapping"),
        ("title:\n", 3, 1, "expected text, not an empty value"),
    ],
)
def test_faults_of_keys_and_values(tmp_path, text, line, column, words):
    """An unknown key, a missing key, a wrong type: each at its own place, with what was expected."""
    found = faults(tmp_path, BASE + text)
    assert [(one, two) for one, two, message in found if words in message] == [(line, column)], (
        found
    )


@pytest.mark.parametrize(
    ("shares", "line", "column", "words"),
    [
        ("shares: [{name: a/b, path: /x}]", 2, 11, "name"),
        ("shares: [{name: 'a\\b', path: /x}]", 2, 11, "name"),
        ("shares: [{name: '..', path: /x}]", 2, 11, "name"),
        ("shares: [{name: 'a:b', path: /x}]", 2, 11, "name"),
        ("shares: [{name: '', path: /x}]", 2, 11, "name"),
        ("shares: [{path: /x}]", 2, 10, "'name' is missing"),
        ("shares: [{name: a}]", 2, 10, "'path' is missing"),
        ("shares: []", 2, 1, "a list that is not empty"),
        ("shares:", 2, 1, "list"),
        ("shares:\n- {name: HR, path: /x}\n- {name: fin, path: /x}\n- {name: hr, path: /y}", 5, 4, "two shares are called"),
        ("shares:\n- {name: Straße, path: /x}\n- {name: STRASSE, path: /y}", 4, 4, "two shares are called"),
        ("shares:\n- {name: a, path: /x, paht: /y}", 3, 23, "did you mean 'path'?"),
    ],
)  # fmt: skip
def test_faults_of_shares(tmp_path, shares, line, column, words):
    """Share names are one plain word, and no two are equal but for case."""
    found = faults(tmp_path, f"format: 1\n{shares}\n")
    assert [(one, two) for one, two, message in found if words in message] == [(line, column)], (
        found
    )


@pytest.mark.parametrize("name", ["a\\tb", "a\\rb", "a\\x1bb", "a\\u202eb"])
def test_share_names_have_no_control_characters(tmp_path, name):
    """A share's name stands in every path, log and workbook: it has no control characters."""
    faults(tmp_path, f'format: 1\nshares: [{{name: "{name}", path: /x}}]\n')


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("business_units:\n- name: F\n  folders: [dept/a, det/b]\n", 5, 21),
        ("business_units:\n- name: F\n  folders:\n  - dept/a\n  - Dept/b\n", 7, 5),
        ("file_plan:\n- {folder: dept/a, container: x}\n- {folder: other/a, container: x}\n", 5, 4),
        ("keeper: {preferred_folders: [dept/a, zzz]}\n", 3, 38),
    ],
)
def test_folders_on_no_share(tmp_path, text, line, column):
    """A folder on a share that does not exist is a fault where it is written."""
    [(one, two, message)] = faults(tmp_path, BASE + text)
    assert (one, two) == (line, column)
    assert "is on no share" in message


@pytest.mark.parametrize("folder", ["dept//Finance", "dept/./Finance"])
def test_folders_that_can_match_nothing_are_faults(tmp_path, folder):
    """A folder that no path can ever lie in is a slip of the pen, and is named."""
    faults(tmp_path, BASE + f"file_plan: [{{folder: {folder}, container: x}}]\n")


def test_units_called_alike(tmp_path):
    """Two units of one name would share a workbook: refused at the second."""
    units = "business_units:\n- {name: HR, folders: []}\n- {name: hr, folders: []}\n"
    assert [(line, col) for line, col, _ in faults(tmp_path, BASE + units)] == [(5, 4)]


def test_all_faults_at_once(tmp_path):
    """Faults in different parts are reported together, so that they are mended in one go."""
    found = faults(
        tmp_path,
        "format: 3\ntilte: x\nas_of: tomorrow\nshares:\n- {name: a/b, path: /x}\n- {name: c}\n"
        "target: {name_rules: dos}\nkeeper: {prefer: [best]}\n",
    )
    assert {line for line, _, _ in found} == {1, 2, 3, 5, 6, 7, 8}


def test_all_cross_faults_at_once(tmp_path):
    """So are those that only show when parts are compared."""
    found = faults(
        tmp_path,
        "format: 1\nshares:\n- {name: a, path: /x}\n- {name: A, path: /y}\n"
        "business_units:\n- {name: u, folders: [b/x]}\n- {name: U, folders: [c]}\n"
        "file_plan:\n- {folder: d, container: x}\n",
    )
    assert sorted(line for line, _, _ in found) == [4, 6, 7, 7, 9]


def test_two_duplicate_keys_are_both_named(tmp_path):
    """Every key that is written twice is named, in any depth."""
    found = faults(tmp_path, BASE + "format: 1\nkeeper:\n  prefer: []\n  prefer: []\nformat: 1\n")
    assert [line for line, _, _ in found] == [3, 6, 7]


@given(
    st.text(st.sampled_from("abcd:#-[]{}&*!|>'\"%@`,? \n\t~0123456789\ufeff\x85\x00é"), max_size=60)
)
@settings(max_examples=300)
def test_any_text_is_read_or_refused(text):
    """Whatever a person writes gives a document or faults with positions; nothing is raised."""
    document = parse_yaml(text, "x")
    lines = text.count("\n") + text.count("\x85") + 2
    assert all(1 <= fault.line <= lines and fault.column >= 1 for fault in document.faults)


def test_suggestion():
    """A near miss is named; where nothing is near, all choices are."""
    assert suggestion("sahres", ["shares", "title"]) == "; did you mean 'shares'?"
    assert suggestion("q", ["shares", "title"]) == "; expected one of shares, title"


def test_config_is_frozen(tmp_path):
    """Nothing changes a config after it was read."""
    config = loaded(tmp_path, BASE)
    with pytest.raises(Exception, match="immutable"):
        config.title = "x"


def test_share_roots(tmp_path):
    """Relative paths count from estate.yaml; absolute and UNC paths are left alone."""
    config = loaded(
        tmp_path,
        "format: 1\nshares:\n- {name: a, path: x/y}\n- {name: b, path: /x}\n- {name: c, path: '\\\\fs1\\HR'}\n- {name: d, path: //fs/HR}\n",
    )
    assert share_place(config, tmp_path, "a").root == str(tmp_path.resolve() / "x/y")
    assert [share_place(config, tmp_path, name).root for name in "bcd"] == [
        "/x",
        "\\\\fs1\\HR",
        "//fs/HR",
    ]


SERVERS = """format: 1
shares:
- {name: a, path: 'smb://FS1.example/HR'}
- {name: b, path: '\\\\fs1.example\\Finance'}
- {name: c, path: 'smb://fs2:4450/HR'}
- {name: d, path: /x}
servers:
- {host: FS1.Example, user: 'DOM\\ann', connections: 2, requests_per_second: 100, hours: [Mon-Fri 19:00-07:00]}
"""


def test_share_places_know_their_server(tmp_path):
    """A share on a server comes with what `servers` says of that server, or with the defaults."""
    config = loaded(tmp_path, SERVERS)
    places = {name: share_place(config, tmp_path, name) for name in "abcd"}
    assert places["a"].server is places["b"].server is config.servers[0]
    assert places["a"].server.user == "DOM\\ann"
    assert places["c"] == Place("smb://fs2:4450/HR", Server(host="fs2"))
    assert places["d"] == Place("/x", None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{host: a, connections: 0}", "a whole number from 1 to 64"),
        ("{host: a, requests: 5000}", "from 1 to 4,096"),
        ("{host: a, requests_per_second: 0}", "a number above 0"),
        ("{host: a, timeout_seconds: 0.5}", "from 1 to 3,600"),
        ("{host: a, auth: telnet}", "kerberos"),
        ("{host: a, hours: [nights]}", "hours are written"),
        ("{host: a, hours: ['25:00-07:00']}", "00:00 to 23:59"),
        ("{host: a, password: x}", "password"),
    ],
)
def test_faults_in_servers(tmp_path, line, said):
    """Every limit has its bounds, and a server has no password here."""
    with pytest.raises(RulesInvalid) as caught:
        loaded(tmp_path, f"format: 1\nshares: [{{name: a, path: x}}]\nservers:\n- {line}\n")
    assert said in str(caught.value)
    assert "estate.yaml:4:" in str(caught.value)


# init


def init(estate: Path, shares: tuple[str, ...] = (), config: Path | None = None) -> bool:
    """What the verb does. Returns whether a new estate was made."""
    text = new_config(estate, shares, config)
    if existing(estate, text):
        return False
    create(estate, text)
    return True


NASTY = [
    "it's", "a: b", "a #b", "#x", "a'b''c", 'say "hi"', "- x", "[x]", "{x}", "&a", "*a", "!x", "%x", "@x",
    "`x`", " lead", "trail ", "ends:", "null", "no", "0123", "{first}", "{{x}}", "a\\b", "été", "日本 📅", "a, b",
    "~",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_init_writes_any_path_as_it_is(tmp_path, name):
    """Quotes, colons, hashes and braces in a path (and in the estate's own name) survive."""
    share = tmp_path / name
    share.mkdir()
    estate = tmp_path / "estates" / name
    assert init(estate, (f"hr={share}",))
    config, _ = load(estate / "estate.yaml")
    assert [(found.name, found.path) for found in config.shares] == [("hr", str(share))]
    assert config.title == name
    assert not init(estate, (f"hr={share}",))


def test_init_with_a_line_break_in_a_path(tmp_path):
    """A folder name may hold a line break on Linux: it survives or is refused, never changed."""
    share = tmp_path / "a\nb"
    share.mkdir()
    try:
        init(tmp_path / "estate", (f"hr={share}",))
    except MigrateError:
        return
    assert load(tmp_path / "estate" / "estate.yaml")[0].shares[0].path == str(share)


def test_init_twice_is_one_estate(tmp_path):
    """The same init again changes nothing, not even the log."""
    (tmp_path / "hr").mkdir()
    estate = tmp_path / "estate"
    assert init(estate, (f"hr={tmp_path / 'hr'}",))
    before = {path.name: path.read_bytes() for path in estate.iterdir()}
    assert not init(estate, (f"hr={tmp_path / 'hr'}",))
    assert not init(estate)
    assert {path.name: path.read_bytes() for path in estate.iterdir()} == before


def test_init_with_other_shares_is_refused(tmp_path):
    """An estate that exists is never given other shares by init."""
    for name in ("hr", "fin"):
        (tmp_path / name).mkdir()
    estate = tmp_path / "estate"
    init(estate, (f"hr={tmp_path / 'hr'}",))
    before = (estate / "estate.yaml").read_bytes()
    for shares in [(f"fin={tmp_path / 'fin'}",), (f"hr={tmp_path / 'fin'}",)]:
        with pytest.raises(UsageError):
            init(estate, shares)
    assert (estate / "estate.yaml").read_bytes() == before


def test_init_in_a_folder_of_something_else(tmp_path):
    """A folder with other things in it is left alone."""
    (tmp_path / "letter.doc").write_bytes(b"x")
    with pytest.raises(MigrateError):
        init(tmp_path, (f"hr={tmp_path}",))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.doc"]


@pytest.mark.parametrize("share", ["hr", "=x", "hr=", "hr=/does/not/exist", ""])
def test_init_with_a_share_that_is_none(tmp_path, share):
    """--share is NAME=PATH of a folder that exists."""
    with pytest.raises(UsageError):
        init(tmp_path / "estate", (share,))
    assert not (tmp_path / "estate").exists()


def test_init_with_nothing(tmp_path):
    """Without a share and without a config there is nothing to make."""
    with pytest.raises(UsageError):
        init(tmp_path / "estate")


@pytest.mark.parametrize("shares", [["a/b"], ["a:b"], [".."], ["hr", "hr"], ["hr", "HR"]])
def test_init_refuses_share_names_that_no_verb_will_take(tmp_path, shares):
    """A bad share name is refused before the estate is made, not by every verb afterwards."""
    (tmp_path / "x").mkdir()
    with pytest.raises((UsageError, RulesInvalid)):
        init(tmp_path / "estate", tuple(f"{name}={tmp_path / 'x'}" for name in shares))
    assert not (tmp_path / "estate" / "log.jsonl").exists()


def test_init_beside_a_config_with_other_shares(tmp_path):
    """An estate.yaml that lies there is not silently taken instead of the shares that were named."""
    for name in ("hr", "fin"):
        (tmp_path / name).mkdir()
    estate = tmp_path / "estate"
    estate.mkdir()
    write(estate, f"format: 1\nshares: [{{name: hr, path: {tmp_path / 'hr'}}}]\n")
    try:
        init(estate, (f"fin={tmp_path / 'fin'}",))
    except MigrateError:
        return
    assert [share.name for share in load(estate / "estate.yaml")[0].shares] == ["fin"]


def test_init_checks_a_config_that_lies_there(tmp_path):
    """A malformed estate.yaml in the folder stops init: no estate is made around it."""
    write(tmp_path, "format: 1\nshares: nonsense\n")
    with pytest.raises(RulesInvalid):
        init(tmp_path)
    assert not (tmp_path / "log.jsonl").exists()


@pytest.mark.parametrize("torn", [b"", b'{"seq":1,"at":"2026'])
def test_init_killed_and_run_again(tmp_path, torn):
    """Killed between making the log and writing its first line, init goes on when run again."""
    (tmp_path / "hr").mkdir()
    estate = tmp_path / "estate"
    estate.mkdir()
    shares = (f"hr={tmp_path / 'hr'}",)
    write(estate, new_config(estate, shares, None))
    (estate / "log.jsonl").write_bytes(torn)
    init(estate, shares)
    assert Estate(estate).log.records[0]["kind"] == "init"


def rebased(folder: Path, shares: str) -> dict[str, str]:
    """The share paths of an estate made from a config with these shares."""
    conf = folder / "conf"
    conf.mkdir()
    config = write(conf, f"format: 1\n{shares}\n", "my.yaml")
    estate = folder / "new" / "estate"
    assert init(estate, (), config)
    assert not init(estate, (), config)
    config = load(estate / "estate.yaml")[0]
    return {share.name: share_place(config, estate, share.name).root for share in config.shares}


@pytest.mark.parametrize(
    ("shares", "below"),
    [
        ("shares:\n- name: a\n  path: x\n- name: b\n  path: y   # the other", {"a": "x", "b": "y"}),
        ("shares:\n- {name: a, path: x/y}\n- {path: ../z, name: b}", {"a": "x/y", "b": "../z"}),
        ("shares: [{name: a, path: 'x y'}]", {"a": "x y"}),
        ('shares: [{name: a, path: "x # y"}]', {"a": "x # y"}),
        ("shares:\n- {name: a, path: .}", {"a": "."}),
        ('shares: [{name: a, path: "caf\\u00e9"}]', {"a": "café"}),
    ],
)
def test_init_from_a_config_makes_its_paths_absolute(tmp_path, shares, below):
    """Relative share paths are relative to the config they were written in."""
    found = rebased(tmp_path, shares)
    want = {name: os.path.normpath(tmp_path / "conf" / path) for name, path in below.items()}
    assert {name: os.path.normpath(path) for name, path in found.items()} == want


@pytest.mark.parametrize(
    ("shares", "below"),
    [
        ("shares: [{name: a, path: x}, {name: b, path: y}]", {"a": "x", "b": "y"}),
        ("shares: [{name: a, path: 'it''s'}]", {"a": "it's"}),
        ('shares: [{name: a, path: "a\\"b"}]', {"a": 'a"b'}),
        ("shares:\n- name: a\n  path:\n    x", {"a": "x"}),
        ('shares:\n- {"name": a, "path": x}', {"a": "x"}),
        ("shares:\n- name: a\n  path: >-\n    x", {"a": "x"}),
    ],
)
def test_init_from_a_config_however_its_paths_are_written(tmp_path, shares, below):
    """Every share keeps its own path, in every way YAML can write it."""
    found = rebased(tmp_path, shares)
    want = {name: os.path.normpath(tmp_path / "conf" / path) for name, path in below.items()}
    assert {name: os.path.normpath(path) for name, path in found.items()} == want


@pytest.mark.parametrize("path", ["\\\\fs1\\HR", "smb://fs1/HR"])
def test_init_from_a_config_leaves_absolute_places_alone(tmp_path, path):
    """A UNC path or a URL is absolute already, as share_place and --share know."""
    assert rebased(tmp_path, f"shares: [{{name: a, path: '{path}'}}]") == {"a": path}


def test_init_from_a_config_keeps_all_else(tmp_path):
    """Comments, holds and units of the given config stand in the new one word for word."""
    conf = tmp_path / "conf"
    conf.mkdir()
    text = BASE + "# by Ann, March\nbusiness_units: [{name: HR, folders: [dept/HR]}]  # ours\n"
    init(tmp_path / "estate", (), write(conf, text, "my.yaml"))
    assert (tmp_path / "estate" / "estate.yaml").read_text().startswith(text)


def test_init_from_a_malformed_config(tmp_path):
    """Nothing is made from a config with faults, and both ways to name shares exclude each other."""
    config = write(tmp_path, "format: 1\nshares: x\n", "my.yaml")
    with pytest.raises(RulesInvalid):
        init(tmp_path / "estate", (), config)
    with pytest.raises(UsageError):
        init(tmp_path / "estate", (f"a={tmp_path}",), config)
    assert not (tmp_path / "estate").exists()


def test_faults_reach_the_person(tmp_path):
    """The command line prints every fault as file:line:column and ends with exit code 5."""
    (tmp_path / "hr").mkdir()
    estate = tmp_path / "estate"
    init(estate, (f"hr={tmp_path / 'hr'}",))
    with (estate / "estate.yaml").open("a") as file:
        file.write("tilte: x\nas_of: soon\n")
    last = len((estate / "estate.yaml").read_text().splitlines())
    done = subprocess.run(
        [sys.executable, "-m", "migrate", "crawl", "-e", str(estate)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5
    assert f"estate.yaml:{last - 1}:1: unknown key 'tilte'" in done.stderr
    assert f"estate.yaml:{last}:1: as_of" in done.stderr
    assert "Traceback" not in done.stderr


@given(
    st.lists(
        st.sampled_from([BASE, "title: x\n", "target: {}\n", "holds: []\n", "- a\n", "x"]),
        max_size=4,
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_load_raises_nothing_but_rules_invalid(tmp_path, lines):
    """Loading gives a config or RulesInvalid, whatever is put together."""
    try:
        loaded(tmp_path, "".join(lines))
    except RulesInvalid as invalid:
        assert invalid.faults
