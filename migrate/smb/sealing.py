"""Room: signatures and encryption of messages. Source: [MS-SMB2] 3.1.4.1, 3.1.4.3, 2.2.41.

In: the keys that the handshake came to. Out: `Signer` and `Cipher`.
Never: accept an answer whose signature or encryption is not right.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

HMAC_SHA256, AES_CMAC, AES_GMAC = 0, 1, 2  # 2.2.3.1.7, signing algorithms
SIGNING_NAMES = {HMAC_SHA256: "HMAC-SHA256", AES_CMAC: "AES-CMAC", AES_GMAC: "AES-GMAC"}
CIPHER_NAMES = {  # 2.2.3.1.2, ciphers
    1: "AES-128-CCM", 2: "AES-128-GCM", 3: "AES-256-CCM", 4: "AES-256-GCM",
}  # fmt: skip

# A message with its signature field zeroed, its message id, whether it is an answer.
Signer = Callable[[Any, int, bool], bytes]

_TRANSFORM = struct.Struct("<4s16s16sIHHQ")
TRANSFORM_MARK = b"\xfdSMB"
TRANSFORM_BYTES = _TRANSFORM.size


class Tampered(Exception):
    """A message is not what the server sent."""


def signer(algorithm: int, key: bytes) -> Signer:
    """The function that signs a message: 16 bytes."""
    if algorithm == AES_GMAC:
        gmac = AESGCM(key)

        def by_gmac(message: Any, message_id: int, is_answer: bool) -> bytes:
            return gmac.encrypt(struct.pack("<QI", message_id, is_answer), b"", message)

        return by_gmac
    if algorithm == AES_CMAC:

        def by_cmac(message: Any, message_id: int, is_answer: bool) -> bytes:
            code = CMAC(algorithms.AES(key))
            code.update(message)
            return code.finalize()

        return by_cmac
    return lambda message, message_id, is_answer: hmac.digest(key, message, "sha256")[:16]


class Cipher:
    """Seals and opens whole frames."""

    def __init__(self, cipher: int, seal_key: bytes, open_key: bytes, session_id: int) -> None:
        kind, self._nonce_bytes = (AESGCM, 12) if cipher in (2, 4) else (AESCCM, 11)
        self._seal: Any = kind(seal_key)
        self._open: Any = kind(open_key)
        self._session_id = session_id

    def seal(self, frame: bytes) -> bytes:
        nonce = os.urandom(self._nonce_bytes)
        header = _TRANSFORM.pack(
            TRANSFORM_MARK, bytes(16), nonce.ljust(16, b"\0"), len(frame), 0, 1, self._session_id
        )
        sealed: bytes = self._seal.encrypt(nonce, frame, header[20:])
        return header[:4] + sealed[-16:] + header[20:] + sealed[:-16]

    def open(self, frame: memoryview) -> memoryview:
        """Errors: Tampered."""
        if len(frame) < TRANSFORM_BYTES or bytes(frame[:4]) != TRANSFORM_MARK:
            raise Tampered("an answer is not encrypted")
        _, signature, nonce, _, _, flags, session_id = _TRANSFORM.unpack_from(frame)
        if (flags, session_id) != (1, self._session_id):
            raise Tampered("an encrypted answer belongs to another session")
        try:
            plain = self._open.decrypt(
                nonce[: self._nonce_bytes],
                bytes(frame[TRANSFORM_BYTES:]) + signature,
                bytes(frame[20:TRANSFORM_BYTES]),
            )
        except InvalidTag:
            raise Tampered("an encrypted answer cannot be opened") from None
        return memoryview(plain)
