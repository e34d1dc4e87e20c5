# SPDX-License-Identifier: Apache-2.0
"""A master comes back with less than its slave has: it takes that from the slave before it serves."""

from __future__ import annotations

import re

import pytest
from tests.engine.broker.harness import Broker, NotStarted
from tests.engine.fakes import FakeDisk
from tests.engine.namesrv.harness import ADDRESS, NameServer

from rmq.broker.pair_log import HA_LOG_STATE, HA_READ_LOG
from rmq.remoting.codes import RequestCode, ResponseCode

NAMESRV = f"{ADDRESS[0]}:{ADDRESS[1]}"
MASTER: dict[str, str | int | float | bool] = {
    "brokerIP1": "10.0.0.21",
    "brokerIP2": "10.0.0.21",
    "bindAddress": "10.0.0.21",
    "namesrvAddr": NAMESRV,
    "brokerRole": "SYNC_MASTER",
    "inSyncReplicas": 2,
}
SLAVE: dict[str, str | int | float | bool] = {
    **MASTER,
    "brokerIP1": "10.0.0.22",
    "brokerIP2": "10.0.0.22",
    "bindAddress": "10.0.0.22",
    "brokerRole": "SLAVE",
    "brokerId": 1,
    "slaveReadEnable": True,
    "haPeers": "10.0.0.21",
}
SLAVE_ADDRESS = "10.0.0.22:12311"


class Pair:
    def __init__(self) -> None:
        self.name_server = NameServer()
        self.world = self.name_server.world
        self.master = Broker(MASTER, world=self.world)
        self.slave = Broker(SLAVE, world=self.world)
        self.world.run_for(10_000)
        client = self.master.client()
        client.create_topic("TopicTest")
        client.heartbeat()
        self.world.run_for(3_000)

    def send(self, count: int) -> None:
        client = self.master.client()
        for number in range(count):
            posted = client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"%08d" % number)
            self.world.run_for(20)
            answer = client.answer_to(posted)
            assert answer is not None and answer.code == ResponseCode.SUCCESS

    def lose_power(self) -> FakeDisk:
        self.master.reactor.crash()
        self.master.disk.crash("all")
        return self.master.disk

    def return_with(self, disk: FakeDisk, rebuild_from: str = "") -> None:
        self.master = Broker(MASTER, world=self.world, disk=disk, rebuild_from=rebuild_from)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def bodies(broker: Broker) -> list[bytes]:
    return [message.body for message in broker.client().pull("TopicTest")]


def test_acknowledged_messages_that_only_the_slave_has_are_fetched(pair: Pair) -> None:
    pair.send(3)
    pair.world.run_for(90_000)
    pair.send(10)
    end = pair.master.controller.store.max_physical_offset
    disk = pair.lose_power()
    pair.return_with(disk)
    assert pair.master.controller.store.max_physical_offset == end
    assert len(bodies(pair.master)) == 13
    pair.world.run_for(10_000)
    pair.send(2)
    assert bodies(pair.slave) == bodies(pair.master)
    assert pair.slave.controller.store.tails_set_aside == 0


def test_a_master_that_lost_its_disk_refuses_to_start(pair: Pair) -> None:
    pair.send(5)
    pair.master.kill()
    with pytest.raises(NotStarted, match=re.escape("--rebuild-from 10.0.0.22:12311")):
        pair.return_with(FakeDisk())


def test_a_master_is_rebuilt_from_its_slave(pair: Pair) -> None:
    pair.send(20)
    pair.master.client().ok(
        RequestCode.UPDATE_CONSUMER_OFFSET,
        {"consumerGroup": "gc", "topic": "TopicTest", "queueId": "0", "commitOffset": "7"},
    )
    pair.world.run_for(3_000)
    before = bodies(pair.master)
    pair.master.kill()
    pair.return_with(FakeDisk(), rebuild_from=SLAVE_ADDRESS)
    assert bodies(pair.master) == before
    assert pair.master.controller.context.offsets.query("gc", "TopicTest", 0) == 7
    topic = pair.master.controller.context.topics.get("TopicTest")
    assert topic is not None and topic.write_queue_nums == 4
    pair.world.run_for(10_000)
    pair.send(2)


def test_a_topic_that_the_slave_had_no_time_to_copy_is_derived_from_its_queues(pair: Pair) -> None:
    client = pair.master.client()
    sent = client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("JustNow", queue_id=2), b"one")
    pair.world.run_until(lambda: client.answer_to(sent) is not None)
    assert pair.slave.controller.context.topics.get("JustNow") is None
    pair.master.kill()
    pair.return_with(FakeDisk(), rebuild_from=SLAVE_ADDRESS)
    topic = pair.master.controller.context.topics.get("JustNow")
    assert topic is not None and topic.read_queue_nums == 3
    assert [message.body for message in pair.master.client().pull("JustNow", queueId="2")] == [b"one"]


def test_only_an_empty_master_is_rebuilt(pair: Pair) -> None:
    pair.send(1)
    pair.master.kill()
    with pytest.raises(NotStarted, match="not empty"):
        pair.return_with(pair.master.disk, rebuild_from=SLAVE_ADDRESS)


def test_a_rebuild_from_nobody_is_refused(pair: Pair) -> None:
    pair.master.kill()
    with pytest.raises(NotStarted, match=re.escape("the rebuild from 10.0.0.99:1 failed")):
        pair.return_with(FakeDisk(), rebuild_from="10.0.0.99:1")


def test_offsets_committed_at_the_slave_are_the_masters_before_it_serves(pair: Pair) -> None:
    pair.send(10)
    fields = {"consumerGroup": "gc", "topic": "TopicTest", "queueId": "0"}
    pair.master.client().ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "3"})
    pair.world.run_for(10_000)
    pair.master.kill()
    pair.world.run_for(2_000)
    pair.slave.client().ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "9"})
    pair.return_with(pair.master.disk)
    answer = pair.master.client().ok(RequestCode.QUERY_CONSUMER_OFFSET, fields)
    assert answer.ext_fields["offset"] == "9"


def test_an_offset_beyond_the_queue_is_not_taken(pair: Pair) -> None:
    pair.send(4)
    fields = {"consumerGroup": "gc", "topic": "TopicTest", "queueId": "0"}
    pair.master.kill()
    pair.world.run_for(2_000)
    pair.slave.client().ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "4000"})
    pair.return_with(pair.master.disk)
    assert pair.master.controller.context.offsets.query("gc", "TopicTest", 0) == -1


def test_a_slave_that_is_away_does_not_keep_its_master_down(pair: Pair) -> None:
    pair.send(1)
    pair.slave.reactor.crash()
    pair.return_with(pair.lose_power())


def test_the_log_is_told_to_the_pairs_own_hosts_only(pair: Pair) -> None:
    pair.send(1)
    stranger = pair.slave.client("10.0.0.66")
    for code in (HA_LOG_STATE, HA_READ_LOG):
        answer = stranger.ask(code, {"brokerName": "broker-a", "from": "0", "to": "1", "maxBytes": "1"})
        assert answer.code == ResponseCode.NO_PERMISSION
        assert "haPeers" in (answer.remark or "")


@pytest.mark.parametrize(
    "wrong", [{"from": "x"}, {"from": "-1"}, {"brokerName": "other"}, {"from": "9" * 30}, {"from": ""}]
)
def test_questions_that_make_no_sense_are_refused(pair: Pair, wrong: dict[str, str]) -> None:
    friend = pair.slave.client("10.0.0.21")
    fields = {"brokerName": "broker-a", "from": "0", "to": "1", "maxBytes": "1", **wrong}
    for code in (HA_LOG_STATE, HA_READ_LOG):
        assert friend.ask(code, fields).code == ResponseCode.INVALID_PARAMETER
