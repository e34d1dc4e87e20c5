# SPDX-License-Identifier: Apache-2.0
"""Apache's own mqadmin against both engines at once: the same exit and the same fields."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from .harness.client import ClientProcess, MqadminResult, create_topic, mqadmin
from .harness.cluster import Cluster
from .harness.engine import ENGINES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOPIC, GROUP = "Parity", "parity-group"
SENT = 40


@dataclass(frozen=True)
class Side:
    """One engine's cluster, with the same history as the other's."""

    cluster: Cluster
    directory: Path

    def run(self, *args: str) -> MqadminResult:
        placed = (arg.format(master=self.cluster.masters()[0].address) for arg in args)
        return mqadmin(self.directory, self.cluster.namesrv_addr, *placed)

    def shape(self, text: str) -> list[str]:
        """The lines of an answer with everything taken out that may differ between two runs of one engine."""
        for server in self.cluster.servers():
            text = text.replace(server.address, f"<{server.name}>")
            text = re.sub(rf"\b{server.address.rpartition(':')[2]}\b", f"<{server.name} port>", text)
            text = text.replace(str(server.directory), f"<{server.name} directory>")
        return sorted({_without_live_values(line) for line in text.splitlines() if line.strip()})


def _without_live_values(line: str) -> str:
    """Takes out numbers, times, identifiers, the test's own keys and the width of columns."""
    line = re.sub(r"\b[0-9A-F]{32,}\b", "<id>", line)
    line = re.sub(r"\bk\d{7}\b( k\d*)*", "<key>", line)
    line = re.sub(r"\[\d+(, \d+)*\]", "<bytes>", line)
    line = re.sub(r"\b\d+\.\d+\.\d+\.\d+(:\d+)?(@[\w#]+)*", "<client>", line)
    line = re.sub(r"-?\b\d+([.,:/-]\d+)*\b", "<n>", line)
    # How many windows a rate is given for depends on how long the broker has run.
    line = re.sub(r"<n>( <n>)+", "<n>", line)
    return re.sub(r"\s+", " ", line).strip()


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    """Both clusters, each with a topic, some messages and a group that has read them."""
    with ExitStack() as stack:
        sides = {}
        for name, engine in ENGINES.items():
            directory = tmp_path_factory.mktemp(name)
            cluster = stack.enter_context(Cluster(engine, directory / "cluster", "2m-2s-sync")).start()
            sides[name] = Side(cluster, directory)
        for side in sides.values():
            create_topic(side.directory, side.cluster.namesrv_addr, TOPIC)
            options = {"namesrv": side.cluster.namesrv_addr, "topic": TOPIC}
            with ClientProcess(side.directory, "produce", count=SENT, tag="a", **options) as producer:
                producer.finish()
            with ClientProcess(side.directory, "push", expect=SENT, group=GROUP, **options) as consumer:
                assert consumer.finish()["distinct"] == SENT
        yield sides


COMMANDS = {
    "clusterList": ("clusterList",),
    "clusterList -m": ("clusterList", "-m"),
    "topicRoute": ("topicRoute", "-t", TOPIC),
    "topicRoute of an unknown topic": ("topicRoute", "-t", "NoSuchTopic"),
    "topicList -c": ("topicList", "-c"),
    "topicStatus": ("topicStatus", "-t", TOPIC),
    "updateTopic": ("updateTopic", "-c", "DefaultCluster", "-t", "ParityMade", "-r", "3", "-w", "2"),
    "updateTopic with an illegal name": ("updateTopic", "-b", "{master}", "-t", "not a topic"),
    "sendMessage": ("sendMessage", "-t", TOPIC, "-p", "hello", "-k", "key", "-c", "tag", "-b", "broker-a", "-i", "0"),
    "consumeMessage": ("consumeMessage", "-t", TOPIC, "-b", "broker-a", "-i", "0", "-o", "0", "-c", "3"),
    "consumerProgress -g": ("consumerProgress", "-g", GROUP),
    "consumerProgress": ("consumerProgress",),
    "brokerStatus": ("brokerStatus", "-b", "{master}"),
    "haStatus": ("haStatus", "-b", "{master}"),
    "updateBrokerConfig": ("updateBrokerConfig", "-b", "{master}", "-k", "fileReservedTime", "-v", "48"),
    "updateBrokerConfig of a path": ("updateBrokerConfig", "-b", "{master}", "-k", "rocketmqHome", "-v", "x"),
    "consumerConnection of a group that is away": ("consumerConnection", "-g", GROUP),
    "producer": ("producer", "-b", "{master}"),
    "brokerConsumeStats": ("brokerConsumeStats", "-b", "{master}"),
    "statsAll": ("statsAll", "-t", TOPIC),
    "resetOffsetByTime": ("resetOffsetByTime", "-g", GROUP, "-t", TOPIC, "-s", "0"),
    "consumerProgress after the reset": ("consumerProgress", "-g", GROUP),
    "skipAccumulatedMessage": ("skipAccumulatedMessage", "-g", GROUP, "-t", TOPIC),
    "cloneGroupOffset": ("cloneGroupOffset", "-s", GROUP, "-d", "parity-clone", "-t", TOPIC),
    "setConsumeMode": ("setConsumeMode", "-b", "{master}", "-t", TOPIC, "-g", GROUP, "-m", "PULL"),
    "cleanExpiredCQ": ("cleanExpiredCQ", "-b", "{master}"),
    "cleanUnusedTopic": ("cleanUnusedTopic", "-b", "{master}"),
    "deleteExpiredCommitLog": ("deleteExpiredCommitLog", "-b", "{master}"),
    "resetMasterFlushOffset": ("resetMasterFlushOffset", "-b", "{master}", "-o", "0"),
    "updateKvConfig": ("updateKvConfig", "-s", "PARITY", "-k", "a", "-v", "b"),
    "deleteKvConfig": ("deleteKvConfig", "-s", "PARITY", "-k", "a"),
    "wipeWritePerm": ("wipeWritePerm", "-b", "broker-a"),
    "addWritePerm": ("addWritePerm", "-b", "broker-a"),
    "deleteSubGroup": ("deleteSubGroup", "-c", "DefaultCluster", "-g", GROUP, "-r", "true"),
}


# What our broker tells beyond Apache's: figures of its own safeguards (brokerStatus).
OURS_ALONE = ("damaged", "forcedCleanFiles")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_mqadmin_answers_as_on_apache(command: tuple[str, ...], sides: dict[str, Side]) -> None:
    with ThreadPoolExecutor() as pool:
        results = dict(zip(sides, pool.map(lambda side: side.run(*command), sides.values()), strict=True))
    assert results["python"].status == results["apache"].status
    shapes = {name: sides[name].shape(result.stdout) for name, result in results.items()}
    missing = [line for line in shapes["apache"] if line not in shapes["python"]]
    more = [line for line in shapes["python"] if line not in shapes["apache"] and not line.startswith(OURS_ALONE)]
    assert (missing, more) == ([], []), f"{results['python']}\n{results['apache']}"
