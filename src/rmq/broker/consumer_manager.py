# SPDX-License-Identifier: Apache-2.0
"""Which consumer groups are connected, and who must hear when that changes. Answers to Apache's ConsumerManager.

A change (a client joined, left or ran out; a topic was subscribed or dropped) is told to every client of the group, so
that all of them divide the queues anew. Groups that consume broadcasting divide nothing and are not told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .consumer_group_info import ConsumerGroupInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..remoting.bodies import SubscriptionData
    from ..rpc.channel import Channel
    from .client_channel_info import ClientChannelInfo

    #: (group, connections to tell)
    GroupChanged = Callable[[str, list[Channel]], None]


@dataclass(frozen=True)
class ConsumerTraits:
    """How a group consumes, in the heartbeat's own words."""

    consume_type: str
    message_model: str
    consume_from_where: str


class ConsumerManager:
    def __init__(
        self, channel_expired_timeout_ms: int, group_changed: GroupChanged, group_gone: Callable[[str], None]
    ) -> None:
        """group_gone(group): its last client left."""
        self._group_gone = group_gone
        self._expired_ms = channel_expired_timeout_ms
        self._group_changed = group_changed
        self._groups: dict[str, ConsumerGroupInfo] = {}

    def get(self, group: str) -> ConsumerGroupInfo | None:
        return self._groups.get(group)

    def groups(self) -> list[str]:
        return list(self._groups)

    def groups_of_topic(self, topic: str) -> list[str]:
        return [name for name, info in self._groups.items() if topic in info.subscriptions]

    def register(
        self,
        group: str,
        client: ClientChannelInfo,
        traits: ConsumerTraits,
        subscriptions: Iterable[SubscriptionData] | None,
        *,
        notify: bool,
    ) -> bool:
        """Take a beat in; subscriptions is None for a beat without them (heartbeat v2). True when the group changed."""
        info = self._groups.get(group)
        if info is None:
            info = self._groups[group] = ConsumerGroupInfo(group)
        info.consume_type = traits.consume_type
        info.message_model = traits.message_model
        info.consume_from_where = traits.consume_from_where
        joined = info.update_channel(client)
        changed = subscriptions is not None and info.update_subscriptions(subscriptions)
        if joined or changed:
            self._tell(info, notify=notify)
        return joined or changed

    def unregister(self, group: str, channel: Channel, *, notify: bool) -> None:
        info = self._groups.get(group)
        if info is None or info.channels.pop(channel, None) is None:
            return
        if not info.channels:
            del self._groups[group]
            self._group_gone(group)
        self._tell(info, notify=notify)

    def channel_closed(self, channel: Channel) -> None:
        for group in [name for name, info in self._groups.items() if channel in info.channels]:
            self.unregister(group, channel, notify=True)

    def scan(self, now_ms: int) -> list[Channel]:
        """Forget clients silent for `channelExpiredTimeout` and return their connections, which the caller closes."""
        stale = [
            (group, channel)
            for group, info in self._groups.items()
            for channel, client in info.channels.items()
            if now_ms - client.last_update_ms > self._expired_ms
        ]
        for group, channel in stale:
            self.unregister(group, channel, notify=True)
        return [channel for _, channel in stale]

    def _tell(self, info: ConsumerGroupInfo, *, notify: bool) -> None:
        if notify and info.channels and not info.is_broadcasting:
            self._group_changed(info.group, list(info.channels))
