# SPDX-License-Identifier: Apache-2.0
"""What the wheel has written down, and how it is read back: timer log, wheel, checkpoint and metrics together.

Two numbers say how far everything is; they are written together, in one write, after each batch and each slot:

| number | everything below | so after a crash |
|---|---|---|
| queue offset | is in the log, or delivered | what comes from here on is taken from the topic, unless it has a unit |
| read time | is delivered | units from here on wait; what is due before, below the queue offset, was delivered |

The timer log is walked at each start and the wheel made from it. Messages below the queue offset that are due later and
have no unit (the log was lost or cut) are taken from the topic again. A message due before the read time never gets a
unit, it is delivered at once: that is what makes the rule above hold.
"""

from __future__ import annotations

import logging
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

from ...remoting.java_hash import string_hash
from ...remoting.message import decode_record
from ...remoting.topic_names import TIMER_TOPIC
from ..config import BrokerRole
from .timer_checkpoint import TimerCheckpoint, TimerCheckpointFile
from .timer_flush import TimerChanges
from .timer_log import (
    MAGIC_DEFAULT,
    MAGIC_DELETE,
    MAGIC_ROLL,
    UNIT_BYTES,
    TimerLog,
    TimerUnit,
    encode_unit,
)
from .timer_message import is_recall, out_time_ms, real_topic
from .timer_wheel import SLOTS_TOTAL, TimerWheel

if TYPE_CHECKING:
    from ...env import Clock, Disk
    from ..config import StoreConfig
    from ..message_store import MessageStore
    from .timer_message import TimerPlace
    from .timer_metrics import TimerMetrics

QUEUE_ID = 0

WHEEL_FILE = "timerwheel"
LOG_DIRECTORY = "timerlog"
CHECKPOINT_FILE = "timercheck"

#: Apache's TIMER_BLANK_SLOTS: how near to a whole turn a time may be.
BLANK_SLOTS = 60

_UNITS_AT_A_TIME = 1000

log = logging.getLogger(__name__)


class TimerBooks:
    """Used on the loop; `load`, `sync` and `close` block. Writes may raise OSError."""

    def __init__(
        self,
        config: StoreConfig,
        disk: Disk,
        clock: Clock,
        store: MessageStore,
        metrics: TimerMetrics,
        *,
        slots_total: int = SLOTS_TOTAL,
    ) -> None:
        window = config.timer_roll_window_slot
        if not 2 <= window <= slots_total - BLANK_SLOTS:
            window = slots_total - BLANK_SLOTS
        self.wheel = TimerWheel(config.timer_precision_ms, slots_total)
        self.log = TimerLog(disk, config.root / LOG_DIRECTORY, config.mapped_file_size_timer_log)
        self.metrics = metrics
        self.read_time_ms = 0
        """Every slot before it is delivered."""
        self.queue_offset = 0
        """The next message of the timer topic to be taken."""
        self.done_below = 0
        """Messages below were taken before this start."""
        self.master_queue_offset = 0
        self.known: set[int] = set()
        """Physical offsets that have a unit already, of messages that will be met once more."""
        self.overdue = array("q")
        """Units that are due for longer than the wheel reaches, in their order."""
        self.chains: dict[int, list[int]] = {}
        """More chains of a slot: it was made of several, by another precision or by a log that lost its beginning."""
        self.turns = config.broker_role is not BrokerRole.SLAVE
        self._busy_until_ms = 0
        self._slots_total = slots_total
        self._window_ms = window * config.timer_precision_ms
        self._disk = disk
        self._clock = clock
        self._store = store
        self._wheel_path = config.root / WHEEL_FILE
        self._checkpoint_file = TimerCheckpointFile(disk, config.root / "config" / CHECKPOINT_FILE)
        self._checkpoint = TimerCheckpoint()
        self._flushed_position = 0

    # -- opening

    def load(self) -> None:
        """Blocking, after the store is loaded. Raises OSError."""
        stored = self._checkpoint_file.load()
        self._checkpoint = stored or TimerCheckpoint()
        now_ms = self.wheel.floor(self._clock.now_ms())
        self.read_time_ms = self.wheel.floor(self._checkpoint.last_read_time_ms) if stored else self._horizon(now_ms)
        self.master_queue_offset = self._checkpoint.master_timer_queue_offset
        end = self._store.max_offset(TIMER_TOPIC, QUEUE_ID)
        first, last = self._walk_log(self._horizon(now_ms))
        if self.log.files.start > 0 and self._waits_before(first):
            log.error("timer: the beginning of the timer log is missing, it is made again from the messages")
            self._forget_log()
            last = -1
        logged = self._store.queue_offset_at(TIMER_TOPIC, QUEUE_ID, last + 1) if last >= 0 else 0
        # Without a checkpoint, a unit in the log says nothing of messages before it that were to be delivered at once.
        self.done_below = min(self._checkpoint.last_timer_queue_offset if stored else 0, end)
        self.queue_offset = max(min(self.done_below, logged), self._store.min_offset(TIMER_TOPIC, QUEUE_ID))
        self._forget_known_below(self.queue_offset)
        self._flushed_position = self._checkpoint.last_timer_log_flush_position
        self.log.flushed = min(self._flushed_position, self.log.end)
        if stored is None and not end:
            # Nothing was ever timed here.
            self.read_time_ms = now_ms
        if self._disk.exists(self._wheel_path):
            self._compare_wheel()
        if end or self.log.end:
            log.info(
                "timer: %d messages wait, read up to %d ms, taken up to %d of %d",
                self.wheel.pending + len(self.overdue),
                self.read_time_ms,
                self.queue_offset,
                end,
            )

    def _horizon(self, now_ms: int) -> int:
        """The wheel cannot tell times apart that are further behind."""
        return max(0, now_ms - (self._slots_total - BLANK_SLOTS) * self.wheel.precision_ms)

    def _walk_log(self, horizon_ms: int) -> tuple[int, int]:
        """Make the wheel from the log. Returns the physical offsets of the first and the last unit; -1 without one."""
        first = last = -1
        wheel = self.wheel
        for position, unit in self.log.load(self._store.max_physical_offset):
            if first < 0:
                first = unit.physical_offset
            last = max(last, unit.physical_offset)
            self.known.add(unit.physical_offset)
            if unit.time_ms < self.read_time_ms:
                continue
            if unit.time_ms < horizon_ms:
                self.overdue.append(position)
                continue
            before = wheel.last(unit.time_ms)
            if before >= 0 and before != unit.previous:
                self.chains.setdefault(wheel.floor(unit.time_ms), []).append(before)
            wheel.add(unit.time_ms, position, -1 if unit.magic & MAGIC_DELETE else 1)
        return first, last

    def _waits_before(self, physical_offset: int) -> bool:
        """Whether a message that comes before the log's first unit still waits: files go only when theirs are gone from
        the commit log."""
        queue_offset = self._store.min_offset(TIMER_TOPIC, QUEUE_ID)
        end = self._store.queue_offset_at(TIMER_TOPIC, QUEUE_ID, max(0, physical_offset))
        while queue_offset < end:
            units = self._store.units(TIMER_TOPIC, QUEUE_ID, queue_offset, min(end - queue_offset, _UNITS_AT_A_TIME))
            if not units:
                break
            queue_offset += len(units)
            for at, _, _ in units:
                record = self._store.record_at(at)
                time_ms = None if record is None else out_time_ms(decode_record(record, check_crc=False))
                if time_ms is not None and time_ms >= self.read_time_ms:
                    return True
        return False

    def _forget_log(self) -> None:
        self.log.forget()
        self.wheel = TimerWheel(self.wheel.precision_ms, self._slots_total)
        self.overdue = array("q")
        self.chains.clear()
        self.known.clear()

    def _forget_known_below(self, queue_offset: int) -> None:
        units = self._store.units(TIMER_TOPIC, QUEUE_ID, queue_offset, 1)
        begin = units[0][0] if units else self._store.max_physical_offset
        self.known = {one for one in self.known if one >= begin}

    def _compare_wheel(self) -> None:
        file = self._disk.open(self._wheel_path)
        try:
            if file.size() == self.wheel.size_bytes:
                self.wheel.compare(file)
                return
        finally:
            file.close()
        # Apache's engine does not start with a wheel of another length.
        self._disk.remove(self._wheel_path)

    # -- turning

    def turn(self) -> None:
        """Move the read time as far as nothing waits; on a slave only its master does."""
        if not self.turns or self.is_behind or self._busy_until_ms or self.overdue:
            return
        first = self.wheel.first_time()
        now_ms = self.wheel.floor(self._clock.now_ms())
        self.read_time_ms = max(self.read_time_ms, now_ms if first is None else min(first, now_ms))

    @property
    def is_behind(self) -> bool:
        """Messages from before this start are met again: the read time still tells which of them were delivered."""
        return self.queue_offset < self.done_below

    @property
    def boundary_ms(self) -> int:
        """What is due before is delivered at once: the wheel has passed it, or is passing it."""
        return max(self.read_time_ms, self._busy_until_ms)

    def begin(self, until_ms: int) -> None:
        """Everything that is due before until_ms is being delivered."""
        self._busy_until_ms = until_ms

    def finish(self) -> None:
        """It is delivered."""
        self.read_time_ms = max(self.read_time_ms, self._busy_until_ms)
        self._busy_until_ms = 0
        self.wheel.pass_before(self.read_time_ms)
        for time_ms in [one for one in self.chains if one < self.read_time_ms]:
            del self.chains[time_ms]
        self.turn()

    # -- writing

    def write_units(self, places: list[TimerPlace]) -> int:
        """Give messages their units; returns how many have one now: fewer where the wheel has to turn first. Raises
        OSError where not even the first got one."""
        done, fitting = 0, self._fitting(places)
        while done < fitting:
            try:
                room = self.log.make_room()
                self._write_block(places[done : min(done + room, fitting)])
            except OSError:
                if not done:
                    raise
                break
            done += min(room, fitting - done)
        return done

    def _fitting(self, places: list[TimerPlace]) -> int:
        """How many of these, from the first on, need no slot in which messages of another time still wait: a clock that
        jumps ahead by more than the wheel reaches leads there, and the slots behind it are on their way."""
        if not self.turns or self.is_behind:
            return len(places)
        write_ms = self.wheel.floor(self._clock.now_ms())
        taken: dict[int, int] = {}
        for count, place in enumerate(places):
            time_ms = self.wheel.floor(self._turn_of(place, write_ms)[0])
            if not self.wheel.has_place(time_ms) or taken.setdefault(self.wheel.number(time_ms), time_ms) != time_ms:
                return count
        return len(places)

    def _write_block(self, places: list[TimerPlace]) -> None:
        block = bytearray()
        lasts: dict[int, int] = {}
        write_ms = self.wheel.floor(self._clock.now_ms())
        added = []
        for place in places:
            unit_time_ms, magic = self._turn_of(place, write_ms)
            position = self.log.end + len(block)
            slot_ms = self.wheel.floor(unit_time_ms)
            previous = lasts.get(slot_ms)
            if previous is None:
                previous = self.wheel.last(slot_ms)
            unit = TimerUnit(previous, magic, write_ms, unit_time_ms, place.physical_offset, place.size)
            block += encode_unit(unit, string_hash(real_topic(place.message)))
            lasts[slot_ms] = position
            added.append((unit_time_ms, position, place))
        assert len(block) == len(places) * UNIT_BYTES
        self.log.append(block)
        for unit_time_ms, position, place in added:
            change = -1 if is_recall(place.message) else 1
            if self.turns and self.is_behind and self.read_time_ms <= unit_time_ms < self._horizon(write_ms):
                self.overdue.append(position)
            elif unit_time_ms >= self.read_time_ms:
                self.wheel.add(unit_time_ms, position, change)
            self.metrics.add(real_topic(place.message), change)

    def _turn_of(self, place: TimerPlace, write_ms: int) -> tuple[int, int]:
        """Until when this turn lasts, and the unit's magic. What is due beyond the window is rolled."""
        time_ms, magic = place.time_ms, MAGIC_DEFAULT
        beyond_ms = time_ms - write_ms - self._window_ms
        if beyond_ms >= 0:
            magic |= MAGIC_ROLL
            precision_ms = self.wheel.precision_ms
            window = self._window_ms // precision_ms
            # Apache leaves the last turn time enough to be one.
            turn = window // 2 if beyond_ms < window // 3 * precision_ms else window
            time_ms = write_ms + turn * precision_ms
        if is_recall(place.message):
            magic |= MAGIC_DELETE
        return time_ms, magic

    # -- the checkpoint

    def checkpoint(self) -> TimerCheckpoint:
        """As it is at this moment."""
        self.turn()
        return replace(
            self._checkpoint,
            last_read_time_ms=self.read_time_ms,
            last_timer_log_flush_position=self._flushed_position,
            last_timer_queue_offset=min(self._done_offset, self.master_queue_offset),
            master_timer_queue_offset=self.master_queue_offset,
        )

    @property
    def _done_offset(self) -> int:
        """While messages from before this start are met again, the number of before counts on."""
        return max(self.queue_offset, self.done_below)

    def save(self) -> None:
        """Write the checkpoint; it survives this process, and the machine from the next sync on. On a master."""
        self.master_queue_offset = self._done_offset
        self._checkpoint = replace(
            self.checkpoint(), data_version=self._checkpoint.data_version.next_version(self._clock.now_ms())
        )
        self._checkpoint_file.write(self._checkpoint)

    def take(self, master: TimerCheckpoint) -> None:
        """A slave: how far its master is (60)."""
        self._checkpoint = replace(self._checkpoint, data_version=master.data_version)
        self.master_queue_offset = master.master_timer_queue_offset
        self.read_time_ms = max(self.read_time_ms, self.wheel.floor(master.last_read_time_ms))
        self.wheel.pass_before(self.read_time_ms)
        self._checkpoint_file.write(self.checkpoint())

    # -- making it durable

    def take_changes(self) -> TimerChanges:
        """What `write` brings to the disk, in another thread."""
        return TimerChanges(self)

    def flushed(self, position: int) -> None:
        self.log.flushed = position
        # While a log that was lost is made again, the checkpoint goes on to say that there was one.
        is_whole = self.queue_offset >= self.done_below
        self._flushed_position = position if is_whole else max(position, self._flushed_position)

    def close(self) -> None:
        self.log.close()
        self._checkpoint_file.close()

    def write_wheel(self, changes: list[tuple[int, bytes]]) -> None:
        """Blocking."""
        if not changes:
            return
        file = self._disk.open(self._wheel_path, size_bytes=self.wheel.size_bytes)
        try:
            for position, data in changes:
                file.pwrite(data, position)
            file.datasync()
        finally:
            file.close()

    def sync_checkpoint(self) -> None:
        """Blocking."""
        self._checkpoint_file.sync()
