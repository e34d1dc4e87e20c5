# SPDX-License-Identifier: Apache-2.0
"""Master and slave on real files and real sockets, in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.ha.memory_log import CannotTell
from tests.engine.store.store_case import message

from rmq.runtime.asyncio_reactor import AsyncioReactor
from rmq.runtime.system_disk import SystemDisk
from rmq.store import BrokerRole, MessageStore, PutResult, PutStatus, StoreConfig
from rmq.store.ha import HaClient, HaConfig, HaService

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEADLINE_MS = 20_000
LOOK_MS = 10


def store(reactor: AsyncioReactor, root: Path, role: BrokerRole) -> MessageStore:
    config = StoreConfig(
        root=root,
        mapped_file_size_commit_log=1 << 20,
        broker_role=role,
        broker_id=1 if role is BrokerRole.SLAVE else 0,
        in_sync_replicas=2,
    )
    opened = MessageStore(config, SystemDisk(), reactor)
    opened.load()
    opened.start()
    return opened


def run_until(reactor: AsyncioReactor, condition: Callable[[], bool]) -> None:
    """Run the loop until condition holds. Fails after DEADLINE_MS of real time."""
    deadline_ms = reactor.clock.monotonic_ms() + DEADLINE_MS

    def look() -> None:
        if condition() or reactor.clock.monotonic_ms() > deadline_ms:
            reactor.stop()
        else:
            reactor.call_later(LOOK_MS, look)

    reactor.call_soon(look)
    reactor.run()
    assert condition(), f"not within {DEADLINE_MS} ms"


def test_sync_double_write_over_loopback(tmp_path: Path) -> None:
    with AsyncioReactor() as reactor:
        master = store(reactor, tmp_path / "master", BrokerRole.SYNC_MASTER)
        slave = store(reactor, tmp_path / "slave", BrokerRole.SLAVE)
        ha_service = HaService(
            master,
            HaConfig(ha_listen_port=0, in_sync_replicas=2),
            reactor,
            is_allowed=lambda host: host == "127.0.0.1",
            on_confirmed=master.replicated,
        )
        ha_service.start()
        ha_client = HaClient(slave, HaConfig(), reactor, master_log=CannotTell(), on_connected=lambda address: None)
        ha_client.update_ha_master_address("{}:{}".format(*ha_service.address))
        results: list[PutResult] = []
        for number in range(3000):
            master.put(message(number, size_bytes=1024), results.append)
        ha_client.start()
        run_until(reactor, lambda: len(results) == 3000)
        assert {one.status for one in results} == {PutStatus.OK}
        assert slave.max_physical_offset == master.max_physical_offset > 3 << 20
        assert slave.max_offset("T", 0) == 3000
        ha_client.shutdown()
        ha_service.shutdown()
        master.shutdown()
        slave.shutdown()
    for file in sorted((tmp_path / "master" / "commitlog").iterdir()):
        copy = tmp_path / "slave" / "commitlog" / file.name
        assert copy.read_bytes() == file.read_bytes()


def test_a_taken_port_is_an_error_of_the_start(tmp_path: Path) -> None:
    with AsyncioReactor() as reactor:
        taken = reactor.listen("127.0.0.1", 0, lambda: pytest.fail("nobody connects"))
        log = store(reactor, tmp_path, BrokerRole.SYNC_MASTER)
        ha_service = HaService(
            log,
            HaConfig(ha_listen_port=taken.address[1]),
            reactor,
            is_allowed=lambda host: True,
            on_confirmed=log.replicated,
        )
        with pytest.raises(OSError, match=str(taken.address[1])):
            ha_service.start()
        log.shutdown()
