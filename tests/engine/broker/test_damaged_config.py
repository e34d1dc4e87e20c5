# SPDX-License-Identifier: Apache-2.0
"""Files of config/ that cannot be read: the backup, what can be made again, or one line that names file and place."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from tests.engine.broker.harness import Broker
from tests.engine.fakes import FakeDisk

from rmq.remoting.codes import RequestCode
from rmq.store import StoreError

CONFIG = Path("/store/config")
DERIVED = ["topics.json", "consumerFilter.json", "transactionMetrics", "timermetrics"]
NOT_DERIVED = [
    "consumerOffset.json",
    "subscriptionGroup.json",
    "delayOffset.json",
    "messageRequestMode.json",
    "auth.json",
]
NAME = "TopicTest"


@functools.cache
def files() -> dict[Path, bytes]:
    """Every table has something in it, and has been written twice, so that it has a backup."""
    broker = Broker({"enablePropertyFilter": "true"})
    client = broker.client()
    for number in (1, 2):
        client.create_topic(NAME, queues=2 + number)
        for queue_id in range(3):
            client.send(NAME, b"%d" % number, queue_id=queue_id)
        client.send(NAME, b"delayed", "DELAY\x015\x02")
        client.send(NAME, b"timed", "TIMER_DELAY_SEC\x013600\x02")
        client.heartbeat(f"g{number}", NAME, version=number)
        offset = {"consumerGroup": "g1", "topic": NAME, "queueId": "0", "commitOffset": str(number)}
        client.ok(RequestCode.UPDATE_CONSUMER_OFFSET, offset)
        broker.world.run_for(30_000)
    broker.stop()
    for path in [path for path in broker.disk.files() if path.parent == CONFIG and path.suffix != ".bak"]:
        backup = path.with_name(path.name + ".bak")
        if not broker.disk.exists(backup):
            broker.disk.replace_file(backup, broker.disk.read_bytes(path))
    return {path: data for path, data in broker.disk.files().items() if path.name != "lock"}


def filled() -> FakeDisk:
    disk = FakeDisk()
    for path, data in files().items():
        disk.replace_file(path, data)
    return disk


def damage(disk: FakeDisk, path: Path, how: str) -> None:
    data = disk.read_bytes(path)
    damaged = {"cut": data[: len(data) // 2], "emptied": b"", "zeroed": bytes(len(data)), "flipped": b"\x5b" + data[1:]}
    disk.replace_file(path, damaged[how])


HOW = ["cut", "emptied", "zeroed", "flipped"]


@pytest.mark.parametrize("how", HOW)
def test_one_damaged_file_costs_nothing(how: str) -> None:
    disk = filled()
    names = [path.name for path in disk.files() if path.parent == CONFIG and path.suffix == ".json"]
    for name in names:
        if name != "identity.json":
            damage(disk, CONFIG / name, how)
    broker = Broker(disk=disk)
    topic = broker.controller.context.topics.get(NAME)
    assert topic is not None
    assert broker.controller.context.offsets.query("g1", NAME, 0) > 0
    assert len(broker.client().pull(NAME)) > 0


@pytest.mark.parametrize("how", ["cut", "emptied"])
@pytest.mark.parametrize("name", DERIVED)
def test_what_can_be_made_again_is_made_again(name: str, how: str) -> None:
    disk = filled()
    assert disk.exists(CONFIG / name) or name in ("consumerFilter.json", "transactionMetrics")
    for path in (CONFIG / name, CONFIG / f"{name}.bak"):
        if disk.exists(path):
            damage(disk, path, how)
    broker = Broker(disk=disk)
    topic = broker.controller.context.topics.get(NAME)
    assert topic is not None
    assert topic.write_queue_nums >= 3
    for queue_id in range(3):
        assert len(broker.client().pull(NAME, queueId=str(queue_id))) >= 2
    if name == "topics.json":
        assert disk.exists(CONFIG / "topics.json.damaged")
        # Written again, so that the next start has it.
        broker.stop()
        assert NAME in disk.read_bytes(CONFIG / name).decode()


@pytest.mark.parametrize("how", ["cut", "emptied"])
@pytest.mark.parametrize("name", NOT_DERIVED)
def test_what_cannot_be_made_again_is_named_in_one_line(name: str, how: str) -> None:
    disk = filled()
    path = CONFIG / name
    if not disk.exists(path):
        for one in (path, path.with_name(name + ".bak")):
            disk.replace_file(one, b'{"a":{}}')
    for one in (path, path.with_name(name + ".bak")):
        damage(disk, one, how)
    with pytest.raises(StoreError, match=rf"{path}: .*{path}\.bak: .*: restore one of the two") as caught:
        Broker(disk=disk)
    assert "\n" not in str(caught.value)
    # Nothing was touched, and the lock is free: with the file restored it starts.
    for one in (path, path.with_name(name + ".bak")):
        disk.remove(one)
    Broker(disk=disk)
