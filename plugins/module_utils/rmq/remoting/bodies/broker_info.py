# SPDX-License-Identifier: Apache-2.0
"""The state of one broker: runtime info (28) and HA status (907)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional

from ..json_body import BOOLEAN, TEXT, WHOLE_NUMBER, JsonBody, array, body, mapping, optional, wire


@dataclass(frozen=True)
class KVTable(JsonBody):
    """Names and values, all texts: the answer to GET_BROKER_RUNTIME_INFO."""

    table: Dict[str, str] = wire(mapping(TEXT), factory=dict)


@dataclass(frozen=True)
class HAConnectionRuntimeInfo(JsonBody):
    """One slave as its master sees it. `diff` is in bytes: the master's end minus the slave's report."""

    addr: str = wire(TEXT, "")
    diff: int = wire(WHOLE_NUMBER, 0)
    in_sync: bool = wire(BOOLEAN, False)
    slave_ack_offset: int = wire(WHOLE_NUMBER, 0)
    transfer_from_where: int = wire(WHOLE_NUMBER, 0)
    transferred_byte_in_second: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class HAClientRuntimeInfo(JsonBody):
    """A slave's own side of the connection."""

    activated: Optional[bool] = wire(optional(BOOLEAN), None)
    last_read_timestamp: int = wire(WHOLE_NUMBER, 0)
    last_write_timestamp: int = wire(WHOLE_NUMBER, 0)
    master_addr: Optional[str] = wire(optional(TEXT), None)
    master_flush_offset: int = wire(WHOLE_NUMBER, 0)
    max_offset: int = wire(WHOLE_NUMBER, 0)
    transferred_byte_in_second: int = wire(WHOLE_NUMBER, 0)


@dataclass(frozen=True)
class HARuntimeInfo(JsonBody):
    ha_client_runtime_info: HAClientRuntimeInfo = wire(body(HAClientRuntimeInfo), factory=HAClientRuntimeInfo)
    ha_connection_info: List[HAConnectionRuntimeInfo] = wire(array(body(HAConnectionRuntimeInfo)), factory=list)
    in_sync_slave_nums: int = wire(WHOLE_NUMBER, 0)
    master: bool = wire(BOOLEAN, False)
    master_commit_log_max_offset: int = wire(WHOLE_NUMBER, 0)
