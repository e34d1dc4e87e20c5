# SPDX-License-Identifier: Apache-2.0
"""The reactor on real sockets: order of a tick, connections, blocking work."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from rmq.runtime import AsyncioReactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rmq.env import Connection

# Everything here is a matter of milliseconds; a hang ends the test.
DEADLINE_MS = 20_000


class Loop:
    """A reactor that runs until a condition of the test holds."""

    def __init__(self, reactor: AsyncioReactor) -> None:
        self.reactor = reactor

    def until(self, condition: Callable[[], bool]) -> None:
        late = self.reactor.call_later(DEADLINE_MS, self.reactor.stop)

        def look() -> None:
            if condition():
                self.reactor.stop()
            else:
                self.reactor.call_later(1, look)

        look()
        self.reactor.run()
        late.cancel()
        assert condition()


@pytest.fixture
def loop() -> Iterator[Loop]:
    with AsyncioReactor() as reactor:
        yield Loop(reactor)


class Peer:
    """A handler that remembers what happens to it."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.received = b""
        self.lost: list[Exception | None] = []

    def connection_made(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.received += data

    def connection_lost(self, reason: Exception | None) -> None:
        self.lost.append(reason)


def unexpected(error: OSError) -> None:
    raise error


def joined(loop: Loop) -> tuple[Peer, Peer]:
    """Two ends of a connection: client, server."""
    server, client = Peer(), Peer()
    listener = loop.reactor.listen("127.0.0.1", 0, lambda: server)
    loop.reactor.connect(*listener.address, client, timeout_ms=5_000, failed=unexpected)
    loop.until(lambda: client.connection is not None and server.connection is not None)
    return client, server


def write(peer: Peer, data: bytes) -> None:
    assert peer.connection is not None
    peer.connection.write(data)


def test_callbacks_run_after_all_reads_of_the_tick_and_those_they_ask_for_in_the_same_tick(loop: Loop) -> None:
    events: list[str] = []

    def commit() -> None:
        events.append("commit")
        loop.reactor.call_soon(lambda: events.append("answer"))

    class Server(Peer):
        def data_received(self, data: bytes) -> None:
            events.append("read")
            loop.reactor.call_soon(commit) if "commit due" not in events else None
            events.append("commit due")

    clients = []
    listener = loop.reactor.listen("127.0.0.1", 0, Server)
    for _ in range(3):
        client = socket.create_connection(listener.address)
        clients.append(client)
    loop.reactor.call_later(50, loop.reactor.stop)
    loop.reactor.run()
    for client in clients:
        client.sendall(b"x")
    loop.until(lambda: "answer" in events)
    for client in clients:
        client.close()
    assert [event for event in events if event != "commit due"] == ["read", "read", "read", "commit", "answer"]


def test_a_callback_that_fails_is_logged_and_the_others_run(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []
    loop.reactor.call_soon(lambda: ran.append(1))
    loop.reactor.call_soon(lambda: ran.append(1 // 0))
    loop.reactor.call_soon(lambda: ran.append(2))
    loop.until(lambda: len(ran) == 2)
    assert "ZeroDivisionError" in caplog.text


def test_a_callback_that_never_stops_asking_leaves_room_for_reads(loop: Loop) -> None:
    client, server = joined(loop)

    def again() -> None:
        if not server.received:
            loop.reactor.call_soon(again)

    again()
    write(client, b"hello")
    loop.until(lambda: server.received == b"hello")


def test_a_handler_that_fails_loses_its_connection_and_nobody_elses(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Peer):
        def data_received(self, data: bytes) -> None:
            raise ValueError("bug")

    broken, other, client = Broken(), Peer(), Peer()
    servers = iter((broken, other))
    listener = loop.reactor.listen("127.0.0.1", 0, lambda: next(servers))
    for peer in (client, Peer()):
        loop.reactor.connect(*listener.address, peer, timeout_ms=5_000, failed=unexpected)
        loop.until(lambda peer=peer: peer.connection is not None)  # type: ignore[misc]
    loop.until(lambda: other.connection is not None)
    write(client, b"x")
    loop.until(lambda: bool(client.lost))
    assert other.lost == []
    assert "bug" in caplog.text


def test_what_was_written_before_a_close_arrives(loop: Loop) -> None:
    client, server = joined(loop)
    data = bytes(1_000_000)
    write(client, data)
    assert client.connection is not None
    client.connection.close()
    client.connection.write(b"too late")
    loop.until(lambda: bool(server.lost))
    assert server.received == data
    assert client.lost == [None]


def test_an_abort_drops_what_is_queued(loop: Loop) -> None:
    client, server = joined(loop)
    assert server.connection is not None
    server.connection.pause_reading()
    write(client, bytes(50_000_000))
    assert client.connection is not None
    assert client.connection.unsent_bytes > 0
    client.connection.abort()
    loop.until(lambda: bool(client.lost))
    assert client.connection.unsent_bytes == 0


def test_a_slow_reader_is_seen_and_its_draining_is_told(loop: Loop) -> None:
    client, server = joined(loop)
    assert client.connection is not None
    assert server.connection is not None
    drained: list[int] = []
    server.connection.pause_reading()
    write(client, bytes(50_000_000))
    client.connection.when_drained(lambda: drained.append(1))
    loop.reactor.call_later(20, loop.reactor.stop)
    loop.reactor.run()
    assert drained == []
    server.connection.resume_reading()
    loop.until(lambda: drained == [1])
    loop.until(lambda: len(server.received) == 50_000_000)
    client.connection.when_drained(lambda: drained.append(2))
    loop.until(lambda: drained == [1, 2])


def test_a_taken_port_is_an_error_at_once_that_names_it(loop: Loop) -> None:
    listener = loop.reactor.listen("127.0.0.1", 0, Peer)
    port = listener.address[1]
    with pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
        loop.reactor.listen("127.0.0.1", port, Peer)


def test_an_address_of_another_machine_cannot_be_listened_on(loop: Loop) -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.200:1: Cannot assign requested address"):
        loop.reactor.listen("192.0.2.200", 1, Peer)


def test_a_refused_connection_fails_once_and_makes_none(loop: Loop) -> None:
    listener = loop.reactor.listen("127.0.0.1", 0, Peer)
    host, port = listener.address
    listener.close()
    errors: list[OSError] = []
    client = Peer()
    loop.reactor.connect(host, port, client, timeout_ms=5_000, failed=errors.append)
    loop.until(lambda: bool(errors))
    assert str(errors[0]).endswith(f"no connection to 127.0.0.1:{port}: Connection refused")
    assert client.connection is None


def test_a_connection_that_does_not_open_in_time_fails(loop: Loop) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        errors: list[OSError] = []
        host, port = full.getsockname()
        loop.reactor.connect(host, port, Peer(), timeout_ms=100, failed=errors.append)
        loop.until(lambda: bool(errors))
        for filler in fillers:
            filler.close()
    assert "within 100 ms" in str(errors[0])


def test_listening_ends_and_open_connections_live_on(loop: Loop) -> None:
    server, client = Peer(), Peer()
    listener = loop.reactor.listen("127.0.0.1", 0, lambda: server)
    loop.reactor.connect(*listener.address, client, timeout_ms=5_000, failed=unexpected)
    loop.until(lambda: server.connection is not None and client.connection is not None)
    listener.close()
    write(client, b"still here")
    loop.until(lambda: server.received == b"still here")
    errors: list[OSError] = []
    loop.reactor.connect(*listener.address, Peer(), timeout_ms=5_000, failed=errors.append)
    loop.until(lambda: bool(errors))


def test_blocking_work_runs_beside_the_loop_and_its_result_comes_back_on_it(loop: Loop) -> None:
    results: list[object] = []
    threads: list[int] = []

    def work() -> int:
        threads.append(threading.get_ident())
        return 42

    def done(result: object) -> None:
        threads.append(threading.get_ident())
        results.append(result)

    loop.reactor.run_blocking(work, done)
    loop.until(lambda: bool(results))
    loop.reactor.run_blocking(lambda: 1 // 0, done)
    loop.until(lambda: len(results) == 2)
    assert results[0] == 42
    assert isinstance(results[1], ZeroDivisionError)
    assert threads[0] != threading.get_ident()
    assert threads[1] == threads[2] == threading.get_ident()


def test_a_closed_reactor_leaves_no_socket_and_forgets_late_results() -> None:
    reactor = AsyncioReactor(log=logging.getLogger("rmq.test"))
    loop = Loop(reactor)
    client, server = joined(loop)
    release = threading.Event()
    reactor.run_blocking(release.wait, lambda _: None)
    release.set()
    reactor.close()
    reactor.close()
    assert client.lost
    assert server.lost


def test_work_that_is_asked_for_while_the_reactor_closes_is_dropped_without_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A name server that stops while one write of its KV configuration follows another."""
    began = threading.Event()
    done: list[object] = []
    with AsyncioReactor() as reactor:

        def first_is_done(result: object) -> None:
            done.append(result)
            reactor.run_blocking(lambda: 2, done.append)

        def first() -> int:
            began.set()
            return 1

        reactor.run_blocking(first, first_is_done)
        assert began.wait(10)
    assert done == [1]
    assert caplog.records == []
