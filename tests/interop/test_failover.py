# SPDX-License-Identifier: Apache-2.0
"""What each mode promises when a server dies, seen by official clients that run on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .harness import failover

if TYPE_CHECKING:
    from .conftest import PrintFigures, StartClient, StartCluster
    from .harness.client import ClientProcess

ROUNDS = int(os.environ.get("INTEROP_FAILOVER_ROUNDS", "2"))
TOPIC = "Failover"
FOREVER_MILLIS = 10**9


@pytest.mark.timeout(180 + 180 * ROUNDS)
def test_a_killed_master_costs_no_acknowledged_message_and_its_slave_serves_what_was_left(
    start_cluster: StartCluster, start_client: StartClient, print_figures: PrintFigures
) -> None:
    cluster = start_cluster("2m-2s-sync", namesrv_count=2)
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    consumer = start_client("push", deadline_millis=FOREVER_MILLIS, **options).wait_ready()
    producer = start_client("produce", pause_millis=5, **options).wait_ready()
    figures = failover.play(cluster, producer, consumer, rounds=ROUNDS)
    print_figures(figures.text())
    assert figures.lost == 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", [pytest.param("killed", marks=pytest.mark.both), "frozen"])
def test_without_its_slave_a_sync_master_never_answers_send_ok(
    fault: str, start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("2m-2s-sync")
    cluster.create_topic(TOPIC)
    master = cluster.masters()[0]
    slave = cluster.slave_of(master)

    def send(first: int) -> ClientProcess:
        # Side by side: each is answered when the broker has waited 5 s for the slave.
        options = {"topic": TOPIC, "broker": master.broker_name, "mode": "async", "retries": 0}
        options |= {"timeout_millis": 15_000}
        producer = start_client("produce", namesrv=cluster.namesrv_addr, count=5, first=first, **options)
        producer.finish(within_s=120)
        return producer

    assert len(send(first=0).acknowledged()) == 5
    if fault == "killed":
        slave.kill()
    else:
        slave.server.freeze()
    without_slave = send(first=100)
    assert without_slave.acknowledged() == []
    statuses = {sent["status"] for sent in without_slave.of("sent")}
    assert statuses <= {"FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE"}, without_slave.tail()
    if fault == "killed":
        cluster.start_brokers([slave])
    else:
        slave.server.thaw()
        cluster.wait_in_sync(master)
    assert len(send(first=200).acknowledged()) == 5


@pytest.mark.timeout(300)
def test_unread_messages_of_a_dead_master_without_slave_arrive_after_its_return(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("2m-noslave")
    cluster.create_topic(TOPIC)
    dead, alive = cluster.masters()
    keys = {}
    for first, master in ((0, dead), (1000, alive)):
        options = {"topic": TOPIC, "broker": master.broker_name}
        producer = start_client("produce", namesrv=cluster.namesrv_addr, count=200, first=first, **options)
        producer.finish()
        keys[master.node] = set(producer.acknowledged())
        assert len(keys[master.node]) == 200
    dead.kill()
    consumer = start_client("push", namesrv=cluster.namesrv_addr, topic=TOPIC, deadline_millis=FOREVER_MILLIS)
    failover.wait_received(consumer, keys[alive.node], "the messages of the living master")
    assert not keys[dead.node] & set(consumer.received_keys())
    sends_go_on = start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, count=20, prefix="later")
    sends_go_on.finish()
    assert len(sends_go_on.acknowledged()) == 20
    cluster.start_brokers([dead])
    failover.wait_received(consumer, keys[dead.node], "the messages of the returned master")


@pytest.mark.timeout(240)
def test_a_killed_single_master_has_every_acknowledged_message_after_its_return(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("single-master")
    producer = start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, mode="async").wait_ready()
    producer.wait("acknowledgements", lambda client: len(client.acknowledged()) >= 2000, within_s=60)
    (master,) = cluster.masters()
    master.kill()
    producer.close_input()
    producer.finish(within_s=120)
    cluster.start_brokers([master])
    consumer = start_client("push", namesrv=cluster.namesrv_addr, topic=TOPIC, deadline_millis=FOREVER_MILLIS)
    failover.wait_received(consumer, set(producer.acknowledged()), "every acknowledged message")
