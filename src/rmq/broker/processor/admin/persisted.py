# SPDX-License-Identifier: Apache-2.0
"""A change is acknowledged when it is on the disk, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....remoting.codes import ResponseCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ....remoting.command import RemotingCommand
    from ....rpc.channel import Channel

    Answer = Callable[[BaseException | None], None]


def answer_when_persisted(channel: Channel, request: RemotingCommand, remark: str | None = None) -> Answer:
    """Give this to a manager as `done`: it answers SUCCESS, or SYSTEM_ERROR with why the table could not be written."""

    def done(fault: BaseException | None) -> None:
        if fault is None:
            channel.answer(request.response(ResponseCode.SUCCESS, remark))
        else:
            channel.answer(request.response(ResponseCode.SYSTEM_ERROR, not_written(fault)))

    return done


class AnswerWhenAll:
    """Give this as `done` to as many as there are parts: it answers when the last is over, with the first fault."""

    def __init__(self, parts: int, answer: Answer) -> None:
        self._open = parts
        self._answer = answer
        self._fault: BaseException | None = None

    def __call__(self, fault: BaseException | None) -> None:
        self._fault = self._fault or fault
        self._open -= 1
        if not self._open:
            self._answer(self._fault)


def not_written(fault: BaseException) -> str:
    return f"the change is in force but could not be written: {fault}"
