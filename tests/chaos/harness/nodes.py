# SPDX-License-Identifier: Apache-2.0
"""Name servers and brokers of the Python engine on loopback, killed and started again on the same port and disk."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.interop.harness import wire
from tests.interop.harness.engine import BROKER_BOOT_LINE, NAMESRV_BOOT_LINE, PythonEngine
from tests.interop.harness.ports import free_broker_port
from tests.interop.harness.server import Server
from tests.interop.harness.waiting import wait_for

from rmq.client.admin import AdminClient
from rmq.remoting.bodies import TopicConfig
from rmq.remoting.codes import RequestCode

if TYPE_CHECKING:
    import re
    from pathlib import Path

ANSWER_WITHIN_S = 90.0
IN_SYNC_WITHIN_S = 60.0
LOG_FILE_BYTES = 1 << 20

# Files so small that each round makes new ones, and time-outs for a machine that has other things to do. Gets give
# more at once than by default: every round reads everything back.
_BROKER = {
    "brokerClusterName": "DefaultCluster",
    "brokerName": "broker-a",
    "brokerIP1": "127.0.0.1",
    "brokerIP2": "127.0.0.1",
    "mappedFileSizeCommitLog": str(LOG_FILE_BYTES),
    "mappedFileSizeConsumeQueue": "20000",
    "maxHashSlotNum": "1000",
    "maxIndexNum": "4000",
    "registerNameServerPeriod": "10000",
    "waitTimeMillsInSendQueue": "30000",
    "osPageCacheBusyTimeOutMills": "30000",
    "maxTransferCountOnMessageInMemory": "512",
    "maxTransferBytesOnMessageInMemory": "1048576",
}


class Nodes:
    """A context: what it started, it ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._engine = PythonEngine()
        self._stack = ExitStack()

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *unused: object) -> None:
        self._stack.close()

    def name_server(self) -> Server:
        """Started, and up."""
        server = self._server("mqnamesrv", "ns-1", NAMESRV_BOOT_LINE)
        configure(server)
        server.start()
        server.wait_booted()
        return server

    def broker(self, name: str) -> Server:
        """Neither configured nor started: `configure` it first."""
        return self._server("mqbroker", name, BROKER_BOOT_LINE)

    def _server(self, command: str, name: str, line: re.Pattern[str]) -> Server:
        directory = self._directory / name
        (directory / "home").mkdir(parents=True)
        argv = [*self._engine.argv(command, directory), "-c", str(directory / "server.conf")]
        address = f"127.0.0.1:{free_broker_port()}"
        server = Server(name, address, argv, self._engine.env(directory), directory, line)
        self._stack.callback(server.end)
        return server


def configure(server: Server, **settings: str) -> None:
    """For its next start."""
    settings = {"listenPort": str(server.port), "bindAddress": "127.0.0.1"} | settings
    (server.directory / "server.conf").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))


def configure_broker(server: Server, **settings: str) -> None:
    """With haListenPort, and a store in the server's directory."""
    store = {"haListenPort": str(ha_port_of(server)), "storePathRootDir": str(store_of(server))}
    configure(server, **(_BROKER | store | settings))


def ha_port_of(broker: Server) -> int:
    return broker.port + 1


def store_of(broker: Server) -> Path:
    return broker.directory / "store"


def answers(broker: Server) -> bool:
    """Whether it serves: the end of a queue is a question that needs the whole store."""
    fields = {"topic": "SELF_TEST_TOPIC", "queueId": "0"}
    return wire.ask(broker.address, RequestCode.GET_MAX_OFFSET, fields).code == 0


def start_until_answer(broker: Server) -> float:
    """Seconds from the start of the process until it answers."""
    return start_together([broker])[0]


def start_together(brokers: list[Server]) -> list[float]:
    """The same for brokers of which none waits for the one before: a pair may need each other to come up."""
    started = []
    for broker in brokers:
        started.append(time.monotonic())
        broker.start()
    return [_wait_answer(broker) - begun for broker, begun in zip(brokers, started, strict=True)]


def _wait_answer(broker: Server) -> float:
    """When it was."""
    # Its own line first: what answers at its address could be another process.
    broker.wait_booted()
    wait_for(f"answer of {broker.name}", lambda: answers(broker), within_s=ANSWER_WITHIN_S, detail=broker.tail)
    return time.monotonic()


def create_topic(broker: Server, topic: str, queues: int) -> None:
    with AdminClient("") as admin:
        config = TopicConfig(topic_name=topic, read_queue_nums=queues, write_queue_nums=queues)
        admin.create_topic(broker.address, config)


def wait_topic(broker: Server, topic: str) -> None:
    wait_for(
        f"topic {topic} at {broker.name}",
        lambda: wire.knows_topic(broker.address, topic),
        within_s=IN_SYNC_WITHIN_S,
        detail=broker.tail,
    )


def lags(master: Server) -> list[int]:
    """How many bytes each connected slave lacks, as the master counts them."""
    status = wire.ask(master.address, wire.GET_BROKER_HA_STATUS).json()
    return [connection["diff"] for connection in status.get("haConnectionInfo") or []]


def wait_in_sync(master: Server, *slaves: Server) -> float:
    """Until so many slaves have everything; seconds that it took."""
    started = time.monotonic()
    wait_for(
        f"{len(slaves)} slaves that have all of {master.name}",
        lambda: lags(master) == [0] * len(slaves),
        within_s=IN_SYNC_WITHIN_S,
        detail=lambda: "\n".join(server.tail() for server in (master, *slaves)),
    )
    return time.monotonic() - started


def assert_equal_logs(master: Server, *slaves: Server) -> None:
    """Byte for byte, up to the end that the slaves' have been reported to reach: the master may go on."""
    end = min(_log_end(slave) for slave in slaves)
    for start in range(0, end, LOG_FILE_BYTES):
        texts = [_log_file(server, start)[: end - start] for server in (master, *slaves)]
        for slave, text in zip(slaves, texts[1:], strict=True):
            assert text == texts[0], f"the log file {start} of {slave.name} differs, end {end}"


def _log_end(broker: Server) -> int:
    table = wire.ask(broker.address, wire.GET_BROKER_RUNTIME_INFO).json()["table"]
    return int(table["commitLogMaxOffset"])


def _log_file(broker: Server, start: int) -> bytes:
    return (store_of(broker) / "commitlog" / f"{start:020}").read_bytes()
