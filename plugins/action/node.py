# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ..plugin_utils.engine_archive import collection_root
from ..plugin_utils.manifest_action import ManifestAction, engine_archive
from ..plugin_utils.render import render_node


class ActionModule(ManifestAction):
    """Documented as the module of the same name."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "plan": {"type": "dict", "required": True},
                "look": {"type": "dict", "required": True},
            }
        )
        variables = task_vars or {}
        node, look = arguments["plan"]["nodes"][variables["inventory_hostname"]], arguments["look"]
        rendered = render_node(collection_root(), node, look, engine_archive())
        result.update(self.apply(rendered.manifest, {}, variables))
        runs = bool(look["pid"])
        result.update(
            service=rendered.service,
            start=not runs,
            restart=runs and look["fingerprint"] != rendered.fingerprint,
        )
        return result
