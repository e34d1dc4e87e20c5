# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster on this machine that a playbook uses where no inventory was given.

Its nodes come from ``inventories/MODE/``, the files that users copy, or for check and stop from the record that the
last run left under rocketmq_home.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager

from ..module_utils.node_paths import NodePaths, default_home
from ..module_utils.rmq.topology.limits import SECRET_KEYS

GROUPS = ("rocketmq_namesrv", "rocketmq_broker")
MODES = ("single-master", "2m-noslave", "2m-2s-async", "2m-2s-sync")
# Ansible reads this file where no inventory is given; a machine without it, or with no hosts in it, has none.
DEFAULT_SOURCE = "/etc/ansible/hosts"
_RECORD_MAX_BYTES = 1 << 20


class EmbeddedError(Exception):
    """There is nothing to work on; the text says why and what to do."""


@dataclass(frozen=True)
class EmbeddedNode:
    """One host to add to the inventory."""

    name: str
    group: str
    variables: dict[str, Any]

    @property
    def has_secrets(self) -> bool:
        config = self.variables.get("rocketmq_broker_config")
        return "rocketmq_admin_secret_key" in self.variables or (
            isinstance(config, dict) and not SECRET_KEYS.isdisjoint(config)
        )

    def as_host(self) -> dict[str, Any]:
        # Ansible runs on this machine already: its own interpreter need not be looked for.
        variables = {**self.variables, "ansible_python_interpreter": sys.executable}
        return {"name": self.name, "group": self.group, "variables": variables}


def is_inventory_given(sources: list[str]) -> bool:
    """Whether the user named an inventory, by option, configuration or environment."""
    return any(str(source) != DEFAULT_SOURCE for source in sources)


def nodes_of_mode(root: Path, mode: str, port_offset: int) -> list[EmbeddedNode]:
    """The nodes of ``inventories/MODE/`` with their variables, group_vars included."""
    folder = root / "inventories" / mode
    if mode not in MODES or not folder.is_dir():
        raise EmbeddedError(f"there is no mode {mode!r}; the modes are {', '.join(MODES)}")
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[str(folder)])
    manager = VariableManager(loader=loader, inventory=inventory)
    return [
        EmbeddedNode(host.name, group, _variables(manager.get_vars(host=host, include_hostvars=False), port_offset))
        for group in GROUPS
        for host in inventory.groups[group].get_hosts()
    ]


def nodes_deployed(cluster: str, home: str) -> tuple[str, list[EmbeddedNode]]:
    """The mode and the nodes that the last run without an inventory brought up on this machine."""
    path = Path(NodePaths(home or default_home(cluster, systemd=False), "-").deployment_file).expanduser()
    nothing = (
        f"no inventory was given, and {path} has no record of a cluster on this machine. "
        "Name your inventory with -i, or bring one up: ansible-playbook playbooks/2m-2s-sync.yml"
    )
    try:
        with path.open("rb") as source:
            record = json.loads(source.read(_RECORD_MAX_BYTES))
        nodes = [EmbeddedNode(name, node["group"], node["variables"]) for name, node in record["nodes"].items()]
        mode = str(record["mode"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmbeddedError(nothing) from error
    if not nodes or not all(node.variables for node in nodes):
        raise EmbeddedError(nothing)
    return mode, nodes


def _variables(variables: dict[str, Any], port_offset: int) -> dict[str, Any]:
    chosen = {
        name: value
        for name, value in variables.items()
        if name.startswith("rocketmq_") or name in ("ansible_host", "ansible_connection")
    }
    chosen["rocketmq_listen_port"] = int(chosen["rocketmq_listen_port"]) + port_offset
    # Their variables are kept in the record, from which check and stop work.
    chosen["rocketmq_embedded"] = True
    return chosen
