# SPDX-License-Identifier: Apache-2.0
"""Remoting over `rmq.env`: the server that name server and broker stand on, and the client they call each other
with."""

from __future__ import annotations

from .channel import Channel
from .channel_hub import ChannelHub, Processor
from .errors import CallFailed, ConnectFailed, RequestRefused, TimedOut
from .limits import ServerLimits
from .outbound import OutboundClient
from .server import RemotingServer
from .tick_clock import TickClock

__all__ = [
    "CallFailed",
    "Channel",
    "ChannelHub",
    "ConnectFailed",
    "OutboundClient",
    "Processor",
    "RemotingServer",
    "RequestRefused",
    "ServerLimits",
    "TickClock",
    "TimedOut",
]
