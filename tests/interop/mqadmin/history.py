# SPDX-License-Identifier: Apache-2.0
"""What happened on a cluster before the first case: the same on both, queue by queue."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from ..harness import wire
from .cases import GROUP, PRODUCER, QUEUES, TOPIC, TRACE_TOPIC

if TYPE_CHECKING:
    from pathlib import Path

    from .side import Side

SENT_TO_EACH_QUEUE = 5
_SENT_TO_EACH_BROKER = SENT_TO_EACH_QUEUE * QUEUES
_GET_CONSUMER_CONNECTION_LIST = 203
_RETRY_POLICY = {"type": "CUSTOMIZED", "customizedRetryPolicy": {"next": [1000, 5000]}}


def make(side: Side) -> None:
    """Topics and their messages; a push consumer that has read them and a producer, both still connected."""
    brokers = side.cluster.brokers
    side.values |= {
        "directory": str(side.directory),
        "namesrv": side.cluster.namesrvs[0].address,
        "master": brokers["broker-a"].address,
        "master_b": brokers["broker-b"].address,
        "slave": brokers["broker-a-s"].address,
        "retry_policy": json.dumps(_RETRY_POLICY),
        "absent_msg_id": "7F0000010000000000000000DEADBEEF",
        "absent_offset_msg_id": f"7F000001{brokers['broker-a'].server.port:08X}{1 << 24:016X}",
    }
    _write_lists(side.directory)
    _create_topics(side)
    _send(side)
    _send_by_tool(side)
    side.values["client"] = _consumer_client_id(side)
    side.values["end_ms"] = str(int(time.time() * 1000))


def _create_topics(side: Side) -> None:
    queues = ("-r", str(QUEUES), "-w", str(QUEUES))
    for topic in (TOPIC, TRACE_TOPIC):
        side.mqadmin("updateTopic", "-c", "DefaultCluster", "-t", topic, *queues)
    on_one = ("updateTopic", "-b", side.values["master"])
    side.mqadmin(*on_one, "-r", "1", "-w", "1", "-t", "ParityIdle")
    side.mqadmin(*on_one, "-r", "1", "-w", "1", "-t", "ParityReadOnly", "-p", "4")
    side.mqadmin(*on_one, "-r", "1", "-w", "1", "-t", "ParityStats")
    side.mqadmin(*on_one, "-r", "3", "-w", "3", "-t", "ParityThree")


def _send(side: Side) -> None:
    """As many messages to each queue, so that offsets agree."""
    trace = {"trace": "true", "trace_topic": TRACE_TOPIC}
    options = {"topic": TOPIC, "tag": "a", "group": PRODUCER, "count": _SENT_TO_EACH_BROKER, **trace}
    side.consumer = side.start_client(
        "push", topic=TOPIC, group=GROUP, instance="parity", deadline_millis=3_600_000, **trace
    )
    first = side.start_client("produce", broker="broker-a", instance="first", **options)
    side.producer = side.start_client(
        "produce", broker="broker-b", instance="second", first=_SENT_TO_EACH_BROKER, stay="true", **options
    )
    first.finish()
    count = 2 * _SENT_TO_EACH_BROKER
    side.consumer.wait("all messages", lambda client: len(set(client.received_keys())) == count, within_s=60.0)
    sent = next(event for event in first.of("sent") if event["key"] == "k0000003")
    side.values |= {"msg_id": sent["msgId"], "offset_msg_id": sent["offsetMsgId"]}


def _send_by_tool(side: Side) -> None:
    """To a topic with one queue, and a message whose trace is in the default topic (sent) and in our own (consumed)."""
    for tag in "ab":
        sent = ("sendMessage", "-t", "ParityIdle", "-p", f"to {tag}", "-c", tag, "-b", "broker-a", "-i", "0")
        side.values["idle_msg_id"] = side.mqadmin(*sent).stdout.split()[-1]
    traced = ("sendMessage", "-t", TOPIC, "-p", "traced", "-k", "traced", "-b", "broker-b", "-i", "3", "-m", "true")
    side.values["traced_msg_id"] = side.mqadmin(*traced).stdout.split()[-1]


def _consumer_client_id(side: Side) -> str:
    answer = wire.ask(side.values["master"], _GET_CONSUMER_CONNECTION_LIST, {"consumerGroup": GROUP})
    return str(answer.json()["connectionSet"][0]["clientId"])


def _write_lists(directory: Path) -> None:
    """The files of updateTopicList and updateSubGroupList; the bad ones have a name that is refused, first or last."""
    topics = [{"topicName": name, "readQueueNums": 2, "writeQueueNums": 2} for name in ("ParityList1", "ParityList2")]
    groups = [{"groupName": name, "retryMaxTimes": 4} for name in ("parity-list-1", "parity-list-2")]
    lists = {
        "topics.json": topics,
        "bad-topics.json": [{"topicName": "not a topic"}, *topics],
        "half-bad-topics.json": [*topics, {"topicName": "not a topic"}],
        "groups.json": groups,
        "bad-groups.json": [*groups, {"groupName": "not a group"}],
    }
    for name, content in lists.items():
        (directory / name).write_text(json.dumps(content))
