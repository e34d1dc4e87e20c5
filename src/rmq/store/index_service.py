# SPDX-License-Identifier: Apache-2.0
"""The index files of a store, `index/yyyyMMddHHmmssSSS`: which records have which key (Apache's IndexService).

    put ── pending ──(commit)── ready ──(after the answers)── last file ──(64 KiB)── entries on the disk
                                                                  └─(checkpoint)── entries, header, slots, fdatasync

What a key is: `index_keys`. A file's layout: `index_file`. The index is derived data: nobody waits for it, nothing that
happens to it stops a put, and a start makes it whole again from the commit log.

| state | why | what happens |
|---|---|---|
| following | | records are added as they are committed |
| behind | a start after a crash | records are read from the log, some at a time, until none is missing |
| behind | a slave is far behind its master | the same, at a slower pace until it is not |
| behind | a full disk | the same, once a second |
| failed | an error of the disk | no more records are added; the next start makes the index anew |
"""

from __future__ import annotations

import errno
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..remoting.message_const import TRANSACTION_ROLLBACK_TYPE, TRANSACTION_TYPE_MASK
from .index_file import WRITE_BYTES, IndexFile, IndexHeader
from .index_keys import IndexKeys
from .index_query import IndexQuery
from .log_scan import scan_forward
from .queue_checkpoint import IndexCheckpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..env import Disk, File, Reactor, Timer
    from .commit_log import CommitLog
    from .config import StoreConfig
    from .index_file import IndexItem
    from .record import ScannedRecord

log = logging.getLogger(__name__)

PendingRecord = tuple[str, str, int, int]
"""Topic, properties, physical offset, store time in ms."""

NAME_DIGITS = 17
# Records of a walk over the log that are kept before their keys are added.
BUILD_RECORDS = 4096
# Entries in memory while the disk is full: some seconds of a busy broker.
UNWRITTEN_BYTES_MAX = 4 * 1024 * 1024
RETRY_INTERVAL_MS = 1000
# Read in one go while catching up: some milliseconds of the loop, and as long for everything else that is due.
CATCH_UP_RECORDS = 512
CATCH_UP_PAUSE_MS = 2
# While a slave takes the log in bulk, the index has a few hundredths of its time.
BULK_PAUSE_MS = 100
# A query waits so long for an index that is behind; clients wait for 6 s and more.
COMPLETE_WAIT_MS = 3000
# A full disk, and a file that was closed meanwhile.
_PASSING_ERRORS = (errno.ENOSPC, errno.EBADF)


class IndexService:
    """All calls are made on the loop and may block shortly; load() and what follows it in recovery block for long."""

    def __init__(
        self,
        config: StoreConfig,
        disk: Disk,
        reactor: Reactor,
        commit_log: CommitLog,
        *,
        complete_up_to: Callable[[], int],
    ) -> None:
        """complete_up_to: every whole record of the log lies below; add() was or will be called for all others."""
        self.pending: list[PendingRecord] = []
        """Records of this tick, in their order; whoever appends them to the log adds them here."""
        self.queries = 0
        """Under way in threads: no file may be closed now."""
        self._directory = config.root / "index"
        self._slots = config.max_hash_slot_num
        self._entries_max = config.max_index_num
        self._disk = disk
        self._reactor = reactor
        self._log = commit_log
        self._complete_up_to = complete_up_to
        self._keys = IndexKeys()
        self._ready: list[PendingRecord] = []
        self._build_is_due = False
        self._files: list[IndexFile] = []
        self._unsaved: list[IndexFile] = []
        self._full_taken: list[IndexFile] = []
        self._known_end = -1
        self._behind_from: int | None = None
        self._waiting: list[Callable[[], None]] = []
        self._wait_ends: Timer | None = None
        self._bulk_at_ms = -BULK_PAUSE_MS
        self._catch_up_timer: Timer | None = None
        self._failed = False
        self._is_saving = False
        self._saved_full = False
        self._cuts = 0
        self._saved_checkpoint: IndexCheckpoint | None = None

    # -- at the start

    def load(self, hint: IndexCheckpoint | None, *, is_clean: bool) -> int:
        """Open what the checkpoint names and remove everything else. Returns the physical offset up to which the index
        is complete; add_scanned() gets every record from there on. is_clean: the last stop was a clean one."""
        names = [name for name in self._disk.listdir(self._directory) if len(name) == NAME_DIGITS and name.isdigit()]
        complete = self._open_known(hint, set(names), is_clean=is_clean) if hint is not None else 0
        opened = {file.path.name for file in self._files}
        for name in names:
            if name not in opened:
                self._disk.remove(self._directory / name)
        if self._files:
            self._known_end = self._files[-1].header.end_physical_offset
            self._unsaved = self._files[-1:]
        return complete

    def begin_behind(self, physical_offset: int) -> None:
        """Records from here on, where one begins, are not in the index: start() reads them from the log."""
        self._behind_from = physical_offset

    def start(self) -> None:
        if self._behind_from is not None:
            log.info("index: records from %d on are added from the log", self._behind_from)
            self._catch_up_in(0)

    def _open_known(self, hint: IndexCheckpoint, names: set[str], *, is_clean: bool) -> int:
        for name, data in sorted(hint.files.items()):
            header = IndexHeader.decode(data)
            if name not in names and not self._files and header.end_physical_offset < self._log.min_offset:
                continue
            file = self._open_as(name, header, is_clean=is_clean) if name in names else None
            if file is None:
                log.warning("index file %s is missing or damaged: it is made again", name)
                return self._files[-1].header.end_physical_offset if self._files else 0
            self._files.append(file)
        return hint.physical_offset

    def _open_as(self, name: str, header: IndexHeader, *, is_clean: bool) -> IndexFile | None:
        """The file as it was at the checkpoint; None where it is another one."""
        file = IndexFile(self._disk, self._directory / name, slots=self._slots, entries_max=self._entries_max)
        found = file.load_header()
        if (
            file.has_right_size
            and found.begin_physical_offset == header.begin_physical_offset
            and found.begin_timestamp_ms == header.begin_timestamp_ms
            and found.count >= header.count
        ):
            file.open_at(header, is_clean=is_clean and found == header)
            return file
        file.close()
        return None

    def add_scanned(self, record: ScannedRecord) -> None:
        """A record that was found in the log, by recovery or in what a master sent. Records come in the log's order;
        those that are in the index already are passed over."""
        if record.sys_flag & TRANSACTION_TYPE_MASK != TRANSACTION_ROLLBACK_TYPE:
            self.add(record.topic, record.properties, record.physical_offset, record.store_timestamp_ms)

    def add(self, raw_topic: bytes, raw_properties: bytes, physical_offset: int, store_timestamp_ms: int) -> None:
        """add_scanned() for a record that is not rolled back."""
        if physical_offset < self._known_end or self._failed or self._behind_from is not None:
            return
        topic = raw_topic.decode("utf-8", "replace")
        properties = raw_properties.decode("utf-8", "replace")
        if physical_offset == self._known_end:
            # A file may have become full in the middle of this record's keys.
            last = self._files[-1]
            hashes = [one for one in self._keys.of(topic).hashes(properties) if not last.has(one, physical_offset)]
            self._put([(one, physical_offset, store_timestamp_ms) for one in hashes])
            return
        self._ready.append((topic, properties, physical_offset, store_timestamp_ms))
        if len(self._ready) >= BUILD_RECORDS:
            self.build()

    def add_late(self, record: ScannedRecord) -> None:
        """A record that was damaged when its turn came and is whole again. Its entries come behind newer ones, and with
        the newest one's time: a reader, Apache's too, follows a slot's entries back in time and ends at the first one
        that is too old."""
        self.build()
        if not self._files or record.sys_flag & TRANSACTION_TYPE_MASK == TRANSACTION_ROLLBACK_TYPE:
            self.add_scanned(record)
            return
        if self._failed or (self._behind_from is not None and record.physical_offset >= self._behind_from):
            return
        first, newest = len(self._files) - 1, self._files[-1].header
        end, end_ms = newest.end_physical_offset, max(newest.end_timestamp_ms, record.store_timestamp_ms)
        keys = self._keys.of(record.topic.decode("utf-8", "replace"))
        hashes = keys.hashes(record.properties.decode("utf-8", "replace"))
        self._put([(one, record.physical_offset, end_ms) for one in hashes])
        for file in self._files[first:]:
            # Up to where the log is indexed, which this record does not change.
            file.header.end_physical_offset = max(file.header.end_physical_offset, end)

    # -- while messages come

    def commit(self) -> None:
        """Pending records are in the log now: their keys are added when the tick's answers have left."""
        if self._behind_from is None and not self._failed:
            self._ready += self.pending
            if not self._build_is_due:
                self._build_is_due = True
                self._reactor.call_soon(self.build)
        self.pending.clear()

    def roll_back(self) -> None:
        """Pending records are not in the log."""
        self.pending.clear()

    def build(self) -> None:
        """Add the keys of all records that are in the log."""
        self._build_is_due = False
        if self._ready:
            ready, self._ready = self._ready, []
            if self._behind_from is None and not self._failed:
                self._put(self._items(ready))

    def _items(self, records: Iterable[PendingRecord]) -> list[IndexItem]:
        items: list[IndexItem] = []
        keys_of = self._keys.of
        last = None
        for topic, properties, physical_offset, store_timestamp_ms in records:
            if topic != last:
                hashes_of = keys_of(topic).hashes
                last = topic
            for key_hash in hashes_of(properties):
                items.append((key_hash, physical_offset, store_timestamp_ms))
        return items

    def _put(self, items: list[IndexItem]) -> None:
        at = 0
        try:
            while at < len(items):
                file = self._files[-1] if self._files else None
                if file is None or file.is_full:
                    file = self._begin_file()
                at = file.put_all(items, at)
                if file.pending_bytes >= WRITE_BYTES:
                    file.write()
        except OSError as error:
            # What is in memory stays there and is written later; what is not is read from the log then.
            if at < len(items) or self._files[-1].pending_bytes > UNWRITTEN_BYTES_MAX:
                following = items[at][1] if at < len(items) else items[-1][1] + 1
                self._fall_behind(following, error)

    def _begin_file(self) -> IndexFile:
        file = IndexFile(
            self._disk, self._directory / self._next_name(), slots=self._slots, entries_max=self._entries_max
        )
        self._files.append(file)
        self._unsaved.append(file)
        return file

    def _next_name(self) -> str:
        """The time, in the process's zone; later than all names that are there, whatever the clock says."""
        name = datetime.fromtimestamp(self._reactor.clock.now_ms() / 1000).strftime("%Y%m%d%H%M%S%f")[:NAME_DIGITS]
        last = self._files[-1].path.name if self._files else ""
        return name if name > last else f"{int(last) + 1:0{NAME_DIGITS}d}"

    # -- after a start, and after a full disk

    def when_complete(self, callback: Callable[[], None]) -> None:
        """Call back when every record is in the index, at once where it is so; after COMPLETE_WAIT_MS in any case, and
        when it cannot get on."""
        if self._behind_from is None or self._failed:
            callback()
            return
        self._waiting.append(callback)
        if self._wait_ends is None:
            self._wait_ends = self._reactor.call_later(COMPLETE_WAIT_MS, self._wait_no_longer)

    def _wait_no_longer(self) -> None:
        if self._wait_ends is not None:
            self._wait_ends.cancel()
            self._wait_ends = None
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def leave_behind(self, physical_offset: int) -> None:
        """Records from here on, where one begins, come in bulk: they are read from the log when there is time."""
        self._bulk_at_ms = self._reactor.clock.monotonic_ms()
        if self._is_following and not self._failed:
            self.build()
            # Unless the disk is full.
            if self._is_following:
                self._behind_from = physical_offset
                self._catch_up_in(BULK_PAUSE_MS)

    def _fall_behind(self, physical_offset: int, error: OSError) -> None:
        if self._catch_up_timer is None:
            log.warning("index: records from %d on cannot be indexed now: %s", physical_offset, error)
            self._catch_up_in(RETRY_INTERVAL_MS)
        self._behind_from = physical_offset
        self._wait_no_longer()

    def _catch_up_in(self, delay_ms: int) -> None:
        self._catch_up_timer = self._reactor.call_later(delay_ms, self._catch_up)

    def _catch_up(self) -> None:
        """One step. Whatever is put meanwhile is read from the log too, so that the order stays."""
        if self._behind_from is None or self._failed:
            self._catch_up_timer = None
            self._wait_no_longer()
            return
        start, self._behind_from = self._behind_from, None
        self._known_end = self._files[-1].header.end_physical_offset if self._files else -1
        try:
            if self._files:
                self._files[-1].write()
            whole = self._complete_up_to()
            end, records = scan_forward(self._log, start, CATCH_UP_RECORDS, until=whole)
        except OSError as error:
            self._fall_behind(start, error)
        else:
            for record in records:
                self.add_scanned(record)
            self.build()
            if self._is_following and end < whole:
                self._behind_from = end
                is_bulk = self._reactor.clock.monotonic_ms() - self._bulk_at_ms < BULK_PAUSE_MS
                self._catch_up_in(BULK_PAUSE_MS if is_bulk else CATCH_UP_PAUSE_MS)
                return
        if self._is_following:
            self._catch_up_timer = None
            log.debug("index: no record is missing any more")
            self._wait_no_longer()
        else:
            self._catch_up_in(RETRY_INTERVAL_MS)

    @property
    def _is_following(self) -> bool:
        return self._behind_from is None

    # -- on the disk

    def take_changes(self, complete_up_to: int) -> IndexChanges:
        """What must be written for the index to be whole on the disk as it is now. complete_up_to: every whole record
        below it was given to the index."""
        self.build()
        if self._is_saving:
            # Two writers could leave the older bytes. What a thread had to write last is still true, only less.
            return IndexChanges(self, None, [], self._cuts)
        if self._saved_full:
            for file in self._full_taken:
                file.release()
            self._unsaved = [file for file in self._unsaved if file not in self._full_taken]
        self._full_taken = [file for file in self._unsaved if file.is_full]
        self._saved_full = False
        if self._behind_from is not None:
            complete_up_to = min(complete_up_to, self._behind_from)
        self._is_saving = True
        files = {file.path.name: file.header.encode() for file in self._files}
        ends = [file.header.end_timestamp_ms for file in self._files]
        return IndexChanges(
            self,
            IndexCheckpoint(complete_up_to, files),
            [file.take_changes() for file in self._unsaved],
            self._cuts,
            max(ends, default=0),
            is_behind=self._behind_from is not None,
        )

    def save(self, changes: IndexChanges) -> IndexCheckpoint | None:
        """By IndexChanges, in its thread: what a later start may trust; None for nothing."""
        if changes.checkpoint is None:
            return self._saved_checkpoint
        try:
            for file, pieces in changes.files:
                for position, data in pieces:
                    file.pwrite(data, position)
                file.datasync()
            if changes.files:
                self._disk.sync_directory(self._directory)
        except (OSError, ValueError) as error:
            # ValueError: a file was closed meanwhile, at a stop or because its records are gone.
            log.warning("the index cannot be written: %s", error)
            self._failed = getattr(error, "errno", errno.EBADF) not in _PASSING_ERRORS
            for one in self._unsaved:
                one.changes_failed()
        else:
            self._saved_full = True
            self._saved_checkpoint = changes.checkpoint
        if self._failed or changes.cuts != self._cuts:
            self._saved_checkpoint = None
        self._is_saving = False
        return self._saved_checkpoint

    def cut(self, physical_offset: int) -> None:
        """Forget records from physical_offset on."""
        self.build()
        self._cuts += 1
        self._saved_checkpoint = None
        while self._files:
            last = self._files[-1]
            last.cut(physical_offset)
            if last.header.count > 1:
                if last not in self._unsaved:
                    self._unsaved.append(last)
                break
            last.close()
            self._files.pop()
            if last in self._unsaved:
                self._unsaved.remove(last)
            self._disk.remove(last.path)
        self._known_end = self._files[-1].header.end_physical_offset if self._files else -1
        if self._behind_from is not None:
            self._behind_from = min(self._behind_from, physical_offset)

    def detach_before(self, physical_offset: int) -> list[Path]:
        """Give up the files all of whose records are below physical_offset, never the last one; the caller unlinks
        them."""
        gone = []
        while len(self._files) > 1 and self._files[0].header.end_physical_offset < physical_offset:
            file = self._files.pop(0)
            if file in self._unsaved:
                self._unsaved.remove(file)
            file.close()
            gone.append(file.path)
        return gone

    def unlink(self, paths: list[Path]) -> None:
        """May run in another thread."""
        for path in paths:
            self._disk.remove(path)
        if paths:
            self._disk.sync_directory(self._directory)

    def close(self) -> None:
        if self._catch_up_timer is not None:
            self._catch_up_timer.cancel()
        for file in self._files:
            file.close()

    # -- reading

    def query(self, topic: str, key: str, between_ms: tuple[int, int], *, max_count: int, is_tag: bool) -> IndexQuery:
        """A search for the newest records with this key that were stored within between_ms; run it in a thread."""
        self.build()
        begin_ms, end_ms = between_ms
        keys = self._keys.of(topic)
        key_hash = keys.tag(key) if is_tag else keys.key(key)
        chains = []
        for file in reversed(self._files):
            if file.matches_time(begin_ms, end_ms):
                chains.append(file.chain(key_hash))
            if file.header.begin_timestamp_ms < begin_ms:
                break
        last = self._files[-1].header if self._files else IndexHeader()
        until = (last.end_timestamp_ms, last.end_physical_offset)
        return IndexQuery(chains, key_hash, max_count, between_ms, self._log.min_offset, until)


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """Taken on the loop, written in a thread."""

    _service: IndexService
    checkpoint: IndexCheckpoint | None
    """None: a thread is writing other changes now."""
    files: list[tuple[File, list[tuple[int, bytes]]]]
    cuts: int
    end_timestamp_ms: int = 0
    """Store time of the newest record in a file."""
    is_behind: bool = False
    """Some records that are newer are in no file yet."""

    def write(self) -> IndexCheckpoint | None:
        """Blocking; an error of the disk is the index's own affair. Returns what a later start may trust."""
        return self._service.save(self)
