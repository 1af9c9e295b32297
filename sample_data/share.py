"""The share while it is being made: a list of files with their content and their times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple


class Entry(NamedTuple):
    """A file's content and modification time."""

    data: bytes
    when: datetime


class Share:
    """Files by path, with "/" between folders; folders exist because files are in them."""

    def __init__(self) -> None:
        """Start with no files."""
        self.files: dict[str, Entry] = {}

    @staticmethod
    def moment(text: str) -> datetime:
        """Return a time written as 2014-03-02T09:15, in UTC, at a second made from its digits."""
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return moment.replace(second=(moment.day * 7 + moment.minute * 11) % 60)

    def add(self, path: str, when: str, make: Callable[[datetime], bytes]) -> None:
        """Add a file; its maker is given the file's time, to date the document inside."""
        if path in self.files:
            raise ValueError(f"already there: {path}")
        moment = self.moment(when)
        self.files[path] = Entry(make(moment), moment)

    def copy(self, source: str, target: str, when: str = "") -> None:
        """Add a copy of a file: with its time, as copying leaves it, or with a later one."""
        if target in self.files:
            raise ValueError(f"already there: {target}")
        entry = self.files[source]
        self.files[target] = Entry(entry.data, self.moment(when) if when else entry.when)

    def copy_folder(self, source: str, target: str) -> None:
        """Add a copy of every file in a folder and below, with the same times."""
        for path in [path for path in self.files if path.startswith(f"{source}/")]:
            self.copy(path, target + path[len(source) :])
