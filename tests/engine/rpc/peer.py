# SPDX-License-Identifier: Apache-2.0
"""A raw client for tests of servers on a fake network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from tests.engine.fakes import FakeReactor, FakeWorld

    from rmq.env import Connection
    from rmq.remoting.command import RemotingCommand


class Peer:
    """A raw client: writes bytes, collects frames, and says when it was closed."""

    def __init__(
        self,
        world: FakeWorld,
        server: tuple[str, int],
        host: str = "192.0.2.9",
        *,
        reactor: FakeReactor | None = None,
    ) -> None:
        """A host of its own, or another connection from that of reactor."""
        self.world = world
        self.connection: Connection
        self.frames: list[RemotingCommand] = []
        self.writes_seen = 0
        self.is_closed = False
        self.decoder = FrameDecoder()
        (reactor or world.reactor(host)).connect(*server, self, timeout_ms=1000, failed=self._failed)
        world.settle()

    def _failed(self, error: OSError) -> None:
        raise error

    def connection_made(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        self.writes_seen += 1
        self.frames += self.decoder.feed(data)

    def connection_lost(self, reason: Exception | None) -> None:
        self.is_closed = True

    def send(self, *commands: RemotingCommand) -> None:
        self.send_bytes(b"".join(command.encode() for command in commands))

    def send_bytes(self, data: bytes) -> None:
        self.connection.write(data)
        self.world.settle()
