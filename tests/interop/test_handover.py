# SPDX-License-Identifier: Apache-2.0
"""One store, and the two engines in turn on it: each life of the broker begins with what the other engine left, after a
clean stop or after kill -9.

One official producer lives through all of it, and one official consumer watches. What a life owes to a later one (a
delayed message, timed ones, a half message to commit and one to roll back, a retry that waits) is sent at its end.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from rmq.remoting.message import MessageExt, decode_record

from .harness import contents, wire
from .harness.cluster import Broker, Cluster
from .harness.engine import ENGINES
from .harness.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from .conftest import PrintFigures, StartClient
    from .harness.client import ClientProcess
    from .harness.contents import Contents

TOPIC = "Story"
QUEUES = 3
RETRYING = "again"
FOREVER_MILLIS = 10**9
# Level 3 of messageDelayLevel.
DELAY_LEVEL, DELAY_MS = 3, 10_000
# The wheel's slot, timerPrecisionMs: Apache's wheel, and ours, give a timed message out in the slot it falls into.
PRECISION_MS = 1000
# A delay of 10 s, and a broker on a busy machine that has come up while it passed.
ARRIVAL_WITHIN_S = 60.0
# What is committed, delivered or asked is in its file after an interval of 1 s, and kill -9 comes after that: what it
# catches on its way to the file happens again.
SETTLED_AFTER_S = 2.5
SETTINGS = {
    # Each life fills some of each: files begun by one engine are gone on with by the other.
    "mappedFileSizeCommitLog": str(1024 * 1024),
    "mappedFileSizeConsumeQueue": "2000",
    "maxIndexNum": "400",
    "maxHashSlotNum": "100",
    "flushConsumerOffsetInterval": "1000",
    "flushDelayOffsetInterval": "1000",
    # Apache gathers the marks of decided half messages for 3 s, and asks after those again that it asks after sooner:
    # they are committed twice then.
    "transactionCheckInterval": "5000",
    # Nobody is asked in the life that the half message is sent in: kill -9 right after a question may repeat it.
    "transactionTimeOut": "10000",
    "transactionOpBatchInterval": "500",
}
LARGE_BYTES = 600_000
PLAIN_BYTES = 1000


def ask(address: str, code: int, fields: dict[str, str], body: bytes = b"") -> None:
    answer = wire.ask(address, code, fields, body)
    assert answer.code == 0, answer


def create_topic(address: str, topic: str, **fields: str) -> None:
    usual = {"defaultTopic": "TBW102", "readQueueNums": str(QUEUES), "writeQueueNums": str(QUEUES), "perm": "6"}
    usual |= {"topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false"}
    ask(address, wire.UPDATE_AND_CREATE_TOPIC, {"topic": topic, **usual, **fields})


@dataclass
class Owed:
    """A message that comes later: once, and not before its time."""

    topic: str
    due_ms: int
    early_ms: int = 0


@dataclass
class Story:
    cluster: Cluster
    producer: ClientProcess
    hand_overs: int
    owed: dict[str, Owed] = field(default_factory=dict)
    """By key."""
    never: set[str] = field(default_factory=set)
    commits: set[str] = field(default_factory=set)
    """Half messages that a later life commits."""
    rollbacks: set[str] = field(default_factory=set)
    committed: dict[str, dict[str, int]] = field(default_factory=dict)
    """Consumer offsets by "topic@group"."""
    killed_ms: list[float] = field(default_factory=list)
    kept: Contents | None = None

    @property
    def late_ms(self) -> int:
        """From the end of one life into the one after the next, or, where there are few, to the last one's end."""
        return 20_000 if self.hand_overs < 3 else 40_000

    @property
    def broker(self) -> Broker:
        return self.cluster.masters()[0]

    @property
    def address(self) -> str:
        return self.broker.address

    # -- what a life does

    def ask(self, code: int, fields: dict[str, str], body: bytes = b"") -> None:
        ask(self.address, code, fields, body)

    def tell(self, **command: object) -> None:
        """One command to the producer; what it prints of sends is waited for by the caller."""
        self.producer.write(json.dumps({"topic": TOPIC, "broker": self.broker.broker_name, **command}))

    def send(self, key: str, **command: object) -> None:
        self.tell(do=command.pop("do", "send"), key=key, **command)

    def wait_sent(self, *keys: str) -> None:
        def all_sent(producer: ClientProcess) -> bool:
            assert not producer.of("failed"), producer.tail()
            return set(keys) <= set(producer.acknowledged())

        self.producer.wait(f"answers to {keys}", all_sent, within_s=30)

    def create_topic(self, topic: str, **fields: str) -> None:
        create_topic(self.address, topic, **fields)

    def create_group(self, group: str) -> None:
        config = {"groupName": group, "retryMaxTimes": 7, "retryQueueNums": 2, "consumeBroadcastEnable": False}
        self.ask(wire.UPDATE_AND_CREATE_SUBSCRIPTION_GROUP, {}, json.dumps(config).encode())

    def send_plain(self, life: int) -> None:
        keys = [f"plain-{life}-{i}" for i in range(60)]
        for i, key in enumerate(keys):
            self.send(key, tag=f"Tag{i % 4}", queueId=i % QUEUES, bodyBytes=PLAIN_BYTES)
        self.send(f"batch-{life}", do="batch", count=40, queueId=life % QUEUES)
        self.send(f"large-{life}", queueId=0, bodyBytes=LARGE_BYTES)
        own = f"own-{life}"
        self.send(own, topic=f"Life{life}", queueId=1)
        self.wait_sent(*keys, *(f"batch-{life}-{i}" for i in range(40)), f"large-{life}", own)

    def commit_offsets(self, life: int) -> None:
        """A group of this life alone, and one that goes on in each; then waits until the file has them."""
        for group in (f"reader-{life}", "reader"):
            for queue_id in range(QUEUES):
                offset = contents.max_offset(self.address, TOPIC, queue_id) - 1 - queue_id
                fields = {"consumerGroup": group, "topic": TOPIC, "queueId": str(queue_id), "commitOffset": str(offset)}
                self.ask(wire.UPDATE_CONSUMER_OFFSET, fields)
                self.committed.setdefault(f"{TOPIC}@{group}", {})[str(queue_id)] = offset

    def leave_behind(self, life: int) -> None:
        """What comes due in a later life."""
        now_ms = int(time.time() * 1000)
        delayed, timed, late = f"delayed-{life}", f"timed-{life}", f"late-{life}"
        self.send(delayed, queueId=1, delayLevel=DELAY_LEVEL)
        self.owed[delayed] = Owed(TOPIC, now_ms + DELAY_MS)
        for key, in_ms in ((timed, 12_000), (late, self.late_ms)):
            self.send(key, queueId=2, deliverAtMillis=now_ms + in_ms)
            self.owed[key] = Owed(TOPIC, now_ms + in_ms, early_ms=PRECISION_MS)
        halves = [f"half-{life}-{what}" for what in ("commit", "rollback")]
        for key in halves:
            self.send(key, do="half", queueId=0)
        self.wait_sent(delayed, timed, late, *halves)
        self.commits.add(halves[0])
        self.rollbacks.add(halves[1])
        self.send_back(f"plain-{life}-0")

    def send_back(self, key: str) -> None:
        """A consumer could not handle it, and wants it again."""
        (sent,) = [one for one in self.producer.of("sent") if one["key"] == key]
        fields = {
            "offset": str(int(sent["offsetMsgId"][16:], 16)),
            "group": RETRYING,
            "delayLevel": str(DELAY_LEVEL),
            "originMsgId": sent["msgId"],
            "originTopic": TOPIC,
            "unitMode": "false",
            "maxReconsumeTimes": "16",
        }
        self.owed[f"{key} again"] = Owed(f"%RETRY%{RETRYING}", int(time.time() * 1000) + DELAY_MS)
        self.ask(wire.CONSUMER_SEND_MSG_BACK, fields)

    def decide_halves(self) -> None:
        """From now on the broker is told when it asks."""
        now_ms = int(time.time() * 1000)
        for keys, answer in ((self.commits, "COMMIT_MESSAGE"), (self.rollbacks, "ROLLBACK_MESSAGE")):
            for key in keys:
                self.tell(do="decide", key=key, answer=answer)
        self.owed |= {key: Owed(TOPIC, now_ms) for key in self.commits}
        self.never |= self.rollbacks
        self.commits, self.rollbacks = set(), set()

    # -- what is looked at

    def arrived(self) -> dict[str, list[MessageExt]]:
        """The messages that users see, by key; those of retry topics with "again"."""
        found: dict[str, list[MessageExt]] = {}
        for (topic, _), records in contents.read(self.address).queues.items():
            suffix = " again" if topic.startswith("%RETRY%") else ""
            if topic == TOPIC or topic.startswith("Life") or suffix:
                for record in records.values():
                    message = decode_record(record)
                    found.setdefault(message.properties["KEYS"] + suffix, []).append(message)
        return found

    def wait_arrived(self, keys: set[str]) -> None:
        def missing() -> set[str]:
            return keys - set(self.arrived())

        what = f"arrival of {sorted(keys)}"
        wait_for(what, lambda: not missing(), within_s=ARRIVAL_WITHIN_S, detail=lambda: f"{missing()=}\n{self.tail()}")
        rolled_back = {key for key in self.never if key not in self.asked("ROLLBACK_MESSAGE")}
        self.producer.wait(
            f"question after {rolled_back}",
            lambda _: rolled_back <= self.asked("ROLLBACK_MESSAGE"),
            within_s=ARRIVAL_WITHIN_S,
        )

    def asked(self, answer: str) -> set[str]:
        """Half messages that a broker has asked about and was told this."""
        return {one["key"] for one in self.producer.of("checked") if one["answer"] == answer}

    def tail(self) -> str:
        return self.cluster.tails() + self.producer.tail()

    def remember(self) -> None:
        self.kept = contents.read(self.address)

    def check_kept(self) -> None:
        """What the life before had is there, byte by byte, at the same places."""
        assert self.kept is not None
        now = contents.read(self.address)
        for queue, records in self.kept.queues.items():
            found = now.queues.get(queue, {})
            changed = [offset for offset, record in records.items() if found.get(offset) != record]
            assert not changed, f"{queue}: {changed[:20]} of {len(records)} are lost or changed\n{self.tail()}"
        for queue, (low, high) in self.kept.ranges.items():
            assert now.ranges[queue][0] == low, (queue, now.ranges[queue], low)
            # The waiting ones come by themselves; to the topics of single lives nothing comes.
            is_still = queue[0].startswith("Life")
            assert now.ranges[queue][1] == high if is_still else now.ranges[queue][1] >= high, (queue, high)
        assert {name: now.topics.get(name) for name in self.kept.topics} == self.kept.topics
        assert {name: now.groups.get(name) for name in self.kept.groups} == self.kept.groups
        assert {name: now.offsets.get(name) for name in self.committed} == self.committed

    def check_arrived(self) -> None:
        """Everything that was acknowledged is there once, what was owed at its time, what was rolled back never."""
        found = self.arrived()
        halves = {key for key in found if key.startswith("half-")}
        expected = {key for key in self.producer.acknowledged() if not key.startswith(("half-", "late-"))}
        assert halves <= set(self.owed), "a half message that nobody has committed"
        assert expected <= set(found), f"lost: {sorted(expected - set(found))[:20]}\n{self.tail()}"
        assert not self.never & set(found)
        assert {key: len(found[key]) for key in found if len(found[key]) > 1 and not self.was_caught(key, found)} == {}
        for key, owed in self.owed.items():
            for message in found.get(key, ()):
                assert message.store_timestamp_ms >= owed.due_ms - owed.early_ms, (key, owed, message)

    def was_caught(self, key: str, found: dict[str, list[MessageExt]]) -> bool:
        """By kill -9, before the file said that it was delivered: late ones come when their time has come, whatever the
        story does then."""
        first_ms = min(message.store_timestamp_ms for message in found[key])
        return key in self.owed and any(0 <= ms - first_ms <= SETTLED_AFTER_S * 1000 for ms in self.killed_ms)

    def check_keys(self, lives: int) -> None:
        for life in range(lives):
            for key in (f"plain-{life}-0", f"plain-{life}-59", f"batch-{life}-39", f"large-{life}"):
                records = contents.find(self.address, TOPIC, key)
                if self.broker.engine.name == "apache":
                    # Apache may find one twice after kill -9: "Taking a store over" in differences.md.
                    records = list(dict.fromkeys(records))
                found = [decode_record(record) for record in records]
                assert [one.properties["KEYS"] for one in found] == [key], (key, found)


def live(story: Story, life: int) -> None:
    """One life of the broker, from its start to the moment before its end."""
    story.create_topic(f"Life{life}", attributes="+message.type=NORMAL", order="true" if life % 2 else "false")
    story.create_group(f"reader-{life}")
    story.send_plain(life)
    story.commit_offsets(life)
    story.wait_arrived({key for key in story.owed if not key.startswith("late-")})
    story.check_arrived()


def hand_over(story: Story, *, clean: bool) -> None:
    """The broker ends, and the other engine starts on its store."""
    broker = story.broker
    wait_for("consumer offsets in their file", lambda: offsets_are_in_file(story), within_s=20, detail=story.tail)
    story.remember()
    if clean:
        assert broker.server.stop() == 0 or broker.engine.name == "apache", story.tail()
    else:
        settled = time.monotonic() + SETTLED_AFTER_S
        wait_for("the files of offsets", lambda: time.monotonic() >= settled, within_s=2 * SETTLED_AFTER_S)
        before = len(story.producer.acknowledged())
        story.send("flood", do="flood", queueId=2)
        story.producer.wait(
            "acknowledgements", lambda producer: len(producer.acknowledged()) > before + 100, within_s=30
        )
        story.killed_ms.append(time.time() * 1000)
        broker.kill()
        story.tell(do="calm")
    other = next(engine for engine in ENGINES.values() if engine is not broker.engine)
    story.cluster.hand_over(broker, other)
    story.cluster.start_brokers([broker])


def offsets_are_in_file(story: Story) -> bool:
    text = (story.broker.server.directory / "store" / "config" / "consumerOffset.json").read_text()
    table = wire.Answer(0, "", {}, text.replace("\t", "").replace("\n", "").encode()).json()["offsetTable"]
    return all(table.get(name) == offsets for name, offsets in story.committed.items())


@pytest.fixture
def story(
    first: str, commit_logs: int, tmp_path: Path, start_client: StartClient, pytestconfig: pytest.Config
) -> Iterator[Story]:
    hand_overs = 5 if pytestconfig.getoption("--long") else 2
    cluster = Cluster(
        ENGINES[first],
        tmp_path / "store",
        "single-master",
        namesrv_engines=(ENGINES["python"],),
        settings=SETTINGS,
        commit_logs=commit_logs,
    )
    with cluster:
        cluster.start()
        story = Story(cluster, start_client("session", namesrv=cluster.namesrv_addr).wait_ready(), hand_overs)
        story.create_topic(TOPIC)
        for group in ("reader", RETRYING):
            story.create_group(group)
        yield story


@pytest.mark.both
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("first", "commit_logs"), [("python", 1), ("apache", 2)])
def test_each_engine_goes_on_with_the_store_of_the_other(
    first: str, story: Story, start_client: StartClient, print_figures: PrintFigures
) -> None:
    hand_overs = story.hand_overs
    names = story.cluster.namesrv_addr
    watcher = start_client("push", namesrv=names, topic=TOPIC, deadline_millis=FOREVER_MILLIS).wait_ready()
    for life in range(hand_overs + 1):
        live(story, life)
        story.check_keys(life + 1)
        if life < hand_overs:
            story.leave_behind(life)
            # Both ways to end for both engines: Apache is the second or the first of each two.
            hand_over(story, clean=(life // 2 + life) % 2 == (first == "python"))
            story.decide_halves()
            story.check_kept()
            story.check_keys(life + 1)
    story.decide_halves()
    story.wait_arrived(set(story.owed))
    story.check_arrived()
    watched = {key for key in story.arrived() if not key.endswith(" again") and not key.startswith("own-")}
    watcher.wait("every message", lambda client: watched <= set(client.received_keys()), within_s=90)
    lost = watched - set(watcher.received_keys())
    received = len(watcher.received_keys())
    print_figures(f"hand-overs {hand_overs}, messages {len(watched)}, lost {len(lost)}, received {received}")
    assert not lost


IPV6 = "::1"
ODD = "Odd"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((IPV6, 0))
    except OSError:
        return False
    return True


def put_odd_records(address: str, life: int) -> None:
    """The letters are those of SendMessageRequestHeaderV2."""
    fields = {"a": "odd", "b": ODD, "c": "TBW102", "d": "1", "e": "0", "f": "0", "g": "1", "h": "0", "j": "0"}
    for i in range(20):
        ask(address, wire.SEND_MESSAGE_V2, fields | {"i": f"KEYS\x01odd-{life}-{i}\x02"}, b"odd" * 50)


@pytest.mark.both
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", [pytest.param("python", marks=pytest.mark.long), "apache"])
def test_records_of_ipv6_hosts_and_without_checksums_are_handed_over(
    first: str, tmp_path: Path, stack: ExitStack
) -> None:
    settings = {"bindAddress": IPV6, "enabledAppendPropCRC": "false", "mappedFileSizeCommitLog": "16384"}
    odd = Cluster(ENGINES[first], tmp_path / "odd", "single-master", broker_ip=IPV6, settings=SETTINGS | settings)
    cluster = stack.enter_context(odd).start()
    (broker,) = cluster.masters()
    for life in range(2):
        put_odd_records(broker.address, life)
        before = contents.read(broker.address)
        if life == 0:
            broker.kill()
        else:
            broker.server.stop()
        cluster.hand_over(broker, next(engine for engine in ENGINES.values() if engine is not broker.engine))
        cluster.start_brokers([broker])
        after = contents.read(broker.address)
        records = after.queues[ODD, 0]
        assert records == before.queues[ODD, 0]
        found = [decode_record(record) for record in records.values()]
        assert [one.properties["KEYS"] for one in found] == [f"odd-{n}-{i}" for n in range(life + 1) for i in range(20)]
        assert {(one.born_host.ip, one.store_host.ip) for one in found} == {(IPV6, IPV6)}
        assert all("__CRC32#" not in one.properties for one in found)
        (by_key,) = contents.find(broker.address, ODD, f"odd-{life}-7")
        assert decode_record(by_key) == found[life * 20 + 7]
