"""The demo, from an empty folder to a report: its numbers recounted by others, and the README's
words compared with what it prints."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import ROOT, on_ci, rows

from migrate.config import checked
from migrate.errors import EXIT_CODES
from migrate.manifests.standard import COLUMNS
from migrate.yamlfile import parse_yaml

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    done = subprocess.run(
        [sys.executable, ROOT / "sample_data" / "demo.py", folder],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1790000000", "COLUMNS": "100"},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder, done.stdout


def files_of(share: Path) -> list[Path]:
    return [path for path in share.rglob("*") if path.is_file() and not path.is_symlink()]


def test_duplicates_equal_a_plain_grouping(demo) -> None:
    """The groups are exactly those of a SHA-256 of every file, zero-byte files left out."""
    share = demo[0] / "share"
    by_digest = defaultdict(set)
    for path in files_of(share):
        if path.stat().st_size:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            by_digest[digest].add(path.relative_to(share).as_posix())
    expected = sorted(sorted(paths) for paths in by_digest.values() if len(paths) > 1)
    assert groups_of(demo[0] / "estate") == expected
    assert f"{len(expected)} groups of identical files" in demo[1]


def groups_of(estate: Path) -> list[list[str]]:
    names = {entry[0]: entry[3] for entry in rows(estate, "entries")}
    groups = defaultdict(list)
    for entry_id, group_id, *_ in rows(estate, "groups"):
        groups[group_id].append(names[entry_id])
    return sorted(sorted(paths) for paths in groups.values())


@pytest.mark.parametrize("program", ["jdupes", "rdfind"])
def test_duplicates_equal_those_of_other_tools(demo, program: str) -> None:
    """Tools that do nothing else find as many files in groups."""
    if not shutil.which(program):
        if on_ci() and program == "jdupes":
            pytest.fail("jdupes is not installed, and CI needs it")
        pytest.skip(f"{program} is not installed")
    share = demo[0] / "share"
    in_groups = sum(len(group) for group in groups_of(demo[0] / "estate"))
    if program == "jdupes":
        command = ["jdupes", "-r", "-q", str(share)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert sum(1 for line in printed.splitlines() if line.strip()) == in_groups
    else:
        results = demo[0] / "results.txt"
        command = ["rdfind", "-outputname", str(results), str(share)]
        subprocess.run(command, capture_output=True, check=True)
        found = [line for line in results.read_text().splitlines() if line.startswith("DUPTYPE_")]
        assert len(found) == in_groups


def test_everything_is_accounted_for_once(demo) -> None:
    """Manifest and not_moved.csv together are every file, link and empty folder of the share."""
    share, out = demo[0] / "share", demo[0] / "estate" / "out" / "manifests"
    expected = {f"dept/{path.relative_to(share).as_posix()}" for path in files_of(share)}
    empty = [path for path in share.rglob("*") if path.is_dir() and not any(path.iterdir())]
    expected |= {f"dept/{path.relative_to(share).as_posix()}" for path in empty}
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        moved = [row["source_path"] for row in csv.DictReader(file)]
    with (out / "not_moved.csv").open(encoding="utf-8", newline="") as file:
        kept = [row["path"] for row in csv.DictReader(file)]
    assert len(moved) + len(kept) == len(expected)
    assert set(moved) | set(kept) == expected


def test_what_moved_is_what_was_there(demo) -> None:
    """Every manifest line's file is in the store with the digest of its source and its date; the
    store holds nothing else; the share still holds everything."""
    share, store = demo[0] / "share", demo[0] / "store"
    with (demo[0] / "estate/out/manifests/manifest.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        target = store / line["dest_path"]
        if line["kind"] == "folder":
            assert target.is_dir()
            continue
        source = share.parent / line["source_path"].replace("dept/", "share/", 1)
        assert target.read_bytes() == source.read_bytes()
        assert hashlib.sha256(target.read_bytes()).hexdigest() == line["sha256"]
        assert target.stat().st_mtime_ns == source.stat().st_mtime_ns
    assert len(files_of(store)) == sum(line["kind"] == "file" for line in lines)
    assert len(files_of(share)) == 257


def test_held_files_are_nowhere_but_in_their_place(demo) -> None:
    """Nothing under the hold, and no copy of it, is in the store or approved for disposal."""
    share, store = demo[0] / "share", demo[0] / "store"
    held = {path.read_bytes() for path in files_of(share / "Prisons" / "Healthcare")} - {b""}
    assert held
    assert not [path for path in files_of(store) if path.read_bytes() in held]
    with (demo[0] / "estate/out/manifests/not_moved.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            path = share / row["path"].removeprefix("dept/")
            if path.is_file() and path.read_bytes() in held:
                assert row["outcome"] == "held", row["path"]


def test_the_refused_row_is_named(demo) -> None:
    """The word that is no decision is refused, with sheet, row and reason."""
    assert re.search(r"Refused: People.*row \d+: unknown decision", demo[1])
    assert "shred" in demo[1]


def test_readme_shows_what_the_demo_prints(demo) -> None:
    """Every line of the README's transcripts stands in the demo's output, in the same order."""
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        rest = demo[1]
        for line in block.splitlines():
            if line.strip() == "…":
                continue
            assert line in rest, line
            rest = rest[rest.index(line) + len(line) :]


def test_readme_manifest_lines_are_the_demos(demo) -> None:
    """The three manifest lines in the README are in the manifest."""
    with (demo[0] / "estate/out/manifests/manifest.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    table = README.split("Three manifest lines")[1].split("One finding")[0]
    header, _, *shown = [line for line in table.splitlines() if line.startswith("|")]
    names = [name.strip() for name in header.strip("|").split("|")]
    assert len(shown) == 3
    for row in shown:
        wanted = [value.strip() for value in row.strip("|").split("|")]
        assert any([line[name].strip() for name in names] == wanted for line in lines), row


def test_readme_names_what_there_is() -> None:
    """Exit codes, manifest columns, verbs and the number of rules in the README are real."""
    from migrate.cli import VERBS
    from migrate.config import Config, Share
    from migrate.flag.rules import load_rules
    from migrate.yamlfile import Document

    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in README
    assert ", ".join(f"`{name}`" for name in COLUMNS) in README
    for verb in VERBS:
        assert f"migrate {verb}" in README or f"`{verb}`" in README or f"`{verb} " in README, verb
    config = Config(format="1", shares=[Share(name="s", path="p")])
    rules = load_rules(config, Document("estate.yaml"), ROOT)
    assert f"{len(rules)} rules" in README and f"the {len(rules)} that come" in README


def test_the_readmes_estate_yaml_is_valid(tmp_path: Path) -> None:
    """The example in the README loads."""
    from migrate.config import load

    text = re.search(r"## estate.yaml\n\n```yaml\n(.*?)```", README, re.DOTALL)[1]
    path = tmp_path / "estate.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path)[0].title == "Prisons and Courts Directorate"


def test_readme_settings_are_valid() -> None:
    """Every piece of estate.yaml in the README is one that is accepted."""
    pieces = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert len(pieces) >= 2
    for piece in pieces:
        whole = (
            piece if "shares:" in piece else f"format: 1\nshares: [{{name: s, path: /s}}]\n{piece}"
        )
        assert checked(parse_yaml(whole, "README.md")).shares
