# SPDX-License-Identifier: Apache-2.0
"""What a converge costs: seconds from nothing to "up", seconds of a re-run without changes, round trips for each node.

    .venv/bin/python benchmarks/converge.py [MODE ...]     default: all four modes

A round trip is one module execution on a node. The cluster is one of its own on this machine (other ports, a temporary
folder), so `make up` may run beside it. Nothing is asserted: figures on a shared machine are for a person to read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODES = ("single-master", "2m-noslave", "2m-2s-async", "2m-2s-sync")
PORT_OFFSET = 4000
# A converge takes seconds; one that takes minutes has failed.
DEADLINE_S = 300


def main(modes: list[str]) -> None:
    print(f"{'mode':<14} {'run':<16} {'seconds':>8} {'changed':>8}  round trips: most for a node, all")
    for mode in modes:
        with tempfile.TemporaryDirectory(prefix="rocketmq-converge-") as home:
            try:
                report(mode, "from nothing", *play(f"{mode}.yml", home))
                report(mode, "nothing changes", *play(f"{mode}.yml", home))
            finally:
                play("stop.yml", home)


def report(mode: str, run: str, seconds: float, result: dict[str, object]) -> None:
    trips = result["round_trips"]
    assert isinstance(trips, dict)
    print(
        f"{mode:<14} {run:<16} {seconds:>8.1f} {result['changed']!s:>8}  {max(trips.values())}, {sum(trips.values())}"
    )


def play(playbook: str, home: str) -> tuple[float, dict[str, object]]:
    counts = Path(home) / "round_trips.json"
    environment = {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "benchmarks" / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "round_trips",
        "ROUND_TRIPS_FILE": str(counts),
    }
    variables = {
        "rocketmq_home": f"{home}/home",
        "rocketmq_cluster_name": "Converge",
        "rocketmq_port_offset": PORT_OFFSET,
    }
    command = [str(ROOT / ".venv/bin/ansible-playbook"), f"playbooks/{playbook}", "-e", json.dumps(variables)]
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    seconds = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"{playbook} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return seconds, json.loads(counts.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODES))
