# SPDX-License-Identifier: Apache-2.0
"""One valid request of each code: what the fuzzer's mutations start from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.engine.fuzz.request_fields import ALL_FIELDS, FIELDS
from tests.engine.remoting.golden import EXCHANGES

from rmq.remoting.command import RemotingCommand, SerializeType
from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Sample:
    """A request before it becomes bytes."""

    code: int
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    version: int = 493
    flag: int = 0
    language: str = "JAVA"
    is_binary: bool = False

    def copy(self) -> Sample:
        return Sample(self.code, dict(self.fields), self.body, self.version, self.flag, self.language, self.is_binary)

    def encode(self, opaque: int) -> bytes:
        command = RemotingCommand(
            self.code,
            language=self.language,
            version=self.version,
            opaque=opaque,
            flag=self.flag,
            ext_fields=self.fields,
            body=self.body,
            serialize_type=SerializeType.ROCKETMQ if self.is_binary else SerializeType.JSON,
        )
        return command.encode()


_PROPERTIES = "KEYS\x01k1\x02TAGS\x01TagA\x02UNIQ_KEY\x010A0B0C0D00002A9F0000000000000010\x02WAIT\x01true\x02"
_MESSAGE_ID = "7F000001000030170000000000000000"
_DATA_VERSION = '{"counter":1,"stateVersion":0,"timestamp":1795343242994}'

#: By field: what a client would write there. The letters are those of SEND_MESSAGE_V2.
VALUES: dict[str, str] = {
    **{"a": "pg", "b": "TopicTest", "c": "TBW102", "d": "4", "e": "0", "f": "0", "g": "1795343239431", "h": "0"},
    **{"i": _PROPERTIES, "j": "0", "k": "false", "l": "16", "m": "false", "n": "broker-a"},
    **{"topic": "TopicTest", "defaultTopic": "TBW102", "originTopic": "TopicTest"},
    **{"producerGroup": "pg", "consumerGroup": "gc", "group": "gc", "groupName": "gc2", "srcGroup": "gc"},
    **{"destGroup": "gc2", "compareGroup": "gc", "filterGroups": "gc2", "clientID": "c@1", "clientId": "c@1"},
    **{"clientAddr": "c@1", "properties": _PROPERTIES, "subscription": "TagA || TagB", "expressionType": "TAG"},
    **{"topicFilterType": "SINGLE_TAG", "attributes": "+message.type=NORMAL", "key": "k1", "value": "v"},
    **{"namespace": "ns", "indexType": "K", "boundaryType": "LOWER", "dataVersion": _DATA_VERSION},
    **{"msgId": _MESSAGE_ID, "originMsgId": _MESSAGE_ID, "transactionId": "TX1", "brokerName": "broker-a"},
    **{"brokerAddr": "10.0.0.21:10911", "haServerAddr": "10.0.0.21:10912", "clusterName": "C", "cluster": "C"},
    **{"bodyCrc32": "0", "statsName": "TOPIC_PUT_NUMS", "statsKey": "TopicTest", "topicList": "TopicTest"},
    **{"commitOrRollback": "8", "perm": "6", "sysFlag": "0", "maxMsgNums": "32", "queueOffset": "0"},
    **{"subVersion": "1", "maxMsgBytes": "65536", "suspendTimeoutMillis": "15000", "commitOffset": "1"},
    **{"timestamp": "1795343239431", "bornTimestamp": "1795343239431", "endTimestamp": "4611686018427387904"},
    **{"reconsumeTimes": "0", "maxReconsumeTimes": "16", "delayLevel": "3", "maxNum": "10", "count": "10"},
    **{"readQueueNums": "4", "writeQueueNums": "4", "defaultTopicQueueNums": "4", "order": "false"},
    **{"unitMode": "false", "batch": "false", "isForce": "true", "offline": "true", "readable": "true"},
    **{"jstackEnable": "false", "cleanOffset": "true", "compressed": "false", "enableActingMaster": "false"},
    **{"username": "u1", "filter": "u", "subject": "User:u1", "subjectFilter": "u", "resourceFilter": "Topic"},
    **{"policyType": "CUSTOM", "resource": "Topic:TopicTest", "_UNIQUE_KEY_QUERY": "false", "lastKey": ""},
    **{"invisibleTime": "60000", "pollTime": "15000", "bornTime": "1795343239431", "initMode": "0"},
    **{"expType": "TAG", "exp": "*", "attemptId": "a1", "extraInfo": "0 1795343239431 60000 0 0 broker-a 0 0"},
    **{"recallHandle": "djEgVG9waWNUZXN0IGJyb2tlci1hIDE3OTUzNDMyMzk0MzEgVVgx"},
    **{"maxTopicNum": "100", "maxGroupNum": "100", "setZeroIfNotFound": "false", "committed": "true"},
    **{"fromTransactionCheck": "false", "acceptStandardJsonOnly": "true", "heartbeatTimeoutMillis": "120000"},
}


def _body_of(name: str) -> bytes:
    (command,) = FrameDecoder().feed(EXCHANGES[name].request)
    return command.body


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_SUBSCRIPTION = {
    "classFilterMode": False,
    "topic": "TopicTest",
    "subString": "a > 5 AND b IS NOT NULL",
    "tagsSet": [],
    "codeSet": [],
    "subVersion": 1,
    "expressionType": "SQL92",
}
_GROUP: dict[str, Any] = {
    "groupName": "gc2",
    "consumeEnable": True,
    "consumeFromMinEnable": True,
    "consumeBroadcastEnable": True,
    "consumeMessageOrderly": False,
    "retryQueueNums": 1,
    "retryMaxTimes": 16,
    "groupRetryPolicy": {"type": "CUSTOMIZED"},
    "brokerId": 0,
    "whichBrokerWhenConsumeSlowly": 1,
    "notifyConsumerIdsChangedEnable": True,
    "groupSysFlag": 0,
    "consumeTimeoutMinute": 15,
    "subscriptionDataSet": None,
    "attributes": {},
}
_TOPIC = {
    "topicName": "TopicTest",
    "readQueueNums": 4,
    "writeQueueNums": 4,
    "perm": 6,
    "topicFilterType": "SINGLE_TAG",
    "topicSysFlag": 0,
    "order": False,
    "attributes": {},
}
_WRAPPER = {
    "dataVersion": {"counter": 1, "stateVersion": 0, "timestamp": 1},
    "topicConfigTable": {"TopicTest": _TOPIC, "TBW102": {**_TOPIC, "topicName": "TBW102"}},
    "mappingDataVersion": {"counter": 0, "stateVersion": 0, "timestamp": 1},
    "topicQueueMappingDetailMap": {},
    "topicQueueMappingInfoMap": {},
}
_MODE = {"topic": "TopicTest", "consumerGroup": "gc", "mode": "POP", "popShareQueueNum": 1}
_ASSIGNMENT = {
    "topic": "TopicTest",
    "consumerGroup": "gc",
    "clientId": "c@1",
    "strategyName": "AVG",
    "messageModel": "CLUSTERING",
}
_USER = {"username": "u1", "password": "p1", "userType": "Normal", "userStatus": "enable"}
_ACL = {
    "subject": "User:u1",
    "policies": [
        {
            "policyType": "CUSTOM",
            "entries": [
                {"resource": "Topic:TopicTest", "actions": ["Pub"], "sourceIps": ["10.0.0.0/8"], "decision": "Allow"}
            ],
        }
    ],
}
_BATCH_ACK = {
    "brokerName": "broker-a",
    "acks": [{"c": "gc", "t": "TopicTest", "r": "0", "so": 0, "q": 0, "rq": 0, "pt": 1, "it": 60000, "b": "AQ=="}],
}

#: By code: what stands in the body.
BODIES: dict[int, bytes] = {
    **dict.fromkeys((10, 310, 324, 325), b"hello"),
    18: _json({"topicConfigList": [_TOPIC, {**_TOPIC, "topicName": "T2"}]}),
    25: b"flushDiskType=ASYNC_FLUSH\nautoCreateTopicEnable=true\nmaxMessageSize=4194304\n",
    34: _body_of("heartbeat_34"),
    41: _body_of("lock_41"),
    42: _body_of("unlock_42"),
    46: _json({"clientId": "c@1", "group": "gc", "subscriptionData": _SUBSCRIPTION}),
    103: _json({"filterServerList": [], "topicConfigSerializeWrapper": _WRAPPER}),
    200: _json(_GROUP),
    225: _json({"groupConfigList": [_GROUP, {**_GROUP, "groupName": "gc3"}]}),
    307: b"",
    318: b"orderMessageEnable=true\n",
    320: _body_of("send_batch_320"),
    322: _DATA_VERSION.encode(),
    400: _json(_ASSIGNMENT),
    401: _json(_MODE),
    **dict.fromkeys((3001, 3002), _json(_USER)),
    **dict.fromkeys((3006, 3007), _json(_ACL)),
    200151: _json(_BATCH_ACK),
}


def sample(code: int) -> Sample:
    """A valid request of this code; of one that nobody has described yet, a request with everything in it."""
    names = FIELDS.get(code, ALL_FIELDS)
    return Sample(code, {name: VALUES.get(name, "0") for name in names}, BODIES.get(code, b""))


def golden_samples(codes: Iterable[int]) -> list[Sample]:
    """The requests that Apache answered, as far as these codes go."""
    wanted = set(codes)
    found = []
    for exchange in EXCHANGES.values():
        (command,) = FrameDecoder().feed(exchange.request)
        if command.code in wanted:
            is_binary = command.serialize_type is SerializeType.ROCKETMQ
            found.append(
                Sample(command.code, dict(command.ext_fields), command.body, command.version, is_binary=is_binary)
            )
    return found
