# SPDX-License-Identifier: Apache-2.0
"""The engine's own main, with an ear at its door: notes which request codes each connection asks, and for whom.

One file for each process, in the directory INTEROP_NOTES: `<program>-<pid>`. One line for each thing that is new of a
connection: its number, the request code, and the case that the request is about, or `-`. A case is told by the names of
its topics and groups (programs/cases.py, "Names"), wherever they stand in a request. harness/codes.py reads the files.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rmq.cli.main import main
from rmq.rpc.server import RemotingServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rmq.remoting.command import RemotingCommand
    from rmq.rpc import Processor
    from rmq.rpc.channel import Channel

# IT<client>-<case>
_CASE = re.compile(r"\bIT[a-z0-9]+-[a-z0-9]+")
# Names stand at the begin of a body; what a user sends may be 4 MiB.
_LOOKED_AT_BYTES = 65536


class Notes:
    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="ascii", buffering=1)
        self._numbers = itertools.count(1)
        self._known: dict[int, set[tuple[int, str]]] = {}

    def add(self, channel: Channel, request: RemotingCommand) -> None:
        number = channel.attributes.setdefault("interop-notes", next(self._numbers))
        assert isinstance(number, int)
        known = self._known.setdefault(number, set())
        for case in set(_cases(request)) or {"-"}:
            if (request.code, case) not in known:
                known.add((request.code, case))
                self._file.write(f"{number} {request.code} {case}\n")


def _cases(request: RemotingCommand) -> Iterator[str]:
    for value in request.ext_fields.values():
        yield from _CASE.findall(value)
    yield from _CASE.findall(request.body[:_LOOKED_AT_BYTES].decode("latin-1"))


def listen(notes: Notes) -> None:
    """From now on every server notes what its processors are asked."""
    register = RemotingServer.register

    def noting(self: RemotingServer, code: int, processor: Processor) -> None:
        def process(channel: Channel, request: RemotingCommand) -> RemotingCommand | None:
            notes.add(channel, request)
            return processor(channel, request)

        register(self, code, process)

    RemotingServer.register = noting  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    listen(Notes(Path(os.environ["INTEROP_NOTES"]) / f"{sys.argv[1]}-{os.getpid()}"))
    sys.exit(main())
