# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import List, Tuple


def parse_address(text: str) -> Tuple[str, int]:
    """Host and port of `host:port`; an IPv6 host may stand in brackets. Raises ValueError with one line."""
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not colon or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError('"%s" is no address of the form host:port' % text)
    return host, int(port)


def parse_name_servers(text: str) -> List[str]:
    """The addresses of a name server list, `;` between them. Raises ValueError for an empty list or a bad address."""
    addresses = [part.strip() for part in text.split(";") if part.strip()]
    if not addresses:
        raise ValueError("no name server is given")
    for address in addresses:
        parse_address(address)
    return addresses
