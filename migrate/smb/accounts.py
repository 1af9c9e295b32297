"""Room: the names of accounts, asked of the server that keeps the files.

The server translates SIDs over its pipe `lsarpc`. Sources: [MS-LSAT] 3.1.4.10 LsarLookupSids2 and
2.2 (its structures), [MS-LSAD] 3.1.4.4.1 LsarOpenPolicy2, [MS-RPCE] 2.2.2 and DCE 1.1 RPC (C706)
chapters 12 (messages) and 14 (NDR: how values lie in them), [MS-DTYP] 2.4.2.4 (well-known SIDs).

A batch of SIDs is what fits into one fragment of a request (about 100); answers may take many.
Never: believe a length, a count or an index in an answer before it is checked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from migrate.smb.security import sid_bytes

PIPE = "lsarpc"  # on the share IPC$


class LookupFailed(Exception):
    """The server does not translate SIDs, or answers what no server should."""


def lookup(
    transceive: Callable[[bytes], bytes], sids: Iterable[str], read: Callable[[], bytes]
) -> dict[str, str]:
    """SIDs to DOMAIN\\name, as the server spells it. SIDs that nobody knows (deleted accounts,
    other domains) are absent; what `well_known` knows is added where the server does not.

    The pipe is fresh, opened for reading and writing, and is to be closed after this call (which
    also ends what was opened here). `transceive` writes a message to it and gives what comes back
    (FSCTL_PIPE_TRANSCEIVE), `read` what is still to come.

    Errors: LookupFailed; DescriptorMalformed for what is no SID; what the two callables raise."""
    wanted = {sid: sid_bytes(sid) for sid in sids}
    names = {sid: name for sid in wanted if (name := well_known(sid))}
    # A SID without numbers behind its authority names nobody, and would fail its whole batch.
    asked = {packed: sid for sid, packed in wanted.items() if packed[1]}
    if asked:
        found = _ask(_Pipe(transceive, read), list(asked))
        names |= {asked[packed]: name for packed, name in found}
    return names


_NT_AUTHORITY = {
    2: "NETWORK", 3: "BATCH", 4: "INTERACTIVE", 6: "SERVICE", 7: "ANONYMOUS LOGON", 10: "SELF",
    11: "Authenticated Users", 18: "SYSTEM", 19: "LOCAL SERVICE", 20: "NETWORK SERVICE",
}  # fmt: skip
_BUILTIN = {544: "Administrators", 545: "Users", 546: "Guests", 551: "Backup Operators"}
_WELL_KNOWN = {
    **{f"S-1-5-{number}": rf"NT AUTHORITY\{name}" for number, name in _NT_AUTHORITY.items()},
    **{f"S-1-5-32-{number}": rf"BUILTIN\{name}" for number, name in _BUILTIN.items()},
    "S-1-1-0": "Everyone", "S-1-3-0": "CREATOR OWNER", "S-1-3-1": "CREATOR GROUP",
    "S-1-3-4": "OWNER RIGHTS",
}  # fmt: skip
_UNIX = {"S-1-22-1-": "Unix User\\", "S-1-22-2-": "Unix Group\\"}  # Samba's, before a number


def well_known(sid: str) -> str | None:
    """The name of a SID that is the same everywhere, in English; None for others."""
    for start, domain in _UNIX.items():
        if sid.startswith(start):
            return domain + sid.removeprefix(start)
    return _WELL_KNOWN.get(sid)


# The calls

_OPEN_POLICY_2, _LOOKUP_SIDS_2 = 44, 57
_LOOKUP_NAMES = 0x0800  # POLICY_LOOKUP_NAMES, [MS-LSAD] 2.2.1.1.2
_HANDLE_BYTES, _LOOKUP_BYTES = 20, 56  # of a policy's handle; of a lookup without its SIDs
_SOME_NOT_MAPPED, _NONE_MAPPED = 0x00000107, 0xC0000073
_DOMAIN, _NAMELESS = 3, (6, 7, 8)  # [MS-LSAT] 2.2.13: deleted, invalid, unknown


def _ask(pipe: _Pipe, sids: list[bytes]) -> Iterator[tuple[bytes, str]]:
    """The SIDs that the server knows, with their names."""
    room_bytes = pipe.bind() - _LOOKUP_BYTES
    # No server's name, no attributes ([MS-LSAD] 2.2.2.4): 24 is the size of the structure.
    arguments = struct.pack("<8I", 0, 24, 0, 0, 0, 0, 0, _LOOKUP_NAMES)
    values = _Values(pipe.call(_OPEN_POLICY_2, arguments))
    policy, (status,) = values.bytes(_HANDLE_BYTES), values.take("<I")
    if status:
        raise LookupFailed(f"the server lets us look up no names: 0x{status:08X}")
    step = room_bytes // (8 + max(map(len, sids)))  # each with a pointer to it and its length
    for at in range(0, len(sids), step):
        yield from _lookup(pipe, policy, sids[at : at + step])


def _lookup(pipe: _Pipe, policy: bytes, sids: list[bytes]) -> Iterator[tuple[bytes, str]]:
    """The same for one batch ([MS-LSAT] 3.1.4.10)."""
    count = len(sids)
    answer = pipe.call(
        _LOOKUP_SIDS_2,
        policy
        + struct.pack(f"<III{count}I", count, 1, count, *range(2, count + 2))  # pointers: any but 0
        + b"".join(struct.pack("<I", sid[1]) + sid for sid in sids)
        # No names yet; LsapLookupWksta (2.2.16): wherever the server itself looks; revision 2.
        + struct.pack("<IIH2xIII", 0, 0, 1, 0, 0, 2),
    )
    status = int.from_bytes(answer[-4:], "little")
    if status == _NONE_MAPPED:
        return
    if status not in (0, _SOME_NOT_MAPPED):
        raise LookupFailed(f"the server fails to look up names: 0x{status:08X}")
    values = _Values(answer)
    domains = _domains(values)
    rows = values.rows("<H2xHHIiI", *values.take("<II"))
    if len(rows) != count:
        raise LookupFailed(f"{len(rows)} names for {count} SIDs")
    for sid, row in zip(sids, rows, strict=True):
        if name := _name(values, domains, row):
            yield sid, name


def _domains(values: _Values) -> list[str]:
    """LSAPR_REFERENCED_DOMAIN_LIST (2.2.12): the domains that the names point into."""
    if values.take("<I") == (0,):
        return []
    count, pointer, _ = values.take("<III")
    names = []
    for size, _, name_pointer, sid_pointer in values.rows("<HHII", count, pointer):
        names.append(values.text(size, name_pointer))
        if sid_pointer:
            values.bytes(8 + 4 * values.take("<I")[0])
    return names


def _name(values: _Values, domains: list[str], row: tuple[Any, ...]) -> str:
    """LSAPR_TRANSLATED_NAME_EX (2.2.21): DOMAIN\\name; a domain alone; '' for nobody."""
    use, size, _, pointer, domain, _ = row
    name = values.text(size, pointer)
    if not -1 <= domain < len(domains):
        raise LookupFailed(f"a name in domain {domain} of {len(domains)}")
    if use in _NAMELESS or not (name or use == _DOMAIN):
        return ""
    return "\\".join(filter(None, (domains[domain] if domain >= 0 else "", name)))


class _Values:
    """Reads an answer from its start. Errors: LookupFailed for what lies outside the answer."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def bytes(self, size: int) -> bytes:
        self._at += size
        if self._at > len(self._data):
            raise LookupFailed(f"an answer of {len(self._data)} bytes is cut off")
        return self._data[self._at - size : self._at]

    def take(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self.bytes(struct.calcsize(layout)))

    def align(self) -> None:
        """On to the next multiple of 4, where numbers of 4 bytes stand."""
        self._at += -self._at % 4

    def rows(self, layout: str, count: int, pointer: int) -> list[tuple[Any, ...]]:
        """What a pointer to an array of structures leads to."""
        if count != (self.take("<I")[0] if pointer else 0):
            raise LookupFailed(f"a list of {count} is not as long as it says")
        return [self.take(layout) for _ in range(count)]

    def text(self, size: int, pointer: int) -> str:
        """What the pointer of an RPC_UNICODE_STRING leads to ([MS-DTYP] 2.3.10)."""
        _, start, count = self.take("<III") if pointer else (0, 0, 0)
        content = self.bytes(2 * count)
        self.align()
        if start or size % 2 or size > len(content):
            raise LookupFailed("a name is not as long as it says")
        return content[:size].decode("utf-16-le", "replace")


# Messages ([MS-RPCE] 2.2.2; C706 12.6)

_HEADER = struct.Struct("<BBBBIHHI")  # version, -, type, flags, order, size, auth size, call
_REQUEST, _RESPONSE, _FAULT, _BIND, _BIND_ACK = 0, 2, 3, 11, 12
_FIRST, _LAST, _LITTLE_ENDIAN = 1, 2, 0x10
_FRAGMENT_BYTES, _MIN_FRAGMENT_BYTES = 4_280, 1_432  # of Windows on pipes; C706 12.6.3.1
_CALL_BYTES = 8  # between the header and what is called with: size hint, context, operation
_ANSWER_LIMIT_BYTES = 4 << 20  # names as long as Windows allows come to a fraction of it
_LSARPC = UUID("12345778-1234-abcd-ef00-0123456789ab").bytes_le + struct.pack("<I", 0)
_NDR32 = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)


class _Pipe:
    """Calls over an open pipe, one at a time."""

    def __init__(self, transceive: Callable[[bytes], bytes], read: Callable[[], bytes]) -> None:
        self._transceive, self._read = transceive, read
        self._received = bytearray()  # and not yet looked at
        self._call = 0

    def bind(self) -> int:
        """Agree on interface and encoding ([MS-RPCE] 2.2.2.13): how many bytes a call may take."""
        sizes = struct.pack("<HHI", _FRAGMENT_BYTES, _FRAGMENT_BYTES, 0)
        context = struct.pack("<B3xHBx", 1, 0, 1) + _LSARPC + _NDR32
        values = _Values(self._exchange(_BIND, sizes + context, _BIND_ACK))
        _, fragment_bytes, _, name_size = values.take("<HHIH")
        values.bytes(name_size)
        values.align()
        _, result, reason = values.take("<B3xHH")
        if result or fragment_bytes < _MIN_FRAGMENT_BYTES:
            raise LookupFailed(f"the server does not offer {PIPE}: {result}, {reason}")
        return min(int(fragment_bytes), _FRAGMENT_BYTES) - _HEADER.size - _CALL_BYTES

    def call(self, operation: int, arguments: bytes) -> bytes:
        """What an operation gives back."""
        body = struct.pack("<IHH", len(arguments), 0, operation) + arguments
        return self._exchange(_REQUEST, body, _RESPONSE)

    def _exchange(self, kind: int, body: bytes, expected: int) -> bytes:
        """Send a message, put the fragments of its answer together."""
        self._call += 1
        size = _HEADER.size + len(body)
        head = _HEADER.pack(5, 0, kind, _FIRST | _LAST, _LITTLE_ENDIAN, size, 0, self._call)
        self._received += self._transceive(head + body)
        answer, flags = bytearray(), 0
        while not flags & _LAST:
            flags, part = self._fragment(expected)
            answer += part
            first = len(answer) == len(part)
            endless = len(answer) > _ANSWER_LIMIT_BYTES or not (part or flags & _LAST)
            if endless or bool(flags & _FIRST) is not first:
                raise LookupFailed("the fragments of an answer do not follow each other")
        return bytes(answer)

    def _fragment(self, expected: int) -> tuple[int, bytes]:
        """The flags and the content of the next fragment."""
        self._receive(_HEADER.size)
        version, _, kind, flags, order, size, auth_size, call = _HEADER.unpack_from(self._received)
        if (version, order & 0xFF, auth_size, call) != (5, _LITTLE_ENDIAN, 0, self._call):
            raise LookupFailed(f"no answer to the call: {self._received[: _HEADER.size].hex()}")
        self._receive(size)
        body = bytes(self._received[_HEADER.size : size])
        del self._received[:size]
        if kind != expected:
            code = body[8:12] if kind == _FAULT else body[:4]
            raise LookupFailed(f"the server refuses the call: type {kind}, {code[::-1].hex()}")
        return flags, body[_CALL_BYTES:] if kind == _RESPONSE else body

    def _receive(self, size: int) -> None:
        while len(self._received) < size:
            if not (more := self._read()):
                raise LookupFailed("the pipe ends within an answer")
            self._received += more
