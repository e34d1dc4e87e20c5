# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.engine.remoting.golden import COMMIT_LOG_FILES, EXCHANGES

from rmq.remoting.frame import FrameDecoder
from rmq.remoting.message import (
    BLANK_MAGIC,
    decode_record,
    decode_records,
    encode_message,
    parse_offset_message_id,
)


@pytest.mark.parametrize("name", COMMIT_LOG_FILES)
def test_every_record_is_decoded_and_encoded_back_byte_for_byte(name: str) -> None:
    data = COMMIT_LOG_FILES[name]
    start = int(name.rpartition("/")[2])
    position = records = 0
    while position < len(data) and int.from_bytes(data[position + 4 : position + 8], "big", signed=True) != BLANK_MAGIC:
        message = decode_record(data, position)
        assert message.physical_offset == start + position
        assert encode_message(message) == data[position : position + message.store_size]
        position += message.store_size
        records += 1
    assert records > 5


def test_a_pull_answer_holds_the_records_of_the_commit_log() -> None:
    messages = decode_records(EXCHANGES["pull_11_found"].response_body)
    assert [message.queue_offset for message in messages] == [0, 1, 2, 3, 4]
    first = messages[0]
    assert (first.body, first.tags, first.unique_id) == (b"hello", "TagA", "0A0B0C0D00002A9F00000000000000010")
    assert first.born_host.ip == "127.0.0.1"


def test_the_message_id_of_an_answer_names_broker_and_place() -> None:
    (answer,) = FrameDecoder().feed(EXCHANGES["send_v2_310_binary"].response)
    host, physical_offset = parse_offset_message_id(answer.ext_fields["msgId"])
    message = decode_record(COMMIT_LOG_FILES["commitlog/00000000000000000000"], physical_offset)
    assert message.body == b"bin"
    assert message.store_host == host
    assert message.message_id == answer.ext_fields["msgId"]
