# SPDX-License-Identifier: Apache-2.0
"""A line between two processes that can be cut, frozen, slowed down and delayed: a TCP relay in a thread.

| state | what each end sees |
|---|---|
| flowing | what the other end sends, after `delay_s`, at most `bytes_per_s` |
| frozen | nothing, and its connections stay open: half-open, as behind a router that has died |
| frozen, reports only | the slave everything, the master nothing |
| cut | its connections are reset, new ones too; what was under way is gone |
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK_BYTES = 16 * 1024
_START_WITHIN_S = 10.0


class Relay:
    """A context. Listens on 127.0.0.1:port for 127.0.0.1:target; set `target` before anybody connects."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.target = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"relay-{port}")
        self._started = threading.Event()
        self._ended = asyncio.Event()
        # From who has connected (the slave) to the target, and back.
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._up.set()
        self._down.set()
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._delay_s = 0.0
        self._bytes_per_s = 0

    def __enter__(self) -> Relay:
        self._thread.start()
        assert self._started.wait(_START_WITHIN_S), f"the relay cannot listen on {self.port}"
        return self

    def __exit__(self, *unused: object) -> None:
        self._in_loop(self._ended.set)
        self._thread.join()

    def freeze(self, *, reports_only: bool = False) -> None:
        def freeze() -> None:
            self._up.clear()
            if not reports_only:
                self._down.clear()

        self._in_loop(freeze)

    def cut(self) -> None:
        def cut() -> None:
            self._is_cut = True
            self._reset()

        self._in_loop(cut)

    def slow_down(self, *, delay_s: float = 0.0, bytes_per_s: int = 0) -> None:
        """bytes_per_s 0: as many as come."""

        def slow_down() -> None:
            self._delay_s, self._bytes_per_s = delay_s, bytes_per_s

        self._in_loop(slow_down)

    def heal(self) -> None:
        """Flowing again, at full speed."""

        def heal() -> None:
            self._is_cut = False
            self._delay_s, self._bytes_per_s = 0.0, 0
            self._up.set()
            self._down.set()

        self._in_loop(heal)

    def _in_loop(self, change: Callable[[], None]) -> None:
        """Returns when it has happened."""

        async def call() -> None:
            change()

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(_START_WITHIN_S)

    # In the thread.

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self._started.set()
        await self._ended.wait()
        server.close()
        self._reset()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._down.wait()
            if not self._is_cut:
                await self._carry(reader, writer)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions, until one of them ends."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers.add(far_writer)
        directions = ((reader, far_writer, self._up), (far_reader, writer, self._down))
        pumps = [asyncio.ensure_future(self._pump(*direction)) for direction in directions]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._writers.discard(far_writer)
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = await reader.read(_CHUNK_BYTES)
                # Also the end of a stream does not get through a frozen line.
                await flows.wait()
                if not data or self._is_cut:
                    return
                await asyncio.sleep(self._delay_s + (len(data) / self._bytes_per_s if self._bytes_per_s else 0.0))
                writer.write(data)
                await writer.drain()
