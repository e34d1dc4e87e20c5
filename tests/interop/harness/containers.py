# SPDX-License-Identifier: Apache-2.0
"""A cluster whose hosts are Docker containers: killing a master takes its whole host away."""

from __future__ import annotations

import functools
import subprocess
from dataclasses import dataclass

from . import failover, wire
from .waiting import wait_for

_REGISTERED_DEADLINE_S = 90.0


@dataclass(frozen=True)
class ContainerBroker:
    """A broker that is the only node of its container."""

    container: str
    broker_name: str
    broker_id: int
    address: str

    @property
    def is_alive(self) -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", self.container) == "true"

    def kill(self) -> None:
        docker("kill", self.container)

    def start(self) -> None:
        docker("start", self.container)


@dataclass(frozen=True)
class ContainerCluster:
    """Pairs of containers; `namesrvs` are the addresses of the name servers."""

    namesrvs: tuple[str, ...]
    brokers: tuple[ContainerBroker, ...]

    @property
    def namesrv_addr(self) -> str:
        return ";".join(self.namesrvs)

    def masters(self) -> list[ContainerBroker]:
        return [broker for broker in self.brokers if broker.broker_id == 0]

    def slave_of(self, master: failover.Member) -> ContainerBroker:
        return next(
            broker for broker in self.brokers if broker.broker_name == master.broker_name and broker.broker_id != 0
        )

    def bring_back(self, master: failover.Member) -> None:
        """Starts the host; everything on it has to come up by itself."""
        broker = next(broker for broker in self.brokers if broker is master)
        broker.start()
        for namesrv in self.namesrvs:
            wait_for(
                f"registration of {broker.container} at {namesrv}",
                functools.partial(wire.lists_broker, namesrv, broker.broker_name, broker.broker_id, broker.address),
                within_s=_REGISTERED_DEADLINE_S,
                detail=functools.partial(docker, "logs", "--tail", "20", broker.container),
            )
        wait_for(
            f"slave of {broker.container} in sync",
            lambda: wire.in_sync_slaves(broker.address) >= 1,
            within_s=_REGISTERED_DEADLINE_S,
        )


def docker(*args: str) -> str:
    return subprocess.run(["docker", *args], check=True, capture_output=True, text=True).stdout.strip()
