# SPDX-License-Identifier: Apache-2.0
"""What is between two states when a broker is killed: messages sent back and waiting for their next delivery, half
messages that nobody has decided about. (Timer messages: test_timer.py; popped messages: test_pop.py.)"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from .harness import wire
from .harness.waiting import wait_for

if TYPE_CHECKING:
    from .conftest import StartClient, StartCluster
    from .harness.engine import Engine

TOPIC = "InFlight"
COUNT = 100
#: Of the keys: ten of the hundred.
SPECIAL = "k000001"
SPECIAL_KEYS = [f"{SPECIAL}{number}" for number in range(10)]
ALL_KEYS = [f"k{number:07}" for number in range(COUNT)]
SCHEDULE_TOPIC = "SCHEDULE_TOPIC_XXXX"
#: The queue of delay level 3, 10 s: where a message goes that is sent back for the first time.
FIRST_BACK_OFF_QUEUE = 2
FOREVER_MILLIS = 10**9


@pytest.mark.timeout(240)
def test_messages_sent_back_are_delivered_again_after_the_broker_was_killed(
    engine: Engine, start_cluster: StartCluster, start_client: StartClient
) -> None:
    """The consumer runs on. Apache's broker may deliver them twice: it notes how far each level is once in 10 s."""
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    consumer = start_client("push", **options, later=SPECIAL, deadline_millis=FOREVER_MILLIS).wait_ready()
    start_client("produce", **options, mode="async", count=COUNT).finish()
    consumer.wait("all messages", lambda client: set(client.received_keys()) == set(ALL_KEYS), within_s=60)
    (master,) = cluster.masters()

    def waiting() -> bool:
        fields = {"topic": SCHEDULE_TOPIC, "queueId": str(FIRST_BACK_OFF_QUEUE), "committed": "true"}
        return int(wire.ask(master.address, wire.GET_MAX_OFFSET, fields).fields["offset"]) == len(SPECIAL_KEYS)

    wait_for("all of them sent back", waiting, within_s=30, detail=cluster.tails)
    master.kill()
    again = [event["key"] for event in consumer.of("received") if event["reconsumeTimes"]]
    assert again == [], "the broker was killed too late: nothing was in flight"
    cluster.start_brokers([master])
    wanted = Counter(ALL_KEYS) + Counter(SPECIAL_KEYS)
    consumer.wait("the rest", lambda client: not wanted - Counter(client.received_keys()), within_s=90)
    again = [event["key"] for event in consumer.of("received") if event["reconsumeTimes"] == 1]
    assert set(again) == set(SPECIAL_KEYS)
    if engine.name == "python":
        consumer.close_input()
        consumer.finish()
        assert Counter(consumer.received_keys()) == wanted


@pytest.mark.timeout(240)
def test_half_messages_are_checked_and_committed_after_the_broker_was_killed(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    """The producer runs on. What it decided before the kill stays decided; of the rest it is asked."""
    # Nobody is asked before the kill.
    cluster = start_cluster("single-master", settings={"transactionTimeOut": "6000"})
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    producer = start_client("transact", **options, count=COUNT)
    producer.wait("all sends", lambda client: len(client.acknowledged()) == COUNT, within_s=60)
    (master,) = cluster.masters()
    master.kill()
    assert producer.of("checked") == [], "the broker was killed too late: it had asked"
    cluster.start_brokers([master])
    consumer = start_client("push", **options, deadline_millis=FOREVER_MILLIS)
    sent = producer.acknowledged()
    committed = {key for key in sent if "commit" in key}
    consumer.wait("all committed ones", lambda client: set(client.received_keys()) >= committed, within_s=90)
    undecided = {key for key in sent if key.startswith("later")}
    producer.wait(
        "a check of each", lambda client: {event["key"] for event in client.of("checked")} >= undecided, within_s=60
    )
    consumer.close_input()
    consumer.finish()
    assert set(consumer.received_keys()) == committed
