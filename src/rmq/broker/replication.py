# SPDX-License-Identifier: Apache-2.0
"""What a broker's role means for its pair: a master feeds slaves, a slave follows its master."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from ..remoting.bodies import (
    DelayOffsetSerializeWrapper,
    MessageRequestModeSerializeWrapper,
    TimerMetricsSerializeWrapper,
)
from ..remoting.codes import RequestCode
from ..rpc.channel_hub import not_supported
from ..store.ha import HaClient, HaService
from ..store.ha.ha_client import HaState
from ..store.timer import TimerCheckpoint
from .ha_handshake import HaIdentifyProcessor, HaIntroduction
from .pair_peers import PairPeers
from .slave_synchronize import SlaveSynchronize

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..remoting.command import RemotingCommand
    from ..rpc import Channel, OutboundClient
    from ..store.ha import HaConfig, HaRuntimeInfo
    from .broker_context import BrokerContext

log = logging.getLogger(__name__)


class Replication(Protocol):
    @property
    def is_master_online(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def runtime_info(self) -> HaRuntimeInfo: ...

    def master_found(self, master_address: str, ha_address: str) -> None:
        """What a name server said about this pair's master; empty where it knows none."""
        ...

    def identify(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """HA_IDENTIFY: a slave says which HA connection is its own."""
        ...


class MasterReplication:
    is_master_online = True

    def __init__(
        self,
        context: BrokerContext,
        config: HaConfig,
        client: OutboundClient,
        name_servers: Callable[[], list[str]],
    ) -> None:
        self._schedule = context.schedule
        self._timer = context.timer
        self._transactions = context.transactions
        self._transaction_check = context.transaction_check
        self._peers = PairPeers(context.config, client, context.reactor, name_servers)
        self.service = HaService(
            context.store,
            config,
            context.reactor,
            is_allowed=self._peers.is_allowed,
            on_confirmed=context.store.replicated,
        )
        self._identify = HaIdentifyProcessor(context.config.broker_name, self.service)

    def start(self) -> None:
        """Raises OSError when haListenPort is taken."""
        self.service.start()
        self._peers.start()
        self._schedule.start()
        if self._timer is not None:
            self._timer.start()
        self._transactions.start()
        self._transaction_check.start()

    def stop(self) -> None:
        self._transaction_check.stop()
        if self._timer is not None:
            self._timer.stop()
        self._schedule.stop()
        self._peers.stop()
        self.service.shutdown()

    def runtime_info(self) -> HaRuntimeInfo:
        return self.service.runtime_info()

    def master_found(self, master_address: str, ha_address: str) -> None:
        """A name server tells slaves only."""

    def identify(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        return self._identify(channel, request)


class SlaveReplication:
    def __init__(
        self,
        context: BrokerContext,
        config: HaConfig,
        client: OutboundClient,
        *,
        on_master_online: Callable[[], None],
    ) -> None:
        """on_master_online: clients that wait here can go to the master again."""
        broker = context.config
        self._on_master_online = on_master_online
        self._fixed_ha_address = broker.ha_master_address
        self._schedule = context.schedule
        self._request_modes = context.request_modes
        self._timer = context.timer
        self._introduction = HaIntroduction(broker.broker_name, broker.broker_id, client, context.reactor)
        self.client = HaClient(context.store, config, context.reactor, on_connected=self._connected)
        self._synchronize = SlaveSynchronize(
            client,
            context.reactor,
            topics=context.topics,
            groups=context.groups,
            offsets=context.offsets,
            whole_tables={
                RequestCode.GET_ALL_DELAY_OFFSET: self._take_delay_offsets,
                RequestCode.GET_ALL_MESSAGE_REQUEST_MODE: self._take_request_modes,
                **self._timer_tables(),
            },
        )

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

    def stop(self) -> None:
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
            self._introduction.set_master_address(master_address)
            self._synchronize.set_master_address(master_address)

    def identify(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """Nobody replicates from a slave."""
        return not_supported(channel, request)

    def _connected(self, ha_address: str) -> None:
        self._introduction.introduce(ha_address)
        self._on_master_online()

    def _timer_tables(self) -> dict[RequestCode, Callable[[bytes], None]]:
        timer = self._timer
        if timer is None:
            return {}
        return {
            RequestCode.GET_TIMER_CHECK_POINT: lambda body: timer.take_master_checkpoint(TimerCheckpoint.decode(body)),
            RequestCode.GET_TIMER_METRICS: lambda body: timer.take_master_metrics(
                TimerMetricsSerializeWrapper.decode(body)
            ),
        }

    def _take_delay_offsets(self, body: bytes) -> None:
        self._schedule.take(DelayOffsetSerializeWrapper.decode(body))

    def _take_request_modes(self, body: bytes) -> None:
        self._request_modes.take(MessageRequestModeSerializeWrapper.decode(body))
