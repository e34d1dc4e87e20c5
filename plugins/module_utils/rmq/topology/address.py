# SPDX-License-Identifier: Apache-2.0
"""Addresses and lists of them, as users write them: what is one, and what kind of one."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import List, Optional, Tuple, Union

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
# What is made of digits and dots alone is meant as an IP: 192.161.2 is a slip, not a host's name.
_MEANT_AS_IP = re.compile(r"[0-9.]+", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
HOST_MAX_CHARS = 253

IpAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@dataclass(frozen=True)
class Endpoint:
    """``host:port``; an IPv6 address is written in brackets."""

    host: str
    port: int

    def text(self) -> str:
        """As it is written in a name server list."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def ip_of(text: str) -> Optional[IpAddress]:
    """The IP that the text is, or None."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_broken_ip(text: str) -> bool:
    """Meant as an IP, and none."""
    return _MEANT_AS_IP.fullmatch(text) is not None and ip_of(text) is None


def is_host(text: str) -> bool:
    """An IP, or a name that could be a host's."""
    if ip_of(text) is not None:
        return True
    return len(text) <= HOST_MAX_CHARS and _HOST_NAME.fullmatch(text) is not None and not is_broken_ip(text)


def is_network(text: str) -> bool:
    """An IP address, or a network such as 192.0.2.0/24."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_wildcard(host: str) -> bool:
    """``0.0.0.0`` or ``::``."""
    address = ip_of(host)
    return address is not None and address.is_unspecified


def is_loopback(host: str) -> bool:
    """An address that no other machine can reach: 127.0.0.0/8, ::1, localhost."""
    address = ip_of(host)
    if address is None:
        return host.rstrip(".").lower() == "localhost"
    return address.is_loopback


def parse_endpoint(text: str) -> Optional[Endpoint]:
    """``host:port`` with a port from 1 to 65535, or None."""
    host, colon, port_text = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            return None
    elif ":" in host:
        return None
    if not colon or _PORT.fullmatch(port_text) is None or not is_host(host):
        return None
    port = int(port_text)
    return Endpoint(host, port) if 1 <= port <= 65535 else None


def parse_endpoints(text: str) -> Tuple[Tuple[Endpoint, ...], Tuple[str, ...]]:
    """A list with ``;`` between: the endpoints in their order, and the pieces that are none."""
    good: List[Endpoint] = []
    bad: List[str] = []
    for piece in text.split(";"):
        endpoint = parse_endpoint(piece)
        if endpoint is None:
            bad.append(piece)
        else:
            good.append(endpoint)
    return tuple(good), tuple(bad)
