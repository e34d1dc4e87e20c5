# SPDX-License-Identifier: Apache-2.0
"""A master's answer to its slave, sealed with the secret that both have (innerClientAuthenticationCredentials).

Signed requests can be sent again by whoever saw them, so an answer with passwords must be of no use to anybody else:

    bytes  field
    16     salt, new for each answer
    n      plain text xor key stream; block i of 32 bytes = HMAC-SHA256(K1, i as 8 bytes)
    32     HMAC-SHA256(K2, all before)

    K1, K2 = HMAC-SHA256(secret, "1" or "2" | salt | nonce), the nonce being the slave's of that request: an older
    answer does not open.

What a guesser of short secrets may try on it he may also try on any signature, so the secret has to be a long one.
"""

from __future__ import annotations

import hashlib
import hmac

SALT_BYTES = 16
TAG_BYTES = 32
NONCE_MAX_BYTES = 64


class SealError(ValueError):
    """Not sealed with this secret for this nonce, or changed on the way."""


def seal(plain: bytes, secret: str, nonce: bytes, salt: bytes) -> bytes:
    """The salt must never come twice with one secret."""
    sealed = salt + _crypt(plain, _key(b"1", secret, salt, nonce))
    return sealed + _mac(_key(b"2", secret, salt, nonce), sealed)


def unseal(data: bytes, secret: str, nonce: bytes) -> bytes:
    """Raises SealError."""
    if len(data) < SALT_BYTES + TAG_BYTES:
        raise SealError("the answer is too short to be sealed")
    sealed, tag = data[:-TAG_BYTES], data[-TAG_BYTES:]
    salt = sealed[:SALT_BYTES]
    if not hmac.compare_digest(tag, _mac(_key(b"2", secret, salt, nonce), sealed)):
        raise SealError("the answer is not sealed with our inner client's secret")
    return _crypt(sealed[SALT_BYTES:], _key(b"1", secret, salt, nonce))


def fingerprint(plain: bytes, secret: str) -> str:
    """By which both ends see that they have the same, without showing what."""
    return _mac(secret.encode(), b"fingerprint" + plain).hex()


def _key(purpose: bytes, secret: str, salt: bytes, nonce: bytes) -> bytes:
    return _mac(secret.encode(), purpose + salt + nonce)


def _crypt(data: bytes, key: bytes) -> bytes:
    blocks = (len(data) + 31) // 32
    stream = b"".join([_mac(key, number.to_bytes(8, "big")) for number in range(blocks)])[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)
