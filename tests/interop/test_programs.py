# SPDX-License-Identifier: Apache-2.0
"""One set of programs, by official clients, on both engines: each prints what programs/expected/ says.

One cluster for each engine, one process for each client on it: the first cell that asks for them starts them, with all
the cases that this run wants of that client.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from .harness import codes, programs
from .harness.cluster import Cluster
from .harness.engine import ENGINES, ROOT
from .programs.cases import BY_NAME, CLIENTS, DIFFERENCES, JAVA_5, PENDING, runnable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Cell = tuple[str, str, str]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Apache's own cells run with one client unless --long: what they would show is known from expected/."""
    chosen = metafunc.config.getoption("--engine")
    if "codes_cell" in metafunc.fixturenames:
        pairs = [(case.name, client) for client in CLIENTS for case in runnable(client) if case.name not in PENDING]
        metafunc.parametrize("codes_cell", pairs if chosen != "apache" else [], ids=lambda pair: "-".join(pair[::-1]))
    if "cell" not in metafunc.fixturenames:
        return
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

    def long_headers(self, cases: list[str]) -> dict[str, str]:
        """What a client prints that is told to write the fields of its sends in full."""
        cluster, prefix = self._cluster("python"), programs.prefix_of(JAVA_5, "long")
        programs.prepare(cases, cluster.namesrv_addr, prefix)
        options = "-Dorg.apache.rocketmq.client.sendSmartMsg=false"
        directory = cluster.directory / "long"
        return programs.run(JAVA_5, cases, cluster.namesrv_addr, prefix, directory, java_options=options)

    def _run(self, client: str, engine: str) -> dict[str, str] | programs.ProgramError:
        names = sorted({cell[0] for cell in self._wanted if cell[1:] == (client, engine)})
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
    wanted = [cell for spec in specs if spec is not None for cell in _cells(spec.params)]
    with ExitStack() as stack:
        yield Tables(tmp_path_factory, wanted, stack)


def _cells(params: dict[str, Any]) -> list[Cell]:
    # A test whose list of cells is empty is there all the same, with no cell.
    if isinstance(pair := params.get("codes_cell"), tuple):
        return [(*pair, "python")]
    return [params["cell"]] if "cell" in params else []


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


@pytest.mark.timeout(200)
def test_a_client_that_writes_its_headers_in_full_prints_the_same(tables: Tables) -> None:
    """Codes 10 and 324, which clients used before 310 and 325."""
    transcripts = tables.long_headers(["plain", "reply"])
    assert transcripts == {case: programs.expected(case) for case in ("plain", "reply")}


@pytest.mark.timeout(600)
def test_program_reaches_the_request_codes_that_it_is_there_for(
    codes_cell: tuple[str, str], tables: Tables, notes: Path
) -> None:
    """What was measured last time is in codes.json; docs/COMPATIBILITY.md is made of it."""
    case, client = codes_cell
    tables.transcript((case, client, "python"))
    assert codes.missing(codes.read_notes(notes, "others"), f"{client} {case}") == []


def test_each_difference_has_its_reason() -> None:
    text = (ROOT / "tests" / "interop" / "differences.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^## (\S+)$", text, flags=re.MULTILINE))
    assert set(DIFFERENCES.values()) <= headings


def test_each_transcript_has_its_case() -> None:
    names = {file.name.split(".")[0] for file in programs.EXPECTED.glob("*.txt")}
    assert names == set(BY_NAME)
