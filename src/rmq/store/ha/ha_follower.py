# SPDX-License-Identifier: Apache-2.0
"""One connection to the master as its slave sees it: frames in, reports out, no input or output of its own.

The rule that keeps the logs equal: a frame starts exactly where the own log ends, else the connection must be closed.
Only an empty log takes the first offset as it comes, as Apache's slave does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .flow_monitor import FlowMonitor
from .ha_wire import HaProtocolError, TransferDecoder, TransferFrame, encode_report

if TYPE_CHECKING:
    from .ha_config import HaConfig


class HaFollower:
    """Made when the connection is open. All times are monotonic milliseconds."""

    def __init__(self, own_end_offset: int, config: HaConfig, now_ms: int) -> None:
        self.end_offset = own_end_offset
        """Where the own log ends when all that `receive` gave is appended."""
        self._reported_offset = own_end_offset
        self._config = config
        self._decoder = TransferDecoder()
        self._last_read_ms = now_ms
        self._last_write_ms = now_ms
        self._flow = FlowMonitor(now_ms)

    def request(self, now_ms: int) -> bytes:
        """The first report: send from the end of my log."""
        return self._report(self._reported_offset, now_ms)

    def receive(self, data: bytes, now_ms: int) -> list[TransferFrame]:
        """Frames to append now, in order, heartbeats left out. Raises HaProtocolError: close the connection."""
        self._last_read_ms = now_ms
        self._flow.add(len(data), now_ms)
        frames = self._decoder.feed(data)
        for frame in frames:
            if self.end_offset not in (0, frame.physical_offset):
                raise HaProtocolError(
                    "the master sends another offset than the end of the log here",
                    f"{frame.physical_offset}, end {self.end_offset}",
                )
            if frame.body:
                self.end_offset = frame.physical_offset + len(frame.body)
        return [frame for frame in frames if frame.body]

    def acknowledge(self, safe_offset: int, now_ms: int) -> bytes:
        """A report: when more is safe than was said, or nothing was said for haSendHeartbeatInterval. Else nothing."""
        idle_ms = now_ms - self._last_write_ms
        if safe_offset <= self._reported_offset and idle_ms < self._config.ha_send_heartbeat_interval_ms:
            return b""
        self._reported_offset = max(self._reported_offset, safe_offset)
        return self._report(self._reported_offset, now_ms)

    def is_expired(self, now_ms: int) -> bool:
        """The master has been silent for longer than haHousekeepingInterval: close the connection."""
        return now_ms - self._last_read_ms > self._config.ha_housekeeping_interval_ms

    def transferred_bytes_in_second(self, now_ms: int) -> int:
        return self._flow.transferred_bytes_in_second(now_ms)

    def _report(self, physical_offset: int, now_ms: int) -> bytes:
        self._last_write_ms = now_ms
        return encode_report(physical_offset)
