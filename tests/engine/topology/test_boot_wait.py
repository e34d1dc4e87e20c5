# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from rmq.topology import boot_line
from rmq.topology.boot_wait import (
    FATAL_GRACE_MS,
    LAST_LINES,
    BootWait,
    Expected,
    Failed,
    LogFile,
    LogMark,
    Process,
    Read,
    Up,
    Verdict,
    Waiting,
)
from rmq.topology.kind import Kind

LOG = "/logs/broker.log"
TIMEOUT_MS = 60000
BROKER_A = Expected(Kind.BROKER, "broker-a", "192.0.2.21:10911")
BOOT = boot_line.write_broker("broker-a", "192.0.2.21:10911", "192.0.2.11:9876")


class Logs:
    """The log's directory as a table of files, and the loop that a caller of BootWait runs."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[int, bytes, int]] = {}
        self.now_ms = 0
        self._inode = 100
        self._mtime_ns = 0

    def write(self, text: str, path: str = LOG) -> None:
        if path not in self.files:
            self._inode += 1
            self.files[path] = (self._inode, b"", 0)
        inode, data, _ = self.files[path]
        self._mtime_ns += 1
        self.files[path] = (inode, data + text.encode(), self._mtime_ns)

    def rotate(self) -> None:
        for number in (2, 1):
            if f"{LOG}.{number}" in self.files:
                self.files[f"{LOG}.{number + 1}"] = self.files.pop(f"{LOG}.{number}")
        self.files[f"{LOG}.1"] = self.files.pop(LOG)

    def listing(self) -> list[LogFile]:
        return [LogFile(path, inode, len(data), mtime) for path, (inode, data, mtime) in self.files.items()]

    def start(self, expected: Expected = BROKER_A) -> BootWait:
        return BootWait(expected, [LogMark.of(LOG, self.listing())], TIMEOUT_MS)

    def look(self, wait: BootWait, process: Process = Process.RUNNING, exit_code: int | None = None) -> Verdict:
        for read in wait.reads(self.listing()):
            wait.feed(read, self.files[read.path][1][read.offset_bytes :], self.now_ms)
        return wait.verdict(process, self.now_ms, 0, exit_code)


def test_boot_line_of_this_start_is_up() -> None:
    logs = Logs()
    wait = logs.start()
    assert logs.look(wait) == Waiting(None)
    logs.write(f"2026-01-01 INFO main - {BOOT}\n")
    verdict = logs.look(wait)
    assert isinstance(verdict, Up)
    assert verdict.boot.namesrv_addr == "192.0.2.11:9876"


def test_boot_line_of_an_earlier_start_does_not_count() -> None:
    logs = Logs()
    logs.write(f"{BOOT}\n")
    wait = logs.start()
    logs.write("starting\n")
    assert isinstance(logs.look(wait), Waiting)
    logs.write(f"{BOOT}\n")
    assert isinstance(logs.look(wait), Up)


def test_boot_line_that_comes_in_two_pieces_is_seen() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write(BOOT[:30])
    assert isinstance(logs.look(wait), Waiting)
    logs.write(BOOT[30:])
    assert isinstance(logs.look(wait), Waiting)
    logs.write("\n")
    assert isinstance(logs.look(wait), Up)


def test_log_that_is_rotated_during_the_start_is_read_to_its_end_and_then_the_new_one() -> None:
    logs = Logs()
    logs.write("yesterday\n")
    wait = logs.start()
    logs.write("one\n")
    logs.look(wait)
    logs.write("two\n")
    logs.rotate()
    logs.write("three\n")
    logs.rotate()
    logs.write("four\n")
    reads = wait.reads(logs.listing())
    assert [(read.path, read.offset_bytes) for read in reads] == [
        (f"{LOG}.2", len("yesterday\none\n")),
        (f"{LOG}.1", 0),
        (LOG, 0),
    ]
    verdict = logs.look(wait, Process.ENDED)
    assert isinstance(verdict, Failed)
    assert verdict.last_lines == ("one", "two", "three", "four")


def test_boot_line_in_the_part_that_was_rotated_away_is_seen() -> None:
    logs = Logs()
    logs.write("yesterday\n")
    wait = logs.start()
    logs.write(f"{BOOT}\n")
    logs.rotate()
    logs.write("next\n")
    assert isinstance(logs.look(wait), Up)


def test_older_rotated_logs_are_not_read() -> None:
    logs = Logs()
    logs.write(f"{BOOT}\n")
    logs.rotate()
    logs.write(f"{BOOT}\n")
    wait = logs.start()
    assert wait.reads(logs.listing()) == []


def test_rotated_log_that_was_packed_away_leaves_the_new_one_to_read() -> None:
    logs = Logs()
    logs.write("yesterday\n")
    wait = logs.start()
    logs.rotate()
    del logs.files[f"{LOG}.1"]
    logs.write(f"{BOOT}\n")
    assert isinstance(logs.look(wait), Up)


def test_log_that_was_cut_in_place_is_read_from_its_start() -> None:
    logs = Logs()
    logs.write("yesterday, at length\n")
    wait = logs.start()
    inode = logs.files[LOG][0]
    logs.files[LOG] = (inode, f"{BOOT}\n".encode()[-40:], 99)
    assert wait.reads(logs.listing()) == [] or wait.reads(logs.listing())[0].offset_bytes == len(
        "yesterday, at length\n"
    )
    logs.files[LOG] = (inode, b"short\n", 99)
    assert wait.reads(logs.listing()) == [Read(LOG, inode, 0)]


def test_process_that_ends_ends_the_wait_at_once_with_cause_and_last_lines() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write("line 1\nThe broker could not start: port 10911 is in use by process 77\n")
    verdict = logs.look(wait, Process.ENDED, exit_code=1)
    assert isinstance(verdict, Failed)
    assert verdict.reason == "the process ended (exit code 1): port 10911 is in use by process 77"
    assert "rocketmq_listen_port" in verdict.mend
    assert verdict.last_lines[0] == "line 1"


def test_process_that_ends_without_a_word_says_so() -> None:
    verdict = Logs().look(Logs().start(), Process.ENDED, exit_code=253)
    assert verdict == Failed("the process ended (exit code 253)", "", ())


def test_process_that_ends_after_its_boot_line_is_not_up() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write(f"{BOOT}\n")
    verdict = logs.look(wait, Process.ENDED, 137)
    assert isinstance(verdict, Failed)
    assert "after its boot line" in verdict.reason


def test_process_that_lingers_after_a_fatal_cause_is_not_waited_for() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write("java.lang.RuntimeException: Failed to bind to 0.0.0.0:10911\n")
    assert isinstance(logs.look(wait), Waiting)
    logs.now_ms = FATAL_GRACE_MS
    verdict = logs.look(wait)
    assert isinstance(verdict, Failed)
    assert verdict.reason == "it did not start: port 10911 is in use"


def test_time_that_runs_out_names_the_trouble_that_was_seen() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write("connect to 192.0.2.11:9876 failed\n")
    logs.now_ms = TIMEOUT_MS - 1
    verdict = logs.look(wait)
    assert isinstance(verdict, Waiting)
    assert verdict.trouble is not None
    logs.now_ms = TIMEOUT_MS
    verdict = logs.look(wait)
    assert isinstance(verdict, Failed)
    assert verdict.reason == "no boot line after 60 s: 192.0.2.11:9876 does not answer"


def test_boot_line_without_a_line_break_counts_when_time_runs_out() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write(BOOT)
    logs.now_ms = TIMEOUT_MS
    assert isinstance(logs.look(wait), Up)


def test_boot_line_of_another_broker_in_the_same_log_is_named() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write(boot_line.write_broker("broker-b", "192.0.2.22:10911") + "\n")
    logs.now_ms = TIMEOUT_MS
    verdict = logs.look(wait)
    assert isinstance(verdict, Failed)
    assert "broker-b, 192.0.2.22:10911, not of broker-a, 192.0.2.21:10911" in verdict.reason


def test_name_server_is_up_whatever_address_it_binds() -> None:
    logs = Logs()
    wait = logs.start(Expected(Kind.NAMESRV))
    logs.write(boot_line.write_namesrv("0.0.0.0:9876") + "\n")
    assert isinstance(logs.look(wait), Up)


def test_only_the_last_lines_are_kept_and_endless_lines_are_cut() -> None:
    logs = Logs()
    wait = logs.start()
    logs.write("".join(f"line {number}\n" for number in range(1000)) + "x" * 100000 + "\n")
    verdict = logs.look(wait, Process.ENDED)
    assert isinstance(verdict, Failed)
    assert len(verdict.last_lines) == LAST_LINES
    assert len(verdict.last_lines[-1]) < 5000
