# SPDX-License-Identifier: Apache-2.0
"""2m-2s-sync on six hosts with systemd, seen from inside the hosts and from a client outside of them.

Molecule runs this after the second run of the playbook (extensions/molecule/2m-2s-sync).
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import testinfra
from tests.interop.harness import failover, wire
from tests.interop.harness.client import ClientProcess, create_topic
from tests.interop.harness.containers import ContainerBroker, ContainerCluster
from tests.interop.harness.waiting import wait_for

if TYPE_CHECKING:
    from testinfra.host import Host

NETWORK = "172.31.76"
NAMESRVS = {"rmq-ns-1": f"{NETWORK}.11:9876", "rmq-ns-2": f"{NETWORK}.12:9876"}
BROKERS = (
    ContainerBroker("rmq-broker-a", "broker-a", 0, f"{NETWORK}.21:10911"),
    ContainerBroker("rmq-broker-a-s", "broker-a", 1, f"{NETWORK}.22:10911"),
    ContainerBroker("rmq-broker-b", "broker-b", 0, f"{NETWORK}.23:10911"),
    ContainerBroker("rmq-broker-b-s", "broker-b", 1, f"{NETWORK}.24:10911"),
)
CLUSTER = ContainerCluster(tuple(NAMESRVS.values()), BROKERS)
NODES = (*NAMESRVS, *(broker.container for broker in BROKERS))
HOME = "/var/lib/rocketmq/DefaultCluster"


def host_of(node: str) -> Host:
    return testinfra.get_host(f"docker://{node}")


def unit_of(node: str) -> str:
    return f"rocketmq-DefaultCluster-{node}.service"


def show(node: str, name: str) -> str:
    """A property of the node's unit."""
    return str(host_of(node).check_output(f"systemctl show --property {name} --value {unit_of(node)}")).strip()


@pytest.mark.parametrize("node", NODES)
def test_a_node_is_an_enabled_unit_of_its_own_user(node: str) -> None:
    service = host_of(node).service(unit_of(node))
    assert service.is_running
    assert service.is_enabled
    process = host_of(node).process.get(pid=int(show(node, "MainPID")))
    assert process.user == "rocketmq"
    assert show(node, "Restart") == "on-failure"
    assert show(node, "NRestarts") == "0"


@pytest.mark.parametrize("node", NODES)
def test_the_second_run_left_the_process_alone(node: str) -> None:
    first_run = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / f"{node}.pid"
    assert show(node, "MainPID") == first_run.read_text().strip()


@pytest.mark.parametrize("broker", BROKERS, ids=lambda broker: broker.container)
@pytest.mark.parametrize("namesrv", NAMESRVS.values(), ids=NAMESRVS)
def test_every_name_server_lists_every_broker(namesrv: str, broker: ContainerBroker) -> None:
    assert wire.lists_broker(namesrv, broker.broker_name, broker.broker_id, broker.address)


@pytest.mark.parametrize("master", CLUSTER.masters(), ids=lambda broker: broker.container)
def test_the_slave_is_in_sync(master: ContainerBroker) -> None:
    assert wire.in_sync_slaves(master.address) == 1


@pytest.mark.timeout(180)
def test_a_client_outside_of_the_hosts_sends_and_receives(tmp_path: Path) -> None:
    create_topic(tmp_path, CLUSTER.namesrv_addr, "FromOutside")
    options = {"namesrv": CLUSTER.namesrv_addr, "topic": "FromOutside"}
    with ClientProcess(tmp_path, "produce", count=1000, mode="async", **options) as producer:
        producer.finish()
        assert len(producer.acknowledged()) == 1000
    with ClientProcess(tmp_path, "push", expect=1000, **options) as consumer:
        assert consumer.finish()["distinct"] == 1000


@pytest.mark.timeout(400)
def test_a_master_whose_host_is_gone_costs_no_acknowledged_message(tmp_path: Path) -> None:
    create_topic(tmp_path, CLUSTER.namesrv_addr, "HostGone")
    for slave in (broker for broker in BROKERS if broker.broker_id):
        wait_for("topic at the slave", functools.partial(wire.knows_topic, slave.address, "HostGone"), within_s=30)
    options = {"namesrv": CLUSTER.namesrv_addr, "topic": "HostGone"}
    with (
        ClientProcess(tmp_path, "push", deadline_millis=10**9, **options) as consumer,
        ClientProcess(tmp_path, "produce", pause_millis=5, **options) as producer,
    ):
        consumer.wait_ready()
        producer.wait_ready()
        figures = failover.play(CLUSTER, producer, consumer, rounds=1)
    assert figures.lost == 0


def test_a_stopped_unit_has_closed_its_store_cleanly() -> None:
    node = "rmq-broker-b-s"
    host = host_of(node)
    store = f"{HOME}/nodes/{node}/store"
    assert host.file(f"{store}/abort").exists
    host.check_output(f"systemctl stop {unit_of(node)}")
    assert not host.file(f"{store}/abort").exists
    host.check_output(f"systemctl start {unit_of(node)}")
    master = CLUSTER.masters()[1]
    wait_for("slave in sync again", lambda: wire.in_sync_slaves(master.address) == 1, within_s=60)
