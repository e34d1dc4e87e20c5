# SPDX-License-Identifier: Apache-2.0
"""The environment of `rmq.env`, made of asyncio and the operating system."""

from __future__ import annotations

from .asyncio_reactor import AsyncioReactor
from .system_clock import SystemClock
from .system_disk import SystemDisk

__all__ = ["AsyncioReactor", "SystemClock", "SystemDisk"]
