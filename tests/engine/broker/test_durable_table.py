# SPDX-License-Identifier: Apache-2.0
"""Tables and their files when a broker stops: what a thread writes at that moment, and what cannot be written."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.broker.harness import Broker, Client
from tests.engine.fakes.reactor import FakeReactor

from rmq.broker.durable_table import DurableTable
from rmq.remoting.codes import RequestCode, ResponseCode

if TYPE_CHECKING:
    from collections.abc import Callable


class Written:
    """A file in memory: every value that was written, in order."""

    def __init__(self) -> None:
        self.written: list[object] = []

    def load(self, read: Callable[[Any], Any] | None = None) -> Any | None:
        return None

    def persist(self, value: object) -> None:
        self.written.append(value)


def test_flush_waits_for_the_write_that_a_thread_has_begun() -> None:
    reactor, file, value = FakeReactor(), Written(), ["first"]
    table = DurableTable(reactor, file, lambda: list(value))
    again: list[bool] = []
    reactor.hold_blocking = True
    table.persist()
    reactor.world.run_for(10)
    value[0] = "last"
    assert not table.flush(lambda: again.append(table.flush(lambda: None)))
    assert file.written == []
    reactor.hold_blocking = False
    reactor.world.run_for(10)
    assert again == [True]
    assert file.written == [["first"], ["last"]]


def test_write_waits_until_it_may_and_a_clean_stop_does_not() -> None:
    reactor, file, value = FakeReactor(), Written(), ["first"]
    ready: list[Callable[[], None]] = []
    told: list[Exception | None] = []
    table = DurableTable(reactor, file, lambda: list(value), when_ready=ready.append)
    table.persist(told.append)
    reactor.world.run_for(10)
    value[0] = "second"
    table.persist(told.append)
    reactor.world.run_for(10)
    assert (file.written, told, len(ready)) == ([], [], 1)
    ready.pop()()
    reactor.world.run_for(10)
    assert (file.written, told, len(ready)) == ([["first"]], [None], 1)
    value[0] = "last"
    assert table.flush(lambda: None)
    ready.pop()()
    reactor.world.run_for(10)
    assert (file.written, told) == ([["first"], ["last"]], [None, None])


@pytest.mark.parametrize("after_ms", range(1_100, 12_000, 700))
def test_a_delayed_message_survives_a_power_loss_at_any_time(after_ms: int) -> None:
    """It is on the disk since long: what takes its place has to be there before the file says that it was delivered."""
    broker = Broker({"flushDelayOffsetInterval": 1_000, "flushCommitLogThoroughInterval": 30_000})
    client = broker.client()
    client.create_topic("T")
    client.send("T", b"later", "DELAY\x014\x02")
    broker.world.run_for(29_500)
    broker.controller.store.flush()
    broker.world.run_for(after_ms)
    broker.reactor.crash()
    broker.disk.crash("all")
    again = broker.start_again()
    again.world.run_for(40_000)
    assert [one.body for one in again.client().pull("T")][:1] == [b"later"]


def committed(client: Client) -> int:
    answer = client.ask(RequestCode.QUERY_CONSUMER_OFFSET, {"consumerGroup": "gc", "topic": "T", "queueId": "0"})
    return int(answer.ext_fields["offset"]) if answer.code == ResponseCode.SUCCESS else -1


def test_offset_that_was_committed_while_the_disk_was_full_is_written_when_it_has_room() -> None:
    """Nobody commits anything after it."""
    broker = Broker()
    client = broker.client()
    client.create_topic("T")
    client.send("T", b"x")
    client.heartbeat("gc", "T")
    broker.world.run_for(20_000)
    broker.disk.fail("replace_file", errno.ENOSPC, path_contains="consumerOffset", times=1_000)
    fields = {"consumerGroup": "gc", "topic": "T", "queueId": "0", "commitOffset": "1"}
    client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, fields)
    broker.world.run_for(30_000)
    broker.disk.heal()
    broker.world.run_for(20_000)
    broker.kill()
    assert committed(broker.start_again().client()) == 1


def test_stop_while_a_table_is_being_written_keeps_every_table() -> None:
    broker = Broker()
    client = broker.client()
    client.create_topic("T")
    client.send("T", b"x")
    client.heartbeat("gc", "T")
    broker.reactor.hold_blocking = True
    fields = {"topic": "Late", "readQueueNums": "1", "writeQueueNums": "1", "perm": "6"}
    client.post(RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
    client.post(
        RequestCode.UPDATE_CONSUMER_OFFSET, {"consumerGroup": "gc", "topic": "T", "queueId": "0", "commitOffset": "1"}
    )
    broker.world.run_for(10)
    stopped: list[bool] = []
    broker.controller.shutdown(lambda: stopped.append(True))
    broker.world.run_for(1_000)
    assert not stopped, "topics.json is still being written"
    broker.reactor.hold_blocking = False
    broker.world.run_until(lambda: bool(stopped))
    again = broker.start_again().client()
    assert committed(again) == 1
    assert again.ask(RequestCode.GET_TOPIC_CONFIG, {"topic": "Late"}).code == ResponseCode.SUCCESS


def test_table_that_cannot_be_written_at_the_stop_keeps_no_other_from_its_file(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = Broker()
    client = broker.client()
    client.create_topic("T")
    client.send("T", b"x")
    client.heartbeat("gc", "T")
    # Known in memory alone: only a stop writes them.
    client.post(
        RequestCode.UPDATE_CONSUMER_OFFSET, {"consumerGroup": "gc", "topic": "T", "queueId": "0", "commitOffset": "1"}
    )
    broker.world.run_for(10)
    broker.controller.context.topics.create_in_send_back("%RETRY%x", 1, 0)
    broker.disk.fail("replace_file", path_contains="topics.json", times=9)
    broker.stop()
    assert "could not be written" in caplog.text
    broker.disk.heal()
    assert committed(broker.start_again().client()) == 1
