# SPDX-License-Identifier: Apache-2.0
"""A transaction that was given up is asked about again: 323."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting.codes import ResponseCode
from ....remoting.fields import text_field
from ....remoting.message import RecordError, decode_record, parse_offset_message_id
from ....remoting.message_const import PROPERTY_TRANSACTION_CHECK_TIMES
from ....remoting.topic_names import TRANS_CHECK_MAX_TIME_TOPIC, TRANS_HALF_TOPIC
from ....rpc.errors import RequestRefused
from ...auth.model import Action
from ...transaction import half_message
from .. import remarks

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....remoting.message import MessageExt
    from ....rpc.channel import Channel
    from ....store.put_message import PutResult
    from ...broker_context import BrokerContext

_FAILED = "Put message back to RMQ_SYS_TRANS_HALF_TOPIC failed."
_WRONG = "Exception was thrown when putting message back to RMQ_SYS_TRANS_HALF_TOPIC."


class TransactionAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context

    def resume_check(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """Put the half message back with no check counted. The message is named by its place (an offset message id),
        which has to be one of a half message: Apache makes a half message of any record."""
        if self._context.config.is_slave:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        half = self._find(text_field(request.ext_fields, "msgId"))
        self._context.access.check_record(channel, request, half, Action.UPDATE)
        topic, _ = half_message.real_queue(half)
        metrics = self._context.transactions.metrics

        def stored(result: PutResult) -> None:
            if not result.status.is_stored:
                channel.answer(request.response(ResponseCode.SYSTEM_ERROR, _FAILED))
                return
            if half.topic == TRANS_CHECK_MAX_TIME_TOPIC:
                metrics.add(topic, 1)
            channel.answer(request.response(ResponseCode.SUCCESS))

        self._context.store.put(half_message.renewed(half, **{PROPERTY_TRANSACTION_CHECK_TIMES: "0"}), stored)
        return None

    def _is_open(self, half: MessageExt) -> bool:
        table = self._context.transactions.table
        return half.topic == TRANS_HALF_TOPIC and table.outcome(half.queue_offset) is None

    def _find(self, message_id: str) -> MessageExt:
        try:
            _, physical_offset = parse_offset_message_id(message_id)
            record = self._context.store.record_at(physical_offset)
            if record is not None:
                half = decode_record(record, check_crc=False)
                half_message.real_queue(half)
                if half.topic == TRANS_CHECK_MAX_TIME_TOPIC or self._is_open(half):
                    return half
        except (RecordError, ValueError):
            pass
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, _WRONG)
