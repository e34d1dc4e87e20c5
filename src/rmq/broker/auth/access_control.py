# SPDX-License-Identifier: Apache-2.0
"""The gate before every processor: who asks, then whether he may. Answers to AuthenticationPipeline and
AuthorizationPipeline; code and remarks (16, NO_PERMISSION) are theirs.

    authenticationEnabled  authorizationEnabled  a request passes when
    false                  (needs the first)     always; what is about users needs a super user's signature all the same
    true                   false                 its signature is right
    true                   true                  its signature is right, and its user may do what PERMISSIONS asks for

A code in a white list skips its half. Without the first half nobody has a name, so a request that skips it and comes
without a signature has no rights in the second.

Both settings are read once, at the start: where nothing is protected, processors are registered as they are.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...remoting.json_body import BodyError
from ...remoting.message import MessageExt, decode_record
from ...remoting.message_const import PROPERTY_REAL_TOPIC
from ...remoting.signature import ACCESS_KEY, is_signed_by
from ...remoting.topic_names import is_system_topic
from .auth_codes import AUTH_CODES
from .auth_metadata import SUBJECT_PREFIX, refused
from .model import Action, Decision, Resource, ResourceType, User, UserStatus, deciding_entry
from .permissions import PERMISSIONS, Need, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...remoting.command import RemotingCommand
    from ...rpc import Processor
    from ...rpc.channel import Channel
    from ..broker_config import BrokerConfig
    from .auth_metadata import AuthMetadata

    Buffer = bytes | bytearray | memoryview

#: Decisions that are remembered; a change of users or policies forgets them all.
DECISIONS_MAX = 10_000
#: Longer names are decided anew each time: they are of nobody's topic, and must not fill the memory.
NAME_MAX_CHARS = 255

_UNSIGNED = "Authorization failed. Please verify your access rights and try again."

log = logging.getLogger("rmq.auth")


class AccessControl:
    def __init__(self, config: BrokerConfig, metadata: AuthMetadata) -> None:
        self._metadata = metadata
        self._cluster = Resource(ResourceType.CLUSTER, config.broker_cluster_name)
        self._authenticates = config.authentication_enabled
        self._authorizes = config.authorization_enabled
        self._without_authentication = _codes(config.authentication_whitelist)
        self._without_authorization = _codes(config.authorization_whitelist)
        #: (user, resource, actions, source address) -> why not; "" where allowed
        self._decisions: dict[tuple[str, Resource, tuple[Action, ...], str], str] = {}
        #: (user, source address, code, values of its fields) of requests that were allowed
        self._allowed: set[tuple[str, ...]] = set()
        metadata.on_change(self._forget)

    def guard(self, code: int, processor: Processor) -> Processor:
        """The processor with its gate; the processor itself where nothing is protected."""
        if code in AUTH_CODES and not self._authorizes:
            check = self._check_administrator
        elif self._authenticates:
            check = self._check
        else:
            return processor

        def guarded(channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
            check(channel, request)
            return processor(channel, request)

        return guarded

    def guard_unknown(self, processor: Processor) -> Processor:
        """The same for what answers codes that nobody knows: Apache tells a stranger not even that."""
        if not self._authenticates:
            return processor

        def guarded(channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
            if request.code and str(request.code) not in self._without_authentication:
                self._authenticated(request)
            return processor(channel, request)

        return guarded

    def check_record(
        self, channel: Channel, request: RemotingCommand, record: Buffer | MessageExt, *actions: Action
    ) -> None:
        """For codes that name a place in the log: whoever may not have the record's topic gets nothing of it. Raises
        RequestRefused, whose remark does not tell the topic."""
        if not self._authorizes or str(request.code) in self._without_authorization:
            return
        user = self._user(request)
        if user.is_super:
            return
        if not isinstance(record, MessageExt):
            record = decode_record(record, check_crc=False)
        topic = record.topic
        if is_system_topic(topic):
            # Delayed and half messages wait in a topic of the broker's.
            topic = record.properties.get(PROPERTY_REAL_TOPIC, topic)
        if self._decide(user, Resource.of_topic(topic), actions, channel.peer_host):
            raise refused(f"{SUBJECT_PREFIX}{user.username} has no permission to access that message")

    def is_super_user(self, request: RemotingCommand) -> bool:
        """For changes that only super users may make. A white list spares nobody this proof. Raises RequestRefused."""
        return self._authenticated(request).is_super

    # The checks.

    def _check(self, channel: Channel, request: RemotingCommand) -> None:
        code = str(request.code)
        if code not in self._without_authentication:
            user = self._authenticated(request)
        elif not self._authorizes or code in self._without_authorization:
            return
        elif ACCESS_KEY in request.ext_fields:
            user = self._authenticated(request)
        else:
            raise refused(_UNSIGNED)
        if not self._authorizes or user.is_super or code in self._without_authorization:
            return
        fields = request.ext_fields
        names = [fields.get(key, "") for key in fields_of(request.code)]
        key = (user.username, channel.peer_host, code, *names)
        if names and key in self._allowed:
            return
        for need in self._needs(request):
            self._check_need(user, need, channel, request)
        if names and max(map(len, names)) <= NAME_MAX_CHARS:
            if len(self._allowed) >= DECISIONS_MAX:
                self._allowed.clear()
            self._allowed.add(key)

    def _check_administrator(self, channel: Channel, request: RemotingCommand) -> None:
        """Where authorization is off every signed user would do: only a super user may change who there is."""
        del channel
        if not self._authenticated(request).is_super:
            raise refused("Only a super user may read or change users where authorizationEnabled is false")

    def _check_need(self, user: User, need: Need, channel: Channel, request: RemotingCommand) -> None:
        resource = need.resource or self._cluster
        why_not = self._decide(user, resource, need.actions, channel.peer_host)
        if why_not:
            log.info("%s, request %d", why_not, request.code)
            raise refused(why_not)

    def _authenticated(self, request: RemotingCommand) -> User:
        """Raises RequestRefused."""
        name = request.ext_fields.get(ACCESS_KEY)
        if not name:
            raise refused("username cannot be null.")
        user = self._user(request)
        if user.user_status is UserStatus.DISABLE:
            raise refused(f"{SUBJECT_PREFIX}{name} is disabled.")
        if not is_signed_by(request, user.password):
            log.info("the signature of user %s for request %d is wrong", name, request.code)
            raise refused("check signature failed.")
        return user

    def _user(self, request: RemotingCommand) -> User:
        name = request.ext_fields.get(ACCESS_KEY, "")
        user = self._metadata.users.get(name)
        if user is None:
            raise refused(f"{SUBJECT_PREFIX}{name} is not found.")
        return user

    def _needs(self, request: RemotingCommand) -> Iterable[Need]:
        try:
            # All of them before the first is checked: a body is read as a whole or not at all.
            return list(PERMISSIONS[request.code](request))
        except BodyError as error:
            raise refused(f"parse authorization context error. {error}") from None

    def _decide(self, user: User, resource: Resource, actions: tuple[Action, ...], source_ip: str) -> str:
        if len(resource.resource_name or "") > NAME_MAX_CHARS:
            return self._look_up(user, resource, actions, source_ip)
        key = (user.username, resource, actions, source_ip)
        why_not = self._decisions.get(key)
        if why_not is None:
            if len(self._decisions) >= DECISIONS_MAX:
                self._decisions.clear()
            why_not = self._decisions[key] = self._look_up(user, resource, actions, source_ip)
        return why_not

    def _forget(self) -> None:
        self._decisions.clear()
        self._allowed.clear()

    def _look_up(self, user: User, resource: Resource, actions: tuple[Action, ...], source_ip: str) -> str:
        subject = SUBJECT_PREFIX + user.username
        entry = deciding_entry(self._metadata.acls.get(subject, ()), resource, actions, source_ip)
        if entry is not None and entry.decision is Decision.ALLOW:
            return ""
        detail = "no matched policies." if entry is None else "the decision is deny."
        return f"{subject} has no permission to access {resource.key} from {source_ip}, {detail}"


def _codes(white_list: str) -> frozenset[str]:
    return frozenset(code for piece in white_list.split(",") if (code := piece.strip()))
