# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our two rendering actions share: where the archive is built, and how a manifest gets to a host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from .engine_archive import EngineArchive, EngineArchiveError, build, collection_root


def engine_archive() -> EngineArchive:
    """The engine of this very checkout, from the cache under Ansible's home."""
    home = constants.config.get_config_value("ANSIBLE_HOME")
    try:
        return build(collection_root(), Path(home).expanduser() / "rocketmq-cluster" / "engine")
    except EngineArchiveError as error:
        raise AnsibleActionFail(str(error)) from error


class ManifestAction(ActionBase):  # type: ignore[misc]
    """An action that ends in one execution of the module ``manifest``."""

    _supports_check_mode = True
    _supports_async = False

    def apply(self, manifest: dict[str, Any], copies: dict[str, Path], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Apply the manifest; ``copies`` are files to bring to the host first: the path there, the path here."""
        if not copies or self._task.check_mode:
            return self._execute(manifest, task_vars)
        # Ansible removes this folder when the task has ended.
        folder = self._make_tmp_path()
        sources = {}
        for number, (there, here) in enumerate(sorted(copies.items())):
            sources[there] = self._connection._shell.join_path(folder, f"copy-{number}")
            self._transfer_file(str(here), sources[there])
        self._fixup_perms2([folder, *sources.values()])
        files = [dict(file, src=sources.get(file["path"])) for file in manifest["files"]]
        return self._execute({**manifest, "files": files}, task_vars)

    def _execute(self, manifest: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_name="rocketmq.cluster.manifest", module_args=manifest, task_vars=task_vars
        )
        if result.get("missing"):
            result.update(failed=True, msg=f"not on the host and not copied: {', '.join(result['missing'])}")
        return result
