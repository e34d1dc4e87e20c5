# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.rocketmq.cluster.plugins.module_utils import host
from ansible_collections.rocketmq.cluster.plugins.module_utils import preflight as preflight_rules
from ansible_collections.rocketmq.cluster.plugins.modules import preflight

from .run_module import run_module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def options(home: Path, **more: Any) -> dict[str, Any]:
    return {
        "node": "broker-a",
        "cluster": "DefaultCluster",
        "home": str(home),
        "service_manager": "supervisor",
        "python": sys.executable,
        **more,
    }


def port(number: int) -> dict[str, Any]:
    return {"port": number, "purpose": "listenPort", "variable": "rocketmq_listen_port"}


def test_fit_host_has_no_faults_and_nothing_is_made_on_it(tmp_path: Path) -> None:
    home = tmp_path / "state" / "DefaultCluster"
    look = run_module(preflight, options(home, addresses=["127.0.0.1"], need_bytes=1))
    assert look["faults"] == []
    assert (look["home"], look["pid"], look["deployed"]) == (str(home), 0, {})
    assert list(tmp_path.iterdir()) == []


def test_taken_port_is_reported_with_its_holder_and_the_variable_that_moves_the_node(
    tmp_path: Path, taken_port: int
) -> None:
    look = run_module(preflight, options(tmp_path, ports=[port(taken_port)], bind_addresses=["127.0.0.1"]))
    (fault,) = look["faults"]
    assert f"port {taken_port} (listenPort): process {os.getpid()} (" in fault
    assert "rocketmq_listen_port" in fault


def test_port_on_another_address_of_the_host_is_no_collision(tmp_path: Path, taken_port: int) -> None:
    look = run_module(preflight, options(tmp_path, ports=[port(taken_port)], bind_addresses=["127.0.0.2"]))
    assert look["faults"] == []


def test_address_of_another_host_is_a_fault_with_its_mend(tmp_path: Path) -> None:
    (fault,) = run_module(preflight, options(tmp_path, addresses=["192.0.2.21"]))["faults"]
    assert "no interface of this host has 192.0.2.21" in fault
    assert "rocketmq_check_address: false" in fault


def test_python_that_is_none_is_a_fault_that_says_what_to_install(tmp_path: Path) -> None:
    (fault,) = run_module(preflight, options(tmp_path, python="/bin/false"))["faults"]
    assert "rocketmq_python /bin/false" in fault
    assert "apt-get install python3" in fault


def test_store_that_does_not_fit_the_disk_is_a_fault(tmp_path: Path) -> None:
    (fault,) = run_module(preflight, options(tmp_path, need_bytes=1 << 60))["faults"]
    assert "MiB are free" in fault


def test_all_faults_of_a_host_come_at_once(tmp_path: Path, taken_port: int) -> None:
    asked = options(tmp_path, python="/bin/false", addresses=["192.0.2.21"], need_bytes=1 << 60)
    assert len(run_module(preflight, dict(asked, ports=[port(taken_port)]))["faults"]) == 4


def test_pid_file_of_a_stranger_does_not_count_as_the_node(tmp_path: Path) -> None:
    run_dir = tmp_path / "nodes/broker-a/run"
    run_dir.mkdir(parents=True)
    (run_dir / "supervisor.pid").write_text(str(os.getpid()))
    assert run_module(preflight, options(tmp_path))["pid"] == 0


def test_listener_on_an_ipv6_wildcard_meets_every_address() -> None:
    assert host.collides("127.0.0.1", host.Listener("::", 9876, None, 0))
    assert host.collides("0.0.0.0", host.Listener("127.0.0.1", 9876, None, 0))
    assert not host.collides("127.0.0.1", host.Listener("192.0.2.1", 9876, None, 0))


def test_port_of_the_running_node_is_its_own_where_a_container_hides_the_holder() -> None:
    def is_own(uid: int) -> bool:
        request = preflight_rules.Request(
            node="broker-a",
            addresses=[],
            ports=[],
            folders=[],
            need_bytes=0,
            python="",
            own_pid=os.getpid(),
            systemd=True,
        )
        return preflight_rules.is_own(request, host.Listener("127.0.0.1", 9876, None, uid))

    assert is_own(os.getuid())
    assert not is_own(os.getuid() + 1)


def test_listener_is_known_by_its_user(taken_port: int) -> None:
    (listener,) = [listener for listener in host.listeners() if listener.port == taken_port]
    assert listener.uid == os.getuid()


def test_interpreter_behind_a_virtual_environment_is_taken() -> None:
    found = host.ask_python(sys.executable)
    assert found is not None
    assert found.version[:2] == sys.version_info[:2]
    assert not found.path.startswith(sys.prefix + os.sep) or sys.prefix == sys.base_prefix


@pytest.mark.parametrize("text", ["0100007F", "0000000000000000FFFF00000100007F"])
def test_address_of_the_kernels_table_is_read(text: str) -> None:
    assert host._address_text(text) == "127.0.0.1"
