# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import dataclass

from ..json_body import TEXT, WHOLE_NUMBER, JsonBody, wire


@dataclass(frozen=True)
class MessageQueue(JsonBody):
    """One queue of a topic on one broker set."""

    broker_name: str = wire(TEXT, "")
    queue_id: int = wire(WHOLE_NUMBER, 0)
    topic: str = wire(TEXT, "")
