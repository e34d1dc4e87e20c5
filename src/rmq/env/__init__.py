# SPDX-License-Identifier: Apache-2.0
"""What the server half is handed from outside: clock, disk, network.

Nothing in store, namesrv, broker or rpc opens a file, a socket or reads a clock by itself. It is handed the protocols
of this package; `rmq.runtime` implements them with the operating system, the simulator with fakes that lose writes
and cut wires.
"""

from __future__ import annotations

from .clock import Clock
from .disk import Disk, File
from .reactor import Connection, ConnectionHandler, Listener, Reactor, Timer
from .tls import HandshakeFailed, ListenerTls, OutboundTls

__all__ = [
    "Clock",
    "Connection",
    "ConnectionHandler",
    "Disk",
    "File",
    "HandshakeFailed",
    "Listener",
    "ListenerTls",
    "OutboundTls",
    "Reactor",
    "Timer",
]
