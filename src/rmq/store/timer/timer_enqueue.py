# SPDX-License-Identifier: Apache-2.0
"""From the timer topic into the wheel: Apache's TimerEnqueueGetService and TimerEnqueuePutService in one.

state     event            what happens
idle      message arrived  read: up to BATCH records, in a thread
reading   read             units for what waits (one write); what is due at once is delivered
putting   all answered     queue offset and read time are written down; next batch, or idle
any       disk full        the batch stands still, again after RETRY_MS
reading   one is damaged   those before it are taken; it is waited for: the pair's other broker may have it
"""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from ...remoting.message import MessageExt, RecordError, decode_record
from ...remoting.topic_names import TIMER_TOPIC
from .timer_books import QUEUE_ID
from .timer_message import NEVER_ENQUEUED, TimerPlace, identity, is_recall, out_time_ms, rolls

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Reactor, Timer
    from ..message_store import MessageStore
    from .timer_books import TimerBooks
    from .timer_deliver import TimerDeliver

#: Messages taken at a time: bounds memory, and the loop is never held long.
BATCH = 256

#: Pause after the disk refused a write, or before a damaged message is looked at again.
RETRY_MS = 500

#: A damaged message is waited for so long.
MENDED_WITHIN_MS = 30_000

log = logging.getLogger(__name__)


class TimerEnqueue:
    def __init__(
        self,
        reactor: Reactor,
        store: MessageStore,
        books: TimerBooks,
        deliver: TimerDeliver,
        *,
        on_taken: Callable[[int], None],
    ) -> None:
        """on_taken(how many got a unit): after each batch."""
        self.is_running = False
        self.delivers = False
        self._reactor = reactor
        self._store = store
        self._books = books
        self._deliver = deliver
        self._on_taken = on_taken
        self._is_busy = False
        self._timer: Timer | None = None
        self._hole_at = -1
        self._hole_since_ms = 0
        self._newest: dict[tuple[object, ...], tuple[int, int]] = {}
        self.superseded: set[int] = set()
        """Physical offsets of messages whose rolled copy waits as well."""

    def stop(self) -> None:
        self.is_running = False
        if self._timer is not None:
            self._timer.cancel()

    def poke(self) -> None:
        """There may be something to take."""
        if not self.is_running or self._is_busy:
            return
        books = self._books
        books.queue_offset = max(books.queue_offset, self._store.min_offset(TIMER_TOPIC, QUEUE_ID))
        # A slave goes no further than its master: what the master has not taken it may have to deliver itself.
        limit = BATCH if self.delivers else min(BATCH, books.master_queue_offset - books.queue_offset)
        try:
            units = self._store.units(TIMER_TOPIC, QUEUE_ID, books.queue_offset, limit) if limit > 0 else None
        except OSError as error:
            log.warning("timer: the queue of messages cannot be read: %s", error)
            self._later(self.poke)
            return
        if not units:
            return
        self._is_busy = True
        first = books.queue_offset
        places = [(physical_offset, size) for physical_offset, size, _ in units]
        self._store.read_records(places, lambda records: self._read(first, places, records))

    def _read(self, first: int, places: list[tuple[int, int]], records: list[bytes | None] | OSError) -> None:
        if not self.is_running:
            return
        if isinstance(records, OSError):
            log.warning("timer: messages cannot be read: %s", records)
            self._later(self._again)
            return
        messages = [_decoded(record) for record in records]
        if self._store.mending.damaged:
            messages = self._before_a_hole(first, messages)
            if not messages:
                self._later(self._again)
                return
        to_wheel: list[TimerPlace] = []
        due: list[TimerPlace] = []
        for queue_offset, (physical_offset, size), message in zip(
            itertools.count(first), places, messages, strict=False
        ):
            if not isinstance(message, MessageExt):
                log.error("timer: the message at %d cannot be read and is passed over: %s", physical_offset, message)
                continue
            time_ms = out_time_ms(message)
            if time_ms is None:
                log.error("timer: the record at %d is no timer message and is passed over", physical_offset)
                continue
            place = TimerPlace(queue_offset, physical_offset, size, time_ms, message)
            if not self._is_taken(place):
                (due if self._is_due(time_ms) else to_wheel).append(place)
        self._write(first + len(messages), to_wheel, due)

    def _before_a_hole(self, first: int, messages: list[MessageExt | RecordError]) -> list[MessageExt | RecordError]:
        """Those up to the first one that lacks. One that lacks at once is waited for, for a while."""
        before = list(itertools.takewhile(lambda one: isinstance(one, MessageExt), messages))
        if before:
            return before
        now_ms = self._reactor.clock.monotonic_ms()
        if self._hole_at != first:
            self._hole_at, self._hole_since_ms = first, now_ms
        return [] if now_ms - self._hole_since_ms < MENDED_WITHIN_MS else messages[:1]

    def _is_taken(self, place: TimerPlace) -> bool:
        """Whether it was, before this start: it has its unit, or it was delivered."""
        books = self._books
        if place.queue_offset < books.done_below:
            self._note_copy(place)
            if place.time_ms < books.read_time_ms and self.delivers:
                return True
        return place.physical_offset in books.known

    def _note_copy(self, place: TimerPlace) -> None:
        """A log that is made again meets a message and its rolled copies: only the newest counts."""
        key, times = identity(place.message), rolls(place.message)
        known = self._newest.get(key)
        if known is not None and times > known[0]:
            self.superseded.add(known[1])
        if known is None or times > known[0]:
            self._newest[key] = (times, place.physical_offset)

    def _is_due(self, time_ms: int) -> bool:
        return self.delivers and time_ms < self._books.boundary_ms

    def _write(self, end: int, to_wheel: list[TimerPlace], due: list[TimerPlace]) -> None:
        if not self.is_running:
            return
        if self.delivers:
            # A slot may have passed while the disk was full.
            self._books.turn()
            due += [place for place in to_wheel if self._is_due(place.time_ms)]
            to_wheel = [place for place in to_wheel if not self._is_due(place.time_ms)]
        taken = 0
        try:
            taken = self._books.write_units(to_wheel)
        except OSError as error:
            log.warning("timer: nothing can be written: %s", error)
        if taken < len(to_wheel):
            rest = to_wheel[taken:]
            self._later(lambda: self._write(end, rest, due))
            return
        messages = []
        for place in due:
            if is_recall(place.message):
                log.warning("timer: the recall at %d comes too late", place.physical_offset)
            else:
                messages.append(self._deliver.message(place.message, NEVER_ENQUEUED))
        self._deliver.put(messages, lambda: self._put(end, len(to_wheel)))

    def _put(self, end: int, taken: int) -> None:
        # Also after stop(): what is stored must not be delivered again.
        books = self._books
        books.queue_offset = end
        if end >= books.done_below:
            self._newest.clear()
            books.known.clear()
        self._is_busy = False
        self._on_taken(taken)
        self.poke()

    def _again(self) -> None:
        self._is_busy = False
        self.poke()

    def _later(self, callback: Callable[[], None]) -> None:
        self._timer = self._reactor.call_later(RETRY_MS, callback)


def _decoded(record: bytes | None) -> MessageExt | RecordError:
    try:
        return RecordError("it is damaged or gone") if record is None else decode_record(record)
    except RecordError as error:
        return error
