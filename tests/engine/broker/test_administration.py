# SPDX-License-Identifier: Apache-2.0
"""Statistics, cleaning, modes and what else tools ask a broker."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from tests.engine.broker.harness import Broker, Client
from tests.engine.remoting.golden import EXCHANGES

from rmq.remoting.bodies import (
    BrokerStatsData,
    ConsumeStatsList,
    GroupForbidden,
    KVTable,
    MessageRequestModeSerializeWrapper,
    QuerySubscriptionResponseBody,
    TimerMetricsSerializeWrapper,
    TopicList,
)
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.java_json import dumps_bytes
from rmq.remoting.message import decode_record


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    return broker.client()


def view(client: Client, name: str, key: str) -> BrokerStatsData:
    fields = {"statsName": name, "statsKey": key}
    return BrokerStatsData.decode(client.ok(RequestCode.VIEW_BROKER_STATS_DATA, fields).body)


# -- statistics --


def test_statistics_have_a_minute_an_hour_and_a_day(broker: Broker, client: Client) -> None:
    client.create_topic("T", 1)
    for _ in range(6):
        client.send("T", b"x" * 100)
    client.pull("T")
    broker.world.run_for(60_000)
    puts = view(client, "TOPIC_PUT_NUMS", "T")
    assert (puts.stats_minute.sum, puts.stats_hour.sum, puts.stats_day.sum, puts.day_sum) == (6, 0, 0, 6)
    assert puts.stats_minute.tps == pytest.approx(0.1)
    assert puts.stats_minute.avgpt == 1
    assert view(client, "TOPIC_PUT_SIZE", "T").stats_minute.sum > 600
    gets = view(client, "GROUP_GET_NUMS", "T@gc").stats_minute
    assert (gets.sum, gets.avgpt) == (6, 6)
    assert view(client, "GROUP_GET_SIZE", "T@gc").stats_minute.sum > 600
    assert view(client, "BROKER_PUT_NUMS", "C").stats_minute.sum == 6
    broker.world.run_for(30_000)
    assert view(client, "TOPIC_PUT_NUMS", "T").stats_minute.sum == 0
    broker.world.run_for(600_000)
    assert view(broker.client(), "TOPIC_PUT_NUMS", "T").stats_hour.sum == 6


def test_the_brokers_own_topics_are_left_out_of_the_counts_by_day(broker: Broker, client: Client) -> None:
    client.create_topic("T", 1)
    client.send("T")
    client.send("T", properties="DELAY\x011\x02")
    broker.world.run_for(500)
    table = KVTable.decode(client.ok(RequestCode.GET_BROKER_RUNTIME_INFO).body).table
    assert table["msgPutTotalTodayNow"] == "1"
    broker.world.run_for(60_000)
    delivered = 1
    assert view(client, "TOPIC_PUT_NUMS", "T").stats_minute.sum == 1 + delivered
    assert view(client, "GROUP_GET_NUMS", "SCHEDULE_TOPIC_XXXX@SCHEDULE_CONSUMER").stats_minute.sum == delivered
    assert view(client, "BROKER_PUT_NUMS", "C").stats_minute.sum == 2 + delivered
    assert view(client, "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC", "C").stats_minute.sum == 1 + delivered


@pytest.mark.parametrize(("name", "key"), [("TOPIC_PUT_NUMS", "none"), ("BROKER_PUT_NUMS", "other"), ("SOME", "C")])
def test_statistics_of_nothing_do_not_exist(client: Client, name: str, key: str) -> None:
    answer = client.ask(RequestCode.VIEW_BROKER_STATS_DATA, {"statsName": name, "statsKey": key})
    assert (answer.code, answer.remark) == (ResponseCode.SYSTEM_ERROR, f"The stats <{name}> <{key}> not exist")


def test_messages_given_back_are_counted_under_their_topic(broker: Broker, client: Client) -> None:
    client.create_topic("T", 1)
    client.send("T")
    (message,) = client.pull("T")
    fields = {"group": "gc", "offset": str(message.physical_offset), "delayLevel": "0", "originMsgId": "x"}
    client.ok(RequestCode.CONSUMER_SEND_MSG_BACK, fields)
    broker.world.run_for(10_000)
    assert view(client, "SNDBCK_PUT_NUMS", "T@gc").stats_minute.sum == 1


def test_consume_stats_of_the_whole_broker(client: Client) -> None:
    client.create_topic("T", 1)
    client.create_topic("Ordered", 1, order="true")
    for topic in ("T", "Ordered"):
        client.send(topic)
        client.send(topic)
        client.heartbeat(f"g-{topic}", topic)
        fields = {"consumerGroup": f"g-{topic}", "topic": topic, "queueId": "0", "commitOffset": "1"}
        client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, fields)

    def stats(**fields: str) -> ConsumeStatsList:
        return ConsumeStatsList.decode(client.ok(RequestCode.GET_BROKER_CONSUME_STATS, fields).body)

    whole = stats(isOrder="false")
    assert (whole.total_diff, whole.broker_addr) == (2, "127.0.0.1:12311")
    by_group = {group: listed for each in whole.consume_stats_list for group, listed in each.items()}
    assert [item.total_diff for item in by_group["g-T"]] == [1]
    assert stats(isOrder="true").total_diff == 1


# -- cleaning --


def fill(broker: Broker, client: Client, topic: str = "T") -> None:
    client.create_topic(topic, 1)
    for _ in range(12):
        client.send(topic, b"x" * 60_000)
    broker.world.run_for(1_000)


def commit_log_start(broker: Broker) -> int:
    return broker.controller.store.min_physical_offset


def test_expired_commit_log_goes_when_asked_at_any_hour() -> None:
    broker = Broker({"fileReservedTime": 1, "deleteWhen": "04"})
    client = broker.client()
    fill(broker, client)
    client.ok(RequestCode.DELETE_EXPIRED_COMMITLOG)
    assert commit_log_start(broker) == 0, "nothing is expired yet"
    broker.world.run_for(2 * 3600 * 1000)
    assert commit_log_start(broker) == 0, "it is not the hour of deleteWhen"
    client = broker.client()
    client.ok(RequestCode.DELETE_EXPIRED_COMMITLOG)
    broker.world.run_for(15_000)
    assert commit_log_start(broker) > 0
    client.ok(RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE)
    low = broker.controller.store.min_offset("T", 0)
    assert low > 0 and client.pull("T", low)[0].queue_offset == low


def test_queues_of_topics_that_are_gone_are_cleaned_when_they_are_old(broker: Broker, client: Client) -> None:
    client.create_topic("Gone", 1)
    client.send("Gone")
    del broker.controller.context.topics.topics["Gone"]
    client.ok(RequestCode.CLEAN_UNUSED_TOPIC)
    assert "Gone" in broker.controller.store.queues(), "a slave's topics may come after its messages"
    broker.world.run_for(61_000)
    client.ok(RequestCode.CLEAN_UNUSED_TOPIC)
    assert "Gone" not in broker.controller.store.queues()


# -- groups, topics, clients --


def test_system_topics(client: Client) -> None:
    listed = TopicList.decode(client.ok(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER).body).topic_list
    assert {"TBW102", "SCHEDULE_TOPIC_XXXX", "broker-a", "C"} <= set(listed)


def test_what_a_group_consumes_and_how(client: Client) -> None:
    client.create_topic("T", 1)
    client.heartbeat("gc", "T", tags="A||B")
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0", "commitOffset": "0"}
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, fields)
    topics = TopicList.decode(client.ok(RequestCode.QUERY_TOPICS_BY_CONSUMER, {"group": "gc"}).body)
    assert (topics.topic_list, topics.broker_addr) == (["T"], "127.0.0.1:12311")

    def subscription(topic: str) -> QuerySubscriptionResponseBody:
        answer = client.ok(RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER, {"group": "gc", "topic": topic})
        return QuerySubscriptionResponseBody.decode(answer.body)

    data = subscription("T").subscription_data
    assert data is not None and data.sub_string == "A||B"
    assert subscription("Other").subscription_data is None


def test_forbidden_topic_is_not_pulled_until_it_is_allowed_again(broker: Broker, client: Client) -> None:
    client.create_topic("T", 1)
    client.send("T")
    client.heartbeat("gc", "T")
    target = {"group": "gc", "topic": "T"}

    def forbid(on: Client, **more: str) -> bool:
        answer = on.ok(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, {**target, **more})
        return GroupForbidden.decode(answer.body).readable

    pull = client.pull_fields("T", 0, sysFlag="0")
    assert forbid(client)
    assert not forbid(client, readable="false")
    assert client.ask(RequestCode.PULL_MESSAGE, pull).code == ResponseCode.NO_PERMISSION
    broker.kill()
    again = broker.start_again().client()
    assert not forbid(again)
    assert forbid(again, readable="true")


def test_message_is_consumed_directly_by_the_client_that_is_named(broker: Broker, client: Client) -> None:
    client.create_topic("T", 1)
    sent = client.send("T", b"once more")
    client.heartbeat("gc", "T")
    local = client.peer.connection.local
    fields = {"consumerGroup": "gc", "clientId": f"{local[0]}@{local[1]}", "msgId": sent.ext_fields["msgId"]}
    asking = broker.client("10.0.0.1")
    request = asking.post(RequestCode.CONSUME_MESSAGE_DIRECTLY, {**fields, "topic": "T"})
    (call,) = [frame for frame in client.pushed if frame.code == RequestCode.CONSUME_MESSAGE_DIRECTLY]
    assert decode_record(call.body, check_crc=True).body == b"once more"
    assert call.ext_fields["brokerName"] == "broker-a"
    assert call.ext_fields["groupSysFlag"] == call.ext_fields["topicSysFlag"] == "0"
    client.peer.send(call.response(ResponseCode.SUCCESS, body=b'{"consumeResult":"CR_SUCCESS"}'))
    answer = asking.answer_to(request)
    assert answer is not None and json.loads(answer.body) == {"consumeResult": "CR_SUCCESS"}


@pytest.mark.parametrize("message_id", ["zz", "7F00000100003017000000000000FFFF"])
def test_message_that_is_not_there_is_not_consumed(client: Client, message_id: str) -> None:
    fields = {"consumerGroup": "gc", "clientId": "c", "msgId": message_id}
    assert client.ask(RequestCode.CONSUME_MESSAGE_DIRECTLY, fields).code == ResponseCode.SYSTEM_ERROR


# -- how groups fetch, and what a slave asks --


def mode(topic: str = "T", **more: object) -> bytes:
    return dumps_bytes({"topic": topic, "consumerGroup": "gc", "mode": "POP", "popShareQueueNum": 4, **more})


def test_request_mode_is_kept_and_told_to_slaves(broker: Broker, client: Client) -> None:
    client.create_topic("T", 1)
    client.ok(RequestCode.SET_MESSAGE_REQUEST_MODE, body=mode())
    stored = json.loads(broker.disk.read_bytes(Path("/store/config/messageRequestMode.json")))
    row = {"consumerGroup": "gc", "mode": "POP", "popShareQueueNum": 4, "topic": "T"}
    assert stored == {"messageRequestModeMap": {"T": {"gc": row}}}
    broker.kill()
    again = broker.start_again().client()
    told = MessageRequestModeSerializeWrapper.decode(again.ok(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE).body)
    assert told.to_json_value() == stored


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (mode("%RETRY%gc"), ResponseCode.NO_PERMISSION),
        (mode("None"), ResponseCode.TOPIC_NOT_EXIST),
        (mode("T", consumerGroup="a b"), ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST),
        (mode("T", mode="PUSH"), ResponseCode.INVALID_PARAMETER),
        (b"[]", ResponseCode.SYSTEM_ERROR),
    ],
)
def test_request_modes_that_are_refused(client: Client, body: bytes, code: int) -> None:
    client.create_topic("T", 1)
    assert client.ask(RequestCode.SET_MESSAGE_REQUEST_MODE, body=body).code == code


def test_timer_checkpoint_has_apaches_form(broker: Broker, client: Client) -> None:
    body = client.ok(RequestCode.GET_TIMER_CHECK_POINT).body
    theirs = struct.unpack(">7q", EXCHANGES["timer_checkpoint_60"].response_body)
    ours = struct.unpack(">7q", body)
    assert ours[1:5] == theirs[1:5] == (0, 0, 0, 0)
    assert broker.reactor.clock.now_ms() - ours[0] in range(1000)
    metrics = TimerMetricsSerializeWrapper.decode(client.ok(RequestCode.GET_TIMER_METRICS).body)
    assert metrics.timing_count == {}


def test_master_flush_offset_is_taken_without_effect(client: Client) -> None:
    client.ok(RequestCode.RESET_MASTER_FLUSH_OFFSET, {"masterFlushOffset": "0"})
