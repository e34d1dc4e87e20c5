# SPDX-License-Identifier: Apache-2.0
"""One pop's way through the queues: what it takes from each, and what it leaves. The check points that it owes are the
caller's to store.

The group's retry topics are looked into first in popFromRetryProbability of 100 pops, else last. A pop begins with any
queue of a topic; where the topic's messages have priorities (message.type=PRIORITY), in priority.factor of 100 pops
with the queue of the highest one. Messages of a retry topic go out under the topic that the client asked for, with
POP_CK in their properties, unless popResponseReturnActualRetryTopic says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.bodies import PopCheckPoint
from ...remoting.message import decode_records, encode_message
from ...remoting.message_const import PROPERTY_POP_CK
from ...store.get_message import GetResult, GetStatus
from .. import topic_attributes
from ..message_properties import without_crc
from ..subscription import MessageFilter
from .extra_info import ExtraInfo, msg_offset_info, retry_mark, start_offset_info
from .pop_hold import ANY_QUEUE
from .revive_service import RETRY_QUEUES

if TYPE_CHECKING:
    import random

    from ..broker_context import BrokerContext
    from .pop_offsets import Taken

#: What one answer may bring, as of a pull.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
#: ConsumeInitMode: from the begin of a queue that the group has never read, or from its last message.
INIT_MIN = 0
TAKES_ALL = MessageFilter()

_WRONG_OFFSET = frozenset((GetStatus.OFFSET_TOO_SMALL, GetStatus.OFFSET_OVERFLOW_BADLY, GetStatus.OFFSET_FOUND_NULL))
#: Nothing there that the pop wants, and its offset moves on.
_PASSED_OVER = frozenset(
    (
        GetStatus.NO_MATCHED_MESSAGE,
        GetStatus.OFFSET_FOUND_NULL,
        GetStatus.MESSAGE_WAS_REMOVING,
        GetStatus.NO_MATCHED_LOGIC_QUEUE,
    )
)
#: TOTALSIZE, QUEUEOFFSET
_RECORD_PLACE = Struct(">i16xq")


@dataclass
class Pop:
    """A pop's fields, read once, and what it has found so far."""

    group: str
    topic: str
    queue_id: int
    max_count: int
    invisible_time_ms: int
    poll_time_ms: int
    born_time_ms: int
    init_mode: int
    wants: MessageFilter = TAKES_ALL
    pop_time_ms: int = 0
    revive_queue_id: int = 0
    rest: int = 0
    frames: list[bytes | memoryview] = field(default_factory=list)
    count: int = 0
    start_offsets: list[str] = field(default_factory=list)
    msg_offsets: list[str] = field(default_factory=list)
    taken: list[tuple[Taken, PopCheckPoint]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, int]:
        return self.topic, self.group, self.queue_id


class PopReader:
    def __init__(self, context: BrokerContext, dice: random.Random) -> None:
        self._context = context
        self._config = context.config
        self._store = context.store
        self._clock = context.clock
        self._dice = dice
        self._pops = context.pops
        self._committed = context.offsets

    def collect(self, pop: Pop, queue_count: int) -> None:
        """Fill `pop`; what it takes is given out, `pop.taken` says what for."""
        if self._pops.is_full:
            return
        config = self._config
        dice = self._dice.randrange(100)
        pop.pop_time_ms = self._clock.now_ms()
        pop.revive_queue_id = self._pops.next_revive_queue()
        by_priority = dice < self._priority_factor(pop)
        retry_first = dice < (
            config.pop_from_retry_probability_for_priority if by_priority else config.pop_from_retry_probability
        )
        # One answer cannot tell the retry topics' versions apart: each pop looks into one of them.
        version1 = not config.enable_retry_topic_v2 or (
            config.retrieve_message_from_pop_retry_topic_v1 and dice % 2 == 0
        )
        retry_name = names.pop_retry_topic_v1 if version1 else names.pop_retry_topic_v2
        retry_topic = retry_name(pop.topic, pop.group)
        dice = 0 if by_priority else dice
        if retry_first:
            self._pop_retry(pop, retry_topic, dice)
        if pop.queue_id == ANY_QUEUE:
            self._pop_topic(pop, pop.topic, queue_count, dice)
        else:
            self._pop_queue(pop, pop.topic, pop.queue_id)
        if not retry_first:
            self._pop_retry(pop, retry_topic, dice)

    def _priority_factor(self, pop: Pop) -> int:
        """In how many of 100 pops the queue of the highest priority comes first."""
        topic = self._context.topics.get(pop.topic)
        if topic is None or topic.attributes.get(topic_attributes.MESSAGE_TYPE) != topic_attributes.PRIORITY:
            return 0
        group = self._context.groups.find(pop.group)
        return topic_attributes.priority_factor(group.attributes) if group is not None else 0

    def _pop_retry(self, pop: Pop, topic: str, dice: int) -> None:
        config = self._context.topics.get(topic)
        if config is None and self._store.max_offset(topic, 0):
            # It was made in the moment of a crash, which its messages outlived and topics.json did not.
            config = self._context.topics.create_in_send_back(topic, RETRY_QUEUES, 0)
        if config is not None:
            self._pop_topic(pop, topic, config.read_queue_nums, dice)

    def _pop_topic(self, pop: Pop, topic: str, queue_count: int, dice: int) -> None:
        numbers = range(queue_count)
        for number in reversed(numbers) if self._config.priority_order_asc else numbers:
            self._pop_queue(pop, topic, (dice + number) % queue_count)

    def _pop_queue(self, pop: Pop, topic: str, queue_id: int) -> None:
        key = (topic, pop.group, queue_id)
        start = self._start_offset(pop, topic, queue_id)
        wanted = pop.max_count - pop.count
        if wanted <= 0:
            pop.rest += max(0, self._store.max_offset(topic, queue_id) - start)
            return
        found = self._get(pop, topic, queue_id, start, wanted)
        if found.status in _WRONG_OFFSET:
            # What is committed is not in the queue (any more).
            start = found.next_begin_offset
            self._committed.commit(pop.group, topic, queue_id, start)
            found = self._get(pop, topic, queue_id, start, wanted)
        if found.status is GetStatus.FOUND:
            self._found(pop, key, start, found)
        elif found.status in _PASSED_OVER and found.next_begin_offset > start:
            self._pops.offsets.stored(self._pops.offsets.take(key, found.next_begin_offset))
        pop.rest += max(0, found.max_offset - found.next_begin_offset)

    def _get(self, pop: Pop, topic: str, queue_id: int, start: int, count: int) -> GetResult:
        size = MAX_ANSWER_BYTES - sum(map(len, pop.frames))
        wants = pop.wants
        return self._store.get(topic, queue_id, start, count, size, matches=wants.tags, accepts=wants.record)

    def _found(self, pop: Pop, key: tuple[str, str, int], start: int, found: GetResult) -> None:
        topic, group, queue_id = key
        queue_offsets = _queue_offsets(found.frames)
        check_point = PopCheckPoint(
            broker_name=self._config.broker_name,
            group=group,
            offset_diffs=[offset - start for offset in queue_offsets],
            invisible_time=pop.invisible_time_ms,
            num=len(queue_offsets),
            pop_time=pop.pop_time_ms,
            queue_id=queue_id,
            revive_time=pop.pop_time_ms + pop.invisible_time_ms,
            start_offset=start,
            topic=topic,
        )
        pop.taken.append((self._pops.offsets.take(key, found.next_begin_offset), check_point))
        pop.start_offsets.append(start_offset_info(topic, queue_id, start))
        pop.msg_offsets.append(msg_offset_info(topic, queue_id, queue_offsets))
        pop.count += len(queue_offsets)
        if topic != pop.topic and not self._config.pop_response_return_actual_retry_topic:
            pop.frames += self._under_asked_topic(pop, found, check_point)
        else:
            pop.frames += found.frames
        self._context.stats.got(group, topic, found.message_count, found.size_bytes)

    def _under_asked_topic(self, pop: Pop, found: GetResult, check_point: PopCheckPoint) -> list[bytes]:
        one = check_point
        mark = retry_mark(one.topic)
        info = ExtraInfo(
            one.start_offset,
            one.pop_time,
            one.invisible_time,
            pop.revive_queue_id,
            mark,
            one.broker_name,
            one.queue_id,
        )
        records = []
        for message in decode_records(b"".join(found.frames), check_crc=False):
            message.properties = without_crc(message.properties)
            message.properties.setdefault(PROPERTY_POP_CK, info.text(message.queue_offset))
            message.topic = pop.topic
            records.append(encode_message(message))
        return records

    def _start_offset(self, pop: Pop, topic: str, queue_id: int) -> int:
        key = (topic, pop.group, queue_id)
        reset = self._committed.take_reset(pop.group, topic, queue_id)
        if reset is not None:
            self._pops.offsets.forget(key)
            self._committed.commit(pop.group, topic, queue_id, reset)
            return reset
        committed = self._committed.query(pop.group, topic, queue_id)
        if committed < 0:
            committed = self._init_offset(pop, topic, queue_id)
            self._committed.commit(pop.group, topic, queue_id, committed)
        return max(committed, self._pops.offsets.next_offset(key))

    def _init_offset(self, pop: Pop, topic: str, queue_id: int) -> int:
        low = self._store.min_offset(topic, queue_id)
        if pop.init_mode == INIT_MIN or topic != pop.topic:
            return low
        if self._config.init_pop_offset_by_check_msg_in_mem and low <= 0:
            first = self._store.get(topic, queue_id, 0, 1)
            if first.status is GetStatus.FOUND and not first.suggest_pulling_from_slave:
                return 0
        return max(0, self._store.max_offset(topic, queue_id) - 1)


def _queue_offsets(frames: list[memoryview]) -> list[int]:
    """Of the records, as they stand in them."""
    offsets = []
    for frame in frames:
        position = 0
        while position < len(frame):
            size, queue_offset = _RECORD_PLACE.unpack_from(frame, position)
            offsets.append(queue_offset)
            position += size
    return offsets
