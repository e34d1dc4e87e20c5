# SPDX-License-Identifier: Apache-2.0
"""The requests that Apache's dashboard and exporter send, with the placeholders of `Side.values`.

Those of users and access control lists (3001-3010) are asked for by the mqadmin cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .cases import GROUP, PRODUCER, TOPIC

_TOPIC_FIELDS = {
    **{"topic": "ParityWire", "defaultTopic": "TBW102", "topicFilterType": "SINGLE_TAG", "topicSysFlag": "0"},
    **{"readQueueNums": "2", "writeQueueNums": "2", "perm": "6", "order": "false"},
}
_CLIENT = {"consumerGroup": GROUP, "clientId": "{client}"}
_GROUP_CONFIG = '{{"groupName":"parity-wire","retryMaxTimes":3,"consumeEnable":true}}'


@dataclass(frozen=True)
class Code:
    """`to` is a placeholder. `differs`: keys of one side alone that an entry of differences.md explains."""

    number: int
    name: str
    fields: dict[str, str] = field(default_factory=dict)
    to: str = "master"
    body: str = ""
    differs: tuple[str, ...] = ()


CODES = (
    Code(105, "GET_ROUTEINFO_BY_TOPIC", {"topic": TOPIC}, to="namesrv"),
    Code(106, "GET_BROKER_CLUSTER_INFO", to="namesrv"),
    Code(206, "GET_ALL_TOPIC_LIST_FROM_NAMESERVER", to="namesrv"),
    Code(
        12,
        "QUERY_MESSAGE",
        {"topic": TOPIC, "key": "k0000003", "maxNum": "5", "beginTimestamp": "0", "endTimestamp": "{end_ms}"},
    ),
    Code(33, "VIEW_MESSAGE_BY_ID", {"offset": "0"}),
    Code(21, "GET_ALL_TOPIC_CONFIG"),
    Code(26, "GET_BROKER_CONFIG"),
    Code(
        28,
        "GET_BROKER_RUNTIME_INFO",
        differs=("damagedRanges", "damagedRecords", "damagedAt", "mendedRanges", "tailsSetAside", "forcedCleanFiles"),
    ),
    Code(201, "GET_ALL_SUBSCRIPTIONGROUP_CONFIG"),
    Code(202, "GET_TOPIC_STATS_INFO", {"topic": TOPIC}),
    Code(203, "GET_CONSUMER_CONNECTION_LIST", {"consumerGroup": GROUP}),
    Code(204, "GET_PRODUCER_CONNECTION_LIST", {"producerGroup": PRODUCER}, to="master_b"),
    Code(208, "GET_CONSUME_STATS", {"consumerGroup": GROUP, "topic": TOPIC}),
    Code(300, "QUERY_TOPIC_CONSUME_BY_WHO", {"topic": TOPIC}),
    Code(307, "GET_CONSUMER_RUNNING_INFO", {**_CLIENT, "jstackEnable": "false"}),
    Code(
        309,
        "CONSUME_MESSAGE_DIRECTLY",
        {**_CLIENT, "msgId": "{offset_msg_id}", "topic": TOPIC, "brokerName": "broker-a"},
    ),
    Code(315, "VIEW_BROKER_STATS_DATA", {"statsName": "TOPIC_PUT_NUMS", "statsKey": TOPIC}),
    Code(328, "GET_ALL_PRODUCER_INFO"),
    Code(351, "GET_TOPIC_CONFIG", {"topic": TOPIC}),
    Code(352, "GET_SUBSCRIPTIONGROUP_CONFIG", {"group": GROUP}),
    Code(17, "UPDATE_AND_CREATE_TOPIC", _TOPIC_FIELDS),
    Code(200, "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP", body=_GROUP_CONFIG),
    Code(
        222,
        "INVOKE_BROKER_TO_RESET_OFFSET",
        {"topic": "ParityWire", "group": "parity-wire", "timestamp": "-1", "isForce": "true"},
    ),
    Code(207, "DELETE_SUBSCRIPTIONGROUP", {"groupName": "parity-wire", "cleanOffset": "true"}),
    Code(215, "DELETE_TOPIC_IN_BROKER", {"topic": "ParityWire"}),
    Code(216, "DELETE_TOPIC_IN_NAMESRV", {"topic": "ParityWire"}, to="namesrv"),
)

#: (statsName, statsKey) of 315: those that the exporter, the dashboard and mqadmin ask for.
KEPT_STATISTICS = (
    *((name, TOPIC) for name in ("TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE")),
    *((name, f"{TOPIC}@{GROUP}") for name in ("GROUP_GET_NUMS", "GROUP_GET_SIZE")),
    *((f"BROKER_{way}_NUMS{of}", "DefaultCluster") for way in ("PUT", "GET") for of in ("", "_WITHOUT_SYSTEM_TOPIC")),
)
#: Entry statistics-not-kept.
NOT_KEPT_STATISTICS = (
    ("TOPIC_PUT_LATENCY", f"0@{TOPIC}"),
    ("GROUP_GET_LATENCY", f"0@{TOPIC}@{GROUP}"),
    ("PRODUCER_REGISTER_TIME", "DefaultCluster"),
    ("CONSUMER_REGISTER_TIME", "DefaultCluster"),
)


def keys(body: bytes) -> set[str]:
    """Every key of a JSON body, however deep. Java leaves integer keys unquoted, and takes objects as keys."""
    if not body.startswith(b"{"):
        return set()
    text = body.decode()
    return set(re.findall(r'"([^"\\]+)":', text)) | set(re.findall(r"[{,](\d+):", text))
