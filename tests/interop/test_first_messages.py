# SPDX-License-Identifier: Apache-2.0
"""What a new user does first: send and receive with the official client, in each mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import StartClient, StartCluster

COUNT = 10_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "mode", ["single-master", "2m-noslave", "2m-2s-async", pytest.param("2m-2s-sync", marks=pytest.mark.both)]
)
def test_ten_thousand_messages_arrive_once_and_intact(
    mode: str, start_cluster: StartCluster, start_client: StartClient
) -> None:
    namesrv = start_cluster(mode).namesrv_addr
    producer = start_client("produce", namesrv=namesrv, topic="TenThousand", mode="async", count=COUNT)
    producer.finish(within_s=120)
    assert len(producer.acknowledged()) == COUNT, producer.tail()

    consumer = start_client("push", namesrv=namesrv, topic="TenThousand", expect=COUNT, deadline_millis=60_000)
    assert consumer.finish(within_s=120) == {"event": "done", "distinct": COUNT, "received": COUNT}
    assert sorted(consumer.received_keys()) == sorted(producer.acknowledged())
    assert all(received["intact"] for received in consumer.of("received"))
