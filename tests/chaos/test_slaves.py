# SPDX-License-Identifier: Apache-2.0
"""Slaves that stand still, fall behind, are cut off or hang on a dead line: what is answered meanwhile, and that
nothing is lost when they are back. Real processes; the line between them is a relay."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.chaos.harness.nodes import Nodes, lags, wait_in_sync
from tests.chaos.harness.pair import Pair
from tests.chaos.harness.relay import Relay
from tests.interop.harness.ports import free_port
from tests.interop.harness.waiting import wait_for

from rmq.remoting.codes import ResponseCode

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.chaos.conftest import PrintFigures, Sized

SLAVE_TIMEOUT_S = 3.0
HOUSEKEEPING_S = 20.0
#: An idle slave reports as often as this.
REPORT_EACH_S = 5.0
#: A slave tries once a second, and a look at haStatus takes its time on a busy machine.
IN_SYNC_AGAIN_S = 5.0
UNSAFE = ResponseCode.FLUSH_SLAVE_TIMEOUT


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with Nodes(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Line:
    """A pair whose slave follows through a relay."""

    relay: Relay
    pair: Pair


@pytest.fixture
def line(nodes: Nodes, dice: random.Random) -> Iterator[Line]:
    with Relay(free_port()) as relay:
        yield Line(relay, Pair(nodes, dice, relay=relay))


def burst(pair: Pair) -> tuple[int, float]:
    """One burst of sends that begins now and ends with its last answer: how many were acknowledged, seconds."""
    before, started = pair.ledger.count, time.monotonic()
    pair.load.connect(pair.master.address)
    pair.load.run(lambda: True)
    pair.load.settle()
    return pair.ledger.count - before, time.monotonic() - started


def assert_nothing_is_promised(pair: Pair) -> None:
    """Sends are stored and answered FLUSH_SLAVE_TIMEOUT, after slaveTimeout and not before."""
    unsafe = pair.ledger.codes[UNSAFE]
    acknowledged, seconds = burst(pair)
    assert acknowledged == 0, f"{acknowledged} sends were acknowledged without a slave"
    assert pair.ledger.codes[UNSAFE] > unsafe
    assert set(pair.ledger.codes) == {UNSAFE}, pair.ledger.codes
    assert seconds >= SLAVE_TIMEOUT_S


def seconds_until_in_sync(pair: Pair) -> float:
    """From now on until a burst of sends is acknowledged, all of it."""
    started = time.monotonic()
    wait_in_sync(pair.master, *pair.slaves)
    unsafe = pair.ledger.codes[UNSAFE]
    acknowledged, _ = burst(pair)
    assert acknowledged
    assert pair.ledger.codes[UNSAFE] == unsafe
    return time.monotonic() - started


# -- frozen


@pytest.mark.timeout(1800)
def test_a_frozen_slave_is_told_in_each_answer_and_followed_by_a_quick_return(
    nodes: Nodes, sized: Sized, dice: random.Random, print_figures: PrintFigures
) -> None:
    pair = Pair(nodes, dice)
    again_s = []
    for number in sized(1, 10):
        # The second half stands still for longer than haHousekeepingInterval, after which its connection is dropped.
        is_long = number >= 5
        pair.acknowledge(300)
        pair.slave.freeze()
        pair.load.settle()
        assert_nothing_is_promised(pair)
        if is_long:
            wait_for("end of the frozen slave's connection", lambda: not lags(pair.master), within_s=2 * HOUSEKEEPING_S)
            assert_nothing_is_promised(pair)
        pair.slave.thaw()
        again_s.append(seconds_until_in_sync(pair))
        pair.figures.rounds += 1
        pair.converge()
    print_figures(f"{pair.finish()}; in sync again {max(again_s):.1f} s after it goes on")
    assert pair.figures.lost == 0
    assert max(again_s) <= IN_SYNC_AGAIN_S


# -- lines


def frozen(line: Line) -> None:
    """Half-open: neither end hears that the other is not there. Both give it up after haHousekeepingInterval."""
    line.relay.freeze()
    started = time.monotonic()
    line.pair.load.settle()
    assert_nothing_is_promised(line.pair)
    wait_for("end of the half-open connection", lambda: not lags(line.pair.master), within_s=2 * HOUSEKEEPING_S)
    assert time.monotonic() - started >= HOUSEKEEPING_S - REPORT_EACH_S
    assert_nothing_is_promised(line.pair)


def deaf(line: Line) -> None:
    """The slave gets everything, its reports get nowhere: what the master does not know, it does not promise."""
    line.relay.freeze(reports_only=True)
    line.pair.load.settle()
    assert_nothing_is_promised(line.pair)
    wait_for("end of the connection without reports", lambda: not lags(line.pair.master), within_s=2 * HOUSEKEEPING_S)


def cut(line: Line) -> None:
    line.relay.cut()
    line.pair.load.settle()
    assert_nothing_is_promised(line.pair)


def slow(line: Line) -> None:
    """The slave gets less than is sent: soon nothing is safe within slaveTimeout, and nothing is promised."""
    unsafe = line.pair.ledger.codes[UNSAFE]
    line.relay.slow_down(bytes_per_s=100_000)
    line.pair.load.run(lambda: line.pair.ledger.codes[UNSAFE] > unsafe)
    line.relay.cut()
    line.pair.load.settle()


def delayed(line: Line) -> None:
    """Each way takes a while; what is under way when the line is cut was not acknowledged."""
    line.pair.load.settle()
    line.relay.slow_down(delay_s=0.1)
    acknowledged, seconds = burst(line.pair)
    assert not acknowledged or seconds >= 0.2
    line.pair.acknowledge(line.pair.dice.randint(1, 100))
    line.relay.cut()
    line.pair.load.settle()


FAULTS: tuple[Callable[[Line], None], ...] = (frozen, deaf, cut, slow, delayed)


@pytest.mark.timeout(3600)
def test_nothing_is_promised_over_a_line_that_does_not_carry_it(
    line: Line, sized: Sized, dice: random.Random, print_figures: PrintFigures
) -> None:
    pair, again_s = line.pair, []
    for number in sized(1, 40):
        pair.acknowledge(dice.randint(300, 1500))
        FAULTS[number % len(FAULTS)](line)
        pair.read_back(pair.slave)
        line.relay.heal()
        again_s.append(seconds_until_in_sync(pair))
        pair.figures.rounds += 1
        pair.converge()
    print_figures(f"{pair.finish()}; in sync again {max(again_s):.1f} s after the line is whole")
    assert pair.figures.lost == 0


# -- more than one slave


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("in_sync_replicas", [2, 3])
def test_of_two_slaves_as_many_are_waited_for_as_in_sync_replicas_says(
    nodes: Nodes, sized: Sized, dice: random.Random, print_figures: PrintFigures, in_sync_replicas: int
) -> None:
    pair = Pair(nodes, dice, slaves=2, in_sync_replicas=in_sync_replicas)
    for number in sized(1, 10):
        pair.acknowledge(dice.randint(200, 1000))
        pair.load.settle()
        one, other = dice.sample(pair.slaves, 2)
        one.freeze()
        if in_sync_replicas == 2:
            acknowledged, _ = burst(pair)
            assert acknowledged
            assert not pair.ledger.codes
            pair.read_back(other)
        else:
            assert_nothing_is_promised(pair)
        other.freeze()
        if number % 2:
            assert_nothing_is_promised(pair)
            pair.ledger.codes.clear()
        other.thaw()
        one.thaw()
        pair.figures.rounds += 1
        pair.converge()
    print_figures(pair.finish())
    assert pair.figures.lost == 0


@pytest.mark.timeout(3600)
def test_a_chain_of_restarts_on_both_sides_under_load(
    nodes: Nodes, sized: Sized, dice: random.Random, print_figures: PrintFigures
) -> None:
    """Stopped cleanly or killed, one after the other, with messages before, between and after."""
    pair = Pair(nodes, dice, slaves=2, in_sync_replicas=3)
    for number in sized(2, 60):
        server = pair.servers[number % 3]
        pair.acknowledge(dice.randint(200, 1000))
        if dice.random() < 0.5:
            server.kill()
        else:
            assert server.stop() == 0
        if server is pair.master:
            pair.load.drain()
            pair.read_back(pair.slaves[dice.randrange(2)])
        else:
            pair.load.settle()
        pair.restart(server)
        pair.figures.rounds += 1
        pair.converge()
    print_figures(pair.finish())
    assert pair.figures.lost == 0
