# SPDX-License-Identifier: Apache-2.0
"""Who may consume which queue in order: group -> queue -> client, each lock for 60 s unless it is asked for again.

Answers to Apache's RebalanceLockManager. An orderly consumer renews each 20 s, so a lock that ran out belongs to a
client that is gone. Locks are not kept over a restart: the clients ask again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..remoting.bodies import MessageQueue

#: Apache's rocketmq.broker.rebalance.lockMaxLiveTime.
LOCK_MAX_LIVE_MS = 60_000


@dataclass
class _Lock:
    client_id: str
    renewed_ms: int

    def expired(self, now_ms: int) -> bool:
        return now_ms - self.renewed_ms > LOCK_MAX_LIVE_MS


class RebalanceLockManager:
    def __init__(self) -> None:
        self._groups: dict[str, dict[MessageQueue, _Lock]] = {}

    def try_lock_batch(
        self, group: str, queues: Iterable[MessageQueue], client_id: str, now_ms: int
    ) -> list[MessageQueue]:
        """Those of the queues that client_id now holds, renewed or new."""
        locks = self._groups.setdefault(group, {})
        held = []
        for queue in queues:
            lock = locks.get(queue)
            if lock is None or lock.client_id == client_id or lock.expired(now_ms):
                locks[queue] = _Lock(client_id, now_ms)
                held.append(queue)
        return held

    def unlock_batch(self, group: str, queues: Iterable[MessageQueue], client_id: str) -> None:
        """Locks of other clients stay."""
        locks = self._groups.get(group)
        if locks is None:
            return
        for queue in queues:
            lock = locks.get(queue)
            if lock is not None and lock.client_id == client_id:
                del locks[queue]
        if not locks:
            del self._groups[group]

    def all_expired(self, group: str, now_ms: int) -> bool:
        """No live lock: the group does not consume in order just now."""
        return all(lock.expired(now_ms) for lock in self._groups.get(group, {}).values())

    def scan(self, now_ms: int) -> None:
        """Forget what ran out, so that groups that are gone cost nothing."""
        for group, locks in list(self._groups.items()):
            for queue in [queue for queue, lock in locks.items() if lock.expired(now_ms)]:
                del locks[queue]
            if not locks:
                del self._groups[group]
