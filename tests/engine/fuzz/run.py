# SPDX-License-Identifier: Apache-2.0
"""Runs mutants against a server in process, on the fake reactor, in rounds.

A round begins on a fresh server and ends with: everything answered once time has passed, nothing left of the strangers,
a sane client served, every acknowledged message there, now and after kill -9.
"""

from __future__ import annotations

import gc
import logging
import os
import random
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tests.engine.fuzz.conversation import Stranger, Tally, Violation, read_as_server
from tests.engine.fuzz.mutation import Mutator

from rmq.remoting.command import RemotingCommand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.engine.fakes import FakeReactor, FakeWorld
    from tests.engine.fuzz.samples import Sample

    from rmq.rpc import RemotingServer

#: `make test` and `make test-full` ask for more; the default keeps `make engine` short.
FRAMES = int(os.environ.get("FUZZ_FRAMES", "6000"))
SEED = int(os.environ.get("TEST_SEED") or int.from_bytes(os.urandom(4), "big"))

FRAMES_A_ROUND = 10_000
#: A batch is one write: many frames in one read of the server.
BATCH_FRAMES = 24
#: A long poll is held for 120 s at most and noticed within 5 s; a client that is called has 10 s.
EVERYTHING_IS_ANSWERED_MS = 130_000
CLIENT_IS_SILENT_MS = 110_000
_PING = 9999


class Target(Protocol):
    """A server under fire."""

    @property
    def world(self) -> FakeWorld: ...

    @property
    def address(self) -> tuple[str, int]: ...

    @property
    def server(self) -> RemotingServer: ...

    def samples(self) -> Sequence[Sample]:
        """One valid request of everything that it answers, at least."""

    def hosts(self) -> Sequence[str]:
        """Where strangers come from."""

    def check(self, tally: Tally) -> None:
        """Alive, nothing of the strangers left, and every acknowledged message there. Raises AssertionError."""

    def restart(self) -> None:
        """kill -9, and a start on what is on the disk."""


class LoudRecords(logging.Handler):
    """Errors and tracebacks in the log: input from outside must not make any."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.texts.append(self.format(record))


@contextmanager
def quiet_log() -> Iterator[LoudRecords]:
    """pytest would keep every record with its arguments, and through those whole brokers and the disks in memory."""
    handler = LoudRecords()
    logger = logging.getLogger("rmq")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield handler
    finally:
        logger.propagate = True
        logger.removeHandler(handler)


class Round:
    """One server and its strangers."""

    def __init__(self, target: Target, dice: random.Random, tally: Tally) -> None:
        self._target = target
        self._world = target.world
        self._dice = dice
        self._tally = tally
        self._mutator = Mutator(target.samples(), dice)
        self._reactors: list[FakeReactor] = [self._world.reactor(host) for host in target.hosts()]
        self._strangers: list[Stranger] = []
        self._opaque = 0

    def run(self, frames: int) -> None:
        end = self._tally.frames + frames
        while self._tally.frames < end:
            self._batch(min(BATCH_FRAMES, end - self._tally.frames))
            if self._dice.random() < 0.05:
                self._world.run_for(self._dice.choice((1, 50, 1000)))
        self._wait_for_answers()
        for stranger in self._strangers:
            stranger.connection.close()
        self._world.settle()

    def _batch(self, count: int) -> None:
        """Frames up to the first bad one, in one write."""
        stranger = self._stranger()
        pieces: list[bytes] = []
        while len(pieces) < count and not stranger.is_bad:
            self._opaque += 1
            mutant = self._mutator.next(self._opaque)
            if not mutant.is_whole and pieces:
                # It would swallow what follows, so it goes alone.
                continue
            pieces.append(mutant.data)
            self._tally.frames += 1
            stranger.sends(read_as_server(mutant.data))
            if not mutant.is_whole:
                self._alone(stranger, pieces)
                return
        self._write(stranger, pieces)

    def _write(self, stranger: Stranger, pieces: list[bytes]) -> None:
        stranger.connection.write(b"".join(pieces))
        try:
            self._world.settle()
            if stranger.is_closed != stranger.is_bad:
                raise Violation("closed without a bad frame" if stranger.is_closed else "open after a bad frame")
            self._check_log()
        except Exception as error:
            frames = " ".join(piece.hex() for piece in pieces)
            error.add_note(f"frames of this write: {frames[:20_000]}")
            raise
        if stranger.is_closed:
            self._strangers.remove(stranger)

    def _alone(self, stranger: Stranger, pieces: list[bytes]) -> None:
        """A frame that does not end where it says: its connection is not used again."""
        self._write(stranger, pieces)
        if not stranger.is_closed:
            stranger.connection.close()
            self._strangers.remove(stranger)
            self._world.settle()

    def _stranger(self) -> Stranger:
        """Mostly one of a few open connections, sometimes a new one."""
        if self._strangers and (len(self._strangers) >= 8 or self._dice.random() < 0.9):
            return self._dice.choice(self._strangers)
        stranger = Stranger(self._tally)
        reactor = self._dice.choice(self._reactors)
        host, port = self._target.address
        reactor.connect(host, port, stranger, timeout_ms=1000, failed=_raise)
        self._world.settle()
        self._strangers.append(stranger)
        return stranger

    def _wait_for_answers(self) -> None:
        """What is owed comes while time passes; a ping keeps connections from being idle."""
        for waited_ms in range(10_000, EVERYTHING_IS_ANSWERED_MS + 1, 10_000):
            self._world.run_for(10_000)
            for stranger in self._strangers:
                if stranger.is_closed:
                    # Clients that sent a heartbeat once and no second one are dropped after 120 s.
                    is_silent = stranger.is_registered or waited_ms >= CLIENT_IS_SILENT_MS
                    assert is_silent, "a connection that talks was closed"
                self._opaque += 1
                ping = RemotingCommand(_PING, opaque=self._opaque, flag=2)
                stranger.connection.write(ping.encode())
            self._world.settle()
        self._check_log()
        owed = [command for stranger in self._strangers for command in stranger.owed]
        if owed:
            raise Violation(f"{len(owed)} requests without an answer, the first: {owed[0]}")

    def _check_log(self) -> None:
        failed = self._target.server.counters.failed_requests
        if failed:
            raise Violation(f"{failed} requests reached the catch-all")


def replay(target: Target, frames: Sequence[bytes]) -> None:
    """These frames in one write each, with time between them. Raises Violation."""
    stranger = Stranger(Tally())
    with quiet_log() as log:
        host, port = target.address
        target.world.reactor(target.hosts()[0]).connect(host, port, stranger, timeout_ms=1000, failed=_raise)
        target.world.settle()
        for frame in frames:
            stranger.sends(read_as_server(frame))
            stranger.connection.write(frame)
            target.world.run_for(10_000)
            assert stranger.is_closed == stranger.is_bad
        assert target.server.counters.failed_requests == 0
        assert stranger.owed == []
        stranger.connection.close()
        target.world.settle()
    assert not log.texts, "\n".join(log.texts)


def _raise(error: OSError) -> None:
    raise error


def run(make_target: type[Target], frames: int, *, seed: int = SEED) -> Tally:
    """All rounds. Raises with the seed and the round in a note; TEST_SEED replays it."""
    tally = Tally()
    rounds = max(1, -(-frames // FRAMES_A_ROUND))
    for number in range(rounds):
        try:
            _one_round(make_target(), random.Random(f"{seed}:{number}"), tally, frames // rounds)
        except Exception as error:
            error.add_note(f"TEST_SEED={seed} FUZZ_FRAMES={frames}, round {number}")
            raise
    return tally


def _one_round(target: Target, dice: random.Random, tally: Tally, frames: int) -> None:
    tally.stored.clear()
    with quiet_log() as log:
        try:
            Round(target, dice, tally).run(frames)
        except Violation as error:
            error.add_note("\n".join(log.texts)[:5_000])
            raise
        target.check(tally)
        target.restart()
        target.check(tally)
    assert not log.texts, "\n".join(log.texts)
    gc.collect()
    tally.resident_kib.append(resident_kib())


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
