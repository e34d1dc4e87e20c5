# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.remoting.golden import CONFIG_TEXTS, EXCHANGES

from rmq.remoting import java_json
from rmq.remoting.bodies import (
    ClusterInfo,
    ConsumerConnection,
    ConsumerOffsetSerializeWrapper,
    ConsumeStats,
    DelayOffsetSerializeWrapper,
    GetConsumerListByGroupResponseBody,
    HARuntimeInfo,
    HeartbeatData,
    LockBatchRequestBody,
    LockBatchResponseBody,
    MessageQueue,
    ProducerConnection,
    SubscriptionGroupWrapper,
    TopicConfigAndMappingSerializeWrapper,
    TopicConfigSerializeWrapper,
    TopicList,
    TopicRouteData,
    TopicStatsTable,
)
from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from rmq.remoting.json_body import JsonBody

BODIES: list[tuple[str, type[JsonBody]]] = [
    ("route_105_json", TopicRouteData),
    ("cluster_106", ClusterInfo),
    ("topic_list_206", TopicList),
    ("consumer_list_38", GetConsumerListByGroupResponseBody),
    ("lock_41", LockBatchResponseBody),
    ("topic_config_21", TopicConfigAndMappingSerializeWrapper),
    ("all_offsets_43", ConsumerOffsetSerializeWrapper),
    ("all_delay_45", DelayOffsetSerializeWrapper),
    ("all_groups_201", SubscriptionGroupWrapper),
    ("topic_stats_202", TopicStatsTable),
    ("consume_stats_208", ConsumeStats),
    ("consumer_conn_203", ConsumerConnection),
    ("producer_conn_204", ProducerConnection),
    ("ha_status_907", HARuntimeInfo),
]

CONFIGS: list[tuple[str, type[JsonBody]]] = [
    ("config/topics.json", TopicConfigSerializeWrapper),
    ("config/consumerOffset.json", ConsumerOffsetSerializeWrapper),
    ("config/delayOffset.json", DelayOffsetSerializeWrapper),
    ("config/subscriptionGroup.json", SubscriptionGroupWrapper),
]


@pytest.mark.parametrize(("name", "body_class"), BODIES, ids=[name for name, _ in BODIES])
def test_a_body_of_apache_is_read_and_written_back_byte_for_byte(name: str, body_class: type[JsonBody]) -> None:
    theirs = EXCHANGES[name].response_body
    assert body_class.decode(theirs).encode() == theirs


@pytest.mark.parametrize(("name", "body_class"), CONFIGS, ids=[name for name, _ in CONFIGS])
def test_a_config_file_of_apache_is_read_and_written_back_byte_for_byte(name: str, body_class: type[JsonBody]) -> None:
    theirs = CONFIG_TEXTS[name]
    body = body_class.from_json_value(java_json.loads(theirs))
    assert java_json.dumps_pretty(body.to_json_value()) == theirs


@pytest.mark.parametrize("name", [name for name in CONFIG_TEXTS if name.endswith(".json")])
def test_the_pretty_form_is_apaches(name: str) -> None:
    assert java_json.dumps_pretty(_with_number_keys(java_json.loads(CONFIG_TEXTS[name]))) == CONFIG_TEXTS[name]


def _with_number_keys(value: object) -> object:
    if isinstance(value, dict):
        return {int(key) if key.isdigit() else key: _with_number_keys(item) for key, item in value.items()}
    return value


def test_a_peer_that_takes_standard_json_only_gets_quoted_keys() -> None:
    theirs = EXCHANGES["route_105_standard_json"].response_body
    route = TopicRouteData.decode(theirs)
    assert route.encode(quote_keys=True) == theirs
    assert route == TopicRouteData.decode(EXCHANGES["route_105_json"].response_body)


def test_what_a_route_says() -> None:
    route = TopicRouteData.decode(EXCHANGES["route_105_json"].response_body)
    (broker,) = route.broker_datas
    assert broker.broker_addrs == {0: "127.0.0.1:12311"}
    assert broker.master_address == broker.select_address() == "127.0.0.1:12311"
    assert route.queue_datas[0].write_queue_nums == 2


def test_what_consume_stats_say() -> None:
    stats = ConsumeStats.decode(EXCHANGES["consume_stats_208"].response_body)
    offsets = stats.offset_table[MessageQueue("broker-a", 0, "TopicTest")]
    assert (offsets.broker_offset, offsets.consumer_offset, offsets.pull_offset) == (5, 1, 5)


def test_what_a_heartbeat_says() -> None:
    (request,) = FrameDecoder().feed(EXCHANGES["heartbeat_34"].request)
    heartbeat = HeartbeatData.decode(request.body)
    assert heartbeat.client_id == "127.0.0.1@1"
    assert [producer.group_name for producer in heartbeat.producer_data_set] == ["g"]
    (consumer,) = heartbeat.consumer_data_set
    (subscription,) = consumer.subscription_data_set
    assert (subscription.topic, subscription.tags_set, subscription.code_set) == ("TopicTest", ["TagA"], [2598919])


def test_what_a_lock_request_says() -> None:
    (request,) = FrameDecoder().feed(EXCHANGES["lock_41"].request)
    lock = LockBatchRequestBody.decode(request.body)
    assert lock.mq_set == [MessageQueue("broker-a", 0, "TopicTest")]
    assert not lock.only_this_broker
