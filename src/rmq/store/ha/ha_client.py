# SPDX-License-Identifier: Apache-2.0
"""The slave's side of replication: follows the master's log over Apache's HA stream.

| state | event | next | what is done on the way |
|---|---|---|---|
| READY | DUE | CONNECTING | connect to haServerAddr |
| CONNECTING | CONNECTED | HANDSHAKE | compare the own log with the master's |
| CONNECTING | FAILED | READY | DUE again in 1 s |
| HANDSHAKE | SAME (or the master cannot tell) | TRANSFER | report the end of the own log: the request |
| HANDSHAKE, TRANSFER | LOST (closed, silent for 20 s, wrong frame, log not writable, other master, logs differ) | READY
| DUE again in 1 s |
| any | STOP | SHUTDOWN | close |

Logs that differ: a master that lost power comes back without its last writes and writes others in their place. What
the slave has behind the common end is set aside in a file, and it follows from there. With no byte in common it does
not follow at all: the master has lost its disk, or is a stranger, and which copy is the right one is for people to say.

The comparison runs while the HA connection is open, so a master that is replaced meanwhile is noticed. Apache's master
cannot be asked: it is followed as Apache's slave does.

Frames of one read are written together, and reported once, at the end of the tick; with nothing new, every 5 s.

What a report promises: the bytes are with the operating system (they survive the death of this process), as on
Apache's slave; with flushDiskType=SYNC_FLUSH on the slave they are on its disk. The request, the end of the log, is a
report too: it waits for the disk in that case.

An Apache master sends an empty slave its last commit log file only; ours sends all. Answers to DefaultHAClient.
"""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import TYPE_CHECKING

from ..errors import StoreError
from .address import format_address, parse_address
from .ha_follower import HaFollower
from .ha_runtime_info import HaClientRuntimeInfo, HaRuntimeInfo
from .ha_wire import HaProtocolError
from .log_comparison import HEAD_BYTES, LogComparison, log_crc

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Connection, Reactor, Timer
    from .ha_config import HaConfig
    from .log_comparison import LogState, PeerLog
    from .replicated_log import FollowerLog

# Apache's slave waits 5 s; with sync double write that is as long as every send fails after its master came back. One
# attempt a second costs nothing.
RECONNECT_PAUSE_MS = 1000
CONNECT_TIMEOUT_MS = 3000
# Reports and silence are looked at this often: fine enough for intervals of 5 and 20 s.
TICK_MS = 500

_LOG = logging.getLogger("rmq.ha")


class HaState(Enum):
    """Apache's HAConnectionState, and CONNECTING, because nothing blocks here."""

    READY = auto()
    CONNECTING = auto()
    HANDSHAKE = auto()
    TRANSFER = auto()
    SHUTDOWN = auto()


class HaEvent(Enum):
    DUE = auto()
    CONNECTED = auto()
    SAME = auto()
    FAILED = auto()
    LOST = auto()
    STOP = auto()


# An event without an entry changes nothing: it belongs to a connection that is given up already.
TRANSITIONS: dict[tuple[HaState, HaEvent], HaState] = {
    (HaState.READY, HaEvent.DUE): HaState.CONNECTING,
    (HaState.CONNECTING, HaEvent.CONNECTED): HaState.HANDSHAKE,
    (HaState.CONNECTING, HaEvent.FAILED): HaState.READY,
    (HaState.HANDSHAKE, HaEvent.SAME): HaState.TRANSFER,
    (HaState.HANDSHAKE, HaEvent.LOST): HaState.READY,
    (HaState.TRANSFER, HaEvent.LOST): HaState.READY,
    (HaState.READY, HaEvent.STOP): HaState.SHUTDOWN,
    (HaState.CONNECTING, HaEvent.STOP): HaState.SHUTDOWN,
    (HaState.HANDSHAKE, HaEvent.STOP): HaState.SHUTDOWN,
    (HaState.TRANSFER, HaEvent.STOP): HaState.SHUTDOWN,
}


class HaClient:
    """Keeps one connection to the master while it is started and knows an address.

    on_connected("ip:port" of this end): called when the stream has started, so that the broker can tell the master on
    the remoting port whose connection that is.
    """

    def __init__(
        self,
        log: FollowerLog,
        config: HaConfig,
        reactor: Reactor,
        *,
        master_log: PeerLog,
        on_connected: Callable[[str], None],
    ) -> None:
        self._log = log
        self._master_log = master_log
        self._config = config
        self._reactor = reactor
        self._on_connected = on_connected
        self._state = HaState.READY
        self._master_address: tuple[str, int] | None = None
        self._link: _Link | None = None
        self._due: Timer | None = None
        self._awaits_flush: _Link | None = None
        self._is_running = False
        self._last_failure = ""
        self._last_read_ms = 0
        self._last_write_ms = reactor.clock.now_ms()
        if config.report_after_flush:
            log.on_flush(self._safe)
        else:
            log.on_commit(self._safe)

    @property
    def state(self) -> HaState:
        return self._state

    def update_ha_master_address(self, address: str) -> None:
        """Follow the master at "host:port": haServerAddr of a registration answer, or haMasterAddress.

        Raises ValueError when that is no address.
        """
        parsed = parse_address(address)
        if parsed == self._master_address:
            return
        _LOG.info("the master's HA address is %s", address)
        self._master_address = parsed
        self._give_up_link()
        self._connect_in(0)

    def start(self) -> None:
        self._is_running = True
        self._connect_in(0)

    def shutdown(self) -> None:
        """Stop following, for good. Nothing is appended afterwards."""
        self._is_running = False
        self._give_up_link()
        self._step(HaEvent.STOP)
        if self._due is not None:
            self._due.cancel()

    def runtime_info(self) -> HaRuntimeInfo:
        """What GET_BROKER_HA_STATUS (907) shows of a slave."""
        follower = self._link.follower if self._link else None
        now_ms = self._reactor.clock.monotonic_ms()
        client = HaClientRuntimeInfo(
            master_addr=format_address(*self._master_address) if self._master_address else None,
            transferred_byte_in_second=follower.transferred_bytes_in_second(now_ms) if follower else 0,
            max_offset=self._log.max_physical_offset,
            last_read_timestamp=self._last_read_ms if follower else 0,
            last_write_timestamp=self._last_write_ms,
        )
        return HaRuntimeInfo(master=False, ha_client_runtime_info=client)

    # Called by the link.

    def connected(self, link: _Link, connection: Connection) -> None:
        """The stream is open: compare the logs."""
        if link is not self._link or not self._step(HaEvent.CONNECTED):
            connection.abort()
            return
        link.connection = connection
        link.comparison = LogComparison(
            self._log, self._master_log, lambda common_end, why: self._compared(link, common_end, why)
        )
        link.comparison.start()

    def _compared(self, link: _Link, common_end: int | None, why: str) -> None:
        if why:
            self.lost(link, f"the logs cannot be compared: {why}")
        elif common_end is None or common_end == self._log.max_physical_offset:
            self._follow(link)
        else:
            self._log.record_end_at(common_end, lambda end: self._parted(link, end))

    def _parted(self, link: _Link, end: int | BaseException) -> None:
        """Other bytes, or damaged ones? A master that finds its own damaged has them mended, by us for one."""
        if link is not self._link:
            return
        if isinstance(end, BaseException):
            self.lost(link, str(end))
            return
        # The record that begins there, and no other: damage further on does not say that these bytes are the same.
        self._master_log.ask((end, end + 1), lambda state, why: self._verified(link, end, state, why), verify=True)

    def _verified(self, link: _Link, end: int, state: LogState | None, why: str) -> None:
        if link is not self._link:
            return
        if state is None:
            self.lost(link, why or "it cannot be asked any more")
        elif not state.damaged:
            self._set_tail_aside(link, end)
        else:
            self._look_behind(link, end, state)

    def _look_behind(self, link: _Link, end: int, state: LogState) -> None:
        """A log that has parted at damage is of no use for its mending. What comes next tells, where the master has
        it."""
        own_end = self._log.max_physical_offset
        if 0 < state.damaged_to < own_end:
            wanted = (state.damaged_to, min(state.damaged_to + HEAD_BYTES, own_end))
            self._master_log.ask(wanted, lambda state, _: self._seen_behind(link, end, wanted, state), verify=True)
        else:
            self._wait_for_mending(link, end)

    def _seen_behind(self, link: _Link, end: int, wanted: tuple[int, int], state: LogState | None) -> None:
        if link is not self._link:
            return
        if state is not None and state.damaged_to > wanted[0]:
            self._look_behind(link, end, state)
        elif state is None or state.crc < 0 or state.damaged or state.crc == log_crc(self._log, wanted):
            self._wait_for_mending(link, end)
        else:
            self._set_tail_aside(link, end)

    def _set_tail_aside(self, link: _Link, end: int) -> None:
        self._log.set_tail_aside(end, lambda kept: self.lost(link, kept))

    def _wait_for_mending(self, link: _Link, end: int) -> None:
        self.lost(link, f"its log is damaged at {end}: waiting until that is mended")

    def _follow(self, link: _Link) -> None:
        """Ask for the log from the own end on."""
        connection = link.connection
        own_end = self._log.max_physical_offset
        if self._config.report_after_flush and self._log.flushed_physical_offset < own_end:
            self._awaits_flush = link
            self._log.flush()
            return
        if connection is None or not self._step(HaEvent.SAME):
            return
        link.follower = HaFollower(own_end, self._config, self._reactor.clock.monotonic_ms())
        self._last_read_ms = self._reactor.clock.now_ms()
        _LOG.info("connected to the master %s:%d, following from offset %d", *connection.peer, own_end)
        self._send(link, link.follower.request(self._reactor.clock.monotonic_ms()))
        self._tick_later(link)
        self._on_connected(format_address(*connection.local))

    def received(self, link: _Link, data: bytes) -> None:
        """Append what came; the report follows the store's commit at the end of this tick."""
        if link is not self._link or link.follower is None:
            return
        self._last_read_ms = self._reactor.clock.now_ms()
        try:
            frames = link.follower.receive(data, self._reactor.clock.monotonic_ms())
            for frame in frames:
                self._log.append_raw(frame.physical_offset, frame.body)
        except (HaProtocolError, StoreError) as error:
            self.lost(link, str(error))
        else:
            if frames:
                # Behind the store's commit, which the first append asked for.
                self._reactor.call_soon(lambda: self._check_written(link))

    def lost(self, link: _Link, reason: str) -> None:
        """The connection is over, or could not be opened, or is of no use any more: try again later."""
        if link is not self._link:
            return
        # The same trouble comes back every second: say it once.
        if reason != self._last_failure:
            self._last_failure = reason
            _LOG.warning("not following the master %s:%d: %s", *link.master, reason)
        self._give_up_link()
        self._connect_in(RECONNECT_PAUSE_MS)

    def _step(self, event: HaEvent) -> bool:
        """Follow the table; False where the event means nothing in this state."""
        following = TRANSITIONS.get((self._state, event))
        if following is None:
            return False
        self._state = following
        return True

    def _connect_in(self, delay_ms: int) -> None:
        if not self._is_running or self._master_address is None:
            return
        if self._due is not None:
            self._due.cancel()
        self._due = self._reactor.call_later(delay_ms, self._connect)

    def _connect(self) -> None:
        assert self._master_address is not None
        if not self._step(HaEvent.DUE):
            return
        link = self._link = _Link(self, self._master_address)
        host, port = self._master_address
        self._reactor.connect(
            host, port, link, timeout_ms=CONNECT_TIMEOUT_MS, failed=lambda error: self.lost(link, str(error))
        )

    def _give_up_link(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        if not self._step(HaEvent.LOST):
            self._step(HaEvent.FAILED)
        if link.comparison is not None:
            link.comparison.cancel()
        if link.connection is not None:
            link.connection.abort()

    def _check_written(self, link: _Link) -> None:
        """A commit that failed (a full disk) leaves the log where it was: what the master sends next would not fit."""
        if link.follower is not None and link.follower.end_offset != self._log.max_physical_offset:
            self.lost(link, "the log cannot be written")

    def _safe(self, physical_offset: int) -> None:
        link, self._awaits_flush = self._awaits_flush, None
        if link is not None and link is self._link:
            self._follow(link)
            return
        if self._link is not None and self._link.follower is not None:
            self._acknowledge(self._link, self._link.follower, physical_offset)

    def _acknowledge(self, link: _Link, follower: HaFollower, safe_offset: int) -> None:
        self._send(link, follower.acknowledge(safe_offset, self._reactor.clock.monotonic_ms()))

    def _send(self, link: _Link, data: bytes) -> None:
        if data and link.connection is not None:
            link.connection.write(data)
            self._last_write_ms = self._reactor.clock.now_ms()

    def _tick_later(self, link: _Link) -> None:
        self._reactor.call_later(TICK_MS, lambda: self._tick(link))

    def _tick(self, link: _Link) -> None:
        if link is not self._link or link.follower is None:
            return
        if link.follower.is_expired(self._reactor.clock.monotonic_ms()):
            self.lost(link, "the master has been silent too long")
            return
        self._acknowledge(link, link.follower, 0)
        self._tick_later(link)


class _Link:
    """One attempt to follow: ties a connection to its follower, decides nothing."""

    def __init__(self, client: HaClient, master: tuple[str, int]) -> None:
        self._client = client
        self.master = master
        self.connection: Connection | None = None
        self.comparison: LogComparison | None = None
        self.follower: HaFollower | None = None

    def connection_made(self, connection: Connection) -> None:
        self._client.connected(self, connection)

    def data_received(self, data: bytes) -> None:
        self._client.received(self, data)

    def connection_lost(self, reason: Exception | None) -> None:
        self._client.lost(self, str(reason) if reason else "the master closed the connection")
