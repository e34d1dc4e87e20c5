# SPDX-License-Identifier: Apache-2.0
"""A broker and a name server to be fuzzed, each with something in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, Client
from tests.engine.fuzz.samples import golden_samples, sample
from tests.engine.namesrv.harness import ADDRESS, NameServer

from rmq.remoting.codes import RequestCode
from rmq.remoting.message import RecordError, decode_record, parse_offset_message_id
from rmq.remoting.message_batch import decode_batch_body

if TYPE_CHECKING:
    from tests.engine.fakes import FakeWorld
    from tests.engine.fuzz.conversation import Tally
    from tests.engine.fuzz.samples import Sample

    from rmq.rpc import RemotingServer

HOST = "10.0.0.50"
#: What brokers are asked all day long.
OFTEN = (10, 310, 320, 11, 34)


class BrokerTarget:
    """A master with a topic, messages of each kind and a consumer that is connected and never answers."""

    def __init__(self) -> None:
        self.broker = Broker({"enablePropertyFilter": True, "recallMessageEnable": True})
        self._greet()

    def _greet(self) -> None:
        self._live = self.broker.client("10.0.0.8")
        self._live.create_topic("TopicTest")
        self._live.heartbeat()

    @property
    def world(self) -> FakeWorld:
        return self.broker.world

    @property
    def address(self) -> tuple[str, int]:
        return self.broker.address

    @property
    def server(self) -> RemotingServer:
        return self.broker.controller.server

    def hosts(self) -> list[str]:
        return [HOST, "10.0.0.51"]

    def samples(self) -> list[Sample]:
        """The processors' table as it is, so that what is added there is under fire too."""
        codes = sorted(self.server.codes)
        if self._live.peer.is_closed:
            self._greet()
        self._live.send("TopicTest", b"first", "KEYS\x01k1\x02TAGS\x01TagA\x02")
        half = self._live.send("TopicTest", b"half", "TRAN_MSG\x01true\x02PGROUP\x01pg\x02UNIQ_KEY\x01TX1\x02", f="4")
        _, physical_offset = parse_offset_message_id(half.ext_fields["msgId"])
        client_id = "{}@{}".format(*self._live.peer.connection.local)
        found = [sample(code) for code in codes]
        for each in found:
            if each.code == RequestCode.END_TRANSACTION:
                each.fields |= {"commitLogOffset": str(physical_offset), "tranStateTableOffset": "0"}
            if each.code in (RequestCode.GET_CONSUMER_RUNNING_INFO, RequestCode.CONSUME_MESSAGE_DIRECTLY):
                each.fields |= {"clientId": client_id, "msgId": half.ext_fields["msgId"]}
        return [*found, *golden_samples(codes), *[sample(code) for code in OFTEN for _ in range(4)]]

    def check(self, tally: Tally) -> None:
        controller = self.broker.controller
        client = self.broker.client("10.0.0.7")
        client.create_topic("AfterTheStorm")
        client.send("AfterTheStorm", b"sane")
        assert [message.body for message in client.pull("AfterTheStorm")][-1:] == [b"sane"]
        client.peer.connection.close()
        self.world.settle()
        assert len(controller.processors.pull.hold) == 0
        assert {channel.peer_host for channel in self.server.channels} <= {"10.0.0.8"}
        assert self.broker.fatal == []
        for message_id, body in tally.stored.items():
            _, physical_offset = parse_offset_message_id(message_id)
            record = controller.store.record_at(physical_offset)
            assert record is not None, f"{message_id} was acknowledged and is gone"
            assert decode_record(record).body in (body, *_items(body)), message_id

    def restart(self) -> None:
        self.broker.kill()
        self.broker = self.broker.start_again()
        self._live = Client(self.broker, "10.0.0.8")


def _items(body: bytes) -> list[bytes]:
    try:
        return [item.body for item in decode_batch_body(body)]
    except RecordError:
        return []


class NamesrvTarget:
    """A name server with one registered broker."""

    def __init__(self) -> None:
        self.namesrv = NameServer()
        self.namesrv.broker().register()

    @property
    def world(self) -> FakeWorld:
        return self.namesrv.world

    @property
    def address(self) -> tuple[str, int]:
        return ADDRESS

    @property
    def server(self) -> RemotingServer:
        return self.namesrv.controller.server

    def hosts(self) -> list[str]:
        """One of the cluster's own networks, and one that may not register."""
        return [HOST, "203.0.113.9"]

    def samples(self) -> list[Sample]:
        codes = sorted(self.server.codes)
        return [*[sample(code) for code in codes], *golden_samples(codes), *[sample(103) for _ in range(4)]]

    def check(self, tally: Tally) -> None:
        broker = self.namesrv.broker("broker-sane", host="10.0.0.77")
        assert broker.register().code == 0
        assert self.namesrv.route("TopicTest") is not None
        self.world.settle()

    def restart(self) -> None:
        self.namesrv.reactor.crash()
        self.namesrv.disk.kill()
        self.namesrv = NameServer(world=self.world, disk=self.namesrv.disk)
