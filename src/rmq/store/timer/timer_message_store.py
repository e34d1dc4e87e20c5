# SPDX-License-Identifier: Apache-2.0
"""Timer messages, whole: Apache's TimerMessageStore.

    send      -> rmq_sys_wheel_timer queue 0, with TIMER_OUT_MS, REAL_TOPIC, REAL_QID     (the broker's processors)
    enqueue   -> a unit in the timer log, a slot of the wheel                             timer_enqueue
    dequeue   -> the real queue, or once more the timer topic where the time is far       timer_dequeue
    books     -> what survives: timer log, wheel, config/timercheck, config/timermetrics  timer_books

A master does all of it. A slave writes the same log and wheel, up to where its master is, and delivers nothing. Files
are made with the first timer message: who sends none has none.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...remoting.topic_names import TIMER_TOPIC
from ..config import BrokerRole
from ..config_manager import ConfigManager
from ..errors import StoreError
from .timer_books import QUEUE_ID, TimerBooks
from .timer_deliver import TimerDeliver
from .timer_dequeue import TimerDequeue
from .timer_enqueue import TimerEnqueue
from .timer_metrics import Rate, TimerMetrics
from .timer_wheel import SLOTS_TOTAL

if TYPE_CHECKING:
    from ...env import Disk, Reactor, Timer
    from ...remoting.bodies import TimerMetricsSerializeWrapper
    from ..message_store import MessageStore
    from .timer_checkpoint import TimerCheckpoint

#: How often timer log files without messages are looked for, as on Apache.
CLEAN_INTERVAL_MS = 30_000

log = logging.getLogger(__name__)


class TimerMessageStore:
    """`load` and `shutdown` block; everything else is called on the loop."""

    def __init__(self, store: MessageStore, disk: Disk, reactor: Reactor, *, slots_total: int = SLOTS_TOTAL) -> None:
        self._config = config = store.config
        self._store = store
        self._reactor = reactor
        self._delivers = config.broker_role is not BrokerRole.SLAVE
        self.metrics = TimerMetrics(reactor.clock, ConfigManager(disk, config.root / "config" / "timermetrics"))
        self._books = TimerBooks(config, disk, reactor.clock, store, self.metrics, slots_total=slots_total)
        self._deliver = TimerDeliver(reactor, store)
        self._enqueue = TimerEnqueue(reactor, store, self._books, self._deliver, on_taken=self._taken)
        self._dequeue = TimerDequeue(
            reactor,
            store,
            self._books,
            self._deliver,
            superseded=self._enqueue.superseded,
            on_delivered=self._delivered,
        )
        self._enqueued, self._dequeued = Rate(reactor.clock), Rate(reactor.clock)
        self._is_running = False
        self._is_closed = False
        self._is_flushing = False
        self._is_dirty = False
        self._flush_timer: Timer | None = None
        self._clean_timer: Timer | None = None

    # -- opening and closing

    def load(self) -> None:
        """Blocking, after the store's own. Raises StoreError."""
        try:
            self.metrics.load()
            self._books.load()
        except OSError as error:
            raise StoreError(f"{self._config.root}: the timer messages cannot be read: {error}") from error

    def start(self) -> None:
        self._is_running = True
        self._enqueue.delivers = self._delivers
        self._enqueue.is_running = not self._config.timer_stop_enqueue
        self._dequeue.is_running = self._delivers
        self._clean_timer = self._reactor.call_later(CLEAN_INTERVAL_MS, self._clean)
        if self._books.wheel.is_dirty:
            self._changed()
        self._dequeue.poke()
        self._enqueue.poke()

    def stop(self) -> None:
        """What is under way is taken up again after the next start."""
        self._is_running = False
        self._enqueue.stop()
        self._dequeue.stop()
        self._deliver.stop()
        for timer in (self._flush_timer, self._clean_timer):
            if timer is not None:
                timer.cancel()

    def shutdown(self) -> None:
        """Blocking, after stop() and before the store's own: everything is written and synced."""
        try:
            if self._delivers and (self._books.queue_offset or self._books.log.end):
                self._books.save()
            changes = self._books.take_changes()
            changes.write(with_checkpoint=False)
            changes.written()
            if self._delivers and self._books.log.end:
                self._books.save()
            self._books.sync_checkpoint()
        except OSError:
            # The next start makes them again from the messages.
            log.exception("the timer's files could not be written at the stop")
        finally:
            self._is_closed = True
            self._books.close()

    # -- what happens

    def message_arrived(self) -> None:
        """A message came into the timer topic."""
        self._enqueue.poke()

    def take_master_checkpoint(self, checkpoint: TimerCheckpoint) -> None:
        """A slave: what its master answered to 60. Raises ValueError where the file cannot be written."""
        if self._delivers or not self._is_running:
            return
        try:
            self._books.take(checkpoint)
        except OSError as error:
            raise ValueError(f"the timer checkpoint cannot be written: {error}") from error
        self._enqueue.poke()

    def take_master_metrics(self, stored: TimerMetricsSerializeWrapper) -> None:
        """A slave: what its master answered to 61."""
        self.metrics.take(stored)
        if self.metrics.is_dirty:
            self._changed()

    def _taken(self, count: int) -> None:
        self._enqueued.add(count)
        self._save()
        self._dequeue.poke()

    def _delivered(self, count: int) -> None:
        self._dequeued.add(count)
        self._save()

    def _save(self) -> None:
        if self._is_closed:
            return
        if self._delivers:
            try:
                self._books.save()
            except OSError as error:
                log.warning("timer: the checkpoint cannot be written: %s", error)
        self._changed()

    # -- asked by others

    def checkpoint(self) -> TimerCheckpoint:
        return self._books.checkpoint()

    def waiting_at(self, time_ms: int) -> int:
        """Messages less recalls in the slot of that time."""
        return self._books.wheel.count(time_ms)

    def runtime_info(self) -> dict[str, str]:
        """The timer's part of request 28."""
        self._books.turn()
        behind_ms = max(0, self._reactor.clock.now_ms() - self._books.read_time_ms)
        offset_behind = self._store.max_offset(TIMER_TOPIC, QUEUE_ID) - self._books.queue_offset
        return {
            "timerReadBehind": str(behind_ms // 1000),
            "timerOffsetBehind": str(max(0, offset_behind)),
            "timerCongestNum": str(self._books.wheel.pending + len(self._books.overdue)),
            "timerEnqueueTps": str(self._enqueued.for_each_second()),
            "timerDequeueTps": str(self._dequeued.for_each_second()),
        }

    # -- files

    def _changed(self) -> None:
        self._is_dirty = True
        if self._is_running and self._flush_timer is None and not self._is_flushing:
            self._flush_timer = self._reactor.call_later(self._config.timer_flush_interval_ms, self._flush)

    def _flush(self) -> None:
        self._flush_timer = None
        self._is_flushing, self._is_dirty = True, False
        # The checkpoint on the disk must not tell of a delivery that is not on it.
        with_checkpoint = self._store.flushed_physical_offset >= self._deliver.delivered_end
        changes = self._books.take_changes()

        def flushed(outcome: BaseException | None) -> None:
            self._is_flushing = False
            if isinstance(outcome, OSError) and changes.is_lost:
                self._store.fail(outcome)
                return
            if isinstance(outcome, BaseException):
                log.warning("timer: its files cannot be written: %s", outcome)
                changes.failed()
            else:
                changes.written()
            if self._is_dirty or isinstance(outcome, BaseException) or not with_checkpoint:
                self._changed()

        self._reactor.run_blocking(lambda: changes.write(with_checkpoint=with_checkpoint), flushed)

    def _clean(self) -> None:
        self._clean_timer = self._reactor.call_later(CLEAN_INTERVAL_MS, self._clean)
        if self._is_flushing or len(self._books.log.files.starts) < 2:
            return
        try:
            paths = self._books.log.detach_expired(self._store.min_physical_offset)
        except OSError as error:
            log.warning("timer: old files of the timer log cannot be looked at: %s", error)
            return
        if paths:
            self._reactor.run_blocking(lambda: self._books.log.files.unlink(paths), _report)


def _report(outcome: BaseException | None) -> None:
    if isinstance(outcome, BaseException):
        log.warning("timer: old files of the timer log cannot be removed: %s", outcome)
