# SPDX-License-Identifier: Apache-2.0
"""Pulling: long polling, tags, refusals, and what a slave does."""

from __future__ import annotations

import pytest
from tests.engine.broker.harness import Broker, Client

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.message import decode_records


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    client = broker.client()
    client.create_topic("T")
    return client


def test_long_poll_is_answered_by_the_send_without_any_time_passing(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0)
    assert client.answer_to(held) is None
    before_ms = broker.world.clock.monotonic_ms()
    broker.client().send("T", b"news")
    assert broker.world.clock.monotonic_ms() == before_ms
    answer = client.answer_to(held)
    assert answer is not None and answer.code == ResponseCode.SUCCESS
    assert [message.body for message in decode_records(answer.body)] == [b"news"]


def test_long_poll_ends_with_nothing_when_its_time_is_up(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0, timeout_ms=15_000)
    broker.world.run_for(14_000)
    assert client.answer_to(held) is None
    broker.world.run_for(6_100)
    answer = client.answer_to(held)
    assert answer is not None and answer.code == ResponseCode.PULL_NOT_FOUND


def test_long_poll_with_a_tag_sleeps_through_other_tags(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0, tags="TagA || TagB")
    producer = broker.client()
    producer.send("T", b"1", "TAGS\x01TagX\x02")
    assert client.answer_to(held) is None
    producer.send("T", b"2", "TAGS\x01TagB\x02")
    answer = client.answer_to(held)
    assert answer is not None
    assert [message.body for message in decode_records(answer.body)] == [b"2"]
    assert answer.ext_fields["nextBeginOffset"] == "2"


def test_match_among_several_messages_of_one_tick_wakes(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0, tags="TagB")
    producer = broker.client()
    requests = [
        RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, producer.send_fields("T", f"TAGS\x01{tag}\x02"), b"x")
        for tag in ("TagX", "TagB", "TagY")
    ]
    producer.peer.send(*requests)
    answer = client.answer_to(held)
    assert answer is not None and answer.code == ResponseCode.SUCCESS
    assert len(decode_records(answer.body)) == 1


def test_unmatched_messages_move_the_offset_at_the_hold_check(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0, tags="TagA", timeout_ms=60_000)
    broker.client().send("T", b"1", "TAGS\x01TagX\x02")
    broker.world.run_for(5_100)
    answer = client.answer_to(held)
    assert answer is not None
    assert (answer.code, answer.ext_fields["nextBeginOffset"]) == (ResponseCode.PULL_RETRY_IMMEDIATELY, "1")


def test_held_pull_of_a_client_that_left_is_forgotten(broker: Broker, client: Client) -> None:
    client.hold_pull("T", 0)
    assert len(broker.controller.processors.pull.hold) == 1
    client.peer.connection.close()
    broker.world.settle()
    assert len(broker.controller.processors.pull.hold) == 0


def test_stop_answers_held_pulls(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0)
    broker.stop()
    answer = client.answer_to(held)
    assert answer is not None and answer.code == ResponseCode.PULL_NOT_FOUND


def test_lite_pull_is_the_same(client: Client) -> None:
    client.send("T", b"x")
    answer = client.ok(RequestCode.LITE_PULL_MESSAGE, client.pull_fields("T", 0))
    assert [message.body for message in decode_records(answer.body)] == [b"x"]


def test_commit_bit_stores_the_offset(client: Client) -> None:
    client.send("T")
    client.pull("T", 0, sysFlag="5", commitOffset="1")
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0"}
    assert client.ok(RequestCode.QUERY_CONSUMER_OFFSET, fields).ext_fields == {"offset": "1"}


def test_without_subscription_in_the_request_the_heartbeat_counts(broker: Broker, client: Client) -> None:
    client.send("T", b"1", "TAGS\x01TagA\x02")
    client.send("T", b"2", "TAGS\x01TagB\x02")
    fields = client.pull_fields("T", 0, sysFlag="0")
    assert client.ask(RequestCode.PULL_MESSAGE, fields).code == ResponseCode.SUBSCRIPTION_NOT_EXIST
    client.heartbeat("gc", "T", tags="TagB", version=7)
    messages = client.pull("T", 0, sysFlag="0", subVersion="7")
    assert [message.body for message in messages] == [b"2"]
    newer = client.ask(RequestCode.PULL_MESSAGE, {**fields, "subVersion": "8"})
    assert (newer.code, newer.remark) == (
        ResponseCode.SUBSCRIPTION_NOT_LATEST,
        "the consumer's subscription not latest",
    )
    other = client.ask(RequestCode.PULL_MESSAGE, {**client.pull_fields("TBW102", 0), "sysFlag": "0"})
    assert other.code == ResponseCode.SUBSCRIPTION_NOT_EXIST


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"topic": "Nope"}, ResponseCode.TOPIC_NOT_EXIST),
        ({"queueId": "4"}, ResponseCode.INVALID_PARAMETER),
        ({"queueId": "-1"}, ResponseCode.INVALID_PARAMETER),
        ({"consumerGroup": "bad group"}, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST),
        ({"expressionType": "SQL92", "subscription": "a > 1"}, ResponseCode.SYSTEM_ERROR),
        ({"queueOffset": "x"}, ResponseCode.SYSTEM_ERROR),
        ({"queueOffset": "5"}, ResponseCode.PULL_OFFSET_MOVED),
    ],
)
def test_refusals(client: Client, more: dict[str, str], code: int) -> None:
    client.send("T")
    assert client.ask(RequestCode.PULL_MESSAGE, {**client.pull_fields("T", 0), **more}).code == code


def test_group_must_exist_without_automatic_creation() -> None:
    client = Broker({"autoCreateSubscriptionGroup": False}).client()
    client.create_topic("T")
    answer = client.ask(RequestCode.PULL_MESSAGE, client.pull_fields("T", 0, group="g2"))
    assert answer.code == ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST
    tools = client.ask(RequestCode.PULL_MESSAGE, client.pull_fields("T", 0, group="TOOLS_CONSUMER"))
    assert tools.code == ResponseCode.PULL_NOT_FOUND


def test_master_never_sends_readers_to_the_slave_by_default(client: Client) -> None:
    client.send("T")
    assert client.ok(RequestCode.PULL_MESSAGE, client.pull_fields("T", 0)).ext_fields["suggestWhichBrokerId"] == "0"


SLAVE: dict[str, str | int | float | bool] = {"brokerRole": "SLAVE", "brokerId": 1}


def test_slave_refuses_reads_unless_it_may() -> None:
    client = Broker(SLAVE).client()
    answer = client.ask(RequestCode.PULL_MESSAGE, client.pull_fields("TBW102", 0))
    assert (answer.code, answer.remark) == (
        ResponseCode.SYSTEM_BUSY,
        "[REJECTREQUEST]system busy, start flow control for a while",
    )


def test_slave_whose_master_is_away_holds_pulls() -> None:
    broker = Broker({**SLAVE, "slaveReadEnable": True})
    client = broker.client()
    held = client.hold_pull("TBW102", 0)
    assert client.answer_to(held) is None


def test_slave_never_tells_a_client_that_its_offset_is_wrong() -> None:
    """Its log may only be behind."""
    client = Broker({**SLAVE, "slaveReadEnable": True}).client()
    answer = client.ask(RequestCode.PULL_MESSAGE, client.pull_fields("TBW102", 77))
    assert answer.code == ResponseCode.PULL_RETRY_IMMEDIATELY


def test_slave_takes_offsets_of_consumers() -> None:
    client = Broker({**SLAVE, "slaveReadEnable": True}).client()
    client.heartbeat("gc", "TBW102")
    fields = {"consumerGroup": "gc", "topic": "TBW102", "queueId": "0"}
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "12"})
    assert client.ok(RequestCode.QUERY_CONSUMER_OFFSET, fields).ext_fields == {"offset": "12"}


def test_new_group_on_a_young_queue_starts_at_its_beginning(client: Client) -> None:
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0"}
    assert client.ask(RequestCode.QUERY_CONSUMER_OFFSET, fields).code == ResponseCode.QUERY_NOT_FOUND
    client.send("T")
    assert client.ok(RequestCode.QUERY_CONSUMER_OFFSET, fields).ext_fields == {"offset": "0"}
