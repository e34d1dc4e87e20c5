# SPDX-License-Identifier: Apache-2.0
"""One question over the remoting protocol, written apart from the engine on purpose: a waiter that used the engine's
own codec would agree with its mistakes."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Any

PULL_MESSAGE = 11
QUERY_MESSAGE = 12
UPDATE_CONSUMER_OFFSET = 15
UPDATE_AND_CREATE_TOPIC = 17
GET_ALL_TOPIC_CONFIG = 21
GET_BROKER_RUNTIME_INFO = 28
GET_MAX_OFFSET = 30
GET_MIN_OFFSET = 31
CONSUMER_SEND_MSG_BACK = 36
GET_ALL_CONSUMER_OFFSET = 43
GET_BROKER_CLUSTER_INFO = 106
GET_KV_CONFIG = 101
GET_ROUTEINFO_BY_TOPIC = 105
UPDATE_AND_CREATE_SUBSCRIPTION_GROUP = 200
GET_ALL_SUBSCRIPTION_GROUP_CONFIG = 201
SEND_MESSAGE_V2 = 310
QUERY_DATA_VERSION = 322
GET_TOPIC_CONFIG = 351
GET_BROKER_HA_STATUS = 907

# A broker beside many others on a small machine.
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Answer:
    code: int
    remark: str
    fields: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, with the integer map keys that Java leaves unquoted put into quotes."""
        return json.loads(re.sub(r"([{,])(\d+):", r'\1"\2":', self.body.decode()))


def ask(
    address: str, code: int, fields: dict[str, str] | None = None, body: bytes = b"", *, encrypted: bool = False
) -> Answer:
    """Sends one request and reads its answer. Raises OSError when the peer is away or breaks the frame."""
    header = json.dumps(
        {"code": code, "language": "JAVA", "version": 493, "opaque": 1, "flag": 0, "extFields": fields or {}}
    ).encode()
    host, _, port = address.rpartition(":")
    with _connect(host, int(port), encrypted=encrypted) as connection:
        connection.sendall(struct.pack(">ii", 4 + len(header) + len(body), len(header)) + header + body)
        (length,) = struct.unpack(">i", _read(connection, 4))
        frame = _read(connection, length)
    header_length = struct.unpack(">i", frame[:4])[0] & 0xFFFFFF
    answer = json.loads(frame[4 : 4 + header_length])
    return Answer(answer["code"], answer.get("remark") or "", answer.get("extFields") or {}, frame[4 + header_length :])


def lists_broker(namesrv: str, broker_name: str, broker_id: int, address: str, *, encrypted: bool = False) -> bool:
    """Whether this name server gives out this address for the broker."""
    table = ask(namesrv, GET_BROKER_CLUSTER_INFO, encrypted=encrypted).json()["brokerAddrTable"]
    addresses = table.get(broker_name, {}).get("brokerAddrs", {})
    return bool(addresses.get(str(broker_id)) == address)


def in_sync_slaves(master: str, *, encrypted: bool = False) -> int:
    """How many slaves of this master are connected and have everything, as the master counts them."""
    connections = ask(master, GET_BROKER_HA_STATUS, encrypted=encrypted).json().get("haConnectionInfo") or []
    return sum(1 for connection in connections if connection["inSync"])


def knows_topic(broker: str, topic: str) -> bool:
    return ask(broker, GET_TOPIC_CONFIG, {"topic": topic}).code == 0


def create_topic(broker: str, topic: str, *, queues: int) -> Answer:
    fields = {"topic": topic, "defaultTopic": "TBW102", "perm": "6", "topicFilterType": "SINGLE_TAG"}
    fields |= {"readQueueNums": str(queues), "writeQueueNums": str(queues), "topicSysFlag": "0", "order": "false"}
    return ask(broker, UPDATE_AND_CREATE_TOPIC, fields)


def routes_to(namesrv: str, topic: str, broker_names: set[str]) -> bool:
    """Whether this name server gives out a route of the topic to all of these brokers."""
    route = ask(namesrv, GET_ROUTEINFO_BY_TOPIC, {"topic": topic})
    return route.code == 0 and broker_names <= {queue["brokerName"] for queue in route.json()["queueDatas"]}


def _connect(host: str, port: int, *, encrypted: bool) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=_TIMEOUT_S)
    if not encrypted:
        return connection
    # Only looks at what is there: whom it talks to is the cases' business.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("the peer closed the connection in the middle of a frame")
        data += piece
    return data
