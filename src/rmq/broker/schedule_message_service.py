# SPDX-License-Identifier: Apache-2.0
"""Delayed messages: the queues of SCHEDULE_TOPIC_XXXX and what of them is due. Answers to ScheduleMessageService.

A delayed message is stored under SCHEDULE_TOPIC_XXXX in queue (level - 1), with its real topic and queue in two
properties. All messages of a level wait equally long, so each queue is in the order of its deliver times and one timer
for each level is enough:

    state of a level   event               what happens
    idle               message arrived     timer for its deliver time
    waiting            timer               deliver what is due, up to BATCH messages
    delivering         all are stored      offset moves on; next batch, or waiting, or idle
    delivering         one is refused      offset stands at it; again after RETRY_MS

The offset of each level is in delayOffset.json. After a crash what was delivered since its last write is delivered
again (at least once, as on Apache; the file is written each 10 s there too).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..remoting.bodies import DataVersion, DelayOffsetSerializeWrapper
from ..remoting.message import RecordError, decode_records
from ..remoting.message_const import PROPERTY_REAL_QUEUE_ID, PROPERTY_REAL_TOPIC, TIMER_KEYS
from ..remoting.message_properties import decode_properties, encode_properties
from ..remoting.topic_names import SCHEDULE_TOPIC
from ..store.put_message import MessageToStore, put_again
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
        self._table = DurableTable(reactor, file, self.to_json_value)
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
        found = self._store.get(SCHEDULE_TOPIC, level.number - 1, level.queue_offset, BATCH)
        if not found.message_count:
            level.queue_offset = self._within_queue(level.number, level.queue_offset)
            return
        try:
            messages = decode_records(b"".join(found.frames), check_crc=False)
        except RecordError as error:
            log.error("a delayed message of level %d cannot be read and is passed over: %s", level.number, error)
            self._move(level, found.next_begin_offset)
            self._set_timer(level, 0)
            return
        now_ms = self._clock.now_ms()
        due = [message for message in messages if self._deliver_time_ms(level, message, now_ms) <= now_ms]
        if due:
            _Delivery(self, level, due).start(self._store)
        else:
            if level.number not in self._offsets:
                self._move(level, level.queue_offset)
            self._set_timer(level, self._deliver_time_ms(level, messages[0], now_ms) - now_ms)

    def _deliver_time_ms(self, level: _Level, message: MessageExt, now_ms: int) -> int:
        """Store time plus delay. A clock that was set back must not hold a message for longer than its level says."""
        deliver_ms = message.store_timestamp_ms + level.delay_ms
        return deliver_ms if deliver_ms <= now_ms + level.delay_ms else now_ms

    def stored(self, message: MessageExt, result: PutResult) -> None:
        self._count_delivered(message.properties.get(PROPERTY_REAL_TOPIC, message.topic), result.size)

    def delivered(self, level: _Level, next_offset: int, *, all_stored: bool) -> None:
        """By a delivery that is over: everything before next_offset is in its real queue."""
        level.is_delivering = False
        self._move(level, next_offset)
        if self._is_running:
            self._set_timer(level, 0 if all_stored else RETRY_MS)

    def _move(self, level: _Level, queue_offset: int) -> None:
        level.queue_offset = queue_offset
        self._offsets[level.number] = queue_offset
        self._dirty = True
        self._updates += 1
        if self._updates % self._version_step == 0:
            self.data_version = self.data_version.next_version(self._clock.now_ms())

    def _set_timer(self, level: _Level, delay_ms: int | None) -> None:
        if level.timer is not None:
            level.timer.cancel()
        level.timer = None if delay_ms is None else self._reactor.call_later(delay_ms, lambda: self._deliver(level))


class _Delivery:
    """Some due messages of one level on their way into their real queues, in order."""

    def __init__(self, service: ScheduleMessageService, level: _Level, messages: list[MessageExt]) -> None:
        self._service = service
        self._level = level
        self._messages = messages
        self._answers = 0
        self._refused_at = len(messages)

    def start(self, store: MessageStore) -> None:
        self._level.is_delivering = True
        for index, message in enumerate(self._messages):
            store.put(real_message(message), partial(self._stored, index))

    def _stored(self, index: int, result: PutResult) -> None:
        self._answers += 1
        if result.status.is_stored:
            self._service.stored(self._messages[index], result)
        else:
            self._refused_at = min(self._refused_at, index)
        if self._answers < len(self._messages):
            return
        all_stored = self._refused_at == len(self._messages)
        first_open = (
            self._messages[-1].queue_offset + 1 if all_stored else self._messages[self._refused_at].queue_offset
        )
        self._service.delivered(self._level, first_open, all_stored=all_stored)


def real_message(message: MessageExt) -> MessageToStore:
    """What is stored when the delay is over. Its properties still name level and real topic, as Apache leaves them."""
    properties = without_crc(message.properties)
    topic = properties.get(PROPERTY_REAL_TOPIC, message.topic)
    return put_again(message, topic, int(properties.get(PROPERTY_REAL_QUEUE_ID, "0")), properties)
