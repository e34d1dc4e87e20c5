# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a node keeps its things on a host.

HOME/                       rocketmq_home: one cluster on one machine
  deployment.json           what was deployed here: cluster, mode, nodes
  bin/  conf/               RocketMQ's commands and files of settings, as a ROCKETMQ_HOME has them
  lib/rmq-DIGEST.pyz        the engine; lib/rmq.pyz is a link to it
  nodes/NODE/
    broker.conf | namesrv.conf
    run/                    pid file, what it was started with
    store/                  rocketmq_store_dir
    logs/                   rocketmq_log_dir
"""

from __future__ import annotations

import os
from dataclasses import dataclass


def default_home(cluster: str, *, systemd: bool) -> str:
    """The value of rocketmq_home where it is not set."""
    if systemd:
        return f"/var/lib/rocketmq/{cluster}"
    return os.path.join(os.path.expanduser("~"), ".local", "state", "rocketmq", cluster)


def unit_name(cluster: str, node: str) -> str:
    """The systemd unit of a node; clusters that share a machine may use the same names of nodes."""
    return f"rocketmq-{cluster}-{node}.service"


@dataclass(frozen=True)
class NodePaths:
    home: str
    node: str
    store_dir: str = ""
    log_dir: str = ""

    def __post_init__(self) -> None:
        folder = os.path.join(self.home, "nodes", self.node)
        for field, default in (("store_dir", "store"), ("log_dir", "logs")):
            value = getattr(self, field) or os.path.join(folder, default)
            object.__setattr__(self, field, value)

    @property
    def folder(self) -> str:
        return os.path.join(self.home, "nodes", self.node)

    @property
    def run_dir(self) -> str:
        return os.path.join(self.folder, "run")

    @property
    def pid_file(self) -> str:
        return os.path.join(self.run_dir, "supervisor.pid")

    @property
    def started_file(self) -> str:
        return os.path.join(self.run_dir, "started.json")

    @property
    def deployment_file(self) -> str:
        return os.path.join(self.home, "deployment.json")
