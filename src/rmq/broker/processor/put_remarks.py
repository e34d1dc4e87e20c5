# SPDX-License-Identifier: Apache-2.0
"""What a producer is told about each outcome of a put, in Apache's codes and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import ResponseCode
from ...store.put_message import PutStatus

if TYPE_CHECKING:
    from ...store.message_store import MessageStore
    from ..broker_config import BrokerConfig

#: These three mean STORED: the answer carries msgId, queueId and queueOffset.
_STORED_CODES = {
    PutStatus.OK: ResponseCode.SUCCESS,
    PutStatus.FLUSH_DISK_TIMEOUT: ResponseCode.FLUSH_DISK_TIMEOUT,
    PutStatus.FLUSH_SLAVE_TIMEOUT: ResponseCode.FLUSH_SLAVE_TIMEOUT,
    PutStatus.SLAVE_NOT_AVAILABLE: ResponseCode.SLAVE_NOT_AVAILABLE,
}

_PLAIN_REFUSALS = {
    PutStatus.IN_SYNC_REPLICAS_NOT_ENOUGH: "in-sync replicas not enough",
    PutStatus.CREATE_MAPPED_FILE_FAILED: "create mapped file failed, server is busy or broken.",
    PutStatus.UNKNOWN_ERROR: "UNKNOWN_ERROR",
}


def stored_code(status: PutStatus) -> int:
    return _STORED_CODES[status]


def put_refusal(status: PutStatus, config: BrokerConfig, store: MessageStore | None = None) -> tuple[int, str]:
    """(code, remark) for a message that was not stored. store says how full the disk is."""
    if status in (PutStatus.MESSAGE_ILLEGAL, PutStatus.PROPERTIES_SIZE_EXCEEDED):
        return (
            ResponseCode.MESSAGE_ILLEGAL,
            "the message is illegal, maybe msg body or properties length not matched. "
            f"msg body length limit {config.max_message_size_bytes}B, msg properties length limit 32KB.",
        )
    if status is PutStatus.SERVICE_NOT_AVAILABLE:
        ratio = _disk_ratio(store)
        return (
            ResponseCode.SERVICE_NOT_AVAILABLE,
            "service not available now. It may be caused by one of the following reasons: the broker's disk is full "
            f"[CL: {ratio:5.2f} CQ: {ratio:5.2f} INDEX: {ratio:5.2f}], messages are put to the slave, "
            "message store has been shut down, etc.",
        )
    return ResponseCode.SYSTEM_ERROR, _PLAIN_REFUSALS.get(status, "UNKNOWN_ERROR DEFAULT")


def _disk_ratio(store: MessageStore | None) -> float:
    """Commit log, queues and index are on one file system here."""
    try:
        return float(store.runtime_info().get("commitLogDiskRatio", "0")) if store is not None else 0.0
    except ValueError:
        return 0.0
