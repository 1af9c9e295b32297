"""Room: YAML that people write, read without YAML's traps and with a position for every value.

Every plain scalar stays text (`no`, `0123`, `2024-03-01`, `1_000`), except the empty one, `null`
and `~`, which are None: the field's own type decides what a value becomes. Duplicate keys,
aliases and tags are faults.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml
from msgspec import Struct

from migrate.errors import Fault

Place = tuple[str | int, ...]


class Document(Struct):
    """What a file says, and where it says it."""

    file: str  # as errors name it
    value: Any = None
    places: dict[Place, tuple[int, int]] = {}
    faults: list[Fault] = []
    files: dict[Place, str] = {}  # what was included from other files
    name: str = ""  # as evidence names it, if errors name it with folders of this machine

    def fault(self, place: Place, message: str) -> Fault:
        """A fault at a value, or at the nearest thing around it that has a position."""
        while place and place not in self.places:
            place = place[:-1]
        line, column = self.places.get(place, (1, 1))
        return Fault(self.file_of(place), line, column, message)

    def file_of(self, place: Place) -> str:
        """The file that a value stands in."""
        return next((file for at, file in self.files.items() if place[: len(at)] == at), self.file)

    def where(self, place: Place) -> str:
        """file:line of a value, for evidence."""
        fault = self.fault(place, "")
        file = self.name if self.name and fault.file == self.file else fault.file
        return f"{file}:{fault.line}"

    def include(self, key: str, other: Document) -> None:
        """Add the list under `key` of another document to the one here."""
        self.faults += other.faults
        items = (other.value or {}).get(key) if isinstance(other.value, dict) else None
        if not isinstance(items, list) or not isinstance(self.value, dict):
            return
        mine = self.value.setdefault(key, [])
        if not isinstance(mine, list):
            return
        shift = len(mine)
        mine += items
        for number in range(len(items)):
            self.files[(key, shift + number)] = other.file
        for place, position in other.places.items():
            if len(place) > 1 and place[0] == key and isinstance(place[1], int):
                self.places[(key, shift + place[1], *place[2:])] = position


def read_yaml(path: Path, shown_as: str = "") -> Document:
    """Read a file; what is wrong with it is in `faults`, nothing is raised for it."""
    content = path.read_bytes()
    name = shown_as or str(path)
    try:
        return parse_yaml(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8-sig", "replace"))
        return Document(name, faults=[Fault(name, line, column, f"not UTF-8: {error.reason}")])


def parse_yaml(text: str, shown_as: str) -> Document:
    """A YAML text as a document."""
    document = Document(shown_as)
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is not None:
            document.value = _build(document, node, ())
    except yaml.reader.ReaderError as error:
        message = f"the character U+{ord(str(error.character)):04X} is not allowed here"
        document.faults.append(Fault(shown_as, *_position(text[: error.position]), message))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        document.faults.append(Fault(shown_as, *place, error.problem or str(error)))
    except RecursionError:
        document.faults.append(Fault(shown_as, 1, 1, "lists and mappings are nested too deeply"))
    return document


def _position(before: str) -> tuple[int, int]:
    """Line and column of what comes after a text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


class _Loader(yaml.SafeLoader):
    """Composes nodes only; refuses tags, and aliases: a small file could stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.events.AliasEvent):
            self._refuse(event, "aliases (*name) are not used here; write the value out")
        if getattr(event, "tag", None):
            self._refuse(event, f"tags ({event.tag}) are not used here")
        return super().compose_node(parent, index)

    @staticmethod
    def _refuse(event: Any, problem: str) -> NoReturn:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _build(document: Document, node: yaml.Node, place: Place) -> Any:
    document.places[place] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(document, node, place)
    if isinstance(node, yaml.SequenceNode):
        return [_build(document, item, (*place, n)) for n, item in enumerate(node.value)]
    if getattr(node, "style", None) is None and node.value in ("", "~", "null"):
        return None
    return _whole_text(document, node.value, place)


def _whole_text(document: Document, text: str, place: Place) -> str:
    """A text; half of a pair of UTF-16, which no file name can be compared with, is a fault."""
    if half := _HALF.search(text):
        message = f"U+{ord(half[0]):04X} is half a character"
        document.faults.append(document.fault(place, message))
    return text


_HALF = re.compile("[\ud800-\udfff]")


def _build_mapping(document: Document, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        here = (*place, name)
        if name in result:
            document.places[here] = (key.start_mark.line + 1, key.start_mark.column + 1)
            document.faults.append(document.fault(here, f"{name!r} is written twice"))
        result[name] = _build(document, value, here)
        document.places[here] = (key.start_mark.line + 1, key.start_mark.column + 1)
        _whole_text(document, name, here)
    return result


def suggestion(wrong: str, known: list[str]) -> str:
    """' (did you mean X?)', or the names there are."""
    near = difflib.get_close_matches(wrong, known, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(known)}"
