# SPDX-License-Identifier: Apache-2.0
"""One run of a pair under faults, decided by a seed alone, and what must hold at its end.

| plan | faults | brokers | must survive |
|---|---|---|---|
| kills | kill -9, clean stops, cuts, freezes, clock jumps | 2m-2s-async's pair | everything acknowledged |
| sync | the same | 2m-2s-sync's pair | everything acknowledged, and each is on both |
| power | power losses of one machine at a time besides | 2m-2s-sync's pair, flush on timers | everything acknowledged |
| flush | power losses of either or both | SYNC_FLUSH on both | everything acknowledged |
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, Client
from tests.engine.fakes import FakeDisk
from tests.engine.namesrv.harness import ADDRESS, NameServer

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.message import decode_records

if TYPE_CHECKING:
    from rmq.broker.broker_config import SettingValue
    from rmq.remoting.command import RemotingCommand

    Settings = dict[str, SettingValue]

MASTER, SLAVE = "10.0.0.21", "10.0.0.22"
TOPIC = "Simulated"
GROUP = "gc"
QUEUES = 3
EVENTS = 40
#: Every flush interval of a broker has passed after this: what is written is on the disks.
FLUSHED_MS = 25_000
#: A slave has seen its master's state, and the reverse.
SETTLED_MS = 6_000


class Violation(AssertionError):
    """What must hold does not."""


@dataclass(frozen=True)
class Plan:
    name: str
    master: Settings
    slave: Settings
    faults: tuple[str, ...]


_KILLS = ("kill-master", "kill-slave", "stop-master", "stop-slave", "cut", "freeze", "jump", "commit")
_SYNC: Settings = {"brokerRole": "SYNC_MASTER", "inSyncReplicas": 2}
_FLUSH: Settings = {"flushDiskType": "SYNC_FLUSH"}

PLANS = {
    plan.name: plan
    for plan in (
        Plan("kills", {"brokerRole": "ASYNC_MASTER"}, {}, _KILLS),
        Plan("sync", _SYNC, {}, _KILLS),
        Plan("power", _SYNC, {}, (*_KILLS, "power-master", "power-slave")),
        Plan("flush", {**_SYNC, **_FLUSH}, _FLUSH, (*_KILLS, "power-any-master", "power-any-slave")),
    )
}


@dataclass
class Acknowledged:
    body: bytes
    queue_id: int
    queue_offset: int


@dataclass
class Figures:
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    faults: dict[str, int] = field(default_factory=dict)


class Simulation:
    def __init__(self, seed: int, plan: Plan) -> None:
        self.seed = seed
        self.plan = plan
        self.dice = random.Random(f"{plan.name}/{seed}")
        self.figures = Figures()
        self.trace: list[str] = []
        self.acknowledged: list[Acknowledged] = []
        self.committed: dict[int, int] = {}
        """Consumer offset by queue that must not be undone."""
        self._number = 0
        self.name_server = NameServer()
        self.world = self.name_server.world
        self._settings: dict[str, Settings] = {
            MASTER: self._at(MASTER, {**plan.master, "brokerId": 0, "haPeers": SLAVE}),
            SLAVE: self._at(
                SLAVE, {**plan.slave, "brokerRole": "SLAVE", "brokerId": 1, "slaveReadEnable": True, "haPeers": MASTER}
            ),
        }
        self.disks = {host: FakeDisk() for host in (MASTER, SLAVE)}
        self.brokers: dict[str, Broker] = {}
        for disk in self.disks.values():
            disk.random.seed(self.dice.random())

    def run(self) -> Figures:
        """Raises Violation, whose text has the seed and all that was done."""
        try:
            self._start(MASTER)
            self._start(SLAVE)
            self.world.run_for(SETTLED_MS)
            client = self.brokers[MASTER].client()
            client.create_topic(TOPIC, QUEUES)
            client.heartbeat(GROUP, TOPIC)
            self.world.run_for(SETTLED_MS)
            for _ in range(EVENTS):
                self._event()
            self._everything_comes_back()
            self._check()
        except Violation as violation:
            done = "\n".join(self.trace)
            raise Violation(f"plan {self.plan.name}, seed {self.seed}: {violation}\n{done}") from None
        return self.figures

    # -- what happens

    def _event(self) -> None:
        if self.dice.random() < 0.6:
            self._send(self.dice.randrange(1, 30))
        else:
            self._fault(self.dice.choice(self.plan.faults))
        self.world.run_for(self.dice.choice((0, 1, 20, 300, 2_000, 7_000)))

    def _send(self, count: int) -> None:
        master = self.brokers.get(MASTER)
        if master is None:
            return
        client = master.client()
        posted = [self._post(client) for _ in range(count)]
        self.world.run_for(self.dice.choice((0, 5, 4_000)))
        for sent in posted:
            self._answered(client, *sent)
        self.trace.append(f"{self._now()} sent {count}, acknowledged so far {self.figures.acknowledged}")

    def _post(self, client: Client) -> tuple[RemotingCommand, bytes]:
        self._number += 1
        self.figures.sent += 1
        body = b"%08d" % self._number + b"x" * self.dice.choice((0, 10, 100, 3_000))
        fields = client.send_fields(TOPIC, queue_id=self._number % QUEUES)
        return client.post(RequestCode.SEND_MESSAGE_V2, fields, body), body

    def _answered(self, client: Client, request: RemotingCommand, body: bytes) -> None:
        answer = client.answer_to(request)
        if answer is None:
            self.figures.unanswered += 1
        elif answer.code != ResponseCode.SUCCESS:
            self.figures.refused += 1
        else:
            self.figures.acknowledged += 1
            fields = answer.ext_fields
            self.acknowledged.append(Acknowledged(body, int(fields["queueId"]), int(fields["queueOffset"])))

    def _fault(self, fault: str) -> None:
        self.figures.faults[fault] = self.figures.faults.get(fault, 0) + 1
        self.trace.append(f"{self._now()} {fault}")
        what, _, who = fault.rpartition("-")
        host = SLAVE if who == "slave" else MASTER
        if fault == "cut":
            self.world.network.cut(MASTER, SLAVE)
            self._heal_later()
        elif fault == "freeze":
            self.world.network.freeze(MASTER, SLAVE)
            self._heal_later()
        elif fault == "jump":
            self.world.clock.jump(self.dice.choice((-864_000_000, -5_000, 5_000, 864_000_000)))
        elif fault == "commit":
            self._commit()
        elif host in self.brokers:
            self._down(what, host)

    def _heal_later(self) -> None:
        self.world.run_for(self.dice.choice((100, 3_000, 30_000)))
        self.world.network.heal()
        self.trace.append(f"{self._now()} healed")

    def _down(self, what: str, host: str) -> None:
        """One broker goes, in one of several ways, and is started again, at once or after a while."""
        if what == "power":
            # One machine at a time, and not before the other has everything on its disk.
            if not self._both_are_whole():
                return
            self.world.run_for(FLUSHED_MS)
            self._send(5)
        broker = self.brokers.pop(host)
        if what == "stop":
            broker.stop()
            broker.reactor.crash()
        elif what == "kill":
            broker.kill()
        else:
            broker.reactor.crash()
            broker.disk.crash(self.dice.choice(("all", "some")))
        self.world.run_for(self.dice.choice((0, 100, 2_000, 40_000)))
        if host == MASTER and SLAVE in self.brokers and self.dice.random() < 0.5:
            self._commit()
        self._start(host)
        if what == "power":
            self.world.run_for(FLUSHED_MS)

    def _both_are_whole(self) -> bool:
        self.world.run_for(SETTLED_MS)
        return len(self.brokers) == 2 and len(set(self._ends())) == 1

    def _ends(self) -> list[int]:
        return [broker.controller.store.max_physical_offset for broker in self.brokers.values()]

    def _commit(self) -> None:
        """A consumer commits where it is, at the master or, while that is away, at the slave."""
        broker = self.brokers.get(MASTER) or self.brokers.get(SLAVE)
        if broker is None:
            return
        queue_id = self.dice.randrange(QUEUES)
        offset = broker.controller.store.max_offset(TOPIC, queue_id)
        fields = {"consumerGroup": GROUP, "topic": TOPIC, "queueId": str(queue_id), "commitOffset": str(offset)}
        answer = broker.client().ask(RequestCode.UPDATE_CONSUMER_OFFSET, fields)
        if answer.code == ResponseCode.SUCCESS:
            # Written each 5 s, and copied to the slave each second: a commit is safe after that, as on Apache.
            self.world.run_for(SETTLED_MS)
            self.committed[queue_id] = max(offset, self.committed.get(queue_id, 0))
            self.trace.append(f"{self._now()} committed {offset} of queue {queue_id}")

    def _start(self, host: str) -> None:
        self.brokers[host] = Broker(self._settings[host], world=self.world, disk=self.disks[host])
        self.trace.append(f"{self._now()} {host} started")

    def _everything_comes_back(self) -> None:
        self.world.network.heal()
        self.trace.append(f"{self._now()} the end: everything is mended")
        self.world.run_for(60_000)

    # -- what must hold

    def _check(self) -> None:
        master, slave = self.brokers[MASTER], self.brokers[SLAVE]
        log, copy = self._log(master), self._log(slave)
        if log != copy:
            raise Violation(f"the slave's log ({len(copy)} bytes) is not its master's ({len(log)} bytes)")
        for broker in (master, slave):
            self._check_messages(broker)
        self._check_offsets(master)

    def _check_messages(self, broker: Broker) -> None:
        found = {queue_id: self._read(broker, queue_id) for queue_id in range(QUEUES)}
        taken: dict[tuple[int, int], bytes] = {}
        for one in self.acknowledged:
            place = (one.queue_id, one.queue_offset)
            if taken.setdefault(place, one.body) != one.body:
                raise Violation(f"two messages were acknowledged with number {place[1]} of queue {place[0]}")
            if found[one.queue_id].get(one.queue_offset) != one.body:
                name = broker.controller.config.broker_id
                raise Violation(f"broker {name} lost message {one.body[:8]!r}, number {place[1]} of queue {place[0]}")

    @staticmethod
    def _read(broker: Broker, queue_id: int) -> dict[int, bytes]:
        store = broker.controller.store
        found: dict[int, bytes] = {}
        offset, end = store.min_offset(TOPIC, queue_id), store.max_offset(TOPIC, queue_id)
        while offset < end:
            result = store.get(TOPIC, queue_id, offset, 32)
            for frame in result.frames:
                found.update({one.queue_offset: one.body for one in decode_records(bytes(frame))})
            if result.next_begin_offset <= offset:
                raise Violation(f"reading queue {queue_id} stands still at {offset}: {result.status}")
            offset = result.next_begin_offset
        missing = sorted(set(range(store.min_offset(TOPIC, queue_id), end)) - set(found))
        if missing:
            raise Violation(f"queue {queue_id} is not dense: {missing[:5]} of {end} have no message")
        return found

    def _check_offsets(self, master: Broker) -> None:
        for queue_id, offset in self.committed.items():
            now = master.controller.context.offsets.query(GROUP, TOPIC, queue_id)
            if now < offset:
                raise Violation(f"the offset of queue {queue_id} went back from {offset} to {now}")

    @staticmethod
    def _log(broker: Broker) -> bytes:
        store = broker.controller.store
        parts: list[bytes] = []
        offset = store.min_physical_offset
        while part := bytes(store.read_log(offset, 1 << 20)):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _now(self) -> str:
        return f"{self.world.clock.monotonic_ms():>9} ms"

    @staticmethod
    def _at(host: str, settings: Settings) -> Settings:
        names = f"{ADDRESS[0]}:{ADDRESS[1]}"
        return {"brokerIP1": host, "brokerIP2": host, "bindAddress": host, "namesrvAddr": names, **settings}
