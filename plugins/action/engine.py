# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ..plugin_utils.engine_archive import collection_root
from ..plugin_utils.manifest_action import ManifestAction, engine_archive
from ..plugin_utils.plan import record_of
from ..plugin_utils.render import engine_files, engine_manifest


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
        host, look = variables["inventory_hostname"], arguments["look"]
        archive = engine_archive()
        files = engine_files(collection_root(), archive, record_of(arguments["plan"], host))
        owner = "root" if look["service_manager"] == "systemd" else None
        manifest = engine_manifest(look["home"], files, archive, look["python"], owner)
        name = f"lib/{archive.file_name}"
        copies = {f"{look['home']}/{name}": archive.path} if name in look["differing"] else {}
        result.update(self.apply(manifest, copies, variables))
        return result
