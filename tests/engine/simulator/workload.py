# SPDX-License-Identifier: Apache-2.0
"""Producers, consumers and an administrator on one machine: what they ask, and what they were promised.

Answers are taken whenever they come, also long after a real client would have given up: what was answered counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.engine.broker.harness import Broker, Client
from tests.engine.broker.test_transaction import COMMIT, ROLLBACK, checks, end_fields
from tests.engine.rpc.peer import Peer

from rmq.remoting.codes import RequestCode, ResponseCode
from rmq.remoting.java_json import dumps_bytes
from rmq.remoting.message import decode_records

from .machines import CLIENT, MASTER, PASSING_TOPICS, SETTLED_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rmq.remoting.command import RemotingCommand

    from .machines import Machines

TOPIC = "Simulated"
GROUP = "gc"
QUEUES = 3
ANSWER_WITHIN_MS = 8_000


class Violation(AssertionError):
    """What must hold does not."""


@dataclass(frozen=True)
class Stored:
    """What SEND_OK promised."""

    topic: str
    queue_id: int
    queue_offset: int
    body: bytes


@dataclass
class Figures:
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    unanswered: int = 0
    faults: dict[str, int] = field(default_factory=dict)


class _Line(Client):
    """A connection of the clients' machine to one broker; it may be refused."""

    def __init__(self, broker: Broker, machines: Machines, reactor: object) -> None:
        self.world = broker.world
        self.broker = broker
        self.peer = _QuietPeer(broker.world, broker.address, CLIENT, reactor=reactor)  # type: ignore[arg-type]
        self._answers: dict[int, RemotingCommand] = {}
        self._seen = 0

    def answer_to(self, request: RemotingCommand) -> RemotingCommand | None:
        """Each is given once."""
        for frame in self.peer.frames[self._seen :]:
            if frame.is_response:
                assert frame.opaque not in self._answers, "one answer for each request"
                self._answers[frame.opaque] = frame
        self._seen = len(self.peer.frames)
        return self._answers.pop(request.opaque, None)


class _QuietPeer(Peer):
    def _failed(self, error: OSError) -> None:
        self.is_closed = True

    def send_bytes(self, data: bytes) -> None:
        if not self.is_closed:
            super().send_bytes(data)


class Workload:
    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.world = machines.world
        self.dice = machines.dice
        self.figures = Figures()
        self.stored: list[Stored] = []
        self.delayed: set[bytes] = set()
        """Bodies that must arrive in TOPIC some time."""
        self.decided: dict[bytes, str] = {}
        """Accepted half messages by body, and what their producer has decided."""
        self.seen: dict[tuple[int, int], bytes] = {}
        """What consumers were given, by queue id and queue offset of TOPIC."""
        self.committed: dict[int, int] = {}
        """Consumer offset by queue that must not be undone."""
        self.topics: dict[str, bool] = {}
        """Topics that must be there, or must not."""
        self.groups: set[str] = set()
        self._reactor = self.world.reactor(CLIENT)
        self._lines: dict[str, _Line] = {}
        self._topic_changes: Counter[str] = Counter()
        self._waiting: list[tuple[_Line, RemotingCommand, Callable[[RemotingCommand], None]]] = []
        self._bodies: dict[str, bytes] = {}
        self._checked: dict[int, int] = {}
        self._number = 0

    def begin(self) -> None:
        line = self._line(MASTER)
        assert line is not None
        line.create_topic(TOPIC, QUEUES)
        line.heartbeat(GROUP, TOPIC)

    # -- asking

    def _line(self, host: str) -> _Line | None:
        """To the broker that runs there now; None where none does, or where it cannot be reached."""
        broker = self.machines.brokers.get(host)
        if broker is None:
            return None
        line = self._lines.get(host)
        if line is None or line.broker is not broker or line.peer.is_closed:
            line = self._lines[host] = _Line(broker, self.machines, self._reactor)
        return None if line.peer.is_closed else line

    def _post(
        self, line: _Line, code: int, fields: dict[str, str], body: bytes, take: Callable[[RemotingCommand], None]
    ) -> None:
        self._waiting.append((line, line.post(code, fields, body), take))

    def collect(self) -> None:
        """Take the answers that have come."""
        waiting, self._waiting = self._waiting, []
        for line, request, take in waiting:
            answer = line.answer_to(request)
            if answer is not None:
                take(answer)
            elif line.peer.is_closed:
                self.figures.unanswered += 1
            else:
                self._waiting.append((line, request, take))

    def _ask(self, host: str, code: int, fields: dict[str, str], body: bytes = b"") -> RemotingCommand | None:
        """None where no answer came in time."""
        line = self._line(host)
        if line is None:
            return None
        request = line.post(code, fields, body)
        deadline_ms = self.world.clock.monotonic_ms() + ANSWER_WITHIN_MS
        while not line.peer.is_closed and self.world.clock.monotonic_ms() < deadline_ms:
            answer = line.answer_to(request)
            if answer is not None:
                return answer
            self.world.run_for(20)
        return None

    # -- sending

    def send(self, count: int) -> None:
        line = self._line(MASTER)
        if line is None:
            return
        delayed = 0.4 if self.machines.plan.timed else 0.08
        for _ in range(count):
            kind = self.dice.random()
            if kind < delayed:
                self._send_delayed(line)
            elif kind < delayed + 0.08:
                self._send_half(line)
            else:
                self._send_plain(line, TOPIC, self._number % QUEUES)
        self.machines.wait(0, 5, 4_000)
        self.collect()
        self.machines.note(f"sent {count}, acknowledged so far {self.figures.acknowledged}")

    def _body(self) -> bytes:
        self._number += 1
        self.figures.sent += 1
        return b"%08d" % self._number + b"x" * self.dice.choice((0, 10, 100, 3_000))

    def _accepted(self, answer: RemotingCommand) -> bool:
        accepted = answer.code == ResponseCode.SUCCESS
        self.figures.acknowledged += accepted
        self.figures.refused += not accepted
        return accepted

    def _send_plain(self, line: _Line, topic: str, queue_id: int) -> None:
        body = self._body()
        changes = self._topic_changes[topic]

        def take(answer: RemotingCommand) -> None:
            if self._accepted(answer) and self._topic_changes[topic] == changes:
                fields = answer.ext_fields
                self.stored.append(Stored(topic, int(fields["queueId"]), int(fields["queueOffset"]), body))

        self._post(line, RequestCode.SEND_MESSAGE_V2, line.send_fields(topic, queue_id=queue_id), body, take)

    def _send_delayed(self, line: _Line) -> None:
        body = self._body()

        def take(answer: RemotingCommand) -> None:
            if self._accepted(answer):
                self.delayed.add(body)

        properties = f"DELAY\x01{self.dice.randrange(1, 4)}\x02"
        if self.machines.plan.timed:
            properties = f"TIMER_DELAY_MS\x01{self.dice.randrange(500, 30_000)}\x02"
        fields = line.send_fields(TOPIC, properties, self._number % QUEUES)
        self._post(line, RequestCode.SEND_MESSAGE_V2, fields, body, take)

    def _send_half(self, line: _Line) -> None:
        body = self._body()
        name = f"U{self._number}"
        decision = self.dice.choice((COMMIT, ROLLBACK))
        tells = self.dice.random() < 0.7
        # Whoever asks before the producer knows that the half message was taken is told to roll back.
        self._bodies[name] = body

        def take(answer: RemotingCommand) -> None:
            if not self._accepted(answer):
                return
            self.decided.setdefault(body, decision)
            if tells:
                fields = {**end_fields(answer, self.decided[body]), "msgId": name, "transactionId": name}
                self._post(line, RequestCode.END_TRANSACTION, fields, b"", lambda _: None)

        properties = f"TRAN_MSG\x01true\x02PGROUP\x01pg\x02UNIQ_KEY\x01{name}\x02"
        now = str(self.world.clock.now_ms())
        fields = line.send_fields(TOPIC, properties, self._number % QUEUES, f="4", g=now)
        self._post(line, RequestCode.SEND_MESSAGE_V2, fields, body, take)

    def answer_checks(self) -> None:
        """As a producer does when it is asked how a transaction ended."""
        line = self._line(MASTER)
        if line is None:
            return
        asked = checks(line)
        for check in asked[self._checked.get(id(line), 0) :]:
            body = self._bodies[check.ext_fields["transactionId"]]
            decision = self.decided.setdefault(body, ROLLBACK)
            fields = end_fields(check, decision, from_check=True)
            self._post(line, RequestCode.END_TRANSACTION, fields, b"", lambda _: None)
        self._checked[id(line)] = len(asked)
        self.collect()

    def beat(self) -> None:
        """A heartbeat: without it no broker knows whom to ask."""
        line = self._line(MASTER)
        if line is not None:
            beat = {
                "clientID": f"{CLIENT}@1",
                "producerDataSet": [{"groupName": "pg"}],
                "consumerDataSet": [],
                "heartbeatFingerprint": 0,
                "withoutSub": False,
            }
            self._post(line, RequestCode.HEART_BEAT, {}, dumps_bytes(beat), lambda _: None)

    # -- consuming

    def commit(self) -> None:
        """A consumer commits where it is, at the master or, while that is away, at a slave."""
        host = next((host for host in self.machines.hosts if host in self.machines.brokers), None)
        if host is None:
            return
        queue_id = self.dice.randrange(QUEUES)
        offset = self.machines.brokers[host].controller.store.max_offset(TOPIC, queue_id)
        fields = {"consumerGroup": GROUP, "topic": TOPIC, "queueId": str(queue_id), "commitOffset": str(offset)}
        answer = self._ask(host, RequestCode.UPDATE_CONSUMER_OFFSET, fields)
        if answer is not None and answer.code == ResponseCode.SUCCESS:
            # Written each 5 s, and copied to the slave each second: a commit is safe after that, as on Apache.
            self.world.run_for(SETTLED_MS)
            if host in self.machines.brokers and not self.machines.brokers[host].fatal:
                self.committed[queue_id] = max(offset, self.committed.get(queue_id, 0))
                self.machines.note(f"committed {offset} of queue {queue_id} at {host}")

    def read(self) -> None:
        """A consumer pulls from some broker."""
        host = self.dice.choice(self.machines.hosts)
        line = self._line(host)
        if line is None:
            return
        queue_id = self.dice.randrange(QUEUES)
        store = line.broker.controller.store
        low, high = store.min_offset(TOPIC, queue_id), store.max_offset(TOPIC, queue_id)
        offset = self.dice.randrange(low, high + 1)
        fields = line.pull_fields(TOPIC, offset, queue_id=queue_id, group=GROUP)
        answer = self._ask(host, RequestCode.PULL_MESSAGE, fields)
        if answer is None or answer.code != ResponseCode.SUCCESS:
            return
        for message in decode_records(answer.body):
            place = (queue_id, message.queue_offset)
            known = self.seen.setdefault(place, message.body)
            if known != message.body and not self.machines.plan.loses_writes:
                raise Violation(f"number {place[1]} of queue {queue_id} was {known[:8]!r}, is {message.body[:8]!r}")
        self._check_read(queue_id, answer)

    def _check_read(self, queue_id: int, answer: RemotingCommand) -> None:
        found = {message.queue_offset: message.body for message in decode_records(answer.body)}
        for one in self.stored:
            wrong = found.get(one.queue_offset, one.body) != one.body
            if one.topic == TOPIC and one.queue_id == queue_id and wrong:
                raise Violation(f"a consumer got another message than was acknowledged as {one}")

    # -- administration

    def change_topic(self) -> None:
        """Make one of the passing topics, or delete it."""
        name = self.dice.choice(PASSING_TOPICS)
        exists = self.topics.get(name)
        line = self._line(MASTER)
        if line is None:
            return
        # Unknown until it is answered; what was promised of the topic before does not count any more.
        self.topics.pop(name, None)
        self._topic_changes[name] += 1
        self.stored = [one for one in self.stored if one.topic != name]
        if exists:
            answer = self._ask(MASTER, RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": name})
        else:
            fields = {"topic": name, "defaultTopic": "TBW102", "perm": "6", "topicFilterType": "SINGLE_TAG"}
            fields |= {"readQueueNums": "1", "writeQueueNums": "1", "topicSysFlag": "0", "order": "false"}
            answer = self._ask(MASTER, RequestCode.UPDATE_AND_CREATE_TOPIC, fields)
        if answer is None or answer.code != ResponseCode.SUCCESS:
            return
        self.topics[name] = not exists
        self.machines.note(f"topic {name} {'deleted' if exists else 'made'}")
        line = self._line(MASTER)
        if not exists and line is not None:
            for _ in range(self.dice.randrange(5)):
                self._send_plain(line, name, 0)
            self.collect()

    def make_group(self) -> None:
        name = f"group{self._number}"
        body = dumps_bytes({"groupName": name, "retryQueueNums": 1, "retryMaxTimes": 3})
        answer = self._ask(MASTER, RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, body)
        if answer is not None and answer.code == ResponseCode.SUCCESS:
            self.groups.add(name)
            self.machines.note(f"group {name} made")
