# SPDX-License-Identifier: Apache-2.0
"""Locks of orderly consumers: 41 and 42."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.bodies import LockBatchRequestBody, LockBatchResponseBody
from ...remoting.codes import ResponseCode

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext


class LockBatchProcessor:
    def __init__(self, context: BrokerContext) -> None:
        self._locks = context.locks
        self._clock = context.clock

    def lock(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        body = LockBatchRequestBody.decode(request.body)
        now_ms = self._clock.monotonic_ms()
        held = self._locks.try_lock_batch(body.consumer_group, body.mq_set, body.client_id, now_ms)
        return request.response(ResponseCode.SUCCESS, body=LockBatchResponseBody(held).encode())

    def unlock(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        body = LockBatchRequestBody.decode(request.body)
        self._locks.unlock_batch(body.consumer_group, body.mq_set, body.client_id)
        return request.response(ResponseCode.SUCCESS)
