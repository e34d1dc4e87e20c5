# SPDX-License-Identifier: Apache-2.0
"""Administration of groups and their offsets: 222, 220, 223, 303, 308, 345, 353, 401, 402."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional

from ..json_body import (
    BOOLEAN,
    TEXT,
    WHOLE_NUMBER,
    JsonBody,
    array,
    body,
    mapping,
    number_mapping,
    object_mapping,
    optional,
    wire,
)
from .heartbeat import SubscriptionData
from .message_queue import MessageQueue

REQUEST_MODES = ("PULL", "POP")


@dataclass(frozen=True)
class ResetOffsetBody(JsonBody):
    """Queue -> the queue offset it is set to."""

    offset_table: Dict[MessageQueue, int] = wire(object_mapping(MessageQueue, WHOLE_NUMBER), factory=dict)


@dataclass(frozen=True)
class MessageQueueForC(JsonBody):
    """A row of the table as C++ clients read it: they know no objects for keys."""

    broker_name: str = wire(TEXT, "")
    offset: int = wire(WHOLE_NUMBER, 0)
    queue_id: int = wire(WHOLE_NUMBER, 0)
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class ResetOffsetBodyForC(JsonBody):
    offset_table: List[MessageQueueForC] = wire(array(body(MessageQueueForC)), factory=list)


@dataclass(frozen=True)
class GetConsumerStatusBody(JsonBody):
    """A client answers with `message_queue_table`, a broker with one of them for each client in `consumer_table`."""

    consumer_table: Dict[str, Dict[MessageQueue, int]] = wire(
        mapping(object_mapping(MessageQueue, WHOLE_NUMBER)), factory=dict
    )
    message_queue_table: Dict[MessageQueue, int] = wire(object_mapping(MessageQueue, WHOLE_NUMBER), factory=dict)


@dataclass(frozen=True)
class QueueTimeSpan(JsonBody):
    """Store times in ms: oldest and newest message, the last one consumed, and how long the next one waits."""

    consume_time_stamp: int = wire(WHOLE_NUMBER, 0)
    delay_time: int = wire(WHOLE_NUMBER, 0)
    max_time_stamp: int = wire(WHOLE_NUMBER, 0)
    message_queue: MessageQueue = wire(body(MessageQueue), factory=MessageQueue)
    min_time_stamp: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class QueryConsumeTimeSpanBody(JsonBody):
    consume_time_span_set: List[QueueTimeSpan] = wire(array(body(QueueTimeSpan)), factory=list)


@dataclass(frozen=True)
class QueryCorrectionOffsetBody(JsonBody):
    correction_offsets: Dict[int, int] = wire(number_mapping(WHOLE_NUMBER), factory=dict)


@dataclass(frozen=True)
class QuerySubscriptionResponseBody(JsonBody):
    group: str = wire(TEXT, "")
    subscription_data: Optional[SubscriptionData] = wire(optional(body(SubscriptionData)), None)
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class GroupForbidden(JsonBody):
    group: str = wire(TEXT, "")
    readable: bool = wire(BOOLEAN, True)
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class SetMessageRequestModeRequestBody(JsonBody):
    """How a group's clients are to fetch a topic when the broker assigns the queues: PULL or POP."""

    consumer_group: str = wire(TEXT, "")
    mode: str = wire(TEXT, REQUEST_MODES[0])
    pop_share_queue_num: int = wire(WHOLE_NUMBER, 0)
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class MessageRequestModeSerializeWrapper(JsonBody):
    """messageRequestMode.json and the answer to 402: topic -> group -> mode."""

    message_request_mode_map: Dict[str, Dict[str, SetMessageRequestModeRequestBody]] = wire(
        mapping(mapping(body(SetMessageRequestModeRequestBody))), factory=dict
    )
