# SPDX-License-Identifier: Apache-2.0
"""Flow control: what a broker that cannot keep up refuses, in Apache's words, and that nothing refused is stored."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, Client
from tests.engine.fakes import FakeDisk

from rmq.broker import pull_request_hold
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from rmq.broker.broker_config import SettingValue
    from rmq.rpc import Channel

#: A request of these tests that keeps the loop busy for as many ms as its body says.
BUSY = 7777


def broker_of(**settings: SettingValue) -> Broker:
    broker = Broker(settings)

    def busy(_: Channel, request: RemotingCommand) -> None:
        broker.world.clock.advance(int(request.body))

    broker.controller.server.register(BUSY, busy)
    return broker


def after_busy(broker: Broker, busy_ms: int, client: Client, code: int, body: bytes = b"late") -> RemotingCommand:
    """The answer to a request that lies in its socket for busy_ms, while the loop is at another's."""
    other = Client(broker)
    fields = client.send_fields("TopicTest") if code == RequestCode.SEND_MESSAGE_V2 else {}
    if code == RequestCode.PULL_MESSAGE:
        fields = client.pull_fields("TopicTest", 0)
    request = RemotingCommand.request(code, fields, body)
    # The older connection is read first.
    client.peer.connection.write(RemotingCommand.request(BUSY, body=b"%d" % busy_ms, oneway=True).encode())
    other.peer.connection.write(request.encode())
    broker.world.settle()
    answer = other.answer_to(request)
    assert answer is not None
    return answer


def stored(client: Client) -> list[bytes]:
    return [message.body for message in client.pull("TopicTest")]


def test_send_that_waited_too_long_is_refused_and_not_stored() -> None:
    broker = broker_of()
    client = broker.client()
    client.create_topic("TopicTest", queues=1)
    answer = after_busy(broker, 250, client, RequestCode.SEND_MESSAGE_V2)
    assert (answer.code, answer.remark) == (
        ResponseCode.SYSTEM_BUSY,
        "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 250ms, size of queue: 0",
    )
    assert after_busy(broker, 150, client, RequestCode.SEND_MESSAGE_V2, b"in time").code == ResponseCode.SUCCESS
    assert client.send("TopicTest", b"next tick").code == ResponseCode.SUCCESS
    assert stored(client) == [b"in time", b"next tick"]
    assert broker.controller.fast_failure.refused.timed_out == 1


def test_each_kind_of_request_has_its_own_patience() -> None:
    broker = broker_of(waitTimeMillsInPullQueue=400)
    client = broker.client()
    client.create_topic("TopicTest", queues=1)
    client.send("TopicTest")
    assert after_busy(broker, 300, client, RequestCode.PULL_MESSAGE).code == ResponseCode.SUCCESS
    refused = after_busy(broker, 400, client, RequestCode.PULL_MESSAGE)
    assert (refused.code, (refused.remark or "")[:21]) == (ResponseCode.SYSTEM_BUSY, "[TIMEOUT_CLEAN_QUEUE]")
    assert after_busy(broker, 4_999, client, RequestCode.GET_BROKER_CONFIG).code == ResponseCode.SUCCESS
    assert after_busy(broker, 5_000, client, RequestCode.GET_BROKER_CONFIG).code == ResponseCode.SYSTEM_BUSY


def test_patience_is_a_setting_and_can_be_changed_while_the_broker_runs() -> None:
    broker = broker_of(waitTimeMillsInSendQueue=50)
    client = broker.client()
    client.create_topic("TopicTest", queues=1)
    assert after_busy(broker, 60, client, RequestCode.SEND_MESSAGE_V2).code == ResponseCode.SYSTEM_BUSY
    client.ok(RequestCode.UPDATE_BROKER_CONFIG, body=b"brokerFastFailureEnable=false")
    assert after_busy(broker, 60_000, client, RequestCode.SEND_MESSAGE_V2).code == ResponseCode.SUCCESS


def test_sends_beyond_the_capacity_are_refused_and_those_before_are_answered_as_stored() -> None:
    broker = broker_of(
        flushDiskType="SYNC_FLUSH",
        sendThreadPoolQueueCapacity=3,
        syncFlushTimeout=60_000,
        osPageCacheBusyTimeOutMills=60_000,
    )
    client = broker.client()
    client.create_topic("TopicTest", queues=1)
    broker.reactor.hold_blocking = True
    waiting = [client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"%d" % n) for n in range(3)]
    assert [client.answer_to(request) for request in waiting] == [None] * 3
    info = json.loads(client.ok(RequestCode.GET_BROKER_RUNTIME_INFO).body)["table"]
    assert (info["sendThreadPoolQueueSize"], info["sendThreadPoolQueueCapacity"]) == ("3", "3")
    refused = client.send("TopicTest", b"too many")
    assert (refused.code, refused.remark) == (
        ResponseCode.SYSTEM_BUSY,
        "[OVERLOAD]system busy, start flow control for a while",
    )
    broker.world.run_for(700)
    info = json.loads(client.ok(RequestCode.GET_BROKER_RUNTIME_INFO).body)["table"]
    assert info["sendThreadPoolQueueHeadWaitTimeMills"] == "700"
    broker.reactor.hold_blocking = False
    broker.world.settle()
    answers = [client.answer_to(request) for request in waiting]
    assert [answer and answer.code for answer in answers] == [ResponseCode.SUCCESS] * 3
    assert client.send("TopicTest", b"again").code == ResponseCode.SUCCESS
    assert stored(client) == [b"0", b"1", b"2", b"again"]


def test_bodies_of_sends_that_wait_are_not_kept() -> None:
    broker = broker_of(flushDiskType="SYNC_FLUSH", syncFlushTimeout=60_000)
    client = broker.client()
    client.create_topic("TopicTest", queues=1)
    seen: list[RemotingCommand] = []
    processor = broker.controller.processors.table[RequestCode.SEND_MESSAGE_V2]

    def note(channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        seen.append(request)
        return processor(channel, request)

    broker.controller.server.register(RequestCode.SEND_MESSAGE_V2, note)
    broker.reactor.hold_blocking = True
    client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), bytes(100_000))
    assert [len(request.body) for request in seen] == [0]
    broker.reactor.hold_blocking = False
    broker.world.settle()
    assert [len(body) for body in stored(client)] == [100_000]


def test_sends_are_refused_while_a_sync_flush_hangs() -> None:
    broker = broker_of(flushDiskType="SYNC_FLUSH")
    client = broker.client()
    client.create_topic("TopicTest", queues=1)
    broker.reactor.hold_blocking = True
    first = client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"first")
    broker.world.run_for(999)
    second = client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"second")
    broker.world.run_for(1)
    refused = client.send("TopicTest", b"third")
    assert (refused.code, refused.remark) == (
        ResponseCode.SYSTEM_BUSY,
        "[PCBUSY_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 1000ms, size of queue: 2",
    )
    info = json.loads(client.ok(RequestCode.GET_BROKER_RUNTIME_INFO).body)["table"]
    assert info["pageCacheLockTimeMills"] == "1000"
    broker.reactor.hold_blocking = False
    broker.world.settle()
    for request in (first, second):
        answer = client.answer_to(request)
        assert answer is not None
        assert answer.code == ResponseCode.SUCCESS
    assert client.send("TopicTest", b"fourth").code == ResponseCode.SUCCESS
    assert stored(client) == [b"first", b"second", b"fourth"]


class StickingDisk(FakeDisk):
    """Its next write to the commit log does `once` first."""

    once: Callable[[], None] | None = None

    def mutate(self, operation: str, path: Path, *, torn: Callable[[int], None] | None = None, length: int = 0) -> None:
        if self.once is not None and operation == "pwrite" and "commitlog" in str(path):
            once, self.once = self.once, None
            once()
        super().mutate(operation, path, torn=torn, length=length)


def test_what_came_during_a_write_that_stuck_is_refused_once() -> None:
    disk = StickingDisk()
    broker = Broker(disk=disk)
    client, other = broker.client(), broker.client()
    client.create_topic("TopicTest", queues=1)
    request = RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, other.send_fields("TopicTest"), b"meanwhile")

    def stick() -> None:
        broker.world.clock.advance(1200)
        other.peer.connection.write(request.encode())

    disk.once = stick
    assert client.send("TopicTest", b"first").code == ResponseCode.SUCCESS
    refused = other.answer_to(request)
    assert refused is not None
    assert (refused.code, refused.remark) == (
        ResponseCode.SYSTEM_BUSY,
        "[PCBUSY_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 1200ms, size of queue: 0",
    )
    broker.world.run_for(10)
    assert other.send("TopicTest", b"then").code == ResponseCode.SUCCESS
    assert stored(client) == [b"first", b"then"]


def test_refusals_are_counted_and_logged_once_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    broker = broker_of(sendThreadPoolQueueCapacity=1, flushDiskType="SYNC_FLUSH", syncFlushTimeout=60_000)
    client = broker.client()
    client.create_topic("TopicTest", queues=1)
    broker.reactor.hold_blocking = True
    client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"first")
    with caplog.at_level(logging.WARNING, "rmq.broker.broker_fast_failure"):
        for _ in range(20):
            assert client.send("TopicTest").code == ResponseCode.SYSTEM_BUSY
    assert broker.controller.fast_failure.refused.overloaded == 20
    assert len(caplog.messages) == 1
    assert "[OVERLOAD]" in caplog.messages[0]


def test_one_connection_cannot_hold_every_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_request_hold, "MAX_HELD_PULLS_OF_CONNECTION", 3)
    broker = broker_of()
    greedy, modest = broker.client(), broker.client()
    greedy.create_topic("TopicTest", queues=1)
    held = [greedy.hold_pull("TopicTest", 0) for _ in range(4)]
    assert [greedy.answer_to(request) is not None for request in held] == [False, False, False, True]
    other = modest.hold_pull("TopicTest", 0)
    assert modest.answer_to(other) is None
    greedy.peer.connection.close()
    broker.world.settle()
    assert len(broker.controller.processors.pull.hold) == 1
    modest.send("TopicTest")
    assert modest.answer_to(other) is not None
    assert len(broker.controller.processors.pull.hold) == 0
