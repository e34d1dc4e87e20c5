# SPDX-License-Identifier: Apache-2.0
"""`python -m rmq.cli.main COMMAND ...`, and what the engine's archive runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

USAGE = """usage: rmq COMMAND ...

  mqnamesrv   start a name server            (also: namesrv)
  mqbroker    start a broker                 (also: broker)
  mqadmin     administer a cluster           (also: admin)
  mqshutdown  stop the servers of this home  (also: shutdown)
  supervise   run a command, and again when it fails
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code. Without argv, the arguments of the process."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = _command(arguments[0].removeprefix("mq")) if arguments else None
    if command is None:
        print(USAGE, end="", file=sys.stderr)  # noqa: T201
        return 2
    return command(arguments[1:])


def _command(name: str) -> Callable[[Sequence[str]], int] | None:
    """Each command imports what it needs alone: a start takes a tenth of a second, and most of that is imports."""
    # ruff: noqa: PLC0415
    if name == "namesrv":
        from .namesrv_startup import main as namesrv

        return namesrv
    if name == "broker":
        from .broker_startup import main as broker

        return broker
    if name == "admin":
        from .mqadmin.main import main as admin

        return admin
    if name == "shutdown":
        from .mqshutdown import main as shutdown

        return shutdown
    if name == "supervise":
        from .supervisor import main as supervise

        return supervise
    return None


if __name__ == "__main__":
    sys.exit(main())
