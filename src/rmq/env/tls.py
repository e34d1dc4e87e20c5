# SPDX-License-Identifier: Apache-2.0
"""TLS as the server half sees it: it says where, `rmq.runtime` does it.

Certificates, keys and ciphers are the runtime's business; who listens or connects hands on what it was given.
"""

from __future__ import annotations

from typing import Protocol


class ListenerTls(Protocol):
    """A server's certificate, and who has to use it."""

    @property
    def is_required(self) -> bool:
        """A connection that begins with something else than a TLS handshake is closed; otherwise both are served."""
        ...


class OutboundTls(Protocol):
    """What a connection that this process opens is encrypted with."""

    @property
    def checks_server(self) -> bool:
        """Whether the server has to show a certificate that is trusted here."""
        ...


class HandshakeFailed(ConnectionError):
    """The reason of `connection_lost` where a connection ended before it was encrypted."""
