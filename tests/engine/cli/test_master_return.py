# SPDX-License-Identifier: Apache-2.0
"""A pair of real processes on real disks: the master's disk is gone, and comes back from the slave."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.engine.cli.process import Process, Processes, free_port, processes, wait_for
from tests.engine.cli.test_servers import broker_conf, start_namesrv

from rmq.client.admin import AdminClient
from rmq.client.consumer import PullConsumer
from rmq.client.producer import OutgoingMessage, Producer
from rmq.remoting.errors import RemotingError

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 500


class Pair:
    def __init__(self, run: Processes) -> None:
        self.run = run
        self.namesrv_port, self.master_port, self.slave_port = free_port(), free_port(), free_port()
        self.names = f"127.0.0.1:{self.namesrv_port}"
        self.master_conf = self._conf(self.master_port, brokerRole="SYNC_MASTER", inSyncReplicas="2")
        self.slave_conf = self._conf(self.slave_port, brokerRole="SLAVE", brokerId="1", slaveReadEnable="true")
        start_namesrv(run, self.namesrv_port)
        self.master = self.start_master()
        self.start(self.slave_conf).wait_line("boot success")

    def _conf(self, port: int, **settings: str) -> Path:
        return broker_conf(self.run, port, haListenPort=str(port + 1), registerNameServerPeriod="10000", **settings)

    def start(self, conf: Path, *options: str) -> Process:
        return self.run.rmq("mqbroker", "-n", self.names, "-c", conf, *options)

    def start_master(self, *options: str) -> Process:
        process = self.start(self.master_conf, *options)
        process.wait_line("boot success")
        return process

    @property
    def store(self) -> Path:
        return self.run.directory / f"store-{self.master_port}"

    def is_in_sync(self) -> bool:
        with AdminClient(self.names) as admin:
            try:
                status = admin.ha_status(f"127.0.0.1:{self.master_port}")
            except RemotingError:
                return False
        return any(slave.in_sync and slave.diff == 0 for slave in status.ha_connection_info)

    def send(self, first: int, count: int) -> None:
        with AdminClient(self.names) as admin:
            producer = Producer(admin, "pg")
            for number in range(first, first + count):
                assert producer.send(OutgoingMessage("Rebuilt", b"%d" % number)).status.name == "SEND_OK"

    def received(self) -> set[int]:
        with AdminClient(self.names) as admin:
            consumer = PullConsumer(admin, "gc")
            found: set[int] = set()
            for queue in consumer.queues("Rebuilt"):
                offset, end = 0, consumer.max_offset(queue)
                while offset < end:
                    result = consumer.pull(queue, offset)
                    found |= {int(message.body) for message in result.messages}
                    offset = result.next_begin_offset
            return found


def test_a_master_without_its_disk_is_refused_and_then_rebuilt_from_its_slave(tmp_path: Path) -> None:
    with processes(tmp_path) as run:
        pair = Pair(run)
        wait_for("the slave in sync", pair.is_in_sync)
        pair.send(0, COUNT)
        pair.master.kill()
        shutil.rmtree(pair.store)

        refused = pair.start(pair.master_conf)
        assert refused.wait() == 1
        said = "".join(refused.output)
        assert f"start this master once with --rebuild-from 127.0.0.1:{pair.slave_port}" in said

        pair.start_master("--rebuild-from", f"127.0.0.1:{pair.slave_port}")
        wait_for("the slave in sync", pair.is_in_sync)
        assert pair.received() == set(range(COUNT))
        pair.send(COUNT, 10)
        assert pair.received() == set(range(COUNT + 10))
