# SPDX-License-Identifier: Apache-2.0
"""What the revive topic says, record by record."""

from __future__ import annotations

import pytest

from rmq.broker.pop.revive_queue import REVIVE_SLACK_MS, TIMER_IS_IDLE_MS, ReviveQueue
from rmq.remoting.bodies import AckMsg, BatchAckMsg, PopCheckPoint
from rmq.remoting.json_body import BodyError
from rmq.remoting.message import MessageExt

NOW = 1_795_340_464_000
BROKER = "broker-a"


class Writer:
    """Puts records into the queue in order."""

    def __init__(self) -> None:
        self.queue = ReviveQueue(0, -1, BROKER, NOW - TIMER_IS_IDLE_MS)
        self._next = 0

    def put(self, tag: str, body: bytes, **properties: str) -> None:
        message = MessageExt("R", body=body, queue_offset=self._next, properties={"TAGS": tag, **properties})
        self._next += 1
        self.queue.take(message, NOW)

    def check_point(
        self, start: int, diffs: list[int], revive_ms: int, broker: str = BROKER, **properties: str
    ) -> PopCheckPoint:
        one = PopCheckPoint(
            0, broker, "g", diffs, 1_000, len(diffs), revive_ms - 1_000, 0, revive_ms, 0, None, start, "T"
        )
        self.put("ck", one.encode(), **properties)
        return one

    def ack(self, one: PopCheckPoint, offset: int, **properties: str) -> None:
        ack = AckMsg(offset, one.broker_name, one.group, one.pop_time, one.queue_id, one.start_offset, one.topic)
        self.put("ack", ack.encode(), **properties)

    def due(self, now_ms: int) -> list[list[int]]:
        found = []
        while (point := self.queue.take_due(now_ms)) is not None:
            found.append(sorted(point.owed))
        return found


def test_check_point_is_due_when_its_time_and_the_slack_are_over() -> None:
    writer = Writer()
    one = writer.check_point(10, [0, 1, 5], NOW)
    writer.ack(one, 11)
    assert writer.due(NOW + REVIVE_SLACK_MS) == []
    assert writer.due(NOW + REVIVE_SLACK_MS + 1) == [[10, 15]]
    assert writer.due(NOW + 10 * REVIVE_SLACK_MS) == [], "each once"


def test_kept_offset_stands_before_the_oldest_open_check_point() -> None:
    writer = Writer()
    first, second = writer.check_point(0, [0], NOW + 60_000), writer.check_point(1, [0], NOW)
    writer.ack(second, 1)
    assert writer.queue.done_offset == -1
    writer.ack(first, 0)
    assert writer.queue.done_offset == 3
    assert len(writer.queue) == 0


def test_batch_of_acknowledgements_and_a_check_point_of_an_old_broker() -> None:
    writer = Writer()
    old = PopCheckPoint(0, "", "g", [], 1_000, 3, NOW - 1_000, 0, NOW, 0, None, 7, "T")
    writer.put("ck", old.encode())
    batch = BatchAckMsg(-1, [7, 9], BROKER, "g", old.pop_time, 0, 7, "T")
    writer.put("bAck", batch.encode())
    assert writer.due(NOW + 60_000) == [[8]]


@pytest.mark.parametrize("change", ["start", "time", "broker"])
def test_acknowledgement_of_another_check_point_changes_nothing(change: str) -> None:
    writer = Writer()
    one = writer.check_point(0, [0], NOW)
    start = 1 if change == "start" else 0
    pop_time = one.pop_time + (change == "time")
    ack = AckMsg(0, "broker-b" if change == "broker" else BROKER, "g", pop_time, 0, start, "T")
    writer.put("ack", ack.encode())
    assert writer.due(NOW + 60_000) == [[0]]


def test_check_points_become_due_by_time_not_by_place() -> None:
    writer = Writer()
    writer.check_point(0, [0], NOW + 60_000)
    point = writer.check_point(1, [0], NOW)
    assert writer.due(NOW + REVIVE_SLACK_MS + 1) == [[1]]
    assert point.start_offset == 1
    assert writer.queue.done_offset == -1


def test_failed_check_point_is_due_again() -> None:
    writer = Writer()
    writer.check_point(0, [0], NOW)
    point = writer.queue.take_due(NOW + 60_000)
    assert point is not None
    writer.queue.try_again(point, NOW + 70_000)
    assert writer.due(NOW + 70_000) == []
    assert writer.due(NOW + 70_001) == [[0]]


def test_body_of_a_stranger_is_passed_over() -> None:
    writer = Writer()
    for body in (b"", b"{", b'{"so":"x"}', b"[]"):
        with pytest.raises(BodyError):
            writer.put("ck", body)
    writer.put("other", b"")
    writer.put("ck", b"{}")
    assert (len(writer.queue), writer.queue.next_offset, writer.queue.done_offset) == (0, 6, 5)
    writer.put("ck", PopCheckPoint(group="g", num=2**60, topic="T").encode())
    ((*owed,),) = writer.due(NOW)
    assert owed == list(range(127)), "as much as Java's byte can say"
    """Records of an Apache broker after a long stop: acknowledgements come out of the timer behind the rest."""


def test_timer_that_is_behind_holds_time_back() -> None:
    """An Apache broker's records after a long stop: acknowledgements come out of the timer behind check points."""
    writer = Writer()
    late = str(NOW - 1_000)
    one = writer.check_point(0, [0], NOW, TIMER_OUT_MS=late, TIMER_DELIVER_MS=late)
    assert writer.due(NOW + 2_000) == []
    writer.ack(one, 0, TIMER_OUT_MS=str(NOW), TIMER_DELIVER_MS=str(NOW))
    assert writer.due(NOW + 60_000) == []
    two = writer.check_point(1, [0], NOW, TIMER_OUT_MS=late, TIMER_DELIVER_MS=late)
    assert writer.due(NOW + TIMER_IS_IDLE_MS) == [[1]], "the timer has nothing more"
    assert two.start_offset == 1


def test_many_closed_check_points_do_not_pile_up() -> None:
    writer = Writer()
    for number in range(5_000):
        writer.ack(writer.check_point(number, [0], NOW + 60_000), number)
    assert len(writer.queue) == 0
    assert len(writer.queue._by_time) < 2_100  # What is kept of closed ones is bounded; nothing else shows it.


def test_clock_that_is_set_back_holds_no_message_for_longer_than_its_time() -> None:
    days_ms = 10 * 24 * 3_600_000
    writer = Writer()
    writer.check_point(0, [0], NOW)
    assert writer.due(NOW) == []
    assert writer.due(NOW - days_ms) == []
    assert writer.due(NOW - days_ms + REVIVE_SLACK_MS + 1) == [[0]]


def test_check_point_of_before_the_clock_was_set_back_is_due_after_its_time() -> None:
    days_ms = 10 * 24 * 3_600_000
    writer = Writer()
    writer.check_point(0, [0], NOW + days_ms)
    assert writer.due(NOW + 1_000 + REVIVE_SLACK_MS) == []
    assert writer.due(NOW + 1_000 + REVIVE_SLACK_MS + 1) == [[0]]
