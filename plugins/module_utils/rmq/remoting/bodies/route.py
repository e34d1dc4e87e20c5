# SPDX-License-Identifier: Apache-2.0
"""What the name server tells: the route of a topic (105) and the brokers of the cluster (106)."""

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
    optional,
    wire,
)

MASTER_ID = 0


@dataclass(frozen=True)
class QueueData(JsonBody):
    broker_name: str = wire(TEXT, "")
    perm: int = wire(WHOLE_NUMBER, 0)
    read_queue_nums: int = wire(WHOLE_NUMBER, 0)
    topic_sys_flag: int = wire(WHOLE_NUMBER, 0)
    write_queue_nums: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class BrokerData(JsonBody):
    """One broker set: its addresses by brokerId."""

    broker_addrs: Dict[int, str] = wire(number_mapping(TEXT), factory=dict)
    broker_name: str = wire(TEXT, "")
    cluster: str = wire(TEXT, "")
    enable_acting_master: bool = wire(BOOLEAN, False)
    zone_name: Optional[str] = wire(optional(TEXT), None)

    @property
    def master_address(self) -> Optional[str]:
        return self.broker_addrs.get(MASTER_ID)

    def select_address(self) -> Optional[str]:
        """The master, or while it is away the slave with the lowest id."""
        if not self.broker_addrs:
            return None
        return self.broker_addrs[min(self.broker_addrs)]


@dataclass(frozen=True)
class TopicRouteData(JsonBody):
    broker_datas: List[BrokerData] = wire(array(body(BrokerData)), factory=list)
    filter_server_table: Dict[str, List[str]] = wire(mapping(array(TEXT)), factory=dict)
    order_topic_conf: Optional[str] = wire(optional(TEXT), None)
    queue_datas: List[QueueData] = wire(array(body(QueueData)), factory=list)


@dataclass(frozen=True)
class ClusterInfo(JsonBody):
    broker_addr_table: Dict[str, BrokerData] = wire(mapping(body(BrokerData)), factory=dict)
    cluster_addr_table: Dict[str, List[str]] = wire(mapping(array(TEXT)), factory=dict)
