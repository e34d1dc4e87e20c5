# SPDX-License-Identifier: Apache-2.0
"""Puts, gets and recovered records per CPU-second of the store alone, in this process, on a directory of the real disk.

    PYTHONPATH=src:plugins/module_utils python benchmarks/store_put.py [--messages N] [--size BYTES] [--directory PATH]

One tick is 128 messages to 8 queues, as 8 connections with 16 outstanding requests each make them.

Each message has a unique id and a tag: two entries in the index. Medians of five interleaved runs on 2 cores (AMD EPYC,
VM) that others used too, Python 3.11.2, 128 B, whole-record CRC: 7.2 us a put with the index, 4.4 us with --no-index.
Of a whole broker (send_pull.py, 8x16, 128 B) the index costs 10 % for each CPU-second, and 20 MB of memory.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rmq.remoting.java_hash import tag_hash
from rmq.runtime.system_clock import SystemClock
from rmq.runtime.system_disk import SystemDisk
from rmq.store import MessageStore, MessageToStore, PutResult, PutStatus, StoreConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rmq.env import ConnectionHandler, Listener, Timer

T = TypeVar("T")

MESSAGES_PER_TICK = 128
QUEUES = 8


class _NoTimer:
    def cancel(self) -> None:
        pass


class _TickReactor:
    """call_soon and nothing else: what a tick costs without sockets and threads."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self._soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer:
        return _NoTimer()

    def run_blocking(self, work: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        done(work())

    def listen(self, host: str, port: int, make_handler: Callable[[], ConnectionHandler]) -> Listener:
        raise NotImplementedError

    def connect(
        self,
        host: str,
        port: int,
        handler: ConnectionHandler,
        *,
        timeout_ms: int,
        failed: Callable[[OSError], None],
    ) -> None:
        raise NotImplementedError

    def tick(self) -> None:
        callbacks, self._soon = self._soon, []
        for callback in callbacks:
            callback()


def main() -> None:
    arguments = _arguments()
    directory = Path(tempfile.mkdtemp(dir=arguments.directory))
    try:
        for crc in (True, False):
            root = directory / f"crc-{crc}"
            config = StoreConfig(root=root, append_prop_crc=crc, message_index_enable=not arguments.no_index)
            _run(config, arguments.messages, arguments.size)
    finally:
        shutil.rmtree(directory)


def _run(config: StoreConfig, messages: int, size_bytes: int) -> None:
    reactor = _TickReactor()
    store = MessageStore(config, SystemDisk(), reactor)
    store.load()
    store.start()
    words = f"CRC {'on' if config.append_prop_crc else 'off'}, index {'on' if config.message_index_enable else 'off'}"
    _say(f"{size_bytes} B messages, whole-record {words}")
    with _cpu_time("put", messages):
        _put_all(store, reactor, messages, size_bytes)
    with _cpu_time("get, 32 neighbours at a time", messages):
        _get_all(store)
    # As after kill -9: nothing tells the next one where to start but the files.
    (config.root / "queueCheckpoint.json").unlink()
    store._held.close()
    again = MessageStore(config, SystemDisk(), reactor)
    with _cpu_time("recover (records walked, queues made again)", messages):
        again.load()
    again.start()
    again.shutdown()


def _put_all(store: MessageStore, reactor: _TickReactor, messages: int, size_bytes: int) -> None:
    body = b"x" * size_bytes
    # A client's own unique ids: its address and process, the time (here: 16 messages a millisecond), a counter.
    properties = "UNIQ_KEY\x017F0000010A0B2A139A55%08X%04X\x02TAGS\x01TagA\x02WAIT\x01true\x02"
    host, tags_code = ("127.0.0.1", 4321), tag_hash("TagA")
    done = 0

    def stored(result: PutResult) -> None:
        nonlocal done
        assert result.status is PutStatus.OK
        done += 1

    for number in range(messages):
        store.put(
            MessageToStore(
                "Benchmark",
                number % QUEUES,
                body,
                properties % (number >> 4, number & 0xFFFF),
                1_795_000_000_000,
                host,
                tags_code,
            ),
            stored,
        )
        if number % MESSAGES_PER_TICK == MESSAGES_PER_TICK - 1:
            reactor.tick()
    reactor.tick()
    assert done == messages


def _get_all(store: MessageStore) -> None:
    for queue_id in range(QUEUES):
        offset = 0
        while offset < store.max_offset("Benchmark", queue_id):
            offset = store.get("Benchmark", queue_id, offset, 32).next_begin_offset


@contextmanager
def _cpu_time(what: str, count: int) -> Iterator[None]:
    start = time.process_time()
    yield
    seconds = time.process_time() - start
    _say(f"  {what}: {count / seconds:,.0f} per CPU-second, {seconds * 1e6 / count:.2f} us each")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=128, help="bytes of each body")
    parser.add_argument("--no-index", action="store_true", help="messageIndexEnable=false")
    parser.add_argument("--directory", type=Path, help="where the store is made (default: the system's temporary one)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
