# SPDX-License-Identifier: Apache-2.0
"""What a producer is given with a timer message, and what it hands in to recall it. Answers to RecallMessageHandle.

base64, URL alphabet, of "v1 <topic> <brokerName> <TIMER_OUT_MS + 1> <UNIQ_KEY>"
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..remoting.message_const import PROPERTY_REAL_TOPIC, PROPERTY_TIMER_OUT_MS
from ..remoting.message_properties import property_value
from ..remoting.topic_names import is_retry_topic

if TYPE_CHECKING:
    from ..store.put_message import MessageToStore

INVALID = "recall handle is invalid"
_VERSION = "v1"
_SEPARATOR = " "


@dataclass(frozen=True)
class RecallMessageHandle:
    topic: str
    broker_name: str
    time_text: str
    uniq_key: str

    @property
    def time_ms(self) -> int:
        """-1 where the handle holds no number."""
        text = self.time_text
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1

    def encode(self) -> str:
        parts = (_VERSION, self.topic, self.broker_name, self.time_text, self.uniq_key)
        return base64.urlsafe_b64encode(_SEPARATOR.join(parts).encode()).decode("ascii")

    @classmethod
    def decode(cls, text: str) -> RecallMessageHandle:
        """Raises ValueError, in Apache's words."""
        try:
            # Java takes a handle without its padding too, and nothing outside of the alphabet.
            data = text.encode("ascii")
            raw = base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_", validate=True).decode()
        except (binascii.Error, UnicodeError):
            raise ValueError(INVALID) from None
        items = raw.split(_SEPARATOR)
        if items[0] != _VERSION or len(items) < 5:
            raise ValueError(INVALID)
        return cls(items[1], items[2], items[3], items[4])


def recall_handle(message: MessageToStore, broker_name: str, uniq_key: str) -> str:
    """The handle of a message on its way into the timer topic; empty for one that consumers gave back."""
    topic = property_value(message.properties, PROPERTY_REAL_TOPIC) or ""
    out_ms = property_value(message.properties, PROPERTY_TIMER_OUT_MS)
    if out_ms is None or is_retry_topic(topic):
        return ""
    # The slot is rounded down; one more is still in it.
    return RecallMessageHandle(topic, broker_name, str(int(out_ms) + 1), uniq_key).encode()
