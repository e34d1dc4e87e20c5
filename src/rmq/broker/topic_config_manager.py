# SPDX-License-Identifier: Apache-2.0
"""The topics of this broker: topics.json, automatic creation, and who is told of a change. Answers to
TopicConfigManager.

Automatic creation: a send to an unknown topic takes over queues and permission of the default topic that the client
names (TBW102) where that topic may be inherited from; TBW102 is there only with autoCreateTopicEnable. A topic is
usable at once, is written to topics.json in the background and registered at every name server.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..remoting import topic_names as names
from ..remoting.bodies import DataVersion, TopicConfig, TopicConfigSerializeWrapper
from ..remoting.perm import PERM_INHERIT, PERM_READ_WRITE, is_inherited
from . import topic_attributes
from .durable_table import DurableTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..env import Reactor
    from .broker_config import BrokerConfig
    from .durable_table import ConfigFile, Persisted

    #: The topics that are new or other than before; empty after a deletion.
    TopicsChanged = Callable[[list[TopicConfig]], None]

SCHEDULE_TOPIC_QUEUES = 18
BENCHMARK_TOPIC_QUEUES = 1024

log = logging.getLogger(__name__)


class TopicConfigManager:
    def __init__(self, config: BrokerConfig, reactor: Reactor, file: ConfigFile) -> None:
        self._config = config
        self._clock = reactor.clock
        self._table = DurableTable(reactor, file, self.to_json_value)
        self._listeners: list[TopicsChanged] = []
        self.data_version = DataVersion(timestamp=reactor.clock.now_ms())
        self.was_stored = False
        """There was a file: this is not the first start on this disk."""
        self.topics: dict[str, TopicConfig] = {topic.topic_name: topic for topic in system_topics(config)}
        self._system_names = names.SYSTEM_TOPICS.union(self.topics)

    def on_change(self, listener: TopicsChanged) -> None:
        self._listeners.append(listener)

    def load(self) -> None:
        """Stored topics win over the system topics of the same name. Raises StoreError."""
        stored = self._table.load(TopicConfigSerializeWrapper.from_json_value)
        self.was_stored = stored is not None
        if stored is not None:
            self.topics.update(stored.topic_config_table)
            self.data_version = stored.data_version

    def flush(self, again: Callable[[], None]) -> bool:
        return self._table.flush(again)

    def get(self, name: str) -> TopicConfig | None:
        return self.topics.get(name)

    def is_order_topic(self, name: str) -> bool:
        topic = self.topics.get(name)
        return topic is not None and topic.order

    def is_system_topic(self, name: str) -> bool:
        return name in self._system_names or names.is_system_topic(name)

    def system_topic_names(self) -> list[str]:
        return sorted(self._system_names)

    # Creation without an administrator.

    def create_in_send(
        self, name: str, default_topic: str, client_queue_nums: int, topic_sys_flag: int, producer: str
    ) -> TopicConfig | None:
        """A topic after the default topic's pattern, None where that is not there or not to be inherited from."""
        pattern = self.topics.get(default_topic)
        if default_topic == names.AUTO_CREATE_TOPIC_KEY_TOPIC and not self._config.auto_create_topic_enable:
            # topics.json of a broker that once allowed it still holds TBW102.
            pattern = None
        if pattern is None or not is_inherited(pattern.perm):
            log.warning("topic %s is not created for %s: %s may not be inherited from", name, producer, default_topic)
            return None
        queues = max(0, min(client_queue_nums, pattern.write_queue_nums))
        topic = replace(
            _topic(name, queues, pattern.perm & ~PERM_INHERIT),
            topic_filter_type=pattern.topic_filter_type,
            topic_sys_flag=topic_sys_flag,
        )
        self._put([topic])
        return topic

    def create_in_send_back(
        self, name: str, queue_nums: int, topic_sys_flag: int, *, order: bool = False
    ) -> TopicConfig:
        """Retry and dead letter topics: made on the first heartbeat or return, `order` follows the subscription."""
        known = self.topics.get(name)
        if known is not None and known.order == order:
            return known
        if known is not None:
            topic = replace(known, order=order)
        else:
            topic = replace(_topic(name, queue_nums), topic_sys_flag=topic_sys_flag, order=order)
        self._put([topic])
        return topic

    # Administration.

    def derive(self, queues: Mapping[str, Iterable[int]]) -> None:
        """Topics that have messages (queue ids by topic) but no configuration, after the table was lost: made anew
        with as many queues as there are."""
        lost = {name: max(queue_ids) + 1 for name, queue_ids in queues.items() if name not in self.topics}
        made = [
            TopicConfig(topic_name=name, read_queue_nums=count, write_queue_nums=count)
            for name, count in sorted(lost.items())
            if names.check_topic(name) is None
        ]
        if made:
            log.warning(
                "topics made anew from their queues, look at their settings: %s",
                ", ".join(topic.topic_name for topic in made),
            )
            self._put(made)

    def settings_changed(self) -> None:
        """brokerPermission takes away from every topic, autoCreateTopicEnable wants its pattern: name servers look at
        the version, so it goes on."""
        for topic in system_topics(self._config):
            self.topics.setdefault(topic.topic_name, topic)
        self._changed([], None)

    def update(self, topics: Iterable[TopicConfig], done: Persisted | None = None) -> None:
        """Create or change, attributes as signed modifications. Raises AttributeRefused; then nothing has changed."""
        final = []
        for topic in topics:
            known = self.topics.get(topic.topic_name)
            attributes = topic_attributes.alter(
                topic_attributes.TOPIC_ATTRIBUTES,
                known.attributes if known is not None else {},
                topic.attributes,
                create=known is None,
            )
            final.append(replace(topic, attributes=attributes))
        self._put(final, done)

    def delete(self, name: str, done: Persisted | None = None) -> None:
        if self.topics.pop(name, None) is None:
            if done is not None:
                done(None)
            return
        self._changed([], done)

    def set_ordered(self, topic_names: Iterable[str]) -> None:
        """Topics that the name server's order configuration lists."""
        known = (self.topics.get(name) for name in topic_names)
        changed = [replace(topic, order=True) for topic in known if topic is not None and not topic.order]
        if changed:
            self._put(changed)

    # Other brokers, tools, the file.

    def page(self, sequence: int, max_topics: int, data_version: DataVersion | None) -> dict[str, TopicConfig]:
        """Topics in name order from `sequence` on; from the first one where data_version is not the present one."""
        begin = sequence if data_version == self.data_version else 0
        return {name: self.topics[name] for name in sorted(self.topics)[begin : begin + max_topics]}

    def replace_all(self, master: TopicConfigSerializeWrapper) -> None:
        """A slave takes its master's table (21): topics the master does not have are gone here too."""
        self.topics = dict(master.topic_config_table)
        self.data_version = master.data_version
        self._table.persist()
        self._tell([])

    def to_json_value(self) -> dict[str, Any]:
        return TopicConfigSerializeWrapper(self.data_version, self.topics).to_json_value()

    def _put(self, topics: list[TopicConfig], done: Persisted | None = None) -> None:
        for topic in topics:
            log.info("%s", topic)
            self.topics[topic.topic_name] = topic
        self._changed(topics, done)

    def _changed(self, topics: list[TopicConfig], done: Persisted | None) -> None:
        self.data_version = self.data_version.next_version(self._clock.now_ms())
        self._table.persist(done)
        self._tell(topics)

    def _tell(self, topics: list[TopicConfig]) -> None:
        for listener in self._listeners:
            listener(topics)


def system_topics(config: BrokerConfig) -> list[TopicConfig]:
    """What a fresh 5.4.0 broker has (seen in its topics.json)."""
    cluster, broker = config.broker_cluster_name, config.broker_name
    cluster_perm = PERM_INHERIT | (PERM_READ_WRITE if config.cluster_topic_enable else 0)
    broker_perm = PERM_INHERIT | (PERM_READ_WRITE if config.broker_topic_enable else 0)
    topics = [
        _topic(names.SELF_TEST_TOPIC),
        _topic(names.BENCHMARK_TOPIC, BENCHMARK_TOPIC_QUEUES),
        _topic(cluster, 16, cluster_perm),
        _topic(broker, 1, broker_perm),
        _topic(names.OFFSET_MOVED_EVENT_TOPIC),
        _topic(names.SCHEDULE_TOPIC, SCHEDULE_TOPIC_QUEUES),
        _topic(names.reply_topic(cluster)),
        _topic(names.revive_topic(cluster), config.revive_queue_num),
        _topic(names.sync_broker_member_topic(broker), 1, PERM_INHERIT),
        _topic(names.TRANS_HALF_TOPIC),
        _topic(names.TRANS_OP_HALF_TOPIC),
        _topic(names.ROCKSDB_TRANS_HALF_TOPIC),
        _topic(names.ROCKSDB_TRANS_OP_HALF_TOPIC),
    ]
    if config.auto_create_topic_enable:
        topics.append(
            _topic(names.AUTO_CREATE_TOPIC_KEY_TOPIC, config.default_topic_queue_nums, PERM_READ_WRITE | PERM_INHERIT)
        )
    if config.trace_topic_enable:
        topics.append(_topic(config.msg_trace_topic_name))
    if config.timer_wheel_enable:
        topics.append(_topic(names.TIMER_TOPIC))
    return topics


def _topic(name: str, queues: int = 1, perm: int = PERM_READ_WRITE) -> TopicConfig:
    return TopicConfig(topic_name=name, read_queue_nums=queues, write_queue_nums=queues, perm=perm)
