# SPDX-License-Identifier: Apache-2.0
"""Slow, dead and hostile peers on real sockets: the server's memory stays below a bound, and others are served.

RMQ_LONG=1 in the environment opens 10,000 idle connections instead of 2,000.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import socket
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine.cli.process import Process, Processes, free_port, wait_for
from tests.engine.cli.test_servers import start_broker, start_namesrv

from rmq.cli.process_limits import server_limits
from rmq.client.admin import AdminClient
from rmq.client.producer import OutgoingMessage, Producer, SendStatus
from rmq.client.remoting_client import RemotingClient
from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
PROGRAM = Path(__file__).with_name("memory_server.py")


class Server:
    def __init__(self, process: Process) -> None:
        self.process = process
        self.port = int(process.wait_line("").strip())
        self.address = ("127.0.0.1", self.port)
        self.client = RemotingClient(f"127.0.0.1:{self.port}", 30_000)
        self.answer_bytes(10)
        self.before = own_memory_bytes(process.pid)

    def answer_bytes(self, count: int) -> int:
        return len(self.client.call(1, {"bytes": str(count)}).body)

    def counters(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.client.call(2).body)
        return found

    def grown_mib(self) -> float:
        return (own_memory_bytes(self.process.pid) - self.before) / MIB


def own_memory_bytes(pid: int) -> int:
    """Without what it shares with files: maps of a store are the system's to drop."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024


@contextlib.contextmanager
def serving(run: Processes, **limits: int) -> Iterator[Server]:
    roots = run.environment()["PYTHONPATH"]
    process = run.start(sys.executable, PROGRAM, *(f"{k}={v}" for k, v in limits.items()), PYTHONPATH=roots)
    server = Server(process)
    with server.client:
        yield server


def connected(address: tuple[str, int], count: int) -> list[socket.socket]:
    return [socket.create_connection(address, timeout=30) for _ in range(count)]


def send_until_blocked(peer: socket.socket, data: bytes) -> int:
    """How much the server lets us send before it stops reading; ends at the latest when all is sent."""
    peer.setblocking(False)
    sent = 0
    while sent < len(data) and select.select([], [peer], [], 1.0)[1]:
        try:
            sent += peer.send(data[sent : sent + MIB])
        except BlockingIOError:
            continue
        except OSError:
            break
    return sent


def test_readers_that_never_read_cost_their_share_and_no_more(run: Processes) -> None:
    """Each asks for 1 GiB, and leaves it where it is."""
    with serving(run, unsent_high_bytes=MIB, unsent_total_bytes=4 * MIB) as server:
        request = RemotingCommand.request(1, {"bytes": str(MIB // 4)}).encode()
        peers = connected(server.address, 20)
        for peer in peers:
            send_until_blocked(peer, request * 4096)
        wait_for("the worst readers to be dropped", lambda: server.counters()["slow_peers_closed"] > 0)
        assert server.answer_bytes(5 * MIB) == 5 * MIB
        assert server.grown_mib() < 4 + 60
        for peer in peers:
            peer.close()
        wait_for("the others to be gone", lambda: server.counters()["open"] == 1)


def test_consumers_that_never_read_what_they_pull(run: Processes) -> None:
    """A broker with its own limits: each of ten asks for half a gigabyte, 8 MiB are made for it, and others are
    served."""
    namesrv_port, port = free_port(), free_port()
    start_namesrv(run, namesrv_port)
    process = start_broker(run, port, namesrv_port)
    with AdminClient(f"127.0.0.1:{namesrv_port}", 30_000) as admin:
        wait_for("registration", lambda: bool(admin.cluster_info().broker_addr_table))
        broker = admin.connections.to(f"127.0.0.1:{port}")
        producer = Producer(admin, "pg")
        sent = [producer.send(OutgoingMessage("Big", bytes(200_000))) for _ in range(40)]
        assert {result.status for result in sent} == {SendStatus.SEND_OK}
        fields = {"consumerGroup": "gc", "topic": "Big", "queueId": str(sent[0].queue.queue_id), "queueOffset": "0"}
        fields |= {"maxMsgNums": "32", "sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0"}
        fields |= {"subscription": "*", "subVersion": "1", "expressionType": "TAG"}
        pull = RemotingCommand.request(RequestCode.PULL_MESSAGE, fields)
        assert len(broker.invoke(pull).body) > 200_000
        before = own_memory_bytes(process.pid)
        peers = connected(("127.0.0.1", port), 10)
        for peer in peers:
            send_until_blocked(peer, pull.encode() * 2_000)
        wait_for("answers to pile up", lambda: own_memory_bytes(process.pid) - before > 20 * MIB)
        for _ in range(20):
            assert len(broker.invoke(pull).body) > 200_000
        # 8 MiB of answers each, the requests of one read beside them, and what one tick joins.
        assert own_memory_bytes(process.pid) - before < (10 * 10 + 80) * MIB
        assert producer.send(OutgoingMessage("Big", b"after")).status is SendStatus.SEND_OK
        for peer in peers:
            peer.close()


def test_half_frames_cost_what_is_set_for_all_together(run: Processes) -> None:
    """Each of 40 sends 15 of the 16 MiB of its frame: 600 MiB, of which 32 are kept."""
    with serving(run, half_frames_total_bytes=32 * MIB) as server:
        half = struct.pack(">ii", 16 * MIB - 4, 100) + bytes(15 * MIB)
        peers = connected(server.address, 40)
        for peer in peers:
            send_until_blocked(peer, half)
        counters = server.counters()
        assert counters["half_frames_closed"] >= 36
        # A frame's bytes are joined once more when it grows.
        assert server.grown_mib() < 32 + 80
        assert server.answer_bytes(10) == 10
        for peer in peers:
            peer.close()


def test_half_frame_that_does_not_end_is_dropped_after_its_time(run: Processes) -> None:
    with serving(run, frame_completion_ms=300, sweep_interval_ms=50) as server:
        (peer,) = connected(server.address, 1)
        with peer:
            peer.sendall(RemotingCommand.request(1, {"bytes": "1"}).encode()[:-3])
            # An abort is a reset where bytes were left unread.
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(1) == b""
        assert server.counters()["half_frames_closed"] == 1


def test_flood_of_one_way_requests_costs_nothing_and_others_are_served(run: Processes) -> None:
    with serving(run) as server:
        (peer,) = connected(server.address, 1)
        flood = RemotingCommand.request(3, body=bytes(1000), oneway=True).encode() * 20_000
        for _ in range(5):
            peer.settimeout(30)
            peer.sendall(flood)
            assert server.answer_bytes(1000) == 1000
        peer.sendall(RemotingCommand.request(1, {"bytes": "1"}).encode())
        assert peer.recv(4096)
        assert server.grown_mib() < 40
        peer.close()


def test_idle_connections_leave_room_and_speed_for_others(run: Processes, capsys: pytest.CaptureFixture[str]) -> None:
    count = 10_000 if os.environ.get("RMQ_LONG") else 2_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 1_000:
        pytest.skip(f"{hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    port = free_port()
    process = start_namesrv(run, port)
    with RemotingClient(f"127.0.0.1:{port}", 30_000) as client, contextlib.ExitStack() as stack:
        client.call(RequestCode.GET_BROKER_CLUSTER_INFO)
        began = time.monotonic()
        for peer in connected(("127.0.0.1", port), count):
            stack.enter_context(peer)
        client.call(RequestCode.GET_BROKER_CLUSTER_INFO)
        opened_s = time.monotonic() - began
        times_ms = []
        for _ in range(500):
            asked = time.monotonic()
            client.call(RequestCode.GET_BROKER_CLUSTER_INFO)
            times_ms.append((time.monotonic() - asked) * 1000)
        p99_ms = sorted(times_ms)[int(len(times_ms) * 0.99)]
        memory_mib = own_memory_bytes(process.pid) / MIB
    with capsys.disabled():
        figures = f"open {opened_s:.1f} s, call p99 {p99_ms:.1f} ms, own memory {memory_mib:.0f} MiB"
        print(f"\n{count} idle connections: {figures}")  # noqa: T201
    # The times are for people: a busy machine must not fail this.
    assert memory_mib < 400 * count / 10_000 + 60


def test_limits_follow_the_machine() -> None:
    small = server_limits(open_files=1024, memory=1 << 30)
    assert (small.connections_max, small.half_frames_total_bytes, small.unsent_total_bytes) == (
        768,
        128 * MIB,
        128 * MIB,
    )
    large = server_limits(open_files=1 << 20, memory=64 << 30)
    assert (large.connections_max, large.half_frames_total_bytes) == (20_000, 512 * MIB)
    assert server_limits(open_files=20_000, memory=8 << 30).connections_max >= 10_000
