# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.engine.remoting.golden import EXCHANGES, Exchange

from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand, SerializeType
from rmq.remoting.frame import FrameDecoder

ALL = pytest.mark.parametrize("exchange", EXCHANGES.values(), ids=EXCHANGES.keys())


def _decode_one(frame: bytes) -> RemotingCommand:
    decoder = FrameDecoder()
    (command,) = decoder.feed(frame)
    assert decoder.buffered_bytes == 0
    return command


@ALL
def test_answers_of_apache_are_decoded(exchange: Exchange) -> None:
    header = exchange.response_header
    answer = _decode_one(exchange.response)
    assert answer.is_response
    assert (answer.code, answer.opaque, answer.language, answer.version) == (
        header["code"],
        header["opaque"],
        "JAVA",
        493,
    )
    assert answer.remark == header.get("remark")
    assert answer.ext_fields == header.get("extFields", {})
    assert answer.body == exchange.response_body


@ALL
def test_an_answer_of_ours_is_apaches_byte_for_byte(exchange: Exchange) -> None:
    request = _decode_one(exchange.request)
    theirs = _decode_one(exchange.response)
    ours = request.response(theirs.code, theirs.remark, theirs.ext_fields, theirs.body)
    # Apache writes an empty map where the answer has a header class whose fields are all null; we leave it out, which
    # its readers treat alike.
    length, header_size = (int.from_bytes(exchange.response[start : start + 4], "big") for start in (0, 4))
    expected = exchange.response[8:]
    if b'"extFields":{},' in expected[:header_size]:
        expected = expected.replace(b'"extFields":{},', b"", 1)
        length, header_size = length - 15, header_size - 15
    assert ours.encode() == length.to_bytes(4, "big") + header_size.to_bytes(4, "big") + expected


@ALL
def test_request_and_answer_belong_together(exchange: Exchange) -> None:
    request = _decode_one(exchange.request)
    assert not request.is_response
    assert not request.is_oneway
    assert request.opaque == _decode_one(exchange.response).opaque


@pytest.mark.parametrize("name", ["route_105_binary_request", "send_v2_310_binary"])
def test_a_binary_request_is_encoded_as_it_came(name: str) -> None:
    frame = EXCHANGES[name].request
    request = _decode_one(frame)
    assert request.serialize_type is SerializeType.ROCKETMQ
    assert request.encode() == frame


def test_a_binary_request_means_the_same_as_its_json_form() -> None:
    binary = _decode_one(EXCHANGES["route_105_binary_request"].request)
    json = _decode_one(EXCHANGES["route_105_json"].request)
    assert (binary.code, binary.ext_fields) == (json.code, json.ext_fields)
    assert binary.code == RequestCode.GET_ROUTEINFO_BY_TOPIC


def test_a_binary_request_is_answered_in_json() -> None:
    request = _decode_one(EXCHANGES["send_v2_310_binary"].request)
    assert request.response(0).serialize_type is SerializeType.JSON


def test_codes_that_do_not_fit_the_binary_header_go_in_json() -> None:
    request = RemotingCommand.request(RequestCode.POP_MESSAGE, {"topic": "T"})
    request.serialize_type = SerializeType.ROCKETMQ
    decoded = _decode_one(request.encode())
    assert decoded.serialize_type is SerializeType.JSON
    assert decoded.code == RequestCode.POP_MESSAGE
