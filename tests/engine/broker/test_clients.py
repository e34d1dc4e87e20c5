# SPDX-License-Identifier: Apache-2.0
"""Groups, heartbeats, locks: who is there and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.broker.harness import Broker, Client

from rmq.remoting.bodies import ConsumerConnection, GetConsumerListByGroupResponseBody, LockBatchResponseBody
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.java_json import dumps_bytes

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand


@pytest.fixture
def broker() -> Broker:
    return Broker()


def ids(client: Client, group: str = "gc") -> list[str]:
    body = client.ok(RequestCode.GET_CONSUMER_LIST_BY_GROUP, {"consumerGroup": group}).body
    return GetConsumerListByGroupResponseBody.decode(body).consumer_id_list


def changes(client: Client) -> int:
    return sum(frame.code == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED for frame in client.pushed)


def test_everyone_hears_who_joins_and_who_leaves(broker: Broker) -> None:
    one, two = broker.client("10.0.0.1"), broker.client("10.0.0.2")
    one.heartbeat()
    two.heartbeat()
    assert len(ids(one)) == 2
    assert (changes(one), changes(two)) == (2, 1)
    two.peer.connection.close()
    broker.world.settle()
    assert changes(one) == 3
    assert len(ids(one)) == 1


def test_same_heartbeat_again_is_no_change(broker: Broker) -> None:
    client = broker.client()
    for _ in range(3):
        client.heartbeat()
    assert changes(client) == 1


def test_broadcasting_group_divides_nothing_and_is_not_told(broker: Broker) -> None:
    one, two = broker.client("10.0.0.1"), broker.client("10.0.0.2")
    one.heartbeat(model="BROADCASTING")
    two.heartbeat(model="BROADCASTING")
    assert changes(one) == changes(two) == 0


def test_unregister_tells_the_others(broker: Broker) -> None:
    one, two = broker.client("10.0.0.1"), broker.client("10.0.0.2")
    one.heartbeat()
    two.heartbeat()
    two.ok(RequestCode.UNREGISTER_CLIENT, {"clientID": "x", "consumerGroup": "gc", "producerGroup": "pg"})
    assert changes(one) == 3
    assert len(ids(one)) == 1


def test_silent_client_is_dropped_after_two_minutes(broker: Broker) -> None:
    quiet, lively = broker.client("10.0.0.1"), broker.client("10.0.0.2")
    quiet.heartbeat()
    for _ in range(14):
        lively.heartbeat()
        broker.world.run_for(10_000)
    assert len(ids(lively)) == 1
    assert quiet.peer.is_closed


def test_heartbeat_makes_group_and_retry_topic(broker: Broker) -> None:
    broker.client().heartbeat("fresh")
    assert "fresh" in broker.controller.context.groups.groups
    topic = broker.controller.context.topics.get("%RETRY%fresh")
    assert topic is not None and (topic.read_queue_nums, topic.write_queue_nums) == (1, 1)


def beat_v2(client: Client, fingerprint: int, *, without_subscriptions: bool) -> RemotingCommand:
    subscription: dict[str, Any] = {
        "topic": "TopicTest",
        "subString": "*",
        "subVersion": 1,
        "tagsSet": [],
        "codeSet": [],
    }
    consumer = {
        "groupName": "gc",
        "consumeType": "CONSUME_PASSIVELY",
        "messageModel": "CLUSTERING",
        "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
        "subscriptionDataSet": [] if without_subscriptions else [subscription],
    }
    body: dict[str, Any] = {"clientID": "c1", "consumerDataSet": [consumer], "producerDataSet": []}
    body |= {"heartbeatFingerprint": fingerprint, "withoutSub": without_subscriptions}
    return client.ok(RequestCode.HEART_BEAT, body=dumps_bytes(body))


def test_heartbeat_v2_without_subscriptions_keeps_them(broker: Broker) -> None:
    client = broker.client()
    assert beat_v2(client, 17, without_subscriptions=False).ext_fields["IS_SUB_CHANGE"] == "false"
    assert beat_v2(client, 17, without_subscriptions=True).ext_fields["IS_SUB_CHANGE"] == "false"
    info = broker.controller.context.consumers.get("gc")
    assert info is not None and list(info.subscriptions) == ["TopicTest"]
    assert beat_v2(client, 18, without_subscriptions=True).ext_fields["IS_SUB_CHANGE"] == "true"


def test_consumer_connection_shows_the_subscription(broker: Broker) -> None:
    client = broker.client()
    client.heartbeat(tags="TagA")
    body = client.ok(RequestCode.GET_CONSUMER_CONNECTION_LIST, {"consumerGroup": "gc"}).body
    connection = ConsumerConnection.decode(body)
    assert connection.subscription_table["TopicTest"].tags_set == ["TagA"]
    assert connection.connection_set[0].language == "PYTHON"
    answer = client.ask(RequestCode.GET_CONSUMER_CONNECTION_LIST, {"consumerGroup": "other"})
    assert answer.code == ResponseCode.CONSUMER_NOT_ONLINE


def lock(client: Client, client_id: str, code: int = RequestCode.LOCK_BATCH_MQ) -> int:
    queues = [{"topic": "T", "brokerName": "broker-a", "queueId": queue} for queue in range(2)]
    body = dumps_bytes({"consumerGroup": "gc", "clientId": client_id, "mqSet": queues})
    answer = client.ok(code, body=body)
    return len(LockBatchResponseBody.decode(answer.body).lock_ok_mq_set) if answer.body else 0


def test_lock_belongs_to_one_client_until_it_runs_out(broker: Broker) -> None:
    client = broker.client()
    assert lock(client, "one") == 2
    assert lock(client, "two") == 0
    broker.world.run_for(59_000)
    assert lock(client, "two") == 0
    assert lock(client, "one") == 2
    broker.world.run_for(60_500)
    assert lock(client, "two") == 2
    lock(client, "one", RequestCode.UNLOCK_BATCH_MQ)
    assert lock(client, "one") == 0
    lock(client, "two", RequestCode.UNLOCK_BATCH_MQ)
    assert lock(client, "one") == 2


def test_running_info_is_asked_of_the_client_and_relayed(broker: Broker) -> None:
    consumer, tool = broker.client("10.0.0.1"), broker.client("10.0.0.2")
    consumer.heartbeat()
    (client_id,) = ids(tool)
    asked = tool.post(RequestCode.GET_CONSUMER_RUNNING_INFO, {"consumerGroup": "gc", "clientId": client_id})
    call = consumer.pushed[-1]
    assert call.code == RequestCode.GET_CONSUMER_RUNNING_INFO
    assert tool.answer_to(asked) is None
    consumer.peer.send(call.response(ResponseCode.SUCCESS, body=b'{"properties":{}}'))
    answer = tool.answer_to(asked)
    assert answer is not None and (answer.code, answer.body) == (ResponseCode.SUCCESS, b'{"properties":{}}')


def test_running_info_of_a_client_that_does_not_answer_times_out(broker: Broker) -> None:
    consumer, tool = broker.client("10.0.0.1"), broker.client("10.0.0.2")
    consumer.heartbeat()
    (client_id,) = ids(tool)
    asked = tool.post(RequestCode.GET_CONSUMER_RUNNING_INFO, {"consumerGroup": "gc", "clientId": client_id})
    broker.world.run_for(10_100)
    answer = tool.answer_to(asked)
    assert answer is not None and answer.code == ResponseCode.CONSUME_MSG_TIMEOUT
    offline = tool.ask(RequestCode.GET_CONSUMER_RUNNING_INFO, {"consumerGroup": "gc", "clientId": "nobody"})
    assert (offline.code, offline.remark) == (ResponseCode.SYSTEM_ERROR, "The Consumer <gc> <nobody> not online")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"consumerDataSet":7}', b'{"consumerDataSet":[null]}'])
def test_broken_heartbeat_is_code_1(broker: Broker, body: bytes) -> None:
    assert broker.client().ask(RequestCode.HEART_BEAT, body=body).code == ResponseCode.SYSTEM_ERROR
