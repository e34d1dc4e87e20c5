# SPDX-License-Identifier: Apache-2.0
"""Records that stand in the log, one behind the other, get their units: what recovery does with the log that it finds,
and a slave with what its master sends (Apache's ReputMessageService).

The usual record (v1, IPv4 hosts, no transaction, with a whole-record CRC, the next one of a queue that is known) goes
by a short way: a start after a crash is as fast as this loop. Every other record goes by `scan_record` and
`ConsumeQueueStore.dispatch`, which would come to the same for the usual one.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from zlib import crc32

from ..remoting.java_hash import tag_hash
from ..remoting.message import MAGIC_V1, RECORD_MIN_BYTES
from ..remoting.message_const import TRANSACTION_TYPE_MASK
from ..remoting.message_properties import CRC_PROPERTY_BYTES
from .errors import StoreError
from .record import CRC_PREFIX, HOST_FLAGS, PROPERTY_END, SCAN_HEADS, crc_digits, scan_record, tags_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .consume_queue import ConsumeQueue
    from .consume_queue_store import ConsumeQueueStore
    from .index_service import IndexService

log = logging.getLogger(__name__)

_HEAD = SCAN_HEADS[0]
_HEAD_BYTES = _HEAD.size
_UNUSUAL_FLAGS = HOST_FLAGS | TRANSACTION_TYPE_MASK
_PREFIX_FROM, _PREFIX_TO = -CRC_PROPERTY_BYTES, len(CRC_PREFIX) - CRC_PROPERTY_BYTES


class RecordDispatcher:
    """Counts what it sees; whoever uses it shows the units to readers (`ConsumeQueue.commit`)."""

    def __init__(
        self, queues: ConsumeQueueStore, *, index: IndexService | None, refused: Callable[[int, int], None]
    ) -> None:
        """index: gets the keys of each record, unless it is None. refused(from, to): an intact record claims a place in
        its queue that it cannot have; it gets no unit."""
        self.records = 0
        self.last_store_timestamp_ms = 0
        """Store time of the newest record; 0 before the first."""
        self._queues = queues
        self._index = index
        self._refused = refused
        self._touched: dict[ConsumeQueue, None] = {}

    def take_touched(self) -> list[ConsumeQueue]:
        """The queues that were given units since the last call, in the order of their first one."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    def run(self, view: memoryview, at: int, limit: int, file_start: int) -> int:
        """Dispatch the intact records from position `at` on; returns the position of the first place where none stands
        that ends at or below limit. Byte 0 of view has the physical offset file_start."""
        known = self._queues.by_raw_topic
        touched = self._touched
        index = self._index
        unpack = _HEAD.unpack_from
        store_time = 0
        count = 0
        while limit - at >= RECORD_MIN_BYTES:
            size, magic, _, queue_id, queue_offset, physical_offset, flags, time_ms, body_bytes = unpack(view, at)
            end = at + size
            topic = at + _HEAD_BYTES + body_bytes
            if (
                magic == MAGIC_V1
                and physical_offset == file_start + at
                and not flags & _UNUSUAL_FLAGS
                and at < topic < end <= limit
            ):
                rest = bytes(view[topic:end])
                split = rest[0] + 1
                properties = rest[split + 2 :]
                name = rest[1:split]
                queue = known.get((name, queue_id))
                if (
                    queue is not None
                    and queue.next_offset == queue_offset
                    and queue.deliver_delay_ms is None
                    and properties[_PREFIX_FROM:_PREFIX_TO] == CRC_PREFIX
                    and crc_digits(crc32(view[at : end - CRC_PROPERTY_BYTES])) == properties[_PREFIX_TO:-1]
                    and properties[-1] == PROPERTY_END
                    and int.from_bytes(rest[split : split + 2], "big") == len(properties)
                ):
                    tags = tags_of(properties)
                    queue.add(physical_offset, size, tag_hash(tags.decode("utf-8", "replace")) if tags else 0)
                    touched[queue] = None
                    if index is not None:
                        index.add(name, properties, physical_offset, time_ms)
                    store_time = time_ms
                    count += 1
                    at = end
                    continue
            following = self._dispatch_unusual(view, at, limit, file_start)
            if following == at:
                break
            store_time = self.last_store_timestamp_ms
            at = following
        self.records += count
        if count:
            self.last_store_timestamp_ms = store_time
        return at

    def _dispatch_unusual(self, view: memoryview, at: int, limit: int, file_start: int) -> int:
        """Any intact record; returns where it ends, or `at` where none stands."""
        record = scan_record(view, at, limit, file_start)
        if record is None:
            return at
        self.records += 1
        self.last_store_timestamp_ms = record.store_timestamp_ms
        try:
            queue = self._queues.dispatch(record)
        except StoreError as error:
            log.error("commit log: %s", error)
            self._refused(record.physical_offset, record.physical_offset + record.size)
        else:
            if queue is not None:
                self._touched[queue] = None
        if self._index is not None:
            self._index.add_scanned(record)
        return at + record.size
