# SPDX-License-Identifier: Apache-2.0
"""A producer says how its transaction ended: 37. Answers to Apache's EndTransactionProcessor.

The request names a place in the log; it counts only where a half message of that very queue offset and producer group
begins. "Unknown" is not answered: the producer will be asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import ResponseCode
from ...remoting.fields import bool_field, int_field, long_field, text_field
from ...remoting.message import RecordError, decode_record
from ...remoting.message_const import (
    PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS,
    PROPERTY_PRODUCER_GROUP,
    PROPERTY_REAL_TOPIC,
    TRANSACTION_COMMIT_TYPE,
    TRANSACTION_ROLLBACK_TYPE,
)
from ...remoting.topic_names import TRANS_HALF_TOPIC
from ...rpc.errors import RequestRefused
from ...store.put_message import PutResult, PutStatus
from ..auth.model import Action
from ..transaction.half_table import Outcome
from ..transaction.transaction_check import immunity_ms
from . import remarks

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand
    from ...remoting.message import MessageExt
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext

_OUTCOMES = {TRANSACTION_COMMIT_TYPE: Outcome.COMMITTED, TRANSACTION_ROLLBACK_TYPE: Outcome.ROLLED_BACK}

_NOT_FOUND = "Find prepared transaction message failed"

_REFUSALS = {
    PutStatus.CREATE_MAPPED_FILE_FAILED: (ResponseCode.SYSTEM_ERROR, "Create mapped file failed."),
    PutStatus.SERVICE_NOT_AVAILABLE: (ResponseCode.SERVICE_NOT_AVAILABLE, "Service not available now."),
    PutStatus.IN_SYNC_REPLICAS_NOT_ENOUGH: (ResponseCode.SYSTEM_ERROR, "in-sync replicas not enough"),
}


class EndTransactionProcessor:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        context = self._context
        fields = request.ext_fields
        group = text_field(fields, "producerGroup")
        queue_offset = long_field(fields, "tranStateTableOffset")
        physical_offset = long_field(fields, "commitLogOffset")
        outcome = _OUTCOMES.get(int_field(fields, "commitOrRollback"))
        text_field(fields, "msgId")
        if context.config.is_slave:
            return request.response(ResponseCode.SLAVE_NOT_AVAILABLE, remarks.NO_RESPONSE_CODE)
        if outcome is None:
            return None
        half = self._find(physical_offset)
        self._context.access.check_record(channel, request, half, Action.PUB)
        if not bool_field(fields, "fromTransactionCheck") and self._comes_too_late(half):
            return request.response(ResponseCode.ILLEGAL_OPERATION, remarks.NO_RESPONSE_CODE)
        if half.properties.get(PROPERTY_PRODUCER_GROUP) != group:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "The producer group wrong")
        if half.queue_offset != queue_offset:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "The transaction state table offset wrong")
        return self._end(channel, request, half, outcome)

    def _end(
        self, channel: Channel, request: RemotingCommand, half: MessageExt, outcome: Outcome
    ) -> RemotingCommand | None:
        transactions = self._context.transactions
        known = transactions.table.outcome(half.queue_offset)
        if known is outcome:
            return request.response(ResponseCode.SUCCESS)
        if known is not None:
            ended = "has ended before this broker started" if known is Outcome.UNKNOWN else f"is {known.name} already"
            return request.response(ResponseCode.ILLEGAL_OPERATION, f"the transaction {ended}")

        def stored(result: PutResult) -> None:
            if not request.is_oneway:
                channel.answer(self._answer(request, result))
            if outcome is Outcome.COMMITTED and result.status.is_stored:
                self._context.stats.put(half.properties[PROPERTY_REAL_TOPIC], 1)

        try:
            transactions.end(half, outcome, stored)
        except ValueError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, str(error)) from error
        return None

    def _find(self, physical_offset: int) -> MessageExt:
        record = self._context.store.record_at(physical_offset)
        try:
            if record is not None:
                half = decode_record(record, check_crc=False)
                if half.topic == TRANS_HALF_TOPIC:
                    return half
        except RecordError:
            pass
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, _NOT_FOUND)

    def _comes_too_late(self, half: MessageExt) -> bool:
        """A producer that set a time of its own is asked when that is over; what it says unasked counts no more."""
        text = half.properties.get(PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS)
        if not text:
            return False
        time_out_ms = self._context.config.transaction_time_out_ms
        return self._context.clock.now_ms() - half.born_timestamp_ms > max(immunity_ms(text, time_out_ms), time_out_ms)

    def _answer(self, request: RemotingCommand, result: PutResult) -> RemotingCommand:
        """Stored is SUCCESS, however many nodes have it: the producer cannot take it back."""
        if result.status.is_stored:
            return request.response(ResponseCode.SUCCESS)
        if result.status in (PutStatus.MESSAGE_ILLEGAL, PutStatus.PROPERTIES_SIZE_EXCEEDED):
            limit = self._context.config.max_message_size_bytes
            remark = (
                "The message is illegal, maybe msg body or properties length not matched. "
                f"msg body length limit {limit}B, msg properties length limit 32KB."
            )
            return request.response(ResponseCode.MESSAGE_ILLEGAL, remark)
        return request.response(*_REFUSALS.get(result.status, (ResponseCode.SYSTEM_ERROR, "UNKNOWN_ERROR")))
