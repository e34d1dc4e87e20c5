# SPDX-License-Identifier: Apache-2.0
"""Captures golden frames and files from a live Apache RocketMQ 5.4.0.

    make golden        # or: .venv/bin/python -m tests.interop.capture.capture

Starts Apache's name server, a master and at the end a slave from the Maven jars (tools/setup-java.sh), on loopback and
in a temporary directory, puts the asks of asks.py to them by raw socket, stops them cleanly, and writes
tests/engine/data/captured-5.4.0.json:

    source     what answered, and how it was set
    exchanges  name, to, request_hex, response_hex, response_header, response_body (text, where it is)
    pushed     requests that the broker sent to its client
    ha         what a slave says first, and what a master begins with
    files      sizes and the used bytes of the store's files after a clean stop; the texts of config/

Ports, times and ids are kept as they were; whoever compares leaves them out. It takes about a minute.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.interop.harness.engine import BROKER_BOOT_LINE, ENGINES, NAMESRV_BOOT_LINE, ROOT
from tests.interop.harness.ports import free_broker_port, free_port, is_free
from tests.interop.harness.server import Server
from tests.interop.harness.waiting import wait_for
from tests.interop.harness.wire import in_sync_slaves, lists_broker

from .asks import ASKS, SLAVE, Ask
from .conversation import Conversation, Frame, encode, resolve

OUTPUT = ROOT / "tests" / "engine" / "data" / "captured-5.4.0.json"
#: The port of the broker stands in answers and records; with the usual one a new capture differs in times alone.
BROKER_PORT = 12311
SETTINGS = {
    **{"brokerClusterName": "C", "brokerName": "broker-a", "brokerIP1": "127.0.0.1", "brokerIP2": "127.0.0.1"},
    **{"mappedFileSizeCommitLog": "65536", "mappedFileSizeConsumeQueue": "2000", "maxHashSlotNum": "100"},
    **{"maxIndexNum": "400", "enablePropertyFilter": "true", "recallMessageEnable": "true"},
    "registerNameServerPeriod": "10000",
}
_REGISTERED_WITHIN_S = 60.0
# A text longer than this is kept as hex alone: nobody reads it here.
_TEXT_MAX = 4000


def main() -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="golden-")))
        captured = _capture(directory, stack)
    OUTPUT.write_text(json.dumps(captured, indent=1) + "\n")
    sys.stdout.write(
        f"{OUTPUT.relative_to(ROOT)}: {len(captured['exchanges'])} exchanges, {OUTPUT.stat().st_size} bytes\n"
    )


def _capture(directory: Path, stack: ExitStack) -> dict[str, Any]:
    namesrv = _namesrv(directory / "ns")
    port = BROKER_PORT if all(is_free(BROKER_PORT + step) for step in (-2, 0, 1)) else free_broker_port()
    master = _broker(directory / "master", namesrv, port, {"brokerRole": "ASYNC_MASTER", "brokerId": "0"})
    slave = _broker(directory / "slave", namesrv, free_broker_port(), {"brokerRole": "SLAVE", "brokerId": "1"})
    for server in (namesrv, master, slave):
        stack.callback(server.end)
    for server in (namesrv, master):
        server.start()
        server.wait_booted()
    _wait_registered(namesrv, master, 0)
    asking = _Asking({"broker": master.address, "namesrv": namesrv.address, "slave": slave.address})
    exchanges = [asking.exchange(ask) for ask in ASKS]
    ha = _first_transfer(port + 1)
    slave.start()
    slave.wait_booted()
    _wait_registered(namesrv, slave, 1)
    wait_for("slave in sync", lambda: in_sync_slaves(master.address) >= 1, within_s=60.0, detail=slave.tail)
    exchanges += [asking.exchange(ask) for ask in SLAVE]
    for server in (slave, master, namesrv):
        server.stop()
    return {
        "source": "Apache RocketMQ 5.4.0 from Maven Central on loopback, asked by tests/interop/capture/capture.py",
        "settings": SETTINGS,
        "exchanges": exchanges,
        "pushed": [{"hex": frame.data.hex(), "header": frame.header} for frame in asking.pushed()],
        "ha": ha,
        "files": _files(directory / "master" / "store"),
    }


class _Asking:
    """Puts asks one after another; each may take values of earlier answers."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._addresses = addresses
        self._open: dict[str, Conversation] = {}
        self._answers: dict[str, dict[str, str]] = {}
        self._opaque = 0

    def exchange(self, ask: Ask) -> dict[str, Any]:
        time.sleep(ask.wait_s)
        self._opaque += 1
        ask = resolve(ask, self._answers, time.time_ns() // 1_000_000)
        if ask.to not in self._open:
            self._open[ask.to] = Conversation(self._addresses[ask.to])
        request = encode(ask, self._opaque)
        answer = self._open[ask.to].put(request, self._opaque)
        self._answers[ask.name] = answer.header.get("extFields") or {}
        return {
            "name": ask.name,
            "to": ask.to,
            "request_hex": request.hex(),
            "response_hex": answer.data.hex(),
            "response_header": answer.header,
            "response_body": _text(answer.body),
        }

    def pushed(self) -> list[Frame]:
        return [frame for conversation in self._open.values() for frame in conversation.pushed]


def _text(body: bytes) -> str | None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= _TEXT_MAX else None


def _first_transfer(port: int) -> dict[str, Any]:
    """What an empty slave says, and the head of what it gets."""
    report = bytes(8)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(report)
        data = b""
        while len(data) < 12 + 64:
            data += connection.recv(4096)
    return {
        "slave_report_hex": report.hex(),
        "master_header_hex": data[:12].hex(),
        "body_first_64_hex": data[12:76].hex(),
    }


def _files(store: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(store.rglob("*")):
        name = path.relative_to(store).as_posix()
        if not path.is_file() or path.suffix == ".bak" or name.startswith(("timerwheel", "timerlog", "rocksdb")):
            continue
        data = path.read_bytes()
        if name.startswith("config/") and name != "config/timercheck":
            found[name] = {"text": data.decode()}
        elif data:
            found[name] = {"size": len(data), "used_hex": data.rstrip(b"\0").hex()}
    return found


def _namesrv(directory: Path) -> Server:
    port = free_port()
    conf = _conf(directory, {"listenPort": str(port), "bindAddress": "127.0.0.1"})
    argv = [*ENGINES["apache"].argv("mqnamesrv", directory), "-c", str(conf)]
    return Server("namesrv", f"127.0.0.1:{port}", argv, ENGINES["apache"].env(directory), directory, NAMESRV_BOOT_LINE)


def _broker(directory: Path, namesrv: Server, port: int, more: dict[str, str]) -> Server:
    store = {"storePathRootDir": str(directory / "store"), "storePathCommitLog": str(directory / "store" / "commitlog")}
    ports = {"listenPort": str(port), "haListenPort": str(port + 1)}
    conf = _conf(directory, SETTINGS | more | store | ports)
    argv = [*ENGINES["apache"].argv("mqbroker", directory), "-n", namesrv.address, "-c", str(conf)]
    env = ENGINES["apache"].env(directory)
    return Server(directory.name, f"127.0.0.1:{port}", argv, env, directory, BROKER_BOOT_LINE)


def _conf(directory: Path, settings: dict[str, str]) -> Path:
    (directory / "home").mkdir(parents=True)
    conf = directory / "server.conf"
    conf.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return conf


def _wait_registered(namesrv: Server, broker: Server, broker_id: int) -> None:
    wait_for(
        f"registration of {broker.name}",
        lambda: lists_broker(namesrv.address, "broker-a", broker_id, broker.address),
        within_s=_REGISTERED_WITHIN_S,
        detail=broker.tail,
    )


if __name__ == "__main__":
    main()
