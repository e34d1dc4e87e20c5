# SPDX-License-Identifier: Apache-2.0
"""What `MessageStore.get` answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto


class GetStatus(Enum):
    """Apache's GetMessageStatus."""

    FOUND = auto()
    NO_MATCHED_MESSAGE = auto()
    MESSAGE_WAS_REMOVING = auto()
    OFFSET_FOUND_NULL = auto()
    OFFSET_OVERFLOW_BADLY = auto()
    OFFSET_OVERFLOW_ONE = auto()
    OFFSET_TOO_SMALL = auto()
    NO_MATCHED_LOGIC_QUEUE = auto()
    NO_MESSAGE_IN_QUEUE = auto()
    OFFSET_RESET = auto()


class BoundaryType(Enum):
    """Which end of the messages of one store time a search by time wants."""

    LOWER = "lower"
    UPPER = "upper"


@dataclass(slots=True)
class GetResult:
    """frames: the records as they stand in the commit log, neighbours merged into one view; send them in this order.

    The views stay valid while the process lives: a deleted file's map goes away with its last view."""

    status: GetStatus
    next_begin_offset: int
    min_offset: int = 0
    max_offset: int = 0
    frames: list[memoryview] = field(default_factory=list)
    message_count: int = 0
    size_bytes: int = 0
    suggest_pulling_from_slave: bool = False
