# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts module executions for each node, which is what a converge costs: benchmarks/converge.py reads the file."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: round_trips
type: aggregate
short_description: Count module executions for each host
description: Writes the counts to the file named by ROUND_TRIPS_FILE.
"""

# Decided on the controller: nothing is sent to a node.
ON_CONTROLLER = frozenset(
    {"add_host", "assert", "debug", "fail", "group_by", "import_role", "include_role", "meta", "set_fact"}
    | {"rocketmq.cluster.plan", "rocketmq.cluster.embedded_default"}
)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "round_trips"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.trips: Counter[str] = Counter()

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.action.removeprefix("ansible.builtin.") not in ON_CONTROLLER:
            self.trips[result.host.get_name()] += 1

    def v2_playbook_on_stats(self, stats: Any) -> None:
        changed = sum(stats.summarize(host)["changed"] for host in stats.processed)
        report = {"round_trips": dict(self.trips), "changed": changed}
        Path(os.environ["ROUND_TRIPS_FILE"]).write_text(json.dumps(report), encoding="utf-8")
