# SPDX-License-Identifier: Apache-2.0
"""How long requests have waited before this process looked at them.

A tick begins with the first of its reads. All its reads were ready then: what is read later in the same tick has lain
in its socket since the tick's beginning at least. That is this server's queue; there is no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..env import Reactor


class TickClock:
    """Told of each read by its channel. A look at the clock for each read, none for each request."""

    __slots__ = ("_is_open", "_reactor", "began_ms", "reads", "waited_ms")

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._is_open = False
        self.began_ms = 0
        """When the tick began; monotonic."""
        self.waited_ms = 0
        """For how long at least the requests of this read have waited."""
        self.reads = 0
        """Another number for each read."""

    def read(self) -> None:
        now_ms = self._reactor.clock.monotonic_ms()
        self.reads += 1
        if self._is_open:
            self.waited_ms = now_ms - self.began_ms
            return
        self._is_open = True
        self.began_ms = now_ms
        self.waited_ms = 0
        self._reactor.call_soon(self._end)

    def _end(self) -> None:
        self._is_open = False
        self.reads += 1
        # What is done for a request after its tick (a held pull that wakes) has not waited to be read.
        self.waited_ms = 0
