# SPDX-License-Identifier: Apache-2.0
"""Clock, disk and network for tests: the protocols of `rmq.env` without a system below, with faults on demand.

Everything is deterministic: time is virtual, callbacks run in the order in which they were asked for, and whatever
is chosen at random is chosen by a seed that the test gives.
"""

from __future__ import annotations

from .clock import FakeClock
from .disk import FakeDisk, FakeFile, SimulatedCrash
from .network import FakeConnection, FakeNetwork
from .reactor import FakeReactor, FakeTimer, FakeWorld

__all__ = [
    "FakeClock",
    "FakeConnection",
    "FakeDisk",
    "FakeFile",
    "FakeNetwork",
    "FakeReactor",
    "FakeTimer",
    "FakeWorld",
    "SimulatedCrash",
]
