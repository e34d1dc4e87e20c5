# SPDX-License-Identifier: Apache-2.0
"""Popping, acknowledging, and what comes back."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker, failing
from tests.engine.broker.pop.popping import (
    GROUP,
    INVISIBLE_MS,
    RETRY_TOPIC,
    REVIVE_TOPIC,
    SLACK_MS,
    TOPIC,
    PopClient,
    Popped,
    bodies,
    numbered,
    started,
)

from rmq.broker.pop.pop_offsets import PopOffsets
from rmq.remoting.bodies import PopCheckPoint, SubscriptionGroupConfig
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.message import decode_records
from rmq.remoting.message_properties import encode_properties
from rmq.store.put_message import RECONSUME_TIMES_MAX

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue


def test_each_message_is_given_out_once() -> None:
    first, second = (PopClient(broker := started(messages=10)), PopClient(broker))
    found = first.pop(maxMsgNums="4") + second.pop_all()
    assert sorted(bodies(found)) == numbered(10)


def test_what_is_acknowledged_does_not_come_back_and_the_rest_does() -> None:
    consumer = PopClient(started(messages=8))
    found = consumer.pop_all()
    for one in found[:5]:
        assert consumer.ack(one).code == ResponseCode.SUCCESS
    consumer.world.run_for(INVISIBLE_MS)
    assert consumer.pop_all() == []
    consumer.world.run_for(SLACK_MS)
    again = consumer.pop_all()
    assert sorted(bodies(again)) == sorted(bodies(found[5:]))
    assert {one.message.reconsume_times for one in again} == {1}
    assert {one.topic for one in again} == {RETRY_TOPIC}
    for one in again:
        consumer.ack(one)
    consumer.world.run_for(2 * INVISIBLE_MS)
    assert consumer.pop_all() == []


def test_message_comes_again_as_often_as_nobody_acknowledges_it() -> None:
    consumer = PopClient(started(messages=1))
    for times in range(4):
        (one,) = consumer.pop_all()
        assert one.message.reconsume_times == times
        consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    assert one.message.properties["1ST_POP_TIME"] < one.extra_info.split(" ")[1]


def test_message_whose_count_is_at_its_end_comes_again_all_the_same() -> None:
    """A producer sends any number; one more would not fit into the record."""
    broker = started()
    assert broker.client().send(TOPIC, b"m", j=str(RECONSUME_TIMES_MAX)).code == ResponseCode.SUCCESS
    consumer = PopClient(broker)
    assert bodies(consumer.pop_all()) == ["m"]
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    (again,) = consumer.pop_all()
    assert (again.body, again.message.reconsume_times) == ("m", RECONSUME_TIMES_MAX)


@pytest.mark.parametrize("version2", [False, True])
def test_unacknowledged_message_goes_into_the_retry_topic_of_the_version_set(version2: bool) -> None:
    broker = started({"enableRetryTopicV2": version2}, messages=1)
    consumer = PopClient(broker)
    consumer.pop_all()
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    (one,) = consumer.pop_all()
    assert one.topic == ("%RETRY%g+T" if version2 else RETRY_TOPIC)
    assert broker.controller.context.topics.get(one.topic) is not None
    assert consumer.ack(one).code == ResponseCode.SUCCESS


def test_messages_of_both_retry_topics_are_read_after_the_version_was_changed() -> None:
    broker = started(messages=2, queues=1)
    consumer = PopClient(broker)
    (first,) = consumer.pop(maxMsgNums="1")
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    broker.controller.config.enable_retry_topic_v2 = True
    again = consumer.pop_all()
    assert sorted(bodies(again)) == ["m0", "m1"]
    assert first.body == "m0"


def test_retry_topic_goes_out_under_its_own_name_where_that_is_set() -> None:
    consumer = PopClient(started({"popResponseReturnActualRetryTopic": True}, messages=1))
    consumer.pop_all()
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    answers = [consumer.ask() for _ in range(4)]
    (found,) = [answer for answer in answers if answer.code == ResponseCode.SUCCESS]
    (message,) = decode_records(found.body)
    assert (message.topic, "POP_CK" in message.properties) == (RETRY_TOPIC, False)
    assert found.ext_fields["startOffsetInfo"] == "1 0 0"
    assert found.ext_fields["msgOffsetInfo"] == "1 0 0"


def test_change_of_invisible_time_counts_from_now() -> None:
    consumer = PopClient(started(messages=1))
    (one,) = consumer.pop_all()
    answer = consumer.change(one, 10_000)
    assert answer.code == ResponseCode.SUCCESS
    assert answer.ext_fields["invisibleTime"] == "10000"
    assert abs(int(answer.ext_fields["popTime"]) - consumer.clock.now_ms()) <= 1
    consumer.world.run_for(10_000 + SLACK_MS)
    assert bodies(consumer.pop_all()) == ["m0"]
    consumer.world.run_for(INVISIBLE_MS - 10_000)
    assert consumer.pop_all() == [], "the first check point is acknowledged"


def test_longer_invisible_time_keeps_the_message_away() -> None:
    consumer = PopClient(started(messages=1))
    (one,) = consumer.pop_all()
    consumer.change(one, 2 * INVISIBLE_MS)
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    assert consumer.pop_all() == []
    consumer.world.run_for(INVISIBLE_MS)
    assert bodies(consumer.pop_all()) == ["m0"]


def test_batch_of_acknowledgements() -> None:
    consumer = PopClient(started(messages=5, queues=1))
    found = consumer.pop()
    start, pop_time, invisible, revive_queue, *_ = found[0].extra_info.split(" ")
    head = {"c": GROUP, "t": TOPIC, "r": "0", "so": int(start), "q": 0, "rq": int(revive_queue)}
    # Bits 0, 2 and 4 in Java's BitSet.
    ack = {**head, "pt": int(pop_time), "it": int(invisible), "b": "FQ=="}
    body = json.dumps({"brokerName": "broker-a", "acks": [ack]}).encode()
    consumer.client.ok(RequestCode.BATCH_ACK_MESSAGE, body=body)
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    assert sorted(bodies(consumer.pop_all())) == ["m1", "m3"]


def test_broker_restarted_gives_back_what_was_not_acknowledged() -> None:
    broker = started(messages=6)
    consumer = PopClient(broker)
    found = consumer.pop_all()
    for one in found[:2]:
        consumer.ack(one)
    broker.stop()
    broker = broker.start_again()
    consumer = PopClient(broker)
    assert consumer.pop_all() == []
    assert consumer.ack(found[2]).code == ResponseCode.SUCCESS
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    assert sorted(bodies(consumer.pop_all())) == sorted(bodies(found[3:]))


def test_nothing_is_revived_twice_by_a_restart() -> None:
    """A long check point at the revive queue's begin keeps its offset back over all that follow."""
    broker = started({"reviveQueueNum": 1}, messages=4, queues=1)
    consumer = PopClient(broker)
    consumer.pop(maxMsgNums="1", invisibleTime=str(20 * INVISIBLE_MS))
    assert bodies(consumer.pop(maxMsgNums="3")) == ["m1", "m2", "m3"]
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    for one in consumer.pop_all():
        consumer.ack(one)
    broker.kill()
    consumer = PopClient(broker.start_again())
    consumer.world.run_for(2 * INVISIBLE_MS)
    assert consumer.pop_all() == []


def test_revive_topic_holds_apaches_records() -> None:
    """Field for field what fastjson writes for 5.4.0's PopCheckPoint and AckMsg."""
    broker = started({"reviveQueueNum": 1}, messages=2, queues=1)
    consumer = PopClient(broker)
    found = consumer.pop()
    consumer.ack(found[1])
    frames = broker.controller.store.get(REVIVE_TOPIC, 0, 0, 32).frames
    point, ack = decode_records(b"".join(frames))
    pop_time = int(found[0].extra_info.split(" ")[1])
    assert point.body.decode() == (
        f'{{"bm":0,"bn":"broker-a","c":"g","d":[0,1],"it":60000,"n":2,"pt":{pop_time},"q":0,'
        f'"reviveTime":{pop_time + 60_000},"ro":0,"so":0,"t":"T"}}'
    )
    assert ack.body.decode() == f'{{"ao":1,"bn":"broker-a","c":"g","pt":{pop_time},"q":0,"so":0,"t":"T"}}'
    assert (point.tags, ack.tags) == ("ck", "ack")
    assert point.properties["UNIQ_KEY"] == f"T@0@0@g@{pop_time}@broker-a@ck"
    assert ack.properties["UNIQ_KEY"] == f"T@0@1@g@{pop_time}@broker-a@ack"
    assert point.properties["TIMER_DELIVER_MS"] == str(pop_time + 59_000)
    assert ack.properties["TIMER_DELIVER_MS"] == str(pop_time + 60_000)


def test_tag_and_sql_filters_pass_over_what_they_do_not_want() -> None:
    broker = started({"enablePropertyFilter": True}, queues=1)
    consumer = PopClient(broker)
    for number, tag in enumerate("ABAB"):
        consumer.client.send(TOPIC, f"m{number}".encode(), f"TAGS\x01{tag}\x02n\x01{number}\x02")
    assert bodies(consumer.pop(exp="B")) == ["m1", "m3"]
    assert consumer.pop() == [], "the group's offset is behind all of them"
    answer = consumer.ask(consumerGroup="sql", exp="n > 1", expType="SQL92")
    assert [one.body for one in decode_records(answer.body)] == [b"m2", b"m3"]
    assert consumer.ask(exp="n >", expType="SQL92").code == ResponseCode.SUBSCRIPTION_PARSE_FAILED


def test_new_group_begins_where_its_init_mode_says() -> None:
    broker = started({"initPopOffsetByCheckMsgInMem": False}, messages=8, queues=1)
    consumer = PopClient(broker)
    assert bodies(consumer.pop(initMode="1")) == ["m7"]
    in_memory = PopClient(started(messages=8, queues=1))
    assert bodies(in_memory.pop(initMode="1")) == numbered(8)


def test_offset_that_an_administrator_sets_counts_for_pops() -> None:
    broker = started(messages=5, queues=1)
    consumer = PopClient(broker)
    assert len(consumer.pop(maxMsgNums="3")) == 3
    broker.controller.context.offsets.assign_reset(GROUP, TOPIC, 0, 1)
    assert bodies(consumer.pop()) == ["m1", "m2", "m3", "m4"]


def test_pops_stop_when_too_much_is_unacknowledged() -> None:
    consumer = PopClient(started({"popCkMaxBufferSize": 1}, messages=4, queues=1))
    consumer.pop(maxMsgNums="1")
    consumer.pop(maxMsgNums="1")
    consumer.world.run_for(1_100)
    answer = consumer.ask(maxMsgNums="1")
    assert answer.code == ResponseCode.POLLING_TIMEOUT


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"topic": "nobody"}, ResponseCode.TOPIC_NOT_EXIST),
        ({"queueId": "4"}, ResponseCode.INVALID_PARAMETER),
        ({"maxMsgNums": "33"}, ResponseCode.INVALID_PARAMETER),
        ({"bornTime": "1"}, ResponseCode.POLLING_TIMEOUT),
        ({"invisibleTime": "-1"}, ResponseCode.INVALID_PARAMETER),
        ({"invisibleTime": str(2**62)}, ResponseCode.INVALID_PARAMETER),
        ({"order": "true"}, ResponseCode.SYSTEM_ERROR),
        ({"consumerGroup": "a\x02TAGS\x01b"}, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST),
    ],
)
def test_pop_is_refused_with_a_whole_header(fields: dict[str, str], code: int) -> None:
    answer = PopClient(started(messages=1)).ask(**fields)
    assert answer.code == code, answer.remark
    assert answer.ext_fields == {"popTime": "0", "invisibleTime": "0", "reviveQid": "0", "restNum": "0"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"topic": "nobody"}, ResponseCode.TOPIC_NOT_EXIST),
        ({"queueId": "4"}, ResponseCode.MESSAGE_ILLEGAL),
        ({"offset": "5"}, ResponseCode.NO_MESSAGE),
        ({"extraInfo": "1 2 3"}, ResponseCode.SYSTEM_ERROR),
        ({"extraInfo": "0 1 1 8 0 broker-a 0 0"}, ResponseCode.MESSAGE_ILLEGAL),
        ({"extraInfo": "0 1 1 999 0 broker-a 0 0"}, ResponseCode.MESSAGE_ILLEGAL),
        ({"extraInfo": "0 1 1 0 0 b\x02TAGS\x01ck 0 0"}, ResponseCode.MESSAGE_ILLEGAL),
        ({"consumerGroup": "a\x02TAGS\x01ck"}, ResponseCode.MESSAGE_ILLEGAL),
    ],
)
@pytest.mark.parametrize("request_code", [RequestCode.ACK_MESSAGE, RequestCode.CHANGE_MESSAGE_INVISIBLETIME])
def test_acknowledgement_of_nothing_is_refused(request_code: int, fields: dict[str, str], code: int) -> None:
    broker = started(messages=1)
    consumer = PopClient(broker)
    (one,) = consumer.pop_all()
    answer = consumer.client.ask(request_code, {**one.fields, "invisibleTime": "1000", **fields})
    assert answer.code == code, answer.remark
    assert sum(broker.controller.store.max_offset(REVIVE_TOPIC, number) for number in range(8)) == 1


def test_acknowledgement_that_the_disk_refuses_is_not_answered_with_success() -> None:
    broker = started(messages=1)
    consumer = PopClient(broker)
    (one,) = consumer.pop_all()
    broker.disk.fail("pwrite", errno.ENOSPC, path_contains="commitlog")
    answer = consumer.ack(one)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert "not stored" in (answer.remark or "")


def test_consumer_gone_before_the_answer_gets_nothing_and_another_does() -> None:
    broker = started(messages=1)
    gone, other = PopClient(broker), PopClient(broker)
    gone.client.post(RequestCode.POP_MESSAGE, gone.fields())
    gone.client.peer.connection.abort()
    other.world.run_for(INVISIBLE_MS + SLACK_MS)
    assert bodies(other.pop_all()) == ["m0"]


def test_slave_sends_pop_consumers_away() -> None:
    consumer = PopClient(Broker({"brokerRole": "SLAVE", "brokerId": 1}))
    for code in (RequestCode.POP_MESSAGE, RequestCode.ACK_MESSAGE, RequestCode.CHANGE_MESSAGE_INVISIBLETIME):
        assert consumer.client.ask(code, consumer.fields()).code == ResponseCode.SYSTEM_BUSY


def test_records_that_a_stranger_sends_into_the_revive_topic_do_no_harm() -> None:
    broker = started({"reviveQueueNum": 1}, messages=1)
    consumer = PopClient(broker)
    for topic in ("%RETRY%../T", "%RETRY%g/../../T", "nobody", "../T"):
        point = PopCheckPoint(group="g", num=1, topic=topic, broker_name="broker-a", pop_time=1)
        consumer.client.send(REVIVE_TOPIC, point.encode(), "TAGS\x01ck\x02")
    consumer.client.send(REVIVE_TOPIC, b"{", "TAGS\x01ck\x02")
    topics = set(broker.controller.context.topics.topics)
    consumer.world.run_for(INVISIBLE_MS)
    assert set(broker.controller.context.topics.topics) == topics
    assert bodies(consumer.pop_all()) == ["m0"]
    broker.kill()
    assert broker.start_again().controller.context.offsets.query(GROUP, "nobody", 0) == -1


def prioritized(settings: dict[str, SettingValue] | None = None, *, factor: str = "") -> PopClient:
    """Eight messages round four queues of a topic whose messages have priorities."""
    broker = started(settings)
    client = broker.client()
    client.create_topic(TOPIC, attributes="+message.type=PRIORITY")
    for number in range(8):
        client.send(TOPIC, f"m{number}".encode(), encode_properties({"_SYS_MSG_PRIORITY_": str(number % 4)}))
    if factor:
        config = SubscriptionGroupConfig(group_name=GROUP, attributes={"+priority.factor": factor})
        client.ok(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=config.encode())
    return PopClient(broker)


def queues(found: list[Popped]) -> list[int]:
    return [one.message.queue_id for one in found]


def test_highest_priority_is_popped_first() -> None:
    assert queues(prioritized().pop()) == [3, 3, 2, 2, 1, 1, 0, 0]
    assert queues(prioritized({"priorityOrderAsc": False}).pop()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_group_says_in_how_many_pops_priorities_count() -> None:
    consumer = prioritized(factor="0")
    one_by_one = [consumer.pop(maxMsgNums="1")[0] for _ in range(8)]
    assert queues(one_by_one) != [3, 3, 2, 2, 1, 1, 0, 0]
    assert queues(prioritized(factor="100").pop()) == [3, 3, 2, 2, 1, 1, 0, 0]
    refused = prioritized().client.ask(
        RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        body=SubscriptionGroupConfig(group_name=GROUP, attributes={"+priority.factor": "101"}).encode(),
    )
    assert (refused.code, refused.remark) == (ResponseCode.SYSTEM_ERROR, "value is not in range(0, 100)")


def test_retries_come_after_the_messages_of_a_topic_with_priorities() -> None:
    consumer = prioritized()
    (given_back,) = consumer.pop(maxMsgNums="1")
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS)
    for _ in range(20):
        found = consumer.pop(maxMsgNums="1")
        if found[0].topic == RETRY_TOPIC:
            break
        consumer.ack(found[0])
    assert found[0].message.properties["UNIQ_KEY"] == given_back.message.properties["UNIQ_KEY"]
    assert found[0].topic == RETRY_TOPIC
    assert consumer.pop() == []


def test_message_comes_again_although_it_could_not_be_read_once() -> None:
    broker = started(messages=1)
    consumer = PopClient(broker)
    assert len(consumer.pop_all()) == 1
    failing(broker, "get", TOPIC)
    consumer.world.run_for(INVISIBLE_MS + SLACK_MS + 15_000)
    assert len(consumer.pop_all()) == 1


def test_pop_under_way_while_its_topic_is_deleted_moves_no_offset_of_a_new_one() -> None:
    committed: list[tuple[object, int]] = []
    offsets = PopOffsets(lambda key, next_offset: committed.append((key, next_offset)))
    key = (TOPIC, "g", 0)
    old = offsets.take(key, 10)
    offsets.forget_topic(TOPIC)
    assert offsets.next_offset(key) == -1
    new = offsets.take(key, 1)
    offsets.stored(old)
    assert committed == []
    offsets.stored(new)
    assert committed == [(key, 1)]


def made_anew(consumer: PopClient) -> None:
    """The topic is deleted, and one of its name has a new message in each queue."""
    client = consumer.client
    client.post(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": TOPIC})
    consumer.world.run_for(500)
    client.create_topic(TOPIC)
    for queue_id in range(4):
        client.send(TOPIC, b"new", queue_id=queue_id)


def test_messages_of_a_new_topic_are_not_brought_back_for_pops_of_an_old_one() -> None:
    consumer = PopClient(started(messages=4))
    assert len(consumer.pop_all()) == 4
    made_anew(consumer)
    for one in consumer.pop_all():
        consumer.ack(one)
    consumer.world.run_for(120_000)
    assert consumer.pop_all() == []
