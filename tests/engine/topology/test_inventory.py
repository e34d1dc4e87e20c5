# SPDX-License-Identifier: Apache-2.0
"""Whole inventories beyond the wrong ones of the unit tests: mixtures that are right, and anything at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmq.topology import derive
from rmq.topology.fault import Fault, lines
from rmq.topology.inventory import check_topology, examine
from rmq.topology.keys import KEYS_OF
from rmq.topology.kind import Engine, Kind, Mode
from rmq.topology.node_reader import VARIABLES


def name_server(host: str, address: str, **variables: Any) -> dict[str, Any]:
    return {"host": host, "kind": "namesrv", "ansible_host": address, **variables}


def broker(host: str, address: str, name: str, broker_id: Any, **variables: Any) -> dict[str, Any]:
    node = {"host": host, "kind": "broker", "ansible_host": address}
    return {**node, "rocketmq_broker_name": name, "rocketmq_broker_id": broker_id, **variables}


def pairs_of(count: int, slaves: int, **variables: Any) -> list[dict[str, Any]]:
    nodes = [name_server("ns-1", "192.0.2.11"), name_server("ns-2", "192.0.2.12")]
    for pair in range(count):
        for broker_id in range(slaves + 1):
            address = f"198.51.100.{pair * 10 + broker_id}"
            nodes.append(broker(f"broker-{pair}-{broker_id}", address, f"broker-{pair}", broker_id, **variables))
    return nodes


@pytest.mark.parametrize(
    ("mode", "pairs", "slaves"),
    [
        ("single-master", 1, 0),
        ("2m-noslave", 2, 0),
        ("2m-noslave", 3, 0),
        ("2m-2s-async", 2, 1),
        ("2m-2s-async", 4, 2),
        ("2m-2s-sync", 2, 1),
        ("2m-2s-sync", 3, 3),
    ],
)
@pytest.mark.parametrize("engine", ["python", "apache"])
def test_numbers_of_a_mode_are_names_not_limits(mode: str, pairs: int, slaves: int, engine: str) -> None:
    assert check_topology(mode, pairs_of(pairs, slaves, rocketmq_engine=engine), resolved=True) == []


def test_crossed_pairs_on_two_machines_are_right_with_ports_apart() -> None:
    nodes = [
        name_server("ns-1", "192.0.2.21"),
        name_server("ns-2", "192.0.2.22"),
        broker("broker-a", "192.0.2.21", "broker-a", 0),
        broker("broker-b", "192.0.2.22", "broker-b", 0),
        broker("broker-a-s", "192.0.2.22", "broker-a", 1, rocketmq_listen_port=10921),
        broker("broker-b-s", "192.0.2.21", "broker-b", 1, rocketmq_listen_port="10921"),
    ]
    assert check_topology("2m-2s-sync", nodes, resolved=True) == []


def test_two_clusters_may_share_machines_and_inventory() -> None:
    orders, stock = {"rocketmq_cluster_name": "Orders"}, {"rocketmq_cluster_name": "Stock"}
    nodes = [
        name_server("ns-o", "192.0.2.21", **orders),
        name_server("ns-s", "192.0.2.21", rocketmq_listen_port=9886, **stock),
        broker("orders-a", "192.0.2.21", "broker-a", 0, **orders),
        broker("stock-a", "192.0.2.21", "broker-a", 0, rocketmq_listen_port=10921, **stock),
    ]
    topology, faults = examine("single-master", nodes, resolved=True)
    assert faults == []
    assert topology.namesrv_addr_of(topology.nodes[3]) == "192.0.2.21:9886"


def test_machines_behind_one_loopback_address_are_told_apart_by_their_ports() -> None:
    nodes = [
        name_server("ns-1", "127.0.0.1", ansible_port=2222, rocketmq_address="192.0.2.11"),
        broker("broker-a", "127.0.0.1", "broker-a", 0, ansible_port=2200, rocketmq_address="192.0.2.21"),
        broker("broker-b", "127.0.0.1", "broker-b", 0, ansible_port=2201, rocketmq_address="192.0.2.22"),
    ]
    assert check_topology("2m-noslave", nodes, resolved=True) == []


def test_address_is_looked_up_where_ansible_host_is_a_name() -> None:
    node = broker("broker-a", "alpha.example.org", "broker-a", 0, rocketmq_namesrv_addr="ns.example.org:9876")
    assert check_topology("single-master", [node]) == []
    assert [fault.name for fault in check_topology("single-master", [node], resolved=True)] == ["address-given"]
    topology, faults = examine("single-master", [{**node, "default_address": "192.0.2.21"}], resolved=True)
    assert faults == []
    assert derive.settings_of(topology, topology.nodes[0])["brokerIP1"] == "192.0.2.21"


def test_role_that_agrees_with_the_mode_may_be_written() -> None:
    nodes = pairs_of(2, 1, rocketmq_mode="2m-2s-sync")
    for node in nodes[2:]:
        role = "SLAVE" if node["rocketmq_broker_id"] else "SYNC_MASTER"
        node["rocketmq_broker_config"] = {"brokerRole": role, "listenPort": 10911, "brokerName": "broker-0"}
        node["rocketmq_broker_config"]["brokerName"] = node["rocketmq_broker_name"]
    assert check_topology("2m-2s-sync", nodes) == []


def test_one_slip_gives_one_fault() -> None:
    nodes = pairs_of(2, 1)
    nodes[2]["rocketmq_broker_id"] = "zero"
    assert [fault.name for fault in check_topology("2m-2s-sync", nodes)] == ["broker-id-integer"]
    nodes = pairs_of(2, 1)
    nodes[3]["rocketmq_broker_name"] = "broker 0"
    assert "broker-name-legal" in {fault.name for fault in check_topology("2m-2s-sync", nodes)}


def test_same_fault_of_a_whole_group_takes_one_line() -> None:
    faults = check_topology("2m-noslave", pairs_of(2, 0, rocketmq_mode="2m-2s-sync"))
    assert len(faults) == 2
    assert len(lines(faults)) == 1


@pytest.mark.parametrize(("slaves", "wanted", "expected"), [(1, None, "2"), (2, None, "3"), (3, 2, "2"), (3, 4, "4")])
def test_sync_master_waits_for_all_slaves_unless_told_for_fewer(slaves: int, wanted: int | None, expected: str) -> None:
    nodes = pairs_of(2, slaves, rocketmq_in_sync_replicas=wanted)
    topology, faults = examine("2m-2s-sync", nodes)
    assert faults == []
    masters = [node for node in topology.brokers if not node.is_slave]
    assert {derive.settings_of(topology, node)["inSyncReplicas"] for node in masters} == {expected}


def test_settings_of_the_user_win_over_our_defaults() -> None:
    nodes = pairs_of(1, 0, rocketmq_broker_config={"autoCreateTopicEnable": True, "fileReservedTime": 48})
    topology, faults = examine("single-master", nodes)
    assert faults == []
    settings_of_a = derive.settings_of(topology, topology.brokers[0])
    assert settings_of_a["autoCreateTopicEnable"] == "true"
    assert settings_of_a["fileReservedTime"] == "48"
    assert settings_of_a["cleanFileForciblyEnable"] == "false"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, {"bindAddresses": "198.51.100.0;127.0.0.1"}),
        ({"rocketmq_replication_address": "10.0.0.1"}, {"bindAddresses": "198.51.100.0;10.0.0.1;127.0.0.1"}),
        ({"rocketmq_check_address": False}, {}),
        ({"rocketmq_address": "alpha.example.org"}, {}),
        ({"rocketmq_engine": "apache"}, {}),
        ({"rocketmq_address": "127.0.0.1", "rocketmq_engine": "apache"}, {"bindAddress": "127.0.0.1"}),
    ],
)
def test_broker_listens_where_it_is_needed(variables: dict[str, Any], expected: dict[str, str]) -> None:
    topology, _ = examine("single-master", pairs_of(1, 0, **variables))
    found = derive.settings_of(topology, topology.brokers[0])
    assert {key: value for key, value in found.items() if key.startswith("bindAddress")} == expected


def test_name_server_takes_registrations_from_its_own_brokers() -> None:
    nodes = pairs_of(2, 1)
    nodes[2]["rocketmq_replication_address"] = "10.0.0.1"
    nodes.append(broker("other", "203.0.113.9", "other", 0, rocketmq_namesrv_addr="203.0.113.1:9876"))
    topology, _ = examine("2m-2s-async", nodes)
    assert derive.settings_of(topology, topology.nodes[0])["registrationNetworks"] == (
        "10.0.0.1;198.51.100.0;198.51.100.1;198.51.100.10;198.51.100.11"
    )


@pytest.mark.parametrize(
    "variables",
    [{"rocketmq_check_address": False}, {"rocketmq_address": "alpha.example.org"}, {"rocketmq_address": "127.0.0.1"}],
)
def test_registrations_are_left_to_the_default_where_addresses_are_not_the_brokers_own(
    variables: dict[str, Any],
) -> None:
    nodes = [name_server("ns-1", "127.0.0.1"), broker("a", "alpha", "a", 0, **variables)]
    topology, _ = examine("single-master", nodes)
    assert "registrationNetworks" not in derive.settings_of(topology, topology.nodes[0])


def test_differing_defaults_are_keys_of_their_engine() -> None:
    for item in derive.DIFFERING:
        assert item.key in KEYS_OF[Kind.BROKER]
        assert item.reason
        assert item.engines in ((Engine.PYTHON,), derive.BOTH)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["0", "-1", "127.0.0.1", "0.0.0.0", "broker-a", "a;b", "::1", " x ", "/", "~", "python"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
a_node = st.fixed_dictionaries(
    {"host": st.sampled_from(["a", "b", "c"]) | anything, "kind": st.sampled_from(["broker", "namesrv"]) | anything},
    optional={
        **dict.fromkeys((*VARIABLES, "ansible_host", "ansible_port", "ansible_connection", "x"), anything),
        "rocketmq_broker_config": st.dictionaries(st.sampled_from(sorted(KEYS_OF[Kind.BROKER])), anything, max_size=4),
    },
)


def test_number_too_long_to_print_is_a_fault_and_no_error() -> None:
    node = dict.fromkeys(VARIABLES, 10**5000)
    faults = check_topology(10**5000, [{"host": "a", "kind": "broker", **node}, 10**5000])
    assert {"rocketmq_broker_id", "rocketmq_listen_port"} <= {fault.value.split(":")[0] for fault in faults}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([mode.value for mode in Mode]) | anything, st.lists(a_node | anything, max_size=5) | anything)
def test_any_values_at_all_are_faults_and_never_an_error(mode: Any, nodes: Any) -> None:
    faults = check_topology(mode, nodes, resolved=True)
    assert faults == sorted(set(faults))
    for fault in faults:
        assert isinstance(fault, Fault)
        assert fault.text().isprintable()
        assert fault.name
        assert fault.rule
        assert fault.mend
