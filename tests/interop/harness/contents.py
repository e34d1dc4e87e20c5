# SPDX-License-Identifier: Apache-2.0
"""Everything that a broker shows of its store, asked over the wire: another engine has to show the same of it."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from typing import Any

from . import wire

# A record begins with its size; the number of the message in its queue stands at 20.
_SIZE = struct.Struct(">i")
_QUEUE_OFFSET_AT = 20
_GROUP = "contents"
_SUBSCRIPTION_GIVEN = 4
_PULL_NOT_FOUND = 19
_NO_MESSAGE = 22
_MESSAGES_EACH = 32

Queue = tuple[str, int]
Records = dict[int, bytes]
"""A queue's records as stored, by queue offset."""


@dataclass(frozen=True)
class Contents:
    queues: dict[Queue, Records]
    ranges: dict[Queue, tuple[int, int]]
    """Minimum and maximum offset of each queue."""
    topics: dict[str, Any]
    groups: dict[str, Any]
    offsets: dict[str, dict[str, int]]
    """"topic@group" to queue to offset."""


def read(address: str) -> Contents:
    """Raises AssertionError where a queue cannot be read from its minimum to its maximum offset."""
    topics = dict(_json(address, wire.GET_ALL_TOPIC_CONFIG)["topicConfigTable"])
    queues: dict[Queue, Records] = {}
    ranges = {}
    for topic, config in sorted(topics.items()):
        for queue_id in range(max(config["readQueueNums"], config["writeQueueNums"])):
            ends = (_offset(address, wire.GET_MIN_OFFSET, topic, queue_id), max_offset(address, topic, queue_id))
            if ends != (0, 0):
                ranges[topic, queue_id] = ends
                queues[topic, queue_id] = _read_queue(address, topic, queue_id, *ends)
    return Contents(
        queues,
        ranges,
        topics,
        dict(_json(address, wire.GET_ALL_SUBSCRIPTION_GROUP_CONFIG)["subscriptionGroupTable"]),
        dict(_json(address, wire.GET_ALL_CONSUMER_OFFSET)["offsetTable"]),
    )


def read_topic(address: str, topic: str, queue_count: int) -> dict[int, Records]:
    """The records of one topic by queue."""
    ends = {
        queue_id: (_offset(address, wire.GET_MIN_OFFSET, topic, queue_id), max_offset(address, topic, queue_id))
        for queue_id in range(queue_count)
    }
    return {queue_id: _read_queue(address, topic, queue_id, *ends[queue_id]) for queue_id in ends}


def max_offset(address: str, topic: str, queue_id: int) -> int:
    return _offset(address, wire.GET_MAX_OFFSET, topic, queue_id)


def find(address: str, topic: str, key: str) -> list[bytes]:
    """The records that a query by key finds (code 12)."""
    now_ms = int(time.time() * 1000)
    fields = {
        "topic": topic,
        "key": key,
        "maxNum": "64",
        "beginTimestamp": "0",
        "endTimestamp": str(now_ms + 86_400_000),
    }
    answer = wire.ask(address, wire.QUERY_MESSAGE, fields)
    assert answer.code in {0, _NO_MESSAGE}, answer
    return split(answer.body) if answer.code == 0 else []


def split(body: bytes) -> list[bytes]:
    """The records of an answer, one by one."""
    found = []
    while body:
        (size,) = _SIZE.unpack_from(body)
        found.append(body[:size])
        body = body[size:]
    return found


def _read_queue(address: str, topic: str, queue_id: int, first: int, end: int) -> Records:
    found: Records = {}
    offset = first
    while offset < end:
        answer = wire.ask(address, wire.PULL_MESSAGE, _pull(topic, queue_id, offset))
        if answer.code == _PULL_NOT_FOUND:
            break
        assert answer.code == 0, (topic, queue_id, offset, end, answer)
        for record in split(answer.body):
            (queue_offset,) = struct.unpack_from(">q", record, _QUEUE_OFFSET_AT)
            found[queue_offset] = record
        offset = int(answer.fields["nextBeginOffset"])
    missing = set(range(first, end)) - set(found)
    assert not missing, f"{topic} {queue_id}: {first} to {end} are said to be there, {sorted(missing)[:20]} are not"
    return found


def _pull(topic: str, queue_id: int, offset: int) -> dict[str, str]:
    return {
        "consumerGroup": _GROUP,
        "topic": topic,
        "queueId": str(queue_id),
        "queueOffset": str(offset),
        "maxMsgNums": str(_MESSAGES_EACH),
        "sysFlag": str(_SUBSCRIPTION_GIVEN),
        "commitOffset": "0",
        "suspendTimeoutMillis": "0",
        "subscription": "*",
        "subVersion": "0",
        "expressionType": "TAG",
    }


def _offset(address: str, code: int, topic: str, queue_id: int) -> int:
    answer = wire.ask(address, code, {"topic": topic, "queueId": str(queue_id)})
    assert answer.code == 0, (topic, queue_id, answer)
    return int(answer.fields["offset"])


def _json(address: str, code: int) -> Any:
    answer = wire.ask(address, code)
    assert answer.code == 0, answer
    return answer.json()
