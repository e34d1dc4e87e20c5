# SPDX-License-Identifier: Apache-2.0
"""Who sent a request, and the proof (AUTH 2.0; Apache's AclClientRPCHook and AclSigner).

| field of extFields | value |
|---|---|
| AccessKey | the user's name |
| SecurityToken | optional, signed like every other field |
| Signature | Base64(HMAC-SHA1(secret, content)) |

content = the values of all other fields in the order of their keys, joined with nothing between, then the body. So
neither the code nor any nonce is covered: a frame that somebody has seen can be sent again, with another code too.
"""

from __future__ import annotations

import binascii
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Dict, Optional

if TYPE_CHECKING:
    from .command import RemotingCommand

ACCESS_KEY = "AccessKey"
SIGNATURE = "Signature"
SECURITY_TOKEN = "SecurityToken"

#: Fields that must not reach anybody but the server they were meant for.
PROOF_FIELDS = frozenset((ACCESS_KEY, SIGNATURE, SECURITY_TOKEN))

# Clients up to 4.9.3 add this field after they have signed (DefaultAuthenticationContextBuilder).
_UNSIGNED_FIELD = "_UNIQUE_KEY_QUERY"
_UNSIGNED_UP_TO_VERSION = 399


@dataclass(frozen=True)
class SessionCredentials:
    """A user's name and secret. Its text does not show the secret."""

    access_key: str
    secret_key: str = field(repr=False)
    security_token: Optional[str] = field(default=None, repr=False)


def sign(command: RemotingCommand, credentials: SessionCredentials) -> None:
    """Adds the fields; the command must not change afterwards."""
    fields = command.ext_fields
    fields[ACCESS_KEY] = credentials.access_key
    if credentials.security_token is not None:
        fields[SECURITY_TOKEN] = credentials.security_token
    fields.pop(SIGNATURE, None)
    fields[SIGNATURE] = _signature(_content(fields, command.body), credentials.secret_key)


def is_signed_by(command: RemotingCommand, secret_key: str) -> bool:
    """Whether the request's signature was made with this secret; compared in constant time."""
    fields = command.ext_fields
    given = fields.get(SIGNATURE)
    if given is None:
        return False
    if command.version <= _UNSIGNED_UP_TO_VERSION and _UNSIGNED_FIELD in fields:
        fields = {key: value for key, value in fields.items() if key != _UNSIGNED_FIELD}
    expected = _signature(_content(fields, command.body), secret_key)
    return hmac.compare_digest(expected.encode("ascii"), given.encode("utf-8", "replace"))


def without_proof(fields: Dict[str, str]) -> Dict[str, str]:
    """The fields as they may be passed on to somebody else."""
    return {key: value for key, value in fields.items() if key not in PROOF_FIELDS}


def _content(fields: Dict[str, str], body: bytes) -> bytes:
    text = "".join([fields[key] for key in sorted(fields) if key != SIGNATURE])
    return text.encode("utf-8", "replace") + body


def _signature(content: bytes, secret_key: str) -> str:
    # In one call of C: hmac.new() costs three times as much, and a protected broker does this for each message.
    digest = hmac.digest(secret_key.encode("utf-8", "replace"), content, "sha1")
    return binascii.b2a_base64(digest, newline=False).decode("ascii")
