# SPDX-License-Identifier: Apache-2.0
"""The playbooks as a new user types them: no inventory, a cluster on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .harness import wire
from .harness.engine import ROOT
from .harness.ports import is_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import StartClient

# What inventories/<mode>/ listen on, before the offset.
NAMESRV_PORTS = (9876, 9886)
BROKER_PORTS = (10911, 10921, 10931, 10941)
BROKERS = {
    "single-master": {("broker-a", 0): 10911},
    "2m-noslave": {("broker-a", 0): 10911, ("broker-b", 0): 10921},
    "2m-2s-async": {("broker-a", 0): 10911, ("broker-b", 0): 10921, ("broker-a", 1): 10931, ("broker-b", 1): 10941},
}
BROKERS["2m-2s-sync"] = BROKERS["2m-2s-async"]
COUNT = 10_000


class Machine:
    """This machine with an empty home and ports of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.offset = next(offset for offset in range(4000, 20000, 200) if self._fits(offset))

    @staticmethod
    def _fits(offset: int) -> bool:
        ports = [*NAMESRV_PORTS, *(port + around for port in BROKER_PORTS for around in (-2, 0, 1))]
        return all(is_free(port + offset) for port in ports)

    def address(self, port: int) -> str:
        return f"127.0.0.1:{port + self.offset}"

    def play(self, playbook: str) -> str:
        """Runs a playbook as the README does; returns what it printed."""
        ansible_playbook = os.fspath(Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [ansible_playbook, f"playbooks/{playbook}.yml", "-e", f"rocketmq_port_offset={self.offset}"],
            cwd=ROOT,
            env=os.environ | {"HOME": str(self.home), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.play("stop")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mode", BROKERS)
def test_a_mode_comes_up_from_one_command_and_a_second_run_changes_nothing(
    mode: str, machine: Machine, start_client: StartClient
) -> None:
    machine.play(mode)
    for (broker_name, broker_id), port in BROKERS[mode].items():
        assert wire.lists_broker(machine.address(NAMESRV_PORTS[0]), broker_name, broker_id, machine.address(port))

    namesrv = machine.address(NAMESRV_PORTS[0])
    # Patient: the time-out of an asynchronous send runs from before the client asks for the route.
    options = {"namesrv": namesrv, "topic": "Embedded", "mode": "async", "timeout_millis": 20_000}
    producer = start_client("produce", count=COUNT, **options)
    producer.finish()
    assert len(producer.acknowledged()) == COUNT, producer.tail()
    consumer = start_client("push", namesrv=namesrv, topic="Embedded", expect=COUNT)
    assert consumer.finish(within_s=120) == {"event": "done", "distinct": COUNT, "received": COUNT}
    assert sorted(consumer.received_keys()) == sorted(producer.acknowledged())
    assert all(received["intact"] for received in consumer.of("received"))

    recap = machine.play(mode).partition("PLAY RECAP")[2]
    assert set(re.findall(r"changed=(\d+)", recap)) == {"0"}, recap


@pytest.mark.timeout(200)
def test_stop_needs_no_inventory_and_leaves_nothing_listening(machine: Machine) -> None:
    machine.play("single-master")
    machine.play("stop")
    assert is_free(NAMESRV_PORTS[0] + machine.offset)
    assert is_free(BROKERS["single-master"]["broker-a", 0] + machine.offset)
