# SPDX-License-Identifier: Apache-2.0
"""Which producers are connected: group -> connection -> client. Answers to Apache's ProducerManager."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..rpc.channel import Channel
    from .client_channel_info import ClientChannelInfo


class ProducerManager:
    def __init__(self, channel_expired_timeout_ms: int) -> None:
        self._expired_ms = channel_expired_timeout_ms
        self._groups: dict[str, dict[Channel, ClientChannelInfo]] = {}
        self._by_client: dict[str, Channel] = {}
        self._turn = 0

    def register(self, group: str, info: ClientChannelInfo) -> None:
        self._groups.setdefault(group, {})[info.channel] = info
        self._by_client[info.client_id] = info.channel

    def find_channel(self, client_id: str) -> Channel | None:
        """The connection of a producer, by what it calls itself."""
        return self._by_client.get(client_id)

    def unregister(self, group: str, channel: Channel) -> None:
        channels = self._groups.get(group)
        if channels is None:
            return
        info = channels.pop(channel, None)
        if not channels:
            del self._groups[group]
        if info is not None and not any(channel in others for others in self._groups.values()):
            self._forget_client(info.client_id, channel)

    def _forget_client(self, client_id: str, channel: Channel) -> None:
        """Unless it has come back by another connection."""
        if self._by_client.get(client_id) is channel:
            del self._by_client[client_id]

    def channel_closed(self, channel: Channel) -> None:
        for group in [name for name, channels in self._groups.items() if channel in channels]:
            self.unregister(group, channel)

    def clients(self, group: str) -> list[ClientChannelInfo] | None:
        """None where no producer of that group is connected."""
        channels = self._groups.get(group)
        return None if channels is None else list(channels.values())

    def available_channel(self, group: str) -> Channel | None:
        """Some open connection of the group, another one at each call."""
        channels = [channel for channel in self._groups.get(group, ()) if channel.is_open]
        if not channels:
            return None
        self._turn += 1
        return channels[self._turn % len(channels)]

    def table(self) -> dict[str, list[ClientChannelInfo]]:
        return {group: list(channels.values()) for group, channels in self._groups.items()}

    def scan(self, now_ms: int) -> list[Channel]:
        """Forget producers silent for `channelExpiredTimeout` and return their connections, which the caller closes."""
        stale = [
            (group, channel)
            for group, channels in self._groups.items()
            for channel, info in channels.items()
            if now_ms - info.last_update_ms > self._expired_ms
        ]
        for group, channel in stale:
            self.unregister(group, channel)
        return [channel for _, channel in stale]
