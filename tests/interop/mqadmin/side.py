# SPDX-License-Identifier: Apache-2.0
"""One engine's cluster with the history that the cases ask about. The other engine's has the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..harness import wire
from ..harness.client import ClientProcess, MqadminResult, MqadminShell, mqadmin, mqadmin_until
from ..harness.cluster import Cluster
from ..harness.waiting import DeadlineError, wait_for
from . import history
from .shape import plain, shape

if TYPE_CHECKING:
    from pathlib import Path

    from ..harness.engine import Engine
    from .case import Case
    from .wire_codes import Code

_AUTH = "org.apache.rocketmq.auth"
# By whom every command is signed: ours asks for that before it shows or changes users, whatever is switched on.
_ADMIN = ("root", "secret00")
_SETTINGS = {
    "traceTopicEnable": "true",
    "initAuthenticationUser": json.dumps({"username": _ADMIN[0], "password": _ADMIN[1]}),
    # Apache answers 3001-3010 only with them.
    "authenticationMetadataProvider": f"{_AUTH}.authentication.provider.LocalAuthenticationMetadataProvider",
    "authorizationMetadataProvider": f"{_AUTH}.authorization.provider.LocalAuthorizationMetadataProvider",
}
# A trace leaves once a second or so, statistics are sampled every 10 s, a consumer commits every 5 s.
_SHOWS_WITHIN_S = 40.0
_VIEW_BROKER_STATS_DATA = 315


class Side:
    """Use it as a context: everything it started ends with it."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.directory = directory
        self.cluster = Cluster(engine, directory / "cluster", "2m-2s-sync", settings=_SETTINGS)
        self.values: dict[str, str] = {}
        self.consumer: ClientProcess
        self.producer: ClientProcess
        self._stack = ExitStack()

    def __enter__(self) -> Side:
        with ExitStack() as stack:
            # A start that fails leaves nothing behind.
            stack.push(self._stack)
            self._stack.enter_context(self.cluster).start()
            shell = MqadminShell(self.directory, self.cluster.namesrv_addr, home=self._home())
            self._shell = self._stack.enter_context(shell)
            history.make(self)
            stack.pop_all()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stack.close()

    def _home(self) -> Path:
        home = self.directory / "tools"
        (home / "conf").mkdir(parents=True)
        (home / "conf" / "tools.yml").write_text(f"accessKey: {_ADMIN[0]}\nsecretKey: {_ADMIN[1]}\n")
        return home

    def mqadmin(self, *argv: str) -> MqadminResult:
        return self._shell.run(*argv)

    def run(self, case: Case) -> MqadminResult:
        """One command, in the common process, in one of its own, or until it has said enough."""
        argv = case.argv(self.values)
        if case.until:
            return mqadmin_until(self.directory, self.cluster.namesrv_addr, *argv, text=case.until, times=case.times)
        if case.own_process:
            return mqadmin(self.directory, self.cluster.namesrv_addr, *argv)
        read = self.consumer.received_keys()
        result = wait_for(
            f"{case.shows!r} of {case.line}",
            lambda: self._answer(argv, case.shows),
            within_s=_SHOWS_WITHIN_S,
            detail=lambda: str(self._shell.run(*argv)),
        )
        if case.rereads:
            more = len(read) + len(set(read))
            self.consumer.wait("the reset", lambda client: len(client.received_keys()) >= more, within_s=150.0)
        return result

    def run_own(self, case: Case) -> MqadminResult:
        """The same command by the engine's own mqadmin."""
        command, *options = case.argv(self.values)
        engine = self.cluster.engine
        argv = [*engine.argv("mqadmin", self.directory), command, "-n", self.cluster.namesrv_addr, *options]
        env = os.environ | engine.env(self.directory)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env=env)
        return MqadminResult(done.returncode, done.stdout, done.stderr)

    def ask(self, code: Code) -> wire.Answer:
        fields = {name: value.format_map(self.values) for name, value in code.fields.items()}
        return wire.ask(self.values[code.to], code.number, fields, code.body.format().encode())

    def has_statistic(self, name: str, key: str) -> bool:
        answer = wire.ask(self.values["master"], _VIEW_BROKER_STATS_DATA, {"statsName": name, "statsKey": key})
        return answer.code == 0

    def plain(self, text: str) -> str:
        """Without what is this side's own: addresses, directories, clients."""
        return plain(text, self.cluster)

    def shape(self, case: Case, result: MqadminResult) -> list[str]:
        files = [(self.directory / name).read_text() for name in case.files]
        return shape(case, result, files, self.cluster)

    def start_client(self, subcommand: str, **options: object) -> ClientProcess:
        """Returns when it has started. On a busy machine Apache's client now and then cannot send its first request on
        the connection that it has just made, and gives up: it has a second try."""
        for is_last in (False, True):
            client = ClientProcess(self.directory, subcommand, namesrv=self.cluster.namesrv_addr, **options)
            self._stack.enter_context(client)
            try:
                return client.wait_ready()
            except DeadlineError:
                if is_last:
                    raise
        raise AssertionError("not reached")

    def go_offline(self) -> None:
        """The consumer and the producer of the history leave."""
        for client in (self.consumer, self.producer):
            client.close_input()
            client.finish()

    def _answer(self, argv: list[str], shows: str) -> MqadminResult | None:
        result = self._shell.run(*argv)
        return result if re.search(shows, result.stdout) else None
