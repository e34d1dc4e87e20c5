#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Check the inventory and decide what each RocketMQ node is to be
version_added: 0.1.0
description:
  - Reads the groups C(rocketmq_namesrv) and C(rocketmq_broker) with their variables, checks them as
    M(rocketmq.cluster.topology) does, and sets the fact C(rocketmq_plan), from which the roles work.
  - All faults of the inventory are reported at once, each with host, value, rule and mend.
  - With O(looked=true) what M(rocketmq.cluster.preflight) found on each host (in the variable C(rocketmq_look)) is
    taken into account, its faults are reported with the others, and the mode is compared with the deployed one.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.attributes
attributes:
  check_mode:
    support: full
    description: Only decides.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  mode:
    description: The mode that is asked for; where empty, what C(rocketmq_mode) says or what was deployed before.
    type: str
    default: ""
  looked:
    description: Whether preflight has run on the hosts.
    type: bool
    default: false
notes:
  - Runs on the controller. Use it with C(run_once), its fact is set for all hosts of the play.
"""

EXAMPLES = r"""
- name: Check the whole inventory
  rocketmq.cluster.plan:
    mode: 2m-2s-sync
  run_once: true
"""

RETURN = r"""
ansible_facts:
  description: Holds C(rocketmq_plan).
  returned: success
  type: dict
"""
