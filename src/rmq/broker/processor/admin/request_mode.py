# SPDX-License-Identifier: Apache-2.0
"""How groups fetch messages: 401 sets it, 402 tells slaves all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting import topic_names as names
from ....remoting.bodies import REQUEST_MODES, SetMessageRequestModeRequestBody
from ....remoting.codes import ResponseCode
from .persisted import answer_when_persisted

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext


class RequestModeAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._context = context
        self._modes = context.request_modes

    def set(self, channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
        mode = SetMessageRequestModeRequestBody.decode(request.body)
        if names.is_retry_topic(mode.topic):
            return request.response(ResponseCode.NO_PERMISSION, "retry topic is not allowed to set mode")
        if self._context.topics.get(mode.topic) is None:
            return request.response(ResponseCode.TOPIC_NOT_EXIST, f"topic[{mode.topic}] not exist")
        if self._context.groups.find(mode.consumer_group) is None:
            return request.response(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "subscription group does not exist")
        if mode.mode not in REQUEST_MODES:
            remark = f"{mode.mode} is no mode: write one of {', '.join(REQUEST_MODES)}"
            return request.response(ResponseCode.INVALID_PARAMETER, remark)
        self._modes.set(mode, answer_when_persisted(channel, request))
        return None

    def all_modes(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        return request.response(ResponseCode.SUCCESS, body=self._modes.wrapper().encode())
