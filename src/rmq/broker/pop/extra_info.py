# SPDX-License-Identifier: Apache-2.0
"""How a POP answer tells a client what to send back with its acknowledgement. Answers to Apache's ExtraInfoUtil.

    extraInfo        ckQueueOffset popTime invisibleTime reviveQid retry brokerName queueId [msgQueueOffset]
    startOffsetInfo  retry queueId startOffset; ...
    msgOffsetInfo    retry queueId offset,offset,...; ...

Words are parted by one blank. `retry` is 0 for the topic itself, 1 and 2 for a retry topic of version 1 and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...remoting.fields import FieldError, parse_int, parse_long
from ...remoting.message_const import KEY_SEPARATOR
from ...remoting.topic_names import is_pop_retry_topic_v2, is_retry_topic, pop_retry_topic_v1, pop_retry_topic_v2

if TYPE_CHECKING:
    from collections.abc import Sequence

NORMAL_TOPIC = "0"
RETRY_TOPIC = "1"
RETRY_TOPIC_V2 = "2"

#: reviveQid of messages that are consumed in order (FIFO groups).
POP_ORDER_REVIVE_QUEUE = 999


class ExtraInfo(NamedTuple):
    """Times in ms."""

    ck_queue_offset: int
    pop_time_ms: int
    invisible_time_ms: int
    revive_queue_id: int
    retry: str
    broker_name: str
    queue_id: int

    @classmethod
    def parse(cls, text: str) -> ExtraInfo:
        """Raises FieldError."""
        parts = text.split(KEY_SEPARATOR)
        if len(parts) < 7:
            raise FieldError(f"extraInfo has {len(parts)} parts instead of 7 or 8")
        return cls(
            parse_long(parts[0], "ckQueueOffset"),
            parse_long(parts[1], "popTime"),
            parse_long(parts[2], "invisibleTime"),
            parse_int(parts[3], "reviveQid"),
            parts[4],
            parts[5],
            parse_int(parts[6], "queueId"),
        )

    def text(self, queue_offset: int) -> str:
        """With the message's own offset: the POP_CK property of a message."""
        return KEY_SEPARATOR.join(str(part) for part in (*self, queue_offset))


def retry_mark(topic: str) -> str:
    if is_pop_retry_topic_v2(topic):
        return RETRY_TOPIC_V2
    return RETRY_TOPIC if is_retry_topic(topic) else NORMAL_TOPIC


def real_topic(topic: str, group: str, retry: str) -> str:
    """Raises FieldError."""
    if retry == NORMAL_TOPIC:
        return topic
    if retry == RETRY_TOPIC:
        return pop_retry_topic_v1(topic, group)
    if retry == RETRY_TOPIC_V2:
        return pop_retry_topic_v2(topic, group)
    raise FieldError("getRetry fail, format is wrong")


def start_offset_info(topic: str, queue_id: int, start_offset: int) -> str:
    return f"{retry_mark(topic)} {queue_id} {start_offset}"


def msg_offset_info(topic: str, queue_id: int, queue_offsets: Sequence[int]) -> str:
    return f"{retry_mark(topic)} {queue_id} {','.join(map(str, queue_offsets))}"
