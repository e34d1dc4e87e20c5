# SPDX-License-Identifier: Apache-2.0
"""The state of replication as a value (Apache's HARuntimeInfo), for haStatus and for whoever waits for "in sync"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HaConnectionRuntimeInfo:
    """One slave, seen from its master. Offsets are physical; diff is in bytes."""

    addr: str
    slave_ack_offset: int
    diff: int
    in_sync: bool
    transferred_byte_in_second: int
    transfer_from_where: int


@dataclass(frozen=True, slots=True)
class HaClientRuntimeInfo:
    """A slave, seen from itself. Timestamps are wall clock ms; the one of reading is 0 without a connection."""

    master_addr: str | None = None
    transferred_byte_in_second: int = 0
    max_offset: int = 0
    last_read_timestamp: int = 0
    last_write_timestamp: int = 0


@dataclass(frozen=True, slots=True)
class HaRuntimeInfo:
    """Either side; the half that does not apply keeps its defaults, as Apache prints it."""

    master: bool
    master_commit_log_max_offset: int = 0
    in_sync_slave_nums: int = 0
    ha_connection_info: tuple[HaConnectionRuntimeInfo, ...] = ()
    ha_client_runtime_info: HaClientRuntimeInfo = HaClientRuntimeInfo()
