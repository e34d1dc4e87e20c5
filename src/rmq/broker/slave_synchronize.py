# SPDX-License-Identifier: Apache-2.0
"""A slave copies its master's metadata: what the commit log does not hold.

| code | what | how often |
|---|---|---|
| 21, 201 | topics, subscription groups | each second, answered with an empty page while nothing changes |
| 43 | consumer offsets | each second; a large table less often (256 KiB a second), each 10 s at the least |
| 45, 402 | delay offsets, message request mode | each 10 s |

The first round follows at once when the master is known. Apache's slave does all of it each 60 s. The requests are
Apache's own, so the master may be of either engine; a code that it does not support (answer 3) is left alone.

Answers to SlaveSynchronize of Apache RocketMQ.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..remoting import java_json
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from .offset_merge import OffsetMerge
from .paged_table import GROUPS, TOPICS, PagedFetch, TableKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..env import Reactor, Timer
    from ..remoting.bodies import DataVersion
    from ..rpc import CallFailed, OutboundClient
    from .offset_merge import OffsetTable

ROUND_MS = 1000
SLOW_ROUND_MS = 10_000
TIMEOUT_MS = 3000
OFFSET_BYTES_PER_SECOND = 256 * 1024

_LOG = logging.getLogger("rmq.slave")


class VersionedTable(Protocol):
    """TopicConfigManager and SubscriptionGroupManager."""

    @property
    def data_version(self) -> DataVersion: ...

    def replace_all(self, value: Mapping[str, Any]) -> None:
        """Take over a master's whole table (a body of 21 or 201), its version included. Raises ValueError."""
        ...


class OffsetManager(Protocol):
    """ConsumerOffsetManager."""

    def queues(self, group: str, topic: str) -> Mapping[int, int]: ...

    def merge(self, value: Mapping[str, Any]) -> None:
        """Set the offsets of `offsetTable` ("topic@group" -> queue id -> offset); others stay."""
        ...


class WholeTable(Protocol):
    """A table that is sent as a whole: delay offsets (45), message request mode (402)."""

    def replace_all(self, value: Mapping[str, Any]) -> None: ...


class SlaveSynchronize:
    """Asks the master at `set_master_address` from `start` to `shutdown`. Everything runs on the loop."""

    def __init__(
        self,
        client: OutboundClient,
        reactor: Reactor,
        *,
        topics: VersionedTable,
        groups: VersionedTable,
        offsets: OffsetManager,
        whole_tables: Mapping[RequestCode, WholeTable],
    ) -> None:
        self._client = client
        self._reactor = reactor
        self._versioned = {TOPICS: topics, GROUPS: groups}
        self._offsets = offsets
        self._whole_tables = whole_tables
        self._offset_merge = OffsetMerge()
        self._offsets_body = b""
        self._master_address: str | None = None
        self._timer: Timer | None = None
        self._due_ms: dict[int, int] = {}
        self._waiting: set[int] = set()
        self._failures: dict[int, str] = {}

    def set_master_address(self, address: str) -> None:
        """The master's remoting address, masterAddr of a registration answer."""
        if address == self._master_address:
            return
        _LOG.info("metadata is copied from the master %s", address)
        self._master_address = address
        self._due_ms.clear()
        self._forget_offsets()
        if self._timer is not None:
            self._timer.cancel()
            self._round()

    def start(self) -> None:
        self._round()

    def shutdown(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._master_address = None

    def _round(self) -> None:
        self._timer = self._reactor.call_later(ROUND_MS, self._round)
        if self._master_address is None:
            return
        for kind in self._versioned:
            if self._is_due(kind.code):
                self._fetch_page(kind, PagedFetch(kind, self._versioned[kind].data_version))
        if self._is_due(RequestCode.GET_ALL_CONSUMER_OFFSET):
            self._ask(RequestCode.GET_ALL_CONSUMER_OFFSET, {}, self._take_offsets)
        for code, table in self._whole_tables.items():
            if self._is_due(code):
                self._due_ms[code] = self._reactor.clock.monotonic_ms() + SLOW_ROUND_MS
                self._ask(code, {}, partial(_take_whole, table))

    def _is_due(self, code: int) -> bool:
        return code not in self._waiting and self._reactor.clock.monotonic_ms() >= self._due_ms.get(code, 0)

    def _fetch_page(self, kind: TableKind, fetch: PagedFetch) -> None:
        def take(answer: RemotingCommand) -> None:
            fetch.take(answer)
            if not fetch.is_over:
                self._fetch_page(kind, fetch)
            elif fetch.is_changed:
                self._versioned[kind].replace_all(fetch.body)

        self._ask(kind.code, fetch.request_fields(), take)

    def _take_offsets(self, answer: RemotingCommand) -> None:
        code = RequestCode.GET_ALL_CONSUMER_OFFSET
        cost_ms = len(answer.body) * 1000 // OFFSET_BYTES_PER_SECOND
        # Half a round early, so that a timer which fires a little early does not skip a round.
        pause_ms = min(cost_ms, SLOW_ROUND_MS) - ROUND_MS // 2
        self._due_ms[code] = self._reactor.clock.monotonic_ms() + pause_ms
        if answer.body == self._offsets_body:
            return
        self._offsets_body = answer.body
        master_address = self._master_address
        self._waiting.add(code)

        def done(table: OffsetTable | BaseException) -> None:
            self._waiting.discard(code)
            if isinstance(table, BaseException):
                self._failed(code, f"{type(table).__name__}: {table}")
            elif master_address == self._master_address:
                self._merge_offsets(table)

        # Numbers as keys are no standard JSON, and the parser for them is slow: not on the loop.
        self._reactor.run_blocking(lambda: _offset_table(answer.body), done)

    def _merge_offsets(self, table: OffsetTable) -> None:
        changes = self._offset_merge.merge(table, self._own_offsets)
        if changes:
            self._offsets.merge({"offsetTable": changes})

    def _own_offsets(self, key: str) -> Mapping[int, int]:
        topic, _, group = key.partition("@")
        return self._offsets.queues(group, topic)

    def _forget_offsets(self) -> None:
        self._offset_merge.forget()
        self._offsets_body = b""

    def _ask(self, code: RequestCode, fields: dict[str, str], take: Callable[[RemotingCommand], None]) -> None:
        """Send a request to the master; `take` gets its answer if it is one. Only one request of a code at a time."""
        master_address = self._master_address
        assert master_address is not None
        self._waiting.add(code)

        def done(answer: RemotingCommand | CallFailed) -> None:
            self._waiting.discard(code)
            if master_address != self._master_address:
                return
            if not isinstance(answer, RemotingCommand):
                self._failed(code, str(answer))
            elif answer.code == ResponseCode.SUCCESS:
                self._take(code, answer, take)
            elif answer.code != ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
                self._failed(code, f"code {answer.code}, {answer.remark}")

        self._client.invoke(master_address, RemotingCommand.request(code, fields), TIMEOUT_MS, done)

    def _take(self, code: int, answer: RemotingCommand, take: Callable[[RemotingCommand], None]) -> None:
        try:
            take(answer)
        except ValueError as error:
            self._failed(code, str(error))
        else:
            self._failures.pop(code, None)

    def _failed(self, code: int, fault: str) -> None:
        self._forget_offsets()
        if self._failures.get(code) != fault:
            self._failures[code] = fault
            _LOG.warning("request %d to the master %s: %s", code, self._master_address, fault)


def _take_whole(table: WholeTable, answer: RemotingCommand) -> None:
    value = java_json.loads_bytes(answer.body)
    if not isinstance(value, dict):
        raise ValueError("the master's answer is no object")
    table.replace_all(value)


def _offset_table(body: bytes) -> OffsetTable:
    """Raises ValueError, AttributeError or TypeError for what is no table of offsets."""
    table = java_json.loads_bytes(body)["offsetTable"]
    return {key: {int(queue_id): int(offset) for queue_id, offset in queues.items()} for key, queues in table.items()}
