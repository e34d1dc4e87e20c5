# SPDX-License-Identifier: Apache-2.0
"""The users and what they may do, in one file: config/auth.json, readable by this process's user alone.

Answers to AuthenticationMetadataManagerImpl and AuthorizationMetadataManagerImpl, which keep the same in two RocksDB
directories that another engine cannot share. A user and its policies go in one write: a deleted user leaves nothing.

    {"acls": {"User:name": [policy, ...]}, "users": {"name": {password, userStatus, userType, username}}}
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...remoting.bodies import AclInfo, UserInfo
from ...remoting.codes import ResponseCode
from ...remoting.json_body import BodyError
from ...rpc.errors import RequestRefused
from ...store.errors import StoreError
from ..durable_table import DurableTable
from .acl_converter import acl_of, policies_of, policy_value
from .model import Policies, Policy, PolicyType, Resource, User, UserStatus, UserType, by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Reactor
    from ...remoting.signature import SessionCredentials
    from ..durable_table import ConfigFile, Persisted

SUBJECT_PREFIX = "User:"
#: Each request looks a user up in memory, and a slave copies them all.
USERS_MAX = 10_000
ENTRIES_PER_USER_MAX = 1_000
TEXT_MAX_CHARS = 255

_USER_IS_THERE = "The user is existed"
_NO_USER = "The user is not exist"

log = logging.getLogger(__name__)


def refused(remark: str) -> RequestRefused:
    return RequestRefused(ResponseCode.NO_PERMISSION, remark)


class AuthMetadata:
    """Everything on the loop. Changes raise RequestRefused, in Apache's words, and then nothing has changed."""

    def __init__(self, reactor: Reactor, file: ConfigFile) -> None:
        self._table = DurableTable(reactor, file, self.to_json_value)
        self._listeners: list[Callable[[], None]] = []
        self.users: dict[str, User] = {}
        self.acls: dict[str, Policies] = {}

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def load(self) -> None:
        """Raises StoreError, which names no value of the file."""
        value = self._table.load()
        if value is None:
            return
        try:
            self.users, self.acls = read_tables(value)
        except BodyError as error:
            raise StoreError(f"config/auth.json: {error}") from None

    def flush(self, again: Callable[[], None]) -> bool:
        """A broker that has never had a user leaves no file behind."""
        return not (self.users or self.acls) or self._table.flush(again)

    def init_users(self, first: User | None, inner: SessionCredentials | None) -> None:
        """At the start: the first super user where there is none of that name, and the one by which the brokers of this
        cluster know each other, whose secret follows the file."""
        if first is not None and first.username not in self.users:
            self._put(replace(first, user_type=UserType.SUPER))
        if inner is None:
            return
        known = self.users.get(inner.access_key)
        if known is None or known.password != inner.secret_key:
            self._put(User(inner.access_key, inner.secret_key, UserType.SUPER))

    # Users.

    def create_user(self, info: UserInfo, done: Persisted, *, again_is_fine: bool = False) -> None:
        """again_is_fine: a slave may have this user from its master before mqadmin brings it."""
        name = _checked_name(info.username)
        if info.password is None:
            # So comes what mqadmin's copyUser has read.
            raise refused("password can not be blank (getUser and listUser do not give it out: set it by createUser)")
        if not info.password.strip():
            raise refused("password can not be blank")
        if len(info.password) > TEXT_MAX_CHARS:
            raise refused(f"password has more than {TEXT_MAX_CHARS} characters")
        user = User(
            name,
            info.password,
            by_name(UserType, info.user_type) or UserType.NORMAL,
            by_name(UserStatus, info.user_status) or UserStatus.ENABLE,
        )
        if name in self.users and not (again_is_fine and self.users[name] == user):
            raise refused(_USER_IS_THERE)
        if len(self.users) >= USERS_MAX:
            raise refused(f"there are {USERS_MAX} users already")
        self._put(user, done)

    def update_user(self, info: UserInfo, done: Persisted) -> None:
        """What is left out stays as it is."""
        user = self.users.get(_checked_name(info.username))
        if user is None:
            raise refused(_NO_USER)
        if info.password is not None and info.password.strip():
            user = replace(user, password=info.password)
        self._put(
            replace(
                user,
                user_type=by_name(UserType, info.user_type) or user.user_type,
                user_status=by_name(UserStatus, info.user_status) or user.user_status,
            ),
            done,
        )

    def delete_user(self, name: str, done: Persisted) -> None:
        if self.users.pop(name, None) is None:
            done(None)
            return
        self.acls.pop(SUBJECT_PREFIX + name, None)
        self._changed(done)

    def list_users(self, name_filter: str | None) -> list[User]:
        return [self.users[name] for name in sorted(self.users) if not name_filter or name_filter in name]

    # Access control lists.

    def update_acl(self, subject: str | None, info: AclInfo, done: Persisted) -> None:
        """3006 and 3007 do the same: entries for new resources are added, for known ones replaced."""
        subject = _subject(info.subject) or _subject(subject)
        if subject is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "The subject is no User:name.")
        policies = policies_of(info)
        if subject.removeprefix(SUBJECT_PREFIX) not in self.users:
            raise refused(f"The subject of {subject} is not exist.")
        table = {policy.policy_type: policy for policy in self.acls.get(subject, ())}
        for policy in policies:
            known = table.get(policy.policy_type, Policy(policy.policy_type, ()))
            table[policy.policy_type] = known.updated(policy.entries)
        if sum(len(policy.entries) for policy in table.values()) > ENTRIES_PER_USER_MAX:
            raise refused(f"a subject has {ENTRIES_PER_USER_MAX} policy entries at most")
        self.acls[subject] = tuple(table.values())
        self._changed(done)

    def delete_acl(self, subject: str | None, policy_type: str | None, resource: str | None, done: Persisted) -> None:
        """Without a resource the whole list."""
        found = _subject(subject)
        if found is None:
            raise refused("The subject is null.")
        policies = self._acl_of(found)
        if policies is None:
            raise refused("The acl is not exist.")
        target = Resource.parse(resource)
        kind = by_name(PolicyType, policy_type) or PolicyType.CUSTOM
        kept: list[Policy] = []
        if target is not None:
            kept = [policy.without(target) if policy.policy_type is kind else policy for policy in policies]
        left = tuple(policy for policy in kept if policy.entries)
        if left:
            self.acls[found] = left
        else:
            del self.acls[found]
        self._changed(done)

    def get_acl(self, subject: str | None) -> AclInfo | None:
        found = _subject(subject)
        if found is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "The subject is no User:name.")
        policies = self._acl_of(found)
        return None if policies is None else acl_of(found, policies)

    def list_acls(self, subject_filter: str | None, resource_filter: str | None) -> list[AclInfo]:
        """Entries whose resource has the filter in it; all of a subject that has it in its own name, as Apache does."""
        found = []
        for subject in sorted(self.acls):
            if subject_filter and subject_filter not in subject:
                continue
            policies = self.acls[subject]
            if resource_filter and resource_filter not in subject:
                policies = tuple(
                    Policy(policy.policy_type, tuple(e for e in policy.entries if resource_filter in e.resource.key))
                    for policy in policies
                )
            policies = tuple(policy for policy in policies if policy.entries)
            if policies:
                found.append(acl_of(subject, policies))
        return found

    def _acl_of(self, subject: str) -> Policies | None:
        if subject.removeprefix(SUBJECT_PREFIX) not in self.users:
            raise refused("The subject is not exist.")
        return self.acls.get(subject)

    # The file, and a slave's copy of it.

    def replace_all(self, value: object) -> None:
        """A slave takes its master's tables. Raises BodyError."""
        users, acls = read_tables(value)
        if (users, acls) != (self.users, self.acls):
            self.users, self.acls = users, acls
            self._changed(None)

    def to_json_value(self) -> dict[str, Any]:
        return {
            "acls": {subject: [policy_value(policy) for policy in policies] for subject, policies in self.acls.items()},
            "users": {name: _user_value(user) for name, user in self.users.items()},
        }

    def _put(self, user: User, done: Persisted | None = None) -> None:
        self.users[user.username] = user
        log.info("user %s is now %s, %s", user.username, user.user_type.value, user.user_status.value)
        self._changed(done)

    def _changed(self, done: Persisted | None) -> None:
        for listener in self._listeners:
            listener()
        self._table.persist(done)


def read_tables(value: object) -> tuple[dict[str, User], dict[str, Policies]]:
    """Raises BodyError."""
    if not isinstance(value, dict) or not isinstance(value.get("users"), dict):
        raise BodyError("users is no object")
    users = {}
    for name, item in value["users"].items():
        info = UserInfo.from_json_value(item, f"users.{name}")
        users[name] = User(
            name,
            info.password or "",
            by_name(UserType, info.user_type) or UserType.NORMAL,
            by_name(UserStatus, info.user_status) or UserStatus.DISABLE,
        )
    acls = {}
    for subject, item in (value.get("acls") or {}).items():
        info_of_acl = AclInfo.from_json_value({"subject": subject, "policies": item}, f"acls.{subject}")
        try:
            acls[subject] = policies_of(info_of_acl)
        except RequestRefused as error:
            raise BodyError(f"acls.{subject}: {error.remark}") from None
    return users, acls


def user_info(user: User) -> UserInfo:
    """As users are shown: never with their password."""
    return UserInfo(None, user.user_status.value, user.user_type.value, user.username)


def _user_value(user: User) -> dict[str, Any]:
    return replace(user_info(user), password=user.password).to_json_value()


def _checked_name(name: str | None) -> str:
    if name is None or not name.strip():
        raise refused("username can not be blank")
    if len(name) > TEXT_MAX_CHARS or not name.isprintable():
        raise refused(f"username has more than {TEXT_MAX_CHARS} characters, or some that are not printable")
    return name


def _subject(text: str | None) -> str | None:
    """The subject with its type in RocketMQ's spelling; None for what is no user."""
    kind, _, name = (text or "").partition(":")
    return SUBJECT_PREFIX + name if kind.lower() == "user" and name else None
