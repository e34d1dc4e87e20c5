# SPDX-License-Identifier: Apache-2.0
"""Real files: what the store relies on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rmq.runtime import SystemDisk

if TYPE_CHECKING:
    from rmq.runtime.system_disk import SystemFile

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024


@pytest.fixture
def disk() -> SystemDisk:
    return SystemDisk()


def test_a_new_file_is_sparse_and_as_long_as_asked(disk: SystemDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "commitlog" / "00000000000000000000", size_bytes=1024 * MIB)
    assert file.size() == 1024 * MIB
    assert file.path.stat().st_blocks * 512 < MIB
    file.close()


def test_an_existing_file_keeps_its_length(disk: SystemDisk, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    file = disk.open(tmp_path / "file", size_bytes=MIB)
    assert file.size() == 3
    file.close()


def test_what_was_written_is_read_and_seen_in_the_map(disk: SystemDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "file", size_bytes=MIB)
    before = file.view(100, 5)
    file.pwrite(memoryview(b"hello world"), 100)
    file.pwrite(bytearray(b"HELLO"), 100)
    assert file.pread(11, 100) == b"HELLO world"
    assert bytes(before) == b"HELLO"
    assert bytes(file.view(105, 6)) == b" world"
    assert file.view(0, 5).readonly
    assert file.pread(10, MIB - 4) == bytes(4)
    assert file.pread(10, MIB) == b""
    file.datasync()
    file.close()
    assert bytes(before) == b"HELLO", "views outlive their file"


def test_a_view_ends_inside_the_file(disk: SystemDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "file", size_bytes=100)
    with pytest.raises(ValueError, match="range ends at 101, the file at 100"):
        file.view(90, 11)
    file.close()


def test_a_growing_file_can_be_viewed_to_its_new_end(disk: SystemDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "file")
    assert len(file.view(0, 0)) == 0
    for number in range(3):
        file.pwrite(b"%05000d" % number, number * 5000)
        assert bytes(file.view(number * 5000 + 4999, 1)) == b"%d" % number
    file.truncate(5000)
    assert bytes(file.view(0, 5000)) == b"%05000d" % 0
    file.close()


def test_reserved_space_is_taken_from_the_disk_and_the_length_stays(disk: SystemDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "file", size_bytes=8 * MIB)
    file.pwrite(b"x" * 10, 0)
    file.reserve(0, 4 * MIB)
    file.reserve(7 * MIB, 100 * MIB)
    assert file.size() == 8 * MIB
    assert file.pread(10, 0) == b"x" * 10
    assert file.path.stat().st_blocks * 512 >= 5 * MIB
    file.close()


def test_a_replaced_file_is_old_or_new_and_leaves_no_other(disk: SystemDisk, tmp_path: Path) -> None:
    path = tmp_path / "config" / "topics.json"
    disk.replace_file(path, b"one")
    disk.replace_file(path, b"two")
    assert disk.read_bytes(path) == b"two"
    assert disk.listdir(path.parent) == ["topics.json"]


def test_a_replacement_that_fails_leaves_the_old_file(
    disk: SystemDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "topics.json"
    disk.replace_file(path, b"one")

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        disk.replace_file(path, b"two")
    assert disk.read_bytes(path) == b"one"
    assert disk.listdir(tmp_path) == ["topics.json"]


def test_names(disk: SystemDisk, tmp_path: Path) -> None:
    for name in ("b", "a"):
        disk.open(tmp_path / name).close()
    assert disk.listdir(tmp_path) == ["a", "b"]
    disk.rename(tmp_path / "a", tmp_path / "c")
    disk.sync_directory(tmp_path)
    disk.remove(tmp_path / "b")
    disk.remove(tmp_path / "b")
    assert disk.listdir(tmp_path) == ["c"]
    assert disk.exists(tmp_path / "c")
    assert not disk.exists(tmp_path / "a")
    assert disk.listdir(tmp_path / "missing") == []
    with pytest.raises(FileNotFoundError):
        disk.read_bytes(tmp_path / "missing")


def test_the_used_ratio_is_that_of_the_file_system_that_will_hold_the_path(disk: SystemDisk, tmp_path: Path) -> None:
    ratio = disk.used_ratio(tmp_path / "not" / "there" / "yet")
    assert 0.0 < ratio < 1.0


# A process that tries to lock the file it is given, says what happened, and holds it until its input ends.
_LOCKER = """
import sys
from pathlib import Path
from rmq.runtime import SystemDisk
try:
    with SystemDisk().lock(Path(sys.argv[1])):
        print("locked", flush=True)
        sys.stdin.read()
except BlockingIOError as error:
    print(error)
"""


def locker(path: Path) -> subprocess.Popen[str]:
    roots = f"{ROOT / 'plugins' / 'module_utils'}:{ROOT / 'src'}"
    return subprocess.Popen(
        [sys.executable, "-c", _LOCKER, str(path)],
        env={**os.environ, "PYTHONPATH": roots},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_lock_keeps_other_processes_out_and_names_its_holder(disk: SystemDisk, tmp_path: Path) -> None:
    path = tmp_path / "store" / "lock"
    with disk.lock(path), locker(path) as other:
        assert f"locked by process {os.getpid()}" in other.communicate(timeout=30)[0]
    with locker(path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(BlockingIOError, match=f"locked by process {holder.pid}"), disk.lock(path):
            pass
        holder.kill()
    with disk.lock(path):
        pass


def test_a_lock_keeps_this_process_out_too(disk: SystemDisk, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with disk.lock(path):
        with pytest.raises(BlockingIOError, match="locked by this process"), SystemDisk().lock(path):
            pass
        with locker(path) as other:
            assert "locked by process" in other.communicate(timeout=30)[0], "the failed try did not give it back"
    with SystemDisk().lock(path):
        pass


def test_a_short_write_of_the_system_is_finished(
    disk: SystemDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file: SystemFile = disk.open(tmp_path / "file", size_bytes=100)
    real = os.pwrite

    def short(descriptor: int, data: bytes | memoryview, position: int) -> int:
        return real(descriptor, bytes(data)[:3], position)

    monkeypatch.setattr(os, "pwrite", short)
    file.pwrite(b"hello world", 10)
    monkeypatch.undo()
    assert file.pread(11, 10) == b"hello world"
    file.close()


def test_private_file_is_readable_by_its_user_alone_whatever_a_crash_left(disk: SystemDisk, tmp_path: Path) -> None:
    path = tmp_path / "config" / "auth.json"
    disk.replace_file(path, b"open")
    assert path.stat().st_mode & 0o777 == 0o644
    path.with_name("auth.json.tmp").write_bytes(b"left")
    path.with_name("auth.json.tmp").chmod(0o666)
    disk.replace_file(path, b"secret", private=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"secret"


def test_syncing_a_file_that_was_removed_and_closed_meanwhile_is_no_error(disk: SystemDisk, tmp_path: Path) -> None:
    """A topic is deleted on the loop while a thread syncs its queues; an error here would end the broker."""
    file = disk.open(tmp_path / "file", size_bytes=100)
    file.close()
    file.datasync()
