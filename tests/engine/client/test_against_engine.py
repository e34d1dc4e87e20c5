# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.engine.client.engine_processes import Engine, wait_until

from rmq.client.admin import AdminClient
from rmq.client.consumer import PullConsumer, PullStatus
from rmq.client.errors import NoRouteError, ResponseError
from rmq.client.producer import OutgoingMessage, Producer, SendStatus
from rmq.remoting.bodies import MessageQueue, SubscriptionGroupConfig, TopicConfig
from rmq.remoting.codes import ResponseCode
from rmq.remoting.message import parse_offset_message_id
from rmq.remoting.topic_names import TOOLS_CONSUMER_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def admin(engine: Engine) -> Iterator[AdminClient]:
    with AdminClient(engine.name_server) as admin:
        yield admin


def _create(admin: AdminClient, engine: Engine, topic: str, queues: int = 2) -> None:
    """On all masters, and known to the name server."""
    config = TopicConfig(topic_name=topic, read_queue_nums=queues, write_queue_nums=queues)
    for address in admin.master_addresses(engine.CLUSTER):
        admin.create_topic(address, config)
    wait_until(lambda: _brokers_of(admin, topic) == set(engine.brokers))


def _brokers_of(admin: AdminClient, topic: str) -> set[str]:
    try:
        return {queue.broker_name for queue in admin.topic_route(topic).queue_datas}
    except ResponseError:
        return set()


def test_the_name_server_tells_who_is_there(admin: AdminClient, engine: Engine) -> None:
    assert admin.master_addresses(engine.CLUSTER) == sorted(engine.brokers.values())
    assert [broker.broker_name for broker in admin.brokers_of(engine.CLUSTER)] == ["broker-a", "broker-b"]
    with pytest.raises(NoRouteError, match=r"knows no cluster Other \(it knows: TestCluster\)"):
        admin.brokers_of("Other")


def test_a_topic_is_created_shown_and_deleted(admin: AdminClient, engine: Engine) -> None:
    _create(admin, engine, "Made", queues=3)
    route = admin.topic_route("Made")
    assert {queue.broker_name: queue.write_queue_nums for queue in route.queue_datas} == {"broker-a": 3, "broker-b": 3}
    assert "Made" in admin.topic_list()
    address = engine.brokers["broker-a"]
    assert admin.topic_config(address, "Made").read_queue_nums == 3
    assert admin.all_topic_config(address)["Made"].write_queue_nums == 3
    for broker in engine.brokers.values():
        admin.delete_topic(broker, "Made")
    admin.name_servers.delete_topic("Made", engine.CLUSTER)
    with pytest.raises(ResponseError) as caught:
        admin.topic_route("Made")
    assert caught.value.code == ResponseCode.TOPIC_NOT_EXIST


def test_a_group_is_created_and_deleted(admin: AdminClient, engine: Engine) -> None:
    address = engine.brokers["broker-a"]
    admin.create_subscription_group(address, SubscriptionGroupConfig(group_name="G", retry_max_times=3))
    assert admin.all_subscription_groups(address)["G"].retry_max_times == 3


def test_messages_go_out_to_all_brokers_and_come_back_whole(admin: AdminClient, engine: Engine) -> None:
    _create(admin, engine, "RoundTrip")
    producer, consumer = Producer(admin, "P"), PullConsumer(admin, TOOLS_CONSUMER_GROUP)
    results = [
        producer.send(OutgoingMessage("RoundTrip", f"body {index}".encode(), tags="TagA", keys="k", flag=7))
        for index in range(8)
    ]
    assert {result.status for result in results} == {SendStatus.SEND_OK}
    assert {result.queue.broker_name for result in results} == {"broker-a", "broker-b"}
    received = [
        message
        for queue in consumer.queues("RoundTrip")
        for message in consumer.pull(queue, consumer.min_offset(queue)).messages
    ]
    assert {message.unique_id for message in received} == {result.message_id for result in results}
    assert {message.body for message in received} == {f"body {index}".encode() for index in range(8)}
    assert {(message.tags, message.flag, message.properties["KEYS"]) for message in received} == {("TagA", 7, "k")}


def test_a_message_can_go_to_one_queue_and_its_place_is_told(admin: AdminClient, engine: Engine) -> None:
    _create(admin, engine, "OneQueue")
    queue = MessageQueue("broker-b", 1, "OneQueue")
    before_ms = int(time.time() * 1000)
    result = Producer(admin, "P").send_to(OutgoingMessage("OneQueue", b"x"), queue)
    assert (result.queue, result.queue_offset) == (queue, 0)
    host, _ = parse_offset_message_id(result.offset_message_id)
    assert f"{host.ip}:{host.port}" == engine.brokers["broker-b"]
    address = engine.brokers["broker-b"]
    assert (admin.min_offset(address, "OneQueue", 1), admin.max_offset(address, "OneQueue", 1)) == (0, 1)
    assert admin.search_offset(address, "OneQueue", 1, before_ms) == 0
    stats = admin.topic_stats(address, "OneQueue").offset_table
    assert stats[queue].max_offset == 1


def test_a_pull_says_why_it_brings_nothing(admin: AdminClient, engine: Engine) -> None:
    _create(admin, engine, "Nothing", queues=1)
    consumer = PullConsumer(admin, TOOLS_CONSUMER_GROUP)
    queue = MessageQueue("broker-a", 0, "Nothing")
    Producer(admin, "P").send_to(OutgoingMessage("Nothing", b"x", tags="TagA"), queue)
    assert consumer.pull(queue, 1).status is PullStatus.NO_NEW_MSG
    assert consumer.pull(queue, 99).status is PullStatus.OFFSET_ILLEGAL
    not_matched = consumer.pull(queue, 0, expression="TagB")
    assert (not_matched.status, not_matched.next_begin_offset) == (PullStatus.NO_MATCHED_MSG, 1)
    assert len(consumer.pull(queue, 0, expression="TagB || TagA").messages) == 1


def test_a_pull_that_waits_is_answered_by_the_message_that_comes(admin: AdminClient, engine: Engine) -> None:
    _create(admin, engine, "Waiting", queues=1)
    queue = MessageQueue("broker-a", 0, "Waiting")
    with AdminClient(engine.name_server) as other, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(PullConsumer(other, TOOLS_CONSUMER_GROUP).pull, queue, 0, suspend_ms=15_000)
        Producer(admin, "P").send_to(OutgoingMessage("Waiting", b"here"), queue)
        (message,) = waiting.result(timeout=10).messages
    assert message.body == b"here"


def test_a_topic_that_nobody_made_is_made_by_its_first_message(admin: AdminClient) -> None:
    assert Producer(admin, "P").send(OutgoingMessage("MadeBySending", b"x")).status is SendStatus.SEND_OK


def test_offsets_of_a_group_are_set_and_read(admin: AdminClient, engine: Engine) -> None:
    _create(admin, engine, "Offsets", queues=1)
    address = engine.brokers["broker-a"]
    Producer(admin, "P").send_to(OutgoingMessage("Offsets", b"x"), MessageQueue("broker-a", 0, "Offsets"))
    admin.create_subscription_group(address, SubscriptionGroupConfig(group_name="Reader"))
    assert admin.consumer_offset(address, "Reader", "Offsets", 0) is None
    admin.update_consumer_offset(address, "Reader", "Offsets", 0, 1)
    assert admin.consumer_offset(address, "Reader", "Offsets", 0) == 1
    assert admin.groups_of_topic(address, "Offsets") == ["Reader"]
    offset = admin.consume_stats(address, "Reader").offset_table[MessageQueue("broker-a", 0, "Offsets")]
    assert (offset.broker_offset, offset.consumer_offset) == (1, 1)


def test_the_state_of_a_broker_is_told(admin: AdminClient, engine: Engine) -> None:
    address = engine.brokers["broker-a"]
    assert admin.broker_runtime_info(address)["brokerVersionDesc"] == "V5_4_0"
    assert "brokerName=broker-a\n" in admin.broker_config(address)
    status = admin.ha_status(address)
    assert status.master
    assert status.ha_connection_info == []


def test_nobody_is_connected_to_a_group_without_consumers(admin: AdminClient, engine: Engine) -> None:
    with pytest.raises(ResponseError) as caught:
        admin.consumer_connection(engine.brokers["broker-a"], "Nobody")
    assert caught.value.code == ResponseCode.CONSUMER_NOT_ONLINE


@pytest.mark.timeout(240)
def test_when_a_master_is_killed_sends_go_on_at_the_other(tmp_path: Path) -> None:
    with Engine(tmp_path, ["broker-a", "broker-b"]) as engine, AdminClient(engine.name_server) as admin:
        _create(admin, engine, "Failover")
        producer = Producer(admin, "P")
        first = [producer.send(OutgoingMessage("Failover", b"x")).queue.broker_name for _ in range(4)]
        assert set(first) == {"broker-a", "broker-b"}
        engine.processes["broker-a"].kill()
        after = [producer.send(OutgoingMessage("Failover", b"y")).queue.broker_name for _ in range(4)]
        assert set(after) == {"broker-b"}


def test_a_topic_without_a_writable_queue_is_refused(admin: AdminClient, engine: Engine) -> None:
    for address in engine.brokers.values():
        admin.create_topic(address, TopicConfig(topic_name="ReadOnly", perm=4))
    wait_until(lambda: _brokers_of(admin, "ReadOnly") == set(engine.brokers))
    with pytest.raises(NoRouteError, match="no queue that can be written to"):
        Producer(admin, "P").send(OutgoingMessage("ReadOnly", b"x"))
