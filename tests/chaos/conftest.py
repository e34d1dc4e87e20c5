# SPDX-License-Identifier: Apache-2.0
"""`--full` runs the long form, `--batch 2/4` the second of four parts of it; TEST_SEED replays a run."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

PrintFigures = Callable[[str], None]
Sized = Callable[[int, int], range]

SEED = int(os.environ.get("TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
_FIGURES = "chaos"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="the long form, as make chaos runs it")
    parser.addoption("--batch", default="1/1", metavar="I/N", help="the I-th of N parts of the rounds")


@pytest.fixture
def sized(request: pytest.FixtureRequest) -> Sized:
    """A function (short, full): the numbers of the rounds to play in this form and batch, from 0 on."""

    def rounds(short: int, full: int) -> range:
        index, count = map(int, request.config.getoption("--batch").split("/"))
        total = full if request.config.getoption("--full") else short
        return range(total * (index - 1) // count, total * index // count)

    return rounds


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Decided by the seed, the test and the batch alone."""
    return random.Random(f"{SEED}/{request.node.name}/{request.config.getoption('--batch')}")


@pytest.fixture
def print_figures(request: pytest.FixtureRequest) -> PrintFigures:
    """A function (text) whose text is printed, with the name of the test, at the end of the run."""

    def add(text: str) -> None:
        # A report's properties come from the process that ran the test to the one that prints.
        request.node.user_properties.append((_FIGURES, f"{request.node.name}: {text}"))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"chaos: TEST_SEED={SEED} replays this run")
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        for name, text in report.user_properties:
            if name == _FIGURES and report.when == "call":
                terminalreporter.write_line(f"chaos: {text}")
