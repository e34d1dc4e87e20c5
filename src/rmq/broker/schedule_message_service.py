# SPDX-License-Identifier: Apache-2.0
"""Delayed messages: the queues of SCHEDULE_TOPIC_XXXX and what of them is due. Answers to ScheduleMessageService.

A delayed message is stored under SCHEDULE_TOPIC_XXXX in queue (level - 1), with its real topic and queue in two
properties. All messages of a level wait equally long, so each queue is in the order of its deliver times and one timer
for each level is enough:

    state of a level   event               what happens
    idle               message arrived     timer for its deliver time
    waiting            timer               deliver what is due, up to BATCH messages
    delivering         all are stored      offset moves on; next batch, or waiting, or idle
    delivering         one is refused      offset stands at it; it alone again after RETRY_MS
    delivering         it can never be     named in the log and passed over: what comes after it must not wait for ever

The offset of each level is in delayOffset.json. After a crash what was delivered since its last write is delivered
again (at least once, as on Apache; the file is written each 10 s there too).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from ..remoting.bodies import DataVersion, DelayOffsetSerializeWrapper
from ..remoting.message import RecordError, decode_records
from ..remoting.message_const import PROPERTY_REAL_QUEUE_ID, PROPERTY_REAL_TOPIC, TIMER_KEYS
from ..remoting.message_properties import (
    CRC_PROPERTY_BYTES,
    PROPERTIES_MAX_BYTES,
    decode_properties,
    encode_properties,
)
from ..remoting.topic_names import SCHEDULE_TOPIC
from ..store.put_message import HOPELESS, MessageToStore, put_again
from .durable_table import DurableTable
from .message_properties import without_crc

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Reactor, Timer
    from ..remoting.message import MessageExt
    from ..store.message_store import MessageStore
    from ..store.put_message import PutResult
    from .broker_config import BrokerConfig
    from .durable_table import ConfigFile

#: Messages of one level that are in the store's hands at a time: bounds memory, and the loop is never held long.
BATCH = 64

#: Apache's DELAY_FOR_A_WHILE: pause after a message could not be delivered.
RETRY_MS = 100

#: Pause after the disk could not be read.
READ_RETRY_MS = 1_000
#: Damage is mended each 10 s; what waits behind a damaged message waits no longer than for three rounds of it.
MENDED_LOOK_MS = 10_000
MENDED_WITHIN_MS = 30_000

#: What all of TIMER_KEYS begin with.
_TIMER_MARK = "TIMER_DE"

log = logging.getLogger(__name__)


def delayed(message: MessageToStore, level: int, delay_levels_ms: tuple[int, ...]) -> MessageToStore:
    """The same message on its way to the delay queue of that level; a level beyond the last is the last.

    A level wins over a timer: what asked for one is taken out, as Apache does."""
    level = min(level, len(delay_levels_ms))
    if _TIMER_MARK in message.properties:
        kept = {key: value for key, value in decode_properties(message.properties).items() if key not in TIMER_KEYS}
        message = message._replace(properties=encode_properties(kept))
    origin = encode_properties({PROPERTY_REAL_TOPIC: message.topic, PROPERTY_REAL_QUEUE_ID: str(message.queue_id)})
    return message._replace(topic=SCHEDULE_TOPIC, queue_id=level - 1, properties=message.properties + origin)


@dataclass
class _Level:
    number: int
    delay_ms: int
    queue_offset: int = 0
    timer: Timer | None = None
    is_delivering: bool = False
    #: The place of a message that lacks, and since when it is waited for.
    hole_at: int = -1
    hole_since_ms: int = 0


class ScheduleMessageService:
    """Runs on masters only; a slave keeps the table its master sends."""

    def __init__(
        self,
        config: BrokerConfig,
        delay_levels_ms: tuple[int, ...],
        store: MessageStore,
        reactor: Reactor,
        file: ConfigFile,
        *,
        count_delivered: Callable[[str, int], None],
    ) -> None:
        """`count_delivered(topic, size_bytes)` is told of each message that went into its real queue."""
        self._count_delivered = count_delivered
        self._store = store
        self._reactor = reactor
        self._clock = reactor.clock
        self._version_step = config.delay_offset_update_version_step
        # What was delivered has to be on the disk before the file says that it was.
        self._table = DurableTable(reactor, file, self.to_json_value, when_ready=store.when_flushed)
        self.data_version = DataVersion(timestamp=reactor.clock.now_ms())
        self._levels = {number: _Level(number, delay_ms) for number, delay_ms in enumerate(delay_levels_ms, start=1)}
        #: As the file has them: a level without a message has no entry.
        self._offsets: dict[int, int] = {}
        self._updates = 0
        self._is_running = False
        self._dirty = False

    @property
    def is_running(self) -> bool:
        return self._is_running

    def load(self) -> None:
        """Raises StoreError."""
        stored = self._table.load(DelayOffsetSerializeWrapper.from_json_value)
        if stored is not None:
            self.take(stored)

    def start(self) -> None:
        self._is_running = True
        for level in self._levels.values():
            level.queue_offset = self._within_queue(level.number, self._offsets.get(level.number, 0))
            self._deliver(level)

    def stop(self) -> None:
        self._is_running = False
        for level in self._levels.values():
            self._set_timer(level, None)

    def persist_if_changed(self) -> None:
        if self._dirty:
            self._dirty = False
            self._table.persist()

    def flush(self, again: Callable[[], None]) -> bool:
        return self._table.flush(again)

    def message_arrived(self, queue_id: int) -> None:
        """A message came into this queue of SCHEDULE_TOPIC_XXXX."""
        level = self._levels.get(queue_id + 1)
        if level is not None and self._is_running and not level.is_delivering and level.timer is None:
            self._deliver(level)

    def take(self, stored: DelayOffsetSerializeWrapper) -> None:
        """From the file, or what a slave's master answered (45)."""
        self._offsets.update(stored.offset_table)
        self.data_version = stored.data_version
        self._dirty = True

    def wrapper(self) -> DelayOffsetSerializeWrapper:
        return DelayOffsetSerializeWrapper(self.data_version, dict(self._offsets))

    def to_json_value(self) -> dict[str, Any]:
        return self.wrapper().to_json_value()

    def runtime_info(self) -> dict[str, str]:
        """`scheduleMessageOffset_<level>` -> delivered,end."""
        return {
            f"scheduleMessageOffset_{level}": f"{offset},{self._store.max_offset(SCHEDULE_TOPIC, level - 1)}"
            for level, offset in self._offsets.items()
        }

    def _within_queue(self, level: int, queue_offset: int) -> int:
        first = self._store.min_offset(SCHEDULE_TOPIC, level - 1)
        end = self._store.max_offset(SCHEDULE_TOPIC, level - 1)
        return min(max(queue_offset, first), end)

    def _deliver(self, level: _Level) -> None:
        level.timer = None
        if not self._is_running:
            return
        try:
            found = self._store.get(SCHEDULE_TOPIC, level.number - 1, level.queue_offset, BATCH)
        except OSError as error:
            log.warning("delayed messages of level %d cannot be read: %s", level.number, error)
            self._set_timer(level, READ_RETRY_MS)
            return
        if not found.message_count:
            at = self._within_queue(level.number, max(level.queue_offset, found.next_begin_offset))
            is_last = at >= self._store.max_offset(SCHEDULE_TOPIC, level.number - 1)
            if at != level.queue_offset and is_last and self._store.mending.damaged:
                # The other broker may have it, and nothing behind it waits.
                self._set_timer(level, MENDED_LOOK_MS)
            elif at != level.queue_offset:
                # The files of those before are gone: what is left must not wait for the next message to come.
                self._move(level, at)
                self._set_timer(level, 0)
            return
        try:
            messages = decode_records(b"".join(found.frames), check_crc=False)
        except RecordError as error:
            log.error("a delayed message of level %d cannot be read and is passed over: %s", level.number, error)
            self._move(level, found.next_begin_offset)
            self._set_timer(level, 0)
            return
        if self._store.mending.damaged:
            messages = self._before_a_hole(level, messages)
            if not messages:
                self._set_timer(level, READ_RETRY_MS)
                return
        now_ms = self._clock.now_ms()
        # A clock that was set back makes a later one due first: it waits, or the offset would pass those before it.
        due = list(takewhile(lambda message: self._deliver_time_ms(level, message, now_ms) <= now_ms, messages))
        if due:
            _Delivery(self, level, due).put(self._store)
        else:
            if level.number not in self._offsets:
                self._move(level, level.queue_offset)
            self._set_timer(level, self._deliver_time_ms(level, messages[0], now_ms) - now_ms)

    def _before_a_hole(self, level: _Level, messages: list[MessageExt]) -> list[MessageExt]:
        """Those up to the first one that lacks. One that lacks at once is waited for, for a while: the other broker may
        have it."""
        before = [one for number, one in enumerate(messages, level.queue_offset) if one.queue_offset == number]
        if before:
            return before
        now_ms = self._clock.monotonic_ms()
        if level.hole_at != level.queue_offset:
            level.hole_at, level.hole_since_ms = level.queue_offset, now_ms
        return [] if now_ms - level.hole_since_ms < MENDED_WITHIN_MS else messages

    def _deliver_time_ms(self, level: _Level, message: MessageExt, now_ms: int) -> int:
        """Store time plus delay. A clock that was set back must not hold a message for longer than its level says."""
        deliver_ms = message.store_timestamp_ms + level.delay_ms
        return deliver_ms if deliver_ms <= now_ms + level.delay_ms else now_ms

    def stored(self, message: MessageExt, result: PutResult) -> None:
        self._count_delivered(message.properties.get(PROPERTY_REAL_TOPIC, message.topic), result.size)

    def delivered(self, level: _Level, next_offset: int) -> None:
        """By a delivery that is over: everything before next_offset is in its real queue."""
        level.is_delivering = False
        self._move(level, next_offset)
        if self._is_running:
            self._set_timer(level, 0)

    def refused(self, level: _Level, delivery: _Delivery, first_open: int) -> None:
        """By a delivery some of which is refused, the first of it at first_open."""
        level.is_delivering = False
        self._move(level, first_open)
        if self._is_running:
            self._set_timer(level, RETRY_MS, lambda: delivery.put(self._store))

    def _move(self, level: _Level, queue_offset: int) -> None:
        level.queue_offset = queue_offset
        self._offsets[level.number] = queue_offset
        self._dirty = True
        self._updates += 1
        if self._updates % self._version_step == 0:
            self.data_version = self.data_version.next_version(self._clock.now_ms())

    def _set_timer(self, level: _Level, delay_ms: int | None, work: Callable[[], None] | None = None) -> None:
        if level.timer is not None:
            level.timer.cancel()
        run = work or partial(self._deliver, level)
        level.timer = None if delay_ms is None else self._reactor.call_later(delay_ms, run)


class _Delivery:
    """Some due messages of one level on their way into their real queues, in order. What is stored is not put once
    more while others of them are refused: their consumers would get it again with each try."""

    def __init__(self, service: ScheduleMessageService, level: _Level, messages: list[MessageExt]) -> None:
        self._service = service
        self._level = level
        self._messages = messages
        self._end = messages[-1].queue_offset + 1
        self._answers = 0
        self._refused: list[MessageExt] = []

    def put(self, store: MessageStore) -> None:
        self._level.timer = None
        self._level.is_delivering = True
        self._answers = 0
        self._refused = []
        for message in self._messages:
            store.put(real_message(message), partial(self._stored, message))

    def _stored(self, message: MessageExt, result: PutResult) -> None:
        self._answers += 1
        if result.status.is_stored:
            self._service.stored(message, result)
        elif result.status in HOPELESS:
            # A limit is lower than when it was sent.
            log.error(
                "delayed message %d of level %d (at %d of the commit log) cannot be stored and is passed over: %s",
                message.queue_offset,
                self._level.number,
                message.physical_offset,
                result.status.name,
            )
        else:
            self._refused.append(message)
        if self._answers < len(self._messages):
            return
        if self._refused:
            self._messages = sorted(self._refused, key=lambda one: one.queue_offset)
            self._service.refused(self._level, self, self._messages[0].queue_offset)
        else:
            self._service.delivered(self._level, self._end)


def real_message(message: MessageExt) -> MessageToStore:
    """What is stored when the delay is over. Its properties still name level and real topic, as Apache leaves them,
    except where there is no room: an engine that writes no checksum into them has left none for ours."""
    properties = without_crc(message.properties)
    topic = properties.get(PROPERTY_REAL_TOPIC, message.topic)
    queue_id = int(properties.get(PROPERTY_REAL_QUEUE_ID, "0"))
    if len(encode_properties(properties).encode("utf-8", "replace")) > PROPERTIES_MAX_BYTES - CRC_PROPERTY_BYTES - 1:
        properties.pop(PROPERTY_REAL_TOPIC, None)
        properties.pop(PROPERTY_REAL_QUEUE_ID, None)
    return put_again(message, topic, queue_id, properties)
