# SPDX-License-Identifier: Apache-2.0
"""A master and its slaves in sync double write, with a name server, their load, and what each of them gives out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.figures import Figures
from tests.interop.harness.waiting import wait_for

from .load import DELAYED_QUEUES, DELAYED_TOPIC, QUEUES, TOPIC, Ledger, Load
from .nodes import (
    assert_equal_logs,
    configure_broker,
    create_topic,
    ha_port_of,
    start_together,
    wait_in_sync,
    wait_topic,
)
from .read_back import ReadBack

if TYPE_CHECKING:
    import random

    from tests.interop.harness.server import Server

    from .nodes import Nodes
    from .relay import Relay

DELIVERED_WITHIN_S = 60.0


class Pair:
    """Up, and every slave in sync. The first slave follows through the relay, where there is one."""

    def __init__(
        self,
        nodes: Nodes,
        dice: random.Random,
        *,
        slaves: int = 1,
        in_sync_replicas: int = 2,
        relay: Relay | None = None,
    ) -> None:
        names = nodes.name_server().address
        self.dice = dice
        self.ledger = Ledger()
        self.load = Load(dice, self.ledger)
        self.figures = Figures()
        self.master = nodes.broker("broker-a")
        configure_broker(
            self.master,
            namesrvAddr=names,
            brokerRole="SYNC_MASTER",
            inSyncReplicas=str(in_sync_replicas),
            flushDelayOffsetInterval="1000",
        )
        if relay is not None:
            relay.target = ha_port_of(self.master)
        self.slaves = [nodes.broker(f"broker-a-s{number}") for number in range(1, slaves + 1)]
        for number, slave in enumerate(self.slaves, 1):
            settings = {"brokerRole": "SLAVE", "brokerId": str(number), "slaveReadEnable": "true"}
            if relay is not None and slave is self.slave:
                settings["haMasterAddress"] = f"127.0.0.1:{relay.port}"
            configure_broker(slave, namesrvAddr=names, **settings)
        self._read_backs = {server.name: ReadBack(self.ledger) for server in self.servers}
        start_together(self.servers)
        create_topic(self.master, TOPIC, QUEUES)
        create_topic(self.master, DELAYED_TOPIC, DELAYED_QUEUES)
        for slave in self.slaves:
            wait_topic(slave, TOPIC)
            wait_topic(slave, DELAYED_TOPIC)
        wait_in_sync(self.master, *self.slaves)

    @property
    def servers(self) -> list[Server]:
        return [self.master, *self.slaves]

    @property
    def slave(self) -> Server:
        return self.slaves[0]

    def acknowledge(self, more: int) -> None:
        """Loads the master until so many more are acknowledged; the load is still connected afterwards."""
        wanted = self.ledger.count + more
        self.load.connect(self.master.address)
        self.load.run(lambda: self.ledger.count >= wanted)

    def read_back(self, server: Server) -> None:
        """Everything acknowledged is at this broker, at its place."""
        read_back = self._read_backs[server.name]
        read_back.read(server.address)
        missing = read_back.missing()
        assert not missing, f"{server.name} lacks {len(missing)} acknowledged messages, the first: {missing[:3]}"
        assert not read_back.duplicated
        assert not read_back.out_of_order

    def restart(self, *servers: Server) -> None:
        """After their death, in this order; counts the times until they answer."""
        self.figures.recovery_s += start_together(list(servers))

    def converge(self) -> float:
        """All run again, nothing is sent: in sync, logs equal, everything readable everywhere. Seconds until in
        sync."""
        seconds = wait_in_sync(self.master, *self.slaves)
        assert_equal_logs(self.master, *self.slaves)
        for server in self.servers:
            self.read_back(server)
        return seconds

    def finish(self) -> str:
        """At the end: also what was delayed has come, at every broker. The figures as text."""
        for server in self.servers:
            wait_for(
                f"delivery of every delayed message at {server.name}",
                lambda server=server: self._all_delivered(server),  # type: ignore[misc]
                within_s=DELIVERED_WITHIN_S,
                detail=server.tail,
            )
        self.converge()
        of_master = self._read_backs[self.master.name]
        of_master.add_to(self.figures)
        other = dict(self.ledger.codes)
        return f"{self.figures.text()}; delayed ones delivered again {of_master.delivered_again}, other answers {other}"

    def _all_delivered(self, server: Server) -> bool:
        read_back = self._read_backs[server.name]
        read_back.read(server.address)
        return not read_back.undelivered()
