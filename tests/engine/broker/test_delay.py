# SPDX-License-Identifier: Apache-2.0
"""Delayed messages and messages that consumers give back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker, Client, failing

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.message import parse_offset_message_id
from rmq.store.put_message import RECONSUME_TIMES_MAX, PutResult, PutStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmq.store.put_message import MessageToStore


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    client = broker.client()
    client.create_topic("T")
    return client


def bodies(client: Client, topic: str = "T", queue_id: int = 0) -> list[bytes]:
    return [message.body for message in client.pull(topic, 0, queueId=str(queue_id))]


def test_delayed_message_comes_when_its_time_has_come(broker: Broker, client: Client) -> None:
    client.send("T", b"later", "DELAY\x012\x02TAGS\x01TagA\x02", queue_id=3)
    broker.world.run_for(4_990)
    assert bodies(client, queue_id=3) == []
    broker.world.run_for(20)
    (message,) = client.pull("T", 0, queueId="3", subscription="TagA")
    assert message.body == b"later"
    assert message.properties["REAL_TOPIC"] == "T"


def test_waiting_consumer_gets_a_delayed_message_at_once(broker: Broker, client: Client) -> None:
    held = client.hold_pull("T", 0)
    client.send("T", b"later", "DELAY\x011\x02")
    broker.world.run_for(1_001)
    assert client.answer_to(held) is not None


def test_a_clock_that_is_set_back_takes_no_delayed_message_away(broker: Broker, client: Client) -> None:
    """The second is due before the first, by the times that are written in them."""
    client.send("T", b"first", "DELAY\x012\x02")
    broker.world.clock.jump(-3_000)
    client.send("T", b"second", "DELAY\x012\x02")
    broker.world.run_for(20_000)
    assert bodies(client) == [b"first", b"second"]


def test_each_level_keeps_its_order(broker: Broker, client: Client) -> None:
    for number in range(100):
        client.send("T", b"%d" % number, "DELAY\x011\x02")
    client.send("T", b"slow", "DELAY\x012\x02")
    broker.world.run_for(1_100)
    assert broker.controller.store.max_offset("T", 0) == 100
    assert bodies(client)[:3] == [b"0", b"1", b"2"]
    broker.world.run_for(4_000)
    assert broker.controller.store.max_offset("T", 0) == 101


def test_level_beyond_the_last_is_the_last(broker: Broker, client: Client) -> None:
    assert client.send("T", b"x", "DELAY\x0199\x02").code == ResponseCode.SUCCESS
    assert broker.controller.store.max_offset("SCHEDULE_TOPIC_XXXX", 17) == 1


def test_delayed_message_survives_a_clean_stop_and_comes_once(broker: Broker, client: Client) -> None:
    client.send("T", b"a", "DELAY\x011\x02")
    client.send("T", b"b", "DELAY\x013\x02")
    broker.world.run_for(1_100)
    broker.stop()
    again = broker.start_again()
    again.world.run_for(10_000)
    assert bodies(again.client()) == [b"a", b"b"]


def test_delayed_message_survives_kill_9(broker: Broker, client: Client) -> None:
    client.send("T", b"a", "DELAY\x013\x02")
    broker.kill()
    again = broker.start_again()
    again.world.run_for(10_100)
    assert bodies(again.client()) == [b"a"]


def delivered(broker: Broker, topic: str = "T") -> int:
    return broker.controller.store.max_offset(topic, 0)


def test_delayed_message_that_can_never_be_stored_stops_nothing(
    broker: Broker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.send("T", b"x" * 100_000, "DELAY\x011\x02")
    client.send("T", b"after", "DELAY\x011\x02")
    broker.stop()
    again = broker.start_again({"maxMessageSize": 50_000})
    again.world.run_for(60_000)
    assert bodies(again.client()) == [b"after"]
    assert "delayed message 0 of level 1" in caplog.text
    again.client().send("T", b"later", "DELAY\x011\x02")
    again.world.run_for(2_000)
    assert bodies(again.client()) == [b"after", b"later"]


def test_delayed_messages_without_room_for_a_checksum_come_all_the_same() -> None:
    """Apache's engine writes none, unless it is told to."""
    broker = Broker({"enabledAppendPropCRC": False})
    client = broker.client()
    client.create_topic("T")
    accepted = 0
    for size_bytes in range(32_560, 32_690, 3):
        sent = client.send("T", b"x", f"K\x01{'k' * size_bytes}\x02DELAY\x011\x02")
        accepted += sent.code == ResponseCode.SUCCESS
    assert 20 < accepted < 44
    broker.stop()
    again = broker.start_again({"enabledAppendPropCRC": True})
    again.world.run_for(5_000)
    assert delivered(again) == accepted


def test_delayed_message_that_is_stored_does_not_come_again_while_another_is_refused(
    broker: Broker, client: Client
) -> None:
    client.create_topic("Other")
    client.send("Other", b"refused", "DELAY\x011\x02")
    client.send("T", b"stored", "DELAY\x011\x02")
    put, tries = broker.controller.store.put, 0

    def refuse_other(message: MessageToStore, done: Callable[[PutResult], None]) -> None:
        nonlocal tries
        if message.topic == "Other" and tries < 20:
            tries += 1
            broker.reactor.call_soon(lambda: done(PutResult(PutStatus.SERVICE_NOT_AVAILABLE)))
        else:
            put(message, done)

    broker.controller.store.put = refuse_other  # type: ignore[method-assign]
    broker.world.run_for(30_000)
    assert tries == 20
    assert delivered(broker) == delivered(broker, "Other") == 1


def test_level_goes_on_behind_messages_whose_files_are_gone(broker: Broker, client: Client) -> None:
    """The rest waits for its time alone, not for the next message to come."""
    for number in range(4):
        client.send("T", b"%d" % number + b"x" * 200_000, "DELAY\x014\x02")
    store = broker.controller.store
    broker.world.run_for(1_000)
    clean = store._clean
    gone = store._log.files.starts[2]
    removable_up_to, clean._removable_up_to = clean._removable_up_to, lambda: gone  # type: ignore[method-assign]
    clean.clean()
    clean._removable_up_to = removable_up_to  # type: ignore[method-assign]
    broker.world.run_for(60_000)
    assert delivered(broker) == 2
    assert bodies(client)[0][:1] == b"2"


def test_level_goes_on_after_its_queue_could_not_be_read_once(broker: Broker, client: Client) -> None:
    client.send("T", b"x", "DELAY\x011\x02")
    failing(broker, "get", "SCHEDULE_TOPIC_XXXX")
    broker.world.run_for(5_000)
    assert bodies(client) == [b"x"]


def test_slave_delivers_nothing_by_itself() -> None:
    slave = Broker({"brokerRole": "SLAVE", "brokerId": 1})
    assert not slave.controller.context.schedule.is_running


def give_back(client: Client, message_id: str, group: str = "gc", **more: str) -> int:
    _, physical_offset = parse_offset_message_id(message_id)
    fields = {"offset": str(physical_offset), "group": group, "delayLevel": "0", "originMsgId": message_id}
    fields |= {"originTopic": "T", "unitMode": "false", "maxReconsumeTimes": "16"}
    return client.ask(RequestCode.CONSUMER_SEND_MSG_BACK, {**fields, **more}).code


def test_message_given_back_comes_again_from_the_retry_topic(broker: Broker, client: Client) -> None:
    message_id = client.send("T", b"again", "TAGS\x01TagA\x02UNIQ_KEY\x01U1\x02").ext_fields["msgId"]
    assert give_back(client, message_id) == ResponseCode.SUCCESS
    broker.world.run_for(10_100)
    (message,) = client.pull("%RETRY%gc")
    assert message.body == b"again"
    assert message.reconsume_times == 1
    assert message.properties["RETRY_TOPIC"] == "T"
    assert message.properties["ORIGIN_MESSAGE_ID"] == message_id
    assert message.properties["UNIQ_KEY"] == "U1"
    assert give_back(client, message.message_id) == ResponseCode.SUCCESS
    broker.world.run_for(30_100)
    second = client.pull("%RETRY%gc")[-1]
    assert second.reconsume_times == 2
    assert second.properties["ORIGIN_MESSAGE_ID"] == message_id


@pytest.mark.parametrize("more", [{"maxReconsumeTimes": "0"}, {"delayLevel": "-1"}])
def test_message_tried_too_often_goes_to_the_dead_letters(client: Client, more: dict[str, str]) -> None:
    message_id = client.send("T", b"poison").ext_fields["msgId"]
    assert give_back(client, message_id, **more) == ResponseCode.SUCCESS
    (message,) = client.pull("%DLQ%gc")
    assert message.body == b"poison"


def test_message_given_back_more_often_than_can_be_counted_goes_to_the_dead_letters(client: Client) -> None:
    message_id = client.send("T", b"poison", j=str(RECONSUME_TIMES_MAX)).ext_fields["msgId"]
    assert give_back(client, message_id, maxReconsumeTimes=str(RECONSUME_TIMES_MAX)) == ResponseCode.SUCCESS
    (message,) = client.pull("%DLQ%gc")
    assert (message.body, message.reconsume_times) == (b"poison", RECONSUME_TIMES_MAX)


def test_offset_that_is_no_record_is_refused(client: Client) -> None:
    message_id = client.send("T", b"x").ext_fields["msgId"]
    _, physical_offset = parse_offset_message_id(message_id)
    for wrong in (physical_offset + 1, physical_offset + 10_000_000, -5):
        assert give_back(client, message_id, offset=str(wrong)) == ResponseCode.SYSTEM_ERROR
