# SPDX-License-Identifier: Apache-2.0
"""One consumer group that is connected: its clients and what it subscribes to. Answers to Apache's ConsumerGroupInfo.

All clients of a group must subscribe alike. Where they differ, the topics of the last heartbeat win and the highest
subVersion of each topic stays: two clients that differ make the group flip at every beat. That is RocketMQ's rule,
clients rely on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .subscription import matcher

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..remoting.bodies import SubscriptionData
    from ..rpc.channel import Channel
    from .client_channel_info import ClientChannelInfo
    from .subscription import TagMatcher

BROADCASTING = "BROADCASTING"
CLUSTERING = "CLUSTERING"
CONSUME_ACTIVELY = "CONSUME_ACTIVELY"
CONSUME_PASSIVELY = "CONSUME_PASSIVELY"


class ConsumerGroupInfo:
    def __init__(self, group: str) -> None:
        self.group = group
        self.consume_type = CONSUME_PASSIVELY
        self.message_model = CLUSTERING
        self.consume_from_where = "CONSUME_FROM_LAST_OFFSET"
        #: Of the last heartbeat, 0 for the old form without one.
        self.fingerprint = 0
        self.subscriptions: dict[str, SubscriptionData] = {}
        self.channels: dict[Channel, ClientChannelInfo] = {}
        self._matchers: dict[str, TagMatcher | None] = {}

    @property
    def is_broadcasting(self) -> bool:
        return self.message_model == BROADCASTING

    def client_ids(self) -> list[str]:
        return [info.client_id for info in self.channels.values()]

    def find_client(self, client_id: str) -> ClientChannelInfo | None:
        return next((info for info in self.channels.values() if info.client_id == client_id), None)

    def matcher(self, topic: str) -> TagMatcher | None:
        """The tag test of a subscribed topic, made once for each version of the subscription."""
        if topic not in self._matchers:
            self._matchers[topic] = matcher(self.subscriptions[topic])
        return self._matchers[topic]

    def update_channel(self, info: ClientChannelInfo) -> bool:
        """Record a beat. True when this connection was not in the group before."""
        is_new = info.channel not in self.channels
        self.channels[info.channel] = info
        return is_new

    def update_subscriptions(self, subscriptions: Iterable[SubscriptionData]) -> bool:
        """True when a topic came or went; a newer version of a known topic replaces it without being a change."""
        changed = False
        wanted = {data.topic: data for data in subscriptions}
        for topic, data in wanted.items():
            known = self.subscriptions.get(topic)
            if known is None:
                changed = True
            if known is None or data.sub_version > known.sub_version:
                self.subscriptions[topic] = data
                self._matchers.pop(topic, None)
        for topic in [topic for topic in self.subscriptions if topic not in wanted]:
            del self.subscriptions[topic]
            self._matchers.pop(topic, None)
            changed = True
        return changed
