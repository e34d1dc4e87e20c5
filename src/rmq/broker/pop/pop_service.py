# SPDX-License-Identifier: Apache-2.0
"""What the processors of POP share: offsets, the revive log and who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pop_offsets import PopOffsets
from .recover_offsets import recover_offsets
from .revive_log import ReviveLog
from .revive_service import PopReviveService

if TYPE_CHECKING:
    from ...env import Reactor
    from ...store.message_store import MessageStore
    from ..broker_config import BrokerConfig
    from ..consumer_offset_manager import ConsumerOffsetManager
    from ..subscription_group_manager import SubscriptionGroupManager
    from ..topic_config_manager import TopicConfigManager
    from .pop_offsets import QueueKey


class PopService:
    def __init__(
        self,
        config: BrokerConfig,
        store: MessageStore,
        reactor: Reactor,
        *,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        offsets: ConsumerOffsetManager,
    ) -> None:
        self._config = config
        self._store = store
        self._committed = offsets
        self._topics = topics
        self.offsets = PopOffsets(self._commit)
        self.revive_log = ReviveLog(config, store, reactor.clock)
        self.revive = PopReviveService(
            config, reactor, store, self.revive_log, topics=topics, groups=groups, offsets=offsets
        )
        self._next_revive_queue = 0

    def start(self) -> None:
        """A master, before it takes requests."""
        if self._store.was_killed:
            recover_offsets(self._store, self.revive_log, self._config, offsets=self._committed, topics=self._topics)
        self.revive.start()

    def stop(self) -> None:
        self.revive.stop()

    @property
    def is_full(self) -> bool:
        """So much is unacknowledged that nothing more may be given out (popCkMaxBufferSize)."""
        return self.revive.in_flight > self._config.pop_ck_max_buffer_size

    def next_revive_queue(self) -> int:
        """Check points go round the queues of the revive topic."""
        self._next_revive_queue = (self._next_revive_queue + 1) % self.revive_log.queue_count
        return self._next_revive_queue

    def _commit(self, key: QueueKey, next_offset: int) -> None:
        topic, group, queue_id = key
        if next_offset > self._committed.query(group, topic, queue_id):
            self._committed.commit(group, topic, queue_id, next_offset)
