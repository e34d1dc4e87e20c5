# SPDX-License-Identifier: Apache-2.0
"""A store on the fake disk, for tests: small files, so that every test meets several of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.engine.fakes import FakeDisk, FakeReactor

from rmq.remoting.java_hash import tag_hash
from rmq.remoting.message import MessageExt, decode_records
from rmq.store import MessageStore, MessageToStore, PutResult, PutStatus, StoreConfig

if TYPE_CHECKING:
    from rmq.store import GetResult

ROOT = Path("/store")
LOG_FILE_BYTES = 16384
QUEUE_FILE_BYTES = 2000
INDEX_SLOTS = 100
INDEX_ENTRIES = 400


class StoreCase:
    """One life of a store: opened on a disk that outlives it."""

    def __init__(self, disk: FakeDisk | None = None, *, start: bool = True, **settings: Any) -> None:
        settings.setdefault("mapped_file_size_commit_log", LOG_FILE_BYTES)
        settings.setdefault("mapped_file_size_consume_queue", QUEUE_FILE_BYTES)
        settings.setdefault("max_hash_slot_num", INDEX_SLOTS)
        settings.setdefault("max_index_num", INDEX_ENTRIES)
        self.disk = disk if disk is not None else FakeDisk()
        self.reactor = FakeReactor()
        self.fatal: list[str] = []
        self.store = MessageStore(
            StoreConfig(root=ROOT, **settings), self.disk, self.reactor, on_fatal=self.fatal.append
        )
        self.store.load()
        if start:
            self.store.start()

    def put(self, message: MessageToStore) -> PutResult:
        """Put one message and run the loop until it is answered (no time passes unless it must)."""
        results: list[PutResult] = []
        self.store.put(message, results.append)
        self.reactor.run_until(lambda: bool(results))
        return results[0]

    def put_many(self, count: int, topic: str = "T", queue_id: int = 0, size_bytes: int = 40) -> list[PutResult]:
        """Messages whose bodies say which they are, in one tick."""
        results: list[PutResult] = []
        for number in range(count):
            self.store.put(message(number, topic, queue_id, size_bytes), results.append)
        self.reactor.run_until(lambda: len(results) == count)
        assert all(one.status is PutStatus.OK for one in results), results
        return results

    def read_all(self, topic: str = "T", queue_id: int = 0) -> list[MessageExt]:
        """Every message of a queue, as a consumer reads it, from the first on."""
        found: list[MessageExt] = []
        offset = self.store.min_offset(topic, queue_id)
        while offset < self.store.max_offset(topic, queue_id):
            result = self.store.get(topic, queue_id, offset, 32)
            found += messages_of(result)
            assert result.next_begin_offset > offset
            offset = result.next_begin_offset
        return found

    def stop(self) -> FakeDisk:
        self.store.shutdown()
        return self.disk

    def kill(self) -> FakeDisk:
        """The process is gone; the disk has what was written."""
        self.reactor.crash()
        self.disk.kill()
        return self.disk


def message(
    number: int = 0, topic: str = "T", queue_id: int = 0, size_bytes: int = 40, tag: str = "TagA", **fields: Any
) -> MessageToStore:
    body = f"{number:08d}".encode() * (size_bytes // 8)
    properties = f"TAGS\x01{tag}\x02WAIT\x01true\x02" if tag else ""
    fields.setdefault("tags_code", tag_hash(tag) if tag else 0)
    return MessageToStore(topic, queue_id, body, properties, 1_795_000_000_000, ("127.0.0.1", 4321), **fields)


def messages_of(result: GetResult) -> list[MessageExt]:
    return [one for frame in result.frames for one in decode_records(bytes(frame))]


def log_path(start: int = 0) -> Path:
    return ROOT / "commitlog" / f"{start:020d}"


def queue_path(topic: str = "T", queue_id: int = 0, start: int = 0) -> Path:
    return ROOT / "consumequeue" / topic / str(queue_id) / f"{start:020d}"
