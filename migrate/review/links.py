"""Room: links that open a folder of a share on the machine of whoever reads a workbook.

In: estate.yaml's shares. Out: file URLs. Never: another scheme, or a user's name or password.
"""

from __future__ import annotations

from pathlib import PureWindowsPath
from urllib.parse import quote

from migrate.config import Config, share_place
from migrate.estate import Estate
from migrate.smb.address import is_address, parse_address

LONGEST = 2_000  # Excel: 2,079 characters


class Links:
    """The folders of an estate's shares as URLs."""

    def __init__(self, estate: Estate, config: Config) -> None:
        self.bases = {
            share.name: base_url(share.link or share_place(config, estate.root, share.name).root)
            for share in config.shares
        }

    def to(self, full_folder: str) -> str:
        """share/folder/folder as a link; '' for one that Excel could not hold, and for a share that
        estate.yaml does not name any more."""
        share, _, below = full_folder.partition("/")
        if share not in self.bases:
            return ""
        url = self.bases[share] + "/" + quote(below, safe="/", errors="surrogatepass")
        return url.rstrip("/") if len(url) < LONGEST else ""


def base_url(place: str) -> str:
    """A path, UNC path or smb:// URL as a file URL. The scheme has a capital letter: xlsxwriter
    takes file:// for a path of Windows and turns its slashes."""
    if is_address(place):
        place = parse_address(place).unc.replace("\\", "/")
    elif PureWindowsPath(place).drive and not place.startswith("/"):
        place = place.replace("\\", "/")
    if place.startswith("//"):
        return "File:" + quote(place.rstrip("/"), safe="/")
    return "File:///" + quote(place.strip("/"), safe="/:")
