# SPDX-License-Identifier: Apache-2.0
"""The deployment guide's commands, typed as they stand on a bare Debian host: a home, a shell and Python."""

from __future__ import annotations

import functools
import subprocess
from typing import TYPE_CHECKING

import pytest

from .harness.containers import docker
from .harness.engine import ROOT
from .harness.waiting import wait_for

if TYPE_CHECKING:
    from contextlib import ExitStack

    from .conftest import StartClient

PLACE = "/opt/rocketmq"
HOME = f"{PLACE}/home"
COUNT = 500
BROKERS = {
    "single-master": [""],
    "2m-noslave": ["broker-a", "broker-b"],
    "2m-2s-async": ["broker-a", "broker-b", "broker-a-s", "broker-b-s"],
    "2m-2s-sync": ["broker-a", "broker-b", "broker-a-s", "broker-b-s"],
}


class BareHost:
    """A container of the base image with the project's files in it."""

    def __init__(self) -> None:
        image = subprocess.run(
            [ROOT / "tools" / "setup-image.sh"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        self.container = docker("run", "--detach", "--init", image, "sleep", "infinity")
        docker("exec", self.container, "mkdir", "-p", f"{PLACE}/plugins/module_utils")
        for folder in ("home", "src", "plugins/module_utils/rmq"):
            docker("cp", str(ROOT / folder), f"{self.container}:{PLACE}/{folder}")

    def remove(self) -> None:
        docker("rm", "--force", self.container)

    @property
    def address(self) -> str:
        return docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.container)

    def type(self, command: str) -> None:
        """Types a line into a shell that stands in ROCKETMQ_HOME; does not wait."""
        docker("exec", "--detach", self.container, "sh", "-c", f"cd {HOME}; export ROCKETMQ_HOME={HOME}; {command}")

    def wait_log(self, log: str, line: str) -> None:
        wait_for(f"{line!r} in {log}", functools.partial(self._has, log, line), within_s=60, detail=self._logs)

    def _has(self, log: str, line: str) -> bool:
        return self._shell(f"grep -sF '{line}' ~/logs/rocketmqlogs/{log}") != ""

    def _logs(self) -> str:
        return self._shell(f"tail -n 20 ~/logs/rocketmqlogs/*.log {HOME}/nohup.out")

    def _shell(self, command: str) -> str:
        argv = ["docker", "exec", self.container, "sh", "-c", command]
        return subprocess.run(argv, check=False, capture_output=True, text=True).stdout


@pytest.fixture
def bare_host(stack: ExitStack) -> BareHost:
    host = BareHost()
    stack.callback(host.remove)
    return host


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", BROKERS)
def test_the_guides_commands_bring_the_mode_up(mode: str, bare_host: BareHost, start_client: StartClient) -> None:
    bare_host.type("nohup sh bin/mqnamesrv &")
    bare_host.wait_log("namesrv.log", "The Name Server boot success")
    for broker in BROKERS[mode]:
        file = f" -c $ROCKETMQ_HOME/conf/{mode}/{broker}.properties" if broker else ""
        bare_host.type(f"nohup sh bin/mqbroker -n localhost:9876{file} &")
        bare_host.wait_log("Broker.log", f"The broker[{broker.removesuffix('-s')}")

    namesrv = f"{bare_host.address}:9876"
    producer = start_client("produce", namesrv=namesrv, topic="Guide", mode="async", count=COUNT)
    producer.finish()
    assert len(producer.acknowledged()) == COUNT, producer.tail()
    consumer = start_client("push", namesrv=namesrv, topic="Guide", expect=COUNT)
    assert consumer.finish(within_s=90)["distinct"] == COUNT
