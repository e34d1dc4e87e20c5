# SPDX-License-Identifier: Apache-2.0
"""The supervisor: what systemd would do, where there is none."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.engine.cli.process import Process, Processes, is_alive, wait_for

if TYPE_CHECKING:
    from pathlib import Path

SLEEPER = ("sh", "-c", "echo started; exec sleep 1000")


def pid_file(run: Processes) -> Path:
    return run.directory / "supervisor.pid"


def child_pid(run: Processes) -> int:
    return int((run.directory / "supervisor.pid.child").read_text())


def supervise(run: Processes, *command: str, options: tuple[str, ...] = ()) -> Process:
    return run.rmq("supervise", "--pid-file", pid_file(run), "--restart-sec", "0.05", *options, "--", *command)


def test_a_killed_child_is_started_again(run: Processes) -> None:
    supervisor = supervise(run, *SLEEPER)
    supervisor.wait_line("started")
    wait_for("the child's pid file", (run.directory / "supervisor.pid.child").exists)
    first = child_pid(run)
    assert int(pid_file(run).read_text()) == supervisor.pid
    os.kill(first, signal.SIGKILL)
    supervisor.wait_line("ended with signal 9; again in 0.05 s")
    supervisor.wait_line("started")
    wait_for("the new child's pid", lambda: child_pid(run) != first)
    assert is_alive(child_pid(run))
    assert supervisor.stop() == 0


def test_sigterm_goes_to_the_child_and_its_clean_end_is_waited_for(run: Processes) -> None:
    script = "trap 'echo cleaning; sleep 0.2; echo clean; exit 0' TERM; echo started; while :; do sleep 0.05; done"
    supervisor = supervise(run, "sh", "-c", script)
    supervisor.wait_line("started")
    assert supervisor.stop() == 0
    assert "clean\n" in supervisor.output
    assert list(run.directory.glob("supervisor.pid*")) == []


def test_a_child_that_does_not_end_is_killed_with_all_it_started(run: Processes) -> None:
    script = "trap '' TERM; sleep 1000 & echo started $!; wait; sleep 1000"
    supervisor = supervise(run, "sh", "-c", script, options=("--timeout-stop-sec", "0.3"))
    grandchild = int(supervisor.wait_line("started").split()[1])
    assert supervisor.stop() == 0
    assert "has not ended within 0.3 s: killed" in "".join(supervisor.output)
    wait_for("the grandchild's end", lambda: not is_alive(grandchild))


def test_a_command_that_ends_by_itself_is_not_started_again(run: Processes) -> None:
    supervisor = supervise(run, "sh", "-c", "echo done")
    assert supervisor.wait() == 0
    assert supervisor.output.count("done\n") == 1


def test_a_command_that_keeps_failing_is_given_up_with_its_code(run: Processes) -> None:
    supervisor = supervise(run, "sh", "-c", "echo try; exit 7", options=("--start-limit-burst", "3"))
    assert supervisor.wait() == 7
    assert supervisor.output.count("try\n") == 3
    assert "it was started 3 times: giving up" in supervisor.output[-1]
    assert not pid_file(run).exists()


def test_a_stop_between_two_starts_is_heard(run: Processes) -> None:
    supervisor = supervise(run, "sh", "-c", "exit 7", options=("--restart-sec", "1000"))
    supervisor.wait_line("again in 1000 s")
    assert supervisor.stop() == 0


def test_a_command_that_is_not_there_is_named(run: Processes) -> None:
    supervisor = supervise(run, str(run.directory / "nothing"))
    assert supervisor.wait() == 1
    assert "nothing cannot be started: No such file or directory" in supervisor.output[-1]


def test_a_second_supervisor_with_the_same_pid_file_is_refused(run: Processes) -> None:
    first = supervise(run, *SLEEPER)
    first.wait_line("started")
    second = supervise(run, *SLEEPER)
    assert second.wait() == 1
    assert f"belongs to process {first.pid}" in second.output[-1]
    assert int(pid_file(run).read_text()) == first.pid


def test_a_pid_file_that_a_crash_left_behind_is_taken_over(run: Processes) -> None:
    pid_file(run).write_text(f"{os.getpid()}\n")
    supervisor = supervise(run, *SLEEPER)
    supervisor.wait_line("started")
    assert int(pid_file(run).read_text()) == supervisor.pid


def test_the_child_does_not_outlive_a_killed_supervisor(run: Processes) -> None:
    supervisor = supervise(run, *SLEEPER)
    supervisor.wait_line("started")
    wait_for("the child's pid file", (run.directory / "supervisor.pid.child").exists)
    child = child_pid(run)
    supervisor.signal(signal.SIGKILL)
    wait_for("the child's end", lambda: not is_alive(child))


def test_output_and_environment_are_as_ordered(run: Processes) -> None:
    log = run.directory / "logs" / "console.log"
    supervisor = supervise(
        run, "sh", "-c", 'echo "$GREETING"; echo oops >&2', options=("--env", "GREETING=a=b", "--log", str(log))
    )
    assert supervisor.wait() == 0
    assert log.read_text() == "a=b\noops\nsupervise: the command ended by itself\n"
    assert supervisor.output == []


def test_a_large_console_log_is_set_aside_once(run: Processes) -> None:
    log = run.directory / "console.log"
    with log.open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    assert supervise(run, "echo", "new", options=("--log", str(log))).wait() == 0
    assert log.read_text().startswith("new\n")
    assert (run.directory / "console.log.1").stat().st_size == 17 * 1024 * 1024


def test_it_goes_to_the_background_where_asked(run: Processes) -> None:
    log = str(run.directory / "console.log")
    command = supervise(run, *SLEEPER, options=("--detach", "--log", log))
    assert command.wait() == 0
    wait_for("the child", lambda: (run.directory / "supervisor.pid.child").exists() and is_alive(child_pid(run)))
    supervisor = int(pid_file(run).read_text())
    assert os.getsid(supervisor) == supervisor
    os.kill(supervisor, signal.SIGTERM)
    wait_for("the supervisor's end", lambda: not is_alive(supervisor))
    assert not pid_file(run).exists()
