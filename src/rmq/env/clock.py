# SPDX-License-Identifier: Apache-2.0
"""Time as the server half sees it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks: one people set (it may jump), one that only goes forward. Both in milliseconds."""

    def now_ms(self) -> int:
        """Wall clock, ms since 1970: what goes into records and files."""
        ...

    def monotonic_ms(self) -> int:
        """Never goes back: every timeout and every interval uses this one."""
        ...
