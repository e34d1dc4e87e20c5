# SPDX-License-Identifier: Apache-2.0
"""Streams between reactors of one world, in memory, with wires that can be cut, frozen and slowed.

A write becomes readable at the peer `latency_ms` later. A *cut* wire resets both ends; a *frozen* one keeps bytes back
and tells nobody (a half-open connection, a stopped process), until it is thawed.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmq.env import ConnectionHandler, ListenerTls, OutboundTls

    from .clock import FakeClock
    from .reactor import FakeReactor

FIRST_FREE_PORT = 40_000


class FakeConnection:
    """`rmq.env.Connection`: one end of a stream."""

    def __init__(
        self, reactor: FakeReactor, handler: ConnectionHandler, local: tuple[str, int], peer: tuple[str, int]
    ) -> None:
        self.reactor = reactor
        self.handler = handler
        self.other: FakeConnection | None = None
        self._local = local
        self._peer = peer
        self._paused = False
        self._closing = False
        self._lost = False
        self._inbox: deque[tuple[int, bytes | None]] = deque()
        self._when_drained: list[Callable[[], None]] = []

    @property
    def peer(self) -> tuple[str, int]:
        return self._peer

    @property
    def local(self) -> tuple[str, int]:
        return self._local

    @property
    def unsent_bytes(self) -> int:
        """What the peer has not read yet: the fake system buffers nothing."""
        return self.other.inbox_bytes if self.other is not None else 0

    @property
    def inbox_bytes(self) -> int:
        return sum(len(chunk) for _, chunk in self._inbox if chunk)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing or self._lost or self.other is None or not len(data):
            return
        self.other.arrive(bytes(data))

    def when_drained(self, callback: Callable[[], None]) -> None:
        self._when_drained.append(callback)
        self.reactor.is_awake = True

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self.reactor.is_awake = True

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self.other is not None:
            self.other.arrive(None)
        self.reactor.call_soon(lambda: self.lose(None))

    def abort(self) -> None:
        self._closing = True
        if self.other is not None:
            self.other.reset()
        self.reactor.call_soon(lambda: self.lose(None))

    # -- what the network and the reactor call

    def arrive(self, chunk: bytes | None) -> None:
        """Bytes are under way to this end; None is the end of the stream."""
        latency_ms = self.reactor.world.network.latency_between(self._local[0], self._peer[0])
        at_ms = self.reactor.clock.monotonic_ms() + latency_ms
        if self._inbox:
            # A stream: nothing overtakes.
            at_ms = max(at_ms, self._inbox[-1][0])
        self._inbox.append((at_ms, chunk))
        self.reactor.world.wake_at(at_ms, self.reactor)

    def reset(self) -> None:
        self._inbox.clear()
        self.reactor.call_soon(lambda: self.lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))))

    def lose(self, reason: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._closing = True
        self.reactor.connections.discard_connection(self)
        self.handler.connection_lost(reason)

    def notice_drained(self) -> bool:
        """Tell those who asked, once the peer has read all."""
        if not self._when_drained or self._lost or self.unsent_bytes:
            return False
        callbacks, self._when_drained = self._when_drained, []
        for callback in callbacks:
            self.reactor.call_soon(callback)
        return True

    @property
    def frozen(self) -> bool:
        """What the peer sends does not reach this end now."""
        network = self.reactor.world.network
        return bool(network.has_frozen and network.is_frozen(self._peer[0], self._local[0]))

    @property
    def has_work(self) -> bool:
        """Something may be done at this end: bytes have been sent to it, or somebody waits until its own are read."""
        return bool(self._inbox or self._when_drained)

    def read_ready(self, now_ms: int) -> bool:
        """Hand the handler all bytes that have arrived, as one read."""
        if self._paused or self._lost or self.frozen:
            return False
        chunks: list[bytes] = []
        ended = False
        while self._inbox and self._inbox[0][0] <= now_ms and not ended:
            chunk = self._inbox.popleft()[1]
            if chunk is None:
                ended = True
            else:
                chunks.append(chunk)
        if chunks and self.other is not None:
            # It may wait for this.
            self.other.reactor.is_awake = True
        if chunks and not self._closing:
            self.handler.data_received(b"".join(chunks))
        if ended:
            self.lose(None)
        return bool(chunks) or ended


class ConnectionSet:
    """Open connections of one reactor, in the order in which they were made (a set would not be deterministic)."""

    def __init__(self) -> None:
        self._connections: dict[int, FakeConnection] = {}

    def add(self, connection: FakeConnection) -> None:
        self._connections[id(connection)] = connection

    def discard_connection(self, connection: FakeConnection) -> None:
        self._connections.pop(id(connection), None)

    def snapshot(self) -> list[FakeConnection]:
        return list(self._connections.values())


class FakeListener:
    def __init__(
        self,
        network: FakeNetwork,
        reactor: FakeReactor,
        address: tuple[str, int],
        make: Callable[[], ConnectionHandler],
        tls: ListenerTls | None = None,
    ) -> None:
        self.reactor = reactor
        self.tls = tls
        self.make_handler = make
        self._network = network
        self._address = address

    @property
    def address(self) -> tuple[str, int]:
        return self._address

    def close(self) -> None:
        self._network.listeners.pop(self._address, None)


class FakeNetwork:
    """Listeners by address, and the faults of wires between hosts."""

    def __init__(self, clock: FakeClock, changed: Callable[[], None]) -> None:
        """changed: wires are other ones from now on."""
        self.clock = clock
        self.latency_ms = 0
        self.listeners: dict[tuple[str, int], FakeListener] = {}
        self._cut: set[frozenset[str]] = set()
        self._frozen: set[tuple[str, str]] = set()
        self._latencies_ms: dict[frozenset[str], int] = {}
        self._changed = changed
        self._next_port = FIRST_FREE_PORT

    def cut(self, host: str, other: str) -> None:
        """Reset what is open between two hosts and refuse new connections until heal()."""
        self._cut.add(frozenset((host, other)))
        self._changed()

    def freeze(self, host: str, other: str, *, one_way: bool = False) -> None:
        """Bytes between two hosts wait and nobody is told, until heal(): a stopped process, a half-open connection.
        one_way: only those from host to other."""
        self._frozen.add((host, other))
        if not one_way:
            self._frozen.add((other, host))

    def delay(self, host: str, other: str, latency_ms: int) -> None:
        """Bytes between two hosts are that long under way, until heal()."""
        self._latencies_ms[frozenset((host, other))] = latency_ms

    def heal(self) -> None:
        self._cut.clear()
        self._frozen.clear()
        self._latencies_ms.clear()
        self._changed()

    @property
    def has_cuts(self) -> bool:
        return bool(self._cut)

    @property
    def has_frozen(self) -> bool:
        return bool(self._frozen)

    def latency_between(self, host: str, other: str) -> int:
        if not self._latencies_ms:
            return self.latency_ms
        return self._latencies_ms.get(frozenset((host, other)), self.latency_ms)

    def is_frozen(self, host: str, other: str) -> bool:
        """Bytes from host do not reach other now."""
        return (host, other) in self._frozen

    def is_cut(self, host: str, other: str) -> bool:
        return frozenset((host, other)) in self._cut

    def free_port(self) -> int:
        self._next_port += 1
        return self._next_port

    def listen(
        self,
        reactor: FakeReactor,
        host: str,
        port: int,
        make_handler: Callable[[], ConnectionHandler],
        tls: ListenerTls | None = None,
    ) -> FakeListener:
        address = (host, port or self.free_port())
        if address in self.listeners:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), f"{host}:{port}")
        listener = FakeListener(self, reactor, address, make_handler, tls)
        self.listeners[address] = listener
        return listener

    def find(self, host: str, port: int) -> FakeListener | None:
        """The listener of host:port; one on the wildcard address stands for all hosts."""
        return self.listeners.get((host, port)) or self.listeners.get(("0.0.0.0", port))

    def connect(
        self,
        reactor: FakeReactor,
        host: str,
        port: int,
        handler: ConnectionHandler,
        tls: OutboundTls | None = None,
    ) -> OSError | None:
        """Join two ends, or say why not. Nothing is encrypted here; two ends that do not agree on TLS are not joined,
        though with real sockets a plain client of a server that requires it is let in first."""
        listener = self.find(host, port)
        if listener is None or self.is_cut(reactor.host, host):
            return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED), f"{host}:{port}")
        required = listener.tls is not None and listener.tls.is_required
        if (listener.tls is None) if tls is not None else required:
            return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET), f"{host}:{port}")
        client_address = (reactor.host, self.free_port())
        client = FakeConnection(reactor, handler, client_address, (host, port))
        server = FakeConnection(listener.reactor, listener.make_handler(), (host, port), client_address)
        client.other, server.other = server, client
        for end in (server, client):
            end.reactor.connections.add(end)
            end.handler.connection_made(end)
        return None
