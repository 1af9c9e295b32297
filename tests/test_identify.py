"""PRONOM identifiers: how siegfried is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from migrate.identify import Identifier
from migrate.place import Place

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pygfried has no Windows wheel")

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\2\0\0\0\0\0\0\0\0\0\0\0IEND\xaeB`\x82"


@pytest.mark.parametrize(("rotating", "at_once"), [(False, 9), (True, 1)])
def test_how_many_files_are_looked_at_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rotating: bool, at_once: int
) -> None:
    """All of a task, unless a disk's head would have to be everywhere; every row has its answer."""
    import pygfried

    for number in range(9):
        (tmp_path / f"{number}.png").write_bytes(PNG)
    asked, ask = [], pygfried.identify_many

    def noted(paths: list[str], workers: int) -> Any:
        asked.append(workers)
        return ask(paths, workers=workers)

    monkeypatch.setattr(pygfried, "identify_many", noted)
    rows = [row(f"{number}.png", number) for number in range(9)] + [row("gone.png", 9)]
    worker = Identifier({"s": Place(str(tmp_path), rotating=rotating)}, 1, frozenset([3]))
    answers = worker.work(rows)
    assert asked == [at_once]
    found = {answer["entry_id"]: (answer.get("puid"), answer.get("error")) for answer in answers}
    assert found.pop(3) == (None, "reader_crashed")
    puid, error = found.pop(9)
    assert puid is None and "no such file" in error
    assert set(found.values()) == {("fmt/11", None)}


def row(path: str, number: int) -> dict[str, Any]:
    return {
        "scan_id": 1, "entry_id": number, "share": "s", "path": path, "path_raw": None,
        "size_bytes": len(PNG), "mtime_ns": 0, "file_id": number, "content_key": str(number),
    }  # fmt: skip
