# SPDX-License-Identifier: Apache-2.0
"""Removes old files (Apache's CleanCommitLogService and CleanConsumeQueueService).

| disk used | what happens |
|---|---|
| any | in the hours of deleteWhen: files are removed whose newest record is older than fileReservedTime |
| > diskMaxUsedSpaceRatio, or an administrator asked for it | the same at any hour |
| > diskSpaceCleanForciblyRatio, cleanFileForciblyEnable | the oldest file goes, expired and consumed or not; counted |
| > diskSpaceWarningLevelRatio | puts are refused until it is less |

A file's age is the store time of the first record after it, never the file system's idea of when it was changed. The
last file is never removed. A wall clock that jumps ahead while the broker runs makes nothing old: time since the
start counts by the monotonic clock.

Of several directories the one with most room counts as the disk; those above diskSpaceCleanForciblyRatio get no new
files while there are others.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING

from ..remoting.message import RECORD_MIN_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..env import Disk, Reactor, Timer
    from .commit_log import CommitLog
    from .config import StoreConfig
    from .consume_queue_store import ConsumeQueueStore
    from .index_service import IndexService

    #: Who unlinks, and what.
    _Removal = tuple[Callable[[list[Path]], None], list[Path]]

log = logging.getLogger(__name__)

# Apache removes at most ten files a turn, so that the disk is not busy with deleting alone.
FILES_PER_TURN_MAX = 10

# How often the disk is looked at while puts are refused for it: they go on soon after there is room again.
FULL_LOOK_INTERVAL_MS = 1000

# How many turns an administrator's request lasts, as on Apache (manualDeleteFileSeveralTimes).
TURNS_WHEN_ASKED = 20


class CleanService:
    def __init__(
        self,
        config: StoreConfig,
        disk: Disk,
        reactor: Reactor,
        commit_log: CommitLog,
        queues: ConsumeQueueStore,
        *,
        index: IndexService | None,
        is_busy: Callable[[], bool],
        on_measured: Callable[[], None],
        on_cleaned: Callable[[int], None],
    ) -> None:
        """is_busy: files must not be closed now. on_cleaned(min_physical_offset) after files were given up."""
        self.ratios: dict[Path, float] = {}
        """Used share of the disk of each directory that gets new files."""
        self.forced_files = 0
        """Files that were removed before their time since the start."""
        self._config = config
        self._disk = disk
        self._reactor = reactor
        self._log = commit_log
        self._queues = queues
        self._index = index
        self._is_busy = is_busy
        self._on_measured = on_measured
        self._on_cleaned = on_cleaned
        self._timer: Timer | None = None
        self._turns_asked = 0
        self._are_queues_asked = False
        self._started_wall_ms = reactor.clock.now_ms()
        self._started_monotonic_ms = reactor.clock.monotonic_ms()

    def reconfigure(self, config: StoreConfig) -> None:
        self._config = config
        self._on_measured()

    @property
    def disk_ratio(self) -> float:
        """Of the disk with most room, as on Apache: while one has room, new files go there."""
        return min(self.ratios.values(), default=0.0)

    @property
    def is_disk_full(self) -> bool:
        return self.disk_ratio > self._config.disk_space_warning_level_ratio

    def start(self) -> None:
        self._take(self._ratios())
        self._arm()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        interval_ms = self._config.clean_resource_interval_ms
        if self.is_disk_full:
            interval_ms = min(interval_ms, FULL_LOOK_INTERVAL_MS)
        self._timer = self._reactor.call_later(interval_ms, self._measure)

    def _measure(self) -> None:
        self._reactor.run_blocking(self._ratios, self._measured)

    def _ratios(self) -> dict[Path, float]:
        """May run in another thread."""
        return {path: self._disk.used_ratio(path) for path in self._log.files.paths.writable}

    def _take(self, ratios: dict[Path, float]) -> None:
        self.ratios = ratios
        full_above = self._config.disk_space_clean_forcibly_ratio
        self._log.files.paths.full = frozenset(path for path, ratio in ratios.items() if ratio > full_above)

    def _measured(self, outcome: dict[Path, float] | BaseException) -> None:
        if isinstance(outcome, BaseException):
            log.warning("the disk's use cannot be measured: %s", outcome)
        else:
            self._take(outcome)
            self._on_measured()
            if not self._is_busy():
                self._clean_some()
        self._arm()

    def _clean_some(self) -> None:
        """A disk that cannot be read now may be the next time; until then it goes on being measured."""
        try:
            self.clean()
        except OSError as error:
            log.warning("old files cannot be looked at: %s", error)

    def clean_at_any_hour(self) -> None:
        """Asked for by an administrator: begin now if that can be."""
        self._turns_asked = TURNS_WHEN_ASKED
        if not self._is_busy():
            self.clean()

    def clean_queues(self) -> None:
        """The same for files of consume queues behind which no message is left."""
        self._are_queues_asked = self._is_busy()
        if not self._are_queues_asked:
            removals = self._detach_derived()
            self._reactor.run_blocking(lambda: _unlink(removals), _report)

    def clean(self) -> None:
        """Give up what may go now and have it unlinked in a thread."""
        offset = self._removable_up_to()
        if self._are_queues_asked:
            self.clean_queues()
        paths = self._log.files.detach_before(offset, FILES_PER_TURN_MAX)
        if not paths:
            return
        min_physical_offset = self._log.min_offset
        removals: list[_Removal] = [(self._log.files.unlink, paths)]
        try:
            removals += self._detach_derived()
        except OSError as error:
            # The next files of the log take them along.
            log.warning("old files of queues and index cannot be looked at: %s", error)
        log.info("commit log: %d files removed, it begins at %d now", len(paths), min_physical_offset)
        self._on_cleaned(min_physical_offset)
        self._reactor.run_blocking(lambda: _unlink(removals), _report)

    def _detach_derived(self) -> list[_Removal]:
        min_physical_offset = self._log.min_offset
        removals: list[_Removal] = [(queue.unlink, queue.detach_before(min_physical_offset)) for queue in self._queues]
        if self._index is not None:
            removals.append((self._index.unlink, self._index.detach_before(min_physical_offset)))
        return removals

    def _removable_up_to(self) -> int:
        """Physical offset below which whole files may go."""
        config = self._config
        now_ms = self._reactor.clock.now_ms()
        hour = datetime.fromtimestamp(now_ms / 1000).hour
        offset = self._log.min_offset
        is_asked, self._turns_asked = self._turns_asked > 0, max(0, self._turns_asked - 1)
        if is_asked or hour in config.delete_when_hours or self.disk_ratio > config.disk_max_used_space_ratio:
            offset = self._expired_up_to(self._steady_now_ms(now_ms) - config.file_reserved_time_ms)
        starts = self._log.files.starts
        if (
            config.clean_file_forcibly_enable
            and self.disk_ratio > config.disk_space_clean_forcibly_ratio
            and offset == self._log.min_offset
            and len(starts) > 1
            and starts[1] <= self._log.files.start_of(self._log.flushed)
        ):
            offset = starts[1]
            self.forced_files += 1
            log.warning("the disk is %.0f %% full: a commit log file goes before its time", self.disk_ratio * 100)
        return offset

    def _steady_now_ms(self, now_ms: int) -> int:
        elapsed_ms = self._reactor.clock.monotonic_ms() - self._started_monotonic_ms
        return min(now_ms, self._started_wall_ms + elapsed_ms)

    def _expired_up_to(self, expired_before_ms: int) -> int:
        """A file is expired when the first record of the next one is; the file that is written now never is."""
        starts = self._log.files.starts
        offset = self._log.min_offset
        for start in starts[1:]:
            if start > self._log.files.start_of(self._log.flushed):
                break
            store_time_ms = self._log.store_time(start, RECORD_MIN_BYTES)
            if store_time_ms < 0 or store_time_ms >= expired_before_ms:
                break
            offset = start
        return offset


def _unlink(removals: list[_Removal]) -> None:
    for remove, gone in removals:
        remove(gone)


def _report(outcome: BaseException | None) -> None:
    if isinstance(outcome, BaseException):
        log.warning("old files cannot be removed: %s", outcome)
