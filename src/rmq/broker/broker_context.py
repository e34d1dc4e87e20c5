# SPDX-License-Identifier: Apache-2.0
"""What processors share: configuration, managers, store. Made by BrokerController, which alone changes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..dynamic.setting_overrides import SettingOverrides
    from ..env import Clock, Reactor
    from ..remoting.message_id import UniqueIdFactory
    from ..store.ha.ha_runtime_info import HaRuntimeInfo
    from ..store.message_store import MessageStore
    from ..store.timer import TimerMessageStore
    from .auth.access_control import AccessControl
    from .auth.auth_metadata import AuthMetadata
    from .broker_config import BrokerConfig
    from .broker_stats import BrokerStats
    from .consumer_filter_manager import ConsumerFilterManager
    from .consumer_manager import ConsumerManager
    from .consumer_offset_manager import ConsumerOffsetManager
    from .message_properties import BrokerProperties
    from .message_request_mode_manager import MessageRequestModeManager
    from .pop.pop_service import PopService
    from .producer_manager import ProducerManager
    from .rebalance_lock_manager import RebalanceLockManager
    from .schedule_message_service import ScheduleMessageService
    from .subscription_group_manager import SubscriptionGroupManager
    from .topic_config_manager import TopicConfigManager
    from .transaction.transaction_check import TransactionCheck
    from .transaction.transactional_message_service import TransactionalMessageService


class StoredTable(Protocol):
    def load(self) -> None:
        """Raises StoreError."""

    def flush(self, again: Callable[[], None]) -> bool:
        """As DurableTable's."""


@dataclass
class BrokerContext:
    config: BrokerConfig
    reactor: Reactor
    clock: Clock
    store: MessageStore
    auth_metadata: AuthMetadata
    access: AccessControl
    topics: TopicConfigManager
    groups: SubscriptionGroupManager
    offsets: ConsumerOffsetManager
    request_modes: MessageRequestModeManager
    producers: ProducerManager
    consumers: ConsumerManager
    filters: ConsumerFilterManager
    locks: RebalanceLockManager
    schedule: ScheduleMessageService
    #: None with timerWheelEnable=false.
    timer: TimerMessageStore | None
    transactions: TransactionalMessageService
    transaction_check: TransactionCheck
    pops: PopService
    stats: BrokerStats
    unique_ids: UniqueIdFactory
    broker_properties: BrokerProperties
    delay_levels_ms: tuple[int, ...]
    #: Keys in force, in RocketMQ's spelling: what 26 shows.
    effective_settings: dict[str, str]
    #: Those of them that were changed over the wire.
    overrides: SettingOverrides
    #: `brokerPermission` as it is now.
    broker_permission: int
    #: (total, free) bytes of the file system that holds a path, where the environment can tell.
    disk_space: Callable[[str], tuple[int, int]] | None
    ha_runtime_info: Callable[[], HaRuntimeInfo]
    #: Calls back when the name servers have the topics as they are now.
    when_announced: Callable[[Callable[[], None]], None]
    #: A slave: whether its master serves, so that clients should go there.
    is_master_online: Callable[[], bool]

    @property
    def stored_tables(self) -> tuple[StoredTable, ...]:
        """What is read from files before the loop runs, and written for the last time at a clean stop."""
        return (
            self.auth_metadata,
            self.topics,
            self.groups,
            self.offsets,
            self.request_modes,
            self.schedule,
            self.filters,
        )
