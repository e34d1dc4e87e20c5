# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from rmq.topology import boot_line
from rmq.topology.boot_cause import cause_of
from rmq.topology.boot_line import BootLine
from rmq.topology.kind import Kind


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "The broker[broker-a, 192.0.2.21:10911] boot success. serializeType=JSON and name server is 1.2.3.4:1;h:1",
            BootLine(Kind.BROKER, "broker-a", "192.0.2.21:10911", "JSON", "1.2.3.4:1;h:1"),
        ),
        (
            "The broker[broker-a, 192.0.2.21:10911] boot success. serializeType=ROCKETMQ",
            BootLine(Kind.BROKER, "broker-a", "192.0.2.21:10911", "ROCKETMQ", ""),
        ),
        (
            "The broker[broker-a,192.169.1.2:10911] boot success...",
            BootLine(Kind.BROKER, "broker-a", "192.169.1.2:10911", "", ""),
        ),
        (
            "2026-01-01 00:00:00 INFO main - The broker[brokerName,ip:port] boot success..\r",
            BootLine(Kind.BROKER, "brokerName", "ip:port", "", ""),
        ),
        ("The Name Server boot success...", BootLine(Kind.NAMESRV, "", "", "", "")),
        (
            "The Name Server boot success. serializeType=JSON, address 0.0.0.0:9876",
            BootLine(Kind.NAMESRV, "", "0.0.0.0:9876", "JSON", ""),
        ),
        ("The Name Server boot success. serializeType=JSON", BootLine(Kind.NAMESRV, "", "", "JSON", "")),
    ],
)
def test_boot_line_of_either_engine_and_of_the_guide_is_matched(line: str, expected: BootLine) -> None:
    assert boot_line.match(line) == expected


@pytest.mark.parametrize("line", ["", "boot success", "The broker[broker-a] boot success", "The broker boot failed"])
def test_other_lines_are_no_boot_lines(line: str) -> None:
    assert boot_line.match(line) is None


def test_lines_that_we_write_are_those_of_apache() -> None:
    assert boot_line.write_broker("broker-a", "192.0.2.21:10911", "192.0.2.11:9876") == (
        "The broker[broker-a, 192.0.2.21:10911] boot success. serializeType=JSON and name server is 192.0.2.11:9876"
    )
    assert boot_line.write_broker("broker-a", "192.0.2.21:10911") == (
        "The broker[broker-a, 192.0.2.21:10911] boot success. serializeType=JSON"
    )
    assert boot_line.write_namesrv("0.0.0.0:9876") == (
        "The Name Server boot success. serializeType=JSON, address 0.0.0.0:9876"
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_failure_line_is_given_back_in_one_line(kind: Kind) -> None:
    line = boot_line.write_failure(kind, "broker.conf:3: slaveReadEnable='true '\n  and more")
    assert "\n" not in line
    assert boot_line.failure_of(f"ERROR {line}") == "broker.conf:3: slaveReadEnable='true ' and more"


@pytest.mark.parametrize(
    ("line", "name", "part"),
    [
        ("java.lang.RuntimeException: Failed to bind to 0.0.0.0:10911", "port-in-use", "port 10911 "),
        ("java.net.BindException: Address already in use", "port-in-use", "haListenPort"),
        ("[Errno 98] error while attempting to bind on address ('127.0.0.1', 10911): address already in use",
         "port-in-use", "port 10911 "),
        ("java.lang.RuntimeException: Lock failed,MQ already started", "store-locked", "lock"),
        ("java.lang.RuntimeException: Lock failed, MQ already started, lock status: false", "store-locked", "lock"),
        ("The broker could not start: the store /s is locked by process 4711", "store-locked", "4711"),
        ("WARN main - /s/commitlog/00000000000000000000\t4096 length not matched message store config value, please "
         "check it manually", "store-wrong-size", "4096 bytes"),
        ("The broker could not start: /s/commitlog/00000000000000000000: 4096 bytes long, but files of this store have "
         "8192: restore the file", "store-wrong-size", "4096 bytes"),
        ("The Name Server could not start: cannot listen on 127.0.0.1:9876: Address already in use",
         "port-in-use", "127.0.0.1:9876"),
        ("Slave's brokerId must be > 0", "config", "brokerId 0"),
        ('The Name Server Address[1:a] illegal, please set it as follows, "127.0.0.1:9876"', "config", "1:a"),
        ("RemotingConnectException: connect to <192.0.2.11:9876> failed", "namesrv-unreachable", "192.0.2.11:9876"),
        ("OSError: [Errno 30] Read-only file system: '/s/lock'", "store-read-only", "read-only"),
    ],
)  # fmt: skip
def test_known_cause_is_recognised(line: str, name: str, part: str) -> None:
    cause = cause_of(line)
    assert cause is not None
    assert cause.name == name
    assert part in cause.text
    assert cause.mend


def test_name_server_that_does_not_answer_is_no_reason_to_give_up() -> None:
    cause = cause_of("connect to 192.0.2.11:9876 failed")
    assert cause is not None
    assert not cause.fatal
