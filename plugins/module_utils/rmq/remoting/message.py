# SPDX-License-Identifier: Apache-2.0
"""The commit log record, which is also what a pull answer carries (Apache's MessageDecoder and MessageExtEncoder).

    bytes    field                        bytes    field
    4        TOTALSIZE, of all            8        BORNTIMESTAMP
    4        MAGIC, version 1 or 2        8 or 20  BORNHOST: address, port
    4        BODYCRC                      8        STORETIMESTAMP
    4        QUEUEID                      8 or 20  STOREHOST
    4        FLAG                         4        RECONSUMETIMES
    8        QUEUEOFFSET                  8        PREPAREDTRANSACTIONOFFSET
    8        PHYSICALOFFSET               4 + n    BODY
    4        SYSFLAG                      1 + n    TOPIC (version 2: 2 + n)
                                          2 + n    PROPERTIES

A host has 20 bytes where its bit of SYSFLAG says IPv6. BODYCRC is the CRC-32 of the body as stored, AND 0x7FFFFFFF.
The end of a commit log file is filled by a blank record: TOTALSIZE, BLANK_MAGIC, and bytes without meaning.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

from .errors import RecordError
from .message_batch import BatchItem, decode_batch_body, encode_batch_body
from .message_const import (
    BORN_HOST_V6_FLAG,
    COMPRESSED_FLAG,
    COMPRESSION_TYPE_MASK,
    COMPRESSION_TYPE_SHIFT,
    COMPRESSION_ZLIB,
    PROPERTY_TAGS,
    PROPERTY_UNIQ_KEY,
    STORE_HOST_V6_FLAG,
)
from .message_id import Host, UniqueIdFactory, decode_host, encode_host, offset_message_id, parse_offset_message_id
from .message_properties import (
    CRC_PROPERTY_BYTES,
    PROPERTIES_MAX_BYTES,
    Buffer,
    append_prop_crc,
    check_prop_crc,
    crc_property,
    decode_properties,
    encode_properties,
    has_prop_crc,
    property_value,
)

__all__ = [
    "BLANK_MAGIC",
    "CRC_PROPERTY_BYTES",
    "MAGIC_V1",
    "MAGIC_V2",
    "PROPERTIES_MAX_BYTES",
    "RECORD_HEAD_IPV4",
    "BatchItem",
    "Host",
    "MessageExt",
    "RecordError",
    "UniqueIdFactory",
    "append_prop_crc",
    "body_crc",
    "check_prop_crc",
    "crc_property",
    "decode_batch_body",
    "decode_host",
    "decode_properties",
    "decode_record",
    "decode_records",
    "decompress_body",
    "encode_batch_body",
    "encode_host",
    "encode_message",
    "encode_properties",
    "encode_record",
    "has_prop_crc",
    "offset_message_id",
    "parse_offset_message_id",
    "property_value",
]

MAGIC_V1 = -626843481
MAGIC_V2 = -626843477
BLANK_MAGIC = -875286124

# A topic of more bytes needs version 2, whose length has two bytes.
TOPIC_MAX_BYTES_V1 = 127
TOPIC_MAX_BYTES_V2 = 32767

# Everything before the body with both hosts IPv4, the body's length included: 88 bytes.
RECORD_HEAD_IPV4 = struct.Struct(">iiiiiqqiq8sq8siqi")

# A record with IPv4 hosts, no body, an empty version 1 topic and no properties.
RECORD_MIN_BYTES = RECORD_HEAD_IPV4.size + 1 + 2

# Larger than any legal message (maxMessageSize is 4 MiB by default): what a body may grow to when it is unpacked.
DECOMPRESSED_MAX_BYTES = 64 * 1024 * 1024

_INT = struct.Struct(">i")
_SHORT = struct.Struct(">H")
_TOTAL_AND_MAGIC = struct.Struct(">ii")
_HEADS = {(born, store): struct.Struct(">iiiiiqqiq%dsq%dsiqi" % (born, store)) for born in (8, 20) for store in (8, 20)}


# Where a message is not yet known to come from or to be stored at.
NO_HOST = Host("0.0.0.0", 0)


@dataclass
class MessageExt:
    """A stored message. `body` is as stored (see decompress_body); `body_crc` None is computed when it is encoded."""

    topic: str
    queue_id: int = 0
    queue_offset: int = 0
    physical_offset: int = 0
    sys_flag: int = 0
    born_timestamp_ms: int = 0
    born_host: Host = NO_HOST
    store_timestamp_ms: int = 0
    store_host: Host = NO_HOST
    reconsume_times: int = 0
    prepared_transaction_offset: int = 0
    flag: int = 0
    body: bytes = b""
    properties: Dict[str, str] = field(default_factory=dict)
    body_crc: Optional[int] = None
    store_size: int = 0

    @property
    def message_id(self) -> str:
        """The offset message id: which broker, and where in its commit log."""
        return offset_message_id(encode_host(*self.store_host), self.physical_offset)

    @property
    def unique_id(self) -> str:
        """What the sender called it, or the offset message id where it did not."""
        return self.properties.get(PROPERTY_UNIQ_KEY) or self.message_id

    @property
    def tags(self) -> Optional[str]:
        return self.properties.get(PROPERTY_TAGS)


def body_crc(body: Buffer) -> int:
    return zlib.crc32(body) & 0x7FFFFFFF


def encode_record(
    *,
    topic: bytes,
    queue_id: int,
    flag: int,
    queue_offset: int,
    physical_offset: int,
    sys_flag: int,
    born_timestamp_ms: int,
    born_host: bytes,
    store_timestamp_ms: int,
    store_host: bytes,
    reconsume_times: int,
    prepared_transaction_offset: int,
    body: Buffer,
    properties: bytes,
    crc: Optional[int] = None,
    append_crc: bool = False,
) -> bytes:
    """One record. Hosts come from encode_host(); the IPv6 bits of SYSFLAG are set here to agree with them.

    With `append_crc` the whole-record checksum is added to the properties. Raises RecordError for a topic or
    properties too long for their length fields.
    """
    topic_size = len(topic)
    properties_size = len(properties) + (CRC_PROPERTY_BYTES if append_crc else 0)
    if topic_size > TOPIC_MAX_BYTES_V2 or properties_size > PROPERTIES_MAX_BYTES:
        raise RecordError("topic of %d or properties of %d bytes do not fit a record" % (topic_size, properties_size))
    is_long = topic_size > TOPIC_MAX_BYTES_V1
    topic_length = _SHORT.pack(topic_size) if is_long else bytes((topic_size,))
    head = _HEADS[len(born_host), len(store_host)]
    sys_flag &= ~(BORN_HOST_V6_FLAG | STORE_HOST_V6_FLAG)
    sys_flag |= (BORN_HOST_V6_FLAG if len(born_host) == 20 else 0) | (
        STORE_HOST_V6_FLAG if len(store_host) == 20 else 0
    )
    record = b"".join(
        (
            head.pack(
                head.size + len(body) + len(topic_length) + topic_size + 2 + properties_size,
                MAGIC_V2 if is_long else MAGIC_V1,
                zlib.crc32(body) & 0x7FFFFFFF if crc is None else crc,
                queue_id,
                flag,
                queue_offset,
                physical_offset,
                sys_flag,
                born_timestamp_ms,
                born_host,
                store_timestamp_ms,
                store_host,
                reconsume_times,
                prepared_transaction_offset,
                len(body),
            ),
            body,
            topic_length,
            topic,
            _SHORT.pack(properties_size),
            properties,
        )
    )
    return append_prop_crc(record) if append_crc else record


def encode_message(message: MessageExt) -> bytes:
    """The record of a message, for tests and tools; the store has the pieces already and calls encode_record()."""
    return encode_record(
        topic=message.topic.encode("utf-8"),
        queue_id=message.queue_id,
        flag=message.flag,
        queue_offset=message.queue_offset,
        physical_offset=message.physical_offset,
        sys_flag=message.sys_flag,
        born_timestamp_ms=message.born_timestamp_ms,
        born_host=encode_host(*message.born_host),
        store_timestamp_ms=message.store_timestamp_ms,
        store_host=encode_host(*message.store_host),
        reconsume_times=message.reconsume_times,
        prepared_transaction_offset=message.prepared_transaction_offset,
        body=message.body,
        properties=encode_properties(message.properties).encode("utf-8"),
        crc=message.body_crc,
    )


def decode_record(buffer: Buffer, position: int = 0, *, check_crc: bool = True) -> MessageExt:
    """The record that starts at `position`; the next one starts `store_size` bytes on.

    Checks size, magic, every inner length and, with `check_crc`, the body and the whole record where it carries a
    checksum of itself. Raises RecordError, also for a blank record.
    """
    total, is_long = _record_size(buffer, position)
    record = memoryview(buffer)[position : position + total]
    try:
        return _decode(record, is_long, check_crc)
    except (struct.error, IndexError):
        raise RecordError("the record at %d ends in the middle of a field" % position) from None
    except UnicodeDecodeError:
        raise RecordError("topic or properties of the record at %d are no UTF-8" % position) from None


def decode_records(data: Buffer, *, check_crc: bool = True) -> List[MessageExt]:
    """All records of a pull answer's body. Raises RecordError."""
    messages: List[MessageExt] = []
    position = 0
    while position < len(data):
        message = decode_record(data, position, check_crc=check_crc)
        messages.append(message)
        position += message.store_size
    return messages


def _record_size(buffer: Buffer, position: int) -> Tuple[int, bool]:
    if len(buffer) - position < RECORD_MIN_BYTES:
        raise RecordError("%d bytes at %d are too few for a record" % (len(buffer) - position, position))
    total, magic = _TOTAL_AND_MAGIC.unpack_from(buffer, position)
    if magic not in (MAGIC_V1, MAGIC_V2):
        raise RecordError("magic code %d at %d is not that of a record" % (magic, position))
    if not RECORD_MIN_BYTES <= total <= len(buffer) - position:
        raise RecordError("size %d of the record at %d leaves the buffer" % (total, position))
    return total, magic == MAGIC_V2


def _decode(record: memoryview, is_long: bool, check_crc: bool) -> MessageExt:
    (sys_flag,) = _INT.unpack_from(record, 36)
    head = _HEADS[20 if sys_flag & BORN_HOST_V6_FLAG else 8, 20 if sys_flag & STORE_HOST_V6_FLAG else 8]
    fields = head.unpack_from(record)
    body, position = _piece(record, head.size, fields[14])
    (topic_size,) = _SHORT.unpack_from(record, position) if is_long else (record[position],)
    topic, position = _piece(record, position + (2 if is_long else 1), topic_size)
    (properties_size,) = _SHORT.unpack_from(record, position)
    properties, position = _piece(record, position + 2, properties_size)
    if position != len(record):
        raise RecordError("%d bytes of the record belong to no field" % (len(record) - position))
    if check_crc:
        _check_crc(record, body, fields[2])
    return MessageExt(
        topic=topic.decode("utf-8"),
        queue_id=fields[3],
        queue_offset=fields[5],
        physical_offset=fields[6],
        sys_flag=sys_flag,
        born_timestamp_ms=fields[8],
        born_host=decode_host(fields[9]),
        store_timestamp_ms=fields[10],
        store_host=decode_host(fields[11]),
        reconsume_times=fields[12],
        prepared_transaction_offset=fields[13],
        flag=fields[4],
        body=body,
        properties=decode_properties(properties.decode("utf-8")),
        body_crc=fields[2],
        store_size=fields[0],
    )


def _piece(record: memoryview, start: int, size: int) -> Tuple[bytes, int]:
    end = start + size
    if size < 0 or end > len(record):
        raise RecordError("a field of %d bytes leaves the record" % size)
    return bytes(record[start:end]), end


def _check_crc(record: memoryview, body: bytes, crc: int) -> None:
    if has_prop_crc(record):
        if not check_prop_crc(record):
            raise RecordError("the record does not agree with its checksum")
    elif body and body_crc(body) != crc:
        raise RecordError("the body does not agree with its checksum")


def decompress_body(body: bytes, sys_flag: int) -> bytes:
    """The body as its sender wrote it. Raises RecordError for damaged data and for LZ4 and ZSTD, which the standard
    library cannot unpack.
    """
    if not sys_flag & COMPRESSED_FLAG:
        return body
    compression = sys_flag >> COMPRESSION_TYPE_SHIFT & COMPRESSION_TYPE_MASK
    # 0 is what clients wrote before there was a choice.
    if compression not in (0, COMPRESSION_ZLIB):
        raise RecordError("a body compressed by LZ4 (1) or ZSTD (2) cannot be unpacked here: type %d" % compression)
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(body, DECOMPRESSED_MAX_BYTES)
    except zlib.error as error:
        raise RecordError("the compressed body is damaged: %s" % error) from None
    if not unpacker.eof:
        raise RecordError("the compressed body is cut short or unpacks to more than %d bytes" % DECOMPRESSED_MAX_BYTES)
    return plain
