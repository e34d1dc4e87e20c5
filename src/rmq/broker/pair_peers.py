# SPDX-License-Identifier: Apache-2.0
"""Who may copy the log: the HA stream has no authentication, so its peers are known by address only.

Allowed are this machine, what haPeers lists (addresses and networks), and the slaves of this brokerName that the name
servers know (GET_BROKER_CLUSTER_INFO, 106, asked each PERIOD_MS, as Apache's brokers do).
"""

from __future__ import annotations

import ipaddress
import logging
from functools import partial
from typing import TYPE_CHECKING

from ..remoting.bodies import ClusterInfo
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.json_body import BodyError
from .repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Reactor
    from ..rpc import CallFailed, OutboundClient
    from .broker_config import BrokerConfig

#: A new slave registers first and asks for the log then: it waits this long at most, plus its own pause.
PERIOD_MS = 2_000
TIMEOUT_MS = 3_000

log = logging.getLogger(__name__)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class PairPeers:
    def __init__(
        self, config: BrokerConfig, client: OutboundClient, reactor: Reactor, name_servers: Callable[[], list[str]]
    ) -> None:
        """name_servers: those that know this broker, and so answer for its pair."""
        self._config = config
        self._client = client
        self._name_servers = name_servers
        self._listed = parse_networks(config.ha_peers)
        self._registered: dict[str, dict[int, str]] = {}
        self._round = Repeating(reactor, PERIOD_MS, self._ask)

    def start(self) -> None:
        self._round.start()

    def stop(self) -> None:
        self._round.stop()

    @property
    def slaves(self) -> list[str]:
        """Remoting addresses of the pair's slaves, as the name servers know them."""
        known = {address for table in self._registered.values() for one, address in table.items() if one > 0}
        return sorted(known)

    def is_allowed(self, host: str) -> bool:
        if host in (self._config.broker_ip1, self._config.broker_ip2):
            return True
        if any(_host(known) == host for table in self._registered.values() for known in table.values()):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or any(address in network for network in self._listed)

    def _ask(self) -> None:
        for address in self._name_servers():
            command = RemotingCommand.request(RequestCode.GET_BROKER_CLUSTER_INFO)
            self._client.invoke(address, command, TIMEOUT_MS, partial(self._take, address))

    def _take(self, address: str, answer: RemotingCommand | CallFailed) -> None:
        """What a name server that is away said last stays good: a cut must not stop replication."""
        if not isinstance(answer, RemotingCommand) or answer.code != ResponseCode.SUCCESS:
            return
        try:
            info = ClusterInfo.decode(answer.body)
        except BodyError as error:
            log.warning("name server %s: %s", address, error)
            return
        pair = info.broker_addr_table.get(self._config.broker_name)
        if pair is not None and pair.cluster == self._config.broker_cluster_name:
            self._registered[address] = {int(one): known for one, known in pair.broker_addrs.items()}


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")


def parse_networks(text: str) -> tuple[_Network, ...]:
    """`haPeers`: addresses and networks with ; between. Raises ValueError."""
    parts = (part.strip() for part in text.split(";"))
    return tuple(ipaddress.ip_network(part, strict=False) for part in parts if part)
