# SPDX-License-Identifier: Apache-2.0
"""The name server's answers, by subject (Apache's DefaultRequestProcessor and ClientRequestProcessor)."""

from __future__ import annotations

from .broker_processor import BrokerProcessor
from .config_processor import ConfigProcessor
from .kv_config_processor import KVConfigProcessor
from .route_processor import RouteProcessor

__all__ = ["BrokerProcessor", "ConfigProcessor", "KVConfigProcessor", "RouteProcessor"]
