# SPDX-License-Identifier: Apache-2.0
"""What goes into `MessageStore.put` and what comes out of it.

Named tuples, not dataclasses: they are made once for each message, and a frozen dataclass costs four times as much.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from ..remoting.java_hash import tag_hash
from ..remoting.message_properties import encode_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..remoting.message import MessageExt


#: The record's field is a signed int32.
RECONSUME_TIMES_MAX = 2**31 - 1


class PutStatus(Enum):
    """Apache's PutMessageStatus, with the members that this store answers."""

    OK = auto()
    FLUSH_DISK_TIMEOUT = auto()
    FLUSH_SLAVE_TIMEOUT = auto()
    SLAVE_NOT_AVAILABLE = auto()
    SERVICE_NOT_AVAILABLE = auto()
    CREATE_MAPPED_FILE_FAILED = auto()
    MESSAGE_ILLEGAL = auto()
    PROPERTIES_SIZE_EXCEEDED = auto()
    IN_SYNC_REPLICAS_NOT_ENOUGH = auto()
    UNKNOWN_ERROR = auto()

    @property
    def is_stored(self) -> bool:
        """The message is in the log and will be delivered, whatever the producer is told."""
        return self in _STORED


_STORED = frozenset(
    (PutStatus.OK, PutStatus.FLUSH_DISK_TIMEOUT, PutStatus.FLUSH_SLAVE_TIMEOUT, PutStatus.SLAVE_NOT_AVAILABLE)
)


#: The message itself is refused: it will be as often as it is tried.
HOPELESS = frozenset((PutStatus.MESSAGE_ILLEGAL, PutStatus.PROPERTIES_SIZE_EXCEEDED))


class MessageToStore(NamedTuple):
    """One message on its way into the log. The caller has checked topic, queue and permissions."""

    topic: str
    queue_id: int
    body: bytes | memoryview
    properties: str
    """The wire text: `key 0x01 value 0x02`, repeated, the last separator included."""
    born_timestamp_ms: int
    born_host: tuple[str, int]
    tags_code: int = 0
    """`java_hash.tag_hash` of the TAGS property. For SCHEDULE_TOPIC_XXXX the store puts the deliver time instead,
    from the queue (level - 1) and the store time, so that a rebuilt queue has the same units."""
    flag: int = 0
    sys_flag: int = 0
    reconsume_times: int = 0
    prepared_transaction_offset: int = 0
    wait_store_ok: bool = True
    """False (property WAIT=false): answered after the write, without flush and slaves."""
    consume_queue: bool = True
    """False for prepared and rollback records: queue offset 0 and no unit in the consume queue."""


class PutResult(NamedTuple):
    """`queue_offset`, `message_id` and the rest mean something only where `status.is_stored`.

    For a batch: the first queue offset and physical offset, the size of all records, the ids joined by commas."""

    status: PutStatus
    queue_offset: int = -1
    physical_offset: int = -1
    size: int = 0
    store_timestamp_ms: int = 0
    message_id: str = ""


def reconsumed_again(message: MessageExt) -> int:
    """One more, as far as the record's field counts: a producer may have sent any number."""
    return min(message.reconsume_times + 1, RECONSUME_TIMES_MAX)


def put_again(
    message: MessageExt,
    topic: str,
    queue_id: int,
    properties: Mapping[str, str],
    *,
    reconsume_times: int | None = None,
    wait_store_ok: bool = False,
) -> MessageToStore:
    """A stored message that goes into another queue: as it is, but for what is named here."""
    tags = message.tags
    return MessageToStore(
        topic,
        queue_id,
        message.body,
        encode_properties(properties),
        message.born_timestamp_ms,
        message.born_host,
        tag_hash(tags) if tags else 0,
        message.flag,
        message.sys_flag,
        message.reconsume_times if reconsume_times is None else reconsume_times,
        0,
        wait_store_ok,
    )
