# SPDX-License-Identifier: Apache-2.0
"""The event loop and the network as the server half sees them.

One thread runs everything; callbacks never block. A *tick* is one round of the loop: all reads that were ready, then
all callbacks that `call_soon` collected meanwhile. That order is what lets the store commit once for all requests of
a tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .clock import Clock
    from .tls import ListenerTls, OutboundTls

T = TypeVar("T")


class Timer(Protocol):
    def cancel(self) -> None: ...


class Connection(Protocol):
    """A stream to one peer, as seen by its handler."""

    @property
    def peer(self) -> tuple[str, int]: ...

    @property
    def local(self) -> tuple[str, int]: ...

    @property
    def unsent_bytes(self) -> int:
        """What `write` was given and the system has not taken yet. A slow reader is one for whom this grows."""
        ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes. Never blocks, never raises; after a close the bytes are dropped."""
        ...

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call once, in a later tick, when nothing unsent is left; never, if the connection is lost before."""
        ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        """Send what is queued, then close. `connection_lost` follows, in a later tick."""
        ...

    def abort(self) -> None:
        """Close at once and drop what is queued."""
        ...


class ConnectionHandler(Protocol):
    """What the owner of a connection provides. No call comes before connection_made or after connection_lost."""

    def connection_made(self, connection: Connection) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def connection_lost(self, reason: Exception | None) -> None: ...


class Listener(Protocol):
    @property
    def address(self) -> tuple[str, int]: ...

    def close(self) -> None:
        """Stop accepting; open connections live on."""
        ...


class Reactor(Protocol):
    @property
    def clock(self) -> Clock: ...

    def call_soon(self, callback: Callable[[], None]) -> None:
        """After all reads of this tick."""
        ...

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer: ...

    def run_blocking(self, work: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        """Run work in a thread; done gets its result or its exception on the loop."""
        ...

    def listen(
        self,
        host: str,
        port: int,
        make_handler: Callable[[], ConnectionHandler],
        *,
        tls: ListenerTls | None = None,
    ) -> Listener:
        """Bind and accept. Raises OSError (address in use) at once. Port 0 picks a free one.

        With tls a handler hears of its connection before the handshake (so that limits count it) and gets no byte
        before its end; a handshake that fails is its connection_lost with HandshakeFailed.
        """
        ...

    def connect(
        self,
        host: str,
        port: int,
        handler: ConnectionHandler,
        *,
        timeout_ms: int,
        failed: Callable[[OSError], None],
        tls: OutboundTls | None = None,
    ) -> None:
        """Open a connection: handler.connection_made on success, else failed once. With tls the handshake is part of
        opening it."""
        ...
