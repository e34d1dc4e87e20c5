# SPDX-License-Identifier: Apache-2.0
"""The machines of one simulated pair, its name server, and all that can befall them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, NotStarted
from tests.engine.fakes import FakeDisk, FakeWorld, SimulatedCrash
from tests.engine.namesrv.harness import ADDRESS, NameServer

from rmq.broker.replication import SlaveReplication
from rmq.store.ha.ha_client import HaState
from rmq.store.message_store import REBUILD_FILE

if TYPE_CHECKING:
    import random

    from .plans import Plan, Settings

#: Made, filled and deleted again and again.
PASSING_TOPICS = ("Passing0", "Passing1")
#: The property at a record's end.
CHECKSUM_BYTES = 20
MASTER = "10.0.0.21"
SLAVES = ("10.0.0.22", "10.0.0.23")
NAME_SERVER = ADDRESS[0]
CLIENT = "10.0.0.9"
PORT = 12311
LOG = Path("/store/commitlog")
#: Every flush interval of a broker has passed after this: what is written is on the disks.
FLUSHED_MS = 25_000
#: A slave has seen its master's state, and the reverse.
SETTLED_MS = 6_000
HOURS_KEPT = 24 * 365
#: Half of a rebuild's writes are done with fewer than this.
REBUILD_WRITES_MAX = 60


class Machines:
    def __init__(self, plan: Plan, dice: random.Random) -> None:
        self.world = FakeWorld()
        self.dice = dice
        self.plan = plan
        self.slaves = SLAVES[: plan.slaves]
        self.hosts = (MASTER, *self.slaves)
        self.brokers: dict[str, Broker] = {}
        """Those that run."""
        self.disks = {host: self._new_disk() for host in self.hosts}
        self.trace: list[str] = []
        self.flipped: dict[str, list[tuple[int, int]]] = {host: [] for host in self.hosts}
        """Records whose bytes went bad on one disk and are perhaps not mended yet."""
        self.name_server = NameServer(world=self.world)

    def note(self, what: str) -> None:
        self.trace.append(f"{self.world.clock.monotonic_ms():>9} ms {what}")

    def wait(self, *choices_ms: int) -> None:
        self.world.run_for(self.dice.choice(choices_ms))

    @property
    def slave(self) -> str:
        return self.dice.choice(self.slaves)

    # -- processes

    def start(self, host: str, *, rebuild_from: str = "") -> None:
        self.brokers[host] = Broker(
            self._settings(host), world=self.world, disk=self.disks[host], rebuild_from=rebuild_from
        )
        self.note(f"{host} started {rebuild_from and 'from ' + rebuild_from}")

    def start_together(self, after_ms: dict[str, int]) -> None:
        """Start each as many milliseconds from now; some need the others to get on."""
        begun_ms = self.world.clock.monotonic_ms()
        for host, delay_ms in sorted(after_ms.items(), key=lambda item: item[1]):
            self.world.run_for(max(0, begun_ms + delay_ms - self.world.clock.monotonic_ms()))
            self.note(f"{host} begins to start")
            self.brokers[host] = Broker(self._settings(host), world=self.world, disk=self.disks[host], waits=False)
        self.world.run_until(lambda: all(self.brokers[host].refusal == "" for host in after_ms))

    def kill(self, host: str) -> None:
        self.note(f"{host} is killed")
        self.brokers.pop(host).kill()

    def stop(self, host: str) -> None:
        broker = self.brokers.pop(host)
        broker.stop()
        broker.reactor.crash()
        self.note(f"{host} has stopped")

    def lose_power(self, host: str) -> None:
        broker = self.brokers.pop(host)
        broker.reactor.crash()
        lost = self.dice.choice(("all", "some"))
        self.disks[host].crash(lost)
        self.note(f"{host} has lost power, and of what was not synced: {lost}")

    def end_failed(self) -> None:
        """A process whose disk failed has ended by itself, and the supervisor starts it again."""
        for host in [host for host in self.hosts if host in self.brokers and self.brokers[host].fatal]:
            self.note(f"{host} ended: {self.brokers[host].fatal[0]}")
            self.disks[host].heal()
            self.kill(host)
            self.wait(100, 2_000)
            self.start(host)

    def restart_name_server(self) -> None:
        self.name_server.reactor.crash()
        self.note("the name server is killed")
        self.wait(0, 500, 4_000)
        self.name_server = NameServer(world=self.world, disk=self.name_server.disk)

    # -- disks

    def flip(self, host: str) -> None:
        """One bit of a record goes bad, behind the back of the broker."""
        disk = self.disks[host]
        places = self._places(host)
        if not places:
            return
        start, size = self.dice.choice(places)
        # A record whose checksum is not named as such any more is one without (docs/replication.md).
        at = start + self.dice.randrange(size - CHECKSUM_BYTES)
        names = sorted(path for path in disk.files() if path.parent == LOG)
        path = max(name for name in names if int(name.name) <= at)
        position = at - int(path.name)
        byte = disk.files()[path][position] ^ 1 << self.dice.randrange(8)
        disk.corrupt(path, position, bytes((byte,)))
        self.flipped[host].append((start, start + size))
        self.note(f"bit flipped at {at} of {host} ")

    def _places(self, host: str) -> list[tuple[int, int]]:
        """Records that this host, which does not run, has as another one, and that somebody will read: damage in a
        deleted topic is nobody's."""
        store = next(iter(self.brokers.values())).controller.store
        return [
            (at, size)
            for topic, queue_ids in store.queues().items()
            if topic not in PASSING_TOPICS
            for queue_id in queue_ids
            for at, size, _ in store.units(topic, queue_id, store.min_offset(topic, queue_id), 1_000) or ()
            if size < 1 << 20
        ]

    def lose_disk(self, host: str) -> None:
        self.kill(host)
        self.disks[host] = self._new_disk()
        self.flipped[host].clear()
        self.note(f"{host} has an empty disk")

    def rebuild_master(self) -> None:
        """As an administrator does: the plain start is refused; the rebuild may be killed, and is repeated."""
        try:
            self.start(MASTER)
        except NotStarted as refusal:
            assert "--rebuild-from" in str(refusal), refusal
        else:
            raise AssertionError("an empty master has started beside a slave that has data")
        disk = self.disks[MASTER]
        for attempt in range(3):
            if attempt < 2 and self.dice.random() < 0.6:
                disk.crash_at = disk.mutations + self.dice.randrange(1, REBUILD_WRITES_MAX)
            known = list(self.world.reactors)
            try:
                self.start(MASTER, rebuild_from=f"{self.slave}:{PORT}")
            except SimulatedCrash as crash:
                self.note(f"the rebuild is killed at {crash}")
                for reactor in [one for one in self.world.reactors if one not in known]:
                    reactor.crash()
                disk.crash(self.dice.choice(("none", "some", "all")))
            except NotStarted as refusal:
                # The one before had come to its end when it was killed.
                assert attempt, refusal
                assert "start without it" in str(refusal), refusal
                assert not any(path.name == REBUILD_FILE for path in disk.files())
                disk.crash_at = None
                self.start(MASTER)
                return
            else:
                disk.crash_at = None
                return

    def _new_disk(self) -> FakeDisk:
        disk = FakeDisk()
        disk.random.seed(self.dice.random())
        return disk

    # -- wires

    def two(self) -> tuple[str, str]:
        """Two ends of a wire that carries something."""
        one, other = self.dice.sample((*self.hosts, NAME_SERVER, CLIENT), 2)
        return (MASTER, self.slave) if {one, other} == {NAME_SERVER, CLIENT} else (one, other)

    def hang(self, host: str) -> None:
        """A stopped process, as its peers see it."""
        for other in (*self.hosts, NAME_SERVER, CLIENT):
            if other != host:
                self.world.network.freeze(host, other)

    def heal_later(self) -> None:
        self.wait(100, 3_000, 30_000)
        self.world.network.heal()
        self.note("healed")

    # -- the state of the pair

    def follows(self, slave: str) -> bool:
        """The slave has compared its log with its master's and gets what is new."""
        broker = self.brokers.get(slave)
        if broker is None:
            return False
        replication = broker.controller.replication
        assert isinstance(replication, SlaveReplication)
        return replication.client.state is HaState.TRANSFER

    def are_whole(self) -> bool:
        """All run, and have the same log. Takes a while."""
        self.world.run_for(SETTLED_MS)
        ends = {broker.controller.store.max_physical_offset for broker in self.brokers.values()}
        return len(self.brokers) == len(self.hosts) and len(ends) == 1 and all(map(self.follows, self.slaves))

    def is_damaged(self) -> bool:
        """Some record that went bad on one disk is not again what the others have."""
        for host, ranges in self.flipped.items():
            others = [broker for other, broker in self.brokers.items() if other != host]
            if host in self.brokers and others:
                ranges[:] = [one for one in ranges if _bytes(self.brokers[host], one) != _bytes(others[0], one)]
        return any(self.flipped.values())

    def _settings(self, host: str) -> Settings:
        others = ";".join(one for one in self.hosts if one != host)
        names = f"{ADDRESS[0]}:{ADDRESS[1]}"
        here: Settings = {"brokerIP1": host, "brokerIP2": host, "bindAddress": host, "namesrvAddr": names}
        # Clocks jump by ten days, which makes nothing old while a broker runs; one that starts has the time it is told.
        here |= {"haPeers": others, "listenPort": PORT, "slaveReadEnable": True, "fileReservedTime": HOURS_KEPT}
        if host == MASTER:
            return {**here, **self.plan.master, "brokerId": 0}
        return {**here, **self.plan.slave, "brokerRole": "SLAVE", "brokerId": self.hosts.index(host)}


def _bytes(broker: Broker, place: tuple[int, int]) -> bytes:
    start, end = place
    return bytes(broker.controller.store.read_log(start, end - start))
