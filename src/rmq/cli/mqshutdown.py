# SPDX-License-Identifier: Apache-2.0
"""`mqshutdown broker|namesrv`: stop the servers that were started from this ROCKETMQ_HOME, and wait until they have
ended.

Apache's kills every BrokerStartup on the host, whoever's it is. This one signals only processes that hold a pid file
under ROCKETMQ_HOME/run, each at the same time, and says how it went.
"""

from __future__ import annotations

import argparse
import select
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .pid_file import process_handle, running, terminate
from .server_process import rocketmq_home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# A broker writes back what its files lack and says goodbye to its name servers; the units allow as much.
WAIT_S = 120.0


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("mqshutdown", description="Stop the servers of this ROCKETMQ_HOME.")
    parser.add_argument("program", choices=("broker", "namesrv"))
    program = parser.parse_args(argv).program
    home = rocketmq_home()
    if home is None:
        print("ROCKETMQ_HOME is not set, so there is no telling whose servers are meant", file=sys.stderr)  # noqa: T201
        return 2
    return stop_all(home, program)


def stop_all(home: Path, program: str) -> int:
    """0 when at least one was running and all have ended."""
    name = f"mq{program}"
    pids = running(home, program)
    if not pids:
        _say(f"No {name} of {home} running. (What systemd runs is stopped by systemctl.)")
        return 1
    with ExitStack() as stack:
        handles = {}
        for pid in pids:
            handle = stack.enter_context(process_handle(pid))
            if handle is not None:
                _say(f"The {name}({pid}) is running...")
                terminate(handle)
                _say(f"Send shutdown request to {name}({pid}) OK")
                handles[handle] = pid
        left = _wait(handles)
    for pid in left:
        print(f"{name}({pid}) has not ended within {WAIT_S:.0f} s", file=sys.stderr)  # noqa: T201
    return 1 if left else 0


def _wait(handles: dict[int, int]) -> list[int]:
    """Pids of those that are still there at the end."""
    left = dict(handles)
    deadline = time.monotonic() + WAIT_S
    while left and (remaining := deadline - time.monotonic()) > 0:
        ended, _, _ = select.select(list(left), [], [], remaining)
        for handle in ended:
            del left[handle]
    return list(left.values())


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
