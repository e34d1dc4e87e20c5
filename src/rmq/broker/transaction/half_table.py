# SPDX-License-Identifier: Apache-2.0
"""Which half messages are over, and how far the two queues of transactions are done with. No input, no output.

The half queue is walked in order; a transaction that is still open when it is due gets a *copy* at the queue's end,
and the walk goes on. So a transaction is a chain of places, `superseded[older] = newer`, of which the newest counts;
a producer may answer with any of them.

    half_offset   every transaction before it is over or has a copy at or behind it
    op_offset     every op message before it names places below half_offset only

Both are what Apache's broker keeps for the group CID_RMQ_SYS_TRANS. What is known of places below half_offset is kept
for late answers, as far as LATE_ANSWERS_MAX reaches.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Places below half_offset that are remembered: a few minutes of transactions at full speed, some 10 MB.
LATE_ANSWERS_MAX = 100_000

Value = TypeVar("Value")


class Outcome(Enum):
    """How a transaction ended."""

    COMMITTED = auto()
    ROLLED_BACK = auto()
    #: Before this process began: an op message does not say how.
    UNKNOWN = auto()


class HalfTable:
    def __init__(self, half_offset: int = 0, op_offset: int = 0) -> None:
        self.half_offset = half_offset
        self.op_offset = op_offset
        self._outcomes: dict[int, Outcome] = {}
        self._superseded: dict[int, int] = {}
        #: (op queue offset, highest place it names), for op messages that are not done with.
        self._ops: deque[tuple[int, int]] = deque()

    def outcome(self, place: int) -> Outcome | None:
        """None: open, or so long over that nothing is known of it."""
        for link in self._chain(place):
            if link in self._outcomes:
                return self._outcomes[link]
        return None

    def is_passed(self, place: int) -> bool:
        """Nothing is left to do at this place: the transaction is over, or has a copy further on."""
        return place in self._superseded or self.outcome(place) is not None

    def end(self, place: int, outcome: Outcome) -> list[int]:
        """The transaction is over: the places that an op message has to name, the newest among them."""
        places = list(self._chain(place))
        for link in places:
            self._outcomes[link] = outcome
        return places

    def reopen(self, places: Iterable[int]) -> None:
        """The end of a transaction could not be stored."""
        for place in places:
            self._outcomes.pop(place, None)

    def supersede(self, place: int, copy: int) -> bool:
        """A copy is stored. True when the transaction ended in the meantime: then the copy is over as well, and an op
        message has to say so."""
        outcome = self.outcome(place)
        self._superseded[place] = copy
        if outcome is None:
            return False
        self._outcomes[copy] = outcome
        return True

    def op_stored(self, op_offset: int, places: Iterable[int]) -> None:
        """In the order of the op queue."""
        self._ops.append((op_offset, max(places, default=-1)))

    def op_found(self, op_offset: int, places: Iterable[int]) -> None:
        """An op message of before this process began."""
        named = list(places)
        for place in named:
            self._outcomes.setdefault(place, Outcome.UNKNOWN)
        self.op_stored(op_offset, named)

    def advance(self, half_offset: int) -> None:
        """Everything before half_offset is over or has a copy that is stored."""
        self.half_offset = half_offset
        while self._ops and self._ops[0][1] < half_offset:
            self.op_offset = self._ops.popleft()[0] + 1
        self._forget(self._outcomes)
        self._forget(self._superseded)

    def _chain(self, place: int) -> Iterable[int]:
        link: int | None = place
        while link is not None:
            yield link
            link = self._superseded.get(link)

    def _forget(self, table: dict[int, Value]) -> None:
        """The oldest first, and never what the walk has still to pass."""
        excess = len(table) - LATE_ANSWERS_MAX
        if excess > 0:
            for place in [place for place in islice(table, excess) if place < self.half_offset]:
                del table[place]
