# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.remoting.golden import EXCHANGES

from rmq.remoting import send_header as module
from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand, SerializeType, decode_header
from rmq.remoting.errors import ProtocolError
from rmq.remoting.fields import FieldError
from rmq.remoting.frame import FrameDecoder
from rmq.remoting.send_header import SendHeader, decode_send, send_header

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INT = st.integers(-(2**31), 2**31 - 1)

headers = st.builds(
    SendHeader,
    producer_group=TEXT,
    topic=TEXT,
    default_topic=TEXT,
    default_topic_queue_nums=INT,
    queue_id=st.integers(-1, 16) | INT,
    sys_flag=st.sampled_from([0, 4]) | INT,
    born_timestamp_ms=st.integers(1_600_000_000_000, 1_999_999_999_999) | st.integers(-(2**63), 2**63 - 1),
    flag=st.just(0) | INT,
    properties=TEXT | st.just("KEYS\x01k1\x02UNIQ_KEY\x010A0B\x02") | st.just('a\x01"\\u0001\\\x02'),
    reconsume_times=INT,
    unit_mode=st.booleans(),
    max_reconsume_times=st.none() | INT,
    batch=st.booleans(),
    broker_name=st.none() | TEXT,
)


def _java_header(header: SendHeader, code: int = 310, opaque: int = 8) -> bytes:
    """As the Java client writes it: no blanks, keys in alphabetical order, separators of properties escaped."""
    command = RemotingCommand(code, language="JAVA", opaque=opaque, ext_fields=header.to_ext_fields())
    return command.encode()[8:]


EXAMPLE = SendHeader(
    "group", "TopicTest", "TBW102", 4, 3, 0, 1795343239431, 0, "TAGS\x01TagA\x02", 0, False, None, False, "broker-a"
)


# Taken from rocketmq-client 5.4.0 (DefaultMQProducer: send of one message, and of a list).
JAVA_HEADERS = [
    rb'{"code":310,"extFields":{"a":"interop-producer","b":"JT","c":"TBW102","d":"4","e":"3","f":"0",'
    rb'"g":"1795362244971","h":"0","i":"KEYS\u0001k0000000\u0002UNIQ_KEY\u0001FD000000000000000000000000000002147D4E0E2'
    rb'F2A6F85E1650000\u0002WAIT\u0001true\u0002TAGS\u0001TagA\u0002","j":"0","k":"false","m":"false",'
    rb'"n":"broker-a"},"flag":0,"language":"JAVA","opaque":6,"serializeTypeCurrentRPC":"JSON","version":493}',
    rb'{"code":320,"extFields":{"a":"interop-producer","b":"JT","c":"TBW102","d":"4","e":"2","f":"0",'
    rb'"g":"1795362254225","h":"0","i":"UNIQ_KEY\u0001FD00000000000000000000000000000215904E0E2F2A6F8600690003\u0002'
    rb'WAIT\u0001true\u0002","j":"0","k":"false","m":"true","n":"broker-a"},"flag":0,"language":"JAVA","opaque":4,'
    rb'"serializeTypeCurrentRPC":"JSON","version":493}',
]


@pytest.mark.parametrize("raw", JAVA_HEADERS, ids=["one", "batch"])
def test_what_the_java_client_sends_takes_the_fast_way(raw: bytes) -> None:
    command = decode_send(raw)
    assert command is not None
    general = decode_header(SerializeType.JSON, raw)
    assert command.send_header == send_header(general)
    assert command == general


def test_what_the_fast_way_reads() -> None:
    command = decode_send(_java_header(EXAMPLE))
    assert command is not None
    assert command.send_header == EXAMPLE
    assert (command.code, command.opaque, command.language, command.version) == (310, 8, "JAVA", 493)


@given(headers, st.sampled_from([310, 320]), INT)
def test_both_ways_read_the_same(header: SendHeader, code: int, opaque: int) -> None:
    raw = _java_header(header, code, opaque)
    general = decode_header(SerializeType.JSON, raw)
    assert send_header(general) == header
    fast = decode_send(raw)
    if fast is not None:
        assert fast.send_header == header
        assert fast == general


@given(headers, st.data())
def test_a_damaged_header_is_never_read_otherwise_than_by_the_general_decoder(
    header: SendHeader, data: st.DataObject
) -> None:
    raw = bytearray(_java_header(header))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(raw) - 1))
        raw[position : position + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b'"', b"\\", b",", b"0", b"}", b"\xff", b'"e":"', b'","j":"', b'"opaque":', b""])
        )
    fast = decode_send(bytes(raw))
    if fast is None:
        return
    general = decode_header(SerializeType.JSON, bytes(raw))
    assert fast == general
    assert fast.send_header == send_header(general)


@pytest.mark.parametrize(
    "change",
    [
        (b'"opaque":8', b'"opaque":08'),
        (b'"opaque":8', b'"opaque":+8'),
        (b'"g":"1795343239431"', b'"g":"17953432394x1"'),
        (b'"a":"group"', b'"a":7'),
        (b'"a":"group"', b'"a":"group","a":"other"'),
        (b'"k":"false"', b'"k":"false","b":"other"'),
        (b'"m":"false"', b'"x":"false"'),
        (b'"version":493}', b'"version":493,"opaque":9}'),
        (b'"flag":0', b'"flag":0,"extFields":{}'),
        (b"TagA", b"Tag\\x"),
        (b"TagA", b'Tag"'),
        (b"TagA", b"\xff"),
    ],
)
def test_anything_unexpected_is_left_to_the_general_decoder(change: tuple[bytes, bytes]) -> None:
    raw = _java_header(EXAMPLE).replace(*change)
    assert raw != _java_header(EXAMPLE)
    assert decode_send(raw) is None


def test_the_general_fields_are_there_after_the_fast_way_too() -> None:
    (command,) = FrameDecoder().feed(RemotingCommand(310, ext_fields=EXAMPLE.to_ext_fields(), body=b"x").encode())
    assert command.send_header is not None
    assert command.ext_fields == EXAMPLE.to_ext_fields()
    assert command.body == b"x"


@pytest.mark.parametrize("name", ["send_v2_310_json", "send_v2_310_binary", "send_batch_320", "send_v1_10"])
def test_all_forms_of_a_send_are_understood(name: str) -> None:
    (command,) = FrameDecoder().feed(EXCHANGES[name].request)
    header = send_header(command)
    assert (header.producer_group, header.topic, header.default_topic) == ("g", "TopicTest", "TBW102")
    assert header.batch == (name == "send_batch_320")


def test_the_long_names_mean_the_same_as_the_letters() -> None:
    (command,) = FrameDecoder().feed(EXCHANGES["send_v1_10"].request)
    header = send_header(command)
    assert (header.flag, header.born_timestamp_ms, header.properties) == (7, 1700000000000, "")
    assert header.max_reconsume_times == 0


@pytest.mark.parametrize("name", "abcdefgh")
def test_a_send_without_a_needed_field_is_refused(name: str) -> None:
    fields = EXAMPLE.to_ext_fields()
    del fields[name]
    with pytest.raises(FieldError, match=f"<{name}> is null"):
        send_header(RemotingCommand(RequestCode.SEND_MESSAGE_V2, ext_fields=fields))


def test_the_cache_of_constant_parts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_ENTRIES", 10)
    for index in range(100):
        assert decode_send(_java_header(EXAMPLE._replace(topic=f"T{index}", broker_name=f"b{index}"))) is not None
    assert len(module._heads) <= 10
    assert len(module._tails) <= 10


def test_a_header_that_is_no_send_is_not_looked_at() -> None:
    assert decode_send(json.dumps({"code": 34}, separators=(",", ":")).encode()) is None


def test_a_header_that_only_begins_well_is_a_protocol_error() -> None:
    frame = (
        RemotingCommand(310, ext_fields=EXAMPLE.to_ext_fields()).encode().replace(b'"version":493}', b'"version":493,')
    )
    with pytest.raises(ProtocolError):
        FrameDecoder().feed(frame)
