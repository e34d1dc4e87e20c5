# SPDX-License-Identifier: Apache-2.0
"""The broker dies at any write while messages are popped, acknowledged and given back.

Whatever happened: what was sent and not acknowledged comes again; what was acknowledged does not, unless power was lost
that an asynchronous flush does not survive.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.broker.pop.popping import INVISIBLE_MS, SLACK_MS, TOPIC, PopClient, started
from tests.engine.fakes import FakeDisk, SimulatedCrash

from rmq.broker.pop.recover_offsets import MARGIN_MS
from rmq.remoting.codes import RequestCode, ResponseCode

MESSAGES = 12
#: Writes of a whole run, and a little more: the last cases do not crash at all.
SYNC_RUN = 80
ASYNC_RUN = 48


@dataclass
class Consumer:
    """Remembers what it knows: acknowledged for sure."""

    acknowledged: set[str] = field(default_factory=set)
    #: Asked for, and never answered: either may be true.
    asked: set[str] = field(default_factory=set)

    def run(self, client: PopClient) -> None:
        for turn in range(3):
            for number, one in enumerate(client.pop(maxMsgNums="3")):
                if number == 0:
                    client.change(one, 2 * INVISIBLE_MS)
                elif (number + turn) % 2:
                    self.asked.add(one.body)
                    if client.ack(one).code == ResponseCode.SUCCESS:
                        self.acknowledged.add(one.body)
        client.world.run_for(INVISIBLE_MS + SLACK_MS)
        for one in client.pop_all():
            self.asked.add(one.body)
            if client.ack(one).code == ResponseCode.SUCCESS:
                self.acknowledged.add(one.body)


def crash_and_go_on(disk: FakeDisk, settings: dict[str, str], at: int, lose: str) -> None:
    consumer = Consumer()
    broker = Broker({"reviveQueueNum": 2, **settings}, disk=disk)
    client = broker.client()
    client.create_topic(TOPIC, 2)
    for number in range(MESSAGES):
        client.send(TOPIC, f"m{number}".encode(), queue_id=number % 2)
    disk.crash_at = disk.mutations + at
    with suppress(SimulatedCrash):
        consumer.run(PopClient(broker))
    broker.reactor.crash()
    disk.crash(lose)
    again = PopClient(broker.start_again())
    seen: set[str] = set()
    for _ in range(4):
        for one in again.pop_all():
            seen.add(one.body)
            assert again.ack(one).code == ResponseCode.SUCCESS
        again.world.run_for(INVISIBLE_MS + SLACK_MS)
    assert seen & consumer.acknowledged == set(), "acknowledged, and given out again"
    everything = {f"m{number}" for number in range(MESSAGES)}
    assert everything - consumer.asked <= seen, "never acknowledged, and lost"


@pytest.mark.parametrize("lose", ["all", "some"])
@pytest.mark.parametrize("at", range(1, SYNC_RUN, 3))
def test_pops_survive_the_power_cut_at_any_write(at: int, lose: str) -> None:
    crash_and_go_on(FakeDisk(seed=at), {"flushDiskType": "SYNC_FLUSH"}, at, lose)


@pytest.mark.parametrize("at", range(1, ASYNC_RUN, 2))
def test_pops_survive_the_end_of_the_process_at_any_write(at: int) -> None:
    crash_and_go_on(FakeDisk(seed=at), {}, at, "none")


def test_acknowledged_messages_stay_away_although_their_offsets_were_not_written() -> None:
    """consumerOffset.json is some seconds old; the check points in the log are not."""
    broker = started(messages=40)
    consumer = PopClient(broker)
    for one in consumer.pop_all():
        consumer.ack(one)
    broker.kill()
    assert PopClient(broker.start_again()).pop_all() == []


def test_offset_set_back_before_the_last_seconds_stays_after_a_crash() -> None:
    broker = started(messages=4, queues=1)
    consumer = PopClient(broker)
    for one in consumer.pop():
        consumer.ack(one)
    consumer.world.run_for(2 * (MARGIN_MS + 5_000))
    broker.controller.context.offsets.commit("g", TOPIC, 0, 0)
    consumer.world.run_for(6_000)
    broker.client().send(TOPIC, b"later")
    broker.kill()
    again = PopClient(broker.start_again()).pop()
    assert [one.body for one in again] == ["m0", "m1", "m2", "m3", "later"]


def test_pops_of_a_deleted_topic_move_no_offset_of_a_new_one_with_its_name() -> None:
    broker = started(messages=40)
    consumer = PopClient(broker)
    for one in consumer.pop_all():
        consumer.ack(one)
    client = broker.client()
    client.post(RequestCode.DELETE_TOPIC_IN_BROKER, {"topic": TOPIC})
    broker.world.run_for(500)
    client.create_topic(TOPIC)
    for queue_id in range(4):
        client.send(TOPIC, b"new", queue_id=queue_id)
    broker.kill()
    assert [one.body for one in PopClient(broker.start_again()).pop_all()] == ["new"] * 4
