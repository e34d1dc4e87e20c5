# SPDX-License-Identifier: Apache-2.0
"""Settings of replication, named after the keys of broker.conf that they come from."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_HA_LISTEN_PORT = 10912


@dataclass(frozen=True, slots=True)
class HaConfig:
    """Defaults are those of Apache RocketMQ 5.4.0."""

    listen_hosts: tuple[str, ...] = ("127.0.0.1",)
    ha_listen_port: int = DEFAULT_HA_LISTEN_PORT
    ha_send_heartbeat_interval_ms: int = 5000
    ha_housekeeping_interval_ms: int = 20000
    ha_transfer_batch_size_bytes: int = 32768
    ha_max_gap_not_in_sync_bytes: int = 256 * 1024 * 1024
    in_sync_replicas: int = 1
    """Copies that a SYNC_MASTER waits for, its own included."""
    report_after_flush: bool = False
    """A slave with flushDiskType=SYNC_FLUSH: it reports what fdatasync has covered, not what is written."""
