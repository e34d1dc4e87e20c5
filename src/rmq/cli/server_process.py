# SPDX-License-Identifier: Apache-2.0
"""The life of a server process, name server or broker, from its first line to its exit code.

starting  log open, pid file, load (may take minutes after a crash), listen
up        boot line on stdout and in the log
ready     told to systemd: registered at one name server, or READY_WITHIN_MS has passed
stopping  SIGTERM, SIGINT: unregister, flush, remove the abort file; exit code 0
failed    the cause in one line on stderr and in the log; exit code 1
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..runtime import AsyncioReactor, SystemDisk
from ..runtime.logs import close_log, default_directory, open_log
from ..topology.boot_line import write_failure
from .pid_file import PidFile, PidFileTaken, run_directory
from .process_limits import raise_open_files
from .service_manager import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Reactor
    from ..topology.kind import Kind

# A broker whose name servers are all away is up all the same: it registers when they come.
READY_WITHIN_MS = 20_000
READY_LOOK_MS = 50
# Objects between two looks of the collector; most garbage here has no cycles and is gone without it.
GC_THRESHOLD = 50_000

EXIT_FAILED = 1
# After this the system ends a process whose disk has failed, whatever it waits for.
FAILED_STOP_WITHIN_S = 30


class StartError(Exception):
    """The process cannot start; the text is the cause in one line, made for the user."""


class Server(Protocol):
    """What a program of ours has to be able to do. Both calls that take long come before the loop runs."""

    def start(self) -> str:
        """Load, listen, and return the boot line. Raises StartError; anything else is a bug of ours."""
        ...

    def is_ready(self) -> bool:
        """Whether clients can find this server already."""
        ...

    def stop(self, stopped: Callable[[], None]) -> None:
        """Stop cleanly, on the loop; call stopped when everything is on disk and all who need to know know."""
        ...


class ServerProcess:
    """One for the process. `run` returns its exit code."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._manager = ServiceManager()
        self._log = logging.getLogger("rmq.cli")
        self._exit_code = 0
        self._is_stopping = False
        self._pid_file: PidFile | None = None

    def run(self, make_server: Callable[[AsyncioReactor, SystemDisk], Server]) -> int:
        """make_server reads the settings and builds the server; it may raise StartError."""
        faulthandler.enable()
        raise_open_files()
        # Without a log file nothing is logged: what has to be on stderr is printed.
        logging.lastResort = logging.NullHandler()
        try:
            logger = open_log(default_directory(), f"{self._kind.value}.log")
        except OSError as error:
            return self._failed(f"the log cannot be written: {error}")
        try:
            with AsyncioReactor(log=logging.getLogger("rmq.runtime")) as reactor:
                self._run(reactor, make_server)
        except StartError as error:
            return self._failed(str(error))
        except Exception as error:
            self._log.exception("start failed")
            return self._failed(f"{type(error).__name__}: {error}")
        finally:
            if self._pid_file is not None:
                self._pid_file.remove()
            close_log(logger)
        return self._exit_code

    def name(self, node: str) -> None:
        """How log lines call this process: several of one machine may share a log."""
        threading.current_thread().name = node

    def fail(self, cause: str) -> None:
        """End the process, although it was up: it cannot keep its promises any more. What can be put away is put away;
        a disk that never answers does not hold up the end."""
        self._exit_code = self._tell(f"The {self._kind.value} failed: {' '.join(cause.split())}")
        signal.alarm(FAILED_STOP_WITHIN_S)
        os.kill(os.getpid(), signal.SIGTERM)

    def _run(self, reactor: AsyncioReactor, make_server: Callable[[AsyncioReactor, SystemDisk], Server]) -> None:
        server = make_server(reactor, SystemDisk())
        self._take_pid_file()
        boot_line = server.start()
        self._log.info("process %d, %s, %s", os.getpid(), sys.version.split()[0], reactor.loop_name)
        self._on_signals(reactor, server)
        # What is alive now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        self._log.info("%s", boot_line)
        print(boot_line, flush=True)  # noqa: T201 (what the guide tells its readers to look for)
        announce(reactor, server.is_ready, lambda: self._manager.ready("serving"))
        self._keep_alive(reactor)
        reactor.run()
        self._log.info("stopped")

    def _take_pid_file(self) -> None:
        """For mqshutdown. Under systemd the home is not ours to write, and systemd stops us: go without."""
        home = rocketmq_home()
        if home is None:
            return
        path = run_directory(home) / f"{self._kind.value}-{os.getpid()}.pid"
        try:
            self._pid_file = PidFile(path)
        except (OSError, PidFileTaken) as error:
            self._log.info("no pid file, so mqshutdown will not find this process: %s", error)

    def _on_signals(self, reactor: AsyncioReactor, server: Server) -> None:
        reactor.on_signal(signal.SIGTERM, lambda: self._stop(reactor, server))
        for number in (signal.SIGINT, signal.SIGHUP):
            # nohup and a shell's & say by SIG_IGN that these are not meant for us.
            if signal.getsignal(number) is not signal.SIG_IGN:
                reactor.on_signal(number, lambda: self._stop(reactor, server))

    def _stop(self, reactor: AsyncioReactor, server: Server) -> None:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._log.info("stopping")
        self._manager.stopping()
        try:
            server.stop(reactor.stop)
        except Exception:
            self._log.exception("the stop was not clean")
            self._exit_code = EXIT_FAILED
            reactor.stop()

    def _keep_alive(self, reactor: AsyncioReactor) -> None:
        """From the loop, so that a loop that hangs is noticed."""
        interval_ms = self._manager.watchdog_interval_ms
        if interval_ms is not None:
            self._manager.alive()
            reactor.call_later(interval_ms, lambda: self._keep_alive(reactor))

    def _failed(self, cause: str) -> int:
        return self._tell(write_failure(self._kind, cause))

    def _tell(self, line: str) -> int:
        self._log.error("%s", line)
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)  # noqa: T201
        return EXIT_FAILED


def announce(reactor: Reactor, is_ready: Callable[[], bool], tell: Callable[[], None]) -> None:
    """Call tell once: when is_ready says so, or READY_WITHIN_MS from now."""
    latest_ms = reactor.clock.monotonic_ms() + READY_WITHIN_MS

    def look() -> None:
        if is_ready() or reactor.clock.monotonic_ms() >= latest_ms:
            tell()
        else:
            reactor.call_later(READY_LOOK_MS, look)

    look()


def rocketmq_home() -> Path | None:
    """ROCKETMQ_HOME, which the commands in bin/ set."""
    value = os.environ.get("ROCKETMQ_HOME", "")
    return Path(value) if value else None
