# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own part: the process, the files on disk and the messages.  What a log means is tested with
``rmq.topology.boot_wait``."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.rocketmq.cluster.plugins.module_utils.log_files import listing
from ansible_collections.rocketmq.cluster.plugins.module_utils.rmq.topology.boot_wait import LogMark
from ansible_collections.rocketmq.cluster.plugins.modules import wait_boot

from .run_module import ModuleFailed, run_module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOOT = (
    "2026-01-01 00:00:00 INFO main - The broker[broker-a, 127.0.0.1:10911] boot success. "
    "serializeType=JSON and name server is 127.0.0.1:9876\n"
)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is told to end."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child
        if child.poll() is None:
            child.communicate(b"\n")


def end(process: subprocess.Popen[bytes]) -> None:
    process.communicate(b"\n")


def options(log: Path, pid: int, **more: Any) -> dict[str, Any]:
    mark = LogMark.of(str(log), listing(str(log)))
    return {
        "node": "broker-a",
        "kind": "broker",
        "broker_name": "broker-a",
        "address": "127.0.0.1:10911",
        "pid": pid,
        "marks": [{"path": mark.path, "inode": mark.inode, "offset_bytes": mark.offset_bytes}],
        "timeout": 20,
        **more,
    }


def write_after_first_look(log: Path, monkeypatch: pytest.MonkeyPatch, *steps: Any) -> None:
    """Do one step each time the module would sleep, instead of sleeping."""
    left = list(steps)

    def instead_of_sleeping(_seconds: float) -> None:
        if left:
            left.pop(0)()
        else:
            threading.Event().wait(0.01)

    monkeypatch.setattr(time, "sleep", instead_of_sleeping)


def test_boot_line_that_comes_during_the_wait_ends_it(
    tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "broker.log"
    asked = options(log, process.pid)
    write_after_first_look(log, monkeypatch, lambda: log.write_text(BOOT))
    assert "boot success" in run_module(wait_boot, asked)["line"]


def test_boot_line_of_an_earlier_start_does_not_count(
    tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "broker.log"
    log.write_text(BOOT)
    asked = options(log, process.pid)
    write_after_first_look(log, monkeypatch, lambda: end(process))
    with pytest.raises(ModuleFailed, match="the process ended"):
        run_module(wait_boot, asked)


def test_log_that_is_rotated_during_the_start_is_followed(
    tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "broker.log"
    log.write_text("old\n")
    asked = options(log, process.pid)

    def boot_and_rotate() -> None:
        with log.open("a") as output:
            output.write(BOOT)
        log.rename(tmp_path / "broker.log.1")
        log.write_text("and on\n")

    write_after_first_look(log, monkeypatch, boot_and_rotate)
    assert "boot success" in run_module(wait_boot, asked)["line"]


def test_process_that_dies_at_once_ends_the_wait_with_its_cause_and_last_lines(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    log = tmp_path / "broker.log"
    asked = options(log, process.pid)
    log.write_text("recovering\nThe broker could not start: port 10911 is in use\n")
    end(process)
    with pytest.raises(ModuleFailed) as failed:
        run_module(wait_boot, asked)
    assert str(failed.value).startswith("broker-a: the process ended: port 10911 is in use")
    assert len(str(failed.value).splitlines()) == 1
    assert failed.value.result["last_lines"][0] == "recovering"


def test_process_that_never_appeared_is_a_failed_start(tmp_path: Path) -> None:
    with pytest.raises(ModuleFailed, match="wrote nothing to its logs"):
        run_module(wait_boot, options(tmp_path / "broker.log", 0))


def test_check_mode_waits_for_nothing_and_says_for_what(tmp_path: Path) -> None:
    done = run_module(wait_boot, options(tmp_path / "broker.log", 0), check=True)
    assert done["msg"] == "would wait 20 s at most for the boot line of the broker broker-a"
