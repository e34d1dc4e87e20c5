# SPDX-License-Identifier: Apache-2.0
"""Inventories as users write them, read by Ansible itself and checked by the module.

`inventories_wrong/` has one file for each rule. Its head says what is wrong, under which mode it is run, and, line by
line, all faults that are to come of it. After a change of the rules:

    RMQ_REWRITE_FAULTS=1 pytest tests/unit/modules/test_topology.py      writes them anew; read the difference
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
from ansible_collections.rocketmq.cluster.plugins.module_utils.rmq.topology import derive, inventory
from ansible_collections.rocketmq.cluster.plugins.module_utils.rmq.topology.fault import lines
from ansible_collections.rocketmq.cluster.plugins.module_utils.rmq.topology.kind import Mode
from ansible_collections.rocketmq.cluster.plugins.module_utils.rmq.topology.rule import Rule
from ansible_collections.rocketmq.cluster.plugins.modules import topology as module

from ..run_module import ModuleFailed, run_module

ROOT = Path(__file__).resolve().parents[3]
WRONG = sorted((Path(__file__).resolve().parents[1] / "inventories_wrong").glob("*.yml"))
REWRITE = bool(os.environ.get("RMQ_REWRITE_FAULTS"))

MODES = [mode.value for mode in Mode]
# Rules about files and stores, and about calls of the module that no inventory can lead to: tested with the engine.
NOT_OF_AN_INVENTORY = {
    Rule.FILE_UNREADABLE,
    Rule.FILE_ESCAPE,
    Rule.KEY_TWICE,
    Rule.VALUE_ASCII,
    Rule.TLS_FILE,
    Rule.SLAVE_ID,
    Rule.MASTER_ID,
    Rule.IDENTITY_READABLE,
    Rule.IDENTITY_SAME,
    Rule.NODE_FORM,
}


@dataclass(frozen=True)
class Wrong:
    """A wrong inventory: the lines of its head, and what it is run with."""

    why: str
    mode: str
    resolved: bool
    faults: list[str]
    body: str


def read_wrong(path: Path) -> Wrong:
    head, body = path.read_text(encoding="utf-8").split("---\n", 1)
    comments = [line.removeprefix("# ") for line in head.splitlines()][1:]
    faults = [line.removeprefix("fault: ") for line in comments if line.startswith("fault: ")]
    mode = next(line.removeprefix("mode: ") for line in comments if line.startswith("mode: "))
    return Wrong(comments[0], mode, "resolved" in comments, faults, body)


def write_wrong(path: Path, wrong: Wrong, faults: list[str]) -> None:
    head = ["SPDX-License-Identifier: Apache-2.0", wrong.why, f"mode: {wrong.mode}"]
    head += ["resolved"] if wrong.resolved else []
    head += [f"fault: {fault}" for fault in faults]
    path.write_text("".join(f"# {line}\n" for line in head) + "---\n" + wrong.body, encoding="utf-8")


def nodes_of(source: Path) -> list[dict[str, Any]]:
    """The nodes as Ansible reads them out of an inventory."""
    loader = DataLoader()
    hosts = InventoryManager(loader=loader, sources=[str(source)])
    variables = VariableManager(loader=loader, inventory=hosts)
    nodes: list[dict[str, Any]] = []
    for group, kind in (("rocketmq_namesrv", "namesrv"), ("rocketmq_broker", "broker")):
        for host in hosts.groups[group].get_hosts() if group in hosts.groups else []:
            known = variables.get_vars(host=host)
            chosen = {name: value for name, value in known.items() if name.startswith(("rocketmq_", "ansible_"))}
            nodes.append({**chosen, "host": host.name, "kind": kind})
    return nodes


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_inventory_is_told_all_its_faults_at_once(path: Path) -> None:
    wrong = read_wrong(path)
    faults = inventory.check_topology(wrong.mode, nodes_of(path), resolved=wrong.resolved)
    if REWRITE:
        write_wrong(path, wrong, lines(faults))
    assert faults
    assert lines(faults) == read_wrong(path).faults


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule not in NOT_OF_AN_INVENTORY], ids=lambda rule: rule.slug)
def test_each_rule_has_a_wrong_inventory(rule: Rule) -> None:
    path = next(path for path in WRONG if path.stem == rule.slug)
    wrong = read_wrong(path)
    found = inventory.check_topology(wrong.mode, nodes_of(path), resolved=wrong.resolved)
    assert rule.slug in {fault.name for fault in found}


@pytest.mark.parametrize("mode", MODES)
def test_inventory_of_each_mode_is_right(mode: str) -> None:
    nodes = nodes_of(ROOT / "inventories" / mode / "hosts.yml")
    result = run_module(module, {"mode": mode, "nodes": nodes, "resolved": True}, check=True)
    assert result["faults"] == []
    assert not result["changed"]
    assert [node["host"] for node in result["nodes"]] == [node["host"] for node in nodes]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("other", MODES)
def test_inventory_of_one_mode_stops_under_the_playbook_of_another(mode: str, other: str) -> None:
    faults = inventory.check_topology(other, nodes_of(ROOT / "inventories" / mode / "hosts.yml"))
    assert bool(faults) == (mode != other)


def test_module_fails_with_one_line_for_each_fault_and_changes_nothing() -> None:
    path = next(path for path in WRONG if path.stem == "many-at-once")
    wrong = read_wrong(path)
    with pytest.raises(ModuleFailed) as failed:
        run_module(module, {"mode": wrong.mode, "nodes": nodes_of(path)})
    assert str(failed.value).splitlines()[1:] == wrong.faults
    assert {"host", "value", "rule", "mend", "name", "text"} == set(failed.value.result["faults"][0])


def test_module_reports_nodes_that_are_no_mappings_as_faults() -> None:
    with pytest.raises(ModuleFailed) as failed:
        run_module(module, {"mode": "single-master", "nodes": ["broker-a", {"host": "ns-1"}, {"kind": "broker"}]})
    assert [fault["name"] for fault in failed.value.result["faults"]].count("node-form") == 3


def test_secret_in_a_faulty_setting_is_not_shown() -> None:
    path = next(path for path in WRONG if path.stem == "secrets-are-masked")
    with pytest.raises(ModuleFailed) as failed:
        run_module(module, {"mode": read_wrong(path).mode, "nodes": nodes_of(path)})
    assert "canary-4711" not in str(failed.value.result)


def test_settings_of_a_sync_pair_wait_for_its_slaves_and_let_the_slave_serve_reads() -> None:
    nodes = nodes_of(ROOT / "inventories" / "2m-2s-sync" / "hosts.yml")
    topology, faults = inventory.examine("2m-2s-sync", nodes)
    assert faults == []
    by_host = {node.host: derive.settings_of(topology, node, store_dir=f"/srv/{node.host}") for node in topology.nodes}
    assert by_host["broker-a"]["brokerRole"] == "SYNC_MASTER"
    assert by_host["broker-a"]["inSyncReplicas"] == "2"
    assert "slaveReadEnable" not in by_host["broker-a"]
    assert by_host["broker-a-s"]["brokerRole"] == "SLAVE"
    assert by_host["broker-a-s"]["slaveReadEnable"] == "true"
    assert by_host["broker-a-s"]["storePathRootDir"] == "/srv/broker-a-s"
    assert {settings.get("namesrvAddr") for host, settings in by_host.items() if host.startswith("broker")} == {
        "127.0.0.1:9876;127.0.0.1:9886"
    }
