# SPDX-License-Identifier: Apache-2.0
"""Sending: what a producer is told, and what is stored."""

from __future__ import annotations

import struct

import pytest
from tests.engine.broker.harness import Broker, Client

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import FLAG_ONEWAY, RemotingCommand
from rmq.remoting.java_json import dumps_bytes
from rmq.remoting.message import BatchItem, encode_batch_body
from rmq.remoting.message_properties import encode_properties


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    client = broker.client()
    client.create_topic("T")
    return client


def test_message_is_stored_as_sent_with_the_brokers_properties(client: Client) -> None:
    sent = encode_properties({"KEYS": "k1", "TAGS": "TagA", "UNIQ_KEY": "U1", "WAIT": "true"})
    answer = client.send("T", b"body", sent, h="7", j="2")
    assert answer.ext_fields["transactionId"] == "U1"
    assert answer.ext_fields["queueOffset"] == "0"
    (message,) = client.pull("T")
    assert message.body == b"body"
    assert (message.flag, message.reconsume_times, message.born_host.ip) == (7, 2, "10.0.0.9")
    assert message.message_id == answer.ext_fields["msgId"]
    properties = dict(message.properties)
    properties.pop("__CRC32#")
    assert properties == {
        "KEYS": "k1",
        "TAGS": "TagA",
        "UNIQ_KEY": "U1",
        "WAIT": "true",
        "MSG_REGION": "DefaultRegion",
        "CLUSTER": "C",
        "TRACE_ON": "true",
    }


def test_properties_of_a_message_that_is_sent_on_are_replaced_not_doubled(client: Client) -> None:
    stale = {
        "CLUSTER": "other",
        "MSG_REGION": "r2",
        "TRACE_ON": "false",
        "POP_CK": "forged",
        "UNIQ_KEY": "U1",
        "a": "b",
    }
    assert client.send("T", properties=encode_properties(stale)).code == ResponseCode.SUCCESS
    (message,) = client.pull("T")
    assert message.properties["CLUSTER"] == "C"
    assert message.properties["MSG_REGION"] == "DefaultRegion"
    assert message.properties["a"] == "b"
    assert "POP_CK" not in message.properties


def test_properties_without_last_separator_keep_their_last_value(client: Client) -> None:
    client.send("T", properties="KEYS\x01k1\x02TAGS\x01TagA")
    (message,) = client.pull("T", 0, subscription="TagA")
    assert message.properties["TAGS"] == "TagA"
    assert message.properties["CLUSTER"] == "C"


def test_unique_key_is_made_when_the_client_sent_none(client: Client) -> None:
    keys = {client.send("T").ext_fields["transactionId"] for _ in range(3)}
    assert len(keys) == 3
    assert {message.properties["UNIQ_KEY"] for message in client.pull("T")} == keys


def test_queue_minus_one_lets_the_broker_choose(client: Client) -> None:
    queues = {client.send("T", queue_id=-1).ext_fields["queueId"] for _ in range(40)}
    assert queues == {"0", "1", "2", "3"}


def test_one_way_send_is_stored_and_not_answered(client: Client) -> None:
    request = RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, client.send_fields("T"), b"quiet", oneway=True)
    client.peer.send(request)
    assert request.flag & FLAG_ONEWAY
    assert client.answer_to(request) is None
    assert [message.body for message in client.pull("T")] == [b"quiet"]


def test_batch_gets_consecutive_offsets_and_all_ids(client: Client) -> None:
    client.send("T", queue_id=2)
    items = [BatchItem(0, b"b%d" % number, f"UNIQ_KEY\x01U{number}\x02") for number in range(5)]
    fields = client.send_fields("T", queue_id=2, m="true")
    answer = client.ok(RequestCode.SEND_BATCH_MESSAGE, fields, encode_batch_body(items))
    assert answer.ext_fields["queueOffset"] == "1"
    messages = client.pull("T", 1, queueId="2")
    assert [message.body for message in messages] == [b"b0", b"b1", b"b2", b"b3", b"b4"]
    assert answer.ext_fields["msgId"].split(",") == [message.message_id for message in messages]
    assert "CLUSTER" not in messages[0].properties


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 10, struct.pack(">iiiii", 22, 0, 0, 0, 99) + b"\0\0", b"\xff" * 64], ids=repr
)
def test_broken_batch_is_refused(client: Client, body: bytes) -> None:
    answer = client.ask(RequestCode.SEND_BATCH_MESSAGE, client.send_fields("T", m="true"), body)
    assert answer.code == ResponseCode.MESSAGE_ILLEGAL
    assert client.pull("T") == []


def test_delayed_batch_is_refused(client: Client) -> None:
    body = encode_batch_body([BatchItem(0, b"x", "")])
    answer = client.ask(RequestCode.SEND_BATCH_MESSAGE, client.send_fields("T", "DELAY\x013\x02", m="true"), body)
    assert answer.code == ResponseCode.MESSAGE_ILLEGAL


def test_unknown_topic_is_made_after_tbw102(broker: Broker) -> None:
    client = broker.client()
    assert client.send("Fresh", d="6").code == ResponseCode.SUCCESS
    topic = broker.controller.context.topics.get("Fresh")
    assert topic is not None
    assert (topic.read_queue_nums, topic.write_queue_nums, topic.perm) == (6, 6, 6)


def test_automatic_topic_has_at_most_the_queues_of_tbw102(broker: Broker) -> None:
    broker.client().send("Fresh", d="99")
    topic = broker.controller.context.topics.get("Fresh")
    assert topic is not None and topic.write_queue_nums == 8


def test_unknown_topic_is_refused_without_automatic_creation() -> None:
    client = Broker({"autoCreateTopicEnable": False}).client()
    answer = client.send("Fresh")
    assert answer.code == ResponseCode.TOPIC_NOT_EXIST
    assert answer.remark == (
        "topic[Fresh] not exist, apply first please!"
        "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
    )
    assert answer.ext_fields == {"TRACE_ON": "true", "MSG_REGION": "DefaultRegion"}


def test_tbw102_of_an_earlier_run_creates_nothing_once_it_is_switched_off() -> None:
    first = Broker()
    first.stop()
    client = first.start_again({"autoCreateTopicEnable": False}).client()
    assert client.send("Fresh").code == ResponseCode.TOPIC_NOT_EXIST


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("SCHEDULE_TOPIC_XXXX", ResponseCode.NO_PERMISSION),
        ("RMQ_SYS_TRANS_HALF_TOPIC", ResponseCode.NO_PERMISSION),
        ("bad topic", ResponseCode.INVALID_PARAMETER),
        ("../../etc", ResponseCode.INVALID_PARAMETER),
        ("x" * 128, ResponseCode.INVALID_PARAMETER),
        ("", ResponseCode.INVALID_PARAMETER),
    ],
)
def test_topics_that_nobody_may_send_to(client: Client, topic: str, code: int) -> None:
    assert client.send(topic).code == code


def test_body_limit() -> None:
    client = Broker({"maxMessageSize": 1000}).client()
    assert client.send("T", b"x" * 1000).code == ResponseCode.SUCCESS
    answer = client.send("T", b"x" * 1001)
    assert answer.code == ResponseCode.MESSAGE_ILLEGAL
    assert answer.remark == (
        "the message is illegal, maybe msg body or properties length not matched. "
        "msg body length limit 1000B, msg properties length limit 32KB."
    )


def test_properties_limit(client: Client) -> None:
    assert client.send("T", properties="k\x01" + "v" * 32767 + "\x02").code == ResponseCode.MESSAGE_ILLEGAL


def test_empty_body_is_refused(client: Client) -> None:
    assert client.send("T", b"").code == ResponseCode.MESSAGE_ILLEGAL


def test_missing_field_is_named(client: Client) -> None:
    answer = client.ask(RequestCode.SEND_MESSAGE_V2, {"a": "pg"}, b"x")
    assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, "the custom field <b> is null")


def test_slave_refuses_sends() -> None:
    client = Broker({"brokerRole": "SLAVE", "brokerId": 1}).client()
    answer = client.send("T")
    assert (answer.code, answer.remark) == (
        ResponseCode.SYSTEM_BUSY,
        "[REJECTREQUEST]system busy, start flow control for a while",
    )


def test_retry_of_an_orderly_group_goes_to_the_dead_letters(broker: Broker, client: Client) -> None:
    client.heartbeat("gc", "T")
    queue = {"topic": "T", "brokerName": "broker-a", "queueId": 0}
    lock = {"consumerGroup": "gc", "clientId": "c1", "mqSet": [queue]}
    client.ok(RequestCode.LOCK_BATCH_MQ, body=dumps_bytes(lock))
    assert client.send("%RETRY%gc", b"poison", "DELAY\x013\x02").code == ResponseCode.SUCCESS
    (message,) = client.pull("%DLQ%gc")
    assert message.body == b"poison"


def test_full_disk_is_told_and_ends(broker: Broker, client: Client) -> None:
    broker.disk.capacity_bytes = broker.disk.used_bytes + 64 * 1024
    codes = [client.send("T", b"x" * 20_000).code for _ in range(400)]
    assert codes[0] == ResponseCode.SUCCESS
    assert codes[-1] != ResponseCode.SUCCESS
    stored = codes.count(ResponseCode.SUCCESS)
    broker.disk.capacity_bytes = 1 << 40
    broker.world.run_for(15_000)
    assert client.send("T", b"again").code == ResponseCode.SUCCESS
    assert broker.controller.store.max_offset("T", 0) == stored + 1


@pytest.mark.parametrize(("priority", "queue"), [("0", 0), ("2", 2), ("9", 3), ("-1", 1), ("high", 1)])
def test_priority_of_a_message_chooses_its_queue(client: Client, priority: str, queue: int) -> None:
    answer = client.send("T", b"x", encode_properties({"_SYS_MSG_PRIORITY_": priority}), queue_id=1)
    assert answer.ext_fields["queueId"] == str(queue)
    (message,) = client.pull("T", queueId=str(queue))
    assert message.properties["_SYS_MSG_PRIORITY_"] == priority


@pytest.mark.parametrize("other", [{"__SHARDINGKEY": "s"}, {"DELAY": "1"}, {"TIMER_DELAY_MS": "1000"}])
def test_message_of_another_type_loses_its_priority(client: Client, other: dict[str, str]) -> None:
    answer = client.send("T", b"x", encode_properties({"_SYS_MSG_PRIORITY_": "3", **other}), queue_id=1)
    assert answer.ext_fields["queueId"] == "1"
    client.world.run_for(5_000)
    (message,) = client.pull("T", queueId="1")
    assert "_SYS_MSG_PRIORITY_" not in message.properties
