# SPDX-License-Identifier: Apache-2.0
"""One client on one connection, as a heartbeat describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..remoting.bodies import Connection

if TYPE_CHECKING:
    from ..rpc.channel import Channel


@dataclass
class ClientChannelInfo:
    channel: Channel
    client_id: str
    language: str
    version: int
    #: Monotonic; the last heartbeat.
    last_update_ms: int
    #: Wall clock of the same beat: what tools print.
    last_update_timestamp_ms: int

    def to_connection(self) -> Connection:
        """As 203 and 204 show it."""
        return Connection(self.channel.remote_address, self.client_id, self.language, self.version)
