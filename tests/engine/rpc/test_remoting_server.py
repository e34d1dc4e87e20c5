# SPDX-License-Identifier: Apache-2.0
"""How the server treats requests, bad input and bad peers: client and server joined in memory, with virtual time."""

from __future__ import annotations

import logging
import struct

import pytest
from tests.engine.fakes import FakeWorld
from tests.engine.rpc.peer import Peer

from rmq.env import HandshakeFailed
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.rpc import CallFailed, Channel, RemotingServer, RequestRefused, ServerLimits, TickClock, TimedOut

SERVER = ("192.0.2.1", 9876)


@pytest.fixture
def world() -> FakeWorld:
    return FakeWorld()


@pytest.fixture
def server(world: FakeWorld) -> RemotingServer:
    return make_server(world)


def make_server(world: FakeWorld, limits: ServerLimits | None = None) -> RemotingServer:
    server = RemotingServer(world.reactor(SERVER[0]), limits=limits)
    server.register(RequestCode.GET_KV_CONFIG, lambda _, request: request.response(0, body=request.body))
    server.listen(*SERVER)
    return server


def request(body: bytes = b"", *, oneway: bool = False, code: int = RequestCode.GET_KV_CONFIG) -> RemotingCommand:
    return RemotingCommand.request(code, body=body, oneway=oneway)


def header_frame(header: bytes, *, length: int | None = None) -> bytes:
    return struct.pack(">ii", 4 + len(header) if length is None else length, len(header)) + header


def test_requests_of_one_read_are_answered_in_one_write(world: FakeWorld, server: RemotingServer) -> None:
    peer = Peer(world, SERVER)
    requests = [request(b"%d" % number) for number in range(100)]
    peer.send(*requests)
    assert [frame.opaque for frame in peer.frames] == [each.opaque for each in requests]
    assert [frame.body for frame in peer.frames] == [each.body for each in requests]
    assert peer.writes_seen == 1


def test_unknown_code_is_answered_in_apaches_words(world: FakeWorld, server: RemotingServer) -> None:
    peer = Peer(world, SERVER)
    peer.send(request(code=9999))
    (answer,) = peer.frames
    assert answer.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED
    assert answer.remark == " request type 9999 not supported"


def test_a_processor_that_raises_answers_code_1_and_the_connection_lives(
    world: FakeWorld, server: RemotingServer
) -> None:
    def fail(_: Channel, request: RemotingCommand) -> RemotingCommand:
        raise KeyError(request.code)

    server.register(7, fail)
    peer = Peer(world, SERVER)
    peer.send(request(code=7), request(b"alive"))
    assert [(frame.code, frame.remark) for frame in peer.frames] == [(1, "KeyError: 7"), (0, None)]
    assert server.counters.failed_requests == 1


def test_an_answer_above_the_limit_of_a_frame_is_refused_and_the_connection_lives(
    world: FakeWorld, server: RemotingServer
) -> None:
    limit_bytes = ServerLimits().frame_bytes_max
    fits = RemotingCommand(7, opaque=1)
    fit = len(fits.response(0).encode_header(limit_bytes))
    server.register(7, lambda _, request: request.response(0, None, None, bytes(limit_bytes - fit)))
    server.register(8, lambda _, request: request.response(0, "r", {"a": "b"}, bytes(limit_bytes)))
    peer = Peer(world, SERVER)
    peer.send(request(code=8), request(b"alive"))
    refused, alive = peer.frames
    assert (refused.code, refused.ext_fields, refused.body, alive.body) == (1, {}, b"", b"alive")
    assert "ask for less" in (refused.remark or "")
    peer.send(fits)
    assert len(peer.frames[2].body) == limit_bytes - fit


def test_a_refusal_is_answered_with_its_code_and_not_counted_as_a_failure(
    world: FakeWorld, server: RemotingServer
) -> None:
    def refuse(_: Channel, request: RemotingCommand) -> RemotingCommand:
        raise RequestRefused(ResponseCode.NO_PERMISSION, "not from here")

    server.register(7, refuse)
    peer = Peer(world, SERVER)
    peer.send(request(code=7))
    assert [(frame.code, frame.remark) for frame in peer.frames] == [(16, "not from here")]
    assert server.counters.failed_requests == 0


def test_one_way_requests_are_never_answered_neither_at_once_nor_later(
    world: FakeWorld, server: RemotingServer
) -> None:
    later: list[tuple[Channel, RemotingCommand]] = []
    server.register(7, lambda channel, request: later.append((channel, request)))
    peer = Peer(world, SERVER)
    peer.send(request(oneway=True), request(code=9999, oneway=True), request(code=7, oneway=True))
    channel, command = later[0]
    channel.answer(command.response(0))
    world.settle()
    assert peer.frames == []
    assert not peer.is_closed


def test_an_answer_may_come_later(world: FakeWorld, server: RemotingServer) -> None:
    later: list[tuple[Channel, RemotingCommand]] = []
    server.register(7, lambda channel, request: later.append((channel, request)))
    peer = Peer(world, SERVER)
    asked = request(code=7)
    peer.send(asked)
    assert peer.frames == []
    later[0][0].answer(asked.response(0, "later"))
    world.settle()
    assert [(frame.opaque, frame.remark) for frame in peer.frames] == [(asked.opaque, "later")]


def test_an_answer_for_a_peer_who_left_is_dropped(world: FakeWorld, server: RemotingServer) -> None:
    later: list[tuple[Channel, RemotingCommand]] = []
    server.register(7, lambda channel, request: later.append((channel, request)))
    peer = Peer(world, SERVER)
    peer.send(request(code=7))
    peer.connection.close()
    world.settle()
    channel, command = later[0]
    channel.answer(command.response(0))
    world.settle()
    assert not channel.is_open
    assert server.channels == set()


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">i", -1) + bytes(8),
        struct.pack(">ii", 0, 0),
        struct.pack(">ii", 3, 0),
        struct.pack(">ii", 16777213, 0),
        struct.pack(">ii", 20, 100) + bytes(16),
        struct.pack(">ii", 20, 2 << 24 | 16) + bytes(16),
        struct.pack(">ii", 20, 1 << 24 | 16) + b"\xff" * 16,
        header_frame(b"not json"),
        header_frame(b"[1]"),
        header_frame(b"null"),
        header_frame(b'{"code":"x"}'),
        header_frame(b'{"code":99999999999}'),
        header_frame(b'\xef\xbb\xbf{"code":1}'),
        header_frame(b"[" * 100_000),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    ],
    ids=range(17),
)
def test_a_bad_frame_closes_the_connection_after_the_good_ones_before_it(
    world: FakeWorld, server: RemotingServer, data: bytes
) -> None:
    peer = Peer(world, SERVER)
    good = request(b"good")
    peer.send_bytes(good.encode() + data)
    assert peer.is_closed
    assert [frame.body for frame in peer.frames] == [b"good"]
    assert server.counters.bad_frames == 1
    assert server.channels == set()


@pytest.mark.parametrize("header", [b"{}", b'{"code":5,"flag":1,"opaque":77}', b'{"code":9999,"flag":2}'])
def test_what_apache_is_silent_to_is_silently_kept(world: FakeWorld, server: RemotingServer, header: bytes) -> None:
    peer = Peer(world, SERVER)
    peer.send_bytes(header_frame(header))
    assert (peer.frames, peer.is_closed) == ([], False)


def test_bad_frames_write_one_log_line_in_ten_seconds(
    world: FakeWorld, server: RemotingServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "rmq.rpc"):
        for _ in range(50):
            Peer(world, SERVER).send_bytes(b"GET / HTTP/1.1\r\n\r\n")
        world.run_for(10_000)
        Peer(world, SERVER).send_bytes(b"GET / HTTP/1.1\r\n\r\n")
    first, second = [record.getMessage() for record in caplog.records]
    assert "192.0.2.9" in first
    assert "(49 more like this before)" in second
    assert server.counters.bad_frames == 51


def test_a_silent_connection_is_closed_after_120_seconds_and_a_talking_one_is_not(
    world: FakeWorld, server: RemotingServer
) -> None:
    silent, talking = Peer(world, SERVER), Peer(world, SERVER)
    for _ in range(4):
        world.run_for(29_000)
        talking.send(request())
    after_116_seconds = (silent.is_closed, talking.is_closed)
    world.run_for(6_000)
    assert after_116_seconds == (False, False)
    assert (silent.is_closed, talking.is_closed) == (True, False)
    assert server.counters.idle_closed == 1


def test_a_half_frame_is_dropped_after_30_seconds_even_if_bytes_trickle_in(
    world: FakeWorld, server: RemotingServer
) -> None:
    peer = Peer(world, SERVER)
    frame = request(bytes(1000)).encode()
    for second in range(33):
        peer.send_bytes(frame[second : second + 1])
        world.run_for(1_000)
    assert peer.is_closed
    assert server.counters.half_frames_closed == 1


def test_a_busy_connection_whose_reads_end_inside_frames_lives_on(world: FakeWorld, server: RemotingServer) -> None:
    peer = Peer(world, SERVER)
    frame = request(bytes(100)).encode()
    peer.send_bytes(frame[:50])
    for _ in range(60):
        peer.send_bytes(frame[50:] + frame[:50])
        world.run_for(1_000)
    assert not peer.is_closed
    assert len(peer.frames) == 60


def test_half_frames_of_all_peers_together_are_bounded_and_the_largest_goes_first(world: FakeWorld) -> None:
    server = make_server(world, ServerLimits(half_frames_total_bytes=10_000))
    frame = request(bytes(20_000)).encode()
    greedy, modest = Peer(world, SERVER), Peer(world, SERVER)
    greedy.send_bytes(frame[:8_000])
    modest.send_bytes(frame[:3_000])
    assert (greedy.is_closed, modest.is_closed) == (True, False)
    modest.send_bytes(frame[3_000:])
    assert len(modest.frames) == 1
    assert server.counters.half_frames_closed == 1


def test_a_peer_who_does_not_read_is_not_read_either_until_it_does(world: FakeWorld) -> None:
    server = make_server(world, ServerLimits(unsent_high_bytes=10_000))
    peer = Peer(world, SERVER)
    peer.connection.pause_reading()
    requests = [request(bytes(1_000)) for _ in range(100)]
    peer.send(*requests)
    (channel,) = server.channels
    assert channel.unsent_bytes < 12_000
    peer.send(*requests)
    assert channel.unsent_bytes < 12_000
    peer.connection.resume_reading()
    world.settle()
    assert [frame.opaque for frame in peer.frames] == [each.opaque for each in requests] * 2


def test_a_peer_who_never_reads_what_is_pushed_is_dropped_at_the_hard_limit(world: FakeWorld) -> None:
    server = make_server(world, ServerLimits(unsent_high_bytes=10_000, unsent_hard_bytes=50_000))
    peer = Peer(world, SERVER)
    peer.connection.pause_reading()
    (channel,) = server.channels
    for _ in range(100):
        channel.push(request(bytes(1_000), oneway=True))
        world.settle()
    peer.connection.resume_reading()
    world.settle()
    assert peer.is_closed
    assert server.counters.slow_peers_closed == 1


def test_slow_peers_together_are_bounded_and_the_worst_goes_first(world: FakeWorld) -> None:
    server = make_server(world, ServerLimits(unsent_high_bytes=10_000, unsent_total_bytes=12_000))
    worst, other = Peer(world, SERVER), Peer(world, SERVER)
    for peer, count in ((worst, 9), (other, 5)):
        peer.connection.pause_reading()
        peer.send(*[request(bytes(1_000)) for _ in range(count)])
    world.run_for(2_000)
    assert [channel.unsent_bytes > 0 for channel in server.channels] == [True]
    other.connection.resume_reading()
    world.settle()
    assert len(other.frames) == 5


def test_a_closed_connection_whose_peer_does_not_read_is_dropped_after_ten_seconds(world: FakeWorld) -> None:
    server = make_server(world)
    peer = Peer(world, SERVER)
    peer.connection.pause_reading()
    peer.send(request(b"x"))
    (channel,) = server.channels
    channel.close()
    world.run_for(12_000)
    assert server.channels == set()


def test_connections_above_the_limit_are_refused(world: FakeWorld) -> None:
    server = make_server(world, ServerLimits(connections_max=2))
    peers = [Peer(world, SERVER) for _ in range(3)]
    world.settle()
    assert [peer.is_closed for peer in peers] == [False, False, True]
    assert server.counters.connections_refused == 1
    peers[0].connection.close()
    world.settle()
    assert not Peer(world, SERVER).is_closed


def test_the_server_can_call_its_client(world: FakeWorld, server: RemotingServer) -> None:
    peer = Peer(world, SERVER)
    (channel,) = server.channels
    asked = request(code=RequestCode.GET_CONSUMER_RUNNING_INFO)
    results: list[RemotingCommand | CallFailed] = []
    channel.invoke(asked, 1_000, results.append)
    world.settle()
    peer.send(peer.frames[0].response(0, "running"))
    peer.send(peer.frames[0].response(0, "twice"))
    assert [result.remark for result in results if isinstance(result, RemotingCommand)] == ["running"]


def test_a_call_to_a_client_ends_by_time_out_or_by_the_close_and_only_once(
    world: FakeWorld, server: RemotingServer
) -> None:
    peer = Peer(world, SERVER)
    (channel,) = server.channels
    results: list[RemotingCommand | CallFailed] = []
    channel.invoke(request(), 1_000, results.append)
    world.run_for(1_001)
    channel.invoke(request(), 1_000, results.append)
    peer.connection.close()
    world.run_for(2_000)
    channel.invoke(request(), 1_000, results.append)
    world.settle()
    assert [type(result) for result in results] == [TimedOut, CallFailed, CallFailed]


def test_closing_the_server_sends_what_is_gathered(world: FakeWorld, server: RemotingServer) -> None:
    closed: list[Channel] = []
    server.on_channel_closed(closed.append)
    peer = Peer(world, SERVER)
    (channel,) = server.channels
    channel.push(request(b"last words", oneway=True))
    server.close()
    world.settle()
    assert [frame.body for frame in peer.frames] == [b"last words"]
    assert closed == [channel]
    with pytest.raises(ConnectionRefusedError):
        Peer(world, SERVER)


def test_one_host_cannot_take_every_place(world: FakeWorld) -> None:
    server = make_server(world, ServerLimits(connections_of_host_max=2))
    greedy = [Peer(world, SERVER, "192.0.2.7") for _ in range(3)]
    other = Peer(world, SERVER, "192.0.2.8")
    world.settle()
    assert [peer.is_closed for peer in (*greedy, other)] == [False, False, True, False]
    assert server.counters.connections_refused == 1
    greedy[0].connection.close()
    world.settle()
    again = Peer(world, SERVER, "192.0.2.7")
    assert not again.is_closed


def test_a_peer_who_takes_nothing_until_it_is_idle_is_dropped_with_the_reason(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server(world, ServerLimits(unsent_high_bytes=10_000))
    peer = Peer(world, SERVER)
    peer.connection.pause_reading()
    peer.send(*[request(bytes(1_000)) for _ in range(100)])
    with caplog.at_level(logging.WARNING, "rmq.rpc"):
        world.run_for(125_000)
    assert server.channels == set()
    assert (server.counters.idle_closed, server.counters.slow_peers_closed) == (1, 1)
    assert "it leaves answers unread" in caplog.messages[-1]


def test_a_tls_handshake_where_none_is_taken_is_named_in_the_log(
    world: FakeWorld, server: RemotingServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "rmq.rpc"):
        Peer(world, SERVER).send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32))
    (line,) = caplog.messages
    assert "tls.server.mode is disabled" in line


def test_failed_handshakes_are_counted_and_logged_once_in_ten_seconds(
    world: FakeWorld, server: RemotingServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "rmq.rpc"):
        for _ in range(20):
            peer = Peer(world, SERVER)
            (channel,) = server.channels
            channel.connection_lost(HandshakeFailed("no TLS handshake within 10 s"))
            peer.connection.close()
            world.settle()
    assert server.counters.handshakes_failed == 20
    assert len(caplog.messages) == 1
    assert "no TLS handshake within 10 s" in caplog.messages[0]


def test_what_is_read_late_in_a_tick_has_waited_since_its_beginning(world: FakeWorld) -> None:
    server = make_server(world)
    server.tick = TickClock(server.reactor)
    waited: list[int] = []

    def work(_: Channel, request: RemotingCommand) -> None:
        assert server.tick is not None
        waited.append(server.tick.waited_ms)
        world.clock.advance(40)

    server.register(7, work)
    peers = [Peer(world, SERVER) for _ in range(3)]
    for _ in range(2):
        for peer in peers:
            peer.connection.write(request(code=7).encode() + request(code=7).encode())
        world.settle()
    assert waited == [0, 0, 80, 80, 160, 160] * 2
    world.settle()
    assert server.tick.waited_ms == 0
