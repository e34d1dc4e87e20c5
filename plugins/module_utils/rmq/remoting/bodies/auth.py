# SPDX-License-Identifier: Apache-2.0
"""Users and access control lists of AUTH 2.0 (3001 to 3010), as mqadmin sends and shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional

from ..json_body import TEXT, JsonBody, array, body, optional, wire


@dataclass(frozen=True)
class UserInfo(JsonBody):
    """The password is never shown by this object's text, and our servers never answer with one."""

    password: Optional[str] = field(default=None, repr=False, metadata={"name": None, "kind": optional(TEXT)})
    user_status: Optional[str] = wire(optional(TEXT), None)
    user_type: Optional[str] = wire(optional(TEXT), None)
    username: Optional[str] = wire(optional(TEXT), None)


@dataclass(frozen=True)
class PolicyEntryInfo(JsonBody):
    """`resource` is `*`, `Topic:name`, `Group:prefix*` and so on; no source_ips means from everywhere."""

    actions: List[str] = wire(array(TEXT), factory=list)
    decision: Optional[str] = wire(optional(TEXT), None)
    resource: Optional[str] = wire(optional(TEXT), None)
    source_ips: Optional[List[str]] = wire(optional(array(TEXT)), None)


@dataclass(frozen=True)
class PolicyInfo(JsonBody):
    entries: List[PolicyEntryInfo] = wire(array(body(PolicyEntryInfo)), factory=list)
    policy_type: Optional[str] = wire(optional(TEXT), None)


@dataclass(frozen=True)
class AclInfo(JsonBody):
    """`subject` is User:name."""

    policies: List[PolicyInfo] = wire(array(body(PolicyInfo)), factory=list)
    subject: Optional[str] = wire(optional(TEXT), None)
