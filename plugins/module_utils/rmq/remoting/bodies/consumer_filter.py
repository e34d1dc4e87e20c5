# SPDX-License-Identifier: Apache-2.0
"""consumerFilter.json: which group filters which topic by which expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List

from ..json_body import BOOLEAN, TEXT, WHOLE_NUMBER, JsonBody, array, body, mapping, wire


@dataclass(frozen=True)
class BloomFilterData(JsonBody):
    bit_num: int = wire(WHOLE_NUMBER, 0)
    bit_pos: List[int] = wire(array(WHOLE_NUMBER), factory=list)


@dataclass(frozen=True)
class ConsumerFilterData(JsonBody):
    """Times are in ms. `dead_time` is 0 while the group is connected; `dead` follows from it, readers pass it over."""

    bloom_filter_data: BloomFilterData = wire(body(BloomFilterData), factory=BloomFilterData)
    born_time: int = wire(WHOLE_NUMBER, 0)
    client_version: int = wire(WHOLE_NUMBER, 0)
    consumer_group: str = wire(TEXT, "")
    dead: bool = wire(BOOLEAN, False)
    dead_time: int = wire(WHOLE_NUMBER, 0)
    expression: str = wire(TEXT, "")
    expression_type: str = wire(TEXT, "")
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class FilterDataMapByTopic(JsonBody):
    group_filter_data: Dict[str, ConsumerFilterData] = wire(mapping(body(ConsumerFilterData)), factory=dict)
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class ConsumerFilterTable(JsonBody):
    filter_data_by_topic: Dict[str, FilterDataMapByTopic] = wire(mapping(body(FilterDataMapByTopic)), factory=dict)
