# SPDX-License-Identifier: Apache-2.0
"""A blocking client: one socket to one server, many requests on it."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Type

from ..remoting.codes import ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.errors import ProtocolError
from ..remoting.frame import FrameDecoder
from ..remoting.signature import sign
from .address import parse_address
from .errors import RemotingConnectError, RemotingTimeoutError, ResponseError, request_name

if TYPE_CHECKING:
    from types import TracebackType

    from ..remoting.signature import SessionCredentials

# What Apache's clients wait by default (DefaultMQAdminExt: 5 s, producer: 3 s).
DEFAULT_TIMEOUT_MS = 5000

# Requests on their way at once. More would let both ends fill their buffers and wait for each other.
PIPELINE_DEPTH = 64

_RECEIVE_BYTES = 256 * 1024


class RemotingClient:
    """Connects at the first call, and again at the next call after a break. For one thread at a time.

    All calls raise RemotingConnectError or RemotingTimeoutError; after a time-out the connection stays usable, and an
    answer that comes late is dropped.
    """

    def __init__(
        self,
        address: str,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
        credentials: Optional[SessionCredentials] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        """credentials: every request is signed by them. tls: of `client.tls.client_context`; None: unencrypted."""
        self._credentials = credentials
        self.address = address
        self._tls = tls
        self._target = parse_address(address)
        self._timeout_ms = timeout_ms
        self._socket: Optional[socket.socket] = None
        self._decoder = FrameDecoder()

    def __enter__(self) -> RemotingClient:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def local_ip(self) -> str:
        """The address from which this machine reaches the server. Connects if need be."""
        connection = self._connected(self._deadline(None))
        return str(connection.getsockname()[0])

    def invoke(self, command: RemotingCommand, timeout_ms: Optional[int] = None) -> RemotingCommand:
        """The answer, whatever its code."""
        return self.invoke_many([command], timeout_ms)[0]

    def invoke_many(
        self, commands: Sequence[RemotingCommand], timeout_ms: Optional[int] = None
    ) -> List[RemotingCommand]:
        """The answers in the order of the requests, which travel together. One time-out holds for all."""
        deadline = self._deadline(timeout_ms)
        answers: Dict[int, RemotingCommand] = {}
        for start in range(0, len(commands), PIPELINE_DEPTH):
            window = commands[start : start + PIPELINE_DEPTH]
            self._send(b"".join([self._encoded(command) for command in window]), deadline)
            self._receive(window, answers, deadline)
        return [answers[command.opaque] for command in commands]

    def oneway(self, command: RemotingCommand) -> None:
        """Sends a one-way request; there will be no answer."""
        self._send(self._encoded(command), self._deadline(None))

    def call(
        self,
        code: int,
        ext_fields: Optional[Dict[str, str]] = None,
        body: bytes = b"",
        *,
        timeout_ms: Optional[int] = None,
    ) -> RemotingCommand:
        """The answer of a request that succeeded. Raises ResponseError for every code but SUCCESS."""
        request = RemotingCommand.request(code, ext_fields, body)
        answer = self.invoke(request, timeout_ms)
        if answer.code != ResponseCode.SUCCESS:
            raise ResponseError(answer.code, answer.remark, address=self.address, request_code=code)
        return answer

    def _encoded(self, command: RemotingCommand) -> bytes:
        if self._credentials is not None:
            sign(command, self._credentials)
        return command.encode()

    def _deadline(self, timeout_ms: Optional[int]) -> float:
        return time.monotonic() + (self._timeout_ms if timeout_ms is None else timeout_ms) / 1000

    def _connected(self, deadline: float) -> socket.socket:
        if self._socket is None:
            try:
                self._socket = self._connect(deadline)
            except (OSError, UnicodeError) as error:
                raise RemotingConnectError("no connection to %s: %s" % (self.address, _cause(error))) from None
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._decoder = FrameDecoder()
        return self._socket

    def _connect(self, deadline: float) -> socket.socket:
        connection = socket.create_connection(self._target, timeout=_left(deadline))
        if self._tls is None:
            return connection
        try:
            connection.settimeout(_left(deadline))
            return self._tls.wrap_socket(connection)
        except BaseException:
            connection.close()
            raise

    def _send(self, data: bytes, deadline: float) -> None:
        connection = self._connected(deadline)
        connection.settimeout(_left(deadline))
        try:
            connection.sendall(data)
        except OSError as error:
            # A part of a frame may be out: this connection cannot carry another.
            self.close()
            if isinstance(error, socket.timeout):
                raise RemotingTimeoutError("%s takes no data" % self.address) from None
            raise RemotingConnectError("%s broke the connection: %s" % (self.address, _cause(error))) from None

    def _receive(self, window: Sequence[RemotingCommand], answers: Dict[int, RemotingCommand], deadline: float) -> None:
        waiting = {command.opaque: command for command in window}
        while waiting:
            first = next(iter(waiting.values()))
            for command in self._read(first, deadline):
                if not command.is_response:
                    self._refuse(command, deadline)
                elif waiting.pop(command.opaque, None) is not None:
                    answers[command.opaque] = command

    def _read(self, awaited: RemotingCommand, deadline: float) -> List[RemotingCommand]:
        connection = self._connected(deadline)
        connection.settimeout(_left(deadline))
        try:
            data = connection.recv(_RECEIVE_BYTES)
        except socket.timeout:
            raise RemotingTimeoutError(
                "%s did not answer %s in time" % (self.address, request_name(awaited.code))
            ) from None
        except OSError as error:
            self.close()
            raise RemotingConnectError("%s broke the connection: %s" % (self.address, _cause(error))) from None
        if not data:
            self.close()
            raise RemotingConnectError(
                "%s closed the connection instead of answering %s" % (self.address, request_name(awaited.code))
            )
        try:
            return self._decoder.feed(data)
        except ProtocolError as error:
            self.close()
            raise RemotingConnectError("%s does not speak RocketMQ's protocol: %s" % (self.address, error)) from None

    def _refuse(self, request: RemotingCommand, deadline: float) -> None:
        """Servers push requests (40, 220, 307 ...). We serve none, and a server that waits should not wait in vain."""
        if not request.is_oneway:
            remark = " request type %d not supported" % request.code
            self._send(request.response(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, remark).encode(), deadline)


def _left(deadline: float) -> float:
    # 0 would make the socket non-blocking.
    return max(deadline - time.monotonic(), 0.001)


def _cause(error: BaseException) -> str:
    if isinstance(error, socket.timeout):
        return "timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not trusted: %s" % error.verify_message
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
