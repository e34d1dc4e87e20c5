# SPDX-License-Identifier: Apache-2.0
"""What is due: from the wheel into the real queues. Apache's TimerDequeue services in one.

One timer waits for the earliest slot; a slot is due when its time and one precision are over, so no message is early.

    state       event              what happens
    waiting     slot is due        its chain is walked in a thread: positions of recalls and of messages
    walking     walked             recalls are read first, then the messages, BATCH at a time, in the order they came
    delivering  batch is stored    next batch
    delivering  last one is        read time moves on, is written down; next slot

After a crash in a slot the whole slot is delivered again, as on Apache. A slot with a damaged message waits for a
while: the pair's other broker may have its bytes.
"""

from __future__ import annotations

import logging
from array import array
from typing import TYPE_CHECKING

from ...remoting.message import RecordError, decode_record
from ...remoting.message_const import PROPERTY_TIMER_DEL_UNIQKEY
from ...remoting.topic_names import TIMER_TOPIC
from .timer_books import QUEUE_ID
from .timer_message import is_recall, out_time_ms, real_topic, recalled_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Reactor, Timer
    from ...remoting.message import MessageExt
    from ..message_store import MessageStore
    from .timer_books import TimerBooks
    from .timer_deliver import TimerDeliver
    from .timer_log import TimerLogReader, TimerUnit

BATCH = 256
RETRY_MS = 500

#: How often a slot is read again in which a message is damaged: time enough to have the bytes of the other broker.
MEND_TRIES = 60

#: The loop looks at the wall clock so often even when the next slot is far: the clock may be set.
LOOK_MS = 60_000

log = logging.getLogger(__name__)


class TimerDequeue:
    def __init__(
        self,
        reactor: Reactor,
        store: MessageStore,
        books: TimerBooks,
        deliver: TimerDeliver,
        *,
        superseded: set[int],
        on_delivered: Callable[[int], None],
    ) -> None:
        """superseded: physical offsets of messages to be left out. on_delivered(how many): after each slot, when its
        read time is to be written down."""
        self.is_running = False
        self.reactor = reactor
        self.store = store
        self.books = books
        self.deliver = deliver
        self.superseded = superseded
        self._on_delivered = on_delivered
        self._is_busy = False
        self._timer: Timer | None = None

    def stop(self) -> None:
        self.is_running = False
        self._cancel()

    def poke(self) -> None:
        """The wheel has changed."""
        if not self.is_running or self._is_busy:
            return
        self._cancel()
        books, wheel = self.books, self.books.wheel
        if books.is_behind:
            return
        now_ms = self.reactor.clock.now_ms()
        if books.overdue:
            # The first slot that the wheel itself has, or now.
            first = wheel.first_time()
            self._begin(books.overdue, min(wheel.floor(now_ms), now_ms if first is None else first))
            return
        first = wheel.first_time()
        if first is None:
            return
        due_ms = first + wheel.precision_ms
        if due_ms > now_ms:
            self.later(self.poke, min(due_ms - now_ms, LOOK_MS))
            return
        slot = wheel.slot(first)
        assert slot is not None, first
        self._begin_chains([*books.chains.get(first, ()), slot.last], due_ms)

    def later(self, callback: Callable[[], None], delay_ms: int = RETRY_MS) -> None:
        self._timer = self.reactor.call_later(delay_ms, callback)

    def finished(self, delivered: int) -> None:
        """By a slot that is over."""
        self._is_busy = False
        self.books.overdue = array("q")
        self.books.finish()
        self._on_delivered(delivered)
        self.poke()

    def _begin(self, positions: array[int], until_ms: int) -> None:
        self._is_busy = True
        self.books.begin(until_ms)
        reader = self.books.log.reader()
        self._walk(lambda: _parted(reader, positions))

    def _begin_chains(self, ends: list[int], until_ms: int) -> None:
        self._is_busy = True
        self.books.begin(until_ms)
        reader = self.books.log.reader()
        self._walk(lambda: _parted(reader, _chains(reader, ends)))

    def _walk(self, work: Callable[[], tuple[array[int], array[int]]]) -> None:
        def walked(outcome: tuple[array[int], array[int]] | BaseException) -> None:
            if not self.is_running:
                return
            if isinstance(outcome, BaseException):
                log.warning("timer: the timer log cannot be read: %s", outcome)
                self.later(lambda: self._walk(work))
            else:
                _Slot(self, *outcome).next()

        self.reactor.run_blocking(work, walked)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Slot:
    """The messages of one slot on their way into their real queues."""

    def __init__(self, dequeue: TimerDequeue, recalls: array[int], messages: array[int]) -> None:
        self._dequeue = dequeue
        self._recalls = recalls
        self._messages = messages
        self._done = 0
        self._tries = 0
        self._delivered = 0
        self._seen: set[int] = set()
        self._keys: dict[str, str] = {}
        """TIMER_DEL_UNIQKEY -> topic, of recalls that have not met their message."""
        self._hit: set[str] = set()

    def next(self) -> None:
        """The next batch: all recalls come before all messages."""
        total = len(self._recalls)
        if self._done < total:
            positions = self._recalls[self._done : self._done + BATCH]
        else:
            positions = self._messages[self._done - total : self._done - total + BATCH]
        if not positions:
            # Also after stop(): what is stored must not be delivered again.
            self._finish()
            return
        if not self._dequeue.is_running:
            return
        reader = self._dequeue.books.log.reader()

        def found(units: list[TimerUnit | None] | BaseException) -> None:
            if isinstance(units, BaseException):
                self._failed(units)
            else:
                self._read(len(positions), [one for one in units if one is not None and self._is_new(one)])

        self._dequeue.reactor.run_blocking(lambda: [reader.unit(position) for position in positions], found)

    def _is_new(self, unit: TimerUnit) -> bool:
        """A crash of Apache's engine leaves some messages with two units."""
        return unit.physical_offset not in self._seen and unit.physical_offset not in self._dequeue.superseded

    def _read(self, count: int, units: list[TimerUnit]) -> None:
        places = [(unit.physical_offset, unit.size) for unit in units]

        def read(records: list[bytes | None] | OSError) -> None:
            if isinstance(records, OSError):
                self._failed(records)
            else:
                self._take(count, units, records)

        self._dequeue.store.read_records(places, read)

    def _failed(self, error: BaseException) -> None:
        if self._dequeue.is_running:
            log.warning("timer: messages that are due cannot be read: %s", error)
            self._dequeue.later(self.next)

    def _take(self, count: int, units: list[TimerUnit], records: list[bytes | None]) -> None:
        if not self._dequeue.is_running:
            return
        decoded = [_decoded(record) for record in records]
        damaged = [unit for unit, one in zip(units, decoded, strict=True) if isinstance(one, RecordError)]
        if damaged and self._tries < MEND_TRIES:
            self._wait_for_mending(damaged)
            return
        to_put = []
        for unit, one in zip(units, decoded, strict=True):
            if unit.physical_offset in self._seen:
                continue
            self._seen.add(unit.physical_offset)
            message = _timer_message(unit, one)
            if message is None:
                continue
            if unit.is_delete:
                self._keys[message.properties.get(PROPERTY_TIMER_DEL_UNIQKEY, "")] = real_topic(message)
            elif unit.is_roll or not self._is_recalled(message):
                if not unit.is_roll and is_recall(message):
                    continue
                self._dequeue.books.metrics.add(real_topic(message), 1 if is_recall(message) else -1)
                to_put.append(self._dequeue.deliver.message(message, unit.write_time_ms, roll=unit.is_roll))
        self._done += count
        self._delivered += len(to_put)
        self._dequeue.deliver.put(to_put, self.next)

    def _wait_for_mending(self, damaged: list[TimerUnit]) -> None:
        store = self._dequeue.store
        self._tries += 1
        try:
            for unit in damaged:
                # Whoever asks for its unit has the record looked at, and the damage named.
                queue_offset = store.queue_offset_at(TIMER_TOPIC, QUEUE_ID, unit.physical_offset)
                store.units(TIMER_TOPIC, QUEUE_ID, queue_offset, 1)
        except OSError as error:
            log.warning("timer: a damaged message cannot be looked at: %s", error)
        self._dequeue.later(self.next)

    def _is_recalled(self, message: MessageExt) -> bool:
        key = recalled_by(message, self._keys.keys())
        if key is not None:
            self._hit.add(key)
        return key is not None

    def _finish(self) -> None:
        for key, topic in self._keys.items():
            if key not in self._hit:
                # Its unit was counted as one message less, but there was none.
                self._dequeue.books.metrics.add(topic, 1)
        self._dequeue.finished(self._delivered)


def _chains(reader: TimerLogReader, ends: list[int]) -> array[int]:
    """Positions of all units of these chains, the oldest first."""
    positions = array("q")
    seen: set[int] = set()
    for end in ends:
        position = end
        while position >= 0 and position not in seen:
            unit = reader.unit(position)
            if unit is None:
                break
            if len(ends) > 1:
                seen.add(position)
            positions.append(position)
            # A chain leads back in the log; anything else is damage.
            position = unit.previous if unit.previous < position else -1
    if len(ends) > 1:
        return array("q", sorted(positions))
    positions.reverse()
    return positions


def _parted(reader: TimerLogReader, positions: array[int]) -> tuple[array[int], array[int]]:
    """Recalls, messages."""
    recalls, messages = array("q"), array("q")
    for position in positions:
        unit = reader.unit(position)
        if unit is not None:
            (recalls if unit.is_delete else messages).append(position)
    return recalls, messages


def _decoded(record: bytes | None) -> MessageExt | RecordError | None:
    try:
        return None if record is None else decode_record(record)
    except RecordError as error:
        return error


def _timer_message(unit: TimerUnit, found: MessageExt | RecordError | None) -> MessageExt | None:
    """The message of a unit, if it is one and not another record that begins at the same place."""
    if isinstance(found, RecordError):
        fault: object = found
    elif found is None:
        fault = "gone"
    elif out_time_ms(found) is None or found.physical_offset != unit.physical_offset:
        fault = "it is no timer message"
    else:
        return found
    log.error("timer: the message at %d cannot be delivered: %s", unit.physical_offset, fault)
    return None
