# SPDX-License-Identifier: Apache-2.0
"""`rmq.env.Reactor` on asyncio, or on uvloop where it is installed.

Order inside a tick: the loop runs all reads that were ready; the first of them that calls `call_soon` puts `_drain`
behind them, and `_drain` runs everything collected, including what is collected meanwhile. So a commit, the answers it
releases and the write of those answers all happen in the tick of their requests, by one trip through the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .asyncio_connection import AsyncioConnection
from .system_clock import SystemClock
from .tls_connection import TlsConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ..env import Clock, ConnectionHandler, ListenerTls, OutboundTls, Timer
    from .tls import OutboundContext, ServerCertificate

T = TypeVar("T")

# As Apache's serverSocketBacklog: a whole fleet of clients comes back at once after a restart.
LISTEN_BACKLOG = 1024
# fdatasync, clean-up, index, cold reads: each waits for the disk, few at once keep it busy.
BLOCKING_THREADS = 8
# Rounds of callbacks that call_soon again within one tick: reads must get their turn even if a callback never stops.
ROUNDS_PER_TICK_MAX = 16


class AsyncioReactor:
    """Owns its loop. Use from one thread; `stop` and the threads of `run_blocking` may come from others.

    `run()` returns after `stop()`; `close()` (or leaving the `with` block) joins the threads and frees the loop.
    """

    def __init__(
        self, clock: Clock | None = None, log: logging.Logger | None = None, *, use_uvloop: bool = True
    ) -> None:
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._log = log if log is not None else logging.getLogger("rmq.runtime")
        self._loop, self.loop_name = _new_loop(use_uvloop)
        self._loop.set_exception_handler(self._on_loop_error)
        # serverSocketBacklog; read by each `listen`.
        self.listen_backlog = LISTEN_BACKLOG
        self._soon: list[Callable[[], None]] = []
        self._drain_is_due = False
        self._pool = ThreadPoolExecutor(BLOCKING_THREADS, thread_name_prefix="blocking")
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[AsyncioListener] = []
        self._connections: set[AsyncioConnection] = set()

    def __enter__(self) -> AsyncioReactor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def clock(self) -> Clock:
        return self._clock

    def run(self) -> None:
        """Run callbacks until `stop`. May be called again."""
        self._loop.run_forever()

    def stop(self) -> None:
        """From any thread: `run` returns after the tick that is under way."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Run callback on the loop when the process gets this signal."""
        self._loop.add_signal_handler(number, callback)

    def close(self) -> None:
        """Wait for blocking work, drop all connections, close the loop. Twice is once."""
        if self._loop.is_closed():
            return
        self._pool.shutdown(wait=True, cancel_futures=True)
        for listener in self._listeners:
            listener.close()
        for task in self._tasks:
            task.cancel()
        for connection in tuple(self._connections):
            connection.abort()
        self._loop.run_until_complete(_settle())
        self._loop.close()

    # -- callbacks --

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)
        if not self._drain_is_due:
            self._drain_is_due = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        for _ in range(ROUNDS_PER_TICK_MAX):
            callbacks, self._soon = self._soon, []
            for callback in callbacks:
                try:
                    callback()
                except Exception:
                    self._log.exception("a callback failed")
            if not self._soon:
                self._drain_is_due = False
                return
        self._loop.call_soon(self._drain)

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer:
        return self._loop.call_later(delay_ms / 1000, callback)

    def run_blocking(self, work: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        # While it closes, what still waits for a thread is dropped, and so is what is asked for by then (a write that
        # follows another one): whoever asked is answered as by a crash, not at all.
        with contextlib.suppress(RuntimeError):
            self._pool.submit(self._work, work, done)

    def _work(self, work: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        result: T | BaseException
        try:
            result = work()
        except BaseException as error:
            result = error
        # The loop may have been closed meanwhile: then nobody waits for the result any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(done, result)

    def _on_loop_error(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self._log.error("event loop: %s", context.get("message"), exc_info=error)

    # -- network --

    def listen(
        self,
        host: str,
        port: int,
        make_handler: Callable[[], ConnectionHandler],
        *,
        tls: ListenerTls | None = None,
    ) -> AsyncioListener:
        listener = AsyncioListener(_bind(host, port, self.listen_backlog))
        self._listeners.append(listener)
        self._spawn(self._serve(listener, make_handler, cast("ServerCertificate | None", tls)))
        return listener

    async def _serve(
        self,
        listener: AsyncioListener,
        make_handler: Callable[[], ConnectionHandler],
        tls: ServerCertificate | None,
    ) -> None:
        def make() -> AsyncioConnection:
            handler = make_handler()
            if tls is None:
                return AsyncioConnection(self._loop, handler, self._log, self._connections)
            return TlsConnection.accepted(self._loop, handler, self._log, self._connections, certificate=tls)

        if listener.socket.fileno() >= 0:
            listener.server = await self._loop.create_server(make, sock=listener.socket, backlog=self.listen_backlog)

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
        if tls is None:
            connection = AsyncioConnection(self._loop, handler, self._log, self._connections)
        else:
            outbound = cast("OutboundContext", tls)
            connection = TlsConnection.opened(
                self._loop, handler, self._log, self._connections, outbound=outbound, host=host
            )
        self._spawn(self._open(host, port, connection, timeout_ms, failed))

    async def _open(
        self,
        host: str,
        port: int,
        connection: AsyncioConnection,
        timeout_ms: int,
        failed: Callable[[OSError], None],
    ) -> None:
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._loop.create_connection(lambda: connection, host, port)
                await connection.until_usable()
        except TimeoutError:
            error = OSError(f"no connection to {host}:{port} within {timeout_ms} ms")
        except OSError as caught:
            error = OSError(caught.errno, f"no connection to {host}:{port}: {_reason(caught)}")
        else:
            return
        # Made and lost at the same moment: the handler hears connection_lost, and must not hear of a failure too.
        if not connection.was_made:
            connection.abort()
            failed(error)

    def _spawn(self, work: Any) -> None:
        """A task for a connection or a listener, never for a message."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class AsyncioListener:
    """A bound, listening socket."""

    def __init__(self, bound: socket.socket) -> None:
        self.socket = bound
        self.server: asyncio.AbstractServer | None = None
        host, port = bound.getsockname()[:2]
        self._address = (str(host), int(port))

    @property
    def address(self) -> tuple[str, int]:
        return self._address

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
        self.socket.close()


def _new_loop(use_uvloop: bool) -> tuple[asyncio.AbstractEventLoop, str]:
    if use_uvloop:
        with contextlib.suppress(ImportError):
            return importlib.import_module("uvloop").new_event_loop(), "uvloop"
    return asyncio.new_event_loop(), "asyncio"


def _bind(host: str, port: int, backlog: int) -> socket.socket:
    """Bind and listen at once, so that a taken port is an error of the caller's start and not of some later tick."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {_reason(error)}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(address)
        bound.listen(backlog)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {_reason(error)}") from None
    return bound


def _reason(error: OSError) -> str:
    """asyncio writes "Connect call failed" over the system's words; those say more."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return str(error.strerror or error)
    return os.strerror(error.errno)


async def _settle() -> None:
    """Let cancelled tasks and closing transports hear of it."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
