# SPDX-License-Identifier: Apache-2.0
"""The machine's clocks."""

from __future__ import annotations

import time

_NS_PER_MS = 1_000_000


class SystemClock:
    """`rmq.env.Clock` on the system's wall clock and monotonic clock."""

    def now_ms(self) -> int:
        return time.time_ns() // _NS_PER_MS

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // _NS_PER_MS
