# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of programs/cases.py: topics first, then one process for many cases, then its transcripts."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from typing import TYPE_CHECKING

from rmq.client.admin import AdminClient
from rmq.remoting.bodies import SetMessageRequestModeRequestBody, SubscriptionGroupConfig, TopicConfig
from rmq.remoting.codes import RequestCode

from ..programs.cases import BY_NAME, GO, JAVA_4, JAVA_5, Case
from .engine import ROOT, java_argv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

EXPECTED = ROOT / "tests" / "interop" / "programs" / "expected"

# The slowest case waits 150 s at most, and a busy machine starts slowly.
_DEADLINE_S = 400.0
# Eight cases at a time with their clients: room, but a quick start.
_JVM = ("-Xms128m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_POP_SHARE_QUEUE_NUM = 8


class ProgramError(AssertionError):
    """A program that did not run to its end; the text has what it said."""


def expected(case: str) -> str:
    return (EXPECTED / f"{case}.txt").read_text(encoding="utf-8")


def prefix_of(client: str, run: str = "") -> str:
    """What the names of this client's topics and groups begin with. `run`: another run on the same cluster."""
    return f"IT{re.sub('[^a-z0-9]', '', client)}{run}-"


def prepare(cases: Iterable[str], namesrv_addr: str, prefix: str, cluster: str = "DefaultCluster") -> None:
    """Makes the topics and groups that these cases expect, on every master."""
    with AdminClient(namesrv_addr) as admin:
        for broker in admin.master_addresses(cluster):
            for name in cases:
                _prepare_case(admin, broker, BY_NAME[name], prefix)


def _prepare_case(admin: AdminClient, broker: str, case: Case, prefix: str) -> None:
    base = prefix + case.name
    for topic in case.topics:
        config = TopicConfig(
            topic_name=f"{base}-{topic.name}" if topic.name else base,
            read_queue_nums=topic.queues,
            write_queue_nums=topic.queues,
            perm=topic.perm,
            attributes=topic.attributes,
        )
        admin.create_topic(broker, config)
    for group in case.pop_groups:
        name = f"{base}-{group}"
        admin.create_subscription_group(broker, SubscriptionGroupConfig(group_name=name))
        mode = SetMessageRequestModeRequestBody(
            topic=base, consumer_group=name, mode="POP", pop_share_queue_num=_POP_SHARE_QUEUE_NUM
        )
        admin.connections.to(broker).call(RequestCode.SET_MESSAGE_REQUEST_MODE, None, mode.encode())


def run(
    client: str, cases: Sequence[str], namesrv_addr: str, prefix: str, directory: Path, *, java_options: str = ""
) -> dict[str, str]:
    """Runs the cases in one process and returns the transcript of each. Everything it writes stays in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    argv = [*RUNNERS[client](directory), ",".join(cases), namesrv_addr, prefix]
    errors = directory / f"{client}.log"
    with errors.open("wb") as log:
        done = subprocess.run(
            argv,
            env=os.environ | {"HOME": str(directory), "JDK_JAVA_OPTIONS": java_options},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            timeout=_DEADLINE_S,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(errors.read_text(errors="replace").splitlines()[-40:])
        raise ProgramError(f"{client} ended with {done.returncode}\n{done.stdout.decode(errors='replace')}\n{tail}")
    return split(done.stdout.decode())


def split(output: str) -> dict[str, str]:
    """Transcripts by case, from what a program prints."""
    parts = re.split(r"^== (\w+)\n", output, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _java_5(directory: Path) -> list[str]:
    return _java(directory, classes="programs-5.4.0", jars="lib")


def _java_4(directory: Path) -> list[str]:
    return _java(directory, classes="programs-4.9.8", jars="lib-4.9.8")


def _java(directory: Path, *, classes: str, jars: str) -> list[str]:
    options = (*_JVM, f"-Duser.home={directory}")
    return java_argv("programs.Programs", logback="client.logback.xml", options=options, classes=classes, jars=jars)


@functools.cache
def _go_program() -> str:
    script = ROOT / "tools" / "setup-go.sh"
    return subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _go(_: Path) -> list[str]:
    return [_go_program()]


# What starts each client's programs; CASE NAMESRV_ADDR PREFIX follow.
RUNNERS: dict[str, Callable[[Path], list[str]]] = {JAVA_5: _java_5, JAVA_4: _java_4, GO: _go}
