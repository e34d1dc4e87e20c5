# SPDX-License-Identifier: Apache-2.0
"""What each mode promises when a server dies, seen by official clients that run on."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from .harness.waiting import wait_for

if TYPE_CHECKING:
    from .conftest import Figures, StartClient, StartCluster
    from .harness.client import ClientProcess
    from .harness.cluster import Broker, Cluster

ROUNDS = int(os.environ.get("INTEROP_FAILOVER_ROUNDS", "2"))
# A client asks for the route every 30 s; a master that came back sooner would hide a slave that serves nobody.
KEPT_DOWN_S = 45.0
# One poll of the route, one retry of a pull, and air for a busy machine.
ROUTE_DEADLINE_S = 90.0
TOPIC = "Failover"


@pytest.mark.timeout(180 + 180 * ROUNDS)
def test_a_killed_master_costs_no_acknowledged_message_and_its_slave_serves_what_was_left(
    start_cluster: StartCluster, start_client: StartClient, figures: Figures
) -> None:
    cluster = start_cluster("2m-2s-sync", namesrv_count=2)
    cluster.create_topic(TOPIC)
    consumer = start_client("push", namesrv=cluster.namesrv_addr, topic=TOPIC, deadline_millis=10**9).wait_ready()
    producer = start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, pause_millis=5).wait_ready()
    for turn in range(ROUNDS):
        _kill_and_return(cluster, cluster.masters()[turn % 2], producer, consumer)
    producer.close_input()
    producer.finish()
    acknowledged = set(producer.acknowledged())
    consumer.wait(
        "every acknowledged message",
        lambda seen: acknowledged <= set(seen.received_keys()),
        within_s=ROUTE_DEADLINE_S,
    )
    consumer.close_input()
    done = consumer.finish()
    lost = len(acknowledged - set(consumer.received_keys()))
    duplicated = done["received"] - done["distinct"]
    figures(f"rounds {ROUNDS}, acknowledged {len(acknowledged)}, lost {lost}, duplicated {duplicated}")


def _kill_and_return(cluster: Cluster, master: Broker, producer: ClientProcess, consumer: ClientProcess) -> None:
    """One round: messages are left unread on the master, it dies, its slave gives them out, it comes back."""
    name, slave = master.plan.broker_name, cluster.slave_of(master)
    _wait_acknowledged_by(producer, name, 50, "before its death")
    consumer.freeze()
    _wait_acknowledged_by(producer, name, 100, "while the consumer stands still")
    master.server.kill()
    died = time.monotonic()
    left = {sent["key"] for sent in producer.of("sent") if sent["broker"] == name and sent["status"] == "SEND_OK"}
    left -= set(consumer.received_keys())
    assert left
    consumer.thaw()
    other = next(other for other in cluster.masters() if other is not master)
    _wait_acknowledged_by(producer, other.plan.broker_name, 200, f"while {name} is down")
    consumer.wait(
        f"the {len(left)} messages left on {name}",
        lambda seen: left <= set(seen.received_keys()),
        within_s=ROUTE_DEADLINE_S,
    )
    # What the client had fetched before it stood still came from the master; all the rest only the slave can give.
    served_by = {received["servedBy"] for received in consumer.of("received") if received["key"] in left}
    assert slave.address in served_by, served_by
    wait_for(f"{KEPT_DOWN_S:g} s of outage", lambda: time.monotonic() - died >= KEPT_DOWN_S, within_s=KEPT_DOWN_S)
    assert not master.server.is_alive
    cluster.start_brokers([master])
    _wait_acknowledged_by(producer, name, 50, "after its return")


def _wait_acknowledged_by(producer: ClientProcess, broker_name: str, more: int, when: str) -> None:
    def count(client: ClientProcess) -> int:
        return sum(1 for sent in client.of("sent") if sent["broker"] == broker_name and sent["status"] == "SEND_OK")

    before = count(producer)
    producer.wait(
        f"{more} acknowledgements of {broker_name} {when}",
        lambda client: count(client) >= before + more,
        within_s=ROUTE_DEADLINE_S,
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_without_its_slave_a_sync_master_never_answers_send_ok(
    fault: str, start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("2m-2s-sync")
    cluster.create_topic(TOPIC)
    master = cluster.masters()[0]
    slave = cluster.slave_of(master)

    def send(count: int, first: int) -> ClientProcess:
        options = {"topic": TOPIC, "broker": master.plan.broker_name, "retries": 0, "timeout_millis": 15_000}
        producer = start_client("produce", namesrv=cluster.namesrv_addr, count=count, first=first, **options)
        producer.finish(within_s=120)
        return producer

    assert len(send(5, first=0).acknowledged()) == 5
    if fault == "killed":
        slave.server.kill()
    else:
        slave.server.freeze()
    without_slave = send(5, first=100)
    assert without_slave.acknowledged() == []
    statuses = {sent["status"] for sent in without_slave.of("sent")}
    assert statuses <= {"FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE"}, without_slave.tail()
    if fault == "killed":
        cluster.start_brokers([slave])
    else:
        slave.server.thaw()
        cluster.wait_in_sync(master)
    assert len(send(5, first=200).acknowledged()) == 5


@pytest.mark.timeout(240)
def test_unread_messages_of_a_dead_master_without_slave_arrive_after_its_return(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("2m-noslave")
    cluster.create_topic(TOPIC)
    dead, alive = cluster.masters()
    keys = {}
    for first, master in ((0, dead), (1000, alive)):
        options = {"topic": TOPIC, "broker": master.plan.broker_name}
        producer = start_client("produce", namesrv=cluster.namesrv_addr, count=200, first=first, **options)
        producer.finish()
        keys[master.node] = set(producer.acknowledged())
        assert len(keys[master.node]) == 200
    dead.server.kill()
    consumer = start_client("push", namesrv=cluster.namesrv_addr, topic=TOPIC, expect=401, deadline_millis=10**9)
    consumer.wait(
        "the messages of the living master",
        lambda seen: keys[alive.node] <= set(seen.received_keys()),
        within_s=ROUTE_DEADLINE_S,
    )
    assert not keys[dead.node] & set(consumer.received_keys())
    sends_go_on = start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, count=20, prefix="later")
    sends_go_on.finish()
    assert len(sends_go_on.acknowledged()) == 20
    cluster.start_brokers([dead])
    consumer.wait(
        "the messages of the returned master",
        lambda seen: keys[dead.node] <= set(seen.received_keys()),
        within_s=ROUTE_DEADLINE_S,
    )


@pytest.mark.timeout(180)
def test_a_killed_single_master_has_every_acknowledged_message_after_its_return(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("single-master")
    producer = start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, mode="async").wait_ready()
    producer.wait("acknowledgements", lambda client: len(client.acknowledged()) >= 2000, within_s=60)
    (master,) = cluster.masters()
    master.server.kill()
    producer.close_input()
    producer.finish(within_s=120)
    cluster.start_brokers([master])
    acknowledged = set(producer.acknowledged())
    consumer = start_client("push", namesrv=cluster.namesrv_addr, topic=TOPIC, deadline_millis=10**9)
    consumer.wait(
        "every acknowledged message",
        lambda seen: acknowledged <= set(seen.received_keys()),
        within_s=ROUTE_DEADLINE_S,
    )
