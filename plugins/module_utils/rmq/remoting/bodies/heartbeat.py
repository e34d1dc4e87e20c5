# SPDX-License-Identifier: Apache-2.0
"""What a client tells about itself (34) and what is told about clients (38, 203, 204).

Enumerations stay texts here: clients in other languages spell some of them differently, and a broker shows them as
they came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional

from ..json_body import BOOLEAN, TEXT, WHOLE_NUMBER, JsonBody, array, body, mapping, optional, wire

EXPRESSION_TAG = "TAG"
EXPRESSION_SQL92 = "SQL92"
SUBSCRIBE_ALL = "*"


@dataclass(frozen=True)
class SubscriptionData(JsonBody):
    """`code_set` holds the hashes of `tags_set`; both are empty for "*"."""

    class_filter_mode: bool = wire(BOOLEAN, False)
    code_set: List[int] = wire(array(WHOLE_NUMBER), factory=list)
    expression_type: str = wire(TEXT, EXPRESSION_TAG)
    filter_class_source: Optional[str] = wire(optional(TEXT), None)
    sub_string: str = wire(TEXT, SUBSCRIBE_ALL)
    sub_version: int = wire(WHOLE_NUMBER, 0)
    tags_set: List[str] = wire(array(TEXT), factory=list)
    topic: str = wire(TEXT, "")


@dataclass(frozen=True)
class ProducerData(JsonBody):
    group_name: str = wire(TEXT, "")


@dataclass(frozen=True)
class ConsumerData(JsonBody):
    consume_from_where: str = wire(TEXT, "CONSUME_FROM_LAST_OFFSET")
    consume_type: str = wire(TEXT, "CONSUME_PASSIVELY")
    group_name: str = wire(TEXT, "")
    message_model: str = wire(TEXT, "CLUSTERING")
    subscription_data_set: List[SubscriptionData] = wire(array(body(SubscriptionData)), factory=list)
    unit_mode: bool = wire(BOOLEAN, False)


@dataclass(frozen=True)
class HeartbeatData(JsonBody):
    client_id: str = wire(TEXT, "", name="clientID")
    consumer_data_set: List[ConsumerData] = wire(array(body(ConsumerData)), factory=list)
    heartbeat_fingerprint: int = wire(WHOLE_NUMBER, 0)
    producer_data_set: List[ProducerData] = wire(array(body(ProducerData)), factory=list)
    without_sub: bool = wire(BOOLEAN, False)


@dataclass(frozen=True)
class GetConsumerListByGroupResponseBody(JsonBody):
    consumer_id_list: List[str] = wire(array(TEXT), factory=list)


@dataclass(frozen=True)
class Connection(JsonBody):
    client_addr: str = wire(TEXT, "")
    client_id: str = wire(TEXT, "")
    language: str = wire(TEXT, "OTHER")
    version: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class ConsumerConnection(JsonBody):
    connection_set: List[Connection] = wire(array(body(Connection)), factory=list)
    consume_from_where: Optional[str] = wire(optional(TEXT), None)
    consume_type: Optional[str] = wire(optional(TEXT), None)
    message_model: Optional[str] = wire(optional(TEXT), None)
    subscription_table: Dict[str, SubscriptionData] = wire(mapping(body(SubscriptionData)), factory=dict)


@dataclass(frozen=True)
class ProducerConnection(JsonBody):
    connection_set: List[Connection] = wire(array(body(Connection)), factory=list)
