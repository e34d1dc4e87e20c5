# SPDX-License-Identifier: Apache-2.0
"""When a service manager hears that a server is ready."""

from __future__ import annotations

import pytest
from tests.engine.fakes import FakeReactor

from rmq.cli.server_process import announce


@pytest.mark.parametrize(("ready_at_ms", "told_at_ms"), [(0, 0), (3_020, 3_050), (60_000, 20_000)])
def test_ready_is_told_once_when_it_is_so_or_after_twenty_seconds(ready_at_ms: int, told_at_ms: int) -> None:
    reactor = FakeReactor()
    clock = reactor.clock
    told: list[int] = []
    announce(reactor, lambda: clock.monotonic_ms() >= ready_at_ms, lambda: told.append(clock.monotonic_ms()))
    reactor.run_for(120_000)
    assert told == [told_at_ms]
