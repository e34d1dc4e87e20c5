# SPDX-License-Identifier: Apache-2.0
"""One REGISTER_BROKER (103) as a value: header and body, checked and within limits (Apache's RegisterBrokerBody).

The body comes in one of three forms:

    version of the sender   header field compressed   body below 3.0.11            -
    {"dataVersion":..,"topicConfigTable":{..}} else                    false
    {"filterServerList":..,"topicConfigSerializeWrapper":{..}} else                    true, or the body is       zlib
    of: length, data version in JSON; count; for each topic length,
                            zlib all the same          `name readQueues writeQueues perm filterType {attributes}`;
                                                       length, filter servers in JSON; count of mappings, ...

5.4.0 deflates without setting the field when compressedRegister=true, and its own name server then fails; here the body
decides. Lengths inside are only trusted as far as bytes are there.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..remoting.bodies import DataVersion, RegisterBrokerBody, TopicConfig, TopicConfigSerializeWrapper
from ..remoting.codes import ResponseCode
from ..remoting.fields import FieldError, bool_field, int_field, long_field, parse_int, text_field
from ..remoting.java_json import JavaJsonError, loads_bytes
from ..remoting.json_body import BodyError
from ..remoting.version import V3_0_11
from ..rpc import RequestRefused
from ..topology.address import parse_endpoint
from ..topology.limits import NAME

if TYPE_CHECKING:
    from ..remoting.command import RemotingCommand

# A broker with 100,000 topics registers about 15 MB; four times that is no broker any more.
INFLATED_BYTES_MAX = 64 * 1024 * 1024
# A silent broker is dropped after heartbeatTimeoutMillis, which it may choose, within an hour.
SILENCE_MS_DEFAULT = 120_000
SILENCE_MS_MAX = 3_600_000
FILTER_SERVERS_MAX = 1_000
_CRC_MASK = 0x7FFFFFFF
_ZLIB_FIRST_BYTE = 0x78
_LENGTH = struct.Struct(">i")


@dataclass(frozen=True)
class BrokerRegistration:
    """enable_acting_master is None for brokers before 5.0, which do not send it."""

    cluster: str
    broker_name: str
    broker_id: int
    address: str
    ha_server_address: str
    silence_ms: int
    enable_acting_master: bool | None
    zone_name: str | None
    data_version: DataVersion
    topics: dict[str, TopicConfig]
    filter_servers: list[str]


def decode_registration(request: RemotingCommand) -> BrokerRegistration:
    """Raises RequestRefused with the code and remark of the answer."""
    fields = request.ext_fields
    try:
        crc32 = int_field(fields, "bodyCrc32", 0)
        if crc32 != 0 and crc32 != zlib.crc32(request.body) & _CRC_MASK:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "crc32 not match")
        body = _decode_body(request)
        acting_master = bool_field(fields, "enableActingMaster") if "enableActingMaster" in fields else None
        silence_ms = long_field(fields, "heartbeatTimeoutMillis", SILENCE_MS_DEFAULT)
        wrapper = body.topic_config_serialize_wrapper
        return BrokerRegistration(
            cluster=_name(fields, "clusterName"),
            broker_name=_name(fields, "brokerName"),
            broker_id=_broker_id(fields),
            address=_address(text_field(fields, "brokerAddr")),
            ha_server_address=text_field(fields, "haServerAddr")[:300],
            silence_ms=min(max(silence_ms, 1), SILENCE_MS_MAX),
            enable_acting_master=acting_master,
            zone_name=fields.get("__ZONE_NAME"),
            data_version=wrapper.data_version,
            topics=wrapper.topic_config_table,
            filter_servers=body.filter_server_list[:FILTER_SERVERS_MAX],
        )
    except (FieldError, BodyError, JavaJsonError) as error:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"Failed to decode RegisterBrokerBody: {error}") from None


def _name(fields: dict[str, str], name: str) -> str:
    value = text_field(fields, name)
    if NAME.fullmatch(value) is None:
        raise FieldError(f"{name} is made of A-Z a-z 0-9 _ - . and has 100 characters at most")
    return value


def _broker_id(fields: dict[str, str]) -> int:
    broker_id = long_field(fields, "brokerId")
    if broker_id < 0:
        raise FieldError("brokerId is below 0")
    return broker_id


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    # Brokers of either engine write an IPv6 address without brackets.
    if parse_endpoint(text) is None and parse_endpoint(f"[{host}]:{port}") is None:
        raise FieldError("brokerAddr is not host:port")
    return text


def _decode_body(request: RemotingCommand) -> RegisterBrokerBody:
    body = request.body
    if not body:
        return RegisterBrokerBody()
    if request.version < V3_0_11:
        old = TopicConfigSerializeWrapper.decode(body)
        return _body_of(old.data_version, old.topic_config_table, [])
    if bool_field(request.ext_fields, "compressed") or body[0] == _ZLIB_FIRST_BYTE:
        return _decode_compressed(_Reader(_inflate(body)))
    return RegisterBrokerBody.decode(body)


def _body_of(
    data_version: DataVersion, topics: dict[str, TopicConfig], filter_servers: list[str]
) -> RegisterBrokerBody:
    empty = RegisterBrokerBody().topic_config_serialize_wrapper
    wrapper = type(empty)(data_version=data_version, topic_config_table=topics)
    return RegisterBrokerBody(filter_server_list=filter_servers, topic_config_serialize_wrapper=wrapper)


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, INFLATED_BYTES_MAX)
    except zlib.error as error:
        raise BodyError(f"the body is no zlib stream: {error}") from None
    if inflater.unconsumed_tail:
        raise BodyError(f"the body has more than {INFLATED_BYTES_MAX} bytes when inflated")
    return inflated


class _Reader:
    """Reads length-prefixed pieces. Raises BodyError where fewer bytes are left than a length claims."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self) -> int:
        end = self._position + _LENGTH.size
        if end > len(self._data):
            raise BodyError("the body ends early")
        (value,) = _LENGTH.unpack_from(self._data, self._position)
        self._position = end
        return int(value)

    def piece(self) -> bytes:
        size = self.number()
        end = self._position + size
        if size < 0 or end > len(self._data):
            raise BodyError(f"a piece of {size} bytes leaves the body")
        data = self._data[self._position : end]
        self._position = end
        return data


def _decode_compressed(reader: _Reader) -> RegisterBrokerBody:
    """What comes behind the filter servers (mappings of static topics) is not read."""
    data_version = DataVersion.decode(reader.piece())
    topics: dict[str, TopicConfig] = {}
    for _ in range(reader.number()):
        topic = _decode_topic(reader.piece())
        topics[topic.topic_name] = topic
    servers = loads_bytes(reader.piece())
    if not isinstance(servers, list) or not all(isinstance(server, str) for server in servers):
        servers = []
    return _body_of(data_version, topics, servers)


def _decode_topic(data: bytes) -> TopicConfig:
    words = data.decode("utf-8", "replace").split(" ")
    if len(words) < 5:
        raise BodyError("a topic has fewer than five words")
    return TopicConfig(
        topic_name=words[0],
        read_queue_nums=parse_int(words[1], "readQueueNums"),
        write_queue_nums=parse_int(words[2], "writeQueueNums"),
        perm=parse_int(words[3], "perm"),
        topic_filter_type=words[4],
    )
