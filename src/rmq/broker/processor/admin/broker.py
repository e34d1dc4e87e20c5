# SPDX-License-Identifier: Apache-2.0
"""The broker itself: 25, 26 its settings, 28 its state, 907 its replication."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting.bodies import DataVersion, KVTable
from ....remoting.codes import ResponseCode
from ....remoting.version import CURRENT_VERSION_DESCRIPTION
from ...ha_status import ha_status_body
from ...runtime_info import runtime_info
from .persisted import answer_when_persisted

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext


class BrokerAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._config_version = DataVersion(timestamp=context.clock.now_ms())

    def config(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """The keys that this engine honours, with their values in force; a comment says which were changed by 25."""
        overrides = self._context.overrides
        lines = [f"{key}={_escaped(value)}\n" for key, value in sorted(self._context.effective_settings.items())]
        if overrides.values:
            lines.insert(0, f"# Changed over the wire ({overrides.path}): {', '.join(sorted(overrides.values))}\n")
        version = {"version": self._config_version.encode().decode()}
        return request.response(ResponseCode.SUCCESS, None, version, "".join(lines).encode())

    def update_config(self, channel: Channel, request: RemotingCommand) -> None:
        answer = answer_when_persisted(channel, request)
        self._context.overrides.update(request.body, answer)
        self._config_version = self._config_version.next_version(self._context.clock.now_ms())

    def runtime(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        table = {**runtime_info(self._context), "brokerVersionDesc": CURRENT_VERSION_DESCRIPTION}
        return request.response(ResponseCode.SUCCESS, body=KVTable(table).encode())

    def ha_status(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        return request.response(ResponseCode.SUCCESS, body=ha_status_body(self._context.ha_runtime_info()))


def _escaped(value: str) -> str:
    """Java's Properties read a backslash as an escape."""
    return value.replace("\\", "\\\\")
