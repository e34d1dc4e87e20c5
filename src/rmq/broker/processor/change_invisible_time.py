# SPDX-License-Identifier: Apache-2.0
"""A consumer keeps a popped message for longer, or gives it back for later: 200053. Answers to Apache's
ChangeInvisibleTimeProcessor.

The message gets a check point of its own, from now; when that is stored the old one is acknowledged for it. A crash
between the two brings the message back twice, never not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.bodies import PopCheckPoint
from ...remoting.codes import ResponseCode
from ...remoting.fields import FieldError, long_field, text_field
from ...rpc.errors import RequestRefused
from ..pop.extra_info import ExtraInfo
from . import remarks
from .ack_message import check_owed, owed_by, owed_queue
from .pop_message import check_invisible_time

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ...store.put_message import PutResult
    from ..broker_context import BrokerContext

#: Java writes the whole header, whatever it answers.
_NO_FIELDS = {"popTime": "0", "invisibleTime": "0", "reviveQid": "0"}


class ChangeInvisibleTimeProcessor:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._store = context.store
        self._clock = context.clock
        self._revive_log = context.pops.revive_log

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        if self._context.config.is_slave:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        try:
            self._change(channel, request)
        except RequestRefused as error:
            return request.response(error.code, str(error) or None, dict(_NO_FIELDS))
        except FieldError as error:
            # An exception in Apache's processor: no fields then.
            return request.response(ResponseCode.SYSTEM_ERROR, str(error))
        return None

    def _change(self, channel: Channel, request: RemotingCommand) -> None:
        fields = request.ext_fields
        group, topic, queue_id = owed_queue(self._context, channel, request)
        queue_offset = long_field(fields, "offset")
        if not self._store.min_offset(topic, queue_id) <= queue_offset < self._store.max_offset(topic, queue_id):
            raise RequestRefused(ResponseCode.NO_MESSAGE, "")
        info = ExtraInfo.parse(text_field(fields, "extraInfo"))
        check_owed(group, info.broker_name, info.revive_queue_id, self._revive_log.queue_count)
        now_ms, invisible_ms = self._clock.now_ms(), long_field(fields, "invisibleTime")
        if now_ms == info.pop_time_ms:
            # A message at its check point's start, given back in the millisecond of its pop: the two check points would
            # have one name, and the acknowledgement would be for both.
            now_ms += 1
        check_invisible_time(invisible_ms)
        check_point = PopCheckPoint(
            broker_name=info.broker_name,
            group=group,
            offset_diffs=[0],
            invisible_time=invisible_ms,
            num=1,
            pop_time=now_ms,
            queue_id=queue_id,
            revive_time=now_ms + invisible_ms,
            start_offset=queue_offset,
            topic=topic,
        )
        answer = request.response(
            ResponseCode.SUCCESS,
            None,
            {"popTime": str(now_ms), "invisibleTime": str(invisible_ms), "reviveQid": str(info.revive_queue_id)},
        )

        def acknowledged(result: PutResult) -> None:
            channel.answer(answer if result.status.is_stored else _refusal(request))

        def stored(result: PutResult) -> None:
            if not result.status.is_stored:
                channel.answer(_refusal(request))
                return
            owed = owed_by(info, group, topic, queue_id)
            self._revive_log.put_ack(owed, [queue_offset], info.revive_queue_id, acknowledged)

        self._revive_log.put_check_point(check_point, info.revive_queue_id, stored)


def _refusal(request: RemotingCommand) -> RemotingCommand:
    return request.response(ResponseCode.SYSTEM_ERROR, None, dict(_NO_FIELDS))
