"""A crawl over SMB finds what a crawl of the same folder on disk finds, wherever SMB can show it.

What it cannot show is listed here, each with its reason; nothing else may differ."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import _smbd, rows, run
from helpers_smb import by_path, make_estate
from samba import Samba, give_to_server, hostile_tree, served_folder
from smbprotocol.security_descriptor import AccessAllowedAce, AccessDeniedAce
from test_samba import Client, keep_xattrs, set_dacl

from migrate.crawl import CrawlOptions, suiting_workers
from migrate.engine.query import Query
from migrate.estate import Estate
from migrate.place import Place
from migrate.visit import Reading

Row = dict[str, Any]
FOLDER, HIDDEN, NORMAL = 0x10, 0x02, 0x80
OF_THE_RUN = {"scan_id", "entry_id", "parent_id"}
NOT_COMPARED = {
    *OF_THE_RUN,
    "atime_ns",  # Reading changes it.
    "birthtime_ns",  # Samba tells the earliest of the file's times instead.
}


@dataclass
class OnDisk:
    """A folder that is hard to serve, what `hostile_tree` says of it, an estate made of it."""

    folder: Path
    told: dict[str, Any]
    estate: Path


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnDisk]:
    _smbd()
    with served_folder() as folder:
        told = hostile_tree(folder)
        for path in sorted((folder / "many").iterdir())[200:]:
            path.unlink()  # another test has the large folder
        make_twins(folder / "twins")
        estate = make_estate(tmp_path_factory.mktemp("on disk") / "estate", str(folder))
        crawl_and_dedupe(estate, 0 if os.getuid() == 0 else 3)  # root reads everything
        run("identify", "-e", estate)
        yield OnDisk(folder, told, estate)


def make_twins(folder: Path) -> None:
    folder.mkdir()
    large = bytes(range(256)) * 2000
    for name, content in (
        ("small.txt", b"small"), ("small too.txt", b"small"), ("large.bin", large),
        ("large too.bin", large), ("nearly.bin", large[:99_999] + b"-" + large[100_000:]),
    ):  # fmt: skip
        (folder / name).write_bytes(content)
    os.link(folder / "large.bin", folder / "large again.bin")
    for path in folder.iterdir():
        os.utime(path, ns=(10**18, 10**18))  # which is the oldest decides on the keeper
    give_to_server(folder)


def crawl_and_dedupe(estate: Path, expect: int) -> str:
    """What the crawl printed."""
    done = run("crawl", "-e", estate, expect=expect)
    run("dedupe", "-e", estate)
    return done.stdout


# What SMB shows


def as_shown(row: Row, root: Row, device_id: int) -> Row:
    """A row of the crawl on disk, as the crawl over SMB must have it."""
    written = row["mtime_ns"] and row["mtime_ns"] // 100 * 100  # times are in units of 100 ns
    attributes = FOLDER if row["kind"] == "folder" else 0
    attributes |= HIDDEN if row["name"].startswith(".") else 0
    return {
        **row,
        "mtime_ns": written,
        "ctime_ns": written,  # Samba tells the time of writing as the time of change
        "mode": None,  # of POSIX; SMB has attributes and permissions
        "owner": None,  # only where --security asks for it
        # A listing does not tell; the share itself is asked, and has one name.
        "link_count": 1 if row["path"] == "" else None,
        "device_id": device_id,  # the server and the share
        "attributes": attributes or NORMAL,
    }


def expected_entries(disk: OnDisk, device_id: int) -> dict[str, Row]:
    """What must be found, by path; all but what is mangled."""
    entries = by_path(disk.estate, "entries")
    shown = {path: as_shown(row, entries[""], device_id) for path, row in entries.items()}
    for path in [*disk.told["not_served"], *disk.told["mangled"], "mangled/folder./in it.txt"]:
        del shown[shown_path(path)]
    shown.pop("shut/in it.txt", None)  # root on this side sees it
    for link, target in (("to file", "real/file.txt"), ("to folder", "real")):
        shown[f"links/{link}"] = {  # Samba follows links inside the share, and says nothing of it
            **shown[f"links/{target}"], "path": f"links/{link}", "name": link, "depth": 2,
        }  # fmt: skip
    below = shown["links/real/file.txt"]
    shown["links/to folder/file.txt"] = {**below, "path": "links/to folder/file.txt"}
    ancestor = {name: shown[""][name] for name in ("mtime_ns", "ctime_ns", "file_id", "attributes")}
    # A folder that is one of those above it: a link, with the folder it leads to.
    shown["links/to ancestor"] |= {**ancestor, "link_target": ""}
    shown[disk.told["fifo"]] |= {"kind": "file", "size_bytes": 0}  # SMB knows no pipes
    return shown


def shown_path(path: str) -> str:
    """As `path` is in the tables, where bytes that are no UTF-8 are written \\xNN."""
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in path)


def without(row: Row, names: set[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def differing(found: dict[str, Row], expected: dict[str, Row], names: set[str]) -> list[Any]:
    """Every field that is not as expected: path, field, expected, found."""
    missing = [(path, "missing") for path in expected.keys() - found.keys()]
    added = [(path, "added") for path in found.keys() - expected.keys()]
    return missing + added + [
        (path, name, expected[path][name], found[path][name])
        for path in expected.keys() & found.keys()
        for name in expected[path]
        if name not in names and expected[path][name] != found[path][name]
    ]  # fmt: skip


def is_mangled(path: str) -> bool:
    return path.startswith("mangled/")


# The servers

SERVERS: dict[str, tuple[dict[str, Any], str]] = {
    "3.1.1 signed": ({}, "SMB 3.1.1, signed (AES-GMAC)"),
    "3.1.1 encrypted": ({"encrypt": "required"}, "SMB 3.1.1, encrypted (AES-128-GCM)"),
    "3.0": ({"max_protocol": "SMB3_00"}, "SMB 3.0, signed (AES-CMAC)"),
    "2.1": ({"max_protocol": "SMB2_10"}, "SMB 2.1, signed (HMAC-SHA256)"),
    "2.0.2": (
        {"max_protocol": "SMB2_02"},
        "SMB 2.0.2, signed (HMAC-SHA256), slow: one request at a time, because the server allows "
        "no large requests",
    ),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_what_a_crawl_on_disk_finds(
    on_disk: OnDisk, make_samba, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    options, words = SERVERS[kind]
    server = make_samba({"data": on_disk.folder}, **options)
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    estate = make_estate(tmp_path / "estate", server.url("data"))
    out = crawl_and_dedupe(estate, 3)
    check_entries(on_disk, estate)
    check_contents(on_disk, estate)
    assert rows(estate, "groups") == rows(on_disk.estate, "groups")
    assert len(rows(estate, "groups")) == 5  # two of small, three names of large
    if kind in ("3.1.1 signed", "2.0.2"):  # it takes its time
        run("identify", "-e", estate)
        check_formats(on_disk, estate)
    assert f"data: {words}" in " ".join(out.split())
    status = " ".join(run("status", "-e", estate, COLUMNS="400").stdout.split())
    assert f"entries, {words}, begun" in status


def test_a_listing_alone_says_the_same_of_every_entry(
    on_disk: OnDisk, make_samba, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of which the listing says all go into the tables as columns, whatever their names."""
    server = make_samba({"data": on_disk.folder})
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    read, listed = (make_estate(tmp_path / name, server.url("data")) for name in ("read", "listed"))
    run("crawl", "-e", read, "--no-mime", expect=3)
    run("crawl", "-e", listed, "--listing-only", expect=3)
    expected, found = by_path(read, "entries"), by_path(listed, "entries")
    assert {row["kind"] for row in found.values()} >= {"file", "folder"}
    assert differing(found, expected, NOT_COMPARED) == []
    assert found.keys() == expected.keys()


@pytest.mark.parametrize(
    ("root", "reading", "workers"),
    [
        ("smb://fs1.example/Finance", Reading(content=False), (1, 1)),
        ("smb://fs1.example/Finance", Reading(content=False, security=True), (3, 3)),
        ("smb://fs1.example/Finance", Reading(), (3, 3)),
        ("/mnt/finance", Reading(content=False), (3, 8)),
        ("/mnt/finance", Reading(), (3, 8)),
    ],
)
def test_one_worker_lists_a_server(
    root: str, reading: Reading, workers: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what this machine has to read there may be more, while they wait for the disk."""
    monkeypatch.setattr("migrate.engine.workers.default_workers", lambda: 3)
    assert suiting_workers(Place(root), CrawlOptions(None, reading)) == workers
    assert suiting_workers(Place(root), CrawlOptions(5, reading)) == (5, 5)


def check_entries(disk: OnDisk, estate: Path) -> None:
    found = by_path(estate, "entries")
    plain = {path: row for path, row in found.items() if not is_mangled(path)}
    device_id = found[""]["device_id"]
    assert device_id not in (None, by_path(disk.estate, "entries")[""]["device_id"])
    expected = expected_entries(disk, device_id)
    assert differing(plain, expected, NOT_COMPARED) == []
    ids = by_path(disk.estate, "entries")
    assert {path for path in plain if plain[path]["entry_id"] != ids.get(path, {}).get("entry_id")} == {
        "links/to folder/file.txt"  # there is no such entry on disk
    }  # fmt: skip
    check_mangled(disk, found, device_id)
    listings = {
        path: (row["child_count"], row["error"])
        for path, row in by_path(estate, "listings").items()
    }
    on_disk = {
        path: (row["child_count"], row["error"])
        for path, row in by_path(disk.estate, "listings").items()
    }
    links = disk.told["links"]
    expected = on_disk | {
        "shut": (None, "denied"), "not served": (0, None), "links": (len(links) + 2 - 3, None),
        "links/to folder": (1, None),
    }  # fmt: skip
    assert without(listings, mangled_in(listings)) == without(expected, mangled_in(expected))


def mangled_in(paths: dict[str, Any]) -> set[str]:
    return {path for path in paths if is_mangled(path)}


def check_mangled(disk: OnDisk, found: dict[str, Row], device_id: int) -> None:
    """Names that Windows does not allow come under others; all else of these files is the same."""
    entries = by_path(disk.estate, "entries")
    by_id = {row["file_id"]: row for path, row in found.items() if is_mangled(path)}
    expected = {
        row["file_id"]: as_shown(row, entries[""], device_id)
        for path, row in entries.items()
        if is_mangled(path)
    }
    assert len(by_id) == len(expected) == 13
    names = {"path", "path_raw", "name"}
    assert differing(by_id, expected, NOT_COMPARED | names) == []


def check_contents(disk: OnDisk, estate: Path) -> None:
    """What the bytes say: digests of the visit, and those of whole files."""
    found, expected = digests_by_file(estate), digests_by_file(disk.estate)
    for path, error in (
        ("closed.txt", "denied"),
        (shown_path(disk.told["unopenable"]), "bad_name"),
    ):
        nothing = dict.fromkeys(expected[path], None)
        expected[path] = {**nothing, "error": error}
    for path in [*disk.told["not_served"], "shut/in it.txt"]:
        expected.pop(shown_path(path), None)
    for path in ("links/to file", "links/to folder/file.txt"):
        expected[path] = expected["links/real/file.txt"]
    expected[disk.told["fifo"]] = expected["sizes/0.bin"] | {
        "mime": found[disk.told["fifo"]]["mime"]
    }
    assert differing(found, expected, set()) == []
    assert rows(estate, "whole_digests") == rows(disk.estate, "whole_digests")


def digests_by_file(estate: Path) -> dict[Any, Row]:
    """Rows of digests by path; those of mangled names by the file's number."""
    entries = by_path(estate, "entries")
    return {
        entries[path]["file_id"] if is_mangled(path) else path: without(row, OF_THE_RUN)
        for path, row in by_path(estate, "digests").items()
    }


def check_formats(disk: OnDisk, estate: Path) -> None:
    found, expected = formats(estate), formats(disk.estate)
    both = found.keys() & expected.keys()
    assert len(both) > 200
    assert {key: found[key][1:] for key in both} == {key: expected[key][1:] for key in both}
    hidden = {shown_path(path) for path in disk.told["not_served"]}
    hidden |= {"closed.txt", "shut/in it.txt", shown_path(disk.told["unopenable"])}
    hidden.add("links/to file")  # the same content under a name without extension
    others = {path for key, (path, *_) in (found | expected).items() if key not in both}
    assert {path for path in others if not is_mangled(path)} <= hidden


def formats(estate: Path) -> dict[str, tuple[Any, ...]]:
    """The path that was looked at and what was found, by content."""
    return {
        row["content_key"]: (path, *without(row, {*OF_THE_RUN, "content_key"}).values())
        for path, row in by_path(estate, "formats").items()
    }


# Owners, permissions, streams


@pytest.fixture
def windows(make_samba, monkeypatch: pytest.MonkeyPatch) -> Samba:
    """A server that keeps what NTFS keeps."""
    server = make_samba(
        share_lines=(
            "vfs objects = acl_xattr streams_xattr", "acl_xattr:security_acl_name = user.NTACL",
        )
    )  # fmt: skip
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    keep_xattrs(server.shares["data"])
    return server


def test_owners_permissions_and_streams(windows: Samba, tmp_path: Path) -> None:
    client = Client(windows, windows)
    for number in range(30):
        client.write(f"{number:02}.txt", b"%d" % number)
    client.write("00.txt:Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n")
    guests, everyone = "S-1-5-32-546", "S-1-1-0"
    set_dacl(
        client,
        "01.txt",
        [(AccessDeniedAce, guests, 0x10116), (AccessAllowedAce, everyone, 0x1F01FF)],
    )
    # Who owns it has no rights but those for owners (S-1-3-4): to read it, not its permissions.
    set_dacl(client, "02.txt", [(AccessAllowedAce, "S-1-3-4", 0x120089 & ~0x20000)])
    estate = make_estate(tmp_path / "estate", windows.url("data"))
    run("crawl", "-e", estate, "--security")
    entries, digests = by_path(estate, "entries"), by_path(estate, "digests")
    assert all(digests[f"{number:02}.txt"]["xxh3_128"] for number in range(30))
    assert entries["02.txt"]["security_id"] is None
    assert entries["02.txt"]["owner"] is None
    securities = table(estate, "securities")
    by_number = {row["security_id"]: row for row in securities}
    assert len(by_number) <= 3
    assert {
        row["security_id"] for path, row in entries.items() if path > "02.txt"
    } <= by_number.keys()
    denying = by_number[entries["01.txt"]["security_id"]]
    assert denying["denies"]
    assert "(D;" in denying["dacl"] and guests in denying["dacl"]
    assert not by_number[entries["03.txt"]["security_id"]]["denies"]
    streams = by_path(estate, "streams")
    assert {path: (row["name"], row["size_bytes"]) for path, row in streams.items()} == {
        "00.txt": ("Zone.Identifier", 26)
    }
    names = {row["sid"]: row["name"] for row in table(estate, "accounts")}
    owner = denying["owner_sid"]
    assert entries["03.txt"]["owner"] == owner
    assert names[owner].startswith("FILES\\")


def table(estate: Path, name: str) -> list[Row]:
    with Query(Estate(estate)) as query:
        return query.table(name).to_pyarrow().to_pylist()


# How a share is named


def test_an_address_holds_no_password(tmp_path: Path) -> None:
    refused = run("init", tmp_path / "e", "--share", "n=smb://ann:s3cret@fs1/Finance", expect=2)
    assert "MIGRATE_SMB_PASSWORD" in refused.stderr
    assert "s3cret" not in refused.stdout + refused.stderr
    assert not (tmp_path / "e").exists()


def test_an_address_as_windows_writes_it(tmp_path: Path) -> None:
    """It is taken as it is, and a server that is not there is named."""
    share = r"n=\\no-such-host.invalid\Finance\Old"
    run("init", tmp_path / "e", "--share", share)
    refused = run("crawl", "-e", tmp_path / "e", expect=12)
    assert "no-such-host.invalid" in refused.stderr
    assert "Traceback" not in refused.stderr
