# SPDX-License-Identifier: Apache-2.0
"""Says at the end of the run which seed it was, and what came of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.engine.fuzz import run

PrintTally = Callable[[object], None]

_LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def print_tally(request: pytest.FixtureRequest) -> PrintTally:
    """A function (tally) whose text is printed, with the name of the test, at the end of the run."""

    def add(tally: object) -> None:
        request.config.stash.setdefault(_LINES, []).append(f"{request.node.name}: {tally}")

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash.get(_LINES, []):
        terminalreporter.write_line(f"fuzz: TEST_SEED={run.SEED} replays this run")
    for line in config.stash.get(_LINES, []):
        terminalreporter.write_line(f"fuzz: {line}")
