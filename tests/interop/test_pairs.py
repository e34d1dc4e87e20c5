# SPDX-License-Identifier: Apache-2.0
"""Pairs of which each half may be of either engine, and may come back as the other: an official producer sends all the
time, an official consumer watches, and nothing that was acknowledged is lost.

Long: a Java slave copies its master's topics once a minute, and a failover keeps the master down for 45 s.
"""

from __future__ import annotations

import functools
import itertools
import os
from typing import TYPE_CHECKING

import pytest

from .harness import contents, failover
from .harness.engine import ENGINES, Engine
from .harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .conftest import PrintFigures, StartClient, StartCluster
    from .harness.client import ClientProcess
    from .harness.cluster import Broker, Cluster

pytestmark = pytest.mark.long

TOPIC = "Pairs"
QUEUES = 4
FOREVER_MILLIS = 10**9
ROUNDS = int(os.environ.get("INTEROP_FAILOVER_ROUNDS", "2"))
RESTARTS = int(os.environ.get("INTEROP_PAIR_RESTARTS", "8"))
NAMES = tuple(ENGINES)


def other_than(engine: Engine) -> Engine:
    return next(one for one in ENGINES.values() if one is not engine)


class HandingOver:
    """A cluster in which a killed master comes back as the other engine, on its own store."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def masters(self) -> Sequence[Broker]:
        return self.cluster.masters()

    def slave_of(self, master: failover.Member) -> Broker:
        return self.cluster.slave_of(master)

    def bring_back(self, master: failover.Member) -> None:
        (broker,) = [one for one in self.cluster.masters() if one is master]
        self.cluster.hand_over(broker, other_than(broker.engine))
        self.cluster.bring_back(broker)


def start_clients(cluster: Cluster, start_client: StartClient) -> tuple[ClientProcess, ClientProcess]:
    """A producer and a consumer."""
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    consumer = start_client("push", deadline_millis=FOREVER_MILLIS, **options).wait_ready()
    return start_client("produce", pause_millis=20, **options).wait_ready(), consumer


def wait_same(master: Broker, slave: Broker) -> None:
    """The slave has the master's messages, byte by byte."""

    def is_even() -> bool:
        return all(
            contents.max_offset(master.address, TOPIC, queue_id) == contents.max_offset(slave.address, TOPIC, queue_id)
            for queue_id in range(QUEUES)
        )

    wait_for(f"{slave.node} at the end of its master", is_even, within_s=60, detail=slave.server.tail)
    read = functools.partial(contents.read_topic, topic=TOPIC, queue_count=QUEUES)
    assert read(slave.address) == read(master.address)


def wait_all_same(cluster: Cluster) -> None:
    for master in cluster.masters():
        for slave in cluster.slaves_of(master):
            wait_same(master, slave)


@pytest.mark.timeout(300 + 200 * ROUNDS)
@pytest.mark.parametrize("slave", NAMES)
def test_a_killed_master_comes_back_as_the_other_engine(
    engine: Engine, slave: str, start_cluster: StartCluster, start_client: StartClient, print_figures: PrintFigures
) -> None:
    cluster = start_cluster("2m-2s-sync", namesrv_engines=(ENGINES["python"],), slave_engines=(ENGINES[slave],))
    cluster.create_topic(TOPIC)
    producer, consumer = start_clients(cluster, start_client)
    figures = failover.play(HandingOver(cluster), producer, consumer, rounds=ROUNDS)
    wait_all_same(cluster)
    print_figures(figures.text())
    assert figures.lost == 0


@pytest.mark.timeout(300 + 200 * ROUNDS)
@pytest.mark.parametrize("slaves", list(itertools.permutations(NAMES)), ids="-".join)
def test_two_slaves_of_both_engines_under_one_master(
    engine: Engine,
    slaves: tuple[str, ...],
    start_cluster: StartCluster,
    start_client: StartClient,
    print_figures: PrintFigures,
) -> None:
    both = tuple(ENGINES[name] for name in slaves)
    cluster = start_cluster("2m-2s-sync", namesrv_engines=(ENGINES["python"],), slave_engines=both)
    cluster.create_topic(TOPIC)
    producer, consumer = start_clients(cluster, start_client)
    figures = failover.play(cluster, producer, consumer, rounds=ROUNDS)
    wait_all_same(cluster)
    print_figures(figures.text())
    assert figures.lost == 0


@pytest.mark.timeout(300 + 90 * RESTARTS)
@pytest.mark.parametrize("slave", NAMES)
def test_a_chain_of_restarts_in_which_each_end_makes_way_for_the_other_engine(
    engine: Engine, slave: str, start_cluster: StartCluster, start_client: StartClient, print_figures: PrintFigures
) -> None:
    """Slave and master of one pair by turns; two of each four are killed, two stopped."""
    cluster = start_cluster("2m-2s-sync", namesrv_engines=(ENGINES["python"],), slave_engines=(ENGINES[slave],))
    cluster.create_topic(TOPIC)
    producer, consumer = start_clients(cluster, start_client)
    master = cluster.masters()[0]
    both = (cluster.slave_of(master), master)
    for turn in range(RESTARTS):
        before = len(producer.acknowledged())
        producer.wait("sends", lambda one, count=before: len(one.acknowledged()) >= count + 100, within_s=90)  # type: ignore[misc]
        broker = both[turn % 2]
        if turn // 2 % 2 == 0:
            broker.kill()
        else:
            broker.server.stop()
        cluster.hand_over(broker, other_than(broker.engine))
        cluster.start_brokers([broker])
    producer.close_input()
    producer.finish()
    acknowledged = set(producer.acknowledged())
    failover.wait_received(consumer, acknowledged, "every acknowledged message")
    wait_all_same(cluster)
    consumer.close_input()
    done = consumer.finish()
    lost = len(acknowledged - set(consumer.received_keys()))
    duplicated = done["received"] - done["distinct"]
    print_figures(f"restarts {RESTARTS}, acknowledged {len(acknowledged)}, lost {lost}, duplicated {duplicated}")
    assert lost == 0
