# SPDX-License-Identifier: Apache-2.0
"""The two ids of a message: where it is stored, and what its sender calls it."""

from __future__ import annotations

import datetime
import ipaddress
import struct
from functools import lru_cache
from typing import NamedTuple, Tuple

_PORT = struct.Struct(">i")
_OFFSET = struct.Struct(">q")

# A broker sees the hosts of its clients, which are few; the limit is for those that come through a changing port.
HOST_CACHE_ENTRIES = 16384


class Host(NamedTuple):
    """An address as records hold it."""

    ip: str
    port: int


@lru_cache(maxsize=HOST_CACHE_ENTRIES)
def encode_host(ip: str, port: int) -> bytes:
    """8 bytes for IPv4, 20 for IPv6. Raises ValueError for a text that is no address."""
    return ipaddress.ip_address(ip).packed + _PORT.pack(port)


@lru_cache(maxsize=HOST_CACHE_ENTRIES)
def decode_host(data: bytes) -> Host:
    """The other way; `data` has 8 or 20 bytes."""
    return Host(str(ipaddress.ip_address(data[:-4])), _PORT.unpack(data[-4:])[0])


def offset_message_id(store_host: bytes, physical_offset: int) -> str:
    """Hex of the encoded store host and the physical offset: 32 digits, 56 with IPv6."""
    return (store_host + _OFFSET.pack(physical_offset)).hex().upper()


def parse_offset_message_id(message_id: str) -> Tuple[Host, int]:
    """Store host and physical offset. Raises ValueError for what is no such id."""
    data = bytes.fromhex(message_id)
    if len(data) not in (16, 28):
        raise ValueError("a message id has 32 or 56 hex digits, not %d characters" % len(message_id))
    return decode_host(data[:-8]), _OFFSET.unpack(data[-8:])[0]


class UniqueIdFactory:
    """Makes UNIQ_KEY values (Apache's MessageClientIDSetter).

    bytes    field
    4 or 16  address of the sender
    2        its pid
    4        a number that tells two factories of one process apart (Java: hash of the class loader)
    4        milliseconds since the month began, in the local time zone
    2        counter
    """

    def __init__(self, ip: str, pid: int, discriminator: int) -> None:
        self._fixed = ipaddress.ip_address(ip).packed + struct.pack(">HI", pid & 0xFFFF, discriminator & 0xFFFFFFFF)
        self._month_start_ms = 0
        self._month_end_ms = 0
        self._counter = 0

    def next(self, now_ms: int) -> str:
        """A new id, in upper case hex. The counter wraps: more than 65536 ids in one millisecond would repeat."""
        if not self._month_start_ms <= now_ms < self._month_end_ms:
            self._month_start_ms, self._month_end_ms = _month_around(now_ms)
        counter = self._counter
        self._counter = (counter + 1) & 0xFFFF
        return (self._fixed + struct.pack(">IH", now_ms - self._month_start_ms, counter)).hex().upper()


def _month_around(now_ms: int) -> Tuple[int, int]:
    now = datetime.datetime.fromtimestamp(now_ms / 1000)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + datetime.timedelta(days=32)).replace(day=1)
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)
