# SPDX-License-Identifier: Apache-2.0
"""The routes: what brokers have registered, and who of them is alive (Apache's RouteInfoManager).

    table    key                what it holds
    brokers  brokerName         cluster, addresses by brokerId
    clusters cluster            its brokerNames
    topics   topic, brokerName  queues and permission
    live     cluster, address   last beat, data version, connection, HA address

Rules that never break: a brokerName is in `brokers` while and only while it has an address; a cluster while it has a
broker; a topic while it has queues at a broker that is there. One address has one brokerId in its broker set.

Where it is stricter than Apache: two live brokers with the same name and id do not take turns (measured on Apache:
each beat replaces the other silently); the second is refused until the first is gone or has been silent for
`DUPLICATE_SILENCE_MS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..remoting.bodies import (
    MASTER_ID,
    BrokerData,
    ClusterInfo,
    DataVersion,
    TopicList,
    TopicRouteData,
)
from ..remoting.codes import ResponseCode
from ..rpc import RequestRefused
from .topic_queue_table import FLAG_UNIT, FLAG_UNIT_SUB, TopicQueueTable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from logging import Logger

    from ..env import Clock
    from ..rpc import Channel
    from .broker_registration import BrokerRegistration

# Beats come every 30 s: who has missed one and a half does not hold its name against another any more.
DUPLICATE_SILENCE_MS = 45_000


@dataclass
class BrokerSet:
    """The brokers of one name."""

    cluster: str
    addresses: dict[int, str]
    enable_acting_master: bool = False
    zone_name: str | None = None

    def to_body(self, broker_name: str) -> BrokerData:
        return BrokerData(
            broker_addrs=dict(sorted(self.addresses.items())),
            broker_name=broker_name,
            cluster=self.cluster,
            enable_acting_master=self.enable_acting_master,
            zone_name=self.zone_name,
        )


@dataclass
class LiveBroker:
    """One registered process. Times are of the monotonic clock."""

    last_beat_ms: int
    silence_ms: int
    data_version: DataVersion
    channel: Channel
    ha_server_address: str
    filter_servers: list[str]


@dataclass(frozen=True)
class RegisterBrokerResult:
    """For a slave whose master is known; empty for everybody else."""

    master_address: str = ""
    ha_server_address: str = ""


class RouteInfoManager:
    """Changes come from the brokers' requests and from time; questions from everybody's."""

    def __init__(self, clock: Clock, log: Logger) -> None:
        self._clock = clock
        self._log = log
        self._brokers: dict[str, BrokerSet] = {}
        self._clusters: dict[str, dict[str, None]] = {}
        self._topics = TopicQueueTable()
        self._live: dict[tuple[str, str], LiveBroker] = {}
        self._version = 0

    @property
    def version(self) -> int:
        """Grows with every change that a reader could see."""
        return self._version + self._topics.version

    # -- changes --

    def register_broker(
        self, registration: BrokerRegistration, channel: Channel, *, delete_other_topics: bool = False
    ) -> RegisterBrokerResult:
        """Take a beat. delete_other_topics: what the broker does not list any more loses its queues there.

        Raises RequestRefused.
        """
        name, broker_id, address = registration.broker_name, registration.broker_id, registration.address
        self._refuse_duplicate(registration)
        known = self._brokers.get(name)
        if len(registration.topics) == 1 and (known is None or broker_id not in known.addresses):
            # One topic is an addition to what is registered; on its own it would hide all the others.
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "register broker failed")
        key = (registration.cluster, address)
        previous = self._live.get(key)
        is_first = self._enter(registration)
        if self._serves_topics(registration):
            changed = is_first or previous is None or previous.data_version != registration.data_version
            refused = self._topics.take(name, registration.topics, changed=changed)
            if refused and changed:
                self._log.warning("%s registers %d topics with illegal names; they get no route", name, refused)
            if delete_other_topics:
                self._topics.drop_broker(name, keep=registration.topics)
        if previous is None:
            self._log.info("%s id %d of %s registered at %s", name, broker_id, registration.cluster, address)
        if previous is None or previous.filter_servers != registration.filter_servers:
            self._version += 1
        self._live[key] = LiveBroker(
            last_beat_ms=self._clock.monotonic_ms(),
            silence_ms=registration.silence_ms,
            data_version=registration.data_version,
            channel=channel,
            ha_server_address=registration.ha_server_address,
            filter_servers=registration.filter_servers,
        )
        return self._master_for(registration)

    def _refuse_duplicate(self, registration: BrokerRegistration) -> None:
        known = self._brokers.get(registration.broker_name)
        if known is None:
            return
        if known.cluster != registration.cluster:
            rivals: Iterable[str] = known.addresses.values()
        else:
            rivals = filter(None, [known.addresses.get(registration.broker_id)])
        for address in rivals:
            if address != registration.address and self._is_alive(known.cluster, address):
                remark = (
                    f"{registration.broker_name} id {registration.broker_id} of {registration.cluster} at "
                    f"{registration.address} is refused: {address} of {known.cluster} holds that name and is alive"
                )
                self._log.warning("%s", remark)
                raise RequestRefused(ResponseCode.SYSTEM_ERROR, remark)

    def _is_alive(self, cluster: str, address: str) -> bool:
        live = self._live.get((cluster, address))
        return live is not None and self._clock.monotonic_ms() - live.last_beat_ms < DUPLICATE_SILENCE_MS

    def _enter(self, registration: BrokerRegistration) -> bool:
        """Note the broker's name and address. True when its id was not there before."""
        name, broker_id, address = registration.broker_name, registration.broker_id, registration.address
        known = self._brokers.get(name)
        if known is not None and known.cluster != registration.cluster:
            # Nobody of the other cluster is alive: the name goes over.
            for old_address in tuple(known.addresses.values()):
                self.unregister_broker(known.cluster, old_address, name)
            known = None
        if known is None:
            known = self._brokers[name] = BrokerSet(registration.cluster, {})
            self._clusters.setdefault(registration.cluster, {})[name] = None
        is_first = broker_id not in known.addresses
        # A slave that became the master keeps its address: the old id goes.
        moved = [each for each, held in known.addresses.items() if held == address and each != broker_id]
        for each in moved:
            del known.addresses[each]
        replaced = known.addresses.get(broker_id)
        if replaced is not None and replaced != address:
            self._live.pop((known.cluster, replaced), None)
        acting_master = bool(registration.enable_acting_master)
        seen = (known.addresses.get(broker_id), known.enable_acting_master, known.zone_name)
        if moved or seen != (address, acting_master, registration.zone_name):
            self._version += 1
        known.addresses[broker_id] = address
        known.enable_acting_master = acting_master
        known.zone_name = registration.zone_name
        return is_first

    def _serves_topics(self, registration: BrokerRegistration) -> bool:
        """A master's topics count; without one, those of the slave with the lowest id (from 5.0 on)."""
        if registration.broker_id == MASTER_ID:
            return True
        lowest = min(self._brokers[registration.broker_name].addresses)
        return registration.enable_acting_master is not None and registration.broker_id == lowest

    def _master_for(self, registration: BrokerRegistration) -> RegisterBrokerResult:
        if registration.broker_id == MASTER_ID:
            return RegisterBrokerResult()
        master = self._brokers[registration.broker_name].addresses.get(MASTER_ID)
        live = self._live.get((registration.cluster, master)) if master is not None else None
        if master is None or live is None:
            return RegisterBrokerResult()
        return RegisterBrokerResult(master, live.ha_server_address)

    def unregister_broker(self, cluster: str, address: str, broker_name: str) -> None:
        """This process is gone. Unknown ones are ignored."""
        if self._live.pop((cluster, address), None) is not None:
            self._log.info("%s at %s of %s is gone", broker_name, address, cluster)
        known = self._brokers.get(broker_name)
        if known is None or known.cluster != cluster:
            return
        held = [broker_id for broker_id, each in known.addresses.items() if each == address]
        for broker_id in held:
            del known.addresses[broker_id]
            self._version += 1
        if known.addresses:
            return
        del self._brokers[broker_name]
        names = self._clusters.get(cluster, {})
        names.pop(broker_name, None)
        if not names:
            self._clusters.pop(cluster, None)
        self._topics.drop_broker(broker_name)

    def channel_closed(self, channel: Channel) -> None:
        """Whoever registered over this connection, and over no newer one, is gone."""
        for key in [key for key, live in self._live.items() if live.channel is channel]:
            self._remove(*key)

    def scan_not_active_broker(self) -> None:
        """Drop brokers that are silent on an open connection, and close that."""
        now_ms = self._clock.monotonic_ms()
        silent = [(key, live) for key, live in self._live.items() if now_ms - live.last_beat_ms > live.silence_ms]
        for key, live in silent:
            self._log.warning("%s of %s was silent for %d ms", key[1], key[0], now_ms - live.last_beat_ms)
            live.channel.close()
            self._remove(*key)

    def _remove(self, cluster: str, address: str) -> None:
        names = [name for name, each in self._brokers.items() if each.cluster == cluster]
        for name in names:
            if address in self._brokers[name].addresses.values():
                self.unregister_broker(cluster, address, name)
        self._live.pop((cluster, address), None)

    def wipe_write_perm(self, broker_name: str) -> int:
        """Producers turn away from the broker at their next look at the route. The number of topics changed."""
        return self._topics.wipe_write_perm(broker_name)

    def add_write_perm(self, broker_name: str) -> int:
        return self._topics.add_write_perm(broker_name)

    def delete_topic(self, topic: str, cluster: str = "") -> None:
        """At all brokers, or at those of one cluster. A broker that still has the topic brings it back with a
        change."""
        names: Iterable[str] = self._clusters.get(cluster, {}) if cluster else self._topics.queues(topic)
        for broker_name in tuple(names):
            self._topics.drop(topic, broker_name)

    def touch(self, cluster: str, address: str) -> None:
        """A sign of life without a registration (322)."""
        live = self._live.get((cluster, address))
        if live is not None:
            live.last_beat_ms = self._clock.monotonic_ms()

    # -- questions --

    def data_version(self, cluster: str, address: str) -> DataVersion | None:
        live = self._live.get((cluster, address))
        return None if live is None else live.data_version

    def topic_route(self, topic: str) -> TopicRouteData | None:
        queues = self._topics.queues(topic)
        if not queues:
            return None
        names = [name for name in queues if name in self._brokers]
        return TopicRouteData(
            broker_datas=[self._brokers[name].to_body(name) for name in names],
            filter_server_table=self._filter_servers(names),
            queue_datas=list(queues.values()),
        )

    def _filter_servers(self, broker_names: Iterable[str]) -> dict[str, list[str]]:
        table: dict[str, list[str]] = {}
        for name in broker_names:
            known = self._brokers[name]
            for address in known.addresses.values():
                live = self._live.get((known.cluster, address))
                if live is not None and live.filter_servers:
                    table[address] = live.filter_servers
        return table

    def cluster_info(self) -> ClusterInfo:
        return ClusterInfo(
            broker_addr_table={name: known.to_body(name) for name, known in self._brokers.items()},
            cluster_addr_table={cluster: list(names) for cluster, names in self._clusters.items()},
        )

    def all_topics(self) -> TopicList:
        return TopicList(topic_list=self._topics.topics())

    def topics_of_cluster(self, cluster: str) -> TopicList:
        return TopicList(topic_list=self._topics.topics_at(self._clusters.get(cluster, {})))

    def system_topics(self) -> TopicList:
        """Every broker and every cluster has a topic of its name."""
        names = [name for cluster, brokers in self._clusters.items() for name in (cluster, *brokers)]
        address = next((each for known in self._brokers.values() for each in known.addresses.values()), None)
        return TopicList(broker_addr=address, topic_list=list(dict.fromkeys(names)))

    def unit_topics(self) -> TopicList:
        return TopicList(topic_list=self._topics.flagged(lambda flag: bool(flag & FLAG_UNIT)))

    def unit_sub_topics(self) -> TopicList:
        return TopicList(topic_list=self._topics.flagged(lambda flag: bool(flag & FLAG_UNIT_SUB)))

    def unit_sub_ununit_topics(self) -> TopicList:
        both = FLAG_UNIT | FLAG_UNIT_SUB
        return TopicList(topic_list=self._topics.flagged(lambda flag: flag & both == FLAG_UNIT_SUB))
