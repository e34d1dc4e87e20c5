# SPDX-License-Identifier: Apache-2.0
"""What can go wrong on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from .command import RemotingCommand


class RemotingError(Exception):
    """Base of everything that a remoting call can end with, other than an answer."""


class ProtocolError(RemotingError):
    """The peer sent bytes that are no RocketMQ frame. Nothing after them can be trusted: close the connection.

    `commands` holds the whole frames that came before the bad one in the same read; they may still be served.
    """

    def __init__(self, reason: str, commands: Sequence[RemotingCommand] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.commands = list(commands)


class RecordError(ValueError):
    """The bytes are no whole, undamaged record or batch. The text names what is wrong and where."""
