# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from rmq.filter.bloom_filter import BIT_NUM, HASHES, bit_positions, murmur3_64


@pytest.mark.parametrize(
    ("text", "first_half"),
    [
        ("", 0),
        ("hello", 0xCBD8A7B341BD9B02),
        ("hello, world", 0x342FAC623A5EBC8E),
        ("19 Jan 2038 at 3:14:07 AM", 0xB89E5988B737AFFC),
        ("The quick brown fox jumps over the lazy dog.", 0xCD99481F9EE902C9),
    ],
)
def test_hash_is_the_published_one(text: str, first_half: int) -> None:
    assert murmur3_64(text.encode()) == first_half


def test_positions_are_bits_of_the_map() -> None:
    for number in range(100):
        positions = bit_positions(f"group{number}#TopicTest")
        assert len(positions) == HASHES
        assert all(0 <= position < BIT_NUM for position in positions)
