# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run decides from the inventory and from what preflight found, and what it then writes to the nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rocketmq.cluster.plugins.module_utils.rmq.topology.kind import Kind
from ansible_collections.rocketmq.cluster.plugins.plugin_utils import embedded, engine_archive, plan, render

ROOT = engine_archive.collection_root()
ARCHIVE = engine_archive.EngineArchive(Path("/cache/rmq.pyz"), "ab" * 32)


def hosts_of(mode: str, **changes: Any) -> list[dict[str, Any]]:
    """The nodes of inventories/MODE, as the playbook of the mode has them; ``changes`` go to every node."""
    nodes = embedded.nodes_of_mode(ROOT, mode, 0)
    kinds = {group: kind for kind, group in plan.GROUP_OF_KIND.items()}
    return [plan.variables_of(node.name, kinds[node.group], {**node.variables, **changes}) for node in nodes]


def look_at(host: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What preflight returns for a host on which nothing is."""
    home = "/state/DefaultCluster"
    return {
        "service_manager": "supervisor",
        "home": home,
        "store_dir": f"{home}/nodes/{host['host']}/store",
        "log_dir": f"{home}/nodes/{host['host']}/logs",
        "address": "192.0.2.99",
        "python": "/usr/bin/python3.11",
        "deployed": {},
        **more,
    }


def planned(mode: str, deployed: dict[str, Any] | None = None, pid: int = 7, **changes: Any) -> plan.Plan:
    hosts = hosts_of(mode, **changes)
    looks = {h["host"]: look_at(h, deployed=deployed or {}, pid=pid) for h in hosts}
    made, faults = plan.make_plan(mode, hosts, looks)
    assert made is not None, [fault.text() for fault in faults]
    return made


def faults_of(mode: str, deployed: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    hosts = hosts_of(mode, **changes)
    looks = {h["host"]: look_at(h, deployed=deployed or {}, pid=7) for h in hosts}
    return [fault.text() for fault in plan.make_plan(mode, hosts, looks)[1]]


def rendered(made: plan.Plan, host: str, **look: Any) -> render.Rendered:
    node = made.as_fact()["nodes"][host]
    return render.render_node(ROOT, node, look_at({"host": host}, **look), ARCHIVE)


@pytest.mark.parametrize(
    ("mode", "nodes"), [("single-master", 2), ("2m-noslave", 4), ("2m-2s-async", 6), ("2m-2s-sync", 6)]
)
def test_inventory_that_users_copy_is_right_as_it_stands(mode: str, nodes: int) -> None:
    assert len(planned(mode).nodes) == nodes


def test_inventory_is_right_before_anybody_has_looked_at_the_hosts() -> None:
    made, faults = plan.make_plan("2m-2s-sync", hosts_of("2m-2s-sync"), {})
    assert (faults, made is not None) == ([], True)


def test_play_in_batches_knows_the_addresses_of_the_hosts_it_has_seen() -> None:
    named = [dict(host, ansible_host=f"{host['host']}.example") for host in hosts_of("single-master")]
    for host in named:
        host.pop("ansible_connection")
    first = {named[0]["host"]: look_at(named[0]), named[1]["host"]: {}}
    assert plan.make_plan("single-master", named, first)[1] == []
    nowhere = {host["host"]: look_at(host, address="") for host in named}
    assert len(plan.make_plan("single-master", named, nowhere)[1]) == 2


def test_one_node_of_a_machine_installs_what_the_machine_has_once() -> None:
    assert [node.host for node in planned("2m-2s-sync").nodes.values() if node.leader] == ["ns-1"]


def test_sync_mode_waits_for_all_copies_of_the_pair() -> None:
    settings = planned("2m-2s-sync").nodes["broker-a"].settings
    assert (settings["brokerRole"], settings["inSyncReplicas"]) == ("SYNC_MASTER", "2")


def test_slaves_are_restarted_before_masters_and_name_servers_last() -> None:
    ranks = {host: node.restart_rank for host, node in planned("2m-2s-sync").nodes.items()}
    assert ranks["broker-a-s"] < ranks["broker-a"] < ranks["ns-1"]


def test_another_mode_than_the_deployed_one_stops_with_the_difference() -> None:
    record = plan.record_of(planned("2m-2s-sync").as_fact(), "ns-1")
    (fault,) = faults_of("2m-noslave", deployed=record)
    assert "2m-2s-sync was deployed here, 2m-noslave is asked for; it would end broker-a-s, broker-b-s" in fault
    assert "rocketmq_allow_mode_change" in fault


def test_mode_change_that_was_allowed_ends_the_nodes_that_are_no_more() -> None:
    record = plan.record_of(planned("2m-2s-sync").as_fact(), "ns-1")
    made = planned("2m-noslave", deployed=record, rocketmq_allow_mode_change=True)
    assert made.nodes["ns-1"].strays == ["broker-a-s", "broker-b-s"]
    assert made.nodes["broker-a"].strays == []


def test_cluster_on_this_machine_may_come_back_in_another_mode_once_it_was_stopped() -> None:
    record = plan.record_of(planned("2m-2s-sync").as_fact(), "ns-1")
    assert planned("2m-noslave", deployed=record, pid=0).mode == "2m-noslave"
    assert len(faults_of("2m-noslave", deployed=record)) == 1


def test_same_mode_again_is_no_change_and_another_id_under_the_same_name_is() -> None:
    record = plan.record_of(planned("2m-2s-sync").as_fact(), "ns-1")
    assert faults_of("2m-2s-sync", deployed=record) == []
    record["nodes"]["broker-a"]["role"] = "broker-a, id 3"
    (fault,) = faults_of("2m-2s-sync", deployed=record)
    assert fault.startswith("broker-a: broker-a, id 0: broker-a, id 3 was deployed here")


def test_apache_engine_is_refused_as_long_as_there_is_none() -> None:
    assert len(faults_of("single-master", rocketmq_engine="apache")) == 2


def test_ports_are_moved_together_for_a_second_cluster_on_this_machine() -> None:
    nodes = embedded.nodes_of_mode(ROOT, "2m-noslave", 1000)
    assert [node.variables["rocketmq_listen_port"] for node in nodes] == [10876, 10886, 11911, 11921]


def test_cluster_on_this_machine_is_found_again_from_its_record(tmp_path: Path) -> None:
    record = plan.record_of(planned("2m-noslave").as_fact(), "ns-1")
    (tmp_path / "deployment.json").write_text(json.dumps(record))
    mode, nodes = embedded.nodes_deployed("DefaultCluster", str(tmp_path))
    assert mode == "2m-noslave"
    assert {node.name: node.group for node in nodes}["broker-b"] == "rocketmq_broker"
    assert {node.name: node.variables for node in nodes}["broker-b"]["rocketmq_listen_port"] == 10921


@pytest.mark.parametrize("content", ["", "{", "[]", '{"nodes": {}}', '{"mode": "x", "nodes": {"a": {}}}'])
def test_record_that_says_nothing_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "deployment.json").write_text(content)
    with pytest.raises(embedded.EmbeddedError, match="no record of a cluster"):
        embedded.nodes_deployed("DefaultCluster", str(tmp_path))


def test_record_of_a_cluster_on_hosts_keeps_no_variables() -> None:
    made = planned("2m-noslave", rocketmq_embedded=False)
    assert plan.record_of(made.as_fact(), "ns-1")["nodes"]["broker-a"]["variables"] == {}


def test_fingerprint_changes_with_settings_and_with_the_engine_and_with_nothing_else() -> None:
    first = rendered(planned("2m-2s-sync"), "broker-a").fingerprint
    assert rendered(planned("2m-2s-sync"), "broker-a", pid=7, address="192.0.2.1").fingerprint == first
    other_settings = planned("2m-2s-sync", rocketmq_broker_config={"fileReservedTime": 12})
    assert rendered(other_settings, "broker-a").fingerprint != first
    node = planned("2m-2s-sync").as_fact()["nodes"]["broker-a"]
    newer = engine_archive.EngineArchive(ARCHIVE.path, "cd" * 32)
    assert render.render_node(ROOT, node, look_at({"host": "broker-a"}), newer).fingerprint != first


def test_settings_of_one_broker_leave_the_others_alone() -> None:
    hosts = hosts_of("2m-2s-sync")
    config = {**hosts[2]["rocketmq_broker_config"], "fileReservedTime": 12}
    changed = [dict(h, rocketmq_broker_config=config) if h["host"] == "broker-a" else h for h in hosts]
    looks = {h["host"]: look_at(h) for h in hosts}
    before, after = plan.make_plan("2m-2s-sync", hosts, looks)[0], plan.make_plan("2m-2s-sync", changed, looks)[0]
    assert before is not None
    assert after is not None
    prints = [{host: rendered(made, host).fingerprint for host in made.nodes} for made in (before, after)]
    assert [host for host in prints[0] if prints[0][host] != prints[1][host]] == ["broker-a"]


def test_unit_runs_as_its_own_user_writes_only_store_and_log_and_is_ready_when_it_says_so() -> None:
    made = rendered(planned("2m-2s-sync"), "broker-a", service_manager="systemd")
    unit = next(file for file in made.manifest["files"] if file["path"].endswith(".service"))
    assert unit["path"] == "/etc/systemd/system/rocketmq-DefaultCluster-broker-a.service"
    lines = unit["content"].splitlines()
    folder = "/state/DefaultCluster/nodes/broker-a"
    for line in ("User=rocketmq", "Type=notify", "Restart=on-failure", f"ReadWritePaths={folder}/store {folder}/logs"):
        assert line in lines


def test_commit_log_on_disks_of_its_own_is_made_and_writable() -> None:
    logs = {"storePathCommitLog": "/disk-1/log,/disk-2/log", "readOnlyCommitLogStorePaths": "/disk-3/log"}
    made = rendered(planned("single-master", rocketmq_broker_config=logs), "broker-a", service_manager="systemd")
    directories = {one["path"]: one for one in made.manifest["directories"]}
    unit = next(file for file in made.manifest["files"] if file["path"].endswith(".service"))
    (writable,) = [line for line in unit["content"].splitlines() if line.startswith("ReadWritePaths=")]
    for folder in ("/disk-1/log", "/disk-2/log", "/disk-3/log"):
        assert directories[folder]["owner"] == "rocketmq"
        assert folder in writable.split(" ")


def test_store_below_a_home_is_not_hidden_from_its_unit() -> None:
    made = rendered(
        planned("2m-2s-sync"), "broker-a", service_manager="systemd", store_dir="/home/mq/store", log_dir="/var/log/mq"
    )
    unit = next(file for file in made.manifest["files"] if file["path"].endswith(".service"))
    assert "ProtectHome=no" in unit["content"].splitlines()


def test_path_with_a_blank_and_a_per_cent_sign_survives_the_unit() -> None:
    made = rendered(planned("2m-2s-sync"), "broker-a", service_manager="systemd", store_dir="/srv/100% mq")
    unit = next(file for file in made.manifest["files"] if file["path"].endswith(".service"))
    assert '"/srv/100%% mq"' in unit["content"]


def test_settings_are_readable_by_the_service_and_by_no_stranger() -> None:
    made = rendered(planned("2m-2s-sync"), "broker-a", service_manager="systemd")
    settings = next(file for file in made.manifest["files"] if file["path"].endswith("broker.conf"))
    assert (settings["owner"], settings["group"], settings["mode"]) == ("root", "rocketmq", "0640")


def test_variables_are_read_without_ansibles_own_and_without_our_facts() -> None:
    hostvars = {"rocketmq_broker_id": 1, "rocketmq_plan": {"x": 1}, "ansible_host": "192.0.2.1", "other": "y"}
    assert plan.variables_of("broker-a", Kind.BROKER, hostvars) == {
        "host": "broker-a",
        "kind": "broker",
        "rocketmq_broker_id": 1,
        "ansible_host": "192.0.2.1",
    }


# ---- secrets ------------------------------------------------------------------------------------------------------

AUTH = {
    "authenticationEnabled": True,
    "authorizationEnabled": True,
    "initAuthenticationUser": '{"username":"admin","password":"canary-1"}',
    "innerClientAuthenticationCredentials": '{"accessKey":"inner","secretKey":"canary-2"}',
}


def protected_plan(mode: str = "2m-2s-async", **more: Any) -> plan.Plan:
    return planned(mode, rocketmq_broker_config=AUTH, **more)


def test_settings_with_a_secret_are_hidden_and_for_the_service_alone() -> None:
    made = rendered(protected_plan(), "broker-a", service_manager="systemd")
    settings = next(file for file in made.manifest["files"] if file["path"].endswith("broker.conf"))
    assert (settings["owner"], settings["group"], settings["mode"]) == ("root", "rocketmq", "0640")
    assert "canary-1" in settings["secret_content"]
    assert "content" not in settings
    assert {"initAuthenticationUser", "innerClientAuthenticationCredentials"} <= set(settings["hidden_keys"])
    by_user = rendered(protected_plan(), "broker-a").manifest["files"]
    assert next(file for file in by_user if file["path"].endswith("broker.conf"))["mode"] == "0600"
    assert "canary" not in str(made.service)


def test_secret_that_goes_away_is_hidden_on_the_other_side_of_the_diff() -> None:
    made = rendered(planned("2m-2s-async"), "broker-a")
    settings = next(file for file in made.manifest["files"] if file["path"].endswith("broker.conf"))
    assert "innerClientAuthenticationCredentials" in settings["hidden_keys"]


def test_record_of_the_deployment_holds_no_secret_and_asks_for_none() -> None:
    made = protected_plan(rocketmq_admin_access_key="root", rocketmq_admin_secret_key="canary-3")
    record = plan.record_of(made.as_fact(), "broker-a")
    assert "canary" not in str(record)
    config = record["nodes"]["broker-a-s"]["variables"]["rocketmq_broker_config"]
    assert not set(AUTH) & set(config)


def test_playbooks_ask_protected_brokers_by_who_is_named_else_as_the_brokers_do() -> None:
    def administrator(made: plan.Plan) -> tuple[str, str]:
        (cluster,) = made.clusters.values()
        return cluster.access_key, cluster.secret_key

    assert administrator(planned("2m-2s-async")) == ("", "")
    assert not planned("2m-2s-async").has_secrets
    assert administrator(protected_plan()) == ("inner", "canary-2")
    assert protected_plan().has_secrets
    named = protected_plan(rocketmq_admin_access_key="root", rocketmq_admin_secret_key="canary-3")
    assert administrator(named) == ("root", "canary-3")
    alone = {key: value for key, value in AUTH.items() if not key.startswith("inner")}
    assert administrator(planned("single-master", rocketmq_broker_config=alone)) == ("admin", "canary-1")


# ---- TLS ----------------------------------------------------------------------------------------------------------

TLS: dict[str, Any] = {
    "rocketmq_tls_mode": "enforcing",
    "rocketmq_tls_cert": "/etc/rocketmq/node.pem",
    "rocketmq_tls_key": "/etc/rocketmq/node.key",
    "rocketmq_tls_trust": "/etc/rocketmq/ca.pem",
}


def test_tls_variables_encrypt_both_ways_and_the_look_from_outside() -> None:
    made = planned("2m-2s-sync", **TLS)
    broker, name_server = made.nodes["broker-a-s"].settings, made.nodes["ns-1"].settings
    assert (broker["tls.server.mode"], broker["useTLS"]) == ("enforcing", "true")
    assert broker["tls.client.trustCertPath"] == "/etc/rocketmq/ca.pem"
    assert name_server["tls.server.keyPath"] == "/etc/rocketmq/node.key"
    assert "useTLS" not in name_server
    (cluster,) = made.clusters.values()
    assert (cluster.tls, cluster.tls_trust, cluster.tls_key) == (True, "/etc/rocketmq/ca.pem", "")


def test_where_plain_calls_are_taken_too_the_look_from_outside_is_plain() -> None:
    (cluster,) = planned("single-master", **{**TLS, "rocketmq_tls_mode": "permissive"}).clusters.values()
    assert not cluster.tls
    settings = planned("single-master", **{**TLS, "rocketmq_tls_mode": "disabled"}).nodes["broker-a"].settings
    assert not [key for key in settings if "tls" in key.lower()]


def test_tls_without_a_certificate_is_a_fault() -> None:
    faults = faults_of("single-master", rocketmq_tls_mode="enforcing")
    assert len(faults) == 2
    assert all("tls.server.certPath and tls.server.keyPath" in fault for fault in faults)


def test_the_password_of_a_key_is_hidden_in_a_diff() -> None:
    hidden: dict[str, Any] = {"rocketmq_broker_config": {"tls.server.keyPassword": "swordfish"}}
    made = rendered(planned("single-master", **hidden), "broker-a")
    (conf,) = [file for file in made.manifest["files"] if file["path"].endswith("broker.conf")]
    assert "tls.server.keyPassword" in conf["hidden_keys"]
    assert "content" not in conf
