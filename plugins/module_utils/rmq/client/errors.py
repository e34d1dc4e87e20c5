# SPDX-License-Identifier: Apache-2.0
"""How a call can fail. Each text is one line that names the peer, fit to be shown as it stands."""

from __future__ import annotations

from typing import Optional

from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.errors import RemotingError


class RemotingConnectError(RemotingError):
    """No connection came about, or it broke before the answer came. Whether the peer did the work is then unknown."""


class RemotingTimeoutError(RemotingError):
    """The peer is connected and did not answer in time. Whether it did the work is unknown."""


class NoRouteError(RemotingError):
    """There is no name server, broker or queue to send the request to."""


class ResponseError(RemotingError):
    """The peer answered, and the answer is an error."""

    def __init__(self, code: int, remark: Optional[str], *, address: str = "", request_code: int = 0) -> None:
        self.code = code
        self.remark = remark
        said = " ".join((remark or "no remark").split())
        super().__init__("%s answered %s to %s: %s" % (address, code_name(code), request_name(request_code), said))


def code_name(code: int) -> str:
    """`TOPIC_NOT_EXIST (17)`."""
    try:
        return "%s (%d)" % (ResponseCode(code).name, code)
    except ValueError:
        return "code %d" % code


def request_name(code: int) -> str:
    """`GET_ROUTEINFO_BY_TOPIC (105)`."""
    try:
        return "%s (%d)" % (RequestCode(code).name, code)
    except ValueError:
        return "request %d" % code
