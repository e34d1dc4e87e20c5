# SPDX-License-Identifier: Apache-2.0
"""How fast a slave without a byte catches up with its master's log on loopback: real processes, real disks.

    python benchmarks/replication.py                     this engine, 1 KiB and 128 B bodies
    python benchmarks/replication.py --apache            Apache's 5.4.0 beside it
    python benchmarks/replication.py --mib 1024 [--directory PATH]

A name server and a master come up, the master is filled by pipelined sends and left alone, then a slave with an empty
disk starts. The clock runs from when the master first sees its connection until its report is the master's end; the
slave also checks each record and makes consume queues and index meanwhile. Files are of 1 GiB, because Apache's master
sends an empty slave its last file only. "CPU-s" is what the two processes used for each 100 MB.

To reach: 100 MB/s at 1 KiB bodies.

Measured on 2 cores (AMD EPYC, VM) that ten times as many processes wanted, Python 3.11.2, OpenJDK 17, so by CPU time:

    python 1 KiB bodies: CPU-s per 100 MB: master 0.38, slave 1.16
    python 128 B bodies: CPU-s per 100 MB: master 0.61, slave 2.94
    apache 1 KiB bodies: CPU-s per 100 MB: master 1.16, slave 1.35
    apache 128 B bodies: CPU-s per 100 MB: master 0.87, slave 1.48
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from send_pull import ROOT, Case, Load, cpu_seconds, send_request

sys.path.append(str(ROOT))

from tests.interop.harness import wire
from tests.interop.harness.engine import BROKER_BOOT_LINE, ENGINES, NAMESRV_BOOT_LINE, Engine
from tests.interop.harness.ports import free_broker_port
from tests.interop.harness.server import Server

if TYPE_CHECKING:
    import re

MIB = 1 << 20
LOOK_AGAIN_S = 0.02
CAUGHT_UP_WITHIN_S = 600.0
FILL_STEP_S = 0.25

CASES = [
    Case("1 KiB bodies", 8, 16, lambda number: send_request(number, b"x" * 1024)),
    Case("128 B bodies", 8, 16, lambda number: send_request(number, b"x" * 128)),
]


@dataclass(frozen=True)
class CatchUp:
    log_bytes: int
    seconds: float
    master_cpu_s: float
    slave_cpu_s: float

    def text(self) -> str:
        hundreds = self.log_bytes / 1e8
        return (
            f"{self.log_bytes / 1e6:7,.0f} MB in {self.seconds:6.2f} s: {self.log_bytes / self.seconds / 1e6:6.1f} MB/s"
            f"  (CPU-s per 100 MB: master {self.master_cpu_s / hundreds:.2f}, slave {self.slave_cpu_s / hundreds:.2f})"
        )


class Pair:
    """A name server, a master and, started later, its slave; a context that ends all of them."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self._engine = engine
        self._directory = directory
        self._stack = ExitStack()
        port = free_broker_port()
        self._names = f"127.0.0.1:{port}"
        self._start("mqnamesrv", "ns-1", port, NAMESRV_BOOT_LINE, {}).wait_booted()
        self.master = self._start_broker("broker-a", {"brokerRole": "ASYNC_MASTER", "brokerId": "0"})
        self.master.wait_booted()

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *unused: object) -> None:
        self._stack.close()

    def start_slave(self) -> Server:
        return self._start_broker("broker-a-s", {"brokerRole": "SLAVE", "brokerId": "1"})

    def _start_broker(self, name: str, settings: dict[str, str]) -> Server:
        port = free_broker_port()
        settings = settings | {
            "brokerClusterName": "DefaultCluster",
            "brokerName": "broker-a",
            "brokerIP1": "127.0.0.1",
            "brokerIP2": "127.0.0.1",
            "haListenPort": str(port + 1),
            "namesrvAddr": self._names,
            "registerNameServerPeriod": "10000",
            "storePathRootDir": str(self._directory / name / "store"),
            "storePathCommitLog": str(self._directory / name / "store" / "commitlog"),
        }
        return self._start("mqbroker", name, port, BROKER_BOOT_LINE, settings)

    def _start(self, command: str, name: str, port: int, line: re.Pattern[str], settings: dict[str, str]) -> Server:
        directory = self._directory / name
        (directory / "home").mkdir(parents=True)
        conf = directory / "server.conf"
        settings = settings | {"listenPort": str(port), "bindAddress": "127.0.0.1"}
        conf.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
        argv = [*self._engine.argv(command, directory), "-c", str(conf)]
        server = Server(name, f"127.0.0.1:{port}", argv, self._engine.env(directory), directory, line)
        self._stack.callback(server.end)
        server.start()
        return server

    def ha_status(self) -> Any:
        return wire.ask(self.master.address, wire.GET_BROKER_HA_STATUS).json()


def catch_up(pair: Pair, case: Case, log_bytes: int) -> CatchUp:
    host, _, port = pair.master.address.rpartition(":")
    load = Load(case, (host, int(port)), None)
    load.start()
    while pair.ha_status()["masterCommitLogMaxOffset"] < log_bytes:
        load.run(FILL_STEP_S)
    load.run(2 * FILL_STEP_S)
    load.close()
    cpu_before = cpu_seconds(pair.master.pid)
    slave = pair.start_slave()
    connected_at = slave_cpu_before = 0.0
    deadline = time.monotonic() + CAUGHT_UP_WITHIN_S
    while time.monotonic() < deadline:
        status = pair.ha_status()
        connections = status.get("haConnectionInfo") or []
        if connections and not connected_at:
            connected_at, slave_cpu_before = time.monotonic(), cpu_seconds(slave.pid)
        if connections and connections[0]["diff"] == 0:
            seconds = time.monotonic() - connected_at
            master_cpu_s, slave_cpu_s = cpu_seconds(pair.master.pid) - cpu_before, cpu_seconds(slave.pid)
            return CatchUp(status["masterCommitLogMaxOffset"], seconds, master_cpu_s, slave_cpu_s - slave_cpu_before)
        time.sleep(LOOK_AGAIN_S)
    raise SystemExit(f"the slave did not catch up within {CAUGHT_UP_WITHIN_S:g} s\n{slave.tail()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=512, help="log of the master (default 512; below 1024 for Apache)")
    parser.add_argument("--apache", action="store_true", help="Apache's engine, too")
    parser.add_argument("--directory", type=Path, help="where stores are made (default: the system's temporary one)")
    options = parser.parse_args()
    for engine in ENGINES.values():
        if engine.name == "apache" and not options.apache:
            continue
        for case in CASES:
            with (
                tempfile.TemporaryDirectory(prefix="rmq-benchmark-", dir=options.directory) as directory,
                Pair(engine, Path(directory)) as pair,
            ):
                print(f"{engine.name:6} {case.name}: {catch_up(pair, case, options.mib * MIB).text()}", flush=True)


if __name__ == "__main__":
    main()
