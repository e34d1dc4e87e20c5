# SPDX-License-Identifier: Apache-2.0
"""A remoting server with small limits, as a process whose memory a test can look at.

memory_server.py LIMIT=NUMBER ...    limits of ServerLimits; prints the port, then serves until it is killed

Code 1 is answered with as many bytes as its field `bytes` says, code 2 with the counters, as JSON. Code 3 is one-way.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from rmq.rpc import Channel, RemotingServer, ServerLimits
from rmq.runtime import AsyncioReactor

if TYPE_CHECKING:
    from rmq.remoting.command import RemotingCommand


def main(arguments: list[str]) -> None:
    given = {name: int(value) for name, value in (argument.split("=") for argument in arguments)}
    with AsyncioReactor() as reactor:
        server = RemotingServer(reactor, limits=dataclasses.replace(ServerLimits(), **given))

        def counters(_: Channel, request: RemotingCommand) -> RemotingCommand:
            text = json.dumps({**dataclasses.asdict(server.counters), "open": len(server.channels)})
            return request.response(0, body=text.encode())

        server.register(1, lambda _, request: request.response(0, body=bytes(int(request.ext_fields["bytes"]))))
        server.register(2, counters)
        server.register(3, lambda _, request: request.response(0, "dropped"))
        print(server.listen("127.0.0.1", 0).address[1], flush=True)  # noqa: T201
        reactor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
