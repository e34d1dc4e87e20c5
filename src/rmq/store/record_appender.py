# SPDX-License-Identifier: Apache-2.0
"""Messages made into records at the end of the commit log's buffer: the hot path of a send.

No logging, no clock, no object but the record's pieces and the answer; see `record` for the layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from ..remoting.message_const import (
    BORN_HOST_V6_FLAG,
    STORE_HOST_V6_FLAG,
    TRANSACTION_ROLLBACK_TYPE,
    TRANSACTION_TYPE_MASK,
)
from ..remoting.message_id import encode_host
from ..remoting.message_properties import CRC_PROPERTY_BYTES, PROPERTIES_MAX_BYTES
from .errors import StoreError
from .put_message import PutResult, PutStatus
from .record import BLANK_BYTES, CRC_PREFIX, HEADS, HOST_FLAGS, PROPERTIES_LENGTH, crc_digits

if TYPE_CHECKING:
    from .commit_log import CommitLog
    from .config import StoreConfig
    from .consume_queue import ConsumeQueue
    from .index_service import PendingRecord
    from .put_message import MessageToStore

# What a record may have beside the largest body, as in Apache's MessageExtEncoder.
RECORD_OVERHEAD_BYTES_MAX = 64 * 1024
# Head with two IPv6 hosts, the longest topic that can be a directory's name, the length fields, a blank record's head.
_HEAD_AND_TOPIC_BYTES_MAX = 88 + 24 + 255 + 4 + BLANK_BYTES
_SEPARATOR = 0x02

_OK = PutStatus.OK
# A named tuple without its generated __new__, which is a call in Python.
_new_tuple = tuple.__new__
_pack_properties_length = PROPERTIES_LENGTH.pack


class RecordRefusedError(StoreError):
    """The message cannot be a record of this log."""

    def __init__(self, status: PutStatus) -> None:
        super().__init__(status.name)
        self.status = status


class RecordAppender:
    def __init__(self, log: CommitLog, config: StoreConfig, to_index: list[PendingRecord] | None) -> None:
        """to_index: gets what the index needs of each record; None where there is no index."""
        self._log = log
        self._to_index = to_index
        self._crc_bytes = CRC_PROPERTY_BYTES if config.append_prop_crc else 0
        self._body_bytes_max = config.max_message_size
        self._store_host = encode_host(*config.store_host)
        self._store_host_hex = self._store_host.hex().upper()
        self._store_flag = STORE_HOST_V6_FLAG if len(self._store_host) > 8 else 0
        self._head = HEADS[self._store_flag]

    def check(self, message: MessageToStore) -> PutStatus:
        """OK where append() will find nothing wrong with the sizes."""
        properties_bytes = len(message.properties.encode("utf-8", "replace")) + 1 + self._crc_bytes
        if properties_bytes > PROPERTIES_MAX_BYTES:
            return PutStatus.PROPERTIES_SIZE_EXCEEDED
        size = len(message.body) + properties_bytes + _HEAD_AND_TOPIC_BYTES_MAX
        if len(message.body) > self._body_bytes_max or size > self._log.files.file_size_bytes:
            return PutStatus.MESSAGE_ILLEGAL
        return _OK

    def append(self, queue: ConsumeQueue, message: MessageToStore, store_timestamp_ms: int) -> PutResult:
        """Give the message its offsets and add it to log and queue.

        Raises RecordRefusedError, StoreError (no file is large enough), ValueError and struct.error (a number or an
        address that does not fit its field); the message is not added then."""
        _, queue_id, body, properties, born_ms, born_at, tags_code, flag, sys_flag, times, prepared, _, has_unit = (
            message
        )
        # A lone surrogate, which JSON can carry, becomes a question mark, as in Java.
        raw_properties = properties.encode("utf-8", "replace")
        if self._crc_bytes and raw_properties and raw_properties[-1] != _SEPARATOR:
            raw_properties += b"\x02"
        properties_bytes = len(raw_properties) + self._crc_bytes
        if properties_bytes > PROPERTIES_MAX_BYTES:
            raise RecordRefusedError(PutStatus.PROPERTIES_SIZE_EXCEEDED)
        head = self._head
        flags = self._store_flag
        born_host = encode_host(*born_at)
        if len(born_host) > 8:
            flags |= BORN_HOST_V6_FLAG
            head = HEADS[flags]
        body_bytes = len(body)
        topic = queue.topic_field
        size = head.size + body_bytes + len(topic) + 2 + properties_bytes
        if body_bytes > self._body_bytes_max or size > self._body_bytes_max + RECORD_OVERHEAD_BYTES_MAX:
            raise RecordRefusedError(PutStatus.MESSAGE_ILLEGAL)
        log = self._log
        position = log.position
        if position + size + BLANK_BYTES > log.file_end:
            position = log.make_room(size)
        queue_offset = queue.next_offset if has_unit else 0
        record_head = head.pack(
            size,
            queue.magic,
            crc32(body) & 0x7FFFFFFF,
            queue_id,
            flag,
            queue_offset,
            position,
            (sys_flag & ~HOST_FLAGS) | flags,
            born_ms,
            born_host,
            store_timestamp_ms,
            self._store_host,
            times,
            prepared,
            body_bytes,
        )
        rest = topic + _pack_properties_length(properties_bytes) + raw_properties
        if self._crc_bytes:
            # Joined first: one CRC over 300 bytes costs less than three over the pieces.
            record = record_head + body + rest
            log.parts += (record, CRC_PREFIX, crc_digits(crc32(record)), b"\x02")
        else:
            log.parts += (record_head, body, rest)
        log.position = position + size
        if has_unit:
            if queue.deliver_delay_ms is not None:
                tags_code = store_timestamp_ms + queue.deliver_delay_ms
            queue.add(position, size, tags_code)
        if self._to_index is not None and sys_flag & TRANSACTION_TYPE_MASK != TRANSACTION_ROLLBACK_TYPE:
            self._to_index.append((queue.topic, properties, position, store_timestamp_ms))
        message_id = f"{self._store_host_hex}{position:016X}"
        return _new_tuple(PutResult, (_OK, queue_offset, position, size, store_timestamp_ms, message_id))
