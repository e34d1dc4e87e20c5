# SPDX-License-Identifier: Apache-2.0
"""Topics of a broker: one, the table that slaves fetch (21) and topics.json holds, and a registration (103)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from ..json_body import ANY, BOOLEAN, TEXT, WHOLE_NUMBER, JsonBody, array, body, mapping, optional, wire
from ..perm import PERM_READ_WRITE, perm_text
from .data_version import DataVersion

# What a topic without numbers of its own gets (TopicConfig.defaultReadQueueNums).
DEFAULT_QUEUE_NUMS = 16


@dataclass(frozen=True)
class TopicConfig(JsonBody):
    attributes: Dict[str, str] = wire(mapping(TEXT), factory=dict)
    order: bool = wire(BOOLEAN, False)
    perm: int = wire(WHOLE_NUMBER, PERM_READ_WRITE)
    read_queue_nums: int = wire(WHOLE_NUMBER, DEFAULT_QUEUE_NUMS)
    topic_filter_type: str = wire(TEXT, "SINGLE_TAG")
    topic_name: str = wire(TEXT, "")
    topic_sys_flag: int = wire(WHOLE_NUMBER, 0)
    write_queue_nums: int = wire(WHOLE_NUMBER, DEFAULT_QUEUE_NUMS)

    def __str__(self) -> str:
        """As remarks about a wrong queue show it."""
        attributes = ", ".join("%s=%s" % item for item in self.attributes.items())
        return (
            "TopicConfig [topicName=%s, readQueueNums=%d, writeQueueNums=%d, perm=%s, topicFilterType=%s, "
            "topicSysFlag=%d, order=%s, attributes={%s}]"
        ) % (
            self.topic_name,
            self.read_queue_nums,
            self.write_queue_nums,
            perm_text(self.perm),
            self.topic_filter_type,
            self.topic_sys_flag,
            "true" if self.order else "false",
            attributes,
        )


@dataclass(frozen=True)
class TopicConfigSerializeWrapper(JsonBody):
    """topics.json."""

    data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    topic_config_table: Dict[str, TopicConfig] = wire(mapping(body(TopicConfig)), factory=dict)


@dataclass(frozen=True)
class TopicConfigAndMappingSerializeWrapper(JsonBody):
    """The answer to GET_ALL_TOPIC_CONFIG. The mappings belong to static topics, and are carried as they come."""

    data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    mapping_data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    topic_config_table: Dict[str, TopicConfig] = wire(mapping(body(TopicConfig)), factory=dict)
    topic_queue_mapping_detail_map: Dict[str, Any] = wire(mapping(ANY), factory=dict)
    topic_queue_mapping_info_map: Dict[str, Any] = wire(mapping(ANY), factory=dict)


@dataclass(frozen=True)
class RegisterBrokerBody(JsonBody):
    filter_server_list: List[str] = wire(array(TEXT), factory=list)
    topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper = wire(
        body(TopicConfigAndMappingSerializeWrapper), factory=TopicConfigAndMappingSerializeWrapper
    )


@dataclass(frozen=True)
class CreateTopicListRequestBody(JsonBody):
    """The request of UPDATE_AND_CREATE_TOPIC_LIST (18)."""

    topic_config_list: List[TopicConfig] = wire(array(body(TopicConfig)), factory=list)


@dataclass(frozen=True)
class TopicList(JsonBody):
    """The answer to GET_ALL_TOPIC_LIST_FROM_NAMESERVER (206) and its like."""

    broker_addr: Optional[str] = wire(optional(TEXT), None)
    topic_list: List[str] = wire(array(TEXT), factory=list)
