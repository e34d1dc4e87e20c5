#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Look at a host before a RocketMQ node is put on it
version_added: 0.1.0
description:
  - Finds out what the node needs to know of its host (service manager, home, address, Python) and everything that would
    keep it from running there, in one execution that changes nothing.
  - Faults are returned, not raised, so that a play can report those of all hosts at once.
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
  node:
    description: Name of the node, as in the inventory.
    type: str
    required: true
  cluster:
    description: Name of the node's cluster.
    type: str
    required: true
  service_manager:
    description:
      - V(systemd) for a system unit, V(supervisor) for a supervised process with a pid file.
      - V(auto) takes systemd where it is PID 1 and Ansible works as root.
    type: str
    choices: [auto, systemd, supervisor]
    default: auto
  home:
    description:
      - Folder that holds everything of the cluster on this host.
      - Where empty, C(/var/lib/rocketmq/CLUSTER) under systemd and C(~/.local/state/rocketmq/CLUSTER) otherwise.
    type: path
    default: ""
  store_dir:
    description: Folder of the broker's store; empty where it lies under O(home).
    type: path
    default: ""
  log_dir:
    description: Folder of the node's logs; empty where it lies under O(home).
    type: path
    default: ""
  need_bytes:
    description: What a new store takes at once; 0 for a name server.
    type: int
    default: 0
  addresses:
    description: Addresses that have to be this host's own.
    type: list
    elements: str
    default: []
  ports:
    description: Ports that have to be free, or held by this very node.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The TCP port.
        type: int
        required: true
      purpose:
        description: What the node uses it for, for messages.
        type: str
        required: true
      variable:
        description: The variable that moves it, for messages.
        type: str
        required: true
  bind_addresses:
    description: Addresses the ports are bound to.
    type: list
    elements: str
    default: ["0.0.0.0"]
  python:
    description: The engine's interpreter; where empty the newest one that fits is looked for.
    type: str
    default: ""
  files:
    description: Files that the machine has once, by their path under O(home), with their SHA-256.
    type: dict
    default: {}
  user:
    description: User of the service under systemd.
    type: str
    default: rocketmq
"""

EXAMPLES = r"""
- name: Look at a host
  rocketmq.cluster.preflight:
    node: broker-a
    cluster: DefaultCluster
    addresses: [192.0.2.21]
    ports:
      - {port: 10911, purpose: listenPort, variable: rocketmq_listen_port}
  register: look
"""

RETURN = r"""
faults:
  description: All that keeps the node from running here, one line each.
  returned: always
  type: list
  elements: str
  sample: ["broker-a: port 10911 (listenPort): process 4711 (java ...) listens on 0.0.0.0:10911. Stop it, or ..."]
service_manager:
  description: V(systemd) or V(supervisor).
  returned: always
  type: str
home:
  description: The cluster's folder on this host, absolute.
  returned: always
  type: str
folder:
  description: Folder of the node below O(home).
  returned: always
  type: str
unit:
  description: Name of the node's systemd unit, whether there is one or not.
  returned: always
  type: str
store_dir:
  description: Folder of the node's store on this host, absolute.
  returned: always
  type: str
log_dir:
  description: Folder of the node's logs on this host, absolute.
  returned: always
  type: str
differing:
  description: Those of O(files) that are missing on the host or have another content.
  returned: always
  type: list
  elements: str
address:
  description: Address of the host's default route; empty where it has none.
  returned: always
  type: str
python:
  description: The engine's interpreter; empty where none was found.
  returned: always
  type: str
python_version:
  description: Its version.
  returned: always
  type: str
user_exists:
  description: Whether the service's user is there.
  returned: always
  type: bool
is_root:
  description: Whether Ansible works as root here.
  returned: always
  type: bool
pid:
  description: Process id of the node where it runs; 0 where not.
  returned: always
  type: int
fingerprint:
  description: What the node was last started with; empty where it never was.
  returned: always
  type: str
deployed:
  description: What was deployed here before, as its run noted it; empty where nothing was.
  returned: always
  type: dict
"""

import json
import os
import pwd
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import host, preflight
from ..module_utils.manifest import digest_of
from ..module_utils.node_paths import NodePaths, default_home, unit_name
from ..module_utils.node_process import NodeProcess, Supervised, SystemdUnit, read_started

_PORT = {
    "port": {"type": "int", "required": True},
    "purpose": {"type": "str", "required": True},
    "variable": {"type": "str", "required": True},
}
# The record is ours and small; anything larger is not it.
_RECORD_MAX_BYTES = 1 << 20


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _manager(params: Dict[str, Any]) -> str:
    if params["service_manager"] != "auto":
        return str(params["service_manager"])
    return "systemd" if host.runs_systemd() and os.geteuid() == 0 else "supervisor"


def _deployed(path: str) -> Dict[str, Any]:
    try:
        with open(path, "rb") as source:
            value = json.loads(source.read(_RECORD_MAX_BYTES))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _process(module: AnsibleModule, systemd: bool, paths: NodePaths) -> NodeProcess:
    if not systemd:
        return Supervised(paths.pid_file)
    unit = unit_name(module.params["cluster"], module.params["node"])

    def run(command: Any) -> Any:
        code, output, errors = module.run_command(command)
        return code, output + errors

    return SystemdUnit(unit, run)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "service_manager": {"type": "str", "choices": ["auto", "systemd", "supervisor"], "default": "auto"},
            "home": {"type": "path", "default": ""},
            "store_dir": {"type": "path", "default": ""},
            "log_dir": {"type": "path", "default": ""},
            "need_bytes": {"type": "int", "default": 0},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "ports": {"type": "list", "elements": "dict", "default": [], "options": _PORT},
            "bind_addresses": {"type": "list", "elements": "str", "default": ["0.0.0.0"]},
            "python": {"type": "str", "default": ""},
            "files": {"type": "dict", "default": {}},
            "user": {"type": "str", "default": "rocketmq"},
        },
        supports_check_mode=True,
    )
    params = module.params
    systemd = _manager(params) == "systemd"
    home = params["home"] or default_home(params["cluster"], systemd=systemd)
    paths = NodePaths(home, params["node"], store_dir=params["store_dir"], log_dir=params["log_dir"])
    status = _process(module, systemd, paths).status()
    python = host.find_python(params["python"], preflight.PRIVATE_FOLDERS if systemd else [])
    request = preflight.Request(
        node=params["node"],
        addresses=params["addresses"],
        ports=[preflight.Port(addresses=params["bind_addresses"], **port) for port in params["ports"]],
        folders=[paths.store_dir, paths.log_dir, paths.home],
        need_bytes=params["need_bytes"],
        python=params["python"],
        own_pid=status.main_pid,
        systemd=systemd,
    )
    module.exit_json(
        changed=False,
        faults=[fault.text() for fault in preflight.faults(request, python)],
        service_manager="systemd" if systemd else "supervisor",
        home=home,
        folder=paths.folder,
        unit=unit_name(params["cluster"], params["node"]),
        store_dir=paths.store_dir,
        log_dir=paths.log_dir,
        differing=[path for path, wanted in params["files"].items() if digest_of(os.path.join(home, path)) != wanted],
        address=host.default_address() or "",
        python=python.path if python else "",
        python_version=python.version_text() if python else "",
        user_exists=_user_exists(params["user"]),
        is_root=os.geteuid() == 0,
        pid=status.pid or 0,
        fingerprint=read_started(paths.started_file) if status.running else "",
        deployed=_deployed(paths.deployment_file),
    )


if __name__ == "__main__":
    main()
