# SPDX-License-Identifier: Apache-2.0
"""Commit log, consume queues, checkpoint and config files in Apache RocketMQ's layout."""

from __future__ import annotations

from .config import BrokerRole, FlushDiskType, StoreConfig
from .errors import StoreError
from .get_message import BoundaryType, GetResult, GetStatus
from .message_store import MessageStore
from .put_message import MessageToStore, PutResult, PutStatus

__all__ = [
    "BoundaryType",
    "BrokerRole",
    "FlushDiskType",
    "GetResult",
    "GetStatus",
    "MessageStore",
    "MessageToStore",
    "PutResult",
    "PutStatus",
    "StoreConfig",
    "StoreError",
]
