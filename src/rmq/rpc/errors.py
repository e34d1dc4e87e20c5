# SPDX-License-Identifier: Apache-2.0
"""How a call to a peer can fail, and how a processor refuses a request."""

from __future__ import annotations

from ..remoting.errors import RemotingError


class CallFailed(RemotingError):
    """No answer will come: the connection closed, or too many calls wait on it already."""


class ConnectFailed(CallFailed):
    """The peer cannot be reached, or could not a moment ago and its back-off is not over."""


class TimedOut(CallFailed):
    """The answer did not come in time. The peer may have done the work all the same."""


class RequestRefused(Exception):
    """Raised by a processor: the server answers with this code and remark. Not an error of ours, so it is not
    logged."""

    def __init__(self, code: int, remark: str) -> None:
        super().__init__(remark)
        self.code = code
        self.remark = remark
