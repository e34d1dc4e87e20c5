# SPDX-License-Identifier: Apache-2.0
"""Seeds of the simulation. SIMULATOR_SEEDS=500 runs that many of each plan, TEST_SEED=N begins at N.

A run takes 1.4 s of one core. Without SIMULATOR_SEEDS there are few of them; CI and `make chaos` say how many they run.
"""

from __future__ import annotations

import os

import pytest
from tests.engine.simulator.simulation import PLANS, Simulation

FIRST = int(os.environ.get("TEST_SEED", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SIMULATOR_SEEDS", "2")))
# Seeds that have found a fault: they stay. A change of the simulator makes other runs of them; what they found has a
# test of its own.
KEPT: dict[str, tuple[int, ...]] = {
    "sync": (1001,),
    "three": (101, 102),
    "quorum": (770000062,),
    "alone": (880000101,),
    "power": (2978874573,),
    "reports": (30059, 2025499979, 3045244987),
    "disks": (206208108,),
    "rebuild": (30009, 30060, 3045244994, 3552855196),
    "timers": (6099, 7101, 7166, 8103),
}
RUNS = [(plan, seed) for plan in PLANS for seed in sorted({*SEEDS, *KEPT.get(plan, ())})]


@pytest.mark.parametrize(("plan", "seed"), RUNS)
def test_what_must_hold_holds(plan: str, seed: int) -> None:
    figures = Simulation(seed, PLANS[plan]).run()
    assert figures.acknowledged > 0


def test_a_seed_decides_everything() -> None:
    first, second = (Simulation(1, PLANS["rebuild"]) for _ in range(2))
    assert first.run() == second.run()
    assert first.trace == second.trace
