# SPDX-License-Identifier: Apache-2.0
"""A server in a thread that does to each connection what a test says: for the ways in which a real one fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand

# A test that waits longer has failed.
DEADLINE_S = 10

Script = Callable[["Peer"], None]


class Peer:
    """The server's side of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._decoder = FrameDecoder()
        self._commands: list[RemotingCommand] = []

    def receive(self) -> RemotingCommand:
        while not self._commands:
            data = self._connection.recv(65536)
            if not data:
                raise ConnectionError("the client has closed")
            self._commands += self._decoder.feed(data)
        return self._commands.pop(0)

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def answer(self, request: RemotingCommand, code: int = 0, **fields: str) -> None:
        self.send(request.response(code, None, fields).encode())

    def wait_for_close(self) -> None:
        while self._connection.recv(65536):
            pass


@contextmanager
def serving(*scripts: Script) -> Iterator[str]:
    """The address of a server whose first connection runs the first script, and so on; then it listens no more."""
    listener = socket.create_server(("127.0.0.1", 0))
    failures: list[BaseException] = []

    def run() -> None:
        try:
            for script in scripts:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(DEADLINE_S)
                    script(Peer(connection))
        except (OSError, AssertionError) as error:
            failures.append(error)
        finally:
            listener.close()

    listener.settimeout(DEADLINE_S)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert not failures, failures


def unused_address() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"
