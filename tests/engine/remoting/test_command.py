# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmq.remoting.answers import pull_answer_header, send_answer
from rmq.remoting.codes import LANGUAGES
from rmq.remoting.command import RemotingCommand, SerializeType
from rmq.remoting.fields import (
    FieldError,
    bool_field,
    int_field,
    long_field,
    parse_int,
    parse_long,
    text_field,
)
from rmq.remoting.frame import FrameDecoder

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
INT = st.integers(-(2**31), 2**31 - 1)
SHORT = st.integers(-(2**15), 2**15 - 1)


@st.composite
def commands(draw: st.DrawFn, serialize_type: SerializeType) -> RemotingCommand:
    is_binary = serialize_type is SerializeType.ROCKETMQ
    number = SHORT if is_binary else INT
    value = TEXT.filter(bool) if is_binary else TEXT
    return RemotingCommand(
        draw(number),
        language=draw(st.sampled_from(list(LANGUAGES.values()))),
        version=draw(number),
        opaque=draw(INT),
        flag=draw(INT),
        remark=draw(st.none() | value),
        ext_fields=draw(st.dictionaries(TEXT, value, max_size=8)),
        body=draw(st.binary(max_size=50)),
        serialize_type=serialize_type,
    )


@given(commands(SerializeType.JSON))
def test_json_commands_come_back_equal(command: RemotingCommand) -> None:
    assert FrameDecoder().feed(command.encode()) == [command]


@given(commands(SerializeType.ROCKETMQ))
def test_binary_commands_come_back_equal(command: RemotingCommand) -> None:
    assert FrameDecoder().feed(command.encode()) == [command]


@given(commands(SerializeType.JSON))
def test_a_json_header_is_json_with_its_keys_in_apaches_order(command: RemotingCommand) -> None:
    frame = command.encode()
    header = json.loads(frame[8 : 8 + int.from_bytes(frame[5:8], "big")])
    assert list(header) == sorted(header)
    assert header["serializeTypeCurrentRPC"] == "JSON"


def test_in_the_binary_header_an_empty_value_is_null() -> None:
    command = RemotingCommand(10, ext_fields={"a": "", "b": "x"}, remark="", serialize_type=SerializeType.ROCKETMQ)
    (decoded,) = FrameDecoder().feed(command.encode())
    assert (decoded.ext_fields, decoded.remark) == ({"b": "x"}, None)


@pytest.mark.parametrize(
    "command",
    [
        RemotingCommand(1, version=40000, serialize_type=SerializeType.ROCKETMQ),
        RemotingCommand(1, ext_fields={"k" * 40000: "v"}, serialize_type=SerializeType.ROCKETMQ),
    ],
    ids=["version", "key"],
)
def test_what_the_binary_header_cannot_hold_is_refused(command: RemotingCommand) -> None:
    with pytest.raises(ValueError, match="binary header"):
        command.encode()


def test_requests_count_their_opaque_up() -> None:
    first, second = RemotingCommand.request(34), RemotingCommand.request(34)
    assert second.opaque == first.opaque + 1


def test_flags_say_what_a_command_is() -> None:
    request = RemotingCommand.request(34, oneway=True)
    assert request.is_oneway
    assert not request.is_response
    answer = request.response(0)
    assert answer.is_response
    # The server sees by it that nobody waits, and sends nothing.
    assert answer.is_oneway
    assert not RemotingCommand.request(34).response(0).is_oneway
    assert answer.opaque == request.opaque


def test_answers_speak_as_apaches_servers_and_requests_as_themselves() -> None:
    request = RemotingCommand.request(34)
    assert (request.language, request.response(0).language) == ("PYTHON", "JAVA")


@given(INT, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1), TEXT, st.booleans())
def test_the_template_of_a_send_answer_is_the_general_encoding(
    opaque: int, queue_id: int, queue_offset: int, text: str, trace_on: bool
) -> None:
    fields = {
        "queueId": str(queue_id),
        "transactionId": text,
        "msgId": "7F0000010000301700000000000000E1",
        "TRACE_ON": "true" if trace_on else "false",
        "MSG_REGION": text,
        "queueOffset": str(queue_offset),
    }
    general = RemotingCommand(310, opaque=opaque).response(0, None, fields).encode()
    template = send_answer(
        opaque=opaque,
        message_id=fields["msgId"],
        queue_id=queue_id,
        queue_offset=queue_offset,
        transaction_id=text,
        region=text,
        trace_on=trace_on,
    )
    assert template == general


@given(INT, st.lists(st.integers(0, 2**63 - 1), min_size=3, max_size=3), st.sampled_from([0, 19]), st.binary())
def test_the_template_of_a_pull_answer_is_the_general_encoding(
    opaque: int, offsets: list[int], code: int, body: bytes
) -> None:
    next_begin, least, greatest = offsets
    fields = {
        "suggestWhichBrokerId": "1",
        "groupSysFlag": "0",
        "nextBeginOffset": str(next_begin),
        "maxOffset": str(greatest),
        "minOffset": str(least),
        "topicSysFlag": "2",
    }
    general = RemotingCommand(11, opaque=opaque).response(code, "FOUND", fields, body).encode()
    template = pull_answer_header(
        opaque=opaque,
        code=code,
        remark="FOUND",
        next_begin_offset=next_begin,
        min_offset=least,
        max_offset=greatest,
        body_size_bytes=len(body),
        suggest_which_broker_id=1,
        topic_sys_flag=2,
    )
    assert template + body == general


def test_fields_are_read_by_type() -> None:
    fields = {"n": "-5", "long": "9223372036854775807", "yes": "TRUE", "no": "1", "t": ""}
    assert int_field(fields, "n") == -5
    assert long_field(fields, "long") == 2**63 - 1
    assert (bool_field(fields, "yes"), bool_field(fields, "no", True), bool_field(fields, "gone", True)) == (
        True,
        False,
        True,
    )
    assert (text_field(fields, "t"), int_field(fields, "gone", 7), long_field(fields, "gone", 8)) == ("", 7, 8)


@pytest.mark.parametrize("text", ["", "x", "1_0", " 1", "1\n", "1.0", "٣", "9" * 20, "2147483648", "0x1"])
def test_what_java_does_not_read_as_an_int_is_refused(text: str) -> None:
    with pytest.raises(FieldError):
        parse_int(text)


def test_a_number_beyond_64_bits_is_refused() -> None:
    assert parse_long("-9223372036854775808") == -(2**63)
    with pytest.raises(FieldError, match="out of range"):
        parse_long("9223372036854775808")


@pytest.mark.parametrize("read", [text_field, int_field, long_field])
def test_a_missing_field_is_named_in_javas_words(read: object) -> None:
    with pytest.raises(FieldError, match=r"^the custom field <topic> is null$"):
        read({}, "topic")  # type: ignore[operator]
