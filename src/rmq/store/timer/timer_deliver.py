# SPDX-License-Identifier: Apache-2.0
"""Puts messages into the commit log when their time has come, and does not give up.

Apache tries three times and then drops the message (timerEnableRetryUntilSuccess=false). What a producer was told is
stored is not dropped here: only what can never be stored is passed over, and named in the log.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ..put_message import HOPELESS, PutResult
from .timer_message import next_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Reactor, Timer
    from ...remoting.message import MessageExt
    from ..message_store import MessageStore
    from ..put_message import MessageToStore

#: Pause before what was refused is tried again; Apache's at its default precision.
RETRY_MS = 500

log = logging.getLogger(__name__)


class TimerDeliver:
    def __init__(self, reactor: Reactor, store: MessageStore) -> None:
        self._reactor = reactor
        self._store = store
        self._timers: set[Timer] = set()
        self._is_stopped = False
        self.delivered_end = 0
        """Physical offset behind the last delivery."""
        # With asynchronous flush nothing is waited for, as on Apache; with synchronous flush the read time must not be
        # on the disk before what it says was delivered.
        self._waits = store.config.waits_for_flush

    def stop(self) -> None:
        self._is_stopped = True
        for timer in self._timers:
            timer.cancel()

    def message(self, message: MessageExt, enqueue_ms: int, *, roll: bool = False) -> MessageToStore:
        now_ms = self._reactor.clock.now_ms()
        return next_message(message, enqueue_ms, now_ms, roll=roll, wait_store_ok=self._waits)

    def put(self, messages: list[MessageToStore], done: Callable[[], None]) -> None:
        """done is called when all are stored, or can never be; before this returns where there are none."""
        if not messages:
            done()
            return
        _Batch(self, messages, done).put(self._store, messages)

    def again(self, batch: _Batch, refused: list[MessageToStore]) -> None:
        if self._is_stopped:
            return

        def put() -> None:
            self._timers.discard(timer)
            batch.put(self._store, refused)

        timer = self._reactor.call_later(RETRY_MS, put)
        self._timers.add(timer)


class _Batch:
    def __init__(self, deliver: TimerDeliver, messages: list[MessageToStore], done: Callable[[], None]) -> None:
        self._deliver = deliver
        self._done = done
        self._open = len(messages)
        self._refused: list[MessageToStore] = []

    def put(self, store: MessageStore, messages: list[MessageToStore]) -> None:
        self._open = len(messages)
        self._refused = []
        for message in messages:
            store.put(message, partial(self._stored, message))

    def _stored(self, message: MessageToStore, result: PutResult) -> None:
        self._open -= 1
        deliver = self._deliver
        if result.status.is_stored:
            deliver.delivered_end = max(deliver.delivered_end, result.physical_offset + result.size)
        elif result.status in HOPELESS:
            log.error("timer: a message for %s cannot be stored: %s", message.topic, result.status.name)
        else:
            self._refused.append(message)
        if self._open:
            return
        if self._refused:
            deliver.again(self, self._refused)
        else:
            self._done()
