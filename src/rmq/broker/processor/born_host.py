# SPDX-License-Identifier: Apache-2.0
"""Where a message came from, as records hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...remoting.message_id import Host

if TYPE_CHECKING:
    from ...rpc.channel import Channel

_ATTRIBUTE = "bornHost"


def born_host(channel: Channel) -> Host:
    """Address and port of the peer; parsed once for each connection."""
    known = channel.attributes.get(_ATTRIBUTE)
    if isinstance(known, Host):
        return known
    port = channel.remote_address.rpartition(":")[2]
    # A link-local IPv6 address comes with its zone, which belongs to this machine and not to the address.
    host = Host(channel.peer_host.partition("%")[0], int(port))
    channel.attributes[_ATTRIBUTE] = host
    return host
