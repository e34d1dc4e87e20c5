# SPDX-License-Identifier: Apache-2.0
"""Mutated requests at a broker and at a name server: an answer or a close, and never a third thing.

FUZZ_FRAMES says how many (tools/test.sh: 200,000 each on every change), TEST_SEED which.
"""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.engine.fuzz import run
from tests.engine.fuzz.conversation import Tally
from tests.engine.fuzz.regressions import FRAMES as REGRESSIONS
from tests.engine.fuzz.targets import BrokerTarget, NamesrvTarget

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.fuzz.run import Target

TARGETS: dict[str, type[Target]] = {"broker": BrokerTarget, "namesrv": NamesrvTarget}
EACH = pytest.mark.parametrize("make_target", TARGETS.values(), ids=TARGETS)

# Caches and the allocator's slack fill in the first rounds, and one answer of 17 MB keeps its pages for a while; what
# leaks goes on growing. The test by tracemalloc is the sharp one.
WARM_ROUNDS = 3
GROWTH_MAX_KIB = 96 * 1024
FRAMES_FOR_MEMORY = 600
TRACED_GROWTH_MAX_BYTES = 512 * 1024


@pytest.mark.timeout(120 + run.FRAMES / 50)
@EACH
def test_every_frame_is_answered_or_closes_its_connection(
    make_target: type[Target], print_tally: Callable[[object], None]
) -> None:
    tally = run.run(make_target, run.FRAMES)
    print_tally(tally)
    assert tally.refused_frames > run.FRAMES // 50
    assert tally.requests > run.FRAMES // 3
    resident_kib = tally.resident_kib[WARM_ROUNDS - 1 :]
    if len(resident_kib) > 1:
        assert resident_kib[-1] - resident_kib[0] < GROWTH_MAX_KIB, resident_kib


@pytest.mark.timeout(300)
@EACH
def test_the_same_frames_again_leave_no_more_memory_behind(make_target: type[Target]) -> None:
    """On one server: the first two times fill its tables and caches, the third finds all of it there."""
    target = make_target()

    def replay() -> int:
        run.Round(target, random.Random(run.SEED), Tally()).run(FRAMES_FOR_MEMORY)
        gc.collect()
        # The disk of these tests is memory too, and it keeps a list of all that was done to it.
        engine_only = tracemalloc.Filter(True, "*/rmq/*")
        return sum(each.size for each in tracemalloc.take_snapshot().filter_traces([engine_only]).traces)

    tracemalloc.start()
    try:
        replay()
        before = replay()
        after = replay()
    finally:
        tracemalloc.stop()
    assert after - before < TRACED_GROWTH_MAX_BYTES, f"TEST_SEED={run.SEED}"


@EACH
@pytest.mark.parametrize("name", REGRESSIONS)
def test_frames_that_failed_once_are_answered_or_close(make_target: type[Target], name: str) -> None:
    target = make_target()
    run.replay(target, REGRESSIONS[name])
    target.check(Tally())
    target.restart()
    target.check(Tally())
