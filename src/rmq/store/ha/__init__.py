# SPDX-License-Identifier: Apache-2.0
"""Replication over Apache's HA stream: `HaService` in a master, `HaClient` in a slave."""

from __future__ import annotations

from .ha_client import HaClient
from .ha_config import HaConfig
from .ha_runtime_info import HaClientRuntimeInfo, HaConnectionRuntimeInfo, HaRuntimeInfo
from .ha_service import HaService

__all__ = ["HaClient", "HaClientRuntimeInfo", "HaConfig", "HaConnectionRuntimeInfo", "HaRuntimeInfo", "HaService"]
