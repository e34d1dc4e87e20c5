# SPDX-License-Identifier: Apache-2.0
"""A whole cluster of one engine on loopback.

It is up when every name server lists every broker and every slave is in sync.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import wire
from .engine import BROKER_BOOT_LINE, NAMESRV_BOOT_LINE, Engine
from .mode import BrokerPlan, plan
from .ports import free_broker_port, free_port
from .server import Server
from .waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from . import failover

_LOOPBACK = "127.0.0.1"
_TOPIC_QUEUES = 4
# A broker registers at its start and then every 10 s (`registerNameServerPeriod` in mode.py); twice that, and air.
_REGISTERED_DEADLINE_S = 40.0
# A Java slave asks the name server for its master at registration and then connects within 5 s.
_IN_SYNC_DEADLINE_S = 60.0
# A Java slave copies the master's topics once a minute.
_TOPIC_AT_SLAVE_DEADLINE_S = 75.0


@dataclass
class Broker:
    plan: BrokerPlan
    server: Server
    engine: Engine
    """Whose program starts it next."""

    @property
    def node(self) -> str:
        return self.plan.node

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def broker_name(self) -> str:
        return self.plan.broker_name

    @property
    def is_alive(self) -> bool:
        return self.server.is_alive

    def kill(self) -> None:
        self.server.kill()


class Cluster:
    """Name servers and brokers, all of one engine unless another is named. A context: what it started, it ends."""

    def __init__(
        self,
        engine: Engine,
        directory: Path,
        mode: str,
        *,
        namesrv_count: int = 1,
        namesrv_engines: tuple[Engine, ...] = (),
        slave_engines: tuple[Engine, ...] = (),
        settings: Mapping[str, str] | None = None,
        commit_logs: int = 1,
        broker_ip: str = _LOOPBACK,
    ) -> None:
        """namesrv_engines: one name server of each, instead of namesrv_count of the brokers' own. slave_engines: one
        slave of each under every master. settings: more of them for every broker. commit_logs: how many directories a
        commit log has. broker_ip: where the brokers are."""
        self.engine = engine
        self._slave_engines = slave_engines or (engine,)
        self.mode = mode
        self.settings = dict(settings or {})
        self._broker_ip = broker_ip
        self._commit_logs = tuple(f"commitlog-{i}" if i else "commitlog" for i in range(commit_logs))
        self.directory = directory
        engines = namesrv_engines or (engine,) * namesrv_count
        self.namesrvs = [self._namesrv(f"ns-{i + 1}", one) for i, one in enumerate(engines)]
        self.brokers = {broker.node: broker for broker in map(self._broker, plan(mode, len(self._slave_engines)))}

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *unused: object) -> None:
        for server in self.servers():
            server.end()

    @property
    def _uses_tls(self) -> bool:
        return self.engine.tls is not None

    @property
    def namesrv_addr(self) -> str:
        return ";".join(namesrv.address for namesrv in self.namesrvs)

    def servers(self) -> Iterable[Server]:
        yield from (broker.server for broker in self.brokers.values())
        yield from self.namesrvs

    def masters(self) -> list[Broker]:
        return [broker for broker in self.brokers.values() if broker.plan.broker_id == 0]

    def slaves(self) -> list[Broker]:
        return [broker for broker in self.brokers.values() if broker.plan.broker_id != 0]

    def slaves_of(self, master: failover.Member) -> list[Broker]:
        return [slave for slave in self.slaves() if slave.broker_name == master.broker_name]

    def slave_of(self, master: failover.Member) -> Broker:
        """The first one: clients turn to it when the master is gone."""
        return self.slaves_of(master)[0]

    def bring_back(self, master: failover.Member) -> None:
        self.start_brokers([broker for broker in self.masters() if broker is master])

    def start(self) -> Cluster:
        """Name servers, masters, slaves; returns when all are registered everywhere and the slaves are in sync."""
        self._start(self.namesrvs)
        self.start_brokers(self.masters())
        self.start_brokers(self.slaves())
        return self

    def start_brokers(self, brokers: list[Broker]) -> None:
        """Starts these brokers and waits until they are what the others expect of them."""
        self._start([broker.server for broker in brokers])
        for broker in brokers:
            self.wait_registered(broker)
        for master in self.masters():
            if any(self._replicate(master, broker) for broker in brokers):
                self.wait_in_sync(master)

    def hand_over(self, broker: Broker, engine: Engine) -> None:
        """The broker has ended; its next start is by that engine, on the same files."""
        was = broker.server
        options = was.argv[len(broker.engine.argv("mqbroker", was.directory)) :]
        argv = [*engine.argv("mqbroker", was.directory), *options]
        broker.engine = engine
        broker.server = Server(was.name, was.address, argv, engine.env(was.directory), was.directory, was.boot_line)

    def wait_registered(self, broker: Broker) -> None:
        wait_for(
            f"registration of {broker.node} at every name server",
            lambda: all(
                wire.lists_broker(
                    namesrv.address,
                    broker.broker_name,
                    broker.plan.broker_id,
                    broker.address,
                    encrypted=self._uses_tls,
                )
                for namesrv in self.namesrvs
            ),
            within_s=_REGISTERED_DEADLINE_S,
            detail=broker.server.tail,
        )

    def wait_in_sync(self, master: Broker) -> None:
        """Code 907 at the master: the slaves that run are connected and have everything."""
        running = sum(slave.is_alive for slave in self.slaves_of(master))
        wait_for(
            f"{running} slaves of {master.node} in sync",
            lambda: wire.in_sync_slaves(master.address, encrypted=self._uses_tls) >= running,
            within_s=_IN_SYNC_DEADLINE_S,
            detail=self.tails,
        )

    def create_topic(self, topic: str) -> None:
        """Creates a topic on every master and waits for its route, and for the slaves, which refuse to serve a topic
        they do not know. A start of mqadmin for it would take longer than some cases do."""
        masters = self.masters()
        for master in masters:
            answer = wire.create_topic(master.address, topic, queues=_TOPIC_QUEUES)
            assert answer.code == 0, f"{master.node} refused {topic}: {answer}"
        for namesrv in self.namesrvs:
            wait_for(
                f"route of {topic} at {namesrv.name}",
                functools.partial(wire.routes_to, namesrv.address, topic, {one.broker_name for one in masters}),
                within_s=_REGISTERED_DEADLINE_S,
                detail=self.tails,
            )
        for slave in self.slaves():
            wait_for(
                f"topic {topic} at {slave.node}",
                functools.partial(wire.knows_topic, slave.address, topic),
                within_s=_TOPIC_AT_SLAVE_DEADLINE_S,
                detail=slave.server.tail,
            )

    def tails(self) -> str:
        return "\n".join(server.tail() for server in self.servers())

    def _replicate(self, master: Broker, broker: Broker) -> bool:
        """Whether `broker` is in a pair with `master`, and another of the pair runs."""
        if broker.broker_name != master.broker_name or not self.slaves():
            return False
        return master.is_alive and any(slave.is_alive for slave in self.slaves_of(master))

    @staticmethod
    def _start(servers: list[Server]) -> None:
        for server in servers:
            server.start()
        for server in servers:
            server.wait_booted()

    def _namesrv(self, name: str, engine: Engine) -> Server:
        directory = self._directory(name)
        port = free_port()
        conf = directory / "namesrv.conf"
        _write(conf, {"listenPort": str(port), "bindAddress": _LOOPBACK, **engine.settings})
        argv = [*engine.argv("mqnamesrv", directory), "-c", str(conf)]
        return Server(name, f"{_LOOPBACK}:{port}", argv, engine.env(directory), directory, NAMESRV_BOOT_LINE)

    def _broker(self, broker: BrokerPlan) -> Broker:
        directory = self._directory(broker.node)
        port = free_broker_port()
        settings = (
            broker.settings
            | self.settings
            | {
                "brokerName": broker.broker_name,
                "brokerId": str(broker.broker_id),
                "brokerIP1": self._broker_ip,
                "brokerIP2": self._broker_ip,
                "listenPort": str(port),
                "haListenPort": str(port + 1),
                "storePathRootDir": str(directory / "store"),
                "storePathCommitLog": ",".join(str(directory / "store" / name) for name in self._commit_logs),
            }
        )
        conf = directory / "broker.conf"
        engine = self._slave_engines[broker.broker_id - 1] if broker.broker_id else self.engine
        if self._uses_tls:
            settings["useTLS"] = "true"
        _write(conf, settings | engine.settings)
        argv = [*engine.argv("mqbroker", directory), "-n", self.namesrv_addr, "-c", str(conf)]
        address = f"{self._broker_ip}:{port}"
        server = Server(broker.node, address, argv, engine.env(directory), directory, BROKER_BOOT_LINE)
        return Broker(broker, server, engine)

    def _directory(self, name: str) -> Path:
        directory = self.directory / name
        (directory / "home").mkdir(parents=True)
        return directory


def _write(conf: Path, settings: dict[str, str]) -> None:
    conf.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
