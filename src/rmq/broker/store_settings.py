# SPDX-License-Identifier: Apache-2.0
"""From checked settings to what the store and replication are opened with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store.config import HOUR_MS, FlushDiskType, StoreConfig, parse_delay_levels
from ..store.ha.ha_config import HaConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .broker_config import BrokerConfig, SettingValue

_STORE_FIELDS = {
    "mappedFileSizeCommitLog": "mapped_file_size_commit_log",
    "mappedFileSizeConsumeQueue": "mapped_file_size_consume_queue",
    "maxMessageSize": "max_message_size",
    "messageIndexEnable": "message_index_enable",
    "maxHashSlotNum": "max_hash_slot_num",
    "maxIndexNum": "max_index_num",
    "maxMsgsNumBatch": "max_msgs_num_batch",
    "enabledAppendPropCRC": "append_prop_crc",
    "syncFlushTimeout": "sync_flush_timeout_ms",
    "flushIntervalCommitLog": "flush_interval_ms",
    "flushCommitLogThoroughInterval": "flush_thorough_interval_ms",
    "flushConsumeQueueThoroughInterval": "checkpoint_interval_ms",
    "inSyncReplicas": "in_sync_replicas",
    "slaveTimeout": "slave_timeout_ms",
    "maxTransferBytesOnMessageInMemory": "max_transfer_bytes_on_message_in_memory",
    "maxTransferCountOnMessageInMemory": "max_transfer_count_on_message_in_memory",
    "maxTransferBytesOnMessageInDisk": "max_transfer_bytes_on_message_in_disk",
    "maxTransferCountOnMessageInDisk": "max_transfer_count_on_message_in_disk",
    "accessMessageInMemoryMaxRatio": "access_message_in_memory_max_ratio",
    "timerRollWindowSlot": "timer_roll_window_slot",
    "timerFlushIntervalMs": "timer_flush_interval_ms",
    "timerStopEnqueue": "timer_stop_enqueue",
    "mappedFileSizeTimerLog": "mapped_file_size_timer_log",
    "cleanResourceInterval": "clean_resource_interval_ms",
    "cleanFileForciblyEnable": "clean_file_forcibly_enable",
}
_PERCENTS = {
    "diskMaxUsedSpaceRatio": "disk_max_used_space_ratio",
    "diskSpaceCleanForciblyRatio": "disk_space_clean_forcibly_ratio",
    "diskSpaceWarningLevelRatio": "disk_space_warning_level_ratio",
}
_PATH_LISTS = {
    "storePathCommitLog": "commit_log_paths",
    "readOnlyCommitLogStorePaths": "read_only_commit_log_paths",
}
_TIMER_PRECISIONS_MS = (100, 200, 500, 1000)
_HA_FIELDS = {
    "haSendHeartbeatInterval": "ha_send_heartbeat_interval_ms",
    "haHousekeepingInterval": "ha_housekeeping_interval_ms",
    "haTransferBatchSize": "ha_transfer_batch_size_bytes",
    "haMaxGapNotInSync": "ha_max_gap_not_in_sync_bytes",
    "inSyncReplicas": "in_sync_replicas",
}

#: What `MessageStore.reconfigure` puts in force at once.
DYNAMIC_KEYS = frozenset(
    (
        "flushIntervalCommitLog",
        "flushCommitLogThoroughInterval",
        "flushConsumeQueueThoroughInterval",
        "maxTransferBytesOnMessageInMemory",
        "maxTransferCountOnMessageInMemory",
        "maxTransferBytesOnMessageInDisk",
        "maxTransferCountOnMessageInDisk",
        "accessMessageInMemoryMaxRatio",
        "fileReservedTime",
        "deleteWhen",
        "cleanResourceInterval",
        "cleanFileForciblyEnable",
        *_PERCENTS,
    )
)


def store_config(
    config: BrokerConfig, settings: Mapping[str, SettingValue], *, memory_bytes: int | None = None
) -> StoreConfig:
    """memory_bytes: of the machine; decides from when on a reader counts as reading from the disk."""
    values: dict[str, Any] = _picked(settings, _STORE_FIELDS)
    values.update({name: float(settings[key]) / 100 for key, name in _PERCENTS.items() if key in settings})
    if "flushDiskType" in settings:
        values["flush_disk_type"] = FlushDiskType(settings["flushDiskType"])
    for key, name in _PATH_LISTS.items():
        values[name] = tuple(Path(path) for path in str(settings.get(key, "")).split(",") if path)
    if "fileReservedTime" in settings:
        values["file_reserved_time_ms"] = int(settings["fileReservedTime"]) * HOUR_MS
    if "deleteWhen" in settings:
        values["delete_when_hours"] = tuple(int(hour) for hour in str(settings["deleteWhen"]).split(";") if hour)
    if "timerPrecisionMs" in settings:
        values["timer_precision_ms"] = timer_precision_ms(int(settings["timerPrecisionMs"]))
    if memory_bytes is not None:
        values["memory_bytes"] = memory_bytes
    return StoreConfig(
        root=Path(config.store_path_root_dir),
        store_host=(config.broker_ip1, config.listen_port),
        cluster_name=config.broker_cluster_name,
        broker_name=config.broker_name,
        broker_id=config.broker_id,
        broker_role=config.broker_role,
        delay_levels_ms=parse_delay_levels(config.message_delay_level),
        **values,
    )


def timer_precision_ms(wanted: int) -> int:
    """What Apache makes of timerPrecisionMs: the next of four below, 100 at the least."""
    return max([100, *(one for one in _TIMER_PRECISIONS_MS if one <= wanted)])


def ha_config(config: BrokerConfig, settings: Mapping[str, SettingValue]) -> HaConfig:
    return HaConfig(
        listen_hosts=config.listen_hosts,
        ha_listen_port=config.ha_listen_port,
        report_after_flush=settings.get("flushDiskType") == FlushDiskType.SYNC_FLUSH.value,
        **_picked(settings, _HA_FIELDS),
    )


def _picked(settings: Mapping[str, SettingValue], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: settings[key] for key, name in names.items() if key in settings}
