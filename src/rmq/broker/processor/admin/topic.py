# SPDX-License-Identifier: Apache-2.0
"""Topics: 17, 18 create and change, 215 delete, 21 all, 305 the system's, 351 one, 202 state of the queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting import topic_names as names
from ....remoting.bodies import (
    CreateTopicListRequestBody,
    DataVersion,
    MessageQueue,
    TopicConfig,
    TopicConfigAndMappingSerializeWrapper,
    TopicList,
    TopicOffset,
    TopicStatsTable,
)
from ....remoting.codes import ResponseCode
from ....remoting.fields import bool_field, int_field, text_field
from ....rpc.errors import RequestRefused
from ... import topic_attributes
from ..remarks import NO_RESPONSE_CODE
from .persisted import AnswerWhenAll, answer_when_persisted

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext

#: Queues of one topic. Apache knows no limit; tools and slaves ask for each queue of a topic, so a slip of the finger
#: must not cost every later answer. Far above the 1024 of BenchmarkTest, the largest topic that Apache makes itself.
MAX_QUEUES = 65536

_MESSAGE_TYPE_CHANGE = f"+{topic_attributes.MESSAGE_TYPE}"


class TopicAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._config = context.config
        self._topics = context.topics
        self._mapping_version = DataVersion(timestamp=context.clock.now_ms())

    def create(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        fields = request.ext_fields
        topic = TopicConfig(
            topic_name=text_field(fields, "topic"),
            read_queue_nums=int_field(fields, "readQueueNums"),
            write_queue_nums=int_field(fields, "writeQueueNums"),
            perm=int_field(fields, "perm"),
            topic_filter_type=fields.get("topicFilterType") or "SINGLE_TAG",
            topic_sys_flag=int_field(fields, "topicSysFlag", 0),
            order=bool_field(fields, "order"),
            attributes=topic_attributes.parse_modification(fields.get("attributes")),
        )
        return self._update(channel, request, [topic])

    def create_list(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        return self._update(channel, request, CreateTopicListRequestBody.decode(request.body).topic_config_list)

    def delete(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """The topic, its offsets and queues; its records stay in the commit log until that is cleaned."""
        topic = text_field(request.ext_fields, "topic")
        if not topic.strip():
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, "The specified topic is blank.")
        self._refuse_system_topic(topic)
        written = AnswerWhenAll(3, answer_when_persisted(channel, request))
        self._context.pops.offsets.forget_topic(topic)
        self._context.offsets.remove_topic(topic, written)
        # Its queues also where its configuration is gone already: a deletion that was cut off is repeated.
        self._context.store.delete_topic(topic, written)
        self._context.stats.forget_topic(topic)
        self._context.request_modes.forget_topic(topic)
        self._topics.delete(topic, written)
        return None

    def all_topics(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Whole for tools; slaves of 5.x ask for pages."""
        fields = request.ext_fields
        topics = self._topics.topics
        if self._config.enable_split_metadata and not fields.keys().isdisjoint(_PAGE_FIELDS):
            limit = min(
                self._config.split_metadata_size, int_field(fields, "maxTopicNum", self._config.split_metadata_size)
            )
            topics = self._topics.page(int_field(fields, "topicSeq", 0), limit, data_version(fields.get("dataVersion")))
        body = TopicConfigAndMappingSerializeWrapper(self._topics.data_version, self._mapping_version, topics)
        total = {"totalTopicNum": str(len(self._topics.topics))}
        return request.response(ResponseCode.SUCCESS, None, total, body.encode())

    def system_topics(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        body = TopicList(topic_list=self._topics.system_topic_names())
        return request.response(ResponseCode.SUCCESS, body=body.encode())

    def one_topic(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        name = text_field(request.ext_fields, "topic")
        topic = self._topics.get(name)
        if topic is None:
            return request.response(ResponseCode.TOPIC_NOT_EXIST, f"No topic in this broker. topic: {name}")
        return request.response(ResponseCode.SUCCESS, body=topic.encode())

    def stats(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        name = text_field(request.ext_fields, "topic")
        topic = self._topics.get(name)
        if topic is None:
            return request.response(ResponseCode.TOPIC_NOT_EXIST, f"topic[{name}] not exist")
        queues = range(max(topic.write_queue_nums, topic.read_queue_nums))
        table = {
            MessageQueue(self._config.broker_name, queue, name): self._queue_state(name, queue) for queue in queues
        }
        body = TopicStatsTable(table, self._context.stats.topic_put_tps(name))
        return request.response(ResponseCode.SUCCESS, body=body.encode())

    def _queue_state(self, topic: str, queue_id: int) -> TopicOffset:
        store = self._context.store
        end = max(0, store.max_offset(topic, queue_id))
        newest_ms = store.store_time(topic, queue_id, end - 1) if end else 0
        return TopicOffset(newest_ms, end, max(0, store.min_offset(topic, queue_id)))

    def _update(self, channel: Channel, request: RemotingCommand, topics: list[TopicConfig]) -> RemotingCommand | None:
        for topic in topics:
            self._check(topic)
        if all(topic == self._topics.get(topic.topic_name) for topic in topics):
            return request.response(ResponseCode.SUCCESS, NO_RESPONSE_CODE)
        written = answer_when_persisted(channel, request, NO_RESPONSE_CODE)
        # The route is what the administrator asks for next.
        self._topics.update(topics, lambda fault: self._context.when_announced(lambda: written(fault)))
        return None

    def _check(self, topic: TopicConfig) -> None:
        remark = names.check_topic(topic.topic_name)
        if remark is not None:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)
        self._refuse_system_topic(topic.topic_name)
        if not (0 <= topic.read_queue_nums <= MAX_QUEUES and 0 <= topic.write_queue_nums <= MAX_QUEUES):
            remark = f"The topic[{topic.topic_name}] asks for more queues than {MAX_QUEUES}, or for less than none."
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)
        mixed = topic.attributes.get(_MESSAGE_TYPE_CHANGE) == topic_attributes.MIXED
        if mixed and not self._config.enable_mixed_message_type:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, "MIXED message type is not supported.")

    def _refuse_system_topic(self, topic: str) -> None:
        if self._config.validate_system_topic_when_update_topic and self._topics.is_system_topic(topic):
            remark = f"The topic[{topic}] is conflict with system topic."
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)


_PAGE_FIELDS = frozenset({"dataVersion", "topicSeq", "maxTopicNum"})


def data_version(text: str | None) -> DataVersion | None:
    """The version a slave's first page had; None for a blank one. Raises BodyError."""
    return DataVersion.decode(text.encode()) if text and text.strip() else None
