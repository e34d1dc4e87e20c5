# SPDX-License-Identifier: Apache-2.0
"""What must hold, after each event and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.broker.test_transaction import COMMIT, MAX_TIME

from rmq.remoting.message import decode_records

from .machines import MASTER, PASSING_TOPICS
from .workload import GROUP, QUEUES, TOPIC, Violation

if TYPE_CHECKING:
    from tests.engine.broker.harness import Broker

    from .machines import Machines
    from .workload import Workload


class Checks:
    def __init__(self, machines: Machines, workload: Workload) -> None:
        self._machines = machines
        self._workload = workload

    def after_an_event(self) -> None:
        master = self._machines.brokers.get(MASTER)
        if master is None:
            return
        self._offsets(master)
        # Writes that a power loss took out of the middle are fetched again, some seconds later.
        if self._machines.is_damaged() or master.controller.store.mending.damaged:
            return
        for host in self._machines.slaves:
            if self._machines.follows(host) and not self._machines.brokers[host].controller.store.mending.damaged:
                self._is_prefix(host, self._machines.brokers[host], master)

    def at_the_end(self) -> None:
        brokers = self._machines.brokers
        master = brokers[MASTER]
        for host in brokers:
            self.read_all(host)
        # What was found damaged is mended now.
        self._machines.world.run_for(25_000)
        log = _log(master)
        for host, broker in brokers.items():
            copy = _log(broker)
            if log != copy:
                at = next((at for at, (one, other) in enumerate(zip(log, copy, strict=False)) if one != other), -1)
                raise Violation(f"the log of {host} ({len(copy)} bytes) is not its master's ({len(log)}), from {at} on")
            self._messages(broker)
            self._tables(broker)
        self._offsets(master)
        self._deliveries(master)

    def read_all(self, host: str) -> None:
        """Damage is found by whoever reads."""
        broker = self._machines.brokers[host]
        for topic, queue_ids in broker.controller.store.queues().items():
            for queue_id in queue_ids:
                read_queue(broker, topic, queue_id)

    def _is_prefix(self, host: str, slave: Broker, master: Broker) -> None:
        log, copy = _log(master), _log(slave)
        if not log.startswith(copy):
            raise Violation(f"the log of {host} ({len(copy)} bytes) is no part of its master's ({len(log)} bytes)")

    def _messages(self, broker: Broker) -> None:
        host = broker.address[0]
        found = {(TOPIC, queue_id): read_queue(broker, TOPIC, queue_id) for queue_id in range(QUEUES)}
        found |= {(topic, 0): read_queue(broker, topic, 0) for topic in PASSING_TOPICS}
        taken: dict[tuple[str, int, int], bytes] = {}
        for one in self._workload.stored:
            if taken.setdefault((one.topic, one.queue_id, one.queue_offset), one.body) != one.body:
                raise Violation(f"two messages were acknowledged with one number: {one}")
            if found[one.topic, one.queue_id].get(one.queue_offset) != one.body:
                raise Violation(f"{host} lost {one}")
        if not self._machines.plan.loses_writes:
            for (queue_id, offset), body in self._workload.seen.items():
                if found[TOPIC, queue_id].get(offset) != body:
                    raise Violation(f"{host} has another message than was read: {offset} of queue {queue_id}, {body!r}")

    def _offsets(self, master: Broker) -> None:
        for queue_id, offset in self._workload.committed.items():
            now = master.controller.context.offsets.query(GROUP, TOPIC, queue_id)
            if now < offset:
                raise Violation(f"the offset of queue {queue_id} went back from {offset} to {now}")

    def _tables(self, broker: Broker) -> None:
        context = broker.controller.context
        for topic, is_there in self._workload.topics.items():
            if (context.topics.get(topic) is not None) != is_there:
                raise Violation(f"topic {topic} should be there: {is_there}; on {broker.address[0]} it is not so")
            if not is_there and broker.address[0] == MASTER and topic in broker.controller.store.queues():
                raise Violation(f"the queues of topic {topic}, which was deleted, are back")
        for group in self._workload.groups:
            if group not in context.groups.groups:
                raise Violation(f"{broker.address[0]} lost group {group}")

    def _deliveries(self, master: Broker) -> None:
        bodies = {body for queue_id in range(QUEUES) for body in read_queue(master, TOPIC, queue_id).values()}
        # A clock that jumps ten days ahead makes a half message too old to be asked about: it is kept, and said.
        given_up = set(read_queue(master, MAX_TIME, 0).values())
        late = self._workload.delayed - bodies
        if late:
            raise Violation(f"delayed messages were not delivered: {sorted(body[:8] for body in late)}")
        for body, decision in self._workload.decided.items():
            if body in given_up:
                continue
            if (body in bodies) != (decision == COMMIT):
                raise Violation(f"transaction of {body[:8]!r} was decided as {decision}, delivered: {body in bodies}")


def read_queue(broker: Broker, topic: str, queue_id: int) -> dict[int, bytes]:
    """Bodies by queue offset. Raises Violation where one lacks."""
    store = broker.controller.store
    found: dict[int, bytes] = {}
    offset, end = store.min_offset(topic, queue_id), store.max_offset(topic, queue_id)
    first = offset
    while offset < end:
        result = store.get(topic, queue_id, offset, 32)
        for frame in result.frames:
            found.update({one.queue_offset: one.body for one in decode_records(bytes(frame))})
        if result.next_begin_offset <= offset:
            raise Violation(f"reading queue {queue_id} of {topic} stands still at {offset}: {result.status}")
        offset = result.next_begin_offset
    missing = sorted(set(range(first, end)) - set(found))
    # A record that was found damaged just now is fenced until it is mended.
    if missing and not store.mending.damaged:
        raise Violation(f"{broker.address[0]}: {missing[:5]} of {end} of queue {queue_id} of {topic} have no message")
    return found


def _log(broker: Broker) -> bytes:
    store = broker.controller.store
    parts: list[bytes] = []
    offset = store.min_physical_offset
    while part := bytes(store.read_log(offset, 1 << 20)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
