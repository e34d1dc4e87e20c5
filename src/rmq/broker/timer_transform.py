# SPDX-License-Identifier: Apache-2.0
"""A message that asks for a time, on its way into the timer topic. Answers to transformTimerMessage of HookUtils.

TIMER_DELAY_SEC, else TIMER_DELAY_MS, else TIMER_DELIVER_MS -> deliver time

deliver time                              what becomes of the message
not a number, beyond timerMaxDelaySec     refused, MESSAGE_ILLEGAL
passed                                    goes to its topic at once; a recall is refused
to come                                   into the timer topic, with the slot before that time as TIMER_OUT_MS
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..remoting.codes import ResponseCode
from ..remoting.message_const import (
    PROPERTY_REAL_QUEUE_ID,
    PROPERTY_REAL_TOPIC,
    PROPERTY_TIMER_DEL_UNIQKEY,
    PROPERTY_TIMER_DELAY_MS,
    PROPERTY_TIMER_DELAY_SEC,
    PROPERTY_TIMER_DELIVER_MS,
    PROPERTY_TIMER_OUT_MS,
    TIMER_KEYS,
    TRANSACTION_COMMIT_TYPE,
    TRANSACTION_NOT_TYPE,
    TRANSACTION_TYPE_MASK,
)
from ..remoting.message_properties import PROPERTIES_MAX_BYTES, encode_properties
from ..remoting.topic_names import TIMER_TOPIC
from ..rpc.errors import RequestRefused
from ..store.timer.timer_message import PROPERTIES_ROOM_BYTES

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from ..store.put_message import MessageToStore
    from .broker_context import BrokerContext

#: What Java's Long.parseLong takes of the numbers that make sense here.
_LONG = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class TimerTransform:
    def __init__(self, context: BrokerContext, dice: random.Random) -> None:
        self._config = context.config
        self._clock = context.clock
        self._timer = context.timer
        self._precision_ms = context.store.config.timer_precision_ms
        self._dice = dice

    def timed(self, message: MessageToStore, properties: Mapping[str, str]) -> MessageToStore:
        """The message as it is to be stored; itself where it asks for no time. Raises RequestRefused.

        properties: those of the message, decoded."""
        if TIMER_KEYS.isdisjoint(properties) or PROPERTY_TIMER_OUT_MS in properties:
            return message
        if message.sys_flag & TRANSACTION_TYPE_MASK not in (TRANSACTION_NOT_TYPE, TRANSACTION_COMMIT_TYPE):
            return message
        if self._timer is None:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, "accurate timer message is not enabled, timerWheelEnable is false"
            )
        now_ms = self._clock.now_ms()
        deliver_ms = self._deliver_ms(properties, now_ms)
        if deliver_ms <= now_ms:
            if PROPERTY_TIMER_DEL_UNIQKEY in properties:
                raise self._illegal()
            return message
        if deliver_ms - now_ms > self._config.timer_max_delay_sec * 1000:
            raise self._illegal()
        out_ms = (deliver_ms - 1) // self._precision_ms * self._precision_ms
        if self._is_congested(out_ms):
            raise self._congested()
        origin = {
            PROPERTY_TIMER_OUT_MS: str(out_ms),
            PROPERTY_REAL_TOPIC: message.topic,
            PROPERTY_REAL_QUEUE_ID: str(message.queue_id),
        }
        text = message.properties + encode_properties(origin)
        if len(text.encode("utf-8", "replace")) > PROPERTIES_MAX_BYTES - PROPERTIES_ROOM_BYTES:
            # It could be stored now, and not any more when its time has come.
            raise RequestRefused(ResponseCode.MESSAGE_ILLEGAL, "the properties of the timer message are too long")
        return message._replace(topic=TIMER_TOPIC, queue_id=0, properties=text)

    def _deliver_ms(self, properties: Mapping[str, str], now_ms: int) -> int:
        for key, unit_ms in ((PROPERTY_TIMER_DELAY_SEC, 1000), (PROPERTY_TIMER_DELAY_MS, 1)):
            if key in properties:
                return now_ms + self._number(properties[key]) * unit_ms
        return self._number(properties[PROPERTY_TIMER_DELIVER_MS])

    def _number(self, text: str) -> int:
        if not _LONG.fullmatch(text):
            raise self._illegal()
        return int(text)

    def _is_congested(self, out_ms: int) -> bool:
        """More than the limit in a slot is refused by the dice, twice the limit always."""
        assert self._timer is not None
        limit = self._config.timer_congest_num_each_slot
        waiting = self._timer.waiting_at(out_ms)
        if waiting <= limit:
            return False
        return waiting >= limit * 2 or self._dice.randrange(1000) > 1000 * (waiting - limit) / (limit + 0.1)

    def _illegal(self) -> RequestRefused:
        return RequestRefused(
            ResponseCode.MESSAGE_ILLEGAL,
            "timer message illegal, the delay time should not be bigger than the max delay "
            f"{self._config.timer_max_delay_sec * 1000}ms; or if set del msg, the delay time should be bigger than the "
            "current time",
        )

    def _congested(self) -> RequestRefused:
        limit = self._config.timer_congest_num_each_slot
        return RequestRefused(
            ResponseCode.SYSTEM_ERROR,
            f"timer message is under flow control, max num limit is {limit * 2} or the current value is greater than "
            f"{limit} and less than {limit * 2}, trigger random flow control",
        )
