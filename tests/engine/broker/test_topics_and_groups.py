# SPDX-License-Identifier: Apache-2.0
"""Administration of topics, groups and offsets, and what a restart keeps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.engine.broker.harness import Broker, Client
from tests.engine.remoting.golden import CONFIG_TEXTS

from rmq.remoting.bodies import ConsumeStats, GroupList, SubscriptionGroupWrapper, TopicConfigSerializeWrapper
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.java_json import dumps_bytes, loads

CONFIG = Path("/store/config")


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def client(broker: Broker) -> Client:
    return broker.client()


def topics(client: Client, **fields: str) -> TopicConfigSerializeWrapper:
    return TopicConfigSerializeWrapper.decode(client.ok(RequestCode.GET_ALL_TOPIC_CONFIG, fields).body)


def groups(client: Client, **fields: str) -> SubscriptionGroupWrapper:
    return SubscriptionGroupWrapper.decode(client.ok(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, fields).body)


def test_fresh_broker_has_apaches_topics_and_groups(client: Client) -> None:
    golden_topics = loads(CONFIG_TEXTS["config/topics.json"])["topicConfigTable"]
    for name in ("TopicTest", "%RETRY%gc"):
        del golden_topics[name]
    ours = {name: topic.to_json_value() for name, topic in topics(client).topic_config_table.items()}
    assert ours == golden_topics
    golden_groups = loads(CONFIG_TEXTS["config/subscriptionGroup.json"])["subscriptionGroupTable"]
    del golden_groups["gc"]
    assert {
        name: group.to_json_value() for name, group in groups(client).subscription_group_table.items()
    } == golden_groups


def test_topic_is_on_the_disk_before_it_is_acknowledged(broker: Broker, client: Client) -> None:
    broker.reactor.hold_blocking = True
    fields = {"topic": "T", "defaultTopic": "TBW102", "readQueueNums": "4", "writeQueueNums": "4", "perm": "6"}
    request = client.post(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
    assert client.answer_to(request) is None
    broker.reactor.hold_blocking = False
    broker.world.settle()
    answer = client.answer_to(request)
    assert answer is not None and answer.code == ResponseCode.SUCCESS
    broker.kill()
    assert "T" in topics(broker.start_again().client()).topic_config_table


def test_topic_that_cannot_be_written_is_told(broker: Broker, client: Client) -> None:
    broker.disk.fail("replace_file", times=5)
    fields = {"topic": "T", "readQueueNums": "4", "writeQueueNums": "4", "perm": "6"}
    answer = client.ask(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
    assert answer.code == ResponseCode.SYSTEM_ERROR
    assert answer.remark is not None and "could not be written" in answer.remark


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"topic": "TBW102"}, ResponseCode.INVALID_PARAMETER),
        ({"topic": "broker-a"}, ResponseCode.INVALID_PARAMETER),
        ({"topic": "a b"}, ResponseCode.INVALID_PARAMETER),
        ({"readQueueNums": "1000000000"}, ResponseCode.INVALID_PARAMETER),
        ({"attributes": "+message.type=MIXED"}, ResponseCode.INVALID_PARAMETER),
        ({"attributes": "+no.such=1"}, ResponseCode.SYSTEM_ERROR),
        # A promise that this broker would not keep.
        ({"attributes": "+cleanup.policy=COMPACTION"}, ResponseCode.SYSTEM_ERROR),
        ({"attributes": "+queue.type=BatchCQ"}, ResponseCode.SYSTEM_ERROR),
        ({"attributes": "-message.type"}, ResponseCode.SYSTEM_ERROR),
        ({"perm": "x"}, ResponseCode.SYSTEM_ERROR),
    ],
)
def test_topics_that_are_refused(client: Client, more: dict[str, str], code: int) -> None:
    fields = {"topic": "T", "readQueueNums": "4", "writeQueueNums": "4", "perm": "6", **more}
    assert client.ask(RequestCode.UPDATE_AND_CREATE_TOPIC, fields).code == code


def test_attributes_are_added_and_removed(client: Client) -> None:
    client.create_topic("T", attributes="+message.type=FIFO")
    assert topics(client).topic_config_table["T"].attributes == {"message.type": "FIFO"}
    client.create_topic("T", 8)
    assert topics(client).topic_config_table["T"].attributes == {"message.type": "FIFO"}
    client.create_topic("T", 8, attributes="-message.type")
    assert topics(client).topic_config_table["T"].attributes == {}


def test_list_of_topics_in_one_request(client: Client) -> None:
    listed = [{"topicName": f"T{number}", "readQueueNums": 2, "writeQueueNums": 2, "perm": 6} for number in range(3)]
    client.ok(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST, body=dumps_bytes({"topicConfigList": listed}))
    assert {"T0", "T1", "T2"} <= topics(client).topic_config_table.keys()


def test_deleted_topic_is_gone_with_its_offsets_and_starts_anew(broker: Broker, client: Client) -> None:
    client.create_topic("T")
    client.send("T", b"old")
    client.heartbeat("gc", "T")
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0"}
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "1"})
    client.ok(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "T"})
    assert "T" not in topics(client).topic_config_table
    assert client.ask(RequestCode.QUERY_CONSUMER_OFFSET, fields).code == ResponseCode.QUERY_NOT_FOUND
    client.create_topic("T")
    client.send("T", b"new")
    assert [message.body for message in client.pull("T")] == [b"new"]
    assert client.ask(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "TBW102"}).code == ResponseCode.INVALID_PARAMETER


def test_pages_bring_every_topic_once(client: Client) -> None:
    for number in range(7):
        client.create_topic(f"T{number}")
    whole = topics(client)
    version = json.dumps(whole.data_version.to_json_value())
    seen: list[str] = []
    while len(seen) < len(whole.topic_config_table):
        page = topics(client, topicSeq=str(len(seen)), maxTopicNum="5", dataVersion=version)
        assert 0 < len(page.topic_config_table) <= 5
        seen += page.topic_config_table
    assert sorted(seen) == sorted(whole.topic_config_table)


def test_page_of_another_version_begins_anew(client: Client) -> None:
    page = topics(client, topicSeq="9", maxTopicNum="3", dataVersion="")
    assert list(page.topic_config_table) == sorted(topics(client).topic_config_table)[:3]


def test_groups_are_made_changed_and_deleted(client: Client) -> None:
    config = {"groupName": "g1", "retryMaxTimes": 3, "consumeEnable": False}
    client.ok(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=dumps_bytes(config))
    assert groups(client).subscription_group_table["g1"].retry_max_times == 3
    client.create_topic("T")
    answer = client.ask(RequestCode.PULL_MESSAGE, client.pull_fields("T", 0, group="g1"))
    assert (answer.code, answer.remark) == (ResponseCode.NO_PERMISSION, "subscription group no permission, g1")
    listed = dumps_bytes({"groupConfigList": [{"groupName": "g2"}, {"groupName": "g3"}]})
    client.ok(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, body=listed)
    client.ok(RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "g1", "cleanOffset": "true"})
    assert {"g2", "g3"} <= groups(client).subscription_group_table.keys()
    assert "g1" not in groups(client).subscription_group_table
    bad = client.ask(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=dumps_bytes({"groupName": "a b"}))
    assert bad.code == ResponseCode.INVALID_PARAMETER


def test_who_consumes_a_topic(client: Client) -> None:
    client.create_topic("T")
    client.heartbeat("g1", "T")
    client.pull("T", 0, sysFlag="5", commitOffset="3", consumerGroup="g2")
    body = client.ok(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, {"topic": "T"}).body
    assert GroupList.decode(body).group_list == ["g1", "g2"]


def test_consume_progress(client: Client) -> None:
    client.create_topic("T", 1)
    for _ in range(5):
        client.send("T")
    client.pull("T", 0, sysFlag="5", commitOffset="2")
    body = client.ok(RequestCode.GET_CONSUME_STATS, {"consumerGroup": "gc"}).body
    (progress,) = ConsumeStats.decode(body).offset_table.values()
    assert (progress.broker_offset, progress.consumer_offset, progress.pull_offset) == (5, 2, 5)


def test_restart_keeps_topics_groups_offsets_and_messages(broker: Broker, client: Client) -> None:
    client.create_topic("T")
    client.send("T", b"kept")
    client.heartbeat("g9", "T")
    fields = {"consumerGroup": "g9", "topic": "T", "queueId": "0"}
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "1"})
    broker.stop()
    client = broker.start_again().client()
    assert {"T", "%RETRY%g9"} <= topics(client).topic_config_table.keys()
    assert "g9" in groups(client).subscription_group_table
    assert client.ok(RequestCode.QUERY_CONSUMER_OFFSET, fields).ext_fields == {"offset": "1"}
    assert [message.body for message in client.pull("T")] == [b"kept"]


def test_offsets_are_on_the_disk_within_five_seconds(broker: Broker, client: Client) -> None:
    client.create_topic("T")
    client.heartbeat("gc", "T")
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0"}
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "42"})
    broker.world.run_for(5_100)
    broker.kill()
    client = broker.start_again().client()
    assert client.ok(RequestCode.QUERY_CONSUMER_OFFSET, fields).ext_fields == {"offset": "42"}


def test_files_are_apaches(broker: Broker, client: Client) -> None:
    client.create_topic("T")
    client.pull("T", 0, sysFlag="5", commitOffset="3")
    broker.stop()
    text = broker.disk.read_bytes(CONFIG / "consumerOffset.json").decode()
    assert '"T@gc":{\n\t\t\t0:3\n\t\t}' in text
    for name in ("topics.json", "subscriptionGroup.json", "delayOffset.json"):
        golden = loads(CONFIG_TEXTS[f"config/{name}"])
        assert loads(broker.disk.read_bytes(CONFIG / name).decode()).keys() == golden.keys()


def test_broker_config_and_runtime_info_hold_what_tools_print(client: Client) -> None:
    lines = client.ok(RequestCode.GET_BROKER_CONFIG).body.decode().splitlines()
    assert "brokerName=broker-a" in lines
    assert "listenPort=12311" in lines
    table = loads(client.ok(RequestCode.GET_BROKER_RUNTIME_INFO).body.decode())["table"]
    for key in ("brokerVersionDesc", "putTps", "getTransferredTps", "commitLogDiskRatio", "bootTimestamp", "runtime"):
        assert key in table, key
    for key in ("sendThreadPoolQueueSize", "pageCacheLockTimeMills", "earliestMessageTimeStamp", "timerReadBehind"):
        assert int(table[key]) >= -1, key
    assert table["putMessageDistributeTime"].startswith("[<=0ms]:")
    assert all(isinstance(value, str) for value in table.values())


def test_every_code_answers_garbage_with_a_code(broker: Broker, client: Client) -> None:
    """No field, every field empty, a body that is no JSON: an answer, and the broker lives."""
    for code in broker.controller.processors.table:
        for fields, body in (
            ({}, b""),
            ({}, b"\x00{"),
            ({"topic": "", "queueId": "", "group": ""}, b"{}"),
            ({}, b"[1]"),
        ):
            client.ask(code, fields, body)
    assert client.send("T").code == ResponseCode.SUCCESS


@pytest.mark.parametrize("what", ["topic", "group"])
def test_offsets_of_what_was_deleted_do_not_come_back_with_kill_9(what: str) -> None:
    """A new topic of that name would be passed over up to them."""
    broker = Broker()
    client = broker.client()
    client.create_topic("T")
    client.heartbeat("gc", "T")
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0"}
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "1000"})
    broker.world.run_for(20_000)
    if what == "topic":
        client.ok(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "T"})
        client.create_topic("T")
    else:
        client.ok(RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "gc", "cleanOffset": "true"})
    client.send("T", b"new")
    broker.kill()
    again = broker.start_again().client()
    assert again.ok(RequestCode.QUERY_CONSUMER_OFFSET, fields).ext_fields["offset"] == "0"
