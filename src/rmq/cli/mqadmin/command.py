# SPDX-License-Identifier: Apache-2.0
"""What a subcommand is, and what it is given."""

from __future__ import annotations

import argparse
import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...client.admin import AdminClient

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2


class CommandError(Exception):
    """The subcommand did not do what it was asked to; the text is the one line that the user sees."""


class UsageError(Exception):
    """The command line makes no sense; the text is the one line that the user sees."""


class Parser(argparse.ArgumentParser):
    """Argparse, with a fault in one line instead of the whole usage, and long options written out."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, add_help=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


@dataclass(frozen=True)
class Context:
    admin: AdminClient
    out: TextIO

    def line(self, text: str = "") -> None:
        self.out.write(text + "\n")


@dataclass(frozen=True)
class Command:
    """`run` raises RemotingError, BodyError, ValueError or CommandError; what it printed before stays."""

    name: str
    description: str
    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace, Context], None]

    def parser(self) -> Parser:
        parser = Parser(f"mqadmin {self.name}", self.description)
        parser.add_argument("-h", "--help", action="store_true", help="Print help")
        parser.add_argument(
            "-n", "--namesrvAddr", help="Name server address list, eg: '192.168.0.1:9876;192.168.0.2:9876'"
        )
        self.add_options(parser)
        return parser


def whole_number(text: str) -> int:
    """An option's value."""
    try:
        return int(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def timestamp(text: str) -> int:
    """An option's value: milliseconds, or a local date."""
    try:
        return int(text.strip())
    except ValueError:
        date = datetime.datetime.strptime(text.strip(), "%Y-%m-%d#%H:%M:%S:%f")
        return int(date.timestamp() * 1000)


def boolean(text: str) -> bool:
    """An option's value, `true` or `false`. Apache takes every other word for false."""
    value = text.strip().lower()
    if value not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return value == "true"


def add_target(parser: Parser, *, verb: str) -> None:
    """-b or -c, one of which must be there."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("-b", "--brokerAddr", help=f"{verb} which broker")
    group.add_argument("-c", "--clusterName", help=f"{verb} which cluster")


def target_masters(arguments: argparse.Namespace, context: Context) -> list[str]:
    """The broker of -b, or the masters of the cluster of -c."""
    if arguments.brokerAddr is not None:
        return [arguments.brokerAddr.strip()]
    return context.admin.master_addresses(arguments.clusterName.strip())


def repeat(interval_s: int | None, action: Callable[[], None]) -> None:
    """Once, or for ever with a pause between."""
    action()
    while interval_s is not None:
        time.sleep(interval_s)
        action()


def date_text(timestamp_ms: int, *, with_milliseconds: bool = True) -> str:
    """In the local time zone, as Apache's tools print it."""
    seconds, milliseconds = divmod(timestamp_ms, 1000)
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    return f"{text},{milliseconds:03d}" if with_milliseconds else text
