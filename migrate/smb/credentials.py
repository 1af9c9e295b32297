"""Room: who we are to a server. From the environment or a keyring; in no table, log or message.

Order: MIGRATE_SMB_USER and MIGRATE_SMB_PASSWORD followed by _ and the host (letters and digits,
upper case, the rest as _); the same without a host; the keyring's entry for the service
"migrate smb HOST"; else none: a Kerberos ticket or, on Windows, who is logged on.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple


class Credentials(NamedTuple):
    user: str | None
    password: str | None


def credentials(host: str, user: str | None) -> Credentials:
    """The user and password for a host; `user` is what estate.yaml says, if it does."""
    name = re.sub(r"[^A-Z0-9]", "_", host.upper())
    for suffix in (f"_{name}", ""):
        found = os.environ.get(f"MIGRATE_SMB_PASSWORD{suffix}")
        known = os.environ.get(f"MIGRATE_SMB_USER{suffix}") or user
        if found and known:
            return Credentials(known, found)
    known = os.environ.get(f"MIGRATE_SMB_USER_{name}") or os.environ.get("MIGRATE_SMB_USER") or user
    return Credentials(known, _from_keyring(host, known))


def _from_keyring(host: str, user: str | None) -> str | None:
    """The password in the desktop's keyring, where there is one (the package keyring is part of
    the extra [smb])."""
    if user is None:
        return None
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(f"migrate smb {host}", user)
    except KeyringError:  # none on this machine, or locked
        return None
