# SPDX-License-Identifier: Apache-2.0
"""What a POP consumer does, on the broker harness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, Client

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.message import MessageExt, decode_records

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue
    from rmq.remoting.command import RemotingCommand

TOPIC = "T"
GROUP = "g"
RETRY_TOPIC = "%RETRY%g_T"
REVIVE_TOPIC = "rmq_sys_REVIVE_LOG_C"
INVISIBLE_MS = 60_000
#: The slack that the broker gives to late acknowledgements, and a round of its revive service.
SLACK_MS = 3_100


@dataclass
class Popped:
    """One message as the client's library hands it on."""

    message: MessageExt
    #: POP_CK
    extra_info: str

    @property
    def body(self) -> str:
        return self.message.body.decode()

    @property
    def topic(self) -> str:
        """Which topic the message came out of."""
        return {"0": TOPIC, "1": RETRY_TOPIC, "2": "%RETRY%g+T"}[self.extra_info.split(" ")[4]]

    @property
    def fields(self) -> dict[str, str]:
        return {
            "consumerGroup": GROUP,
            "topic": self.topic,
            "queueId": str(self.message.queue_id),
            "offset": str(self.message.queue_offset),
            "extraInfo": self.extra_info,
        }


class PopClient:
    def __init__(self, broker: Broker, client: Client | None = None) -> None:
        self.client = client or broker.client()
        self.world = self.client.world
        self.clock = broker.reactor.clock

    def fields(self, **more: str) -> dict[str, str]:
        fields = {"consumerGroup": GROUP, "topic": TOPIC, "queueId": "-1", "maxMsgNums": "32"}
        fields |= {"invisibleTime": str(INVISIBLE_MS), "pollTime": "0", "bornTime": str(self.clock.now_ms())}
        return {**fields, "initMode": "0", "expType": "TAG", "exp": "*", "order": "false", **more}

    def ask(self, **more: str) -> RemotingCommand:
        return self.client.ask(RequestCode.POP_MESSAGE, self.fields(**more))

    def hold(self, poll_ms: int = 15_000, **more: str) -> RemotingCommand:
        return self.client.post(RequestCode.POP_MESSAGE, self.fields(pollTime=str(poll_ms), **more))

    def pop(self, **more: str) -> list[Popped]:
        """All that one pop gives; empty when it found nothing."""
        answer = self.ask(**more)
        assert answer.code in (ResponseCode.SUCCESS, ResponseCode.POLLING_TIMEOUT), f"{answer.code} {answer.remark}"
        return popped(answer)

    def pop_all(self, **more: str) -> list[Popped]:
        """Pops until two in a row are empty: a pop may look into the retry topic of one version only."""
        found: list[Popped] = []
        empty = 0
        while empty < 8:
            more_found = self.pop(**more)
            empty = 0 if more_found else empty + 1
            found += more_found
        return found

    def ack(self, one: Popped) -> RemotingCommand:
        return self.client.ask(RequestCode.ACK_MESSAGE, one.fields)

    def change(self, one: Popped, invisible_ms: int) -> RemotingCommand:
        fields = {**one.fields, "invisibleTime": str(invisible_ms)}
        return self.client.ask(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, fields)


def popped(answer: RemotingCommand) -> list[Popped]:
    """As MQClientAPIImpl.processPopResponse makes POP_CK of the answer's header."""
    if answer.code != ResponseCode.SUCCESS:
        return []
    fields = answer.ext_fields
    starts = dict(_pairs(fields["startOffsetInfo"]))
    offsets = {key: [int(at) for at in value.split(",")] for key, value in _pairs(fields["msgOffsetInfo"])}
    found = []
    for message in decode_records(answer.body):
        info = message.properties.get("POP_CK")
        if info is None:
            key = ("0", str(message.queue_id))
            assert message.queue_offset in offsets[key]
            head = (starts[key], fields["popTime"], fields["invisibleTime"], fields["reviveQid"], "0", "broker-a")
            info = " ".join((*head, str(message.queue_id), str(message.queue_offset)))
        assert message.topic == TOPIC
        found.append(Popped(message, info))
    return found


def _pairs(text: str) -> list[tuple[tuple[str, str], str]]:
    return [((retry, queue_id), value) for retry, queue_id, value in (part.split(" ") for part in text.split(";"))]


def started(settings: dict[str, SettingValue] | None = None, *, messages: int = 0, queues: int = 4) -> Broker:
    """A broker with the topic and some messages, m0, m1 ... round its queues."""
    broker = Broker(settings)
    client = broker.client()
    client.create_topic(TOPIC, queues)
    for number in range(messages):
        sent = client.send(TOPIC, f"m{number}".encode(), queue_id=number % queues)
        assert sent.code == ResponseCode.SUCCESS
    return broker


def bodies(found: list[Popped]) -> list[str]:
    return [one.body for one in found]


def numbered(count: int) -> list[str]:
    return [f"m{number}" for number in range(count)]
