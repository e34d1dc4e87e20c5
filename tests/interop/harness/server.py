# SPDX-License-Identifier: Apache-2.0
"""One server process of either engine: start, boot line, kill -9, freeze, clean stop."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .waiting import DeadlineError, wait_for

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence
    from pathlib import Path

# A JVM beside five others on two busy cores.
_BOOT_DEADLINE_S = 90.0
_STOP_DEADLINE_S = 60.0
_TAIL_LINES = 40


@dataclass
class Server:
    """A server on this machine. It belongs to its `Cluster`, which ends it."""

    name: str
    address: str
    argv: Sequence[str]
    env: dict[str, str]
    directory: Path
    boot_line: re.Pattern[str]
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _output_start: int = 0

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def output(self) -> Path:
        return self.directory / "output.log"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the process; returns at once. `wait_booted` comes next."""
        if self.is_alive:
            raise RuntimeError(f"{self.name} runs already")
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self._output_start = output.tell()
            self._process = subprocess.Popen(
                self.argv,
                env=os.environ | self.env,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_booted(self) -> None:
        wait_for(f"boot line of {self.name}", self._has_booted, within_s=_BOOT_DEADLINE_S, detail=self.tail)

    def _has_booted(self) -> bool:
        with self.output.open("rb") as output:
            output.seek(self._output_start)
            text = output.read().decode(errors="replace")
        if self.boot_line.search(text):
            return True
        if not self.is_alive:
            raise DeadlineError(f"{self.name} ended before its boot line\n{self.tail()}")
        return False

    def kill(self) -> None:
        """kill -9: nothing is flushed, nothing is unregistered."""
        self._signal(signal.SIGKILL)
        self._wait_ended()

    def stop(self) -> int:
        """A clean stop; returns the exit status."""
        self._signal(signal.SIGTERM)
        return self._wait_ended()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """However it is, it is gone afterwards."""
        if self.is_alive:
            self.kill()

    def tail(self) -> str:
        """The last lines of everything this server wrote."""
        texts = []
        for log in (*self.directory.glob("*.log"), *self.directory.glob("logs/rocketmqlogs/*.log")):
            lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
            texts.append(f"--- {self.name}: {log.relative_to(self.directory)}\n" + "\n".join(lines))
        return "\n".join(texts)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} does not run")
        self._process.send_signal(number)

    def _wait_ended(self) -> int:
        assert self._process is not None
        try:
            return self._process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise DeadlineError(f"{self.name} did not end within {_STOP_DEADLINE_S:g} s\n{self.tail()}") from None
