# SPDX-License-Identifier: Apache-2.0
"""A broker on a fake network and a fake disk, and clients that talk to it."""

from __future__ import annotations

import errno
import random
from typing import TYPE_CHECKING

from tests.engine.fakes import FakeDisk, FakeWorld
from tests.engine.rpc.peer import Peer

from rmq.broker.broker_controller import BrokerController, BrokerEnvironment
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.java_hash import tag_hash
from rmq.remoting.java_json import dumps_bytes
from rmq.remoting.message import MessageExt, decode_records
from rmq.remoting.send_header import SendHeader

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue

HOST = "127.0.0.1"
PORT = 12311
#: Small files: a test's disk is memory.
SMALL_FILES: dict[str, SettingValue] = {
    "mappedFileSizeCommitLog": 256 * 1024,
    "mappedFileSizeConsumeQueue": 20 * 1000,
    "maxHashSlotNum": 100,
    "maxIndexNum": 400,
    "brokerClusterName": "C",
    "brokerName": "broker-a",
    "brokerIP1": HOST,
    "listenPort": PORT,
    "bindAddress": HOST,
    "storePathRootDir": "/store",
}


class NotStarted(Exception):
    """Why a broker may not serve."""


class Broker:
    """Started on a fresh world and disk, or on those of an earlier one."""

    def __init__(
        self,
        settings: dict[str, SettingValue] | None = None,
        *,
        world: FakeWorld | None = None,
        disk: FakeDisk | None = None,
        rebuild_from: str = "",
        waits: bool = True,
    ) -> None:
        """Raises NotStarted where the broker refuses to start. waits=False: it starts as the world goes on."""
        self.world = world if world is not None else FakeWorld()
        self.disk = disk if disk is not None else FakeDisk()
        self.settings = {**SMALL_FILES, **(settings or {})}
        host = str(self.settings["brokerIP1"])
        self.reactor = self.world.reactor(host)
        self.fatal: list[str] = []
        environment = BrokerEnvironment(self.reactor, self.disk, random.Random(1))
        self.controller = BrokerController(self.settings, environment, on_fatal=self.fatal.append)
        self.refusal: str | None = None
        """Why it may not serve; empty when it does."""
        self.controller.load()
        self.controller.prepare(self._prepared, rebuild_from=rebuild_from)
        if not waits:
            return
        self.world.run_until(lambda: self.refusal is not None)
        self._raise_refusal()
        self.world.settle()

    def _raise_refusal(self) -> None:
        if self.refusal:
            self.stop()
            raise NotStarted(self.refusal)

    def _prepared(self, why: str) -> None:
        self.refusal = why
        if not why:
            self.controller.start()

    @property
    def address(self) -> tuple[str, int]:
        return self.controller.config.broker_ip1, self.controller.config.listen_port

    def client(self, host: str = "10.0.0.9") -> Client:
        return Client(self, host)

    def stop(self) -> None:
        """A clean stop."""
        stopped: list[bool] = []
        self.controller.shutdown(lambda: stopped.append(True))
        self.world.run_until(lambda: bool(stopped))

    def kill(self) -> None:
        """kill -9."""
        self.reactor.crash()
        self.disk.kill()

    def start_again(self, settings: dict[str, SettingValue] | None = None) -> Broker:
        return Broker({**self.settings, **(settings or {})}, world=self.world, disk=self.disk)


def failing(broker: Broker, name: str, topic: str) -> None:
    """The disk fails once, when this method of the store is asked about the topic."""
    store = broker.controller.store
    whole = getattr(store, name)

    def fails_once(asked: str, *more: object, **settings: object) -> object:
        if asked != topic:
            return whole(asked, *more, **settings)
        setattr(store, name, whole)
        raise OSError(errno.EIO, "Input/output error")

    setattr(store, name, fails_once)


class Client:
    """Sends requests, keeps what comes back: answers by opaque, pushed requests apart."""

    def __init__(self, broker: Broker, host: str = "10.0.0.9") -> None:
        self.peer = Peer(broker.world, broker.address, host)
        self.world = broker.world

    @property
    def pushed(self) -> list[RemotingCommand]:
        return [frame for frame in self.peer.frames if not frame.is_response]

    def answer_to(self, request: RemotingCommand) -> RemotingCommand | None:
        found = [frame for frame in self.peer.frames if frame.is_response and frame.opaque == request.opaque]
        assert len(found) <= 1, "one answer for each request"
        return found[0] if found else None

    def post(self, code: int, fields: dict[str, str] | None = None, body: bytes = b"") -> RemotingCommand:
        """Send without waiting for an answer."""
        request = RemotingCommand.request(code, fields, body)
        self.peer.send(request)
        return request

    def ask(self, code: int, fields: dict[str, str] | None = None, body: bytes = b"") -> RemotingCommand:
        answer = self.answer_to(self.post(code, fields, body))
        assert answer is not None, f"request {code} is not answered at once"
        return answer

    def ok(self, code: int, fields: dict[str, str] | None = None, body: bytes = b"") -> RemotingCommand:
        answer = self.ask(code, fields, body)
        assert answer.code == ResponseCode.SUCCESS, f"{answer.code} {answer.remark}"
        return answer

    # What clients do.

    def create_topic(self, topic: str, queues: int = 4, **more: str) -> None:
        fields = {"topic": topic, "defaultTopic": "TBW102", "perm": "6", "topicFilterType": "SINGLE_TAG"}
        fields |= {"readQueueNums": str(queues), "writeQueueNums": str(queues), "topicSysFlag": "0", "order": "false"}
        self.ok(RequestCode.UPDATE_AND_CREATE_TOPIC, {**fields, **more})

    def send_fields(self, topic: str, properties: str = "", queue_id: int = 0, **more: str) -> dict[str, str]:
        header = SendHeader(
            "pg", topic, "TBW102", 4, queue_id, 0, 1_795_340_464_000, 0, properties, 0, False, 0, False, "broker-a"
        )
        return {**header.to_ext_fields(), **more}

    def send(
        self, topic: str, body: bytes = b"hello", properties: str = "", queue_id: int = 0, **more: str
    ) -> RemotingCommand:
        return self.ask(RequestCode.SEND_MESSAGE_V2, self.send_fields(topic, properties, queue_id, **more), body)

    def pull_fields(
        self, topic: str, queue_offset: int, *, queue_id: int = 0, group: str = "gc", tags: str = "*", **more: str
    ) -> dict[str, str]:
        fields = {"consumerGroup": group, "topic": topic, "queueId": str(queue_id), "queueOffset": str(queue_offset)}
        fields |= {"maxMsgNums": "32", "sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0"}
        return {**fields, "subscription": tags, "subVersion": "1", "expressionType": "TAG", **more}

    def pull(self, topic: str, queue_offset: int = 0, **more: str) -> list[MessageExt]:
        """What is there now."""
        fields = self.pull_fields(topic, queue_offset)
        return decode_records(self.ask(RequestCode.PULL_MESSAGE, {**fields, **more}).body)

    def hold_pull(self, topic: str, queue_offset: int, *, tags: str = "*", timeout_ms: int = 15_000) -> RemotingCommand:
        """A long poll."""
        more = {"sysFlag": "6", "suspendTimeoutMillis": str(timeout_ms)}
        return self.post(RequestCode.PULL_MESSAGE, {**self.pull_fields(topic, queue_offset, tags=tags), **more})

    def heartbeat(
        self,
        group: str = "gc",
        topic: str = "TopicTest",
        *,
        tags: str = "*",
        model: str = "CLUSTERING",
        version: int = 1,
    ) -> RemotingCommand:
        names = [] if tags == "*" else tags.split("||")
        subscription = {
            "classFilterMode": False,
            "topic": topic,
            "subString": tags,
            "tagsSet": names,
            "codeSet": [tag_hash(name) for name in names],
            "subVersion": version,
            "expressionType": "TAG",
        }
        consumer = {
            "groupName": group,
            "consumeType": "CONSUME_PASSIVELY",
            "messageModel": model,
            "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
            "subscriptionDataSet": [subscription],
            "unitMode": False,
        }
        beat = {
            "clientID": f"{self.peer.connection.local[0]}@{self.peer.connection.local[1]}",
            "producerDataSet": [{"groupName": "pg"}],
            "consumerDataSet": [consumer],
            "heartbeatFingerprint": 0,
            "withoutSub": False,
        }
        return self.ok(RequestCode.HEART_BEAT, body=dumps_bytes(beat))
