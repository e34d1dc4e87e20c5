# SPDX-License-Identifier: Apache-2.0
"""The end of what two logs have in common is found to the byte, by checksums alone."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.engine.ha.memory_log import MemoryLog

from rmq.store.ha.log_comparison import LAST_STEP_BYTES, LogComparison, LogState, find_common_end, log_crc

if TYPE_CHECKING:
    from collections.abc import Callable

FILE_BYTES = 1 << 20


class Peer:
    """A `PeerLog` that answers at once, and counts."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.questions = 0

    def ask(
        self, wanted: tuple[int, int], answered: Callable[[LogState | None, str], None], *, verify: bool = False
    ) -> None:
        self.questions += 1
        answered(state_of(self.log, wanted), "")


def state_of(log: MemoryLog, wanted: tuple[int, int]) -> LogState:
    return LogState(log.min_physical_offset, log.max_physical_offset, log.max_physical_offset, log_crc(log, wanted))


def compare(own: MemoryLog, peer: Peer) -> int | None:
    found: list[int | None] = []
    LogComparison(own, peer, lambda end, why: found.append(end)).start()
    assert len(found) == 1
    return found[0]


def log_of(content: bytes, start: int = 0) -> MemoryLog:
    return MemoryLog(content, file_bytes=FILE_BYTES, start=start)


@pytest.fixture(scope="module")
def content() -> bytes:
    return random.Random(1).randbytes(5 * FILE_BYTES + 4321)


@pytest.mark.parametrize("missing", [0, 1, 1000, 3 * FILE_BYTES])
def test_a_slave_that_is_behind_needs_two_questions(content: bytes, missing: int) -> None:
    """The ends, and the last bytes of its own."""
    peer = Peer(log_of(content))
    own = log_of(content[: len(content) - missing])
    assert compare(own, peer) == own.max_physical_offset
    assert peer.questions == 2


@pytest.mark.parametrize("common", [1, 91, LAST_STEP_BYTES - 1, LAST_STEP_BYTES + 1, FILE_BYTES, 3 * FILE_BYTES + 17])
@pytest.mark.parametrize("own_more", [-2000, 0, 2000])
def test_the_first_other_byte_is_found(content: bytes, common: int, own_more: int) -> None:
    own = bytearray(content + bytes(4000))
    own[common:] = random.Random(2).randbytes(len(own) - common)
    own[common] = content[common] ^ 1
    peer = Peer(log_of(content))
    assert compare(log_of(bytes(own[: len(content) + own_more])), peer) == common
    assert peer.questions < 70


def record(place: int, stored_ms: int, body: bytes) -> bytes:
    """As much of a record as says where it is and when it came."""
    size = 64 + len(body)
    head = size.to_bytes(4, "big") + b"\xda\xa3\x20\xa7" + bytes(20) + place.to_bytes(8, "big") + bytes(20)
    return head + stored_ms.to_bytes(8, "big") + body


def log_of_records(body: bytes, stored_ms: list[int], cut: int = 0) -> MemoryLog:
    content = b""
    for at_ms in stored_ms:
        content += record(len(content), at_ms, body)
    return log_of(content[: len(content) - cut])


@pytest.mark.parametrize("body_bytes", [10, 3_000, 150_000])
@pytest.mark.parametrize("cut", [0, 1, 9])
def test_bodies_that_are_alike_do_not_hide_what_differs_before_them(body_bytes: int, cut: int) -> None:
    """Messages of one producer differ in their heads alone; a slave's log may end in the middle of one."""
    body = b"x" * body_bytes
    ours = log_of_records(body, [1, 2, 3, 4, 5], cut)
    theirs = log_of_records(body, [1, 2, 7, 8, 9, 10])
    # The last byte of the third one's time is the first that differs.
    assert compare(ours, Peer(theirs)) == 2 * (64 + body_bytes) + 63


def test_a_slave_that_is_longer_than_its_master_keeps_what_both_have(content: bytes) -> None:
    short = content[: 2 * FILE_BYTES + 5]
    assert compare(log_of(content), Peer(log_of(short))) == len(short)


def test_zeros_at_a_files_end_do_not_hide_what_differs_before_them() -> None:
    """Both closed their file with zeros behind the last record that fitted: other records, the same zeros."""
    same = random.Random(3).randbytes(FILE_BYTES // 2)
    tail = bytes(FILE_BYTES // 2 - 100)
    ours, theirs = (log_of(same + random.Random(seed).randbytes(100) + tail) for seed in (4, 5))
    end = compare(ours, Peer(theirs))
    assert end is not None
    assert len(same) <= end < len(same) + 3


def test_logs_without_a_common_byte_have_no_common_end(content: bytes) -> None:
    assert compare(log_of(random.Random(6).randbytes(3000)), Peer(log_of(content))) == 0
    assert compare(log_of(content[:FILE_BYTES]), Peer(log_of(content, start=4 * FILE_BYTES))) == 0


def test_an_empty_log_agrees_with_any(content: bytes) -> None:
    assert compare(log_of(b""), Peer(log_of(content))) == 0
    assert compare(log_of(content), Peer(log_of(b""))) == 0


def test_a_slave_whose_end_is_the_masters_oldest_byte_goes_on_there(content: bytes) -> None:
    own = log_of(content[:FILE_BYTES])
    assert compare(own, Peer(log_of(content[FILE_BYTES:], start=FILE_BYTES))) == FILE_BYTES


def test_only_ranges_that_both_have_are_asked_about(content: bytes) -> None:
    own, peer = log_of(content[FILE_BYTES:], start=FILE_BYTES), log_of(content[: 4 * FILE_BYTES])
    search = find_common_end(own, state_of(peer, (0, 0)))
    start, end = next(search)
    while True:
        assert FILE_BYTES <= start <= end <= 4 * FILE_BYTES
        try:
            start, end = search.send(False)
        except StopIteration as stop:
            assert stop.value == 0
            return


def test_a_comparison_that_was_cancelled_says_nothing(content: bytes) -> None:
    waiting: list[Callable[[LogState | None, str], None]] = []

    class Slow(Peer):
        def ask(
            self, wanted: tuple[int, int], answered: Callable[[LogState | None, str], None], *, verify: bool = False
        ) -> None:
            waiting.append(answered)

    own = log_of(content)
    found: list[int | None] = []
    comparison = LogComparison(own, Slow(own), lambda end, why: found.append(end))
    comparison.start()
    comparison.cancel()
    waiting[0](state_of(own, (0, 0)), "")
    assert not found
    assert len(waiting) == 1
