# SPDX-License-Identifier: Apache-2.0
"""One set of programs, by official clients, on both engines: each prints what programs/expected/ says.

One cluster for each engine, one process for each client on it: the first cell that asks for them starts them, with all
the cases that this run wants of that client.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .harness import programs
from .harness.cluster import Cluster
from .harness.engine import ENGINES, ROOT
from .programs.cases import BY_NAME, CLIENTS, DIFFERENCES, JAVA_5, PENDING, runnable

if TYPE_CHECKING:
    from collections.abc import Iterator

Cell = tuple[str, str, str]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Apache's own cells run with one client unless --long: what they would show is known from expected/."""
    if "cell" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--engine")
    cells = [
        pytest.param(
            (case.name, client, engine),
            id=f"{engine}-{client}-{case.name}",
            marks=[pytest.mark.both] if client == JAVA_5 else [],
        )
        for engine in ([chosen] if chosen else ENGINES)
        for client in CLIENTS
        for case in runnable(client)
        if not (engine == "python" and case.name in PENDING)
    ]
    metafunc.parametrize("cell", cells)


class Tables:
    """The transcripts of this session, made when they are asked for the first time."""

    def __init__(self, directory: pytest.TempPathFactory, wanted: list[Cell], stack: ExitStack) -> None:
        self._directory = directory
        self._wanted = wanted
        self._stack = stack
        self._clusters: dict[str, Cluster] = {}
        self._transcripts: dict[tuple[str, str], dict[str, str] | programs.ProgramError] = {}

    def transcript(self, cell: Cell) -> str:
        case, client, engine = cell
        if (client, engine) not in self._transcripts:
            self._transcripts[client, engine] = self._run(client, engine)
        transcripts = self._transcripts[client, engine]
        if isinstance(transcripts, programs.ProgramError):
            raise transcripts
        return transcripts[case]

    def _run(self, client: str, engine: str) -> dict[str, str] | programs.ProgramError:
        names = [cell[0] for cell in self._wanted if cell[1:] == (client, engine)]
        cluster, prefix = self._cluster(engine), programs.prefix_of(client)
        programs.prepare(names, cluster.namesrv_addr, prefix)
        try:
            return programs.run(client, names, cluster.namesrv_addr, prefix, cluster.directory / client)
        except programs.ProgramError as error:
            return error

    def _cluster(self, engine: str) -> Cluster:
        if engine not in self._clusters:
            cluster = Cluster(ENGINES[engine], self._directory.mktemp(engine) / "cluster", "2m-noslave")
            self._clusters[engine] = self._stack.enter_context(cluster).start()
        return self._clusters[engine]


@pytest.fixture(scope="module")
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    wanted = [spec.params["cell"] for spec in specs if spec is not None and "cell" in spec.params]
    with ExitStack() as stack:
        yield Tables(tmp_path_factory, wanted, stack)


@pytest.mark.timeout(600)
def test_program_prints_what_it_prints_everywhere(cell: Cell, tables: Tables) -> None:
    case, _, engine = cell
    transcript = tables.transcript(cell)
    if cell not in DIFFERENCES:
        assert transcript == programs.expected(case)
        return
    assert transcript != programs.expected(case), f"it is as everywhere now: take {cell} out of DIFFERENCES"
    if (programs.EXPECTED / f"{case}.{engine}.txt").exists():
        assert transcript == programs.expected(f"{case}.{engine}")


def test_each_difference_has_its_reason() -> None:
    text = (ROOT / "tests" / "interop" / "differences.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (\S+)$", text, flags=re.MULTILINE))
    assert set(DIFFERENCES.values()) <= headings


def test_each_transcript_has_its_case() -> None:
    names = {file.name.split(".")[0] for file in programs.EXPECTED.glob("*.txt")}
    assert names == set(BY_NAME)
