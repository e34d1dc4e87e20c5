# SPDX-License-Identifier: Apache-2.0
"""What each request code needs: the one table. A code that this broker answers and that is not here fails a test.

Answers to DefaultAuthorizationContextBuilder and the annotations on Apache's request headers. Every need of a request
has to be allowed; of a need's actions any one is enough. A retry topic stands for its group. Super users need nothing.

Where Apache names no resource it lets every signed request through, and a request without extFields too. Here such a
code says so itself: CLUSTER_GET and CLUSTER_UPDATE for administration, PUBLIC for what tells nothing. Of the rest,
stricter than Apache: 361 is a pull, 324 and 325 are sends, retry topics are checked where Apache passes them over,
200, 225, 18 and 401 look into their bodies, and a request that names no resource at all needs the cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...remoting.bodies import (
    CreateTopicListRequestBody,
    HeartbeatData,
    LockBatchRequestBody,
    SetMessageRequestModeRequestBody,
    SubscriptionGroupConfig,
    SubscriptionGroupList,
)
from ...remoting.codes import RequestCode
from ...remoting.java_json import JavaJsonError, loads_bytes
from ...remoting.json_body import BodyError
from ...remoting.topic_names import is_retry_topic
from ..ha_handshake import HA_IDENTIFY
from ..pair_log import HA_DELETED_TOPICS, HA_LOG_STATE, HA_READ_LOG
from .auth_codes import GET_AUTH_METADATA
from .model import Action, Resource

if TYPE_CHECKING:
    from ...remoting.command import RemotingCommand


@dataclass(frozen=True)
class Need:
    """resource None: the cluster of this broker."""

    resource: Resource | None
    actions: tuple[Action, ...]


#: Raises BodyError for a body that is not what the code asks for.
Needs = Callable[["RemotingCommand"], Iterator[Need]]

_READ = (Action.SUB, Action.GET)
_COMMIT = (Action.SUB, Action.UPDATE)


def _cluster(*actions: Action) -> Needs:
    def needs(_: RemotingCommand) -> Iterator[Need]:
        yield Need(None, actions)

    return needs


class _Fields:
    """Names in header fields, in the order in which Apache looks at them; what begins with "topic" is a topic, all else
    a group. With lists a field may hold several names."""

    def __init__(self, actions: Action | tuple[Action, ...], *keys: str, lists: bool = False) -> None:
        self.keys = keys
        self._actions = actions if isinstance(actions, tuple) else (actions,)
        self._lists = lists

    def __call__(self, request: RemotingCommand) -> Iterator[Need]:
        is_named = False
        for key in self.keys:
            make = Resource.of_topic if key.startswith("topic") else Resource.of_group
            for name in _names(request.ext_fields.get(key), self._lists):
                is_named = True
                yield Need(make(name), self._actions)
        if not is_named:
            yield Need(None, self._actions)


def _names(value: str | None, lists: bool) -> list[str]:
    pieces = (value or "").replace(",", ";").split(";") if lists else [value or ""]
    return [name for piece in pieces if (name := piece.strip())]


class _Send:
    """A consumer puts a message back by itself into its retry topic: that takes no right to publish. (Apache looks at
    the producer group then, which is CLIENT_INNER_PRODUCER for every consumer.)"""

    def __init__(self, topic_field: str) -> None:
        self.keys = (topic_field,)

    def __call__(self, request: RemotingCommand) -> Iterator[Need]:
        topic = request.ext_fields.get(self.keys[0], "")
        yield Need(Resource.of_topic(topic), (Action.SUB,) if is_retry_topic(topic) else (Action.PUB,))


def fields_of(code: int) -> tuple[str, ...]:
    """The header fields on whose values alone the needs of this code depend; none where its body matters too."""
    needs = PERMISSIONS.get(code)
    return needs.keys if isinstance(needs, (_Fields, _Send)) else ()


def _end_transaction(request: RemotingCommand) -> Iterator[Need]:
    """Clients before 5.x name no topic: the processor looks at the half message's own."""
    topic = request.ext_fields.get("topic", "").strip()
    if topic:
        yield Need(Resource.of_topic(topic), (Action.PUB,))


def _view_message(request: RemotingCommand) -> Iterator[Need]:
    """Older clients name no topic: the processor looks at the record's own in any case."""
    topic = request.ext_fields.get("topic", "").strip()
    if topic:
        yield Need(Resource.of_topic(topic), (Action.GET,))


def _heartbeat(request: RemotingCommand) -> Iterator[Need]:
    for consumer in HeartbeatData.decode(request.body).consumer_data_set:
        yield Need(Resource.of_group(consumer.group_name), (Action.SUB,))
        for subscription in consumer.subscription_data_set:
            yield Need(Resource.of_topic(subscription.topic), (Action.SUB,))


def _unregister(request: RemotingCommand) -> Iterator[Need]:
    group = request.ext_fields.get("consumerGroup", "").strip()
    if group:
        yield Need(Resource.of_group(group), (Action.SUB,))


def _lock(request: RemotingCommand) -> Iterator[Need]:
    body = LockBatchRequestBody.decode(request.body)
    yield Need(Resource.of_group(body.consumer_group), (Action.SUB,))
    for topic in {queue.topic for queue in body.mq_set}:
        yield Need(Resource.of_topic(topic), (Action.SUB,))


def _create_topics(request: RemotingCommand) -> Iterator[Need]:
    for topic in CreateTopicListRequestBody.decode(request.body).topic_config_list:
        yield Need(Resource.of_topic(topic.topic_name), (Action.CREATE,))


def _create_group(request: RemotingCommand) -> Iterator[Need]:
    yield Need(Resource.of_group(SubscriptionGroupConfig.decode(request.body).group_name), (Action.CREATE,))


def _create_groups(request: RemotingCommand) -> Iterator[Need]:
    for group in SubscriptionGroupList.decode(request.body).group_config_list:
        yield Need(Resource.of_group(group.group_name), (Action.CREATE,))


def _request_mode(request: RemotingCommand) -> Iterator[Need]:
    body = SetMessageRequestModeRequestBody.decode(request.body)
    yield Need(Resource.of_group(body.consumer_group), (Action.UPDATE,))
    yield Need(Resource.of_topic(body.topic), (Action.UPDATE,))


def _clone_offset(request: RemotingCommand) -> Iterator[Need]:
    fields = request.ext_fields
    yield Need(Resource.of_group(fields.get("srcGroup", "").strip()), (Action.GET,))
    yield Need(Resource.of_group(fields.get("destGroup", "").strip()), (Action.UPDATE,))
    if fields.get("topic", "").strip():
        yield Need(Resource.of_topic(fields["topic"].strip()), (Action.UPDATE,))


def _assignment(request: RemotingCommand) -> Iterator[Need]:
    body = _json_object(request)
    yield Need(Resource.of_group(_text(body, "consumerGroup")), _READ)
    yield Need(Resource.of_topic(_text(body, "topic")), _READ)


def _batch_ack(request: RemotingCommand) -> Iterator[Need]:
    acks = _json_object(request).get("acks")
    for ack in acks if isinstance(acks, list) else []:
        if not isinstance(ack, dict):
            raise BodyError("acks holds no objects")
        yield Need(Resource.of_group(_text(ack, "c")), (Action.SUB,))
        yield Need(Resource.of_topic(_text(ack, "t")), (Action.SUB,))


def _json_object(request: RemotingCommand) -> dict[str, Any]:
    try:
        value = loads_bytes(request.body)
    except JavaJsonError as error:
        raise BodyError(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BodyError("the body is no object")
    return value


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise BodyError(f"{key} is no text")
    return found


def PUBLIC(_: RemotingCommand) -> Iterator[Need]:
    """For everybody whose signature is right."""
    return iter(())


CLUSTER_GET = _cluster(Action.GET)
CLUSTER_UPDATE = _cluster(Action.UPDATE)

_pull = _Fields(Action.SUB, "topic", "consumerGroup")
_consume = _Fields(Action.SUB, "consumerGroup", "topic")
_get_topic = _Fields(Action.GET, "topic")
_get_group = _Fields(Action.GET, "group")
_get_consumer_group = _Fields(Action.GET, "consumerGroup")
_get_both = _Fields(Action.GET, "topic", "group")
_update_both = _Fields(Action.UPDATE, "group", "topic")
_send_v2 = _Send("b")
_send_v1 = _Send("topic")

PERMISSIONS: dict[int, Needs] = {
    # Sending.
    RequestCode.SEND_MESSAGE: _send_v1,
    RequestCode.SEND_MESSAGE_V2: _send_v2,
    RequestCode.SEND_BATCH_MESSAGE: _send_v2,
    RequestCode.SEND_REPLY_MESSAGE: _send_v1,
    RequestCode.SEND_REPLY_MESSAGE_V2: _send_v2,
    RequestCode.END_TRANSACTION: _end_transaction,
    RequestCode.RECALL_MESSAGE: _Fields(Action.PUB, "topic"),
    # Consuming. 36 also copies a record: the processor looks at its topic.
    RequestCode.PULL_MESSAGE: _pull,
    RequestCode.LITE_PULL_MESSAGE: _pull,
    RequestCode.CONSUMER_SEND_MSG_BACK: _Fields(Action.SUB, "group"),
    RequestCode.HEART_BEAT: _heartbeat,
    RequestCode.UNREGISTER_CLIENT: _unregister,
    # Says whether an expression can be parsed.
    RequestCode.CHECK_CLIENT_CONFIG: PUBLIC,
    RequestCode.GET_CONSUMER_LIST_BY_GROUP: _Fields(_READ, "consumerGroup"),
    RequestCode.QUERY_CONSUMER_OFFSET: _Fields(_READ, "topic", "consumerGroup"),
    RequestCode.UPDATE_CONSUMER_OFFSET: _Fields(_COMMIT, "topic", "consumerGroup"),
    RequestCode.LOCK_BATCH_MQ: _lock,
    RequestCode.UNLOCK_BATCH_MQ: _lock,
    RequestCode.QUERY_ASSIGNMENT: _assignment,
    RequestCode.POP_MESSAGE: _consume,
    RequestCode.ACK_MESSAGE: _consume,
    RequestCode.CHANGE_MESSAGE_INVISIBLETIME: _consume,
    RequestCode.BATCH_ACK_MESSAGE: _batch_ack,
    # Looking for messages.
    RequestCode.QUERY_MESSAGE: _Fields(_READ, "topic"),
    RequestCode.VIEW_MESSAGE_BY_ID: _view_message,
    RequestCode.QUERY_CONSUME_QUEUE: _Fields(Action.GET, "topic", "consumerGroup"),
    RequestCode.SEARCH_OFFSET_BY_TIMESTAMP: _get_topic,
    RequestCode.GET_MAX_OFFSET: _get_topic,
    RequestCode.GET_MIN_OFFSET: _get_topic,
    RequestCode.GET_EARLIEST_MSG_STORETIME: _get_topic,
    # Topics.
    RequestCode.UPDATE_AND_CREATE_TOPIC: _Fields(Action.CREATE, "topic"),
    RequestCode.UPDATE_AND_CREATE_TOPIC_LIST: _create_topics,
    RequestCode.DELETE_TOPIC_IN_BROKER: _Fields(Action.DELETE, "topic"),
    RequestCode.GET_TOPIC_CONFIG: _get_topic,
    RequestCode.GET_TOPIC_STATS_INFO: _get_topic,
    RequestCode.QUERY_TOPIC_CONSUME_BY_WHO: _get_topic,
    RequestCode.GET_ALL_TOPIC_CONFIG: CLUSTER_GET,
    RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER: CLUSTER_GET,
    # Groups.
    RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: _create_group,
    RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST: _create_groups,
    RequestCode.DELETE_SUBSCRIPTIONGROUP: _Fields(Action.DELETE, "groupName"),
    RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG: _get_group,
    RequestCode.QUERY_TOPICS_BY_CONSUMER: _get_group,
    RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER: _Fields(Action.GET, "group", "topic"),
    RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN: _update_both,
    RequestCode.SET_MESSAGE_REQUEST_MODE: _request_mode,
    RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG: CLUSTER_GET,
    RequestCode.GET_ALL_MESSAGE_REQUEST_MODE: CLUSTER_GET,
    # Offsets.
    RequestCode.GET_CONSUME_STATS: _Fields(Action.GET, "consumerGroup", "topic", "topicList", lists=True),
    RequestCode.QUERY_CONSUME_TIME_SPAN: _get_both,
    RequestCode.QUERY_CORRECTION_OFFSET: _Fields(Action.GET, "filterGroups", "compareGroup", "topic", lists=True),
    RequestCode.INVOKE_BROKER_TO_RESET_OFFSET: _update_both,
    RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS: _get_both,
    RequestCode.CLONE_GROUP_OFFSET: _clone_offset,
    RequestCode.GET_ALL_CONSUMER_OFFSET: CLUSTER_GET,
    RequestCode.GET_ALL_DELAY_OFFSET: CLUSTER_GET,
    RequestCode.GET_BROKER_CONSUME_STATS: CLUSTER_GET,
    # Clients. 309 also hands out a record: the processor looks at its topic.
    RequestCode.GET_CONSUMER_CONNECTION_LIST: _get_consumer_group,
    RequestCode.GET_CONSUMER_RUNNING_INFO: _get_consumer_group,
    RequestCode.CONSUME_MESSAGE_DIRECTLY: _consume,
    RequestCode.GET_PRODUCER_CONNECTION_LIST: CLUSTER_GET,
    RequestCode.GET_ALL_PRODUCER_INFO: CLUSTER_GET,
    RequestCode.RESUME_CHECK_HALF_MESSAGE: _Fields(Action.UPDATE, "topic"),
    # The broker.
    RequestCode.UPDATE_BROKER_CONFIG: CLUSTER_UPDATE,
    RequestCode.GET_BROKER_CONFIG: CLUSTER_GET,
    RequestCode.GET_BROKER_RUNTIME_INFO: CLUSTER_GET,
    RequestCode.GET_BROKER_HA_STATUS: CLUSTER_GET,
    RequestCode.VIEW_BROKER_STATS_DATA: CLUSTER_GET,
    RequestCode.GET_TIMER_CHECK_POINT: CLUSTER_GET,
    RequestCode.GET_TIMER_METRICS: CLUSTER_GET,
    RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE: CLUSTER_UPDATE,
    RequestCode.CLEAN_UNUSED_TOPIC: CLUSTER_UPDATE,
    RequestCode.DELETE_EXPIRED_COMMITLOG: CLUSTER_UPDATE,
    RequestCode.RESET_MASTER_FLUSH_OFFSET: CLUSTER_UPDATE,
    **dict.fromkeys((HA_IDENTIFY, HA_LOG_STATE, HA_READ_LOG, HA_DELETED_TOPICS), CLUSTER_UPDATE),
    # Users and access control.
    RequestCode.AUTH_CREATE_USER: CLUSTER_UPDATE,
    RequestCode.AUTH_UPDATE_USER: CLUSTER_UPDATE,
    RequestCode.AUTH_DELETE_USER: CLUSTER_UPDATE,
    RequestCode.AUTH_GET_USER: CLUSTER_GET,
    RequestCode.AUTH_LIST_USER: CLUSTER_GET,
    RequestCode.AUTH_CREATE_ACL: CLUSTER_UPDATE,
    RequestCode.AUTH_UPDATE_ACL: CLUSTER_UPDATE,
    RequestCode.AUTH_DELETE_ACL: CLUSTER_UPDATE,
    RequestCode.AUTH_GET_ACL: CLUSTER_GET,
    RequestCode.AUTH_LIST_ACL: CLUSTER_GET,
    GET_AUTH_METADATA: CLUSTER_UPDATE,
}
