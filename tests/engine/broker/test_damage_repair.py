# SPDX-License-Identifier: Apache-2.0
"""Bytes that go bad on one disk of a pair come back from the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.broker.test_master_return import Pair, bodies
from tests.engine.broker.test_transaction import checks, rounds

from rmq.broker import damage_repair
from rmq.remoting.codes import RequestCode
from rmq.remoting.message import decode_record
from rmq.store.flush_service import QUEUE_CHECKPOINT_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.engine.broker.harness import Broker

LOG = Path("/store/commitlog/00000000000000000000")


@pytest.fixture
def pair() -> Pair:
    return Pair()


def place(broker: Broker, queue_offset: int) -> tuple[int, int]:
    """Physical offset and size of a message of TopicTest."""
    units = broker.controller.store.units("TopicTest", 0, queue_offset, 1)
    assert units
    return units[0][0], units[0][1]


def readable(broker: Broker) -> list[bytes]:
    """What a consumer gets, over the gaps."""
    client = broker.client()
    found: dict[int, bytes] = {}
    for offset in range(broker.controller.store.max_offset("TopicTest", 0)):
        found |= {one.queue_offset: one.body for one in client.pull("TopicTest", offset)}
    return [found[offset] for offset in sorted(found)]


def damaged(broker: Broker) -> str:
    return broker.controller.store.runtime_info()["damagedAt"]


@pytest.mark.parametrize("lost", [0, 5, 9])
@pytest.mark.parametrize("seen", ["recovery", "reading"])
def test_a_master_has_its_damaged_message_back_before_it_serves(pair: Pair, lost: int, seen: str) -> None:
    pair.send(10)
    before = bodies(pair.master)
    offset, size = place(pair.master, lost)
    pair.world.run_for(120_000)
    if seen == "recovery":
        pair.master.kill()
        pair.master.disk.remove(Path("/store") / QUEUE_CHECKPOINT_FILE)
    else:
        pair.master.stop()
    pair.master.disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    pair.return_with(pair.master.disk)
    if seen == "reading":
        assert len(bodies(pair.master)) < 10
        assert damaged(pair.master) == f"{offset}-{offset + size}"
        pair.world.run_for(11_000)
    assert bodies(pair.master) == before
    assert damaged(pair.master) == ""
    pair.world.run_for(10_000)
    pair.send(2)
    assert len(bodies(pair.master)) == 12
    assert bodies(pair.slave) == bodies(pair.master)
    again = pair.master.disk
    pair.master.stop()
    pair.return_with(again)
    assert len(bodies(pair.master)) == 12


@pytest.mark.parametrize("read_bytes_max", [1 << 20, 64], ids=["in one piece", "in pieces"])
def test_a_slave_has_its_damaged_message_back_from_its_master(
    pair: Pair, read_bytes_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damage_repair, "READ_BYTES_MAX", read_bytes_max)
    pair.send(10)
    offset, size = place(pair.slave, 4)
    pair.slave.kill()
    pair.slave.disk.remove(Path("/store") / QUEUE_CHECKPOINT_FILE)
    pair.slave.disk.corrupt(LOG, offset + size - 3, b"\x7f\x7f")
    pair.slave = pair.slave.start_again()
    assert damaged(pair.slave) == f"{offset}-{offset + size}"
    pair.world.run_for(25_000)
    assert damaged(pair.slave) == ""
    assert bodies(pair.slave) == bodies(pair.master)


def test_damage_that_nobody_can_mend_is_remembered_and_mended_later(pair: Pair) -> None:
    """Two starts lie between the damage and the slave that has the bytes."""
    pair.send(10)
    before = bodies(pair.master)
    offset, size = place(pair.master, 4)
    pair.master.kill()
    pair.slave.stop()
    pair.master.disk.remove(Path("/store") / QUEUE_CHECKPOINT_FILE)
    pair.master.disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    for _ in range(2):
        pair.return_with(pair.master.disk)
        assert damaged(pair.master) == f"{offset}-{offset + size}"
        pair.master.stop()
    pair.slave = pair.slave.start_again()
    pair.world.run_for(3_000)
    pair.return_with(pair.master.disk)
    assert damaged(pair.master) == ""
    assert bodies(pair.master) == before


def test_bytes_that_are_damaged_on_both_sides_stay_fenced(pair: Pair) -> None:
    pair.send(10)
    offset, size = place(pair.master, 4)
    pair.world.run_for(120_000)
    for broker in (pair.master, pair.slave):
        broker.stop()
        broker.disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    pair.slave = pair.slave.start_again()
    pair.world.run_for(3_000)
    pair.return_with(pair.master.disk)
    assert b"00000004" not in bodies(pair.master)
    pair.world.run_for(30_000)
    assert damaged(pair.master) == f"{offset}-{offset + size}"
    assert b"00000004" not in bodies(pair.master)


@pytest.mark.parametrize("zeroed", [range(1, 9), range(4, 5)], ids=["many of ours", "one of ours"])
def test_what_is_whole_around_bytes_that_are_damaged_on_both_sides_is_taken(pair: Pair, zeroed: range) -> None:
    pair.send(10)
    pair.world.run_for(120_000)
    offset, size = place(pair.master, 4)
    pair.slave.stop()
    pair.master.kill()
    pair.slave.disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    for number in zeroed:
        pair.master.disk.corrupt(LOG, offset + (number - 4) * size, bytes(size))
    pair.master.disk.remove(Path("/store") / QUEUE_CHECKPOINT_FILE)
    pair.slave = pair.slave.start_again()
    pair.world.run_for(3_000)
    pair.return_with(pair.master.disk)
    assert readable(pair.master) == [b"%08d" % number for number in range(10) if number != 4]
    assert damaged(pair.master) == f"{offset}-{offset + size}"
    pair.world.run_for(30_000)
    assert readable(pair.slave) == readable(pair.master)


def test_thousands_of_damaged_places_do_not_end_the_mending(pair: Pair) -> None:
    """Nobody can be asked at first: a slave that starts while its master is away."""
    pair.send(10)
    offset, size = place(pair.slave, 4)
    pair.master.kill()
    pair.slave.stop()
    pair.slave = pair.slave.start_again()
    mending = pair.slave.controller.store.mending
    for number in range(2000):
        mending.note(1_000_000 + number * 100, 1_000_050 + number * 100)
    pair.world.run_for(25_000)
    mending.forget_from(1_000_000)
    pair.slave.disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    assert mending.check(offset, offset + size) == 1
    pair.return_with(pair.master.disk)
    pair.world.run_for(25_000)
    assert mending.damaged == []
    assert bodies(pair.slave) == bodies(pair.master)


def part(pair: Pair, bodies_sent: list[bytes], *, damaged_ones: Sequence[int]) -> tuple[list[bytes], str]:
    """Three messages are in both logs; then four that only the slave has, which is away, and these that only the master
    has, some of them damaged. Returns what the master had, and the places of the damage."""
    pair.send(3)
    pair.world.run_for(90_000)
    pair.send(4)
    disk = pair.lose_power()
    pair.slave.stop()
    pair.return_with(disk)
    client = pair.master.client()
    for body in bodies_sent:
        client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), body)
        pair.world.run_for(4_000)
    written = bodies(pair.master)
    places = [place(pair.master, one) for one in damaged_ones]
    pair.world.run_for(120_000)
    pair.master.stop()
    for offset, size in places:
        pair.master.disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    pair.return_with(pair.master.disk)
    return written, ";".join(f"{offset}-{offset + size}" for offset, size in places)


def test_nothing_is_taken_from_a_log_that_has_parted(pair: Pair) -> None:
    """The slave has messages of the same lengths there, which the master has lost and written others in their place."""
    written, hurt = part(pair, [b"new%05d" % number for number in range(4)], damaged_ones=[6])
    assert bodies(pair.master) == written[:6]
    assert damaged(pair.master) == hurt
    pair.slave = pair.slave.start_again()
    pair.world.run_for(30_000)
    assert bodies(pair.master) == written[:6]
    assert bodies(pair.slave) == written[:6]
    assert pair.slave.controller.store.tails_set_aside == 1


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_slave_does_not_wait_where_its_own_bytes_cannot_be_what_lacks(pair: Pair, lost: int) -> None:
    """The first messages that the two logs do not have in common are damaged on the master as well."""
    bodies_sent = [b"another%05d" % number for number in range(6)]
    written, hurt = part(pair, bodies_sent, damaged_ones=range(3, 3 + lost))
    assert readable(pair.master) == [*written[:3], *written[3 + lost :]]
    assert damaged(pair.master) == hurt
    pair.slave = pair.slave.start_again()
    pair.world.run_for(30_000)
    assert pair.slave.controller.store.tails_set_aside == 1
    assert readable(pair.master) == readable(pair.slave) == [*written[:3], *written[3 + lost :]]


@pytest.mark.parametrize("kept", [1, 5])
def test_what_the_slave_has_of_the_damaged_bytes_is_taken(pair: Pair, kept: int) -> None:
    """Its log ends in the middle of them; with one message it has nothing before them that could be compared."""
    pair.send(kept)
    pair.world.run_for(3_000)
    pair.slave.stop()
    client = pair.master.client()
    for number in range(4):
        client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest"), b"more%05d" % number)
        pair.world.run_for(4_000)
    written = readable(pair.master)
    offset, size = place(pair.master, kept - 1)
    pair.world.run_for(120_000)
    pair.master.kill()
    pair.master.disk.remove(Path("/store") / QUEUE_CHECKPOINT_FILE)
    # Two messages, the slave's last one and the next: no head is left of either.
    pair.master.disk.corrupt(LOG, offset, bytes(size + 150))
    pair.return_with(pair.master.disk)
    pair.slave = pair.slave.start_again()
    pair.world.run_for(30_000)
    assert readable(pair.master) == readable(pair.slave) == [*written[:kept], *written[kept + 1 :]]


@pytest.mark.parametrize("size", [b"\x00\x00\x00\x00", b"\x00\x00\x00\x64", b"\x00\x00\x20", b"\xff"])
def test_a_slave_keeps_its_message_where_its_masters_has_a_damaged_size(pair: Pair, size: bytes) -> None:
    """Its last one, so that the two ends are not the same. The master has not looked at it."""
    pair.send(10)
    before = bodies(pair.master)
    pair.world.run_for(120_000)
    offset, _ = place(pair.master, 9)
    pair.slave.stop()
    pair.master.disk.corrupt(LOG, offset, size)
    pair.slave = pair.slave.start_again()
    pair.world.run_for(30_000)
    assert pair.slave.controller.store.tails_set_aside == 0
    assert bodies(pair.slave) == bodies(pair.master) == before
    pair.send(2)
    assert damaged(pair.master) == damaged(pair.slave) == ""
    assert bodies(pair.slave) == bodies(pair.master)


WHEEL = ("rmq_sys_wheel_timer", 0)
LEVEL_5 = ("SCHEDULE_TOPIC_XXXX", 4)


@pytest.mark.parametrize(
    ("properties", "queue", "loses_timer_files"),
    [
        pytest.param("TIMER_DELAY_SEC\x0160\x02", WHEEL, False, id="timed, in the wheel"),
        pytest.param("TIMER_DELAY_SEC\x0160\x02", WHEEL, True, id="timed, on its way into the wheel"),
        pytest.param("DELAY\x015\x02", LEVEL_5, False, id="of a delay level"),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_a_message_that_is_damaged_when_its_time_comes_is_waited_for(
    pair: Pair, properties: str, queue: tuple[str, int], loses_timer_files: bool, number: int
) -> None:
    client = pair.master.client()
    for body in (b"0", b"1", b"2"):
        client.post(RequestCode.SEND_MESSAGE_V2, client.send_fields("TopicTest", properties), body)
        pair.world.run_for(20)
    pair.world.run_for(8_000)
    units = pair.master.controller.store.units(*queue, number, 1)
    assert units
    offset, size, _ = units[0]
    pair.slave.stop()
    pair.master.stop()
    disk = pair.master.disk
    if loses_timer_files:
        for path in [path for path in disk.files() if any(part.startswith("timer") for part in path.parts)]:
            disk.remove(path)
    pair.world.run_for(40_000)
    disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    pair.return_with(disk)
    pair.world.run_for(15_000)
    pair.slave = pair.slave.start_again()
    pair.world.run_for(45_000)
    assert bodies(pair.master) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_producer_is_asked_about_a_half_message_that_was_damaged_then(pair: Pair, number: int) -> None:
    client = pair.master.client()
    for body in (b"0", b"1", b"2"):
        fields = client.send_fields("TopicTest", "TRAN_MSG\x01true\x02PGROUP\x01pg\x02", f="4")
        client.post(RequestCode.SEND_MESSAGE_V2, fields | {"g": str(pair.world.clock.now_ms())}, body)
        pair.world.run_for(20)
    pair.world.run_for(3_000)
    units = pair.master.controller.store.units("RMQ_SYS_TRANS_HALF_TOPIC", 0, number, 1)
    assert units
    offset, size, _ = units[0]
    pair.slave.stop()
    pair.master.stop()
    pair.master.disk.corrupt(LOG, offset + size // 2, b"\x00\xff")
    pair.return_with(pair.master.disk)
    client = pair.master.client()
    rounds(client, 1)
    pair.slave = pair.slave.start_again()
    rounds(client, 2)
    assert {decode_record(check.body).body for check in checks(client)} == {b"0", b"1", b"2"}
