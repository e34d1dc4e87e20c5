# SPDX-License-Identifier: Apache-2.0
"""Users, resources, actions and policies. Answers to Apache's org.apache.rocketmq.auth.*.model.

A resource as text: `*` is everything, `Topic:name` one topic, `Topic:pre*` those that begin so, `Topic:*` all topics.

Which entry of a user's policies decides (AclAuthorizationHandler):

    1. entries that match resource, action and source address, of the Custom policy; of the Default one if none does
    2. of these the nearest: a literal name, the longest prefix, all of a type, everything
    3. a Deny before an Allow
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from ...remoting.topic_names import is_retry_topic, strip_retry_and_dlq

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

E = TypeVar("E", bound=StrEnum)


class UserType(StrEnum):
    SUPER = "Super"
    NORMAL = "Normal"


class UserStatus(StrEnum):
    ENABLE = "enable"
    DISABLE = "disable"


class ResourceType(StrEnum):
    UNKNOWN = "Unknown"
    ANY = "Any"
    CLUSTER = "Cluster"
    NAMESPACE = "Namespace"
    TOPIC = "Topic"
    GROUP = "Group"


class ResourcePattern(StrEnum):
    """The nearer one first: the order in which entries decide."""

    LITERAL = "LITERAL"
    PREFIXED = "PREFIXED"
    ANY = "ANY"


class Action(StrEnum):
    UNKNOWN = "Unknown"
    ALL = "All"
    ANY = "Any"
    PUB = "Pub"
    SUB = "Sub"
    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"
    GET = "Get"
    LIST = "List"


class Decision(StrEnum):
    ALLOW = "Allow"
    DENY = "Deny"


class PolicyType(StrEnum):
    CUSTOM = "Custom"
    DEFAULT = "Default"


def by_name(kind: type[E], name: str | None) -> E | None:
    """The member of that name in any case, as Apache's getByName finds it."""
    if name is None:
        return None
    return next((member for member in kind if str(member.value).lower() == name.lower()), None)


_NEARNESS = {pattern: place for place, pattern in enumerate(ResourcePattern)}


@dataclass(frozen=True)
class User:
    """The password is clear text: the signature's HMAC needs it."""

    username: str
    password: str = field(repr=False)
    user_type: UserType = UserType.NORMAL
    user_status: UserStatus = UserStatus.ENABLE

    @property
    def is_super(self) -> bool:
        return self.user_type is UserType.SUPER


@dataclass(frozen=True)
class Resource:
    resource_type: ResourceType
    resource_name: str | None = None
    pattern: ResourcePattern = ResourcePattern.LITERAL

    @classmethod
    def parse(cls, text: str | None) -> Resource | None:
        """None for what names no type."""
        if not text or not text.strip():
            return None
        if text == "*":
            return cls(ResourceType.ANY, None, ResourcePattern.ANY)
        type_name, _, name = text.partition(":")
        resource_type = by_name(ResourceType, type_name)
        if resource_type is None:
            return None
        if name == "*":
            return cls(resource_type, None, ResourcePattern.ANY)
        if name.endswith("*"):
            return cls(resource_type, name.partition("*")[0], ResourcePattern.PREFIXED)
        return cls(resource_type, name)

    @classmethod
    def of_topic(cls, name: str) -> Resource:
        """A retry topic belongs to its group, and is no topic of its own."""
        return cls.of_group(name) if is_retry_topic(name) else cls(ResourceType.TOPIC, name)

    @classmethod
    def of_group(cls, name: str) -> Resource:
        return cls(ResourceType.GROUP, strip_retry_and_dlq(name) if is_retry_topic(name) else name)

    @property
    def key(self) -> str:
        if self.resource_type is ResourceType.ANY:
            return "*"
        star = "" if self.pattern is ResourcePattern.LITERAL else "*"
        return f"{self.resource_type.value}:{self.resource_name or ''}{star}"

    def matches(self, other: Resource) -> bool:
        """Whether what is written in a policy covers this literal resource."""
        if self.resource_type is ResourceType.ANY:
            return True
        if self.resource_type is not other.resource_type:
            return False
        if self.pattern is ResourcePattern.ANY:
            return True
        if self.pattern is ResourcePattern.PREFIXED:
            return (other.resource_name or "").startswith(self.resource_name or "")
        return self.resource_name == other.resource_name


@dataclass(frozen=True)
class PolicyEntry:
    """Any of the actions asked for is enough; no source_ips means from everywhere."""

    resource: Resource
    actions: tuple[Action, ...]
    source_ips: tuple[str, ...]
    decision: Decision

    def matches(self, resource: Resource, actions: Iterable[Action], source_ip: str) -> bool:
        return (
            self.resource.matches(resource)
            and (Action.ALL in self.actions or not set(actions).isdisjoint(self.actions))
            and (not self.source_ips or any(_is_in_range(source_ip, given) for given in self.source_ips))
        )

    @property
    def _place(self) -> tuple[bool, int, int, bool]:
        resource = self.resource
        return (
            resource.resource_type is ResourceType.ANY,
            _NEARNESS[resource.pattern],
            -len(resource.resource_name or ""),
            self.decision is Decision.ALLOW,
        )


@dataclass(frozen=True)
class Policy:
    policy_type: PolicyType
    entries: tuple[PolicyEntry, ...]

    def updated(self, entries: Iterable[PolicyEntry]) -> Policy:
        """An entry for a resource that is there already takes the place of the former one."""
        table = {entry.resource: entry for entry in self.entries}
        table.update((entry.resource, entry) for entry in entries)
        return Policy(self.policy_type, tuple(table.values()))

    def without(self, resource: Resource) -> Policy:
        return Policy(self.policy_type, tuple(entry for entry in self.entries if entry.resource != resource))


Policies = tuple[Policy, ...]


def deciding_entry(
    policies: Sequence[Policy], resource: Resource, actions: Iterable[Action], source_ip: str
) -> PolicyEntry | None:
    """None where no entry matches: that is a refusal."""
    for policy_type in PolicyType:
        matching = [
            entry
            for policy in policies
            if policy.policy_type is policy_type
            for entry in policy.entries
            if entry.matches(resource, actions, source_ip)
        ]
        if matching:
            return min(matching, key=lambda entry: entry._place)
    return None


def is_ip_or_cidr(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_in_range(source_ip: str, given: str) -> bool:
    try:
        return ipaddress.ip_address(source_ip) in ipaddress.ip_network(given, strict=False)
    except ValueError:
        return False
