#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Put the files of one RocketMQ node in place
version_added: 0.1.0
description:
  - Writes the folders, the settings and, under systemd, the unit of one name server or broker.
  - Starts nothing; says whether the node has to be started or restarted for what is in place now.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.rendered
"""

EXAMPLES = r"""
- name: Configure this node
  rocketmq.cluster.node:
    plan: "{{ rocketmq_plan }}"
    look: "{{ rocketmq_look }}"
  register: rocketmq_files
"""

RETURN = r"""
changes:
  description: Path of everything that changed, or in check mode would.
  returned: always
  type: list
  elements: str
service:
  description: Options for M(rocketmq.cluster.node_service), all but its state.
  returned: always
  type: dict
start:
  description: Whether the node does not run and has to be started.
  returned: always
  type: bool
restart:
  description: Whether the node runs with other settings, another unit or another engine than those in place now.
  returned: always
  type: bool
"""
