# SPDX-License-Identifier: Apache-2.0
"""Log files as RocketMQ users look for them: `namesrv.log`, and `broker.log` with the link `Broker.log` beside it.

Rule of sizes: a log file is closed at 32 MiB and 9 older ones are kept (`broker.log.1` is the newest of them), so that
a node's logs never take more than 320 MiB, whatever it is made to say. Times are local, with their offset from UTC.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import time
from pathlib import Path

FILE_BYTES_MAX = 32 * 1024 * 1024
OLD_FILES_KEPT = 9
# One line is at most this long: what a peer sends must not fill a file by one frame.
LINE_CHARS_MAX = 8192
LOGGER_NAME = "rmq"

_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F)} | {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}


def default_directory() -> Path:
    """`~/logs/rocketmqlogs`, where the guide's `tail -f` looks; ROCKETMQ_LOG_DIR moves it."""
    chosen = os.environ.get("ROCKETMQ_LOG_DIR")
    return Path(chosen) if chosen else Path.home() / "logs" / "rocketmqlogs"


class LineFormatter(logging.Formatter):
    """One event, one line: control characters are escaped, so that no peer forges a line. Tracebacks keep theirs."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(threadName)s - %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        moment = time.localtime(record.created)
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', moment)},{int(record.msecs):03d}{time.strftime('%z', moment)}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        message = record.message
        if len(message) > LINE_CHARS_MAX:
            message = f"{message[:LINE_CHARS_MAX]}... ({len(message)} characters)"
        record.message = message.translate(_ESCAPES)
        return super().formatMessage(record)


class SharedRotatingFileHandler(logging.handlers.RotatingFileHandler):
    """Brokers typed by hand on one machine share `broker.log`: whoever finds it rotated by another goes on in the new
    one."""

    def shouldRollover(self, record: logging.LogRecord) -> int:
        stream = self.stream
        if stream is not None and not self._is_in_place(stream.fileno()):
            stream.close()
            self.stream = self._open()
        return int(super().shouldRollover(record))

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(Path(self.baseFilename).stat(), os.fstat(descriptor))
        except OSError:
            return False


def open_log(directory: Path, file_name: str, *, level: int = logging.INFO) -> logging.Logger:
    """Log to directory/file_name from now on. Raises OSError where that cannot be written."""
    directory.mkdir(parents=True, exist_ok=True)
    handler = SharedRotatingFileHandler(
        directory / file_name,
        maxBytes=FILE_BYTES_MAX,
        backupCount=OLD_FILES_KEPT,
        encoding="utf-8",
        errors="backslashreplace",
    )
    handler.setFormatter(LineFormatter())
    # A full disk must not fill stderr too, nor stop the broker: log lines are dropped then.
    logging.raiseExceptions = False
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(level)
    logger.propagate = False
    close_log(logger)
    logger.addHandler(handler)
    if file_name == "broker.log":
        _link(directory / "Broker.log", file_name)
    return logger


def close_log(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        # A full disk refuses the last line, and that is no reason to fail.
        with contextlib.suppress(OSError):
            handler.close()


def _link(link: Path, target: str) -> None:
    """The guide writes `Broker.log`. Where the file system is blind to case it is the same file already, and stays."""
    if link.is_symlink() or not link.exists():
        temporary = link.with_name(f".{link.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)
