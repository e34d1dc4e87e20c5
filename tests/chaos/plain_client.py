# SPDX-License-Identifier: Apache-2.0
"""One connection to a broker of either engine: many sends under way at a time, raw pulls, a query by key.

Bodies are `<number>:` and filling, so that whoever reads one back knows which it is and that it is whole.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.frame import FrameDecoder
from rmq.remoting.message import MessageExt, decode_records
from rmq.remoting.send_header import SendHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNDER_WAY_MAX = 64
PULL_MAX = 32
_TIMEOUT_S = 30.0
_NOBODY = "plain_client"


@dataclass
class Sent:
    """What became of sends."""

    acknowledged: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Queue and queue offset by number."""
    refused: dict[int, str] = field(default_factory=dict)
    """`code remark` by number."""


class PlainClient:
    """A context. Raises OSError when the broker is away."""

    def __init__(self, address: str, topic: str, queues: int, *, body_bytes: int = 1024) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=_TIMEOUT_S)
        self._decoder = FrameDecoder()
        self._topic = topic
        self._queues = queues
        self._body_bytes = body_bytes
        self._under_way: dict[int, int] = {}

    def __enter__(self) -> PlainClient:
        return self

    def __exit__(self, *unused: object) -> None:
        self._socket.close()

    def ask(self, code: int, fields: dict[str, str], body: bytes = b"") -> RemotingCommand:
        """One request, and nothing else under way."""
        request = RemotingCommand.request(code, fields, body)
        self._socket.sendall(request.encode())
        while True:
            for answer in self._answers():
                if answer.opaque == request.opaque:
                    return answer

    def body(self, number: int) -> bytes:
        """The CRC at its end tells bytes that went bad on the way."""
        text = (b"%010d:" % number).ljust(self._body_bytes - 8, b"%d" % (number % 10))
        return text + b"%08x" % zlib.crc32(text)

    def send(self, numbers: Iterator[int], sent: Sent, *, until: Callable[[], bool] = bool) -> None:
        """Send these until `until` holds, as fast as the broker takes them; every answer is waited for."""
        while True:
            block = []
            while len(self._under_way) < UNDER_WAY_MAX and not until() and (number := next(numbers, -1)) >= 0:
                request = self._request(number)
                self._under_way[request.opaque] = number
                block.append(request.encode())
            if block:
                self._socket.sendall(b"".join(block))
            if not self._under_way:
                return
            for answer in self._answers():
                self._take(answer, sent)

    def _request(self, number: int) -> RemotingCommand:
        properties = f"KEYS\x01key{number}\x02TAGS\x01Tag{number % 3}\x02"
        header = SendHeader(
            _NOBODY,
            self._topic,
            "TBW102",
            self._queues,
            number % self._queues,
            0,
            int(time.time() * 1000),
            0,
            properties,
            0,
            False,
            0,
            False,
            None,
        )
        return RemotingCommand.request(RequestCode.SEND_MESSAGE_V2, header.to_ext_fields(), self.body(number))

    def _take(self, answer: RemotingCommand, sent: Sent) -> None:
        number = self._under_way.pop(answer.opaque)
        if answer.code == ResponseCode.SUCCESS:
            fields = answer.ext_fields
            sent.acknowledged[number] = (int(fields["queueId"]), int(fields["queueOffset"]))
        else:
            sent.refused[number] = f"{answer.code} {answer.remark}"

    def _answers(self) -> list[RemotingCommand]:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the broker closed the connection")
        answers = self._decoder.feed(data)
        while select.select([self._socket], [], [], 0)[0] and (data := self._socket.recv(1 << 20)):
            answers += self._decoder.feed(data)
        return [answer for answer in answers if answer.is_response]

    def messages(self, queue_id: int, *, count_max: int = 1 << 40) -> Iterator[MessageExt]:
        """Every message of a queue, by raw pull, from its beginning."""
        offset, given = 0, 0
        while given < count_max:
            fields = {"consumerGroup": _NOBODY, "topic": self._topic, "queueId": str(queue_id)}
            fields |= {"queueOffset": str(offset), "maxMsgNums": str(PULL_MAX), "sysFlag": "4", "commitOffset": "0"}
            fields |= {"suspendTimeoutMillis": "0", "subscription": "*", "subVersion": "1", "expressionType": "TAG"}
            answer = self.ask(RequestCode.PULL_MESSAGE, fields)
            if answer.code not in (0, ResponseCode.PULL_NOT_FOUND, ResponseCode.PULL_RETRY_IMMEDIATELY, 21):
                raise AssertionError(f"pull of queue {queue_id} at {offset}: {answer.code} {answer.remark}")
            if answer.code == ResponseCode.SUCCESS:
                # As it came: whether it is whole is for `is_whole` to say.
                found = decode_records(answer.body, check_crc=False)
                given += len(found)
                yield from found
            following = int(answer.ext_fields["nextBeginOffset"])
            if following == offset or offset >= int(answer.ext_fields["maxOffset"]):
                return
            offset = following

    def is_whole(self, message: MessageExt) -> bool:
        number = number_of(message)
        return number is not None and message.body == self.body(number)

    def count_by_key(self, number: int) -> int:
        """Messages that a query for this one's key finds."""
        fields = {"topic": self._topic, "key": f"key{number}", "maxNum": "32", "beginTimestamp": "0"}
        answer = self.ask(RequestCode.QUERY_MESSAGE, {**fields, "endTimestamp": str(1 << 62)})
        return len(decode_records(answer.body, check_crc=False)) if answer.code == ResponseCode.SUCCESS else 0


def number_of(message: MessageExt) -> int | None:
    with contextlib.suppress(ValueError):
        return int(message.body.partition(b":")[0])
    return None
