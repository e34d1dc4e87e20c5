#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine
short_description: Put the Python engine on a machine
version_added: 0.1.0
description:
  - Installs the engine, one archive that runs on the standard library of Python 3.11 and newer, with RocketMQ's
    commands (C(bin/)) and files of settings (C(conf/)) under the cluster's folder, as a ROCKETMQ_HOME has them.
  - The archive is built on the controller from the collection itself and is named by its content, so that the second
    run copies nothing and a new engine never replaces the file that a running one reads.
  - Notes what is deployed on the machine, for the next run and for check and stop.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.rendered
"""

EXAMPLES = r"""
- name: Install the engine
  rocketmq.cluster.engine:
    plan: "{{ rocketmq_plan }}"
    look: "{{ rocketmq_look }}"
"""

RETURN = r"""
changes:
  description: Path of everything that changed, or in check mode would.
  returned: always
  type: list
  elements: str
"""
