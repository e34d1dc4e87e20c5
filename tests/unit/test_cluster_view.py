# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a cluster is whole, decided on answers as Apache 5.4.0 gives them."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.rocketmq.cluster.plugins.module_utils.cluster_view import (
    Broker,
    View,
    listed_brokers,
    missing,
    table,
)
from ansible_collections.rocketmq.cluster.plugins.module_utils.rmq.remoting.bodies.broker_info import (
    HAConnectionRuntimeInfo,
    HARuntimeInfo,
)

MASTER = Broker("broker-a", 0, "127.0.0.1:10911", "broker-a")
SLAVE = Broker("broker-a", 1, "127.0.0.1:10931", "broker-a-s")
PAIR = [MASTER, SLAVE]
LISTING = {("broker-a", 0): MASTER.address, ("broker-a", 1): SLAVE.address}
IN_SYNC = HARuntimeInfo(
    ha_connection_info=[HAConnectionRuntimeInfo("127.0.0.1:40000", in_sync=True)], in_sync_slave_nums=1, master=True
)
FOLLOWING = HARuntimeInfo(master=False)
WHOLE = View(
    {"127.0.0.1:9876": LISTING, "127.0.0.1:9886": LISTING}, {MASTER.address: IN_SYNC, SLAVE.address: FOLLOWING}
)


def test_pair_that_is_listed_everywhere_and_in_sync_is_whole() -> None:
    assert missing(PAIR, WHOLE) == []


def test_each_name_server_has_to_list_each_broker() -> None:
    view = replace(WHOLE, listings={**WHOLE.listings, "127.0.0.1:9886": {("broker-a", 0): MASTER.address}})
    assert missing(PAIR, view) == ["name server 127.0.0.1:9886 does not list broker-a, id 1"]


def test_right_name_at_another_address_is_another_broker() -> None:
    stranger = {**LISTING, ("broker-a", 0): "172.17.0.1:10911"}
    (text,) = missing(PAIR, replace(WHOLE, listings={"127.0.0.1:9876": stranger}))
    assert "lists broker-a, id 0 at 172.17.0.1:10911, not at 127.0.0.1:10911" in text


def test_name_server_that_does_not_answer_is_named_once() -> None:
    view = replace(WHOLE, listings={**WHOLE.listings, "127.0.0.1:9886": "no connection to 127.0.0.1:9886: refused"})
    assert missing(PAIR, view) == ["name server 127.0.0.1:9886: no connection to 127.0.0.1:9886: refused"]


def test_master_has_to_count_its_slaves_in_sync() -> None:
    alone = replace(IN_SYNC, ha_connection_info=[], in_sync_slave_nums=0)
    view = replace(WHOLE, replication={**WHOLE.replication, MASTER.address: alone})
    assert missing(PAIR, view) == ["broker-a, id 0 (127.0.0.1:10911) counts 0 of 1 slaves in sync"]


def test_slave_that_runs_as_a_second_master_is_seen() -> None:
    view = replace(WHOLE, replication={**WHOLE.replication, SLAVE.address: replace(FOLLOWING, master=True)})
    assert missing(PAIR, view) == ["broker-a, id 1 (127.0.0.1:10931) runs as a master"]


def test_master_without_slaves_needs_none() -> None:
    view = View({"127.0.0.1:9876": LISTING}, {MASTER.address: replace(IN_SYNC, in_sync_slave_nums=0)})
    assert missing([MASTER], view) == []


def test_brokers_are_found_where_none_were_asked_for() -> None:
    assert [broker.address for broker in listed_brokers(WHOLE.listings)] == [MASTER.address, SLAVE.address]


def test_table_has_a_line_for_each_node() -> None:
    lines = table(PAIR, WHOLE)
    assert [line.split()[0] for line in lines] == ["BROKER", "-", "-", "broker-a", "broker-a"]
    assert lines[3].endswith("1 of 1 slaves in sync")
