# SPDX-License-Identifier: Apache-2.0
"""A slave copies its master's metadata: what the commit log does not hold.

| code | what | how often |
|---|---|---|
| 21, 201 | topics, subscription groups | each second, answered with an empty page while nothing changes |
| 540013 | deleted topics (pair_log.py) | when the topics have changed |
| 43 | consumer offsets | each second; a large table less often (256 KiB a second), each 10 s at the least |
| 540002 | users and policies (auth_synchronize.py) | each second, answered without a body while nothing changes |
| 60 | timer checkpoint | each 3 s, as on Apache |
| 45, 402, 61 | delay offsets, message request mode, timer metrics | each 10 s |

The first round follows at once when the master is known. Apache's slave does all of it each 60 s. The requests are
Apache's own, so the master may be of either engine; a code that it does not support (answer 3) is left alone.

Answers to SlaveSynchronize of Apache RocketMQ.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ..remoting.bodies import (
    ConsumerOffsetSerializeWrapper,
    DelayOffsetSerializeWrapper,
    MessageRequestModeSerializeWrapper,
    SubscriptionGroupWrapper,
    TimerMetricsSerializeWrapper,
    TopicConfigSerializeWrapper,
)
from ..remoting.codes import RequestCode, ResponseCode
from ..remoting.command import RemotingCommand
from ..store.timer import TimerCheckpoint
from .auth.auth_codes import GET_AUTH_METADATA
from .offset_merge import OffsetMerge
from .paged_table import GROUPS, TOPICS, Page, PagedFetch
from .pair_log import HA_DELETED_TOPICS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..env import Reactor, Timer
    from ..remoting.bodies import DataVersion
    from ..rpc import CallFailed, OutboundClient
    from .auth.auth_synchronize import AuthMetadataCopy
    from .broker_context import BrokerContext
    from .consumer_offset_manager import ConsumerOffsetManager
    from .subscription_group_manager import SubscriptionGroupManager
    from .topic_config_manager import TopicConfigManager

    TakeTable = Callable[[bytes], None]

ROUND_MS = 1000
SLOW_ROUND_MS = 10_000
TIMER_ROUND_MS = 3000
TIMEOUT_MS = 3000
OFFSET_BYTES_PER_SECOND = 256 * 1024

_LOG = logging.getLogger("rmq.slave")


class SlaveSynchronize:
    """Asks the master at `set_master_address` from `start` to `shutdown`. Everything runs on the loop.

    whole_tables: who takes the body of a code whose table is sent as a whole (45 delay offsets, 402 message request
    mode, 60 and 61 of the timer); it raises ValueError for what is no such table.
    """

    def __init__(
        self,
        client: OutboundClient,
        reactor: Reactor,
        *,
        topics: TopicConfigManager,
        groups: SubscriptionGroupManager,
        offsets: ConsumerOffsetManager,
        whole_tables: Mapping[RequestCode, TakeTable],
        take_deleted_topics: Callable[[bytes], list[str]] = lambda _: [],
        auth_copy: AuthMetadataCopy | None = None,
    ) -> None:
        self._client = client
        self._reactor = reactor
        self._topics = topics
        self._groups = groups
        self._offsets = offsets
        self._whole_tables = whole_tables
        self._take_deleted_topics = take_deleted_topics
        self._are_deletions_due = True
        self._auth_copy = auth_copy
        self._offset_merge = OffsetMerge()
        self._offsets_body = b""
        self._master_address: str | None = None
        self._timer: Timer | None = None
        self._due_ms: dict[int, int] = {}
        self._waiting: set[int] = set()
        self._is_away = False
        self._failing: set[int] = set()

    @classmethod
    def of(cls, context: BrokerContext, client: OutboundClient, auth_copy: AuthMetadataCopy | None) -> SlaveSynchronize:
        """For all tables of a broker; auth_copy: where users follow the master's too."""
        return cls(
            client,
            context.reactor,
            topics=context.topics,
            groups=context.groups,
            offsets=context.offsets,
            whole_tables=_whole_tables(context),
            take_deleted_topics=context.store.take_deleted_topics,
            auth_copy=auth_copy,
        )

    def set_master_address(self, address: str) -> None:
        """The master's remoting address, masterAddr of a registration answer."""
        if address == self._master_address:
            return
        _LOG.info("metadata is copied from the master %s", address)
        self._master_address = address
        self._due_ms.clear()
        self._are_deletions_due = True
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

    @property
    def is_busy(self) -> bool:
        """Some request of the first or a later round is not answered yet."""
        return bool(self._waiting)

    @property
    def fault(self) -> str:
        """What could not be copied when it was tried last; empty when all is well."""
        if self._is_away:
            return "it does not answer"
        return "" if not self._failing else f"request {min(self._failing)} was not answered as it should be"

    def _round(self) -> None:
        self._timer = self._reactor.call_later(ROUND_MS, self._round)
        if self._master_address is None:
            return
        if self._is_due(TOPICS.code):
            self._fetch_page(PagedFetch(TOPICS, self._topics.data_version), self._take_topics)
        if self._are_deletions_due and self._is_due(HA_DELETED_TOPICS):
            self._ask(HA_DELETED_TOPICS, {}, self._take_deletions)
        if self._is_due(GROUPS.code):
            self._fetch_page(PagedFetch(GROUPS, self._groups.data_version), self._take_groups)
        if self._is_due(RequestCode.GET_ALL_CONSUMER_OFFSET):
            self._ask(RequestCode.GET_ALL_CONSUMER_OFFSET, {}, self._take_offsets)
        if self._auth_copy is not None and self._is_due(GET_AUTH_METADATA):
            self._ask(GET_AUTH_METADATA, self._auth_copy.request_fields(), partial(_take_body, self._auth_copy.take))
        for code, take_table in self._whole_tables.items():
            if self._is_due(code):
                pause_ms = TIMER_ROUND_MS if code == RequestCode.GET_TIMER_CHECK_POINT else SLOW_ROUND_MS
                self._due_ms[code] = self._reactor.clock.monotonic_ms() + pause_ms
                self._ask(code, {}, partial(_take_body, take_table))

    def _is_due(self, code: int) -> bool:
        return code not in self._waiting and self._reactor.clock.monotonic_ms() >= self._due_ms.get(code, 0)

    def _fetch_page(self, fetch: PagedFetch[Page], done: Callable[[DataVersion, list[Page]], None]) -> None:
        def take(answer: RemotingCommand) -> None:
            fetch.take(answer)
            if not fetch.is_over:
                self._fetch_page(fetch, done)
            elif fetch.is_changed:
                done(fetch.version, fetch.pages)

        self._ask(fetch.kind.code, fetch.request_fields(), take)

    def _take_topics(self, version: DataVersion, pages: list[TopicConfigSerializeWrapper]) -> None:
        topics = {name: topic for page in pages for name, topic in page.topic_config_table.items()}
        self._topics.replace_all(TopicConfigSerializeWrapper(version, topics))
        # By the next round the master has those that go with it.
        self._are_deletions_due = True

    def _take_deletions(self, answer: RemotingCommand) -> None:
        self._are_deletions_due = False
        deleted = self._take_deleted_topics(answer.body)
        for topic in deleted:
            self._offsets.remove_topic(topic)
        if deleted:
            # A topic of that name may be there again: its offsets are the master's alone.
            self._forget_offsets()

    def _take_groups(self, version: DataVersion, pages: list[SubscriptionGroupWrapper]) -> None:
        groups = {name: group for page in pages for name, group in page.subscription_group_table.items()}
        forbidden = {name: topics for page in pages for name, topics in page.forbidden_table.items()}
        self._groups.replace_all(SubscriptionGroupWrapper(version, forbidden, groups))

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

        def done(table: ConsumerOffsetSerializeWrapper | BaseException) -> None:
            self._waiting.discard(code)
            if isinstance(table, BaseException):
                self._failed(code, str(table))
            elif master_address == self._master_address:
                self._merge_offsets(table)

        # Numbers as keys are no standard JSON, and the parser for them is slow: not on the loop.
        self._reactor.run_blocking(lambda: ConsumerOffsetSerializeWrapper.decode(answer.body), done)

    def _merge_offsets(self, master: ConsumerOffsetSerializeWrapper) -> None:
        gone = self._offset_merge.gone(master.offset_table)
        if gone:
            self._offsets.remove_names(gone)
        changes = self._offset_merge.merge(master.offset_table, self._own_offsets)
        if changes:
            self._offsets.merge(changes)

    def _own_offsets(self, key: str) -> Mapping[int, int]:
        topic, _, group = key.partition("@")
        return self._offsets.queues(group, topic)

    def _forget_offsets(self) -> None:
        self._offset_merge.forget()
        self._offsets_body = b""

    def _ask(self, code: int, fields: dict[str, str], take: Callable[[RemotingCommand], None]) -> None:
        """Send a request to the master; `take` gets its answer if it is one. Only one request of a code at a time."""
        master_address = self._master_address
        assert master_address is not None
        self._waiting.add(code)

        def done(answer: RemotingCommand | CallFailed) -> None:
            self._waiting.discard(code)
            if master_address != self._master_address:
                return
            if isinstance(answer, RemotingCommand):
                self._is_away = False
                self._answered(code, answer, take)
            else:
                self._unanswered(answer)

        self._client.invoke(master_address, RemotingCommand.request(code, fields), TIMEOUT_MS, done)

    def _answered(self, code: int, answer: RemotingCommand, take: Callable[[RemotingCommand], None]) -> None:
        if answer.code == ResponseCode.REQUEST_CODE_NOT_SUPPORTED:
            self._are_deletions_due = self._are_deletions_due and code != HA_DELETED_TOPICS
            return
        if answer.code != ResponseCode.SUCCESS:
            self._failed(code, f"code {answer.code}, {answer.remark}")
            return
        try:
            take(answer)
        except ValueError as error:
            self._failed(code, str(error))
        else:
            self._failing.discard(code)

    def _unanswered(self, error: CallFailed) -> None:
        self._forget_offsets()
        if not self._is_away:
            self._is_away = True
            _LOG.warning("metadata is not copied, the master %s is away: %s", self._master_address, error)

    def _failed(self, code: int, fault: str) -> None:
        self._forget_offsets()
        if code not in self._failing:
            self._failing.add(code)
            _LOG.warning("request %d to the master %s: %s", code, self._master_address, fault)


def _take_body(take_table: TakeTable, answer: RemotingCommand) -> None:
    take_table(answer.body)


def _whole_tables(context: BrokerContext) -> dict[RequestCode, TakeTable]:
    """What SlaveSynchronize takes as a whole, by the code that asks for it."""
    tables: dict[RequestCode, TakeTable] = {
        RequestCode.GET_ALL_DELAY_OFFSET: lambda body: context.schedule.take(DelayOffsetSerializeWrapper.decode(body)),
        RequestCode.GET_ALL_MESSAGE_REQUEST_MODE: lambda body: context.request_modes.take(
            MessageRequestModeSerializeWrapper.decode(body)
        ),
    }
    timer = context.timer
    if timer is not None:
        tables[RequestCode.GET_TIMER_CHECK_POINT] = lambda body: timer.take_master_checkpoint(
            TimerCheckpoint.decode(body)
        )
        tables[RequestCode.GET_TIMER_METRICS] = lambda body: timer.take_master_metrics(
            TimerMetricsSerializeWrapper.decode(body)
        )
    return tables
