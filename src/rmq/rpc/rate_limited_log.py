# SPDX-License-Identifier: Apache-2.0
"""One line for each kind of event in ten seconds, with the number of those it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

    from ..env import Clock

# What strangers can cause must not fill a disk: 6 lines a minute for each kind of event.
INTERVAL_MS = 10_000


class RateLimitedLog:
    """Kinds are constants of the program, never text from outside: each is remembered for good."""

    def __init__(self, log: logging.Logger, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._next_ms: dict[str, int] = {}
        self._kept_back: dict[str, int] = {}

    def warning(self, kind: str, text: str, *args: object, error: BaseException | None = None) -> None:
        now_ms = self._clock.monotonic_ms()
        if now_ms < self._next_ms.get(kind, now_ms):
            self._kept_back[kind] = self._kept_back.get(kind, 0) + 1
            return
        self._next_ms[kind] = now_ms + INTERVAL_MS
        more = self._kept_back.pop(kind, 0)
        suffix = f" ({more} more like this before)" if more else ""
        self._log.warning(text + suffix, *args, exc_info=error)
