"""Room: one visit of one file: open, stat, read, hash, identify, close.

In: a file that a source has found. Out: what the source says of it, and what its bytes say.
Never: open a file twice; follow a symlink; take digests of a file that changed under our eyes.
"""

from __future__ import annotations

import errno
import hashlib
import os
from typing import NamedTuple

import xxhash

from migrate.encryption import is_encrypted
from migrate.engine.underway import tell
from migrate.mimetypes import HEAD_BYTES, OLE2_BYTES, OLE2_SIGNATURE, mime_type, quick_type
from migrate.sources import Found, OpenFile, Source, Stat, Wanted, error_code

WHOLE_BYTES = 64 << 10  # a file up to this size is read whole, a larger one by its head and tail
SAMPLE_BYTES = 4 << 10
BLOCK_BYTES = 256 << 10  # where reading large files was measured fastest


class Content(NamedTuple):
    """What a file's bytes say. `sample` of equal size and value: perhaps equal files."""

    sample_xxh3: bytes | None = None
    xxh3_128: bytes | None = None
    sha256: bytes | None = None
    mime: str | None = None
    encrypted: bool | None = None
    error: str | None = None


class Reading(NamedTuple):
    """How much of each file a visit reads."""

    content: bool = True
    mime: bool = True
    sha256: bool = False
    security: bool = False
    strict_types: bool = False  # libmagic always
    reread: bool = False  # also what an earlier scan has read


def first_ranges(size_bytes: int) -> list[tuple[int, int]]:
    """What a visit reads of a file of this size: all of a small one, head and tail of another."""
    if size_bytes <= WHOLE_BYTES:
        return [(0, size_bytes)] if size_bytes else []
    return [(0, HEAD_BYTES), (size_bytes - SAMPLE_BYTES, SAMPLE_BYTES)]


def more_of_head(head: bytes) -> int:
    """How much of a file's beginning its type takes, seeing that it begins so."""
    return OLE2_BYTES if head.startswith(OLE2_SIGNATURE) else 0


def visit(
    source: Source, want: Wanted, found: Found, reading: Reading
) -> tuple[Stat | None, Content]:
    """Look at one file once.

    Out: (None, content with error) if even its stat cannot be had; a Stat and an error if it
    cannot be read or changed meanwhile."""
    file = found.file
    if file is None:
        code = error_code(found.error or OSError())
        if want.stat:
            return want.stat, Content(error=code)
        try:
            return source.stat(want.path), Content(error=code)
        except OSError as error:
            return None, Content(error=error_code(error))
    stat = None
    try:
        stat = file.stat()
        content = examine(file, stat.size_bytes, want.path, reading)
        if file.stat()[:3] != stat[:3]:  # size, mtime, ctime
            content = Content(error="changed_while_read")
        return stat, content
    except OSError as error:
        return stat, Content(error=error_code(error))
    finally:
        file.close()


def examine(file: OpenFile, size: int, path: bytes, reading: Reading) -> Content:
    """What the bytes of an open file say; its type may rest on its name's ending too.

    Errors: OSError."""
    head = file.read_at(0, min(size, WHOLE_BYTES) if size <= WHOLE_BYTES else HEAD_BYTES)
    tail = head if size <= WHOLE_BYTES else file.read_at(size - SAMPLE_BYTES, SAMPLE_BYTES)
    digests = _digests(file, size, head, tail, reading)
    if not reading.mime:
        return Content(*digests)
    name = None if reading.strict_types else path
    return Content(*digests, *_kind_of(file, size, head, tail, digests[1], name))


def _digests(
    file: OpenFile, size: int, head: bytes, tail: bytes, reading: Reading
) -> tuple[bytes, bytes | None, bytes | None]:
    if size <= WHOLE_BYTES:
        if len(head) != size:
            raise OSError(5, "shorter than its size")
        whole = xxhash.xxh3_128_digest(head)
        return whole, whole, hashlib.sha256(head).digest() if reading.sha256 else None
    sample = xxhash.xxh3_128_digest(head[:SAMPLE_BYTES] + tail)
    if reading.sha256:
        return sample, *whole_digests(file, size, sha256=True)
    return sample, None, None


def small_digest(descriptor: int, size: int) -> bytes:
    """XXH3-128 of an open file of this machine that one read takes whole.

    Errors: OSError, also if it is shorter or longer than `size`, or a pipe."""
    content = os.pread(descriptor, size + 1, 0)
    if len(content) != size:
        raise OSError(errno.EIO, "not as long as its size")
    return xxhash.xxh3_128_digest(content)


Kind = tuple[str | None, bool | None]  # MIME type, whether it is encrypted

_kinds: dict[bytes, Kind] = {}  # of contents that this process has asked libmagic about
MOST_KINDS = 100_000


def _kind_of(
    file: OpenFile, size: int, head: bytes, tail: bytes, digest: bytes | None, name: bytes | None
) -> Kind:
    """Out: MIME type and whether it is encrypted. `digest` of the whole file, if it was read whole;
    with a `name` the quick way may do."""
    if name is not None and (mime := quick_type(head[:HEAD_BYTES], name, size <= HEAD_BYTES)):
        return mime, is_encrypted(head, tail, None, size)
    kind = _kinds.get(digest) if digest else None
    if kind is None:
        kind = _ask_libmagic(file, size, head, tail)
        if digest:
            if len(_kinds) >= MOST_KINDS:
                _kinds.clear()
            _kinds[digest] = kind
    return kind


def _ask_libmagic(file: OpenFile, size: int, head: bytes, tail: bytes) -> Kind:
    whole = None
    if head.startswith(OLE2_SIGNATURE):
        whole = head if len(head) == size else file.read_at(0, min(size, OLE2_BYTES))
    seen = whole or (head if head.startswith(b"PK") else head[:HEAD_BYTES])
    return mime_type(seen), is_encrypted(head, tail, whole, size)


def whole_digests(file: OpenFile, size: int, sha256: bool) -> tuple[bytes, bytes | None]:
    """XXH3-128 (and SHA-256) of an open file, read to its end.

    Errors: OSError, also if it is shorter or longer than `size`."""
    fast = xxhash.xxh3_128()
    slow = hashlib.sha256() if sha256 else None
    offset = 0
    while offset < size and (block := file.read_at(offset, min(BLOCK_BYTES, size - offset))):
        fast.update(block)
        if slow:
            slow.update(block)
        offset += len(block)
        tell(size_bytes=len(block))
    if offset != size or file.read_at(size, 1):
        raise OSError(5, "not as long as its size")
    return fast.digest(), slow.digest() if slow else None
