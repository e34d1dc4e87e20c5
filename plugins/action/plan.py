# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import plan as plans
from ..plugin_utils.engine_archive import collection_root
from ..plugin_utils.manifest_action import engine_archive
from ..plugin_utils.render import engine_files


class ActionModule(ActionBase):  # type: ignore[misc]
    """Documented as the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "mode": {"type": "str", "default": ""},
                "looked": {"type": "bool", "default": False},
            }
        )
        groups, hostvars = (task_vars or {})["groups"], (task_vars or {})["hostvars"]
        hosts = [
            plans.variables_of(host, kind, hostvars[host])
            for kind, group in plans.GROUP_OF_KIND.items()
            for host in groups.get(group, [])
        ]
        looks = {item["host"]: hostvars[item["host"]].get("rocketmq_look") or {} for item in hosts}
        if not arguments["looked"]:
            looks = {}
        mode = arguments["mode"] or _mode_of(hosts, looks)
        plan, faults = plans.make_plan(mode, hosts, looks)
        lines = [fault.text() for fault in faults]
        lines += [line for look in looks.values() for line in look.get("faults", [])]
        if plan is None or lines:
            raise AnsibleActionFail(_report(lines))
        fact = plan.as_fact()
        _add_engine_files(fact)
        # What is returned is printed under -v.
        hidden = {"_ansible_no_log": True} if plan.has_secrets else {}
        return {**result, **hidden, "changed": False, "ansible_facts": {"rocketmq_plan": fact}}


def _mode_of(hosts: list[dict[str, Any]], looks: dict[str, Any]) -> str:
    """The mode where the playbook names none: what the inventory says, else what was deployed."""
    said = [item.get("rocketmq_mode") for item in hosts]
    deployed = [(look.get("deployed") or {}).get("mode") for look in looks.values()]
    return next((str(mode) for mode in [*said, *deployed] if mode), "")


def _add_engine_files(fact: dict[str, Any]) -> None:
    """Preflight compares what a machine has once, so that a run that changes nothing needs no second look."""
    archive = engine_archive()
    for node in fact["nodes"].values():
        if node["leader"]:
            files = engine_files(collection_root(), archive, plans.record_of(fact, node["host"]))
            node["preflight"]["files"] = {path: file["sha256"] for path, file in files.items()}


def _report(lines: list[str]) -> str:
    count = f"{len(lines)} faults" if len(lines) > 1 else "1 fault"
    return "\n".join([f"{count}, nothing was changed:", *(f"- {line}" for line in lines)])
