# SPDX-License-Identifier: Apache-2.0
"""The checkpoint file: up to which store time log and queues are on the disk (Apache's StoreCheckpoint). 4096 bytes:

| offset | bytes | field |
|---|---|---|
| 0 | 8 | physicMsgTimestamp: last record flushed |
| 8 | 8 | logicsMsgTimestamp: last record whose consume queue unit is flushed |
| 16 | 8 | indexMsgTimestamp: newest record of the index files that are flushed |
| 24 | 8 | masterFlushedOffset |
| 32 | 8 | confirmPhyOffset |

Apache's recovery starts 3 s before the smaller of the first two, and makes units and keys anew from there; index files
with records newer than indexMsgTimestamp it deletes (its own is that of the last full file: what the one behind it has
of older records is in no index then). Ours has the queue checkpoint, which names offsets; this file is written so that
Apache can take the store over, with logicsMsgTimestamp held back while the index is behind.
"""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass

CHECKPOINT_BYTES = 4096
_FIELDS = struct.Struct(">qqqqq")


@dataclass(slots=True)
class StoreCheckpoint:
    physic_msg_timestamp_ms: int = 0
    logics_msg_timestamp_ms: int = 0
    index_msg_timestamp_ms: int = 0
    master_flushed_offset: int = 0
    confirm_physical_offset: int = 0

    @classmethod
    def decode(cls, data: bytes) -> StoreCheckpoint:
        """A file that is too short is a hint that is not there."""
        return cls(*_FIELDS.unpack_from(data)) if len(data) >= _FIELDS.size else cls()

    def encode(self) -> bytes:
        return _FIELDS.pack(*astuple(self)).ljust(CHECKPOINT_BYTES, b"\0")
