# SPDX-License-Identifier: Apache-2.0
"""What a broker's role means for its pair: a master feeds slaves, a slave follows its master."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ..rpc.channel_hub import not_supported
from ..rpc.outbound import split_address
from ..store.ha import HaClient, HaService
from ..store.ha.ha_client import HaState
from .damage_repair import DamageRepair
from .ha_handshake import HA_IDENTIFY, HaIdentifyProcessor, HaIntroduction
from .master_return import MasterReturn
from .pair_log import HA_DELETED_TOPICS, HA_LOG_STATE, HA_READ_LOG, PairLog, PairLogProcessor
from .pair_peers import PairPeers
from .rebuild import Rebuild
from .slave_synchronize import SlaveSynchronize

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..remoting.command import RemotingCommand
    from ..rpc import Channel, OutboundClient
    from ..store.ha import HaConfig, HaRuntimeInfo
    from .auth.auth_synchronize import AuthMetadataCopy
    from .broker_context import BrokerContext

log = logging.getLogger(__name__)


class Replication(Protocol):
    @property
    def is_master_online(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def prepare(self, done: Callable[[str], None], *, rebuild_from: str) -> None:
        """Before the broker listens: done(""), or done(why it must not start)."""
        ...

    def runtime_info(self) -> HaRuntimeInfo: ...

    def master_found(self, master_address: str, ha_address: str) -> None:
        """What a name server said about this pair's master; empty where it knows none."""
        ...

    def answer(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """PRIVATE_CODES: what the brokers of a pair ask each other."""
        ...


#: HA_IDENTIFY is answered by masters, the others by every broker.
PRIVATE_CODES = (HA_IDENTIFY, HA_LOG_STATE, HA_READ_LOG, HA_DELETED_TOPICS)


class MasterReplication:
    is_master_online = True

    def __init__(
        self,
        context: BrokerContext,
        config: HaConfig,
        client: OutboundClient,
        name_servers: Callable[[], list[str]],
        *,
        auth_copy: AuthMetadataCopy | None,
    ) -> None:
        """auth_copy: where users are taken from a slave too, for a rebuild."""
        self._context = context
        self._client = client
        self._auth_copy = auth_copy
        self._schedule = context.schedule
        self._timer = context.timer
        self._transactions = context.transactions
        self._transaction_check = context.transaction_check
        self._pops = context.pops
        self._peers = PairPeers(context.config, client, context.reactor, name_servers)
        self.service = HaService(
            context.store,
            config,
            context.reactor,
            is_allowed=self._peers.is_allowed,
            on_confirmed=context.store.replicated,
        )
        name = context.config.broker_name
        self._identify = HaIdentifyProcessor(name, self.service)
        self._answer = PairLogProcessor(name, context.store, self._peers.is_allowed)
        self._repair = DamageRepair(
            context.store,
            context.reactor,
            lambda: [PairLog(name, client, partial(str, address)) for address in self._peers.slaves],
        )

    def prepare(self, done: Callable[[str], None], *, rebuild_from: str) -> None:
        def rebuilt(why: str) -> None:
            # Another slave may have more than the one that it was rebuilt from.
            if why:
                done(why)
            else:
                MasterReturn(self._context, self._client, self._repair).run(done)

        interrupted = self._context.store.rebuilding_from
        if rebuild_from:
            Rebuild(self._context, self._client, rebuild_from, auth_copy=self._auth_copy).run(rebuilt)
        elif interrupted:
            done(
                f"the rebuild of this store from {interrupted} has not ended, messages lack here: start it"
                f" with --rebuild-from {interrupted} again"
            )
        else:
            rebuilt("")

    def start(self) -> None:
        """Raises OSError when haListenPort is taken."""
        self.service.start()
        self._peers.start()
        self._repair.start()
        self._schedule.start()
        if self._timer is not None:
            self._timer.start()
        self._transactions.start()
        self._transaction_check.start()
        self._pops.start()

    def stop(self) -> None:
        self._pops.stop()
        self._transaction_check.stop()
        if self._timer is not None:
            self._timer.stop()
        self._schedule.stop()
        self._repair.stop()
        self._peers.stop()
        self.service.shutdown()

    def runtime_info(self) -> HaRuntimeInfo:
        return self.service.runtime_info()

    def master_found(self, master_address: str, ha_address: str) -> None:
        """A name server tells slaves only."""

    def answer(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        return (self._identify if request.code == HA_IDENTIFY else self._answer)(channel, request)


class SlaveReplication:
    def __init__(
        self,
        context: BrokerContext,
        config: HaConfig,
        client: OutboundClient,
        name_servers: Callable[[], list[str]],
        *,
        on_master_online: Callable[[], None],
        auth_copy: AuthMetadataCopy | None,
    ) -> None:
        """on_master_online: clients that wait here can go to the master again. auth_copy: where users follow the
        master's."""
        broker = context.config
        self._master_address: str | None = None
        self._on_master_online = on_master_online
        self._fixed_ha_address = broker.ha_master_address
        self._peers = PairPeers(broker, client, context.reactor, name_servers)
        self._answer = PairLogProcessor(broker.broker_name, context.store, self._is_allowed)
        self._timer = context.timer
        self._introduction = HaIntroduction(broker.broker_name, broker.broker_id, client, context.reactor)
        master_log = PairLog(broker.broker_name, client, lambda: self._master_address)
        self._repair = DamageRepair(context.store, context.reactor, lambda: [master_log])
        self.client = HaClient(
            context.store,
            config,
            context.reactor,
            master_log=master_log,
            on_connected=self._connected,
        )
        self._synchronize = SlaveSynchronize.of(context, client, auth_copy)

    @property
    def is_master_online(self) -> bool:
        return self.client.state is HaState.TRANSFER

    def start(self) -> None:
        if self._fixed_ha_address:
            self.client.update_ha_master_address(self._fixed_ha_address)
        self.client.start()
        if self._timer is not None:
            self._timer.start()
        self._synchronize.start()
        self._peers.start()
        self._repair.start()

    def stop(self) -> None:
        self._repair.stop()
        self._peers.stop()
        self._synchronize.shutdown()
        if self._timer is not None:
            self._timer.stop()
        self.client.shutdown()

    def runtime_info(self) -> HaRuntimeInfo:
        return self.client.runtime_info()

    def master_found(self, master_address: str, ha_address: str) -> None:
        """An empty answer changes nothing: the master may be away for a moment, and comes back at the same address."""
        try:
            if ha_address and not self._fixed_ha_address:
                self.client.update_ha_master_address(ha_address)
        except ValueError as error:
            log.warning("a name server gave no address for replication: %s", error)
        if master_address:
            self._master_address = master_address
            self._introduction.set_master_address(master_address)
            self._synchronize.set_master_address(master_address)

    def prepare(self, done: Callable[[str], None], *, rebuild_from: str) -> None:
        """A slave gets everything from its master in any case."""
        done("--rebuild-from is for a master: a slave copies its master by itself" if rebuild_from else "")

    def answer(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """Nobody replicates from a slave, but its master may have to fetch what it lost."""
        if request.code == HA_IDENTIFY:
            return not_supported(channel, request)
        return self._answer(channel, request)

    def _is_allowed(self, host: str) -> bool:
        """A master that was away is not registered when it asks."""
        master = self._master_address
        return self._peers.is_allowed(host) or (master is not None and split_address(master)[0] == host)

    def _connected(self, ha_address: str) -> None:
        self._introduction.introduce(ha_address)
        self._on_master_online()
