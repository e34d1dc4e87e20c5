# SPDX-License-Identifier: Apache-2.0
"""One run of a pair under faults, decided by a seed alone: work and faults by turns, checks after each, everything
mended at the end, and the last checks."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .checks import Checks
from .machines import FLUSHED_MS, MASTER, SETTLED_MS, Machines
from .plans import PLANS, Plan
from .workload import Figures, Violation, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PLANS", "Figures", "Plan", "Simulation", "Violation"]

EVENTS = 40
#: Ten days, and what NTP does.
JUMPS_MS = (-864_000_000, -5_000, 5_000, 864_000_000)
LATENCIES_MS = (1, 40, 700, 2_500)
#: Two rounds of asking for the outcome of transactions, and what was delayed longest.
LAST_ROUNDS = 4
ROUND_MS = 30_000


class Simulation:
    def __init__(self, seed: int, plan: Plan) -> None:
        self.seed = seed
        self.plan = plan
        self.dice = random.Random(f"{plan.name}/{seed}")
        self.machines = Machines(plan, self.dice)
        self.world = self.machines.world
        self.workload = Workload(self.machines)
        self.checks = Checks(self.machines, self.workload)

    @property
    def trace(self) -> list[str]:
        return self.machines.trace

    def run(self) -> Figures:
        """Raises Violation, whose text has the seed and all that was done."""
        try:
            for host in self.machines.hosts:
                self.machines.start(host)
            self.world.run_for(SETTLED_MS)
            self.workload.begin()
            self.world.run_for(SETTLED_MS)
            for _ in range(EVENTS):
                self._event()
                self.checks.after_an_event()
            self._everything_comes_back()
            self.checks.at_the_end()
        except Exception as error:
            done = "\n".join(self.trace)
            text = f"plan {self.plan.name}, seed {self.seed}: {type(error).__name__}: {error}\n{done}"
            raise Violation(text) from error
        return self.workload.figures

    def _event(self) -> None:
        kind = self.dice.random()
        if kind < 0.45:
            self.workload.send(self.dice.randrange(1, 30))
        elif kind < 0.65:
            self.dice.choice(
                (
                    *(self.workload.read, self.workload.commit, self.workload.commit),
                    *(self.workload.change_topic, self.workload.change_topic, self.workload.make_group),
                )
            )()
        else:
            self._fault(self.dice.choice(self.plan.faults))
        self.machines.wait(0, 1, 20, 300, 2_000, 7_000)
        self.workload.beat()
        self.workload.answer_checks()
        self.machines.end_failed()

    # -- faults: each leaves everything running and in reach

    def _fault(self, fault: str) -> None:
        faults = self.workload.figures.faults
        faults[fault] = faults.get(fault, 0) + 1
        self.machines.note(fault)
        what, _, who = fault.rpartition("-")
        host = {"slave": self.machines.slave, "master": MASTER}.get(who, "")
        wires: dict[str, Callable[[], None]] = {
            "cut": lambda: self.world.network.cut(*self.machines.two()),
            "freeze": lambda: self.world.network.freeze(*self.machines.two()),
            "half-open": lambda: self.world.network.freeze(*self.machines.two(), one_way=True),
            "delay": lambda: self.world.network.delay(*self.machines.two(), self.dice.choice(LATENCIES_MS)),
            "hang": lambda: self.machines.hang(self.dice.choice(self.machines.hosts)),
        }
        alone: dict[str, Callable[[], None]] = {
            "kill-name-server": self.machines.restart_name_server,
            "jump": lambda: self.world.clock.jump(self.dice.choice(JUMPS_MS)),
            "blackout": self._blackout,
            "power-both": self._power_both,
            "lost-master": self._lost_master,
            "fresh-slave": lambda: self._fresh_slave(host),
        }
        on_host: dict[str, Callable[[str], None]] = {
            "kill": lambda host: self._down(host, self.machines.kill),
            "stop": lambda host: self._down(host, self.machines.stop),
            "power": self._power,
            "power-any": lambda host: self._down(host, self.machines.lose_power),
            "flip-killed": lambda host: self._flip(host, self.machines.kill),
            "flip-stopped": lambda host: self._flip(host, self.machines.stop),
            "full": self._full,
            "sync-fails": self._sync_fails,
        }
        if fault in wires:
            self._while_broken(wires[fault])
        elif fault in alone:
            alone[fault]()
        else:
            on_host[what](host)

    def _while_broken(self, fault: Callable[[], None]) -> None:
        fault()
        if self.dice.random() < 0.5:
            self.workload.send(10)
        if self.dice.random() < 0.3:
            # Nothing is committed at a slave that its master may not reach when it is back.
            self._down(self.dice.choice(self.machines.hosts), self.machines.kill, (self.workload.read,))
        self.machines.heal_later()

    def _down(
        self, host: str, end: Callable[[str], None], meanwhile: tuple[Callable[[], None], ...] | None = None
    ) -> None:
        """One broker goes, and is started again, at once or after a while."""
        end(host)
        self.machines.wait(0, 100, 2_000, 40_000)
        for _ in range(self.dice.randrange(3)):
            self.dice.choice(meanwhile or (self.workload.read, self.workload.commit))()
        self.machines.start(host)

    def _power(self, host: str) -> None:
        """One machine at a time, and not before the others have everything on their disks."""
        if not self.machines.are_whole():
            return
        self.world.run_for(FLUSHED_MS)
        self.workload.send(5)
        self._down(host, self.machines.lose_power)
        self.world.run_for(FLUSHED_MS)

    def _blackout(self) -> None:
        """The master loses power while the processes of its slaves end too; all come back, in any order."""
        if not self.machines.are_whole():
            return
        self.workload.send(5)
        self.machines.lose_power(MASTER)
        for host in self.machines.slaves:
            self.machines.kill(host)
        self._return_together()
        self.world.run_for(FLUSHED_MS)

    def _power_both(self) -> None:
        self.workload.send(5)
        for host in self.machines.hosts:
            self.machines.lose_power(host)
        self._return_together()

    def _return_together(self) -> None:
        """Within moments of each other: each start takes its own time, as processes do."""
        hosts = list(self.machines.hosts)
        self.dice.shuffle(hosts)
        self.machines.start_together({host: self.dice.choice((0, 200, 3_000)) for host in hosts})

    def _lost_master(self) -> None:
        # A slave without a message has nothing to lose.
        if not self.workload.figures.acknowledged or not self.machines.are_whole() or self.machines.is_damaged():
            return
        self.machines.lose_disk(MASTER)
        self.machines.wait(0, 2_000)
        self.machines.rebuild_master()
        self.world.run_for(SETTLED_MS)

    def _fresh_slave(self, host: str) -> None:
        if not self.machines.are_whole() or self.machines.is_damaged():
            return
        self.machines.lose_disk(host)
        self.machines.wait(0, 2_000)
        self.machines.start(host)
        self.workload.send(5)
        self.world.run_for(SETTLED_MS)

    def _flip(self, host: str, end: Callable[[str], None]) -> None:
        """What a process has checked itself it serves as it is: bits go bad while none runs. Whoever reads the message
        finds the damage; some are left for others to find."""
        if not self.machines.are_whole() or self.machines.is_damaged():
            return
        end(host)
        self.machines.flip(host)
        self.machines.start(host)
        if self.dice.random() < 0.5:
            self.checks.read_all(host)
        self.machines.wait(0, 12_000, 25_000)

    def _full(self, host: str) -> None:
        disk = self.machines.disks[host]
        capacity = disk.capacity_bytes
        disk.capacity_bytes = disk.used_bytes + self.dice.choice((0, 4_096, 40_960))
        self.workload.send(20)
        self.machines.wait(300, 3_000, 12_000)
        self.workload.send(5)
        disk.capacity_bytes = capacity
        self.world.run_for(12_000)

    def _sync_fails(self, host: str) -> None:
        self.machines.disks[host].fail("datasync")
        self.workload.send(5)
        self.world.run_for(FLUSHED_MS)
        self.machines.end_failed()

    def _everything_comes_back(self) -> None:
        self.world.network.heal()
        self.machines.note("the end: everything is mended")
        for _ in range(LAST_ROUNDS):
            self.workload.beat()
            self.world.run_for(ROUND_MS)
            self.workload.answer_checks()
            self.world.run_for(1_000)
        self.workload.collect()
