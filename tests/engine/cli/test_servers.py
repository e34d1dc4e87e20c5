# SPDX-License-Identifier: Apache-2.0
"""Name server and broker as processes: up, ready, stopped, refused."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from tests.engine.cli.process import ROOT, Process, Processes, free_port, wait_for

from rmq.remoting.bodies import ClusterInfo
from rmq.remoting.codes import RequestCode
from rmq.remoting.command import RemotingCommand
from rmq.remoting.frame import FrameDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def namesrv_conf(run: Processes, port: int, **settings: str) -> Path:
    return conf(run.directory / f"namesrv-{port}.conf", listenPort=str(port), bindAddress="127.0.0.1", **settings)


def broker_conf(run: Processes, port: int, **settings: str) -> Path:
    values = {
        "brokerName": "broker-a",
        "listenPort": str(port),
        "bindAddress": "127.0.0.1",
        "storePathRootDir": str(run.directory / f"store-{port}"),
        "mappedFileSizeCommitLog": "1048576",
        **settings,
    }
    return conf(run.directory / f"broker-{port}.conf", **values)


def conf(path: Path, **settings: str) -> Path:
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return path


def start_namesrv(run: Processes, port: int) -> Process:
    process = run.rmq("mqnamesrv", "-c", namesrv_conf(run, port))
    process.wait_line("boot success")
    return process


def start_broker(run: Processes, port: int, namesrv_port: int) -> Process:
    process = run.rmq("mqbroker", "-n", f"127.0.0.1:{namesrv_port}", "-c", broker_conf(run, port))
    process.wait_line("boot success")
    return process


def clusters(namesrv_port: int) -> ClusterInfo:
    decoder = FrameDecoder()
    with socket.create_connection(("127.0.0.1", namesrv_port), timeout=10) as client:
        client.sendall(RemotingCommand.request(RequestCode.GET_BROKER_CLUSTER_INFO).encode())
        while True:
            answers = decoder.feed(client.recv(65536))
            if answers:
                return ClusterInfo.decode(answers[0].body)


def broker_address(namesrv_port: int) -> str | None:
    data = clusters(namesrv_port).broker_addr_table.get("broker-a")
    return None if data is None else data.broker_addrs.get(0)


def log_text(run: Processes, name: str) -> str:
    return (run.directory / "logs" / "rocketmqlogs" / name).read_text()


def pid_files(run: Processes) -> list[str]:
    return sorted(path.name for path in (run.directory / "run").glob("*"))


@pytest.fixture
def _sigint_is_heard() -> Iterator[None]:
    """A test run in the background of a shell ignores it, and so would the processes that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_sigint_is_heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_name_server_says_that_it_is_up_and_stops_cleanly(run: Processes, number: signal.Signals) -> None:
    port = free_port()
    process = run.rmq("mqnamesrv", "-c", namesrv_conf(run, port))
    line = process.wait_line("boot success")
    assert line == f"The Name Server boot success. serializeType=JSON, address 127.0.0.1:{port}\n"
    assert line in log_text(run, "namesrv.log")
    assert pid_files(run) == [f"namesrv-{process.pid}.pid"]
    assert clusters(port).broker_addr_table == {}
    process.signal(number)
    assert process.wait() == 0
    assert pid_files(run) == []


def test_a_broker_registers_and_at_a_clean_stop_leaves_no_trace_of_running(run: Processes) -> None:
    namesrv_port, port = free_port(), free_port()
    start_namesrv(run, namesrv_port)
    broker = start_broker(run, port, namesrv_port)
    expected = (
        f"The broker[broker-a, 127.0.0.1:{port}] boot success. serializeType=JSON and name server is "
        f"127.0.0.1:{namesrv_port}\n"
    )
    assert broker.output == [expected]
    assert expected in log_text(run, "Broker.log")
    wait_for("registration", lambda: broker_address(namesrv_port) == f"127.0.0.1:{port}")
    abort = run.directory / f"store-{port}" / "abort"
    assert abort.exists()
    assert broker.stop() == 0
    assert not abort.exists()
    assert broker_address(namesrv_port) is None
    assert pid_files(run) == [name for name in pid_files(run) if name.startswith("namesrv-")]


def test_a_killed_broker_leaves_the_name_server_at_once_and_starts_again(run: Processes) -> None:
    namesrv_port, port = free_port(), free_port()
    start_namesrv(run, namesrv_port)
    broker = start_broker(run, port, namesrv_port)
    wait_for("registration", lambda: broker_address(namesrv_port) is not None)
    broker.kill()
    wait_for("disappearance", lambda: broker_address(namesrv_port) is None)
    start_broker(run, port, namesrv_port)
    wait_for("registration", lambda: broker_address(namesrv_port) is not None)


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        yield


def failure(process: Process, program: str) -> str:
    """The one line that a failed start ends with."""
    assert process.wait() == 1
    prefix = f"The {program} could not start: "
    (line,) = [line for line in process.output if line.startswith(prefix)]
    assert process.output[-1] == line
    assert "Traceback" not in "".join(process.output)
    return line.removeprefix(prefix).rstrip("\n")


def test_a_taken_port_is_the_name_servers_one_line_of_cause(run: Processes) -> None:
    port = free_port()
    with taken(port):
        process = run.rmq("mqnamesrv", "-c", namesrv_conf(run, port))
        cause = failure(process, "Name Server")
    assert cause == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert process.output[-1] in log_text(run, "namesrv.log")
    assert pid_files(run) == []


@pytest.mark.parametrize("offset", [0, -2, 1], ids=["listenPort", "listenPort-2", "haListenPort"])
def test_a_taken_port_is_the_brokers_one_line_of_cause_and_its_store_stays_clean(run: Processes, offset: int) -> None:
    port = free_port()
    with taken(port + offset):
        cause = failure(run.rmq("mqbroker", "-c", broker_conf(run, port)), "broker")
    assert cause == f"cannot listen on 127.0.0.1:{port + offset}: Address already in use"
    assert not (run.directory / f"store-{port}" / "abort").exists()


def test_a_store_has_one_broker_and_the_second_is_told_whose_it_is(run: Processes) -> None:
    namesrv_port, port, other = free_port(), free_port(), free_port()
    first = start_broker(run, port, namesrv_port)
    settings = {"storePathRootDir": str(run.directory / f"store-{port}")}
    cause = failure(run.rmq("mqbroker", "-c", broker_conf(run, other, **settings)), "broker")
    assert f"locked by process {first.pid}" in cause
    assert first.popen.poll() is None


def test_every_wrong_setting_is_named_with_its_line_and_the_nearest_right_key(run: Processes) -> None:
    file = conf(run.directory / "wrong.conf", brokerRole="SLAV", flushDisktype="SYNC_FLUSH", slaveReadEnable="true ")
    process = run.rmq("mqbroker", "-c", file)
    cause = failure(process, "broker")
    text = "".join(process.output)
    assert "3 settings are wrong" in cause
    for expected in (f"{file}:1: brokerRole=SLAV", f"{file}:2: flushDisktype", "Write flushDiskType", f"{file}:3"):
        assert expected in text


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("mqbroker", "-c", "missing.conf"), "missing.conf cannot be read: No such file or directory"),
        (("mqbroker", "-n", "192.161.2:9876"), "192.161.2:9876"),
        (("mqnamesrv", "-c", "."), "Is a directory"),
    ],
)
def test_a_start_that_makes_no_sense_says_why(run: Processes, arguments: tuple[str, ...], cause: str) -> None:
    program = "broker" if arguments[0] == "mqbroker" else "Name Server"
    assert cause in failure(run.rmq(*arguments), program)


def test_a_commit_log_has_the_directories_that_its_setting_names(run: Processes) -> None:
    one, two = run.directory / "disk-1" / "log", run.directory / "disk-2" / "log"
    # ~ is the test's own directory.
    paths = "~/disk-1/log,~/disk-2/log"
    process = run.rmq("mqbroker", "-c", broker_conf(run, free_port(), storePathCommitLog=paths))
    process.wait_line("boot success")
    assert (one / f"{0:020d}").exists()
    assert two.is_dir()
    assert process.stop() == 0
    two.rmdir()
    gone = run.rmq("mqbroker", "-c", broker_conf(run, free_port(), storePathCommitLog=paths))
    # Another port has another store, which is empty; the log is not.
    assert f"{two}: there is no such directory: mount its disk" in failure(gone, "broker")
    settings = {"storePathCommitLog": f"{one}", "readOnlyCommitLogStorePaths": f"{one}"}
    full = run.rmq("mqbroker", "-c", broker_conf(run, free_port(), **settings))
    assert "one has to take new files" in failure(full, "broker")


def test_a_log_that_cannot_be_written_is_the_cause(run: Processes) -> None:
    blocked = run.directory / "file"
    blocked.write_text("")
    process = run.rmq("mqnamesrv", ROCKETMQ_LOG_DIR=str(blocked / "logs"))
    assert "the log cannot be written" in failure(process, "Name Server")
    assert len(process.output) == 1, process.output


def test_the_command_line_wins_over_the_file_and_the_environment_comes_last(run: Processes) -> None:
    file = broker_conf(run, free_port(), namesrvAddr="192.0.2.1:9876")
    shown = {}
    for name, arguments in (
        ("line", ("-n", "192.0.2.2:9876", "-c", str(file))),
        ("file", ("-c", str(file))),
        ("environment", ()),
    ):
        process = run.rmq("mqbroker", "-m", *arguments, NAMESRV_ADDR="192.0.2.3:9876")
        assert process.wait() == 0
        (shown[name],) = [line for line in process.output if line.startswith("namesrvAddr=")]
    assert shown == {
        "line": "namesrvAddr=192.0.2.2:9876\n",
        "file": "namesrvAddr=192.0.2.1:9876\n",
        "environment": "namesrvAddr=192.0.2.3:9876\n",
    }


@contextlib.contextmanager
def notify_socket(run: Processes) -> Iterator[tuple[str, socket.socket]]:
    # The path of a socket has 107 bytes at most; a test's directory may have more.
    name = f"\0rmq-test-{os.getpid()}-{free_port()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name)
        receiver.settimeout(30)
        yield "@" + name[1:], receiver


def test_systemd_hears_ready_when_the_broker_is_registered_then_watchdogs_then_stopping(run: Processes) -> None:
    namesrv_port = free_port()
    with notify_socket(run) as (name, receiver):
        broker = run.rmq(
            "mqbroker",
            "-n",
            f"127.0.0.1:{namesrv_port}",
            "-c",
            broker_conf(run, free_port()),
            NOTIFY_SOCKET=name,
            WATCHDOG_USEC="200000",
        )
        broker.wait_line("boot success")
        assert receiver.recv(4096) == b"WATCHDOG=1"
        assert receiver.recv(4096) == b"WATCHDOG=1", "up, but nobody could find it yet"
        start_namesrv(run, namesrv_port)
        while not (heard := receiver.recv(4096)).startswith(b"READY=1"):
            assert heard == b"WATCHDOG=1"
        assert broker_address(namesrv_port) is not None
        broker.signal(signal.SIGTERM)
        while not (heard := receiver.recv(4096)).startswith(b"STOPPING=1"):
            assert heard == b"WATCHDOG=1"
    assert broker.wait() == 0


def test_an_unknown_command_shows_what_there_is(run: Processes) -> None:
    process = run.rmq("mqfly")
    assert process.wait() == 2
    assert "mqnamesrv" in "".join(process.output)


def test_commands_typed_by_hand_log_where_the_guide_looks(run: Processes) -> None:
    """`nohup sh bin/mqnamesrv &`, from any directory, without ROCKETMQ_HOME."""
    port = free_port()
    environment = run.environment()
    del environment["PYTHONPATH"]
    command = ("nohup", "sh", ROOT / "home" / "bin" / "mqnamesrv", "-c", namesrv_conf(run, port))
    process = run.start(*command)
    process.wait_line("boot success")
    assert f"address 127.0.0.1:{port}" in log_text(run, "namesrv.log")
    assert process.stop() == 0
