# SPDX-License-Identifier: Apache-2.0
"""How far each group has consumed each queue: consumerOffset.json. Answers to Apache's ConsumerOffsetManager.

Three tables. `committed` is what clients committed; it is kept on disk (each 5 s and at a clean stop) and copied to
slaves. `pulled` is how far a group has pulled, for tools; it lives in memory. `resets` are the queues whose offset was
set by an administrator and whose consumer has not heard of it yet: its commits are passed over until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..remoting.bodies import ConsumerOffsetSerializeWrapper, DataVersion
from .durable_table import DurableTable, at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..env import Reactor
    from .broker_config import BrokerConfig
    from .durable_table import ConfigFile, Persisted, WhenReady

SEPARATOR = "@"

#: (topic, group); `topic@group` in the file.
Key = tuple[str, str]


class ConsumerOffsetManager:
    def __init__(
        self, config: BrokerConfig, reactor: Reactor, file: ConfigFile, *, when_ready: WhenReady = at_once
    ) -> None:
        """when_ready: as DurableTable's. Offsets say what of transactions and popped messages is done with: what was
        stored in its place has to be on the disk before."""
        self._config = config
        self._clock = reactor.clock
        self._version_step = config.consumer_offset_update_version_step
        self._table = DurableTable(reactor, file, self.to_json_value, when_ready=when_ready)
        self.data_version = DataVersion(timestamp=reactor.clock.now_ms())
        self._committed: dict[Key, dict[int, int]] = {}
        self._pulled: dict[Key, dict[int, int]] = {}
        self._resets: dict[Key, dict[int, int]] = {}
        self._commits = 0
        self._dirty = False

    def load(self) -> None:
        """Raises StoreError."""
        stored = self._table.load(ConsumerOffsetSerializeWrapper.from_json_value)
        if stored is not None:
            self._take(stored)

    def persist_if_changed(self) -> None:
        if self._dirty:
            self._dirty = False
            self._table.persist()

    def flush(self, again: Callable[[], None]) -> bool:
        return self._table.flush(again)

    def commit(self, group: str, topic: str, queue_id: int, queue_offset: int) -> bool:
        """False where the offset is passed over, because it comes from before a reset."""
        key = (topic, group)
        if self._reset(key, queue_id) is not None:
            return False
        self._set(key, queue_id, queue_offset)
        return True

    def assign_reset(self, group: str, topic: str, queue_id: int, queue_offset: int) -> None:
        """An administrator sets the offset; `take_reset` gives it to the consumer's next pull."""
        key = (topic, group)
        self._resets.setdefault(key, {})[queue_id] = queue_offset
        self._set(key, queue_id, queue_offset)

    def take_reset(self, group: str, topic: str, queue_id: int) -> int | None:
        """The offset that the consumer must go on from, once; None where there was no reset, or where the broker does
        not reset any more (useServerSideResetOffset was changed)."""
        if not self._resets:
            return None
        key = (topic, group)
        queues = self._resets.get(key)
        if queues is None:
            return None
        queue_offset = queues.pop(queue_id, None)
        if not queues:
            del self._resets[key]
        return queue_offset if self._config.use_server_side_reset_offset else None

    def clone(self, source_group: str, target_group: str, topic: str) -> None:
        queues = self._committed.get((topic, source_group))
        if queues is not None:
            self._committed[(topic, target_group)] = dict(queues)
            self._dirty = True

    def _reset(self, key: Key, queue_id: int) -> int | None:
        """Where the group's next pull will be moved to."""
        if not self._resets or not self._config.use_server_side_reset_offset:
            return None
        return self._resets.get(key, {}).get(queue_id)

    def _set(self, key: Key, queue_id: int, queue_offset: int) -> None:
        queues = self._committed.get(key)
        if queues is None:
            queues = self._committed[key] = {}
        queues[queue_id] = queue_offset
        self._dirty = True
        self._commits += 1
        if self._commits % self._version_step == 0:
            self.data_version = self.data_version.next_version(self._clock.now_ms())

    def commit_pulled(self, group: str, topic: str, queue_id: int, queue_offset: int) -> None:
        key = (topic, group)
        queues = self._pulled.get(key)
        if queues is None:
            queues = self._pulled[key] = {}
        queues[queue_id] = queue_offset

    def query(self, group: str, topic: str, queue_id: int) -> int:
        """-1 where the group never committed."""
        reset = self._reset((topic, group), queue_id)
        if reset is not None:
            return reset
        queues = self._committed.get((topic, group))
        return -1 if queues is None else queues.get(queue_id, -1)

    def query_pulled(self, group: str, topic: str, queue_id: int) -> int:
        queues = self._pulled.get((topic, group))
        if queues is not None and queue_id in queues:
            return queues[queue_id]
        return self.query(group, topic, queue_id)

    def topics_of_group(self, group: str) -> list[str]:
        return [topic for topic, name in self._committed if name == group]

    def groups_of_topic(self, topic: str) -> list[str]:
        return [group for name, group in self._committed if name == topic]

    def queues(self, group: str, topic: str) -> Mapping[int, int]:
        return self._committed.get((topic, group), {})

    def remove_topic(self, topic: str, done: Persisted | None = None) -> None:
        """done: when no crash brings them back, for a topic that is made anew with that name."""
        self._remove(lambda key: key[0] == topic)
        self._persist_now(done)

    def remove_group(self, group: str, done: Persisted) -> None:
        """done: as remove_topic's."""
        self._remove(lambda key: key[1] == group)
        self._persist_now(done)

    def remove_names(self, names: Iterable[str]) -> None:
        """`topic@group`, as a slave's master names them."""
        gone = {_key(name) for name in names}
        self._remove(lambda key: key in gone)

    def merge(self, offset_table: Mapping[str, Mapping[int, int]]) -> None:
        """Set these offsets (`topic@group` -> queue id -> queue offset), as a slave takes them from its master; others
        stay."""
        for name, queues in offset_table.items():
            key = _key(name)
            if key is not None:
                self._committed.setdefault(key, {}).update(queues)
        self._dirty = True

    def wrapper(self) -> ConsumerOffsetSerializeWrapper:
        """As 43 and the file have it."""
        groups: dict[str, list[str]] = {}
        for topic, group in self._committed:
            groups.setdefault(group, []).append(topic)
        table = {SEPARATOR.join(key): dict(queues) for key, queues in self._committed.items()}
        return ConsumerOffsetSerializeWrapper(self.data_version, groups, table)

    def to_json_value(self) -> dict[str, Any]:
        return self.wrapper().to_json_value()

    def _take(self, stored: ConsumerOffsetSerializeWrapper) -> None:
        self.merge(stored.offset_table)
        self.data_version = stored.data_version

    def _persist_now(self, done: Persisted | None) -> None:
        if done is not None:
            self._dirty = False
            self._table.persist(done)

    def _remove(self, gone: Callable[[Key], bool]) -> None:
        for table in (self._committed, self._pulled, self._resets):
            for key in [key for key in table if gone(key)]:
                del table[key]
        self._dirty = True


def _key(name: str) -> Key | None:
    """Apache passes over names of another form too: no topic and no group can hold the separator."""
    topic, separator, group = name.partition(SEPARATOR)
    return (topic, group) if separator and SEPARATOR not in group else None
