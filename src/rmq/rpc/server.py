# SPDX-License-Identifier: Apache-2.0
"""The listening side (Apache's NettyRemotingServer)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .channel import Channel
from .channel_hub import ChannelHub
from .limits import ServerLimits

if TYPE_CHECKING:
    from ..env import Listener, ListenerTls, Reactor


class RemotingServer(ChannelHub):
    """Serves the registered processors on any number of addresses."""

    def __init__(
        self,
        reactor: Reactor,
        *,
        limits: ServerLimits | None = None,
        log: logging.Logger | None = None,
        tls: ListenerTls | None = None,
    ) -> None:
        super().__init__(reactor, limits or ServerLimits(), log or logging.getLogger("rmq.rpc"))
        self._tls = tls
        self._listeners: list[Listener] = []

    def listen(self, host: str, port: int) -> Listener:
        """Accept here too. Raises OSError at once where the address cannot be had; its text names it. Port 0 picks
        one."""
        listener = self.reactor.listen(host, port, lambda: Channel(self), tls=self._tls)
        self._listeners.append(listener)
        return listener

    def stop_listening(self) -> None:
        """Accept nobody any more; open channels live on."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()

    def close(self) -> None:
        self.stop_listening()
        super().close()
