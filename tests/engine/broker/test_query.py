# SPDX-License-Identifier: Apache-2.0
"""Queries through the wire: by key, unique id, tag and message id, and into a consume queue."""

from __future__ import annotations

import json

import pytest
from tests.engine.broker.harness import Broker, Client

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.message import decode_records

LONG_AGO, FAR_AHEAD = "0", str((1 << 63) - 1)
UNIQUE = "0A0B0C0D00002A9F0000000000000001"


def query_fields(topic: str, key: str, **more: str) -> dict[str, str]:
    fields = {"topic": topic, "key": key, "maxNum": "64", "beginTimestamp": LONG_AGO, "endTimestamp": FAR_AHEAD}
    return {**fields, **more}


def query(client: Client, topic: str, key: str, **more: str) -> list[bytes]:
    """Bodies of what is found."""
    request = client.post(RequestCode.QUERY_MESSAGE, query_fields(topic, key, **more))
    client.world.run_until(lambda: client.answer_to(request) is not None)
    answer = client.answer_to(request)
    assert answer is not None
    if answer.code == ResponseCode.QUERY_NOT_FOUND:
        assert answer.remark == "can not find message, maybe time range not correct"
        assert answer.ext_fields == {"indexLastUpdatePhyoffset": "0", "indexLastUpdateTimestamp": "0"}
        return []
    assert answer.code == ResponseCode.SUCCESS
    return [record.body for record in decode_records(answer.body)]


@pytest.fixture
def client() -> Client:
    client = Broker().client()
    client.create_topic("T")
    return client


def test_key_unique_id_and_tag_find_the_message(client: Client) -> None:
    client.send("T", b"one", f"KEYS\x01a b\x02UNIQ_KEY\x01{UNIQUE}\x02TAGS\x01red\x02")
    client.send("T", b"two", "KEYS\x01b\x02")
    assert query(client, "T", "a") == [b"one"]
    assert query(client, "T", "b", indexType="K") == [b"one", b"two"]
    assert query(client, "T", UNIQUE, maxNum="0", _UNIQUE_KEY_QUERY="true") == [b"one"]
    assert query(client, "T", "red", indexType="T") == [b"one"]
    assert query(client, "T", "red") == query(client, "Other", "a") == query(client, "T", "") == []


def test_unique_id_that_the_broker_made_finds_the_message(client: Client) -> None:
    answer = client.send("T", b"one")
    assert answer.ext_fields is not None
    assert query(client, "T", answer.ext_fields["transactionId"], _UNIQUE_KEY_QUERY="true") == [b"one"]


def test_batch_is_found_by_the_keys_of_its_items(client: Client) -> None:
    def item(body: bytes, properties: bytes) -> bytes:
        head = (22 + len(body) + len(properties)).to_bytes(4, "big") + bytes(12) + len(body).to_bytes(4, "big")
        return head + body + len(properties).to_bytes(2, "big") + properties

    body = item(b"one", b"KEYS\x01k1") + item(b"two", b"KEYS\x01k2")
    fields = client.send_fields("T", m="true")
    client.ok(RequestCode.SEND_BATCH_MESSAGE, fields, body)
    assert (query(client, "T", "k1"), query(client, "T", "k2")) == ([b"one"], [b"two"])


def test_query_is_limited_by_count_and_by_maxmsgsnumbatch() -> None:
    client = Broker({"maxMsgsNumBatch": 5, "defaultQueryMaxNum": 2}).client()
    client.create_topic("T")
    for number in range(8):
        client.send("T", b"%d" % number, "KEYS\x01k\x02")
    assert query(client, "T", "k") == [b"3", b"4", b"5", b"6", b"7"]
    assert query(client, "T", "k", maxNum="1") == [b"7"]
    assert query(client, "T", "k", maxNum="50", _UNIQUE_KEY_QUERY="true") == [b"6", b"7"]
    assert query(client, "T", "k", maxNum="-1") == []


@pytest.mark.parametrize("missing", ["topic", "key", "maxNum", "beginTimestamp", "endTimestamp"])
def test_query_without_a_field_is_refused(client: Client, missing: str) -> None:
    fields = query_fields("T", "k")
    del fields[missing]
    answer = client.ask(RequestCode.QUERY_MESSAGE, fields)
    assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, f"the custom field <{missing}> is null")


def test_message_id_finds_the_message_and_no_other_place_does(client: Client) -> None:
    answer = client.send("T", b"a record within a record")
    assert answer.ext_fields is not None
    offset = int(answer.ext_fields["msgId"][16:], 16)
    whole = client.ok(RequestCode.VIEW_MESSAGE_BY_ID, {"offset": str(offset)}).body
    assert [record.body for record in decode_records(whole)] == [b"a record within a record"]
    # A body may look like a record, but it does not stand where it says.
    client.send("T", whole)
    inside = offset + len(whole) + 84 + 4
    for place in (offset + 1, inside - 4, inside, 1 << 40, -1, (1 << 63) - 1):
        answer = client.ask(RequestCode.VIEW_MESSAGE_BY_ID, {"offset": str(place)})
        assert (answer.code, answer.remark) == (1, f"can not find message by the offset, {place}")
        assert not answer.body


# -- 321


def cq_fields(**more: str) -> dict[str, str]:
    return {"topic": "T", "queueId": "0", "index": "0", "count": "10", **more}


def test_units_of_a_consume_queue_are_shown(client: Client) -> None:
    for tag in ("red", "blue", "red"):
        client.send("T", tag.encode(), f"TAGS\x01{tag}\x02")
    body = json.loads(client.ok(RequestCode.QUERY_CONSUME_QUEUE, cq_fields(index="1")).body)
    assert (body["minQueueIndex"], body["maxQueueIndex"]) == (0, 3)
    assert [unit["tagsCode"] for unit in body["queueData"]] == [3027034, 112785]
    assert all(unit["physicSize"] > 0 and not unit["eval"] for unit in body["queueData"])
    assert "subscriptionData" not in body
    assert "filterData" not in body


def test_units_come_with_what_the_group_subscribes(client: Client) -> None:
    client.send("T")
    client.heartbeat("gc", "T", tags="red")
    online = json.loads(client.ok(RequestCode.QUERY_CONSUME_QUEUE, cq_fields(consumerGroup="gc")).body)
    assert (online["subscriptionData"]["subString"], online["filterData"]) == ("red", "null")
    other = json.loads(client.ok(RequestCode.QUERY_CONSUME_QUEUE, cq_fields(consumerGroup="other")).body)
    assert other["filterData"] == "other@T is not online!"


def test_queue_or_index_that_does_not_exist_is_named(client: Client) -> None:
    client.send("T")
    answer = client.ask(RequestCode.QUERY_CONSUME_QUEUE, cq_fields(queueId="3"))
    assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, "3@T is not exist!")
    for index in ("1", "-1", str((1 << 63) - 1)):
        answer = client.ok(RequestCode.QUERY_CONSUME_QUEUE, cq_fields(index=index))
        assert (answer.remark, answer.body) == (f"Index {index} of 0@T is not exist!", b"")
    huge = client.ok(RequestCode.QUERY_CONSUME_QUEUE, cq_fields(count=str((1 << 31) - 1)))
    assert len(json.loads(huge.body)["queueData"]) == 1
