#!/usr/bin/python
# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: wait_boot
short_description: Wait until a RocketMQ node says that it is up
version_added: 0.1.0
description:
  - Waits for the boot line of one start, as Apache's programs and the Python engine write it
    (C(The broker[broker-a, 192.0.2.21:10911] boot success...), C(The Name Server boot success...)).
  - The wait begins where the logs ended before that start, so that the line of an earlier start does not count, and
    follows a log that is rotated.
  - Ends at once when the process is gone, with the cause in one line and the log's last lines.
author:
  - Contributors to the RocketMQ cluster collection (!UNKNOWN)
extends_documentation_fragment:
  - rocketmq.cluster.attributes
attributes:
  check_mode:
    support: full
    description: Does not wait; says what it would wait for.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  node:
    description: Name of the node, for messages.
    type: str
    required: true
  kind:
    description: Which program it is.
    type: str
    choices: [namesrv, broker]
    required: true
  broker_name:
    description: brokerName that the boot line has to show.
    type: str
    default: ""
  address:
    description: IP and port that the boot line has to show, where it shows one; empty for any.
    type: str
    default: ""
  pid:
    description: Process id of the node; 0 where it has ended already.
    type: int
    default: 0
  marks:
    description: Where each log ended before the start, as M(rocketmq.cluster.node_service) returned it.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The log.
        type: path
        required: true
      inode:
        description: Its inode; 0 where there was no log.
        type: int
        required: true
      offset_bytes:
        description: Its size.
        type: int
        required: true
  timeout:
    description: Seconds to wait at most. A start reads what a crash left behind, which takes seconds for each GiB.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Start a broker
  rocketmq.cluster.node_service:
    node: broker-a
    cluster: DefaultCluster
    state: started
    service_manager: systemd
    home: /var/lib/rocketmq/DefaultCluster
    log_files: [/var/lib/rocketmq/DefaultCluster/nodes/broker-a/logs/broker.log]
  register: start

- name: Wait until it is up
  rocketmq.cluster.wait_boot:
    node: broker-a
    kind: broker
    broker_name: broker-a
    pid: "{{ start.pid }}"
    marks: "{{ start.marks }}"
"""

RETURN = r"""
line:
  description: The boot line.
  returned: when the node is up
  type: str
  sample: The broker[broker-a, 192.0.2.21:10911] boot success. serializeType=JSON and name server is 192.0.2.11:9876
waited_ms:
  description: How long the wait took.
  returned: always
  type: int
msg:
  description: Why the node is not up and what to do about it, in one line; in check mode what would be waited for.
  returned: on failure and in check mode
  type: str
last_lines:
  description: The end of what this start wrote to its logs.
  returned: on failure
  type: list
  elements: str
"""

import time
from typing import Any, Dict, Tuple

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.log_files import listing, read_new
from ..module_utils.node_process import is_alive
from ..module_utils.rmq.topology.boot_wait import BootWait, Expected, LogMark, Process, Verdict, Waiting
from ..module_utils.rmq.topology.boot_wait import Failed as BootFailed
from ..module_utils.rmq.topology.kind import Kind

_POLL_S = 0.1
_MARK = {
    "path": {"type": "path", "required": True},
    "inode": {"type": "int", "required": True},
    "offset_bytes": {"type": "int", "required": True},
}


def _wait(params: Dict[str, Any]) -> Tuple[Verdict, int]:
    """Look at the process, then read, then ask, until there is a verdict; with the time it took in ms."""
    expected = Expected(Kind(params["kind"]), params["broker_name"], params["address"])
    marks = [LogMark(**mark) for mark in params["marks"]]
    wait = BootWait(expected, marks, params["timeout"] * 1000)
    started_ms = _now_ms()
    while True:
        process = Process.RUNNING if params["pid"] and is_alive(params["pid"]) else Process.ENDED
        for read in wait.reads([file for mark in marks for file in listing(mark.path)]):
            wait.feed(read, read_new(read), _now_ms())
        verdict = wait.verdict(process, _now_ms(), started_ms)
        if not isinstance(verdict, Waiting):
            return verdict, _now_ms() - started_ms
        time.sleep(_POLL_S)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "node": {"type": "str", "required": True},
            "kind": {"type": "str", "choices": ["namesrv", "broker"], "required": True},
            "broker_name": {"type": "str", "default": ""},
            "address": {"type": "str", "default": ""},
            "pid": {"type": "int", "default": 0},
            "marks": {"type": "list", "elements": "dict", "default": [], "options": _MARK},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    params = module.params
    if module.check_mode:
        program = "name server" if params["kind"] == "namesrv" else f"broker {params['broker_name']}"
        module.exit_json(
            changed=False,
            msg=f"would wait {params['timeout']} s at most for the boot line of the {program}",
            waited_ms=0,
        )
    verdict, waited_ms = _wait(params)
    if isinstance(verdict, BootFailed):
        message = f"{params['node']}: {verdict.reason}" + (f". {verdict.mend}" if verdict.mend else "")
        if not verdict.last_lines:
            message += ". This start wrote nothing to its logs"
        module.fail_json(msg=message, last_lines=list(verdict.last_lines), waited_ms=waited_ms)
    module.exit_json(changed=False, line=getattr(verdict, "line", ""), waited_ms=waited_ms)


if __name__ == "__main__":
    main()
