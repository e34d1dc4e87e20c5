# SPDX-License-Identifier: Apache-2.0
"""How soon a broker is ready again after kill -9: real processes on the real disk.

    python benchmarks/recovery.py                      0.5 and 1 GiB of 4 KiB bodies, a million records of 128 B
    python benchmarks/recovery.py --gib 4 --records 0 [--directory PATH]

A broker is filled by pipelined sends and killed. The hints in its store are put back to those of its start, so that all
of the log counts as written since the checkpoint, however long the filling took. "Ready" is the first send that is
answered SEND_OK, counted from the start of the process; what an empty store takes is measured first and taken off the
rates. Each message has a unique id and a tag, two entries in the index. The log is in the page cache, as it is when a
process dies. Figures by CPU time are those that a busy machine does not spoil.

To reach: 3 s and 2 s for each GiB at 4 KiB bodies; 250,000 records a second for small ones.

Measured on 2 cores (AMD EPYC, VM) that nobody else used, Python 3.11.2, by the clock:

    4 KiB bodies, 0.50 GiB:           ready after 0.59 s, empty 0.22 s: 0.73 s a GiB, 338,000 records a second
    4 KiB bodies, 1.02 GiB:           ready after 1.05 s, empty 0.19 s: 0.85 s a GiB, 291,000 records a second
    128 B bodies, 1,020,544 records:  ready after 2.36 s, empty 0.19 s: 472,000 records a second
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster import PATHS
from send_pull import Case, Load, batch_request, cpu_seconds, encoded, send_request
from tests.interop.harness.ports import free_broker_port

from rmq.client.remoting_client import RemotingClient
from rmq.remoting.bodies import KVTable
from rmq.remoting.codes import RequestCode
from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB = 1 << 30
READY_WITHIN_S = 600.0
FILL_STEP_S = 0.25
LOOK_AGAIN_S = 0.005
#: What says how far queues and index were complete; everything else is made or read anew.
HINTS = ("queueCheckpoint.json", "checkpoint")

LARGE = Case("4 KiB bodies", 8, 16, lambda number: send_request(number, b"x" * 4096))
SMALL = Case("128 B bodies", 8, 4, batch_request, 32)


class Broker:
    """One broker on one store, started and killed again and again."""

    def __init__(self, directory: Path) -> None:
        self.port = free_broker_port()
        self.store = directory / "store"
        self._directory = directory
        self._conf = directory / "broker.conf"
        self._conf.write_text(
            f"brokerName=broker-a\nbrokerIP1=127.0.0.1\nbindAddress=127.0.0.1\nlistenPort={self.port}\n"
            f"storePathRootDir={self.store}\n",
            encoding="utf-8",
        )

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @contextmanager
    def running(self) -> Iterator[tuple[float, float]]:
        """Killed in the end. The value: seconds from the start of the process to its first SEND_OK, and of its CPU."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS), "HOME": str(self._directory)}
        command = [sys.executable, "-m", "rmq.cli.main", "mqbroker", "-c", str(self._conf)]
        started = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            while not self._takes_a_message():
                if process.poll() is not None or time.monotonic() - started > READY_WITHIN_S:
                    raise SystemExit(f"the broker does not start: look at {self._directory}/logs")
                time.sleep(LOOK_AGAIN_S)
            yield time.monotonic() - started, cpu_seconds(process.pid)
        finally:
            process.kill()
            process.wait()

    def _takes_a_message(self) -> bool:
        try:
            with socket.create_connection(self.address, 1) as connection:
                connection.settimeout(READY_WITHIN_S)
                connection.sendall(encoded(send_request(0, b"ready?"), None))
                decoder = FrameDecoder()
                while data := connection.recv(65536):
                    for answer in decoder.feed(data):
                        return answer.code == 0
        except OSError:
            pass
        return False

    def log_bytes(self) -> int:
        with RemotingClient("{}:{}".format(*self.address)) as client:
            table = KVTable.decode(client.call(RequestCode.GET_BROKER_RUNTIME_INFO).body).table
        return int(table["commitLogMaxOffset"])


def fill(broker: Broker, case: Case, log_bytes: int, records: int) -> int:
    """Sends until the log has so many bytes, and so many records were acknowledged; answers how many were."""
    load = Load(case, broker.address, None)
    load.start()
    acknowledged = 0
    while acknowledged < records or broker.log_bytes() < log_bytes:
        acknowledged += load.run(FILL_STEP_S) * case.messages
    load.close()
    return acknowledged


def measure(directory: Path, case: Case, *, log_bytes: int = 0, records: int = 0) -> None:
    broker = Broker(directory)
    with broker.running() as empty:
        hints = {name: read(broker.store / name) for name in HINTS}
        acknowledged = fill(broker, case, log_bytes, records)
        size = broker.log_bytes()
    for name, text in hints.items():
        put_back(broker.store / name, text)
    with broker.running() as ready:
        pass
    print(f"{case.name}, {size / GIB:.2f} GiB, {acknowledged:,} records:")
    for name, all_s, empty_s in zip(("by the clock", "by CPU time"), ready, empty, strict=True):
        walk_s = max(all_s - empty_s, 0.001)
        print(
            f"    {name:12} ready after {all_s:6.2f} s, empty {empty_s:5.2f} s: {walk_s / size * GIB:6.2f} s a GiB,"
            f" {acknowledged / walk_s:9,.0f} records a second",
            flush=True,
        )


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def put_back(path: Path, text: bytes | None) -> None:
    if text is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, nargs="*", default=[0.5, 1.0], help="log of 4 KiB bodies (default 0.5 1)")
    parser.add_argument("--records", type=int, nargs="*", default=[1_000_000], help="of 128 B (default a million)")
    parser.add_argument("--directory", type=Path, help="where stores are made (default: the system's temporary one)")
    options = parser.parse_args()
    cases = [(LARGE, int(gib * GIB), 0) for gib in options.gib] + [(SMALL, 0, count) for count in options.records]
    for case, log_bytes, records in cases:
        directory = Path(tempfile.mkdtemp(prefix="rmq-benchmark-", dir=options.directory))
        try:
            measure(directory, case, log_bytes=log_bytes, records=records)
        finally:
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
