# SPDX-License-Identifier: Apache-2.0
"""Reading headers in processors: a missing field is the caller's fault and is answered, never an error of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import ResponseCode
from ...remoting.fields import FieldError, text_field
from ...rpc import RequestRefused

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand


def required(request: RemotingCommand, name: str) -> str:
    """A field that must be there. Raises RequestRefused with Java's words."""
    try:
        return text_field(request.ext_fields, name)
    except FieldError as error:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, str(error)) from None
