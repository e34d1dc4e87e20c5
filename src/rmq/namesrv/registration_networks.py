# SPDX-License-Identifier: Apache-2.0
"""Who may change routes: register, unregister, wipe or add write permission, change the configuration.

Apache's name server does all of that for anybody who reaches its port (measured: a stranger's 104 removes a broker, a
stranger's 103 takes its place). Here the peer's address has to lie in `registrationNetworks` (networks or addresses
with ; between). Where that is not set, private networks are taken: RFC 1918, IPv6 ULA and link-local. Loopback and
the name server's own addresses always may.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..rpc import RequestRefused

if TYPE_CHECKING:
    from ..remoting.command import RemotingCommand
    from ..rpc import Channel

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT = "10.0.0.0/8;172.16.0.0/12;192.168.0.0/16;169.254.0.0/16;fc00::/7;fe80::/10"
_LOOPBACK = ("127.0.0.0/8", "::1/128")


class RegistrationNetworks:
    """Raises ValueError, whose text names the piece that is neither address nor network."""

    def __init__(self, text: str) -> None:
        pieces = [piece for part in (text.strip() or DEFAULT).split(";") if (piece := part.strip())]
        self._networks = [_network(piece) for piece in (*_LOOPBACK, *pieces)]

    def check(self, channel: Channel, request: RemotingCommand) -> None:
        """Raises RequestRefused unless the peer may send such a request."""
        if not self.allow(channel):
            remark = f"request {request.code} from {channel.peer_host} is refused: it is not in registrationNetworks"
            raise RequestRefused(ResponseCode.NO_PERMISSION, remark)

    def allow(self, channel: Channel) -> bool:
        """Whether the peer of this channel may. A peer on this very machine has our own address."""
        peer = channel.peer_host
        if peer == channel.local_host:
            return True
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address.version == network.version and address in network for network in self._networks)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"registrationNetworks: {text!r} is neither an address nor a network") from None
