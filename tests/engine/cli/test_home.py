# SPDX-License-Identifier: Apache-2.0
"""The shipped ROCKETMQ_HOME: files that start as they stand, commands that find their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.cli.process import ROOT, Processes

from rmq.topology.derive import DIFFERING
from rmq.topology.kind import Engine, Kind
from rmq.topology.properties import parse
from rmq.topology.python_engine import Use, use_of
from rmq.topology.settings import Value, check

if TYPE_CHECKING:
    from pathlib import Path

CONF = ROOT / "home" / "conf"
MODES = {
    "2m-noslave": ("ASYNC_MASTER", ["broker-a", "broker-b"]),
    "2m-2s-async": ("ASYNC_MASTER", ["broker-a", "broker-a-s", "broker-b", "broker-b-s"]),
    "2m-2s-sync": ("SYNC_MASTER", ["broker-a", "broker-a-s", "broker-b", "broker-b-s"]),
}


def values_of(path: Path, kind: Kind = Kind.BROKER) -> dict[str, Value]:
    parsed = parse(path.read_bytes(), path.name)
    checked = check(parsed.settings, engine=Engine.PYTHON, kind=kind)
    assert [fault.text() for fault in (*parsed.faults, *checked.faults)] == []
    assert checked.accepted_without_effect == ()
    return checked.values


def mode_files(mode: str) -> dict[str, dict[str, Value]]:
    return {path.stem: values_of(path) for path in sorted((CONF / mode).iterdir(), key=lambda path: path.stem)}


@pytest.mark.parametrize("mode", MODES)
def test_a_modes_files_make_its_pairs(mode: str) -> None:
    role, nodes = MODES[mode]
    files = mode_files(mode)
    assert list(files) == nodes
    for node, values in files.items():
        is_slave = node.endswith("-s")
        assert values["brokerName"] == node.removesuffix("-s")
        assert values["brokerId"] == int(is_slave)
        assert values["brokerRole"] == ("SLAVE" if is_slave else role)
        assert values.get("slaveReadEnable", False) is is_slave
        assert values.get("inSyncReplicas", 1) == (2 if role == "SYNC_MASTER" and not is_slave else 1)


@pytest.mark.parametrize("mode", MODES)
def test_all_brokers_of_a_mode_fit_on_one_machine(mode: str) -> None:
    files = mode_files(mode).values()
    ports = [int(values["listenPort"]) + offset for values in files for offset in (-2, 0, 1)]
    assert len(set(ports)) == len(ports)
    assert len({values["storePathRootDir"] for values in files}) == len(files)


@pytest.mark.parametrize("path", sorted(CONF.rglob("broker*")), ids=lambda path: path.relative_to(CONF).as_posix())
def test_the_files_hold_our_defaults_but_let_a_hand_typed_cluster_make_its_topics(path: Path) -> None:
    values = values_of(path)
    for item in DIFFERING:
        is_honoured = use_of(item.key, Kind.BROKER) is Use.HONOURED
        if item.fixed and is_honoured and item.key != "autoCreateTopicEnable":
            assert str(values[item.key]).lower() == item.value
    assert "autoCreateTopicEnable" not in values


def test_the_name_servers_file_is_right() -> None:
    assert values_of(CONF / "namesrv.conf", Kind.NAMESRV) == {"listenPort": 9876}


def test_a_shipped_file_puts_its_store_below_the_users_home(run: Processes) -> None:
    file = CONF / "2m-2s-sync" / "broker-b-s.properties"
    process = run.start("sh", ROOT / "home" / "bin" / "mqbroker", "-c", file, "-m")
    assert process.wait() == 0
    assert f"storePathRootDir={run.directory}/store/2m-2s-sync/broker-b-s\n" in process.output


def test_a_command_finds_its_home_through_a_link(run: Processes) -> None:
    link = run.directory / "mqnamesrv"
    link.symlink_to(ROOT / "home" / "bin" / "mqnamesrv")
    environment = {name: value for name, value in run.environment().items() if name != "ROCKETMQ_HOME"}
    process = run.start("env", "-i", *(f"{key}={value}" for key, value in environment.items()), "sh", link, "-p")
    assert process.wait() == 0
    assert f"rocketmqHome={ROOT / 'home'}\n" in process.output


def test_a_machine_without_a_new_python_is_told_what_to_install(run: Processes) -> None:
    tools = run.directory / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "readlink"):
        (tools / name).symlink_to(f"/bin/{name}")
    (tools / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tools / "python3").chmod(0o755)
    process = run.start("/bin/sh", ROOT / "home" / "bin" / "mqbroker", PATH=str(tools))
    assert process.wait() == 1
    assert "needs Python 3.11 or newer" in process.output[0]
    assert "apt install python3" in process.output[1]
