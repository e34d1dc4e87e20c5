# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Optional, Type

from .remoting_client import DEFAULT_TIMEOUT_MS, RemotingClient

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from ..remoting.signature import SessionCredentials


class Connections:
    """One client for each address, opened on demand and closed together."""

    def __init__(
        self,
        timeout_ms: int = DEFAULT_TIMEOUT_MS,
        credentials: Optional[SessionCredentials] = None,
        tls: Optional[ssl.SSLContext] = None,
    ) -> None:
        self._credentials = credentials
        self._timeout_ms = timeout_ms
        self._tls = tls
        self._clients: Dict[str, RemotingClient] = {}

    def to(self, address: str) -> RemotingClient:
        """Raises ValueError for what is no address."""
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = RemotingClient(address, self._timeout_ms, self._credentials, self._tls)
        return client

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def __enter__(self) -> Connections:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()
