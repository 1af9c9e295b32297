"""What people write, as the model of it: every fault at once, each at its place, in words."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, field

from migrate.config import Config
from migrate.errors import RulesInvalid
from migrate.flag.written import RuleFile
from migrate.strict import MOST_SHOWN, Strict, validate
from migrate.yamlfile import Document, parse_yaml


def even(text: str) -> int:
    """A reader of our own, that gives something else than text."""
    if int(text) % 2:
        raise ValueError("an even number is wanted")
    return int(text)


class Inner(Strict, frozen=True):
    word: str
    words: list[str] = []


class Outer(Strict, frozen=True):
    """One field of every kind that files have."""

    text: str = "default"
    some: Annotated[str, Meta(min_length=1)] = "x"
    short: Annotated[str, str.strip, Meta(min_length=1, max_length=3)] = "x"
    code: Annotated[str, Meta(pattern="^[a-z]+$(?!\n)", description="small letters")] = "x"
    flag: bool = False
    whole: Annotated[int, Meta(ge=1, le=4096)] = 1
    any_whole: int = 0
    number: Annotated[float, Meta(gt=50, le=100)] = 60
    any_number: float = 0
    day: date = date(2000, 1, 1)
    maybe: date | None = None
    choice: Literal["solid", "rotating"] = "solid"
    read: Annotated[int, even] = 2
    inner: Inner | None = None
    inners: Annotated[list[Inner], Meta(min_length=1)] = field(default_factory=lambda: [Inner("x")])
    by_name: dict[str, Inner] = {}
    texts: dict[str, dict[str, str]] = {}
    either: list[str | dict[str, Any]] = []
    free: dict[str, Any] = {}


def read(text: str) -> Outer:
    return validate(parse_yaml(text, "f.yaml"), Outer)


def faults(text: str, model: Any = Outer) -> list[tuple[int, int, str]]:
    with pytest.raises(RulesInvalid) as caught:
        validate(parse_yaml(text, "f.yaml"), model)
    return [(fault.line, fault.column, fault.message) for fault in caught.value.faults]


def test_nothing_is_all_defaults() -> None:
    """An empty file has the defaults, and each reading its own lists."""
    assert read("") == Outer()
    assert read("").free is not read("").free


def test_every_kind_is_read() -> None:
    """Text becomes what its field is."""
    found = read(
        "text: 0123\nshort: ' ab '\nflag: yes\nwhole: 1_000\nany_whole: -7\nnumber: 99.5\n"
        "any_number: 1e-3\nday: 2024-02-29\nmaybe: ~\nchoice: rotating\nread: 8\n"
        "inner: {word: w, words: [a, b]}\ninners: [{word: x}, {word: y}]\n"
        "by_name: {a: {word: z}}\ntexts: {a: {b: c}}\neither: [a, {b: [c, ~]}]\n"
        "free: {a: [b, {c: ~}]}\n"
    )
    assert found == Outer(
        text="0123", short="ab", flag=True, whole=1000, any_whole=-7, number=99.5,
        any_number=0.001, day=date(2024, 2, 29), choice="rotating", read=8,
        inner=Inner("w", ["a", "b"]), inners=[Inner("x"), Inner("y")], by_name={"a": Inner("z")},
        texts={"a": {"b": "c"}}, either=["a", {"b": ["c", None]}], free={"a": ["b", {"c": None}]},
    )  # fmt: skip
    assert [type(found.any_number), type(found.number)] == [float, float]


@pytest.mark.parametrize("word", ["true", "yes", "on", "y", "t", "1", "True", "YES", "oN"])
def test_words_for_true(word: str) -> None:
    """Whatever people write for true is true."""
    assert read(f"flag: {word}").flag is True
    assert read(f"flag: '{word}'").flag is True


@pytest.mark.parametrize("word", ["false", "no", "off", "n", "f", "0", "False", "NO", "Off"])
def test_words_for_false(word: str) -> None:
    """Whatever people write for false is false."""
    assert read(f"flag: {word}").flag is False


WRONG = [
    ("text:", "text: expected text, not an empty value"),
    ("text: [a]", "text: expected text, not a list"),
    ("text: {a: b}", "text: expected text, not a mapping"),
    ("some: ''", "some: expected text that is not empty, not ''"),
    ("short: '  '", "short: expected text of 1 to 3 characters, not '  '"),
    ("short: abcd", "short: expected text of 1 to 3 characters, not 'abcd'"),
    ("code: A", "code: expected small letters, not 'A'"),
    ('code: "a\\n"', "code: expected small letters, not 'a\\n'"),
    ("flag: maybe", "flag: expected true or false, not 'maybe'"),
    ("flag: 2", "flag: expected true or false, not '2'"),
    ("flag:", "flag: expected true or false, not an empty value"),
    ("flag: [yes]", "flag: expected true or false, not a list"),
    ("whole: 0", "whole: expected a whole number from 1 to 4,096, not '0'"),
    ("whole: 4097", "whole: expected a whole number from 1 to 4,096, not '4097'"),
    ("whole: 1.5", "whole: expected a whole number from 1 to 4,096, not '1.5'"),
    ("whole: yes", "whole: expected a whole number from 1 to 4,096, not 'yes'"),
    ("any_whole: 0x10", "any_whole: expected a whole number, not '0x10'"),
    ("any_whole: ''", "any_whole: expected a whole number, not ''"),
    ("number: 50", "number: expected a number above 50, up to 100, not '50'"),
    ("number: 100.1", "number: expected a number above 50, up to 100, not '100.1'"),
    ("number: nan", "number: expected a number above 50, up to 100, not 'nan'"),
    ("any_number: nan", "any_number: expected a number, not 'nan'"),
    ("any_number: -inf", "any_number: expected a number, not '-inf'"),
    ("any_number: 1e999", "any_number: expected a number, not '1e999'"),
    ("any_number: a", "any_number: expected a number, not 'a'"),
    ("day: 2024-02-30", "day: expected a real date as YYYY-MM-DD, not '2024-02-30'"),
    ("day: 2024-2-3", "day: expected a real date as YYYY-MM-DD, not '2024-2-3'"),
    ("day: 20240203", "day: expected a real date as YYYY-MM-DD, not '20240203'"),
    ("day: 1709251200", "day: expected a real date as YYYY-MM-DD, not '1709251200'"),
    ("day: 2024-02-03T00:00:00", "day: expected a real date as YYYY-MM-DD, not '2024-02-03T00:00:00'"),
    ("day:", "day: expected a real date as YYYY-MM-DD, not an empty value"),
    ("maybe: today", "maybe: expected a real date as YYYY-MM-DD, not 'today'"),
    ("maybe: 'null'", "maybe: expected a real date as YYYY-MM-DD, not 'null'"),
    ("choice: flash", "choice: expected one of solid, rotating, not 'flash'"),
    ("choice: Solid", "choice: expected one of solid, rotating, not 'Solid'"),
    ("read: 3", "read: an even number is wanted, not '3'"),
    ("read: [4]", "read: expected text, not a list"),
    ("inner: w", "inner: expected a mapping (`key: value`), not 'w'"),
    ("inner: [w]", "inner: expected a mapping (`key: value`), not a list"),
    ("inners: {word: w}", "inners: expected a list that is not empty, not a mapping"),
    ("inners: []", "inners: expected a list that is not empty, not an empty list"),
    ("inners:", "inners: expected a list that is not empty, not an empty value"),
    ("inners: [w]", "inners: expected a mapping (`key: value`), not 'w'"),
    ("by_name: [a]", "by_name: expected a mapping (`key: value`), not a list"),
    ("by_name: {a: b}", "a: expected a mapping (`key: value`), not 'b'"),
    ("texts: {a: {b: [c]}}", "b: expected text, not a list"),
    ("texts: {a: {b: }}", "b: expected text, not an empty value"),
    ("either: [[a]]", "either: expected text or a mapping (`key: value`), not a list"),
    ("either: [~]", "either: expected text or a mapping (`key: value`), not an empty value"),
    ("[a]", "the file: expected a mapping (`key: value`), not a list"),
    ("[]", "the file: expected a mapping (`key: value`), not an empty list"),
    ("word", "the file: expected a mapping (`key: value`), not 'word'"),
    ("inner: {wrod: w}", "unknown key 'wrod'; did you mean 'word'?"),
    ("by_name: {a: {wrods: []}}", "unknown key 'wrods'; did you mean 'words'?"),
    ("inners: [{word: w, zzz: x}]", "unknown key 'zzz'; expected one of word, words"),
    ("by_name: {a: {}}", "'word' is missing here"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text for text, _ in WRONG])
def test_what_is_wrong_is_said_in_words(text: str, message: str) -> None:
    """The key, what was expected, and what stands there."""
    assert message in [said for _, _, said in faults(text)]


def test_all_faults_at_once_with_lines() -> None:
    """However deep, however many: every fault of a file in one report, where it stands."""
    text = (
        "flag: maybe\n"
        "whole: 0\n"
        "inners:\n"
        "- {word: a}\n"
        "- wrod: b\n"
        "- {word: [c], words: [d, ~, {e: f}]}\n"
        "by_name:\n"
        "  one: {word: x, more: y}\n"
        "  two: z\n"
        "either: [a, {b: c}, [d]]\n"
        "tetx: a\n"
    )
    found = faults(text)
    assert [(line, column) for line, column, _ in found] == [
        (1, 1), (2, 1), (5, 3), (5, 3), (6, 4), (6, 26), (6, 29), (8, 18), (9, 3), (10, 21),
        (11, 1),
    ]  # fmt: skip
    assert [message for line, _, message in found if line in (5, 8, 11)] == [
        "'word' is missing here",
        "unknown key 'wrod'; did you mean 'word'?",
        "unknown key 'more'; expected one of word, words",
        "unknown key 'tetx'; did you mean 'text'?",
    ]


def test_a_long_value_is_shown_by_its_beginning() -> None:
    """A megabyte in the wrong place does not fill the screen."""
    [(_, _, message)] = faults(f"flag: {'x' * 1_000_000}")
    assert message == f"flag: expected true or false, not '{'x' * MOST_SHOWN}…'"


def test_a_hostile_name_is_shown_as_it_is_spelt() -> None:
    """A key that people may choose moves no cursor and turns no line around."""
    [(_, _, message)] = faults('texts: {"\\u202ea\\e[2J": b}')
    assert message == "'\\u202ea\\x1b[2J': expected a mapping (`key: value`), not 'b'"
    [(_, _, message)] = faults(f"texts: {{{'k' * 1000}: b}}")
    assert message.startswith(f"'{'k' * MOST_SHOWN}…': expected")


def test_a_number_of_many_digits_is_refused() -> None:
    """A number of more digits than Python reads is none."""
    assert len(faults(f"any_whole: {'9' * 100_000}")) == 1


def test_what_may_be_anything_may_be_deep() -> None:
    """What the model leaves open is taken as it is, however deep."""
    deep: Any = "end"
    for _ in range(50_000):
        deep = [deep]
    assert validate(Document("f", {"free": {"a": deep}}), Outer).free["a"] is deep
    with pytest.raises(RulesInvalid, match="expected text, not a list"):
        validate(Document("f", {"text": deep}), Outer)


def test_nothing_changes_after_reading() -> None:
    """A model is frozen."""
    with pytest.raises(AttributeError):
        read("").text = "other"  # type: ignore[misc]


ANY = st.recursive(
    st.none() | st.text(max_size=8) | st.sampled_from(["1", "nan", "2024-01-01", "yes", "x" * 99]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*Outer.__struct_fields__, *Config.__struct_fields__, "word", "id", "hit", "name"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(ANY, st.sampled_from([Outer, Config, RuleFile]))
def test_anything_is_read_or_refused(value: Any, model: Any) -> None:
    """Whatever a file says, it is the model or has faults; nothing else is raised."""
    try:
        assert isinstance(validate(Document("f", value), model), model)
    except RulesInvalid as invalid:
        assert invalid.faults
        assert all(": " in str(fault) for fault in invalid.faults)
