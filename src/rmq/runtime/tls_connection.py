# SPDX-License-Identifier: Apache-2.0
"""One TCP connection that speaks TLS, or finds out by the first byte whether it does.

    state    bytes in                               bytes out
    first    a handshake's first byte: shaking;     kept
             another one: plain, or the end
    shaking  the handshake                          kept
    secured  decrypted                              encrypted
    plain    as they are                            as they are

OpenSSL works on two buffers in memory, so the socket, its water marks and its ends stay asyncio's (or uvloop's) and
mean the same with and without TLS. Answers to Apache's TlsModeHandler.
"""

from __future__ import annotations

import contextlib
import ssl
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

from ..env import HandshakeFailed
from .asyncio_connection import AsyncioConnection

if TYPE_CHECKING:
    import asyncio
    import logging

    from ..env import ConnectionHandler
    from .tls import OutboundContext, ServerCertificate

# The type of TLS's first record; no frame of RocketMQ begins so, its length would be 352 MiB.
HANDSHAKE_RECORD = 0x16
# Netty's handshakeTimeoutMillis, which Apache leaves alone.
HANDSHAKE_TIMEOUT_S = 10.0
_READ_BYTES = 256 * 1024


class _State(Enum):
    FIRST = auto()
    SHAKING = auto()
    SECURED = auto()
    PLAIN = auto()


class TlsConnection(AsyncioConnection):
    """Make it by `accepted` or `opened`."""

    _certificate: ServerCertificate | None = None
    _outbound: OutboundContext | None = None
    _host = ""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handler: ConnectionHandler,
        log: logging.Logger,
        made: set[AsyncioConnection],
    ) -> None:
        super().__init__(loop, handler, log, made)
        self._state = _State.FIRST
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls: ssl.SSLObject
        self._kept: list[bytes] = []
        self._late: asyncio.TimerHandle | None = None
        self._failure: HandshakeFailed | None = None
        self._usable: asyncio.Future[None] | None = None

    @classmethod
    def accepted(
        cls,
        loop: asyncio.AbstractEventLoop,
        handler: ConnectionHandler,
        log: logging.Logger,
        made: set[AsyncioConnection],
        *,
        certificate: ServerCertificate,
    ) -> Self:
        connection = cls(loop, handler, log, made)
        connection._certificate = certificate
        return connection

    @classmethod
    def opened(
        cls,
        loop: asyncio.AbstractEventLoop,
        handler: ConnectionHandler,
        log: logging.Logger,
        made: set[AsyncioConnection],
        *,
        outbound: OutboundContext,
        host: str,
    ) -> Self:
        connection = cls(loop, handler, log, made)
        connection._outbound = outbound
        connection._host = host
        connection._usable = loop.create_future()
        return connection

    # -- from asyncio --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._attach(transport)
        if self._certificate is not None:
            # Told before the handshake: limits count those too who never finish one.
            self._tell_made()
            if self._certificate.is_required:
                self._arm()
        elif self._outbound is not None:
            self._shake(
                self._outbound.context.wrap_bio(self._incoming, self._outgoing, server_hostname=self._host or None)
            )

    def data_received(self, data: bytes) -> None:
        if self._state is _State.PLAIN:
            super().data_received(data)
        elif self._state is _State.FIRST:
            self._first(data)
        else:
            self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._kept.clear()
        if self._usable is not None and not self._usable.done():
            self._usable.set_exception(self._failure or exc or ConnectionResetError("closed during the handshake"))
            # Who waits for it may have given up already: nobody has to fetch it.
            self._usable.exception()
        super().connection_lost(self._failure or exc)

    async def until_usable(self) -> None:
        if self._usable is not None:
            await self._usable

    # -- rmq.env.Connection --

    @property
    def unsent_bytes(self) -> int:
        return super().unsent_bytes + sum(map(len, self._kept))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._state is _State.PLAIN:
            super().write(data)
        elif self._state is _State.SECURED:
            if self._transport is not None and not self._transport.is_closing() and len(data):
                self._encrypt(data)
        elif self._transport is not None:
            self._kept.append(bytes(data))

    def close(self) -> None:
        if self._state is _State.SECURED:
            # Our half of the farewell; the other half is not waited for.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._send()
        super().close()

    # -- inside --

    def _first(self, data: bytes) -> None:
        assert self._certificate is not None
        if data[0] == HANDSHAKE_RECORD:
            self._arm()
            self._shake(self._certificate.context.wrap_bio(self._incoming, self._outgoing, server_side=True))
            self._take(data)
        elif self._certificate.is_required:
            self._fail("it does not begin with a TLS handshake, and tls.server.mode is enforcing")
        else:
            self._state = _State.PLAIN
            self._release()
            super().data_received(data)

    def _shake(self, tls: ssl.SSLObject) -> None:
        self._tls = tls
        self._state = _State.SHAKING
        self._go_on()

    def _take(self, data: bytes) -> None:
        self._incoming.write(data)
        if self._state is _State.SHAKING:
            self._go_on()
        if self._state is _State.SECURED:
            self._decrypt()

    def _go_on(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._send()
            return
        except (OSError, ValueError) as error:
            # What went wrong goes to the peer as an alert.
            self._send()
            self._fail(f"TLS handshake failed: {reason_of(error)}")
            return
        self._disarm()
        self._state = _State.SECURED
        self._send()
        self._release()
        if self._usable is not None and not self._usable.done():
            self._tell_made()
            self._usable.set_result(None)

    def _decrypt(self) -> None:
        pieces: list[bytes] = []
        ended = False
        try:
            while piece := self._tls.read(_READ_BYTES):
                pieces.append(piece)
            ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            # The peer has said goodbye, or sends what is no TLS: nothing after it can be trusted.
            ended = True
        if pieces:
            super().data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        self._send()
        if ended:
            super().close()

    def _encrypt(self, data: bytes | bytearray | memoryview) -> None:
        try:
            self._tls.write(data)
        except ssl.SSLError:
            # The peer has broken the session while it was being answered.
            self.abort()
        else:
            self._send()

    def _send(self) -> None:
        if self._outgoing.pending and self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())

    def _release(self) -> None:
        kept, self._kept = self._kept, []
        for data in kept:
            self.write(data)

    def _arm(self) -> None:
        if self._late is None:
            text = f"no TLS handshake within {HANDSHAKE_TIMEOUT_S:g} s"
            self._late = self._loop.call_later(HANDSHAKE_TIMEOUT_S, lambda: self._fail(text))

    def _disarm(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _fail(self, why: str) -> None:
        self._failure = HandshakeFailed(why)
        # Not aborted: the alert has to leave. Nothing that comes now is looked at.
        self.pause_reading()
        super().close()


def reason_of(error: Exception) -> str:
    """OpenSSL's words without its file names and numbers."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error)
