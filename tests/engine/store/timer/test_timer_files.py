# SPDX-License-Identifier: Apache-2.0
"""The timer's files: Apache's bytes, and what of them survives power loss at any write."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.broker.test_timer import bodies
from tests.engine.fakes import FakeDisk, SimulatedCrash

from rmq.remoting.codes import ResponseCode
from rmq.remoting.java_hash import string_hash
from rmq.store.timer import TimerCheckpoint
from rmq.store.timer.timer_log import TimerLog, TimerUnit, encode_unit

COUNT = 6


def run(broker: Broker, accepted: list[bytes]) -> None:
    client = broker.client()
    client.create_topic("T")
    for number in range(COUNT):
        body = b"%d" % number
        if client.send("T", body, f"TIMER_DELAY_SEC\x01{1 + number}\x02").code == ResponseCode.SUCCESS:
            accepted.append(body)
        client.world.run_for(700)


@pytest.mark.parametrize("lose", ["all", "some"])
@pytest.mark.parametrize("at", range(1, 70, 3))
def test_acknowledged_timer_messages_come_when_power_goes_at_any_write(at: int, lose: str) -> None:
    disk = FakeDisk(seed=at)
    broker = Broker({"flushDiskType": "SYNC_FLUSH"}, disk=disk)
    accepted: list[bytes] = []
    disk.crash_at = disk.mutations + at
    with suppress(SimulatedCrash):
        run(broker, accepted)
    broker.reactor.crash()
    disk.crash(lose)
    again = broker.start_again()
    again.world.run_for(15_000)
    assert set(accepted) <= set(bodies(again.client()))


def test_files_have_apaches_bytes() -> None:
    broker = Broker()
    client = broker.client()
    client.create_topic("T")
    now_ms = broker.world.clock.now_ms()
    for _ in range(2):
        client.send("T", b"x", "TIMER_DELAY_SEC\x0130\x02")
    broker.world.run_for(3_000)
    units = broker.controller.store.units("rmq_sys_wheel_timer", 0, 0, 2)
    broker.stop()
    files = broker.disk.files()
    slot_ms = (now_ms + 30_000) // 1000 * 1000
    write_ms = now_ms // 1000 * 1000
    log = files[Path("/store/timerlog/00000000000000000000")]
    assert units is not None
    for number, (physical_offset, size, _) in enumerate(units):
        assert struct.unpack_from(">iqiqiqiiq", log, 52 * number) == (
            52,
            number * 52 - 52 if number else -1,
            1,
            write_ms,
            slot_ms - write_ms,
            physical_offset,
            size,
            string_hash("T"),
            0,
        )
    wheel = files[Path("/store/timerwheel")]
    assert len(wheel) == 604_800 * 2 * 32
    at = slot_ms // 1000 % (604_800 * 2) * 32
    assert struct.unpack_from(">qqqii", wheel, at) == (slot_ms // 1000, 0, 52, 2, 0)
    checkpoint = files[Path("/store/config/timercheck")]
    assert len(checkpoint) == 4096
    assert struct.unpack_from(">4q", checkpoint) == ((now_ms + 3_000) // 1000 * 1000, 104, 2, 2)
    assert TimerCheckpoint.decode(checkpoint).encode() == checkpoint[:56]


def test_timer_log_goes_over_into_the_next_file() -> None:
    disk = FakeDisk()
    log = TimerLog(disk, Path("/timerlog"), 200)
    for number in range(5):
        assert log.make_room() > 0
        log.append(encode_unit(TimerUnit(-1, 1, 1000, 2000, number * 100, 100), 0))
    first = disk.files()[Path("/timerlog/00000000000000000000")]
    assert first[156:172] == struct.pack(">iqI", 44, 0, 0xCBD43194)
    again = TimerLog(disk, Path("/timerlog"), 200)
    assert [position for position, _ in again.load(1000)] == [0, 52, 104, 200, 252]
    assert [path.name for path in again.detach_expired(201)] == ["00000000000000000000"]


def test_timer_log_ends_where_the_commit_log_ends() -> None:
    disk = FakeDisk()
    log = TimerLog(disk, Path("/timerlog"), 4096)
    for number in range(5):
        log.make_room()
        log.append(encode_unit(TimerUnit(-1, 1, 1000, 2000, number * 100, 100), 0))
    again = TimerLog(disk, Path("/timerlog"), 4096)
    assert len(list(again.load(350))) == 3
    assert again.end == 156
    assert not any(disk.files()[Path("/timerlog/00000000000000000000")][156:])


def test_slave_writes_the_log_and_delivers_nothing_until_it_is_master() -> None:
    master = Broker()
    client = master.client()
    client.create_topic("T")
    for seconds in (4, 60):
        client.send("T", b"%d" % seconds, f"TIMER_DELAY_SEC\x01{seconds}\x02")
    master.world.run_for(2_000)
    checkpoint = master.controller.context.timer
    assert checkpoint is not None
    told = checkpoint.checkpoint()
    master.stop()
    master.disk.remove(Path("/store/timerlog/00000000000000000000"))
    master.disk.remove(Path("/store/timerwheel"))
    master.disk.remove(Path("/store/config/timercheck"))
    master.disk.remove(Path("/store/config/identity.json"))
    slave = master.start_again({"brokerRole": "SLAVE", "brokerId": 1})
    timer = slave.controller.context.timer
    assert timer is not None
    slave.world.run_for(20_000)
    end = slave.controller.store.max_physical_offset
    assert timer.checkpoint().last_timer_queue_offset == 0
    timer.take_master_checkpoint(told)
    slave.world.run_for(20_000)
    assert timer.checkpoint().last_timer_queue_offset == 2
    assert slave.controller.store.max_physical_offset == end
    slave.stop()
    slave.disk.remove(Path("/store/config/identity.json"))
    promoted = slave.start_again({"brokerRole": "ASYNC_MASTER", "brokerId": 0})
    promoted.world.run_for(40_000)
    assert bodies(promoted.client()) == [b"4", b"60"]
