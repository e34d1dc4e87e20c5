# SPDX-License-Identifier: Apache-2.0
"""A deterministic event loop with virtual time: `rmq.env.Reactor` for tests.

A `FakeWorld` is one clock, one network and any number of reactors (nodes). `run_for` and `run_until` step it: a step is
one tick of every reactor (reads, then callbacks, then blocking work); when nobody has anything to do, time moves to the
next timer. Reactors that cannot have anything to do are passed over: whatever gives one work wakes it.
"""

from __future__ import annotations

import errno
import heapq
import os
from typing import TYPE_CHECKING, TypeVar

from .clock import FakeClock
from .network import ConnectionSet, FakeNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmq.env import ConnectionHandler, Listener, ListenerTls, OutboundTls

T = TypeVar("T")

# A program that asks for a callback in each tick for ever is a bug of that program: fail instead of hanging.
TICKS_WITHOUT_TIME_MAX = 100_000


class FakeTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeReactor:
    """One node's loop. Alone (`FakeReactor()`) it makes its own world; several nodes come from `FakeWorld.reactor`."""

    def __init__(self, world: FakeWorld | None = None, host: str = "127.0.0.1") -> None:
        self.world = world if world is not None else FakeWorld()
        self.host = host
        self.connections = ConnectionSet()
        self.is_awake = True
        """There may be something to do in the next tick."""
        self._holds_blocking = False
        self._soon: list[Callable[[], None]] = []
        self._timers: list[tuple[int, int, FakeTimer]] = []
        self._blocking: list[Callable[[], None]] = []
        self._sequence = 0
        self._dead = False
        self.world.reactors.append(self)

    @property
    def hold_blocking(self) -> bool:
        """While true, work given to run_blocking waits: a disk that does not answer."""
        return self._holds_blocking

    @hold_blocking.setter
    def hold_blocking(self, holds: bool) -> None:
        self._holds_blocking = holds
        self.is_awake = True

    # -- rmq.env.Reactor

    @property
    def clock(self) -> FakeClock:
        return self.world.clock

    def call_soon(self, callback: Callable[[], None]) -> None:
        if not self._dead:
            self._soon.append(callback)
            self.is_awake = True

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> FakeTimer:
        timer = FakeTimer(callback)
        self._sequence += 1
        at_ms = self.clock.monotonic_ms() + max(0, delay_ms)
        heapq.heappush(self._timers, (at_ms, self._sequence, timer))
        self.world.wake_at(at_ms, self)
        return timer

    def run_blocking(self, work: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        def run() -> None:
            try:
                outcome: T | BaseException = work()
            except Exception as error:
                outcome = error
            self.call_soon(lambda: done(outcome))

        if not self._dead:
            self._blocking.append(run)
            self.is_awake = True

    def listen(
        self,
        host: str,
        port: int,
        make_handler: Callable[[], ConnectionHandler],
        *,
        tls: ListenerTls | None = None,
    ) -> Listener:
        return self.world.network.listen(self, host, port, make_handler, tls)

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
        def attempt() -> None:
            error = self.world.network.connect(self, host, port, handler, tls)
            if error is not None:
                failed(error)

        self.call_soon(attempt)

    # -- for tests

    def run_for(self, duration_ms: int) -> None:
        self.world.run_for(duration_ms)

    def run_until(self, condition: Callable[[], bool], timeout_ms: int = 60_000) -> None:
        self.world.run_until(condition, timeout_ms)

    def settle(self) -> None:
        """Run until nothing is left to do at this moment of time."""
        self.world.settle()

    def crash(self) -> None:
        """This node is gone: none of its callbacks runs any more, its listeners close, its peers see a reset."""
        self._dead = True
        self._soon.clear()
        self._timers.clear()
        self._blocking.clear()
        for listener in [one for one in self.world.network.listeners.values() if one.reactor is self]:
            listener.close()
        for connection in self.connections.snapshot():
            self.connections.discard_connection(connection)
            if connection.other is not None:
                connection.other.reset()
        self.world.reactors.remove(self)

    # -- what the world calls

    def tick(self) -> bool:
        """One round. False when there was nothing to do."""
        busy = self._read()
        busy = self._fire_timers() or busy
        callbacks, self._soon = self._soon, []
        for callback in callbacks:
            if not self._dead:
                callback()
        if self._blocking and not self._holds_blocking:
            blocking, self._blocking = self._blocking, []
            for run in blocking:
                run()
            busy = True
        return busy or bool(callbacks)

    def _read(self) -> bool:
        now_ms = self.clock.monotonic_ms()
        network = self.world.network
        busy = False
        for connection in self.connections.snapshot():
            if network.has_cuts and network.is_cut(connection.local[0], connection.peer[0]):
                connection.lose(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
                busy = True
            elif connection.has_work:
                busy = connection.read_ready(now_ms) or busy
                busy = connection.notice_drained() or busy
        return busy

    def _fire_timers(self) -> bool:
        now_ms = self.clock.monotonic_ms()
        busy = False
        while self._timers and self._timers[0][0] <= now_ms:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                callback, timer.callback = timer.callback, None
                self._soon.append(callback)
                busy = True
        return busy


class FakeWorld:
    """One clock, one network, many nodes."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock if clock is not None else FakeClock()
        self.network = FakeNetwork(self.clock, self.wake_all)
        self.reactors: list[FakeReactor] = []
        self._sequence = 0
        self._wakes: list[tuple[int, int, FakeReactor]] = []

    def reactor(self, host: str = "127.0.0.1") -> FakeReactor:
        return FakeReactor(self, host)

    def wake_at(self, at_ms: int, reactor: FakeReactor) -> None:
        """A timer fires or bytes arrive then."""
        self._sequence += 1
        heapq.heappush(self._wakes, (at_ms, self._sequence, reactor))

    def wake_all(self) -> None:
        """Something has changed for everybody."""
        for reactor in self.reactors:
            reactor.is_awake = True

    def settle(self) -> None:
        for _ in range(TICKS_WITHOUT_TIME_MAX):
            if not self._tick():
                return
        raise AssertionError(f"still busy after {TICKS_WITHOUT_TIME_MAX} ticks without time passing")

    def run_for(self, duration_ms: int) -> None:
        end_ms = self.clock.monotonic_ms() + duration_ms
        while True:
            self.settle()
            next_ms = self._next_event_ms()
            if next_ms is None or next_ms > end_ms:
                self.clock.advance(end_ms - self.clock.monotonic_ms())
                return
            self.clock.advance(max(0, next_ms - self.clock.monotonic_ms()))

    def run_until(self, condition: Callable[[], bool], timeout_ms: int = 60_000) -> None:
        """Step until condition holds. Raises AssertionError after timeout_ms of virtual time."""
        end_ms = self.clock.monotonic_ms() + timeout_ms
        idle_ticks = 0
        while not condition():
            if self._tick():
                idle_ticks += 1
                if idle_ticks > TICKS_WITHOUT_TIME_MAX:
                    raise AssertionError(f"still busy after {TICKS_WITHOUT_TIME_MAX} ticks without time passing")
                continue
            idle_ticks = 0
            next_ms = self._next_event_ms()
            if next_ms is None or next_ms > end_ms:
                raise AssertionError(f"not reached within {timeout_ms} ms of virtual time")
            self.clock.advance(max(0, next_ms - self.clock.monotonic_ms()))

    def _tick(self) -> bool:
        self._wake_due()
        busy = False
        for reactor in list(self.reactors):
            if reactor.is_awake:
                # Before the tick: what happens in it may ask for another one.
                reactor.is_awake = False
                if reactor.tick():
                    busy = reactor.is_awake = True
        return busy

    def _wake_due(self) -> None:
        now_ms = self.clock.monotonic_ms()
        while self._wakes and self._wakes[0][0] <= now_ms:
            heapq.heappop(self._wakes)[2].is_awake = True

    def _next_event_ms(self) -> int | None:
        """Some have come to nothing by then: a timer that was cancelled, bytes on a frozen wire."""
        return self._wakes[0][0] if self._wakes else None
