#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_service
short_description: Start, restart or stop one RocketMQ node
version_added: 0.1.0
description:
  - Starts or stops the name server or broker of one node in one execution, as a systemd unit or under the engine's
    supervisor.
  - Returns where the log stood before the start, from which M(rocketmq.cluster.wait_boot) waits for the boot line.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.attributes
attributes:
  check_mode:
    support: full
    description: Says whether it would start or stop something and does not.
  diff_mode:
    support: none
    description: A process has no text to compare.
options:
  node:
    description: Name of the node, as in the inventory.
    type: str
    required: true
  cluster:
    description: Name of the node's cluster.
    type: str
    required: true
  state:
    description:
      - V(started) starts the node where it does not run.
      - V(restarted) stops it first where it runs.
      - V(stopped) ends it and waits until it is gone.
    type: str
    choices: [started, restarted, stopped]
    required: true
  service_manager:
    description: What runs the node.
    type: str
    choices: [systemd, supervisor]
    required: true
  home:
    description: The cluster's folder on this host.
    type: path
    required: true
  log_files:
    description: The logs that will show the boot line or the cause of a failure, the console's first.
    type: list
    elements: path
    default: []
  abort_file:
    description: The store's abort file; a clean stop removes it.
    type: path
  command:
    description: The supervisor's command line. Needed to start a node without systemd.
    type: list
    elements: str
    default: []
  environment:
    description: Environment variables of the supervisor, besides Ansible's own.
    type: dict
    default: {}
  fingerprint:
    description: What the node is started with; noted so that a later run knows whether it has to be restarted.
    type: str
    default: ""
  stop_timeout:
    description: Seconds a stop may take.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Stop a node
  rocketmq.cluster.node_service:
    node: broker-a
    cluster: DefaultCluster
    state: stopped
    service_manager: supervisor
    home: /srv/rocketmq
"""

RETURN = r"""
pid:
  description: Process id of the name server or broker; 0 where it does not run.
  returned: always
  type: int
marks:
  description: Where each log ended before the start, for M(rocketmq.cluster.wait_boot).
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The log.
      type: str
    inode:
      description: Its inode; 0 where there was no log.
      type: int
    offset_bytes:
      description: Its size.
      type: int
"""

import os
from dataclasses import asdict
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.log_files import listing
from ..module_utils.node_paths import NodePaths, unit_name
from ..module_utils.node_process import (
    Launch,
    NodeProcess,
    NodeProcessError,
    Supervised,
    SystemdUnit,
    write_started,
)
from ..module_utils.rmq.topology.boot_wait import LogMark


def _process(module: AnsibleModule, paths: NodePaths) -> NodeProcess:
    params = module.params
    if params["service_manager"] == "supervisor":
        console = params["log_files"][0] if params["log_files"] else os.devnull
        return Supervised(paths.pid_file, Launch(params["command"], params["environment"], console))

    def run(command: Any) -> Any:
        code, output, errors = module.run_command(command)
        return code, output + errors

    return SystemdUnit(unit_name(params["cluster"], params["node"]), run)


def _stop(process: NodeProcess, params: Dict[str, Any]) -> None:
    was_running = process.status().running
    process.stop(float(params["stop_timeout"]))
    if was_running and params["abort_file"] and os.path.exists(params["abort_file"]):
        raise NodeProcessError(f"it ended, but not cleanly: {params['abort_file']} is still there")


def _change(process: NodeProcess, params: Dict[str, Any], paths: NodePaths) -> List[LogMark]:
    # Also where it does not run: a service manager that is about to try again is called off.
    _stop(process, params)
    marks = [LogMark.of(path, listing(path)) for path in params["log_files"]]
    if params["state"] != "stopped":
        process.start()
        write_started(paths.started_file, params["fingerprint"])
    return marks


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "restarted", "stopped"], "required": True},
            "service_manager": {"type": "str", "choices": ["systemd", "supervisor"], "required": True},
            "home": {"type": "path", "required": True},
            "log_files": {"type": "list", "elements": "path", "default": []},
            "abort_file": {"type": "path"},
            "command": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "fingerprint": {"type": "str", "default": ""},
            "stop_timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    paths = NodePaths(params["home"], params["node"])
    process = _process(module, paths)
    marks: List[LogMark] = []
    try:
        status = process.status()
        changed = {"restarted": True, "started": not status.running, "stopped": status.held}[params["state"]]
        if changed and not module.check_mode:
            marks = _change(process, params, paths)
        pid = process.status().pid or 0
    except (NodeProcessError, OSError) as error:
        module.fail_json(msg=f"{params['node']}: {error}")
    module.exit_json(changed=changed, pid=pid, marks=[asdict(mark) for mark in marks])


if __name__ == "__main__":
    main()
