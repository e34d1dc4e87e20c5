# SPDX-License-Identifier: Apache-2.0
"""One TCP connection: asyncio's protocol on one side, `rmq.env.Connection` on the other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from ..env import ConnectionHandler

_NOWHERE = ("", 0)


class AsyncioConnection(asyncio.Protocol):
    """Hands each read to its handler as it came. A handler that raises loses its connection, nobody else's."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: ConnectionHandler,
        log: logging.Logger,
        made: set[AsyncioConnection],
    ) -> None:
        self._loop = loop
        self._handler = handler
        self._log = log
        self._made = made
        self._transport: asyncio.Transport | None = None
        self._peer = _NOWHERE
        self._local = _NOWHERE
        self._on_drained: list[Callable[[], None]] = []
        self.was_made = False

    # -- from asyncio --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(transport)
        self._tell_made()

    def _attach(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast("asyncio.Transport", transport)
        self._made.add(self)
        self._peer = _address(stream, "peername")
        self._local = _address(stream, "sockname")
        # The handler is told of "everything was sent" (when_drained), not of asyncio's own water marks.
        stream.set_write_buffer_limits(high=0)
        with contextlib.suppress(OSError):
            stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def _tell_made(self) -> None:
        self.was_made = True
        self._handler.connection_made(self)

    async def until_usable(self) -> None:
        """Returns when the handler has been told. Raises OSError where the two ends do not come to an agreement."""

    def data_received(self, data: bytes) -> None:
        try:
            self._handler.data_received(data)
        except Exception:
            self._log.exception("connection of %s:%d is dropped: its handler failed", *self._peer)
            self.abort()

    def resume_writing(self) -> None:
        callbacks, self._on_drained = self._on_drained, []
        for callback in callbacks:
            callback()

    def connection_lost(self, exc: Exception | None) -> None:
        self._made.discard(self)
        self._on_drained.clear()
        self._transport = None
        if self.was_made:
            self._handler.connection_lost(exc)

    # -- rmq.env.Connection --

    @property
    def peer(self) -> tuple[str, int]:
        return self._peer

    @property
    def local(self) -> tuple[str, int]:
        return self._local

    @property
    def unsent_bytes(self) -> int:
        transport = self._transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.write(data)

    def when_drained(self, callback: Callable[[], None]) -> None:
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size() == 0:
            self._loop.call_soon(callback)
        else:
            self._on_drained.append(callback)

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _address(transport: asyncio.Transport, name: str) -> tuple[str, int]:
    """A peer that left before it was accepted has no name any more."""
    value = transport.get_extra_info(name)
    return (str(value[0]), int(value[1])) if value else _NOWHERE
