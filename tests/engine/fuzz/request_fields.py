# SPDX-License-Identifier: Apache-2.0
"""What the header of each request may hold: the fields of Apache's *RequestHeader classes, by code.

A code that is answered and not listed here is sent with every field that any request has.
"""

from __future__ import annotations

_QUEUE = "topic queueId"
_SEND = (
    "producerGroup topic defaultTopic defaultTopicQueueNums queueId sysFlag bornTimestamp flag properties "
    "reconsumeTimes unitMode batch maxReconsumeTimes"
)
_PULL = (
    "consumerGroup topic queueId queueOffset maxMsgNums sysFlag commitOffset suspendTimeoutMillis subscription "
    "subVersion expressionType maxMsgBytes requestSource"
)
_REGISTRATION = (
    "brokerName brokerAddr clusterName haServerAddr brokerId heartbeatTimeoutMillis enableActingMaster compressed "
    "bodyCrc32"
)
_BROKER = "brokerName brokerAddr clusterName brokerId"
_TOPIC = "topic defaultTopic readQueueNums writeQueueNums perm topicFilterType topicSysFlag order attributes force"

_TABLE: dict[int, str] = {
    10: _SEND,
    11: _PULL,
    12: "topic key maxNum beginTimestamp endTimestamp indexType lastKey _UNIQUE_KEY_QUERY",
    14: "consumerGroup topic queueId setZeroIfNotFound",
    15: "consumerGroup topic queueId commitOffset",
    17: _TOPIC,
    18: "",
    21: "topicSeq dataVersion maxTopicNum",
    25: "",
    26: "",
    28: "",
    29: f"{_QUEUE} timestamp boundaryType",
    30: f"{_QUEUE} committed",
    31: _QUEUE,
    32: _QUEUE,
    33: "topic offset",
    34: "",
    35: "clientID producerGroup consumerGroup",
    36: "offset group delayLevel originMsgId originTopic unitMode maxReconsumeTimes",
    37: "topic producerGroup tranStateTableOffset commitLogOffset commitOrRollback fromTransactionCheck msgId "
    "transactionId",
    38: "consumerGroup",
    41: "",
    42: "",
    43: "",
    45: "",
    46: "",
    60: "",
    61: "",
    100: "namespace key value",
    101: "namespace key",
    102: "namespace key",
    103: _REGISTRATION,
    104: _BROKER,
    105: "topic acceptStandardJsonOnly",
    106: "",
    200: "",
    201: "groupSeq dataVersion maxGroupNum",
    202: "topic",
    203: "consumerGroup",
    204: "producerGroup",
    205: "brokerName",
    206: "",
    207: "groupName cleanOffset",
    208: "consumerGroup topic topicList",
    215: "topic",
    216: "topic clusterName",
    219: "namespace",
    222: "group topic queueId offset timestamp isForce",
    223: "topic group clientAddr",
    224: "cluster",
    225: "",
    300: "topic",
    303: "topic group",
    307: "consumerGroup clientId jstackEnable",
    308: "filterGroups compareGroup topic",
    309: "consumerGroup clientId msgId brokerName topic topicSysFlag groupSysFlag",
    310: "a b c d e f g h i j k l m n",
    314: "srcGroup destGroup topic offline",
    315: "statsName statsKey",
    317: "isOrder",
    318: "",
    319: "",
    320: "a b c d e f g h i j k l m n",
    321: "topic queueId index count consumerGroup",
    322: _BROKER,
    323: "topic msgId",
    324: _SEND,
    325: "a b c d e f g h i j k l m n",
    327: "brokerName",
    343: "group",
    345: "group topic",
    351: "topic",
    352: "group",
    353: "group topic readable",
    361: _PULL,
    370: "producerGroup topic recallHandle",
    901: "clusterName brokerName",
    908: "masterFlushOffset",
    3001: "username",
    3002: "username",
    3003: "username",
    3004: "username",
    3005: "filter",
    3006: "subject",
    3007: "subject",
    3008: "subject policyType resource",
    3009: "subject",
    3010: "subjectFilter resourceFilter",
    200050: "consumerGroup topic queueId maxMsgNums invisibleTime pollTime bornTime initMode expType exp order "
    "attemptId",
    200051: "consumerGroup topic queueId extraInfo offset",
    200052: "topic queueId maxMsgNums consumerGroup",
    200053: "consumerGroup topic queueId extraInfo offset invisibleTime",
    200054: "consumerGroup topic queueId pollTime bornTime order attemptId",
    200055: "consumerGroup topic queueId",
}

FIELDS: dict[int, tuple[str, ...]] = {code: tuple(names.split()) for code, names in _TABLE.items()}

ALL_FIELDS = tuple(sorted({name for names in FIELDS.values() for name in names if len(name) > 1}))
