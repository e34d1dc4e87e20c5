# SPDX-License-Identifier: Apache-2.0
"""How long puts and gets take, from every SAMPLE_EACH-th of them: a look at the clock for each message would cost too
much.

Answers to the timings of Apache's StoreStatsService, which measures every one. A put lasts from the request to the
answer, waiting for disk and slaves included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..env import Clock

SAMPLE_EACH = 32

#: Upper bounds in ms of the distribution that tools print, and their names.
_BOUNDS_MS = (0, 10, 50, 100, 200, 500, 1_000, 2_000, 3_000, 4_000, 5_000, 10_000)
_NAMES = (
    "[<=0ms]",
    "[0~10ms]",
    "[10~50ms]",
    "[50~100ms]",
    "[100~200ms]",
    "[200~500ms]",
    "[500ms~1s]",
    "[1~2s]",
    "[2~3s]",
    "[3~4s]",
    "[4~5s]",
    "[5~10s]",
    "[10s~]",
)

#: Times kept for the percentiles: the newest ones.
_RECENT = 4_096

NOT_SAMPLED = -1


class LatencySample:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = 0
        self._counts = [0] * len(_NAMES)
        self._recent_ms: list[int] = []
        self.max_ms = 0

    def begin(self) -> int:
        """Give what this returns to `end`: the time, or NOT_SAMPLED."""
        turn = self._turn
        self._turn = (turn + 1) % SAMPLE_EACH
        return NOT_SAMPLED if turn else self._clock.monotonic_ms()

    def end(self, began_ms: int) -> None:
        if began_ms == NOT_SAMPLED:
            return
        elapsed_ms = self._clock.monotonic_ms() - began_ms
        self.max_ms = max(self.max_ms, elapsed_ms)
        place = next((index for index, bound_ms in enumerate(_BOUNDS_MS) if elapsed_ms <= bound_ms), len(_BOUNDS_MS))
        self._counts[place] += SAMPLE_EACH
        self._recent_ms.append(elapsed_ms)
        if len(self._recent_ms) > _RECENT:
            del self._recent_ms[: _RECENT // 2]

    def percentile_ms(self, share: float) -> float:
        """Of the newest samples; 0 without any."""
        ordered = sorted(self._recent_ms)
        return float(ordered[min(len(ordered) - 1, int(len(ordered) * share))]) if ordered else 0.0

    def distribution(self) -> str:
        """Counts are extrapolated from the samples."""
        return "".join(f"{name}:{count} " for name, count in zip(_NAMES, self._counts, strict=True))
