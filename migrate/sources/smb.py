"""Room: shares of file servers, over SMB2/3, without mounting anything.

Never: read what would have to be recalled from tape; follow a link; lock other users out; believe a
name that holds a separator.
"""

from __future__ import annotations

import errno
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import xxhash

from migrate.config import Server
from migrate.errors import ShareUnreachable
from migrate.smb import accounts
from migrate.smb import messages as smb
from migrate.smb.address import Address
from migrate.smb.channel import ConnectionLost
from migrate.smb.engine import GO_ON, Engine, Job, Steps
from migrate.smb.file import LOOK_ACCESS, Looked, LookedFile, SmbFile, look, open_file, stat_of
from migrate.smb.listing import children
from migrate.smb.messages import Answer, Lines
from migrate.smb.pipe import Pipe
from migrate.smb.status import NO_MORE_FILES, NO_SUCH_FILE, must_be_ok
from migrate.sources import (
    RECALLS,
    Found,
    OpenFile,
    Page,
    SourceError,
    Stat,
    Token,
    Trust,
    Wanted,
    offline,
)

LIST_ACCESS = smb.READ_DATA | smb.READ_ATTRIBUTES | smb.SYNCHRONIZE
FIRST_BYTES, SECOND_BYTES = 256 << 10, 64 << 10  # two listings in one compound: most folders fit
PAGE_BYTES = 1 << 20
MOST_NAME_BYTES = 65_534  # 32,767 characters: what fits into a request
LINK_BYTES = 16 << 10  # the largest reparse point there can be


class SmbSource:
    """One share, or one folder of it. `among`: how many workers share what the server allows."""

    def __init__(self, address: Address, server: Server, among: int = 1) -> None:
        self.address, self.server = address, server
        self.engine = Engine(address, server, among)
        name = f"{address.host}:{address.port}/{address.share}".lower()
        self._device_id = xxhash.xxh3_64_intdigest(name.encode())

    def check(self) -> str:
        words = self.engine.link(patiently=False).words
        todo = [b""]
        page = next(self.walk(lambda: todo.pop() if todo else None))
        if page.error:
            raise ShareUnreachable(
                f"{self.address.unc} cannot be listed: {page.error.strerror}",
                "Is it the right folder, and may this user read it?",
            )
        return words

    def close(self) -> None:
        self.engine.close()

    def native_path(self, path: bytes) -> bytes | str | None:
        return None

    def trust(self) -> Trust:
        """Numbers that a server makes up for a volume without them are 0, see known.py."""
        return Trust(True, self.engine.link().server_ns, may_tell_mtime=True)

    def account_names(self, sids: Iterable[str]) -> dict[str, str]:
        """As the server calls them; where it does not say, those that are the same everywhere."""
        wanted = list(sids)
        engine = Engine(self.address._replace(share="IPC$", folder=""), self.server)
        try:
            with Pipe(engine, accounts.PIPE) as pipe:
                return accounts.lookup(pipe.transceive, wanted, pipe.read)
        except (accounts.LookupFailed, OSError, ConnectionLost, ShareUnreachable):
            names = {sid: accounts.well_known(sid) for sid in wanted}
            return {sid: name for sid, name in names.items() if name}
        finally:
            engine.close()

    # Listing

    def walk(self, next_folder: Callable[[], bytes | None]) -> Iterator[Page]:
        pages: deque[Page] = deque()
        listing = 0

        def ended(job: Job[None], folder: bytes) -> None:
            nonlocal listing
            listing -= 1
            if isinstance(job.error, OSError):
                if job.error.errno == errno.ECONNRESET:  # a folder may not be missing for that
                    raise ShareUnreachable(f"{self.address.unc}: {job.error.strerror}", GO_ON)
                pages.append(Page(folder, [], True, job.error))

        while True:
            hungry = self.engine.is_hungry()
            while not listing or (hungry and self.engine.has_room()):
                folder = next_folder()
                if folder is None:
                    break
                listing += 1
                self._start_listing(folder, pages, ended)
            if pages:
                yield pages.popleft()
            elif listing:
                self.engine.pump()
            else:
                return

    def _start_listing(
        self, folder: bytes, pages: deque[Page], ended: Callable[[Job[None], bytes], None]
    ) -> None:
        told: set[bytes] = set()
        self.engine.start(
            lambda: self._list(folder, pages, told), "list",
            when_done=lambda job: ended(job, folder),
        )  # fmt: skip

    def _list(self, folder: bytes, pages: deque[Page], told: set[bytes]) -> Steps[None]:
        """The pages of one folder. Begun anew after a break, it leaves out what it has told.

        Errors: OSError."""
        name, most = self._wire_name(folder), self.engine.link().most_bytes
        answers = yield [
            smb.create(name, LIST_ACCESS, smb.FOLDER),
            smb.query_directory(min(FIRST_BYTES, most)),
            smb.query_directory(min(SECOND_BYTES, most)),
            smb.close(),
        ]
        must_be_ok(answers[0].status)
        first, second = _lines(answers[1]), _lines(answers[2])
        if not first or not second:
            pages.append(self._page(folder, first, told, is_last=True))
            return
        answers = yield [smb.create(name, LIST_ACCESS, smb.FOLDER)]
        must_be_ok(answers[0].status)
        file_id = smb.file_id(answers[0])
        while True:
            answers = yield [smb.query_directory(min(PAGE_BYTES, most), file_id)]
            try:
                lines = _lines(answers[0])
            except OSError:
                yield [smb.close(file_id)]
                raise
            if not lines:
                break
            page = self._page(folder, lines, told, is_last=False)
            told.update(child.name for child in page.children)
            told.update(page.listed.raw_names if page.listed else ())
            pages.append(page)
        yield [smb.close(file_id)]
        pages.append(Page(folder, [], True))

    def _page(self, folder: bytes, lines: Lines, told: set[bytes], is_last: bool) -> Page:
        found, listed = children(lines, self._device_id)
        if told:
            found = [child for child in found if child.name not in told]
            listed = listed and listed.without(told)
        return Page(folder, found, is_last, listed=listed)

    # Single entries

    def stat(self, path: bytes) -> Stat:
        name = self._wire_name(path)

        def steps() -> Steps[Stat]:
            file_id, told, number, links = yield from open_file(
                name, LOOK_ACCESS, smb.OPEN_LINK_ITSELF
            )
            yield [smb.close(file_id)]
            return stat_of(told, number, self._device_id, links)

        return self.engine.run(steps, "open")

    def link_target(self, path: bytes) -> bytes:
        name = self._wire_name(path)

        def steps() -> Steps[str]:
            answers = yield [
                smb.create(name, LOOK_ACCESS, smb.OPEN_LINK_ITSELF),
                smb.ioctl(smb.GET_REPARSE_POINT, b"", LINK_BYTES),
                smb.close(),
            ]
            must_be_ok(answers[0].status)
            must_be_ok(answers[1].status)
            return smb.link_target(smb.ioctl_data(answers[1]))

        return self.engine.run(steps, "open").encode("utf-8", "surrogatepass")

    def open(self, path: bytes) -> OpenFile:
        return SmbFile(self.engine, self._wire_name(path), self._device_id)

    def open_all(
        self, wanted: Iterable[tuple[Token, Wanted | None]]
    ) -> Iterator[tuple[Token, Found]]:
        coming: deque[tuple[Token, Wanted | None, Job[Looked] | OSError | None]] = deque()
        todo, is_more = iter(wanted), True
        while is_more or coming:
            while is_more and (not coming or self.engine.has_room()):
                item = next(todo, None)
                if item is None:
                    is_more = False
                    break
                token, want = item
                if want is None and not coming:
                    yield token, _NOTHING
                else:
                    coming.append((token, want, self._start_look(want)))
            while coming and _is_here(coming[0][2]):
                token, want, job = coming.popleft()
                yield token, self._found(want, job)
            if coming and not _is_here(coming[0][2]):
                self.engine.pump()

    def _start_look(self, want: Wanted | None) -> Job[Looked] | OSError | None:
        if want is None:
            return None
        if want.stat and want.read and (want.stat.attributes or 0) & RECALLS:
            if not want.security:
                return offline()
            want = want._replace(read=False)
        try:
            name = self._wire_name(want.path)
        except OSError as error:
            return error
        most = self.engine.link().most_bytes
        return self.engine.start(lambda: look(name, want, most), "look")

    def _found(self, want: Wanted | None, job: Job[Looked] | OSError | None) -> Found:
        if want is None or job is None:
            return _NOTHING
        if isinstance(job, OSError):
            return Found(error=job)
        try:
            looked = job.result()
        except OSError as error:
            return Found(error=error)
        if not want.read:
            return Found(security=looked.security)
        if want.stat and (want.stat.attributes or 0) & RECALLS:
            return Found(error=offline(), security=looked.security)
        file = LookedFile(looked, want.stat, lambda: self.open(want.path))
        return Found(file, None, looked.security)

    def _wire_name(self, path: bytes) -> bytes:
        """A path as the server is asked for it. Errors: OSError for what no server can have, and
        for what would lead elsewhere."""
        try:
            text = path.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise SourceError(errno.ENOENT, "no such name", repr(path), "vanished") from None
        if path and _ODD_PATH.search(path):
            raise SourceError(errno.EINVAL, "no path on a server", text, "bad_name")
        name = self.engine.link().wire_name(text.replace("/", "\\"))
        if len(name) > MOST_NAME_BYTES:
            raise OSError(errno.ENAMETOOLONG, "longer than any server's paths", text)
        return name


_NOTHING = Found()
_NO_LINES = Lines([], [], [])
# An empty name, one that leads upwards, one that would be several on a server.
_ODD_PATH = re.compile(rb"(?:^|/)\.{0,2}(?:/|\Z)|[\\\0]")


def _is_here(job: Job[Looked] | OSError | None) -> bool:
    return not isinstance(job, Job) or job.done


def _lines(answer: Answer) -> Lines:
    """The lines of one answer; none at the end of the folder. Errors: OSError."""
    if answer.status in (NO_MORE_FILES, NO_SUCH_FILE):
        return _NO_LINES
    must_be_ok(answer.status)
    return smb.lines(smb.info(answer))
