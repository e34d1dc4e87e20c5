# SPDX-License-Identifier: Apache-2.0
"""Servers of either engine for a benchmark: real processes on loopback, ended with the context."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
PATHS = [str(ROOT / "src"), str(ROOT / "plugins" / "module_utils")]
sys.path[:0] = [*PATHS, str(ROOT)]

from tests.interop.harness import wire  # noqa: E402
from tests.interop.harness.engine import BROKER_BOOT_LINE, NAMESRV_BOOT_LINE, Engine  # noqa: E402
from tests.interop.harness.ports import free_broker_port  # noqa: E402
from tests.interop.harness.server import Server  # noqa: E402

if TYPE_CHECKING:
    import re

LOOK_AGAIN_S = 0.02
FOLLOWS_WITHIN_S = 60.0
MASTER, SLAVE = "broker-a", "broker-a-s"


class Cluster:
    """A name server, a master, and a slave where one is started; a context that ends all of them."""

    def __init__(self, engine: Engine, directory: Path, settings: dict[str, str] | None = None) -> None:
        """settings: the master's own, beside those of an ASYNC_MASTER with the engine's defaults."""
        self.engine = engine
        self._directory = directory
        self._stack = ExitStack()
        port = free_broker_port()
        self._names = f"127.0.0.1:{port}"
        self._start("mqnamesrv", "ns-1", port, NAMESRV_BOOT_LINE, {}).wait_booted()
        settings = {"brokerRole": "ASYNC_MASTER", "brokerId": "0"} | (settings or {})
        self.master = self._start_broker(MASTER, settings)
        self.master.wait_booted()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *unused: object) -> None:
        self._stack.close()

    @property
    def address(self) -> tuple[str, int]:
        """The master's."""
        host, _, port = self.master.address.rpartition(":")
        return host, int(port)

    def start_slave(self) -> Server:
        return self._start_broker(SLAVE, {"brokerRole": "SLAVE", "brokerId": "1"})

    def _start_broker(self, name: str, settings: dict[str, str]) -> Server:
        port = free_broker_port()
        settings = settings | {
            "brokerClusterName": "DefaultCluster",
            "brokerName": MASTER,
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
        argv = [*self.engine.argv(command, directory), "-c", str(conf)]
        server = Server(name, f"127.0.0.1:{port}", argv, self.engine.env(directory), directory, line)
        self._stack.callback(server.end)
        server.start()
        return server

    def wait_for_slave(self) -> None:
        """Until the master counts it as one that has everything."""
        deadline = time.monotonic() + FOLLOWS_WITHIN_S
        while not any(one["diff"] == 0 for one in self.ha_status().get("haConnectionInfo") or []):
            if time.monotonic() > deadline:
                raise SystemExit(f"the slave does not follow\n{self.master.tail()}")
            time.sleep(LOOK_AGAIN_S)

    def ha_status(self) -> Any:
        """The body of the answer to GET_BROKER_HA_STATUS."""
        return wire.ask(self.master.address, wire.GET_BROKER_HA_STATUS).json()
