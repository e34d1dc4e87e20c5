# SPDX-License-Identifier: Apache-2.0
"""Makes what was written durable: fdatasync in a thread, one at a time, and the checkpoints (Apache's flush services).

    when                                               what
    SYNC_FLUSH: after a commit that somebody waits for fdatasync of the commit log; later commits share the next one
    every flushInterval, 16 KiB or more being dirty    the same
    every flushThoroughInterval                        the same, whatever is dirty
    every checkpoint interval, and at a clean stop     log and queues, then both checkpoint files

A failed fdatasync is the end: the kernel may have dropped the pages, so nothing written before is known to be on the
disk and a second try would lie. The store stops acknowledging and the process is asked to end.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from .queue_checkpoint import QueueCheckpoint, tail_crc
from .store_checkpoint import StoreCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..env import Disk, File, Reactor, Timer
    from .commit_log import CommitLog
    from .config import StoreConfig
    from .consume_queue_store import ConsumeQueueStore
    from .index_service import IndexChanges, IndexService

log = logging.getLogger(__name__)

# Apache's flushCommitLogLeastPages, 4 pages.
LEAST_DIRTY_BYTES = 16 * 1024

CHECKPOINT_FILE = "checkpoint"
QUEUE_CHECKPOINT_FILE = "queueCheckpoint.json"


class FlushService:
    def __init__(
        self,
        config: StoreConfig,
        disk: Disk,
        reactor: Reactor,
        commit_log: CommitLog,
        queues: ConsumeQueueStore,
        *,
        index: IndexService | None,
        complete_up_to: Callable[[], int],
        damaged: Callable[[], list[tuple[int, int]]],
        on_flushed: Callable[[int], None],
        on_failed: Callable[[OSError], None],
    ) -> None:
        """complete_up_to: the physical offset below which every record has its unit in its queue. damaged: the ranges
        in which there is no record."""
        self.checkpoint = StoreCheckpoint()
        self.last_store_timestamp_ms = 0
        """Store time of the newest record that is written."""
        self._config = config
        self._disk = disk
        self._reactor = reactor
        self._log = commit_log
        self._queues = queues
        self._index = index
        self._complete_up_to = complete_up_to
        self._damaged = damaged
        self._on_flushed = on_flushed
        self._on_failed = on_failed
        self._syncing = False
        self._syncing_since_ms = 0
        self._checkpointing = False
        self._generation = 0
        self._wanted = False
        self._until_flushed: list[tuple[int, Callable[[], None]]] = []
        self._stopped = False
        self._timer: Timer | None = None
        self._thorough_at_ms = 0
        self._checkpoint_at_ms = 0

    def reconfigure(self, config: StoreConfig) -> None:
        self._config = config

    def start(self) -> None:
        now_ms = self._reactor.clock.monotonic_ms()
        self._thorough_at_ms = now_ms + self._config.flush_thorough_interval_ms
        self._checkpoint_at_ms = now_ms + self._config.checkpoint_interval_ms
        self._arm()

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def flush(self) -> None:
        """Sync what is written, as soon as the sync that is under way (if any) has ended."""
        if self._syncing or self._stopped:
            self._wanted = True
            return
        self._wanted = False
        if self._log.flushed >= self._log.written:
            return
        self._syncing = True
        self._syncing_since_ms = self._reactor.clock.monotonic_ms()
        self._sync(self._log.files_to_flush(), lambda: None, self._synced)

    def when_flushed(self, done: Callable[[], None]) -> None:
        """See `MessageStore.when_flushed`."""
        end = self._log.written
        if self._log.flushed >= end:
            done()
        else:
            self._until_flushed.append((end, done))
            self.flush()

    def flush_and_checkpoint(self) -> None:
        """Log, queues, and then the checkpoint files, beside what flush() does: nobody waits for this one."""
        if self._checkpointing or self._stopped:
            return
        try:
            files = [*self._dirty_queue_files(), *self._log.files_to_flush()]
        except OSError as error:
            self._failed(error)
            return
        self._checkpointing = True
        checkpoint = self._take_checkpoint(clean=False)
        index = self._take_index()
        self._sync(files, lambda: self._write_checkpoints(checkpoint, index), self._checkpointed)

    def under_way_ms(self) -> int:
        """For how long the disk has been at the flush of the log that is under way; 0 where none is."""
        return self._reactor.clock.monotonic_ms() - self._syncing_since_ms if self._syncing else 0

    @property
    def is_syncing(self) -> bool:
        """Files must not be closed now."""
        return self._syncing or self._checkpointing

    def disregard_current(self) -> None:
        """Files were cut or removed on purpose: what becomes of the syncs that are under way says nothing."""
        self._generation += 1
        self._syncing = self._checkpointing = False

    def flush_now(self, *, clean: bool) -> None:
        """Blocking: everything synced, checkpoints written. Raises OSError."""
        files = [*self._log.files_to_flush(), *self._dirty_queue_files()]
        queue_checkpoint = self._take_checkpoint(clean=clean)
        index = self._take_index()
        for file in files:
            file.datasync()
        self._log.flushed = self._log.written
        self._write_checkpoints(queue_checkpoint, index)
        self._release()

    # -- inside

    def _arm(self) -> None:
        self._timer = self._reactor.call_later(self._config.flush_interval_ms, self._tick)

    def _tick(self) -> None:
        if self._stopped:
            return
        now_ms = self._reactor.clock.monotonic_ms()
        dirty_bytes = self._log.written - self._log.flushed
        if now_ms >= self._checkpoint_at_ms:
            self._checkpoint_at_ms = now_ms + self._config.checkpoint_interval_ms
            self.flush_and_checkpoint()
        elif dirty_bytes >= LEAST_DIRTY_BYTES or (dirty_bytes and now_ms >= self._thorough_at_ms):
            self.flush()
        if now_ms >= self._thorough_at_ms:
            self._thorough_at_ms = now_ms + self._config.flush_thorough_interval_ms
        self._arm()

    def _dirty_queue_files(self) -> list[File]:
        files: list[File] = []
        for queue in self._queues:
            queue.write()
            files += queue.take_dirty_files()
        return files

    def _take_checkpoint(self, *, clean: bool) -> QueueCheckpoint:
        self.checkpoint.physic_msg_timestamp_ms = self.last_store_timestamp_ms
        self.checkpoint.logics_msg_timestamp_ms = self.last_store_timestamp_ms
        ends = {key: (queue.first_stored, queue.max_offset) for key, queue in self._queues.table.items()}
        complete = self._complete_up_to()
        clean = clean and complete == self._log.written
        # A copy: a thread writes it down later, and what is mended meanwhile has its units in no synced file yet.
        damaged = list(self._damaged())
        return QueueCheckpoint(complete, tail_crc(self._log.files, complete), clean, ends, damaged)

    def _take_index(self) -> IndexChanges | None:
        return None if self._index is None else self._index.take_changes(self._complete_up_to())

    def _sync(self, files: list[File], then: Callable[[], None], synced: Callable[[], None]) -> None:
        """Sync files and do `then` in a thread; afterwards everything that is written now is durable."""
        generation = self._generation
        target = self._log.written
        store_timestamp_ms = self.last_store_timestamp_ms

        def work() -> None:
            for file in files:
                file.datasync()
            then()

        def done(outcome: BaseException | None) -> None:
            if generation != self._generation:
                return
            if isinstance(outcome, BaseException):
                self._failed(outcome)
                return
            if target > self._log.flushed:
                self._log.flushed = target
                self.checkpoint.physic_msg_timestamp_ms = store_timestamp_ms
                self._on_flushed(target)
                self._release()
            synced()

        self._reactor.run_blocking(work, done)

    def _release(self) -> None:
        """Whoever waits for what is on the disk now; or was cut off before it came there."""
        is_all = self._log.flushed == self._log.written
        waiting, self._until_flushed = self._until_flushed, []
        for end, done in waiting:
            if is_all or end <= self._log.flushed:
                done()
            else:
                self._until_flushed.append((end, done))

    def _synced(self) -> None:
        self._syncing = False
        if self._wanted:
            self.flush()

    def _checkpointed(self) -> None:
        self._checkpointing = False

    def _write_checkpoints(self, queue_checkpoint: QueueCheckpoint, index: IndexChanges | None) -> None:
        root: Path = self._config.root
        if index is not None:
            saved = index.write()
            queue_checkpoint = replace(queue_checkpoint, index=saved)
            if saved is not None and saved is index.checkpoint:
                self.checkpoint.index_msg_timestamp_ms = index.end_timestamp_ms
                if index.is_behind:
                    logics_ms = self.checkpoint.logics_msg_timestamp_ms
                    self.checkpoint.logics_msg_timestamp_ms = min(logics_ms, index.end_timestamp_ms)
        try:
            self._disk.replace_file(root / QUEUE_CHECKPOINT_FILE, queue_checkpoint.encode())
            self._disk.replace_file(root / CHECKPOINT_FILE, self.checkpoint.encode())
        except OSError as error:
            # Hints: an older one costs the next start some time, nothing else. The usual cause is a full disk.
            log.warning("the checkpoint cannot be written: %s", error)

    def _failed(self, outcome: BaseException) -> None:
        if not isinstance(outcome, OSError):
            raise outcome
        self.stop()
        self._on_failed(outcome)
