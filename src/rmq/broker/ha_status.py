# SPDX-License-Identifier: Apache-2.0
"""The body of GET_BROKER_HA_STATUS (907), as Apache's HARuntimeInfo is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..remoting import java_json

if TYPE_CHECKING:
    from ..store.ha import HaClientRuntimeInfo, HaConnectionRuntimeInfo, HaRuntimeInfo


def ha_status_body(info: HaRuntimeInfo) -> bytes:
    """Of a master or of a slave; keys in fastjson's order, a field that is null left out."""
    value = {
        "haClientRuntimeInfo": _client(info.ha_client_runtime_info),
        "haConnectionInfo": [_connection(one) for one in info.ha_connection_info],
        "inSyncSlaveNums": info.in_sync_slave_nums,
        "master": info.master,
        "masterCommitLogMaxOffset": info.master_commit_log_max_offset,
    }
    return java_json.dumps(value).encode()


def _client(info: HaClientRuntimeInfo) -> dict[str, Any]:
    value: dict[str, Any] = {
        "lastReadTimestamp": info.last_read_timestamp,
        "lastWriteTimestamp": info.last_write_timestamp,
    }
    if info.master_addr is not None:
        value["masterAddr"] = info.master_addr
    # masterFlushOffset is told to a slave only with enableSlaveActingMaster, which the classic modes do not use.
    value |= {
        "masterFlushOffset": 0,
        "maxOffset": info.max_offset,
        "transferredByteInSecond": info.transferred_byte_in_second,
    }
    return value


def _connection(info: HaConnectionRuntimeInfo) -> dict[str, Any]:
    return {
        "addr": info.addr,
        "diff": info.diff,
        "inSync": info.in_sync,
        "slaveAckOffset": info.slave_ack_offset,
        "transferFromWhere": info.transfer_from_where,
        "transferredByteInSecond": info.transferred_byte_in_second,
    }
