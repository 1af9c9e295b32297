"""Room: what kind of file system a folder of this machine lies on, as Linux tells it.

In: a folder. Out: whether its file numbers and change times last, and whose clock sets them.
Never: trust in a file system that is not named here.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

from migrate.sources import Trust

# Numbers last as long as the file, and this kernel sets ctime at every change.
_OURS = {
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "tmpfs", "overlay", "bcachefs",
    "nilfs2", "reiserfs", "ntfs3",
}  # fmt: skip
# The same, set by a server, which tells us no time.
_NFS, _SMB = {"nfs", "nfs4"}, {"cifs", "smb3"}
_MOUNTS = Path("/proc/self/mountinfo")  # man 5 proc_pid_mountinfo


def trust_of(root: str) -> Trust:
    """What later scans may rely on in the tree below a folder."""
    if sys.platform != "linux":
        return Trust(False, None, "on this system it is not known whether file numbers last")
    kind, options = mount_of(os.path.realpath(root), _MOUNTS.read_text(errors="surrogateescape"))
    if kind in _OURS:
        return Trust(True, time.time_ns())
    if "noserverino" in options:
        return Trust(False, None, "it is mounted with noserverino: its file numbers do not last")
    if kind in _NFS | _SMB:
        return Trust(True, may_tell_mtime=kind in _SMB)
    return Trust(False, None, f"a {kind} file system is not known to keep its file numbers")


def mount_of(path: str, mounts: str) -> tuple[str, list[str]]:
    """Kind and options of the file system that a path is on, from the kernel's list."""
    best, found = "", ("unknown", [""])
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), left.split(" ")[4])
        covers = path == point or path.startswith(point.rstrip("/") + "/")
        if covers and len(point) >= len(best):  # a later line lies over an earlier one
            kind, _, options = right.split(" ", 2)
            best, found = point, (kind, options.split(","))
    return found
