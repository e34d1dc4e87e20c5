# SPDX-License-Identifier: Apache-2.0
"""One table of a manager and its JSON file: written in a thread, never by the loop, several changes in one write.

A change is made in memory first; `persist(done)` asks for a write and calls done when a write that holds the change
has reached the disk. While one write runs, all further changes wait for one next write, so a storm of new topics costs
few writes. A write that fails (the disk is full) is told to those who wait, and is tried again until the file holds
what the memory does: nobody else may ever ask for it.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..env import Reactor, Timer

    #: Called on the loop with None, or with why the table could not be written.
    Persisted = Callable[[Exception | None], None]

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


class DurableTable:
    def __init__(self, reactor: Reactor, file: ConfigFile, snapshot: Callable[[], object]) -> None:
        """snapshot returns the table as a JSON value that later changes do not touch."""
        self._reactor = reactor
        self._file = file
        self._snapshot = snapshot
        self._waiting: list[Persisted] = []
        self._waiting_for_flush: list[Callable[[], None]] = []
        self._wanted = False
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
        self._file.persist(self._snapshot())
        return True

    def _write(self) -> None:
        if self._writing or not self._wanted:
            return
        self._wanted = False
        self._writing = True
        waiting, self._waiting = self._waiting, []
        value = self._snapshot()
        self._reactor.run_blocking(lambda: self._file.persist(value), lambda result: self._written(result, waiting))

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
