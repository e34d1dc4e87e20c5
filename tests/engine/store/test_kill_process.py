# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a real process that writes to a real disk: everything that it acknowledged is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.fakes import FakeReactor
from tests.engine.store.writer_process import QUEUES, config

from rmq.remoting.message import decode_records
from rmq.runtime.system_disk import SystemDisk
from rmq.store import FlushDiskType, MessageStore, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 3
ACKNOWLEDGED_BEFORE_KILL = 3000
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def writers() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of this test; none outlives it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def start_writer(root: Path, flush: FlushDiskType) -> subprocess.Popen[bytes]:
    paths = [str(REPOSITORY / "src"), str(REPOSITORY / "plugins" / "module_utils"), str(REPOSITORY)]
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("writer_process.py")), str(root), flush.value],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def acknowledged_until_killed(process: subprocess.Popen[bytes]) -> set[int]:
    """Physical offsets that the process said are stored, up to the moment of its death."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(ACKNOWLEDGED_BEFORE_KILL)]
    process.kill()
    lines += process.stdout.readlines()
    # The last line may be half: the process died while it wrote.
    return {int(line.split()[0]) for line in lines if line.endswith(b"\n")}


def stored(root: Path, flush: FlushDiskType) -> dict[int, tuple[int, int]]:
    """Queue and queue offset by physical offset, read by a store that is opened and closed here."""
    store = MessageStore(config(root, flush), SystemDisk(), FakeReactor())
    store.load()
    found: dict[int, tuple[int, int]] = {}
    for queue_id in range(QUEUES):
        offset = 0
        while offset < store.max_offset("Kill", queue_id):
            result = store.get("Kill", queue_id, offset, 32)
            for frame in result.frames:
                for one in decode_records(bytes(frame)):
                    found[one.physical_offset] = (queue_id, one.queue_offset)
            offset = result.next_begin_offset
        numbers = sorted(number for queue, number in found.values() if queue == queue_id)
        assert numbers == list(range(len(numbers)))
    assert store.recovery.damaged_ranges == []
    store.shutdown()
    return found


@pytest.mark.parametrize("flush", FlushDiskType)
def test_nothing_acknowledged_is_lost(
    tmp_path: Path, flush: FlushDiskType, writers: list[subprocess.Popen[bytes]]
) -> None:
    acknowledged: set[int] = set()
    for _ in range(ROUNDS):
        writers.append(start_writer(tmp_path, flush))
        acknowledged |= acknowledged_until_killed(writers[-1])
        writers[-1].wait()
        assert (tmp_path / "abort").exists()
        assert acknowledged <= stored(tmp_path, flush).keys()
        assert not (tmp_path / "abort").exists()
    assert len(acknowledged) >= ROUNDS * ACKNOWLEDGED_BEFORE_KILL


def test_second_process_is_refused_and_told_which_one_has_the_store(
    tmp_path: Path, writers: list[subprocess.Popen[bytes]]
) -> None:
    writers.append(start_writer(tmp_path, FlushDiskType.ASYNC_FLUSH))
    assert writers[0].stdout is not None
    assert writers[0].stdout.readline()
    store = MessageStore(config(tmp_path, FlushDiskType.ASYNC_FLUSH), SystemDisk(), FakeReactor())
    with pytest.raises(StoreError, match=str(writers[0].pid)):
        store.load()
    assert (tmp_path / "abort").read_text() == str(writers[0].pid)
