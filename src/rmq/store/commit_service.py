# SPDX-License-Identifier: Apache-2.0
"""Takes messages (or a master's raw bytes) during a tick and commits them together at its end; see message_store for
the order."""

from __future__ import annotations

import errno
import logging
import struct
from typing import TYPE_CHECKING, TypeVarTuple

from ..remoting.frame import MAX_FRAME_BYTES
from ..remoting.message import RECORD_MIN_BYTES
from .errors import StoreError
from .log_scan import find_next
from .put_message import PutResult, PutStatus
from .record import BLANK_BYTES, is_blank
from .record_appender import RecordAppender, RecordRefusedError
from .record_dispatcher import RecordDispatcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..env import Reactor
    from .commit_log import CommitLog
    from .config import StoreConfig
    from .consume_queue import ConsumeQueue
    from .consume_queue_store import ConsumeQueueStore
    from .flush_service import FlushService
    from .index_service import IndexService
    from .put_message import MessageToStore
    from .put_waiters import PutWaiters, Waiter
    from .store_stats import StoreStats

    Done = Callable[[PutResult], None]
    Arrived = Callable[[str, int, int, int | None, int], None]

log = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")

_OK = PutStatus.OK
_REFUSALS = (StoreError, ValueError, struct.error)
# TOTALSIZE and PHYSICALOFFSET.
_HEAD = struct.Struct(">i24xq")

# A slave that is behind its master by more than it reads at a time gets its next bytes in such pieces; one that keeps
# up, a few messages.
BULK_BYTES = 128 * 1024
NO_ROOM_PAUSE_MS = 1_000


class CommitService:
    def __init__(
        self,
        config: StoreConfig,
        reactor: Reactor,
        *,
        commit_log: CommitLog,
        queues: ConsumeQueueStore,
        index: IndexService | None,
        flush: FlushService,
        waiters: PutWaiters,
        stats: StoreStats,
        on_failed: Callable[[OSError], None],
        on_damage: Callable[[int, int], None],
    ) -> None:
        """on_damage(from, to): what a master has sent is no record there."""
        self.accepting = False
        self.committing: list[Callable[[], None]] = []
        """Called before a commit: what they put is part of it."""
        self.arrived: list[Arrived] = []
        self.committed: list[Callable[[int], None]] = []
        self.dispatched = 0
        """Every whole record below has its unit. On a slave the log may end with half a record behind it."""
        self.refused_records = 0
        """Of a master: intact, but with a place in their queue that they cannot have."""
        self._reactor = reactor
        self._log = commit_log
        self._queues = queues
        self._index = index
        self._flush = flush
        self._waiters = waiters
        self._stats = stats
        self._on_failed = on_failed
        self._on_damage = on_damage
        self._searched = 0
        """No record begins below and behind `dispatched`."""
        self._appender = RecordAppender(commit_log, config, None if index is None else index.pending)
        self._append = self._appender.append
        self._waits_for_flush = config.waits_for_flush
        self._waits = config.waits_for_flush or config.waits_for_slaves
        self._write_ms = 0
        self._write_ended_ms = 0
        self._now_ms = 0
        self._scheduled = False
        self._raw = False
        self._is_refusing = False
        self._lacks_room = False
        self._dispatcher = RecordDispatcher(queues, index=index, refused=self._refused)
        """For what a master sends."""
        self._touched: list[ConsumeQueue] = []
        self._answers: list[Waiter] = []
        self._to_wait: list[Waiter] = []

    # -- during the tick

    def put(self, message: MessageToStore, done: Done) -> None:
        if not self.accepting:
            self._refuse_soon(PutResult(PutStatus.SERVICE_NOT_AVAILABLE), done)
            return
        if not self._scheduled:
            self._begin()
        queue = self._queues.table.get((message[0], message[1]))
        if queue is None:
            queue = self._new_queue(message)
            if queue is None:
                self._refuse_soon(PutResult(PutStatus.MESSAGE_ILLEGAL), done)
                return
        if queue.next_offset == queue.max_offset:
            self._touched.append(queue)
        try:
            result = self._append(queue, message, self._now_ms)
        except _REFUSALS as error:
            self._refuse_soon(PutResult(_status_of(error)), done)
            return
        if self._waits and message.wait_store_ok:
            self._to_wait.append((result.physical_offset + result.size, result, done))
        else:
            self._answers.append((0, result, done))

    def put_batch(self, messages: Sequence[MessageToStore], done: Done) -> None:
        if not self.accepting:
            self._refuse_soon(PutResult(PutStatus.SERVICE_NOT_AVAILABLE), done)
            return
        queue = self._new_queue(messages[0]) if messages else None
        faults = [status for one in messages if (status := self._appender.check(one)) is not _OK]
        if queue is None or faults:
            self._refuse_soon(PutResult(faults[0] if faults else PutStatus.MESSAGE_ILLEGAL), done)
            return
        if not self._scheduled:
            self._begin()
        if queue.next_offset == queue.max_offset:
            self._touched.append(queue)
        try:
            results = [self._append(queue, message, self._now_ms) for message in messages]
        except _REFUSALS as error:
            # Their sizes are checked: only the first can be refused, for what it has from the request's header.
            self._refuse_soon(PutResult(_status_of(error)), done)
            return
        first, last = results[0], results[-1]
        result = first._replace(
            size=sum(one.size for one in results), message_id=",".join([one.message_id for one in results])
        )
        waiter = (last.physical_offset + last.size, result, done)
        (self._to_wait if self._waits and messages[0].wait_store_ok else self._answers).append(waiter)

    def append_raw(self, physical_offset: int, data: bytes | memoryview) -> None:
        """Raises StoreError unless physical_offset is the end, or the log is empty."""
        commit_log = self._log
        if physical_offset != commit_log.position:
            if commit_log.position > commit_log.min_offset or physical_offset % commit_log.files.file_size_bytes:
                raise StoreError(f"raw bytes for {physical_offset} do not follow the log's end, {commit_log.position}")
            commit_log.files.remove_from(0)
            commit_log.open_at(physical_offset, flushed=physical_offset)
            self.dispatched = physical_offset
        if not self._scheduled:
            self._begin()
        self._raw = True
        commit_log.append_raw(data)

    def commit_now(self) -> None:
        """Commit what is pending without waiting for the end of the tick."""
        if self._scheduled:
            self._commit()

    @property
    def unanswered(self) -> int:
        """Puts of this tick that will wait for the disk or a slave."""
        return len(self._to_wait)

    def stalled_ms(self, tick_began_ms: int) -> int:
        """How long the last write took, where it ended just before that tick began: what the tick reads came during
        that write, or after it."""
        return self._write_ms if tick_began_ms - self._write_ended_ms <= 1 else 0

    # -- at its end

    def _begin(self) -> None:
        self._scheduled = True
        self._now_ms = self._reactor.clock.now_ms()
        self._reactor.call_soon(self.commit_now)

    def _commit(self) -> None:
        for committing in self.committing:
            _guard(committing)
        self._scheduled = False
        start = self._log.written
        began_ms = self._reactor.clock.monotonic_ms()
        try:
            for queue in self._touched:
                queue.reserve()
            self._log.write()
        except OSError as error:
            self._refuse_all(error)
            return
        self._write_ended_ms = self._reactor.clock.monotonic_ms()
        self._write_ms = self._write_ended_ms - began_ms
        self._is_refusing = False
        was_raw, self._raw = self._raw, False
        if was_raw:
            self._dispatch_if_there_is_room()
        elif self._log.written > start:
            self.dispatched = self._log.written
            self._flush.last_store_timestamp_ms = self._now_ms
        touched, self._touched = self._touched, []
        answers, self._answers = self._answers, []
        to_wait, self._to_wait = self._to_wait, []
        self._stats.puts += len(answers) + len(to_wait)
        self._stats.put_bytes += self._log.written - start
        try:
            self._show(touched)
        except OSError as error:
            for _, result, done in (*answers, *to_wait):
                _guard(done, result._replace(status=PutStatus.SERVICE_NOT_AVAILABLE))
            self._on_failed(error)
            return
        end = self._log.written
        for committed in self.committed:
            _guard(committed, end)
        for _, result, done in answers:
            # Not by _guard: a call more for each message.
            try:
                done(result)
            except Exception:
                log.exception("an answer to a put could not be given")
        if to_wait:
            self._waiters.add(to_wait)
        if self._index is not None:
            self._index.commit()
        if self._waits_for_flush and (to_wait or was_raw):
            self._flush.flush()

    def _show(self, touched: list[ConsumeQueue]) -> None:
        """Let readers see the new units, and tell who waits for them."""
        for queue in touched:
            new = queue.next_offset - queue.max_offset
            if not new:
                continue
            queue.reserve()
            queue.commit()
            if self.arrived:
                last = queue.next_offset - 1
                tags_code = queue.unit(last)[2] if new == 1 else None
                for arrived in self.arrived:
                    _guard(arrived, queue.topic, queue.queue_id, last, tags_code, self._now_ms)

    def _refuse_all(self, error: OSError) -> None:
        """Nothing of this tick is in the log; the next tick tries again, which succeeds when there is space again."""
        if not self._is_refusing:
            self._is_refusing = True
            log.error("commit log: nothing can be written at %d: %s", self._log.written, error)
        self._log.roll_back()
        if self._index is not None:
            self._index.roll_back()
        for queue in self._touched:
            queue.roll_back()
        waiting = self._answers + self._to_wait
        self._touched, self._answers, self._to_wait = [], [], []
        self._raw = False
        self._stats.failed_puts += len(waiting)
        for _, _, done in waiting:
            _guard(done, PutResult(PutStatus.SERVICE_NOT_AVAILABLE))

    def _refuse_soon(self, result: PutResult, done: Done) -> None:
        self._stats.failed_puts += 1
        self._reactor.call_soon(lambda: done(result))

    def _new_queue(self, message: MessageToStore) -> ConsumeQueue | None:
        try:
            return self._queues.make(message.topic, message.queue_id)
        except StoreError as error:
            log.error("%s", error)
            return None

    # -- a slave's raw bytes

    def _dispatch_if_there_is_room(self) -> None:
        """The log has its bytes. Where the disk is too full for their units, these are made when there is space."""
        before = self.dispatched
        try:
            self._dispatch()
            for queue in self._touched:
                queue.reserve()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                self._on_failed(error)
                return
            if not self._lacks_room:
                log.error("consume queues: the records from %d on cannot be shown now: %s", before, error)
            self._lacks_room = True
            for queue in (*self._touched, *self._dispatcher.take_touched()):
                queue.roll_back()
            self._touched.clear()
            self.dispatched = before
            if self._index is not None:
                self._index.leave_behind(before)
            self._reactor.call_later(NO_ROOM_PAUSE_MS, self._try_again)
        else:
            self._lacks_room = False

    def _try_again(self) -> None:
        if self._lacks_room:
            self._raw = True
            if not self._scheduled:
                self._begin()

    def dispatch_all(self) -> int:
        """No more bytes come: a record that looks as if its rest were missing is passed over where others stand behind
        it. Returns where the last whole one ends."""
        self.commit_now()
        self._dispatch(is_all=True)
        touched, self._touched = self._touched, []
        self._show(touched)
        return self.dispatched

    def _dispatch(self, *, is_all: bool = False) -> None:
        """Give the records that are whole now their units. The last one may be half there: its rest comes with the
        next bytes. What came damaged from the master is passed over, and mended from the pair later."""
        files = self._log.files
        position = self.dispatched
        if self._index is not None and self._log.written - position >= BULK_BYTES:
            self._index.leave_behind(position)
        while position < self._log.written:
            file_start = files.start_of(position)
            limit = min(files.file_size_bytes, self._log.written - file_start)
            view = files.view(file_start, limit)
            at = self._dispatcher.run(view, position - file_start, limit, file_start)
            position = file_start + at
            if limit - at >= BLANK_BYTES and is_blank(view, at, files.file_size_bytes):
                following = file_start + files.file_size_bytes
            elif limit - at >= RECORD_MIN_BYTES or (limit == files.file_size_bytes and at < limit):
                # Less than a record can only be a file's end: its blank record is damaged.
                following = self._behind_damage(view, at, file_start, is_all=is_all)
            else:
                break
            if following > self._log.written:
                break
            position = following
        self.dispatched = position
        self._touched += self._dispatcher.take_touched()
        if self._dispatcher.records:
            self._flush.last_store_timestamp_ms = self._dispatcher.last_store_timestamp_ms

    def _behind_damage(self, view: memoryview, at: int, file_start: int, *, is_all: bool) -> int:
        """Where to go on behind bytes at position `at` of view that are no whole record and no blank one; beyond what
        is written where that is not there yet."""
        position = file_start + at
        size = self._size_at(view, at, position)
        if size > len(view) - at and not is_all:
            return position + size
        found, _ = find_next(self._log.files, max(position, self._searched))
        if found is not None:
            following = found
        elif size and self._may_begin(view, at + size, position + size):
            following = position + size
        else:
            following = self._log.written + 1
        if following > self._log.written:
            # The next record may begin in the last bytes that are there.
            self._searched = self._log.written - MAX_FRAME_BYTES
            return following
        log.error("commit log: bytes %d to %d came damaged from the master", position, following)
        self._on_damage(position, following)
        return following

    @staticmethod
    def _may_begin(view: memoryview, at: int, position: int) -> bool:
        """Where the written bytes end, or as much of a record's head is there as says its place."""
        return at == len(view) or (len(view) - at >= _HEAD.size and _HEAD.unpack_from(view, at)[-1] == position)

    def _size_at(self, view: memoryview, at: int, position: int) -> int:
        """TOTALSIZE, where a record's head is there that can be right; else 0."""
        if len(view) - at < RECORD_MIN_BYTES:
            return 0
        size: int
        size, own_position = _HEAD.unpack_from(view, at)
        # By what a client can send: the master's own limit is not known here.
        size_max = min(MAX_FRAME_BYTES, self._log.files.file_size_bytes - at)
        return size if RECORD_MIN_BYTES <= size <= size_max and own_position == position else 0

    def forget_from(self, physical_offset: int) -> None:
        """The log was cut there."""
        self.dispatched = min(self.dispatched, physical_offset)
        self._searched = 0

    def _refused(self, start: int, end: int) -> None:
        del start, end  # named in the log already
        self.refused_records += 1


def _status_of(error: Exception) -> PutStatus:
    return error.status if isinstance(error, RecordRefusedError) else PutStatus.MESSAGE_ILLEGAL


def _guard(callback: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
    """One callback that fails must not keep the others from being called."""
    try:
        callback(*arguments)
    except Exception:
        log.exception("a callback of the store failed")
