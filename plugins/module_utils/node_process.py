# Copyright: Contributors to the RocketMQ cluster collection
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of one node: is it there, start it, stop it.

Two service managers with one face: systemd where it is PID 1 and we are root, else the engine's own supervisor, which
holds a pid file and restarts its child as a unit with ``Restart=on-failure`` would.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Tuple

_POLL_S = 0.05
# A detached supervisor has its child within a second; a busy machine gets the benefit of the doubt.
_CHILD_S = 20.0


class NodeProcessError(Exception):
    """The service manager did not do as it was told; the text says what it answered."""


@dataclass(frozen=True)
class Status:
    """``main_pid`` is what the service manager holds (with systemd the node itself, else the supervisor);
    ``pid`` is the name server or broker; ``held``: it runs, or will be started again without us."""

    main_pid: Optional[int] = None
    pid: Optional[int] = None
    held: bool = False

    @property
    def running(self) -> bool:
        """Whether the node runs now; a service manager that waits before its next try does not count."""
        return self.pid is not None


@dataclass(frozen=True)
class Clock:
    """Time as the waits see it, so that tests need not wait."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class NodeProcess:
    """What both service managers can do."""

    def status(self) -> Status:
        raise NotImplementedError

    def start(self) -> Status:
        """Start it and return without waiting for the boot line.  Raises :class:`NodeProcessError`."""
        raise NotImplementedError

    def stop(self, timeout_s: float) -> None:
        """End it and wait until it is gone.  Raises :class:`NodeProcessError` after ``timeout_s``."""
        raise NotImplementedError


# ---- systemd ------------------------------------------------------------------------------------------------------


class SystemdUnit(NodeProcess):
    """A system unit; its file has been written already."""

    def __init__(self, unit: str, run: Callable[[List[str]], Tuple[int, str]]) -> None:
        self._unit = unit
        self._run = run

    def status(self) -> Status:
        state = self._show("MainPID", "ActiveState")
        pid = int(state.get("MainPID") or 0) or None
        return Status(pid, pid, state.get("ActiveState") not in ("inactive", "failed", None))

    def start(self) -> Status:
        state = self._show("NeedDaemonReload", "UnitFileState", "LoadState")
        if state.get("NeedDaemonReload") == "yes" or state.get("LoadState") != "loaded":
            self._do("daemon-reload")
        if state.get("UnitFileState") != "enabled":
            self._do("enable", "--quiet", self._unit)
        # A unit that failed too often would refuse to start although what it failed at has been mended.
        self._run(["systemctl", "reset-failed", self._unit])
        # Not to be waited for here: a unit of Type=notify that dies would take its reason into systemd's journal,
        # while the wait for the boot line shows it.
        self._do("start", "--no-block", self._unit)
        return self._appeared()

    def stop(self, timeout_s: float) -> None:
        # The unit's own TimeoutStopSec ends the wait.
        self._do("stop", self._unit)

    def _appeared(self) -> Status:
        deadline = time.monotonic() + _CHILD_S
        while time.monotonic() < deadline:
            status = self.status()
            if status.running or self._show("ActiveState").get("ActiveState") == "failed":
                return status
            time.sleep(_POLL_S)
        return Status()

    def _show(self, *properties: str) -> Dict[str, str]:
        code, output = self._run(["systemctl", "show", "--property", ",".join(properties), self._unit])
        if code != 0:
            raise NodeProcessError(f"systemctl show {self._unit}: {output.strip()}")
        return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)

    def _do(self, *arguments: str) -> None:
        code, output = self._run(["systemctl", *arguments])
        if code != 0:
            raise NodeProcessError(f"systemctl {' '.join(arguments)}: {output.strip() or f'exit code {code}'}")


# ---- the engine's supervisor --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Launch:
    """How the supervisor is started: its command line, what it finds in its environment, where its output goes."""

    command: List[str]
    environment: Dict[str, str]
    console_file: str


class Supervised(NodeProcess):
    """A detached supervisor that keeps ``pid_file``; its command line names that file, so a stale file with the
    number of a stranger is seen for what it is."""

    def __init__(self, pid_file: str, launch: Optional[Launch] = None, clock: Clock = Clock()) -> None:
        self._launch = launch
        self._pid_file = pid_file
        # The supervisor's own name for it.
        self._child_file = f"{pid_file}.child"
        self._clock = clock

    def status(self) -> Status:
        main_pid = self._supervisor()
        return Status(main_pid, child_of(main_pid), True) if main_pid else Status()

    def start(self) -> Status:
        launch = self._launch
        if launch is None or not launch.command:
            raise NodeProcessError("a supervised node needs its command line to be started")
        if os.path.exists(self._child_file):
            os.unlink(self._child_file)
        with open(launch.console_file, "ab") as output:
            # It goes to the background by itself, so this ends at once.
            code = subprocess.run(
                launch.command,
                cwd=os.path.dirname(self._pid_file),
                env=dict(os.environ, **launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                close_fds=True,
                check=False,
            ).returncode
        if code != 0:
            raise NodeProcessError(f"the supervisor ended with exit code {code}; see {launch.console_file}")
        return self._appeared()

    def _appeared(self) -> Status:
        """The child, or none where it has ended already: the supervisor notes its first child when it has one."""
        deadline = self._clock.monotonic() + _CHILD_S
        while self._clock.monotonic() < deadline:
            status = self.status()
            if status.pid is not None or os.path.exists(self._child_file):
                return status
            self._clock.sleep(_POLL_S)
        return Status()

    def stop(self, timeout_s: float) -> None:
        status = self.status()
        if status.main_pid is None:
            return
        os.kill(status.main_pid, signal.SIGTERM)
        deadline = self._clock.monotonic() + timeout_s
        left = [pid for pid in (status.main_pid, status.pid) if pid is not None]
        while any(is_alive(pid) for pid in left):
            if self._clock.monotonic() >= deadline:
                raise NodeProcessError(f"process {status.pid or status.main_pid} has not ended after {timeout_s:.0f} s")
            self._clock.sleep(_POLL_S)

    def _supervisor(self) -> Optional[int]:
        try:
            with open(self._pid_file) as source:
                pid = int(source.read(32).strip())
            with open(f"/proc/{pid}/cmdline", "rb") as source:
                arguments = source.read().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if self._pid_file.encode() in arguments and is_alive(pid) else None


def child_of(pid: int) -> Optional[int]:
    """The first child of a process, if it has one."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as source:
            children = source.read().split()
    except OSError:
        return None
    return int(children[0]) if children else None


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits for its parent to notice does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as source:
            return source.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return False


# ---- what it was started with -------------------------------------------------------------------------------------


def write_started(path: str, fingerprint: str) -> None:
    """Note what the node was started with; :func:`read_started` tells a later run whether that is still what is
    wanted."""
    temporary = f"{path}.new"
    with open(temporary, "w") as output:
        json.dump({"fingerprint": fingerprint}, output)
    os.replace(temporary, path)


def read_started(path: str) -> str:
    """The fingerprint of the last start, or an empty text."""
    try:
        with open(path) as source:
            value = json.load(source)
    except (OSError, ValueError):
        return ""
    return str(value.get("fingerprint", "")) if isinstance(value, dict) else ""
