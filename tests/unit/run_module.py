# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module's ``main`` in this process, on this machine, with real options and real effects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

if TYPE_CHECKING:
    from types import ModuleType


class ModuleFailed(Exception):
    """``fail_json`` was called; the text is its message, ``result`` all that it returned."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result["msg"])
        self.result = result


class _Exit(Exception):
    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


def _exit_json(_module: basic.AnsibleModule, **result: Any) -> None:
    raise _Exit(json.loads(json.dumps({"changed": False, **result})))


def _fail_json(_module: basic.AnsibleModule, msg: str, **result: Any) -> None:
    raise ModuleFailed({"msg": msg, **result})


def run_module(module: ModuleType, options: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    """What the module returns.  Raises :class:`ModuleFailed`."""
    with (
        patch_module_args({**options, "_ansible_check_mode": check, "_ansible_diff": True}),
        mock.patch.object(basic.AnsibleModule, "exit_json", _exit_json),
        mock.patch.object(basic.AnsibleModule, "fail_json", _fail_json),
    ):
        try:
            module.main()
        except _Exit as done:
            return done.result
    raise AssertionError(f"{module.__name__} returned without a result")
