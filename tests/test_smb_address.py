"""How people name a share on a server, and who we are to it: no secret where it could be seen."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from conftest import run
from hypothesis import given
from hypothesis import strategies as st

from migrate.errors import UsageError
from migrate.smb.address import Address, is_address, parse_address
from migrate.smb.credentials import Credentials, credentials


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("smb://fs1.example/Finance", Address("fs1.example", "Finance")),
        ("smb://FS1.Example/Finance/", Address("fs1.example", "Finance")),
        ("SMB://fs1/Finance", Address("fs1", "Finance")),
        ("smb://fs1/Finance/Old//2014/", Address("fs1", "Finance", "Old\\2014")),
        ("smb://fs1:4450/a%20b/%23%3F%25", Address("fs1", "a b", "#?%", 4450)),
        ("smb://fs1/a b/é", Address("fs1", "a b", "é")),
        ("smb://[fe80::1]/x", Address("fe80::1", "x")),
        ("smb://[::1]:4450/x", Address("::1", "x", "", 4450)),
        ("smb://10.0.0.1/HR$", Address("10.0.0.1", "HR$")),
        (r"\\fs1\Finance", Address("fs1", "Finance")),
        (r"\\FS1.example\Finance\Old papers\2014\\", Address("fs1.example", "Finance", "Old papers\\2014")),
        (r"\\fs1\100%41 é", Address("fs1", "100%41 é")),
    ],
)  # fmt: skip
def test_addresses(text, address):
    """Both spellings; the host in lower case, share and folder as they are written."""
    assert is_address(text)
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "smb://", "smb:///x", "smb://fs1", "smb://fs1/", "smb://fs1//", "smb://fs1:x/a", "smb://fs1:99999/a",
        "smb://fs1/a?b", "smb://fs1/a#b", "smb://fs1/a/../b", "smb://fs1/./b", "smb://fs1/a%2Fb", "smb://fs1/a%5Cb",
        "smb://fs1/a%00b", "smb://fs1/..", "\\\\", "\\\\fs1", "\\\\fs1\\", r"\\fs1\a\..\b", r"\\fs1\a/b",
        "smb://fs1/%2e%2e/a", "smb://[::1/x",
    ],
)  # fmt: skip
def test_what_names_no_share(text):
    """What names no share, or leads out of it, is a UsageError that says how it is written."""
    assert is_address(text)
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert caught.value.exit_code == 2
    assert "smb://host/share" in caught.value.todo


@pytest.mark.parametrize(
    "text", ["/mnt/x", "x", "C:\\x", "//fs/HR", r"\\?\C:\x", r"\\.\pipe", "nfs://a/b", "smb:/x", ""]
)
def test_what_is_no_address(text):
    """Folders of this machine, also in the long form of Windows, and other URLs."""
    assert not is_address(text)


@pytest.mark.parametrize(
    "text",
    ["smb://ann:s3cret@fs1/HR", "smb://s3cret@fs1/HR", "smb://DOM;ann:s3cret@fs1/HR",
     "SMB://ann:s3cret@fs1:x/HR", "smb://ann:s3c%20ret@@s3cret@fs1/HR", "smb://:s3cret@fs1/"],
)  # fmt: skip
def test_secrets_in_addresses_are_refused_and_not_repeated(text):
    """An address with a user or password is refused, and the message has neither."""
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert "s3c" not in caught.value.what + caught.value.todo + repr(caught.value)


def test_no_secret_comes_near_an_estate(tmp_path: Path):
    """`migrate init` with a password in the address writes nothing and shows nothing of it."""
    done = run("init", tmp_path / "estate", "--share", "hr=smb://ann:s3cret@fs1/HR", expect=2)
    assert "s3cret" not in done.stdout + done.stderr
    assert "MIGRATE_SMB_PASSWORD" in done.stderr
    assert not any(b"s3cret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


NAMES = st.text(
    st.characters(exclude_characters="/\\\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in (".", ".."))


@given(NAMES, st.lists(NAMES, max_size=3), st.sampled_from([445, 4450]),
       st.sampled_from(["fs1", "fs1.example", "::1", "10.0.0.1"]))  # fmt: skip
def test_an_address_is_found_under_its_url(share, folders, port, host):
    """`url` is one spelling for one place: parsed again it is the same address."""
    address = Address(host, share, "\\".join(folders), port)
    assert parse_address(address.url) == address


def test_unc():
    """As people paste it into their file manager."""
    assert Address("fs1", "HR", "a\\b").unc == r"\\fs1\HR\a\b"
    assert Address("fs1", "HR").unc == r"\\fs1\HR"


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_refused(text):
    """No text at all ends in anything but an Address or a UsageError."""
    for start in ("", "smb://", "\\\\", "smb://fs1/", "smb://["):
        try:
            address = parse_address(start + text)
        except UsageError:
            continue
        assert address.host
        assert address.share not in ("", ".", "..")
        assert not {".", ".."} & set(address.folder.split("\\"))


# Credentials


@pytest.fixture
def keys(monkeypatch) -> dict[tuple[str, str], str]:
    """A keyring of the test's own, and an environment that says nothing."""
    import os

    for name in [name for name in os.environ if name.startswith("MIGRATE_SMB_")]:
        monkeypatch.delenv(name)
    found: dict[tuple[str, str], str] = {}
    monkeypatch.setattr("keyring.get_password", lambda service, user: found.get((service, user)))
    return found


def test_credentials_in_their_order(keys, monkeypatch):
    """The environment for this host, the environment, the keyring, nobody."""
    assert credentials("fs-1.example", None) == Credentials(None, None)
    assert credentials("fs-1.example", "ann") == Credentials("ann", None)
    keys["migrate smb fs-1.example", "ann"] = "from the keyring"
    assert credentials("fs-1.example", "ann") == Credentials("ann", "from the keyring")
    assert credentials("other", "ann") == Credentials("ann", None)
    monkeypatch.setenv("MIGRATE_SMB_USER", "bob")
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD", "everywhere")
    assert credentials("fs-1.example", "ann") == Credentials("bob", "everywhere")
    monkeypatch.setenv("MIGRATE_SMB_USER_FS_1_EXAMPLE", "eve")
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD_FS_1_EXAMPLE", "here")
    assert credentials("FS-1.Example", "ann") == Credentials("eve", "here")
    assert credentials("fs2", None) == Credentials("bob", "everywhere")


def test_a_password_without_a_user(keys, monkeypatch):
    """A password in the environment is for the user of estate.yaml, if none stands beside it."""
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD", "secret")
    assert credentials("fs1", "ann") == Credentials("ann", "secret")
    assert credentials("fs1", None) == Credentials(None, None)


def test_a_user_without_a_password(keys, monkeypatch):
    """A user in the environment has the keyring's password; the one of this host comes first."""
    monkeypatch.setenv("MIGRATE_SMB_USER", "bob")
    keys["migrate smb fs1", "bob"] = "of bob"
    keys["migrate smb fs1", "eve"] = "of eve"
    assert credentials("fs1", "ann") == Credentials("bob", "of bob")
    monkeypatch.setenv("MIGRATE_SMB_USER_FS1", "eve")
    assert credentials("fs1", "ann") == Credentials("eve", "of eve")


@pytest.mark.parametrize("how", ["not installed", "locked"])
def test_without_a_keyring(keys, monkeypatch, how):
    """No keyring, or one that is locked, is like one without an entry."""
    from keyring.errors import KeyringLocked

    def locked(service, user):
        raise KeyringLocked("locked")

    if how == "locked":
        monkeypatch.setattr("keyring.get_password", locked)
    else:
        monkeypatch.setitem(sys.modules, "keyring", None)
    assert credentials("fs1", "ann") == Credentials("ann", None)


def test_the_keyring_is_not_asked_where_the_environment_answers(keys, monkeypatch):
    """A script with its password in the environment meets no window that asks for the keyring's."""
    asked = types.SimpleNamespace(count=0)

    def ask(service, user):
        asked.count += 1

    monkeypatch.setattr("keyring.get_password", ask)
    monkeypatch.setenv("MIGRATE_SMB_USER", "bob")
    monkeypatch.setenv("MIGRATE_SMB_PASSWORD", "x")
    credentials("fs1", None)
    assert asked.count == 0
