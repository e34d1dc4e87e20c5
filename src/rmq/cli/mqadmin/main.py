# SPDX-License-Identifier: Apache-2.0
"""`mqadmin <subcommand> [options]`: Apache's subcommands, options and output, without a JVM.

Unlike Apache's, a subcommand that fails has an exit status other than 0 and says so in one line on stderr: 1 for what
went wrong at the servers, 2 for a command line that makes no sense.
"""

from __future__ import annotations

import difflib
import os
import sys
from typing import TYPE_CHECKING

from ...client.admin import AdminClient
from ...client.errors import NoRouteError
from ...remoting.errors import RemotingError
from . import broker, cluster, connection, group, message, namesrv, offset, stats, topic
from .command import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandError, Context, UsageError
from .tls import tls_of
from .tools_file import tools_credentials

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from .command import Command

COMMANDS: dict[str, Command] = {
    command.name: command
    for subject in (topic, group, connection, offset, broker, cluster, stats, message, namesrv)
    for command in subject.COMMANDS
}

# MixAll.NAMESRV_ADDR_ENV.
NAMESRV_ADDR_ENV = "NAMESRV_ADDR"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand with the process's streams; answers the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments == ["help"] or arguments[0] in ("-h", "--help"):
        _print_help()
        return EXIT_OK
    wants_help = arguments[0] == "help"
    name = arguments[1] if wants_help else arguments[0]
    command = COMMANDS.get(name)
    if command is None:
        return _fail("mqadmin", f"The sub command {name} not exist.{_nearest(name)}", EXIT_USAGE)
    if wants_help or any(argument in ("-h", "--help") for argument in arguments[1:]):
        command.parser().print_help(sys.stdout)
        return EXIT_OK
    return _run(command, arguments[1:])


def _run(command: Command, arguments: list[str]) -> int:
    who = f"mqadmin {command.name}"
    try:
        options = command.parser().parse_args(arguments)
        name_servers = _name_servers(options)
        with AdminClient(name_servers, credentials=tools_credentials(), tls=tls_of(os.environ)) as admin:
            command.run(options, Context(admin, sys.stdout))
    except UsageError as error:
        return _fail(who, f"{error} (mqadmin help {command.name} lists the options)", EXIT_USAGE)
    except NoRouteError as error:
        hint = "" if name_servers else f"; use -n host:port or set {NAMESRV_ADDR_ENV}"
        return _fail(who, f"{error}{hint}", EXIT_FAILED)
    except (RemotingError, CommandError, ValueError) as error:
        return _fail(who, str(error), EXIT_FAILED)
    except BrokenPipeError:
        # Who read the output has seen enough. What is still buffered must not fail again when Python ends.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_FAILED
    return EXIT_OK


def _name_servers(options: argparse.Namespace) -> str:
    given: str = options.namesrvAddr or os.environ.get(NAMESRV_ADDR_ENV, "")
    return given.strip().strip("\"'")


def _fail(who: str, text: str, status: int) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{who}: {' '.join(text.split())}\n")
    return status


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    return f" Did you mean {near[0]}?" if near else " mqadmin without arguments lists them."


def _print_help() -> None:
    lines = [f"   {command.name:<24} {command.description}" for command in COMMANDS.values()]
    text = "\n".join(["The most commonly used mqadmin commands are:", *lines])
    sys.stdout.write(text + "\n\nSee 'mqadmin help <command>' for more information on a specific command.\n")


if __name__ == "__main__":
    raise SystemExit(main())
