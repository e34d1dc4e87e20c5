# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # For the modules that render a manifest on the controller.
    DOCUMENTATION = r"""
options:
  plan:
    description: The plan that M(rocketmq.cluster.plan) made.
    type: dict
    required: true
  look:
    description: What M(rocketmq.cluster.preflight) found on this host.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Reports what would change and changes nothing.
  diff_mode:
    support: full
    description: Returns one diff for each file, directory and link.
notes:
  - Renders on the controller and applies the result with M(rocketmq.cluster.manifest) in one execution on the host.
"""
