# SPDX-License-Identifier: Apache-2.0
"""Policies as mqadmin writes them, and as they are kept. Answers to Apache's AclConverter and its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...remoting.bodies import AclInfo, PolicyEntryInfo, PolicyInfo
from ...remoting.codes import ResponseCode
from ...rpc.errors import RequestRefused
from .model import Action, Decision, Policies, Policy, PolicyEntry, PolicyType, Resource, by_name, is_ip_or_cidr

if TYPE_CHECKING:
    from collections.abc import Iterable


def policies_of(info: AclInfo) -> Policies:
    """Raises RequestRefused in Apache's words. Policies without entries are passed over."""
    table: dict[PolicyType, Policy] = {}
    for policy in info.policies:
        if policy.entries:
            kind = by_name(PolicyType, policy.policy_type) or PolicyType.CUSTOM
            known = table.get(kind, Policy(kind, ()))
            table[kind] = known.updated(_entry(entry) for entry in policy.entries)
    if not table:
        raise _refused("The policies is empty.")
    return tuple(table.values())


def acl_of(subject: str, policies: Iterable[Policy]) -> AclInfo:
    return AclInfo([_policy_info(policy) for policy in policies], subject)


def policy_value(policy: Policy) -> dict[str, Any]:
    return _policy_info(policy).to_json_value()


def _entry(info: PolicyEntryInfo) -> PolicyEntry:
    resource = Resource.parse(info.resource)
    if resource is None:
        raise _refused("The resource is null.")
    actions = tuple(action for name in info.actions if (action := by_name(Action, name)) is not None)
    if not actions:
        raise _refused("The actions is empty.")
    if Action.ANY in actions:
        raise _refused("The actions can not be Any.")
    source_ips = tuple(info.source_ips or ())
    if any(not given.strip() for given in source_ips):
        raise _refused("The source ip is empty.")
    if not all(is_ip_or_cidr(given) for given in source_ips):
        raise _refused("The source ip is invalid.")
    decision = by_name(Decision, info.decision)
    if decision is None:
        raise _refused("The decision is null or illegal.")
    return PolicyEntry(resource, actions, source_ips, decision)


def _policy_info(policy: Policy) -> PolicyInfo:
    return PolicyInfo([_entry_info(entry) for entry in policy.entries], policy.policy_type.value)


def _entry_info(entry: PolicyEntry) -> PolicyEntryInfo:
    return PolicyEntryInfo(
        [action.value for action in entry.actions],
        entry.decision.value,
        entry.resource.key,
        list(entry.source_ips) or None,
    )


def _refused(remark: str) -> RequestRefused:
    return RequestRefused(ResponseCode.NO_PERMISSION, remark)
