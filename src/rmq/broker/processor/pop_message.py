# SPDX-License-Identifier: Apache-2.0
"""POP: 200050. Answers to Apache's PopMessageProcessor.

    found                           0, when the check points of what is given out are stored
    nothing, and the poll time      held (`PopHold`); 210 when it is over, 209 when too many are held
    a clock far from the client's   210

FIFO pops (order=true) are refused: no remoting client asks for them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...filter import FilterError
from ...remoting.codes import ResponseCode
from ...remoting.fields import FieldError, bool_field, int_field, long_field, text_field
from ...remoting.perm import is_readable
from ...rpc.errors import RequestRefused
from ...store.get_message import GetStatus
from .. import subscription
from ..consumer_filter_manager import check_expression
from ..pop.pop_hold import ANY_QUEUE, HeldPop, Polling, PopHold
from ..pop.pop_read import TAKES_ALL, Pop, PopReader
from ..subscription import MessageFilter
from . import remarks
from .pull_message import MAX_SUSPEND_MS

if TYPE_CHECKING:
    import random

    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ...store.put_message import PutResult
    from ..broker_context import BrokerContext
    from ..pop.pop_offsets import Taken

MAX_MESSAGES = 32
#: Nothing stays invisible for longer (Apache: timerMaxDelaySec, by which its timer refuses the check point).
MAX_INVISIBLE_MS = 3 * 24 * 3_600_000
#: Apache's PopMessageRequestHeader.isTimeoutTooMuch.
TIMEOUT_MARGIN_MS = 500

#: Java writes the whole header, whatever it answers.
_NO_FIELDS = {"popTime": "0", "invisibleTime": "0", "reviveQid": "0", "restNum": "0"}


class PopMessageProcessor:
    def __init__(self, context: BrokerContext, dice: random.Random) -> None:
        self._context = context
        self._config = context.config
        self._store = context.store
        self._clock = context.clock
        self._pops = context.pops
        self._reader = PopReader(context, dice)
        self.hold = PopHold(context.config, context.reactor, self._wake, self._has_match)

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        if self._config.is_slave:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        try:
            pop = self._read(request)
            queue_count = self._check(channel, request, pop)
        except (RequestRefused, FieldError) as error:
            code = error.code if isinstance(error, RequestRefused) else ResponseCode.SYSTEM_ERROR
            return request.response(code, str(error), dict(_NO_FIELDS))
        self._reader.collect(pop, queue_count)
        if pop.taken:
            self._give_out(channel, request, pop)
        else:
            self._wait(channel, request, pop)
        return None

    # Answering.

    def _give_out(self, channel: Channel, request: RemotingCommand, pop: Pop) -> None:
        waiting = len(pop.taken)
        refused = False

        def stored(taken: Taken, result: PutResult) -> None:
            nonlocal waiting, refused
            waiting -= 1
            if result.status.is_stored:
                self._pops.offsets.stored(taken)
            else:
                refused = True
                self._pops.offsets.failed(taken)
            if not waiting:
                self._answer_found(channel, request, pop, refused=refused)

        for taken, check_point in pop.taken:
            self._pops.revive_log.put_check_point(check_point, pop.revive_queue_id, partial(stored, taken))

    def _answer_found(self, channel: Channel, request: RemotingCommand, pop: Pop, *, refused: bool) -> None:
        if refused:
            remark = "the check point of the messages could not be stored"
            channel.answer(request.response(ResponseCode.SYSTEM_ERROR, remark, dict(_NO_FIELDS)))
            return
        fields = self._fields(pop)
        body = b"".join(pop.frames)
        channel.answer(request.response(ResponseCode.SUCCESS, GetStatus.FOUND.name, fields, body))
        if pop.rest > 0:
            self.hold.wake_next(pop.key)

    def _fields(self, pop: Pop) -> dict[str, str]:
        return {
            "popTime": str(pop.pop_time_ms),
            "invisibleTime": str(pop.invisible_time_ms),
            "reviveQid": str(pop.revive_queue_id),
            "restNum": str(pop.rest),
            "startOffsetInfo": ";".join(pop.start_offsets),
            "msgOffsetInfo": ";".join(pop.msg_offsets),
        }

    def _wait(self, channel: Channel, request: RemotingCommand, pop: Pop) -> None:
        left_ms = pop.born_time_ms + pop.poll_time_ms - self._clock.now_ms()
        deadline_ms = self._clock.monotonic_ms() + min(left_ms, MAX_SUSPEND_MS)
        polling = Polling.TIMEOUT
        if pop.poll_time_ms > 0:
            polling = self.hold.hold(pop.key, HeldPop(channel, request, pop.wants, deadline_ms))
        if polling is not Polling.SUCCESS:
            code = ResponseCode.POLLING_FULL if polling is Polling.FULL else ResponseCode.POLLING_TIMEOUT
            channel.answer(request.response(code, GetStatus.NO_MESSAGE_IN_QUEUE.name, self._fields(pop)))

    def _wake(self, held: HeldPop) -> None:
        answer = self(held.channel, held.request)
        if answer is not None:
            held.channel.answer(answer)

    def _has_match(self, topic: str, queue_id: int, queue_offset: int, wants: MessageFilter) -> bool:
        found = self._store.get(topic, queue_id, queue_offset, 1, matches=wants.tags, accepts=wants.record)
        return found.status is GetStatus.FOUND

    # Checks, in Apache's order.

    def _read(self, request: RemotingCommand) -> Pop:
        fields = request.ext_fields
        born_time_ms = long_field(fields, "bornTime")
        if not born_time_ms:
            born_time_ms = self._clock.now_ms()
            fields["bornTime"] = str(born_time_ms)
        return Pop(
            text_field(fields, "consumerGroup"),
            text_field(fields, "topic"),
            max(ANY_QUEUE, int_field(fields, "queueId")),
            int_field(fields, "maxMsgNums"),
            long_field(fields, "invisibleTime"),
            long_field(fields, "pollTime"),
            born_time_ms,
            int_field(fields, "initMode"),
        )

    def _check(self, channel: Channel, request: RemotingCommand, pop: Pop) -> int:
        """How many queues the topic has. Raises RequestRefused."""
        broker = f"the broker[{self._config.broker_ip1}]"
        if self._clock.now_ms() - pop.born_time_ms - pop.poll_time_ms > TIMEOUT_MARGIN_MS:
            raise RequestRefused(ResponseCode.POLLING_TIMEOUT, f"{broker} pop message is timeout too much")
        if not is_readable(self._context.broker_permission):
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"{broker} pop message is forbidden")
        if pop.max_count > MAX_MESSAGES:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, f"{broker} pop message's num is greater than 32")
        if not self._config.timer_wheel_enable:
            remark = f"{broker} pop message is forbidden because timerWheelEnable is false"
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, remark)
        check_invisible_time(pop.invisible_time_ms)
        queue_count = self._check_names(channel, pop)
        if bool_field(request.ext_fields, "order"):
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"{broker} does not pop in order")
        pop.wants = _filter(request)
        return queue_count

    def _check_names(self, channel: Channel, pop: Pop) -> int:
        topic = self._context.topics.get(pop.topic)
        if topic is None:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, remarks.topic_not_exist_for_pull(pop.topic))
        if not is_readable(topic.perm):
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"the topic[{pop.topic}] peeking message is forbidden")
        if pop.queue_id >= topic.read_queue_nums:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remarks.illegal_queue(pop.queue_id, topic, channel))
        group = self._context.groups.find(pop.group)
        if group is None:
            remark = remarks.group_does_not_exist_for_pull(pop.group)
            raise RequestRefused(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        if not group.consume_enable:
            remark = f"subscription group no permission, {pop.group}"
            raise RequestRefused(ResponseCode.NO_PERMISSION, remark)
        return topic.read_queue_nums


def check_invisible_time(invisible_ms: int) -> None:
    """Raises RequestRefused."""
    if not 0 <= invisible_ms <= MAX_INVISIBLE_MS:
        remark = f"invisibleTime[{invisible_ms}] is illegal, 0~{MAX_INVISIBLE_MS}"
        raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)


def _filter(request: RemotingCommand) -> MessageFilter:
    expression, expression_type = request.ext_fields.get("exp"), request.ext_fields.get("expType")
    if not expression:
        return TAKES_ALL
    if subscription.is_tag_type(expression_type):
        return MessageFilter(subscription.matcher_of(expression))
    try:
        check_expression(expression_type or "", expression)
        return subscription.sql_filter(expression)
    except FilterError as error:
        remark = "parse the consumer's subscription failed"
        raise RequestRefused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, remark) from error
