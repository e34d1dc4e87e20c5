# SPDX-License-Identifier: Apache-2.0
"""Config files: Apache's text, never half a file, the backup when the file is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.fakes import FakeDisk, SimulatedCrash

from rmq.store import StoreError
from rmq.store.config_manager import ConfigManager

PATH = Path("/store/config/consumerOffset.json")
BACKUP = PATH.with_name("consumerOffset.json.bak")
APACHES = b'{\n\t"offsetTable":{\n\t\t"T@g":{0:1,1:5\n\t\t}\n\t}\n}'


def test_missing_file_is_no_value() -> None:
    assert ConfigManager(FakeDisk(), PATH).load() is None


def test_apaches_unquoted_keys_are_read() -> None:
    disk = FakeDisk()
    disk.replace_file(PATH, APACHES)
    assert ConfigManager(disk, PATH).load() == {"offsetTable": {"T@g": {"0": 1, "1": 5}}}


def test_former_text_becomes_the_backup() -> None:
    disk = FakeDisk()
    manager = ConfigManager(disk, PATH)
    manager.persist({"a": 1})
    manager.persist({"a": 2})
    assert disk.read_bytes(PATH) == b'{\n\t"a":2\n}'
    assert disk.read_bytes(BACKUP) == b'{\n\t"a":1\n}'


@pytest.mark.parametrize("damage", [b"", b"\0" * 20, b'{"a":', b"{]", b"\xff\xfe"])
def test_damaged_file_is_read_from_its_backup(damage: bytes) -> None:
    disk = FakeDisk()
    manager = ConfigManager(disk, PATH)
    manager.persist({"a": 1})
    manager.persist({"a": 2})
    disk.replace_file(PATH, damage)
    assert ConfigManager(disk, PATH).load() == {"a": 1}


def test_damaged_file_never_becomes_the_backup() -> None:
    disk = FakeDisk()
    disk.replace_file(PATH, b"{half")
    disk.replace_file(BACKUP, b'{"a":1}')
    manager = ConfigManager(disk, PATH)
    assert manager.load() == {"a": 1}
    manager.persist({"a": 2})
    assert disk.read_bytes(BACKUP) == b'{"a":1}'
    assert disk.read_bytes(PATH) == b'{\n\t"a":2\n}'


def test_two_damaged_files_are_an_error_that_names_both() -> None:
    disk = FakeDisk()
    disk.replace_file(PATH, b'{"a":')
    disk.replace_file(BACKUP, b"{]")
    with pytest.raises(StoreError, match=r"consumerOffset\.json: .*consumerOffset\.json\.bak: ") as caught:
        ConfigManager(disk, PATH).load()
    assert "\n" not in str(caught.value)


def test_same_value_is_not_written_again() -> None:
    disk = FakeDisk()
    manager = ConfigManager(disk, PATH)
    manager.persist({"a": 1})
    disk.operations.clear()
    manager.persist({"a": 1})
    assert disk.operations == []


@pytest.mark.parametrize("at", [1, 2])
def test_crash_while_writing_leaves_the_old_value_or_the_new(at: int) -> None:
    disk = FakeDisk()
    manager = ConfigManager(disk, PATH)
    manager.persist({"a": 1})
    disk.crash_at = disk.mutations + at
    with pytest.raises(SimulatedCrash):
        manager.persist({"a": 2})
    disk.crash("all")
    assert ConfigManager(disk, PATH).load() in ({"a": 1}, {"a": 2})
