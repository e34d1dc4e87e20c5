# SPDX-License-Identifier: Apache-2.0
"""Virtual time."""

from __future__ import annotations


class FakeClock:
    """Time stands still until somebody moves it. `jump` moves only the wall clock, as an administrator or NTP does."""

    def __init__(self, now_ms: int = 1_795_340_464_589) -> None:
        self._wall_ms = now_ms
        self._monotonic_ms = 0

    def now_ms(self) -> int:
        return self._wall_ms

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    def advance(self, delta_ms: int) -> None:
        if delta_ms < 0:
            raise ValueError("time goes forward; use jump() for the wall clock")
        self._wall_ms += delta_ms
        self._monotonic_ms += delta_ms

    def jump(self, delta_ms: int) -> None:
        self._wall_ms += delta_ms
