# SPDX-License-Identifier: Apache-2.0
"""A message on its way through the wheel: what its properties say, and what is stored when its time has come.

| property | set by | value |
|---|---|---|
| TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS | producer | when |
| TIMER_OUT_MS | broker, at the send | the slot: deliver time, rounded down to timerPrecisionMs |
| REAL_TOPIC, REAL_QID | broker, at the send; taken away at the delivery | where to |
| TIMER_ENQUEUE_MS | broker, at the delivery | when the wheel took it; Long.MAX_VALUE where it was due at once |
| TIMER_DEQUEUE_MS | broker, at the delivery | now |
| TIMER_ROLL_TIMES | broker, at a roll | how often it was put back because its time is far |
| TIMER_DEL_UNIQKEY | recall | which message is recalled: its UNIQ_KEY, or REAL_TOPIC+UNIQ_KEY |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...remoting.message_const import (
    PROPERTY_CRC32,
    PROPERTY_REAL_QUEUE_ID,
    PROPERTY_REAL_TOPIC,
    PROPERTY_TIMER_DEL_UNIQKEY,
    PROPERTY_TIMER_DEQUEUE_MS,
    PROPERTY_TIMER_ENQUEUE_MS,
    PROPERTY_TIMER_OUT_MS,
    PROPERTY_TIMER_ROLL_TIMES,
    PROPERTY_UNIQ_KEY,
)
from ...remoting.topic_names import TIMER_TOPIC
from ..put_message import MessageToStore, put_again

if TYPE_CHECKING:
    from collections.abc import Set

    from ...remoting.message import MessageExt

#: Java's Long.MAX_VALUE: due when it came, never in the wheel.
NEVER_ENQUEUED = 2**63 - 1

#: What a delivery may add to the properties beyond what it takes away; a send leaves room for it.
PROPERTIES_ROOM_BYTES = 128


class TimerPlace(NamedTuple):
    """A message of the timer topic that is known to be one."""

    queue_offset: int
    physical_offset: int
    size: int
    time_ms: int
    message: MessageExt


def out_time_ms(message: MessageExt) -> int | None:
    """When it is due; None for a record that is no timer message."""
    if message.topic != TIMER_TOPIC or not message.properties.get(PROPERTY_REAL_TOPIC):
        return None
    try:
        queue_id, time_ms = (
            int(message.properties[PROPERTY_REAL_QUEUE_ID]),
            int(message.properties[PROPERTY_TIMER_OUT_MS]),
        )
    except (KeyError, ValueError):
        return None
    return time_ms if queue_id >= 0 and 0 <= time_ms < NEVER_ENQUEUED else None


def real_topic(message: MessageExt) -> str:
    return message.properties[PROPERTY_REAL_TOPIC]


def is_recall(message: MessageExt) -> bool:
    return PROPERTY_TIMER_DEL_UNIQKEY in message.properties


def recall_key(topic: str, uniq_key: str, *, with_topic: bool) -> str:
    """TIMER_DEL_UNIQKEY of a recall; with_topic is Apache's appendTopicForTimerDeleteKey."""
    return f"{topic}+{uniq_key}" if with_topic else uniq_key


def recalled_by(message: MessageExt, keys: Set[str]) -> str | None:
    """The one of these TIMER_DEL_UNIQKEYs that recalls this message: both forms count, whichever engine wrote it."""
    uniq_key = message.properties.get(PROPERTY_UNIQ_KEY)
    if not uniq_key or not keys:
        return None
    for with_topic in (False, True):
        key = recall_key(real_topic(message), uniq_key, with_topic=with_topic)
        if key in keys:
            return key
    return None


def identity(message: MessageExt) -> tuple[object, ...]:
    """The same for a message and its rolled copies."""
    properties = message.properties
    return (
        properties.get(PROPERTY_UNIQ_KEY),
        properties.get(PROPERTY_TIMER_OUT_MS),
        properties.get(PROPERTY_TIMER_DEL_UNIQKEY),
        message.born_timestamp_ms,
        message.born_host,
    )


def rolls(message: MessageExt) -> int:
    times = message.properties.get(PROPERTY_TIMER_ROLL_TIMES, "0")
    return int(times) if times.isascii() and times.isdigit() and len(times) < 10 else 0


def next_message(
    message: MessageExt, enqueue_ms: int, now_ms: int, *, roll: bool, wait_store_ok: bool
) -> MessageToStore:
    """What is stored when a slot's time has come: the message in its real queue, or (roll) once more in the timer
    topic."""
    properties = {key: value for key, value in message.properties.items() if key != PROPERTY_CRC32}
    properties[PROPERTY_TIMER_ENQUEUE_MS] = str(enqueue_ms)
    properties[PROPERTY_TIMER_DEQUEUE_MS] = str(now_ms)
    topic, queue_id = message.topic, message.queue_id
    if roll:
        properties[PROPERTY_TIMER_ROLL_TIMES] = str(rolls(message) + 1)
    else:
        topic, queue_id = properties.pop(PROPERTY_REAL_TOPIC), int(properties.pop(PROPERTY_REAL_QUEUE_ID))
    return put_again(message, topic, queue_id, properties, wait_store_ok=wait_store_ok)
