# SPDX-License-Identifier: Apache-2.0
"""The records of a transaction, each made from the one before. Answers to Apache's TransactionalMessageBridge.

prepared()   what the producer sent  ->  half message in queue 0 of RMQ_SYS_TRANS_HALF_TOPIC
committed()  half message            ->  message in its real queue, sysFlag 8, prepared offset = the half's place
renewed()    half message            ->  the same at the half queue's end, while nobody has decided
discarded()  half message            ->  TRANS_CHECK_MAX_TIME_TOPIC
op_message() queue offsets of halves ->  the note that they are over
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.java_hash import tag_hash
from ...remoting.message_const import (
    PROPERTY_REAL_QUEUE_ID,
    PROPERTY_REAL_TOPIC,
    PROPERTY_TAGS,
    PROPERTY_TRANSACTION_CHECK_TIMES,
    PROPERTY_TRANSACTION_ID,
    PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET,
    PROPERTY_WAIT,
    TRANSACTION_COMMIT_TYPE,
    TRANSACTION_TYPE_MASK,
)
from ...remoting.message_properties import encode_properties
from ...remoting.topic_names import TRANS_CHECK_MAX_TIME_TOPIC, TRANS_HALF_TOPIC, TRANS_OP_HALF_TOPIC
from ...store.put_message import MessageToStore
from ..message_properties import without_crc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...remoting.message import MessageExt

#: Half messages, and the op messages about them, are in one queue.
HALF_QUEUE_ID = 0

REMOVE_TAG = "d"
OFFSET_SEPARATOR = ","

#: What a copy may add to the properties; a send leaves room for it.
PROPERTIES_ROOM_BYTES = 128

_OP_PROPERTIES = encode_properties({PROPERTY_WAIT: "true", PROPERTY_TAGS: REMOVE_TAG})
_OP_TAGS_CODE = tag_hash(REMOVE_TAG)


def prepared(message: MessageToStore, uniq_key: str) -> MessageToStore:
    """The half message of what a producer sent. It has a unit in its queue as any other message has."""
    origin = {
        PROPERTY_TRANSACTION_ID: uniq_key,
        PROPERTY_REAL_TOPIC: message.topic,
        PROPERTY_REAL_QUEUE_ID: str(message.queue_id),
    }
    return message._replace(
        topic=TRANS_HALF_TOPIC,
        queue_id=HALF_QUEUE_ID,
        properties=message.properties + encode_properties(origin),
        sys_flag=message.sys_flag & ~TRANSACTION_TYPE_MASK,
        consume_queue=True,
    )


def real_queue(half: MessageExt) -> tuple[str, int]:
    """Topic and queue id that the producer named. Raises ValueError where the record does not say."""
    topic = half.properties.get(PROPERTY_REAL_TOPIC)
    if not topic:
        raise ValueError(f"the half message at {half.physical_offset} names no real topic")
    return topic, int(half.properties.get(PROPERTY_REAL_QUEUE_ID, "0"))


def committed(half: MessageExt) -> MessageToStore:
    """What consumers get. Raises ValueError where the half message names no real queue."""
    topic, queue_id = real_queue(half)
    properties = without_crc(half.properties)
    del properties[PROPERTY_REAL_TOPIC]
    properties.pop(PROPERTY_REAL_QUEUE_ID, None)
    sys_flag = half.sys_flag & ~TRANSACTION_TYPE_MASK | TRANSACTION_COMMIT_TYPE
    return _message(half, topic, queue_id, properties)._replace(
        sys_flag=sys_flag,
        prepared_transaction_offset=half.physical_offset,
        wait_store_ok=properties.get(PROPERTY_WAIT, "true") != "false",
    )


def renewed(half: MessageExt, **changed: str) -> MessageToStore:
    """A copy for the end of the half queue, with some properties changed (a keyword is a property's name)."""
    return _message(half, TRANS_HALF_TOPIC, HALF_QUEUE_ID, {**without_crc(half.properties), **changed})


def is_copy(half: MessageExt) -> bool:
    """Whether it was `renewed`, by this engine or by Apache's."""
    return not half.properties.keys().isdisjoint(
        (PROPERTY_TRANSACTION_CHECK_TIMES, PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET)
    )


def discarded(half: MessageExt) -> MessageToStore:
    """For an operator to look at; 323 puts it back."""
    return _message(half, TRANS_CHECK_MAX_TIME_TOPIC, 0, without_crc(half.properties))


def op_message(body: str, now_ms: int, store_host: tuple[str, int]) -> MessageToStore:
    return MessageToStore(
        TRANS_OP_HALF_TOPIC, HALF_QUEUE_ID, body.encode("ascii"), _OP_PROPERTIES, now_ms, store_host, _OP_TAGS_CODE
    )


def op_bodies(offsets: Iterable[int], size_bytes_max: int) -> Iterator[tuple[str, list[int]]]:
    """Bodies of op messages, each with the offsets it names; one that is larger than allowed names one offset only."""
    text, named = "", list[int]()
    for offset in offsets:
        piece = f"{offset}{OFFSET_SEPARATOR}"
        if named and len(text) + len(piece) > size_bytes_max:
            yield text, named
            text, named = "", []
        text += piece
        named.append(offset)
    if named:
        yield text, named


def op_offsets(op: MessageExt) -> list[int]:
    """Which half messages an op message ends; none where it is something else."""
    if op.tags != REMOVE_TAG:
        return []
    pieces = op.body.decode("ascii", "replace").split(OFFSET_SEPARATOR)
    return [int(piece) for piece in pieces if piece.isascii() and piece.isdigit() and len(piece) <= 19]


def _message(half: MessageExt, topic: str, queue_id: int, properties: dict[str, str]) -> MessageToStore:
    tags = half.tags
    return MessageToStore(
        topic,
        queue_id,
        half.body,
        encode_properties(properties),
        half.born_timestamp_ms,
        half.born_host,
        tag_hash(tags) if tags else 0,
        half.flag,
        half.sys_flag,
        half.reconsume_times,
    )
