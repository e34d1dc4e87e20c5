# SPDX-License-Identifier: Apache-2.0
"""What is in a consume queue: the answer to 321."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from ..json_body import BOOLEAN, TEXT, WHOLE_NUMBER, JsonBody, array, body, optional, wire
from .heartbeat import SubscriptionData


@dataclass(frozen=True)
class ConsumeQueueData(JsonBody):
    """One unit. `bit_map`, `extend_data_json` and `msg` concern consumequeue_ext files only."""

    bit_map: Optional[str] = wire(optional(TEXT), None)
    eval: bool = wire(BOOLEAN, False)
    extend_data_json: Optional[str] = wire(optional(TEXT), None)
    msg: Optional[str] = wire(optional(TEXT), None)
    physic_offset: int = wire(WHOLE_NUMBER, 0)
    physic_size: int = wire(WHOLE_NUMBER, 0)
    tags_code: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class QueryConsumeQueueResponseBody(JsonBody):
    """`max_queue_index` and `min_queue_index` are queue offsets."""

    filter_data: Optional[str] = wire(optional(TEXT), None)
    max_queue_index: int = wire(WHOLE_NUMBER, 0)
    min_queue_index: int = wire(WHOLE_NUMBER, 0)
    queue_data: List[ConsumeQueueData] = wire(array(body(ConsumeQueueData)), factory=list)
    subscription_data: Optional[SubscriptionData] = wire(optional(body(SubscriptionData)), None)
