# SPDX-License-Identifier: Apache-2.0
"""Ports that nobody listens on and that outgoing connections do not take either.

A broker is killed and started again on its port, so a port that the system hands out (port 0) would be a race: between
the two, any client on the machine may get it as its own end of a connection.
"""

from __future__ import annotations

import itertools
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Below Linux's default range for outgoing connections, which begins at 32768.
_FIRST, _LAST = 14000, 32000
# A broker listens on listenPort, listenPort - 2 and listenPort + 1; ten apart leaves room for what else it may open.
_STEP = 10
_BROKER_OFFSETS = (-2, 0, 1)

# Workers of one run have a part of the range each: what one of them has found free, another must not find free too.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_own = range(_FIRST, _LAST, _STEP)[_WORKER::_WORKERS]
_skipped = os.getpid() % len(_own)
_candidates: Iterator[int] = itertools.cycle([*_own[_skipped:], *_own[:_skipped]])


def free_broker_port() -> int:
    """A listenPort with the two ports that go with it, on every address of this machine."""
    for base in itertools.islice(_candidates, len(_own)):
        if all(is_free(base + offset) for offset in _BROKER_OFFSETS):
            return base
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST}")


def free_port() -> int:
    return free_broker_port()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
