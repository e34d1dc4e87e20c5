# SPDX-License-Identifier: Apache-2.0
"""The fixed requests, in their order: each request code that clients, tools and slaves send in the classic modes.

They are put to Apache 5.4.0 by capture.py, and to this project's servers by tests/engine/golden. A field may name
something of an earlier answer: `<send.msgId>` is a field of the answer to `send`, `<send.msgId@>` the physical offset
in that message id, `<now>` the time.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field

_TOPIC = "GoldenTopic"
_GROUP = "golden_group"
_CLIENT = "127.0.0.1@golden"
_QUEUE = {"topic": _TOPIC, "queueId": "0"}


@dataclass(frozen=True)
class Ask:
    name: str
    to: str
    code: int
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: Before it is asked: what went before has to come to an end (an index is written, a delay is over).
    wait_s: float = 0.0
    version: int = 493
    is_binary: bool = False


def _broker(name: str, code: int, fields: dict[str, str] | None = None, body: bytes = b"", wait_s: float = 0) -> Ask:
    return Ask(name, "broker", code, fields or {}, body, wait_s)


def _namesrv(name: str, code: int, fields: dict[str, str] | None = None, body: bytes = b"", version: int = 493) -> Ask:
    return Ask(name, "namesrv", code, fields or {}, body, version=version)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _send(topic: str = _TOPIC, properties: str = "", queue_id: str = "0", sys_flag: str = "0") -> dict[str, str]:
    return {
        **{"a": "golden_producer", "b": topic, "c": "TBW102", "d": "4", "e": queue_id, "f": sys_flag, "g": "<now>"},
        **{"h": "0", "i": properties, "j": "0", "k": "false", "l": "16", "m": "false", "n": "broker-a"},
    }


def _long_send(properties: str = "") -> dict[str, str]:
    names = "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp flag properties"
    names += " reconsumeTimes unitMode maxReconsumeTimes batch bname"
    return dict(zip(names.split(), _send(properties=properties).values(), strict=True))


def _pull(queue_offset: str, **more: str) -> dict[str, str]:
    return {
        **{"consumerGroup": _GROUP, "topic": _TOPIC, "queueId": "0", "queueOffset": queue_offset, "maxMsgNums": "32"},
        **{"sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*", "subVersion": "1"},
        "expressionType": "TAG",
        **more,
    }


def _properties(**values: str) -> str:
    return "".join(f"{key}\x01{value}\x02" for key, value in values.items())


def _batch(*items: tuple[bytes, str]) -> bytes:
    pieces = []
    for body, properties in items:
        text = properties.encode()
        head = struct.pack(">iiiii", 22 + len(body) + len(text), 0, 0, 0, len(body))
        pieces.append(head + body + struct.pack(">h", len(text)) + text)
    return b"".join(pieces)


_SUBSCRIPTION = {
    **{"classFilterMode": False, "topic": _TOPIC, "subString": "TagA", "tagsSet": ["TagA"], "codeSet": [2598919]},
    **{"subVersion": 1, "expressionType": "TAG"},
}
_HEARTBEAT = {
    "clientID": _CLIENT,
    "producerDataSet": [{"groupName": "golden_producer"}],
    "consumerDataSet": [
        {
            **{"groupName": _GROUP, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING"},
            "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
            "subscriptionDataSet": [_SUBSCRIPTION],
            "unitMode": False,
        }
    ],
    "heartbeatFingerprint": 0,
    "withoutSub": False,
}
_LOCK = {
    "consumerGroup": _GROUP,
    "clientId": _CLIENT,
    "mqSet": [{"topic": _TOPIC, "brokerName": "broker-a", "queueId": 0}],
    "onlyThisBroker": False,
}
_NEW_TOPIC = {
    **{"topicName": "GoldenList", "readQueueNums": 2, "writeQueueNums": 2, "perm": 6, "topicFilterType": "SINGLE_TAG"},
    **{"topicSysFlag": 0, "order": False, "attributes": {}},
}
_NEW_GROUP = {
    **{"groupName": "golden_new", "consumeEnable": True, "consumeFromMinEnable": True, "consumeBroadcastEnable": True},
    **{"consumeMessageOrderly": False, "retryQueueNums": 1, "retryMaxTimes": 16, "brokerId": 0},
    **{"whichBrokerWhenConsumeSlowly": 1, "notifyConsumerIdsChangedEnable": True, "groupSysFlag": 0},
    **{"consumeTimeoutMinute": 15, "attributes": {}},
}
_SQL = {**_SUBSCRIPTION, "subString": "a > 5", "tagsSet": [], "codeSet": [], "expressionType": "SQL92"}
_BROKER = {"clusterName": "C", "brokerName": "broker-a", "brokerAddr": "127.0.0.1:12311", "brokerId": "0"}
_TOPIC_FIELDS = {
    **{"topic": _TOPIC, "defaultTopic": "TBW102", "readQueueNums": "2", "writeQueueNums": "2", "perm": "6"},
    **{"topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"},
}
_POP = {
    **{"consumerGroup": _GROUP, "topic": _TOPIC, "queueId": "-1", "maxMsgNums": "1", "invisibleTime": "60000"},
    **{"pollTime": "0", "bornTime": "<now>", "initMode": "0", "expType": "TAG", "exp": "*", "order": "false"},
}
_TIMES = {"beginTimestamp": "0", "endTimestamp": "4611686018427387904"}
_FAR_TIMER = _properties(TIMER_DELAY_SEC="3600", UNIQ_KEY="0A0B0C0D00002A9F0000000000000009", WAIT="true")

TOPIC_AND_MESSAGES = (
    _broker("create_topic", 17, _TOPIC_FIELDS),
    _broker("create_topic_bad_name", 17, {**_TOPIC_FIELDS, "topic": "bad topic!"}),
    _broker("create_topic_list", 18, {}, _json({"topicConfigList": [_NEW_TOPIC]})),
    _broker("send", 310, _send(properties=_properties(KEYS="k1", TAGS="TagA", UNIQ_KEY="A" * 32)), b"hello"),
    Ask(
        "send_binary",
        "broker",
        310,
        _send(properties=_properties(TAGS="TagB", UNIQ_KEY="B" * 32)),
        b"binary",
        is_binary=True,
    ),
    _broker("send_long_names", 10, _long_send(_properties(UNIQ_KEY="C" * 32)), b"long"),
    _broker(
        "send_batch",
        320,
        {**_send(queue_id="1"), "m": "true"},
        _batch((b"one", _properties(UNIQ_KEY="D" * 32)), (b"two", _properties(UNIQ_KEY="E" * 32))),
    ),
    _broker("send_delayed", 310, _send(properties=_properties(DELAY="1", UNIQ_KEY="F" * 32)), b"later"),
    _broker("send_timer", 310, _send(properties=_FAR_TIMER), b"timer"),
    _broker(
        "send_half",
        310,
        _send(properties=_properties(TRAN_MSG="true", PGROUP="golden_producer", UNIQ_KEY="1" * 32), sys_flag="4"),
        b"half",
    ),
    _broker(
        "end_transaction",
        37,
        {
            "topic": _TOPIC,
            "producerGroup": "golden_producer",
            "tranStateTableOffset": "<send_half.queueOffset>",
            "commitLogOffset": "<send_half.msgId@>",
            "commitOrRollback": "8",
            "fromTransactionCheck": "false",
            "msgId": "1" * 32,
            "transactionId": "1" * 32,
        },
    ),
    _broker("send_bad_topic", 310, _send("bad topic!"), b"x"),
    _broker("send_bad_queue", 310, _send(queue_id="99"), b"x"),
    _broker("send_system_topic", 310, _send("SCHEDULE_TOPIC_XXXX"), b"x"),
    _broker("send_no_properties", 310, _send(), b"x" * 10),
    _broker("recall_bad_handle", 370, {"producerGroup": "golden_producer", "topic": _TOPIC, "recallHandle": "xx"}),
    _broker(
        "recall",
        370,
        {"producerGroup": "golden_producer", "topic": _TOPIC, "recallHandle": "<send_timer.recallHandle>"},
    ),
    _broker("unknown_code", 9999),
)

CONSUMING = (
    _broker("heartbeat", 34, {}, _json(_HEARTBEAT)),
    _broker("consumer_list", 38, {"consumerGroup": _GROUP}),
    _broker("consumer_list_nobody", 38, {"consumerGroup": "nobody"}),
    _broker("check_client_config", 46, {}, _json({"clientId": _CLIENT, "group": _GROUP, "subscriptionData": _SQL})),
    _broker(
        "check_client_config_bad",
        46,
        {},
        _json({"clientId": _CLIENT, "group": _GROUP, "subscriptionData": {**_SQL, "subString": "a >"}}),
    ),
    _broker("pull_found", 11, _pull("0")),
    _broker("pull_not_found", 11, _pull("4")),
    _broker("pull_moved", 11, _pull("999")),
    _broker("pull_no_match", 11, _pull("0", subscription="TagZ")),
    _broker("pull_no_topic", 11, _pull("0", topic="Nope")),
    _broker("pull_bad_queue", 11, _pull("0", queueId="77")),
    _broker("pull_lite", 361, _pull("0", sysFlag="20")),
    _broker("pull_subscription_not_latest", 11, _pull("0", sysFlag="0", subVersion="99")),
    _broker("update_offset", 15, {"consumerGroup": _GROUP, **_QUEUE, "commitOffset": "1"}),
    _broker("query_offset", 14, {"consumerGroup": _GROUP, **_QUEUE}),
    _broker("query_offset_missing", 14, {"consumerGroup": "zz", **_QUEUE, "setZeroIfNotFound": "false"}),
    _broker("lock", 41, {}, _json(_LOCK)),
    _broker("unlock", 42, {}, _json(_LOCK)),
    _broker(
        "send_back",
        36,
        {
            "offset": "<send.msgId@>",
            "group": _GROUP,
            "delayLevel": "3",
            "originMsgId": "X",
            "originTopic": _TOPIC,
            "unitMode": "false",
            "maxReconsumeTimes": "16",
        },
    ),
    _broker(
        "assignment",
        400,
        {},
        _json(
            {
                "topic": _TOPIC,
                "consumerGroup": _GROUP,
                "clientId": _CLIENT,
                "strategyName": "AVG",
                "messageModel": "CLUSTERING",
            }
        ),
    ),
    _broker(
        "set_request_mode",
        401,
        {},
        _json({"topic": _TOPIC, "consumerGroup": _GROUP, "mode": "POP", "popShareQueueNum": 0}),
    ),
    _broker("all_request_modes", 402),
    _broker("pop", 200050, _POP),
    _broker(
        "change_invisible_bad",
        200053,
        {"consumerGroup": _GROUP, **_QUEUE, "extraInfo": "x", "offset": "0", "invisibleTime": "1000"},
    ),
    _broker("ack_bad", 200051, {"consumerGroup": _GROUP, **_QUEUE, "extraInfo": "x", "offset": "0"}),
    _broker("max_offset", 30, _QUEUE),
    _broker("min_offset", 31, _QUEUE),
    _broker("search_offset", 29, {**_QUEUE, "timestamp": "0"}),
    _broker("earliest_store_time", 32, _QUEUE),
    _broker("view_message", 33, {"offset": "<send.msgId@>"}),
    _broker("view_message_nowhere", 33, {"offset": "999999999"}),
    _broker("query_message", 12, {"topic": _TOPIC, "key": "k1", "maxNum": "10", **_TIMES}, wait_s=1.0),
    _broker("query_message_none", 12, {"topic": _TOPIC, "key": "nokey", "maxNum": "10", **_TIMES}),
    _broker(
        "query_unique_key",
        12,
        {"topic": _TOPIC, "key": "A" * 32, "maxNum": "10", "_UNIQUE_KEY_QUERY": "true", **_TIMES},
    ),
    _broker("reply_nobody", 325, _send(properties=_properties(REPLY_TO_CLIENT="no@one", CORRELATION_ID="1")), b"r"),
    _broker("reply_long_names", 324, _long_send(_properties(REPLY_TO_CLIENT="no@one")), b"r"),
)

ADMINISTRATION = (
    _broker("all_topics", 21),
    _broker("all_topics_page", 21, {"topicSeq": "0", "maxTopicNum": "2"}),
    _broker("all_consumer_offsets", 43),
    _broker("all_delay_offsets", 45),
    _broker("all_groups", 201),
    _broker("timer_checkpoint", 60),
    _broker("timer_metrics", 61),
    _broker("topic_stats", 202, {"topic": _TOPIC}),
    _broker("topic_stats_missing", 202, {"topic": "Nope"}),
    _broker("topic_config", 351, {"topic": _TOPIC}),
    _broker("topic_config_missing", 351, {"topic": "Nope"}),
    _broker("system_topics", 305),
    _broker("create_group", 200, {}, _json(_NEW_GROUP)),
    _broker("create_group_list", 225, {}, _json({"groupConfigList": [{**_NEW_GROUP, "groupName": "golden_list"}]})),
    _broker("group_config", 352, {"group": "golden_new"}),
    _broker("group_config_missing", 352, {"group": "Nope"}),
    _broker("group_forbidden", 353, {"group": "golden_new", "topic": _TOPIC, "readable": "false"}),
    _broker("delete_group", 207, {"groupName": "golden_new", "cleanOffset": "true"}),
    _broker("consume_stats", 208, {"consumerGroup": _GROUP}),
    _broker("consumer_connections", 203, {"consumerGroup": _GROUP}),
    _broker("consumer_connections_nobody", 203, {"consumerGroup": "nobody"}),
    _broker("producer_connections", 204, {"producerGroup": "golden_producer"}),
    _broker("producer_connections_nobody", 204, {"producerGroup": "nobody"}),
    _broker("all_producers", 328),
    _broker("who_consumes", 300, {"topic": _TOPIC}),
    _broker("consume_time_span", 303, {"topic": _TOPIC, "group": _GROUP}),
    _broker("running_info_nobody", 307, {"consumerGroup": _GROUP, "clientId": "no@one", "jstackEnable": "false"}),
    _broker(
        "consume_directly_nobody",
        309,
        {
            "consumerGroup": _GROUP,
            "clientId": "no@one",
            "msgId": "<send.msgId>",
            "brokerName": "broker-a",
            "topic": _TOPIC,
        },
    ),
    _broker("correction_offset", 308, {"filterGroups": "", "compareGroup": _GROUP, "topic": _TOPIC}),
    _broker("clone_offset", 314, {"srcGroup": _GROUP, "destGroup": "golden_clone", "topic": _TOPIC, "offline": "true"}),
    _broker("stats_data", 315, {"statsName": "TOPIC_PUT_NUMS", "statsKey": _TOPIC}),
    _broker("stats_data_missing", 315, {"statsName": "NOPE", "statsKey": "x"}),
    _broker("broker_consume_stats", 317, {"isOrder": "false"}),
    _broker("consume_queue", 321, {**_QUEUE, "index": "0", "count": "2", "consumerGroup": _GROUP}),
    _broker("consume_queue_missing", 321, {"topic": "Nope", "queueId": "0", "index": "0", "count": "2"}),
    _broker("resume_check_missing", 323, {"topic": _TOPIC, "msgId": "<send.msgId>"}),
    _broker("topics_of_consumer", 343, {"group": _GROUP}),
    _broker("subscription_of_consumer", 345, {"group": _GROUP, "topic": _TOPIC}),
    _broker(
        "reset_offset",
        222,
        {
            "group": "golden_clone",
            "topic": _TOPIC,
            "queueId": "-1",
            "offset": "-1",
            "timestamp": "0",
            "isForce": "true",
        },
    ),
    _broker("consumer_status", 223, {"topic": _TOPIC, "group": "nobody", "clientAddr": ""}),
    _broker("clean_consume_queues", 306),
    _broker("clean_unused_topics", 316),
    _broker("delete_expired_commit_log", 329),
    _broker("reset_master_flush_offset", 908, {"masterFlushOffset": "0"}),
    _broker("runtime_info", 28),
    _broker("broker_config", 26),
    _broker("update_config", 25, {}, b"maxTransferCountOnMessageInMemory=48\n"),
    _broker("update_config_unknown", 25, {}, b"noSuchKey=1\n"),
    _broker("update_config_black_list", 25, {}, b"brokerConfigPath=/x\n"),
    _broker("ha_status", 907),
    _broker("create_user", 3001, {"username": "u1"}, _json({"username": "u1", "password": "p", "userType": "Normal"})),
    _broker("get_user", 3004, {"username": "u1"}),
    _broker("list_users", 3005, {"filter": ""}),
    _broker("list_acls", 3010, {"subjectFilter": "", "resourceFilter": ""}),
    _broker("delete_topic", 215, {"topic": "GoldenList"}),
    _broker("delete_topic_missing", 215, {"topic": "Nope"}),
    _broker(
        "unregister_client", 35, {"clientID": _CLIENT, "producerGroup": "golden_producer", "consumerGroup": _GROUP}
    ),
)

NAME_SERVER = (
    _namesrv("route", 105, {"topic": _TOPIC}),
    _namesrv("route_old_version", 105, {"topic": _TOPIC}, version=0),
    _namesrv("route_standard_json", 105, {"topic": _TOPIC, "acceptStandardJsonOnly": "true"}, version=0),
    Ask("route_binary", "namesrv", 105, {"topic": _TOPIC}, is_binary=True),
    _namesrv("route_missing", 105, {"topic": "Nope"}),
    _namesrv("cluster_info", 106),
    _namesrv("all_topic_names", 206),
    _namesrv("topics_of_cluster", 224, {"cluster": "C"}),
    _namesrv("system_topics_ns", 304),
    _namesrv("unit_topics", 311),
    _namesrv("unit_sub_topics", 312),
    _namesrv("unit_sub_ununit_topics", 313),
    _namesrv("query_data_version", 322, _BROKER, _json({"counter": 1, "stateVersion": 0, "timestamp": 1})),
    _namesrv("put_kv", 100, {"namespace": "ns", "key": "k", "value": "v"}),
    _namesrv("get_kv", 101, {"namespace": "ns", "key": "k"}),
    _namesrv("list_kv", 219, {"namespace": "ns"}),
    _namesrv("delete_kv", 102, {"namespace": "ns", "key": "k"}),
    _namesrv("get_kv_missing", 101, {"namespace": "ns", "key": "k"}),
    _namesrv("list_kv_missing", 219, {"namespace": "nope"}),
    _namesrv("wipe_write_perm", 205, {"brokerName": "broker-a"}),
    _namesrv("add_write_perm", 327, {"brokerName": "broker-a"}),
    _namesrv("delete_topic_ns", 216, {"topic": "Nope", "clusterName": "C"}),
    _namesrv("namesrv_config", 319),
    _namesrv("update_namesrv_config", 318, {}, b"orderMessageEnable=false\n"),
    _namesrv("update_namesrv_config_black_list", 318, {}, b"kvConfigPath=/x\n"),
    _namesrv("unknown_code_ns", 9999),
    _namesrv("register_bad_crc", 103, {**_BROKER, "haServerAddr": "127.0.0.1:12312", "bodyCrc32": "1"}, b"{}"),
    _namesrv("unregister_unknown", 104, {**_BROKER, "brokerName": "broker-z"}),
)

#: What only a pair can be asked.
SLAVE = (
    Ask("slave_pull", "slave", 11, _pull("0")),
    Ask("slave_send", "slave", 310, _send(), b"x"),
    Ask("slave_runtime_info", "slave", 28),
    Ask("slave_ha_status", "slave", 907),
    _broker("ha_status_with_slave", 907),
)

ASKS = (*TOPIC_AND_MESSAGES, *CONSUMING, *NAME_SERVER, *ADMINISTRATION)
