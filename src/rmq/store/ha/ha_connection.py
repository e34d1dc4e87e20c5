# SPDX-License-Identifier: Apache-2.0
"""One slave as its master sees it: reports in, transfer frames out, no input or output of its own.

A connection waits for its first report, the request, and then streams the log from there.

| first report | where the stream starts |
|---|---|
| 0 | at the oldest byte: an empty slave gets the whole log |
| from the oldest byte to the end | exactly there |
| below the oldest byte | refused: the bytes between are deleted, the slave would have a hole |
| beyond the end | refused: the logs have parted |

Apache's master starts an empty slave at its LAST file, so that older messages never reach it. Starting at the oldest
one is compatible with both engines: a slave whose own end is 0 takes the offset of the first frame as it comes, and
the oldest byte is the start of a file, as it has to be.

A request in the middle of a record is right and is served: frames cut records anywhere, so a slave that lost its
connection (and did not restart) asks from inside one.

Later reports are acknowledgements. One beyond what this connection was sent is refused too: Apache's master believes
it, and a forged one makes it acknowledge messages that no slave has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .flow_monitor import FlowMonitor
from .ha_wire import HaProtocolError, ReportDecoder, encode_header

if TYPE_CHECKING:
    from .ha_config import HaConfig
    from .replicated_log import ReplicatedLog


class HaConnection:
    """Feed it bytes and the time; send what it returns. All times are monotonic milliseconds."""

    def __init__(self, log: ReplicatedLog, config: HaConfig, now_ms: int) -> None:
        self._log = log
        self._config = config
        self._decoder = ReportDecoder()
        self._next_transfer_offset: int | None = None
        self._last_read_ms = now_ms
        self._last_write_ms = now_ms
        self._flow = FlowMonitor(now_ms)
        self.slave_ack_offset = -1

    @property
    def is_started(self) -> bool:
        """The slave has said where to start."""
        return self._next_transfer_offset is not None

    @property
    def is_behind(self) -> bool:
        """There are bytes of the log that this slave was not sent yet."""
        return self._next_transfer_offset is not None and self._next_transfer_offset < self._log.max_physical_offset

    @property
    def transfer_from_where(self) -> int:
        """Offset of the next byte to send, -1 before the request (as haStatus prints it)."""
        return -1 if self._next_transfer_offset is None else self._next_transfer_offset

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take bytes of the slave. Raises HaProtocolError, after which the connection must be closed."""
        self._last_read_ms = now_ms
        for offset in self._decoder.feed(data):
            if self._next_transfer_offset is None:
                self._next_transfer_offset = self._start_offset(offset)
            elif offset > self._next_transfer_offset:
                raise HaProtocolError(
                    "the slave reports more than it was sent", f"{offset}, sent up to {self._next_transfer_offset}"
                )
            self.slave_ack_offset = offset

    def transfer(self, budget_bytes: int, now_ms: int) -> bytes:
        """The next frames, of at most budget_bytes log bytes in all; empty when there is nothing to send.

        Raises StoreError when the log was cleaned up under a slave that is too slow: close the connection.
        """
        parts: list[bytes | memoryview] = []
        while budget_bytes > 0 and (log_bytes := self._read(budget_bytes)):
            parts += self._frames(log_bytes)
            budget_bytes -= len(log_bytes)
        return self._written(b"".join(parts), now_ms) if parts else b""

    def _read(self, size_bytes: int) -> memoryview:
        if self._next_transfer_offset is None:
            return memoryview(b"")
        return self._log.read_log(self._next_transfer_offset, size_bytes)

    def _frames(self, log_bytes: memoryview) -> list[bytes | memoryview]:
        """Headers, and bodies of at most haTransferBatchSize. log_bytes come from one file: no body crosses its end."""
        assert self._next_transfer_offset is not None
        batch_bytes = self._config.ha_transfer_batch_size_bytes
        parts: list[bytes | memoryview] = []
        for start in range(0, len(log_bytes), batch_bytes):
            body = log_bytes[start : start + batch_bytes]
            parts += (encode_header(self._next_transfer_offset, len(body)), body)
            self._next_transfer_offset += len(body)
        return parts

    def heartbeat(self, now_ms: int) -> bytes:
        """An empty frame where the line has been idle for haSendHeartbeatInterval, else nothing."""
        idle_ms = now_ms - self._last_write_ms
        if self._next_transfer_offset is None or idle_ms < self._config.ha_send_heartbeat_interval_ms:
            return b""
        return self._written(encode_header(self._next_transfer_offset, 0), now_ms)

    def is_expired(self, now_ms: int) -> bool:
        """The slave has been silent for longer than haHousekeepingInterval: close the connection."""
        return now_ms - self._last_read_ms > self._config.ha_housekeeping_interval_ms

    def is_in_sync(self, master_offset: int) -> bool:
        """Less than haMaxGapNotInSync behind, as haStatus counts it; never before the first report, although Apache's
        master counts a peer that has not said a word."""
        return self.is_started and master_offset - self.slave_ack_offset < self._config.ha_max_gap_not_in_sync_bytes

    def transferred_bytes_in_second(self, now_ms: int) -> int:
        return self._flow.transferred_bytes_in_second(now_ms)

    def _start_offset(self, requested_offset: int) -> int:
        oldest, end = self._log.min_physical_offset, self._log.max_physical_offset
        if requested_offset == 0:
            return oldest
        if requested_offset > end:
            raise HaProtocolError(
                "the slave's log is longer than this master's: the two have parted", f"{requested_offset}, here {end}"
            )
        if requested_offset < oldest:
            raise HaProtocolError(
                "the slave's log ends where this master's is deleted already: it must start again from an empty store",
                f"{requested_offset}, oldest here {oldest}",
            )
        return requested_offset

    def _written(self, data: bytes, now_ms: int) -> bytes:
        self._last_write_ms = now_ms
        self._flow.add(len(data), now_ms)
        return data
