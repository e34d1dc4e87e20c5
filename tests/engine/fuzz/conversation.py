# SPDX-License-Identifier: Apache-2.0
"""The stranger's side: writes mutants, and holds the server to one answer for each request or a close.

What may stay without an answer, and nothing else:

    a response, or a one-way request
    code 0 (an empty object is one): Apache is silent too
    37 with an outcome other than commit and rollback: the producer will be asked again
    what was asked on a connection that a later bad frame has closed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.errors import ProtocolError
from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmq.env import Connection

#: What a server may ask of a client.
PUSHED = frozenset(
    {
        RequestCode.CHECK_TRANSACTION_STATE,
        RequestCode.NOTIFY_CONSUMER_IDS_CHANGED,
        RequestCode.RESET_CONSUMER_CLIENT_OFFSET,
        RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT,
        RequestCode.GET_CONSUMER_RUNNING_INFO,
        RequestCode.CONSUME_MESSAGE_DIRECTLY,
        RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT,
    }
)
SENDS = frozenset(
    {
        RequestCode.SEND_MESSAGE,
        RequestCode.SEND_MESSAGE_V2,
        RequestCode.SEND_BATCH_MESSAGE,
    }
)
#: Stored: 10, 11 and 12 say that less was reached than was asked for, but the message is there.
STORED = frozenset({0, 10, 11, 12})

_OUTCOMES = frozenset({"8", "12"})


class Violation(AssertionError):
    """The server did a third thing."""


def may_be_answered(command: RemotingCommand) -> bool:
    return not (command.is_response or command.is_oneway or command.code == 0)


def must_be_answered(command: RemotingCommand) -> bool:
    if command.code == RequestCode.END_TRANSACTION:
        return command.ext_fields.get("commitOrRollback") in _OUTCOMES
    return may_be_answered(command)


@dataclass
class Read:
    """What a server makes of some bytes, by the project's own decoder (which other tests hold to Apache's)."""

    commands: list[RemotingCommand]
    is_bad: bool


def read_as_server(data: bytes) -> Read:
    try:
        return Read(FrameDecoder().feed(data), is_bad=False)
    except ProtocolError as error:
        return Read(error.commands, is_bad=True)


@dataclass
class Tally:
    """What happened so far, in one run."""

    frames: int = 0
    requests: int = 0
    answers: int = 0
    refused_frames: int = 0
    codes: dict[int, int] = field(default_factory=dict)
    #: msgId -> the body that was sent with it.
    stored: dict[str, bytes] = field(default_factory=dict)
    #: Of this process, after each round.
    resident_kib: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items()))
        return (
            f"{self.frames} frames, {self.requests} requests, {self.answers} answers ({codes}), "
            f"{self.refused_frames} frames closed their connection, {len(self.stored)} messages acknowledged in the "
            f"last round, {self.resident_kib} KiB resident after each round"
        )


class Stranger:
    """One connection's `rmq.env.ConnectionHandler` (or the same over a real socket)."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.connection: Connection
        self.is_closed = False
        #: A bad frame was sent: the server owes a close and nothing more.
        self.is_bad = False
        #: It is a broker's connection now, which is dropped after the silence that the broker chose itself.
        self.is_registered = False
        self.on_answer: Callable[[RemotingCommand], None] = lambda _: None
        self._owed: dict[int, list[RemotingCommand]] = {}
        #: Numbers that two requests have had at a time: nobody knows which of them an answer belongs to.
        self._shared: set[int] = set()
        self._decoder = FrameDecoder()

    def connection_made(self, connection: Connection) -> None:
        self.connection = connection

    def data_received(self, data: bytes) -> None:
        for command in self._decoder.feed(data):
            self._received(command)

    def connection_lost(self, reason: Exception | None) -> None:
        self.is_closed = True

    @property
    def owed(self) -> list[RemotingCommand]:
        """Requests that must be answered still, on a connection that is open."""
        if self.is_closed:
            return []
        return [command for commands in self._owed.values() for command in commands if must_be_answered(command)]

    def expect(self, opaque: int) -> None:
        """One answer with this opaque, to something that was written past `sends`."""
        self._owed.setdefault(opaque, []).append(RemotingCommand(0, opaque=opaque))

    def waits_for(self, opaque: int) -> bool:
        return opaque in self._owed

    def sends(self, read: Read) -> None:
        """Note what is about to be written."""
        self.is_bad = self.is_bad or read.is_bad
        self.tally.refused_frames += read.is_bad
        for command in read.commands:
            if may_be_answered(command):
                self.tally.requests += 1
                if self.waits_for(command.opaque):
                    self._shared.add(command.opaque)
                self._owed.setdefault(command.opaque, []).append(command)

    def _received(self, answer: RemotingCommand) -> None:
        if not answer.is_response:
            if answer.code not in PUSHED:
                raise Violation(f"the server sends a request of code {answer.code}")
            return
        waiting = self._owed.get(answer.opaque)
        if not waiting:
            raise Violation(f"an answer that nobody waits for: {answer}")
        request = waiting.pop(0)
        if not waiting:
            del self._owed[answer.opaque]
        self.tally.answers += 1
        self.on_answer(answer)
        self.tally.codes[answer.code] = self.tally.codes.get(answer.code, 0) + 1
        if answer.code in STORED:
            self._succeeded(request, answer)

    def _succeeded(self, request: RemotingCommand, answer: RemotingCommand) -> None:
        is_shared = answer.opaque in self._shared
        if request.code == RequestCode.REGISTER_BROKER or is_shared:
            self.is_registered = True
        if request.code in SENDS and not is_shared:
            for message_id in answer.ext_fields["msgId"].split(","):
                self.tally.stored[message_id] = request.body
