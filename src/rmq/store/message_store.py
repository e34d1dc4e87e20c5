# SPDX-License-Identifier: Apache-2.0
"""The store as the broker and the HA service see it (Apache's DefaultMessageStore).

A tick: put() gives a message its offsets and adds it to the log's buffer; the first one of a tick asks for a commit
by call_soon. The commit does, in this order:

1. room for everything is reserved; one join, one pwrite; on an error nothing counts and everybody is refused
2. consume queues show their new units
3. on_arrive (long polling), on_commit (replication)
4. answers: at once, or through PutWaiters where flush or slaves are waited for

| state | put | get |
|---|---|---|
| loaded, not started | SERVICE_NOT_AVAILABLE | yes |
| running | yes | yes |
| running, disk above its warning level, or a SLAVE | SERVICE_NOT_AVAILABLE | yes |
| failed (fdatasync, queue write) | SERVICE_NOT_AVAILABLE for good | yes |
| shut down | SERVICE_NOT_AVAILABLE | no |
"""

from __future__ import annotations

import logging
import math
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .clean_service import CleanService
from .commit_log import CommitLog
from .commit_service import CommitService
from .config import BrokerRole
from .consume_queue_store import ConsumeQueueStore
from .deleted_topics import DELETED_TOPICS_FILE, DeletedTopics
from .diverged_tail import DIVERGED_DIRECTORY, DivergedTail
from .errors import StoreError
from .flush_service import CHECKPOINT_FILE, QUEUE_CHECKPOINT_FILE, FlushService
from .get_message import BoundaryType, GetStatus
from .identity import check_identity
from .index_service import IndexService
from .log_recovery import LogRecovery, RecoveryReport
from .mending import Mending
from .message_reader import MAX_PULL_BYTES, MessageReader
from .put_message import PutStatus
from .put_waiters import PutWaiters
from .query_message import KeyQuery
from .queue_checkpoint import QueueCheckpoint
from .store_checkpoint import StoreCheckpoint
from .store_stats import SAMPLE_INTERVAL_MS, StoreStats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..env import Disk, File, Reactor
    from .config import StoreConfig
    from .get_message import GetResult
    from .put_message import MessageToStore, PutResult
    from .query_message import QueryMessageResult

log = logging.getLogger(__name__)

ABORT_FILE = "abort"
LOCK_FILE = "lock"
REBUILD_FILE = "rebuilding"


class MessageStore:
    """One broker's messages on one disk. Everything but load(), shutdown() and truncate_to() is called on the loop
    and does not block; nothing is called before load() has returned."""

    def __init__(
        self, config: StoreConfig, disk: Disk, reactor: Reactor, *, on_fatal: Callable[[str], None] | None = None
    ) -> None:
        """on_fatal(reason): the disk failed in a way after which nothing may be acknowledged; end the process
        non-zero."""
        self.config = config
        self.recovery = RecoveryReport(0)
        """What load() found; damaged_ranges is for the runtime information and for an alarm."""
        self.tails_set_aside = 0
        self.was_killed = False
        """load() found that the last process did not stop cleanly."""
        self.rebuilding_from = ""
        """The broker that this store was being filled from when it was left."""
        self._disk = disk
        self._reactor = reactor
        self._on_fatal = on_fatal
        self._failure: str | None = None
        self._is_loaded = False
        self._is_running = False
        self._held = ExitStack()
        self._making_file_at = -1
        self._reads = 0
        self._log = CommitLog(disk, config.commit_log_directories(), config.mapped_file_size_commit_log)
        self.deleted_topics = DeletedTopics(disk, reactor, config.root / "config" / DELETED_TOPICS_FILE)
        self._queues = ConsumeQueueStore(disk, config, self.deleted_topics)
        self._index = self._make_index()
        self._stats = StoreStats(reactor.clock.now_ms())
        self._reader = MessageReader(self._log, config)
        self._key_query = KeyQuery(self._index, self._reader, reactor)
        self.mending = Mending(self._log, self._queues, self._reader, self._index)
        self._waiters = _put_waiters(config, reactor)
        self._flush = FlushService(
            config,
            disk,
            reactor,
            self._log,
            self._queues,
            index=self._index,
            complete_up_to=lambda: self._commits.dispatched,
            damaged=lambda: self.recovery.damaged_ranges,
            on_flushed=self._flushed,
            on_failed=self.fail,
        )
        self._commits = self._make_commits()
        self._commits.committed.append(self._make_next_file)
        self._clean = CleanService(
            config,
            disk,
            reactor,
            self._log,
            self._queues,
            index=self._index,
            is_busy=self._is_reading_or_syncing,
            on_measured=self._decide_accepting,
            on_cleaned=self.mending.forget_before,
        )
        self._flush_callbacks: list[Callable[[int], None]] = []

    # -- opening and closing

    def load(self) -> None:
        """Blocking: lock, check identity, recover. Raises StoreError (one line); the lock is given back then."""
        try:
            self._load()
        except OSError as error:
            self._held.close()
            raise StoreError(f"{self.config.root}: {error}") from error
        except BaseException:
            self._held.close()
            raise

    def _load(self) -> None:
        config, disk = self.config, self._disk
        disk.make_directories(config.root)
        self._held.enter_context(disk.lock(config.root / LOCK_FILE))
        check_identity(disk, config)
        if disk.exists(config.root / ABORT_FILE):
            self.was_killed = True
            log.warning("store: the last stop was not a clean one")
        self.rebuilding_from = _read(disk, config.root / REBUILD_FILE).decode("utf-8", "replace")
        self.deleted_topics.load()
        self._queues.load()
        hint = QueueCheckpoint.decode(_read(disk, config.root / QUEUE_CHECKPOINT_FILE))
        log_end = 0 if hint is None else hint.physical_offset
        self._log.files.load(
            lambda start, end: max(self._queues.end_in(start, end), log_end * (start < log_end <= end))
        )
        self.recovery = LogRecovery(self._log, self._queues, self._index, hint).run()
        # A slave's log may be behind what its master has told it.
        if not self._is_slave and self.deleted_topics.cap(self._log.written):
            self.deleted_topics.persist_now()
        self._queues.remove_deleted()
        self._reader.trusted_from = self.recovery.start
        self.mending.report = self.recovery
        self.mending.look_again()
        self._commits.dispatched = self._log.written
        self._flush.checkpoint = StoreCheckpoint.decode(_read(disk, config.root / CHECKPOINT_FILE))
        self._flush.last_store_timestamp_ms = max(
            self.recovery.last_store_timestamp_ms, self._flush.checkpoint.physic_msg_timestamp_ms
        )
        if config.broker_role is not BrokerRole.SLAVE and not self._log.files.starts:
            self._log.files.ensure(0)
        disk.replace_file(config.root / ABORT_FILE, str(os.getpid()).encode())
        self._flush.flush_now(clean=False)
        self._is_loaded = True
        log.info(
            "store: commit log from %d to %d, %d records walked from %d, %d damaged ranges",
            self._log.min_offset,
            self._log.written,
            self.recovery.records,
            self.recovery.start,
            len(self.recovery.damaged_ranges),
        )

    def start(self) -> None:
        """Start flushing, cleaning and taking messages. On the loop, after load()."""
        self._is_running = True
        self._flush.start()
        self._clean.start()
        if self._index is not None:
            self._index.start()
        self._decide_accepting()
        self._sample()

    def shutdown(self) -> None:
        """Blocking, clean: everything synced, checkpoint written, abort removed, lock given back.

        After a failure nothing more is written and abort stays. Raises StoreError when the last sync fails. A store
        that load() refused, or that is shut down already, stays as it is."""
        if not self._is_loaded:
            return
        self._is_loaded = False
        self._commits.accepting = False
        self._commits.commit_now()
        self._is_running = False
        self._flush.stop()
        self._clean.stop()
        try:
            if self._failure is None:
                self._flush.disregard_current()
                self._flush.flush_now(clean=True)
                self._flushed(self._log.flushed)
                self._disk.remove(self.config.root / ABORT_FILE)
        except OSError as error:
            raise StoreError(f"{self.config.root}: the store could not be closed cleanly: {error}") from error
        finally:
            # Whoever still waits, waits for slaves: the message is stored.
            self._waiters.fail(PutStatus.FLUSH_SLAVE_TIMEOUT)
            self._log.close()
            self._queues.close()
            if self._index is not None:
                self._index.close()
            self._held.close()

    def reconfigure(self, config: StoreConfig) -> None:
        """Put other flush intervals, retention and limits of a get in force; what else differs waits for a restart."""
        self.config = config
        self._flush.reconfigure(config)
        self._clean.reconfigure(config)
        self._reader.reconfigure(config)

    # -- writing

    def put(self, message: MessageToStore, done: Callable[[PutResult], None]) -> None:
        """Append; done is called on the loop, never before put returns."""
        self._commits.put(message, done)

    def put_batch(self, messages: Sequence[MessageToStore], done: Callable[[PutResult], None]) -> None:
        """Append messages of one queue, answered together: first queue offset, ids joined by commas."""
        self._commits.put_batch(messages, done)

    def append_raw(self, physical_offset: int, data: bytes | memoryview) -> None:
        """A slave's append: Apache's bytes as they come. Raises StoreError unless physical_offset is the end of what
        was appended so far (in an empty log: a file's start). Written at the end of this tick; then on_commit. When
        the disk is full nothing of the tick is appended, and the next call raises StoreError."""
        if not self._is_running or self._failure is not None:
            raise StoreError(self._failure or "the store is not running")
        self._commits.append_raw(physical_offset, data)

    def end_raw(self) -> None:
        """Blocking. No more raw bytes come: what was appended is readable as far as it is intact, and the log ends
        behind its last whole record. May raise OSError."""
        end = self._commits.dispatch_all()
        if end < self._log.written:
            log.warning("commit log: bytes %d to %d are no whole record", end, self._log.written)
            self.truncate_to(end)

    def begin_rebuild(self, address: str) -> None:
        """Blocking. Remember over restarts that this store lacks what the broker at address has. May raise OSError."""
        self._disk.replace_file(self.config.root / REBUILD_FILE, address.encode())
        self.rebuilding_from = address

    def end_rebuild(self) -> None:
        """Blocking. Everything is here, and on the disk. May raise OSError."""
        self._flush.disregard_current()
        self._flush.flush_now(clean=False)
        self._disk.remove(self.config.root / REBUILD_FILE)
        self._disk.sync_directory(self.config.root)
        self.rebuilding_from = ""

    def flush(self) -> None:
        """Sync the log as soon as may be; on_flush follows where something was not synced."""
        self._flush.flush()

    def when_flushed(self, done: Callable[[], None]) -> None:
        """Call done when all that is in the log by now is on the disk, at once where it is; never any more where the
        disk has failed."""
        self._flush.when_flushed(done)

    def truncate_to(self, physical_offset: int) -> None:
        """Blocking. Forget everything from physical_offset (a record's start) on, in log and queues, and zero it."""
        self._commits.commit_now()
        self._flush.disregard_current()
        self._log.truncate(physical_offset)
        for queue in self._queues:
            if not queue.is_empty and queue.last_physical_offset >= physical_offset:
                queue.cut(queue.bisect(queue.first_stored, lambda at, _: at < physical_offset))
        if self._index is not None:
            self._index.cut(physical_offset)
        self._commits.forget_from(physical_offset)
        self._reader.forget_from(physical_offset)
        self.mending.forget_from(physical_offset)
        self._flush.flush_now(clean=False)

    def record_end_at(self, common_end: int, done: Callable[[int | BaseException], None]) -> None:
        """done(end of the last whole record that ends at or below common_end), never before this returns."""
        tail = self._diverged_tail(self._log.files.start_of(common_end))
        self._reactor.run_blocking(lambda: tail.record_end_at(common_end), done)

    def set_tail_aside(self, start: int, done: Callable[[str], None]) -> None:
        """A slave's log has parted from its master's at start, a record's end: copy what lies behind to `diverged/` (in
        a thread), then end the log there. done(what was done, or why not), never before this returns."""
        count = self.tails_set_aside

        def copied(outcome: Path | BaseException) -> None:
            if isinstance(outcome, BaseException):
                done(str(outcome))
                return
            if count != self.tails_set_aside:
                # Asked for twice, as the line was lost during the copy: the log may have grown from there since.
                done(f"the bytes behind {start} are kept in {outcome} too")
                return
            end = self._log.written
            self.truncate_to(start)
            self.tails_set_aside += 1
            log.error("commit log: bytes %d to %d are not in the master's log: kept in %s", start, end, outcome)
            done(f"bytes {start} to {end} were not in its log and are kept in {outcome}")

        tail = self._diverged_tail(start)
        self._reactor.run_blocking(lambda: tail.copy(start), copied)

    def _diverged_tail(self, offset: int) -> DivergedTail:
        self._commits.commit_now()
        tail = DivergedTail(self._disk, self._log, self.config.root / DIVERGED_DIRECTORY)
        tail.open_files(offset)
        return tail

    def replicated(self, physical_offset: int) -> None:
        """Enough slaves have everything below physical_offset (HaService's on_confirmed): release who waits for
        that."""
        self._waiters.replicated(physical_offset)

    def delete_topic(self, topic: str, done: Callable[[Exception | None], None] = lambda _: None) -> None:
        """Remove the topic's queues; its records stay in the log until their files go. done(None) on the loop, when no
        crash brings them back any more, or done(why that is not sure)."""
        self._commits.commit_now()
        try:
            files = self._log.files_to_flush()
        except OSError as error:
            done(error)
            return
        if not self._queues.remove(topic):
            self._reactor.call_soon(lambda: done(None))
            return
        failures: list[OSError] = []

        def sync() -> None:
            try:
                for file in files:
                    file.datasync()
            except OSError as error:
                failures.append(error)
                raise

        def written(fault: Exception | None) -> None:
            self._reads -= 1
            if failures:
                self.fail(failures[0])
            done(fault)

        self._reads += 1
        self.deleted_topics.add(topic, self._log.written, self._log.min_offset, sync, written)

    def take_deleted_topics(self, data: bytes) -> list[str]:
        """A slave takes its master's table; returns what was deleted since it did so last. Raises ValueError."""
        self._commits.commit_now()
        before = self.deleted_topics.marks
        self.deleted_topics.take(data)
        self._queues.remove_deleted()
        self.deleted_topics.persist(lambda: None, lambda _: None)
        return [topic for topic, mark in self.deleted_topics.marks.items() if before.get(topic) != mark]

    def clean_expired_consume_queues(self) -> None:
        """Remove files of queues all of whose messages are gone; the numbers of a queue go on all the same."""
        self._clean.clean_queues()

    def delete_expired_commit_log(self) -> None:
        """Remove expired files now and in the next turns, at whatever hour."""
        self._clean.clean_at_any_hour()

    def fail(self, error: OSError) -> None:
        """The disk failed: nothing is acknowledged any more, reads go on, and the process is asked to end."""
        if self._failure is not None:
            return
        self._failure = f"{self.config.root}: {error}: nothing more can be acknowledged"
        log.critical("store: %s", self._failure)
        self._decide_accepting()
        self._flush.stop()
        self._clean.stop()
        self._waiters.fail(PutStatus.SERVICE_NOT_AVAILABLE)
        if self._on_fatal is not None:
            self._on_fatal(self._failure)

    # -- telling

    def on_arrive(self, callback: Callable[[str, int, int, int | None, int], None]) -> None:
        """callback(topic, queue_id, queue_offset, tags_code, store_time_ms), once for each queue and commit:
        queue_offset is the last new message; tags_code is its tags code, or None when several came (look into the
        queue with get)."""
        self._commits.arrived.append(callback)

    def before_commit(self, callback: Callable[[], None]) -> None:
        """callback() before each commit: what it puts is written by the same pwrite, so that no crash of this process
        can part it from what was put before."""
        self._commits.committing.append(callback)

    def on_commit(self, callback: Callable[[int], None]) -> None:
        """callback(end_physical_offset), once a tick, after the write."""
        self._commits.committed.append(callback)

    def on_flush(self, callback: Callable[[int], None]) -> None:
        """callback(flushed_physical_offset) after each fdatasync of the log."""
        self._flush_callbacks.append(callback)

    # -- reading

    def get(
        self,
        topic: str,
        queue_id: int,
        queue_offset: int,
        max_count: int,
        max_bytes: int = MAX_PULL_BYTES,
        *,
        matches: Callable[[int], bool] | None = None,
        accepts: Callable[[memoryview], bool] | None = None,
    ) -> GetResult:
        """Records from queue_offset on; matches gets the tags code of each, accepts the record of those that are left.
        next_begin_offset is where to go on."""
        queue = self._queues.table.get((topic, queue_id))
        result = self._reader.get(queue, queue_offset, max_count, max_bytes, matches=matches, accepts=accepts)
        if result.status is GetStatus.FOUND:
            self._stats.gets_found += 1
            self._stats.transferred += result.message_count
        else:
            self._stats.gets_missed += 1
        return result

    def min_offset(self, topic: str, queue_id: int) -> int:
        """First queue offset that is still there; 0 for an unknown queue."""
        queue = self._queues.table.get((topic, queue_id))
        return queue.min_offset if queue is not None else 0

    def max_offset(self, topic: str, queue_id: int) -> int:
        """Next queue offset to be written; 0 for an unknown queue."""
        queue = self._queues.table.get((topic, queue_id))
        return queue.max_offset if queue is not None else 0

    def message_total(self, topic: str, queue_id: int) -> int:
        return self.max_offset(topic, queue_id) - self.min_offset(topic, queue_id)

    def offset_by_time(
        self, topic: str, queue_id: int, timestamp_ms: int, boundary: BoundaryType = BoundaryType.LOWER
    ) -> int:
        """LOWER: first message stored at or after the time, else the end. UPPER: last one at or before, else 0."""
        return self._reader.offset_by_time(self._queues.table.get((topic, queue_id)), timestamp_ms, boundary)

    def store_time(self, topic: str, queue_id: int, queue_offset: int) -> int:
        """Store time of one message in ms; -1 where there is none."""
        return self._reader.store_time(self._queues.table.get((topic, queue_id)), queue_offset)

    def earliest_store_time(self, topic: str, queue_id: int) -> int:
        """Store time of the first message in ms; -1 where there is none."""
        return self.store_time(topic, queue_id, self.min_offset(topic, queue_id))

    def record_at(self, physical_offset: int) -> memoryview | None:
        """The whole, intact record that begins there, or None where none begins."""
        found = self._reader.record_at(physical_offset)
        return None if found is None else found[0]

    def read_records(
        self, places: Sequence[tuple[int, int]], done: Callable[[list[bytes | None] | OSError], None]
    ) -> None:
        """Records that may have left memory, read in a thread: the bytes at each (physical offset, size), None where no
        such range is left. They are not checked. done is called on the loop, never before this returns."""
        files = self._log.files
        try:
            sources = [
                (files.file_at(at), at - files.start_of(at), size) if self._log.has_record(at, size) else None
                for at, size in places
            ]
        except OSError as failure:
            error = failure
            self._reactor.call_soon(lambda: done(error))
            return

        def read() -> list[bytes | None]:
            return [None if one is None else one[0].pread(one[2], one[1]) for one in sources]

        def over(outcome: list[bytes | None] | BaseException) -> None:
            self._reads -= 1
            # A store that was closed meanwhile has closed files: its reader is gone too.
            done(OSError(str(outcome)) if isinstance(outcome, BaseException) else outcome)

        self._reads += 1
        self._reactor.run_blocking(read, over)

    def queue_offset_at(self, topic: str, queue_id: int, physical_offset: int) -> int:
        """Queue offset of the first message of a queue that begins at or behind a place in the log; the queue's end
        where there is none, 0 for an unknown queue."""
        queue = self._queues.table.get((topic, queue_id))
        return 0 if queue is None else queue.bisect(queue.min_offset, lambda at, _: at < physical_offset)

    def query_message(
        self,
        topic: str,
        key: str,
        between_ms: tuple[int, int],
        done: Callable[[QueryMessageResult], None],
        *,
        max_count: int,
        is_tag: bool = False,
    ) -> None:
        """The newest messages of a topic that have this key (UNIQ_KEY or a word of KEYS; is_tag: these TAGS) and were
        stored within between_ms, both ends included; maxMsgsNumBatch and 12 MiB at most. done is called on the loop,
        never before this returns."""
        max_count = min(max_count, self.config.max_msgs_num_batch)
        self._key_query.ask(topic, key, between_ms, done, max_count=max_count, is_tag=is_tag)

    def units(self, topic: str, queue_id: int, queue_offset: int, max_count: int) -> list[tuple[int, int, int]] | None:
        """Consume queue units from queue_offset on: (physical offset, size, tags code) of each; None where the queue
        does not exist, empty where it does not reach there."""
        queue = self._queues.table.get((topic, queue_id))
        return None if queue is None else self._reader.sound_units(queue, queue_offset, max_count)

    def read_log(self, physical_offset: int, max_bytes: int) -> memoryview:
        """Bytes of the log as they stand, never across a file end; empty at or beyond the end. Raises StoreError below
        the first file."""
        return self._log.read(physical_offset, max_bytes)

    def queues(self) -> dict[str, list[int]]:
        """Topics that have consume queues, with their queue ids."""
        topics: dict[str, list[int]] = {}
        for topic, queue_id in sorted(self._queues.table):
            topics.setdefault(topic, []).append(queue_id)
        return topics

    @property
    def min_physical_offset(self) -> int:
        """Start of the oldest file."""
        return self._log.min_offset

    @property
    def max_physical_offset(self) -> int:
        """End of what is written with pwrite; what is only buffered in this tick does not count."""
        return self._log.written

    @property
    def whole_physical_offset(self) -> int:
        """End of the last whole record: on a slave the log may end in the middle of the next one."""
        return self._commits.dispatched

    @property
    def flushed_physical_offset(self) -> int:
        return self._log.flushed

    @property
    def last_store_timestamp_ms(self) -> int:
        """Store time of the newest record."""
        return self._flush.last_store_timestamp_ms

    @property
    def is_writable(self) -> bool:
        """Whether a put would be tried now."""
        return self._commits.accepting

    @property
    def unanswered_puts(self) -> int:
        """Puts that wait for the disk or a slave: in the log, and their senders do not know it yet."""
        return len(self._waiters) + self._commits.unanswered

    def oldest_put_ms(self) -> int:
        """For how long the oldest of them has been waiting."""
        return self._waiters.oldest_ms()

    @property
    def queries_under_way(self) -> int:
        return 0 if self._index is None else self._index.queries

    def page_cache_lag_ms(self, tick_began_ms: int) -> int:
        """How far the disk is behind, as what came in with this tick has noticed: the length of the write that kept
        the loop from reading it, or of the sync flush that is under way, which puts wait for."""
        lag_ms = self._commits.stalled_ms(tick_began_ms)
        return max(lag_ms, self._flush.under_way_ms()) if self.config.waits_for_flush else lag_ms

    def runtime_info(self) -> dict[str, str]:
        """The store's part of request 28, under Apache's names, and what was found damaged."""
        ratio = _whole_percents(self._clean.disk_ratio)
        by_path = {f"commitLogDiskRatio_{path}": _whole_percents(one) for path, one in self._clean.ratios.items()}
        return {
            **self._stats.runtime_info(self._reactor.clock.now_ms()),
            "commitLogDiskRatio": ratio,
            **by_path,
            "consumeQueueDiskRatio": ratio,
            "commitLogMinOffset": str(self._log.min_offset),
            "commitLogMaxOffset": str(self._log.written),
            "dispatchBehindBytes": str(self._log.written - self._commits.dispatched),
            "damagedRanges": str(len(self.recovery.damaged_ranges)),
            "damagedAt": self.mending.named(),
            "mendedRanges": str(self.mending.mended),
            "tailsSetAside": str(self.tails_set_aside),
            "damagedRecords": str(len(self._reader.damaged) + self._commits.refused_records),
            "forcedCleanFiles": str(self._clean.forced_files),
        }

    # -- inside

    def _make_index(self) -> IndexService | None:
        if not self.config.message_index_enable:
            return None
        return IndexService(
            self.config, self._disk, self._reactor, self._log, complete_up_to=lambda: self._commits.dispatched
        )

    def _make_commits(self) -> CommitService:
        return CommitService(
            self.config,
            self._reactor,
            commit_log=self._log,
            queues=self._queues,
            index=self._index,
            flush=self._flush,
            waiters=self._waiters,
            stats=self._stats,
            on_failed=self.fail,
            on_damage=self.mending.note,
        )

    @property
    def _is_slave(self) -> bool:
        return self.config.broker_role is BrokerRole.SLAVE

    def _is_reading_or_syncing(self) -> bool:
        """Files must not be closed now."""
        return self._flush.is_syncing or self._reads > 0 or (self._index is not None and self._index.queries > 0)

    def _decide_accepting(self) -> None:
        self._commits.accepting = (
            self._is_running and self._failure is None and not self._is_slave and not self._clean.is_disk_full
        )

    def _flushed(self, physical_offset: int) -> None:
        self._waiters.flushed(physical_offset)
        for callback in self._flush_callbacks:
            callback(physical_offset)

    def _sample(self) -> None:
        if self._is_running:
            self._stats.sample(self._reactor.clock.monotonic_ms())
            self._reactor.call_later(SAMPLE_INTERVAL_MS, self._sample)

    def _make_next_file(self, _: int) -> None:
        """The next file is made as soon as the current one is begun, in a thread: a roll never waits for it."""
        files = self._log.files
        start = files.end
        if start == self._making_file_at or self._log.written <= start - files.file_size_bytes:
            return
        self._making_file_at = start

        def made(outcome: File | BaseException) -> None:
            if isinstance(outcome, BaseException):
                log.warning("commit log: the file at %d cannot be made ahead: %s", start, outcome)
            else:
                files.adopt(start, outcome)

        self._reactor.run_blocking(lambda: files.make_file(start), made)


def _whole_percents(ratio: float) -> str:
    """As Apache knows it: rounded up."""
    return str(math.ceil(round(ratio * 100, 9)) / 100)


def _put_waiters(config: StoreConfig, reactor: Reactor) -> PutWaiters:
    return PutWaiters(
        reactor,
        sync_flush_timeout_ms=config.sync_flush_timeout_ms if config.waits_for_flush else None,
        slave_timeout_ms=config.slave_timeout_ms if config.waits_for_slaves else None,
    )


def _read(disk: Disk, path: Path) -> bytes:
    """A hint's content; empty where it is missing."""
    try:
        return disk.read_bytes(path)
    except FileNotFoundError:
        return b""
