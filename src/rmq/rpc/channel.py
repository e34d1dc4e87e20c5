# SPDX-License-Identifier: Apache-2.0
"""One connection to a peer, as processors see it.

Reading: each read is cut into commands, which are dispatched one by one. When more than the high-water mark waits to
be sent, the rest of the read is kept, the connection is not read any more, and both go on when everything was sent.
Writing: answers are gathered and leave in one write at the end of the tick.

    state      reading  answers
    open       yes      gathered
    congested  no       gathered; beyond the hard limit the connection is dropped
    closing    no       dropped; what was gathered is still sent, for `closing_ms`
    closed     no       dropped
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..env import HandshakeFailed
from ..remoting.codes import ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.errors import ProtocolError
from ..remoting.frame import FrameDecoder
from .errors import CallFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Connection, Timer
    from .channel_hub import ChannelHub

    CallDone = Callable[[RemotingCommand | CallFailed], None]
    Buffer = bytes | bytearray | memoryview


# What a decoded request takes, its body apart (measured: 700 to 1,100).
COMMAND_BYTES = 1024

# The first record of a TLS handshake, as a frame's length 352 MiB.
TLS_HANDSHAKE = b"\x16\x03"
TLS_IS_DISABLED = "it begins with a TLS handshake, and tls.server.mode is disabled"


class Channel:
    """`rmq.env.ConnectionHandler`; made by a ChannelHub. `attributes` is free for processors and dies with the
    channel."""

    __slots__ = (
        "_awaits_drain",
        "_calls",
        "_congested",
        "_connection",
        "_decoder",
        "_flush_is_due",
        "_hub",
        "_out",
        "_out_bytes",
        "_tick",
        "_waiting",
        "_waiting_bytes",
        "attributes",
        "closing_since_ms",
        "half_frame_bytes",
        "half_frame_since_ms",
        "idle_since_ms",
        "is_open",
        "local_address",
        "local_host",
        "made_progress",
        "peer_host",
        "remote_address",
        "was_active",
    )

    def __init__(self, hub: ChannelHub) -> None:
        self._hub = hub
        self._tick = hub.tick
        self._connection: Connection | None = None
        self._decoder = FrameDecoder(hub.limits.frame_bytes_max)
        self._out: list[Buffer] = []
        self._out_bytes = 0
        self._flush_is_due = False
        self._congested = False
        self._awaits_drain = False
        self._waiting: list[RemotingCommand] = []
        self._waiting_bytes = 0
        self._calls: dict[int, tuple[CallDone, Timer]] = {}
        self.attributes: dict[str, object] = {}
        self.is_open = False
        self.remote_address = ""
        self.local_address = ""
        self.local_host = ""
        self.peer_host = ""
        # Read and written by the hub's sweep; a flag for each read is cheaper than a look at the clock.
        self.was_active = True
        self.made_progress = True
        self.idle_since_ms = 0
        self.half_frame_since_ms: int | None = None
        self.half_frame_bytes = 0
        self.closing_since_ms: int | None = None

    def __repr__(self) -> str:
        return f"Channel({self.remote_address})"

    # -- rmq.env.ConnectionHandler --

    def connection_made(self, connection: Connection) -> None:
        self._connection = connection
        self.peer_host, port = connection.peer
        self.remote_address = _join(self.peer_host, port)
        self.local_host, port = connection.local
        self.local_address = _join(self.local_host, port)
        self.is_open = True
        self._hub.channel_opened(self)

    def data_received(self, data: bytes) -> None:
        if not self.is_open:
            return
        self.was_active = True
        if self._tick is not None:
            self._tick.read()
        try:
            commands = self._decoder.feed(data)
        except ProtocolError as error:
            self._process(error.commands)
            self._hub.bad_frame(self, TLS_IS_DISABLED if data.startswith(TLS_HANDSHAKE) else error.reason)
            self.close()
            return
        if commands:
            self.made_progress = True
            self._process(commands)
        size_bytes = self._decoder.buffered_bytes
        if size_bytes != self.half_frame_bytes:
            self._hub.half_frame_grew(self, size_bytes)

    def connection_lost(self, reason: Exception | None) -> None:
        if isinstance(reason, HandshakeFailed):
            self._hub.handshake_failed(self, reason)
        was_open = self._connection is not None
        self.is_open = False
        self._connection = None
        self._out.clear()
        self._out_bytes = 0
        self._waiting.clear()
        self._waiting_bytes = 0
        calls, self._calls = self._calls, {}
        if was_open:
            self._hub.channel_closed(self)
        for done, timer in calls.values():
            timer.cancel()
            done(CallFailed(f"connection to {self.remote_address} closed: {reason or 'by the peer'}"))

    # -- requests in --

    def _process(self, commands: list[RemotingCommand]) -> None:
        if self._congested:
            self._keep(commands)
            return
        dispatch = self._hub.dispatch
        high_bytes = self._hub.limits.unsent_high_bytes
        for index, command in enumerate(commands):
            if self._out_bytes > high_bytes:
                self._keep(commands[index:])
                self._congest()
                return
            dispatch(self, command)

    def _keep(self, commands: list[RemotingCommand]) -> None:
        self._waiting += commands
        self._waiting_bytes += sum([COMMAND_BYTES + len(command.body) for command in commands])

    def _congest(self) -> None:
        self._congested = True
        if self._connection is not None:
            self._connection.pause_reading()

    def _drained(self) -> None:
        self._awaits_drain = False
        if not self.is_open:
            return
        self._congested = False
        commands, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._process(commands)
        if not self._congested and self._connection is not None:
            self._connection.resume_reading()

    # -- answers out --

    @property
    def unsent_bytes(self) -> int:
        """Gathered in this tick, or given to the connection and not taken by the system yet."""
        connection = self._connection
        return self._out_bytes + (0 if connection is None else connection.unsent_bytes)

    @property
    def held_bytes(self) -> int:
        """What this peer's slowness costs: what is unsent, and the requests that wait until it is sent."""
        return self.unsent_bytes + self._waiting_bytes

    def answer(self, response: RemotingCommand) -> None:
        """Send an answer at the end of this tick. An answer to a one-way request is dropped here, so that no
        processor has to think of it; so is one for a peer who has left."""
        if response.is_oneway:
            return
        body = response.body
        header = response.encode_header(len(body))
        if len(header) + len(body) > self._hub.limits.frame_bytes_max:
            self._refuse_to_send(response, len(header) + len(body))
            return
        self.answer_raw(header)
        if body:
            self.answer_raw(body)

    def _refuse_to_send(self, response: RemotingCommand, size_bytes: int) -> None:
        """Every peer closes the connection at a frame above the limit (all queues of all groups, in one answer)."""
        limit_bytes = self._hub.limits.frame_bytes_max
        self._hub.answer_too_large(self, size_bytes)
        remark = f"the answer has {size_bytes} bytes, a frame at most {limit_bytes}: ask for less at a time"
        refusal = RemotingCommand(
            ResponseCode.SYSTEM_ERROR,
            language=response.language,
            version=response.version,
            opaque=response.opaque,
            flag=response.flag,
            remark=remark,
        )
        self.answer_raw(refusal.encode_header(0))

    def answer_raw(self, data: Buffer) -> None:
        """The same for bytes: a whole frame, or the next piece of one. A view must stay unchanged until the tick
        ends."""
        if not self.is_open:
            return
        self._out.append(data)
        self._out_bytes += len(data)
        if self._out_bytes > self._hub.limits.unsent_hard_bytes:
            self._hub.slow_peer(self, self.unsent_bytes)
            self.abort()
        elif not self._flush_is_due:
            self._flush_is_due = True
            self._hub.flush_later(self)

    def push(self, command: RemotingCommand) -> None:
        """Send a one-way request to the peer."""
        self.answer_raw(command.encode())

    def invoke(self, command: RemotingCommand, timeout_ms: int, done: CallDone) -> None:
        """Send a request to the peer; done gets its answer, or CallFailed (TimedOut), exactly once and never in this
        call."""
        if not self.is_open or len(self._calls) >= self._hub.limits.calls_max:
            why = "is closed" if not self.is_open else f"has {len(self._calls)} calls waiting"
            error = CallFailed(f"connection to {self.remote_address} {why}")
            self._hub.reactor.call_soon(lambda: done(error))
            return
        opaque = command.opaque
        timer = self._hub.reactor.call_later(timeout_ms, lambda: self._timed_out(opaque, timeout_ms))
        self._calls[opaque] = (done, timer)
        self.answer_raw(command.encode())

    def _timed_out(self, opaque: int, timeout_ms: int) -> None:
        call = self._calls.pop(opaque, None)
        if call is not None:
            call[0](TimedOut(f"no answer from {self.remote_address} within {timeout_ms} ms"))

    def answered(self, response: RemotingCommand) -> None:
        """An answer came in. One that nobody waits for is dropped: its call has timed out, or it was never made."""
        call = self._calls.pop(response.opaque, None)
        if call is not None:
            done, timer = call
            timer.cancel()
            done(response)

    def flush(self) -> None:
        """By the hub at the end of the tick: one write, then a look at how much the peer leaves unread."""
        self._flush_is_due = False
        connection = self._connection
        if connection is None or not self._out:
            return
        pieces, self._out = self._out, []
        self._out_bytes = 0
        connection.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        self.was_active = True
        unsent_bytes = connection.unsent_bytes
        limits = self._hub.limits
        if unsent_bytes > limits.unsent_hard_bytes:
            self._hub.slow_peer(self, unsent_bytes)
            self.abort()
            return
        if unsent_bytes > limits.unsent_high_bytes and not self._congested:
            self._congest()
        if self._congested and not self._awaits_drain:
            self._awaits_drain = True
            connection.when_drained(self._drained)

    # -- the end --

    def close(self) -> None:
        """Send what was gathered, then close. The hub drops a peer who does not take it in time."""
        if not self.is_open:
            return
        self.flush()
        self.is_open = False
        self.closing_since_ms = self._hub.reactor.clock.monotonic_ms()
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._connection is not None:
            self._connection.close()

    def abort(self) -> None:
        """Close at once; what was gathered is lost."""
        self.is_open = False
        self._out.clear()
        self._out_bytes = 0
        if self._connection is not None:
            self._connection.abort()


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
