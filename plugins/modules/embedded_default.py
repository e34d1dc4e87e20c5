#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: embedded_default
short_description: Nodes on this machine for a playbook that was given no inventory
version_added: 0.1.0
description:
  - Where Ansible was given no inventory, returns the nodes of the collection's own C(inventories/MODE/), which live on
    this machine, for M(ansible.builtin.add_host).
  - Returns none where the inventory has name servers or brokers, and fails where an inventory was given that has
    neither.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.attributes
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  mode:
    description:
      - The mode whose nodes are wanted.
      - Where it is left out, the nodes that the last run brought up on this machine, from the record under O(home).
    type: str
    choices: [single-master, 2m-noslave, 2m-2s-async, 2m-2s-sync]
  cluster:
    description: Name of the cluster; part of the default of O(home).
    type: str
    required: true
  home:
    description: Folder of the cluster on this machine; where empty C(~/.local/state/rocketmq/CLUSTER).
    type: str
    default: ""
  port_offset:
    description: Added to every port of C(inventories/MODE/), so that a second cluster finds room beside the first.
    type: int
    default: 0
notes:
  - Runs on the controller.
"""

EXAMPLES = r"""
- name: Find the nodes on this machine
  rocketmq.cluster.embedded_default:
    mode: 2m-2s-sync
    cluster: DefaultCluster
  register: embedded
"""

RETURN = r"""
mode:
  description: The mode of the nodes.
  returned: where there are nodes
  type: str
nodes:
  description: Name, group and variables of each node.
  returned: always
  type: list
  elements: dict
has_secrets:
  description: Whether variables of the nodes hold secrets, so that they should not be printed.
  returned: always
  type: bool
msg:
  description: One line that says so.
  returned: always
  type: str
"""
