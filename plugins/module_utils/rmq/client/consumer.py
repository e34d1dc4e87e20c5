# SPDX-License-Identifier: Apache-2.0
"""Pulls messages queue by queue, as Apache's DefaultMQPullConsumer does. It commits nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Dict, List

from ..remoting.bodies import EXPRESSION_TAG, SUBSCRIBE_ALL, MessageQueue, TopicRouteData
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.fields import long_field
from ..remoting.message import MessageExt, decode_records
from ..remoting.message_const import PULL_SUBSCRIPTION_FLAG, PULL_SUSPEND_FLAG
from ..remoting.perm import is_readable
from .errors import NoRouteError, ResponseError

if TYPE_CHECKING:
    from .admin import AdminClient

# maxMsgNums of one pull; brokers give at most 32 by default (maxTransferCountOnMessageInMemory).
MAX_MESSAGES_PER_PULL = 32

# Brokers look at waiting pulls each 5 s, so an answer may come that much after the wait; the rest is for the way
# (Apache's clients wait 30 s for a pull that is held 20 s).
_ANSWER_GRACE_MS = 10_000


class PullStatus(Enum):
    FOUND = "FOUND"
    NO_NEW_MSG = "NO_NEW_MSG"
    NO_MATCHED_MSG = "NO_MATCHED_MSG"
    OFFSET_ILLEGAL = "OFFSET_ILLEGAL"


_STATUSES = {
    int(ResponseCode.SUCCESS): PullStatus.FOUND,
    int(ResponseCode.PULL_NOT_FOUND): PullStatus.NO_NEW_MSG,
    int(ResponseCode.PULL_RETRY_IMMEDIATELY): PullStatus.NO_MATCHED_MSG,
    int(ResponseCode.PULL_OFFSET_MOVED): PullStatus.OFFSET_ILLEGAL,
}


@dataclass(frozen=True)
class PullResult:
    """The next pull starts at `next_begin_offset`, whatever the status."""

    status: PullStatus
    next_begin_offset: int
    min_offset: int
    max_offset: int
    messages: List[MessageExt]


class PullConsumer:
    """One consumer group. Every call raises RemotingError; messages that are damaged raise RecordError."""

    def __init__(self, admin: AdminClient, group: str) -> None:
        self._admin = admin
        self._group = group
        self._routes: Dict[str, TopicRouteData] = {}

    def queues(self, topic: str) -> List[MessageQueue]:
        """Readable queues of the topic, sorted by broker and id."""
        return sorted(
            (
                MessageQueue(queue.broker_name, queue_id, topic)
                for queue in self._route(topic).queue_datas
                if is_readable(queue.perm)
                for queue_id in range(queue.read_queue_nums)
            ),
            key=lambda queue: (queue.broker_name, queue.queue_id),
        )

    def min_offset(self, queue: MessageQueue) -> int:
        return self._admin.min_offset(self._address(queue), queue.topic, queue.queue_id)

    def max_offset(self, queue: MessageQueue) -> int:
        return self._admin.max_offset(self._address(queue), queue.topic, queue.queue_id)

    def search_offset(self, queue: MessageQueue, timestamp_ms: int) -> int:
        return self._admin.search_offset(self._address(queue), queue.topic, queue.queue_id, timestamp_ms)

    def pull(
        self,
        queue: MessageQueue,
        queue_offset: int,
        *,
        max_messages: int = MAX_MESSAGES_PER_PULL,
        expression: str = SUBSCRIBE_ALL,
        suspend_ms: int = 0,
    ) -> PullResult:
        """One pull; with `suspend_ms` the broker may wait so long for a message to come."""
        fields = {
            "consumerGroup": self._group,
            "topic": queue.topic,
            "queueId": str(queue.queue_id),
            "queueOffset": str(queue_offset),
            "maxMsgNums": str(max_messages),
            "sysFlag": str(PULL_SUBSCRIPTION_FLAG | (PULL_SUSPEND_FLAG if suspend_ms else 0)),
            "commitOffset": "0",
            "suspendTimeoutMillis": str(suspend_ms),
            "subscription": expression,
            "subVersion": "0",
            "expressionType": EXPRESSION_TAG,
            "bname": queue.broker_name,
        }
        address = self._address(queue)
        request = RemotingCommand.request(RequestCode.PULL_MESSAGE, fields)
        timeout_ms = suspend_ms + _ANSWER_GRACE_MS if suspend_ms else None
        answer = self._admin.connections.to(address).invoke(request, timeout_ms)
        status = _STATUSES.get(answer.code)
        if status is None:
            raise ResponseError(answer.code, answer.remark, address=address, request_code=request.code)
        return _result(status, answer, expression)

    def _address(self, queue: MessageQueue) -> str:
        """The master, or a slave while the master is away."""
        for broker in self._route(queue.topic).broker_datas:
            address = broker.select_address() if broker.broker_name == queue.broker_name else None
            if address is not None:
                return address
        raise NoRouteError("no broker %s is there for topic %s" % (queue.broker_name, queue.topic))

    def _route(self, topic: str) -> TopicRouteData:
        route = self._routes.get(topic)
        if route is None:
            route = self._routes[topic] = self._admin.topic_route(topic)
        return route


def _result(status: PullStatus, answer: RemotingCommand, expression: str) -> PullResult:
    messages = decode_records(answer.body) if status is PullStatus.FOUND else []
    if expression != SUBSCRIBE_ALL:
        # Brokers compare hashes of tags only; a client compares the tags.
        wanted = {tag.strip() for tag in expression.split("||")}
        messages = [message for message in messages if message.tags in wanted]
    fields = answer.ext_fields
    return PullResult(
        status,
        long_field(fields, "nextBeginOffset", 0),
        long_field(fields, "minOffset", 0),
        long_field(fields, "maxOffset", 0),
        messages,
    )
