# SPDX-License-Identifier: Apache-2.0
"""Our own name server and brokers as processes on loopback, for the client's happy path."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.harness.ports import free_broker_port, free_port

from rmq.client.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_ROOT = Path(__file__).parents[3]
# Three processes start beside whatever else the machine does.
_DEADLINE_S = 45


def wait_until(condition: Callable[[], bool]) -> None:
    """Raises AssertionError when it has not come true in time."""
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come true within {_DEADLINE_S} s")
        time.sleep(0.02)


class Process:
    """One server; `start` returns when it has printed its boot line."""

    def __init__(self, command: str, settings: dict[str, str], home: Path) -> None:
        home.mkdir(parents=True)
        self._log = home / "stdout"
        file = home / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
        environment = os.environ | {
            "HOME": str(home),
            "PYTHONPATH": os.pathsep.join([str(_ROOT / "plugins/module_utils"), str(_ROOT / "src")]),
        }
        arguments = [sys.executable, "-m", "rmq.cli.main", command, "-c", str(file)]
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(arguments, stdout=out, stderr=out, env=environment)

    def wait_until_up(self) -> None:
        """Raises AssertionError with what the server said instead."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: "boot success" in self._said() or self._process.poll() is not None)
        assert "boot success" in self._said(), self._said()

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(_DEADLINE_S)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Engine:
    """A name server and masters, each by its name."""

    CLUSTER = "TestCluster"

    def __init__(self, directory: Path, brokers: list[str]) -> None:
        self._stack = ExitStack()
        self.name_server = f"127.0.0.1:{free_port()}"
        self.brokers: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        with ExitStack() as stack:
            names = self._start("mqnamesrv", self._name_server_settings(directory), directory / "namesrv", stack)
            names.wait_until_up()
            for name in brokers:
                self.brokers[name] = f"127.0.0.1:{free_broker_port()}"
                home = directory / name
                self.processes[name] = self._start("mqbroker", self._broker_settings(name, home), home, stack)
            for process in self.processes.values():
                process.wait_until_up()
            # The boot line comes before the registration.
            wait_until(self._is_registered)
            self._stack = stack.pop_all()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _is_registered(self) -> bool:
        with AdminClient(self.name_server) as admin:
            return set(admin.cluster_info().broker_addr_table) == set(self.brokers)

    def _start(self, command: str, settings: dict[str, str], home: Path, stack: ExitStack) -> Process:
        process = Process(command, settings, home)
        stack.callback(process.stop)
        return process

    def _name_server_settings(self, directory: Path) -> dict[str, str]:
        return {
            "listenPort": self.name_server.partition(":")[2],
            "kvConfigPath": str(directory / "kvConfig.json"),
        }

    def _broker_settings(self, name: str, home: Path) -> dict[str, str]:
        return {
            "brokerClusterName": self.CLUSTER,
            "brokerName": name,
            "brokerId": "0",
            "brokerIP1": "127.0.0.1",
            "listenPort": self.brokers[name].partition(":")[2],
            "namesrvAddr": self.name_server,
            "storePathRootDir": str(home / "store"),
            "mappedFileSizeCommitLog": "67108864",
            "autoCreateTopicEnable": "true",
        }
