# SPDX-License-Identifier: Apache-2.0
"""Consumer groups: 200, 225 create and change, 207 delete, 201 all, 352 one, 353 what one may not read; 300 who
consumes a topic, 343 what a group consumes, 345 how it subscribes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting import topic_names as names
from ....remoting.bodies import (
    GroupForbidden,
    GroupList,
    QuerySubscriptionResponseBody,
    SubscriptionGroupConfig,
    SubscriptionGroupList,
    TopicList,
)
from ....remoting.codes import ResponseCode
from ....remoting.fields import bool_field, int_field, text_field
from ....rpc.errors import RequestRefused
from .persisted import AnswerWhenAll, answer_when_persisted, not_written
from .topic import data_version

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext

_PAGE_FIELDS = frozenset({"dataVersion", "groupSeq", "maxGroupNum"})


class GroupAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._config = context.config
        self._groups = context.groups

    def create(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        return self._update(channel, request, [SubscriptionGroupConfig.decode(request.body)])

    def create_list(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        return self._update(channel, request, SubscriptionGroupList.decode(request.body).group_config_list)

    def delete(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        fields = request.ext_fields
        group = text_field(fields, "groupName")
        written = answer_when_persisted(channel, request)
        if bool_field(fields, "cleanOffset"):
            written = AnswerWhenAll(2, written)
            self._context.offsets.remove_group(group, written)
        self._context.stats.forget_group(group)
        self._groups.delete(group, written)
        return None

    def all_groups(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Whole for tools; slaves of 5.x ask for pages."""
        fields = request.ext_fields
        body = self._groups.wrapper()
        if self._config.enable_split_metadata and not fields.keys().isdisjoint(_PAGE_FIELDS):
            limit = min(
                self._config.split_metadata_size, int_field(fields, "maxGroupNum", self._config.split_metadata_size)
            )
            page = self._groups.page(int_field(fields, "groupSeq", 0), limit, data_version(fields.get("dataVersion")))
            body = self._groups.wrapper(page)
        total = {"totalGroupNum": str(len(self._groups.groups))}
        return request.response(ResponseCode.SUCCESS, None, total, body.encode())

    def one_group(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        group = self._groups.find(text_field(request.ext_fields, "group"))
        if group is None:
            return request.response(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "No group in this broker")
        return request.response(ResponseCode.SUCCESS, body=group.encode())

    def consumers_of_topic(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Groups that are connected and subscribe it, and groups that ever committed an offset of it."""
        topic = text_field(request.ext_fields, "topic")
        groups = {*self._context.consumers.groups_of_topic(topic), *self._context.offsets.groups_of_topic(topic)}
        return request.response(ResponseCode.SUCCESS, body=GroupList(sorted(groups)).encode())

    def topics_of_consumer(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Topics that a group has offsets of."""
        topics = self._context.offsets.topics_of_group(text_field(request.ext_fields, "group"))
        body = TopicList(self._config.broker_addr, sorted(topics))
        return request.response(ResponseCode.SUCCESS, body=body.encode())

    def subscription(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """Without subscriptionData where the group is not connected, or does not subscribe the topic."""
        group, topic = text_field(request.ext_fields, "group"), text_field(request.ext_fields, "topic")
        info = self._context.consumers.get(group)
        data = info.subscriptions.get(topic) if info is not None else None
        return request.response(ResponseCode.SUCCESS, body=QuerySubscriptionResponseBody(group, data, topic).encode())

    def forbidden(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        """Set what `readable` says, if it says something, and answer what holds then."""
        fields = request.ext_fields
        group, topic = text_field(fields, "group"), text_field(fields, "topic")
        remark = names.check_group(group) or names.check_topic(topic)
        if remark is not None:
            raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)

        def done(fault: Exception | None) -> None:
            readable = not self._groups.is_reading_forbidden(group, topic)
            body = GroupForbidden(group, readable, topic).encode()
            code = ResponseCode.SUCCESS if fault is None else ResponseCode.SYSTEM_ERROR
            channel.answer(request.response(code, "" if fault is None else not_written(fault), body=body))

        if "readable" in fields:
            self._groups.set_readable(group, topic, done, readable=bool_field(fields, "readable"))
        else:
            done(None)
        return None

    def _update(
        self, channel: Channel, request: RemotingCommand, groups: list[SubscriptionGroupConfig]
    ) -> RemotingCommand | None:
        for group in groups:
            remark = names.check_group(group.group_name)
            if remark is not None:
                raise RequestRefused(ResponseCode.INVALID_PARAMETER, remark)
        self._groups.update(groups, answer_when_persisted(channel, request))
        return None
