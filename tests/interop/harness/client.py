# SPDX-License-Identifier: Apache-2.0
"""Apache's own client programs, run as processes: the test reads what they print, line by line.

ready (all): the client has started.
sent (produce, session): key (of a batch: keys with commas), status, msgId, offsetMsgId, broker, queueId, queueOffset,
    millis (produce);
recalled (produce): key, msgId.
sent (transact): key, status. checked (transact): key: the broker has asked about this half message.
posted (produce, one-way): key.
checked (session): key, answer: the broker has asked what became of a transaction.
calm (session): everything of a flood is answered.
failed (produce, session): key, code (of the broker, or null), error, millis.
received (push, lite-pull, pull, pop, pop-batch): key, tag, broker, servedBy, storeHost, queueId, queueOffset,
    physicalOffset, reconsumeTimes, msgId, bodyBytes, intact, lagMillis.
acknowledged (pop-batch): status, count: one request for so many messages.
queue (pull): broker, queueId, min, max.
answered (calls): name, code, remark, body: the answer to one request.
answer (mqadmin): status, stdout, stderr: of one command.
done (all): next (produce); commands (mqadmin); distinct, received (the others).

`servedBy` is the address whose connection brought the message (of a pop client: "pop" or "pull"); `storeHost` is
written in the record and stays the master's on a slave.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from .engine import java_argv
from .waiting import DeadlineError, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Event = dict[str, Any]

# Quick to start rather than quick in the long run.
_SMALL_JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_START_DEADLINE_S = 60.0
_END_DEADLINE_S = 60.0


class ClientProcess:
    """One client program. Use it as a context; it ends when its standard input closes."""

    def __init__(self, directory: Path, subcommand: str, *, java_options: Any = (), **options: object) -> None:
        """java_options: a tuple of texts; Any, so that callers may hand in their options as one dict."""
        self.subcommand = subcommand
        self.events: list[Event] = []
        flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
        jvm = (*_SMALL_JVM, f"-Duser.home={directory}", f"-Djava.io.tmpdir={directory}", *java_options)
        logback = "mqadmin.logback.xml" if subcommand == "mqadmin" else "client.logback.xml"
        argv = [*java_argv("interop.ClientTool", logback=logback, options=jvm), subcommand, *flags]
        self._errors = directory / f"{subcommand}-{id(self):x}.log"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=directory
            )
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def __enter__(self) -> ClientProcess:
        return self

    def __exit__(self, *unused: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def of(self, event: str) -> list[Event]:
        return [seen for seen in self.events.copy() if seen["event"] == event]

    def acknowledged(self, status: str = "SEND_OK") -> list[str]:
        """The keys of all messages that were answered with this status."""
        return [key for sent in self.of("sent") if sent["status"] == status for key in sent["key"].split(",")]

    def received_keys(self) -> list[str]:
        return [received["key"] for received in self.of("received")]

    def wait(self, what: str, condition: Callable[[ClientProcess], bool], *, within_s: float) -> None:
        """Waits for something to be true of the events so far; ends at once when the program has ended without it."""

        def look() -> bool:
            ended = self._process.poll() is not None and not self._reader.is_alive()
            if condition(self):
                return True
            if ended:
                raise DeadlineError(f"{self.subcommand} ended without {what}\n{self.tail()}")
            return False

        wait_for(what, look, within_s=within_s, detail=self.tail)

    def wait_ready(self) -> ClientProcess:
        self.wait("start of the client", lambda client: bool(client.of("ready")), within_s=_START_DEADLINE_S)
        return self

    def freeze(self) -> None:
        """The client stands still; what it would have read stays on the broker."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def close_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def finish(self, within_s: float = _END_DEADLINE_S) -> Event:
        """Waits for the program to end by itself; returns its `done` line."""
        try:
            status = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise DeadlineError(f"{self.subcommand} runs on after {within_s:g} s\n{self.tail()}") from None
        self._reader.join()
        if status != 0 or not self.of("done"):
            raise DeadlineError(f"{self.subcommand} ended with status {status}\n{self.tail()}")
        return self.of("done")[0]

    def tail(self) -> str:
        errors = self._errors.read_text(errors="replace").splitlines()[-30:]
        last = [json.dumps(event) for event in self.events[-10:]]
        return "\n".join([f"--- {self.subcommand}: last events", *last, "--- its log", *errors])

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                self.events.append(json.loads(line))


@dataclass(frozen=True)
class MqadminResult:
    status: int
    stdout: str
    stderr: str


def mqadmin(
    directory: Path,
    namesrv_addr: str,
    *args: str,
    timeout_s: float = 60.0,
    home: Path | None = None,
    java_options: tuple[str, ...] = (),
) -> MqadminResult:
    """Runs one command of Apache's own mqadmin. Its exit status is 0 for most failures, so read its output too. home
    holds conf/tools.yml, where the command is to be signed."""
    home_option = (f"-Drocketmq.home.dir={home}",) if home else ()
    argv = _mqadmin_argv(directory, namesrv_addr, args, (*home_option, *java_options))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=directory)
    return MqadminResult(done.returncode, done.stdout, done.stderr)


def mqadmin_until(
    directory: Path, namesrv_addr: str, *args: str, text: str, times: int = 1, timeout_s: float = 90.0
) -> MqadminResult:
    """Runs a command that ends only when it is stopped: ends it when it has printed `text` that often.

    The result has the status 0 and the whole lines up to then, those on standard error too.
    """
    path = directory / f"{args[0]}-{'-'.join(args[1:])}.out".replace("/", "_")
    with path.open("wb") as output:
        process = subprocess.Popen(
            _mqadmin_argv(directory, namesrv_addr, args), stdout=output, stderr=subprocess.STDOUT, cwd=directory
        )

    def printed() -> str | None:
        lines = path.read_text(errors="replace").splitlines(keepends=True)
        last = [i for i, line in enumerate(lines) if text in line and line.endswith("\n")][times - 1 : times]
        if process.poll() is not None and not last:
            raise DeadlineError(f"{args} ended with status {process.returncode}\n{path.read_text(errors='replace')}")
        return "".join(lines[: last[0] + 1]) if last else None

    try:
        seen = wait_for(f"{text!r} of {args}", printed, within_s=timeout_s, detail=path.read_text)
    finally:
        process.kill()
        process.wait()
    return MqadminResult(0, seen, "")


def _mqadmin_argv(
    directory: Path, namesrv_addr: str, args: tuple[str, ...], java_options: tuple[str, ...] = ()
) -> list[str]:
    jvm = (*_SMALL_JVM, f"-Duser.home={directory}", *java_options)
    argv = java_argv("org.apache.rocketmq.tools.command.MQAdminStartup", logback="mqadmin.logback.xml", options=jvm)
    return [*argv, args[0], "-n", namesrv_addr, *args[1:]]


class MqadminShell:
    """Apache's mqadmin with many commands in one process: a start of its own costs more than most commands do.

    A command that ends its process (a wrong option line) or runs until it is stopped belongs to `mqadmin`.
    """

    def __init__(self, directory: Path, namesrv_addr: str, *, home: Path) -> None:
        """home holds conf/tools.yml: who signs the commands."""
        options = (f"-Drocketmq.home.dir={home}",)
        self._process = ClientProcess(directory, "mqadmin", java_options=options, namesrv=namesrv_addr)

    def __enter__(self) -> MqadminShell:
        self._process.wait_ready()
        return self

    def __exit__(self, *unused: object) -> None:
        self._process.__exit__()

    def run(self, *args: str, timeout_s: float = 60.0) -> MqadminResult:
        count = len(self._process.of("answer")) + 1
        self._process.write(json.dumps(args))
        self._process.wait(
            f"answer to {' '.join(args)}", lambda process: len(process.of("answer")) == count, within_s=timeout_s
        )
        answer = self._process.of("answer")[-1]
        return MqadminResult(answer["status"], answer["stdout"], answer["stderr"])


def create_topic(directory: Path, namesrv_addr: str, topic: str, *, queues: int = 4) -> None:
    """Creates a topic on every master: automatic creation would choose one alone."""
    options = ("-c", "DefaultCluster", "-t", topic, "-r", str(queues), "-w", str(queues))
    result = mqadmin(directory, namesrv_addr, "updateTopic", *options)
    if "create topic to" not in result.stdout:
        raise AssertionError(f"mqadmin could not create {topic}: {result}")
