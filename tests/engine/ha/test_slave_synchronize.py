# SPDX-License-Identifier: Apache-2.0
"""A slave's metadata follows its master's, over a network in memory, through the managers of a real broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.engine.fakes import FakeReactor, FakeWorld

from rmq.broker.broker_config import BrokerConfig
from rmq.broker.consumer_offset_manager import ConsumerOffsetManager
from rmq.broker.slave_synchronize import SlaveSynchronize
from rmq.broker.subscription_group_manager import SubscriptionGroupManager
from rmq.broker.topic_config_manager import TopicConfigManager
from rmq.remoting.bodies import (
    DataVersion,
    DelayOffsetSerializeWrapper,
    SubscriptionGroupConfig,
    TopicConfig,
    TopicConfigSerializeWrapper,
)
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.rpc import OutboundClient, RemotingServer

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand
    from rmq.remoting.json_body import JsonBody
    from rmq.rpc import Channel

MASTER = "192.0.2.21"
SLAVE = "192.0.2.22"
MASTER_ADDRESS = f"{MASTER}:10911"


CODES = (
    RequestCode.GET_ALL_TOPIC_CONFIG,
    RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    RequestCode.GET_ALL_CONSUMER_OFFSET,
    RequestCode.GET_ALL_DELAY_OFFSET,
)


class NoFile:
    def load(self, read: object = None) -> None:
        del read

    def persist(self, value: object) -> None:
        pass


class Tables:
    """The managers of one broker."""

    def __init__(self, reactor: FakeReactor) -> None:
        config = BrokerConfig()
        self.topics = TopicConfigManager(config, reactor, NoFile())
        self.groups = SubscriptionGroupManager(config, reactor, NoFile())
        self.offsets = ConsumerOffsetManager(config, reactor, NoFile())


class Master:
    """Answers as AdminBrokerProcessor does, in pages of page_entries."""

    def __init__(self, world: FakeWorld, *, page_entries: int = 2000) -> None:
        self.reactor = world.reactor(MASTER)
        self.tables = Tables(self.reactor)
        self.delay_offsets: dict[int, int] = {1: 5}
        self.asked: list[int] = []
        self._page_entries = page_entries
        self.server = RemotingServer(self.reactor)
        self.server.register(RequestCode.GET_ALL_TOPIC_CONFIG, self._topics)
        self.server.register(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, self._groups)
        self.server.register(RequestCode.GET_ALL_CONSUMER_OFFSET, self._offsets)
        self.server.register(RequestCode.GET_ALL_DELAY_OFFSET, self._delays)
        self.server.listen(MASTER, 10911)

    def _topics(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        del channel
        topics = self.tables.topics
        page = topics.page(*self._asked(request, "topicSeq", "maxTopicNum"))
        body = TopicConfigSerializeWrapper(topics.data_version, page)
        return self._answer(request, body, {"totalTopicNum": str(len(topics.topics))})

    def _groups(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        del channel
        groups = self.tables.groups
        page = groups.page(*self._asked(request, "groupSeq", "maxGroupNum"))
        return self._answer(request, groups.wrapper(page), {"totalGroupNum": str(len(groups.groups))})

    def _offsets(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        del channel
        return self._answer(request, self.tables.offsets.wrapper())

    def _delays(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        del channel
        return self._answer(request, DelayOffsetSerializeWrapper(offset_table=self.delay_offsets))

    def _asked(self, request: RemotingCommand, sequence: str, size: str) -> tuple[int, int, DataVersion]:
        fields = request.ext_fields
        version = DataVersion.from_json_value(json.loads(fields["dataVersion"]))
        return int(fields[sequence]), min(int(fields[size]), self._page_entries), version

    def _answer(
        self, request: RemotingCommand, body: JsonBody, fields: dict[str, str] | None = None
    ) -> RemotingCommand:
        self.asked.append(request.code)
        return request.response(ResponseCode.SUCCESS, None, fields, body.encode())


class Slave:
    def __init__(self, world: FakeWorld) -> None:
        self.reactor = world.reactor(SLAVE)
        self.tables = Tables(self.reactor)
        self.delay_offsets: dict[int, int] = {}
        self.client = OutboundClient(self.reactor)
        self.synchronize = SlaveSynchronize(
            self.client,
            self.reactor,
            topics=self.tables.topics,
            groups=self.tables.groups,
            offsets=self.tables.offsets,
            whole_tables={
                RequestCode.GET_ALL_DELAY_OFFSET: self._take_delays,
                RequestCode.GET_ALL_MESSAGE_REQUEST_MODE: lambda body: pytest.fail(str(body)),
            },
        )
        self.synchronize.start()

    def _take_delays(self, body: bytes) -> None:
        self.delay_offsets = DelayOffsetSerializeWrapper.decode(body).offset_table


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


def followed(world: FakeWorld, *, page_entries: int = 2000) -> tuple[Master, Slave]:
    master, slave = Master(world, page_entries=page_entries), Slave(world)
    slave.synchronize.set_master_address(MASTER_ADDRESS)
    world.settle()
    return master, slave


def test_everything_is_there_as_soon_as_the_master_is_known(world: FakeWorld) -> None:
    master = Master(world)
    master.tables.topics.update([TopicConfig(topic_name="Orders")])
    master.tables.groups.update([SubscriptionGroupConfig(group_name="billing")])
    master.tables.offsets.commit("billing", "Orders", 2, 77)
    slave = Slave(world)
    slave.synchronize.set_master_address(MASTER_ADDRESS)
    world.settle()
    assert slave.tables.topics.topics == master.tables.topics.topics
    assert slave.tables.groups.groups == master.tables.groups.groups
    assert slave.tables.offsets.query("billing", "Orders", 2) == 77
    assert slave.delay_offsets == {1: 5}


def test_a_change_reaches_the_slave_within_a_second(world: FakeWorld) -> None:
    master, slave = followed(world)
    world.run_for(5_000)
    master.tables.topics.update([TopicConfig(topic_name="Orders")])
    master.tables.groups.update([SubscriptionGroupConfig(group_name="billing")])
    master.tables.offsets.commit("billing", "Orders", 0, 5)
    world.run_for(1_000)
    assert "Orders" in slave.tables.topics.topics
    assert slave.tables.groups.contains("billing")
    assert slave.tables.offsets.query("billing", "Orders", 0) == 5


def test_what_is_deleted_on_the_master_goes_on_the_slave(world: FakeWorld) -> None:
    master, slave = followed(world)
    master.tables.topics.update([TopicConfig(topic_name="Orders")])
    master.tables.groups.update([SubscriptionGroupConfig(group_name="billing")])
    world.run_for(1_000)
    master.tables.topics.delete("Orders")
    master.tables.groups.delete("billing")
    world.run_for(1_000)
    assert "Orders" not in slave.tables.topics.topics
    assert not slave.tables.groups.contains("billing")


def test_offsets_of_a_deleted_topic_are_not_those_of_a_new_one_with_its_name(world: FakeWorld) -> None:
    """They would be far beyond its end, and whoever reads from the slave would skip all of it."""
    master, slave = followed(world)
    master.tables.offsets.commit("billing", "Orders", 0, 1_000)
    master.tables.offsets.commit("billing", "Others", 0, 7)
    world.run_for(2_000)
    master.tables.offsets.remove_topic("Orders")
    world.run_for(2_000)
    assert slave.tables.offsets.query("billing", "Orders", 0) == -1
    master.tables.offsets.commit("billing", "Orders", 0, 5)
    world.run_for(2_000)
    assert slave.tables.offsets.query("billing", "Orders", 0) == 5
    assert slave.tables.offsets.query("billing", "Others", 0) == 7


def test_a_table_of_many_pages_arrives_whole(world: FakeWorld) -> None:
    master = Master(world, page_entries=10)
    master.tables.topics.update([TopicConfig(topic_name=f"topic-{number:03d}") for number in range(95)])
    slave = Slave(world)
    slave.synchronize.set_master_address(MASTER_ADDRESS)
    world.settle()
    assert slave.tables.topics.topics == master.tables.topics.topics


def test_a_table_that_changes_between_two_pages_is_fetched_again(world: FakeWorld) -> None:
    world.network.latency_ms = 3
    master = Master(world, page_entries=10)
    master.tables.topics.update([TopicConfig(topic_name=f"topic-{number:03d}") for number in range(95)])
    slave = Slave(world)
    slave.synchronize.set_master_address(MASTER_ADDRESS)
    world.run_until(lambda: master.asked.count(RequestCode.GET_ALL_TOPIC_CONFIG) == 5)
    master.tables.topics.delete("topic-000")
    world.run_for(500)
    assert slave.tables.topics.topics == master.tables.topics.topics


def test_nothing_is_sent_twice_while_nothing_changes(world: FakeWorld) -> None:
    master, slave = followed(world)
    before = slave.tables.topics.topics
    world.run_for(3_000)
    assert slave.tables.topics.topics is before
    assert master.asked.count(RequestCode.GET_ALL_TOPIC_CONFIG) == 2 + 2
    assert master.asked.count(RequestCode.GET_ALL_DELAY_OFFSET) == 1


def test_a_master_without_message_request_modes_is_followed_all_the_same(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer 3 (not supported) is no fault."""
    master, slave = followed(world)
    world.run_for(30_000)
    master.tables.topics.update([TopicConfig(topic_name="Orders")])
    world.run_for(1_000)
    assert "Orders" in slave.tables.topics.topics
    assert [one.message for one in caplog.records if one.levelname == "WARNING"] == []


def test_offsets_committed_on_the_slave_survive_the_return_of_the_master(world: FakeWorld) -> None:
    master, slave = followed(world)
    master.tables.offsets.commit("billing", "Orders", 0, 10)
    world.run_for(1_000)
    world.network.cut(MASTER, SLAVE)
    world.run_for(5_000)
    slave.tables.offsets.commit("billing", "Orders", 0, 40)
    world.network.heal()
    world.run_for(10_000)
    assert slave.tables.offsets.query("billing", "Orders", 0) == 40
    master.tables.offsets.commit("billing", "Orders", 0, 41)
    world.run_for(1_000)
    assert slave.tables.offsets.query("billing", "Orders", 0) == 41


def test_a_master_that_was_killed_and_returns_with_older_offsets_resets_nothing(world: FakeWorld) -> None:
    """Offsets are on its disk each 5 s only."""
    master, slave = followed(world)
    master.tables.offsets.commit("billing", "Orders", 0, 10)
    world.run_for(1_000)
    world.network.cut(MASTER, SLAVE)
    world.run_for(2_000)
    master.tables.offsets.commit("billing", "Orders", 0, 7)
    world.network.heal()
    world.run_for(5_000)
    assert slave.tables.offsets.query("billing", "Orders", 0) == 10


def test_a_reset_on_the_master_reaches_the_slave(world: FakeWorld) -> None:
    master, slave = followed(world)
    master.tables.offsets.commit("billing", "Orders", 0, 10)
    world.run_for(1_000)
    master.tables.offsets.commit("billing", "Orders", 0, 3)
    world.run_for(1_000)
    assert slave.tables.offsets.query("billing", "Orders", 0) == 3


def test_a_large_table_of_offsets_is_asked_for_less_often(world: FakeWorld) -> None:
    master, _ = followed(world)
    for number in range(30_000):
        master.tables.offsets.commit(f"group-{number}", "Orders", 0, number)
    world.run_for(1_000)
    asked = master.asked.count(RequestCode.GET_ALL_CONSUMER_OFFSET)
    world.run_for(3_000)
    assert master.asked.count(RequestCode.GET_ALL_CONSUMER_OFFSET) - asked <= 1


def test_a_master_that_is_away_is_named_once_and_followed_when_it_is_back(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    slave = Slave(world)
    slave.synchronize.set_master_address(MASTER_ADDRESS)
    world.run_for(60_000)
    assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 1
    Master(world).tables.topics.update([TopicConfig(topic_name="Orders")])
    world.run_for(5_000)
    assert "Orders" in slave.tables.topics.topics


def test_a_master_that_has_lost_its_topics_does_not_take_ours(world: FakeWorld) -> None:
    master, slave = followed(world)
    for name in list(master.tables.topics.topics):
        master.tables.topics.delete(name)
    world.run_for(3_000)
    assert slave.tables.topics.topics


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"nonsense", b'{"offsetTable":7}', b'{"offsetTable":{"a@b":{0:"x"}}}']
)
def test_an_answer_that_is_no_table_changes_nothing(world: FakeWorld, body: bytes) -> None:
    master, slave = followed(world)
    for code in CODES:
        master.server.register(code, lambda _, request: request.response(ResponseCode.SUCCESS, None, None, body))
    topics = dict(slave.tables.topics.topics)
    world.run_for(25_000)
    assert slave.tables.topics.topics == topics
