# SPDX-License-Identifier: Apache-2.0
"""A disk of 64 MiB that is filled at full speed and freed, again and again, under a real broker.

What takes the room is a file beside the store, so that no message has to go for it to be free again.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.engine.cli.process import Processes, free_port
from tests.interop.harness import wire
from tests.interop.harness.waiting import wait_for

from rmq.remoting.codes import ResponseCode

from .figures import Figures
from .plain_client import PlainClient, Sent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.cli.process import Process

    from .conftest import PrintFigures, Sized

DISK_BYTES = 64 * 1024 * 1024
# What is left to be filled in a round: the reserve ahead of the log, and some messages more.
LEFT_BYTES = 1024 * 1024
REFUSALS = 200
RESUMES_WITHIN_S = 10.0
READ = 500
# Each round leaves some MiB of messages.
ROUNDS_OF_A_STORE = 8
QUEUES = 4
TOPIC = "Full"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own. Only root may mount one."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(directory)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"NOT RUN: a full disk needs a mount, and this is user {os.geteuid()}: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@dataclass
class FullDisk:
    """A broker, its disk, and the file that takes the room."""

    broker: Process
    address: str
    disk: Path

    @property
    def ballast(self) -> Path:
        return self.disk / "ballast"

    def take_room(self) -> None:
        free = os.statvfs(self.disk)
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize - LEFT_BYTES, 4096))

    def used_ratio(self) -> float:
        info = wire.ask(self.address, wire.GET_BROKER_RUNTIME_INFO).json()["table"]
        return float(info["commitLogDiskRatio"])

    def is_up(self) -> bool:
        return self.broker.popen.poll() is None


def start(run: Processes, disk: Path, **more: str) -> FullDisk:
    port = free_port()
    settings = {
        "brokerName": "broker-a",
        "listenPort": str(port),
        "bindAddress": "127.0.0.1",
        "storePathRootDir": str(disk / "store"),
        "mappedFileSizeCommitLog": str(4 * 1024 * 1024),
        "mappedFileSizeConsumeQueue": "60000",
        "maxHashSlotNum": "10000",
        "maxIndexNum": "40000",
        "waitTimeMillsInSendQueue": "10000",
        **more,
    }
    run.directory.mkdir(exist_ok=True)
    conf = run.directory / "broker.conf"
    conf.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    broker = run.rmq("mqbroker", "-c", conf)
    broker.wait_line("boot success")
    return FullDisk(broker, f"127.0.0.1:{port}", disk)


def check_refusals(sent: Sent) -> None:
    """Code 14, in Apache's words."""
    assert sent.refused
    for answer in set(sent.refused.values()):
        assert answer.startswith(f"{int(ResponseCode.SERVICE_NOT_AVAILABLE)} service not available now"), answer
        assert "the broker's disk is full [CL:" in answer


def fill(full: FullDisk, client: PlainClient, numbers: Iterator[int], sent: Sent) -> None:
    """Send until the disk is full, and read while it is."""
    sent.refused.clear()
    full.take_room()
    before = len(sent.acknowledged)
    client.send(numbers, sent, until=lambda: len(sent.refused) >= REFUSALS)
    assert len(sent.acknowledged) > before, "some room was left"
    check_refusals(sent)
    assert sum(client.is_whole(one) for one in client.messages(0, count_max=READ)) >= min(READ, before // QUEUES)
    assert full.is_up()


def free(full: FullDisk, client: PlainClient, numbers: Iterator[int], sent: Sent) -> float:
    """Free the disk and send one message after another until one is taken: the seconds that took."""
    full.ballast.unlink()
    freed_at = time.monotonic()
    before = len(sent.acknowledged)

    def is_taken() -> bool:
        client.send(itertools.islice(numbers, 1), sent)
        return len(sent.acknowledged) > before

    wait_for("send that is taken", is_taken, within_s=2 * RESUMES_WITHIN_S)
    return time.monotonic() - freed_at


def read_back(client: PlainClient, sent: Sent, figures: Figures) -> None:
    places: dict[int, list[tuple[int, int]]] = {}
    for queue_id in range(QUEUES):
        last = -1
        for one in client.messages(queue_id):
            assert client.is_whole(one)
            places.setdefault(int(one.body[:10]), []).append((queue_id, one.queue_offset))
            figures.out_of_order += one.queue_offset <= last
            last = one.queue_offset
    figures.acknowledged += len(sent.acknowledged)
    figures.lost += sum(place not in places.get(number, []) for number, place in sent.acknowledged.items())
    figures.duplicated += sum(len(found) - 1 for found in places.values())


@dataclass
class Outcome:
    figures: Figures
    resumed_s: list[float]


def play(run: Processes, disk: Path, rounds: list[int], outcome: Outcome) -> None:
    """Rounds on one store, from its first message to its end."""
    sent, numbers = Sent(), itertools.count()
    full = start(run, disk)
    with PlainClient(full.address, TOPIC, QUEUES) as client:
        for number in rounds:
            client.send(itertools.islice(numbers, 200), sent)
            fill(full, client, numbers, sent)
            if number % 5 == 1:
                # The broker has measured it: now it refuses before it tries.
                wait_for("look at the disk", lambda: full.used_ratio() > 0.9, within_s=30)
                sent.refused.clear()
                client.send(itertools.islice(numbers, REFUSALS), sent)
                check_refusals(sent)
            outcome.resumed_s.append(free(full, client, numbers, sent))
            outcome.figures.rounds += 1
    assert full.broker.stop() == 0
    restarted = start(run, disk)
    with PlainClient(restarted.address, TOPIC, QUEUES) as client:
        read_back(client, sent, outcome.figures)
    assert restarted.broker.stop() == 0


def test_a_disk_that_is_full_again_and_again_costs_no_message(
    small_disk: Path, tmp_path: Path, sized: Sized, print_figures: PrintFigures
) -> None:
    run = Processes(tmp_path / "home")
    outcome = Outcome(Figures(), [])
    rounds = list(sized(2, 20))
    try:
        while rounds:
            play(run, small_disk, rounds[:ROUNDS_OF_A_STORE], outcome)
            shutil.rmtree(small_disk / "store")
            del rounds[:ROUNDS_OF_A_STORE]
    finally:
        run.end()
    figures, resume_s = outcome.figures, max(outcome.resumed_s)
    print_figures(f"{figures.text()}, time to resume max {resume_s:.2f} s")
    assert resume_s <= RESUMES_WITHIN_S
    assert (figures.lost, figures.duplicated, figures.out_of_order) == (0, 0, 0)
