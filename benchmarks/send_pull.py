# SPDX-License-Identifier: Apache-2.0
"""How fast a master takes and gives messages: pipelined raw frames over loopback, for a few bounded seconds.

    python benchmarks/send_pull.py                       starts a master of its own in a temporary directory
    python benchmarks/send_pull.py --apache              Apache's 5.4.0 beside it, in turns
    python benchmarks/send_pull.py --double-write        what synchronous double write costs beside a pair without it
    python benchmarks/send_pull.py --protected           each request signed, for a user with policies
    python benchmarks/send_pull.py --address HOST:PORT   measures a broker that runs (of either engine)

Frames are built before the clock starts and answers are only counted, so that the generator costs little. "msg/CPU-s"
divides by what the master's process used, the figure that a busy machine does not spoil. A ratio is the median of the
rounds' own [least-greatest], against the first one measured in the same round.

Measured on 2 cores (AMD EPYC, VM) that nobody else used, Python 3.11.2, standard library alone, OpenJDK 17:

                                                              Apache's 5.4.0      ratio
    send 128 B, 1x1         8,123 msg/s     12,822 msg/CPU-s     6,358 msg/s      1.28, by CPU 1.43
    send 128 B, 8x16       77,062 msg/s     77,080 msg/CPU-s    85,145 msg/s      0.90, by CPU 1.39
    send 1 KB, 8x16        57,256 msg/s     57,367 msg/CPU-s    68,394 msg/s      0.84, by CPU 1.24
    batch 32 x 128 B, 8x4 153,557 msg/s    154,951 msg/CPU-s   475,047 msg/s      0.32, by CPU 0.55
    pull 32 x 128 B, 8x4  999,215 msg/s  1,019,690 msg/CPU-s 1,089,881 msg/s      0.92, by CPU 1.08

A pair on the same two cores, synchronous double write beside asynchronous replication:

                                 this engine                   Apache's
    send 128 B, 1x1         7,036 ->  3,653 msg/s: 0.52     5,967 ->   3,381 msg/s: 0.57
    send 128 B, 8x16       60,168 -> 52,189 msg/s: 0.87    62,463 ->  51,760 msg/s: 0.83
    send 1 KB, 8x16        47,967 -> 37,162 msg/s: 0.77    46,772 ->  44,537 msg/s: 0.95
    batch 32 x 128 B, 8x4 129,238 -> 94,953 msg/s: 0.73   234,609 -> 174,136 msg/s: 0.74
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from cluster import Cluster
from tests.interop.harness.engine import ENGINES

from rmq.client.remoting_client import RemotingClient
from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.frame import FrameDecoder
from rmq.remoting.message import BatchItem, encode_batch_body
from rmq.remoting.send_header import SendHeader
from rmq.remoting.signature import SessionCredentials, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TOPIC = "BenchmarkTest"
QUEUES = 8
PROPERTIES = "UNIQ_KEY\x017F000001000018B4AAC2%012X\x02WAIT\x01true\x02TAGS\x01TagA\x02"
#: Every answer has it once, and no message has it.
MARK = b'"serializeTypeCurrentRPC"'
SETTLE_S = 0.5
WARM_UP_S = 3.0

ADMIN = SessionCredentials("admin", "admin-secret-of-the-benchmark")
USER = SessionCredentials("benchmark", "user-secret-of-the-benchmark")
PROTECTION = {
    "authenticationEnabled": "true",
    "authorizationEnabled": "true",
    "initAuthenticationUser": json.dumps({"username": ADMIN.access_key, "password": ADMIN.secret_key}),
}
DOUBLE_WRITE = {"brokerRole": "SYNC_MASTER", "inSyncReplicas": "2", "minInSyncReplicas": "2"}
RIGHTS = [
    {"resource": resource, "actions": ["Pub", "Sub"], "decision": "Allow"} for resource in (f"Topic:{TOPIC}", "Group:*")
]


@dataclass
class Case:
    name: str
    connections: int
    outstanding: int
    #: Makes the number-th request.
    request: Callable[[int], RemotingCommand]
    messages: int = 1


def send_request(number: int, body: bytes, *, batch: bool = False) -> RemotingCommand:
    header = SendHeader(
        "benchmark", TOPIC, "TBW102", 4, number % QUEUES, 0, 1_795_340_464_000, 0, "" if batch else PROPERTIES % number,
        0, False, 0, batch, "broker-a",
    )  # fmt: skip
    code = RequestCode.SEND_BATCH_MESSAGE if batch else RequestCode.SEND_MESSAGE_V2
    command = RemotingCommand.request(code, header.to_ext_fields(), body)
    command.language = "JAVA"
    return command


def pull_request(number: int) -> RemotingCommand:
    fields = {"consumerGroup": "TOOLS_CONSUMER", "topic": TOPIC, "queueId": str(number % QUEUES)}
    fields |= {"queueOffset": "0", "maxMsgNums": "32", "sysFlag": "4", "commitOffset": "0", "suspendTimeoutMillis": "0"}
    fields |= {"subscription": "*", "subVersion": "0", "expressionType": "TAG"}
    return RemotingCommand.request(RequestCode.PULL_MESSAGE, fields)


def batch_request(number: int) -> RemotingCommand:
    items = [BatchItem(0, b"x" * 128, PROPERTIES % (number * 32 + index)) for index in range(32)]
    return send_request(number, encode_batch_body(items), batch=True)


CASES = [
    Case("send 128 B, 1x1", 1, 1, lambda number: send_request(number, b"x" * 128)),
    Case("send 128 B, 8x16", 8, 16, lambda number: send_request(number, b"x" * 128)),
    Case("send 1 KB, 8x16", 8, 16, lambda number: send_request(number, b"x" * 1024)),
    Case("batch 32 x 128 B, 8x4", 8, 4, batch_request, 32),
    Case("pull 32 x 128 B, 8x4", 8, 4, pull_request, 32),
]


class Load:
    """Connections that each keep so many requests outstanding."""

    def __init__(self, case: Case, address: tuple[str, int], user: SessionCredentials | None) -> None:
        self._case = case
        self._selector = selectors.DefaultSelector()
        self._connections: list[tuple[socket.socket, list[bytes]]] = []
        #: Windows of frames that are sent again and again; the broker reads each anew.
        for index in range(case.connections):
            first = index * case.outstanding
            frames = [encoded(case.request(first + number), user) for number in range(case.outstanding)]
            connection = socket.create_connection(address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append((connection, frames))
            self._selector.register(connection, selectors.EVENT_READ, (connection, frames))

    def start(self) -> None:
        for connection, frames in self._connections:
            connection.sendall(b"".join(frames))

    def run(self, seconds: float) -> int:
        """Answers in that time."""
        end = time.monotonic() + seconds
        answers = 0
        while time.monotonic() < end:
            for key, _ in self._selector.select(0.1):
                connection, frames = key.data
                got = connection.recv(1 << 20).count(MARK)
                if got:
                    answers += got
                    connection.sendall(b"".join(frames[:got]))
        return answers

    def close(self) -> None:
        self._selector.close()
        for connection, _ in self._connections:
            connection.close()


def encoded(command: RemotingCommand, user: SessionCredentials | None) -> bytes:
    if user is not None:
        sign(command, user)
    return command.encode()


def make_user(address: tuple[str, int]) -> None:
    name, subject = USER.access_key, f"User:{USER.access_key}"
    acl = {"subject": subject, "policies": [{"policyType": "Custom", "entries": RIGHTS}]}
    with RemotingClient(f"{address[0]}:{address[1]}", credentials=ADMIN) as client:
        user = json.dumps({"password": USER.secret_key}).encode()
        client.call(RequestCode.AUTH_CREATE_USER, {"username": name}, user)
        client.call(RequestCode.AUTH_CREATE_ACL, {"subject": subject}, json.dumps(acl).encode())


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(case: Case, address: tuple[str, int], user: SessionCredentials | None) -> None:
    """One request of the case is answered with code 0: counting refusals would measure nothing."""
    decoder = FrameDecoder()
    with socket.create_connection(address) as connection:
        connection.sendall(encoded(case.request(0), user))
        while not (answers := decoder.feed(connection.recv(1 << 20))):
            pass
    if answers[0].code:
        raise SystemExit(f"{case.name}: answer {answers[0].code}, {answers[0].remark}")


@dataclass(frozen=True)
class Rate:
    per_second: float
    #: For each second of the master's CPU; None where its process is not known.
    per_cpu_second: float | None


def measure(
    case: Case, address: tuple[str, int], pid: int | None, seconds: float, user: SessionCredentials | None = None
) -> Rate:
    check(case, address, user)
    load = Load(case, address, user)
    load.start()
    load.run(SETTLE_S)
    before_cpu, before = cpu_seconds(pid) if pid else 0.0, time.monotonic()
    messages = load.run(seconds) * case.messages
    elapsed = time.monotonic() - before
    per_cpu = messages / (cpu_seconds(pid) - before_cpu) if pid else None
    load.close()
    return Rate(messages / elapsed, per_cpu)


@dataclass
class Target:
    """One of those that are measured in turns."""

    name: str
    address: tuple[str, int]
    pid: int | None
    user: SessionCredentials | None = None


def compare(targets: Sequence[Target], cases: Sequence[Case], seconds: float, rounds: int) -> None:
    for case in cases:
        rates: dict[str, list[Rate]] = {target.name: [] for target in targets}
        for _ in range(rounds):
            for target in targets:
                rates[target.name].append(measure(case, target.address, target.pid, seconds, target.user))
        first = rates[targets[0].name]
        for name, found in rates.items():
            line = f"{case.name:22} {name:24} {median(one.per_second for one in found):12,.0f} msg/s"
            if all(one.per_cpu_second for one in found):
                line += f" {median(one.per_cpu_second or 0 for one in found):12,.0f} msg/CPU-s"
            if found is not first:
                line += f"  x {_ratio([one.per_second for one in found], [one.per_second for one in first])}"
                by_cpu = [[one.per_cpu_second or 0 for one in some] for some in (found, first)]
                line += f", by CPU {_ratio(*by_cpu)}" if all(by_cpu[0]) and all(by_cpu[1]) else ""
            print(line, flush=True)


def _ratio(found: Sequence[float], first: Sequence[float]) -> str:
    ratios = [one / other for one, other in zip(found, first, strict=True)]
    return f"{median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"


def start(stack: ExitStack, engine: str, options: argparse.Namespace, *, double_write: bool = False) -> Target:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rmq-benchmark-")))
    settings = (DOUBLE_WRITE if double_write else {}) | (PROTECTION if options.protected else {})
    cluster = stack.enter_context(Cluster(ENGINES[engine], directory, settings))
    name = engine
    if options.double_write:
        name += ", double write" if double_write else ", a slave that follows"
        cluster.start_slave().wait_booted()
        cluster.wait_for_slave()
    if options.protected:
        make_user(cluster.address)
    target = Target(name, cluster.address, cluster.master.pid, USER if options.protected else None)
    if engine == "apache":
        # Java is as fast as it gets after some seconds of the same work.
        for case in CASES:
            measure(case, target.address, target.pid, WARM_UP_S, target.user)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="HOST:PORT of a broker that runs")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case (default 2)")
    parser.add_argument("--rounds", type=int, help="turns (default 1; 3 where something is compared)")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--apache", action="store_true", help="Apache's engine, too")
    parser.add_argument("--double-write", action="store_true", help="a pair without and one with it, send cases only")
    parser.add_argument("--protected", action="store_true", help="with authentication and authorization (this engine)")
    options = parser.parse_args()
    if options.protected and (options.apache or options.double_write):
        parser.error("--protected is measured alone")
    cases = [case for case in CASES if options.case in case.name and not (options.double_write and "pull" in case.name)]
    with ExitStack() as stack:
        if options.address:
            host, _, port = options.address.rpartition(":")
            targets = [Target(options.address, (host, int(port)), None)]
        else:
            ways = (False, True) if options.double_write else (False,)
            engines = ("apache", "python") if options.apache else ("python",)
            targets = [start(stack, engine, options, double_write=way) for engine in engines for way in ways]
        compare(targets, cases, options.seconds, options.rounds or (1 if len(targets) == 1 else 3))


if __name__ == "__main__":
    main()
