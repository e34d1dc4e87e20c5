# SPDX-License-Identifier: Apache-2.0
"""Sends as fast as a broker takes it, and keeps a ledger of what was acknowledged and where.

Frames are pipelined on several connections, each with its own sequence: whoever sends first to a queue stands first in
it. What is sent is decided by the dice alone; a body says which message it is, so that a read needs no other memory
than the ledger.
"""

from __future__ import annotations

import random
import selectors
import socket
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rmq.client.address import parse_address
from rmq.client.remoting_client import RemotingClient
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.frame import FrameDecoder
from rmq.remoting.message import BatchItem, encode_batch_body
from rmq.remoting.send_header import SendHeader

if TYPE_CHECKING:
    from collections.abc import Callable

TOPIC, QUEUES = "Chaos", 6
#: Messages of delay level 1 come here, one second later.
DELAYED_TOPIC, DELAYED_QUEUES = "ChaosLate", 2

CONNECTIONS = 4
OUTSTANDING = 24
KEYED_EACH = 4
# Of what an application sends, most is small; the last one fills a commit log file of the tests with a few messages.
_SIZES = ((40, 200), (900, 1100), (4096, 4096), (60_000, 70_000), (300_000, 300_000))
_WEIGHTS = (600, 320, 75, 4, 1)
_ONE_IN_BATCH, _ONE_IN_DELAYED = 12, 50

_HEAD = struct.Struct(">QII")
_PATTERN = random.Random(1).randbytes(400_000)
_RECEIVE_BYTES = 1 << 18
_PROGRESS_WITHIN_S = 60.0


class Place(NamedTuple):
    topic: str
    queue_id: int
    queue_offset: int


def body_of(number: int, sender: int, size: int) -> bytes:
    """number and sender in front, then bytes that no two messages have in common."""
    shift = number * 7919 % 65536
    return _HEAD.pack(number, sender, size) + _PATTERN[shift : shift + size - _HEAD.size]


def number_and_sender(body: bytes) -> tuple[int, int] | None:
    """None for a body that was never sent."""
    if len(body) < _HEAD.size:
        return None
    number, sender, size = _HEAD.unpack_from(body)
    return (number, sender) if body == body_of(number, sender, size) else None


def key_of(number: int) -> str | None:
    return f"key-{number}" if number % KEYED_EACH == 0 else None


@dataclass
class Ledger:
    """What the client knows: these it was told are safe, at these places. Delayed ones have no place yet."""

    acknowledged: dict[int, Place] = field(default_factory=dict)
    delayed: set[int] = field(default_factory=set)
    sent: int = 0
    """Numbers below are given away."""
    codes: Counter[int] = field(default_factory=Counter)
    """Answers that promise nothing."""

    @property
    def count(self) -> int:
        return len(self.acknowledged) + len(self.delayed)


class _Request(NamedTuple):
    first: int
    messages: int
    delayed: bool
    queue_id: int


class _Sender:
    """One connection of the load."""

    def __init__(self, load: Load, index: int, connection: socket.socket) -> None:
        self._load = load
        self._index = index
        self._decoder = FrameDecoder()
        self._unsent = b""
        self.connection = connection
        self.waiting: dict[int, _Request] = {}

    def fill(self) -> None:
        """As many requests as may be outstanding."""
        frames = [self._unsent]
        while len(self.waiting) < OUTSTANDING:
            request, command = self._load.next_request(self._index)
            self.waiting[command.opaque] = request
            frames.append(command.encode())
        self._unsent = b"".join(frames)
        self.write()

    def write(self) -> None:
        try:
            sent = self.connection.send(self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        self._unsent = self._unsent[sent:]
        self._load.watch(self, writing=bool(self._unsent))

    def read(self) -> bool:
        """False at the end of the stream."""
        try:
            data = self.connection.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for answer in self._decoder.feed(data):
            self._load.answered(self.waiting.pop(answer.opaque), answer)
        return bool(data)


class Load:
    """Call connect(), then run() as often as wanted, then drain() when the broker is dead or close() when it lives."""

    def __init__(self, dice: random.Random, ledger: Ledger) -> None:
        self._dice = dice
        self._ledger = ledger
        self._selector = selectors.DefaultSelector()
        self._senders: list[_Sender] = []
        self.last_physical_offset = 0
        """Of the newest acknowledgement: how far the log has grown."""
        self.last_queue_offsets: dict[int, int] = {}
        """Newest acknowledged queue offset of each queue of TOPIC."""

    def connect(self, address: str) -> None:
        for index in range(CONNECTIONS):
            connection = socket.create_connection(parse_address(address), 10)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            sender = _Sender(self, index, connection)
            self._senders.append(sender)
            self._selector.register(connection, selectors.EVENT_READ, sender)

    def run(self, until: Callable[[], bool]) -> None:
        """Keeps the broker busy until then. The broker closes no connection meanwhile."""
        assert self._senders, "connect() comes first"
        for sender in self._senders:
            sender.fill()
        deadline = time.monotonic() + _PROGRESS_WITHIN_S
        while not until():
            assert time.monotonic() < deadline, f"not within {_PROGRESS_WITHIN_S:g} s; answers: {self._ledger.codes}"
            self._turn(0.2, refill=True)

    def settle(self) -> None:
        """Sends no more, and takes the answers that are under way."""
        deadline = time.monotonic() + _PROGRESS_WITHIN_S
        while any(sender.waiting for sender in self._senders):
            assert time.monotonic() < deadline, f"answers are missing; others: {self._ledger.codes}"
            self._turn(0.2, refill=False)
        self.close()

    def drain(self) -> None:
        """The broker is dead: what it had answered before counts."""
        for sender in self._senders:
            sender.connection.setblocking(True)
            sender.connection.settimeout(10)
            while sender.read():
                pass
        self.close()

    def close(self) -> None:
        for sender in self._senders:
            self._selector.unregister(sender.connection)
            sender.connection.close()
        self._senders.clear()

    def _turn(self, seconds: float, *, refill: bool) -> None:
        for key, events in self._selector.select(seconds):
            sender: _Sender = key.data
            if events & selectors.EVENT_WRITE:
                sender.write()
            if events & selectors.EVENT_READ:
                assert sender.read(), "the broker closed a connection"
                if refill:
                    sender.fill()

    # Called by the senders.

    def watch(self, sender: _Sender, *, writing: bool) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        if self._selector.get_key(sender.connection).events != events:
            self._selector.modify(sender.connection, events, sender)

    def next_request(self, sender: int) -> tuple[_Request, RemotingCommand]:
        dice = self._dice
        queue_id = dice.randrange(QUEUES)
        if dice.randrange(_ONE_IN_BATCH) == 0:
            return self._batch(sender, queue_id, dice.randrange(2, 20))
        delayed = dice.randrange(_ONE_IN_DELAYED) == 0
        number = self._take_numbers(1)
        body = body_of(number, sender, dice.randint(*dice.choices(_SIZES, _WEIGHTS)[0]))
        request = _Request(number, 1, delayed, queue_id)
        if delayed:
            return request, _command(DELAYED_TOPIC, queue_id % DELAYED_QUEUES, "DELAY\x011\x02", body)
        return request, _command(TOPIC, queue_id, _properties(number), body)

    def _batch(self, sender: int, queue_id: int, count: int) -> tuple[_Request, RemotingCommand]:
        first = self._take_numbers(count)
        items = [
            BatchItem(0, body_of(number, sender, self._dice.randint(40, 200)), _properties(number))
            for number in range(first, first + count)
        ]
        return _Request(first, count, False, queue_id), _command(
            TOPIC, queue_id, "", encode_batch_body(items), batch=True
        )

    def _take_numbers(self, count: int) -> int:
        first = self._ledger.sent
        self._ledger.sent += count
        return first

    def answered(self, request: _Request, answer: RemotingCommand) -> None:
        ledger = self._ledger
        if answer.code != ResponseCode.SUCCESS:
            ledger.codes[answer.code] += 1
            return
        fields = answer.ext_fields
        # An offset message id ends with the physical offset; those of a batch are joined by commas.
        self.last_physical_offset = int(fields["msgId"][-16:], 16)
        if request.delayed:
            ledger.delayed.add(request.first)
            return
        queue_id, offset = int(fields["queueId"]), int(fields["queueOffset"])
        assert queue_id == request.queue_id
        for index in range(request.messages):
            ledger.acknowledged[request.first + index] = Place(TOPIC, queue_id, offset + index)
        self.last_queue_offsets[queue_id] = offset + request.messages - 1


def send_one(address: str, topic: str) -> None:
    """A message that is no part of any ledger. Raises ResponseError where it is not acknowledged."""
    command = _command(topic, 0, "", b"one")
    with RemotingClient(address) as client:
        client.call(command.code, command.ext_fields, command.body)


def _properties(number: int) -> str:
    key = key_of(number)
    return f"TAGS\x01TagA\x02KEYS\x01{key}\x02" if key else "TAGS\x01TagA\x02"


def _command(topic: str, queue_id: int, properties: str, body: bytes, *, batch: bool = False) -> RemotingCommand:
    header = SendHeader(
        producer_group="chaos",
        topic=topic,
        default_topic="TBW102",
        default_topic_queue_nums=4,
        queue_id=queue_id,
        sys_flag=0,
        born_timestamp_ms=int(time.time() * 1000),
        flag=0,
        properties=properties,
        reconsume_times=0,
        unit_mode=False,
        max_reconsume_times=0,
        batch=batch,
        broker_name="broker-a",
    )
    code = RequestCode.SEND_BATCH_MESSAGE if batch else RequestCode.SEND_MESSAGE_V2
    command = RemotingCommand.request(code, header.to_ext_fields(), body)
    command.language = "JAVA"
    return command
