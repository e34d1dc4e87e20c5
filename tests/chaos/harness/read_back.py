# SPDX-License-Identifier: Apache-2.0
"""Reads everything back from one broker over the wire and compares it with the ledger.

What was read once is read again each time and compared as bytes: records never change. New records are decoded, their
checksums and bodies checked, and their places noted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.interop.harness.waiting import wait_for

from rmq.client.remoting_client import RemotingClient
from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.message import decode_records

from .load import DELAYED_QUEUES, DELAYED_TOPIC, QUEUES, TOPIC, Ledger, Place, key_of, number_and_sender

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from tests.chaos.figures import Figures
    from tests.interop.harness.server import Server

_TIMEOUT_MS = 60_000
_PULL_MESSAGES = 512
_KEY_QUERIES = 10
_INDEXED_WITHIN_S = 60.0
_FOREVER_MS = 1 << 50

# SUSPEND is off: a queue that is shorter than it says answers at once. SUBSCRIPTION: the filter is in the request.
_SUBSCRIPTION_FLAG = 4


@dataclass
class _Queue:
    topic: str
    queue_id: int
    count: int = 0
    """Records that were read, decoded and noted before."""
    digest: bytes = b""
    """Of all of them, one behind the other."""
    last_numbers: dict[int, int] = field(default_factory=dict)
    """Newest acknowledged number of each sender."""


@dataclass
class _Reading:
    """One queue on its way from its first record to its end."""

    queue: _Queue
    end: int
    at: int = 0
    hasher: hashlib.blake2b = field(default_factory=hashlib.blake2b)

    @property
    def limit(self) -> int:
        return self.queue.count if self.at < self.queue.count else self.end


class ReadBack:
    """What one broker gives out. `lost`, `duplicated` and `out_of_order` are as Figures has them, for its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        queues = [(TOPIC, QUEUES), (DELAYED_TOPIC, DELAYED_QUEUES)]
        self._queues = [_Queue(topic, queue_id) for topic, count in queues for queue_id in range(count)]
        self._places: dict[int, Place] = {}
        self._delivered: set[int] = set()
        self.delivered_again = 0
        """Delayed messages are delivered at least once: a broker that dies repeats those of its last seconds."""
        self.duplicated = 0
        self.out_of_order = 0

    def read(self, address: str) -> None:
        """Everything that is there. Raises AssertionError for bytes that changed, gaps, and bodies that nobody sent."""
        with RemotingClient(address, _TIMEOUT_MS) as client:
            ends = client.invoke_many([_end_request(queue) for queue in self._queues])
            readings = [
                _Reading(queue, int(answer.ext_fields["offset"]))
                for queue, answer in zip(self._queues, ends, strict=True)
            ]
            for reading in readings:
                queue = reading.queue
                assert reading.end >= queue.count, f"{queue.topic} {queue.queue_id} has lost its end: {reading}"
            while unread := [reading for reading in readings if reading.at < reading.end]:
                answers = client.invoke_many([_pull_request(reading) for reading in unread])
                for reading, answer in zip(unread, answers, strict=True):
                    self._take(reading, answer)

    def missing(self) -> list[tuple[int, Place, Place | None]]:
        """Number, place by the acknowledgement and place found, of what is not where the answer to its send said."""
        found = self._places
        return [(number, place, found.get(number)) for number, place in self._ledger.acknowledged.items()
                if found.get(number) != place]  # fmt: skip

    def undelivered(self) -> set[int]:
        """Delayed messages that have not come yet."""
        return self._ledger.delayed - self._delivered

    def add_to(self, figures: Figures) -> None:
        """At the end."""
        figures.acknowledged += self._ledger.count
        figures.lost += len(self.missing()) + len(self.undelivered())
        figures.duplicated += self.duplicated
        figures.out_of_order += self.out_of_order

    def _take(self, reading: _Reading, answer: RemotingCommand) -> None:
        queue = reading.queue
        where = f"{queue.topic} {queue.queue_id} at {reading.at} of {reading.end}"
        assert answer.code == ResponseCode.SUCCESS, f"{where}: {answer}"
        is_new = reading.at >= queue.count
        reading.hasher.update(answer.body)
        following = int(answer.ext_fields["nextBeginOffset"])
        assert reading.at < following <= reading.limit, f"{where}: the next one is {following}"
        if is_new:
            messages = decode_records(answer.body)
            numbers = [message.queue_offset for message in messages]
            assert numbers == list(range(reading.at, following)), f"{where}: {numbers}"
            self._note(queue, [message.body for message in messages], reading.at)
            queue.count, queue.digest = following, reading.hasher.digest()
        elif following == queue.count:
            assert reading.hasher.digest() == queue.digest, f"{where}: records have changed since they were read last"
        reading.at = following

    def _note(self, queue: _Queue, bodies: Iterable[bytes], queue_offset: int) -> None:
        for index, body in enumerate(bodies):
            known = number_and_sender(body)
            assert known is not None, (
                f"{queue.topic} {queue.queue_id} {queue_offset + index}: nobody sent {body[:80]!r}"
            )
            number, sender = known
            if queue.topic == DELAYED_TOPIC:
                self.delivered_again += number in self._delivered
                self._delivered.add(number)
                continue
            place = Place(queue.topic, queue.queue_id, queue_offset + index)
            self.duplicated += self._places.setdefault(number, place) != place
            if number in self._ledger.acknowledged:
                self.out_of_order += number < queue.last_numbers.get(sender, -1)
                queue.last_numbers[sender] = number


def assert_keys_found(broker: Server, ledger: Ledger, dice: random.Random) -> None:
    """Some of the acknowledged messages with a key are found by it, as soon as the index has caught up."""
    keyed = [number for number in ledger.acknowledged if key_of(number)]
    with RemotingClient(broker.address, _TIMEOUT_MS) as client:
        for number in dice.sample(keyed, min(_KEY_QUERIES, len(keyed))):
            wait_for(
                f"key-{number} at {ledger.acknowledged[number]}",
                lambda number=number: _places_by_key(client, number) == [ledger.acknowledged[number]],  # type: ignore[misc]
                within_s=_INDEXED_WITHIN_S,
                detail=broker.tail,
            )


def _places_by_key(client: RemotingClient, number: int) -> list[Place]:
    fields = {"topic": TOPIC, "key": f"key-{number}", "maxNum": "32", "beginTimestamp": "0"}
    request = RemotingCommand.request(RequestCode.QUERY_MESSAGE, fields | {"endTimestamp": str(_FOREVER_MS)})
    answer = client.invoke(request)
    if answer.code == ResponseCode.QUERY_NOT_FOUND:
        return []
    assert answer.code == ResponseCode.SUCCESS, f"key-{number}: {answer}"
    return [Place(TOPIC, message.queue_id, message.queue_offset) for message in decode_records(answer.body)]


def _end_request(queue: _Queue) -> RemotingCommand:
    fields = {"topic": queue.topic, "queueId": str(queue.queue_id)}
    return RemotingCommand.request(RequestCode.GET_MAX_OFFSET, fields)


def _pull_request(reading: _Reading) -> RemotingCommand:
    fields = {
        "consumerGroup": "chaos",
        "topic": reading.queue.topic,
        "queueId": str(reading.queue.queue_id),
        "queueOffset": str(reading.at),
        "maxMsgNums": str(min(_PULL_MESSAGES, reading.limit - reading.at)),
        "sysFlag": str(_SUBSCRIPTION_FLAG),
        "commitOffset": "0",
        "suspendTimeoutMillis": "0",
        "subscription": "*",
        "subVersion": "0",
        "expressionType": "TAG",
    }
    return RemotingCommand.request(RequestCode.PULL_MESSAGE, fields)
