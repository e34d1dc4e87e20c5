# SPDX-License-Identifier: Apache-2.0
"""Log files: where they are, how large they get, and that a line is a line."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from rmq.runtime import logs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def closed_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logging, "raiseExceptions", logging.raiseExceptions)
    logger = logging.getLogger(logs.LOGGER_NAME)
    before = (logger.level, logger.propagate)
    yield
    logs.close_log(logger)
    logger.level, logger.propagate = before


def test_a_line_has_a_time_with_its_offset_a_level_and_a_thread(tmp_path: Path) -> None:
    logs.open_log(tmp_path, "namesrv.log").info("hello %d", 5)
    text = (tmp_path / "namesrv.log").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}[+-]\d{4} INFO \S+ - hello 5\n", text)


def test_a_peer_cannot_forge_a_line_or_fill_the_file_with_one(tmp_path: Path) -> None:
    log = logs.open_log(tmp_path, "namesrv.log")
    log.info("from a peer: %s", "x\n2026-01-01 INFO boot success\r\x1b[31m\0")
    log.info("%s", "y" * 100_000)
    first, second, rest = (tmp_path / "namesrv.log").read_text().split("\n")
    assert first.endswith(r"x\n2026-01-01 INFO boot success\r\x1b[31m\x00")
    assert second.endswith("y... (100000 characters)")
    assert len(second) < 9_000
    assert rest == ""


def test_a_traceback_keeps_its_lines(tmp_path: Path) -> None:
    log = logs.open_log(tmp_path, "namesrv.log")
    try:
        raise ValueError("cause")
    except ValueError:
        log.exception("failed")
    assert "\nValueError: cause\n" in (tmp_path / "namesrv.log").read_text()


def test_the_files_of_a_node_have_a_hard_limit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 10_000)
    monkeypatch.setattr(logs, "OLD_FILES_KEPT", 3)
    log = logs.open_log(tmp_path, "broker.log")
    for number in range(2_000):
        log.info("line %d %s", number, "x" * 50)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["Broker.log", "broker.log", "broker.log.1", "broker.log.2", "broker.log.3"]
    assert sum((tmp_path / name).stat().st_size for name in files[1:]) <= 40_000
    assert "line 1999" in (tmp_path / "Broker.log").read_text()


def test_two_processes_that_share_a_log_rotate_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers typed by hand on one machine all log to broker.log."""
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 10_000)
    first = logs.open_log(tmp_path, "broker.log").handlers[0]
    logging.getLogger(logs.LOGGER_NAME).removeHandler(first)
    second = logs.open_log(tmp_path, "broker.log").handlers[0]
    for number in range(60):
        for handler in (first, second):
            record = logging.LogRecord("rmq", logging.INFO, "", 0, f"line {number} {'x' * 50}", None, None)
            handler.handle(record)
    first.close()
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("broker.log*"))]
    assert [size <= 10_000 for size in sizes] == [True, True]
    text = "".join(path.read_text() for path in tmp_path.glob("broker.log*"))
    assert all(text.count(f"line {number} ") == 2 for number in range(60))


def test_the_link_follows_a_rotation_and_is_renewed(tmp_path: Path) -> None:
    (tmp_path / "Broker.log").symlink_to("elsewhere")
    logs.open_log(tmp_path, "broker.log").info("hello")
    assert (tmp_path / "Broker.log").readlink().name == "broker.log"
    assert "hello" in (tmp_path / "Broker.log").read_text()


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        logs.open_log(tmp_path / "file" / "logs", "broker.log")


def test_a_full_disk_is_no_reason_to_fail(tmp_path: Path) -> None:
    log = logs.open_log(tmp_path, "broker.log")
    handler = log.handlers[0]
    assert isinstance(handler, logging.FileHandler)
    assert handler.stream is not None
    handler.stream.close()
    handler.stream = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115, PTH123
    log.info("lost")


def test_the_directory_is_where_the_guide_looks_unless_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROCKETMQ_LOG_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert logs.default_directory() == tmp_path / "logs" / "rocketmqlogs"
    monkeypatch.setenv("ROCKETMQ_LOG_DIR", "/var/log/node")
    assert str(logs.default_directory()) == "/var/log/node"
