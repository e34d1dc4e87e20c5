# SPDX-License-Identifier: Apache-2.0
"""The configuration in force, and changes to it over the wire (318).

Apache answers success whatever it is sent and writes the whole configuration over the operator's file (measured on
the broker, same code). Here a change is checked first, only the keys of DYNAMIC_KEYS can change, and what was changed
is kept in a file of its own beside kvConfig.json, which the next start reads after the operator's file and logs.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..rpc import RequestRefused
from ..topology.kind import Engine, Kind
from ..topology.properties import parse, render
from ..topology.settings import Checked, check
from .namesrv_config import BLACK_LIST, DYNAMIC_KEYS, NamesrvConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from ..env import Disk, Reactor

_ATTRIBUTES = {item.metadata["key"]: item.name for item in fields(NamesrvConfig)}


class OverridesError(Exception):
    """The file of earlier changes cannot be used; the text names it."""


class DynamicConfig:
    """`current` is replaced as a whole by each change."""

    def __init__(self, config: NamesrvConfig, disk: Disk, reactor: Reactor, log: Logger) -> None:
        self.current = config
        self._disk = disk
        self._reactor = reactor
        self._log = log
        self._overrides: dict[str, str] = {}

    def load(self) -> None:
        """Blocks. Puts earlier changes over what the operator's file says. Raises OverridesError."""
        path = self.current.overrides_path
        try:
            data = self._disk.read_bytes(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise OverridesError(f"{path} cannot be read: {error}") from None
        values, checked = _checked(data, str(path))
        strangers = sorted(set(values) - DYNAMIC_KEYS)
        if checked.faults or strangers:
            cause = checked.faults[0].text() if checked.faults else f"{path}: {strangers[0]} is no dynamic key"
            raise OverridesError(f"{cause}; remove the file to go back to the settings alone")
        self._take(values, checked)
        for key, value in values.items():
            self._log.info("%s=%s was set over the wire (%s)", key, value, path)

    def update(self, body: bytes, done: Callable[[BaseException | None], None]) -> None:
        """Take the properties of a 318. done gets None when they are on disk, else why not. Raises RequestRefused."""
        values, checked = _checked(body, "the request")
        if not BLACK_LIST.isdisjoint(values):
            raise RequestRefused(ResponseCode.NO_PERMISSION, "Can not update config in black list.")
        if checked.faults:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, "; ".join(fault.text() for fault in checked.faults))
        fixed = sorted(set(values) - DYNAMIC_KEYS)
        if fixed:
            remark = f"{', '.join(fixed)}: change the name server's file and restart it"
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)
        self._take(values, checked)
        self._log.info("configuration changed over the wire: %s", ", ".join(f"{k}={v}" for k, v in values.items()))
        data = render(self._overrides).encode("ascii")
        path = self.current.overrides_path
        self._reactor.run_blocking(lambda: self._disk.replace_file(path, data), done)

    def _take(self, values: dict[str, str], checked: Checked) -> None:
        self._overrides.update(values)
        changes = {_ATTRIBUTES[key]: value for key, value in checked.values.items()}
        self.current = replace(self.current, **changes)  # type: ignore[arg-type]  # checked by type a moment ago


def _checked(data: bytes, source: str) -> tuple[dict[str, str], Checked]:
    parsed = parse(data, source)
    checked = check(parsed.settings, engine=Engine.PYTHON, kind=Kind.NAMESRV)
    values = {setting.key: setting.value for setting in parsed.settings}
    return values, replace(checked, faults=(*parsed.faults, *checked.faults))
