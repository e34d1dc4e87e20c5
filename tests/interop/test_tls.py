# SPDX-License-Identifier: Apache-2.0
"""TLS on the remoting port, with Apache's own client and mqadmin, against both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness.client import mqadmin
from .harness.tls import ServerTls

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import StartClient, StartCluster
    from .harness.cluster import Cluster

COUNT = 200


def exchange(start_client: StartClient, cluster: Cluster, topic: str, java_options: tuple[str, ...]) -> None:
    """Sent and received, all of it."""
    produce = start_client(
        "produce", namesrv=cluster.namesrv_addr, topic=topic, mode="sync", count=COUNT, java_options=java_options
    )
    produce.finish(within_s=90)
    assert len(produce.acknowledged()) == COUNT, produce.tail()
    push = start_client(
        "push",
        namesrv=cluster.namesrv_addr,
        topic=topic,
        expect=COUNT,
        deadline_millis=60_000,
        java_options=java_options,
    )
    assert push.finish(within_s=90) == {"event": "done", "distinct": COUNT, "received": COUNT}


@pytest.mark.both
@pytest.mark.timeout(300)
def test_enforcing_servers_serve_encrypted_clients_and_nobody_else(
    start_cluster: StartCluster, start_client: StartClient, tmp_path: Path
) -> None:
    tls = ServerTls.make(tmp_path / "tls", "enforcing")
    cluster = start_cluster("single-master", tls=tls)
    exchange(start_client, cluster, "Encrypted", tls.client_options())

    listed = mqadmin(tmp_path, cluster.namesrv_addr, "clusterList", java_options=tls.client_options())
    assert cluster.masters()[0].address in listed.stdout, listed
    plain = mqadmin(tmp_path, cluster.namesrv_addr, "clusterList")
    assert cluster.masters()[0].address not in plain.stdout
    stranger = ServerTls.make(tmp_path / "stranger", "enforcing")
    refused = mqadmin(tmp_path, cluster.namesrv_addr, "clusterList", java_options=stranger.client_options())
    assert cluster.masters()[0].address not in refused.stdout


@pytest.mark.timeout(300)
def test_permissive_servers_serve_both_kinds_of_clients_at_once(
    start_cluster: StartCluster, start_client: StartClient, tmp_path: Path
) -> None:
    tls = ServerTls.make(tmp_path / "tls", "permissive")
    cluster = start_cluster("single-master", tls=tls)
    exchange(start_client, cluster, "Encrypted", tls.client_options())
    exchange(start_client, cluster, "Plain", ())


@pytest.mark.timeout(400)
def test_slave_follows_its_master_where_only_encrypted_calls_are_taken(
    start_cluster: StartCluster, start_client: StartClient, tmp_path: Path
) -> None:
    tls = ServerTls.make(tmp_path / "tls", "enforcing")
    cluster = start_cluster("2m-2s-sync", tls=tls)
    exchange(start_client, cluster, "Replicated", tls.client_options())
