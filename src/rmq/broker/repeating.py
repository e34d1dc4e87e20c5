# SPDX-License-Identifier: Apache-2.0
"""Something that is done again and again while a broker runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Reactor, Timer

log = logging.getLogger(__name__)


class Repeating:
    """A fault in one round is logged and does not end the rounds."""

    def __init__(self, reactor: Reactor, interval_ms: int, work: Callable[[], None]) -> None:
        self._reactor = reactor
        self._interval_ms = interval_ms
        self._work = work
        self._timer: Timer | None = None

    def start(self) -> None:
        """The first round comes after one interval."""
        self._timer = self._reactor.call_later(self._interval_ms, self._round)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _round(self) -> None:
        self._timer = self._reactor.call_later(self._interval_ms, self._round)
        try:
            self._work()
        except Exception:
            log.exception("a periodic task failed")
