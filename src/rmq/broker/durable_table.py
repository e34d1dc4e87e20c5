# SPDX-License-Identifier: Apache-2.0
"""One table of a manager and its JSON file: written in a thread, never by the loop, several changes in one write.

A change is made in memory first; `persist(done)` asks for a write and calls done when a write that holds the change
has reached the disk. While one write runs, all further changes wait for one next write, so a storm of new topics costs
few writes. A write that fails (the disk is full) is told to those who wait, and is tried again until the file holds
what the memory does: nobody else may ever ask for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..env import Reactor, Timer

    #: Called on the loop with None, or with why the table could not be written.
    Persisted = Callable[[Exception | None], None]
    WhenReady = Callable[[Callable[[], None]], None]

T = TypeVar("T")

#: Pause before a table that could not be written is written again.
RETRY_MS = 5_000

log = logging.getLogger(__name__)


class ConfigFile(Protocol):
    """The file behind a table, `store.config_manager.ConfigManager`. Both calls block."""

    def load(self, read: Callable[[Any], Any] | None = None) -> Any | None: ...

    def persist(self, value: object) -> None: ...


class Flushable(Protocol):
    def flush(self, again: Callable[[], None]) -> bool:
        """As DurableTable's."""
        ...


def flush_all(tables: Sequence[Flushable], done: Callable[[list[OSError]], None]) -> None:
    """Write every table, waiting for those that a thread is writing; done gets the errors: one that cannot be written
    keeps none of the others from its file. Blocks."""
    _flush_from(tables, [], done)


def _flush_from(tables: Sequence[Flushable], faults: list[OSError], done: Callable[[list[OSError]], None]) -> None:
    for number, table in enumerate(tables):
        try:
            if not table.flush(partial(_flush_from, tables[number:], faults, done)):
                return
        except OSError as error:
            faults.append(error)
    done(faults)


def at_once(write: Callable[[], None]) -> None:
    """Nothing has to be on the disk before the table is."""
    write()


@dataclass(frozen=True, eq=False)
class _Pending:
    """What is to be written when it may be."""

    value: object
    waiting: list[Persisted]


class DurableTable:
    def __init__(
        self,
        reactor: Reactor,
        file: ConfigFile,
        snapshot: Callable[[], object],
        *,
        when_ready: WhenReady = at_once,
    ) -> None:
        """snapshot returns the table as a JSON value that later changes do not touch. when_ready: calls back when what
        the table says by now may be on the disk (MessageStore.when_flushed); a clean stop does not ask it."""
        self._reactor = reactor
        self._file = file
        self._snapshot = snapshot
        self._when_ready = when_ready
        self._waiting: list[Persisted] = []
        self._waiting_for_flush: list[Callable[[], None]] = []
        self._wanted = False
        self._pending: _Pending | None = None
        self._writing = False
        self._retry: Timer | None = None

    def load(self, read: Callable[[Any], T] | None = None) -> T | Any | None:
        """The stored value, None for a store without one; `read` makes the table of it and may raise BodyError. Blocks;
        before the loop runs. Raises StoreError."""
        return self._file.load(read)

    def persist(self, done: Persisted | None = None) -> None:
        if done is not None:
            self._waiting.append(done)
        if not self._wanted:
            self._wanted = True
            self._reactor.call_soon(self._write)

    def flush(self, again: Callable[[], None]) -> bool:
        """Write now, blocking: at a clean stop. False while a thread replaces the same file: two at a time would take
        each other's temporary file. `again` is then called when it has. Raises OSError."""
        if self._writing:
            self._waiting_for_flush.append(again)
            return False
        self._wanted = False
        if self._retry is not None:
            self._retry.cancel()
        pending, self._pending = self._pending, None
        self._file.persist(self._snapshot())
        for done in () if pending is None else pending.waiting:
            done(None)
        return True

    def _write(self) -> None:
        if self._writing or self._pending is not None or not self._wanted:
            return
        self._wanted = False
        waiting, self._waiting = self._waiting, []
        pending = self._pending = _Pending(self._snapshot(), waiting)
        self._when_ready(lambda: self._write_pending(pending))

    def _write_pending(self, pending: _Pending) -> None:
        if self._pending is not pending:
            # A clean stop did not wait, and has written what came since, too.
            return
        self._pending = None
        self._writing = True
        self._reactor.run_blocking(
            lambda: self._file.persist(pending.value), lambda result: self._written(result, pending.waiting)
        )

    def _written(self, result: BaseException | None, waiting: list[Persisted]) -> None:
        self._writing = False
        fault = result if isinstance(result, Exception) else None
        if fault is not None:
            log.error("a configuration table could not be written: %s", fault)
            self._retry = self._reactor.call_later(RETRY_MS, self.persist)
        for done in waiting:
            done(fault)
        flushes, self._waiting_for_flush = self._waiting_for_flush, []
        for again in flushes:
            again()
        self._write()
