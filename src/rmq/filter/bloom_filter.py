# SPDX-License-Identifier: Apache-2.0
"""Where a group would set its bits in the filter bit maps of Apache's consume queue extension.

This engine writes no bit maps. It writes the positions into consumerFilter.json, because an Apache broker that is
started on the store drops a file without them. Answers to BloomFilter, with the defaults of
maxErrorRateOfBloomFilter (20 %) and expectConsumerNumUseFilter (32): 112 bits, of which each name sets 3.

The hash is MurmurHash3 x64 128, seed 0, of which the first 8 bytes count (Guava's Hashing.murmur3_128).
"""

from __future__ import annotations

BIT_NUM = 112
HASHES = 3

_MASK = (1 << 64) - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
_BLOCK = 16


def bit_positions(name: str) -> list[int]:
    hash64 = murmur3_64(name.encode())
    low, high = _signed(hash64), _signed(hash64 >> 32)
    positions = []
    for number in range(1, HASHES + 1):
        combined = _signed(low + number * high)
        positions.append((~combined if combined < 0 else combined) % BIT_NUM)
    return positions


def murmur3_64(data: bytes) -> int:
    h1 = h2 = 0
    whole = len(data) - len(data) % _BLOCK
    for start in range(0, whole, _BLOCK):
        h1 ^= _mixed_first(int.from_bytes(data[start : start + 8], "little"))
        h1 = ((_rotated(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= _mixed_second(int.from_bytes(data[start + 8 : start + 16], "little"))
        h2 = ((_rotated(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK
    tail = data[whole:]
    h1 ^= _mixed_first(int.from_bytes(tail[:8], "little"))
    h2 ^= _mixed_second(int.from_bytes(tail[8:], "little"))
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    return (_finished(h1) + _finished(h2)) & _MASK


def _mixed_first(value: int) -> int:
    return _rotated(value * _C1 & _MASK, 31) * _C2 & _MASK


def _mixed_second(value: int) -> int:
    return _rotated(value * _C2 & _MASK, 33) * _C1 & _MASK


def _finished(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return value ^ value >> 33


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 64 - bits) & _MASK


def _signed(value: int) -> int:
    """The low 32 bits as Java's int."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
