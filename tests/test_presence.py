"""A share, or a disk in it, that is not there is not one whose files are all deleted; one that lies
in another is not taken for more files without a word."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import mounted, refuse_to_open, run, run_json
from samba import Samba, give_to_server
from test_rescan import changes_of, crawl, new_estate

from migrate.estate import Estate
from migrate.place import Place, overlapping
from migrate.scans import rescans

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux has them")


def fill(folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"{number}")


def rescanned(estate: Path, *options: str, expect: int = 0) -> dict[str, int]:
    """How many files there are of each change."""
    done = json.loads(
        run("crawl", "-e", estate, "--rescan", *options, "--json", expect=expect).stdout
    )
    (share,) = done["rescans"]
    return {name: found["files"] for name, found in share["changes"].items() if found["files"]}


@linux_only
def test_a_share_that_is_not_mounted_any_more(tmp_path: Path) -> None:
    """Nothing is noted before it is there again, or somebody says that it is so on purpose."""
    share, estate = tmp_path / "share", tmp_path / "estate"
    share.mkdir()
    with mounted(share):
        (share / "below/too").mkdir(parents=True)
        fill(share / "below/too")
        run("init", estate, "--share", f"s={share}/below/too")
        run("crawl", "-e", estate)
    (share / "below/too").mkdir(parents=True)  # somebody's script has made the folder
    (share / "below/too/left.log").write_text("not mounted")
    refused = run("crawl", "-e", estate, "--rescan", expect=12)
    assert f"nothing is mounted at {share}:" in refused.stderr and "found 3 files" in refused.stderr
    assert len(Estate(estate).runs("crawl")) == 1
    with mounted(share):  # again: with other numbers of its own
        (share / "below/too").mkdir(parents=True)
        fill(share / "below/too")
        assert rescanned(estate) in ({}, {"changed": 3})  # the dates
    assert rescanned(estate, "--as-it-is") == {"new": 1, "deleted": 3}
    assert rescanned(estate) == {}  # and that holds from then on


@linux_only
def test_a_share_that_has_moved_to_another_disk(tmp_path: Path) -> None:
    """Its path in estate.yaml is another then: where it was mounted before is of no interest."""
    share, moved, estate = tmp_path / "share", tmp_path / "moved", tmp_path / "estate"
    share.mkdir()
    moved.mkdir()
    fill(moved)
    with mounted(share):
        fill(share)
        run("init", estate, "--share", f"s={share}")
        run("crawl", "-e", estate)
    settings = (estate / "estate.yaml").read_text()
    (estate / "estate.yaml").write_text(settings.replace(f"'{share}'", f"'{moved}'"))
    assert not {"new", "deleted"} & {*rescanned(estate)}


def test_a_share_that_is_empty(tmp_path: Path) -> None:
    share, estate = tmp_path / "share", tmp_path / "estate"
    share.mkdir()
    run("init", estate, "--share", f"s={share}")
    run("crawl", "-e", estate)
    run("crawl", "-e", estate, "--rescan")  # nothing was there before either
    fill(share)
    again = run("crawl", "-e", estate, "--rescan").stdout
    assert "every file was read again: the scan before found none" in again
    for path in share.iterdir():
        path.unlink()
    refused = run("crawl", "-e", estate, "--rescan", expect=12)
    assert f"{share} is empty: the scan of" in refused.stderr
    assert rescanned(estate, "--as-it-is") == {"deleted": 3}


def test_an_empty_share_of_a_server(
    samba: Samba, samba_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in samba.env.items():
        monkeypatch.setenv(name, value)
    fill(samba_folder)
    give_to_server(samba_folder)
    estate = tmp_path / "estate"
    run("init", estate, "--share", f"s={samba.url('data', samba_folder.name)}")
    run("crawl", "-e", estate)
    for path in samba_folder.iterdir():
        path.unlink()
    assert "is empty: the scan of" in run("crawl", "-e", estate, "--rescan", expect=12).stderr


@linux_only
def test_a_disk_in_a_share_that_is_not_mounted_any_more(tmp_path: Path) -> None:
    """What was on it is perhaps still there; what went from beside it is deleted."""
    share, estate = tmp_path / "share", tmp_path / "estate"
    (share / "disk").mkdir(parents=True)
    fill(share)
    run("init", estate, "--share", f"s={share}")
    with mounted(share / "disk"):
        (share / "disk/deep").mkdir()
        fill(share / "disk/deep")
        run("crawl", "-e", estate)
    (share / "0.txt").unlink()
    assert rescanned(estate, expect=3) == {"deleted": 1, "not_seen": 3}
    (stage,) = [s for s in run_json("status", "-e", estate)["stages"] if s["name"] == "crawl s"]
    assert "1 deleted, 3 not seen" in stage["result"]


def test_a_file_that_cannot_be_read_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have other bytes by now: it is not called unchanged. One of another size has changed,
    and one that could never be read is no news."""
    share = tmp_path / "share"
    share.mkdir()
    for name in ("shut same", "shut longer", "shut ever", "open"):
        (share / name).write_text(name)
    root = new_estate(tmp_path / "estate", share)
    with pytest.MonkeyPatch.context() as patch:
        refuse_to_open(patch, "ever", PermissionError(13, "no"))
        crawl(root)
    (share / "shut same").chmod(0o600)
    (share / "shut longer").write_text("longer than it was")
    refuse_to_open(monkeypatch, "shut", PermissionError(13, "no"))
    crawl(root)
    (told,) = rescans(Estate(root))
    files = {name: found["files"] for name, found in told["changes"].items() if found["files"]}
    assert files == {"changed": 1, "not_read": 1} and told["unchanged"] == 2
    listed = [line.split(",")[:3] for line in changes_of(root, "csv").splitlines()]
    assert ["not_read", "file", "s/shut same"] in listed


def test_shares_that_lie_in_each_other(tmp_path: Path) -> None:
    """Whoever sees the counts, or decides, is told that some files are there twice."""
    inner, estate = tmp_path / "all/inner", tmp_path / "estate"
    inner.mkdir(parents=True)
    fill(inner)
    shares = {"all": inner.parent, "link": tmp_path / "link", "other": tmp_path / "all too"}
    shares["link"].symlink_to(inner)
    shares["other"].mkdir()
    named = [word for name, path in shares.items() for word in ("--share", f"{name}={path}")]
    assert "the share link lies in all:" in run("init", estate, *named).stdout
    told = json.loads(run("crawl", "-e", estate, "--json").stdout)
    assert told["overlapping"] == [{"share": "link", "lies_in": "all"}]


def test_which_shares_lie_in_another() -> None:
    """Names on servers in any case and both spellings; the same one twice is told once."""
    roots = {
        "a": "smb://fs1/Data", "b": r"\\FS1\data\HR", "c": "smb://fs1/Data2", "d": "smb://fs2/Data/HR",
        "e": "smb://fs1/data", "f": "/data",
    }  # fmt: skip
    found = overlapping({name: Place(root) for name, root in roots.items()})
    assert found == [("b", "a"), ("b", "e"), ("e", "a")]
