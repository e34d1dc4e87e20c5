# SPDX-License-Identifier: Apache-2.0
"""Ends transactions and remembers which are over. Answers to Apache's TransactionalMessageServiceImpl.

    commit    the message goes into its real queue, an op message says that the half message is over
    rollback  only the op message

Apache gathers op messages for up to 3 s (transactionOpBatchInterval), and a crash in that time makes it ask again
about transactions that are over. Here the op message is part of the same commit of the log as the message itself, one
for all transactions that end in a tick; so a killed process knows of both or of neither, and a rollback is answered
when its op message is as safe as this broker promises.

A transaction ends once. A producer that repeats itself is answered SUCCESS without a second message; one that says the
opposite is refused.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...remoting.message import RecordError, decode_records
from ...remoting.message_const import PROPERTY_DELAY
from ...remoting.topic_names import TRANS_CONSUMER_GROUP, TRANS_HALF_TOPIC, TRANS_OP_HALF_TOPIC
from ...store.put_message import PutStatus
from ..schedule_message_service import delayed
from . import half_message
from .half_message import HALF_QUEUE_ID
from .half_table import HalfTable, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...env import Reactor
    from ...remoting.message import MessageExt
    from ...store.message_store import MessageStore
    from ...store.put_message import MessageToStore, PutResult
    from ..broker_config import BrokerConfig
    from ..consumer_offset_manager import ConsumerOffsetManager
    from .transaction_metrics import TransactionMetrics

    PutDone = Callable[[PutResult], None]

#: Messages read at a time while the broker opens its store.
READ_BATCH = 512

log = logging.getLogger(__name__)


@dataclass
class _Ending:
    """A transaction whose op message is not written yet."""

    places: list[int]
    done: PutDone | None


class TransactionalMessageService:
    """Runs on masters only; a slave has the same log and the same offsets when it becomes one."""

    def __init__(
        self,
        config: BrokerConfig,
        store: MessageStore,
        offsets: ConsumerOffsetManager,
        reactor: Reactor,
        metrics: TransactionMetrics,
    ) -> None:
        self._config = config
        self._store = store
        self._offsets = offsets
        self._reactor = reactor
        self._endings: list[_Ending] = []
        self.metrics = metrics
        self.table = HalfTable()

    def load(self) -> None:
        """Blocking, after the store and the offsets are loaded: reads what is not done with in both queues."""
        table = self.table = HalfTable(self._stored_offset(TRANS_HALF_TOPIC), self._stored_offset(TRANS_OP_HALF_TOPIC))
        for op in self._read(TRANS_OP_HALF_TOPIC, table.op_offset):
            table.op_found(op.queue_offset, half_message.op_offsets(op))
        self._find_copies()
        table.advance(table.half_offset)

    def _find_copies(self) -> None:
        """A crash between a copy and the offset that passes its original leaves both: only the newest counts."""
        newest: dict[tuple[str, int, tuple[str, int]], int] = {}
        for half in self._read(TRANS_HALF_TOPIC, self.table.half_offset):
            origin = (half.unique_id, half.born_timestamp_ms, half.born_host)
            if origin in newest and half_message.is_copy(half):
                self.table.supersede(newest[origin], half.queue_offset)
            newest[origin] = half.queue_offset

    def start(self) -> None:
        self._store.before_commit(self._write_ops)

    def end(self, half: MessageExt, outcome: Outcome, done: PutDone) -> None:
        """An open transaction ends. done is called when that is as safe as this broker promises, or is refused.

        Raises ValueError for a half message that names no real queue."""
        topic, _ = half_message.real_queue(half)
        message = self._final(half) if outcome is Outcome.COMMITTED else None
        places = self.table.end(half.queue_offset, outcome)
        finished = partial(self._ended, topic, places, done)
        if message is None:
            self._write_op_soon(_Ending(places, finished))
        else:
            # No transaction is ended by an op message whose message was refused: both are in one write of the log,
            # and what was stored as a half message is not too large to be stored again.
            self._write_op_soon(_Ending(places, None))
            self._store.put(message, finished)

    def _final(self, half: MessageExt) -> MessageToStore:
        """A commit may start a delay: the half message itself never waits."""
        message = half_message.committed(half)
        level = int(half.properties.get(PROPERTY_DELAY, "0"))
        return delayed(message, level, self._store.config.delay_levels_ms) if level > 0 else message

    def copied(self, place: int, copy: int) -> bool:
        """A copy of a half message is stored. True while the transaction is open."""
        if not self.table.supersede(place, copy):
            return True
        self._write_op_soon(_Ending([copy], None))
        return False

    def advance(self, half_offset: int) -> None:
        """The check has passed everything before half_offset."""
        table = self.table
        if half_offset == table.half_offset:
            return
        table.advance(half_offset)
        self._offsets.commit(TRANS_CONSUMER_GROUP, TRANS_HALF_TOPIC, HALF_QUEUE_ID, table.half_offset)
        self._offsets.commit(TRANS_CONSUMER_GROUP, TRANS_OP_HALF_TOPIC, HALF_QUEUE_ID, table.op_offset)

    def _ended(self, topic: str, places: list[int], done: PutDone, result: PutResult) -> None:
        if result.status.is_stored:
            self.metrics.add(topic, -1)
        else:
            self.table.reopen(places)
        done(result)

    # Op messages.

    def _write_op_soon(self, ending: _Ending) -> None:
        if not self._endings:
            # In case nothing else is put in this tick; else `before_commit` comes first.
            self._reactor.call_soon(self._write_ops)
        self._endings.append(ending)

    def _write_ops(self) -> None:
        endings, self._endings = self._endings, []
        if not endings:
            return
        waiting = {place: ending for ending in endings for place in ending.places}
        size_bytes_max = self._config.transaction_op_msg_max_size_bytes
        store_host = (self._config.broker_ip1, self._config.listen_port)
        for body, places in half_message.op_bodies(waiting, size_bytes_max):
            message = half_message.op_message(body, self._reactor.clock.now_ms(), store_host)
            # The last place of an ending is in the last message that concerns it.
            over = [waiting[place] for place in places if waiting[place].places[-1] == place]
            self._store.put(message, partial(self._op_written, places, over))

    def _op_written(self, places: list[int], over: list[_Ending], result: PutResult) -> None:
        if result.status.is_stored:
            self.table.op_stored(result.queue_offset, places)
        elif result.status is not PutStatus.SERVICE_NOT_AVAILABLE:
            log.error("half messages %s: their end could not be written down: %s", places, result.status.name)
        for ending in over:
            if ending.done is not None:
                ending.done(result)

    def _read(self, topic: str, queue_offset: int) -> Iterator[MessageExt]:
        """A queue from there to its end."""
        while True:
            found = self._store.get(topic, HALF_QUEUE_ID, queue_offset, READ_BATCH)
            for frame in found.frames:
                try:
                    yield from decode_records(frame, check_crc=False)
                except RecordError as error:
                    log.error("%s: a record from offset %d on cannot be read: %s", topic, queue_offset, error)
            if found.next_begin_offset <= queue_offset:
                return
            queue_offset = found.next_begin_offset

    def _stored_offset(self, topic: str) -> int:
        """Where the group of the transactions stands, within what the queue holds."""
        first = self._store.min_offset(topic, HALF_QUEUE_ID)
        end = self._store.max_offset(topic, HALF_QUEUE_ID)
        stored = self._offsets.query(TRANS_CONSUMER_GROUP, topic, HALF_QUEUE_ID)
        return min(max(stored, first), end)
