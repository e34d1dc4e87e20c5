# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils import embedded
from ..plugin_utils.engine_archive import collection_root


class ActionModule(ActionBase):  # type: ignore[misc]
    """Documented as the module of the same name."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "mode": {"type": "str", "choices": list(embedded.MODES)},
                "cluster": {"type": "str", "required": True},
                "home": {"type": "str", "default": ""},
                "port_offset": {"type": "int", "default": 0},
            }
        )
        variables = task_vars or {}
        groups = variables.get("groups", {})
        if any(groups.get(group) for group in embedded.GROUPS):
            return {**result, "changed": False, "nodes": [], "msg": "", "has_secrets": False}
        sources = list(variables.get("ansible_inventory_sources") or [])
        if embedded.is_inventory_given(sources):
            raise AnsibleActionFail(
                f"the inventory {', '.join(sources)} has no hosts in the groups rocketmq_namesrv and rocketmq_broker. "
                "Put each name server and each broker into its group as inventories/2m-2s-sync/hosts.yml shows, or "
                "leave the inventory out to work on a cluster on this machine"
            )
        try:
            mode, nodes = self._nodes(arguments)
        except embedded.EmbeddedError as error:
            raise AnsibleActionFail(str(error)) from error
        has_secrets = any(node.has_secrets for node in nodes)
        # What is returned is printed under -v.
        hidden = {"_ansible_no_log": True} if has_secrets else {}
        return {
            **result,
            **hidden,
            "changed": False,
            "has_secrets": has_secrets,
            "mode": mode,
            "nodes": [node.as_host() for node in nodes],
            "msg": f"No inventory given, so {mode} on this machine: {len(nodes)} nodes.",
        }

    def _nodes(self, arguments: dict[str, Any]) -> tuple[str, list[embedded.EmbeddedNode]]:
        if arguments["mode"]:
            mode = str(arguments["mode"])
            return mode, embedded.nodes_of_mode(collection_root(), mode, arguments["port_offset"])
        return embedded.nodes_deployed(arguments["cluster"], arguments["home"])
