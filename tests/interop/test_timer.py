# SPDX-License-Identifier: Apache-2.0
"""Timer messages with the official client, on both engines and from one to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness.cluster import Cluster
from .harness.engine import ENGINES, Engine

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from .conftest import StartClient, StartCluster

COUNT = 20
TOPIC = "Timed"


def keys(*numbers: int) -> list[str]:
    return [f"k{number:07}" for number in numbers]


@pytest.mark.both
@pytest.mark.timeout(240)
def test_timer_messages_come_at_their_time_and_recalled_ones_never(
    start_cluster: StartCluster, start_client: StartClient
) -> None:
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    consumer = start_client("push", **options, expect=COUNT // 2, deadline_millis=90_000, linger_millis=4_000)
    consumer.wait_ready()
    producer = start_client("produce", **options, count=COUNT, delay_millis=8_000, recall_every=2)
    producer.finish()
    assert len(producer.of("recalled")) == COUNT // 2
    assert consumer.finish(within_s=120)["received"] == COUNT // 2
    assert sorted(consumer.received_keys()) == keys(*range(0, COUNT, 2))
    assert min(event["lagMillis"] for event in consumer.of("received")) >= 8_000


@pytest.mark.timeout(240)
def test_timer_messages_in_flight_survive_kill_9(start_cluster: StartCluster, start_client: StartClient) -> None:
    cluster = start_cluster("single-master")
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    start_client("produce", **options, count=COUNT, delay_millis=5_000, pause_millis=200).finish()
    (master,) = cluster.masters()
    master.kill()
    cluster.start_brokers([master])
    consumer = start_client("push", **options, expect=COUNT, deadline_millis=60_000, linger_millis=3_000)
    assert consumer.finish(within_s=120)["distinct"] == COUNT


@pytest.mark.timeout(400)
@pytest.mark.parametrize("clean", [True, False], ids=["stop", "kill"])
@pytest.mark.parametrize("first", ["python", "apache"])
def test_the_other_engine_takes_the_store_over_with_what_waits(
    first: str, clean: bool, tmp_path: Path, stack: ExitStack, start_client: StartClient
) -> None:
    before: Engine = ENGINES[first]
    after: Engine = ENGINES["apache" if first == "python" else "python"]
    cluster = stack.enter_context(Cluster(before, tmp_path / "pair", "single-master")).start()
    cluster.create_topic(TOPIC)
    options = {"namesrv": cluster.namesrv_addr, "topic": TOPIC}
    start_client("produce", **options, count=COUNT, delay_millis=1_000, prefix="early").finish()
    start_client("produce", **options, count=COUNT, delay_millis=25_000, recall_every=4).finish()
    early = start_client("push", **options, group="early", expect=COUNT, deadline_millis=40_000)
    assert early.finish(within_s=80)["distinct"] == COUNT
    server = next(iter(cluster.brokers.values())).server
    if clean:
        server.stop()
    else:
        server.kill()
    server.argv = [
        *after.argv("mqbroker", server.directory),
        *list(server.argv)[len(before.argv("mqbroker", server.directory)) :],
    ]
    server.env = after.env(server.directory)
    cluster.start_brokers(cluster.masters())
    wanted = [number for number in range(COUNT) if number % 4 != 3]
    consumer = start_client("push", **options, expect=COUNT + len(wanted), deadline_millis=90_000, linger_millis=5_000)
    consumer.finish(within_s=150)
    received = consumer.received_keys()
    assert sorted({key for key in received if not key.startswith("early")}) == keys(*wanted)
    late = [key for key in received if not key.startswith("early")]
    assert len(late) == len(set(late)), received
    # What had come before came once: the other engine knows how far the wheel was.
    assert sum(key.startswith("early") for key in received) == COUNT
