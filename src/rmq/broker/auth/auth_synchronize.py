# SPDX-License-Identifier: Apache-2.0
"""A slave of ours has its master's users and policies: GET_AUTH_METADATA (540002), ours alone.

| in the request | value |
|---|---|
| nonce | hex, new for each request |
| fingerprint | of what the slave has |

The answer has no body where the master has the same, else its tables as JSON, sealed (sealed.py). It is asked by
innerClientAuthenticationCredentials, which master and slave have in their files; without them a slave keeps its own
users, as Apache's slave always does: mqadmin brings users and policies to slaves too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import ResponseCode
from ...remoting.java_json import dumps_bytes, loads_bytes
from ...remoting.signature import ACCESS_KEY
from ...rpc.errors import RequestRefused
from .sealed import NONCE_MAX_BYTES, SALT_BYTES, fingerprint, seal, unseal

if TYPE_CHECKING:
    import random

    from ...remoting.command import RemotingCommand
    from ...remoting.signature import SessionCredentials
    from ...rpc.channel import Channel
    from .access_control import AccessControl
    from .auth_metadata import AuthMetadata

NONCE_BYTES = 16


class AuthMetadataProcessor:
    """The master's side. Registered behind the gate, so the access key is proven."""

    def __init__(self, metadata: AuthMetadata, access: AccessControl, dice: random.Random) -> None:
        self._metadata = metadata
        self._access = access
        self._dice = dice

    def __call__(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        if not self._access.is_super_user(request):
            raise RequestRefused(ResponseCode.NO_PERMISSION, "only a broker of this cluster gets its users")
        try:
            nonce = bytes.fromhex(fields.get("nonce", ""))
        except ValueError:
            nonce = b""
        if not 0 < len(nonce) <= NONCE_MAX_BYTES:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, "nonce is no hex")
        secret = self._metadata.users[fields[ACCESS_KEY]].password
        plain = _plain(self._metadata)
        if fields.get("fingerprint") == fingerprint(plain, secret):
            return request.response(ResponseCode.SUCCESS)
        salt = self._dice.getrandbits(8 * SALT_BYTES).to_bytes(SALT_BYTES, "big")
        return request.response(ResponseCode.SUCCESS, body=seal(plain, secret, nonce, salt))


class AuthMetadataCopy:
    """The slave's side: fields of the next request, and what to do with its answer."""

    def __init__(self, metadata: AuthMetadata, credentials: SessionCredentials, dice: random.Random) -> None:
        self._metadata = metadata
        self._secret = credentials.secret_key
        self._dice = dice
        self._nonce = b""

    def request_fields(self) -> dict[str, str]:
        self._nonce = self._dice.getrandbits(8 * NONCE_BYTES).to_bytes(NONCE_BYTES, "big")
        return {"nonce": self._nonce.hex(), "fingerprint": fingerprint(_plain(self._metadata), self._secret)}

    def take(self, body: bytes) -> None:
        """Raises ValueError for what is no answer to the last request."""
        if body:
            self._metadata.replace_all(loads_bytes(unseal(body, self._secret, self._nonce)))


def _plain(metadata: AuthMetadata) -> bytes:
    value = metadata.to_json_value()
    return dumps_bytes({part: dict(sorted(table.items())) for part, table in sorted(value.items())})
