# SPDX-License-Identifier: Apache-2.0
"""Check points and acknowledgements as messages of the revive topic, rmq_sys_REVIVE_LOG_<cluster>.

    TAGS              ck, ack or bAck
    UNIQ_KEY          topic@queueId@startOffset@group@popTime@brokerName@ck (an ack: its own offset, ...@ack)
    TIMER_DELIVER_MS  ck: revive time - 1 s; ack: revive time. Apache keeps the message in its timer until then.
    body              JSON, remoting.bodies.pop

They are put into the queue at once: here the time in them counts (`ReviveQueue`), not when they are in the queue. An
Apache broker that takes this store over may therefore give unacknowledged messages again sooner than their time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting import topic_names as names
from ...remoting.bodies import AckMsg, BatchAckMsg, PopCheckPoint
from ...remoting.fields import LONG_MAX
from ...remoting.java_hash import tag_hash
from ...remoting.message_const import PROPERTY_TAGS, PROPERTY_TIMER_DELIVER_MS, PROPERTY_UNIQ_KEY
from ...remoting.message_properties import encode_properties
from ...store.put_message import MessageToStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...env import Clock
    from ...store.message_store import MessageStore
    from ...store.put_message import PutResult
    from ..broker_config import BrokerConfig

CK_TAG = "ck"
ACK_TAG = "ack"
BATCH_ACK_TAG = "bAck"

#: Apache's ackTimeInterval: a check point comes out of the timer this much before the last acknowledgement may.
ACK_TIME_INTERVAL_MS = 1_000

_TAG_CODES = {tag: tag_hash(tag) for tag in (CK_TAG, ACK_TAG, BATCH_ACK_TAG)}


class ReviveLog:
    def __init__(self, config: BrokerConfig, store: MessageStore, clock: Clock) -> None:
        self.topic = names.revive_topic(config.broker_cluster_name)
        self.queue_count = max(1, config.revive_queue_num)
        self.broker_name = config.broker_name
        self._store = store
        self._clock = clock
        self._host = (config.broker_ip1, config.listen_port)

    def put_check_point(
        self, check_point: PopCheckPoint, revive_queue_id: int, done: Callable[[PutResult], None]
    ) -> None:
        one = check_point
        key = (one.topic, one.queue_id, one.start_offset, one.group, one.pop_time, one.broker_name, CK_TAG)
        deliver_ms = one.revive_time - ACK_TIME_INTERVAL_MS
        self._put(revive_queue_id, CK_TAG, key, one.encode(), deliver_ms=deliver_ms, done=done)

    def put_ack(
        self,
        owed: PopCheckPoint,
        queue_offsets: Sequence[int],
        revive_queue_id: int,
        done: Callable[[PutResult], None],
    ) -> None:
        """owed: the check point; only what names it counts, and its invisible time. One offset is an ack, more are a
        bAck."""
        one = owed
        offset = queue_offsets[0] if len(queue_offsets) == 1 else -1
        key = (one.topic, one.queue_id, offset, one.group, one.pop_time, one.broker_name, ACK_TAG)
        head = (one.broker_name, one.group, one.pop_time, one.queue_id, one.start_offset, one.topic)
        body: AckMsg | BatchAckMsg
        if offset >= 0:
            tag, body = ACK_TAG, AckMsg(offset, *head)
        else:
            tag, body = BATCH_ACK_TAG, BatchAckMsg(-1, list(queue_offsets), *head)
        deliver_ms = one.pop_time + one.invisible_time
        self._put(revive_queue_id, tag, key, body.encode(), deliver_ms=deliver_ms, done=done)

    def _put(
        self,
        revive_queue_id: int,
        tag: str,
        unique_key: tuple[object, ...],
        body: bytes,
        *,
        deliver_ms: int,
        done: Callable[[PutResult], None],
    ) -> None:
        properties = {
            PROPERTY_TAGS: tag,
            PROPERTY_UNIQ_KEY: "@".join(map(str, unique_key)),
            PROPERTY_TIMER_DELIVER_MS: str(min(deliver_ms, LONG_MAX)),
        }
        message = MessageToStore(
            self.topic,
            revive_queue_id,
            body,
            encode_properties(properties),
            self._clock.now_ms(),
            self._host,
            _TAG_CODES[tag],
        )
        self._store.put(message, done)
