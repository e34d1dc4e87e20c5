# SPDX-License-Identifier: Apache-2.0
"""Tell the clients of a group that its members changed: request 40, pushed one-way to each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..remoting.codes import RequestCode
from ..remoting.command import SERVER_LANGUAGE, RemotingCommand

if TYPE_CHECKING:
    from ..rpc.channel import Channel


def notify_consumer_change(group: str, channels: list[Channel]) -> None:
    for channel in channels:
        command = RemotingCommand.request(
            RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, {"consumerGroup": group}, oneway=True
        )
        command.language = SERVER_LANGUAGE
        channel.push(command)
