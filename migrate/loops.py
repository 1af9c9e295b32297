"""Room: folders that turn out to be one of those they lie in.

In: folders as a server lists them. Out: which folder above it one really is.
A server may follow a link and not show it: what lies below would then have no end.
"""

from __future__ import annotations

from migrate.sources import Source, Stat

Numbers = tuple[int, ...]  # of the folders from the share itself to one, as the server counts them


class Loops:
    """What is known of the numbers of folders, while some of them are listed."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._known: dict[bytes, int] = {}

    def numbers_to(self, path: bytes) -> Numbers:
        """The numbers of the folders from the share itself to this one."""
        names = path.split(b"/") if path else []
        return tuple(self._number(b"/".join(names[:depth])) for depth in range(len(names) + 1))

    def target(self, path: bytes, numbers: Numbers, stat: Stat) -> bytes | None:
        """The folder that one in `path` really is, if it is `path` or above it. A number alone is
        no proof: where a share spans several disks, each may have a folder of that number."""
        if stat.file_id not in numbers:
            return None
        target = b"/".join(path.split(b"/")[: numbers.index(stat.file_id)])
        try:
            real = self.source.stat(target)
        except OSError:
            return None
        same = [(one.mtime_ns, one.ctime_ns, one.birthtime_ns) for one in (real, stat)]
        return target if same[0] == same[1] else None

    def _number(self, path: bytes) -> int:
        if path not in self._known:
            self._known[path] = self.source.stat(path).file_id
        return self._known[path]
