# SPDX-License-Identifier: Apache-2.0
"""Bytes moved in the last full second, as haStatus prints them (Apache's FlowMonitor)."""

from __future__ import annotations

_SECOND_MS = 1000


class FlowMonitor:
    """Counts bytes in windows of one second. Needs no timer: a window is closed by whoever comes after its end."""

    def __init__(self, now_ms: int) -> None:
        self._window_start_ms = now_ms
        self._window_bytes = 0
        self._last_window_bytes = 0

    def add(self, moved_bytes: int, now_ms: int) -> None:
        self._roll(now_ms)
        self._window_bytes += moved_bytes

    def transferred_bytes_in_second(self, now_ms: int) -> int:
        """Bytes of the last window that is over; 0 when nothing has moved for a second."""
        self._roll(now_ms)
        return self._last_window_bytes

    def _roll(self, now_ms: int) -> None:
        elapsed_ms = now_ms - self._window_start_ms
        if elapsed_ms < _SECOND_MS:
            return
        self._last_window_bytes = self._window_bytes if elapsed_ms < 2 * _SECOND_MS else 0
        self._window_bytes = 0
        self._window_start_ms = now_ms - elapsed_ms % _SECOND_MS
