# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes for real under the engine's own supervisor; systemd by what it answers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.rocketmq.cluster.plugins.module_utils import node_process
from ansible_collections.rocketmq.cluster.plugins.module_utils.node_paths import NodePaths
from ansible_collections.rocketmq.cluster.plugins.modules import node_service
from ansible_collections.rocketmq.cluster.plugins.plugin_utils import engine_archive, render

from .run_module import ModuleFailed, run_module

if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEPER = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.pause()"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A cluster's folder with the run folder of one node; what was started there ends with the test."""
    paths = NodePaths(str(tmp_path), "broker-a")
    for folder in (paths.run_dir, paths.log_dir):
        Path(folder).mkdir(parents=True)
    yield tmp_path
    node_process.Supervised(paths.pid_file).stop(20)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(engine_archive.build(engine_archive.collection_root(), tmp_path_factory.mktemp("engine")).path)


def options(home: Path, engine: str, state: str, code: str = SLEEPER, **more: Any) -> dict[str, Any]:
    paths = NodePaths(str(home), "broker-a")
    return {
        "node": "broker-a",
        "cluster": "DefaultCluster",
        "state": state,
        "service_manager": "supervisor",
        "home": str(home),
        "log_files": [f"{paths.log_dir}/console.log", f"{paths.log_dir}/broker.log"],
        "command": render.supervised(sys.executable, engine, paths, [sys.executable, "-c", code]),
        "stop_timeout": 20,
        **more,
    }


def test_start_notes_where_the_logs_stood_and_what_it_started(home: Path, engine: str) -> None:
    paths = NodePaths(str(home), "broker-a")
    log = home / "nodes/broker-a/logs/broker.log"
    log.write_text("an earlier start\n")
    started = run_module(node_service, options(home, engine, "started", fingerprint="f1"))
    assert started["changed"] is True
    assert node_process.is_alive(started["pid"])
    assert [(mark["inode"], mark["offset_bytes"]) for mark in started["marks"]] == [(0, 0), (log.stat().st_ino, 17)]
    assert node_process.read_started(paths.started_file) == "f1"


def test_second_start_leaves_the_process_alone_and_restart_replaces_it(home: Path, engine: str) -> None:
    first = run_module(node_service, options(home, engine, "started"))
    again = run_module(node_service, options(home, engine, "started"))
    assert (again["changed"], again["pid"]) == (False, first["pid"])
    restarted = run_module(node_service, options(home, engine, "restarted"))
    assert restarted["pid"] not in (0, first["pid"])
    assert not node_process.is_alive(first["pid"])


def test_stop_waits_until_the_process_is_gone_and_is_done_once(home: Path, engine: str) -> None:
    pid = run_module(node_service, options(home, engine, "started"))["pid"]
    assert run_module(node_service, options(home, engine, "stopped"))["changed"] is True
    assert not node_process.is_alive(pid)
    assert run_module(node_service, options(home, engine, "stopped"))["changed"] is False


def test_supervisor_that_waits_before_its_next_try_is_called_off(home: Path, engine: str) -> None:
    failing = options(home, engine, "started", code="import sys; sys.exit('no')")
    pid = run_module(node_service, failing)["pid"]
    supervised = node_process.Supervised(NodePaths(str(home), "broker-a").pid_file)
    while pid and node_process.is_alive(pid):
        os.sched_yield()
    assert supervised.status().held
    assert run_module(node_service, options(home, engine, "stopped"))["changed"] is True
    assert not supervised.status().held


def test_abort_file_that_is_left_behind_is_a_failed_stop(home: Path, engine: str) -> None:
    run_module(node_service, options(home, engine, "started"))
    abort = home / "abort"
    abort.touch()
    with pytest.raises(ModuleFailed, match="not cleanly"):
        run_module(node_service, options(home, engine, "stopped", abort_file=str(abort)))


def test_check_mode_starts_and_stops_nothing(home: Path, engine: str) -> None:
    assert run_module(node_service, options(home, engine, "started"), check=True)["changed"] is True
    assert not node_process.Supervised(NodePaths(str(home), "broker-a").pid_file).status().held


class FakeSystemctl:
    """Answers `systemctl show` from ``state`` and writes down every other call."""

    def __init__(self, **state: str) -> None:
        self.state = state
        self.calls: list[list[str]] = []

    def __call__(self, command: list[str]) -> tuple[int, str]:
        if command[1] == "show":
            return 0, "".join(f"{name}={self.state.get(name, '')}\n" for name in command[3].split(","))
        self.calls.append(command[1:])
        if command[1] == "start":
            self.state.update(MainPID="4711", ActiveState="activating")
        return 0, ""


@pytest.mark.parametrize(
    ("state", "running", "held"),
    [
        ({"MainPID": "4711", "ActiveState": "active"}, True, True),
        ({"MainPID": "0", "ActiveState": "activating"}, False, True),
        ({"MainPID": "0", "ActiveState": "failed"}, False, False),
        ({"MainPID": "0", "ActiveState": "inactive"}, False, False),
    ],
)
def test_unit_that_systemd_will_start_again_is_held_but_does_not_run(
    state: dict[str, str], running: bool, held: bool
) -> None:
    status = node_process.SystemdUnit("u.service", FakeSystemctl(**state)).status()
    assert (status.running, status.held) == (running, held)


def test_new_unit_is_read_enabled_and_started_without_waiting_for_its_readiness() -> None:
    systemctl = FakeSystemctl(MainPID="0", LoadState="not-found", NeedDaemonReload="no", UnitFileState="")
    assert node_process.SystemdUnit("u.service", systemctl).start().pid == 4711
    assert [call[0] for call in systemctl.calls] == ["daemon-reload", "enable", "reset-failed", "start"]
    assert "--no-block" in systemctl.calls[-1]


def test_unit_that_is_loaded_and_enabled_is_only_started() -> None:
    systemctl = FakeSystemctl(MainPID="0", LoadState="loaded", NeedDaemonReload="no", UnitFileState="enabled")
    node_process.SystemdUnit("u.service", systemctl).start()
    assert [call[0] for call in systemctl.calls] == ["reset-failed", "start"]
