# SPDX-License-Identifier: Apache-2.0
"""Pops that wait for a message."""

from __future__ import annotations

from tests.engine.broker.pop.popping import (
    INVISIBLE_MS,
    SLACK_MS,
    TOPIC,
    PopClient,
    bodies,
    popped,
    started,
)

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand


def test_waiting_pop_is_answered_when_a_message_arrives() -> None:
    consumer = PopClient(broker := started())
    request = consumer.hold()
    consumer.world.run_for(1_000)
    assert consumer.client.answer_to(request) is None
    before_ms = consumer.clock.now_ms()
    broker.client().send(TOPIC, b"m0", queue_id=2)
    answer = consumer.client.answer_to(request)
    assert answer is not None
    assert bodies(popped(answer)) == ["m0"]
    assert consumer.clock.now_ms() == before_ms, "by the arrival, not by a timer"


def test_waiting_pop_is_told_when_its_time_is_over() -> None:
    consumer = PopClient(started())
    request = consumer.hold(5_000)
    consumer.world.run_for(4_900)
    assert consumer.client.answer_to(request) is None
    consumer.world.run_for(300)
    answer = consumer.client.answer_to(request)
    assert answer is not None
    assert (answer.code, answer.remark) == (ResponseCode.POLLING_TIMEOUT, "NO_MESSAGE_IN_QUEUE")
    assert answer.ext_fields["restNum"] == "0"


def test_one_message_wakes_one_of_several_that_wait() -> None:
    broker = started()
    consumers = [PopClient(broker) for _ in range(3)]
    requests = [consumer.hold() for consumer in consumers]
    broker.client().send(TOPIC, b"m0")
    answers = [consumer.client.answer_to(request) for consumer, request in zip(consumers, requests, strict=True)]
    assert [answer is not None for answer in answers] == [True, False, False]
    for number in (1, 2):
        broker.client().send(TOPIC, f"m{number}".encode())
    answers = [consumer.client.answer_to(request) for consumer, request in zip(consumers, requests, strict=True)]
    assert [bodies(popped(answer)) for answer in answers if answer] == [["m0"], ["m1"], ["m2"]]


def test_pop_that_leaves_messages_behind_wakes_the_next() -> None:
    """All messages come in one write, and each pop takes one."""
    broker = started()
    consumers = [PopClient(broker) for _ in range(3)]
    requests = [consumer.hold(maxMsgNums="1") for consumer in consumers]
    producer = broker.client()
    requests_sent = []
    for number in range(3):
        requests_sent.append(
            RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, producer.send_fields(TOPIC), f"m{number}".encode())
        )
    producer.peer.send(*requests_sent)
    broker.world.settle()
    answers = [consumer.client.answer_to(request) for consumer, request in zip(consumers, requests, strict=True)]
    assert sorted(body for answer in answers if answer for body in bodies(popped(answer))) == ["m0", "m1", "m2"]


def test_each_group_is_woken() -> None:
    broker = started()
    first, second = PopClient(broker), PopClient(broker)
    requests = first.hold(), second.hold(consumerGroup="other")
    broker.client().send(TOPIC, b"m0")
    assert first.client.answer_to(requests[0]) is not None
    assert second.client.answer_to(requests[1]) is not None


def test_pop_of_one_queue_hears_of_that_queue_alone() -> None:
    consumer = PopClient(broker := started())
    request = consumer.hold(queueId="1")
    broker.client().send(TOPIC, b"m0", queue_id=0)
    assert consumer.client.answer_to(request) is None
    broker.client().send(TOPIC, b"m1", queue_id=1)
    assert consumer.client.answer_to(request) is not None


def test_waiting_pop_hears_of_wanted_tags_alone() -> None:
    consumer = PopClient(broker := started({"enablePropertyFilter": True}))
    by_tag = consumer.hold(exp="B")
    by_sql = consumer.hold(consumerGroup="sql", exp="n = 2", expType="SQL92")
    broker.client().send(TOPIC, b"m0", "TAGS\x01A\x02n\x011\x02")
    assert consumer.client.answer_to(by_tag) is None
    assert consumer.client.answer_to(by_sql) is None
    broker.client().send(TOPIC, b"m1", "TAGS\x01B\x02n\x012\x02")
    assert consumer.client.answer_to(by_tag) is not None
    assert consumer.client.answer_to(by_sql) is not None


def test_waiting_pop_gets_what_comes_back() -> None:
    consumer = PopClient(broker := started(messages=1))
    consumer.pop_all()
    consumer.world.run_for(INVISIBLE_MS - 5_000)
    # Only a pop that looks into the retry topics meets it; with V2 off each does.
    request = PopClient(broker, consumer.client).hold(15_000)
    consumer.world.run_for(5_000 + SLACK_MS)
    answer = consumer.client.answer_to(request)
    assert answer is not None
    assert bodies(popped(answer)) == ["m0"]


def test_too_many_waiting_pops_are_refused() -> None:
    consumer = PopClient(started({"popPollingSize": 1}))
    consumer.hold()
    consumer.hold()
    full = consumer.client.answer_to(consumer.hold())
    assert full is not None
    assert (full.code, full.remark) == (ResponseCode.POLLING_FULL, "NO_MESSAGE_IN_QUEUE")
    consumer = PopClient(started({"maxPopPollingSize": 1}))
    consumer.hold()
    full = consumer.client.answer_to(consumer.hold(consumerGroup="other"))
    assert full is not None
    assert full.code == ResponseCode.POLLING_FULL
    consumer = PopClient(started({"popPollingMapSize": 1}))
    consumer.hold()
    full = consumer.client.answer_to(consumer.hold(consumerGroup="other"))
    assert full is not None
    assert full.code == ResponseCode.POLLING_FULL


def test_closed_connection_is_not_woken() -> None:
    broker = started()
    gone, other = PopClient(broker), PopClient(broker)
    gone.hold()
    gone.client.peer.connection.abort()
    broker.world.settle()
    assert len(broker.controller.processors.pop.hold) == 0
    request = other.hold()
    broker.client().send(TOPIC, b"m0")
    assert other.client.answer_to(request) is not None


def test_stopping_broker_answers_who_waits() -> None:
    broker = started()
    consumer = PopClient(broker)
    request = consumer.hold(60_000)
    broker.stop()
    answer = consumer.client.answer_to(request)
    assert answer is not None
    assert answer.code == ResponseCode.POLLING_TIMEOUT
