# SPDX-License-Identifier: Apache-2.0
"""Subscription groups of a broker: one, and the table that slaves fetch (201) and subscriptionGroup.json holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from ..json_body import ANY, BOOLEAN, TEXT, WHOLE_NUMBER, JsonBody, array, body, mapping, optional, wire
from .data_version import DataVersion


def _customized_retry_policy() -> Dict[str, Any]:
    return {"type": "CUSTOMIZED"}


@dataclass(frozen=True)
class SubscriptionGroupConfig(JsonBody):
    attributes: Dict[str, str] = wire(mapping(TEXT), factory=dict)
    broker_id: int = wire(WHOLE_NUMBER, 0)
    consume_broadcast_enable: bool = wire(BOOLEAN, True)
    consume_enable: bool = wire(BOOLEAN, True)
    consume_from_min_enable: bool = wire(BOOLEAN, True)
    consume_message_orderly: bool = wire(BOOLEAN, False)
    consume_timeout_minute: int = wire(WHOLE_NUMBER, 15)
    group_name: str = wire(TEXT, "")
    group_retry_policy: Dict[str, Any] = wire(mapping(ANY), factory=_customized_retry_policy)
    group_sys_flag: int = wire(WHOLE_NUMBER, 0)
    notify_consumer_ids_changed_enable: bool = wire(BOOLEAN, True)
    retry_max_times: int = wire(WHOLE_NUMBER, 16)
    retry_queue_nums: int = wire(WHOLE_NUMBER, 1)
    subscription_data_set: Optional[List[Any]] = wire(optional(array(ANY)), None)
    which_broker_when_consume_slowly: int = wire(WHOLE_NUMBER, 1)


@dataclass(frozen=True)
class SubscriptionGroupWrapper(JsonBody):
    data_version: DataVersion = wire(body(DataVersion), factory=DataVersion)
    forbidden_table: Dict[str, Dict[str, int]] = wire(mapping(mapping(WHOLE_NUMBER)), factory=dict)
    subscription_group_table: Dict[str, SubscriptionGroupConfig] = wire(
        mapping(body(SubscriptionGroupConfig)), factory=dict
    )


@dataclass(frozen=True)
class SubscriptionGroupList(JsonBody):
    """The request of UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST (225)."""

    group_config_list: List[SubscriptionGroupConfig] = wire(array(body(SubscriptionGroupConfig)), factory=list)


@dataclass(frozen=True)
class GroupList(JsonBody):
    """The answer to QUERY_TOPIC_CONSUME_BY_WHO (300)."""

    group_list: List[str] = wire(array(TEXT), factory=list)
