# SPDX-License-Identifier: Apache-2.0
"""Pulling: 11 and 361. Answers to Apache's PullMessageProcessor and DefaultPullMessageResultHandler.

    store says              code  held when bit 2 (suspend) is set
    FOUND                   0
    NO_MATCHED_MESSAGE      20    no: the client's offset has to move on
    OFFSET_OVERFLOW_ONE     19    yes, until a message matches or the time is up
    OFFSET_FOUND_NULL       19    yes
    no queue, offset 0      19    yes
    no queue, other offset  21
    OFFSET_OVERFLOW_BADLY   21
    OFFSET_TOO_SMALL        21

A slave whose master is online sends its clients there: nothing found is code 20 on it. While the master is away it
holds pulls as a master does (Apache does so in acting-master mode only; in the classic modes its slave answers 20 at
once, and consumers turn in circles). The records go out as they stand in the commit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...filter import FilterError
from ...remoting.answers import pull_answer_header
from ...remoting.codes import RequestCode, ResponseCode
from ...remoting.fields import int_field, long_field, text_field
from ...remoting.message_const import PULL_COMMIT_OFFSET_FLAG, PULL_SUBSCRIPTION_FLAG, PULL_SUSPEND_FLAG
from ...remoting.perm import is_readable
from ...rpc.errors import RequestRefused
from ...store.get_message import GetResult, GetStatus
from .. import subscription
from ..broker_config import MASTER_ID
from ..consumer_filter_manager import check_expression
from ..consumer_group_info import CONSUME_ACTIVELY
from ..pull_request_hold import HeldPull, PullRequestHold
from ..subscription import MessageFilter
from . import remarks

if TYPE_CHECKING:
    from ...remoting.bodies import SubscriptionGroupConfig, TopicConfig
    from ...remoting.command import RemotingCommand
    from ...rpc.channel import Channel
    from ..broker_context import BrokerContext

#: What one pull may bring at most whatever it asks for; half of the frame limit, so that header and last record always
#: fit.
MAX_ANSWER_BYTES = 8 * 1024 * 1024

#: Apache holds a pull as long as its client asks; nobody needs longer than the idle time-out of a connection.
MAX_SUSPEND_MS = 120_000

_CODES = {
    GetStatus.FOUND: ResponseCode.SUCCESS,
    GetStatus.MESSAGE_WAS_REMOVING: ResponseCode.PULL_RETRY_IMMEDIATELY,
    GetStatus.NO_MATCHED_MESSAGE: ResponseCode.PULL_RETRY_IMMEDIATELY,
    GetStatus.OFFSET_FOUND_NULL: ResponseCode.PULL_NOT_FOUND,
    GetStatus.OFFSET_OVERFLOW_ONE: ResponseCode.PULL_NOT_FOUND,
    GetStatus.OFFSET_OVERFLOW_BADLY: ResponseCode.PULL_OFFSET_MOVED,
    GetStatus.OFFSET_TOO_SMALL: ResponseCode.PULL_OFFSET_MOVED,
}
_NO_QUEUE = frozenset({GetStatus.NO_MATCHED_LOGIC_QUEUE, GetStatus.NO_MESSAGE_IN_QUEUE})


@dataclass(slots=True)
class _Pull:
    """The fields of a pull, read once."""

    group: str
    topic: str
    queue_id: int
    queue_offset: int
    max_count: int
    sys_flag: int
    max_bytes: int


class PullMessageProcessor:
    def __init__(self, context: BrokerContext) -> None:
        config = context.config
        self._context = context
        self._config = config
        self._store = context.store
        self._clock = context.clock
        self._offsets = context.offsets
        self._stats = context.stats
        self._latency = context.stats.get_latency
        self.hold = PullRequestHold(self._wake, context.store.max_offset, self._has_match)
        self._is_slave = config.is_slave

    def __call__(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        if self._is_slave and not self._config.slave_read_enable:
            return request.response(ResponseCode.SYSTEM_BUSY, remarks.REJECT_REQUEST)
        self._pull(channel, request, may_suspend=True)
        return None

    def _wake(self, held: HeldPull) -> None:
        """A held pull's second and last run. Nobody stands above it to turn a refusal into an answer."""
        try:
            self._pull(held.channel, held.request, may_suspend=False)
        except RequestRefused as refusal:
            held.channel.answer(held.request.response(refusal.code, refusal.remark))

    def _pull(self, channel: Channel, request: RemotingCommand, *, may_suspend: bool) -> None:
        fields = request.ext_fields
        pull = _Pull(
            text_field(fields, "consumerGroup"),
            text_field(fields, "topic"),
            int_field(fields, "queueId"),
            long_field(fields, "queueOffset"),
            int_field(fields, "maxMsgNums"),
            int_field(fields, "sysFlag"),
            min(int_field(fields, "maxMsgBytes", MAX_ANSWER_BYTES), MAX_ANSWER_BYTES),
        )
        group, topic = self._check(channel, request, pull)
        wants = self._filter(channel, request, pull, group)
        reset = self._offsets.take_reset(pull.group, pull.topic, pull.queue_id)
        if reset is not None:
            moved = self._moved_to(pull, reset)
            self._answer(channel, request, pull, moved, ResponseCode.PULL_OFFSET_MOVED, topic=topic, group=group)
            return
        began_ms = self._latency.begin()
        found = self._store.get(
            pull.topic,
            pull.queue_id,
            pull.queue_offset,
            pull.max_count,
            pull.max_bytes,
            matches=wants.tags,
            accepts=wants.record,
        )
        self._latency.end(began_ms)
        code = self._code(pull, found)
        self._offsets.commit_pulled(pull.group, pull.topic, pull.queue_id, found.next_begin_offset)
        if may_suspend and pull.sys_flag & PULL_COMMIT_OFFSET_FLAG:
            self._offsets.commit(pull.group, pull.topic, pull.queue_id, long_field(fields, "commitOffset"))
        if code == ResponseCode.PULL_NOT_FOUND and may_suspend and pull.sys_flag & PULL_SUSPEND_FLAG:
            suspend_ms = long_field(fields, "suspendTimeoutMillis", 0)
            if self._suspend(channel, request, pull, wants, suspend_ms):
                return
        self._answer(channel, request, pull, found, code, topic=topic, group=group)

    def _moved_to(self, pull: _Pull, queue_offset: int) -> GetResult:
        """An administrator has set the offset: the consumer goes on from there."""
        store = self._store
        low, high = store.min_offset(pull.topic, pull.queue_id), store.max_offset(pull.topic, pull.queue_id)
        return GetResult(GetStatus.OFFSET_RESET, queue_offset, low, high)

    def _has_match(self, topic: str, queue_id: int, held: HeldPull) -> bool:
        start = max(held.queue_offset, held.looked_to)
        found = self._store.get(topic, queue_id, start, 1, matches=held.wants.tags, accepts=held.wants.record)
        if found.status is GetStatus.NO_MATCHED_MESSAGE:
            # So that a pull which wants few messages is not tried on the same ones with each that arrives.
            held.looked_to = found.next_begin_offset
        return found.status is GetStatus.FOUND

    # What the answer says.

    def _code(self, pull: _Pull, found: GetResult) -> int:
        status = found.status
        if status in _NO_QUEUE:
            code = ResponseCode.PULL_OFFSET_MOVED if pull.queue_offset else ResponseCode.PULL_NOT_FOUND
        else:
            code = _CODES[status]
        if not self._config.is_slave:
            return code
        if code == ResponseCode.PULL_OFFSET_MOVED and not self._config.offset_check_in_slave:
            # This log may only be behind: the client must not believe that its offset is wrong.
            return ResponseCode.PULL_RETRY_IMMEDIATELY
        goes_to_master = not found.suggest_pulling_from_slave and self._context.is_master_online()
        if goes_to_master and status is not GetStatus.FOUND:
            return ResponseCode.PULL_RETRY_IMMEDIATELY
        return code

    def _suggested_broker(self, found: GetResult, group: SubscriptionGroupConfig) -> int:
        """Where to pull next: the slave only when the client reads far behind what memory holds."""
        if not self._config.slave_read_enable:
            return MASTER_ID
        if found.suggest_pulling_from_slave:
            return group.which_broker_when_consume_slowly
        return group.broker_id

    def _answer(
        self,
        channel: Channel,
        request: RemotingCommand,
        pull: _Pull,
        found: GetResult,
        code: int,
        *,
        topic: TopicConfig,
        group: SubscriptionGroupConfig,
    ) -> None:
        frames = found.frames if code == ResponseCode.SUCCESS else ()
        body_size_bytes = sum(map(len, frames))
        if code == ResponseCode.SUCCESS:
            self._stats.got(pull.group, pull.topic, found.message_count, body_size_bytes)
        if request.is_oneway:
            return
        head = pull_answer_header(
            opaque=request.opaque,
            code=code,
            remark=found.status.name,
            next_begin_offset=found.next_begin_offset,
            min_offset=found.min_offset,
            max_offset=found.max_offset,
            body_size_bytes=body_size_bytes,
            suggest_which_broker_id=self._suggested_broker(found, group),
            topic_sys_flag=topic.topic_sys_flag,
            group_sys_flag=group.group_sys_flag,
        )
        channel.answer_raw(head)
        for frame in frames:
            channel.answer_raw(frame)

    def _suspend(
        self, channel: Channel, request: RemotingCommand, pull: _Pull, wants: MessageFilter, suspend_ms: int
    ) -> bool:
        if not self._config.long_polling_enable:
            suspend_ms = self._config.short_polling_time_ms
        deadline_ms = self._clock.monotonic_ms() + min(max(0, suspend_ms), MAX_SUSPEND_MS)
        held = HeldPull(channel, request, pull.queue_offset, wants, deadline_ms)
        return self.hold.hold(pull.topic, pull.queue_id, held)

    # Checks, in Apache's order.

    def _check(
        self, channel: Channel, request: RemotingCommand, pull: _Pull
    ) -> tuple[SubscriptionGroupConfig, TopicConfig]:
        context, config = self._context, self._config
        if not is_readable(context.broker_permission):
            raise _forbidden(f"the broker[{config.broker_ip1}] pulling message is forbidden")
        if request.code == RequestCode.LITE_PULL_MESSAGE and not config.lite_pull_message_enable:
            raise _forbidden(f"the broker[{config.broker_ip1}] for lite pull consumer is forbidden")
        group = context.groups.find(pull.group)
        if group is None:
            remark = remarks.group_does_not_exist_for_pull(pull.group)
            raise RequestRefused(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark)
        if not group.consume_enable:
            raise _forbidden(f"subscription group no permission, {pull.group}")
        topic = context.topics.get(pull.topic) or self._derived(pull)
        if topic is None:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, remarks.topic_not_exist_for_pull(pull.topic))
        if not is_readable(topic.perm):
            raise _forbidden(f"the topic[{pull.topic}] pulling message is forbidden")
        if not 0 <= pull.queue_id < topic.read_queue_nums:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remarks.illegal_queue(pull.queue_id, topic, channel))
        return group, topic

    def _derived(self, pull: _Pull) -> TopicConfig | None:
        """The master has died in the topic's first second: the slave has its messages and not yet its configuration,
        which the master brings back."""
        context = self._context
        if not self._is_slave or context.is_master_online() or not self._store.max_offset(pull.topic, pull.queue_id):
            return None
        context.topics.derive({pull.topic: self._store.queues()[pull.topic]})
        return context.topics.get(pull.topic)

    def _filter(
        self, channel: Channel, request: RemotingCommand, pull: _Pull, group: SubscriptionGroupConfig
    ) -> MessageFilter:
        fields = request.ext_fields
        if self._config.reject_pull_consumer_enable:
            self._refuse_strange_pull_consumer(channel, pull.group)
        if pull.sys_flag & PULL_SUBSCRIPTION_FLAG:
            expression_type = fields.get("expressionType")
            text = fields.get("subscription") or ""
            if subscription.is_tag_type(expression_type):
                return MessageFilter(subscription.matcher_of(text))
            self._refuse_without_property_filter(expression_type)
            return _compiled(expression_type or "", text)
        return self._subscribed(pull, group, long_field(fields, "subVersion"))

    def _subscribed(self, pull: _Pull, group: SubscriptionGroupConfig, sub_version: int) -> MessageFilter:
        """The subscription of the group's heartbeat."""
        info = self._context.consumers.get(pull.group)
        if info is None:
            raise RequestRefused(ResponseCode.SUBSCRIPTION_NOT_EXIST, remarks.group_info_not_exist())
        if info.is_broadcasting and not group.consume_broadcast_enable:
            raise _forbidden(f"the consumer group[{pull.group}] can not consume by broadcast way")
        if self._context.groups.is_reading_forbidden(pull.group, pull.topic):
            raise _forbidden(f"the consumer group[{pull.group}] is forbidden for topic[{pull.topic}]")
        data = info.subscriptions.get(pull.topic)
        if data is None:
            raise RequestRefused(ResponseCode.SUBSCRIPTION_NOT_EXIST, remarks.subscription_not_exist())
        if data.sub_version < sub_version:
            raise RequestRefused(ResponseCode.SUBSCRIPTION_NOT_LATEST, "the consumer's subscription not latest")
        if subscription.is_tag_type(data.expression_type):
            return MessageFilter(info.matcher(pull.topic))
        self._refuse_without_property_filter(data.expression_type)
        known = self._context.filters.get(pull.topic, pull.group)
        if known is None:
            remark = "The broker's consumer filter data is not exist!Your expression may be wrong!"
            raise RequestRefused(ResponseCode.FILTER_DATA_NOT_EXIST, remark)
        if known.client_version < sub_version:
            remark = "the consumer's consumer filter data not latest"
            raise RequestRefused(ResponseCode.FILTER_DATA_NOT_LATEST, remark)
        return _compiled(known.expression_type, known.expression)

    def _refuse_without_property_filter(self, expression_type: str | None) -> None:
        if not self._config.enable_property_filter:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, remarks.no_filter_by(expression_type))

    def _refuse_strange_pull_consumer(self, channel: Channel, group: str) -> None:
        info = self._context.consumers.get(group)
        if info is None or (info.consume_type == CONSUME_ACTIVELY and channel not in info.channels):
            raise RequestRefused(ResponseCode.SUBSCRIPTION_NOT_EXIST, remarks.pull_consumer_rejected())


def _forbidden(remark: str) -> RequestRefused:
    return RequestRefused(ResponseCode.NO_PERMISSION, remark)


def _compiled(expression_type: str, expression: str) -> MessageFilter:
    try:
        check_expression(expression_type, expression)
        return subscription.sql_filter(expression)
    except FilterError as error:
        remark = "parse the consumer's subscription failed"
        raise RequestRefused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, remark) from error
