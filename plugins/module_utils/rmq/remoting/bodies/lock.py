# SPDX-License-Identifier: Apache-2.0
"""Locks of an orderly consumer: requests 41 and 42, answer of 41."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List

from ..json_body import BOOLEAN, TEXT, JsonBody, array, body, wire
from .message_queue import MessageQueue


@dataclass(frozen=True)
class LockBatchRequestBody(JsonBody):
    """The request of LOCK_BATCH_MQ and, with the same fields, of UNLOCK_BATCH_MQ."""

    client_id: str = wire(TEXT, "")
    consumer_group: str = wire(TEXT, "")
    mq_set: List[MessageQueue] = wire(array(body(MessageQueue)), factory=list)
    only_this_broker: bool = wire(BOOLEAN, False)


@dataclass(frozen=True)
class LockBatchResponseBody(JsonBody):
    lock_ok_mq_set: List[MessageQueue] = wire(array(body(MessageQueue)), factory=list, name="lockOKMQSet")
