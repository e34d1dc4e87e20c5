# SPDX-License-Identifier: Apache-2.0
"""A process that opens a store on a real disk and puts for ever; each acknowledged message is a line on its output.

python writer_process.py ROOT ASYNC_FLUSH|SYNC_FLUSH
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rmq.runtime.asyncio_reactor import AsyncioReactor
from rmq.runtime.system_disk import SystemDisk
from rmq.store import FlushDiskType, MessageStore, MessageToStore, PutResult, PutStatus, StoreConfig

LOG_FILE_BYTES = 1024 * 1024
QUEUE_FILE_BYTES = 20_000
QUEUES = 4
MESSAGES_PER_TICK = 16


def config(root: Path, flush: FlushDiskType) -> StoreConfig:
    return StoreConfig(
        root=root,
        mapped_file_size_commit_log=LOG_FILE_BYTES,
        mapped_file_size_consume_queue=QUEUE_FILE_BYTES,
        max_hash_slot_num=1000,
        max_index_num=4000,
        flush_disk_type=flush,
        checkpoint_interval_ms=300,
        disk_space_warning_level_ratio=1.0,
    )


class Writer:
    def __init__(self, root: Path, flush: FlushDiskType) -> None:
        self._reactor = AsyncioReactor()
        self._store = MessageStore(config(root, flush), SystemDisk(), self._reactor)
        self._waiting = 0
        self._lines: list[str] = []

    def run(self) -> None:
        self._store.load()
        self._store.start()
        self._reactor.call_soon(self._put_some)
        self._reactor.run()

    def _put_some(self) -> None:
        for number in range(MESSAGES_PER_TICK):
            self._waiting += 1
            body = b"%08d" % number * 40
            self._store.put(
                MessageToStore("Kill", number % QUEUES, body, "TAGS\x01TagA\x02", 1, ("127.0.0.1", 1)), self._stored
            )

    def _stored(self, result: PutResult) -> None:
        if result.status is PutStatus.OK:
            self._lines.append(f"{result.physical_offset} {result.queue_offset}\n")
        self._waiting -= 1
        if not self._waiting:
            os.write(1, "".join(self._lines).encode())
            self._lines.clear()
            self._reactor.call_soon(self._put_some)


if __name__ == "__main__":
    Writer(Path(sys.argv[1]), FlushDiskType(sys.argv[2])).run()
