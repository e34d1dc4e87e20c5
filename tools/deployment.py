# SPDX-License-Identifier: Apache-2.0
"""Prints what `make up` has brought up on this machine, one fact a line, from the record that the playbook leaves:

home DIRECTORY, namesrv ADDRESS;ADDRESS and for each node: node NAME <tab> ROLE <tab> ADDRESS.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

DEFAULT_HOME = Path("~/.local/state/rocketmq/DefaultCluster")


def main() -> None:
    home = DEFAULT_HOME.expanduser()
    nodes = json.loads((home / "deployment.json").read_text(encoding="utf-8"))["nodes"]
    address = {
        name: f"{node['variables']['ansible_host']}:{node['variables']['rocketmq_listen_port']}"
        for name, node in nodes.items()
    }
    # Name servers first, then the pairs, each master before its slaves.
    order = sorted(nodes, key=lambda name: (nodes[name]["group"] != "rocketmq_namesrv", nodes[name]["role"], name))
    namesrvs = [address[name] for name in order if nodes[name]["group"] == "rocketmq_namesrv"]
    lines = [f"home {home}", f"namesrv {';'.join(namesrvs)}"]
    lines += [f"node {name}\t{nodes[name]['role']}\t{address[name]}" for name in order]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
