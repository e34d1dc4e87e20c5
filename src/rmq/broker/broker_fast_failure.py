# SPDX-License-Identifier: Apache-2.0
"""Requests that are refused because this broker cannot keep up. Answers to Apache's BrokerFastFailure and to what its
remoting does when a thread pool's queue is full.

Apache's requests wait in queues of thread pools; ours wait in their sockets until the loop reads them, and sends wait
once more, stored already, for the disk or the slaves. So:

    Apache                                        here                                       remark, all with code 2
    the send queue has                            sends that were stored and not answered    [OVERLOAD]
    sendThreadPoolQueueCapacity requests          yet are that many
    a put holds the lock for                      the write of a commit has just taken that  [PCBUSY_CLEAN_QUEUE]
    osPageCacheBusyTimeOutMills                   long (what came meanwhile is refused), or
                                                  a sync flush has been under way that long
    a request lies in its queue for               it has lain in its socket for that long    [TIMEOUT_CLEAN_QUEUE]
    waitTimeMillsIn...Queue

The last two only with brokerFastFailureEnable. A request is refused before anything is done for it, never after: what
is stored is answered as stored.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..remoting.codes import RequestCode, ResponseCode
from ..rpc.errors import RequestRefused
from ..rpc.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..env import Clock
    from ..rpc.tick_clock import TickClock
    from ..store.message_store import MessageStore
    from .broker_config import BrokerConfig

    #: Raises RequestRefused.
    Admit = Callable[[], None]

OVERLOAD = "[OVERLOAD]system busy, start flow control for a while"

_SENDS = frozenset(
    (
        RequestCode.SEND_MESSAGE,
        RequestCode.SEND_MESSAGE_V2,
        RequestCode.SEND_BATCH_MESSAGE,
        RequestCode.CONSUMER_SEND_MSG_BACK,
    )
)
_QUERIES = frozenset((RequestCode.QUERY_MESSAGE, RequestCode.VIEW_MESSAGE_BY_ID))
#: Apache's queues that are not cleaned.
_NEVER_LATE = frozenset(
    (
        RequestCode.SEND_REPLY_MESSAGE,
        RequestCode.SEND_REPLY_MESSAGE_V2,
        RequestCode.UNREGISTER_CLIENT,
        RequestCode.CHECK_CLIENT_CONFIG,
        RequestCode.GET_CONSUMER_LIST_BY_GROUP,
        RequestCode.UPDATE_CONSUMER_OFFSET,
        RequestCode.QUERY_CONSUMER_OFFSET,
    )
)


@dataclass
class RefusedCounters:
    """Since the start."""

    overloaded: int = 0
    page_cache_busy: int = 0
    timed_out: int = 0


class BrokerFastFailure:
    def __init__(self, config: BrokerConfig, store: MessageStore, tick: TickClock, clock: Clock) -> None:
        self.refused = RefusedCounters()
        self._config = config
        self._store = store
        self._tick = tick
        self._log = RateLimitedLog(logging.getLogger(__name__), clock)
        # Sends are judged once for each read, not for each message.
        self._judged_read = -1
        self._verdict: str | None = None

    def admission(self, code: RequestCode) -> Admit | None:
        """What is to be asked before a request with this code is processed; None: it is never refused for load."""
        config = self._config
        if code in _SENDS:
            return self._admit_send
        if code in _QUERIES:
            return self._admit_query
        if code in _NEVER_LATE:
            return None
        limit_ms: dict[RequestCode, Callable[[], int]] = {
            RequestCode.PULL_MESSAGE: lambda: config.wait_time_in_pull_queue_ms,
            RequestCode.LITE_PULL_MESSAGE: lambda: config.wait_time_in_lite_pull_queue_ms,
            RequestCode.HEART_BEAT: lambda: config.wait_time_in_heartbeat_queue_ms,
            RequestCode.END_TRANSACTION: lambda: config.wait_time_in_transaction_queue_ms,
        }
        return self._admit_within(limit_ms.get(code, lambda: config.wait_time_in_admin_queue_ms))

    def _admit_send(self) -> None:
        reads = self._tick.reads
        if reads != self._judged_read:
            self._judged_read = reads
            self._verdict = self._judge_send()
        if self._verdict is not None:
            self._refuse(self._verdict)

    def _judge_send(self) -> str | None:
        """The remark that the sends of this read are refused with."""
        config, tick = self._config, self._tick
        waiting = self._store.unanswered_puts
        if waiting >= config.send_queue_capacity:
            return OVERLOAD
        if not config.broker_fast_failure_enable:
            return None
        lag_ms = self._store.page_cache_lag_ms(tick.began_ms)
        if lag_ms >= config.os_page_cache_busy_timeout_ms:
            return _busy("PCBUSY_CLEAN_QUEUE", lag_ms, waiting)
        if tick.waited_ms >= config.wait_time_in_send_queue_ms:
            return _busy("TIMEOUT_CLEAN_QUEUE", tick.waited_ms, waiting)
        return None

    def _admit_query(self) -> None:
        if self._store.queries_under_way >= self._config.query_queue_capacity:
            self._refuse(OVERLOAD)

    def _admit_within(self, limit_ms: Callable[[], int]) -> Admit:
        tick, config = self._tick, self._config

        def admit() -> None:
            waited_ms = tick.waited_ms
            if waited_ms and config.broker_fast_failure_enable and waited_ms >= limit_ms():
                self._refuse(_busy("TIMEOUT_CLEAN_QUEUE", waited_ms, 0))

        return admit

    def _refuse(self, remark: str) -> None:
        counters = self.refused
        if remark is OVERLOAD:
            counters.overloaded += 1
        elif remark.startswith("[PCBUSY"):
            counters.page_cache_busy += 1
        else:
            counters.timed_out += 1
        self._log.warning("refused", "requests are refused, %s (since the start: %s)", remark, counters)
        raise RequestRefused(ResponseCode.SYSTEM_BUSY, remark)


def _busy(kind: str, period_ms: int, size: int) -> str:
    return f"[{kind}]broker busy, start flow control for a while, period in queue: {period_ms}ms, size of queue: {size}"
