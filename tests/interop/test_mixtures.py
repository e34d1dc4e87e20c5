# SPDX-License-Identifier: Apache-2.0
"""Both engines in one cluster: name servers of both kinds in one list, brokers under the other's name servers, and
pairs of which one half is Apache's, and a broker of Apache's that only asks whether it has to register."""

from __future__ import annotations

import functools
import json
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from .harness import failover, wire
from .harness.client import create_topic, mqadmin
from .harness.cluster import Cluster
from .harness.engine import ENGINES, Engine
from .harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import PrintFigures, StartClient, StartCluster

TOPIC = "Mixed"
COUNT = 500
FOREVER_MILLIS = 10**9
ROUNDS = int(os.environ.get("INTEROP_FAILOVER_ROUNDS", "1"))
ROUTE_WITHIN_S = 60.0
#: A name server forgets a broker that was silent for 120 s, and looks once in 5 s.
FORGOTTEN_AFTER_S = 130.0


def other_than(engine: Engine) -> Engine:
    return next(one for one in ENGINES.values() if one is not engine)


def routes(cluster: Cluster, topic: str) -> list[Any]:
    """What each name server says of a topic and of the brokers, in one order."""
    found: list[Any] = []
    for namesrv in cluster.namesrvs:
        route = wire.ask(namesrv.address, wire.GET_ROUTEINFO_BY_TOPIC, {"topic": topic})
        if route.code != 0:
            found.append(route.code)
            continue
        answer = route.json()
        answer["brokerDatas"].sort(key=lambda broker: broker["brokerName"])
        answer["queueDatas"].sort(key=lambda queue: queue["brokerName"])
        clusters = wire.ask(namesrv.address, wire.GET_BROKER_CLUSTER_INFO).json()
        clusters["clusterAddrTable"] = {name: sorted(brokers) for name, brokers in clusters["clusterAddrTable"].items()}
        found.append((answer, clusters))
    return found


def agree(cluster: Cluster, topic: str) -> bool:
    first, *others = routes(cluster, topic)
    return all(one == first for one in others)


def wait_agreed(cluster: Cluster, topic: str) -> None:
    wait_for(
        f"one route of {topic} at both kinds of name server",
        functools.partial(agree, cluster, topic),
        within_s=ROUTE_WITHIN_S,
        detail=lambda: str(routes(cluster, topic)),
    )


class AskingBroker:
    """Apache's broker with forceRegister=false under a name server of each kind, and when it registered last."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        (self.broker,) = cluster.masters()
        self.registered = time.monotonic()

    def versions(self, known: dict[str, Any], *, address: str = "") -> list[tuple[str, Any]]:
        """What each name server says to a broker that is at this version: whether it changed, and the one it has."""
        plan = self.broker.plan
        fields = {"clusterName": "DefaultCluster", "brokerAddr": address or self.broker.address}
        fields |= {"brokerName": plan.broker_name, "brokerId": str(plan.broker_id)}
        body = json.dumps(known).encode()
        answers = [wire.ask(one.address, wire.QUERY_DATA_VERSION, fields, body) for one in self.cluster.namesrvs]
        assert [answer.code for answer in answers] == [0, 0]
        return [(answer.fields["changed"], answer.json() if answer.body else None) for answer in answers]

    def create_topic(self, topic: str, *, at: str) -> None:
        create_topic(self.cluster.directory, at, topic)
        self.registered = time.monotonic()

    def is_listed(self) -> bool:
        plan, address = self.broker.plan, self.broker.address
        return all(
            wire.lists_broker(namesrv.address, plan.broker_name, plan.broker_id, address)
            for namesrv in self.cluster.namesrvs
        )


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskingBroker]:
    """Through all cases of this file, so that the time in which it only asks passes beside them."""
    with ExitStack() as stack:
        cluster = Cluster(
            ENGINES["apache"],
            tmp_path_factory.mktemp("asking") / "cluster",
            "single-master",
            namesrv_engines=(ENGINES["python"], ENGINES["apache"]),
            settings={"forceRegister": "false"},
        )
        yield AskingBroker(stack.enter_context(cluster).start())


@pytest.mark.timeout(300)
def test_a_broker_that_asks_first_registers_where_something_has_changed(asking: AskingBroker) -> None:
    cluster = asking.cluster
    python, apache = cluster.namesrvs
    nothing = {"stateVersion": 0, "timestamp": 0, "counter": 0}
    asking.create_topic("Known", at=cluster.namesrv_addr)
    wait_agreed(cluster, "Known")
    (changed, version), other = asking.versions(nothing)
    assert changed == "true"
    assert other == (changed, version)
    assert asking.versions(version) == [("false", version)] * 2
    # A broker that neither has ever seen.
    assert asking.versions(version, address="127.0.0.1:1") == [("true", None)] * 2

    # One that comes back knows nothing; the broker hears of it when it asks.
    python.kill()
    asking.create_topic("Missed", at=apache.address)
    python.start()
    python.wait_booted()
    wait_agreed(cluster, "Missed")
    asking.registered = time.monotonic()
    assert asking.is_listed()


@pytest.mark.timeout(300)
def test_name_servers_of_both_kinds_in_one_list(
    engine: Engine, start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("2m-noslave", namesrv_engines=(ENGINES["apache"], ENGINES["python"]))
    cluster.create_topic(TOPIC)
    wait_agreed(cluster, TOPIC)

    for namesrv in cluster.namesrvs:
        options = {"namesrv": namesrv.address, "topic": TOPIC}
        producer = start_client("produce", mode="async", count=COUNT, **options)
        producer.finish(within_s=120)
        assert len(producer.acknowledged()) == COUNT, producer.tail()

    consumer = start_client(
        "push", namesrv=cluster.namesrv_addr, topic=TOPIC, expect=2 * COUNT, deadline_millis=FOREVER_MILLIS
    ).wait_ready()
    consumer.wait("every message", lambda one: len(one.received_keys()) >= 2 * COUNT, within_s=120)

    masters = cluster.masters()
    directory, names = cluster.directory, cluster.namesrv_addr
    mqadmin(
        directory, names, "updateTopic", "-c", "DefaultCluster", "-t", "Ordered", "-w", "2", "-r", "2", "-o", "true"
    )
    wait_agreed(cluster, "Ordered")
    fields = {"namespace": "ORDER_TOPIC_CONFIG", "key": "Ordered"}
    orders = [wire.ask(namesrv.address, wire.GET_KV_CONFIG, fields).fields for namesrv in cluster.namesrvs]
    assert orders[0] == orders[1]
    assert {part.split(":")[0] for part in orders[0]["value"].split(";")} == {one.broker_name for one in masters}
    mqadmin(directory, names, "deleteTopic", "-c", "DefaultCluster", "-t", "Ordered")
    wait_for(
        "the deletion at both", lambda: all(code == 17 for code in routes(cluster, "Ordered")), within_s=ROUTE_WITHIN_S
    )

    def is_wiped() -> bool:
        """A registration that was under way, of the topic that is gone, brings the permission back: again then."""
        mqadmin(directory, names, "wipeWritePerm", "-b", masters[0].broker_name)
        perms = [{one["brokerName"]: one["perm"] for one in route["queueDatas"]} for route, _ in routes(cluster, TOPIC)]
        return all(perm[masters[0].broker_name] == 4 for perm in perms)

    wait_for("the permission of both", is_wiped, within_s=ROUTE_WITHIN_S)
    mqadmin(directory, names, "addWritePerm", "-b", masters[0].broker_name)

    cluster.namesrvs[0].kill()
    producer = start_client("produce", namesrv=names, topic=TOPIC, mode="sync", count=20, first=10_000)
    producer.finish(within_s=120)
    # A fresh client may ask the dead one for its first route, and fails that send.
    acknowledged = set(producer.acknowledged())
    assert len(acknowledged) >= 19, producer.tail()
    consumer.wait("what came after", lambda one: acknowledged <= set(one.received_keys()), within_s=120)


@pytest.mark.timeout(240 + 180 * ROUNDS)
def test_a_pair_of_both_engines_fails_over_and_back(
    engine: Engine, start_cluster: StartCluster, start_client: StartClient, print_figures: PrintFigures
) -> None:
    other = other_than(engine)
    cluster = start_cluster("2m-2s-sync", namesrv_engines=(other,), slave_engines=(other,))
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    consumer = start_client("push", deadline_millis=FOREVER_MILLIS, **options).wait_ready()
    producer = start_client("produce", pause_millis=20, **options).wait_ready()
    figures = failover.play(cluster, producer, consumer, rounds=ROUNDS)
    print_figures(figures.text())
    assert figures.lost == 0


@pytest.mark.timeout(300)
def test_a_broker_that_only_asks_stays_registered(asking: AskingBroker) -> None:
    """The last case of the file: most of the time has passed."""
    until = asking.registered + FORGOTTEN_AFTER_S
    wait_for(
        "the time after which a silent broker is forgotten",
        lambda: time.monotonic() >= until or not asking.is_listed(),
        within_s=FORGOTTEN_AFTER_S + 30,
    )
    assert asking.is_listed(), asking.cluster.tails()
