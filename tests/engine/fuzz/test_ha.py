# SPDX-License-Identifier: Apache-2.0
"""Strangers on the HA port, and a master that sends nonsense: the connection is closed or the log stays what it was.

FUZZ_FRAMES and TEST_SEED as in test_servers.py; a case here is worth some hundred frames.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest
from tests.engine.fakes import FakeWorld
from tests.engine.fuzz import run
from tests.engine.ha.store_node import MASTER, Master, Slave
from tests.engine.store.store_case import LOG_FILE_BYTES, message

from rmq.store import BrokerRole
from rmq.store.ha.ha_wire import TransferDecoder, encode_header, encode_report

if TYPE_CHECKING:
    from rmq.env import Connection

CASES = max(60, run.FRAMES // 100)
CASES_A_WORLD = 30
STRANGER = "203.0.113.9"
HA_ADDRESS = (MASTER, 10912)
#: One of message(size_bytes=300), with room.
RECORD_BYTES = 500
EDGES = (0, 1, 2**31 - 1, 2**31, 2**63 - 1, -1, -(2**63), LOG_FILE_BYTES, LOG_FILE_BYTES - 1, LOG_FILE_BYTES + 1)
OTHER_PROTOCOLS = (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\xff" * 40, b"\0" * 7)


class StrangeSlave:
    """Reports whatever it is told to, and reads what the master sends."""

    def __init__(self, world: FakeWorld, host: str) -> None:
        self.connection: Connection
        self.is_closed = False
        self.decoder = TransferDecoder()
        self.next_offset: int | None = None
        world.reactor(host).connect(*HA_ADDRESS, self, timeout_ms=1000, failed=self._failed)
        world.settle()

    def _failed(self, error: OSError) -> None:
        raise error

    def connection_made(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        for frame in self.decoder.feed(data):
            if self.next_offset is not None:
                assert frame.physical_offset == self.next_offset, "a hole in what the master sends"
            self.next_offset = frame.physical_offset + len(frame.body)

    def connection_lost(self, reason: Exception | None) -> None:
        self.is_closed = True


def _strange_reports(dice: random.Random, end: int) -> bytes:
    pieces = []
    for _ in range(dice.randint(1, 4)):
        kind = dice.randrange(5)
        if kind == 0:
            pieces.append(encode_report(dice.choice(EDGES)))
        elif kind == 1:
            pieces.append(encode_report(max(0, end + dice.choice((-1, 0, 1, 100, -100)))))
        elif kind == 2:
            pieces.append(dice.randbytes(dice.randint(1, 30)))
        elif kind == 3:
            pieces.append(dice.choice(OTHER_PROTOCOLS))
        else:
            pieces.append(encode_report(dice.randrange(end + 1))[: dice.randint(1, 8)])
    return b"".join(pieces)


@pytest.mark.timeout(60 + CASES / 5)
def test_strange_slaves_get_the_log_or_are_closed() -> None:
    dice = random.Random(f"{run.SEED}:master")
    for start in range(0, CASES, CASES_A_WORLD):
        world = FakeWorld()
        master = Master(world, role=BrokerRole.ASYNC_MASTER, in_sync_replicas=1)
        master.put(message(number, size_bytes=300) for number in range(100))
        world.settle()
        log, end = master.log, master.store.max_physical_offset
        for _ in range(min(CASES_A_WORLD, CASES - start)):
            stranger = StrangeSlave(world, STRANGER)
            stranger.connection.write(_strange_reports(dice, end))
            world.run_for(dice.choice((0, 1, 100, 6_000)))
            if dice.random() < 0.5:
                stranger.connection.close()
                world.settle()
        # Those that were left open and say nothing more are dropped after 20 s.
        world.run_for(30_000)
        assert not master.ha_service.runtime_info().ha_connection_info, f"TEST_SEED={run.SEED}"
        slave = Slave(world)
        world.run_for(5_000)
        assert slave.log == master.log == log


class StrangeMaster:
    """Listens where the slave expects its master; sends frames of a real log, bent."""

    def __init__(self, world: FakeWorld, log: bytes, dice: random.Random) -> None:
        self.log = log
        self.dice = dice
        self.connections = 0
        world.reactor(MASTER).listen(*HA_ADDRESS, lambda: _StrangeMasterLink(self))

    def frames(self, wanted: int) -> bytes:
        """Some good frames from where the slave is, then perhaps a bad one."""
        pieces = []
        offset = wanted
        for _ in range(self.dice.randint(0, 3)):
            room = LOG_FILE_BYTES - offset % LOG_FILE_BYTES
            body = self.log[offset : offset + min(self.dice.randint(1, 2000), room)]
            pieces.append(encode_header(offset, len(body)) + body)
            offset += len(body)
        if self.dice.random() < 0.8:
            pieces.append(self._bad(offset))
        return b"".join(pieces)

    def _bad(self, offset: int) -> bytes:
        dice = self.dice
        body = bytearray(self.log[offset : offset + dice.randint(1, 500)])
        kind = dice.randrange(7)
        if kind == 0:
            return struct.pack(">qi", dice.choice(EDGES), len(body)) + body
        if kind == 1:
            return struct.pack(">qi", offset, dice.choice((-1, 2**31 - 1, -(2**31), 4 << 20))) + body
        if kind == 2:
            return dice.randbytes(dice.randint(1, 60))
        if kind == 3:
            return dice.choice(OTHER_PROTOCOLS)
        if kind == 4 and body:
            # Nothing on this wire has a checksum: it becomes part of the slave's log, and must not end the slave.
            body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
            return encode_header(offset, len(body)) + body
        if kind == 5:
            junk = dice.randbytes(dice.randint(1, 300))
            return encode_header(offset, len(junk)) + junk
        return encode_header(offset + dice.choice((-1, 1, 100)), len(body)) + body


class _StrangeMasterLink:
    def __init__(self, master: StrangeMaster) -> None:
        self._master = master
        self._connection: Connection
        self._rest = b""

    def connection_made(self, connection: Connection) -> None:
        self._connection = connection
        self._master.connections += 1

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) >= 8:
            (wanted,) = struct.unpack(">q", self._rest[:8])
            self._rest = self._rest[len(self._rest) - len(self._rest) % 8 :]
            self._connection.write(self._master.frames(wanted))
            if self._master.dice.random() < 0.2:
                self._connection.close()

    def connection_lost(self, reason: Exception | None) -> None:
        del reason


def _real_log() -> bytes:
    world = FakeWorld()
    master = Master(world, role=BrokerRole.ASYNC_MASTER, in_sync_replicas=1)
    master.put(message(number, size_bytes=300) for number in range(100))
    world.settle()
    return master.log


@pytest.mark.timeout(60 + CASES / 5)
def test_a_slave_lives_through_what_a_strange_master_sends_and_starts_again_on_it() -> None:
    dice = random.Random(f"{run.SEED}:slave")
    log = _real_log()
    connections = 0
    for _ in range(max(2, CASES // CASES_A_WORLD)):
        world = FakeWorld()
        master = StrangeMaster(world, log, dice)
        slave = Slave(world)
        world.run_for(CASES_A_WORLD * 1_500)
        connections += master.connections
        end = slave.store.max_physical_offset
        disk = slave.stop() if dice.random() < 0.5 else slave.kill()
        again = Slave(FakeWorld(), disk)
        # A record that lacks its last bytes reads as whole, with zeros there, where it has no CRC of all of it (as
        # Apache writes it); more than the rest of one record cannot come of it.
        assert again.store.max_physical_offset < end + RECORD_BYTES, f"TEST_SEED={run.SEED}"
    assert connections > CASES // 10
