# SPDX-License-Identifier: Apache-2.0
"""All consume queues of a broker, under `consumequeue/<topic>/<queueId>/` (Apache's ConsumeQueueStore)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting.java_hash import tag_hash
from ..remoting.message import RECORD_MIN_BYTES
from .consume_queue import FILLER_SIZE, ConsumeQueue
from .errors import StoreError
from .record import tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..env import Disk
    from .config import StoreConfig
    from .deleted_topics import DeletedTopics
    from .queue_checkpoint import QueueKey
    from .record import ScannedRecord

# A directory's name: the file systems' limit, and RocketMQ's for topics is lower.
_TOPIC_BYTES_MAX = 255


class ConsumeQueueStore:
    def __init__(self, disk: Disk, config: StoreConfig, deleted: DeletedTopics) -> None:
        self.table: dict[QueueKey, ConsumeQueue] = {}
        self._disk = disk
        self._deleted = deleted
        self._directory = config.root / "consumequeue"
        self._file_size_bytes = config.mapped_file_size_consume_queue
        self._delays_ms = config.delay_levels_ms
        self.by_raw_topic: dict[tuple[bytes, int], ConsumeQueue] = {}
        """Queues that records were dispatched to, by the topic as it stands in the log."""

    def load(self) -> None:
        for topic in self._disk.listdir(self._directory):
            for name in self._disk.listdir(self._directory / topic):
                if name.isdigit() and self._disk.listdir(self._directory / topic / name):
                    self.make(topic, int(name)).load()

    def __iter__(self) -> Iterator[ConsumeQueue]:
        return iter(self.table.values())

    def make(self, topic: str, queue_id: int) -> ConsumeQueue:
        """The queue, made on first use. Raises StoreError for a name that could leave the store's directory."""
        queue = self.table.get((topic, queue_id))
        if queue is None:
            if not _is_directory_name(topic) or queue_id < 0:
                raise StoreError(f"{topic!r}, queue {queue_id}: not a name for a consume queue")
            directory = self._directory / topic / str(queue_id)
            queue = ConsumeQueue(
                self._disk,
                directory,
                file_size_bytes=self._file_size_bytes,
                topic=topic,
                queue_id=queue_id,
                delays_ms=self._delays_ms,
            )
            self.table[topic, queue_id] = queue
        return queue

    def dispatch(self, record: ScannedRecord) -> ConsumeQueue | None:
        """Add the unit of a record that was found in the log. None where it gets none: it has one already, is
        prepared or rolled back, is of a topic that was deleted, or claims a place that it cannot have (a StoreError
        says which)."""
        if not record.has_unit or self._deleted.is_gone(record.topic, record.physical_offset):
            return None
        queue = self.by_raw_topic.get((record.topic, record.queue_id))
        if queue is None:
            queue = self.make(record.topic.decode("utf-8", "replace"), record.queue_id)
            self.by_raw_topic[record.topic, record.queue_id] = queue
        if record.queue_offset != queue.next_offset and not self._fit(queue, record):
            return None
        queue.add(record.physical_offset, record.size, self.tags_code(queue, record))
        return queue

    def is_gone(self, topic: str, physical_offset: int) -> bool:
        """Whether the topic was deleted when the log had grown beyond that place."""
        return self._deleted.is_gone(topic.encode("utf-8", "surrogatepass"), physical_offset)

    def find(self, record: ScannedRecord) -> ConsumeQueue | None:
        """The queue that holds the record's unit, or its place; None where there is none."""
        if not record.has_unit:
            return None
        return self.table.get((record.topic.decode("utf-8", "replace"), record.queue_id))

    def end_in(self, start: int, end: int) -> int:
        """Where the last message ends that a queue has in this range of the log; 0 where there is none."""
        last = 0
        for queue in self:
            after = queue.bisect(queue.first_stored, lambda physical_offset, _: physical_offset < end)
            if after > queue.first_stored:
                physical_offset, size, _ = queue.unit(after - 1)
                if physical_offset >= start and size != FILLER_SIZE and physical_offset + size <= end:
                    last = max(last, physical_offset + size)
        return last

    @staticmethod
    def tags_code(queue: ConsumeQueue, record: ScannedRecord) -> int:
        """What the unit says besides the place."""
        if queue.deliver_delay_ms is not None:
            return record.store_timestamp_ms + queue.deliver_delay_ms
        tags = tags_of(record.properties)
        return tag_hash(tags.decode("utf-8", "replace")) if tags else 0

    def _fit(self, queue: ConsumeQueue, record: ScannedRecord) -> bool:
        """The record is not the queue's next one. True when it is now."""
        if queue.is_empty:
            queue.begin_at(record.queue_offset)
            return True
        if record.queue_offset < queue.next_offset:
            if record.queue_offset < queue.first_stored:
                return False
            if queue.physical_offset_of(record.queue_offset) >= record.physical_offset:
                return False
            # The same number again, further on in the log: the topic was deleted and made anew. The newer ones count.
            queue.cut(record.queue_offset)
            return True
        missing = record.queue_offset - queue.next_offset
        if missing * RECORD_MIN_BYTES > record.physical_offset - queue.last_physical_offset:
            raise StoreError(
                f"record at {record.physical_offset} says number {record.queue_offset} of {queue.topic}"
                f" queue {queue.queue_id}, whose next is {queue.next_offset}"
            )
        queue.fill_up_to(record.queue_offset, record.physical_offset)
        return True

    def remove_deleted(self) -> None:
        """Remove the queues that end below their topic's mark."""
        for topic, mark in self._deleted.marks.items():
            ends = [queue.last_physical_offset for (name, _), queue in self.table.items() if name == topic]
            if ends and max(ends) < mark:
                self.remove(topic)

    def remove(self, topic: str) -> bool:
        """Remove all queues of a topic. False where there are none."""
        keys = [key for key in self.table if key[0] == topic]
        for key in keys:
            self.table.pop(key).clear()
        self.by_raw_topic.clear()
        return bool(keys)

    def close(self) -> None:
        for queue in self:
            queue.close()


def _is_directory_name(topic: str) -> bool:
    return (
        0 < len(topic.encode("utf-8", "replace")) <= _TOPIC_BYTES_MAX
        and topic not in (".", "..")
        and not any(char in topic for char in "/\\\0")
    )
