# SPDX-License-Identifier: Apache-2.0
"""Sends messages one at a time, as Apache's DefaultMQProducer does: round robin, another broker after a failure."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Dict, List, Optional

from ..remoting.bodies import MessageQueue, QueueData, TopicRouteData
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from ..remoting.errors import RemotingError
from ..remoting.fields import int_field, long_field
from ..remoting.message import UniqueIdFactory, encode_properties
from ..remoting.message_const import PROPERTY_KEYS, PROPERTY_TAGS, PROPERTY_UNIQ_KEY, PROPERTY_WAIT
from ..remoting.perm import is_writeable
from ..remoting.send_header import SendHeader
from ..remoting.topic_names import AUTO_CREATE_TOPIC_KEY_TOPIC
from .errors import NoRouteError, ResponseError

if TYPE_CHECKING:
    from .admin import AdminClient

# DefaultMQProducer.retryTimesWhenSendFailed and defaultTopicQueueNums.
RETRY_TIMES = 2
DEFAULT_TOPIC_QUEUE_NUMS = 4

# After these another broker may do better (DefaultMQProducer.retryResponseCodes).
_RETRY_CODES = frozenset(
    {
        int(ResponseCode.TOPIC_NOT_EXIST),
        int(ResponseCode.SERVICE_NOT_AVAILABLE),
        int(ResponseCode.SYSTEM_ERROR),
        int(ResponseCode.SYSTEM_BUSY),
        int(ResponseCode.NO_PERMISSION),
        int(ResponseCode.NO_BUYER_ID),
        int(ResponseCode.NOT_IN_CURRENT_UNIT),
    }
)


class SendStatus(IntEnum):
    """All of them mean stored; only SEND_OK means as safely as the broker is set up to."""

    SEND_OK = int(ResponseCode.SUCCESS)
    FLUSH_DISK_TIMEOUT = int(ResponseCode.FLUSH_DISK_TIMEOUT)
    SLAVE_NOT_AVAILABLE = int(ResponseCode.SLAVE_NOT_AVAILABLE)
    FLUSH_SLAVE_TIMEOUT = int(ResponseCode.FLUSH_SLAVE_TIMEOUT)


@dataclass(frozen=True)
class OutgoingMessage:
    topic: str
    body: bytes
    tags: Optional[str] = None
    keys: Optional[str] = None
    flag: int = 0
    properties: Dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SendResult:
    """`message_id` is the sender's own id, `offset_message_id` the place at the broker."""

    status: SendStatus
    message_id: str
    offset_message_id: str
    queue: MessageQueue
    queue_offset: int


class Producer:
    """One producer group. Raises NoRouteError for a topic without writable queue, else what the last try ended with."""

    def __init__(self, admin: AdminClient, group: str) -> None:
        self._admin = admin
        self._group = group
        # A process that sends one message and ends should not always take the same queue.
        self._next_queue = random.randrange(1024)
        self._routes: Dict[str, TopicRouteData] = {}
        self._ids: Optional[UniqueIdFactory] = None

    def send(self, message: OutgoingMessage) -> SendResult:
        """Tries up to RETRY_TIMES more, each time at a broker that has not just failed where there is one."""
        failed: List[str] = []
        while True:
            queue = self._select_queue(message.topic, failed)
            try:
                return self.send_to(message, queue)
            except RemotingError as error:
                failed.append(queue.broker_name)
                # Where the brokers are may have changed.
                self._routes.clear()
                if len(failed) > RETRY_TIMES or (isinstance(error, ResponseError) and error.code not in _RETRY_CODES):
                    raise

    def send_to(self, message: OutgoingMessage, queue: MessageQueue) -> SendResult:
        """One try, at that queue."""
        address = self._broker_address(message.topic, queue.broker_name)
        client = self._admin.connections.to(address)
        if self._ids is None:
            self._ids = UniqueIdFactory(client.local_ip(), os.getpid(), id(self))
        now_ms = int(time.time() * 1000)
        message_id = self._ids.next(now_ms)
        header = self._header(message, queue, message_id, now_ms)
        code = RequestCode.SEND_MESSAGE_V2
        answer = client.invoke(RemotingCommand.request(code, header.to_ext_fields(), message.body))
        try:
            status = SendStatus(answer.code)
        except ValueError:
            raise ResponseError(answer.code, answer.remark, address=address, request_code=code) from None
        fields = answer.ext_fields
        stored_in = MessageQueue(queue.broker_name, int_field(fields, "queueId", queue.queue_id), message.topic)
        return SendResult(status, message_id, fields.get("msgId", ""), stored_in, long_field(fields, "queueOffset", -1))

    def _header(self, message: OutgoingMessage, queue: MessageQueue, message_id: str, now_ms: int) -> SendHeader:
        properties = dict(message.properties)
        properties[PROPERTY_UNIQ_KEY] = message_id
        properties[PROPERTY_WAIT] = properties.get(PROPERTY_WAIT, "true")
        if message.keys:
            properties[PROPERTY_KEYS] = message.keys
        if message.tags:
            properties[PROPERTY_TAGS] = message.tags
        return SendHeader(
            producer_group=self._group,
            topic=message.topic,
            default_topic=AUTO_CREATE_TOPIC_KEY_TOPIC,
            default_topic_queue_nums=DEFAULT_TOPIC_QUEUE_NUMS,
            queue_id=queue.queue_id,
            sys_flag=0,
            born_timestamp_ms=now_ms,
            flag=message.flag,
            properties=encode_properties(properties),
            reconsume_times=0,
            unit_mode=False,
            max_reconsume_times=None,
            batch=False,
            broker_name=queue.broker_name,
        )

    def _select_queue(self, topic: str, failed: List[str]) -> MessageQueue:
        queues = writable_queues(self._route(topic), topic)
        if not queues:
            raise NoRouteError("topic %s has no queue that can be written to" % topic)
        others = [queue for queue in queues if queue.broker_name not in failed]
        choice = others or queues
        self._next_queue += 1
        return choice[self._next_queue % len(choice)]

    def _broker_address(self, topic: str, broker_name: str) -> str:
        for broker in self._route(topic).broker_datas:
            if broker.broker_name == broker_name and broker.master_address is not None:
                return broker.master_address
        raise NoRouteError("broker %s has no master for topic %s at the moment" % (broker_name, topic))

    def _route(self, topic: str) -> TopicRouteData:
        route = self._routes.get(topic)
        if route is None:
            route = self._routes[topic] = self._ask_route(topic)
        return route

    def _ask_route(self, topic: str) -> TopicRouteData:
        try:
            return self._admin.topic_route(topic)
        except ResponseError as error:
            if error.code != ResponseCode.TOPIC_NOT_EXIST:
                raise
            missing = error
        # Brokers with autoCreateTopicEnable list TBW102, and make the topic when the first message comes.
        try:
            return _for_new_topic(self._admin.topic_route(AUTO_CREATE_TOPIC_KEY_TOPIC))
        except ResponseError:
            raise missing from None


def _for_new_topic(template: TopicRouteData) -> TopicRouteData:
    queues = [
        QueueData(
            queue.broker_name,
            queue.perm,
            min(DEFAULT_TOPIC_QUEUE_NUMS, queue.read_queue_nums),
            queue.topic_sys_flag,
            min(DEFAULT_TOPIC_QUEUE_NUMS, queue.write_queue_nums),
        )
        for queue in template.queue_datas
    ]
    return replace(template, queue_datas=queues)


def writable_queues(route: TopicRouteData, topic: str) -> List[MessageQueue]:
    """Queues of brokers whose master is there, brokers taking turns."""
    with_master = {broker.broker_name for broker in route.broker_datas if broker.master_address is not None}
    queues = [
        (queue_id, queue.broker_name)
        for queue in route.queue_datas
        if is_writeable(queue.perm) and queue.broker_name in with_master
        for queue_id in range(queue.write_queue_nums)
    ]
    return [MessageQueue(broker_name, queue_id, topic) for queue_id, broker_name in sorted(queues)]
