# SPDX-License-Identifier: Apache-2.0
"""What one queue of the revive topic says: which check points still lack acknowledgements. No input or output.

Records are taken in the queue's order. A check point leaves when everything in it is acknowledged or handled. The
offset to keep (that of the group CID_RMQ_SYS_REVIVE_GROUP) is such that the next reader begins behind it and meets
every check point that is still open, as with Apache: the last record before the oldest open one.

Records that an Apache broker wrote come through its timer, a check point 1 s before the last acknowledgements for it.
While such records come, time is what they say it is: a timer that is behind must not make acknowledged messages due.

A clock that is set back must hold no message for longer than its invisible time: what waits is due so much earlier.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ...remoting.bodies import AckMsg, BatchAckMsg, PopCheckPoint
from ...remoting.message_const import PROPERTY_TIMER_DELIVER_MS, PROPERTY_TIMER_OUT_MS
from .revive_log import ACK_TAG, ACK_TIME_INTERVAL_MS, BATCH_ACK_TAG, CK_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...remoting.message import MessageExt

#: How long after its time a check point still waits for acknowledgements that are on their way, as on Apache.
REVIVE_SLACK_MS = ACK_TIME_INTERVAL_MS + 1_000

#: When no record came through the timer for this long (or since the start), it has nothing left that is due.
TIMER_IS_IDLE_MS = 3_000

#: Entries of closed check points that may lie about.
TIDY_FROM = 1_000


class CheckPointKey(NamedTuple):
    topic: str
    group: str
    queue_id: int
    start_offset: int
    pop_time: int
    broker_name: str


@dataclass(slots=True)
class OpenCheckPoint:
    check_point: PopCheckPoint
    #: Place in the revive queue, and in the log.
    revive_offset: int
    physical_offset: int
    #: Queue offsets without acknowledgement.
    owed: set[int]
    is_closed: bool = False
    #: Its messages are being put into the retry topic.
    is_reviving: bool = False
    #: How often that failed.
    failures: int = 0

    @property
    def due_ms(self) -> int:
        return self.check_point.pop_time + self.check_point.invisible_time + REVIVE_SLACK_MS


def check_point_key(one: PopCheckPoint | AckMsg | BatchAckMsg, own_name: str) -> CheckPointKey:
    return CheckPointKey(
        one.topic, one.group, one.queue_id, one.start_offset, one.pop_time, one.broker_name or own_name
    )


class ReviveQueue:
    def __init__(self, queue_id: int, done_offset: int, broker_name: str, now_ms: int) -> None:
        """done_offset: the kept offset, -1 for none: reading begins behind it. now_ms, here and below: wall clock."""
        self.queue_id = queue_id
        self.next_offset = done_offset + 1
        self._broker_name = broker_name
        self._open: dict[CheckPointKey, OpenCheckPoint] = {}
        #: (due, number, check point); closed ones stay until their time or the next tidying.
        self._by_time: list[tuple[int, int, OpenCheckPoint]] = []
        self._number = 0
        self._now_ms = now_ms
        #: The last record out of the timer: when it was read, and its deliver time.
        self._timer_read_ms = now_ms
        self._timer_at_ms = 0

    def __len__(self) -> int:
        """Check points in flight."""
        return len(self._open)

    @property
    def done_offset(self) -> int:
        """What is to be kept."""
        for oldest in self._open.values():
            return oldest.revive_offset - 1
        return self.next_offset - 1

    def take(self, message: MessageExt, now_ms: int) -> None:
        """The next record. Raises BodyError for a body that is none of ours; it is passed over then."""
        self._notice(now_ms)
        self.next_offset = message.queue_offset + 1
        if PROPERTY_TIMER_OUT_MS in message.properties:
            deliver_ms = message.properties.get(PROPERTY_TIMER_DELIVER_MS, "")
            self._timer_read_ms = now_ms
            self._timer_at_ms = int(deliver_ms) if deliver_ms.isdecimal() else self._timer_at_ms
        tag = message.tags
        if tag == CK_TAG:
            self._take_check_point(PopCheckPoint.decode(message.body), message)
        elif tag == ACK_TAG:
            ack = AckMsg.decode(message.body)
            self._acknowledge(check_point_key(ack, self._broker_name), (ack.ack_offset,))
        elif tag == BATCH_ACK_TAG:
            batch = BatchAckMsg.decode(message.body)
            self._acknowledge(check_point_key(batch, self._broker_name), batch.ack_offsets)

    def take_due(self, now_ms: int) -> OpenCheckPoint | None:
        """One whose time is over, each once: `close` or `try_again` follows."""
        self._notice(now_ms)
        if now_ms - self._timer_read_ms < TIMER_IS_IDLE_MS:
            now_ms = min(now_ms, self._timer_at_ms)
        while self._by_time and self._by_time[0][0] < now_ms:
            point = heapq.heappop(self._by_time)[2]
            if not point.is_closed:
                point.is_reviving = True
                return point
        return None

    def close(self, point: OpenCheckPoint) -> None:
        """Everything in it is handled."""
        point.is_closed = True
        key = check_point_key(point.check_point, self._broker_name)
        if self._open.get(key) is point:
            del self._open[key]
        if len(self._by_time) > 2 * len(self._open) + TIDY_FROM:
            self._by_time = [entry for entry in self._by_time if not entry[2].is_closed]
            heapq.heapify(self._by_time)

    def try_again(self, point: OpenCheckPoint, at_ms: int) -> None:
        point.is_reviving = False
        self._wait(point, at_ms)

    def _notice(self, now_ms: int) -> None:
        """The clock may have been set back."""
        back_ms = self._now_ms - now_ms
        self._now_ms = now_ms
        if back_ms > REVIVE_SLACK_MS:
            # All by the same: the heap stays one.
            self._by_time = [(due_ms - back_ms, number, point) for due_ms, number, point in self._by_time]
            self._timer_read_ms -= back_ms

    def _wait(self, point: OpenCheckPoint, due_ms: int) -> None:
        self._number += 1
        heapq.heappush(self._by_time, (due_ms, self._number, point))

    def _take_check_point(self, check_point: PopCheckPoint, message: MessageExt) -> None:
        owed = set(check_point.queue_offsets)
        if not (check_point.topic and check_point.group and owed):
            return
        key = check_point_key(check_point, self._broker_name)
        known = self._open.get(key)
        if known is not None:
            # Stored twice: it counts from its new place.
            self.close(known)
        point = self._open[key] = OpenCheckPoint(check_point, message.queue_offset, message.physical_offset, owed)
        # Of the future where the clock was set back after the pop.
        self._wait(point, min(point.due_ms, self._now_ms + check_point.invisible_time + REVIVE_SLACK_MS))

    def _acknowledge(self, key: CheckPointKey, queue_offsets: Iterable[int]) -> None:
        point = self._open.get(key)
        if point is None or point.is_reviving:
            return
        point.owed.difference_update(queue_offsets)
        if not point.owed:
            self.close(point)
