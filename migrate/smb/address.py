"""Room: how people name a share on a server.

In: smb://host[:port]/share[/folder...] or \\\\host\\share[\\folder...]. Out: an `Address`.
Never: a user or password in an address; the environment and the keyring have them.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from migrate.errors import UsageError
from migrate.paths import without_credentials

SMB_PORT = 445  # IANA: microsoft-ds


class Address(NamedTuple):
    """A folder of a share; `folder` with backslashes between names, '' for the whole share."""

    host: str
    share: str
    folder: str = ""
    port: int = SMB_PORT

    @property
    def unc(self) -> str:
        """As Windows writes it: what people can paste into their file manager."""
        return "\\\\" + "\\".join(filter(None, (self.host, self.share, self.folder)))

    @property
    def url(self) -> str:
        """As it is written in receipts: one spelling for one place."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == SMB_PORT else f":{self.port}"
        names = [self.share, *filter(None, self.folder.split("\\"))]
        return f"smb://{host}{port}/" + "/".join(quote(name) for name in names)


def is_address(text: str) -> bool:
    """Whether a share's path names a server (and not a folder of this machine)."""
    return text.lower().startswith("smb://") or (
        text.startswith("\\\\") and not text.startswith(("\\\\?\\", "\\\\.\\"))
    )


def parse_address(text: str) -> Address:
    """The address a text names.

    Errors: UsageError with what was expected."""
    return _from_url(text) if "://" in text else _from_unc(text)


def _from_url(text: str) -> Address:
    if without_credentials(text) != text:
        raise UsageError(
            f"{without_credentials(text)}: an address holds no user and no password",
            "Put them into MIGRATE_SMB_USER and MIGRATE_SMB_PASSWORD, or into a keyring.",
        )
    try:
        parts = urlsplit(text)
        port = parts.port or SMB_PORT
    except ValueError:
        raise _malformed(text) from None
    if parts.query or parts.fragment or not parts.hostname:
        raise _malformed(text)
    names = [unquote(name) for name in parts.path.split("/") if name]
    return _address(text, parts.hostname, names, port)


def _from_unc(text: str) -> Address:
    host, *names = [name for name in text.lstrip("\\").split("\\") if name] or [""]
    return _address(text, host.lower(), names, SMB_PORT)


def _address(text: str, host: str, names: list[str], port: int) -> Address:
    if not host or not names:
        raise _malformed(text)
    if any(name in (".", "..") or set(name) & set("/\\\0") for name in names):
        raise _malformed(text)
    return Address(host, names[0], "\\".join(names[1:]), port)


def _malformed(text: str) -> UsageError:
    return UsageError(
        f"{without_credentials(text)!r} names no share on a server",
        r"Write smb://host/share or smb://host/share/folder (# is %23, ? is %3F), or \\host\share.",
    )
