# SPDX-License-Identifier: Apache-2.0
"""single-master on one host without systemd, after the second run of its playbook.

Molecule runs this (extensions/molecule/single-master).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import testinfra
from tests.interop.harness import wire
from tests.interop.harness.client import ClientProcess
from tests.interop.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from testinfra.host import Host

CONTAINER = "rmq-single"
ADDRESS = "172.31.77.11"
NAMESRV, BROKER = f"{ADDRESS}:9876", f"{ADDRESS}:10911"


@pytest.fixture(scope="module")
def host() -> Host:
    return testinfra.get_host(f"docker://{CONTAINER}")


def test_there_is_no_systemd_to_lean_on(host: Host) -> None:
    assert not host.file("/run/systemd/system").exists


@pytest.mark.timeout(120)
def test_a_client_outside_of_the_host_sends_and_receives(tmp_path: Path) -> None:
    options = {"namesrv": NAMESRV, "topic": "FromOutside"}
    with ClientProcess(tmp_path, "produce", count=500, **options) as producer:
        producer.finish()
        assert len(producer.acknowledged()) == 500
    with ClientProcess(tmp_path, "push", expect=500, **options) as consumer:
        assert consumer.finish()["distinct"] == 500


@pytest.mark.timeout(120)
def test_a_killed_broker_is_started_again_by_its_supervisor(host: Host) -> None:
    pid = broker_pid(host)
    host.check_output(f"kill -9 {pid}")
    wait_for("another process", lambda: broker_pid(host) not in ("", pid), within_s=60)
    wait_for("its registration", lambda: wire.lists_broker(NAMESRV, "broker-a", 0, BROKER), within_s=60)


def broker_pid(host: Host) -> str:
    """The process that listens on the broker's port; empty while there is none."""
    found = str(host.run("ss -Hltnp 'sport = :10911'").stdout)
    return found.partition("pid=")[2].partition(",")[0]
