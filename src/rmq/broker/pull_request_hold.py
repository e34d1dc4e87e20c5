# SPDX-License-Identifier: Apache-2.0
"""Pulls that found nothing and wait for a message: long polling. Answers to Apache's PullRequestHoldService.

A held pull is a plain entry in a list under its queue. It leaves the list when a message that matches arrives (told by
the store right after the commit, so the answer goes out in the same tick as the send), when its time is up, or when
its connection closes. The check each 5 s is a safety net for what arrived without being told, and where time-outs are
noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..remoting.command import RemotingCommand
    from ..rpc.channel import Channel
    from .subscription import MessageFilter

#: How often Apache looks through all held pulls; a pull may therefore be answered up to this much after its time-out.
HOLD_CHECK_INTERVAL_MS = 5_000

#: Held pulls a broker keeps; the next one is answered "nothing" at once. Bounds memory at some 100 MB however many
#: clients ask.
MAX_HELD_PULLS = 100_000

#: And those it keeps for one connection: a client holds one for each queue and group, some thousands at most.
MAX_HELD_PULLS_OF_CONNECTION = 16_384


@dataclass
class HeldPull:
    channel: Channel
    request: RemotingCommand
    queue_offset: int
    wants: MessageFilter
    #: Monotonic.
    deadline_ms: int
    #: Messages below are looked at already, and are not wanted.
    looked_to: int = 0

    def wants_one(self, tags_code: int | None) -> bool | None:
        """Whether it wants the only new message; None where that cannot be told by its tags."""
        if self.wants.record is not None or (tags_code is None and self.wants.tags is not None):
            return None
        return self.wants.tags is None or (tags_code is not None and self.wants.tags(tags_code))


class PullRequestHold:
    def __init__(
        self,
        wake: Callable[[HeldPull], None],
        max_offset: Callable[[str, int], int],
        has_match: Callable[[str, int, HeldPull], bool],
    ) -> None:
        """wake runs the pull once more, this time answering whatever it finds; the other two ask the store: the end of
        (topic, queue_id), and whether a held pull would find something there."""
        self._wake = wake
        self._max_offset = max_offset
        self._has_match = has_match
        self._queues: dict[tuple[str, int], list[HeldPull]] = {}
        # By connection, id of the pull -> its queue: one that closes must not cost a look at all others' pulls.
        self._of: dict[Channel, dict[int, tuple[str, int]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def hold(self, topic: str, queue_id: int, pull: HeldPull) -> bool:
        """False when too many are held already: the caller answers at once."""
        if self._count >= MAX_HELD_PULLS:
            return False
        theirs = self._of.setdefault(pull.channel, {})
        if len(theirs) >= MAX_HELD_PULLS_OF_CONNECTION:
            return False
        key = (topic, queue_id)
        theirs[id(pull)] = key
        self._queues.setdefault(key, []).append(pull)
        self._count += 1
        return True

    def message_arrived(self, topic: str, queue_id: int, queue_offset: int, tags_code: int | None) -> None:
        """Messages up to queue_offset are readable now: wake the pulls that want them.

        tags_code is that of the only new message; None stands for several, then `has_match` looks into the queue.
        """
        pulls = self._queues.get((topic, queue_id))
        if pulls is None:
            return
        due = [
            pull
            for pull in pulls
            if pull.queue_offset <= queue_offset and self._is_due(topic, queue_id, pull, tags_code)
        ]
        if due:
            self._release((topic, queue_id), due)

    def check(self, now_ms: int) -> None:
        """Wake what timed out, and what has something new in its queue.

        A pull whose tags did not match the new messages is woken too, as on Apache: its answer (20, nothing matched)
        moves the client's offset past them.
        """
        for (topic, queue_id), pulls in list(self._queues.items()):
            readable_end = self._max_offset(topic, queue_id)
            due = [pull for pull in pulls if now_ms >= pull.deadline_ms or readable_end > pull.queue_offset]
            if due:
                self._release((topic, queue_id), due)

    def wake_all(self) -> None:
        """The master is back, or this broker stops: everyone asks anew."""
        for key, pulls in list(self._queues.items()):
            self._release(key, list(pulls))

    def channel_closed(self, channel: Channel) -> None:
        for key in set(self._of.get(channel, {}).values()):
            self._remove(key, [pull for pull in self._queues[key] if pull.channel is channel])

    def _is_due(self, topic: str, queue_id: int, pull: HeldPull, tags_code: int | None) -> bool:
        wanted = pull.wants_one(tags_code)
        return self._has_match(topic, queue_id, pull) if wanted is None else wanted

    def _release(self, key: tuple[str, int], due: list[HeldPull]) -> None:
        self._remove(key, due)
        for pull in due:
            if pull.channel.is_open:
                self._wake(pull)

    def _remove(self, key: tuple[str, int], gone: list[HeldPull]) -> None:
        leaving = {id(pull) for pull in gone}
        for pull in gone:
            theirs = self._of[pull.channel]
            del theirs[id(pull)]
            if not theirs:
                del self._of[pull.channel]
        kept = [pull for pull in self._queues[key] if id(pull) not in leaving]
        self._count -= len(self._queues[key]) - len(kept)
        if kept:
            self._queues[key] = kept
        else:
            del self._queues[key]
