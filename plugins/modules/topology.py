#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: topology
short_description: Check a whole RocketMQ inventory before anything starts
version_added: 0.1.0
description:
  - Looks at all nodes of a run at once and reports every fault, each with host, value, rule and mend. Nothing is
    connected to, nothing is changed; one call on the controller is enough.
  - Checks pairs, ids, roles and mode, name server lists, addresses, the ports and paths of nodes on one machine, and
    every key of RocketMQ in C(rocketmq_broker_config) and C(rocketmq_namesrv_config) against the engine's registry.
  - Without faults it returns each node as it was understood, with the settings that follow from the mode.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.attributes
attributes:
  check_mode:
    support: full
    description: Only looks, so a check is a real run.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  mode:
    description: The mode of the playbook, V(single-master), V(2m-noslave), V(2m-2s-async) or V(2m-2s-sync).
    type: str
    required: true
  nodes:
    description:
      - All nodes, in the inventory's order. Each is a dictionary with C(host) (its name in the inventory), C(kind)
        (V(broker) or V(namesrv)) and the host's variables, all those that begin with C(rocketmq_) and
        C(ansible_host), C(ansible_port), C(ansible_connection).
      - C(default_address) is the address of the host's default route, once somebody has looked.
      - A node of another form is one of the faults.
    type: list
    elements: raw
    required: true
  resolved:
    description: Whether the hosts were looked at, so that an address which is still missing is a fault.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Check the whole inventory
  rocketmq.cluster.topology:
    mode: 2m-2s-async
    nodes:
      - {host: ns-1, kind: namesrv, ansible_host: 192.0.2.11}
      - host: broker-a
        kind: broker
        ansible_host: 192.0.2.21
        rocketmq_broker_name: broker-a
        rocketmq_broker_id: 0
      - host: broker-a-s
        kind: broker
        ansible_host: 192.0.2.22
        rocketmq_broker_name: broker-a
        rocketmq_broker_id: 1
      - host: broker-b
        kind: broker
        ansible_host: 192.0.2.23
        rocketmq_broker_name: broker-b
        rocketmq_broker_id: 0
      - host: broker-b-s
        kind: broker
        ansible_host: 192.0.2.24
        rocketmq_broker_name: broker-b
        rocketmq_broker_id: 1
  delegate_to: localhost
  run_once: true
  register: topology
"""

RETURN = r"""
faults:
  description: All faults, sorted by host; empty where the inventory is right.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: The host in the inventory, or C(inventory) for what concerns no single one.
      type: str
      returned: always
      sample: broker-a-s
    value:
      description: What was found.
      type: str
      returned: always
      sample: "rocketmq_broker_id: 0 in broker-a, like broker-a"
    rule:
      description: The rule it breaks.
      type: str
      returned: always
      sample: exactly one node of a pair has rocketmq_broker_id 0
    mend:
      description: What to do.
      type: str
      returned: always
      sample: "Write rocketmq_broker_id: 1, or another broker name"
    name:
      description: The rule's short name.
      type: str
      returned: always
      sample: one-master
    text:
      description: All of it in one line.
      type: str
      returned: always
nodes:
  description: The nodes as they were understood, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The host in the inventory.
      type: str
      returned: always
      sample: broker-a-s
    kind:
      description: V(broker) or V(namesrv).
      type: str
      returned: always
      sample: broker
    machine:
      description: What tells machines apart; nodes with the same one share it.
      type: str
      returned: always
      sample: 192.0.2.22
    cluster:
      description: The node's cluster.
      type: str
      returned: always
      sample: DefaultCluster
    engine:
      description: V(python) or V(apache).
      type: str
      returned: always
      sample: python
    broker_name:
      description: The broker's name; empty for a name server.
      type: str
      returned: always
      sample: broker-a
    broker_id:
      description: 0 for a master, above for a slave.
      type: int
      returned: always
      sample: 1
    address:
      description: The advertised address; empty while it has to be looked up on the host.
      type: str
      returned: always
      sample: 192.0.2.22
    listen_port:
      description: The port that clients connect to.
      type: int
      returned: always
      sample: 10911
    ports:
      description: Every port the node takes, with the key of RocketMQ that it comes from.
      type: dict
      returned: always
      sample: {"10909": "listenPort-2", "10911": "listenPort", "10912": "haListenPort"}
    settings:
      description: The node's settings in RocketMQ's spelling, but for paths that are decided on the host.
      type: dict
      returned: always
      sample: {"brokerRole": "SLAVE", "slaveReadEnable": "true"}
"""

from typing import TYPE_CHECKING, Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.rmq.topology import derive, inventory, machine_rules
from ..module_utils.rmq.topology.fault import Fault, lines
from ..module_utils.rmq.topology.limits import SECRET_KEYS

if TYPE_CHECKING:
    from ..module_utils.rmq.topology.node import Node
    from ..module_utils.rmq.topology.topology import Topology


def _fault(fault: Fault) -> Dict[str, str]:
    return {
        "host": fault.host,
        "value": fault.value,
        "rule": fault.rule,
        "mend": fault.mend,
        "name": fault.name,
        "text": fault.text(),
    }


def _node(topology: Topology, node: Node) -> Dict[str, Any]:
    return {
        "host": node.host,
        "kind": node.kind.value,
        "machine": node.machine,
        "cluster": node.cluster,
        "engine": node.engine.value,
        "broker_name": node.broker_name,
        "broker_id": node.broker_id,
        "address": node.address,
        "listen_port": node.listen_port,
        "ports": {str(port): key for port, key in machine_rules.ports_of(node).items()},
        "settings": derive.settings_of(topology, node),
    }


def _message(texts: List[str]) -> str:
    count = "1 fault" if len(texts) == 1 else f"{len(texts)} faults"
    return "\n".join([f"The inventory has {count}; nothing was started or changed.", *texts])


def main() -> None:
    # The nodes' variables may hold credentials: the call itself is kept out of the system's log, and their values out
    # of whatever is returned.
    module = AnsibleModule(
        argument_spec={
            "mode": {"type": "str", "required": True},
            "nodes": {"type": "list", "elements": "raw", "required": True},
            "resolved": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        no_log=True,
    )
    topology, faults = inventory.examine(
        module.params["mode"], module.params["nodes"], resolved=module.params["resolved"]
    )
    secrets = (value for node in topology.nodes for key, value in node.config if key in SECRET_KEYS)
    module.no_log_values.update(value for value in secrets if value)
    if faults:
        module.fail_json(msg=_message(lines(faults)), faults=[_fault(fault) for fault in faults])
    module.exit_json(faults=[], nodes=[_node(topology, node) for node in topology.nodes])


if __name__ == "__main__":
    main()
