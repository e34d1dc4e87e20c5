# SPDX-License-Identifier: Apache-2.0
"""What systemd wants to hear (Type=notify): plain datagrams to NOTIFY_SOCKET. Without one, nothing happens."""

from __future__ import annotations

import contextlib
import os
import socket


class ServiceManager:
    """Reads its variables once and takes them out of the environment, so that no child speaks in our name."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        # An abstract socket is written with @ in front.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_us = os.environ.pop("WATCHDOG_USEC", "")
        os.environ.pop("WATCHDOG_PID", None)

    @property
    def watchdog_interval_ms(self) -> int | None:
        """Say `alive` this often: half of what systemd waits for, as it recommends."""
        if not self._watchdog_us.isdigit() or int(self._watchdog_us) == 0:
            return None
        return max(1, int(self._watchdog_us) // 2000)

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A service manager that went away is no reason for a broker to fail.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode(), self._address)
