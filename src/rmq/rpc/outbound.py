# SPDX-License-Identifier: Apache-2.0
"""Calls to other servers (Apache's NettyRemotingClient): a broker's to its name servers, a slave's to its master.

One connection for each address, opened by the first call and kept; closed by either side it is opened again by the
next call. An address that could not be reached is left alone for a while, longer each time: calls to it fail at once
meanwhile.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..remoting.signature import sign
from .channel import Channel
from .channel_hub import ChannelHub, Processor
from .errors import CallFailed, ConnectFailed, TimedOut
from .limits import ServerLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Connection, OutboundTls, Reactor
    from ..remoting.command import RemotingCommand
    from ..remoting.signature import SessionCredentials
    from .channel import CallDone

# connectTimeoutMillis of Apache's client.
CONNECT_TIMEOUT_MS = 3_000
# The pause after the first failure, doubled by each further one; at most what a slave's shortest rhythm (3 s) would
# wait.
BACK_OFF_MIN_MS = 100
BACK_OFF_MAX_MS = 3_000
# Calls that wait for one connection to open: registration and metadata need a handful.
WAITING_MAX = 1_024


@dataclass
class _Call:
    command: RemotingCommand
    deadline_ms: int
    done: CallDone | None


@dataclass
class _Peer:
    """What is known of one address."""

    channel: Channel | None = None
    is_connecting: bool = False
    waiting: list[_Call] = field(default_factory=list)
    failures: int = 0
    retry_at_ms: int = 0
    last_error: str = ""


class OutboundClient:
    """Calls by address, "host:port"."""

    def __init__(
        self,
        reactor: Reactor,
        *,
        limits: ServerLimits | None = None,
        log: logging.Logger | None = None,
        credentials: SessionCredentials | None = None,
        tls: OutboundTls | None = None,
    ) -> None:
        """credentials: every request is signed by them, as Apache's brokers sign theirs."""
        self._credentials = credentials
        self._reactor = reactor
        self._tls = tls
        self._hub = ChannelHub(reactor, limits or ServerLimits(), log or logging.getLogger("rmq.rpc"))
        self._hub.on_channel_closed(self._channel_closed)
        self._peers: dict[str, _Peer] = {}
        self._is_closed = False

    def register(self, code: int, processor: Processor) -> None:
        """Requests that a server pushes on our connection (906 and the like) go there."""
        self._hub.register(code, processor)

    def invoke(self, address: str, command: RemotingCommand, timeout_ms: int, done: CallDone) -> None:
        """done gets the answer, or CallFailed (ConnectFailed, TimedOut), exactly once and never in this call."""
        deadline_ms = self._reactor.clock.monotonic_ms() + timeout_ms
        self._send(address, _Call(command, deadline_ms, done))

    def oneway(self, address: str, command: RemotingCommand) -> None:
        """Send and forget, failures included."""
        self._send(address, _Call(command, self._reactor.clock.monotonic_ms() + CONNECT_TIMEOUT_MS, None))

    def is_connected(self, address: str) -> bool:
        peer = self._peers.get(address)
        return peer is not None and peer.channel is not None and peer.channel.is_open

    def close(self) -> None:
        """Fail what waits, close all connections."""
        self._is_closed = True
        for peer in self._peers.values():
            self._fail(peer, CallFailed("the client is closed"))
        self._hub.close()

    def _send(self, address: str, call: _Call) -> None:
        if self._credentials is not None:
            sign(call.command, self._credentials)
        peer = self._peers.setdefault(address, _Peer())
        if peer.channel is not None and peer.channel.is_open:
            self._send_on(peer.channel, call)
            return
        now_ms = self._reactor.clock.monotonic_ms()
        if self._is_closed:
            self._later(call, CallFailed("the client is closed"))
        elif len(peer.waiting) >= WAITING_MAX:
            self._later(call, CallFailed(f"{WAITING_MAX} calls wait for a connection to {address}"))
        elif peer.is_connecting:
            peer.waiting.append(call)
        elif now_ms < peer.retry_at_ms:
            self._later(call, ConnectFailed(f"{peer.last_error} (tried again in {peer.retry_at_ms - now_ms} ms)"))
        else:
            peer.waiting.append(call)
            self._connect(address, peer)

    def _send_on(self, channel: Channel, call: _Call) -> None:
        if call.done is None:
            channel.push(call.command)
            return
        left_ms = call.deadline_ms - self._reactor.clock.monotonic_ms()
        if left_ms <= 0:
            self._later(call, TimedOut(f"the connection to {channel.remote_address} took the call's whole time"))
        else:
            channel.invoke(call.command, left_ms, call.done)

    def _connect(self, address: str, peer: _Peer) -> None:
        try:
            host, port = split_address(address)
        except ValueError as error:
            self._fail(peer, ConnectFailed(str(error)))
            return
        peer.is_connecting = True
        handler = _OutboundChannel(self._hub, lambda channel: self._connected(peer, channel))
        self._reactor.connect(
            host,
            port,
            handler,
            timeout_ms=CONNECT_TIMEOUT_MS,
            failed=lambda error: self._connect_failed(peer, error),
            tls=self._tls,
        )

    def _connected(self, peer: _Peer, channel: Channel) -> None:
        peer.is_connecting = False
        peer.failures = 0
        peer.channel = channel
        waiting, peer.waiting = peer.waiting, []
        for call in waiting:
            self._send_on(channel, call)

    def _connect_failed(self, peer: _Peer, error: OSError) -> None:
        peer.is_connecting = False
        peer.last_error = str(error.strerror or error)
        pause_ms = min(BACK_OFF_MIN_MS << min(peer.failures, 10), BACK_OFF_MAX_MS)
        peer.failures += 1
        peer.retry_at_ms = self._reactor.clock.monotonic_ms() + pause_ms
        self._fail(peer, ConnectFailed(peer.last_error))

    def _channel_closed(self, channel: Channel) -> None:
        for peer in self._peers.values():
            if peer.channel is channel:
                peer.channel = None

    def _fail(self, peer: _Peer, error: CallFailed) -> None:
        waiting, peer.waiting = peer.waiting, []
        for call in waiting:
            self._later(call, error)

    def _later(self, call: _Call, error: CallFailed) -> None:
        done = call.done
        if done is not None:
            self._reactor.call_soon(lambda: done(error))


class _OutboundChannel(Channel):
    """Tells the client when it is open."""

    __slots__ = ("_opened",)

    def __init__(self, hub: ChannelHub, opened: Callable[[Channel], None]) -> None:
        super().__init__(hub)
        self._opened = opened

    def connection_made(self, connection: Connection) -> None:
        super().connection_made(connection)
        self._opened(self)


def split_address(address: str) -> tuple[str, int]:
    """ "host:port" or "[v6]:port". Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
