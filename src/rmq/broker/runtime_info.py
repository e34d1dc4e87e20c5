# SPDX-License-Identifier: Apache-2.0
"""What GET_BROKER_RUNTIME_INFO (28) tells: Apache's keys, as brokerStatus and clusterList print them.

Thread pools and their queues do not exist here. The send queue's numbers are those of sends that wait for the disk or a
slave (see broker_fast_failure.py), the query queue's of queries under way; the others' are 0, because tools read them
as numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting.message import RecordError, decode_record

if TYPE_CHECKING:
    from .broker_context import BrokerContext

_THREAD_POOLS = {
    "pullThreadPoolQueueSize": "0",
    "pullThreadPoolQueueCapacity": "100000",
    "litePullThreadPoolQueueSize": "0",
    "litePullThreadPoolQueueCapacity": "100000",
    "ackThreadPoolQueueSize": "0",
    "ackThreadPoolQueueCapacity": "100000",
    "EndTransactionQueueSize": "0",
    "EndTransactionThreadPoolQueueCapacity": "100000",
    "pullThreadPoolQueueHeadWaitTimeMills": "0",
    "litePullThreadPoolQueueHeadWaitTimeMills": "0",
    "queryThreadPoolQueueHeadWaitTimeMills": "0",
    "ackThreadPoolQueueHeadWaitTimeMills": "0",
}

#: With timerWheelEnable=false.
_NO_TIMER = {
    "timerReadBehind": "0",
    "timerOffsetBehind": "0",
    "timerCongestNum": "0",
    "timerEnqueueTps": "0.0",
    "timerDequeueTps": "0.0",
}

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def runtime_info(context: BrokerContext) -> dict[str, str]:
    store = context.store
    unflushed = max(0, store.max_physical_offset - store.flushed_physical_offset)
    table = {
        "earliestMessageTimeStamp": str(_earliest_store_time_ms(context)),
        **_THREAD_POOLS,
        **(_NO_TIMER if context.timer is None else context.timer.runtime_info()),
        "sendThreadPoolQueueSize": str(store.unanswered_puts),
        "sendThreadPoolQueueCapacity": str(context.config.send_queue_capacity),
        "sendThreadPoolQueueHeadWaitTimeMills": str(store.oldest_put_ms()),
        "queryThreadPoolQueueSize": str(store.queries_under_way),
        "queryThreadPoolQueueCapacity": str(context.config.query_queue_capacity),
        "brokerActive": "true" if not context.config.is_slave else "false",
        # Queues are written in the tick of their records: nothing is ever behind.
        "dispatchBehindBytes": "0",
        "dispatchMaxBuffer": "0",
        "pageCacheLockTimeMills": str(store.page_cache_lag_ms(context.clock.monotonic_ms())),
        "remainTransientStoreBufferNumbs": "2147483647",
        "remainHowManyDataToFlush": human_readable(unflushed),
        "startAcceptSendRequestTimeStamp": str(context.config.start_accept_send_request_time_stamp_ms),
    }
    if context.disk_space is not None:
        total_bytes, free_bytes = context.disk_space(context.config.store_path_root_dir)
        capacity = f"Total : {human_readable(total_bytes)}, Free : {human_readable(free_bytes)}."
        table["commitLogDirCapacity"] = capacity
    table.update(context.stats.runtime_info())
    table.update(context.schedule.runtime_info())
    table.update(store.runtime_info())
    return table


def _earliest_store_time_ms(context: BrokerContext) -> int:
    """Of the oldest record that is still there; -1 in an empty log."""
    record = context.store.record_at(context.store.min_physical_offset)
    try:
        return -1 if record is None else decode_record(record, check_crc=False).store_timestamp_ms
    except RecordError:
        return -1


def human_readable(size_bytes: int) -> str:
    """As Apache writes sizes in this table: `512 B`, `1.5 KiB`."""
    if size_bytes < 1024:
        return f"{size_bytes} B"
    power = min((size_bytes.bit_length() - 1) // 10, len(_UNITS))
    return f"{size_bytes / 1024**power:.1f} {_UNITS[power - 1]}"
