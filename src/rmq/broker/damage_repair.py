# SPDX-License-Identifier: Apache-2.0
"""Damaged places of the log are filled with the bytes that another broker of the pair has there.

A master asks its slaves before it serves (a lost message's number must not go to another one); after that, and on a
slave from the start, the damage that is known is looked at each PERIOD_MS, one range at a time.

The other log may have parted from the own one below the damage, and have messages of the same lengths there. So it is
asked first whether the next intact record behind the damage is the same there: then everything below it is (see
store/ha/log_comparison.py). Where it has none there, what lies just before the damage has to be the same, and what it
has of the damaged bytes is taken, up to its end. What is damaged on both sides stays so, and what is whole before and
behind it is taken.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from ..store.errors import StoreError
from ..store.ha.log_comparison import log_crc, telling_range
from .pair_log import READ_BYTES_MAX
from .repeating import Repeating

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Reactor
    from ..store import MessageStore
    from ..store.ha.log_comparison import LogState
    from .pair_log import PairLog

    Range = tuple[int, int]
    Work = deque[tuple[Range, PairLog]]

PERIOD_MS = 10_000
#: Held in memory and written in one go. The largest messages have 4 MiB.
MEND_BYTES_MAX = 64 * 1024 * 1024

_LOG = logging.getLogger("rmq.ha")


class DamageRepair:
    def __init__(self, store: MessageStore, reactor: Reactor, peers: Callable[[], list[PairLog]]) -> None:
        """peers: the other brokers of the pair that may be asked now."""
        self._store = store
        self._mending = store.mending
        self._reactor = reactor
        self._peers = peers
        self._round = Repeating(reactor, PERIOD_MS, self._look)
        self._hopeless: set[Range] = set()
        self._is_busy = False

    def start(self) -> None:
        self._round.start()

    def stop(self) -> None:
        self._round.stop()

    def run(self, peers: list[PairLog], done: Callable[[], None]) -> None:
        """Ask these for every place that is damaged now, and for what is left of one of which a part was mended, then
        call done."""
        self._run(self._mending.damaged, peers, done)

    def _run(self, places: list[Range], peers: list[PairLog], done: Callable[[], None]) -> None:
        before = set(self._mending.damaged)

        def over() -> None:
            left = [one for one in self._mending.damaged if one not in before]
            if left:
                self._run(left, peers, done)
            else:
                done()

        self._next(deque((damage, peer) for damage in places for peer in peers), over)

    def _look(self) -> None:
        if self._is_busy or not self._mending.damaged:
            return
        self._is_busy = True
        self.run(self._peers(), self._over)

    def _over(self) -> None:
        self._is_busy = False

    def _next(self, work: Work, done: Callable[[], None]) -> None:
        while work:
            damage, peer = work.popleft()
            if damage in self._mending.damaged:
                self._ask(damage, peer, work, done)
                return
        done()

    def _ask(self, damage: Range, peer: PairLog, rest: Work, done: Callable[[], None]) -> None:
        def compared(why: str) -> None:
            if not why and damage[1] - damage[0] > MEND_BYTES_MAX:
                why = f"more than {MEND_BYTES_MAX} bytes are not mended while the broker runs"
            if why:
                self._take(damage, b"", why, rest, done)
            else:
                self._read(peer, *damage, b"", lambda data, why: self._take(damage, data, why, rest, done))

        try:
            behind = self._mending.intact_behind(damage[1])
            before = telling_range(self._store, self._store.min_physical_offset, damage[0])
        except OSError as error:
            compared(str(error))
            return
        self._compare(peer, [one for one in (behind, before) if one[0] < one[1]], compared)

    def _compare(self, peer: PairLog, ranges: list[Range], done: Callable[[str], None]) -> None:
        """done(""), or done(why the peer's bytes are of no use here). The first range that the peer has decides."""
        if not ranges:
            done("")
            return
        wanted, *others = ranges

        def take(state: LogState | None, why: str) -> None:
            if state is None:
                done(why or "it cannot be asked for its log")
            elif state.crc == log_crc(self._store, wanted):
                done("")
            elif state.crc < 0:
                self._compare(peer, others, done)
            else:
                done(f"the other log is not the same from {wanted[0]} to {wanted[1]}")

        peer.ask(wanted, take)

    def _read(self, peer: PairLog, start: int, end: int, before: bytes, done: Callable[[bytes, str], None]) -> None:
        """An answer ends where a file does."""

        def take(part: bytes | None, why: str) -> None:
            if not part or len(part) == end - start:
                done(before + (part or b""), why)
            else:
                self._read(peer, start + len(part), end, before + part, done)

        peer.read(start, min(end - start, READ_BYTES_MAX), take)

    def _take(
        self,
        damage: Range,
        data: bytes,
        why: str,
        rest: Work,
        done: Callable[[], None],
    ) -> None:
        try:
            if not why:
                self._mending.mend(damage, data)
        except (StoreError, OSError) as error:
            why = str(error)
        if why and damage not in self._hopeless:
            self._hopeless.add(damage)
            _LOG.warning("bytes %d to %d of the log stay damaged for now: %s", *damage, why)
        # Not at once: a peer that cannot be asked answers at once, and there may be thousands of ranges.
        self._reactor.call_soon(lambda: self._next(rest, done))
