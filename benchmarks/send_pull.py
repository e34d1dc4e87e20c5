# SPDX-License-Identifier: Apache-2.0
"""How fast one broker takes and gives messages: pipelined raw frames over loopback, for a few bounded seconds.

    python benchmarks/send_pull.py                       starts a broker of its own in a temporary directory
    python benchmarks/send_pull.py --protected           the same, each request signed, for a user with policies
    python benchmarks/send_pull.py --address HOST:PORT   measures a broker that runs (of either engine)

Frames are built before the clock starts and answers are only counted, so that the generator costs little. "msg/CPU-s"
divides by what the broker's process used, the figure that a busy machine does not spoil; it is there for a broker that
was started here.

Measured on 2 cores (AMD EPYC, VM) that others used too, Python 3.11.2, standard library alone:

    send 128 B, 1x1                 7,137 msg/s       12,746 msg/CPU-s
    send 128 B, 8x16               73,772 msg/s       74,562 msg/CPU-s
    send 1 KB, 8x16                65,005 msg/s       65,351 msg/CPU-s
    batch 32 x 128 B, 8x4         163,227 msg/s      162,452 msg/CPU-s
    pull 32 x 128 B, 8x4          877,582 msg/s      886,756 msg/CPU-s
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
PATHS = [str(ROOT / "src"), str(ROOT / "plugins" / "module_utils")]
sys.path[:0] = PATHS

from rmq.client.remoting_client import RemotingClient  # noqa: E402
from rmq.remoting.codes import RequestCode  # noqa: E402
from rmq.remoting.command import RemotingCommand  # noqa: E402
from rmq.remoting.frame import FrameDecoder  # noqa: E402
from rmq.remoting.message import BatchItem, encode_batch_body  # noqa: E402
from rmq.remoting.send_header import SendHeader  # noqa: E402
from rmq.remoting.signature import SessionCredentials, sign  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOPIC = "BenchmarkTest"
QUEUES = 8
PROPERTIES = "UNIQ_KEY\x017F000001000018B4AAC2%012X\x02WAIT\x01true\x02TAGS\x01TagA\x02"
#: Every answer has it once, and no message has it.
MARK = b'"serializeTypeCurrentRPC"'
SETTLE_S = 0.5


ADMIN = SessionCredentials("admin", "admin-secret-of-the-benchmark")
USER = SessionCredentials("benchmark", "user-secret-of-the-benchmark")
PROTECTION = (
    "authenticationEnabled=true\nauthorizationEnabled=true\n"
    f'initAuthenticationUser={{"username":"{ADMIN.access_key}","password":"{ADMIN.secret_key}"}}\n'
)
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


@contextmanager
def own_broker(more_settings: str) -> Iterator[tuple[tuple[str, int], int]]:
    with tempfile.TemporaryDirectory(prefix="rmq-benchmark-") as directory:
        port = free_port()
        settings = Path(directory) / "broker.conf"
        settings.write_text(
            f"brokerName=broker-a\nbrokerIP1=127.0.0.1\nbindAddress=127.0.0.1\nlistenPort={port}\n"
            f"storePathRootDir={directory}/store\n{more_settings}",
            encoding="utf-8",
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS), "HOME": directory}
        command = [sys.executable, "-m", "rmq.cli.main", "mqbroker", "-c", str(settings)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for_port(port, process)
            yield ("127.0.0.1", port), process.pid
        finally:
            process.terminate()
            process.wait(20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the broker does not start")


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


def measure(
    case: Case, address: tuple[str, int], pid: int | None, seconds: float, user: SessionCredentials | None = None
) -> str:
    check(case, address, user)
    load = Load(case, address, user)
    load.start()
    load.run(SETTLE_S)
    before_cpu, before = cpu_seconds(pid) if pid else 0.0, time.monotonic()
    messages = load.run(seconds) * case.messages
    elapsed = time.monotonic() - before
    per_cpu = f"{messages / (cpu_seconds(pid) - before_cpu):12,.0f} msg/CPU-s" if pid else ""
    load.close()
    return f"{case.name:24} {messages / elapsed:12,.0f} msg/s {per_cpu}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="HOST:PORT of a broker that runs")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case (default 2)")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--protected", action="store_true", help="with authentication and authorization")
    options = parser.parse_args()
    cases = [case for case in CASES if options.case in case.name]
    if options.address:
        host, _, port = options.address.rpartition(":")
        for case in cases:
            print(measure(case, (host, int(port)), None, options.seconds), flush=True)
        return
    with own_broker(PROTECTION if options.protected else "") as (address, pid):
        if options.protected:
            make_user(address)
        for case in cases:
            user = USER if options.protected else None
            print(measure(case, address, pid, options.seconds, user), flush=True)


if __name__ == "__main__":
    main()
