# SPDX-License-Identifier: Apache-2.0
"""Brings back what consumers have not acknowledged in time. Answers to Apache's PopReviveService. Masters only.

Each reviveInterval a round for every queue of the revive topic: read to its end, in slices; then what is due goes into
the retry topic, then its acknowledgement by the broker into the revive topic, then the offset is kept.

A message that cannot be read any more (its file is deleted), or whose topic or group is gone, is not brought back. A
put that is refused is tried again, later each time, by Apache's intervals; its check point stays open meanwhile.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.java_hash import tag_hash
from ...remoting.json_body import BodyError
from ...remoting.message import RecordError, decode_record, decode_records
from ...remoting.message_const import PROPERTY_FIRST_POP_TIME, PROPERTY_POP_CK
from ...remoting.message_properties import encode_properties
from ...store.get_message import GetStatus
from ...store.put_message import MessageToStore, reconsumed_again
from ..message_properties import without_crc
from ..repeating import Repeating
from .revive_queue import ReviveQueue

if TYPE_CHECKING:
    from ...env import Reactor
    from ...remoting.bodies import PopCheckPoint
    from ...remoting.message import MessageExt
    from ...store.message_store import MessageStore
    from ...store.put_message import PutResult
    from ..broker_config import BrokerConfig
    from ..consumer_offset_manager import ConsumerOffsetManager
    from ..subscription_group_manager import SubscriptionGroupManager
    from ..topic_config_manager import TopicConfigManager
    from .revive_log import ReviveLog
    from .revive_queue import OpenCheckPoint

#: Records read at a time, so that the loop is not held.
SLICE = 256

#: POP retry topics have one queue (PopAckConstants.retryQueueNum).
RETRY_QUEUES = 1

#: Apache's ckRewriteIntervalsInSeconds.
TRY_AGAIN_MS = tuple(
    second * 1_000
    for second in (10, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200)
)

#: Messages of due check points that are in the store's hands at a time, in all queues together.
MAX_IN_HAND = 1_024

log = logging.getLogger(__name__)


@dataclass
class _Revival:
    """One check point on its way into the retry topic."""

    queue: ReviveQueue
    point: OpenCheckPoint
    waiting: int = 0
    handled: list[int] = field(default_factory=list)


class PopReviveService:
    def __init__(
        self,
        config: BrokerConfig,
        reactor: Reactor,
        store: MessageStore,
        revive_log: ReviveLog,
        *,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        offsets: ConsumerOffsetManager,
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._clock = reactor.clock
        self._store = store
        self._revive_log = revive_log
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._queues: list[ReviveQueue] = []
        self._in_hand = 0
        self._is_running = False
        self._rounds = Repeating(reactor, config.revive_interval_ms, self._round)

    def start(self) -> None:
        self._is_running = True
        topic = self._revive_log.topic
        for queue_id in range(self._revive_log.queue_count):
            done = self._offsets.query(names.REVIVE_GROUP, topic, queue_id)
            # Of a store whose first files are gone, or whose log ends before what was noted.
            low, high = self._store.min_offset(topic, queue_id), self._store.max_offset(topic, queue_id)
            done = min(max(done, low - 1), high - 1)
            name = self._revive_log.broker_name
            self._queues.append(ReviveQueue(queue_id, done, name, self._clock.now_ms()))
        self._rounds.start()

    def stop(self) -> None:
        self._is_running = False
        self._rounds.stop()
        for queue in self._queues:
            self._keep(queue)

    @property
    def in_flight(self) -> int:
        """Check points that are not acknowledged, as of the last round."""
        return sum(map(len, self._queues))

    def _round(self) -> None:
        for queue in self._queues:
            self._read(queue)

    # Reading.

    def _read(self, queue: ReviveQueue) -> None:
        """A slice; what is left is read in the next tick. Revives when the end is reached."""
        if not self._is_running:
            return
        topic, start = self._revive_log.topic, queue.next_offset
        if start < self._store.max_offset(topic, queue.queue_id):
            found = self._store.get(topic, queue.queue_id, start, SLICE)
            for message in _decoded(found.frames):
                self._take(queue, message)
            # Over a hole as well: records that are damaged or gone.
            queue.next_offset = max(queue.next_offset, found.next_begin_offset)
            if queue.next_offset > start:
                self._reactor.call_soon(lambda: self._read(queue))
                return
        self._revive(queue)

    def _take(self, queue: ReviveQueue, message: MessageExt) -> None:
        try:
            queue.take(message, self._clock.now_ms())
        except BodyError as error:
            log.warning("record %d of revive queue %d is passed over: %s", message.queue_offset, queue.queue_id, error)

    # Reviving.

    def _revive(self, queue: ReviveQueue) -> None:
        while self._in_hand < MAX_IN_HAND:
            point = queue.take_due(self._clock.now_ms())
            if point is None:
                break
            self._revive_one(_Revival(queue, point))
        self._keep(queue)

    def _revive_one(self, revival: _Revival) -> None:
        check_point = revival.point.check_point
        owed = sorted(revival.point.owed)
        normal_topic = names.pop_normal_topic(check_point.topic, check_point.group)
        is_gone = (
            self._topics.get(normal_topic) is None
            # Or another one has its name now.
            or self._store.deleted_topics.is_gone(normal_topic.encode(), revival.point.physical_offset)
            or self._groups.find(check_point.group) is None
        )
        if is_gone:
            log.warning("%s: topic or group is gone, %d messages are not brought back", check_point, len(owed))
            revival.queue.close(revival.point)
            return
        revival.waiting = len(owed)
        self._in_hand += len(owed)
        for queue_offset in owed:
            try:
                message = self._message(check_point, queue_offset)
            except OSError as error:
                log.warning("%s: message %d cannot be read: %s", check_point, queue_offset, error)
                self._reactor.call_soon(partial(self._handled, revival, queue_offset, ok=False))
                continue
            if message is None:
                self._reactor.call_soon(partial(self._handled, revival, queue_offset, ok=True))
            else:
                self._put_again(revival, message, queue_offset)

    def _message(self, check_point: PopCheckPoint, queue_offset: int) -> MessageExt | None:
        found = self._store.get(check_point.topic, check_point.queue_id, queue_offset, 1)
        if found.status is not GetStatus.FOUND:
            log.warning("%s: message %d is gone: %s", check_point, queue_offset, found.status.name)
            return None
        try:
            message = decode_record(b"".join(found.frames), check_crc=False)
        except RecordError as error:
            log.error("%s: message %d cannot be read: %s", check_point, queue_offset, error)
            return None
        return message if message.queue_offset == queue_offset else None

    def _put_again(self, revival: _Revival, message: MessageExt, queue_offset: int) -> None:
        topic = self._retry_topic(revival.point.check_point)

        def stored(result: PutResult) -> None:
            self._handled(revival, queue_offset, ok=result.status.is_stored)

        host = (self._config.broker_ip1, self._config.listen_port)
        self._store.put(retried(message, topic, revival.point.check_point.pop_time, host), stored)

    def _retry_topic(self, check_point: PopCheckPoint) -> str:
        """Made when it is first needed; popped from its begin."""
        topic, group = check_point.topic, check_point.group
        if not names.is_retry_topic(topic):
            make = names.pop_retry_topic_v2 if self._config.enable_retry_topic_v2 else names.pop_retry_topic_v1
            topic = make(topic, group)
        if self._topics.get(topic) is None:
            self._topics.create_in_send_back(topic, RETRY_QUEUES, 0)
            if self._offsets.query(group, topic, 0) < 0:
                self._offsets.commit(group, topic, 0, 0)
        return topic

    def _handled(self, revival: _Revival, queue_offset: int, *, ok: bool) -> None:
        self._in_hand -= 1
        revival.waiting -= 1
        if ok:
            revival.handled.append(queue_offset)
            revival.point.owed.discard(queue_offset)
        if revival.waiting:
            return
        point = revival.point
        if revival.handled:
            # So that nobody who reads the revive topic anew brings them back once more.
            self._revive_log.put_ack(point.check_point, revival.handled, revival.queue.queue_id, _ignore)
        if not point.owed:
            revival.queue.close(point)
            # What did not fit in the hand.
            self._read(revival.queue)
            return
        pause_ms = TRY_AGAIN_MS[min(point.failures, len(TRY_AGAIN_MS) - 1)]
        point.failures += 1
        log.error("%s: %d messages could not be put again; next try in %d ms", point, len(point.owed), pause_ms)
        revival.queue.try_again(point, self._clock.now_ms() + pause_ms)

    def _keep(self, queue: ReviveQueue) -> None:
        topic, done = self._revive_log.topic, queue.done_offset
        if done >= 0 and done != self._offsets.query(names.REVIVE_GROUP, topic, queue.queue_id):
            self._offsets.commit(names.REVIVE_GROUP, topic, queue.queue_id, done)


def retried(message: MessageExt, topic: str, pop_time_ms: int, host: tuple[str, int]) -> MessageToStore:
    """The message as it goes into a POP retry topic; born at this broker (host), as on Apache."""
    properties = without_crc(message.properties)
    properties.pop(PROPERTY_POP_CK, None)
    if message.reconsume_times == 0 or PROPERTY_FIRST_POP_TIME not in properties:
        properties[PROPERTY_FIRST_POP_TIME] = str(pop_time_ms)
    tags = message.tags
    return MessageToStore(
        topic,
        0,
        message.body,
        encode_properties(properties),
        message.born_timestamp_ms,
        host,
        tag_hash(tags) if tags else 0,
        message.flag,
        message.sys_flag,
        reconsumed_again(message),
    )


def _decoded(frames: list[memoryview]) -> list[MessageExt]:
    try:
        return decode_records(b"".join(frames), check_crc=False)
    except RecordError as error:
        log.error("records of the revive topic cannot be read and are passed over: %s", error)
        return []


def _ignore(_: PutResult) -> None:
    """Lost with the process, the messages come once more: at least once."""
