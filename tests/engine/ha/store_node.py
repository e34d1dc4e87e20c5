# SPDX-License-Identifier: Apache-2.0
"""Brokers without remoting: a real store on a fake disk, and the HA side of its role, on a network in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tests.engine.fakes import FakeDisk, FakeReactor, FakeWorld
from tests.engine.store.store_case import LOG_FILE_BYTES, QUEUE_FILE_BYTES, ROOT

from rmq.store import BrokerRole, MessageStore, MessageToStore, PutResult, StoreConfig
from rmq.store.ha import HaClient, HaConfig, HaService
from rmq.store.ha.log_comparison import LogState, log_crc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rmq.store.ha.log_comparison import Range

MASTER = "192.0.2.21"
SLAVE = "192.0.2.22"
OTHER_SLAVE = "192.0.2.23"


#: The master that runs, or ran last, in each world.
MASTERS: WeakKeyDictionary[FakeWorld, Master] = WeakKeyDictionary()


class MasterLog:
    """`PeerLog` without remoting: the master's answer comes in a later tick."""

    def __init__(self, slave: Slave) -> None:
        self._slave = slave

    def ask(self, wanted: Range, answered: Callable[[LogState | None, str], None], *, verify: bool = False) -> None:
        master = MASTERS.get(self._slave.world)
        if master is None:
            answered(None, "")
            return
        store = master.store
        whole = store.whole_physical_offset
        crc = log_crc(store, wanted)
        damaged = store.mending.check(*wanted) if verify and crc >= 0 else 0
        state = LogState(store.min_physical_offset, store.max_physical_offset, whole, crc, damaged)
        self._slave.reactor.call_soon(lambda: answered(state, ""))


class Node:
    """One life of a broker on a disk that outlives it."""

    def __init__(self, world: FakeWorld, host: str, disk: FakeDisk | None, broker_id: int, settings: Any) -> None:
        self.world = world
        self.host = host
        self.disk = disk if disk is not None else FakeDisk()
        self.reactor: FakeReactor = world.reactor(host)
        self.config = StoreConfig(
            root=ROOT,
            broker_id=broker_id,
            mapped_file_size_commit_log=LOG_FILE_BYTES,
            mapped_file_size_consume_queue=QUEUE_FILE_BYTES,
            max_hash_slot_num=100,
            max_index_num=400,
            **settings,
        )
        self.store = MessageStore(self.config, self.disk, self.reactor)
        self.store.load()
        self.store.start()

    @property
    def log(self) -> bytes:
        """Every byte of the log, from its first file on."""
        parts = []
        offset = self.store.min_physical_offset
        while part := bytes(self.store.read_log(offset, LOG_FILE_BYTES)):
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def kill(self) -> FakeDisk:
        """kill -9: what was written stays."""
        self.reactor.crash()
        self.disk.kill()
        return self.disk

    def lose_power(self, lose: str = "all") -> FakeDisk:
        """What was not synced is gone, all of it or some of it."""
        self.reactor.crash()
        self.disk.crash(lose)
        return self.disk


class Master(Node):
    def __init__(
        self,
        world: FakeWorld,
        disk: FakeDisk | None = None,
        *,
        role: BrokerRole = BrokerRole.SYNC_MASTER,
        in_sync_replicas: int = 2,
    ) -> None:
        super().__init__(world, MASTER, disk, 0, {"broker_role": role, "in_sync_replicas": in_sync_replicas})
        self.results: list[PutResult] = []
        MASTERS[world] = self
        self.ha_service = HaService(
            self.store,
            HaConfig(listen_hosts=(MASTER,), in_sync_replicas=in_sync_replicas),
            self.reactor,
            is_allowed=lambda host: True,
            on_confirmed=self.store.replicated,
        )
        self.ha_service.start()

    def put(self, messages: Iterable[MessageToStore]) -> None:
        """In one tick; `results` gets the answers as they come."""
        for message in messages:
            self.store.put(message, self.results.append)

    def stop(self) -> FakeDisk:
        self.ha_service.shutdown()
        self.store.shutdown()
        self.reactor.crash()
        return self.disk


class Slave(Node):
    def __init__(
        self, world: FakeWorld, disk: FakeDisk | None = None, *, host: str = SLAVE, broker_id: int = 1, **settings: Any
    ) -> None:
        super().__init__(world, host, disk, broker_id, {"broker_role": BrokerRole.SLAVE, **settings})
        config = HaConfig(report_after_flush=self.config.waits_for_flush)
        self.ha_client = HaClient(
            self.store, config, self.reactor, master_log=MasterLog(self), on_connected=lambda address: None
        )
        self.ha_client.update_ha_master_address(f"{MASTER}:10912")
        self.ha_client.start()

    def stop(self) -> FakeDisk:
        self.ha_client.shutdown()
        self.store.shutdown()
        self.reactor.crash()
        return self.disk
