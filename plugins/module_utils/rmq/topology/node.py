# SPDX-License-Identifier: Apache-2.0
"""One inventory host as one node: a name server or a broker, with its variables typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import FrozenSet, Optional, Tuple

from .address import Endpoint
from .kind import Engine, Kind

DEFAULT_CLUSTER = "DefaultCluster"
DEFAULT_PORTS = {Kind.BROKER: 10911, Kind.NAMESRV: 9876}


@dataclass(frozen=True)
class Node:
    """One name server or one broker, as the inventory has it.

    ``address`` is the advertised one, an empty string while it is not known (it may have to be looked up on the host);
    paths are empty where the variable is not set. ``broken`` names the variables that broke a rule.
    """

    host: str
    kind: Kind
    machine: str
    cluster: str = DEFAULT_CLUSTER
    engine: Engine = Engine.PYTHON
    mode: str = ""
    broker_name: str = ""
    broker_id: int = 0
    address: str = ""
    replication_address: str = ""
    listen_port: int = 0
    home: str = ""
    store_dir: str = ""
    log_dir: str = ""
    user: str = ""
    in_sync_replicas: Optional[int] = None
    namesrv_addr: Tuple[Endpoint, ...] = ()
    config: Tuple[Tuple[str, str], ...] = ()
    check_address: bool = True
    broken: FrozenSet[str] = frozenset()

    def is_right(self, *variables: str) -> bool:
        """Whether none of these variables broke a rule of its own."""
        return not self.broken.intersection(variables)

    @property
    def is_broker(self) -> bool:
        return self.kind is Kind.BROKER

    @property
    def is_slave(self) -> bool:
        return self.is_broker and self.broker_id > 0

    @property
    def endpoint(self) -> Endpoint:
        """Where clients find it."""
        return Endpoint(self.address, self.listen_port)

    @property
    def config_variable(self) -> str:
        """The variable that holds RocketMQ's own keys for this kind of node."""
        return f"rocketmq_{self.kind.value}_config"

    def config_value(self, key: str) -> str:
        """What the user wrote for a key of RocketMQ, or an empty string."""
        return dict(self.config).get(key, "")
