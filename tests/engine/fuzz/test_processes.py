# SPDX-License-Identifier: Apache-2.0
"""The same mutants over loopback sockets at real server processes: fewer, because each batch is a round trip.

An answer that may come late (a long poll) is not waited for here; the run in process waits for every one.
"""

from __future__ import annotations

import random
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.cli.process import Processes, free_port, processes
from tests.engine.cli.test_servers import broker_conf, namesrv_conf, start_broker
from tests.engine.fuzz import run
from tests.engine.fuzz.conversation import Stranger, Tally, Violation, read_as_server
from tests.engine.fuzz.mutation import Mutant, Mutator
from tests.engine.fuzz.targets import BrokerTarget, NamesrvTarget

from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.message import decode_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.engine.cli.process import Process
    from tests.engine.fuzz.samples import Sample

FRAMES = max(600, run.FRAMES // 20)
BATCH_FRAMES = 12
READ_TIMEOUT_S = 30.0
GROWTH_MAX_KIB = 96 * 1024
VIEWED_MAX = 500
PING = 9998
PING_OPAQUE = 2**31 - 1


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Processes]:
    with processes(tmp_path) as made:
        yield made


class Line:
    """One connection over a real socket; answers are held to what was asked by a Stranger."""

    def __init__(self, port: int, tally: Tally) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=READ_TIMEOUT_S)
        self.stranger = Stranger(tally)

    def put(self, mutants: Sequence[Mutant]) -> None:
        """Writes, and reads until the ping behind it all is answered, or the connection is closed."""
        stranger = self.stranger
        data = b"".join(mutant.data for mutant in mutants)
        for mutant in mutants:
            stranger.sends(read_as_server(mutant.data))
        ping = RemotingCommand(PING, opaque=PING_OPAQUE)
        has_ping = mutants[-1].is_whole and not stranger.is_bad
        if has_ping:
            stranger.sends(read_as_server(ping.encode()))
            data += ping.encode()
        try:
            self.socket.sendall(data)
            if not has_ping:
                # Half a frame may be waited for: nothing more will come.
                self.socket.shutdown(socket.SHUT_WR)
            self._read(until_ping=has_ping)
        except (ConnectionResetError, BrokenPipeError):
            stranger.is_closed = True
        if stranger.is_closed and has_ping:
            raise Violation(f"closed without a bad frame: {data.hex()[:20_000]}")

    def _read(self, *, until_ping: bool) -> None:
        while True:
            data = self.socket.recv(1 << 20)
            if not data:
                self.stranger.is_closed = True
                return
            self.stranger.data_received(data)
            if until_ping and not self.stranger.waits_for(PING_OPAQUE):
                return


def _storm(port: int, samples: Sequence[Sample], seed: str, frames: int) -> Tally:
    dice = random.Random(seed)
    mutator = Mutator(samples, dice)
    tally = Tally()
    line: Line | None = None
    opaque = 0
    while tally.frames < frames:
        mutants: list[Mutant] = []
        while len(mutants) < BATCH_FRAMES:
            opaque += 1
            mutant = mutator.next(opaque)
            mutants.append(mutant)
            tally.frames += 1
            if not mutant.is_whole or _is_bad(mutant):
                break
        line = line or Line(port, tally)
        line.put(mutants)
        if line.stranger.is_closed or not mutants[-1].is_whole or dice.random() < 0.1:
            line.socket.close()
            line = None
    if line is not None:
        line.socket.close()
    return tally


def _is_bad(mutant: Mutant) -> bool:
    return read_as_server(mutant.data).is_bad


def _ask(port: int, code: int, fields: dict[str, str]) -> RemotingCommand:
    tally = Tally()
    line = Line(port, tally)
    answers: list[RemotingCommand] = []
    line.stranger.on_answer = answers.append
    line.put([Mutant(RemotingCommand(code, opaque=1, ext_fields=fields).encode(), is_whole=True)])
    line.socket.close()
    return next(answer for answer in answers if answer.opaque == 1)


def _resident_kib(process: Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def _logs(directory: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in directory.rglob("*.log"))


def _check_log(text: str) -> None:
    before, traceback, rest = text.partition("Traceback")
    assert not traceback, f"TEST_SEED={run.SEED}\n{before[-500:]}{traceback}{rest[:3000]}"


def _hold(
    process: Process, port: int, samples: Sequence[Sample], name: str, print_tally: Callable[[object], None]
) -> Tally:
    _storm(port, samples, f"{run.SEED}:warm", FRAMES // 4)
    before_kib = _resident_kib(process)
    tally = _storm(port, samples, f"{run.SEED}:{name}", FRAMES)
    assert process.popen.poll() is None
    growth_kib = _resident_kib(process) - before_kib
    assert growth_kib < GROWTH_MAX_KIB
    tally.resident_kib = [before_kib, before_kib + growth_kib]
    print_tally(tally)
    return tally


@pytest.mark.timeout(120 + FRAMES / 20)
def test_a_name_server_process_lives_through_it(servers: Processes, print_tally: Callable[[object], None]) -> None:
    port = free_port()
    process = servers.rmq("mqnamesrv", "-c", namesrv_conf(servers, port))
    process.wait_line("boot success")
    try:
        _hold(process, port, NamesrvTarget().samples(), "namesrv", print_tally)
        assert _ask(port, RequestCode.GET_BROKER_CLUSTER_INFO, {}).code == 0
        assert process.stop() == 0
    except Exception as error:
        error.add_note(f"TEST_SEED={run.SEED}\n{''.join(process.output)[-3000:]}")
        raise
    _check_log("".join(process.output) + _logs(servers.directory))


@pytest.mark.timeout(120 + FRAMES / 20)
def test_a_broker_process_lives_through_it_and_keeps_what_it_acknowledged(
    servers: Processes, print_tally: Callable[[object], None]
) -> None:
    port, nobody = free_port(), free_port()
    process = servers.rmq("mqbroker", "-n", f"127.0.0.1:{nobody}", "-c", broker_conf(servers, port))
    process.wait_line("boot success")
    try:
        tally = _hold(process, port, BrokerTarget().samples(), "broker", print_tally)
        process.signal(signal.SIGKILL)
        process.wait()
        again = start_broker(servers, port, nobody)
        for message_id in list(tally.stored)[:VIEWED_MAX]:
            answer = _ask(port, RequestCode.VIEW_MESSAGE_BY_ID, {"offset": str(int(message_id[16:], 16))})
            assert answer.code == 0, f"{message_id} was acknowledged and is gone: {answer}"
            assert decode_records(answer.body)[0].body in tally.stored[message_id]
        assert again.stop() == 0
    except Exception as error:
        error.add_note(f"TEST_SEED={run.SEED}\n{''.join(process.output)[-3000:]}")
        raise
    assert tally.stored
    _check_log("".join(process.output) + _logs(servers.directory))
