# SPDX-License-Identifier: Apache-2.0
"""Offsets that an administrator sets, and what the consumers of the group see of it."""

from __future__ import annotations

import pytest
from tests.engine.broker.harness import Broker, Client

from rmq.remoting.bodies import (
    GetConsumerStatusBody,
    MessageQueue,
    QueryConsumeTimeSpanBody,
    QueryCorrectionOffsetBody,
    ResetOffsetBody,
    ResetOffsetBodyForC,
)
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand

QUEUE = MessageQueue("broker-a", 0, "T")
TARGET = {"group": "gc", "topic": "T", "isForce": "true"}


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    return prepared(broker)


def prepared(broker: Broker) -> Client:
    """A topic with three messages, a second apart, all consumed by gc."""
    client = broker.client()
    client.create_topic("T", 1)
    client.heartbeat("gc", "T")
    for number in range(3):
        client.send("T", b"%d" % number)
        broker.world.run_for(1_000)
    commit(client, 3)
    return client


def commit(client: Client, offset: int) -> str | None:
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0", "commitOffset": str(offset)}
    return client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, fields).remark


def committed(client: Client, group: str = "gc") -> int:
    fields = {"consumerGroup": group, "topic": "T", "queueId": "0"}
    return int(client.ok(RequestCode.QUERY_CONSUMER_OFFSET, fields).ext_fields["offset"])


def reset(client: Client, timestamp_ms: int, **more: str) -> ResetOffsetBody:
    fields = {**TARGET, "timestamp": str(timestamp_ms), **more}
    return ResetOffsetBody.decode(client.ok(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, fields).body)


def test_reset_by_time_counts_until_the_consumer_has_heard_of_it(broker: Broker, client: Client) -> None:
    second_ms = broker.controller.store.store_time("T", 0, 1)
    assert reset(client, second_ms).offset_table == {QUEUE: 1}
    assert committed(client) == 1
    assert commit(client, 3) == "Offset has been previously reset"
    assert committed(client) == 1
    answer = client.ask(RequestCode.PULL_MESSAGE, client.pull_fields("T", 3))
    assert (answer.code, answer.remark) == (ResponseCode.PULL_OFFSET_MOVED, "OFFSET_RESET")
    assert answer.ext_fields["nextBeginOffset"] == "1"
    assert [message.body for message in client.pull("T", 1)] == [b"1", b"2"]
    assert commit(client, 2) is None
    assert committed(client) == 2


def test_reset_to_the_end_skips_what_is_there(client: Client) -> None:
    reset(client, 0)
    assert committed(client) == 0
    assert reset(client, -1).offset_table == {QUEUE: 3}
    assert committed(client) == 3


def test_reset_of_one_queue_to_an_offset(client: Client) -> None:
    assert reset(client, 0, queueId="0", offset="2").offset_table == {QUEUE: 2}
    fields = {**TARGET, "timestamp": "0", "queueId": "0", "offset": "9"}
    answer = client.ask(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, fields)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert answer.remark == "Target offset 9 not in consume queue range [0-3]"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"topic": "None"}, ResponseCode.TOPIC_NOT_EXIST),
        ({"group": "none"}, ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST),
        ({"queueId": "7"}, ResponseCode.INVALID_PARAMETER),
        ({"timestamp": "yesterday"}, ResponseCode.SYSTEM_ERROR),
    ],
)
def test_resets_that_are_refused(client: Client, more: dict[str, str], code: int) -> None:
    fields = {**TARGET, "timestamp": "0", **more}
    assert client.ask(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, fields).code == code
    assert committed(client) == 3


def test_reset_offset_survives_a_restart(broker: Broker, client: Client) -> None:
    reset(client, 0)
    broker.stop()
    assert committed(broker.start_again().client()) == 0


def test_a_reset_that_no_pull_has_seen_is_void_once_clients_reset_themselves(client: Client) -> None:
    reset(client, 0)
    assert commit(client, 2) == "Offset has been previously reset"
    client.ok(RequestCode.UPDATE_BROKER_CONFIG, body=b"useServerSideResetOffset=false\n")
    assert commit(client, 2) is None
    assert committed(client) == 2
    assert len(client.pull("T", 1)) == 2


def test_slave_resets_nothing() -> None:
    slave = Broker({"brokerRole": "SLAVE", "brokerId": 1}).client()
    answer = slave.ask(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, {**TARGET, "timestamp": "0"})
    assert answer.remark == "Can not reset offset in slave broker"


def test_clients_are_told_where_the_broker_does_not_reset_itself() -> None:
    broker = Broker({"useServerSideResetOffset": False})
    client = prepared(broker)
    assert reset(client, 0).offset_table == {QUEUE: 0}
    (told,) = [frame for frame in client.pushed if frame.code == RequestCode.RESET_CONSUMER_CLIENT_OFFSET]
    assert ResetOffsetBody.decode(told.body).offset_table == {QUEUE: 0}
    assert told.is_oneway and told.ext_fields["group"] == "gc"
    assert committed(client) == 3, "the client sets it"


def test_cpp_clients_are_told_in_their_form() -> None:
    client = prepared(Broker({"useServerSideResetOffset": False}))
    command = RemotingCommand.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, {**TARGET, "timestamp": "0"})
    command.language = "CPP"
    client.peer.send(command)
    told = [frame for frame in client.pushed if frame.code == RequestCode.RESET_CONSUMER_CLIENT_OFFSET][-1]
    assert [row.offset for row in ResetOffsetBodyForC.decode(told.body).offset_table] == [0]


def test_clients_that_are_away_cannot_be_told() -> None:
    broker = Broker({"useServerSideResetOffset": False})
    prepared(broker).peer.connection.close()
    broker.world.settle()
    answer = broker.client().ask(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, {**TARGET, "timestamp": "0"})
    assert answer.code == ResponseCode.CONSUMER_NOT_ONLINE


def test_status_is_asked_of_the_clients(broker: Broker, client: Client) -> None:
    asking = broker.client("10.0.0.1")
    request = asking.post(RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, {"group": "gc", "topic": "T"})
    (call,) = [frame for frame in client.pushed if frame.code == RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT]
    assert asking.answer_to(request) is None
    own = GetConsumerStatusBody(message_queue_table={QUEUE: 3})
    client.peer.send(call.response(ResponseCode.SUCCESS, body=own.encode()))
    answer = asking.answer_to(request)
    assert answer is not None
    (table,) = GetConsumerStatusBody.decode(answer.body).consumer_table.values()
    assert table == {QUEUE: 3}


def test_status_of_a_client_that_does_not_answer_is_left_out(broker: Broker, client: Client) -> None:
    asking = broker.client("10.0.0.1")
    request = asking.post(RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, {"group": "gc", "topic": "T"})
    broker.world.run_for(6_000)
    answer = asking.answer_to(request)
    assert answer is not None and answer.code == ResponseCode.SUCCESS
    assert GetConsumerStatusBody.decode(answer.body).consumer_table == {}
    absent = {"group": "none", "topic": "T"}
    assert asking.ask(RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS, absent).code == ResponseCode.SYSTEM_ERROR


def test_cloned_group_starts_where_the_other_is(client: Client) -> None:
    fields = {"srcGroup": "gc", "destGroup": "copy", "topic": "T", "offline": "false"}
    client.ok(RequestCode.CLONE_GROUP_OFFSET, fields)
    assert committed(client, "copy") == 3
    commit(client, 1)
    assert committed(client, "copy") == 3


def test_offsets_are_not_cloned_to_a_name_that_no_group_can_have(client: Client) -> None:
    fields = {"srcGroup": "gc", "destGroup": "co@py", "topic": "T"}
    assert client.ask(RequestCode.CLONE_GROUP_OFFSET, fields).code == ResponseCode.INVALID_PARAMETER


def test_time_span_says_how_long_the_next_message_waits(broker: Broker, client: Client) -> None:
    commit(client, 1)
    answer = client.ok(RequestCode.QUERY_CONSUME_TIME_SPAN, {"group": "gc", "topic": "T"})
    (span,) = QueryConsumeTimeSpanBody.decode(answer.body).consume_time_span_set
    times = [broker.controller.store.store_time("T", 0, offset) for offset in range(3)]
    assert (span.min_time_stamp, span.consume_time_stamp, span.max_time_stamp) == (times[0], times[0], times[2])
    assert span.delay_time == broker.reactor.clock.now_ms() - times[1]


def test_correction_offset_is_the_lowest_of_all_groups_but_the_filtered(client: Client) -> None:
    client.ok(RequestCode.CLONE_GROUP_OFFSET, {"srcGroup": "gc", "destGroup": "copy", "topic": "T"})
    commit(client, 1)

    def lowest(**fields: str) -> dict[int, int]:
        answer = client.ok(RequestCode.QUERY_CORRECTION_OFFSET, {"topic": "T", "compareGroup": "none", **fields})
        return QueryCorrectionOffsetBody.decode(answer.body).correction_offsets

    assert lowest() == {0: 1}
    assert lowest(filterGroups="gc") == {0: 3}
    assert lowest(filterGroups="gc", compareGroup="gc") == {0: 2**63 - 1}
    assert committed(client) == 1
