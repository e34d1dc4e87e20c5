# SPDX-License-Identifier: Apache-2.0
"""A disk that takes writes and cannot keep them: fdatasync says EIO, to a real broker on a real file system.

    ext4 of 200 MiB, on a loop device, whose file lies in a tmpfs of 24 MiB

The file system believes that there is room; when the tmpfs is full, the device has an input/output error.

A loop device takes a request of which the tmpfs had room for a part, and reports it as done (Linux 6.18, seen without
any file system on it). Nobody could keep a promise on that, so a request is made as small as a page of the tmpfs: it
fits or it does not.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.engine.cli.process import Processes

from rmq.remoting.codes import ResponseCode
from rmq.runtime.system_disk import SystemDisk

from .figures import Figures
from .plain_client import PlainClient, Sent
from .test_full_disk import QUEUES, TOPIC, read_back, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import PrintFigures

HELD_MIB, PROMISED_MIB = 24, 200
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
# What the kernel makes of a device whose backing is full hangs on which write failed first: the data's, the file
# system's own, or its journal's.
LOST_WRITE = "Input/output error|No space left on device|Read-only file system"

pytestmark = pytest.mark.timeout(600)


class LyingDisk:
    """A context. Raises CalledProcessError or OSError where nothing can be mounted."""

    def __init__(self, directory: Path) -> None:
        self._holder = directory / "holder"
        self.directory = directory / "disk"
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> LyingDisk:
        with contextlib.ExitStack() as undo:
            for path in (self._holder, self.directory):
                path.mkdir()
            _run("mount", "-t", "tmpfs", "-o", f"size={HELD_MIB}m", "tmpfs", str(self._holder))
            undo.callback(_run, "umount", "--lazy", str(self._holder))
            image = self._holder / "image"
            with image.open("wb") as file:
                file.truncate(PROMISED_MIB * 1024 * 1024)
            _run("mkfs.ext4", "-q", "-F", "-b", str(PAGE_KIB * 1024), str(image))
            self._device = Path(_run("losetup", "--find", "--show", str(image)))
            undo.callback(_run, "losetup", "--detach", str(self._device))
            Path(f"/sys/block/{self._device.name}/queue/max_sectors_kb").write_text(str(PAGE_KIB))
            self._mount()
            undo.callback(_run, "umount", "--lazy", str(self.directory))
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *unused: object) -> None:
        self._undo.close()

    def mend(self) -> None:
        """As after a move to a disk that has the room."""
        _run("mount", "-o", f"remount,size={2 * PROMISED_MIB}m", str(self._holder))
        _run("umount", str(self.directory))
        self._mount()

    def _mount(self) -> None:
        _run("mount", str(self._device), str(self.directory))


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def lying_disk(tmp_path: Path) -> Iterator[LyingDisk]:
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(LyingDisk(tmp_path))
        except (subprocess.CalledProcessError, OSError) as error:
            why = getattr(error, "stderr", None) or str(error)
            pytest.skip(f"NOT RUN: an input/output error needs a loop mount, and this is user {os.geteuid()}: {why}")
        yield disk


def test_everybody_who_syncs_a_file_is_told_of_its_lost_write(lying_disk: LyingDisk) -> None:
    """The flush of the log and a checkpoint sync the same file at the same time, in two threads."""
    file = SystemDisk().open(lying_disk.directory / "log", size_bytes=PROMISED_MIB // 2 * 1024 * 1024)
    file.pwrite(bytes([7]) * (2 * HELD_MIB * 1024 * 1024), 0)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(file.datasync) for _ in range(2)]
        errors = [one.exception() for one in both]
    assert [type(error) for error in errors] == [OSError, OSError]
    with pytest.raises(OSError, match=LOST_WRITE):
        file.datasync()
    file.close()


@pytest.mark.parametrize("flush", ["SYNC_FLUSH", "ASYNC_FLUSH"])
def test_a_failed_fsync_ends_the_broker_and_what_it_acknowledged_before_is_there(
    lying_disk: LyingDisk, tmp_path: Path, flush: str, print_figures: PrintFigures
) -> None:
    """With SYNC_FLUSH, all of it. With ASYNC_FLUSH what was synced: nobody promised the rest."""
    run = Processes(tmp_path / "home")
    figures, sent = Figures(rounds=1), Sent()
    try:
        full = start(run, lying_disk.directory, flushDiskType=flush)
        with contextlib.suppress(ConnectionError), PlainClient(full.address, TOPIC, QUEUES) as client:
            client.send(itertools.count(), sent, until=lambda: bool(sent.refused))
        assert full.broker.wait() == 1
        said = "".join(full.broker.output)
        assert "The broker failed: " in said
        # What the kernel makes of a device whose backing is full hangs on which write failed first: the data's, the
        # file system's own, or its journal's.
        what = "Input/output error|No space left on device|Read-only file system"
        assert re.search(rf"({what}): nothing more can be acknowledged", said), said
        codes = {int(answer.split()[0]) for answer in sent.refused.values()}
        assert codes <= {ResponseCode.SERVICE_NOT_AVAILABLE}
        lying_disk.mend()
        full = start(run, lying_disk.directory, flushDiskType=flush)
        with PlainClient(full.address, TOPIC, QUEUES) as client:
            read_back(client, sent, figures)
        assert full.broker.stop() == 0
    finally:
        run.end()
    gone = figures.lost
    if flush == "ASYNC_FLUSH":
        figures.lost = 0
    print_figures(figures.text() + (f" (and {gone} that were never synced)" if gone > figures.lost else ""))
    assert figures.acknowledged > gone
    assert (figures.duplicated, figures.out_of_order) == (0, 0)
    assert figures.lost == 0
