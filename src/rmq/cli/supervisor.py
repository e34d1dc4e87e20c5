# SPDX-License-Identifier: Apache-2.0
"""`supervise --pid-file P -- COMMAND ...`: run a command, and again when it fails, where there is no systemd.

As a unit with Restart=on-failure, RestartSec, StartLimitBurst, StartLimitIntervalSec and TimeoutStopSec would:

    the child ends with         the supervisor code 0                      ends with 0 another code, or a signal
    starts it again after RestartSec; ends with its code after too many starts in the interval (SIGTERM or SIGINT to
    us)   sends SIGTERM to the child, waits, kills it after TimeoutStopSec, ends with 0

Works for any command. The child gets SIGTERM when the supervisor dies, so that nothing runs on unseen.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .pid_file import PidFile, PidFileTaken, write_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

# A console log holds boot lines and what a crash says; beyond this it is set aside at the next start, once.
LOG_BYTES_MAX = 16 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


@dataclass(frozen=True)
class Order:
    """What to run and how. Times in seconds, as systemd's keys of the same names have them."""

    command: tuple[str, ...]
    environment: dict[str, str]
    pid_file: Path
    child_pid_file: Path
    log: Path | None
    restart_s: float
    start_limit: int
    start_limit_interval_s: float
    stop_timeout_s: float


def main(argv: Sequence[str]) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    if not options.command:
        parser.error("a command is needed after --")
    try:
        environment = dict(_assignment(text) for text in options.env)
    except ValueError as error:
        parser.error(str(error))
    order = Order(
        command=tuple(options.command),
        environment=environment,
        pid_file=options.pid_file,
        child_pid_file=options.child_pid_file or options.pid_file.with_name(options.pid_file.name + ".child"),
        log=options.log,
        restart_s=options.restart_sec,
        start_limit=options.start_limit_burst,
        start_limit_interval_s=options.start_limit_interval_sec,
        stop_timeout_s=options.timeout_stop_sec,
    )
    if options.detach and not _detach():
        return 0
    return supervise(order)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("supervise", description="Run a command, and again when it fails.")
    parser.add_argument("--pid-file", type=Path, required=True, help="the supervisor's own; a second one is refused")
    parser.add_argument("--child-pid-file", type=Path, help="default: the pid file's name with .child behind it")
    parser.add_argument("--log", type=Path, help="where output goes; default: where the supervisor's goes")
    parser.add_argument("--env", action="append", default=[], metavar="K=V", help="for the child's environment")
    parser.add_argument("--detach", action="store_true", help="go to the background (give a --log too)")
    parser.add_argument("--restart-sec", type=float, default=5.0)
    parser.add_argument("--start-limit-burst", type=int, default=5)
    parser.add_argument("--start-limit-interval-sec", type=float, default=300.0)
    parser.add_argument("--timeout-stop-sec", type=float, default=120.0)
    parser.add_argument("command", nargs="*", help="after --")
    return parser


def _assignment(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise ValueError(f"--env {text}: write NAME=VALUE")
    return name, value


def _detach() -> bool:
    """False in the process that was called, which ends; True in the one that goes on, without terminal and pipes."""
    if os.fork():
        return False
    os.setsid()
    with Path(os.devnull).open("r+b") as nowhere:
        for descriptor in (0, 1, 2):
            os.dup2(nowhere.fileno(), descriptor)
    return True


def supervise(order: Order) -> int:
    """Until the end of it; the exit code."""
    try:
        pid_file = PidFile(order.pid_file)
    except (OSError, PidFileTaken) as error:
        print(f"supervise: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 1
    # Held back here and taken one by one in Supervisor._next_signal: no handler, no race.
    old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return Supervisor(order, old_mask).run()
    finally:
        order.child_pid_file.unlink(missing_ok=True)
        pid_file.remove()
        signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)


class Supervisor:
    """Runs one child at a time. Needs _SIGNALS blocked; child_mask is what the child gets instead."""

    def __init__(self, order: Order, child_mask: set[signal.Signals] | set[int]) -> None:
        self._order = order
        self._child_mask = child_mask
        self._starts: deque[float] = deque()

    def run(self) -> int:
        while True:
            child = self._start()
            if child is None:
                return 1
            code = self._watch(child)
            if code is None:
                return 0
            if code == 0:
                self._say("the command ended by itself")
                return 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            if self._too_many_starts():
                self._say(f"the command ended with {how}; it was started {len(self._starts)} times: giving up")
                return code if code > 0 else 128 - code
            self._say(f"the command ended with {how}; again in {self._order.restart_s:g} s")
            if self._next_signal(self._order.restart_s) is not None:
                return 0

    def _start(self) -> subprocess.Popen[bytes] | None:
        self._starts.append(time.monotonic())
        log = self._open_log()
        parent = os.getpid()
        prctl = ctypes.CDLL(None, use_errno=True).prctl

        def in_child() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._child_mask)
            prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        try:
            child = subprocess.Popen(
                self._order.command,
                env={**os.environ, **self._order.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=in_child,  # noqa: PLW1509 (one thread: nothing is held at the fork)
            )
        except OSError as error:
            self._say(f"{self._order.command[0]} cannot be started: {error.strerror}")
            return None
        finally:
            if log is not None:
                os.close(log)
        write_plain(self._order.child_pid_file, child.pid)
        return child

    def _open_log(self) -> int | None:
        path = self._order.log
        if path is None:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > LOG_BYTES_MAX:
                path.replace(path.with_name(path.name + ".1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def _watch(self, child: subprocess.Popen[bytes]) -> int | None:
        """The child's end as Popen has it (a signal is negative), or None when it was stopped on request."""
        while True:
            code = child.poll()
            if code is not None:
                return code
            if self._next_signal(None) is not None:
                self._stop(child)
                return None

    def _stop(self, child: subprocess.Popen[bytes]) -> None:
        child.terminate()
        deadline = time.monotonic() + self._order.stop_timeout_s
        while child.poll() is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                self._say(f"the command has not ended within {self._order.stop_timeout_s:g} s: killed")
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                return
            signal.sigtimedwait(_SIGNALS, remaining)

    def _next_signal(self, timeout_s: float | None) -> int | None:
        """Wait for a signal to stop, or for news of the child (None); with a time-out, for the former alone."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if deadline is None:
                number = signal.sigwait(_SIGNALS)
            else:
                found = signal.sigtimedwait(_SIGNALS, max(0.0, deadline - time.monotonic()))
                if found is None:
                    return None
                number = signal.Signals(found.si_signo)
            if number != signal.SIGCHLD:
                return number
            if deadline is None:
                return None

    def _too_many_starts(self) -> bool:
        since = time.monotonic() - self._order.start_limit_interval_s
        while self._starts and self._starts[0] < since:
            self._starts.popleft()
        return len(self._starts) >= self._order.start_limit

    def _say(self, text: str) -> None:
        line = f"supervise: {text}\n"
        log = self._open_log()
        if log is None:
            sys.stderr.write(line)
            sys.stderr.flush()
        else:
            os.write(log, line.encode())
            os.close(log)
