# SPDX-License-Identifier: Apache-2.0
"""Push consumers whose queues the broker assigns (setClientRebalance(false)), and which pop where the group says so;
and the pops of Apache's proxy."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from .harness import wire
from .harness.client import MqadminShell
from .harness.engine import ENGINES
from .harness.waiting import wait_for

if TYPE_CHECKING:
    from .conftest import StartClient, StartCluster
    from .harness.cluster import Cluster
    from .harness.engine import Engine

TOPIC = "Popped"
GROUP = "interop-pop"
COUNT = 100
#: Of the keys: ten of the hundred.
SPECIAL = "k000001"
SPECIAL_KEYS = [f"{SPECIAL}{number}" for number in range(10)]
ALL_KEYS = [f"k{number:07}" for number in range(COUNT)]
#: The least that the client takes.
INVISIBLE_MILLIS = 5_000
FOREVER_MILLIS = 10**9


def set_consume_mode(cluster: Cluster, mode: str = "POP") -> None:
    with MqadminShell(cluster.directory, cluster.namesrv_addr, home=cluster.directory) as shell:
        for command in (
            ("updateSubGroup", "-c", "DefaultCluster", "-g", GROUP),
            ("setConsumeMode", "-c", "DefaultCluster", "-t", TOPIC, "-g", GROUP, "-m", mode, "-q", "0"),
        ):
            result = shell.run(*command)
            assert "success" in result.stdout, result


@pytest.mark.both
@pytest.mark.timeout(240)
def test_pop_consumers_get_each_message_once_and_again_what_they_give_back(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    set_consume_mode(cluster)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    consumers = [start_client("pop", **options, later=SPECIAL, deadline_millis=FOREVER_MILLIS) for _ in range(2)]
    for consumer in consumers:
        consumer.wait_ready()
    start_client("produce", **options, mode="async", count=COUNT).finish()

    def received() -> Counter[str]:
        return Counter(key for consumer in consumers for key in consumer.received_keys())

    wanted = Counter(ALL_KEYS) + Counter(SPECIAL_KEYS)
    wait_for("all messages, some twice", lambda: not wanted - received(), within_s=90, detail=cluster.tails)
    assert received() == wanted
    events = [event for consumer in consumers for event in consumer.of("received")]
    assert {event["servedBy"] for event in events} == {"pop"}
    assert all(event["intact"] for event in events)
    assert {event["key"] for event in events if event["reconsumeTimes"]} == set(SPECIAL_KEYS)


@pytest.mark.timeout(240)
def test_consumers_without_rebalance_of_their_own_pull_what_the_broker_assigns(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("2m-noslave")
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    consumers = [start_client("pop", **options, deadline_millis=FOREVER_MILLIS) for _ in range(2)]
    for consumer in consumers:
        consumer.wait_ready()
    start_client("produce", **options, mode="async", count=COUNT).finish()

    def received() -> set[str]:
        return {key for consumer in consumers for key in consumer.received_keys()}

    wait_for("all messages", lambda: received() == set(ALL_KEYS), within_s=60, detail=cluster.tails)
    assert {event["servedBy"] for consumer in consumers for event in consumer.of("received")} == {"pull"}


@pytest.mark.both
@pytest.mark.timeout(240)
def test_messages_acknowledged_many_in_one_request_do_not_come_again(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    """Code 200151 is in nobody's public API: Apache's proxy sends it, by the part of the client that is used here."""
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    (master,) = cluster.masters()
    start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, mode="async", count=COUNT).finish()
    options = {"address": master.address, "broker": master.broker_name, "topic": TOPIC, "group": GROUP}
    options["invisible_millis"] = str(INVISIBLE_MILLIS)
    first = start_client("pop-batch", **options, leave=SPECIAL, expect=COUNT, deadline_millis=60_000)
    first.finish(within_s=90)
    assert sorted(first.received_keys()) == ALL_KEYS
    acknowledged = first.of("acknowledged")
    assert {event["status"] for event in acknowledged} == {"OK"}
    assert sum(event["count"] for event in acknowledged) == COUNT - len(SPECIAL_KEYS)
    assert max(event["count"] for event in acknowledged) > 1, "each came by itself: nothing was acknowledged together"
    second = start_client("pop-batch", **options, deadline_millis=FOREVER_MILLIS)
    second.wait("the open messages", lambda client: len(client.received_keys()) >= len(SPECIAL_KEYS), within_s=60)
    second.close_input()
    second.finish()
    assert sorted(second.received_keys()) == SPECIAL_KEYS


@pytest.mark.timeout(240)
def test_messages_of_a_dead_pop_consumer_go_to_another(start_cluster: StartCluster, start_client: StartClient) -> None:
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    set_consume_mode(cluster)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC, "deadline_millis": FOREVER_MILLIS}
    dead = start_client("pop", **options, hang=SPECIAL, invisible_millis=4 * INVISIBLE_MILLIS).wait_ready()
    start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, mode="async", count=COUNT).finish()
    dead.wait("all messages", lambda client: set(client.received_keys()) == set(ALL_KEYS), within_s=60)
    wait_acknowledged(cluster, COUNT - len(SPECIAL_KEYS))
    dead.kill()
    other = start_client("pop", **options).wait_ready()
    other.wait("the open messages", lambda client: len(client.received_keys()) >= len(SPECIAL_KEYS), within_s=90)
    assert sorted(other.received_keys()) == SPECIAL_KEYS


@pytest.mark.timeout(240)
def test_broker_killed_forgets_no_acknowledgement_and_gives_the_rest_again(
    engine: Engine, start_cluster: StartCluster, start_client: StartClient
) -> None:
    """Apache's broker loses the group's offsets of the last five seconds: it may give again what is acknowledged."""
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    set_consume_mode(cluster)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC, "deadline_millis": FOREVER_MILLIS}
    start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, mode="async", count=COUNT).finish()
    hanging = start_client("pop", **options, hang=SPECIAL, invisible_millis=4 * INVISIBLE_MILLIS).wait_ready()
    hanging.wait("all messages", lambda client: set(client.received_keys()) == set(ALL_KEYS), within_s=60)
    wait_acknowledged(cluster, COUNT - len(SPECIAL_KEYS))
    (master,) = cluster.masters()
    hanging.kill()
    master.kill()
    cluster.start_brokers([master])
    other = start_client("pop", **options).wait_ready()
    other.wait("the open messages", lambda client: set(SPECIAL_KEYS) <= set(client.received_keys()), within_s=90)
    if engine.name == "python":
        assert sorted(other.received_keys()) == SPECIAL_KEYS


@pytest.mark.timeout(300)
def test_apaches_broker_goes_on_with_the_check_points_of_this_one(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    """It may give the open messages again before their time; never what is acknowledged."""
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    set_consume_mode(cluster)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC, "deadline_millis": FOREVER_MILLIS}
    start_client("produce", namesrv=cluster.namesrv_addr, topic=TOPIC, mode="async", count=COUNT).finish()
    hanging = start_client("pop", **options, hang=SPECIAL, invisible_millis=4 * INVISIBLE_MILLIS).wait_ready()
    hanging.wait("all messages", lambda client: set(client.received_keys()) == set(ALL_KEYS), within_s=60)
    wait_acknowledged(cluster, COUNT - len(SPECIAL_KEYS))
    hanging.kill()
    (master,) = cluster.masters()
    master.server.stop()
    cluster.hand_over(master, ENGINES["apache"])
    cluster.start_brokers([master])
    other = start_client("pop", **options).wait_ready()
    other.wait("the open messages", lambda client: set(SPECIAL_KEYS) <= set(client.received_keys()), within_s=90)
    assert sorted(other.received_keys()) == SPECIAL_KEYS


def wait_acknowledged(cluster: Cluster, count: int) -> None:
    """As many acknowledgements are in the revive topic, or in the timer on their way there."""
    (master,) = cluster.masters()
    queues = [("rmq_sys_REVIVE_LOG_DefaultCluster", number) for number in range(8)] + [("rmq_sys_wheel_timer", 0)]

    def stored() -> int:
        found = {key for topic, queue_id in queues for key in acknowledgements(master.address, topic, queue_id)}
        return len(found)

    wait_for(f"{count} acknowledgements", lambda: stored() == count, within_s=30, detail=cluster.tails)


def acknowledgements(address: str, topic: str, queue_id: int) -> set[bytes]:
    """Unique keys of the acks in one queue."""
    found: set[bytes] = set()
    offset = 0
    while True:
        fields = {"consumerGroup": "TOOLS_CONSUMER", "topic": topic, "queueId": str(queue_id), "maxMsgNums": "32"}
        fields |= {"queueOffset": str(offset), "sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0"}
        answer = wire.ask(address, 11, {**fields, "subscription": "*", "subVersion": "1", "expressionType": "TAG"})
        if answer.code != 0:
            return found
        found.update(re.findall(rb"UNIQ_KEY\x01([^\x02]*@ack)\x02", answer.body))
        offset = int(answer.fields["nextBeginOffset"])
