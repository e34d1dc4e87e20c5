# SPDX-License-Identifier: Apache-2.0
"""Offsets as tools see them: of a group (208), of a topic (202), and all of a broker (43, 45)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List

from ..json_body import (
    REAL_NUMBER,
    TEXT,
    WHOLE_NUMBER,
    JsonBody,
    array,
    body,
    mapping,
    number_mapping,
    object_mapping,
    wire,
)
from .data_version import DataVersion
from .message_queue import MessageQueue


@dataclass(frozen=True)
class OffsetWrapper(JsonBody):
    """Queue offsets; `last_timestamp` is the store time in ms of the message before `consumer_offset`."""

    broker_offset: int = wire(WHOLE_NUMBER, 0)
    consumer_offset: int = wire(WHOLE_NUMBER, 0)
    last_timestamp: int = wire(WHOLE_NUMBER, 0)
    pull_offset: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class ConsumeStats(JsonBody):
    consume_tps: float = wire(REAL_NUMBER, 0.0)
    offset_table: Dict[MessageQueue, OffsetWrapper] = wire(
        object_mapping(MessageQueue, body(OffsetWrapper)), factory=dict
    )

    @property
    def total_diff(self) -> int:
        """Messages that are not consumed."""
        return sum(row.broker_offset - row.consumer_offset for row in self.offset_table.values())

    @property
    def inflight_diff(self) -> int:
        """Messages that are pulled and not consumed."""
        return sum(row.pull_offset - row.consumer_offset for row in self.offset_table.values())


@dataclass(frozen=True)
class TopicOffset(JsonBody):
    """Queue offsets; `last_update_timestamp` is the store time in ms of the newest message."""

    last_update_timestamp: int = wire(WHOLE_NUMBER, 0)
    max_offset: int = wire(WHOLE_NUMBER, 0)
    min_offset: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class TopicStatsTable(JsonBody):
    offset_table: Dict[MessageQueue, TopicOffset] = wire(object_mapping(MessageQueue, body(TopicOffset)), factory=dict)
    topic_put_tps: float = wire(REAL_NUMBER, 0.0)


@dataclass(frozen=True)
class ConsumerOffsetSerializeWrapper(JsonBody):
    """consumerOffset.json and the answer to 43. Keys of the table are topic@group."""

    data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    group_topic_map: Dict[str, List[str]] = wire(mapping(array(TEXT)), factory=dict)
    offset_table: Dict[str, Dict[int, int]] = wire(mapping(number_mapping(WHOLE_NUMBER)), factory=dict)


@dataclass(frozen=True)
class DelayOffsetSerializeWrapper(JsonBody):
    """delayOffset.json and the answer to 45. Keys of the table are delay levels."""

    data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    offset_table: Dict[int, int] = wire(number_mapping(WHOLE_NUMBER), factory=dict)
