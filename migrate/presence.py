"""Room: whether a share that was scanned before is there now.

In: the scan before, the share's place. Out: an error where nothing is mounted any more, or where
there were files and now there is nothing at all.
Never: a share that somebody forgot to mount taken for one whose files are all deleted.
"""

from __future__ import annotations

import os
from pathlib import Path

from migrate.errors import ShareUnreachable
from migrate.estate import Run
from migrate.place import Place
from migrate.scans import count_of
from migrate.smb.address import is_address
from migrate.sources import Source
from migrate.wording import count_text

_ON_PURPOSE = "Or is it so on purpose? Then add --as-it-is, and what is gone counts as deleted."


def mount_point(place: Place) -> str:
    """The mount point that a folder of this machine lies below; '' on a server."""
    if is_address(place.root):
        return ""
    path = os.path.realpath(place.root)
    while not os.path.ismount(path):
        path = os.path.dirname(path)  # noqa: PTH120
    return path


def refuse_absent(before: Run, place: Place, source: Source) -> None:
    """`before`: the newest finished scan of the share.

    Errors: ShareUnreachable."""
    files = count_of(before, "file")
    found = f"the scan of {before.started_at} found {count_text(files, 'file')}"
    mount = str(before.summary.get("mount", ""))
    if files and mount and _lies_in(place, mount) and not os.path.ismount(mount):
        raise ShareUnreachable(
            f"nothing is mounted at {mount}: {found} there",
            f"Mount it, and run the same command again. {_ON_PURPOSE}",
        )
    if files and _is_empty(source):
        raise ShareUnreachable(
            f"{place.root} is empty: {found}",
            f"Is the right share mounted, and may this user see what is in it? {_ON_PURPOSE}",
        )


def _lies_in(place: Place, mount: str) -> bool:
    """Whether the share is still where it was: it may have been given another path."""
    return Path(place.root).resolve().is_relative_to(mount)


def _is_empty(source: Source) -> bool:
    folders = [b""]
    pages = source.walk(lambda: folders.pop() if folders else None)
    return not any(page.child_count() or page.error for page in pages)
