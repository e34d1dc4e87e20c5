# SPDX-License-Identifier: Apache-2.0
"""What a slave takes of its master's consumer offsets (the table of 43).

| the master's offset of a queue, compared | taken |
|---|---|
| is below what the same master said last | the master's: an administrator has reset it |
| is not there, and was before | gone here too: topic or group was deleted, and may be made anew |
| else | the higher of the master's and the slave's own |

The slave's own is higher when consumers have committed to it while its master was away; Apache's slave forgets that
as soon as the master is back. After any interruption (another master, a request that failed) nothing is known of what
the master said last, and the higher one counts: a master that was killed comes back with offsets some seconds old,
and that is no reset. The price: a reset made just while the slave could not ask is not taken over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# "topic@group" -> queue id -> queue offset
OffsetTable = dict[str, dict[int, int]]


class OffsetMerge:
    def __init__(self) -> None:
        self._said: OffsetTable = {}

    def forget(self) -> None:
        """The line to the master was interrupted."""
        self._said = {}

    def gone(self, master: OffsetTable) -> list[str]:
        """Before `merge`: what the same master had and has no more."""
        return [key for key in self._said if key not in master]

    def merge(self, master: OffsetTable, own: Callable[[str], Mapping[int, int]]) -> OffsetTable:
        """What changes here: the queues whose offset is to be another than own(key) has."""
        changes = {
            key: changed
            for key, queues in master.items()
            if queues != self._said.get(key) and (changed := self._changed(key, queues, own(key)))
        }
        self._said = master
        return changes

    def _changed(self, key: str, queues: Mapping[int, int], own: Mapping[int, int]) -> dict[int, int]:
        said = self._said.get(key, {})
        wanted = {
            queue_id: offset if offset < said.get(queue_id, 0) else max(offset, own.get(queue_id, offset))
            for queue_id, offset in queues.items()
        }
        return {queue_id: offset for queue_id, offset in wanted.items() if own.get(queue_id) != offset}
