# SPDX-License-Identifier: Apache-2.0
"""Real processes of the engine, each in a home of its own, awaited by what they write."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[3]
# A start takes a fifth of a second; a busy machine may take many times that.
DEADLINE_S = 30.0
RMQ = (sys.executable, "-m", "rmq.cli.main")


class Process:
    """A child with its output, killed at the latest by `processes`."""

    def __init__(self, command: Sequence[str | Path], environment: dict[str, str]) -> None:
        self.popen = subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.pid = self.popen.pid
        self.output: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def wait_line(self, text: str) -> str:
        """The next line that holds text. Fails with all output when the process ends or the deadline passes first."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"no line with {text!r} in:\n{''.join(self.output)}"
            self.output.append(line)
            if text in line:
                return line

    def wait(self) -> int:
        """The exit code; `output` is complete then."""
        code = self.popen.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        with contextlib.suppress(queue.Empty):
            while (line := self._lines.get_nowait()) is not None:
                self.output.append(line)
        return code

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.popen.kill()
        self.wait()


class Processes:
    """Starts them and, at the end of the test, ends those that are left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[Process] = []

    def environment(self, home: Path | None = None) -> dict[str, str]:
        """Everything a process writes stays under home."""
        home = home or self.directory
        home.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        roots = f"{ROOT / 'plugins' / 'module_utils'}:{ROOT / 'src'}"
        return {**kept, "HOME": str(home), "ROCKETMQ_HOME": str(home), "PYTHONPATH": roots}

    def start(self, *command: str | Path, home: Path | None = None, **environment: str) -> Process:
        process = Process(command, self.environment(home) | environment)
        self._started.append(process)
        return process

    def rmq(self, *arguments: str | Path, home: Path | None = None, **environment: str) -> Process:
        return self.start(*RMQ, *arguments, home=home, **environment)

    @property
    def last(self) -> Process:
        """The one that was started last."""
        return self._started[-1]

    def end(self) -> None:
        for process in self._started:
            if process.popen.poll() is None:
                process.popen.kill()
            process.wait()


@contextlib.contextmanager
def processes(directory: Path) -> Iterator[Processes]:
    made = Processes(directory)
    try:
        yield made
    finally:
        made.end()


def free_port() -> int:
    """A port that is free together with those two below and one above, which a broker takes as well."""
    while True:
        with contextlib.ExitStack() as stack:
            try:
                port = _bind(stack, 0)
                for neighbour in (port - 2, port + 1):
                    _bind(stack, neighbour)
            except OSError:
                continue
            return port


def _bind(stack: contextlib.ExitStack, port: int) -> int:
    probe = stack.enter_context(socket.socket())
    probe.bind(("127.0.0.1", port))
    return int(probe.getsockname()[1])


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    """Look until condition holds. For files and processes that send no event; fails after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_S:g} s"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")
