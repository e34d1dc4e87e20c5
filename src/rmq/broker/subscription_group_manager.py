# SPDX-License-Identifier: Apache-2.0
"""The consumer groups of this broker: subscriptionGroup.json. Answers to Apache's SubscriptionGroupManager."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..remoting import topic_names as names
from ..remoting.bodies import DataVersion, SubscriptionGroupConfig, SubscriptionGroupWrapper
from . import topic_attributes
from .durable_table import DurableTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..env import Reactor
    from .broker_config import BrokerConfig
    from .durable_table import ConfigFile, Persisted

#: PermName.INDEX_PERM_READ.
FORBIDDEN_READ_BIT = 2

log = logging.getLogger(__name__)


class SubscriptionGroupManager:
    def __init__(self, config: BrokerConfig, reactor: Reactor, file: ConfigFile) -> None:
        self._config = config
        self._clock = reactor.clock
        self._table = DurableTable(reactor, file, self.to_json_value)
        self._listeners: list[Callable[[], None]] = []
        self.data_version = DataVersion(timestamp=reactor.clock.now_ms())
        self.groups: dict[str, SubscriptionGroupConfig] = {
            name: SubscriptionGroupConfig(group_name=name) for name in names.PREDEFINED_GROUPS
        }
        #: group -> topic -> bits of what is forbidden (bit 2: reading).
        self.forbidden: dict[str, dict[str, int]] = {}

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def load(self) -> None:
        """Raises StoreError."""
        stored = self._table.load(SubscriptionGroupWrapper.from_json_value)
        if stored is not None:
            self.groups.update(stored.subscription_group_table)
            self.forbidden.update(stored.forbidden_table)
            self.data_version = stored.data_version

    def flush(self, again: Callable[[], None]) -> bool:
        return self._table.flush(again)

    def contains(self, group: str) -> bool:
        return group in self.groups

    def find(self, group: str) -> SubscriptionGroupConfig | None:
        """The group, made on the way with autoCreateSubscriptionGroup (groups of the system always); None where it may
        not be."""
        known = self.groups.get(group)
        if known is not None:
            return known
        may_create = self._config.auto_create_subscription_group or (
            self._config.enable_create_sys_group and group.startswith(names.SYSTEM_GROUP_PREFIX)
        )
        if not may_create or names.check_group(group) is not None:
            return None
        created = self.groups[group] = SubscriptionGroupConfig(group_name=group)
        log.info("group %s is created automatically", group)
        self._changed(None)
        return created

    def update(self, configs: Iterable[SubscriptionGroupConfig], done: Persisted | None = None) -> None:
        """Create or change. Raises AttributeRefused; then nothing has changed."""
        final = []
        for config in configs:
            known = self.groups.get(config.group_name)
            attributes = topic_attributes.alter(
                topic_attributes.GROUP_ATTRIBUTES,
                known.attributes if known is not None else {},
                config.attributes,
                create=known is None,
            )
            final.append(replace(config, attributes=attributes))
        for config in final:
            self.groups[config.group_name] = config
            log.info("group %s is set", config.group_name)
        self._changed(done)

    def delete(self, group: str, done: Persisted | None = None) -> None:
        self.forbidden.pop(group, None)
        if self.groups.pop(group, None) is None:
            if done is not None:
                done(None)
            return
        self._changed(done)

    def is_reading_forbidden(self, group: str, topic: str) -> bool:
        return bool(self.forbidden.get(group, {}).get(topic, 0) & 1 << FORBIDDEN_READ_BIT)

    def set_readable(self, group: str, topic: str, done: Persisted, *, readable: bool) -> None:
        """Forbid a group to read a topic, or allow it again."""
        topics = self.forbidden.setdefault(group, {})
        bits = topics.get(topic, 0)
        bit = 1 << FORBIDDEN_READ_BIT
        topics[topic] = bits & ~bit if readable else bits | bit
        if not topics[topic]:
            del topics[topic]
        if not topics:
            del self.forbidden[group]
        self._changed(done)

    def page(
        self, sequence: int, max_groups: int, data_version: DataVersion | None
    ) -> dict[str, SubscriptionGroupConfig]:
        """Groups in name order from `sequence` on; from the first one where data_version is not the present one."""
        begin = sequence if data_version == self.data_version else 0
        return {name: self.groups[name] for name in sorted(self.groups)[begin : begin + max_groups]}

    def replace_all(self, master: SubscriptionGroupWrapper) -> None:
        """A slave takes its master's table (201): groups the master does not have are gone here too."""
        self.groups = dict(master.subscription_group_table)
        self.forbidden = dict(master.forbidden_table)
        self.data_version = master.data_version
        self._table.persist()

    def wrapper(self, groups: Mapping[str, SubscriptionGroupConfig] | None = None) -> SubscriptionGroupWrapper:
        """All groups, or a page of them, as 201 and the file have them."""
        if groups is None:
            return SubscriptionGroupWrapper(self.data_version, self.forbidden, self.groups)
        forbidden = {group: topics for group, topics in self.forbidden.items() if group in groups}
        return SubscriptionGroupWrapper(self.data_version, forbidden, dict(groups))

    def to_json_value(self) -> dict[str, Any]:
        return self.wrapper().to_json_value()

    def _changed(self, done: Persisted | None) -> None:
        self.data_version = self.data_version.next_version(self._clock.now_ms())
        self._table.persist(done)
        for listener in self._listeners:
            listener()
