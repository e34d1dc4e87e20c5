# SPDX-License-Identifier: Apache-2.0
"""Asks producers about transactions that stay open. Answers to Apache's TransactionalMessageCheckService.

Each transactionCheckInterval a round walks the half queue from where the last one stopped:

    half message                                          verdict  what happens
    it is over                                            OVER     passed
    asked about transactionCheckMax times, or too old     DISCARD  to TRANS_CHECK_MAX_TIME_TOPIC, passed
    stored in this round                                  LATER    the round ends before it
    within CHECK_IMMUNITY_TIME_IN_SECONDS                 IMMUNE   copy at the queue's end, passed
    within transactionTimeOut                             LATER    the round ends before it
    any other                                             CHECK    copy at the end, producer asked about it, passed

An immune copy does not count as a question asked (Apache counts it, so that there no producer can ask for more time
than 15 rounds take). Copies are stored some at a time; the walk passes a half message when its copy is as safe as this
broker promises. One that can have no copy (a limit is lower than when it was sent) is asked about once, at its own
place, and passed. A damaged one ends the round, for the pair's other broker may have it; the next round passes over it.
A round yields to the loop between batches, so that a long queue holds nobody up.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

from ...remoting.codes import RequestCode
from ...remoting.command import SERVER_LANGUAGE, RemotingCommand
from ...remoting.message import MessageExt, RecordError, decode_records, encode_message
from ...remoting.message_const import (
    PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS,
    PROPERTY_PRODUCER_GROUP,
    PROPERTY_TRANSACTION_CHECK_TIMES,
    PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET,
    PROPERTY_UNIQ_KEY,
)
from ...remoting.topic_names import TRANS_CHECK_MAX_TIME_TOPIC, TRANS_HALF_TOPIC
from ...store.put_message import HOPELESS, PutResult
from ..message_properties import without_crc
from ..repeating import Repeating
from . import half_message
from .half_message import HALF_QUEUE_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...env import Reactor
    from ...store.message_store import MessageStore
    from ...store.put_message import MessageToStore
    from ..broker_config import BrokerConfig
    from ..consumer_offset_manager import ConsumerOffsetManager
    from ..producer_manager import ProducerManager
    from ..topic_config_manager import TopicConfigManager
    from .transactional_message_service import TransactionalMessageService

#: Half messages looked at before the loop may do something else.
BATCH = 32

#: TRANS_CHECK_MAX_TIME_TOPIC has one queue.
DISCARD_QUEUES = 1

log = logging.getLogger(__name__)


class Verdict(Enum):
    OVER = auto()
    DISCARD = auto()
    LATER = auto()
    IMMUNE = auto()
    CHECK = auto()


@dataclass(frozen=True)
class CheckRules:
    time_out_ms: int
    check_max: int
    file_reserved_time_ms: int

    def verdict(self, half: MessageExt, now_ms: int, round_end: int) -> Verdict:
        """What becomes of a half message that is not over."""
        age_ms = now_ms - half.born_timestamp_ms
        if check_times(half) >= self.check_max or age_ms > self.file_reserved_time_ms:
            return Verdict.DISCARD
        if half.queue_offset >= round_end:
            return Verdict.LATER
        text = half.properties.get(PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS)
        if text is not None:
            return Verdict.IMMUNE if age_ms <= immunity_ms(text, self.time_out_ms) else Verdict.CHECK
        # A message of the future comes from a producer whose clock is wrong: waiting for its time may take for ever.
        return Verdict.LATER if 0 <= age_ms <= self.time_out_ms else Verdict.CHECK


def check_times(half: MessageExt) -> int:
    """How often its producer was asked; 0 for a text that is no number, which Apache counts as -1."""
    text = half.properties.get(PROPERTY_TRANSACTION_CHECK_TIMES, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def immunity_ms(text: str, time_out_ms: int) -> int:
    """How long a producer asks not to be asked; the general time-out where it gives no number."""
    digits = text.removeprefix("-")
    return (
        int(text) * 1000 if digits.isascii() and digits.isdigit() and len(text) <= 18 and text != "-1" else time_out_ms
    )


class TransactionCheck:
    """Runs on masters only."""

    def __init__(
        self,
        config: BrokerConfig,
        store: MessageStore,
        service: TransactionalMessageService,
        reactor: Reactor,
        *,
        offsets: ConsumerOffsetManager,
        producers: ProducerManager,
        topics: TopicConfigManager,
    ) -> None:
        self._config = config
        self._store = store
        self._service = service
        self._reactor = reactor
        self._offsets = offsets
        self._producers = producers
        self._topics = topics
        self._rules = CheckRules(
            config.transaction_time_out_ms, config.transaction_check_max, store.config.file_reserved_time_ms
        )
        self._repeating = Repeating(reactor, config.transaction_check_interval_ms, self._begin)
        self._is_running = False
        self._is_walking = False
        self._round_end = 0
        self._hole_at = -1

    def start(self) -> None:
        self._is_running = True
        self._repeating.start()

    def stop(self) -> None:
        self._is_running = False
        self._repeating.stop()

    def _begin(self) -> None:
        if not self._is_walking:
            self._is_walking = True
            # By number and not by time: a clock that is set back would make all of them messages of this round.
            self._round_end = self._store.max_offset(TRANS_HALF_TOPIC, HALF_QUEUE_ID)
            self._walk()

    def _end(self) -> None:
        self._is_walking = False
        # A copy is passed in the log at once; the offset that says so should not be long behind it, or a crash in
        # between leaves two half messages of one transaction.
        self._offsets.persist_if_changed()

    def _walk(self) -> None:
        """One batch."""
        if not self._is_running:
            self._is_walking = False
            return
        start = self._service.table.half_offset
        try:
            found = self._store.get(TRANS_HALF_TOPIC, HALF_QUEUE_ID, start, BATCH)
        except OSError as error:
            log.warning("half messages from %d on cannot be read, once more in the next round: %s", start, error)
            self._end()
            return
        if found.next_begin_offset <= start:
            self._end()
            return
        try:
            halves = decode_records(b"".join(found.frames), check_crc=False)
        except RecordError as error:
            log.error("half messages from %d on cannot be read and are passed over: %s", start, error)
            halves = []
        end = found.next_begin_offset
        if self._store.mending.damaged and self._hole_at != start:
            end = _first_missing(halves, start, end)
            halves = [half for half in halves if half.queue_offset < end]
            if end == start:
                self._hole_at = start
                self._end()
                return
        _Batch(self, halves, end).start()

    def passed(self, half_offset: int, *, go_on: bool) -> None:
        """By a batch that is over: everything before half_offset is done with."""
        self._service.advance(half_offset)
        if go_on:
            self._reactor.call_soon(self._walk)
        else:
            self._end()

    def step(self, half: MessageExt) -> tuple[Verdict, MessageToStore | None]:
        """What to do with a half message, and what to store for it."""
        if self._is_over(half):
            return Verdict.OVER, None
        verdict = self._rules.verdict(half, self._reactor.clock.now_ms(), self._round_end)
        if verdict is Verdict.CHECK:
            times = str(check_times(half) + 1)
            return verdict, half_message.renewed(half, **{PROPERTY_TRANSACTION_CHECK_TIMES: times})
        if verdict is Verdict.IMMUNE:
            first = half.properties.get(PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET, str(half.queue_offset))
            return verdict, half_message.renewed(half, **{PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET: first})
        return verdict, half_message.discarded(half) if verdict is Verdict.DISCARD else None

    def put(self, verdict: Verdict, half: MessageExt, message: MessageToStore, done: Callable[[bool], None]) -> None:
        """Store what `step` made; done hears whether it is stored."""
        if verdict is Verdict.DISCARD:
            self._topics.create_in_send_back(TRANS_CHECK_MAX_TIME_TOPIC, DISCARD_QUEUES, 0)
        self._store.put(message, partial(self._stored, verdict, half, done))

    def _is_over(self, half: MessageExt) -> bool:
        """By its own place, where it may have a copy already, or by the one that its producer knows, which an immune
        copy carries."""
        table = self._service.table
        if table.is_passed(half.queue_offset):
            return True
        first = half.properties.get(PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET, "")
        return first.isascii() and first.isdigit() and len(first) < 19 and table.outcome(int(first)) is not None

    def _stored(self, verdict: Verdict, half: MessageExt, done: Callable[[bool], None], result: PutResult) -> None:
        status = result.status
        if status in HOPELESS:
            # It cannot be asked about again, and those behind it must not wait for it for ever.
            log.error("half message %s at %d can have no copy: %s", half.unique_id, half.queue_offset, status.name)
            if verdict is not Verdict.DISCARD:
                place = (half.queue_offset, half.physical_offset)
                self._ask(half, PutResult(status, *place, message_id=half.message_id))
        elif not status.is_stored:
            log.warning("half message at %d: %s, once more in the next round", half.queue_offset, status.name)
        elif verdict is Verdict.DISCARD:
            log.warning("half message %s is given up: nobody decided about it in time", half.unique_id)
            self._service.metrics.add(half_message.real_queue(half)[0], -1)
        elif self._service.copied(half.queue_offset, result.queue_offset) and verdict is Verdict.CHECK:
            self._ask(half, result)
        done(status.is_stored or status in HOPELESS)

    def _ask(self, half: MessageExt, copy: PutResult) -> None:
        group = half.properties.get(PROPERTY_PRODUCER_GROUP, "")
        channel = self._producers.available_channel(group)
        if channel is None:
            log.warning("half message %s: no producer of group %s is connected", half.unique_id, group)
            return
        channel.push(check_request(half, copy, self._config.broker_name))


def check_request(half: MessageExt, copy: PutResult, broker_name: str) -> RemotingCommand:
    """CHECK_TRANSACTION_STATE: the message as its consumers would get it, and where its newest half message is."""
    uniq_key = half.properties.get(PROPERTY_UNIQ_KEY, "")
    fields = {
        "topic": TRANS_HALF_TOPIC,
        "tranStateTableOffset": str(copy.queue_offset),
        "commitLogOffset": str(copy.physical_offset),
        "msgId": uniq_key,
        "transactionId": uniq_key,
        "offsetMsgId": copy.message_id,
        "bname": broker_name,
    }
    topic, queue_id = half_message.real_queue(half)
    message = MessageExt(
        topic=topic,
        queue_id=queue_id,
        queue_offset=copy.queue_offset,
        physical_offset=copy.physical_offset,
        sys_flag=half.sys_flag,
        born_timestamp_ms=half.born_timestamp_ms,
        born_host=half.born_host,
        store_timestamp_ms=half.store_timestamp_ms,
        store_host=half.store_host,
        reconsume_times=half.reconsume_times,
        flag=half.flag,
        body=half.body,
        properties=without_crc(half.properties),
    )
    command = RemotingCommand.request(RequestCode.CHECK_TRANSACTION_STATE, fields, encode_message(message), oneway=True)
    command.language = SERVER_LANGUAGE
    return command


def _first_missing(halves: list[MessageExt], start: int, end: int) -> int:
    """The first number in [start, end) that no half message has; end where they are all there."""
    numbers = {half.queue_offset for half in halves}
    return next((number for number in range(start, end) if number not in numbers), end)


class _Batch:
    """Some half messages of one round, up to the first that has to wait."""

    def __init__(self, check: TransactionCheck, halves: list[MessageExt], end: int) -> None:
        """end: where the walk goes on when all of them are passed."""
        self._check = check
        self._halves = halves
        self._end = end
        self._go_on = True
        #: Stores under way, and one for `start` itself.
        self._open = 1

    def start(self) -> None:
        for half in self._halves:
            try:
                half_message.real_queue(half)
            except ValueError as error:
                log.error("%s and is passed over", error)
                continue
            verdict, message = self._check.step(half)
            if verdict is Verdict.LATER:
                self._stop_at(half.queue_offset)
                break
            if message is not None:
                self._open += 1
                self._check.put(verdict, half, message, partial(self._stored, half.queue_offset))
        self._finish_one()

    def _stored(self, queue_offset: int, is_stored: bool) -> None:
        if not is_stored:
            self._stop_at(queue_offset)
        self._finish_one()

    def _stop_at(self, queue_offset: int) -> None:
        self._end = min(self._end, queue_offset)
        self._go_on = False

    def _finish_one(self) -> None:
        self._open -= 1
        if not self._open:
            self._check.passed(self._end, go_on=self._go_on)
