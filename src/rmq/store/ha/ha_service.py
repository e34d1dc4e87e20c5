# SPDX-License-Identifier: Apache-2.0
"""The master's side of replication: listens on haListenPort and streams the log to every slave that connects.

Pushed, not polled: the store's commit of a tick is followed in the same tick by one write for each slave. A slave
that reads slowly has at most WINDOW_BYTES queued here, and gets more when it has taken those.

Acknowledgements are counted over distinct slaves, and the stream names nobody.

| connection | counts as |
|---|---|
| named: `identify` told its broker id (our slaves send it to the remoting port) | that slave; its older one is closed |
| unnamed, the only one of its host | one slave |
| unnamed, another of its host is open | one slave, after UNNAMED_GRACE_MS: it may be about to replace the other |

So every connection of Apache's slaves is one slave, as on Apache's master. One left over from before a cut cannot be
counted for new messages: its acknowledgement stands still.

Answers to DefaultHAService, AcceptSocketService and GroupTransferService of Apache RocketMQ.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ..errors import StoreError
from .address import format_address
from .ha_connection import HaConnection
from .ha_runtime_info import HaConnectionRuntimeInfo, HaRuntimeInfo
from .ha_wire import HaProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Connection, Listener, Reactor, Timer
    from .ha_config import HaConfig
    from .replicated_log import ReplicatedLog

# What may wait in memory for one slave. On loopback 1 MiB keeps a slave busy for several ticks; over a long line the
# system's own send buffer comes on top.
WINDOW_BYTES = 1024 * 1024

# Slaves of one master, half-open connections included. Apache has no limit; a pair has a handful.
MAX_CONNECTIONS = 64

# A slave of ours says its name within milliseconds. One of Apache's never does: messages wait for it no longer than
# this when it connects, well below slaveTimeout (3 s).
UNNAMED_GRACE_MS = 1000

# An alarm is not repeated for this long; peers and rules that are remembered meanwhile, so that a flood of strangers
# fills neither the log nor the memory.
ALARM_REPEAT_MS = 10 * 60 * 1000
MAX_ALARMS = 100

# Heartbeats and silent peers are looked at this often: fine enough for intervals of 5 and 20 s.
TICK_MS = 500

_LOG = logging.getLogger("rmq.ha")


class HaService:
    """Accepts slaves and tells `on_confirmed` how far enough of them have the log.

    is_allowed(host): whether a peer at this address may have the log at all (it is not authenticated in any other way).
    on_confirmed(physical_offset): every byte below is on inSyncReplicas brokers, this one included; only ever grows.
    """

    def __init__(
        self,
        log: ReplicatedLog,
        config: HaConfig,
        reactor: Reactor,
        *,
        is_allowed: Callable[[str], bool],
        on_confirmed: Callable[[int], None],
    ) -> None:
        self._log = log
        self._config = config
        self._reactor = reactor
        self._is_allowed = is_allowed
        self._on_confirmed = on_confirmed
        self._confirmed_offset = 0
        self._listeners: list[Listener] = []
        self._slaves: list[_Slave] = []
        self._timer: Timer | None = None
        self._alarms: dict[tuple[str, str], int] = {}
        log.on_commit(self._committed)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens (the first of its addresses). Raises IndexError before `start`."""
        return self._listeners[0].address

    def start(self) -> None:
        """Listen. Raises OSError when an address is taken."""
        for host in self._config.listen_hosts:
            make_handler = partial(_Slave, self)
            self._listeners.append(self._reactor.listen(host, self._config.ha_listen_port, make_handler))
        self._timer = self._reactor.call_later(TICK_MS, self._tick)

    def shutdown(self) -> None:
        """Stop listening and drop all slaves; they reconnect when the master is back."""
        for listener in self._listeners:
            listener.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for slave in list(self._slaves):
            slave.close()

    def identify(self, address: str, broker_id: int) -> bool:
        """The slave connected from `address` ("ip:port") is broker_id. False when there is no such connection."""
        found = next((slave for slave in self._slaves if slave.address == address), None)
        if found is None:
            return False
        for other in list(self._slaves):
            if other is not found and other.broker_id == broker_id:
                _LOG.info(
                    "slave %s (brokerId %d) is connected again, its old connection is dropped", address, broker_id
                )
                other.close()
        found.broker_id = broker_id
        self._confirm()
        return True

    def runtime_info(self) -> HaRuntimeInfo:
        """What GET_BROKER_HA_STATUS (907) shows of a master."""
        end = self._log.max_physical_offset
        now_ms = self.now_ms()
        slaves = tuple(_runtime_info(slave, end, now_ms) for slave in self._slaves)
        return HaRuntimeInfo(
            master=True,
            master_commit_log_max_offset=end,
            in_sync_slave_nums=sum(slave.in_sync for slave in slaves),
            ha_connection_info=slaves,
        )

    # Called by the connections.

    def admit(self, slave: _Slave) -> bool:
        """Take a new connection in, unless its peer has no business here."""
        if not self._is_allowed(slave.host):
            self._alarm(slave.host, "stranger", "is not an address of a slave of this broker and gets nothing")
            return False
        if len(self._slaves) >= MAX_CONNECTIONS:
            self._alarm(slave.host, "limit", f"is one too many: there are {MAX_CONNECTIONS} connections already")
            return False
        self._slaves.append(slave)
        return True

    def forget(self, slave: _Slave) -> None:
        if slave in self._slaves:
            self._slaves.remove(slave)
            _LOG.info("slave %s is gone at offset %d", slave.address, slave.state.slave_ack_offset)

    def now_ms(self) -> int:
        return self._reactor.clock.monotonic_ms()

    def new_state(self) -> HaConnection:
        return HaConnection(self._log, self._config, self.now_ms())

    def received(self, slave: _Slave, data: bytes) -> None:
        """Take a slave's bytes, count its acknowledgement, send more at the end of the tick."""
        was_started = slave.state.is_started
        try:
            slave.state.receive(data, self.now_ms())
        except HaProtocolError as error:
            self._alarm(slave.host, error.rule, str(error))
            slave.close()
            return
        if slave.state.is_started:
            if not was_started:
                _LOG.info("slave %s follows from offset %d", slave.address, slave.state.transfer_from_where)
            self._reactor.call_soon(slave.push)
            self._confirm()

    def push(self, slave: _Slave, connection: Connection) -> None:
        """Send what is new, within the window; the rest when the peer has taken that."""
        budget_bytes = WINDOW_BYTES - connection.unsent_bytes
        try:
            frames = slave.state.transfer(budget_bytes, self.now_ms())
        except StoreError as error:
            self._alarm(slave.host, "is too slow, the log was cleaned up under it", str(error))
            slave.close()
            return
        if frames:
            connection.write(frames)
        if slave.state.is_behind and not slave.awaits_drain:
            slave.awaits_drain = True
            connection.when_drained(slave.drained)

    def _alarm(self, host: str, rule: str, text: str) -> None:
        """Say it, but not again for each peer and rule while it is fresh: a refused slave is back after a moment."""
        now_ms = self.now_ms()
        self._alarms = {key: until_ms for key, until_ms in self._alarms.items() if until_ms > now_ms}
        if (host, rule) not in self._alarms and len(self._alarms) < MAX_ALARMS:
            self._alarms[host, rule] = now_ms + ALARM_REPEAT_MS
            _LOG.error("HA peer %s: %s", host, text)

    def _committed(self, end_physical_offset: int) -> None:
        del end_physical_offset  # a connection asks the log itself
        for slave in list(self._slaves):
            slave.push()

    def _confirm(self) -> None:
        needed_slaves = self._config.in_sync_replicas - 1
        acks = sorted((slave.state.slave_ack_offset for slave in self._slaves if self._counts(slave)), reverse=True)
        if not 0 < needed_slaves <= len(acks):
            return
        confirmed = acks[needed_slaves - 1]
        if confirmed > self._confirmed_offset:
            self._confirmed_offset = confirmed
            self._on_confirmed(confirmed)

    def _counts(self, slave: _Slave) -> bool:
        if slave.broker_id is not None:
            return True
        if self.now_ms() - slave.opened_ms >= UNNAMED_GRACE_MS:
            return True
        return all(other is slave or other.host != slave.host for other in self._slaves)

    def _tick(self) -> None:
        now_ms = self.now_ms()
        for slave in list(self._slaves):
            if slave.state.is_expired(now_ms):
                _LOG.warning("slave %s has been silent too long, its connection is closed", slave.address)
                slave.close()
            else:
                slave.push()
                slave.write(slave.state.heartbeat(now_ms))
        self._confirm()
        self._timer = self._reactor.call_later(TICK_MS, self._tick)


class _Slave:
    """Ties one connection to its state; decides nothing."""

    def __init__(self, service: HaService) -> None:
        self._service = service
        self._connection: Connection | None = None
        self.state = service.new_state()
        self.broker_id: int | None = None
        self.awaits_drain = False
        self.opened_ms = service.now_ms()
        self.host = ""
        self.address = ""

    def connection_made(self, connection: Connection) -> None:
        self.host = connection.peer[0]
        self.address = format_address(*connection.peer)
        if self._service.admit(self):
            self._connection = connection
        else:
            connection.abort()

    def data_received(self, data: bytes) -> None:
        if self._connection is not None:
            self._service.received(self, data)

    def connection_lost(self, reason: Exception | None) -> None:
        del reason
        self._connection = None
        self._service.forget(self)

    def drained(self) -> None:
        self.awaits_drain = False
        self.push()

    def push(self) -> None:
        if self._connection is not None:
            self._service.push(self, self._connection)

    def write(self, data: bytes) -> None:
        if self._connection is not None and data:
            self._connection.write(data)

    def close(self) -> None:
        """Drop the connection; it counts for nothing from now on."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        self._service.forget(self)


def _runtime_info(slave: _Slave, master_offset: int, now_ms: int) -> HaConnectionRuntimeInfo:
    state = slave.state
    return HaConnectionRuntimeInfo(
        addr=slave.address,
        slave_ack_offset=state.slave_ack_offset,
        diff=master_offset - state.slave_ack_offset,
        in_sync=state.is_in_sync(master_offset),
        transferred_byte_in_second=state.transferred_bytes_in_second(now_ms),
        transfer_from_where=state.transfer_from_where,
    )
