# SPDX-License-Identifier: Apache-2.0
"""Looking for messages: 12 by key, unique id or tag, 33 by physical offset. Answers to Apache's QueryMessageProcessor.

A message id names the broker and the physical offset, so 33 gets any number that a stranger likes: only where a whole
record begins whose own offset says so there is an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.codes import ResponseCode
from ...remoting.fields import int_field, long_field, text_field
from ...store.index_keys import TAG_TYPE
from ..auth.model import Action

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ...store.query_message import QueryMessageResult
    from ..broker_context import BrokerContext

UNIQUE_KEY_FLAG = "_UNIQUE_KEY_QUERY"

_NOT_FOUND = "can not find message, maybe time range not correct"


class QueryMessageProcessor:
    def __init__(self, context: BrokerContext) -> None:
        self._store = context.store
        self._access = context.access
        self._unique_key_count = context.config.default_query_max_num

    def query(self, channel: Channel, request: RemotingCommand) -> None:
        """Answered when the index was searched, in a thread."""
        fields = request.ext_fields
        is_unique_key = fields.get(UNIQUE_KEY_FLAG, "").lower() == "true"
        max_count = int_field(fields, "maxNum")

        def done(result: QueryMessageResult) -> None:
            channel.answer(_answer(request, result))

        self._store.query_message(
            text_field(fields, "topic"),
            text_field(fields, "key"),
            (long_field(fields, "beginTimestamp"), long_field(fields, "endTimestamp")),
            done,
            max_count=self._unique_key_count if is_unique_key else max_count,
            is_tag=not is_unique_key and fields.get("indexType") == TAG_TYPE,
        )

    def view(self, channel: Channel, request: RemotingCommand) -> RemotingCommand:
        physical_offset = long_field(request.ext_fields, "offset")
        record = self._store.record_at(physical_offset)
        if record is None:
            remark = f"can not find message by the offset, {physical_offset}"
            return request.response(ResponseCode.SYSTEM_ERROR, remark)
        self._access.check_record(channel, request, record, Action.SUB, Action.GET)
        return request.response(ResponseCode.SUCCESS, body=bytes(record))


def _answer(request: RemotingCommand, result: QueryMessageResult) -> RemotingCommand:
    fields = {
        "indexLastUpdatePhyoffset": str(result.index_last_update_physical_offset),
        "indexLastUpdateTimestamp": str(result.index_last_update_timestamp_ms),
    }
    if not result.frames:
        return request.response(ResponseCode.QUERY_NOT_FOUND, _NOT_FOUND, fields)
    return request.response(ResponseCode.SUCCESS, None, fields, b"".join(result.frames))
