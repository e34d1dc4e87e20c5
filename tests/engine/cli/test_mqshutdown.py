# SPDX-License-Identifier: Apache-2.0
"""mqshutdown ends the servers of one home, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.engine.cli.process import ROOT, Process, Processes, free_port, is_alive

if TYPE_CHECKING:
    from pathlib import Path


def start(run: Processes, home: Path) -> Process:
    home.mkdir(exist_ok=True)
    file = home / "namesrv.conf"
    file.write_text(f"listenPort={free_port()}\nbindAddress=127.0.0.1\n")
    process = run.rmq("mqnamesrv", "-c", file, home=home)
    process.wait_line("boot success")
    return process


def shut_down(run: Processes, home: Path, program: str = "namesrv") -> tuple[int, str]:
    process = run.start("sh", ROOT / "home" / "bin" / "mqshutdown", program, home=home)
    return process.wait(), "".join(process.output)


def test_it_stops_the_servers_of_its_own_home_and_waits_for_their_end(run: Processes) -> None:
    mine, other = run.directory / "mine", run.directory / "other"
    first, second, stranger = start(run, mine), start(run, mine), start(run, other)
    code, output = shut_down(run, mine)
    assert code == 0
    assert (first.wait(), second.wait()) == (0, 0)
    for process in (first, second):
        assert f"Send shutdown request to mqnamesrv({process.pid}) OK" in output
    assert is_alive(stranger.pid)
    code, output = shut_down(run, mine)
    assert code == 1
    assert "No mqnamesrv of" in output


def test_it_stops_the_program_that_is_named(run: Processes) -> None:
    process = start(run, run.directory)
    assert shut_down(run, run.directory, "broker")[0] == 1
    assert is_alive(process.pid)


def test_what_a_crash_left_behind_names_nobody(run: Processes) -> None:
    """The number in the file may belong to somebody else by now."""
    bystander = start(run, run.directory / "other")
    crashed = start(run, run.directory)
    crashed.kill()
    (file,) = (run.directory / "run").glob("*.pid")
    file.write_text(f"{bystander.pid}\n")
    code, output = shut_down(run, run.directory)
    assert code == 1
    assert "No mqnamesrv" in output
    assert is_alive(bystander.pid)
    assert not file.exists()
