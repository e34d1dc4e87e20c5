# SPDX-License-Identifier: Apache-2.0
"""After kill -9: consumer offsets that were not written yet, out of the check points that were.

consumerOffset.json is up to flushConsumerOffsetInterval old. A pop whose offset it lacks would be given out again
although its messages are acknowledged. Each pop left a check point in the log before its messages went out: those of
the last seconds, in their order, carry each queue's offset on, wherever one begins where the queue stands. An offset
that an administrator set in these last seconds, back into what was popped in them, is carried on too. Check points of
a topic that was deleted since say nothing about one that was made anew with its name.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.bodies import PopCheckPoint
from ...remoting.json_body import BodyError
from ...remoting.message import RecordError, decode_records
from .revive_log import CK_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...remoting.message import MessageExt
    from ...store.message_store import MessageStore
    from ..broker_config import BrokerConfig
    from ..consumer_offset_manager import ConsumerOffsetManager
    from ..topic_config_manager import TopicConfigManager
    from .revive_log import ReviveLog

#: Beyond the flush interval: the time that writing the file takes.
MARGIN_MS = 5_000
SLICE = 1_024

log = logging.getLogger(__name__)


def recover_offsets(
    store: MessageStore,
    revive_log: ReviveLog,
    config: BrokerConfig,
    *,
    offsets: ConsumerOffsetManager,
    topics: TopicConfigManager,
) -> None:
    since_ms = store.last_store_timestamp_ms - config.flush_consumer_offset_interval_ms - MARGIN_MS
    # Apache's broker keeps check points in its timer's topic until they are due.
    sources = [(revive_log.topic, number) for number in range(revive_log.queue_count)] + [(names.TIMER_TOPIC, 0)]
    found = [one for topic, queue_id in sources for one in _check_points(store, topic, queue_id, since_ms)]
    # One queue's check points lie in several queues of the revive topic.
    for check_point in sorted(found, key=lambda one: (one.pop_time, one.start_offset)):
        normal_topic = names.pop_normal_topic(check_point.topic, check_point.group)
        if topics.get(normal_topic) is None or names.check_group(check_point.group) is not None:
            continue
        end = check_point.queue_offsets[-1] + 1
        at = offsets.query(check_point.group, check_point.topic, check_point.queue_id)
        # -1: the group's first pop of the queue.
        if at < 0 or check_point.start_offset <= at < end:
            log.info("%s@%s %d: popped up to %d", check_point.topic, check_point.group, check_point.queue_id, end)
            offsets.commit(check_point.group, check_point.topic, check_point.queue_id, end)


def _check_points(store: MessageStore, topic: str, queue_id: int, since_ms: int) -> Iterator[PopCheckPoint]:
    at = max(store.min_offset(topic, queue_id), store.offset_by_time(topic, queue_id, since_ms))
    while at < store.max_offset(topic, queue_id):
        found = store.get(topic, queue_id, at, SLICE)
        for message in _records(found.frames):
            if message.tags == CK_TAG:
                try:
                    check_point = PopCheckPoint.decode(message.body)
                except BodyError:
                    continue
                popped_topic = names.pop_normal_topic(check_point.topic, check_point.group).encode()
                is_gone = store.deleted_topics.is_gone(popped_topic, message.physical_offset)
                if check_point.queue_offsets and not is_gone:
                    yield check_point
        if found.next_begin_offset <= at:
            return
        at = found.next_begin_offset


def _records(frames: list[memoryview]) -> list[MessageExt]:
    try:
        return decode_records(b"".join(frames), check_crc=False)
    except RecordError:
        return []
