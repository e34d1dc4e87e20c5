# SPDX-License-Identifier: Apache-2.0
"""Mutated frames at the name server: it answers or closes, and never does a third thing."""

from __future__ import annotations

import random
import struct

from tests.engine.namesrv.harness import ADDRESS, NameServer
from tests.engine.rpc.peer import Peer

from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand

FRAMES = 2_000
SEED = 5


def samples(server: NameServer) -> list[bytes]:
    """One good frame of each code with everything in it that the name server reads."""
    broker = server.broker()
    fields = broker.fields() | {"topic": "TopicTest", "cluster": "C", "namespace": "n", "key": "k", "value": "v"}
    codes = (100, 101, 102, 103, 104, 105, 106, 205, 206, 216, 219, 224, 304, 311, 312, 313, 318, 319, 322, 327)
    return [RemotingCommand.request(code, dict(fields), broker.body()).encode() for code in codes]


def mutated(frame: bytes, dice: random.Random) -> bytes:
    data = bytearray(frame)
    for _ in range(dice.randint(1, 4)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    if dice.random() < 0.5:
        # Most mutations above hit the length and end there: keep it right, so that the rest is reached.
        struct.pack_into(">i", data, 0, len(data) - 4)
    return bytes(data)


def test_mutated_frames_are_answered_or_close_their_connection() -> None:
    server = NameServer()
    server.broker().register()
    dice = random.Random(SEED)
    frames = samples(server)
    reactor = server.world.reactor("10.0.0.50")
    answered = 0
    for _ in range(FRAMES):
        # A frame that claims to be longer would swallow all that follow.
        peer = Peer(server.world, ADDRESS, reactor=reactor)
        peer.send_bytes(mutated(dice.choice(frames), dice))
        answered += len(peer.frames)
        peer.connection.close()
        server.world.settle()
    open_channels = {channel.peer_host for channel in server.controller.server.channels}
    assert "10.0.0.50" not in open_channels
    assert server.client.ask(RequestCode.GET_BROKER_CLUSTER_INFO).code == 0
    assert server.controller.server.counters.bad_frames > FRAMES // 10
    assert answered > FRAMES // 10
    assert server.controller.server.counters.failed_requests == 0, "a bug of ours answered code 1"
