# SPDX-License-Identifier: Apache-2.0
"""A commit log in several directories: where new files go, and what a start says of directories that are not right."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.fakes import FakeDisk
from tests.engine.store.store_case import LOG_FILE_BYTES, StoreCase

from rmq.store.config import HOUR_MS
from rmq.store.errors import StoreError
from rmq.store.mapped_file_queue import file_name
from rmq.store.store_paths import StorePaths

ONE, TWO, THREE = Path("/one/commitlog"), Path("/two/commitlog"), Path("/three/commitlog")
# More than three files of the log.
MANY = 320


def places(disk: FakeDisk) -> dict[Path, list[int]]:
    """The numbers of the commit log's files in each directory."""
    found: dict[Path, list[int]] = {}
    for path in disk.files():
        if path.parent in {ONE, TWO, THREE}:
            found.setdefault(path.parent, []).append(int(path.name) // LOG_FILE_BYTES)
    return {directory: sorted(numbers) for directory, numbers in found.items()}


def test_the_order_of_directories_is_that_of_their_texts_and_a_read_only_one_gets_no_file() -> None:
    paths = StorePaths([Path("/a/b"), Path("/a-b"), Path("/c")], [Path("/c"), Path("/d")])
    assert paths.writable == (Path("/a-b"), Path("/a/b"))
    assert paths.all == (Path("/a-b"), Path("/a/b"), Path("/c"), Path("/d"))
    assert [paths.for_new(number) for number in range(3)] == [Path("/a-b"), Path("/a/b"), Path("/a-b")]
    with pytest.raises(ValueError, match="one has to take new files"):
        StorePaths([ONE], [ONE])


def test_full_directories_are_left_out_unless_all_are_full() -> None:
    paths = StorePaths([ONE, TWO, THREE])
    paths.full = frozenset({ONE})
    assert {paths.for_new(number) for number in range(6)} == {TWO, THREE}
    paths.full = frozenset({ONE, TWO, THREE})
    assert [paths.for_new(number) for number in range(3)] == [ONE, THREE, TWO]


@pytest.mark.parametrize("clean", [True, False], ids=["stop", "kill"])
def test_files_go_round_the_directories_and_all_are_read_after_a_restart(clean: bool) -> None:
    case = StoreCase(commit_log_paths=(TWO, ONE))
    case.put_many(MANY)
    before = case.read_all()
    assert len(before) == MANY
    found = places(case.disk)
    numbers = range(max(*found[ONE], *found[TWO]) + 1)
    assert len(numbers) > 3
    assert found == {ONE: [n for n in numbers if n % 2 == 0], TWO: [n for n in numbers if n % 2 == 1]}
    again = StoreCase(case.stop() if clean else case.kill(), commit_log_paths=(ONE, TWO))
    assert again.read_all() == before
    assert again.put_many(1)[0].queue_offset == MANY


def test_a_directory_that_is_read_only_keeps_its_files_and_gets_no_more() -> None:
    case = StoreCase(commit_log_paths=(ONE, TWO))
    case.put_many(MANY)
    before = places(case.disk)
    again = StoreCase(case.stop(), commit_log_paths=(ONE, TWO), read_only_commit_log_paths=(TWO,))
    again.put_many(MANY)
    after = places(again.disk)
    assert after[TWO] == before[TWO]
    assert len(after[ONE]) > len(before[ONE]) + 2
    assert len(again.read_all()) == 2 * MANY


class TwoDisks(FakeDisk):
    """Two directories on disks of their own, as full as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.ratios = {ONE: 0.2, TWO: 0.2}

    def used_ratio(self, path: Path) -> float:
        return self.ratios.get(path, 0.0)


def test_a_disk_that_is_nearly_full_gets_no_new_file_while_another_has_room() -> None:
    disks = TwoDisks()
    case = StoreCase(disks, commit_log_paths=(ONE, TWO), clean_resource_interval_ms=1000)
    case.put_many(MANY)
    before = places(disks)
    disks.ratios[ONE] = 0.99
    case.reactor.run_for(1001)
    case.put_many(MANY)
    after = places(disks)
    # The one that was made ahead may be there.
    assert len(after[ONE]) <= len(before[ONE]) + 1
    assert len(after[TWO]) > len(before[TWO]) + 2
    info = case.store.runtime_info()
    assert info["commitLogDiskRatio"] == "0.2"
    assert info[f"commitLogDiskRatio_{ONE}"] == "0.99"
    assert len(StoreCase(case.kill(), commit_log_paths=(ONE, TWO)).read_all()) == 2 * MANY


def test_old_files_go_from_every_directory() -> None:
    case = StoreCase(
        commit_log_paths=(ONE, TWO),
        delete_when_hours=tuple(range(24)),
        clean_resource_interval_ms=HOUR_MS,
        flush_interval_ms=HOUR_MS,
    )
    case.put_many(MANY)
    case.reactor.clock.advance(80 * HOUR_MS)
    case.put_many(MANY)
    case.reactor.run_for(HOUR_MS)
    last = case.store.min_physical_offset // LOG_FILE_BYTES
    assert last > 2
    assert min(number for numbers in places(case.disk).values() for number in numbers) == last


def test_a_missing_directory_is_named_once_there_is_a_log() -> None:
    disk = StoreCase(commit_log_paths=(ONE,)).stop()
    with pytest.raises(StoreError, match="/two/commitlog: there is no such directory: mount its disk"):
        StoreCase(disk, commit_log_paths=(ONE, TWO))
    disk.make_directories(TWO)
    assert StoreCase(disk, commit_log_paths=(ONE, TWO)).put_many(1)[0].queue_offset == 0


def test_a_file_that_is_there_twice_is_named() -> None:
    disk = StoreCase(commit_log_paths=(ONE, TWO)).stop()
    disk.open(TWO / file_name(0), size_bytes=LOG_FILE_BYTES).close()
    with pytest.raises(StoreError, match="is in /one/commitlog too"):
        StoreCase(disk, commit_log_paths=(ONE, TWO))
