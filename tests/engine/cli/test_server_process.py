# SPDX-License-Identifier: Apache-2.0
"""What becomes of a server that is up and cannot go on, or whose stop goes wrong."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.cli.process import Processes

# A server that lives for a moment; {after} is what it does then, {stop} how it stops.
_PROGRAM = """
import os, signal, sys
from rmq.cli import server_process
from rmq.topology.kind import Kind

class Server:
    def __init__(self, reactor, disk):
        self.reactor = reactor
    def start(self):
        self.reactor.call_later(10, lambda: {after})
        return "up"
    def is_ready(self):
        return True
    def stop(self, stopped):
        {stop}

server_process.FAILED_STOP_WITHIN_S = 1
process = server_process.ServerProcess(Kind.BROKER)
sys.exit(process.run(Server))
"""
FAIL = 'process.fail("the disk failed: EIO")'
TERMINATE = "os.kill(os.getpid(), signal.SIGTERM)"
LINE = "The broker failed: the disk failed: EIO\n"


@pytest.mark.parametrize(
    ("after", "stop", "code", "output"),
    [
        (TERMINATE, "stopped()", 0, ["up\n"]),
        (FAIL, "stopped()", 1, ["up\n", LINE]),
        (FAIL, "pass", -14, ["up\n", LINE]),
        (TERMINATE, "raise OSError(5, 'EIO')", 1, ["up\n"]),
    ],
    ids=["clean", "failed", "failed-and-stuck", "unclean"],
)
def test_the_exit_code_tells_how_it_ended(run: Processes, after: str, stop: str, code: int, output: list[str]) -> None:
    process = run.start(sys.executable, "-c", _PROGRAM.format(after=after, stop=stop))
    assert process.wait() == code
    assert process.output == output
