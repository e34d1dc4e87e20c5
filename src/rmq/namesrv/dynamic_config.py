# SPDX-License-Identifier: Apache-2.0
"""The configuration in force, and changes to it over the wire (318); `dynamic.setting_overrides` has the rules."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from ..dynamic.setting_overrides import Changeable, SettingOverrides
from ..topology.kind import Kind
from .namesrv_config import BLACK_LIST, DYNAMIC_KEYS, NamesrvConfig

if TYPE_CHECKING:
    from logging import Logger

    from ..dynamic.setting_overrides import Written
    from ..env import Disk, Reactor
    from ..topology.settings import Value

_ATTRIBUTES = {item.metadata["key"]: item.name for item in fields(NamesrvConfig)}
_CHANGEABLE = Changeable(Kind.NAMESRV, DYNAMIC_KEYS, BLACK_LIST)


class DynamicConfig:
    """`current` is replaced as a whole by each change."""

    def __init__(self, config: NamesrvConfig, disk: Disk, reactor: Reactor, log: Logger) -> None:
        self.current = config
        self._overrides = SettingOverrides(
            _CHANGEABLE, config.overrides_path, disk, reactor, log, in_force=dict, take=self._take
        )

    def load(self) -> None:
        """Blocks. Puts earlier changes over what the operator's file says. Raises OverridesError."""
        self._overrides.load()

    def update(self, body: bytes, done: Written) -> None:
        """Take the properties of a 318. done gets None when they are on disk, else why not. Raises RequestRefused."""
        self._overrides.update(body, done)

    def _take(self, values: dict[str, Value]) -> None:
        changes = {_ATTRIBUTES[key]: value for key, value in values.items()}
        self.current = replace(self.current, **changes)  # type: ignore[arg-type]  # checked by type a moment ago
