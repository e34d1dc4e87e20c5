# SPDX-License-Identifier: Apache-2.0
"""Every case can run against both engines. `--engine` picks one; `--long` leaves none out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from .harness import codes
from .harness.client import ClientProcess
from .harness.cluster import Cluster
from .harness.engine import ENGINES, Engine, secured

if TYPE_CHECKING:
    from pathlib import Path

    from .harness.tls import ServerTls

StartCluster = Callable[..., Cluster]
StartClient = Callable[..., ClientProcess]
PrintFigures = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=sorted(ENGINES), help="run the cases against this engine only")
    parser.addoption("--long", action="store_true", help="run every case against Apache's engine too")

    parser.addoption("--record-codes", action="store_true", help="write down which request codes each case asks")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--record-codes") and (config.option.keyword or any("::" in arg for arg in config.args)):
        # A connection that makes the topics of many cases would pass for one that serves the only case there is.
        raise pytest.UsageError("--record-codes needs whole files")
    config.addinivalue_line("markers", "long: runs with --long or --engine alone")
    config.addinivalue_line("markers", "both: runs against Apache's engine also without --long")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--engine")
        names = [chosen] if chosen else sorted(ENGINES, reverse=True)
        metafunc.parametrize("engine", [ENGINES[name] for name in names], ids=names)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Apache's engine starts slowly and copies topics to its slaves once a minute: its full round takes ten minutes."""
    if config.getoption("--long") or config.getoption("--engine"):
        return
    kept = [item for item in items if not _is_on_apache(item) or item.get_closest_marker("both")]
    kept = [item for item in kept if not item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _is_on_apache(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and hasattr(item, "callspec") and "apache" in item.callspec.id.split("-")


@pytest.fixture(scope="module", autouse=True)
def notes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the Python engines of these tests note what they are asked. At the end it is compared with codes.json."""
    name = request.module.__name__.rpartition(".")[2]
    directory = tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTEROP_NOTES", str(directory))
        yield directory
    seen = codes.read_notes(directory, name)
    if request.config.getoption("--record-codes"):
        codes.record(seen)
    elif name in seen and _is_whole(request.config):
        assert codes.missing(seen, name) == [], f"{name} asks no longer what codes.json says; --record-codes renews it"


def _is_whole(config: pytest.Config) -> bool:
    """Whether the files of this run run whole."""
    options = config.option
    return not (options.keyword or options.markexpr or options.engine or any("::" in arg for arg in config.args))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends, in the reverse order of their start, what a case has started."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start_cluster(engine: Engine, tmp_path: Path, stack: ExitStack, request: pytest.FixtureRequest) -> StartCluster:
    """A function (mode, namesrv_count=1) that brings a cluster up; it is gone when the case ends."""

    def start(mode: str, tls: ServerTls | None = None, **options: Any) -> Cluster:
        chosen = engine if tls is None else secured(engine, tls)
        cluster = stack.enter_context(Cluster(chosen, tmp_path / mode, mode, **options))
        request.node.stash.setdefault(CLUSTERS, []).append(cluster)
        return cluster.start()

    return start


@pytest.fixture
def start_client(tmp_path: Path, stack: ExitStack) -> StartClient:
    """A function (subcommand, **options) that starts one of the official client programs."""

    def start(subcommand: str, *, java_options: tuple[str, ...] = (), **options: object) -> ClientProcess:
        return stack.enter_context(ClientProcess(tmp_path, subcommand, java_options=java_options, **options))

    return start


@pytest.fixture
def print_figures(request: pytest.FixtureRequest) -> PrintFigures:
    """A function (text) whose text is printed, with the name of the case, at the end of the run."""

    def add(text: str) -> None:
        # A report's properties come from the process that ran the case to the one that prints.
        request.node.user_properties.append((FIGURES, f"{request.node.name}: {text}"))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        for name, text in report.user_properties:
            if name == FIGURES and report.when == "call":
                terminalreporter.write_line(text)


FIGURES = "figures"
CLUSTERS = pytest.StashKey[list[Cluster]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed case shows the last lines of every server it had."""
    report = yield
    if call.when == "call" and report.failed:
        for cluster in item.stash.get(CLUSTERS, []):
            report.sections.append(("servers", cluster.tails()))
    return report
