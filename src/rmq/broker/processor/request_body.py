# SPDX-License-Identifier: Apache-2.0
"""Reading a request's JSON body: it comes from a stranger, so every shape is checked before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...remoting import java_json
from ...remoting.codes import ResponseCode
from ...rpc.errors import RequestRefused

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand


def json_object(request: RemotingCommand) -> dict[str, Any]:
    """The body as a JSON object. Raises RequestRefused for anything else."""
    try:
        value = java_json.loads_bytes(request.body)
    except java_json.JavaJsonError as error:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, "the body is no JSON object")
    return value


def text(value: dict[str, Any], key: str) -> str:
    """A text that must be there. Raises RequestRefused."""
    found = value.get(key)
    if not isinstance(found, str):
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"{key} in the body is no text")
    return found


def objects(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects, empty where it is missing or null. Raises RequestRefused."""
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"{key} in the body is no list of objects")
    return found
