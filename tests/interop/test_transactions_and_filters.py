# SPDX-License-Identifier: Apache-2.0
"""Transaction messages and SQL92 filters with the official client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .harness.waiting import DeadlineError

if TYPE_CHECKING:
    from .conftest import StartClient, StartCluster
    from .harness.engine import Engine

COUNT = 40


@pytest.mark.timeout(240)
def test_transactions_end_as_their_producer_says(
    engine: Engine, start_cluster: StartCluster, start_client: StartClient
) -> None:
    """Half of them only when the broker asks; the committed half arrives. Here each message once and after one
    question; Apache notes the end of a transaction up to 3 s late, and asks again in a round that is sooner."""
    cluster = start_cluster("single-master")
    cluster.create_topic("Transactions")
    options = {"namesrv": cluster.namesrv_addr, "topic": "Transactions"}
    producer = start_client("transaction", **options, count=COUNT).wait_ready()
    producer.wait("all half messages", lambda client: len(client.acknowledged()) == COUNT, within_s=60)
    consumer = start_client("push", **options, expect=COUNT // 2, deadline_millis=60_000, linger_millis=8_000)
    assert consumer.finish(within_s=120)["distinct"] == COUNT // 2
    received = consumer.received_keys()
    assert sorted(set(received)) == [f"t{number:07}" for number in range(0, COUNT, 2)]
    asked = [checked["key"] for checked in producer.of("checked")]
    assert sorted(set(asked)) == [f"t{number:07}" for number in range(COUNT) if number % 4 > 1]
    if engine.name == "python":
        assert len(received) == len(set(received))
        assert len(asked) == len(set(asked))
    assert all(event["intact"] for event in (*producer.of("checked"), *consumer.of("received")))
    producer.close_input()
    producer.finish()


@pytest.mark.timeout(240)
def test_push_consumer_gets_what_its_sql_takes(start_cluster: StartCluster, start_client: StartClient) -> None:
    namesrv = start_cluster("single-master").namesrv_addr
    start_client("produce", namesrv=namesrv, topic="Filtered", mode="async", count=100, tag="TagA").finish()
    sql = "number BETWEEN 10 AND 19 OR (number > 90 AND TAGS = 'TagA') OR number IN ('0', '1')"
    options = {"namesrv": namesrv, "topic": "Filtered", "deadline_millis": 60_000}
    consumer = start_client("push", **options, sql=sql, expect=21, linger_millis=3_000)
    assert consumer.finish(within_s=120)["received"] == 21
    assert sorted(consumer.received_keys()) == [f"k{n:07}" for n in (0, 1, *range(10, 20), *range(91, 100))]


@pytest.mark.timeout(240)
def test_client_with_a_wrong_expression_does_not_start(start_cluster: StartCluster, start_client: StartClient) -> None:
    namesrv = start_cluster("single-master").namesrv_addr
    start_client("produce", namesrv=namesrv, topic="Filtered", mode="async", count=1).finish()
    consumer = start_client("push", namesrv=namesrv, topic="Filtered", sql="number >", deadline_millis=20_000)
    with pytest.raises(DeadlineError, match="ended with status"):
        consumer.finish(within_s=60)
    assert "23" in consumer.tail()
