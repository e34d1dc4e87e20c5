# SPDX-License-Identifier: Apache-2.0
"""A master comes back with less than its slave has: it takes that from the slave before it serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.harness import Broker, NotStarted
from tests.engine.fakes import FakeDisk, SimulatedCrash
from tests.engine.namesrv.harness import ADDRESS, NameServer

from rmq.broker import master_return
from rmq.broker.pair_log import HA_LOG_STATE, HA_READ_LOG, PairLogProcessor
from rmq.broker.replication import MasterReplication
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.store.ha.ha_wire import encode_report

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue
    from rmq.env import Connection
    from rmq.remoting.command import RemotingCommand

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
REBUILDING = Path("/store/rebuilding")
TOPICS = Path("/store/config/topics.json")


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


def test_offsets_taken_from_the_slave_are_on_the_disk_before_the_master_serves(pair: Pair) -> None:
    """It is killed at once, and does not find its slave at the next start."""
    pair.send(10)
    pair.master.kill()
    commit = {"consumerGroup": "gc", "topic": "TopicTest", "queueId": "0", "commitOffset": "7"}
    pair.slave.client().ok(RequestCode.UPDATE_CONSUMER_OFFSET, commit)
    for _ in range(2):
        pair.return_with(pair.master.disk)
        assert pair.master.controller.context.offsets.query("gc", "TopicTest", 0) == 7
        pair.master.kill()
        pair.world.network.cut("10.0.0.21", "10.0.0.22")


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


# A start when nobody else is up yet.


@pytest.mark.parametrize("after_ms", [0, 1_000, 8_000])
def test_what_was_acknowledged_is_waited_for_when_both_come_back_at_once(pair: Pair, after_ms: int) -> None:
    """The rack had no power: the master is up first, without its last writes, which the slave has."""
    pair.send(3)
    pair.world.run_for(90_000)
    pair.send(10)
    end = pair.master.controller.store.max_physical_offset
    disk = pair.lose_power()
    pair.slave.kill()
    master = Broker(MASTER, world=pair.world, disk=disk, waits=False)
    pair.world.run_for(after_ms)
    assert master.refusal is None
    slave = Broker(SLAVE, world=pair.world, disk=pair.slave.disk, waits=False)
    pair.world.run_until(lambda: master.refusal == "" and slave.refusal == "")
    assert master.controller.store.max_physical_offset == end
    assert slave.controller.store.tails_set_aside == 0


@pytest.mark.parametrize(
    ("settings", "within_ms"),
    [({}, 10_500), ({"flushDiskType": "SYNC_FLUSH"}, 500), ({"inSyncReplicas": 1}, 500)],
)
def test_it_waits_no_longer_and_only_where_something_may_be_lost(
    pair: Pair, settings: dict[str, SettingValue], within_ms: int
) -> None:
    pair.send(3)
    pair.slave.kill()
    pair.master.kill()
    master = Broker({**MASTER, **settings}, world=pair.world, disk=pair.master.disk, waits=False)
    pair.world.run_until(lambda: master.refusal == "", within_ms)
    master.stop()
    # After a clean stop nothing is lost.
    again = Broker({**MASTER, **settings}, world=pair.world, disk=pair.master.disk, waits=False)
    pair.world.run_until(lambda: again.refusal == "", 500)


def test_an_empty_master_finds_its_slave_without_name_servers(pair: Pair) -> None:
    pair.send(5)
    pair.master.kill()
    pair.name_server.reactor.crash()
    with pytest.raises(NotStarted, match="--rebuild-from"):
        Broker({**MASTER, "haPeers": "10.0.0.22"}, world=pair.world, disk=FakeDisk())


def test_a_broker_of_another_pair_at_a_listed_host_is_no_slave(pair: Pair) -> None:
    """Pairs whose brokers stand crosswise: the listed host has another pair's master at that port."""
    pair.send(3)
    pair.master.kill()
    pair.slave.kill()
    other = Broker(
        {**MASTER, "brokerIP1": "10.0.0.22", "bindAddress": "10.0.0.22", "brokerName": "b"}, world=pair.world
    )
    pair.world.run_for(1_000)
    pair.world.network.cut("10.0.0.1", "10.0.0.21")
    fresh = Broker({**MASTER, "haPeers": "10.0.0.22"}, world=pair.world, disk=FakeDisk(), waits=False)
    pair.world.run_until(lambda: fresh.refusal == "", 1_000)
    assert other.refusal == ""


# A rebuild that does not come to its end.


@pytest.mark.parametrize("lose", ["none", "all", "some"])
@pytest.mark.parametrize("at", range(1, 60, 3))
def test_a_rebuild_that_was_killed_is_repeated(pair: Pair, at: int, lose: str) -> None:
    pair.send(30)
    before = bodies(pair.master)
    pair.master.kill()
    disk = FakeDisk(seed=at)
    disk.crash_at = at
    reactors = list(pair.world.reactors)
    try:
        pair.return_with(disk, rebuild_from=SLAVE_ADDRESS)
    except SimulatedCrash:
        for reactor in [one for one in pair.world.reactors if one not in reactors]:
            reactor.crash()
        disk.crash(lose)
        is_over = disk.exists(TOPICS) and not disk.exists(REBUILDING)
        if not is_over:
            with pytest.raises(NotStarted, match=re.escape("--rebuild-from 10.0.0.22:12311")):
                pair.return_with(disk)
        pair.return_with(disk, rebuild_from="" if is_over else SLAVE_ADDRESS)
    disk.crash_at = None
    assert bodies(pair.master) == before
    again = pair.master.disk
    pair.master.stop()
    pair.return_with(again)
    assert bodies(pair.master) == before


def test_a_slave_is_not_rebuilt_by_command(pair: Pair) -> None:
    pair.slave.stop()
    with pytest.raises(NotStarted, match="for a master"):
        Broker(SLAVE, world=pair.world, disk=FakeDisk(), rebuild_from="10.0.0.21:12311")


def test_a_rebuild_from_a_slave_that_is_behind_gets_the_rest_from_the_other(pair: Pair) -> None:
    pair.send(5)
    behind = {**SLAVE, "brokerIP1": "10.0.0.23", "brokerIP2": "10.0.0.23", "bindAddress": "10.0.0.23", "brokerId": 2}
    other = Broker(behind, world=pair.world)
    pair.world.run_for(10_000)
    assert len(bodies(other)) == 5
    pair.world.network.cut("10.0.0.21", "10.0.0.23")
    pair.send(5)
    pair.master.kill()
    pair.world.network.heal()
    pair.return_with(FakeDisk(), rebuild_from="10.0.0.23:12311")
    assert len(bodies(pair.master)) == 10


# Topics.


def test_a_topic_in_its_first_second_is_served_by_the_slave(pair: Pair) -> None:
    client = pair.master.client()
    sent = client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("JustNow", queue_id=2), b"one")
    pair.world.run_until(lambda: client.answer_to(sent) is not None)
    assert pair.slave.controller.context.topics.get("JustNow") is None
    pair.master.kill()
    pair.world.run_for(10)
    assert [message.body for message in pair.slave.client().pull("JustNow", queueId="2")] == [b"one"]


@pytest.mark.parametrize("rebuilt", [False, True])
def test_a_deleted_topic_comes_back_neither_from_the_log_nor_from_the_slave(pair: Pair, rebuilt: bool) -> None:
    pair.send(5)
    pair.world.run_for(3_000)
    request = pair.master.client().post(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "TopicTest"})
    assert request is not None
    pair.world.run_for(3_000)
    assert "TopicTest" not in pair.slave.controller.store.queues()
    pair.master.kill()
    disk = FakeDisk() if rebuilt else pair.master.disk
    for path in [path for path in disk.files() if path.name == "queueCheckpoint.json"]:
        disk.remove(path)
    pair.return_with(disk, rebuild_from=SLAVE_ADDRESS if rebuilt else "")
    assert "TopicTest" not in pair.master.controller.store.queues()
    assert pair.master.controller.context.topics.get("TopicTest") is None
    pair.master.client().create_topic("TopicTest")
    pair.world.run_for(10_000)
    pair.send(2)
    pair.world.run_for(3_000)
    assert bodies(pair.master) == bodies(pair.slave) == [b"00000000", b"00000001"]


def test_a_slave_that_reports_what_is_on_its_disk_asks_so_too(pair: Pair) -> None:
    """The end of its log is the first report: it waits for the disk."""
    pair.slave.stop()
    pair.slave = Broker({**SLAVE, "flushDiskType": "SYNC_FLUSH"}, world=pair.world, disk=pair.slave.disk)
    pair.world.run_for(5_000)
    client = pair.master.client()
    pair.slave.reactor.hold_blocking = True
    sent = client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"one")
    pair.world.run_for(10)
    assert pair.slave.controller.store.max_physical_offset == pair.master.controller.store.max_physical_offset
    pair.world.network.cut("10.0.0.21", "10.0.0.22")
    pair.world.run_for(100)
    pair.world.network.heal()
    pair.world.run_for(2_500)
    assert client.answer_to(sent) is None
    pair.slave.reactor.hold_blocking = False
    pair.world.run_for(100)
    answer = client.answer_to(sent)
    assert answer is not None and answer.code == ResponseCode.SUCCESS


# Who copies the log, and is believed.


class HaPeer:
    """A raw HA connection, whoever it is."""

    def __init__(self, pair: Pair, host: str) -> None:
        self.pair = pair
        self.received = b""
        self.is_lost = False
        replication = pair.master.controller.replication
        assert isinstance(replication, MasterReplication)
        reactor = pair.world.reactor(host)
        reactor.connect(*replication.service.address, self, timeout_ms=1_000, failed=self.connection_lost)
        pair.world.settle()

    def connection_made(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, reason: Exception | None) -> None:
        self.is_lost = True

    def report(self, offset: int) -> None:
        self.connection.write(encode_report(offset))
        self.pair.world.settle()


def test_only_registered_and_listed_hosts_get_the_log(pair: Pair) -> None:
    pair.send(1)
    pair.slave.stop()
    pair.master.stop()
    pair.master = Broker({**MASTER, "haPeers": "10.0.7.0/24"}, world=pair.world, disk=pair.master.disk)
    for host, gets in (("10.0.7.5", True), ("10.0.8.5", False)):
        peer = HaPeer(pair, host)
        peer.report(0)
        assert bool(peer.received) is gets
        assert peer.is_lost is not gets


def test_a_report_of_what_nobody_has_acknowledges_nothing(pair: Pair) -> None:
    pair.send(1)
    pair.slave.stop()
    peer = HaPeer(pair, "10.0.0.22")
    peer.report(0)
    assert peer.received
    client = pair.master.client()
    sent = client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"one")
    peer.report(1 << 62)
    assert peer.is_lost
    pair.world.run_for(3_100)
    answer = client.answer_to(sent)
    assert answer is not None and answer.code == ResponseCode.FLUSH_SLAVE_TIMEOUT


def test_a_damaged_size_on_the_slave_costs_that_message_alone(pair: Pair) -> None:
    """A size that says more than is there: the rest of that record might come with the next bytes."""
    pair.send(10)
    before = bodies(pair.master)
    units = pair.slave.controller.store.units("TopicTest", 0, 4, 1)
    assert units
    pair.slave.disk.corrupt(Path("/store/commitlog/00000000000000000000"), units[0][0] + 1, b"\x02")
    pair.master.kill()
    pair.return_with(FakeDisk(), rebuild_from=SLAVE_ADDRESS)
    assert bodies(pair.master) == before[:4]
    pair.world.run_for(10_000)
    pair.send(2)
    assert [one.body for one in pair.master.client().pull("TopicTest", 4)] == [*before[5:], *before[:2]]


def test_a_read_that_fails_is_tried_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the whole has taken longer than a slave is waited for: else the master would serve without messages
    that it has acknowledged, and the slave set them aside."""
    monkeypatch.setattr(master_return, "READ_BYTES_MAX", 500)
    monkeypatch.setattr(master_return, "LOST_WITHIN_MS", 0)
    pair.send(3)
    pair.world.run_for(90_000)
    pair.send(10)
    before = bodies(pair.master)
    asked: list[int] = []

    def read(processor: PairLogProcessor, request: RemotingCommand, start: int, max_bytes: int) -> RemotingCommand:
        asked.append(start)
        if len(asked) in (1, 3, 4):
            return request.response(ResponseCode.SYSTEM_ERROR, "the disk is busy")
        return true(processor, request, start, max_bytes)

    true = PairLogProcessor._read
    disk = pair.lose_power()
    monkeypatch.setattr(PairLogProcessor, "_read", read)
    pair.return_with(disk)
    assert len(asked) > 5
    assert bodies(pair.master) == before
    pair.world.run_for(30_000)
    assert pair.slave.controller.store.tails_set_aside == 0


def test_a_slave_that_goes_away_in_the_middle_of_a_record(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came of it would stand in the log for ever, before this master's own messages."""
    monkeypatch.setattr(master_return, "READ_BYTES_MAX", 500)
    pair.send(3)
    pair.world.run_for(90_000)
    pair.send(10)
    asked: list[int] = []

    def read(processor: PairLogProcessor, request: RemotingCommand, start: int, max_bytes: int) -> RemotingCommand:
        asked.append(start)
        if len(asked) > 1:
            return request.response(ResponseCode.SYSTEM_ERROR, "the slave has stopped")
        return true(processor, request, start, max_bytes)

    true = PairLogProcessor._read
    disk = pair.lose_power()
    monkeypatch.setattr(PairLogProcessor, "_read", read)
    pair.return_with(disk)
    assert len(asked) > 1
    monkeypatch.undo()
    assert len(bodies(pair.master)) == 5
    pair.world.run_for(30_000)
    assert pair.slave.controller.store.tails_set_aside == 1
    pair.send(2)
    assert bodies(pair.slave) == bodies(pair.master)
    assert len(bodies(pair.master)) == 7


def test_slave_that_was_away_keeps_no_offset_of_a_topic_that_was_deleted_meanwhile(pair: Pair) -> None:
    fields = {"consumerGroup": "gc", "topic": "TopicTest", "queueId": "0", "commitOffset": "9"}
    pair.send(10)
    pair.master.client().ok(RequestCode.UPDATE_CONSUMER_OFFSET, fields)
    pair.world.run_for(10_000)
    assert pair.slave.controller.context.offsets.query("gc", "TopicTest", 0) == 9
    pair.slave.stop()
    client = pair.master.client()
    client.post(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": "TopicTest"})
    pair.world.run_for(1_000)
    client.create_topic("TopicTest")
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, {**fields, "commitOffset": "2"})
    pair.slave = pair.slave.start_again()
    pair.world.run_for(30_000)
    assert pair.slave.controller.context.offsets.query("gc", "TopicTest", 0) == 2
