# SPDX-License-Identifier: Apache-2.0
"""One broker, whole: store, replication, managers, processors, timers, ports. Answers to Apache's BrokerController.

    load()      blocking, before the loop: the store recovers, the tables are read
    start()     on the loop: listen, register, follow or feed the pair
    shutdown()  on the loop: unregister, finish what is under way, write everything, then call back

What depends on the role is in `Replication`: a master listens for slaves and delivers delayed messages, a slave
follows its master's log and copies its tables.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..dynamic.setting_overrides import Changeable, OverridesError, SettingOverrides
from ..remoting.message_id import UniqueIdFactory
from ..remoting.topic_names import SCHEDULE_TOPIC, TIMER_TOPIC
from ..rpc import OutboundClient, RemotingServer, ServerLimits, TickClock
from ..store.config_manager import ConfigManager
from ..store.errors import StoreError
from ..store.message_store import MessageStore
from ..store.timer import TimerMessageStore
from ..topology.kind import Kind
from .auth.access_control import AccessControl
from .auth.auth_codes import GET_AUTH_METADATA
from .auth.auth_metadata import AuthMetadata
from .auth.auth_synchronize import AuthMetadataCopy, AuthMetadataProcessor
from .auth.settings import first_user, inner_credentials
from .broker_config import DYNAMIC_KEYS, BrokerConfig, java_text, without_secrets
from .broker_context import BrokerContext
from .broker_fast_failure import BrokerFastFailure
from .broker_outer_api import BrokerOuterApi
from .broker_stats import SAMPLE_INTERVAL_MS, BrokerStats
from .consumer_filter_manager import PERSIST_INTERVAL_MS, ConsumerFilterManager
from .consumer_manager import ConsumerManager
from .consumer_offset_manager import ConsumerOffsetManager
from .durable_table import flush_all
from .message_properties import BrokerProperties
from .message_request_mode_manager import MessageRequestModeManager
from .notify_consumer_change import notify_consumer_change
from .pop.pop_service import PopService
from .processor.registry import Processors
from .producer_manager import ProducerManager
from .pull_request_hold import HOLD_CHECK_INTERVAL_MS
from .rebalance_lock_manager import RebalanceLockManager
from .repeating import Repeating
from .replication import PRIVATE_CODES, MasterReplication, Replication, SlaveReplication
from .schedule_message_service import ScheduleMessageService
from .store_settings import DYNAMIC_KEYS as DYNAMIC_STORE_KEYS
from .store_settings import ha_config, store_config
from .subscription_group_manager import SubscriptionGroupManager
from .topic_config_manager import TopicConfigManager
from .topic_route_info_manager import TopicRouteInfoManager
from .transaction.transaction_check import TransactionCheck
from .transaction.transaction_metrics import TransactionMetrics
from .transaction.transactional_message_service import TransactionalMessageService

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from ..env import Disk, ListenerTls, OutboundTls, Reactor
    from ..rpc import Processor
    from ..rpc.channel import Channel
    from ..store.ha import HaRuntimeInfo
    from .broker_config import SettingValue

#: How often silent clients and forgotten locks are looked for, as on Apache.
CLIENT_SCAN_INTERVAL_MS = 10_000

#: Beside the tables under storePathRootDir/config.
OVERRIDES_FILE = "broker.overrides.properties"

#: What 25 may change. The black list is Apache's own, and every other key that names a path or code to run.
CHANGEABLE = Changeable(
    Kind.BROKER,
    DYNAMIC_KEYS | DYNAMIC_STORE_KEYS,
    frozenset(
        (
            "brokerConfigPath",
            "configBlackList",
            "rocketmqHome",
            "messageStorePlugIn",
            "readOnlyCommitLogStorePaths",
            "storePathBrokerIdentity",
            "storePathCommitLog",
            "storePathDLedgerCommitLog",
            "storePathEpochFile",
            "storePathRootDir",
        )
    ),
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BrokerEnvironment:
    """What the operating system gives a broker."""

    reactor: Reactor
    disk: Disk
    #: For queue ids that producers leave open, and for what tells two processes apart.
    dice: random.Random
    memory_bytes: int | None = None
    limits: ServerLimits | None = None
    #: (total, free) bytes of the file system that holds a path.
    disk_space: Callable[[str], tuple[int, int]] | None = None
    listener_tls: ListenerTls | None = None
    outbound_tls: OutboundTls | None = None


class BrokerController:
    """Make it, `load`, `start`; `registered_name_servers` says whether others can find it."""

    def __init__(
        self,
        settings: Mapping[str, SettingValue],
        environment: BrokerEnvironment,
        *,
        on_fatal: Callable[[str], None],
    ) -> None:
        """settings: `Checked.values` of the broker's file. on_fatal: the disk failed, end the process non-zero.
        Raises ValueError for settings that do not fit together."""
        self.config = config = BrokerConfig.from_settings(settings)
        self._environment = environment
        self._settings = dict(settings)
        self._reactor = reactor = environment.reactor
        self._dice = environment.dice
        to_store = store_config(config, settings, memory_bytes=environment.memory_bytes)
        self.store = MessageStore(to_store, environment.disk, reactor, on_fatal=on_fatal)
        self.server = RemotingServer(reactor, limits=environment.limits, tls=environment.listener_tls)
        self.server.tick = tick = TickClock(reactor)
        self.fast_failure = BrokerFastFailure(config, self.store, tick, reactor.clock)
        self._inner_credentials = inner_credentials(config)
        self._client = OutboundClient(reactor, credentials=self._inner_credentials, tls=environment.outbound_tls)
        self.context = self._make_context(settings, to_store.delay_levels_ms)
        routes = TopicRouteInfoManager(config, self.context.topics, self._client, reactor)
        self.processors = Processors(self.context, environment.dice, routes)
        self.outer_api = BrokerOuterApi(
            config,
            self.context.topics,
            self._client,
            reactor,
            master_found=self._master_found,
            broker_permission=lambda: self.context.broker_permission,
        )
        self.replication = self._make_replication(settings)
        self._repeating = self._make_repeating()

    @property
    def registered_name_servers(self) -> list[str]:
        """Name servers that took this broker's last registration."""
        return self.outer_api.registered_name_servers

    def load(self) -> None:
        """Blocking. Raises StoreError (one line) and OSError."""
        self.store.load()
        try:
            self._load_tables()
        except OverridesError as error:
            self.store.shutdown()
            raise StoreError(str(error)) from None
        except (StoreError, OSError):
            # Loaded, so it has to be put away: an abort file would say that it crashed.
            self.store.shutdown()
            raise

    def _load_tables(self) -> None:
        context = self.context
        context.overrides.load()
        for manager in context.stored_tables:
            manager.load()
        if not context.topics.was_stored:
            context.topics.derive(self.store.queues())
        context.auth_metadata.init_users(first_user(self.config), self._inner_credentials)
        context.transactions.metrics.load()

    def prepare(self, done: Callable[[str], None], *, rebuild_from: str = "") -> None:
        """On the loop, before start(): a master takes from its slaves what it lost. done(""), or done(why it must not
        start); the broker must then be shut down."""
        self.store.start()
        self.replication.prepare(lambda why: done(why or self._read_log()), rebuild_from=rebuild_from)

    def _read_log(self) -> str:
        """What is told by messages and not by tables, once the log has what a slave had. Blocking: nobody is served
        yet. Returns why it cannot be read."""
        context = self.context
        try:
            if context.timer is not None:
                context.timer.load()
            if not self.config.is_slave:
                context.transactions.load()
        except (StoreError, OSError) as error:
            return str(error)
        return ""

    def start(self) -> None:
        """On the loop. Raises OSError when a port is taken; the broker must then be shut down."""
        self.processors.register(self.server, self.fast_failure)
        for code in PRIVATE_CODES:
            self._register(code, self.replication.answer)
        self._register(
            GET_AUTH_METADATA, AuthMetadataProcessor(self.context.auth_metadata, self.context.access, self._dice)
        )
        self.server.on_channel_closed(self._channel_closed)
        self.store.on_arrive(self._message_arrived)
        for host in self.config.listen_hosts:
            self.server.listen(host, self.config.listen_port)
            self.server.listen(host, self.config.fast_listen_port)
        self.replication.start()
        for repeating in self._repeating:
            repeating.start()
        self.outer_api.start()

    def _register(self, code: int, processor: Processor) -> None:
        self.server.register(code, self.context.access.guard(code, processor))

    def shutdown(self, done: Callable[[], None]) -> None:
        """On the loop. done is called when everything is written and the store is closed; an OSError on the way is
        logged."""
        self.server.stop_listening()
        self.outer_api.stop(lambda: self._finish(done))

    def _finish(self, done: Callable[[], None]) -> None:
        for repeating in self._repeating:
            repeating.stop()
        self.replication.stop()
        self.processors.pull.hold.wake_all()
        self.processors.pop.hold.wake_all()
        # Answers that wait for the disk or a slave get this tick and the next.
        self._reactor.call_soon(lambda: self._reactor.call_soon(lambda: self._close(done)))

    def _close(self, done: Callable[[], None]) -> None:
        self.server.close()
        self._client.close()
        tables = (*self.context.stored_tables, self.context.transactions.metrics)
        flush_all(tables, lambda faults: self._close_store(faults, done))

    def _close_store(self, faults: list[OSError], done: Callable[[], None]) -> None:
        for fault in faults:
            log.error("a configuration table could not be written at the stop: %s", fault)
        context = self.context
        if context.timer is not None:
            context.timer.shutdown()
        self.store.shutdown()
        done()

    # Made once.

    def _make_context(self, settings: Mapping[str, SettingValue], delay_levels_ms: tuple[int, ...]) -> BrokerContext:
        config, reactor, dice = self.config, self._reactor, self._environment.dice

        def file(name: str, *, private: bool = False, is_derived: bool = False) -> ConfigManager:
            path = Path(config.store_path_root_dir) / "config" / name
            return ConfigManager(self._environment.disk, path, private=private, is_derived=is_derived)

        def group_changed(group: str, channels: list[Channel]) -> None:
            if config.notify_consumer_ids_changed_enable:
                notify_consumer_change(group, channels)

        topics = TopicConfigManager(config, reactor, file("topics.json", is_derived=True))
        offsets = ConsumerOffsetManager(
            config, reactor, file("consumerOffset.json"), when_ready=self.store.when_flushed
        )
        groups = SubscriptionGroupManager(config, reactor, file("subscriptionGroup.json"))
        producers = ProducerManager(config.channel_expired_timeout_ms)
        filters = ConsumerFilterManager(config, reactor, file("consumerFilter.json", is_derived=True))
        metrics = TransactionMetrics(reactor, file("transactionMetrics", is_derived=True))
        transactions = TransactionalMessageService(config, self.store, offsets, reactor, metrics)
        auth_metadata = AuthMetadata(reactor, file("auth.json", private=True))
        stats = BrokerStats(reactor.clock, topics.is_system_topic)
        return BrokerContext(
            config=config,
            auth_metadata=auth_metadata,
            access=AccessControl(config, auth_metadata),
            reactor=reactor,
            clock=reactor.clock,
            store=self.store,
            topics=topics,
            groups=groups,
            offsets=offsets,
            request_modes=MessageRequestModeManager(reactor, file("messageRequestMode.json")),
            producers=producers,
            consumers=ConsumerManager(config.channel_expired_timeout_ms, group_changed, filters.unregister),
            filters=filters,
            locks=RebalanceLockManager(),
            schedule=ScheduleMessageService(
                config,
                delay_levels_ms,
                self.store,
                reactor,
                file("delayOffset.json"),
                count_delivered=stats.delivered,
            ),
            timer=TimerMessageStore(self.store, self._environment.disk, reactor) if config.timer_wheel_enable else None,
            transactions=transactions,
            transaction_check=TransactionCheck(
                config, self.store, transactions, reactor, offsets=offsets, producers=producers, topics=topics
            ),
            pops=PopService(config, self.store, reactor, topics=topics, groups=groups, offsets=offsets),
            stats=stats,
            unique_ids=UniqueIdFactory(config.broker_ip1, dice.getrandbits(16), dice.getrandbits(32)),
            broker_properties=BrokerProperties(config.region_id, config.broker_cluster_name, config.trace_on),
            delay_levels_ms=delay_levels_ms,
            effective_settings=effective_settings(config, settings),
            overrides=self._make_overrides(),
            broker_permission=config.broker_permission,
            disk_space=self._environment.disk_space,
            ha_runtime_info=self._ha_runtime_info,
            when_announced=self._when_announced,
            is_master_online=self._is_master_online,
        )

    def _make_overrides(self) -> SettingOverrides:
        return SettingOverrides(
            CHANGEABLE,
            Path(self.config.store_path_root_dir) / "config" / OVERRIDES_FILE,
            self._environment.disk,
            self._reactor,
            log,
            in_force=lambda: {key: java_text(value) for key, value in self._settings.items()},
            take=self._take_overrides,
        )

    def _make_replication(self, settings: Mapping[str, SettingValue]) -> Replication:
        to_ha = ha_config(self.config, settings)
        if self.config.is_slave:
            return SlaveReplication(
                self.context,
                to_ha,
                self._client,
                lambda: self.registered_name_servers,
                on_master_online=self.processors.pull.hold.wake_all,
                auth_copy=self._auth_copy(),
            )
        return MasterReplication(
            self.context, to_ha, self._client, lambda: self.registered_name_servers, auth_copy=self._auth_copy()
        )

    def _auth_copy(self) -> AuthMetadataCopy | None:
        if self._inner_credentials is None:
            return None
        return AuthMetadataCopy(self.context.auth_metadata, self._inner_credentials, self._dice)

    def _make_repeating(self) -> list[Repeating]:
        config, context, reactor = self.config, self.context, self._reactor
        hold_check_ms = HOLD_CHECK_INTERVAL_MS if config.long_polling_enable else config.short_polling_time_ms
        return [
            Repeating(reactor, config.flush_consumer_offset_interval_ms, context.offsets.persist_if_changed),
            Repeating(reactor, config.flush_delay_offset_interval_ms, context.schedule.persist_if_changed),
            Repeating(reactor, PERSIST_INTERVAL_MS, context.filters.persist_if_changed),
            Repeating(
                reactor,
                config.transaction_metric_flush_interval_ms,
                context.transactions.metrics.persist_if_changed,
            ),
            Repeating(reactor, CLIENT_SCAN_INTERVAL_MS, self._scan_clients),
            Repeating(reactor, SAMPLE_INTERVAL_MS, context.stats.sample),
            Repeating(reactor, hold_check_ms, lambda: self.processors.pull.hold.check(reactor.clock.monotonic_ms())),
        ]

    # Called back.

    def _take_overrides(self, values: dict[str, SettingValue]) -> None:
        """Each part reads its settings anew; what keeps a copy is told."""
        config, context = self.config, self.context
        was_auto_create = config.auto_create_topic_enable
        self._settings.update(values)
        config.change(values)
        if not DYNAMIC_STORE_KEYS.isdisjoint(values):
            memory_bytes = self._environment.memory_bytes
            self.store.reconfigure(store_config(config, self._settings, memory_bytes=memory_bytes))
        self.outer_api.set_name_servers(config.name_servers)
        context.effective_settings = effective_settings(config, self._settings)
        permission_changed = context.broker_permission != config.broker_permission
        context.broker_permission = config.broker_permission
        if permission_changed or (config.auto_create_topic_enable and not was_auto_create):
            context.topics.settings_changed()

    def _ha_runtime_info(self) -> HaRuntimeInfo:
        return self.replication.runtime_info()

    def _when_announced(self, done: Callable[[], None]) -> None:
        self.outer_api.when_announced(done)

    def _is_master_online(self) -> bool:
        return self.replication.is_master_online

    def _master_found(self, master_address: str, ha_address: str) -> None:
        self.replication.master_found(master_address, ha_address)

    def _message_arrived(
        self, topic: str, queue_id: int, queue_offset: int, tags_code: int | None, store_time_ms: int
    ) -> None:
        del store_time_ms
        if topic == SCHEDULE_TOPIC:
            self.context.schedule.message_arrived(queue_id)
        elif topic == TIMER_TOPIC and self.context.timer is not None:
            self.context.timer.message_arrived()
        self.processors.pull.hold.message_arrived(topic, queue_id, queue_offset, tags_code)
        self.processors.pop.hold.message_arrived(topic, queue_id, queue_offset, tags_code)

    def _channel_closed(self, channel: Channel) -> None:
        self.processors.pull.hold.channel_closed(channel)
        self.processors.pop.hold.channel_closed(channel)
        self.context.producers.channel_closed(channel)
        self.context.consumers.channel_closed(channel)

    def _scan_clients(self) -> None:
        now_ms = self._reactor.clock.monotonic_ms()
        for channel in {*self.context.producers.scan(now_ms), *self.context.consumers.scan(now_ms)}:
            channel.close()
        self.context.locks.scan(now_ms)


def effective_settings(config: BrokerConfig, settings: Mapping[str, SettingValue]) -> dict[str, str]:
    """As 26 shows them: secrets masked."""
    return without_secrets({**{key: java_text(value) for key, value in settings.items()}, **config.to_properties()})
