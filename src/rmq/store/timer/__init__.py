# SPDX-License-Identifier: Apache-2.0
"""Timer messages of RocketMQ 5: the wheel, its log, the checkpoint, and the service that turns the wheel."""

from __future__ import annotations

from .timer_checkpoint import TimerCheckpoint
from .timer_message_store import TimerMessageStore

__all__ = ["TimerCheckpoint", "TimerMessageStore"]
