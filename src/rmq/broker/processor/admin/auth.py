# SPDX-License-Identifier: Apache-2.0
"""Users 3001 to 3005 (create, update, delete, get, list) and access control lists 3006 to 3010.

Passwords go in and never come out: getUser and listUser answer without them, where Apache's give them to everybody
who may ask.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ....remoting.bodies import AclInfo, UserInfo
from ....remoting.codes import RequestCode, ResponseCode
from ....remoting.java_json import dumps_bytes
from ....rpc.errors import RequestRefused
from ...auth.auth_metadata import refused, user_info
from ...auth.model import UserType, by_name
from ..remarks import NO_RESPONSE_CODE
from .persisted import answer_when_persisted

if TYPE_CHECKING:
    from ....remoting.command import RemotingCommand
    from ....remoting.json_body import JsonBody
    from ....rpc import Processor
    from ....rpc.channel import Channel
    from ...broker_context import BrokerContext

_ONLY_BY_SUPER = "The super user can only be %s by super user"


class AuthAdmin:
    def __init__(self, context: BrokerContext) -> None:
        self._metadata = context.auth_metadata
        self._access = context.access
        self._is_slave = context.config.is_slave

    def table(self) -> dict[RequestCode, Processor]:
        return {
            RequestCode.AUTH_CREATE_USER: self.create_user,
            RequestCode.AUTH_UPDATE_USER: self.update_user,
            RequestCode.AUTH_DELETE_USER: self.delete_user,
            RequestCode.AUTH_GET_USER: self.get_user,
            RequestCode.AUTH_LIST_USER: self.list_users,
            RequestCode.AUTH_CREATE_ACL: self.update_acl,
            RequestCode.AUTH_UPDATE_ACL: self.update_acl,
            RequestCode.AUTH_DELETE_ACL: self.delete_acl,
            RequestCode.AUTH_GET_ACL: self.get_acl,
            RequestCode.AUTH_LIST_ACL: self.list_acls,
        }

    def create_user(self, channel: Channel, request: RemotingCommand) -> None:
        info = self._user_info(request)
        if by_name(UserType, info.user_type) is UserType.SUPER and not self._access.is_super_user(request):
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, _ONLY_BY_SUPER % "create")
        self._metadata.create_user(
            info, answer_when_persisted(channel, request, NO_RESPONSE_CODE), again_is_fine=self._is_slave
        )

    def update_user(self, channel: Channel, request: RemotingCommand) -> None:
        info = self._user_info(request)
        if by_name(UserType, info.user_type) is UserType.SUPER and not self._access.is_super_user(request):
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, _ONLY_BY_SUPER % "update")
        self._protect_super_user(info.username or "", request)
        self._metadata.update_user(info, answer_when_persisted(channel, request, NO_RESPONSE_CODE))

    def delete_user(self, channel: Channel, request: RemotingCommand) -> None:
        name = request.ext_fields.get("username", "")
        if not name.strip():
            raise refused("username can not be blank")
        self._protect_super_user(name, request)
        self._metadata.delete_user(name, answer_when_persisted(channel, request, NO_RESPONSE_CODE))

    def get_user(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """No body where there is no such user."""
        user = self._metadata.users.get(_username(request))
        return request.response(
            ResponseCode.SUCCESS, NO_RESPONSE_CODE, body=b"" if user is None else user_info(user).encode()
        )

    def list_users(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        users = self._metadata.list_users(request.ext_fields.get("filter"))
        return request.response(
            ResponseCode.SUCCESS, NO_RESPONSE_CODE, body=_array([user_info(user) for user in users])
        )

    def update_acl(self, channel: Channel, request: RemotingCommand) -> None:
        info = AclInfo.decode(request.body) if request.body else AclInfo()
        if not info.policies:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "The body of acl is null")
        subject = request.ext_fields.get("subject")
        self._metadata.update_acl(subject, info, answer_when_persisted(channel, request, NO_RESPONSE_CODE))

    def delete_acl(self, channel: Channel, request: RemotingCommand) -> None:
        fields = request.ext_fields
        done = answer_when_persisted(channel, request, NO_RESPONSE_CODE)
        self._metadata.delete_acl(fields.get("subject"), fields.get("policyType"), fields.get("resource"), done)

    def get_acl(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        """No body where the user has no list."""
        info = self._metadata.get_acl(request.ext_fields.get("subject"))
        return request.response(ResponseCode.SUCCESS, NO_RESPONSE_CODE, body=b"" if info is None else info.encode())

    def list_acls(self, _: Channel, request: RemotingCommand) -> RemotingCommand:
        fields = request.ext_fields
        acls = self._metadata.list_acls(fields.get("subjectFilter"), fields.get("resourceFilter"))
        return request.response(ResponseCode.SUCCESS, NO_RESPONSE_CODE, body=_array(acls))

    def _user_info(self, request: RemotingCommand) -> UserInfo:
        """The header's name wins over the body's."""
        name = _username(request)
        return replace(UserInfo.decode(request.body), username=name)

    def _protect_super_user(self, name: str, request: RemotingCommand) -> None:
        user = self._metadata.users.get(name)
        if user is not None and user.is_super and not self._access.is_super_user(request):
            raise refused(_ONLY_BY_SUPER % "update")


def _username(request: RemotingCommand) -> str:
    name = request.ext_fields.get("username", "")
    if not name.strip():
        raise RequestRefused(ResponseCode.INVALID_PARAMETER, "The username is blank")
    return name


def _array(items: list[UserInfo] | list[AclInfo]) -> bytes:
    """No body for nothing, as Apache answers."""
    bodies: list[JsonBody] = list(items)
    return dumps_bytes([item.to_json_value() for item in bodies]) if bodies else b""
