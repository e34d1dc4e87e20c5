# SPDX-License-Identifier: Apache-2.0
"""The settings that hold a name and a secret. Their text was checked with the file; ValueError shows nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.signature import SessionCredentials
from ...topology.credentials import parse_credentials
from .model import User, UserType

if TYPE_CHECKING:
    from ..broker_config import BrokerConfig


def first_user(config: BrokerConfig) -> User | None:
    """initAuthenticationUser, who may do everything."""
    found = parse_credentials("initAuthenticationUser", config.init_authentication_user)
    return None if found is None else User(*found, UserType.SUPER)


def inner_credentials(config: BrokerConfig) -> SessionCredentials | None:
    """By which the brokers of a cluster know each other."""
    found = parse_credentials("innerClientAuthenticationCredentials", config.inner_client_authentication_credentials)
    return None if found is None else SessionCredentials(*found)
