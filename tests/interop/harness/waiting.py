# SPDX-License-Identifier: Apache-2.0
"""Waits with a deadline. What is waited for happens in other processes, so it is looked at again and again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_AGAIN_S = 0.05

T = TypeVar("T")


class DeadlineError(AssertionError):
    """What was waited for did not come; the text says what was seen last."""


def wait_for(
    what: str,
    look: Callable[[], T | None],
    *,
    within_s: float,
    detail: Callable[[], str] = str,
    look_again_s: float = _LOOK_AGAIN_S,
) -> T:
    """Calls `look` until it returns something other than None or False, and returns that.

    An OSError of `look` means "not yet": the peer may be starting. `detail` is asked for the text of a failure.
    """
    deadline = time.monotonic() + within_s
    last = "nothing"
    while True:
        try:
            seen = look()
            if seen is not None and seen is not False:
                return seen
            last = repr(seen)
        except OSError as error:
            last = repr(error)
        if time.monotonic() >= deadline:
            raise DeadlineError(f"no {what} within {within_s:g} s; last seen: {last}\n{detail()}")
        time.sleep(look_again_s)
