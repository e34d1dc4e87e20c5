# SPDX-License-Identifier: Apache-2.0
"""What a broker says to its name servers: 103 it is there, with these topics; 104 it goes. Answers to BrokerOuterAPI.

    when                                            what is sent to each name server
    start, and each registerNameServerPeriod        103 with all topics
    topics changed (collected for one tick)         103 with these topics; with all of them after a deletion
    a name server refused, was away or came back    103 with all topics, tried each WATCH_MS
    a slave has not been told of its master yet     103 with all topics, tried each WATCH_MS
    clean stop                                      104

A name server forgets a broker when its connection closes; that is noticed here by the closed connection, so a name
server that was restarted knows this broker again within WATCH_MS (Apache: up to 30 s). The first registration at a
name server never carries exactly one topic: Apache's refuses that.
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..remoting.bodies import DataVersion, RegisterBrokerBody, TopicConfigAndMappingSerializeWrapper
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.java_json import JavaJsonError, loads_bytes
from ..remoting.perm import PERM_READ_WRITE
from .repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..env import Reactor
    from ..remoting.bodies import TopicConfig
    from ..rpc import CallFailed, OutboundClient
    from .broker_config import BrokerConfig
    from .topic_config_manager import TopicConfigManager

    #: (masterAddr, haServerAddr) of this brokerName's master, as a name server knows them; empty where it does not.
    MasterFound = Callable[[str, str], None]

#: How often unreachable, restarted and refusing name servers are tried again, and how soon a slave that booted before
#: its master finds it (Apache: up to 30 s, with the pair unreplicated meanwhile).
WATCH_MS = 2_000

#: An administrator's change of a topic is answered when the name servers have it, or after this long: a name server
#: that does not answer must not hold up administration.
ANNOUNCE_TIMEOUT_MS = 3_000

#: Bounds of registerNameServerPeriod, as Apache forces them.
PERIOD_MIN_MS = 10_000
PERIOD_MAX_MS = 60_000

#: A stopping broker waits this long for name servers to take its 104.
UNREGISTER_TIMEOUT_MS = 3_000

log = logging.getLogger(__name__)


@dataclass
class _NameServer:
    is_registered: bool = False
    #: Registrations that are not answered yet.
    in_flight: int = 0
    #: Logged once, until it changes.
    last_fault: str = ""


class BrokerOuterApi:
    def __init__(
        self,
        config: BrokerConfig,
        topics: TopicConfigManager,
        client: OutboundClient,
        reactor: Reactor,
        *,
        master_found: MasterFound,
        broker_permission: Callable[[], int],
    ) -> None:
        self._config = config
        self._topics = topics
        self._client = client
        self._reactor = reactor
        self._master_found = master_found
        self._broker_permission = broker_permission
        self._name_servers = {address: _NameServer() for address in config.name_servers}
        self._mapping_version = DataVersion(timestamp=reactor.clock.now_ms())
        self._changed: dict[str, TopicConfig] | None = {}
        self._is_change_due = False
        self._is_running = False
        self._knows_master = not config.is_slave
        self._announced: list[Callable[[], None]] = []
        period_ms = min(max(config.register_name_server_period_ms, PERIOD_MIN_MS), PERIOD_MAX_MS)
        self._rounds = (Repeating(reactor, period_ms, self.register_all), Repeating(reactor, WATCH_MS, self._watch))
        topics.on_change(self._topics_changed)

    @property
    def registered_name_servers(self) -> list[str]:
        """Addresses that took the last registration."""
        return [address for address, server in self._name_servers.items() if server.is_registered]

    def start(self) -> None:
        self._is_running = True
        self.register_all()
        for repeating in self._rounds:
            repeating.start()

    def register_all(self) -> None:
        for address in self._name_servers:
            self._register(address, self._topics.topics)

    def when_announced(self, done: Callable[[], None]) -> None:
        """done is called when the name servers that can be reached have all topics as they are now, at the latest after
        ANNOUNCE_TIMEOUT_MS. So who made a topic finds its route with the next request, as with Apache's broker."""
        if not self._is_announcing:
            done()
            return
        self._announced.append(done)
        self._reactor.call_later(ANNOUNCE_TIMEOUT_MS, lambda: self._release([done]))

    @property
    def _is_announcing(self) -> bool:
        return self._is_running and (
            self._is_change_due or any(server.in_flight for server in self._name_servers.values())
        )

    def _release(self, callbacks: list[Callable[[], None]]) -> None:
        for callback in callbacks:
            if callback in self._announced:
                self._announced.remove(callback)
                callback()

    def set_name_servers(self, addresses: Iterable[str]) -> None:
        """Others from now on (namesrvAddr changed): new ones hear of this broker at once, dropped ones that it goes."""
        wanted = list(addresses)
        for address in [known for known in self._name_servers if known not in wanted]:
            if self._name_servers.pop(address).is_registered:
                self._client.invoke(address, self._farewell(), UNREGISTER_TIMEOUT_MS, _ignore)
        for address in wanted:
            if address not in self._name_servers:
                self._name_servers[address] = _NameServer()
                if self._is_running:
                    self._register(address, self._topics.topics)

    def stop(self, done: Callable[[], None]) -> None:
        """Say 104 to every name server that knows this broker, then done, at the latest after UNREGISTER_TIMEOUT_MS."""
        self._is_running = False
        for repeating in self._rounds:
            repeating.stop()
        waiting = set(self.registered_name_servers)
        if not waiting:
            self._reactor.call_soon(done)
            return

        def answered(address: str, _: RemotingCommand | CallFailed) -> None:
            waiting.discard(address)
            if not waiting:
                done()

        for address in list(waiting):
            self._name_servers[address].is_registered = False
            self._client.invoke(address, self._farewell(), UNREGISTER_TIMEOUT_MS, partial(answered, address))

    def _farewell(self) -> RemotingCommand:
        config = self._config
        fields = {
            "brokerId": str(config.broker_id),
            "clusterName": config.broker_cluster_name,
            "brokerAddr": config.broker_addr,
            "brokerName": config.broker_name,
        }
        return RemotingCommand.request(RequestCode.UNREGISTER_BROKER, fields)

    # Registration.

    def _topics_changed(self, topics: list[TopicConfig]) -> None:
        if not self._is_running:
            return
        if not topics or self._changed is None:
            self._changed = None
        else:
            self._changed.update({topic.topic_name: topic for topic in topics})
        if not self._is_change_due:
            self._is_change_due = True
            self._reactor.call_soon(self._register_changes)

    def _register_changes(self) -> None:
        self._is_change_due = False
        changed, self._changed = self._changed, {}
        if not self._is_running:
            return
        for address, server in self._name_servers.items():
            is_whole = changed is None or not server.is_registered
            self._register(address, self._topics.topics if is_whole or changed is None else changed)

    def _watch(self) -> None:
        for address, server in self._name_servers.items():
            is_known_there = server.is_registered and self._client.is_connected(address)
            if not server.in_flight and not (is_known_there and self._knows_master):
                server.is_registered = is_known_there
                self._register(address, self._topics.topics)

    def _register(self, address: str, topics: Mapping[str, TopicConfig]) -> None:
        server = self._name_servers[address]
        server.in_flight += 1
        command = self._command(topics)
        timeout_ms = self._config.register_broker_timeout_ms
        self._client.invoke(address, command, timeout_ms, lambda answer: self._registered(address, server, answer))

    def _command(self, topics: Mapping[str, TopicConfig]) -> RemotingCommand:
        config = self._config
        table = {name: self._as_permitted(topic) for name, topic in topics.items()}
        wrapper = TopicConfigAndMappingSerializeWrapper(self._topics.data_version, self._mapping_version, table)
        body = RegisterBrokerBody([], wrapper).encode()
        fields = {
            "brokerId": str(config.broker_id),
            "bodyCrc32": str(zlib.crc32(body) & 0x7FFFFFFF),
            "clusterName": config.broker_cluster_name,
            "brokerAddr": config.broker_addr,
            "enableActingMaster": "false",
            "haServerAddr": config.ha_server_addr,
            "compressed": "false",
            "brokerName": config.broker_name,
        }
        return RemotingCommand.request(RequestCode.REGISTER_BROKER, fields, body)

    def _as_permitted(self, topic: TopicConfig) -> TopicConfig:
        """brokerPermission takes away from what each topic allows."""
        permission = self._broker_permission()
        if permission & PERM_READ_WRITE == PERM_READ_WRITE:
            return topic
        return replace(topic, perm=topic.perm & permission)

    def _registered(self, address: str, server: _NameServer, answer: RemotingCommand | CallFailed) -> None:
        server.in_flight -= 1
        if not self._is_running:
            return
        fault = _fault(answer)
        if fault:
            server.is_registered = False
            if fault != server.last_fault:
                log.warning("name server %s does not take this broker: %s", address, fault)
        elif isinstance(answer, RemotingCommand):
            if not server.is_registered:
                log.info("registered at name server %s", address)
            server.is_registered = True
            self._take_answer(answer)
        server.last_fault = fault
        if not self._is_announcing:
            self._release(list(self._announced))

    def _take_answer(self, answer: RemotingCommand) -> None:
        fields = answer.ext_fields
        master_address = fields.get("masterAddr", "")
        self._knows_master = self._knows_master or bool(master_address)
        self._master_found(master_address, fields.get("haServerAddr", ""))
        ordered = _order_topics(answer.body)
        if ordered:
            self._topics.set_ordered(ordered)


def _ignore(_: RemotingCommand | CallFailed) -> None:
    """A name server that does not hear of the end forgets the broker when its connection closes."""


def _fault(answer: RemotingCommand | CallFailed) -> str:
    """Empty where the name server took the registration."""
    if not isinstance(answer, RemotingCommand):
        return str(answer)
    return "" if answer.code == ResponseCode.SUCCESS else f"code {answer.code}, {answer.remark}"


def _order_topics(body: bytes) -> list[str]:
    """Topics of the order configuration that a name server may send along."""
    if not body:
        return []
    try:
        value = loads_bytes(body)
    except JavaJsonError:
        return []
    table = value.get("table") if isinstance(value, dict) else None
    return list(table) if isinstance(table, dict) else []
