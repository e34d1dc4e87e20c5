# SPDX-License-Identifier: Apache-2.0
"""The codes that read and change users and policies.

They ask for a super user's signature or a right on the cluster even where authenticationEnabled is false, so that
nobody can put a super user in place for the day it is switched on."""

from __future__ import annotations

from ...remoting.codes import RequestCode

# Ours alone, beside HA_IDENTIFY: a slave of ours copies users and policies.
GET_AUTH_METADATA = 540_002

AUTH_CODES = frozenset((*range(RequestCode.AUTH_CREATE_USER, RequestCode.AUTH_LIST_ACL + 1), GET_AUTH_METADATA))
