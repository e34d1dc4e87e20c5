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

Measured on 2 cores (AMD EPYC, VM) that nobody else used, Python 3.11.2, OpenJDK 17:

    python 1 KiB bodies: 205 MB/s  (CPU-s per 100 MB: master 0.17, slave 0.48)
    python 128 B bodies: 118 MB/s  (CPU-s per 100 MB: master 0.24, slave 0.85)
    apache 1 KiB bodies: 160 MB/s  (CPU-s per 100 MB: master 0.40, slave 0.99)
    apache 128 B bodies: 218 MB/s  (CPU-s per 100 MB: master 0.64, slave 0.71)
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster
from send_pull import Case, Load, cpu_seconds, send_request
from tests.interop.harness.engine import ENGINES

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


def catch_up(pair: Cluster, case: Case, log_bytes: int) -> CatchUp:
    load = Load(case, pair.address, None)
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
                Cluster(engine, Path(directory)) as pair,
            ):
                print(f"{engine.name:6} {case.name}: {catch_up(pair, case, options.mib * MIB).text()}", flush=True)


if __name__ == "__main__":
    main()
