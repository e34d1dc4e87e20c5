# SPDX-License-Identifier: Apache-2.0
"""POP and the assignment of queues by the broker: 400, 200151, and what stands in the revive topic.

The names are those that fastjson writes for 5.4.0's PopCheckPoint, AckMsg and BatchAckMsg (seen); `reviveTime` is a
getter there and is written too.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import List, Optional

from ..json_body import TEXT, WHOLE_NUMBER, BodyError, JsonBody, array, body, optional, wire
from .message_queue import MessageQueue

# Java keeps the number of messages in a byte.
NUM_MAX = 127


@dataclass(frozen=True)
class PopCheckPoint(JsonBody):
    """Messages of one queue that a consumer has: it owes an acknowledgement for each until `revive_time` (ms)."""

    bit_map: int = wire(WHOLE_NUMBER, 0, name="bm")
    broker_name: str = wire(TEXT, "", name="bn")
    group: str = wire(TEXT, "", name="c")
    offset_diffs: List[int] = wire(array(WHOLE_NUMBER), factory=list, name="d")
    invisible_time: int = wire(WHOLE_NUMBER, 0, name="it")
    num: int = wire(WHOLE_NUMBER, 0, name="n")
    pop_time: int = wire(WHOLE_NUMBER, 0, name="pt")
    queue_id: int = wire(WHOLE_NUMBER, 0, name="q")
    revive_time: int = wire(WHOLE_NUMBER, 0, name="reviveTime")
    revive_offset: int = wire(WHOLE_NUMBER, 0, name="ro")
    re_put_times: Optional[str] = wire(optional(TEXT), None, name="rp")
    start_offset: int = wire(WHOLE_NUMBER, 0, name="so")
    topic: str = wire(TEXT, "", name="t")

    @property
    def queue_offsets(self) -> List[int]:
        """Of the messages. Check points of old brokers have no differences: their messages follow each other."""
        num = min(self.num, NUM_MAX)
        if self.offset_diffs:
            return [self.start_offset + diff for diff in self.offset_diffs[: max(0, num)]]
        return list(range(self.start_offset, self.start_offset + num))


@dataclass(frozen=True)
class AckMsg(JsonBody):
    """One message is consumed."""

    ack_offset: int = wire(WHOLE_NUMBER, 0, name="ao")
    broker_name: str = wire(TEXT, "", name="bn")
    group: str = wire(TEXT, "", name="c")
    pop_time: int = wire(WHOLE_NUMBER, 0, name="pt")
    queue_id: int = wire(WHOLE_NUMBER, 0, name="q")
    start_offset: int = wire(WHOLE_NUMBER, 0, name="so")
    topic: str = wire(TEXT, "", name="t")


@dataclass(frozen=True)
class BatchAckMsg(JsonBody):
    """Several messages of one check point are consumed."""

    ack_offset: int = wire(WHOLE_NUMBER, -1, name="ao")
    ack_offsets: List[int] = wire(array(WHOLE_NUMBER), factory=list, name="aol")
    broker_name: str = wire(TEXT, "", name="bn")
    group: str = wire(TEXT, "", name="c")
    pop_time: int = wire(WHOLE_NUMBER, 0, name="pt")
    queue_id: int = wire(WHOLE_NUMBER, 0, name="q")
    start_offset: int = wire(WHOLE_NUMBER, 0, name="so")
    topic: str = wire(TEXT, "", name="t")


@dataclass(frozen=True)
class BatchAck(JsonBody):
    """`bits` is Java's BitSet, little endian, in base64: bit i is the message at start_offset + i."""

    bits: str = wire(TEXT, "", name="b")
    group: str = wire(TEXT, "", name="c")
    invisible_time: int = wire(WHOLE_NUMBER, 0, name="it")
    pop_time: int = wire(WHOLE_NUMBER, 0, name="pt")
    queue_id: int = wire(WHOLE_NUMBER, 0, name="q")
    retry: str = wire(TEXT, "0", name="r")
    revive_queue_id: int = wire(WHOLE_NUMBER, 0, name="rq")
    start_offset: int = wire(WHOLE_NUMBER, 0, name="so")
    topic: str = wire(TEXT, "", name="t")

    def acked_offsets(self, limit: int) -> List[int]:
        """Queue offsets, at most `limit` bits are looked at. Raises BodyError."""
        try:
            data = base64.b64decode(self.bits, validate=True)
        except (binascii.Error, ValueError):
            raise BodyError("b is no base64") from None
        bits = int.from_bytes(data[: (limit + 7) // 8], "little")
        return [self.start_offset + at for at in range(limit) if bits >> at & 1]


@dataclass(frozen=True)
class BatchAckMessageRequestBody(JsonBody):
    acks: List[BatchAck] = wire(array(body(BatchAck)), factory=list)
    broker_name: str = wire(TEXT, "")


@dataclass(frozen=True)
class QueryAssignmentRequestBody(JsonBody):
    client_id: str = wire(TEXT, "")
    consumer_group: str = wire(TEXT, "")
    message_model: str = wire(TEXT, "CLUSTERING")
    strategy_name: str = wire(TEXT, "")
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class MessageQueueAssignment(JsonBody):
    message_queue: MessageQueue = wire(body(MessageQueue), factory=MessageQueue)
    mode: str = wire(TEXT, "PULL")


@dataclass(frozen=True)
class QueryAssignmentResponseBody(JsonBody):
    """None: the broker cannot say, the client keeps what it has. Empty: the client gives up what it has."""

    message_queue_assignments: Optional[List[MessageQueueAssignment]] = wire(
        optional(array(body(MessageQueueAssignment))), None
    )
