# SPDX-License-Identifier: Apache-2.0
"""Apache's own mqadmin against both engines at once: the same exit and the same fields.

The cases are one history (mqadmin/cases.py), so they run in their order; one of them alone runs on another state, which
is the same on both.
"""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

import pytest

from .harness.engine import ENGINES
from .mqadmin import cases
from .mqadmin.case import NUMBERS, Case
from .mqadmin.differences import DIFFERENCES, Comparison, explained_entries
from .mqadmin.side import Side
from .mqadmin.subcommands import TIER_A, TIER_B, TIER_C, registered
from .mqadmin.wire_codes import CODES, KEPT_STATISTICS, NOT_KEPT_STATISTICS, Code, keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .harness.client import MqadminResult

Sides = dict[str, Side]
pytestmark = pytest.mark.timeout(300)


class _Parameters(TypedDict):
    argnames: str
    argvalues: list[Case]
    ids: list[str]


def _each(of: tuple[Case, ...]) -> _Parameters:
    return {"argnames": "case", "argvalues": list(of), "ids": [case.line for case in of]}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Both clusters, each with the same history, a consumer and a producer connected."""
    made = {name: Side(engine, tmp_path_factory.mktemp(name)) for name, engine in ENGINES.items()}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        list(pool.map(stack.enter_context, made.values()))
        yield made


@pytest.fixture(scope="module")
def offline(sides: Sides) -> Sides:
    """The clients have gone."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(Side.go_offline, sides.values()))
    return sides


@pytest.fixture(scope="module")
def begun(offline: Sides) -> Iterator[dict[tuple[str, str], Future[MqadminResult]]]:
    """What wants processes of its own, begun: Apache's monitor takes twenty seconds to its first round."""
    with ThreadPoolExecutor(max_workers=6) as pool:
        yield {
            (name, case.line): pool.submit(side.run, case) for case in cases.PROCESSES for name, side in offline.items()
        }


@pytest.mark.parametrize(**_each(cases.ONLINE))
def test_mqadmin_answers_as_on_apache(case: Case, sides: Sides) -> None:
    _compare(case, sides, _run(case, sides))


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{code.number}-{code.name}")
def test_what_the_dashboard_and_the_exporter_ask_for_is_answered_as_on_apache(code: Code, sides: Sides) -> None:
    answers = {name: side.ask(code) for name, side in sides.items()}
    ours, apaches = answers["python"], answers["apache"]
    assert (ours.code, ours.remark, set(ours.fields)) == (apaches.code, apaches.remark, set(apaches.fields))
    assert bool(ours.body) == bool(apaches.body)
    mine, theirs = ({sides[name].plain(key) for key in keys(answer.body)} for name, answer in answers.items())
    assert mine ^ theirs == set(code.differs)


def test_statistics_are_those_of_apache(sides: Sides) -> None:
    """Entry statistics-not-kept: asked for as well, so that it goes when they come."""
    found = {
        name: {key: side.has_statistic(*key) for key in KEPT_STATISTICS + NOT_KEPT_STATISTICS}
        for name, side in sides.items()
    }
    assert all(found["apache"].values())
    assert [key for key, is_there in found["python"].items() if not is_there] == list(NOT_KEPT_STATISTICS)


@pytest.mark.parametrize(**_each(cases.OFFLINE))
def test_mqadmin_answers_as_on_apache_without_clients(case: Case, offline: Sides) -> None:
    _compare(case, offline, _run(case, offline))


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize(**_each(cases.USERS))
def test_mqadmin_answers_as_on_apache_about_users(case: Case, offline: Sides) -> None:
    _compare(case, offline, _run(case, offline))


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("command", [name for name, (_, options) in TIER_C.items() if options])
def test_commands_of_other_features_are_refused(command: str, offline: Sides) -> None:
    """Entry tier-c."""
    results = _run(Case(f"{command} {TIER_C[command][1]}", live=NUMBERS), offline)
    ours, apaches = results["python"], results["apache"]
    assert ours.status == apaches.status
    is_same = offline["python"].shape(Case(command), ours) == offline["apache"].shape(Case(command), apaches)
    assert is_same or re.search("not supported|No topic route", ours.stdout + ours.stderr)


@pytest.mark.parametrize(**_each(cases.PROCESSES))
def test_mqadmin_in_a_process_of_its_own(
    case: Case, offline: Sides, begun: dict[tuple[str, str], Future[MqadminResult]]
) -> None:
    _compare(case, offline, {name: begun[name, case.line].result() for name in offline})


@pytest.mark.parametrize(**_each(cases.SINGLE_STARTS))
def test_many_commands_in_one_process_print_what_single_starts_print(
    case: Case, offline: Sides, begun: dict[tuple[str, str], Future[MqadminResult]]
) -> None:
    for name, side in offline.items():
        together, alone = side.run(replace(case, own_process=False)), begun[name, case.line].result()
        assert together.status == alone.status
        assert side.shape(case, together) == side.shape(case, alone)


@pytest.mark.parametrize("line", cases.OWN_TOOL)
def test_our_own_mqadmin_prints_what_apaches_prints(line: str, offline: Sides) -> None:
    """Against the same servers, and its exit status says whether it worked."""
    side, case = offline["python"], Case(line, live=NUMBERS)
    ours = side.run_own(case)
    assert (ours.status, ours.stderr) == (0, "")
    assert side.shape(case, ours) == side.shape(case, side.run(case))


def test_every_command_of_tiers_a_and_b_is_compared(offline: Sides) -> None:
    compared = {case.command for case in (*cases.ONLINE, *cases.OFFLINE, *cases.USERS, *cases.PROCESSES)}
    assert compared == {*TIER_A, *TIER_B}
    assert (len(TIER_A), len(TIER_B)) == (54, 15)
    assert registered(offline["apache"].mqadmin().stdout) == {*TIER_A, *TIER_B, *TIER_C}


def test_each_difference_is_explained_and_each_explanation_is_used() -> None:
    every = (*cases.ONLINE, *cases.OFFLINE, *cases.USERS, *cases.PROCESSES)
    used = {name for case in every for name in case.differs}
    assert used == set(DIFFERENCES)
    assert explained_entries() == used | {"tier-c", "statistics-not-kept"}


def _run(case: Case, sides: Sides) -> dict[str, MqadminResult]:
    with ThreadPoolExecutor() as pool:
        return dict(zip(sides, pool.map(lambda side: side.run(case), sides.values()), strict=True))


def _compare(case: Case, sides: Sides, results: dict[str, MqadminResult]) -> None:
    assert results["python"].status == results["apache"].status
    shapes = {name: sides[name].shape(case, result) for name, result in results.items()}
    comparison = Comparison.of(shapes["python"], shapes["apache"])
    unseen = [name for name in case.differs if not comparison.explain(name)]
    assert unseen == []
    assert (comparison.missing, comparison.more) == ([], []), f"{results['python']}\n{results['apache']}"
