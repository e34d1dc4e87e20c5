# SPDX-License-Identifier: Apache-2.0
"""Namespaces of keys and values, kept in kvConfig.json (Apache's KVConfigManager). Its main use: which topics are
ordered.

A change is in memory at once; its answer waits until the file holds it. While one write runs, further changes wait
for the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..remoting.java_json import JavaJsonError, dumps_bytes, loads_bytes
from ..rpc import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from pathlib import Path

    from ..env import Disk, Reactor

    Persisted = Callable[[BaseException | None], None]

NAMESPACE_ORDER_TOPIC_CONFIG = "ORDER_TOPIC_CONFIG"
# Ordered topics of a large cluster are some thousands, each with a line of broker names: a megabyte. All of it is
# written with each change and anybody may put, so it is bounded as a whole.
TOTAL_CHARS_MAX = 16 * 1024 * 1024
NAME_CHARS_MAX = 512
VALUE_CHARS_MAX = 65_536


class KVConfigError(Exception):
    """The file is there and cannot be read; the text names it."""


class KVConfigManager:
    """`version` grows with every change."""

    def __init__(self, path: Path, disk: Disk, reactor: Reactor, log: Logger) -> None:
        self._path = path
        self._disk = disk
        self._reactor = reactor
        self._log = log
        self._table: dict[str, dict[str, str]] = {}
        self._waiting: list[Persisted] = []
        self._is_writing = False
        self._total_chars = 0
        self.version = 0

    def load(self) -> None:
        """Blocks. No file is an empty table. Raises KVConfigError."""
        try:
            self._table = _table_of(loads_bytes(self._disk.read_bytes(self._path)))
        except FileNotFoundError:
            return
        except (OSError, JavaJsonError, ValueError) as error:
            raise KVConfigError(f"{self._path} cannot be read: {error}") from None
        entries = [(name, *entry) for name, table in self._table.items() for entry in table.items()]
        self._total_chars = sum(_chars(*entry) for entry in entries)

    def get(self, namespace: str, key: str) -> str | None:
        return self._table.get(namespace, {}).get(key)

    def namespace(self, namespace: str) -> dict[str, str] | None:
        """Its keys and values, or None where nobody has ever put anything."""
        return self._table.get(namespace)

    def put(self, namespace: str, key: str, value: str, done: Persisted) -> None:
        """done gets None when the file holds it, else why not. Raises RequestRefused beyond the limits."""
        if max(len(namespace), len(key)) > NAME_CHARS_MAX or len(value) > VALUE_CHARS_MAX:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, "namespace, key or value is too long")
        old = self.get(namespace, key)
        total = self._total_chars + _chars(namespace, key, value) - (0 if old is None else _chars(namespace, key, old))
        if total > TOTAL_CHARS_MAX:
            raise RequestRefused(
                ResponseCode.INVALID_PARAMETER, f"all entries together exceed {TOTAL_CHARS_MAX} characters"
            )
        self._total_chars = total
        self._table.setdefault(namespace, {})[key] = value
        self._log.info("KV config: %s %s = %s", namespace, key, value)
        self._persist(done)

    def delete(self, namespace: str, key: str, done: Persisted) -> None:
        old = self._table.get(namespace, {}).pop(key, None)
        if old is not None:
            self._total_chars -= _chars(namespace, key, old)
            self._log.info("KV config: %s %s is deleted", namespace, key)
        self._persist(done)

    def _persist(self, done: Persisted) -> None:
        self.version += 1
        self._waiting.append(done)
        if not self._is_writing:
            self._write()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        data = dumps_bytes({"configTable": self._table})
        self._is_writing = True
        self._reactor.run_blocking(
            lambda: self._disk.replace_file(self._path, data), lambda result: self._written(result, waiting)
        )

    def _written(self, error: BaseException | None, waiting: list[Persisted]) -> None:
        self._is_writing = False
        if error is not None:
            self._log.error("%s cannot be written: %s", self._path, error)
        if self._waiting:
            self._write()
        for done in waiting:
            done(error)


def _table_of(value: object) -> dict[str, dict[str, str]]:
    """Raises ValueError when it is not {"configTable":{namespace:{key:value}}}."""
    table = value.get("configTable") if isinstance(value, dict) else None
    if not isinstance(table, dict) or not all(_is_texts(entries) for entries in table.values()):
        raise ValueError('it is not {"configTable":{namespace:{key:value}}}')
    return table


def _chars(namespace: str, key: str, value: str) -> int:
    """What an entry costs; the namespace is counted with each of its entries, so that many small ones cost too."""
    return len(namespace) + len(key) + len(value)


def _is_texts(entries: object) -> bool:
    return isinstance(entries, dict) and all(isinstance(value, str) for value in entries.values())
