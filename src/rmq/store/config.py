# SPDX-License-Identifier: Apache-2.0
"""Settings of the store, named after Apache's MessageStoreConfig; defaults are those of 5.4.0 unless a comment
says why not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from .store_paths import StorePaths

if TYPE_CHECKING:
    from pathlib import Path

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS

_DELAY_UNITS_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": 24 * HOUR_MS}


class FlushDiskType(Enum):
    ASYNC_FLUSH = "ASYNC_FLUSH"
    SYNC_FLUSH = "SYNC_FLUSH"


class BrokerRole(Enum):
    ASYNC_MASTER = "ASYNC_MASTER"
    SYNC_MASTER = "SYNC_MASTER"
    SLAVE = "SLAVE"


def parse_delay_levels(text: str) -> tuple[int, ...]:
    """`messageDelayLevel` ("1s 5s 10s ...") as milliseconds; level 1 is the first. Raises ValueError for another
    form."""
    return tuple(int(word[:-1]) * _DELAY_UNITS_MS[word[-1]] for word in text.split())


DEFAULT_DELAY_LEVELS_MS = parse_delay_levels("1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """What a MessageStore is opened with. Paths are absolute; sizes in bytes, times in milliseconds."""

    root: Path
    commit_log_paths: tuple[Path, ...] = ()
    """storePathCommitLog; empty: `commitlog` under the root."""
    read_only_commit_log_paths: tuple[Path, ...] = ()
    """readOnlyCommitLogStorePaths: they keep the files that they have and get no new ones."""
    store_host: tuple[str, int] = ("127.0.0.1", 10911)
    """brokerIP1 and listenPort: goes into each record and into each message id."""
    cluster_name: str = "DefaultCluster"
    broker_name: str = "broker-a"
    broker_id: int = 0

    mapped_file_size_commit_log: int = 1024 * 1024 * 1024
    mapped_file_size_consume_queue: int = 300_000 * 20
    max_message_size: int = 4 * 1024 * 1024
    """Largest body. A record may be 64 KiB longer, as in Apache's encoder."""
    append_prop_crc: bool = True
    """enabledAppendPropCRC. Apache's default is false; damage in a header or in properties is not seen then."""

    message_index_enable: bool = True
    max_hash_slot_num: int = 5_000_000
    max_index_num: int = 20_000_000
    max_msgs_num_batch: int = 64
    """Most messages that one query by key finds."""

    flush_disk_type: FlushDiskType = FlushDiskType.ASYNC_FLUSH
    sync_flush_timeout_ms: int = 5 * SECOND_MS
    flush_interval_ms: int = 500
    flush_thorough_interval_ms: int = 10 * SECOND_MS
    checkpoint_interval_ms: int = MINUTE_MS
    """flushConsumeQueueThoroughInterval: what a start after a crash walks over at most."""

    broker_role: BrokerRole = BrokerRole.ASYNC_MASTER
    in_sync_replicas: int = 1
    """Copies that a SYNC_MASTER waits for, its own included: 1 waits for no slave (Apache's default)."""
    slave_timeout_ms: int = 3 * SECOND_MS

    max_transfer_bytes_on_message_in_memory: int = 256 * 1024
    max_transfer_count_on_message_in_memory: int = 32
    max_transfer_bytes_on_message_in_disk: int = 64 * 1024
    max_transfer_count_on_message_in_disk: int = 8
    max_filter_message_size: int = 16_000
    """Bytes of consume queue that one get looks through (800 units) when nothing matches."""
    memory_bytes: int = 8 * 1024 * 1024 * 1024
    """Memory of the machine: records within accessMessageInMemoryMaxRatio of it behind the end count as being in
    memory."""
    access_message_in_memory_max_ratio: int = 40

    delay_levels_ms: tuple[int, ...] = DEFAULT_DELAY_LEVELS_MS

    timer_precision_ms: int = 1000
    timer_roll_window_slot: int = 172_800
    """Slots that one turn of the timer wheel may take; what is due later is put back for another turn."""
    timer_flush_interval_ms: int = 1000
    timer_stop_enqueue: bool = False
    mapped_file_size_timer_log: int = 100 * 1024 * 1024

    file_reserved_time_ms: int = 72 * HOUR_MS
    delete_when_hours: tuple[int, ...] = (4,)
    clean_resource_interval_ms: int = 10 * SECOND_MS
    disk_max_used_space_ratio: float = 0.75
    disk_space_clean_forcibly_ratio: float = 0.85
    disk_space_warning_level_ratio: float = 0.90
    clean_file_forcibly_enable: bool = False
    """Apache's default is true: a full disk then deletes what nobody has consumed yet."""

    def commit_log_directories(self) -> StorePaths:
        """Raises ValueError where none is left for new files."""
        return StorePaths(self.commit_log_paths or (self.root / "commitlog",), self.read_only_commit_log_paths)

    @property
    def waits_for_flush(self) -> bool:
        return self.flush_disk_type is FlushDiskType.SYNC_FLUSH

    @property
    def waits_for_slaves(self) -> bool:
        """Apache's handleHA: with inSyncReplicas of 1 a SYNC_MASTER acknowledges alone."""
        return self.broker_role is BrokerRole.SYNC_MASTER and self.in_sync_replicas > 1
