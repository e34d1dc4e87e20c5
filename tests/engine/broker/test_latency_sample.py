# SPDX-License-Identifier: Apache-2.0
"""Timings that tools print."""

from __future__ import annotations

from tests.engine.fakes import FakeClock

from rmq.broker.latency_sample import NOT_SAMPLED, SAMPLE_EACH, LatencySample


def test_every_thirty_second_is_measured_and_counted_for_all() -> None:
    clock = FakeClock()
    sample = LatencySample(clock)
    for number in range(2 * SAMPLE_EACH):
        began_ms = sample.begin()
        assert (began_ms != NOT_SAMPLED) == (number % SAMPLE_EACH == 0)
        clock.advance(7 if number == 0 else 700 if number == SAMPLE_EACH else 0)
        sample.end(began_ms)
    assert sample.max_ms == 700
    assert sample.distribution() == (
        "[<=0ms]:0 [0~10ms]:32 [10~50ms]:0 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:32 [1~2s]:0 "
        "[2~3s]:0 [3~4s]:0 [4~5s]:0 [5~10s]:0 [10s~]:0 "
    )
    assert sample.percentile_ms(0.99) == 700.0


def test_nothing_measured_is_zero() -> None:
    assert LatencySample(FakeClock()).percentile_ms(0.99) == 0.0
