# SPDX-License-Identifier: Apache-2.0
"""Who waits for an answer to a put, in the order of the log, and what releases them.

Each waiter stands at the physical offset where its record ends. Four offsets move forward; a waiter leaves when both
of its conditions are decided:

    condition                                  met below                                  given up below
    flush (SYNC_FLUSH)                         what fdatasync has covered                 put syncFlushTimeout ago
    slaves (SYNC_MASTER, inSyncReplicas > 1)   what inSyncReplicas - 1 slaves confirmed   put slaveTimeout ago

A flush given up is FLUSH_DISK_TIMEOUT (10), slaves given up are FLUSH_SLAVE_TIMEOUT (12), and where both are, the
slaves' answer stands, as in Apache's handleDiskFlushAndHA. The message is stored in every case. Without any slave
connected the answer is the same 12 after slaveTimeout: Apache 5.4.0 does not answer 11 (SLAVE_NOT_AVAILABLE) here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .put_message import PutResult, PutStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..env import Reactor, Timer

Waiter = tuple[int, PutResult, "Callable[[PutResult], None]"]
"""End of the record in the log, the answer when all goes well, whom to call."""


class Condition:
    """One thing that puts wait for: how far it is met, and how far it has been given up."""

    def __init__(self, timeout_ms: int, status: PutStatus) -> None:
        self.status = status
        self.met = 0
        self.decided = 0
        self._timeout_ms = timeout_ms
        self._deadlines: deque[tuple[int, int]] = deque()

    def wait_for(self, offset: int, now_ms: int) -> None:
        self._deadlines.append((now_ms + self._timeout_ms, offset))

    def meet(self, offset: int) -> None:
        """Everything below offset is done; never goes back."""
        self.met = max(self.met, offset)
        self.decided = max(self.decided, offset)
        while self._deadlines and self._deadlines[0][1] <= offset:
            self._deadlines.popleft()

    def expire(self, now_ms: int) -> None:
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            self.decided = max(self.decided, self._deadlines.popleft()[1])

    @property
    def waiting_since_ms(self) -> int | None:
        return self._deadlines[0][0] - self._timeout_ms if self._deadlines else None

    @property
    def next_deadline_ms(self) -> int | None:
        return self._deadlines[0][0] if self._deadlines else None


class PutWaiters:
    """One list for both conditions, ordered by offset: those that are released leave together, from its head."""

    def __init__(self, reactor: Reactor, *, sync_flush_timeout_ms: int | None, slave_timeout_ms: int | None) -> None:
        """A timeout of None: nobody waits for that condition."""
        self._reactor = reactor
        self._waiters: deque[Waiter] = deque()
        self._flush = _condition(sync_flush_timeout_ms, PutStatus.FLUSH_DISK_TIMEOUT)
        self._slaves = _condition(slave_timeout_ms, PutStatus.FLUSH_SLAVE_TIMEOUT)
        # The slaves' answer comes first: it stands where both are given up.
        self._conditions = [one for one in (self._slaves, self._flush) if one is not None]
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waiters)

    def oldest_ms(self) -> int:
        """For how long the first one has been waiting; 0 where nobody waits."""
        if not self._waiters:
            return 0
        since = [at for one in self._conditions if (at := one.waiting_since_ms) is not None]
        return self._reactor.clock.monotonic_ms() - min(since) if since else 0

    def add(self, waiters: Sequence[Waiter]) -> None:
        """Records of one commit, in the order of the log."""
        if not waiters:
            return
        self._waiters.extend(waiters)
        now_ms = self._reactor.clock.monotonic_ms()
        for condition in self._conditions:
            condition.wait_for(waiters[-1][0], now_ms)
        self._release()

    def flushed(self, physical_offset: int) -> None:
        """Everything below is durable."""
        if self._flush is not None:
            self._flush.meet(physical_offset)
            self._release()

    def replicated(self, physical_offset: int) -> None:
        """Everything below is on enough distinct slaves."""
        if self._slaves is not None:
            self._slaves.meet(physical_offset)
            self._release()

    def fail(self, status: PutStatus) -> None:
        """Answer everyone with this: nothing more will be decided."""
        waiters, self._waiters = self._waiters, deque()
        for _, result, done in waiters:
            done(result._replace(status=status))

    def _release(self) -> None:
        decided = min((condition.decided for condition in self._conditions), default=None)
        waiters = self._waiters
        while waiters and (decided is None or waiters[0][0] <= decided):
            end, result, done = waiters.popleft()
            for condition in self._conditions:
                if end > condition.met:
                    result = result._replace(status=condition.status)
                    break
            done(result)
        self._arm()

    def _arm(self) -> None:
        """One timer, for the earliest deadline; one that comes too early only arms the next."""
        if self._timer is not None or not self._waiters:
            return
        deadlines = [at for one in self._conditions if (at := one.next_deadline_ms) is not None]
        if deadlines:
            delay_ms = max(0, min(deadlines) - self._reactor.clock.monotonic_ms())
            self._timer = self._reactor.call_later(delay_ms, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now_ms = self._reactor.clock.monotonic_ms()
        for condition in self._conditions:
            condition.expire(now_ms)
        self._release()


def _condition(timeout_ms: int | None, status: PutStatus) -> Condition | None:
    return Condition(timeout_ms, status) if timeout_ms is not None else None
